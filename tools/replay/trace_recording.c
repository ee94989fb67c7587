/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what `rdisk --record` wrote; the format is in rdisk_recording.h. Requests that the server refused or that
 * failed are left out (they are counted). A missing end and an incomplete last record are told as broken records; gaps
 * are told, and what is missing in them counted.
 */
#include <string.h>

#include "rdisk_protocol.h"
#include "rdisk_recording.h"
#include "trace_internal.h"

#define SIZE_MAX_ACCEPTED 4096 /* of a header, a device or a record of later minor changes */

struct state {
	uint32_t record_size;
	bool ended; /* RECORDING_END was read */
};

static bool recognizes_start(const void *start, size_t length)
{
	return length >= strlen(RECORDING_MAGIC) && memcmp(start, RECORDING_MAGIC, strlen(RECORDING_MAGIC)) == 0;
}

static int check_header(const struct trace_reader *reader, const struct recording_header *header,
			struct diagnostic *diagnostic)
{
	const char *path = reader->path;

	if (!recognizes_start(header, sizeof(*header)))
		return diagnostic_set(diagnostic, "%s: is not a recording of rdisk", path);
	if (header->byte_order == __builtin_bswap32(RECORDING_BYTE_ORDER))
		return diagnostic_set(diagnostic, "%s: was recorded on a machine of the other byte order", path);
	if (header->byte_order != RECORDING_BYTE_ORDER)
		return diagnostic_set(diagnostic, "%s: the header is damaged (byte order %#x)", path,
				      header->byte_order);
	if (header->version != RECORDING_VERSION)
		return diagnostic_set(diagnostic, "%s: is a recording of version %u, only %u can be read", path,
				      header->version, RECORDING_VERSION);
	if (header->header_size < sizeof(*header) || header->header_size > SIZE_MAX_ACCEPTED ||
	    header->device_size < sizeof(struct recording_device) || header->device_size > SIZE_MAX_ACCEPTED ||
	    header->record_size < sizeof(struct recording_record) || header->record_size > SIZE_MAX_ACCEPTED ||
	    header->nr_devices > RECORDING_DEVICES_MAX)
		return diagnostic_set(diagnostic, "%s: the header is damaged (sizes %u, %u, %u, %u devices)", path,
				      header->header_size, header->device_size, header->record_size,
				      header->nr_devices);
	return 0;
}

static int begin(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	struct recording_header header = { 0 };
	struct state *state = reader->state;
	int64_t got = trace_input_take(reader->input, &header, sizeof(header), diagnostic);
	size_t rest;

	if (got < 0)
		return -1;
	if ((size_t)got < sizeof(header))
		return diagnostic_set(diagnostic, "%s: ends within the recording's header", reader->path);
	if (check_header(reader, &header, diagnostic))
		return -1;
	rest = header.header_size - sizeof(header) + (size_t)header.nr_devices * header.device_size;
	got = trace_input_skip(reader->input, rest, diagnostic);
	if (got < 0)
		return -1;
	if ((size_t)got < rest)
		return diagnostic_set(diagnostic, "%s: ends within the recording's header", reader->path);
	state->record_size = header.record_size;
	return 0;
}

static int find_kind(const struct recording_record *record, enum trace_kind *kind, struct diagnostic *cause)
{
	switch (record->operation) {
	case RDISK_OP_READ:
		*kind = TRACE_READ;
		return 0;
	case RDISK_OP_WRITE:
		*kind = TRACE_WRITE;
		return 0;
	case RDISK_OP_FLUSH:
		*kind = TRACE_FLUSH;
		return 0;
	case RDISK_OP_DISCARD:
		*kind = TRACE_DISCARD;
		return 0;
	case RDISK_OP_WRITE_ZEROES:
		*kind = TRACE_WRITE_ZEROES;
		return 0;
	default:
		return diagnostic_set(cause, "unknown operation %u", record->operation);
	}
}

static int parse_operation(struct trace_reader *reader, const struct recording_record *record, struct diagnostic *cause)
{
	struct trace_operation operation = {
		.time_ns = record->time,
		.latency_ns = record->duration,
		.position = record->position,
		.length = record->length,
		.device = record->minor,
		.flags = record->flags & RECORDING_FUA ? TRACE_FUA : 0,
	};

	if (find_kind(record, &operation.kind, cause))
		return -1;
	if (record->result < 0 || (record->length == 0 && operation.kind != TRACE_FLUSH)) {
		reader->left_out++;
		return 0;
	}
	return trace_push(reader, &operation, cause);
}

/* 0; or -1 and *cause. */
static int parse_record(struct trace_reader *reader, const struct recording_record *record, struct diagnostic *cause)
{
	struct state *state = reader->state;

	state->ended = false;
	switch (record->type) {
	case RECORDING_OPERATION:
		return parse_operation(reader, record, cause);
	case RECORDING_END:
		state->ended = true;
		return 0;
	case 0:
		return diagnostic_set(cause, "a record of zeros");
	default: /* of a later version that is otherwise the same */
		return 0;
	}
}

static int end_of_file(struct trace_reader *reader, size_t rest, struct diagnostic *diagnostic)
{
	const struct state *state = reader->state;
	const char *cause = rest > 0 ? "the recording ends within a record: what the server did last is missing"
				     : "the recording has no end: what the server did last is missing";

	return state->ended && rest == 0 ? 0 : trace_report_broken(reader, cause, diagnostic);
}

static int read_record(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	const struct state *state = reader->state;
	struct recording_record record;
	struct diagnostic cause = { 0 };
	int64_t got = trace_input_take(reader->input, &record, sizeof(record), diagnostic);
	size_t rest = state->record_size - sizeof(record);
	int64_t skipped = 0;

	reader->line++;
	if (got == sizeof(record))
		skipped = trace_input_skip(reader->input, rest, diagnostic);
	if (got < 0 || skipped < 0)
		return -1;
	if (got < (int64_t)sizeof(record) || (size_t)skipped < rest)
		return end_of_file(reader, (size_t)(got + skipped), diagnostic);
	if (record.type == RECORDING_GAP) {
		((struct state *)reader->state)->ended = false;
		return trace_report_missing(reader, record.length, diagnostic) ? -1 : 1;
	}
	if (parse_record(reader, &record, &cause) && trace_report_broken(reader, cause.text, diagnostic))
		return -1;
	return 1;
}

const struct trace_format trace_format_recording = {
	.name = "rdisk",
	.description = "what rdisk --record wrote",
	.recognizes_start = recognizes_start,
	.reader_state = sizeof(struct state),
	.begin = begin,
	.record = read_record,
};
