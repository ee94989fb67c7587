/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers of a simulated run: see the header. Not for secrets.
 */
#include "sim_random.h"

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

uint64_t sim_mix(uint64_t number)
{
	number += GOLDEN;
	number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
	return number ^ (number >> 31);
}

static uint64_t rotate(uint64_t value, int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

void sim_random_seed(struct sim_random *random, uint64_t seed, uint64_t stream)
{
	uint64_t start = sim_mix(seed) ^ (stream * UINT64_C(0xd1342543de82ef95));

	for (uint64_t i = 0; i < 4; i++)
		random->state[i] = sim_mix(start + i * GOLDEN);
}

uint64_t sim_random(struct sim_random *random)
{
	uint64_t *state = random->state;
	uint64_t result = rotate(state[1] * 5, 7) * 9;
	uint64_t shifted = state[1] << 17;

	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= shifted;
	state[3] = rotate(state[3], 45);
	return result;
}

uint64_t sim_below(struct sim_random *random, uint64_t limit)
{
	/* Numbers below it are left out, so that all remainders are equally likely. */
	uint64_t surplus = (0 - limit) % limit;
	uint64_t number;

	do
		number = sim_random(random);
	while (number < surplus);
	return number % limit;
}

uint64_t sim_between(struct sim_random *random, uint64_t low, uint64_t high)
{
	return low + sim_below(random, high - low + 1);
}

uint64_t sim_spread(struct sim_random *random, uint64_t low, uint64_t high)
{
	unsigned int octaves = 0;
	uint64_t from, to;

	while (octaves < 63 && (low << octaves) <= high / 2)
		octaves++;
	from = low << sim_below(random, octaves + 1);
	to = from <= high / 2 ? 2 * from - 1 : high;
	return sim_between(random, from, to);
}

bool sim_chance(struct sim_random *random, uint64_t part, uint64_t whole)
{
	return sim_below(random, whole) < part;
}
