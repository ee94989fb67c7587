/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the device holds, and tests that move data: sizes and positions of every
 * alignment, sweeps over the device, its end, high positions, flush, FUA, discard and write-zeroes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "blocktest.h"
#include "test_pattern.h"

#define MARK_SEED 0x6d61726bu /* of the marks in the arena */

uint64_t next_random(struct blocktest *test, uint64_t limit)
{
	uint64_t x = test->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	test->random = x;
	return x % limit;
}

void fill_fresh(struct blocktest *test, unsigned char *bytes, size_t length)
{
	test_pattern_fill(bytes, length, address_number(bytes), next_random(test, UINT64_MAX));
}

void mark_memory(struct blocktest *test, unsigned char *from, size_t length)
{
	unsigned char *start = from - GUARD_SIZE;

	test_pattern_fill(start, length + (size_t)2 * GUARD_SIZE, (uint64_t)(start - test->arena), MARK_SEED);
}

bool check_marks(struct blocktest *test, const unsigned char *from, size_t length, const char *what)
{
	size_t at = test_pattern_check(from, length, (uint64_t)(from - test->arena), MARK_SEED);

	return at == length || fail_test(test, RESULT_OVERFLOW, "%s: memory beside the data was changed", what);
}

/* The window that holds the whole range; every test keeps to the windows. */
static struct window *find_window(struct blocktest *test, uint64_t position, size_t length)
{
	struct window *windows[] = { &test->low, &test->tail };

	for (size_t i = 0; i < 2; i++) {
		struct window *window = windows[i];

		if (position >= window->position && position - window->position <= window->length &&
		    length <= window->length - (size_t)(position - window->position))
			return window;
	}
	abort();
}

bool check_contents(struct blocktest *test, const unsigned char *bytes, size_t length, uint64_t position,
		    const char *what)
{
	const struct window *window = find_window(test, position, length);
	const unsigned char *wanted = window->bytes + (position - window->position);
	size_t at = 0, run = 0;

	if (!memcmp(bytes, wanted, length))
		return true;
	while (bytes[at] == wanted[at])
		at++;
	/* A run of marks is no accident: nothing was written there. One byte could be. */
	while (at + run < length && run < 8) {
		uint64_t offset = (uint64_t)(bytes - test->arena) + at + run;

		if (test_pattern_check(bytes + at + run, 1, offset, MARK_SEED) != 1)
			break;
		run++;
	}
	if (run == 8 || (run && at + run == length))
		return fail_test(test, RESULT_MISSING, "%s: nothing arrived for position %" PRIu64, what,
				 position + at);
	return fail_test(test, RESULT_CORRUPT, "%s: position %" PRIu64 " holds %02x in place of %02x", what,
			 position + at, bytes[at], wanted[at]);
}

static void update_window(struct window *window, const unsigned char *bytes, size_t length, uint64_t position)
{
	for (size_t i = 0; i < length; i++) {
		uint64_t at = position + i;

		if (at >= window->position && at - window->position < window->length)
			window->bytes[at - window->position] = bytes[i];
	}
}

void note_written(struct blocktest *test, const unsigned char *bytes, size_t length, uint64_t position)
{
	update_window(&test->low, bytes, length, position);
	update_window(&test->tail, bytes, length, position);
}

bool read_and_check(struct blocktest *test, int64_t position, unsigned char *buffer, int length)
{
	int expected = (int)expected_bytes(test, position, length);
	message request = new_request(test, DEV_READ);

	mark_memory(test, buffer, (size_t)length);
	request.COUNT = length;
	request.POSITION = position;
	request.ADDRESS = (char *)buffer;
	return expect_status(test, &request, expected, "read") &&
	       check_marks(test, buffer - GUARD_SIZE, GUARD_SIZE, "read") &&
	       check_marks(test, buffer + expected, (size_t)(length - expected) + GUARD_SIZE, "read") &&
	       (!expected || check_contents(test, buffer, (size_t)expected, (uint64_t)position, "read"));
}

bool write_fresh(struct blocktest *test, int type, int64_t position, unsigned char *buffer, int length)
{
	int expected = (int)expected_bytes(test, position, length);
	message request = new_request(test, type);

	fill_fresh(test, buffer, (size_t)length);
	request.COUNT = length;
	request.POSITION = position;
	request.ADDRESS = (char *)buffer;
	if (!expect_status(test, &request, expected, "write"))
		return false;
	note_written(test, buffer, (size_t)expected, (uint64_t)position);
	return true;
}

/* What nobody knows yet is taken as read; the tests read it again in other ways. */
static bool load_window(struct blocktest *test, struct window *window)
{
	for (size_t done = 0; done < window->length;) {
		message request = new_request(test, DEV_READ);
		size_t piece = window->length - done < 65536 ? window->length - done : 65536;

		request.COUNT = (int)piece;
		request.POSITION = (int64_t)(window->position + done);
		request.ADDRESS = (char *)arena_buffer(test);
		if (!expect_status(test, &request, (int)piece, "first read"))
			return false;
		memcpy(window->bytes + done, arena_buffer(test), piece);
		done += piece;
	}
	return true;
}

bool load_windows(struct blocktest *test)
{
	uint64_t size = test->info.size;

	test->low.length = (size_t)(size < test->size_limit ? size : test->size_limit);
	test->tail.length = size < TAIL_WINDOW ? (size_t)size : TAIL_WINDOW;
	test->tail.position = size - test->tail.length;
	test->low.bytes = malloc(test->low.length);
	test->tail.bytes = malloc(test->tail.length);
	if (!test->low.bytes || !test->tail.bytes)
		return fail_test(test, RESULT_UNEXFAIL, "out of memory");
	return load_window(test, &test->low) && load_window(test, &test->tail);
}

/* ---- sizes and positions ---- */

static const int odd_sizes[] = { 1, 2, 3, 7, 8, 511, 512, 513, 1023, 1536, 4095, 4096, 4097, 65535, 65536, 65537 };
static const int odd_positions[] = { 0, 1, 3, 511, 512, 513, 4093, 4096, 65533 };
static const int odd_addresses[] = { 0, 1, 509 };

static void unaligned(struct blocktest *test, bool write)
{
	for (size_t p = 0; p < sizeof(odd_positions) / sizeof(odd_positions[0]); p++) {
		for (size_t s = 0; s < sizeof(odd_sizes) / sizeof(odd_sizes[0]); s++) {
			unsigned char *buffer = arena_buffer(test) + odd_addresses[(p + s) % 3];
			int64_t position = odd_positions[p];

			if ((uint64_t)position + (uint64_t)odd_sizes[s] > test->low.length)
				continue;
			if (write && !write_fresh(test, DEV_WRITE, position, buffer, odd_sizes[s]))
				return;
			if (!read_and_check(test, position, buffer, odd_sizes[s]))
				return;
		}
	}
}

static void unaligned_reads(struct blocktest *test)
{
	unaligned(test, false);
}

static void unaligned_writes(struct blocktest *test)
{
	unaligned(test, true);
}

/* ---- sweeps ---- */

static bool sweep(struct blocktest *test, size_t step, bool write)
{
	for (size_t at = 0; at < test->low.length; at += step) {
		size_t left = test->low.length - at;
		int length = (int)(left < step ? left : step);

		if (write ? !write_fresh(test, DEV_WRITE, (int64_t)at, arena_buffer(test), length)
			  : !read_and_check(test, (int64_t)at, arena_buffer(test), length))
			return false;
	}
	return true;
}

static void sweep_reads(struct blocktest *test)
{
	if (sweep(test, 65536, false) && sweep(test, 262139, false))
		(void)sweep(test, TRANSFER_MAX, false);
}

static void sweep_writes(struct blocktest *test)
{
	static const size_t steps[] = { TRANSFER_MAX, 65536, 98305 };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!sweep(test, steps[i], true) || !sweep(test, 524288, false))
			return;
}

static void random_mix(struct blocktest *test)
{
	for (int i = 0; i < 300; i++) {
		int64_t position = (int64_t)next_random(test, test->low.length);
		uint64_t room = test->low.length - (uint64_t)position;
		int length = 1 + (int)next_random(test, room < 20000 ? room : 20000);
		unsigned char *buffer = arena_buffer(test) + next_random(test, 512);

		if (test->destructive && next_random(test, 2) ? !write_fresh(test, DEV_WRITE, position, buffer, length)
							      : !read_and_check(test, position, buffer, length))
			return;
	}
}

/* ---- the end of the device, high positions ---- */

static void end_of_device(struct blocktest *test, bool write)
{
	static const int before[] = { 1, 511, 512, 513, 4096, 5000 };
	int64_t size = (int64_t)test->info.size;
	static const int64_t beyond[] = { 0, 1, 512, 1LL << 31, 1LL << 32, 1LL << 40 };

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		if ((uint64_t)before[i] > test->tail.length)
			continue;
		if (write && !write_fresh(test, DEV_WRITE, size - before[i], arena_buffer(test), 8192))
			return;
		if (!read_and_check(test, size - before[i], arena_buffer(test), before[i]) ||
		    !read_and_check(test, size - before[i], arena_buffer(test), 8192))
			return;
	}
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		if (write && !write_fresh(test, DEV_WRITE, size + beyond[i], arena_buffer(test), 512))
			return;
		if (!read_and_check(test, size + beyond[i], arena_buffer(test), 512))
			return;
	}
	(void)read_and_check(test, INT64_MAX, arena_buffer(test), 512);
}

static void end_reads(struct blocktest *test)
{
	end_of_device(test, false);
}

static void end_writes(struct blocktest *test)
{
	end_of_device(test, true);
}

/* Whether bits of the position get lost: what is written at the end must not show up at the start, nor the reverse. */
static void high_positions(struct blocktest *test)
{
	int64_t last = (int64_t)test->tail.position;
	int length = (int)test->tail.length;

	for (int round = 0; round < 2; round++) {
		if (!write_fresh(test, DEV_WRITE, last, arena_buffer(test), length) ||
		    !sweep(test, TRANSFER_MAX, false) || !read_and_check(test, last, arena_buffer(test), length) ||
		    !sweep(test, TRANSFER_MAX, true) || !read_and_check(test, last, arena_buffer(test), length))
			return;
	}
}

/* ---- durability, discard, zeroes ---- */

static void flush(struct blocktest *test)
{
	message request = new_request(test, DEV_FLUSH);

	for (int i = 0; i < 3; i++)
		if (!expect_status(test, &request, 0, "flush"))
			return;
}

static void fua_writes(struct blocktest *test)
{
	struct rdisk_iovec *vector = (struct rdisk_iovec *)(void *)(test->arena + ARENA_SIZE - 4096);
	unsigned char *buffer = arena_buffer(test);
	message request;

	if (!write_fresh(test, DEV_WRITE_FUA, 511, buffer, 4098) || !read_and_check(test, 0, buffer, 8192))
		return;
	fill_fresh(test, buffer, 3000);
	vector[0] = (struct rdisk_iovec){ address_number(buffer), 1000 };
	vector[1] = (struct rdisk_iovec){ address_number(buffer) + 1000, 2000 };
	request = new_request(test, DEV_SCATTER_FUA);
	request.COUNT = 2;
	request.POSITION = 1;
	request.ADDRESS = (char *)vector;
	if (!expect_status(test, &request, 3000, "scatter with FUA"))
		return;
	note_written(test, buffer, 3000, 1);
	(void)read_and_check(test, 0, buffer, 8192);
}

static message range_request(const struct blocktest *test, int type, int64_t position, int64_t length)
{
	message request = new_request(test, type);

	request.POSITION = position;
	request.LENGTH = length;
	return request;
}

static void write_zeroes(struct blocktest *test)
{
	static const struct {
		int64_t position, length;
	} ranges[] = { { 0, 512 }, { 1, 1 }, { 4095, 4098 }, { 10000, 30000 }, { 0, 0 } };
	static const unsigned char zeroes[30000];

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		message request = range_request(test, DEV_WRITE_ZEROES, ranges[i].position, ranges[i].length);

		if (!write_fresh(test, DEV_WRITE, 0, arena_buffer(test), 50000) ||
		    !expect_status(test, &request, 0, "write zeroes"))
			return;
		note_written(test, zeroes, (size_t)ranges[i].length, (uint64_t)ranges[i].position);
		if (!read_and_check(test, 0, arena_buffer(test), 50000))
			return;
	}
}

/* A discarded range may read as zeros or as before; beside it nothing may change. */
static void discard(struct blocktest *test)
{
	unsigned char *buffer = arena_buffer(test);
	message request = range_request(test, DEV_DISCARD, 5000, 20000);
	message read = new_request(test, DEV_READ);

	if (!write_fresh(test, DEV_WRITE, 0, buffer, 50000) || !expect_status(test, &request, 0, "discard") ||
	    !read_and_check(test, 0, buffer, 5000) || !read_and_check(test, 25000, buffer, 25000))
		return;
	read.COUNT = 20000;
	read.POSITION = 5000;
	read.ADDRESS = (char *)buffer;
	if (!expect_status(test, &read, 20000, "read of what was discarded"))
		return;
	for (size_t i = 0; i < 20000; i++) {
		if (buffer[i] && buffer[i] != test->low.bytes[5000 + i]) {
			(void)fail_test(test, RESULT_CORRUPT, "discard: position %zu is neither zero nor as before",
					5000 + i);
			return;
		}
	}
	(void)write_fresh(test, DEV_WRITE, 0, buffer, 50000);
}

static void bad_ranges(struct blocktest *test)
{
	static const int types[] = { DEV_DISCARD, DEV_WRITE_ZEROES };
	int64_t size = (int64_t)test->info.size;
	const struct {
		int64_t position, length;
	} ranges[] = { { -1, 512 },	    { 0, -1 },	     { size, 512 },
		       { size - 512, 513 }, { 0, size + 1 }, { INT64_MAX, INT64_MAX },
		       { INT64_MIN, 512 } };

	for (size_t t = 0; t < 2; t++) {
		for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
			message request = range_request(test, types[t], ranges[i].position, ranges[i].length);

			if (!expect_status(test, &request, EDVSINVAL, "discard or write zeroes of a bad range"))
				return;
		}
	}
	(void)read_and_check(test, 0, arena_buffer(test), 50000);
}

const struct blocktest_case data_cases[] = {
	{ "unaligned", "reads", 0, unaligned_reads },
	{ "unaligned", "writes", NEEDS_DESTRUCTIVE, unaligned_writes },
	{ "sweep", "reads", 0, sweep_reads },
	{ "sweep", "writes", NEEDS_DESTRUCTIVE, sweep_writes },
	{ "sweep", "random-mix", 0, random_mix },
	{ "high", "end-of-device-reads", 0, end_reads },
	{ "high", "end-of-device-writes", NEEDS_DESTRUCTIVE, end_writes },
	{ "high", "positions", NEEDS_DESTRUCTIVE, high_positions },
	{ "durable", "flush", 0, flush },
	{ "durable", "fua-writes", NEEDS_DESTRUCTIVE, fua_writes },
	{ "ranges", "write-zeroes", NEEDS_DESTRUCTIVE, write_zeroes },
	{ "ranges", "discard", NEEDS_DESTRUCTIVE, discard },
	{ "ranges", "bad-ranges", NEEDS_DESTRUCTIVE, bad_ranges },
	{ NULL, NULL, 0, NULL },
};
