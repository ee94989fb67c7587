/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk as slow as a test wants it: with RDISK_HOLD=PATH, a FIFO, every pread, preadv, fdatasync, fsync and
 * fallocate that is called by another thread than the first waits until somebody opens the FIFO for writing. That open
 * waits in turn until something is held up. With RDISK_HOLD_ONLY=flush or =read only those are.
 */
#ifndef FAULT_HOLD_H
#define FAULT_HOLD_H

/* Waits if this thread is to be held up in what it does, "flush", "read" or "other". Keeps errno. */
void fault_hold(const char *what);

#endif
