/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blktrace's binary traces: records of 48 bytes, each with a tail that is read over, in the byte order of
 * the machine that recorded; a file for each CPU, merged by time here. Which events count is as in trace_blkparse.c.
 * The kernel marks write-zeroes there like other writes: they are written with data when replayed.
 */
#include "trace_blktrace.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "trace_block.h"
#include "trace_parse.h"

#define MAGIC	      0x65617400u
#define MAGIC_MASK    0xffffff00u
#define VERSION	      7u
#define FILES_MAX     1024
#define SUFFIX	      ".blktrace."
#define CGROUP_BIT    0x100u /* of the action: the tail begins with the cgroup */
#define ACTION_QUEUE  1u
#define ACTION_ISSUE  7u
#define ACTION_DONE   8u
#define BROKEN_ENDING "the file ends within a record"

/* Categories, the high half of the action. */
enum {
	CATEGORY_WRITE = 1 << 1,
	CATEGORY_FLUSH = 1 << 2,
	CATEGORY_PC = 1 << 9, /* a command, not of blocks */
	CATEGORY_NOTIFY = 1 << 10,
	CATEGORY_DISCARD = 1 << 13,
	CATEGORY_FUA = 1 << 15,
};

struct blktrace_record {
	uint32_t magic;
	uint32_t sequence;
	uint64_t time_ns;
	uint64_t sector;
	uint32_t bytes;
	uint32_t action;
	uint32_t pid;
	uint32_t device;
	uint32_t cpu;
	uint16_t error;
	uint16_t tail; /* bytes behind the record */
};

static_assert(sizeof(struct blktrace_record) == 48, "a record is read as it is");

struct cpu_file {
	struct trace_input *input;
	struct blktrace_record next;
	bool has_next;
};

struct state {
	struct block_counts counts; /* first: block_finish() is given the state */
	struct cpu_file *files;
	int nr_files;
};

/* The smallest NUMBER above `after` for which there is a file path.blktrace.NUMBER; -1: none. -2 and *diagnostic. */
static int64_t find_next_cpu(const char *path, int64_t after, struct diagnostic *diagnostic)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	DIR *directory = folder ? opendir(folder) : NULL;
	struct dirent *entry;
	int64_t found = -1;

	free(folder);
	if (!directory)
		return -1; /* nothing there: that the path itself cannot be opened is told */
	while ((errno = 0, entry = readdir(directory))) {
		size_t length = strlen(base);
		uint64_t number;

		if (strncmp(entry->d_name, base, length) != 0 ||
		    strncmp(entry->d_name + length, SUFFIX, strlen(SUFFIX)) != 0 ||
		    !parse_number(entry->d_name + length + strlen(SUFFIX), &number) || number > INT32_MAX)
			continue;
		if ((int64_t)number > after && (found < 0 || (int64_t)number < found))
			found = (int64_t)number;
	}
	if (errno) {
		diagnostic_set(diagnostic, "%s: its folder cannot be read: %s", path, strerror(errno));
		found = -2;
	}
	closedir(directory);
	return found;
}

static char *cpu_path(const char *path, int64_t cpu)
{
	char *text;

	return asprintf(&text, "%s" SUFFIX "%lld", path, (long long)cpu) < 0 ? NULL : text;
}

static bool is_missing(const char *path)
{
	struct stat status;

	return strcmp(path, "-") != 0 && stat(path, &status) && errno == ENOENT;
}

int blktrace_find_files(const char *path, char **first, struct diagnostic *diagnostic)
{
	int64_t cpu;

	*first = NULL;
	if (!is_missing(path))
		return 0;
	cpu = find_next_cpu(path, -1, diagnostic);
	if (cpu < 0)
		return cpu == -1 ? 0 : -1;
	*first = cpu_path(path, cpu);
	return *first ? 0 : diagnostic_set(diagnostic, "%s: out of memory", path);
}

bool blktrace_has_file(const char *path, const struct stat *file)
{
	struct diagnostic diagnostic;
	int64_t cpu = -1;
	bool found = false;

	while (is_missing(path) && !found && (cpu = find_next_cpu(path, cpu, &diagnostic)) >= 0) {
		char *name = cpu_path(path, cpu);
		struct stat status;

		found = name && !stat(name, &status) && status.st_dev == file->st_dev && status.st_ino == file->st_ino;
		free(name);
	}
	return found;
}

static bool recognizes_start(const void *start, size_t length)
{
	uint32_t magic;

	if (length < sizeof(magic))
		return false;
	memcpy(&magic, start, sizeof(magic));
	return (magic & MAGIC_MASK) == MAGIC || (__builtin_bswap32(magic) & MAGIC_MASK) == MAGIC;
}

static void swap_record(struct blktrace_record *record)
{
	record->magic = __builtin_bswap32(record->magic);
	record->time_ns = __builtin_bswap64(record->time_ns);
	record->sector = __builtin_bswap64(record->sector);
	record->bytes = __builtin_bswap32(record->bytes);
	record->action = __builtin_bswap32(record->action);
	record->device = __builtin_bswap32(record->device);
	record->error = __builtin_bswap16(record->error);
	record->tail = __builtin_bswap16(record->tail);
}

/* Reads the next record of a file, if there is one. 0, or -1 and *diagnostic. */
static int advance(struct trace_reader *reader, struct cpu_file *file, struct diagnostic *diagnostic)
{
	struct blktrace_record *record = &file->next;
	uint64_t place = trace_input_position(file->input);
	int64_t got = trace_input_take(file->input, record, sizeof(*record), diagnostic);
	int64_t skipped;

	file->has_next = false;
	if (got <= 0)
		return got < 0 ? -1 : 0;
	reader->line++;
	if (got < (int64_t)sizeof(*record))
		return trace_report_broken(reader, BROKEN_ENDING, diagnostic);
	if ((__builtin_bswap32(record->magic) & MAGIC_MASK) == MAGIC)
		swap_record(record);
	if ((record->magic & MAGIC_MASK) != MAGIC)
		return diagnostic_set(diagnostic, "%s: record %llu, at byte %llu, has no magic number: it is damaged",
				      reader->path, (unsigned long long)reader->line, (unsigned long long)place);
	if ((record->magic & ~MAGIC_MASK) != VERSION)
		return diagnostic_set(diagnostic, "%s: is of version %u of blktrace's format, only %u can be read",
				      reader->path, record->magic & ~MAGIC_MASK, VERSION);
	skipped = trace_input_skip(file->input, record->tail, diagnostic);
	if (skipped < 0)
		return -1;
	if (skipped < record->tail)
		return trace_report_broken(reader, BROKEN_ENDING, diagnostic);
	file->has_next = true;
	return 0;
}

/* Opens the files of the other CPUs, when the path stands for all of them. */
static int open_others(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	struct state *state = reader->state;
	int64_t cpu;

	if (!is_missing(reader->path) || reader->input == NULL || strcmp(reader->path, "standard input") == 0)
		return 0;
	cpu = find_next_cpu(reader->path, -1, diagnostic); /* it is open already */
	while (cpu >= 0 && (cpu = find_next_cpu(reader->path, cpu, diagnostic)) >= 0) {
		char *path = cpu_path(reader->path, cpu);

		if (state->nr_files == FILES_MAX || !path) {
			free(path);
			return diagnostic_set(diagnostic, "%s: more than %d files", reader->path, FILES_MAX);
		}
		state->files[state->nr_files].input = trace_input_open(path, reader->options.wake, diagnostic);
		free(path);
		if (!state->files[state->nr_files].input)
			return -1;
		state->nr_files++;
	}
	return cpu == -2 ? -1 : 0;
}

static int begin(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	struct state *state = reader->state;

	state->files = calloc(FILES_MAX, sizeof(*state->files));
	if (!state->files)
		return diagnostic_set(diagnostic, "%s: out of memory", reader->path);
	state->files[0].input = reader->input;
	state->nr_files = 1;
	if (open_others(reader, diagnostic))
		return -1;
	for (int i = 0; i < state->nr_files; i++) {
		if (advance(reader, &state->files[i], diagnostic))
			return -1;
	}
	return 0;
}

static void end(struct trace_reader *reader)
{
	struct state *state = reader->state;

	for (int i = 1; i < state->nr_files; i++) /* the first is the reader's */
		trace_input_close(state->files[i].input);
	free(state->files);
}

static int handle_record(struct trace_reader *reader, const struct blktrace_record *record, struct diagnostic *cause)
{
	struct state *state = reader->state;
	unsigned int category = record->action >> 16;
	struct block_event event = {
		.time_ns = record->time_ns,
		.sector = record->sector,
		.bytes = record->bytes,
		.device = record->device,
		.request.flush = category & CATEGORY_FLUSH,
		.request.data = record->bytes > 0,
		.request.fua = category & CATEGORY_FUA && record->bytes > 0,
		.request.kind = category & CATEGORY_DISCARD ? TRACE_DISCARD
				: category & CATEGORY_WRITE ? TRACE_WRITE
							    : TRACE_READ,
	};

	if (category & (CATEGORY_NOTIFY | CATEGORY_PC))
		return 0;
	switch (record->action & 0xffff & ~CGROUP_BIT) {
	case ACTION_QUEUE:
		return block_push(reader, &state->counts, TRACE_QUEUED, &event, cause);
	case ACTION_ISSUE:
		return block_push(reader, &state->counts, TRACE_ISSUED, &event, cause);
	case ACTION_DONE:
		if (record->error == 0)
			block_complete(reader, &event);
		return 0;
	default:
		return 0;
	}
}

static int read_record(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	struct state *state = reader->state;
	struct cpu_file *first = NULL;
	struct diagnostic cause = { 0 };

	for (int i = 0; i < state->nr_files; i++) {
		struct cpu_file *file = &state->files[i];

		if (file->has_next && (!first || file->next.time_ns < first->next.time_ns))
			first = file;
	}
	if (!first)
		return 0;
	if (handle_record(reader, &first->next, &cause) && trace_report_broken(reader, cause.text, diagnostic))
		return -1;
	return advance(reader, first, diagnostic) ? -1 : 1;
}

static int finish(struct trace_reader *reader, struct diagnostic *diagnostic)
{
	const struct state *state = reader->state;

	return block_finish(reader, &state->counts, diagnostic);
}

const struct trace_format trace_format_blktrace = {
	.name = "blktrace",
	.description = "blktrace's binary files, one or all of a base name",
	.recognizes_start = recognizes_start,
	.reader_state = sizeof(struct state),
	.begin = begin,
	.record = read_record,
	.finish = finish,
	.end = end,
	.of_block_layer = true,
};
