/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long writes take, and what follows from it; see write_throttle.h.
 */
#include "write_throttle.h"

#include "coarse_clock.h"
#include "dirty_pages.h"

#define LONG_NS                                                                                                        \
	20000000ull	   /* a write takes long: two steps of the coarsest clock, and more than a turn of the         \
			      scheduler */
#define LONG_NS_PER_BYTE 4 /* ... beyond what copying takes on a slow machine */
#define AFTERWARDS_NS	 NS_PER_SECOND

bool write_throttle_likely(const struct write_throttle *throttle, uint64_t now)
{
	return now < atomic_load_explicit(&throttle->until, memory_order_relaxed) || dirty_pages_near_limit(now);
}

void write_throttle_ended(struct write_throttle *throttle, uint64_t began, uint64_t length)
{
	uint64_t now = coarse_clock_ns();

	/* Of two that end at once either time will do. */
	if (now - began >= LONG_NS + length * LONG_NS_PER_BYTE)
		atomic_store_explicit(&throttle->until, now + AFTERWARDS_NS, memory_order_relaxed);
}
