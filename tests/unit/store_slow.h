/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of what a store does at once and what is PENDING, over a host that is slow where the test says so
 * (fake_disk.h).
 */
#ifndef STORE_SLOW_H
#define STORE_SLOW_H

#include <stdatomic.h>

#include "store_test.h"

extern const struct store_settings file, overlay, in_memory;
extern unsigned char memory[2u << 20]; /* of reads and writes */
extern atomic_int wakes;	       /* how often the loop was told that something is done */

/* Once, before all tests; and the setup of each. */
void store_slow_setup(void);
int reset(void **state);
/* A store of each test's own; on a disk unless the test says otherwise before. */
void open_fresh(struct store *store, const struct store_settings *settings);

enum io_answer submit_mode(struct store *store, struct operation *operation, enum io_operation what, enum io_mode mode,
			   uint64_t position, uint64_t length);
/* The same, that may be PENDING. */
enum io_answer submit(struct store *store, struct operation *operation, enum io_operation what, uint64_t position,
		      uint64_t length);
/* It is done at once, or later; well, in either case. */
void assert_done(struct store *store, enum io_operation what, uint64_t position, uint64_t length);
void assert_pends(struct store *store, enum io_operation what, uint64_t position, uint64_t length);

#endif
