// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a wait may spin; see dvk_spin.h.
 */
#include "dvk_spin.h"

/* Below this a budget is not worth its bookkeeping. */
#define SPIN_MIN_NS 1000

/* Staying awake is worth it from this score on, up to which it rises a point at a time, ... */
#define SCORE_AWAKE 8
#define SCORE_MAX   16
/* ... and what one wait in vain takes away: it costs many times what one that is not saves. */
#define SCORE_LOSS  4

void dvk_spin_set(struct dvk_spin *spin, int64_t max_ns, int64_t awake_ns)
{
	*spin = (struct dvk_spin){ .max_ns = max_ns, .now_ns = max_ns, .awake_ns = awake_ns };
}

int64_t dvk_spin_budget(const struct dvk_spin *spin)
{
	return spin->score >= SCORE_AWAKE ? spin->awake_ns : spin->now_ns;
}

void dvk_spin_was_over(struct dvk_spin *spin)
{
	spin->now_ns = spin->max_ns;
}

void dvk_spin_slept(struct dvk_spin *spin, int64_t waited_ns, bool fulfilled)
{
	if (fulfilled && waited_ns < 2 * spin->max_ns) {
		spin->now_ns = spin->max_ns;
	} else {
		spin->now_ns /= 2;
		if (spin->now_ns < SPIN_MIN_NS)
			spin->now_ns = 0;
	}
	if (!fulfilled || waited_ns > spin->awake_ns)
		spin->score -= spin->score < SCORE_LOSS ? spin->score : SCORE_LOSS;
	else if (spin->awake_ns > spin->max_ns && spin->score < SCORE_MAX)
		spin->score++;
}
