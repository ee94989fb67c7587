/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of stores share: an image with known content, opening, and operations over one piece of memory.
 */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "store.h"
#include "test_directory.h"

#define IMAGE_BYTES (3u * 65536 + 512) /* not a multiple of an overlay's block */

extern char image_path[TEST_PATH_SIZE];
extern unsigned char original[IMAGE_BYTES]; /* what the image was made with */
extern struct completions completions;	    /* of all stores of the test */

/* For main(): the directory and the completions. `wake` as for completions_init(). */
void store_test_setup(void (*wake)(void));

/* Fills memory with bytes that depend on the seed. */
void fill(unsigned char *bytes, size_t length, unsigned int seed);

/* Makes the image file anew, with the first `length` bytes of `original`. */
void make_image(size_t length);

void assert_opens(struct store *store, const struct store_settings *settings);
void assert_not_opened(const struct store_settings *settings, const char *cause);

/* An operation over one piece of memory. */
struct operation {
	struct io io;
	struct iovec vector;
};

/* Sets one up; `memory`: NULL for those that have no vector. */
struct io *operation_set(struct operation *operation, enum io_operation what, uint64_t position, uint64_t length,
			 void *memory);

/* Waits for one that is PENDING and the only one, and returns its result. */
int await_result(struct io *io);

/* Has one done, at once or not, and returns its result. */
int operate(struct store *store, enum io_operation what, uint64_t position, uint64_t length, void *memory);

/* Reads the whole disk and compares it. */
void assert_content(struct store *store, const unsigned char *expected);

#endif
