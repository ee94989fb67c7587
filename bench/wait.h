/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of rdisk-bench-wait share: how round trips are timed and told. See wait.c.
 */
#ifndef BENCH_WAIT_H
#define BENCH_WAIT_H

#include <stdbool.h>

/* What is measured once: so many channels (up to WAIT_CHANNELS_MAX), awake or asleep. */
#define WAIT_CHANNELS_MAX 200

struct wait_job {
	unsigned int channels;
	bool spin;
	int round;
	double seconds;
};

/* One round trip over that channel; does not return when it fails. */
typedef void (*wait_trip)(void *context, unsigned int channel);

/* The bare protocols; libdvk's, for which a node must run. None returns when it fails. */
void wait_bare(const struct wait_job *job);
void wait_dvk(const struct wait_job *job);

/*
 * Times trips over all channels in turn and prints the rows KIND-sleep-CHANNELS, with the p50 of a trip in seconds, and
 * KIND-tail-CHANNELS, with the p99; or KIND-spin-CHANNELS, with the p50.
 */
void wait_measure(const struct wait_job *job, const char *kind, const char *side, wait_trip trip, void *context);

/*
 * Keeps the calling process on the first or second of the processors that it could use at first, if there are two. To
 * share one would cost less, but it is not what a guest and its server do.
 */
void wait_stay_on_processor(int nth);

#endif
