/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server can do wrong with what it was promised to make stable, done for it: so that checks show that they find
 * it. RDISK_CRASH_FAULT=KIND:N is met by the Nth call that it can be met by, KIND:N+ by all later ones too. Calls are
 * counted in each process from 1, on logged files only.
 *
 * kind         call                                  what happens                              in the log
 * sync-lost    fdatasync fsync syncfs, a stable one  nothing, or a write that is not stable     what happens
 * sync-failed  fdatasync fsync                       nothing; EIO                              that it failed
 * sync-hidden  fdatasync fsync                       nothing; success                          that it failed
 * sync-early   write                                 the next fdatasync or fsync begins now    what happens
 * write-lost   write                                 nothing; success                          nothing
 * write-wrong  write                                 its first byte is another                 what happens
 * write-silent write                                 it is done                                nothing
 * zero-lost    fallocate                             nothing; success                          nothing
 */
#ifndef CRASH_FAULT_H
#define CRASH_FAULT_H

#include <stdbool.h>

enum crash_fault {
	CRASH_FAULT_SYNC_LOST,
	CRASH_FAULT_SYNC_FAILED,
	CRASH_FAULT_SYNC_HIDDEN,
	CRASH_FAULT_SYNC_EARLY,
	CRASH_FAULT_WRITE_LOST,
	CRASH_FAULT_WRITE_WRONG,
	CRASH_FAULT_WRITE_SILENT,
	CRASH_FAULT_ZERO_LOST,
	NR_CRASH_FAULTS,
};

/* Counts a call; true if it meets that fault. Any thread. */
bool crash_fault_meets(enum crash_fault fault);

#endif
