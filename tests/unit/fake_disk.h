/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slow host without one: the system calls of what a test links are wrapped (tests/unit/CMakeLists.txt), and made to
 * miss the page cache, to wait until the test lets them go on, to take long by a clock that only the test moves, or to
 * fail. What is not set is passed on as it is.
 */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum fake_call {
	FAKE_READ,     /* pread, preadv */
	FAKE_NOWAIT,   /* preadv2 with RWF_NOWAIT */
	FAKE_WRITE,    /* pwrite, pwritev */
	FAKE_SYNC,     /* fdatasync */
	FAKE_ALLOCATE, /* fallocate */
	FAKE_THREAD,   /* pthread_create */
	FAKE_GET,      /* fgetxattr */
	FAKE_SET,      /* fsetxattr */
	FAKE_FSYNC,    /* fsync */
	NR_FAKE_CALLS
};

/* Everything as at the beginning: nothing held or failing, files are on a disk, all counts 0. Nothing may be held. */
void fake_reset(void);

/* What the files of stores that are opened from now on are on; at first a disk. */
void fake_in_memory(bool in_memory);

/* From now on calls of one kind fail with this errno; 0: as they really do. */
void fake_fail(enum fake_call call, int error);

/* From now on reads and writes do at most that many bytes each; 0: all. */
void fake_short(uint64_t bytes);

/* How many calls of one kind there were, held ones too. */
int fake_calls(enum fake_call call);
/* The most of them that were under way at a time. Reads, writes and fdatasync only. */
int fake_most_at_once(enum fake_call call);

/*
 * From now on calls of one kind wait, unless the thread that calls this makes them. fd: those on this file only; -1:
 * all. One hold at a time for each kind.
 */
void fake_hold(enum fake_call call, int fd);
/* Waits until this many calls of the kind are held that are not let go on yet. */
void fake_await_held(enum fake_call call, int count);
/* Lets that many calls go on that are held, or will be. */
void fake_let(enum fake_call call, int count);
/* Lets all go on, and holds no more. */
void fake_release(enum fake_call call);

/* Moves CLOCK_MONOTONIC_COARSE. It stands still otherwise. */
void fake_clock_advance(uint64_t nanoseconds);
/* From now on each write takes that long by this clock. */
void fake_write_takes(uint64_t nanoseconds);

/* What /proc/vmstat tells, in pages; at first nothing is dirty. */
void fake_vmstat(int dirty, int writeback, int background, int limit);
/* How often it was read. */
int fake_vmstat_looks(void);

/* Lines that were logged since fake_reset(), and the text of the last. They are not written. */
int fake_log_lines(void);
const char *fake_log_last(void);
/* Called at each line from now on, with its text, by the thread that logs; NULL: nothing is. */
void fake_on_log(void (*call)(const char *text));

#endif
