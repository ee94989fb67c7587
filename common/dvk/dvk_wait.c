// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waiting for shared memory to change: adaptive spinning (dvk_awake.c), then sleeping on futexes, or in epoll
 * (dvk_descriptors.c).
 * What is waited for is the business of the caller's condition; how long a wait may spin is decided in dvk_spin.c.
 *
 * A sleep may be on 128 words, whose list takes some KiB of stack: nothing here that sleeps is for a guest's kernel.
 */
#include <errno.h>

#include "dvk_internal.h"
#include "dvk_system.h"

/*
 * A node that is killed rings nobody: a sleeper looks at its control socket this often.
 */
#define NODE_CHECK_NS	     1000000000LL

/* Of waits that are over at once, one in so many looks at the control socket. */
#define WAITS_PER_NODE_CHECK 100000

/* With more peers than futex_waitv() takes, each window of them is slept on for this long. */
#define WINDOW_NS	     10000000LL

/* Without memory for a sleep: how long to wait instead for the node alone, and how often in a row. */
#define NAP_MS		     10
#define NAPS_MAX	     500

#define MS_NS		     1000000LL

void dvk_ring(_Atomic uint32_t *bell)
{
	uint32_t before = atomic_fetch_add_explicit(bell, DVK_BELL_STEP, memory_order_acq_rel);

	if (before & DVK_BELL_SLEEPER)
		dvk_system_futex_wake(bell);
}

void dvk_ring_peer(const struct dvk_peer *peer)
{
	dvk_ring(&peer->out->bell);
	if (peer->ring_fd >= 0)
		dvk_ring_descriptor(peer);
}

int dvk_look(struct dvk_client *client, dvk_condition condition, void *context)
{
	/*
	 * The order matters: a peer's last message was written before its death was rung,
	 * so a condition that fails after the bell was read to be silent does not miss one
	 * when the events are taken in a later look.
	 */
	for (;;) {
		bool events = dvk_events_pending(client);
		int rc;

		if (condition(client, context))
			return 1;
		if (!events)
			return 0;
		rc = dvk_take_events(client);
		if (rc)
			return rc;
	}
}

/* The words to sleep on. */
struct bells {
	_Atomic uint32_t *word[DVK_FUTEX_WAIT_MAX];
	unsigned int count;
	bool partial; /* not all peers fitted */
};

static void collect_bells(struct dvk_client *client, int slot, struct bells *bells)
{
	bells->count = 0;
	bells->partial = false;
	bells->word[bells->count++] = &client->page->bell;
	if (slot != DVK_WAIT_ALL) {
		if (client->peers[slot].in)
			bells->word[bells->count++] = &client->peers[slot].in->bell;
		return;
	}
	bells->word[bells->count++] = &client->interrupt_bell;
	for (int i = 0; i < client->nr_active; i++) {
		int at = (client->next + i) % client->nr_active;

		if (bells->count == DVK_FUTEX_WAIT_MAX) {
			bells->partial = true;
			client->next = at;
			return;
		}
		bells->word[bells->count++] = &client->peers[client->active[at]].in->bell;
	}
}

/*
 * A little wait when the kernel has no memory to sleep on the bells (error). 0, EDVSINTR, EDVSDVSINIT, EDVSNOTBIND, or
 * the error's code when that has gone on for too long.
 */
static int nap(struct dvk_client *client, int error)
{
	int rc;

	if (client->naps++ >= NAPS_MAX)
		return dvk_error_of(error);
	rc = dvk_system_poll_in(client->node_fd, NAP_MS);
	if (rc == -EINTR)
		return EDVSINTR;
	return rc > 0 ? dvk_take_events(client) : 0;
}

/* Sleeps once; 0 (look again), EDVSINTR, EDVSDVSINIT, EDVSNOTBIND. */
static int sleep_once(struct dvk_client *client, int slot, dvk_condition condition, void *context, int64_t deadline)
{
	struct dvk_futex_wait waits[DVK_FUTEX_WAIT_MAX];
	struct bells bells;
	int64_t until = dvk_system_monotonic_ns();
	int rc;

	collect_bells(client, slot, &bells);
	for (unsigned int i = 0; i < bells.count; i++) {
		waits[i].word = bells.word[i];
		waits[i].value = atomic_fetch_or_explicit(bells.word[i], DVK_BELL_SLEEPER, memory_order_acq_rel) |
				 DVK_BELL_SLEEPER;
	}
	until += bells.partial ? WINDOW_NS : NODE_CHECK_NS;
	if (until > deadline)
		until = deadline;
	/* Whoever rang before the flags were set is seen here; whoever rings later wakes us. */
	if (dvk_events_pending(client) || condition(client, context))
		rc = 0;
	else
		rc = dvk_system_futex_wait(waits, bells.count, until);
	for (unsigned int i = 0; i < bells.count; i++)
		atomic_fetch_and_explicit(bells.word[i], ~DVK_BELL_SLEEPER, memory_order_relaxed);
	if (rc == -ENOMEM || rc == -EAGAIN)
		return nap(client, rc);
	client->naps = 0;
	if (rc == -EINTR)
		return EDVSINTR;
	if (rc == -ETIMEDOUT)
		return dvk_take_events(client);
	return rc < 0 ? dvk_error_of(rc) : 0;
}

int dvk_wait_until(struct dvk_client *client, int slot, dvk_condition condition, void *context, int timeout_ms)
{
	int64_t start, deadline, budget;
	int rc;

	/* Who never sleeps would never notice that its node was killed. */
	if (++client->waits % WAITS_PER_NODE_CHECK == 0) {
		rc = dvk_take_events(client);
		if (rc)
			return rc;
	}
	/* Most waits of a busy pair are over before the clock is worth reading. */
	for (unsigned int spins = 0; spins < DVK_SPINS_PER_CLOCK; spins++) {
		rc = dvk_look(client, condition, context);
		if (rc > 0)
			dvk_spin_was_over(&client->spin);
		if (rc)
			return rc > 0 ? 0 : rc;
		if (timeout_ms == 0)
			return EDVSAGAIN;
		dvk_pause();
	}
	start = dvk_system_monotonic_ns();
	/* Who is rung often enough sleeps for less than the time after which a sleep looks at the control socket. */
	if (start - client->node_seen >= NODE_CHECK_NS) {
		client->node_seen = start;
		rc = dvk_take_events(client);
		if (rc)
			return rc;
	}
	deadline = timeout_ms < 0 ? INT64_MAX : start + timeout_ms * MS_NS;
	budget = dvk_spin_budget(&client->spin, start);
	rc = dvk_spin_until(client, condition, context, deadline - start < budget ? deadline - start : budget);
	if (!rc)
		dvk_spin_was_over(&client->spin);
	if (rc != EDVSAGAIN)
		return rc;
	do {
		if (slot == DVK_WAIT_ALL && client->wait_fd >= 0)
			rc = dvk_sleep_in_epoll(client, condition, context, deadline);
		else
			rc = sleep_once(client, slot, condition, context, deadline);
		if (!rc)
			rc = dvk_look(client, condition, context);
		if (!rc && dvk_system_monotonic_ns() >= deadline)
			rc = EDVSTIMEDOUT;
	} while (!rc);
	dvk_spin_slept(&client->spin, dvk_system_monotonic_ns() - start, rc > 0);
	return rc > 0 ? 0 : rc;
}
