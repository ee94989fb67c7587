/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See store_test.h.
 */
#include "store_test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

char image_path[TEST_PATH_SIZE];
unsigned char original[IMAGE_BYTES];
struct completions completions;

void store_test_setup(void (*wake)(void))
{
	test_directory();
	test_path(image_path, "image");
	fill(original, sizeof(original), 1);
	/* A test that failed leaves threads behind that use its stack: those after it would say nothing. */
	if (setenv("CMOCKA_TEST_ABORT", "1", 1) || completions_init(&completions, wake))
		test_fatal("cannot set up the tests");
}

void fill(unsigned char *bytes, size_t length, unsigned int seed)
{
	for (size_t i = 0; i < length; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(seed >> 24);
	}
}

void make_image(size_t length)
{
	char fresh[TEST_PATH_SIZE + 4];
	int fd;

	/* Another file, made while the one before is there: nothing of that stays, not even its number. */
	snprintf(fresh, sizeof(fresh), "%s.new", image_path);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, original, length) != (ssize_t)length || close(fd) || rename(fresh, image_path))
		test_fatal("cannot make %s", image_path);
}

void assert_opens(struct store *store, const struct store_settings *settings)
{
	struct diagnostic diagnostic = { "" };

	if (store_open(store, settings, &completions, &diagnostic))
		fail_msg("%s", diagnostic.text);
}

void assert_not_opened(const struct store_settings *settings, const char *cause)
{
	struct diagnostic diagnostic = { "" };
	struct store store;

	assert_int_equal(store_open(&store, settings, &completions, &diagnostic), -1);
	if (!strstr(diagnostic.text, cause))
		fail_msg("\"%s\" does not tell of %s", diagnostic.text, cause);
	assert_int_equal(store.fd, -1);
}

struct io *operation_set(struct operation *operation, enum io_operation what, uint64_t position, uint64_t length,
			 void *memory)
{
	*operation = (struct operation){
		.io = { .operation = what, .position = position, .length = length, .result = 1 },
		.vector = { memory, (size_t)length },
	};
	if (memory) {
		operation->io.vector = &operation->vector;
		operation->io.count = 1;
	}
	return &operation->io;
}

int await_result(struct io *io)
{
	completions_await(&completions);
	assert_ptr_equal(completions_take(&completions), io);
	assert_null(io->next);
	return io->result;
}

int operate(struct store *store, enum io_operation what, uint64_t position, uint64_t length, void *memory)
{
	struct operation operation;
	struct io *io = operation_set(&operation, what, position, length, memory);

	switch (store_submit(store, io)) {
	case IO_DONE:
		return io->result;
	case IO_PENDING:
		return await_result(io);
	case IO_MISSED:
		break;
	}
	fail_msg("MISSED an operation that may wait");
	return 1;
}

void assert_content(struct store *store, const unsigned char *expected)
{
	static unsigned char content[IMAGE_BYTES];

	memset(content, 0xee, sizeof(content));
	assert_int_equal(operate(store, IO_READ, 0, IMAGE_BYTES, content), 0);
	assert_memory_equal(content, expected, IMAGE_BYTES);
}
