/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For libraries that are preloaded: the function that stands behind one of theirs.
 */
#ifndef NEXT_FUNCTION_H
#define NEXT_FUNCTION_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The function that this library stands in front of. */
static inline void *next_function(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

/* `next`: the function of that name behind this library. */
#define NEXT(name)                                                                                                     \
	static _Atomic(__typeof__(&name)) known;                                                                       \
	/* Threads that look it up at once find the same address: no order matters. */                                 \
	__typeof__(&name) next = atomic_load_explicit(&known, memory_order_relaxed);                                   \
	if (!next) {                                                                                                   \
		next = (__typeof__(&name))next_function(#name);                                                        \
		atomic_store_explicit(&known, next, memory_order_relaxed);                                             \
	}

#endif
