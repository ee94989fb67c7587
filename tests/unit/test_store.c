/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kinds of stores: each against a plain array that gets the same random operations, several of them at a time; what
 * overlays leave alone; and failures. Some of the reads miss the page cache at random (fake_disk.h), so that workers
 * and the test's own thread are at work at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_disk.h"
#include "store_test.h"

#define ROUNDS	     3000
#define SEGMENTS_MAX 8
#define FLIGHT_MAX   12 /* operations at a time */

/* An operation under way. */
struct flight {
	struct io io; /* must be the first */
	struct iovec vector[SEGMENTS_MAX];
	unsigned char memory[IMAGE_BYTES];
	bool busy;
};

static unsigned char model[IMAGE_BYTES];
static struct flight flights[FLIGHT_MAX];

/* Splits the first `length` bytes of its memory into some segments. */
static int split(struct flight *flight, size_t length)
{
	unsigned char *at = flight->memory;
	int count = 0;

	while (length > 0) {
		size_t piece = 1 + (size_t)random() % length;

		if (count == SEGMENTS_MAX - 1)
			piece = length;
		flight->vector[count].iov_base = at;
		flight->vector[count].iov_len = piece;
		at += piece;
		length -= piece;
		count++;
	}
	return count;
}

static void finish(struct flight *flight)
{
	assert_true(flight->busy);
	assert_int_equal(flight->io.result, 0);
	if (flight->io.operation == IO_READ)
		assert_memory_equal(flight->memory, model + flight->io.position, flight->io.length);
	flight->busy = false;
}

/* Takes what is done; returns how many are still under way. */
static int take_finished(void)
{
	int busy = 0;

	for (struct io *io = completions_take(&completions), *next; io; io = next) {
		next = io->next;
		finish((struct flight *)io);
	}
	for (int i = 0; i < FLIGHT_MAX; i++)
		busy += flights[i].busy;
	return busy;
}

static void drain(void)
{
	while (take_finished())
		completions_await(&completions);
}

/* A place for an operation on a range that nobody else is at. */
static struct flight *free_flight(const struct store *store, uint64_t position, uint64_t length)
{
	uint64_t block = store->overlap_block;
	uint64_t first = position / block * block;
	uint64_t end = (position + length + block - 1) / block * block;
	struct flight *found = NULL;

	take_finished();
	for (int i = 0; i < FLIGHT_MAX; i++) {
		const struct io *io = &flights[i].io;

		if (!flights[i].busy)
			found = &flights[i];
		else if (io_ranges_overlap(first, end - first, io->position, io->length))
			drain();
	}
	if (!found) {
		drain();
		found = &flights[0];
	}
	return found;
}

/* Fills the rest in, changes the model, and begins it. */
static void begin(struct store *store, struct flight *flight, unsigned int round)
{
	unsigned char *in_model = model + flight->io.position;
	size_t length = flight->io.length;

	switch (flight->io.operation) {
	case IO_WRITE:
		fill(flight->memory, length, round);
		memcpy(in_model, flight->memory, length);
		break;
	case IO_READ:
		memset(flight->memory, 0xee, length);
		break;
	default:
		/* A discard on a file system that frees nothing leaves all as it was. */
		if (flight->io.operation == IO_WRITE_ZEROES || store->discards)
			memset(in_model, 0, length);
		break;
	}
	flight->io.vector = flight->vector;
	flight->io.count = split(flight, length);
	flight->busy = true;
	if (store_submit(store, &flight->io) == IO_DONE)
		finish(flight);
}

static void random_operation(struct store *store, unsigned int round)
{
	static const enum io_operation operations[] = { IO_WRITE, IO_WRITE, IO_READ, IO_WRITE_ZEROES, IO_DISCARD };
	uint64_t position = (uint64_t)random() % IMAGE_BYTES;
	uint64_t length = 1 + (uint64_t)random() % (random() % 4 ? 9000 : IMAGE_BYTES);
	struct flight *flight;

	if (random() % 3 == 0)
		position &= ~4095ull;
	if (length > IMAGE_BYTES - position)
		length = IMAGE_BYTES - position;
	flight = free_flight(store, position, length);
	flight->io = (struct io){
		.operation = operations[random() % 5],
		.position = position,
		.length = length,
	};
	/* Page cache or not, and how much of a transfer a call does. */
	fake_fail(FAKE_NOWAIT, random() % 2 ? EAGAIN : 0);
	fake_short(random() % 4 ? 0 : 1 + (uint64_t)random() % 6000);
	begin(store, flight, round);
}

/* A flush while others are under way. */
static void flush_beside(struct store *store)
{
	struct flight *flight = free_flight(store, 0, 0);

	flight->io = (struct io){ .operation = IO_FLUSH };
	flight->busy = true;
	if (store_submit(store, &flight->io) == IO_DONE)
		finish(flight);
}

static void run_rounds(struct store *store)
{
	/* Whether holes can be punched is found out by the first discard. */
	assert_int_equal(operate(store, IO_DISCARD, 0, 1, NULL), 0);
	if (store->discards)
		model[0] = 0;
	srandom(7);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		random_operation(store, round);
		if (random() % 64 == 0)
			flush_beside(store);
	}
	drain();
	fake_short(0);
	assert_content(store, model);
	assert_int_equal(operate(store, IO_FLUSH, 0, 0, NULL), 0);
}

/* The image, and the model like it. */
static void make_both(size_t length)
{
	make_image(length);
	memset(model, 0, sizeof(model));
	memcpy(model, original, length);
}

static void run_file(bool in_memory)
{
	const struct store_settings settings = { .name = "F", .path = image_path };
	struct store store;
	uint64_t identity;

	fake_reset();
	fake_in_memory(in_memory);
	make_both(IMAGE_BYTES);
	assert_opens(&store, &settings);
	assert_int_equal(store.size, IMAGE_BYTES);
	assert_int_equal(store.overlap_block, 1);
	run_rounds(&store);
	assert_int_equal(store_settle(&store), 0);
	identity = store.file_identity;
	store_close(&store);
	assert_opens(&store, &settings);
	assert_content(&store, model);
	assert_int_equal(store.file_identity, identity);
	store_close(&store);
	make_both(IMAGE_BYTES);
	assert_opens(&store, &settings);
	assert_int_not_equal(store.file_identity, identity);
	store_close(&store);
}

static void test_file(void **state)
{
	(void)state;
	run_file(false);
}

static void test_file_in_memory(void **state)
{
	(void)state;
	run_file(true);
}

static void test_memory(void **state)
{
	const struct store_settings empty = { .name = "M", .kind = STORE_MEMORY, .size = IMAGE_BYTES };
	const struct store_settings loaded = {
		.name = "M", .kind = STORE_MEMORY, .size = IMAGE_BYTES, .path = image_path
	};
	struct store store;

	(void)state;
	fake_reset();
	memset(model, 0, sizeof(model));
	assert_opens(&store, &empty);
	assert_content(&store, model);
	run_rounds(&store);
	store_close(&store);

	make_both(70000);
	assert_opens(&store, &loaded);
	assert_content(&store, model);
	run_rounds(&store);
	store_close(&store);
	make_both(70000);
	assert_opens(&store, &loaded);
	assert_content(&store, model);
	store_close(&store);
}

static void run_overlay(bool in_memory)
{
	static unsigned char content[IMAGE_BYTES];
	const struct store_settings overlay = { .name = "V", .path = image_path, .is_volatile = true };
	struct store store, second;
	int fd;

	fake_reset();
	fake_in_memory(in_memory);
	make_both(IMAGE_BYTES);
	assert_opens(&store, &overlay);
	assert_int_equal(store.overlap_block, STORE_OVERLAY_BLOCK);
	/* Readers share the image. */
	assert_opens(&second, &overlay);
	store_close(&second);
	assert_content(&store, model);
	run_rounds(&store);
	store_close(&store);
	fd = open(image_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, content, IMAGE_BYTES), IMAGE_BYTES);
	assert_memory_equal(content, original, IMAGE_BYTES);
	close(fd);
}

static void test_overlay(void **state)
{
	(void)state;
	run_overlay(false);
}

static void test_overlay_in_memory(void **state)
{
	(void)state;
	run_overlay(true);
}

/* Vectors stay as they are, also where a transfer has to be gone on with. */
static void test_vector_stays(void **state)
{
	static unsigned char memory[3][5000];
	const struct iovec vector[3] = { { memory[0], 5000 }, { memory[1], 1 }, { memory[2], 4999 } };
	const struct store_settings settings = { .name = "F", .path = image_path };
	struct iovec copy[3];
	struct store store;
	struct io io;

	(void)state;
	fake_reset();
	make_both(IMAGE_BYTES);
	assert_opens(&store, &settings);
	for (int operation = IO_READ; operation <= IO_WRITE; operation++) {
		for (uint64_t most = 1; most < 6000; most += 1999) {
			memcpy(copy, vector, sizeof(copy));
			fake_short(most);
			io = (struct io){ .operation = (enum io_operation)operation,
					  .position = 100,
					  .length = 10000,
					  .vector = copy,
					  .count = 3 };
			assert_int_equal(store_submit(&store, &io), IO_DONE);
			assert_int_equal(io.result, 0);
			assert_memory_equal(copy, vector, sizeof(copy));
			assert_memory_equal(memory[0], original + 100, 5000);
			assert_memory_equal(memory[1], original + 5100, 1);
			assert_memory_equal(memory[2], original + 5101, 4999);
		}
	}
	fake_short(0);
	assert_content(&store, model);
	store_close(&store);
}

static void test_bad_memory(void **state)
{
	static unsigned char memory[8192];
	const struct store_settings settings = { .name = "F", .path = image_path };
	struct iovec vector[2] = { { memory, 4096 }, { NULL, 4096 } };
	struct io io = { .position = 0, .length = 8192, .vector = vector, .count = 2 };
	struct store store;

	(void)state;
	fake_reset();
	vector[1].iov_base = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	make_image(IMAGE_BYTES);
	assert_opens(&store, &settings);
	for (int pending = 0; pending < 2; pending++) {
		io.operation = IO_WRITE;
		fake_vmstat(pending ? 2000 : 0, 0, 1000, 2000);
		fake_clock_advance(1000000000);
		assert_int_equal(store_submit(&store, &io), pending ? IO_PENDING : IO_DONE);
		assert_int_equal(pending ? await_result(&io) : io.result, -EFAULT);
		io.operation = IO_READ;
		fake_fail(FAKE_NOWAIT, pending ? EAGAIN : 0);
		assert_int_equal(store_submit(&store, &io), pending ? IO_PENDING : IO_DONE);
		assert_int_equal(pending ? await_result(&io) : io.result, -EFAULT);
	}
	assert_int_equal(fake_log_lines(), 0);
	assert_int_equal(operate(&store, IO_FLUSH, 0, 0, NULL), 0);
	/* Somebody cut the file: that is no end of the disk but an error. */
	assert_int_equal(truncate(image_path, 4096), 0);
	assert_int_equal(operate(&store, IO_READ, 0, 8192, memory), -EIO);
	assert_string_equal(fake_log_last(), "device F: read at byte 0: Input/output error");
	munmap(vector[1].iov_base, 4096);
	store_close(&store);
}

/* What failures become, and what is said of them. */
static void test_results(void **state)
{
	static const struct {
		int error, result, lines;
	} cases[] = {
		{ EIO, -EIO, 1 },     { ENOSPC, -ENOSPC, 1 }, { EDQUOT, -ENOSPC, 1 },
		{ EROFS, -EROFS, 0 }, { EFBIG, -EIO, 1 },     { EBADF, -EIO, 1 },
	};
	static unsigned char memory[4096];
	const struct store_settings settings = { .name = "F", .path = image_path };
	struct store store;

	(void)state;
	make_image(IMAGE_BYTES);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_reset();
		assert_opens(&store, &settings);
		fake_fail(FAKE_WRITE, cases[i].error);
		assert_int_equal(operate(&store, IO_WRITE, 4096, 4096, memory), cases[i].result);
		assert_int_equal(fake_log_lines(), cases[i].lines);
		fake_fail(FAKE_ALLOCATE, cases[i].error);
		assert_int_equal(operate(&store, IO_WRITE_ZEROES, 8192, 4096, NULL), cases[i].result);
		assert_int_equal(operate(&store, IO_DISCARD, 8192, 4096, NULL), cases[i].result);
		assert_int_equal(fake_log_lines(), 3 * cases[i].lines);
		store_close(&store);
	}
	assert_string_equal(fake_log_last(), "device F: discard at byte 8192: Bad file descriptor");
}

/* A file system that can neither discard nor zero: discards do nothing, zeros are written. */
static void test_no_holes(void **state)
{
	const struct store_settings settings = { .name = "F", .path = image_path };
	struct store store;

	(void)state;
	fake_reset();
	make_both(IMAGE_BYTES);
	assert_opens(&store, &settings);
	fake_fail(FAKE_ALLOCATE, EOPNOTSUPP);
	assert_true(store.discards);
	assert_int_equal(operate(&store, IO_DISCARD, 0, 8192, NULL), 0);
	assert_false(store.discards);
	assert_content(&store, model);
	assert_int_equal(operate(&store, IO_WRITE_ZEROES, 1000, 150000, NULL), 0);
	memset(model + 1000, 0, 150000);
	assert_content(&store, model);
	store_close(&store);
}

static void test_failed_flush_stays(void **state)
{
	static unsigned char memory[512];
	const struct store_settings settings = { .name = "F", .path = image_path };
	struct store store;

	(void)state;
	for (int in_memory = 0; in_memory < 2; in_memory++) {
		fake_reset();
		fake_in_memory(in_memory);
		make_image(IMAGE_BYTES);
		assert_opens(&store, &settings);
		assert_int_equal(operate(&store, IO_FLUSH, 0, 0, NULL), 0);
		fake_fail(FAKE_SYNC, ENOSPC);
		assert_int_equal(operate(&store, IO_FLUSH, 0, 0, NULL), -EIO);
		assert_non_null(strstr(fake_log_last(), "every flush fails until the server is restarted"));
		fake_fail(FAKE_SYNC, 0);
		assert_int_equal(operate(&store, IO_FLUSH, 0, 0, NULL), -EIO);
		assert_int_equal(operate(&store, IO_WRITE, 0, 512, memory), 0);
		assert_int_equal(operate(&store, IO_READ, 0, 512, memory), 0);
		assert_int_equal(store_settle(&store), -EIO);
		assert_int_equal(fake_calls(FAKE_SYNC), 2);
		assert_int_equal(fake_log_lines(), 1);
		store_close(&store);
		assert_opens(&store, &settings);
		assert_int_equal(operate(&store, IO_FLUSH, 0, 0, NULL), 0);
		store_close(&store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_in_memory),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_overlay_in_memory),
		cmocka_unit_test(test_vector_stays),
		cmocka_unit_test(test_bad_memory),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_no_holes),
		cmocka_unit_test(test_failed_flush_stays),
	};

	store_test_setup(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
