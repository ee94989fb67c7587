/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tencent's traces of its cloud block storage:
 *
 *   Timestamp,Offset,Size,IOType,VolumeID
 *
 * The timestamp is seconds (whole ones as published; a fraction is read as well), offset and size are sectors of 512
 * bytes, the type is 0 for a read and 1 for a write. A first line that begins with a letter names the columns.
 */
#include <ctype.h>
#include <string.h>

#include "trace_internal.h"
#include "trace_parse.h"

#define SECTOR 512u

enum { TIMESTAMP, OFFSET, SIZE, IO_TYPE, VOLUME_ID, COLUMNS };

static bool parse_type(const char *text, enum trace_kind *kind)
{
	*kind = strcmp(text, "0") == 0 ? TRACE_READ : TRACE_WRITE;
	return *kind == TRACE_READ || strcmp(text, "1") == 0;
}

static bool recognizes_line(char *line)
{
	char *fields[FIELDS_MAX];
	enum trace_kind kind;
	uint64_t number;

	return parse_fields(line, ',', fields) == COLUMNS && parse_seconds(fields[TIMESTAMP], &number) &&
	       parse_number(fields[OFFSET], &number) && parse_number(fields[SIZE], &number) &&
	       parse_type(fields[IO_TYPE], &kind) && parse_number(fields[VOLUME_ID], &number);
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
	if (parse_time(fields[TIMESTAMP], "timestamp", &operation.time_ns, cause) ||
	    parse_scaled(fields[OFFSET], "offset", SECTOR, &operation.position, cause) ||
	    parse_scaled(fields[SIZE], "size", SECTOR, &operation.length, cause) ||
	    parse_device(fields[VOLUME_ID], "volume", &operation.device, cause))
		return -1;
	if (!parse_type(fields[IO_TYPE], &operation.kind))
		return diagnostic_set(cause, "type \"%.20s\" is neither 0 nor 1", fields[IO_TYPE]);
	return trace_push(reader, &operation, cause);
}

static int write_operation(struct trace_writer *writer, const struct trace_operation *operation)
{
	return trace_print(writer, "%llu,%llu,%llu,%c,%u\n", (unsigned long long)(operation->time_ns / NS_PER_S),
			   (unsigned long long)(operation->position / SECTOR),
			   (unsigned long long)(operation->length / SECTOR), operation->kind == TRACE_READ ? '0' : '1',
			   operation->device);
}

const struct trace_format trace_format_tencent = {
	.name = "tencent",
	.description = "CSV of Tencent; reads and writes, in sectors, whole seconds",
	.recognizes_line = recognizes_line,
	.line = parse_line,
	.kinds = TRACE_KIND_BIT(TRACE_READ) | TRACE_KIND_BIT(TRACE_WRITE),
	.unit = SECTOR,
	.time_unit = NS_PER_S,
	.write = write_operation,
};
