/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crash_image: puts files into a state that a power cut may have left of them, by the log that the preloaded library
 * (crash_log.c) wrote while they were changed. Nobody may use the files meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash_log_read.h"

#define WORK (64u << 20) /* bytes to work out one sector in */

static const char usage[] =
	"Usage: crash_image LOG {--worst | --all-survives | --seed N} [--file PATH [--output PATH]] [--cut N]\n"
	"Puts files into a state that a power cut may have left, by the log of a process that ran with "
	"libcrash_log.so.\n"
	"\n"
	"  --worst         nothing survives that may be lost\n"
	"  --all-survives  everything does\n"
	"  --seed N        one of all states\n"
	"  --file PATH     only that file, as the log names it; else all that the log has\n"
	"  --output PATH   a copy of that file, made after the process had ended, is changed instead\n"
	"  --cut N         the power was cut when N calls had begun or ended on the file; else at the end\n"
	"\n"
	"Sectors that the log says nothing of stay as they are. What lies in the files afterwards counts as being on\n"
	"stable storage: the next process is to begin a new log. Exit status: 0, or 2 with a message.\n";

enum policy { POLICY_NONE, POLICY_WORST, POLICY_ALL, POLICY_SEED };

struct options {
	const char *log;
	enum policy policy;
	uint64_t seed;
	const char *file;
	const char *output;
	bool has_cut;
	uint64_t cut;
};

/* What was done to one file. */
struct summary {
	size_t sectors; /* that the log has */
	size_t loose;	/* of these, those that have more than one content */
	size_t changed; /* those that held something else */
	uint64_t states;
};

static bool parse_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool parse_options(int argc, char *argv[], struct options *options)
{
	static const struct option known[] = {
		{ "worst", no_argument, NULL, 'w' },	    { "all-survives", no_argument, NULL, 'a' },
		{ "seed", required_argument, NULL, 's' },   { "file", required_argument, NULL, 'f' },
		{ "output", required_argument, NULL, 'o' }, { "cut", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },	    { 0 },
	};
	int policies = 0;
	int key;

	while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (key) {
		case 'w':
			options->policy = POLICY_WORST;
			policies++;
			break;
		case 'a':
			options->policy = POLICY_ALL;
			policies++;
			break;
		case 's':
			options->policy = POLICY_SEED;
			policies++;
			if (!parse_number(optarg, &options->seed))
				return false;
			break;
		case 'f':
			options->file = optarg;
			break;
		case 'o':
			options->output = optarg;
			break;
		case 'c':
			options->has_cut = true;
			if (!parse_number(optarg, &options->cut))
				return false;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			return false;
		}
	}
	if (optind + 1 != argc || policies != 1 || (options->output && !options->file))
		return false;
	options->log = argv[optind];
	return true;
}

static int chosen_content(const struct options *options, const struct crash_run *run, size_t cell, uint64_t cut,
			  struct crash_memory *memory, struct crash_contents *contents, size_t *choice)
{
	if (crash_contents(run, cell, cut, memory, contents))
		return -1;
	switch (options->policy) {
	case POLICY_WORST:
		*choice = contents->oldest;
		break;
	case POLICY_ALL:
		*choice = contents->newest;
		break;
	case POLICY_SEED:
	case POLICY_NONE:
		*choice = crash_contents_sample(contents, run->cells[cell].sector, options->seed);
		break;
	}
	return 0;
}

/* The size that the file is to have. */
static int chosen_size(const struct options *options, const struct crash_run *run, uint64_t cut,
		       struct crash_memory *memory, uint64_t *size)
{
	size_t cell = crash_run_find(run, CRASH_SIZE_CELL);
	size_t before = memory->used;
	struct crash_contents contents;
	size_t choice;

	*size = run->size;
	if (cell == run->nr_cells)
		return 0;
	if (chosen_content(options, run, cell, cut, memory, &contents, &choice))
		return -1;
	*size = crash_content_size(&contents.content[choice]);
	memory->used = before;
	return 0;
}

/* Stores a sector, or what of it lies within the file, if it is not there already. */
static int put_sector(int fd, uint64_t sector, uint64_t size, const unsigned char *bytes, struct summary *summary)
{
	uint64_t start = sector * CRASH_SECTOR;
	unsigned char present[CRASH_SECTOR];
	size_t length;

	if (start >= size)
		return 0;
	length = size - start < CRASH_SECTOR ? (size_t)(size - start) : CRASH_SECTOR;
	if (pread(fd, present, length, (off_t)start) != (ssize_t)length)
		return -1;
	if (memcmp(present, bytes, length) == 0)
		return 0;
	summary->changed++;
	return pwrite(fd, bytes, length, (off_t)start) == (ssize_t)length ? 0 : -1;
}

static int put_sectors(int fd, const struct options *options, const struct crash_run *run, uint64_t cut, uint64_t size,
		       struct crash_memory *memory, struct summary *summary, struct diagnostic *diagnostic)
{
	size_t before = memory->used;

	*summary = (struct summary){ .states = 1 };
	for (size_t cell = 0; cell < run->nr_cells; cell++) {
		struct crash_contents contents;
		size_t choice;

		if (chosen_content(options, run, cell, cut, memory, &contents, &choice))
			return diagnostic_set(diagnostic, "sector %llu has too many contents",
					      (unsigned long long)run->cells[cell].sector);
		memory->used = before;
		if (__builtin_mul_overflow(summary->states, contents.count, &summary->states))
			summary->states = UINT64_MAX;
		if (run->cells[cell].sector == CRASH_SIZE_CELL)
			continue;
		summary->sectors++;
		summary->loose += contents.count > 1;
		if (put_sector(fd, run->cells[cell].sector, size, contents.content[choice].bytes, summary))
			return diagnostic_set(diagnostic, "sector %llu cannot be written",
					      (unsigned long long)run->cells[cell].sector);
	}
	return 0;
}

static int change_file(int fd, const struct options *options, const struct crash_log_file *file,
		       struct summary *summary, struct diagnostic *diagnostic)
{
	size_t cut = options->has_cut ? (size_t)options->cut : file->nr_cuts ? file->nr_cuts - 1 : 0;
	struct crash_memory memory;
	struct crash_run run;
	uint64_t moment, size;
	int code;

	if (cut > 0 && cut >= file->nr_cuts)
		return diagnostic_set(diagnostic, "there are no more than %zu calls' begins and ends",
				      file->nr_cuts ? file->nr_cuts - 1 : 0);
	moment = file->nr_cuts ? file->cuts[cut].moment : 0;
	if (crash_log_prepare(file, WORK, &run, &memory, diagnostic))
		return -1;
	code = chosen_size(options, &run, moment, &memory, &size);
	if (code)
		diagnostic_set(diagnostic, "it can have too many sizes");
	else if (ftruncate(fd, (off_t)size))
		code = diagnostic_set(diagnostic, "its size cannot be set: %s", strerror(errno));
	if (!code)
		code = put_sectors(fd, options, &run, moment, size, &memory, summary, diagnostic);
	free(memory.start);
	return code;
}

static void tell(const char *path, const struct summary *summary)
{
	char states[32];

	snprintf(states, sizeof(states), "%llu", (unsigned long long)summary->states);
	printf("%s: %zu sectors in the log, %zu of them uncertain, %s states; %zu changed\n", path, summary->sectors,
	       summary->loose, summary->states == UINT64_MAX ? "2^64 or more" : states, summary->changed);
}

static int run_on(const struct options *options, const struct crash_log_file *file)
{
	const char *path = options->output ? options->output : file->path;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct diagnostic diagnostic = { { 0 } };
	struct summary summary = { 0 };
	int code = -1;

	if (fd < 0) {
		fprintf(stderr, "crash_image: %s: %s\n", path, strerror(errno));
		return -1;
	}
	code = change_file(fd, options, file, &summary, &diagnostic);
	if (!code && fdatasync(fd))
		code = diagnostic_set(&diagnostic, "%s", strerror(errno));
	if (close(fd) && !code)
		code = diagnostic_set(&diagnostic, "%s", strerror(errno));
	if (code)
		fprintf(stderr, "crash_image: %s: %s\n", path, diagnostic.text);
	else
		tell(path, &summary);
	return code;
}

int main(int argc, char *argv[])
{
	struct options options = { 0 };
	struct diagnostic diagnostic;
	struct crash_log log;
	int code = 0;

	if (!parse_options(argc, argv, &options)) {
		fputs(usage, stderr);
		return 2;
	}
	if (crash_log_read(&log, options.log, &diagnostic)) {
		fprintf(stderr, "crash_image: %s\n", diagnostic.text);
		return 2;
	}
	if (options.file && !crash_log_find(&log, options.file)) {
		fprintf(stderr, "crash_image: %s: the log has no file %s\n", options.log, options.file);
		code = -1;
	}
	for (size_t i = 0; i < log.nr_files && !code; i++)
		if (!options.file || strcmp(log.files[i].path, options.file) == 0)
			code = run_on(&options, &log.files[i]);
	crash_log_free(&log);
	return code ? 2 : 0;
}
