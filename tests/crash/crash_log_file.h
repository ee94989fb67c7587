/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log's file, as the preloaded library writes it (crash_record.h). By raw system calls where the C library's
 * functions are this library's own, or a sanitizer's that would take what is done here for the program's doing. Any
 * thread. Where it cannot log it ends the process: a log that lacks something is worth nothing.
 */
#ifndef CRASH_LOG_FILE_H
#define CRASH_LOG_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "crash_record.h"

/* Number of the logged file that is open as `fd`, or -1. */
int crash_file_of(int fd);

/* The same beginning with number `file`, for any logged file on the file system of `fd`. -1: no more. */
int crash_file_on_same_system(int fd, int file);

/*
 * Logs that a call begins; to be called before it is made. What it may change and nobody has changed before is kept
 * first. `payload` bytes of data follow the record. Returns the call's number.
 */
uint64_t crash_file_begin(int file, enum crash_record_call what, uint32_t flags, uint64_t position, uint64_t length,
			  const void *data, size_t payload);

/* Logs that it has returned `result`: bytes or 0, or -errno. */
void crash_file_end(int file, enum crash_record_call what, uint64_t call, int64_t result);

/* Ends the process with that message. */
_Noreturn void crash_log_die(const char *message);

#endif
