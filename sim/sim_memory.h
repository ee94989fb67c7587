/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of the simulator: when there is none the program ends, as no run could be trusted then.
 */
#ifndef RDISK_SIM_MEMORY_H
#define RDISK_SIM_MEMORY_H

#include <stddef.h>

/* What there is no memory for ends the program. */
__attribute__((returns_nonnull)) void *sim_there(void *memory);
__attribute__((returns_nonnull)) void *sim_new(size_t size);			 /* zeroed */
__attribute__((returns_nonnull)) void *sim_resize(void *memory, size_t size);	 /* as realloc() */
__attribute__((returns_nonnull)) void *sim_copy(const void *bytes, size_t size); /* of malloc(); also of 0 bytes */

#endif
