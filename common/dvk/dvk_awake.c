// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waiting without a real sleep: spinning, and the moment's sleep that stands for it in a crowd (dvk_spin.h).
 * A guest's kernel does this on its small stack. Sleeping until it is over is dvk_wait.c's.
 */
#include "dvk_internal.h"
#include "dvk_system.h"

/* In a crowd a caller that must not sleep does so all the same for a moment, instead of spinning. */
#define DOZE_NS 200000LL

/* The clock of a spin; 0: not read yet. */
struct spin_clock {
	int64_t last;
	int64_t end;
};

/* Whether to spin on, having looked a number of times. Gives the processor away for a moment. */
static bool spin_on(struct dvk_spin *spin, struct spin_clock *clock, int64_t spin_ns)
{
	int64_t now;

	/* whoever is to answer may be waiting for this very processor */
	if (clock->end)
		dvk_system_yield();
	now = dvk_system_monotonic_ns();
	if (!clock->end && __builtin_add_overflow(now, spin_ns, &clock->end))
		clock->end = INT64_MAX;
	else if (clock->last && dvk_spin_was_away(spin, now - clock->last, now))
		return false;
	clock->last = now;
	return now < clock->end && !dvk_spin_crowded(spin, now);
}

int dvk_spin_until(struct dvk_client *client, dvk_condition condition, void *context, int64_t spin_ns)
{
	struct spin_clock clock = { 0 };

	for (unsigned int spins = 1;; spins++) {
		int rc = dvk_look(client, condition, context);

		if (rc)
			return rc > 0 ? 0 : rc;
		if (spin_ns <= 0)
			return EDVSAGAIN;
		if (spins % DVK_SPINS_PER_CLOCK == 0 && !spin_on(&client->spin, &clock, spin_ns))
			spin_ns = 0; /* one look more, at what came meanwhile */
		dvk_pause();
	}
}

int dvk_doze_until(struct dvk_client *client, int slot, dvk_condition condition, void *context)
{
	int64_t end = dvk_system_monotonic_ns() + DOZE_NS;
	int rc;

	do {
		/* A peer that has gone has no bell; what waits for it is over. */
		struct dvk_mailbox *in = client->peers[slot].in;

		if (in) {
			uint32_t bell = atomic_fetch_or_explicit(&in->bell, DVK_BELL_SLEEPER, memory_order_acq_rel);

			/* Whoever rang before the flag was set is seen here; whoever rings later wakes us. */
			if (!dvk_events_pending(client) && !condition(client, context))
				dvk_system_futex_wait_one(&in->bell, bell | DVK_BELL_SLEEPER, end);
			atomic_fetch_and_explicit(&in->bell, ~DVK_BELL_SLEEPER, memory_order_relaxed);
		}
		rc = dvk_look(client, condition, context);
	} while (!rc && dvk_system_monotonic_ns() < end);
	if (!rc)
		return EDVSAGAIN;
	return rc > 0 ? 0 : rc;
}
