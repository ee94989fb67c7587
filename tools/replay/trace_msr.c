/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The block traces of Microsoft Research Cambridge:
 *
 *   Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime
 *
 * Timestamp and ResponseTime are in units of 100 ns, the first since 1601; Type is Read or Write; Offset and Size are
 * bytes. A ResponseTime of 0 is none. A first line that begins with a letter names the columns.
 */
#include <ctype.h>
#include <strings.h>

#include "trace_internal.h"
#include "trace_parse.h"

#define TICK_NS	   100u
#define FIRST_TICK UINT64_C(128166372000000000) /* in 2007: what traces that are written begin with */

enum { TIMESTAMP, HOSTNAME, DISK_NUMBER, TYPE, OFFSET, SIZE, RESPONSE_TIME, COLUMNS };

static bool parse_type(const char *text, enum trace_kind *kind)
{
	*kind = strcasecmp(text, "Read") == 0 ? TRACE_READ : TRACE_WRITE;
	return *kind == TRACE_READ || strcasecmp(text, "Write") == 0;
}

static bool recognizes_line(char *line)
{
	char *fields[FIELDS_MAX];
	enum trace_kind kind;
	uint64_t number;

	return parse_fields(line, ',', fields) == COLUMNS && parse_number(fields[TIMESTAMP], &number) &&
	       parse_type(fields[TYPE], &kind);
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
	if (parse_scaled(fields[TIMESTAMP], "timestamp", TICK_NS, &operation.time_ns, cause) ||
	    parse_device(fields[DISK_NUMBER], "disk number", &operation.device, cause) ||
	    parse_scaled(fields[OFFSET], "offset", 1, &operation.position, cause) ||
	    parse_scaled(fields[SIZE], "size", 1, &operation.length, cause) ||
	    parse_scaled(fields[RESPONSE_TIME], "response time", TICK_NS, &operation.latency_ns, cause))
		return -1;
	if (operation.latency_ns == 0)
		operation.latency_ns = TRACE_NO_LATENCY;
	if (!parse_type(fields[TYPE], &operation.kind))
		return diagnostic_set(cause, "type \"%.20s\" is neither Read nor Write", fields[TYPE]);
	return trace_push(reader, &operation, cause);
}

static int write_operation(struct trace_writer *writer, const struct trace_operation *operation)
{
	uint64_t latency = operation->latency_ns == TRACE_NO_LATENCY ? 0 : operation->latency_ns / TICK_NS;

	return trace_print(writer, "%llu,rdisk,%u,%s,%llu,%llu,%llu\n",
			   (unsigned long long)(FIRST_TICK + operation->time_ns / TICK_NS), operation->device,
			   operation->kind == TRACE_READ ? "Read" : "Write", (unsigned long long)operation->position,
			   (unsigned long long)operation->length, (unsigned long long)latency);
}

const struct trace_format trace_format_msr = {
	.name = "msr",
	.description = "CSV of Microsoft Research Cambridge; reads and writes, 100 ns",
	.recognizes_line = recognizes_line,
	.line = parse_line,
	.kinds = TRACE_KIND_BIT(TRACE_READ) | TRACE_KIND_BIT(TRACE_WRITE),
	.unit = 1,
	.time_unit = TICK_NS,
	.has_latency = true,
	.write = write_operation,
};
