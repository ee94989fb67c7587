/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See store_slow.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_disk.h"
#include "store_slow.h"
#include "store_test.h"

const struct store_settings file = { .name = "F", .path = image_path };
const struct store_settings overlay = { .name = "V", .path = image_path, .is_volatile = true };
const struct store_settings in_memory = { .name = "M", .kind = STORE_MEMORY, .size = 8u << 20 };

unsigned char memory[2u << 20];
atomic_int wakes;

static void count_wake(void)
{
	atomic_fetch_add(&wakes, 1);
}

void open_fresh(struct store *store, const struct store_settings *settings)
{
	make_image(IMAGE_BYTES);
	assert_opens(store, settings);
}

int reset(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

enum io_answer submit_mode(struct store *store, struct operation *operation, enum io_operation what, enum io_mode mode,
			   uint64_t position, uint64_t length)
{
	struct io *io =
		operation_set(operation, what, position, length, what == IO_READ || what == IO_WRITE ? memory : NULL);

	io->mode = mode;
	return store_submit(store, io);
}

enum io_answer submit(struct store *store, struct operation *operation, enum io_operation what, uint64_t position,
		      uint64_t length)
{
	return submit_mode(store, operation, what, IO_MAY_PEND, position, length);
}

void assert_done(struct store *store, enum io_operation what, uint64_t position, uint64_t length)
{
	struct operation operation;

	assert_int_equal(submit(store, &operation, what, position, length), IO_DONE);
	assert_int_equal(operation.io.result, 0);
	assert_false(completions_any(&completions));
}

void assert_pends(struct store *store, enum io_operation what, uint64_t position, uint64_t length)
{
	struct operation operation;

	assert_int_equal(submit(store, &operation, what, position, length), IO_PENDING);
	assert_int_equal(await_result(&operation.io), 0);
}

void store_slow_setup(void)
{
	store_test_setup(count_wake);
}
