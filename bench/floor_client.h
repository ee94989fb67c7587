/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of rdisk-bench-floor's writer: another process, which asks for one write after the other through shared
 * memory and waits until they are done, as little as that can cost: no message, no check, no grant.
 */
#ifndef BENCH_FLOOR_CLIENT_H
#define BENCH_FLOOR_CLIENT_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define FLOOR_IN_FLIGHT_MAX 128

/* In memory that both have. */
struct floor_mailbox {
	_Atomic uint32_t posted; /* writes; by the client */
	_Atomic uint32_t done;	 /* by the writer; the client sleeps on it */
	_Atomic uint32_t asleep; /* the client is, or is about to be */
	_Atomic uint32_t failed; /* the writer has: nothing comes any more */
};

/*
 * Begins a process that asks for `all` writes, in_flight at a time, and fills samples[0 .. all - 1] (shared memory)
 * with how long each took, in seconds. It spins for at most spin_us before it sleeps. Its pid, or -1.
 */
pid_t floor_client_start(struct floor_mailbox *mailbox, uint32_t all, uint32_t in_flight, uint32_t spin_us,
			 double *samples);

/* The writer: `done` writes are. */
void floor_client_tell(struct floor_mailbox *mailbox, uint32_t done);

#endif
