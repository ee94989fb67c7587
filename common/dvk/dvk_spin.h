/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a wait may spin before it sleeps: what earlier waits were worth. No waiting here (dvk_wait.c), no clock.
 *
 * Short waits: one that was over while it span, or soon after, restores the full budget; one that slept long halves it,
 * down to nothing. So a busy pair never sleeps, and an idle process uses no CPU.
 *
 * Staying awake, for servers: requests that come some hundred us apart, as from a file system, miss the full budget
 * each time, and each of them pays for a wake-up (facts: 45 us, and what an idle processor takes to run at all). Where
 * most of such waits would have been over within a longer time, all of it is given.
 *
 * A crowd: other processes want the processors too. A scheduler that is fair makes who has spun pay for it: what one
 * spins in some us it waits for in some ms, behind processes that compute; sched_yield() gives up even more. Who sleeps
 * at once is woken at once. So after a spin that was interrupted for long nobody spins for a while.
 *
 * That is for servers and a guest's kernel (sees_crowds). Clients on the host that wait for a server which is busy with
 * others' requests would take it for a crowd, and make it wake each of them.
 *
 * In the thread that waits. Freestanding.
 */
#ifndef DVK_SPIN_H
#define DVK_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct dvk_spin {
	int64_t max_ns;	    /* full budget; 0: sleep at once */
	int64_t now_ns;	    /* what of it the next wait has */
	int64_t awake_ns;   /* what it has when staying awake is worth it; 0: never */
	unsigned int score; /* how much that has been worth lately */
	bool sees_crowds;   /* else there are none for this one; dvk_spin_set() sets it where awake_ns counts */
	int64_t crowd_ns;   /* how long the last crowd was taken to last; 0: there was none */
	int64_t crowd_end;  /* till when, in the time of the caller's clock */
};

/* Begins anew with these times, in ns; awake_ns counts only if it is above max_ns. */
void dvk_spin_set(struct dvk_spin *spin, int64_t max_ns, int64_t awake_ns);

/* ns that the next wait may spin; now: the time. */
int64_t dvk_spin_budget(const struct dvk_spin *spin, int64_t now);

/* Whether others want the processors, so that waits had better sleep. */
bool dvk_spin_crowded(const struct dvk_spin *spin, int64_t now);

/* Between two readings of the clock in a spin, the second at `now`, gap_ns went by. True if that begins a crowd. */
bool dvk_spin_was_away(struct dvk_spin *spin, int64_t gap_ns, int64_t now);

/* A wait was over while it span. */
void dvk_spin_was_over(struct dvk_spin *spin);

/* A wait slept, and ended waited_ns after it had begun; fulfilled: with what it waited for. */
void dvk_spin_slept(struct dvk_spin *spin, int64_t waited_ns, bool fulfilled);

#endif
