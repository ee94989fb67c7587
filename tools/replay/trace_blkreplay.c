/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blkreplay's .load: free text, then rows
 *
 *   seconds ; sector ; sectors ; R|W.. ; replay delay ; replay duration
 *
 * Only the first letter of the operation counts (RA is a read ahead). A duration of 0 is none: it is not recorded
 * before a first replay. Before the first row, lines that do not begin like a row are the free text; after it they are
 * broken, but for comments (#), empty ones and the names of the columns.
 */
#include <string.h>

#include "trace_internal.h"
#include "trace_parse.h"

#define SECTOR	    512u
#define COLUMNS	    "start ; sector; length ; op ;  replay_delay=0 ; replay_duration=0"
#define COLUMNS_KEY "start ;"

enum { TIME, SECTOR_AT, SECTORS, OPERATION, DELAY, DURATION };

struct state {
	bool rows; /* the first was seen */
};

static bool begins_like_row(const char *line)
{
	line += strspn(line, " \t");
	return *line && strchr("0123456789.+-", *line) && strchr(line, ';');
}

static bool recognizes_line(char *line)
{
	char *fields[FIELDS_MAX];
	uint64_t number;

	if (strncmp(line, COLUMNS_KEY, strlen(COLUMNS_KEY)) == 0)
		return true;
	return begins_like_row(line) && parse_fields(line, ';', fields) >= 4 && parse_seconds(fields[TIME], &number) &&
	       parse_number(fields[SECTOR_AT], &number) && parse_number(fields[SECTORS], &number);
}

static int parse_row(struct trace_reader *reader, char *line, struct diagnostic *cause)
{
	struct trace_operation operation = { .latency_ns = TRACE_NO_LATENCY };
	char *fields[FIELDS_MAX];
	int count = parse_fields(line, ';', fields);

	if (count < 4)
		return diagnostic_set(cause, "%d of at least 4 columns", count);
	if (parse_time(fields[TIME], "time", &operation.time_ns, cause) ||
	    parse_scaled(fields[SECTOR_AT], "sector", SECTOR, &operation.position, cause) ||
	    parse_scaled(fields[SECTORS], "length", SECTOR, &operation.length, cause))
		return -1;
	if (count > DURATION && parse_time(fields[DURATION], "replay duration", &operation.latency_ns, cause))
		return -1;
	if (operation.latency_ns == 0)
		operation.latency_ns = TRACE_NO_LATENCY;
	switch (fields[OPERATION][0]) {
	case 'R':
	case 'r':
		operation.kind = TRACE_READ;
		break;
	case 'W':
	case 'w':
		operation.kind = TRACE_WRITE;
		break;
	default:
		return diagnostic_set(cause, "operation \"%.20s\" is neither R nor W", fields[OPERATION]);
	}
	return trace_push(reader, &operation, cause);
}

static int parse_line(struct trace_reader *reader, char *line, struct diagnostic *cause)
{
	struct state *state = reader->state;

	if (begins_like_row(line)) {
		state->rows = true;
		return parse_row(reader, line, cause);
	}
	line += strspn(line, " \t");
	if (!state->rows || *line == '\0' || *line == '#' || strncmp(line, COLUMNS_KEY, strlen(COLUMNS_KEY)) == 0)
		return 0;
	return diagnostic_set(cause, "it is not a row: \"%.40s\"", line);
}

static int write_begin(struct trace_writer *writer)
{
	return trace_print(writer, "%s\n", COLUMNS);
}

static int write_operation(struct trace_writer *writer, const struct trace_operation *operation)
{
	uint64_t latency = operation->latency_ns == TRACE_NO_LATENCY ? 0 : operation->latency_ns;

	return trace_print(writer, "%7llu.%09llu ; %12llu ; %4llu ; %c ; 0.0 ; %llu.%09llu\n",
			   (unsigned long long)(operation->time_ns / NS_PER_S),
			   (unsigned long long)(operation->time_ns % NS_PER_S),
			   (unsigned long long)(operation->position / SECTOR),
			   (unsigned long long)(operation->length / SECTOR), operation->kind == TRACE_READ ? 'R' : 'W',
			   (unsigned long long)(latency / NS_PER_S), (unsigned long long)(latency % NS_PER_S));
}

const struct trace_format trace_format_blkreplay = {
	.name = "blkreplay",
	.description = "blkreplay's .load; reads and writes, in sectors",
	.recognizes_line = recognizes_line,
	.reader_state = sizeof(struct state),
	.line = parse_line,
	.has_other_text = true,
	.kinds = TRACE_KIND_BIT(TRACE_READ) | TRACE_KIND_BIT(TRACE_WRITE),
	.unit = SECTOR,
	.time_unit = 1,
	.has_latency = true,
	.write_begin = write_begin,
	.write = write_operation,
};
