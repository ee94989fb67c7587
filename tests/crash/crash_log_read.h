/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a log of crash_log.c: the events of each file, and the moments at which the power could have been cut.
 *
 * Of a file's content at first only those sectors are known that were changed later. Moments of events are places in
 * the log. One thread for each object.
 */
#ifndef CRASH_LOG_READ_H
#define CRASH_LOG_READ_H

#include <stddef.h>
#include <stdint.h>

#include "crash_record.h"
#include "crash_run.h"
#include "diagnostic.h"

/* A moment between two records of a file. */
struct crash_cut {
	uint64_t moment;   /* as that of an event */
	uint64_t until_ns; /* CLOCK_MONOTONIC: at this instant the next had not begun; CRASH_NEVER: there is none */
};

/* A sector that was changed: what it held at first. */
struct crash_initial {
	uint64_t sector;
	const unsigned char *bytes;
	size_t length; /* up to CRASH_SECTOR; the rest were zeroes */
};

struct crash_log_file {
	char path[CRASH_RECORD_PATH];
	uint64_t inode;
	uint64_t size;	  /* bytes, at first */
	uint64_t largest; /* that it ever had */

	struct crash_event *events; /* sorted by `begun` */
	size_t nr_events, room_events;
	struct crash_cut *cuts; /* the first is before all; sorted */
	size_t nr_cuts, room_cuts;
	struct crash_initial *initial; /* sorted by sector */
	size_t nr_initial, room_initial;
	unsigned char *touched; /* a bit for each sector of `size`; while it is read */
};

struct crash_log {
	const unsigned char *bytes; /* the log, mapped; events point into it */
	size_t length;
	struct crash_log_file *files;
	size_t nr_files;
};

/* Reads a whole log. What an unfinished record at its end says is not counted. -1, with the cause, on failure. */
int crash_log_read(struct crash_log *log, const char *path, struct diagnostic *diagnostic);
void crash_log_free(struct crash_log *log);

/* The file of that path, or NULL: the log has nothing of it. */
const struct crash_log_file *crash_log_find(const struct crash_log *log, const char *path);

/*
 * Prepares the run of a file in memory that is allocated for it, with `more` bytes free for what is to be asked of it;
 * the owner frees memory->start. -1, with the cause, on failure.
 */
int crash_log_prepare(const struct crash_log_file *file, size_t more, struct crash_run *run,
		      struct crash_memory *memory, struct diagnostic *diagnostic);

#endif
