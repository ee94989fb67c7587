/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small histories of one block at random, of which many are right and many are wrong: the checks of checker_zones.h and
 * checker_search.h say what a trial of all orders says (checker_all_orders.h).
 *
 * A history comes from a register that is played, with losses; then, in most, a few answers are changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker_all_orders.h"
#include "checker_search.h"
#include "checker_zones.h"

#define OPS_MAX	    8
#define VALUES_MAX  (OPS_MAX + 1)
#define LOSSES_MAX  2
#define FLUSHES_MAX 3
#define EVENTS	    64
#define ROUNDS	    20000

struct flavour {
	bool same_values; /* values are written more than once */
	unsigned int losses_max;
	bool flushed_too;
	unsigned int rounds;
};

static uint64_t random_state;
static struct block_op ops[OPS_MAX];
static struct block_loss losses[LOSSES_MAX];
static uint64_t flushes[FLUSHES_MAX];
static struct block_history block;

/* xorshift64*: the same numbers everywhere. */
static unsigned int any(unsigned int below_this)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned int)((random_state * UINT64_C(2685821657736338717)) >> 33) % below_this;
}

/* An event that no other has; 0 is before all. */
static uint64_t new_event(bool used[EVENTS])
{
	uint64_t event;

	do {
		event = 1 + any(EVENTS / 2);
	} while (used[event]);
	used[event] = true;
	return event;
}

/* Mostly soon after the begin, so that some operations follow each other. */
static uint64_t new_end(uint64_t begin, bool used[EVENTS])
{
	uint64_t event = begin + any(6);

	while (event < EVENTS - 1 && used[event])
		event++;
	used[event] = true;
	return event;
}

static void make_op(struct block_op *op, bool used[EVENTS], const struct flavour *flavour, unsigned int number)
{
	memset(op, 0, sizeof(*op));
	op->begin = new_event(used);
	op->end = new_end(op->begin, used);
	op->limit = HISTORY_NEVER;
	op->write = any(100) < 45;
	if (!op->write)
		return;
	op->value = flavour->same_values ? any(3) : number + 1;
	op->stable = any(4) == 0;
	if (any(4) == 0) {
		op->end = HISTORY_NEVER;
		op->stable = false;
	}
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

/* Plays a register that keeps what is flushed; a stable write and what was answered before a flush stay at a loss. */
static void play(void)
{
	double moment[OPS_MAX];
	uint32_t value = block.initial, safe = block.initial;
	double done = -1;

	for (size_t i = 0; i < block.nr_ops; i++) {
		double end = (double)smaller(ops[i].end, EVENTS + 4);

		moment[i] = (double)ops[i].begin + (end - (double)ops[i].begin) * (any(1000) + 0.5) / 1001;
		if (ops[i].write && ops[i].end == HISTORY_NEVER && any(2))
			moment[i] = EVENTS + 10;
	}
	for (;;) {
		double next = EVENTS + 9, at;
		size_t which = SIZE_MAX;

		for (size_t i = 0; i < block.nr_ops; i++) {
			if (moment[i] > done && moment[i] < next) {
				next = moment[i];
				which = i;
			}
		}
		for (size_t i = 0; i < block.nr_flushes; i++) {
			at = (double)flushes[i];
			if (at > done && at < next)
				safe = value;
		}
		for (size_t i = 0; i < block.nr_losses; i++) {
			at = (double)losses[i].event;
			if (at > done && at < next && any(3))
				value = losses[i].flushed ? block.initial : safe;
		}
		if (which == SIZE_MAX)
			return;
		if (!ops[which].write)
			ops[which].value = value;
		else
			value = ops[which].value;
		if (ops[which].write && ops[which].stable)
			safe = value;
		done = next;
	}
}

static int by_event(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static void make_events(uint64_t *events, size_t count, bool used[EVENTS])
{
	for (size_t i = 0; i < count; i++)
		events[i] = new_event(used);
	qsort(events, count, sizeof(*events), by_event);
}

static void make_history(const struct flavour *flavour)
{
	bool used[EVENTS] = { true };
	uint64_t events[LOSSES_MAX];

	memset(&block, 0, sizeof(block));
	block.ops = ops;
	block.losses = losses;
	block.flushes = flushes;
	block.nr_ops = 3 + any(OPS_MAX - 2);
	block.nr_values = VALUES_MAX;
	for (unsigned int i = 0; i < block.nr_ops; i++)
		make_op(&ops[i], used, flavour, i);
	qsort(ops, block.nr_ops, sizeof(*ops), by_event); /* begin is an operation's first member */
	if (!flavour->losses_max)
		return;
	block.nr_losses = 1 + any(flavour->losses_max);
	make_events(events, block.nr_losses, used);
	for (size_t i = 0; i < block.nr_losses; i++)
		losses[i] = (struct block_loss){ events[i], flavour->flushed_too && any(2) };
	block.nr_flushes = any(FLUSHES_MAX + 1);
	make_events(flushes, block.nr_flushes, used);
}

/* A few reads return something else. */
static void change(void)
{
	unsigned int changes = any(4);

	for (size_t i = 0; i < block.nr_ops && changes; i++) {
		if (ops[i].write || any(2))
			continue;
		ops[i].value = ops[any((unsigned int)block.nr_ops)].value;
		changes--;
	}
}

static void show(void)
{
	for (size_t i = 0; i < block.nr_ops; i++)
		print_error("%s %u [%d, %d]%s\n", ops[i].write ? "write" : "read", ops[i].value, (int)ops[i].begin,
			    (int)ops[i].end, ops[i].stable ? " stable" : "");
	for (size_t i = 0; i < block.nr_losses; i++)
		print_error("loss %d%s\n", (int)losses[i].event, losses[i].flushed ? " of the flushed" : "");
	for (size_t i = 0; i < block.nr_flushes; i++)
		print_error("flush %d\n", (int)flushes[i]);
}

static void run(const struct flavour *flavour)
{
	unsigned int good = 0, fast = 0;

	for (unsigned int round = 0; round < flavour->rounds; round++) {
		bool failed[OPS_MAX] = { false };
		enum block_verdict expected;
		size_t failing = 0;

		make_history(flavour);
		play();
		change();
		expected = all_orders_good(&block) ? BLOCK_GOOD : BLOCK_BAD;
		good += expected == BLOCK_GOOD;
		if (search_check(&block, &failing) != expected) {
			show();
			fail_msg("round %u: the search does not say %s", round, expected ? "bad" : "good");
		}
		if (block.nr_losses || !zones_apply(&block))
			continue;
		fast++;
		if (zones_check(&block, failed) != expected) {
			show();
			fail_msg("round %u: the zones do not say %s", round, expected ? "bad" : "good");
		}
	}
	print_message("%u histories: %u right, %u wrong; %u by zones too\n", flavour->rounds, good,
		      flavour->rounds - good, fast);
	/* Both outcomes are common, or the test says little. */
	assert_true(good > flavour->rounds / 10);
	assert_true(good < flavour->rounds - flavour->rounds / 10);
}

static void unique_values(void **state)
{
	(void)state;
	run(&(struct flavour){ .rounds = ROUNDS });
}

static void values_again(void **state)
{
	(void)state;
	run(&(struct flavour){ .same_values = true, .rounds = ROUNDS });
}

static void unique_values_lost(void **state)
{
	(void)state;
	run(&(struct flavour){ .losses_max = LOSSES_MAX, .rounds = ROUNDS });
}

static void values_again_lost(void **state)
{
	(void)state;
	run(&(struct flavour){ .same_values = true, .losses_max = LOSSES_MAX, .rounds = ROUNDS });
}

static void flushed_lost(void **state)
{
	(void)state;
	run(&(struct flavour){ .losses_max = LOSSES_MAX, .flushed_too = true, .rounds = ROUNDS });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unique_values),      cmocka_unit_test(values_again),
		cmocka_unit_test(unique_values_lost), cmocka_unit_test(values_again_lost),
		cmocka_unit_test(flushed_lost),
	};
	const char *seed = getenv("CHECKER_SEED");

	random_state = seed ? strtoull(seed, NULL, 10) : 20250901;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
