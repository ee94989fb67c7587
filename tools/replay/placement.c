/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Positions; see placement.h.
 */
#include "placement.h"

static uint64_t scaled(uint64_t position, uint64_t from, uint64_t to)
{
	return (uint64_t)((unsigned __int128)position * to / from);
}

enum placed place(const struct placement *placement, uint64_t *position, uint64_t *length, int *widened)
{
	uint64_t block = placement->block, size = placement->size / block * block;
	uint64_t from = *position / block * block;
	/* At most INT64_MAX and a block: no overflow. */
	uint64_t to = (*position + *length + block - 1) / block * block;
	uint64_t at = from;

	*widened = from != *position || to != *position + *length;
	*length = to - from;
	*position = from;
	if (*length > size)
		return PLACED_NOWHERE;
	switch (placement->mode) {
	case PLACE_ERROR:
	case PLACE_SKIP:
		return to <= size ? PLACED_AS_IT_IS : PLACED_NOWHERE;
	case PLACE_WRAP:
		at = from % size;
		break;
	case PLACE_SCALE:
		if (placement->trace_size > size)
			at = scaled(from, placement->trace_size, size) / block * block;
		break;
	}
	if (at > size - *length)
		at = size - *length;
	*position = at;
	return at == from ? PLACED_AS_IT_IS : PLACED_ELSEWHERE;
}
