// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a wait may spin; see dvk_spin.h.
 */
#include "dvk_spin.h"

/* Below this a budget is not worth its bookkeeping. */
#define SPIN_MIN_NS  1000

/* Staying awake is worth it from this score on, up to which it rises a point at a time, ... */
#define SCORE_AWAKE  8
#define SCORE_MAX    16
/* ... and what one wait in vain takes away: it costs many times what one that is not saves. */
#define SCORE_LOSS   4

/* A spin that was away for longer has waited for its processor: interrupts are shorter, a scheduler's slice longer. */
#define AWAY_NS	     500000

/*
 * How long a crowd is taken to last: at first, and at most. It is doubled when there still is one soon after, which
 * each time costs a scheduler's slice or two (some ms) to find out.
 */
#define CROWD_MIN_NS 20000000LL
#define CROWD_MAX_NS 1000000000LL

void dvk_spin_set(struct dvk_spin *spin, int64_t max_ns, int64_t awake_ns)
{
	*spin = (struct dvk_spin){
		.max_ns = max_ns, .now_ns = max_ns, .awake_ns = awake_ns, .sees_crowds = awake_ns > max_ns
	};
}

bool dvk_spin_crowded(const struct dvk_spin *spin, int64_t now)
{
	return now < spin->crowd_end;
}

bool dvk_spin_was_away(struct dvk_spin *spin, int64_t gap_ns, int64_t now)
{
	if (!spin->sees_crowds || gap_ns < AWAY_NS)
		return false;
	if (!spin->crowd_ns || now - spin->crowd_end > spin->crowd_ns)
		spin->crowd_ns = CROWD_MIN_NS;
	else
		spin->crowd_ns = spin->crowd_ns < CROWD_MAX_NS / 2 ? spin->crowd_ns * 2 : CROWD_MAX_NS;
	spin->crowd_end = now + spin->crowd_ns;
	return true;
}

int64_t dvk_spin_budget(const struct dvk_spin *spin, int64_t now)
{
	if (dvk_spin_crowded(spin, now))
		return 0;
	return spin->score >= SCORE_AWAKE ? spin->awake_ns : spin->now_ns;
}

void dvk_spin_was_over(struct dvk_spin *spin)
{
	spin->now_ns = spin->max_ns;
}

void dvk_spin_slept(struct dvk_spin *spin, int64_t waited_ns, bool fulfilled)
{
	if (fulfilled && waited_ns / 2 < spin->max_ns) {
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
