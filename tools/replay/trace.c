/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a trace: which format it is, the loop over its lines or records, and the order of times. What lines and
 * records mean is in the formats' own files.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "trace_blktrace.h"
#include "trace_internal.h"
#include "trace_parse.h"

#define MINOR_BITS	20 /* of a device number as blktrace has it */
#define DETECTION_BYTES 65536

const char *trace_kind_name(enum trace_kind kind)
{
	static const char *const names[TRACE_KINDS] = {
		[TRACE_READ] = "read",
		[TRACE_WRITE] = "write",
		[TRACE_FLUSH] = "flush",
		[TRACE_DISCARD] = "discard",
		[TRACE_WRITE_ZEROES] = "write-zeroes",
	};

	return (unsigned int)kind < TRACE_KINDS ? names[kind] : "unknown";
}

int trace_device_parse(const char *text, uint32_t *device)
{
	const char *comma = strchr(text, ',');
	char major_text[8] = "";
	uint64_t major = 0;
	uint64_t minor;

	if (comma) {
		if ((size_t)(comma - text) >= sizeof(major_text))
			return -1;
		memcpy(major_text, text, (size_t)(comma - text));
		if (!parse_number(major_text, &major) || major >= 1u << (32 - MINOR_BITS))
			return -1;
		text = comma + 1;
	}
	if (!parse_number(text, &minor) || minor > (comma ? (1u << MINOR_BITS) - 1 : UINT32_MAX))
		return -1;
	*device = (uint32_t)(major << MINOR_BITS | minor);
	return 0;
}

/* Control characters and the like in a message would be the trace's, not ours. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

/* Tells of a line or record, as trace_report_broken(). */
static int report(struct trace_reader *reader, const char *cause, struct diagnostic *diagnostic)
{
	struct diagnostic text = { 0 };

	diagnostic_set(&text, reader->format->line ? "%s:%llu: %s" : "%s: record %llu: %s", reader->path,
		       (unsigned long long)reader->line, cause);
	make_printable(text.text);
	if (reader->options.strict) {
		*diagnostic = text;
		return -1;
	}
	reader->options.broken(reader->options.context, text.text);
	return 0;
}

int trace_report_broken(struct trace_reader *reader, const char *cause, struct diagnostic *diagnostic)
{
	reader->broken++;
	return report(reader, cause, diagnostic);
}

int trace_report_missing(struct trace_reader *reader, uint64_t count, struct diagnostic *diagnostic)
{
	struct diagnostic cause = { 0 };

	/* The count is the file's: any number. */
	if (__builtin_add_overflow(reader->missing, count, &reader->missing))
		reader->missing = UINT64_MAX;
	diagnostic_set(&cause, "%llu operations are missing here: the recorder could not keep up",
		       (unsigned long long)count);
	return report(reader, cause.text, diagnostic);
}

static void note_device(struct device_set *set, uint32_t device)
{
	unsigned int place = 0;

	if (set->count > TRACE_DEVICES_NAMED)
		return;
	while (place < set->count && set->devices[place] < device)
		place++;
	if (place < set->count && set->devices[place] == device)
		return;
	memmove(&set->devices[place + 1], &set->devices[place], (set->count - place) * sizeof(set->devices[0]));
	set->devices[place] = device;
	set->count++;
}

/* A device as trace_device_parse() has it. Returns what snprintf() does. */
static int print_device(const struct trace_reader *reader, uint32_t device, char *text, size_t size)
{
	if (reader->format->of_block_layer)
		return snprintf(text, size, "%u,%u", device >> MINOR_BITS, device & ((1u << MINOR_BITS) - 1));
	return snprintf(text, size, "%u", device);
}

static const char *print_devices(const struct trace_reader *reader, const struct device_set *set,
				 char text[TRACE_DEVICES_SIZE])
{
	static_assert(TRACE_DEVICES_SIZE >= TRACE_DEVICES_NAMED * sizeof("4095,1048575, ") + sizeof("..."),
		      "all of them have room");
	size_t used = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < set->count && i < TRACE_DEVICES_NAMED; i++) {
		used += (size_t)snprintf(text + used, TRACE_DEVICES_SIZE - used, "%s", i > 0 ? ", " : "");
		used += (size_t)print_device(reader, set->devices[i], text + used, TRACE_DEVICES_SIZE - used);
	}
	if (set->count > TRACE_DEVICES_NAMED)
		(void)snprintf(text + used, TRACE_DEVICES_SIZE - used, ", ...");
	return text;
}

const char *trace_reader_devices(const struct trace_reader *reader, char text[TRACE_DEVICES_SIZE])
{
	return print_devices(reader, &reader->devices, text);
}

int trace_reader_check_empty(const struct trace_reader *reader, struct diagnostic *diagnostic)
{
	bool understood = reader->recognized || !reader->format->has_other_text;
	char devices[TRACE_DEVICES_SIZE], wanted[16];

	if (reader->devices.count == 0 && reader->left_out == 0 &&
	    (reader->broken > 0 || reader->missing > 0 || !understood))
		return diagnostic_set(diagnostic, "no %s of %s is an operation in the format %s",
				      reader->format->line ? "line" : "record", reader->path, reader->format->name);
	if (reader->options.device < 0)
		return 0;
	(void)print_device(reader, (uint32_t)reader->options.device, wanted, sizeof(wanted));
	return diagnostic_set(diagnostic, "no operation of device %s in %s; it has %s", wanted, reader->path,
			      reader->devices.count > 0 ? trace_reader_devices(reader, devices)
							: "none that can be replayed");
}

static int check_range(const struct trace_operation *operation, struct diagnostic *cause)
{
	bool transfer = operation->kind == TRACE_READ || operation->kind == TRACE_WRITE;
	uint64_t end;

	if (operation->length == 0)
		return diagnostic_set(cause, "the length is 0");
	if (transfer && operation->length > TRACE_TRANSFER_MAX)
		return diagnostic_set(cause, "a length of %llu bytes: more than %llu",
				      (unsigned long long)operation->length, (unsigned long long)TRACE_TRANSFER_MAX);
	if (__builtin_add_overflow(operation->position, operation->length, &end) || end > INT64_MAX)
		return diagnostic_set(cause, "%llu bytes at %llu: it ends beyond 2^63",
				      (unsigned long long)operation->length, (unsigned long long)operation->position);
	return 0;
}

int trace_push(struct trace_reader *reader, const struct trace_operation *operation, struct diagnostic *cause)
{
	struct trace_operation pushed = *operation;

	if (pushed.kind == TRACE_FLUSH) {
		pushed.position = 0;
		pushed.length = 0;
	} else if (check_range(&pushed, cause)) {
		return -1;
	}
	note_device(&reader->devices, pushed.device);
	if (reader->options.device < 0 || reader->options.device == pushed.device) {
		trace_window_add(reader->window, &pushed);
		reader->pushed++;
	}
	return 0;
}

void trace_complete(struct trace_reader *reader, uint64_t time_ns, const struct trace_operation *operation)
{
	struct trace_operation completed = *operation;

	if (completed.kind == TRACE_FLUSH) {
		completed.position = 0;
		completed.length = 0;
	}
	trace_window_complete(reader->window, time_ns, &completed);
}

/* The format of the first line that is of a known one; NULL: none is. */
static const struct trace_format *detect_text(const char *start, size_t length)
{
	char line[TRACE_LINE_MAX + 1];
	size_t used = 0;

	while (used < length) {
		const char *newline = memchr(start + used, '\n', length - used);
		size_t line_length = newline ? (size_t)(newline - start) - used : length - used;

		if (line_length <= TRACE_LINE_MAX) {
			for (int i = 0; trace_formats[i]; i++) {
				if (!trace_formats[i]->recognizes_line)
					continue;
				memcpy(line, start + used, line_length);
				line[line_length] = '\0';
				line[strcspn(line, "\r")] = '\0';
				if (trace_formats[i]->recognizes_line(line))
					return trace_formats[i];
			}
		}
		used += line_length + 1;
	}
	return NULL;
}

/* What is compressed otherwise than with gzip; NULL: it is not. */
static const char *find_compression(const char *start, size_t length)
{
	static const struct {
		const char *name, *magic;
		size_t length;
	} others[] = {
		{ "xz", "\xfd\x37zXZ", 6 }, /* the zero at its end too */
		{ "zstd", "\x28\xb5\x2f\xfd", 4 },
		{ "bzip2", "BZh", 3 },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (length >= others[i].length && memcmp(start, others[i].magic, others[i].length) == 0)
			return others[i].name;
	}
	return NULL;
}

static int check_events(const struct trace_reader *reader, struct diagnostic *diagnostic)
{
	if (!reader->options.event_given || reader->format->of_block_layer)
		return 0;
	return diagnostic_set(diagnostic,
			      "%s: a trace in the format %s has no events: --event is for blkparse and blktrace",
			      reader->path, reader->format->name);
}

static int detect(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	const char *compression;
	const char *start;
	int64_t length = trace_input_peek(reader->input, DETECTION_BYTES, &start, diagnostic);

	if (length < 0)
		return -1;
	if (length == 0)
		return diagnostic_set(diagnostic, "%s: is empty", reader->path);
	compression = find_compression(start, (size_t)length);
	if (compression)
		return diagnostic_set(diagnostic,
				      "%s: is compressed with %s, and only gzip is read: decompress it before",
				      reader->path, compression);
	if (reader->format)
		return 0;
	for (int i = 0; trace_formats[i] && !reader->format; i++) {
		if (trace_formats[i]->recognizes_start && trace_formats[i]->recognizes_start(start, (size_t)length))
			reader->format = trace_formats[i];
	}
	if (!reader->format)
		reader->format = detect_text(start, (size_t)length);
	if (!reader->format)
		return diagnostic_set(diagnostic,
				      "%s: is in none of the known formats (--list-formats); if it is in one all the "
				      "same, name that with --format",
				      reader->path);
	return 0;
}

int trace_reader_open(struct trace_reader **reader, const char *path, const struct trace_options *options,
		      struct diagnostic *diagnostic)
{
	struct trace_reader *opened = calloc(1, sizeof(*opened));
	char *first = NULL;

	*reader = NULL;
	if (!opened)
		return diagnostic_set(diagnostic, "%s: out of memory", path);
	opened->options = *options;
	opened->format = options->format;
	opened->path = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
	opened->window = trace_window_new();
	if (!opened->path || !opened->window) {
		diagnostic_set(diagnostic, "%s: out of memory", path);
		goto fail;
	}
	if (blktrace_find_files(path, &first, diagnostic))
		goto fail;
	opened->input = trace_input_open(first ? first : path, options->wake, diagnostic);
	if (!opened->input || detect(opened, diagnostic) || check_events(opened, diagnostic))
		goto fail;
	opened->state = calloc(1, opened->format->reader_state + 1);
	if (!opened->state) {
		diagnostic_set(diagnostic, "%s: out of memory", path);
		goto fail;
	}
	if (opened->format->begin && opened->format->begin(opened, diagnostic))
		goto fail;
	free(first);
	*reader = opened;
	return 0;
fail:
	free(first);
	trace_reader_close(opened);
	return -1;
}

void trace_reader_close(struct trace_reader *reader)
{
	if (!reader)
		return;
	if (reader->state && reader->format->end)
		reader->format->end(reader);
	trace_input_close(reader->input);
	trace_window_free(reader->window);
	free(reader->state);
	free(reader->path);
	free(reader);
}

/* Whether a format that passes other text over has anything of its own here; before reading changes the line. */
static void recognize(struct trace_reader *reader, const char *line)
{
	char copy[TRACE_LINE_MAX + 1];

	if (reader->recognized || !reader->format->has_other_text)
		return;
	(void)snprintf(copy, sizeof(copy), "%s", line);
	reader->recognized = reader->format->recognizes_line(copy);
}

/* 1; 0 at the end; -1 and *diagnostic. */
static int read_line(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	struct diagnostic cause = { 0 };
	char *line;
	enum trace_line got = trace_input_line(reader->input, &line, diagnostic);

	reader->line++;
	switch (got) {
	case TRACE_LINE_END:
		return 0;
	case TRACE_LINE_FAILED:
		return -1;
	case TRACE_LINE_TOO_LONG:
		diagnostic_set(&cause, "the line is longer than %d bytes", TRACE_LINE_MAX);
		break;
	case TRACE_LINE_ZERO_BYTE:
		diagnostic_set(&cause, "there is a zero byte in the line");
		break;
	case TRACE_LINE_READ:
		recognize(reader, line);
		if (reader->format->line(reader, line, &cause) == 0)
			return 1;
		break;
	}
	return trace_report_broken(reader, cause.text, diagnostic) ? -1 : 1;
}

/* What fails here is noted: the operations before it are good, and come first. */
static void fill_window(struct trace_reader *reader)
{
	while (!reader->at_end && trace_window_has_room(reader->window)) {
		int got = reader->format->line ? read_line(reader, &reader->failure)
					       : reader->format->record(reader, &reader->failure);

		if (got == 0 && reader->format->finish && reader->format->finish(reader, &reader->failure))
			got = -1;
		reader->at_end = got <= 0;
		reader->failed = got < 0;
	}
}

/*
 * Tells of several devices as soon as they are known to be replayed: all of the window will be, unless the limit comes
 * before its end; then only what is handed out counts.
 */
static void tell_devices(struct trace_reader *reader)
{
	bool all = reader->options.limit == 0 || reader->pushed <= reader->options.limit;
	const struct device_set *set = all ? &reader->devices : &reader->taken_devices;
	char text[TRACE_DEVICES_SIZE];

	if (set->count < 2 || !reader->options.several || reader->several_told)
		return;
	reader->several_told = true;
	reader->options.several(reader->options.context, print_devices(reader, set, text));
}

int trace_reader_next(struct trace_reader *reader, struct trace_operation *operation, struct diagnostic *diagnostic)
{
	uint64_t earliest;

	fill_window(reader);
	if (!trace_window_take(reader->window, operation)) {
		if (!reader->failed)
			return 0;
		*diagnostic = reader->failure;
		return -1;
	}
	reader->taken++;
	note_device(&reader->taken_devices, operation->device);
	tell_devices(reader);
	if (!reader->started) {
		reader->started = true;
		reader->first_ns = operation->time_ns;
	}
	earliest = reader->first_ns + reader->last_ns;
	if (operation->time_ns < earliest) {
		operation->time_ns = earliest;
		reader->late++;
	}
	operation->time_ns -= reader->first_ns;
	reader->last_ns = operation->time_ns;
	return 1;
}

uint64_t trace_reader_broken(const struct trace_reader *reader)
{
	return reader->broken;
}

uint64_t trace_reader_late(const struct trace_reader *reader)
{
	return reader->late;
}

uint64_t trace_reader_left_out(const struct trace_reader *reader)
{
	return reader->left_out;
}

uint64_t trace_reader_missing(const struct trace_reader *reader)
{
	return reader->missing;
}

double trace_reader_progress(const struct trace_reader *reader)
{
	double progress = trace_input_progress(reader->input);

	/* What is in the window was read, but nobody has seen it yet. */
	return progress > 0 && reader->pushed > 0 ? progress * (double)reader->taken / (double)reader->pushed
						  : progress;
}

const char *trace_reader_format(const struct trace_reader *reader)
{
	return reader->format->name;
}
