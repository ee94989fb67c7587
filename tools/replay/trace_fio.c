/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fio's iolog, versions 2 and 3. A file of a job is a device here, numbered from 0 in the order in which they are
 * named.
 *
 *   fio version 2 iolog                  fio version 3 iolog
 *   FILE add|open|close                  US FILE add|open|close
 *   FILE read|write|trim OFFSET LENGTH   US FILE read|write|trim OFFSET LENGTH
 *   FILE sync|datasync 0 0               US FILE sync|datasync 0 0
 *   FILE wait US 0
 *
 * Version 3 has the time since the start in each line (microseconds). In version 2 time passes only in `wait`: by fio's
 * manual microseconds since the wait before, and nothing below 100. That is how it is read and written here, but short
 * waits are honoured when they are read, and summed up until they are long enough when they are written. (fio 3.33
 * itself takes a wait for milliseconds since the job's start: for fio write version 3.)
 */
#include <stdlib.h>
#include <string.h>

#include "trace_internal.h"
#include "trace_parse.h"

#define HEADER_2     "fio version 2 iolog"
#define HEADER_3     "fio version 3 iolog"
#define NS_PER_US    1000u
#define FILES_MAX    1024
#define WAIT_MIN_US  100u
#define NAME_PATTERN "disk%u"

struct reader_state {
	char *names[FILES_MAX];
	uint32_t nr_names;
	uint64_t now_ns; /* version 2: the sum of all waits */
};

static const struct {
	const char *name;
	int kind; /* enum trace_kind, or one of those below */
} actions[] = {
	{ "read", TRACE_READ },
	{ "write", TRACE_WRITE },
	{ "trim", TRACE_DISCARD },
#define NOTHING	 -1 /* says nothing about the disk */
#define WAIT	 -2
#define LEFT_OUT -3
	{ "sync", TRACE_FLUSH },
	{ "add", NOTHING },
	{ "open", NOTHING },
	{ "close", NOTHING },
	{ "wait", WAIT },
	{ "datasync", TRACE_FLUSH },
	{ "sync_file_range", LEFT_OUT },
};

static bool recognizes_2(char *line)
{
	return strcmp(line, HEADER_2) == 0;
}

static bool recognizes_3(char *line)
{
	return strcmp(line, HEADER_3) == 0;
}

static int find_file(struct reader_state *state, const char *name, uint32_t *device, struct diagnostic *cause)
{
	for (*device = 0; *device < state->nr_names; (*device)++) {
		if (strcmp(state->names[*device], name) == 0)
			return 0;
	}
	if (state->nr_names == FILES_MAX)
		return diagnostic_set(cause, "more than %d files", FILES_MAX);
	state->names[state->nr_names] = strdup(name);
	if (!state->names[state->nr_names])
		return diagnostic_set(cause, "out of memory");
	state->nr_names++;
	return 0;
}

static int find_action(const char *name, int *kind, struct diagnostic *cause)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, name) == 0) {
			*kind = actions[i].kind;
			return 0;
		}
	}
	return diagnostic_set(cause, "unknown action \"%.20s\"", name);
}

static int parse_wait(struct reader_state *state, const char *text, bool version_3, struct diagnostic *cause)
{
	uint64_t wait;

	if (version_3)
		return diagnostic_set(cause, "there is no wait in version 3");
	if (parse_scaled(text, "wait", NS_PER_US, &wait, cause))
		return -1;
	if (__builtin_add_overflow(state->now_ns, wait, &wait))
		return diagnostic_set(cause, "the waits sum up to too much");
	state->now_ns = wait;
	return 0;
}

/* NAME ACTION [OFFSET LENGTH] */
static int parse_action(struct trace_reader *reader, char **fields, int count, uint64_t time_ns,
			struct diagnostic *cause)
{
	struct trace_operation operation = { .time_ns = time_ns, .latency_ns = TRACE_NO_LATENCY };
	struct reader_state *state = reader->state;
	int kind = NOTHING;

	if (count != 2 && count != 4)
		return diagnostic_set(cause, "it is not FILE ACTION, nor FILE ACTION OFFSET LENGTH");
	if (find_action(fields[1], &kind, cause))
		return -1;
	if (count == 2 && kind != NOTHING && kind != TRACE_FLUSH)
		return diagnostic_set(cause, "%s without an offset and a length", fields[1]);
	if (kind == WAIT)
		return parse_wait(state, fields[2], reader->format == &trace_format_fio_3, cause);
	if (find_file(state, fields[0], &operation.device, cause))
		return -1;
	if (kind == LEFT_OUT)
		reader->left_out++;
	if (kind < 0)
		return 0;
	operation.kind = (enum trace_kind)kind;
	if (count == 4 && (parse_scaled(fields[2], "offset", 1, &operation.position, cause) ||
			   parse_scaled(fields[3], "length", 1, &operation.length, cause)))
		return -1;
	return trace_push(reader, &operation, cause);
}

static int parse_line_2(struct trace_reader *reader, char *line, struct diagnostic *cause)
{
	const struct reader_state *state = reader->state;
	char *fields[FIELDS_MAX];
	int count;

	if (reader->line == 1)
		return recognizes_2(line) ? 0 : diagnostic_set(cause, "it is not \"" HEADER_2 "\"");
	count = parse_fields(line, ' ', fields);
	return count == 0 ? 0 : parse_action(reader, fields, count, state->now_ns, cause);
}

static int parse_line_3(struct trace_reader *reader, char *line, struct diagnostic *cause)
{
	char *fields[FIELDS_MAX];
	uint64_t time_ns;
	int count;

	if (reader->line == 1)
		return recognizes_3(line) ? 0 : diagnostic_set(cause, "it is not \"" HEADER_3 "\"");
	count = parse_fields(line, ' ', fields);
	if (count == 0)
		return 0;
	if (parse_scaled(fields[0], "time", NS_PER_US, &time_ns, cause))
		return -1;
	return parse_action(reader, fields + 1, count - 1, time_ns, cause);
}

static void end_reading(struct trace_reader *reader)
{
	struct reader_state *state = reader->state;

	for (uint32_t i = 0; i < state->nr_names; i++)
		free(state->names[i]);
}

struct writer_state {
	uint32_t devices[FILES_MAX]; /* that were named */
	uint32_t nr_devices;
	uint64_t now_us; /* version 2: what was waited for so far; version 3: of the last line */
};

static const char *action_of(enum trace_kind kind)
{
	switch (kind) {
	case TRACE_READ:
		return "read";
	case TRACE_WRITE:
		return "write";
	case TRACE_DISCARD:
		return "trim";
	case TRACE_FLUSH:
	case TRACE_WRITE_ZEROES: /* never asked for */
	case TRACE_KINDS:
		break;
	}
	return "sync";
}

/* Begins a line; in version 3 with the time. */
static int write_name(struct trace_writer *writer, uint32_t device)
{
	const struct writer_state *state = writer->state;

	if (writer->format == &trace_format_fio_3 && trace_print(writer, "%llu ", (unsigned long long)state->now_us))
		return -1;
	return trace_print(writer, NAME_PATTERN, device);
}

static bool is_named(const struct writer_state *state, uint32_t device)
{
	for (uint32_t i = 0; i < state->nr_devices; i++) {
		if (state->devices[i] == device)
			return true;
	}
	return false;
}

static int name_device(struct trace_writer *writer, uint32_t device)
{
	struct writer_state *state = writer->state;

	state->devices[state->nr_devices++] = device;
	if (write_name(writer, device) || trace_print(writer, " add\n") || write_name(writer, device))
		return -1;
	return trace_print(writer, " open\n");
}

static int pass_time(struct trace_writer *writer, const struct trace_operation *operation)
{
	struct writer_state *state = writer->state;
	uint64_t us = operation->time_ns / NS_PER_US;
	uint64_t wait = us > state->now_us ? us - state->now_us : 0;

	if (writer->format == &trace_format_fio_2 && wait < WAIT_MIN_US)
		wait = 0;
	if (operation->time_ns > (state->now_us + wait) * NS_PER_US)
		writer->losses.times++;
	if (writer->format == &trace_format_fio_2 && wait > 0) {
		if (write_name(writer, operation->device) ||
		    trace_print(writer, " wait %llu 0\n", (unsigned long long)wait))
			return -1;
	}
	state->now_us += wait;
	return 0;
}

static int write_operation(struct trace_writer *writer, const struct trace_operation *operation)
{
	struct writer_state *state = writer->state;
	bool named = is_named(state, operation->device);

	if (!named && state->nr_devices == FILES_MAX) {
		writer->losses.devices++;
		return 0;
	}
	if (writer->format == &trace_format_fio_3 && pass_time(writer, operation))
		return -1;
	if (!named && name_device(writer, operation->device))
		return -1;
	if (writer->format == &trace_format_fio_2 && pass_time(writer, operation))
		return -1;
	if (write_name(writer, operation->device))
		return -1;
	return trace_print(writer, " %s %llu %llu\n", action_of(operation->kind),
			   (unsigned long long)operation->position, (unsigned long long)operation->length);
}

static int write_begin(struct trace_writer *writer)
{
	return trace_print(writer, "%s\n", writer->format == &trace_format_fio_3 ? HEADER_3 : HEADER_2);
}

static int write_finish(struct trace_writer *writer)
{
	const struct writer_state *state = writer->state;

	for (uint32_t i = 0; i < state->nr_devices; i++) {
		if (write_name(writer, state->devices[i]) || trace_print(writer, " close\n"))
			return -1;
	}
	return 0;
}

#define FIO_KINDS                                                                                                      \
	(TRACE_KIND_BIT(TRACE_READ) | TRACE_KIND_BIT(TRACE_WRITE) | TRACE_KIND_BIT(TRACE_FLUSH) |                      \
	 TRACE_KIND_BIT(TRACE_DISCARD))

const struct trace_format trace_format_fio_2 = {
	.name = "fio-2",
	.description = "fio's iolog version 2, waits as in its manual; at least 100 us",
	.recognizes_line = recognizes_2,
	.reader_state = sizeof(struct reader_state),
	.line = parse_line_2,
	.end = end_reading,
	.kinds = FIO_KINDS,
	.unit = 1,
	.time_unit = 1, /* pass_time() counts */
	.writer_state = sizeof(struct writer_state),
	.write_begin = write_begin,
	.write = write_operation,
	.write_finish = write_finish,
};

const struct trace_format trace_format_fio_3 = {
	.name = "fio-3",
	.description = "fio's iolog version 3; microseconds",
	.recognizes_line = recognizes_3,
	.reader_state = sizeof(struct reader_state),
	.line = parse_line_3,
	.end = end_reading,
	.kinds = FIO_KINDS,
	.unit = 1,
	.time_unit = 1, /* pass_time() counts */
	.writer_state = sizeof(struct writer_state),
	.write_begin = write_begin,
	.write = write_operation,
	.write_finish = write_finish,
};
