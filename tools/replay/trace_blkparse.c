/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text that blkparse prints in its default format:
 *
 *   major,minor  cpu  sequence  seconds  pid  action  rwbs  [sector + sectors ...]
 *
 * Action Q (or D, if it is asked for) is an operation and C its completion; all others are read over, and so are
 * requests that are not of blocks (SCSI commands). Lines that do not begin with a digit are the summary at the end. A
 * request with a preflush and data is two operations. Times are as printed, relative to the start of the recording.
 */
#include <string.h>

#include "trace_block.h"
#include "trace_parse.h"

enum { DEVICE_NUMBER, CPU, SEQUENCE, TIME, PID, ACTION, RWBS, SECTOR, PLUS, SECTORS, MIN_FIELDS = ACTION + 1 };

static bool recognizes_line(char *line)
{
	char *fields[FIELDS_MAX];
	uint32_t device;
	uint64_t number;

	return parse_fields(line, ' ', fields) > RWBS && strchr(fields[DEVICE_NUMBER], ',') &&
	       trace_device_parse(fields[DEVICE_NUMBER], &device) == 0 && parse_number(fields[CPU], &number) &&
	       parse_number(fields[SEQUENCE], &number) && parse_seconds(fields[TIME], &number);
}

/* The place of a request; no data when there is none on the line. 0, 1: it is not of blocks; or -1 and *cause. */
static int parse_place(char **fields, int count, struct block_event *event, struct diagnostic *cause)
{
	bool has_place = count > SECTORS && strcmp(fields[PLUS], "+") == 0;

	if (has_place) {
		uint64_t sectors;

		if (parse_scaled(fields[SECTOR], "sector", 1, &event->sector, cause) ||
		    parse_scaled(fields[SECTORS], "number of sectors", BLOCK_SECTOR, &sectors, cause))
			return -1;
		event->bytes = sectors;
		return 0;
	}
	/* "[process]", "0 [process]", and for commands "bytes (12 00 ..) [process]" */
	if (event->request.flush && !event->request.data)
		return 0;
	if (count <= SECTOR ||
	    (fields[SECTOR][0] != '[' && (count <= PLUS || (fields[PLUS][0] != '[' && fields[PLUS][0] != '('))))
		return diagnostic_set(cause, "a request without \"SECTOR + SECTORS\"");
	return event->request.flush ? 0 : 1;
}

/* "[0]" or "(..) [0]" behind a completion: whether it went well. */
static bool succeeded(char **fields, int count)
{
	for (int i = RWBS + 1; i < count; i++) {
		if (fields[i][0] == '[')
			return strcmp(fields[i], "[0]") == 0;
	}
	return true;
}

static int parse_event(struct trace_reader *reader, char **fields, int count, struct diagnostic *cause)
{
	struct block_event event = { 0 };
	char action = fields[ACTION][0];
	int code;

	if (trace_device_parse(fields[DEVICE_NUMBER], &event.device) || !strchr(fields[DEVICE_NUMBER], ','))
		return diagnostic_set(cause, "\"%.20s\" is not a device (major,minor)", fields[DEVICE_NUMBER]);
	if (parse_time(fields[TIME], "time", &event.time_ns, cause))
		return -1;
	if (strcmp(fields[ACTION], "Q") != 0 && strcmp(fields[ACTION], "D") != 0 && strcmp(fields[ACTION], "C") != 0)
		return 0;
	if (count <= RWBS || !block_parse_rwbs(fields[RWBS], &event.request))
		return diagnostic_set(cause, "\"%.20s\" is not what a request does (RWBS)",
				      count <= RWBS ? "" : fields[RWBS]);
	code = parse_place(fields, count, &event, cause);
	if (code)
		return code > 0 ? 0 : -1;
	if (action != 'C')
		return block_push(reader, reader->state, action == 'Q' ? TRACE_QUEUED : TRACE_ISSUED, &event, cause);
	if (succeeded(fields, count))
		block_complete(reader, &event);
	return 0;
}

static int parse_line(struct trace_reader *reader, char *line, struct diagnostic *cause)
{
	char *fields[FIELDS_MAX];
	int count = parse_fields(line, ' ', fields);

	if (count == 0 || fields[0][0] < '0' || fields[0][0] > '9')
		return 0;
	if (count < MIN_FIELDS)
		return diagnostic_set(cause, "%d of at least %d columns", count, MIN_FIELDS);
	return parse_event(reader, fields, count, cause);
}

static int finish(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	return block_finish(reader, reader->state, diagnostic);
}

/*
 * Completions that are to be written when the times of what is written have come to them; a heap, the earliest first.
 */
#define PENDING_MAX 4096

struct pending {
	uint64_t time_ns;
	struct trace_operation operation;
};

struct writer_state {
	uint64_t sequence;
	int nr_pending;
	struct pending pending[PENDING_MAX];
};

static const char *rwbs_of(const struct trace_operation *operation)
{
	bool fua = operation->flags & TRACE_FUA;

	switch (operation->kind) {
	case TRACE_READ:
		return fua ? "RF" : "R";
	case TRACE_WRITE:
		return fua ? "WF" : "W";
	case TRACE_WRITE_ZEROES:
		return fua ? "WZF" : "WZ";
	case TRACE_DISCARD:
		return fua ? "DF" : "D";
	case TRACE_FLUSH:
	case TRACE_KINDS:
		break;
	}
	return "FN";
}

static int write_event(struct trace_writer *writer, const struct trace_operation *operation, uint64_t time_ns,
		       char action)
{
	struct writer_state *state = writer->state;
	const char *tail = action == 'C' ? "[0]" : "[rdisk]";

	if (trace_print(writer, "%3u,%-3u  0 %8llu %5llu.%09llu %5u  %c %3s ", operation->device >> 20,
			operation->device & 0xfffff, (unsigned long long)++state->sequence,
			(unsigned long long)(time_ns / NS_PER_S), (unsigned long long)(time_ns % NS_PER_S), 0, action,
			rwbs_of(operation)))
		return -1;
	if (operation->kind == TRACE_FLUSH)
		return trace_print(writer, "%s\n", tail);
	return trace_print(writer, "%llu + %llu %s\n", (unsigned long long)(operation->position / BLOCK_SECTOR),
			   (unsigned long long)(operation->length / BLOCK_SECTOR), tail);
}

static void pending_add(struct writer_state *state, uint64_t time_ns, const struct trace_operation *operation)
{
	int place = state->nr_pending++;

	while (place > 0 && state->pending[(place - 1) / 2].time_ns > time_ns) {
		state->pending[place] = state->pending[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	state->pending[place] = (struct pending){ time_ns, *operation };
}

static struct pending pending_take(struct writer_state *state)
{
	struct pending first = state->pending[0];
	struct pending moved = state->pending[--state->nr_pending];
	int place = 0;

	for (;;) {
		int child = 2 * place + 1;

		if (child >= state->nr_pending)
			break;
		if (child + 1 < state->nr_pending && state->pending[child + 1].time_ns < state->pending[child].time_ns)
			child++;
		if (state->pending[child].time_ns >= moved.time_ns)
			break;
		state->pending[place] = state->pending[child];
		place = child;
	}
	state->pending[place] = moved;
	return first;
}

/* Writes the completions up to a time. */
static int write_completions(struct trace_writer *writer, uint64_t until_ns)
{
	struct writer_state *state = writer->state;

	while (state->nr_pending > 0 && state->pending[0].time_ns <= until_ns) {
		struct pending completed = pending_take(state);

		if (write_event(writer, &completed.operation, completed.time_ns, 'C'))
			return -1;
	}
	return 0;
}

static int write_operation(struct trace_writer *writer, const struct trace_operation *operation)
{
	struct writer_state *state = writer->state;
	uint64_t completed_ns;

	if (write_completions(writer, operation->time_ns) || write_event(writer, operation, operation->time_ns, 'Q'))
		return -1;
	if (operation->latency_ns == TRACE_NO_LATENCY ||
	    __builtin_add_overflow(operation->time_ns, operation->latency_ns, &completed_ns))
		return 0;
	/* No room: the earliest is written out of order, which its time tells. */
	if (state->nr_pending == PENDING_MAX && write_completions(writer, state->pending[0].time_ns))
		return -1;
	pending_add(state, completed_ns, operation);
	return 0;
}

static int write_finish(struct trace_writer *writer)
{
	return write_completions(writer, UINT64_MAX);
}

const struct trace_format trace_format_blkparse = {
	.name = "blkparse",
	.description = "what blkparse prints; Q and C events",
	.recognizes_line = recognizes_line,
	.reader_state = sizeof(struct block_counts),
	.line = parse_line,
	.finish = finish,
	.of_block_layer = true,
	.has_other_text = true,
	.kinds = TRACE_KIND_BIT(TRACE_READ) | TRACE_KIND_BIT(TRACE_WRITE) | TRACE_KIND_BIT(TRACE_FLUSH) |
		 TRACE_KIND_BIT(TRACE_DISCARD) | TRACE_KIND_BIT(TRACE_WRITE_ZEROES),
	.has_fua = true,
	.unit = BLOCK_SECTOR,
	.time_unit = 1,
	.has_latency = true,
	.writer_state = sizeof(struct writer_state),
	.write = write_operation,
	.write_finish = write_finish,
};
