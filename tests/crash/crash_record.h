/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of what a process did to files, as crash_log.c writes and crash_log_read.h reads it: records of one size,
 * some followed by bytes. Its order is that of what happened: a call's BEGIN is in the log before the call is made, and
 * its END after it has returned and before its caller knows of it.
 *
 * kind     call     file  position  length    result    payload
 * FILE     -        new   number    size      -         path
 * INITIAL  -        yes   byte      bytes     -         what was there before the log's first change of it; whole
 * sectors BEGIN    its own  yes   byte      bytes     -         WRITE: the data, or as much as could be read END the
 * same yes   -         -         of the    - call
 *
 * A file's `number` is its inode's. What a change touches and no INITIAL comes before it for was zero. `length` of a
 * RESIZE is the new size, of a GROW what it is at least. Numbers are the host's own.
 */
#ifndef CRASH_RECORD_H
#define CRASH_RECORD_H

#include <assert.h>
#include <stdint.h>

#define CRASH_RECORD_MAGIC  0x6873617243676f4cu
#define CRASH_RECORD_FILES  64 /* files of one log */
#define CRASH_RECORD_STABLE 1u /* WRITE: on stable storage when it returns */
#define CRASH_RECORD_PATH   4096

enum crash_record_kind {
	CRASH_RECORD_FILE = 1,
	CRASH_RECORD_INITIAL,
	CRASH_RECORD_BEGIN,
	CRASH_RECORD_END,
};

enum crash_record_call {
	CRASH_CALL_WRITE = 1,
	CRASH_CALL_ZERO,
	CRASH_CALL_FLUSH,
	CRASH_CALL_RESIZE,
	CRASH_CALL_GROW,
	CRASH_CALL_SYNC_RANGE, /* sync_file_range(): promises nothing of stable storage */
};

struct crash_record {
	uint64_t magic;
	uint16_t kind; /* enum crash_record_kind */
	uint16_t what; /* BEGIN, END: enum crash_record_call */
	uint32_t flags;
	uint32_t file; /* 0, 1, ... in the order in which the process met them */
	uint32_t reserved;
	uint64_t process; /* names one run of one process */
	uint64_t call;	  /* names a call of it */
	uint64_t time_ns; /* CLOCK_MONOTONIC, before a BEGIN's call and after an END's; never less than the record
			     before */
	uint64_t position;
	uint64_t length;
	int64_t result;	  /* bytes or 0; -errno */
	uint64_t payload; /* bytes that follow */
};

static_assert(sizeof(struct crash_record) == 80, "a record has no hole");

#endif
