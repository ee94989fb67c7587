/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All chance of a simulated run, from one seed: the same numbers on every machine. xoshiro256** over splitmix64. No
 * floating point, so that nothing depends on how a machine rounds.
 */
#ifndef RDISK_SIM_RANDOM_H
#define RDISK_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
	uint64_t state[4];
};

/* stream: several independent sequences of one seed. */
void sim_random_seed(struct sim_random *random, uint64_t seed, uint64_t stream);

uint64_t sim_random(struct sim_random *random);

/* 0 .. limit - 1; limit is not 0. */
uint64_t sim_below(struct sim_random *random, uint64_t limit);

/* low .. high, both included; low <= high, and not the whole range of the type. */
uint64_t sim_between(struct sim_random *random, uint64_t low, uint64_t high);

/* low .. high, low > 0, each power of two as likely as any other: small ones are common, large ones happen. */
uint64_t sim_spread(struct sim_random *random, uint64_t low, uint64_t high);

/* True in `part` of `whole` cases. */
bool sim_chance(struct sim_random *random, uint64_t part, uint64_t whole);

/* splitmix64's mixing of one number, for what is to look random but is told by its place. */
uint64_t sim_mix(uint64_t number);

#endif
