/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a write to the page cache of one store is likely to be held up by the host, which lets those wait who write
 * faster than its disks. Linux does not tell beforehand (RWF_NOWAIT does not exist for buffered writes of ext4), so it
 * is guessed: for a second after a write took long, and while the host has much to write back (dirty_pages.h).
 */
#ifndef RDISK_WRITE_THROTTLE_H
#define RDISK_WRITE_THROTTLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct write_throttle {
	_Atomic uint64_t until; /* coarse_clock_ns(); relaxed: it carries nothing but itself */
};

/* Whether a write now may be held up; now: coarse_clock_ns(). The loop's thread. */
bool write_throttle_likely(const struct write_throttle *throttle, uint64_t now);

/* A write of `length` bytes that began at `began` has ended. Any thread. */
void write_throttle_ended(struct write_throttle *throttle, uint64_t began, uint64_t length);

#endif
