/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clock for what is looked at often and need not be exact: it is read in some ns, and has steps of up to 10 ms.
 */
#ifndef RDISK_COARSE_CLOCK_H
#define RDISK_COARSE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND 1000000000ull

/* Nanoseconds since some time in the past; it never goes back. Any thread. */
static inline uint64_t coarse_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

#endif
