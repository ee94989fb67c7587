/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another client, a process of its own, that keeps a slow disk busy while others are measured: discards, zeroes and
 * flushes that wait for that disk, a number of them at any time, asked for so that it may send more meanwhile
 * (rdisk_protocol.h, "Suspended requests"). It works on the second half of the device, and changes what is there.
 * It sleeps whenever it waits, so that it takes no processor from those who are measured.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <sys/types.h>

#include "backend.h"

#define BENCH_LOAD_DEPTH 16u

struct bench_load_counts;

/* Zero-initialised: there is none. The thread that starts it. */
struct bench_load {
	pid_t pid;
	struct bench_load_counts *counts; /* shared with it */
};

/*
 * Starts it on target->minor, which has to be `shared` if others use it, and waits until requests of it wait for the
 * disk and others were done. 0, or -1 after a message, with nothing left: also when the disk is not slow, that is when
 * nothing waits.
 */
int bench_load_start(struct bench_load *load, const struct bench_target *target);

/* How many of its requests were done so far. */
uint64_t bench_load_done(const struct bench_load *load);

/* Has it collect what is under way, and waits for its end. 0, or -1 when it had failed. Harmless on none. */
int bench_load_stop(struct bench_load *load);

#endif
