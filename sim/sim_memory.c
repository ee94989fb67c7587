/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is there or ends the program.
 */
#include "sim_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *sim_there(void *memory)
{
	if (!memory) {
		fputs("rdisk-sim: out of memory\n", stderr);
		exit(2);
	}
	return memory;
}

void *sim_new(size_t size)
{
	return sim_there(calloc(1, size ? size : 1));
}

void *sim_resize(void *memory, size_t size)
{
	return sim_there(realloc(memory, size ? size : 1));
}

void *sim_copy(const void *bytes, size_t size)
{
	void *copy = sim_there(malloc(size ? size : 1));

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}
