/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk as slow as a test wants it: with RDISK_HOLD=PATH, a FIFO, every pread, pwrite and the like, fdatasync, fsync
 * and fallocate that is called by another thread than the first waits until somebody opens the FIFO for writing. That
 * open waits in turn until something is held up. With RDISK_HOLD_MS=MS instead (1 .. 60000) each takes that many ms
 * longer. With RDISK_HOLD_ONLY=WHAT ("read", "write", "flush", "allocate") only
 * those are, with RDISK_HOLD_COUNT=N only the first N of them.
 *
 * The first that is held up is told in a line on stderr, FAULT_HELD and what it is.
 */
#ifndef FAULT_HOLD_H
#define FAULT_HOLD_H

#include <stdbool.h>

/* Waits if this thread is to be held up in what it does. Keeps errno. */
void fault_hold(const char *what);

/*
 * Whether a file must not be found: where a test holds calls up, how much the host happens to have to write back has
 * no say in what is called.
 */
bool fault_hold_hides(const char *file);

#endif
