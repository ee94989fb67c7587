/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alibaba's block traces (io_traces.csv):
 *
 *   device_id,opcode,offset,length,timestamp
 *
 * The opcode is R or W, offset and length are bytes, the timestamp is microseconds. A first line that begins with a
 * letter names the columns.
 */
#include <ctype.h>
#include <string.h>

#include "trace_internal.h"
#include "trace_parse.h"

#define NS_PER_US 1000u

enum { DEVICE_ID, OPCODE, OFFSET, LENGTH, TIMESTAMP, COLUMNS };

static bool parse_opcode(const char *text, enum trace_kind *kind)
{
	*kind = strcmp(text, "R") == 0 ? TRACE_READ : TRACE_WRITE;
	return *kind == TRACE_READ || strcmp(text, "W") == 0;
}

static bool recognizes_line(char *line)
{
	char *fields[FIELDS_MAX];
	enum trace_kind kind;
	uint64_t number;

	return parse_fields(line, ',', fields) == COLUMNS && parse_number(fields[DEVICE_ID], &number) &&
	       parse_opcode(fields[OPCODE], &kind);
}

static int parse_line(struct trace_reader *reader, char *line, struct diagnostic *cause)
{
	struct trace_operation operation = { .latency_ns = TRACE_NO_LATENCY };
	char *fields[FIELDS_MAX];
	int count;

	if (*line == '\0' || (reader->line == 1 && isalpha((unsigned char)*line)))
		return 0;
	count = parse_fields(line, ',', fields);
	if (count != COLUMNS)
		return diagnostic_set(cause, "%d columns, not %d", count, COLUMNS);
	if (parse_device(fields[DEVICE_ID], "device", &operation.device, cause) ||
	    parse_scaled(fields[OFFSET], "offset", 1, &operation.position, cause) ||
	    parse_scaled(fields[LENGTH], "length", 1, &operation.length, cause) ||
	    parse_scaled(fields[TIMESTAMP], "timestamp", NS_PER_US, &operation.time_ns, cause))
		return -1;
	if (!parse_opcode(fields[OPCODE], &operation.kind))
		return diagnostic_set(cause, "opcode \"%.20s\" is neither R nor W", fields[OPCODE]);
	return trace_push(reader, &operation, cause);
}

static int write_operation(struct trace_writer *writer, const struct trace_operation *operation)
{
	return trace_print(writer, "%u,%c,%llu,%llu,%llu\n", operation->device,
			   operation->kind == TRACE_READ ? 'R' : 'W', (unsigned long long)operation->position,
			   (unsigned long long)operation->length, (unsigned long long)(operation->time_ns / NS_PER_US));
}

const struct trace_format trace_format_alibaba = {
	.name = "alibaba",
	.description = "CSV of Alibaba; reads and writes, microseconds",
	.recognizes_line = recognizes_line,
	.line = parse_line,
	.kinds = TRACE_KIND_BIT(TRACE_READ) | TRACE_KIND_BIT(TRACE_WRITE),
	.unit = 1,
	.time_unit = NS_PER_US,
	.write = write_operation,
};
