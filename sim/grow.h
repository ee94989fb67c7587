/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays that grow, for the checker. Without memory the program ends: it has nothing to save.
 */
#ifndef SIM_GROW_H
#define SIM_GROW_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* Returns array with room for at least count elements of size bytes; *room is how many there are. */
static inline void *grow_to(void *array, size_t *room, size_t count, size_t size)
{
	size_t wanted = *room ? *room : 16;
	size_t bytes;

	if (count <= *room && array)
		return array;
	while (wanted < count)
		wanted *= 2;
	if (__builtin_mul_overflow(wanted, size, &bytes))
		bytes = SIZE_MAX;
	array = realloc(array, bytes);
	if (!array) {
		(void)fprintf(stderr, "no memory for %zu bytes of a history\n", bytes);
		abort();
	}
	*room = wanted;
	return array;
}

#endif
