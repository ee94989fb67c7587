/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a store does at once and what is PENDING: reads and writes in every mode, and writes that are held up. Flushes,
 * cancelling and threads are in test_store_queue.c.
 */
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

#define SECOND 1000000000ull /* in ns */
#define LONG   50000000ull   /* ns; a write of less than a MiB that takes so long was held up */
#define PAGE   4096u

/* ---- reads ---- */

/* Each mode where nothing is in the page cache, and where it cannot be told. */
static void test_read_modes(void **state)
{
	static const enum io_answer missing[] = { IO_PENDING, IO_MISSED, IO_MISSED, IO_DONE };
	static const enum io_answer unknown[] = { IO_PENDING, IO_MISSED, IO_DONE, IO_DONE };
	static const struct store_settings *const kinds[] = { &file, &overlay };
	struct operation operation;
	struct store store;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		for (int mode = IO_MAY_PEND; mode <= IO_AT_ONCE; mode++) {
			for (int error = 0; error < 3; error++) {
				static const int errors[] = { 0, EAGAIN, EOPNOTSUPP };
				enum io_answer expected = error == 1 ? missing[mode] : unknown[mode];

				fake_fail(FAKE_NOWAIT, errors[error]);
				open_fresh(&store, kinds[kind]);
				memset(memory, 0xee, 10000);
				assert_int_equal(
					submit_mode(&store, &operation, IO_READ, (enum io_mode)mode, 700, 10000),
					error ? expected : IO_DONE);
				if (error && expected == IO_PENDING)
					await_result(&operation.io);
				if (!error || expected != IO_MISSED) {
					assert_int_equal(operation.io.result, 0);
					assert_memory_equal(memory, original + 700, 10000);
				}
				assert_false(completions_any(&completions));
				assert_true(store.tells_misses == (errors[error] != EOPNOTSUPP || mode == IO_AT_ONCE));
				store_close(&store);
			}
		}
	}
}

/* Past the page cache: all bytes of any range, and of what is dirty. Where there is no disk it is a read. */
static void test_read_from_disk(void **state)
{
	static const struct {
		uint64_t position, length;
	} ranges[] = { { 0, 4096 }, { 700, 10000 }, { 4096, 8192 }, { 12287, 2 }, { 511, 1 } };
	struct operation operation;
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		memset(memory, 0xee, sizeof(memory));
		if (submit_mode(&store, &operation, IO_READ, IO_FROM_DISK, ranges[i].position, ranges[i].length) ==
		    IO_PENDING)
			await_result(&operation.io);
		else
			assert_false(store.on_disk);
		assert_int_equal(operation.io.result, 0);
		assert_memory_equal(memory, original + ranges[i].position, ranges[i].length);
	}
	store_close(&store);
}

/* What is PENDING is read into its own memory by a worker, which the loop is told of. */
static void test_read_pending(void **state)
{
	struct operation operation;
	struct store store;
	int wakes_before;

	(void)state;
	open_fresh(&store, &file);
	wakes_before = atomic_load(&wakes);
	fake_fail(FAKE_NOWAIT, EAGAIN);
	fake_hold(FAKE_READ, store.fd);
	memset(memory, 0xee, 9000);
	assert_int_equal(submit(&store, &operation, IO_READ, 4096, 9000), IO_PENDING);
	fake_await_held(FAKE_READ, 1);
	assert_false(completions_any(&completions));
	assert_null(completions_take(&completions));
	fake_release(FAKE_READ);
	assert_int_equal(await_result(&operation.io), 0);
	assert_memory_equal(memory, original + 4096, 9000);
	store_close(&store); /* the worker has ended, and so has its wake */
	assert_int_equal(atomic_load(&wakes), wakes_before + 1);
}

/* Nothing of a file that is in memory, or of a store in memory, is ever PENDING or held up by a clock. */
static void test_in_memory(void **state)
{
	static const struct store_settings *const kinds[] = { &file, &overlay, &in_memory };
	struct operation operation;
	struct store store;

	(void)state;
	fake_fail(FAKE_NOWAIT, EAGAIN);
	fake_fail(FAKE_THREAD, EAGAIN);
	fake_write_takes(LONG);
	fake_vmstat(5000, 0, 1000, 2000);
	for (int kind = 0; kind < 3; kind++) {
		fake_in_memory(true);
		open_fresh(&store, kinds[kind]);
		for (int mode = IO_MAY_PEND; mode <= IO_AT_ONCE; mode++)
			assert_int_equal(submit_mode(&store, &operation, IO_READ, (enum io_mode)mode, 1, 9000),
					 IO_DONE);
		assert_done(&store, IO_WRITE, 1, 9000);
		assert_done(&store, IO_WRITE, 1, 9000);
		assert_done(&store, IO_FLUSH, 0, 0);
		assert_done(&store, IO_DISCARD, 1, 9000);
		assert_done(&store, IO_WRITE_ZEROES, 1, 9000);
		assert_done(&store, IO_FETCH, 1, 9000);
		store_close(&store);
	}
	assert_int_equal(fake_calls(FAKE_NOWAIT), 0);
	assert_int_equal(fake_calls(FAKE_THREAD), 0);
	assert_int_equal(fake_vmstat_looks(), 0);
}

static void test_long_in_memory(void **state)
{
	struct store store;

	(void)state;
	assert_opens(&store, &in_memory);
	assert_done(&store, IO_DISCARD, 1, STORE_AT_ONCE_MAX);
	assert_done(&store, IO_WRITE_ZEROES, 1, STORE_AT_ONCE_MAX);
	assert_pends(&store, IO_DISCARD, 1, STORE_AT_ONCE_MAX + 1);
	assert_pends(&store, IO_WRITE_ZEROES, 0, in_memory.size);
	store_close(&store);
}

static void test_on_disk(void **state)
{
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	assert_pends(&store, IO_FLUSH, 0, 0);
	assert_pends(&store, IO_WRITE_ZEROES, 0, 512);
	assert_pends(&store, IO_DISCARD, 0, 512);
	assert_pends(&store, IO_FETCH, 0, 512);
	assert_done(&store, IO_WRITE, 0, 512);
	store_close(&store);
}

/* An overlay waits for its file only. */
static void test_overlay(void **state)
{
	struct store store;

	(void)state;
	open_fresh(&store, &overlay);
	fake_fail(FAKE_NOWAIT, EAGAIN);
	assert_done(&store, IO_FLUSH, 0, 0);
	assert_done(&store, IO_WRITE, PAGE, 2 * PAGE);
	assert_done(&store, IO_READ, PAGE + 1, 2 * PAGE - 1);
	assert_done(&store, IO_WRITE, PAGE + 1, 100);
	assert_done(&store, IO_WRITE_ZEROES, PAGE + 1, 100);
	assert_pends(&store, IO_READ, PAGE - 1, 2);
	assert_pends(&store, IO_WRITE, 5 * PAGE + 1, 100);
	assert_done(&store, IO_WRITE, 5 * PAGE + 1, 100);
	assert_pends(&store, IO_DISCARD, 7 * PAGE + 1, 100);
	assert_done(&store, IO_READ, 7 * PAGE, PAGE);
	assert_pends(&store, IO_FETCH, 9 * PAGE, PAGE);
	/* The host's disks are no matter of what is written to memory. */
	fake_vmstat(5000, 0, 1000, 2000);
	fake_write_takes(LONG);
	assert_done(&store, IO_WRITE, PAGE, 2 * PAGE);
	assert_done(&store, IO_WRITE, PAGE, 2 * PAGE);
	assert_int_equal(fake_vmstat_looks(), 0);
	store_close(&store);
}

/* Blocks that many threads bring in at one time, and whose bits are in one word: nothing of one gets into another. */
static void test_overlay_neighbours(void **state)
{
	static unsigned char expected[IMAGE_BYTES];
	struct operation operations[WORKERS_MAX];
	struct store store;

	(void)state;
	memset(memory, 0xee, 100);
	memcpy(expected, original, IMAGE_BYTES);
	for (uint64_t block = 0; block < WORKERS_MAX; block++)
		memset(expected + block * PAGE + 1, 0xee, 100);
	for (int round = 0; round < 20; round++) {
		int left = WORKERS_MAX;

		open_fresh(&store, &overlay);
		fake_fail(FAKE_NOWAIT, EAGAIN);
		fake_hold(FAKE_WRITE, store.memory_fd);
		for (int i = 0; i < WORKERS_MAX; i++)
			assert_int_equal(submit(&store, &operations[i], IO_WRITE, (uint64_t)i * PAGE + 1, 100),
					 IO_PENDING);
		fake_await_held(FAKE_WRITE, WORKERS_MAX);
		fake_release(FAKE_WRITE);
		while (left > 0) {
			completions_await(&completions);
			for (struct io *io = completions_take(&completions); io; io = io->next)
				left--;
		}
		fake_fail(FAKE_NOWAIT, 0);
		assert_content(&store, expected);
		store_close(&store);
	}
}

/* ---- writes ---- */

/* A write that would have to read the rest of a page first. */
static void test_write_misses(void **state)
{
	struct store store;

	(void)state;
	for (int error = 0; error < 2; error++) {
		open_fresh(&store, &file);
		fake_fail(FAKE_NOWAIT, error ? EOPNOTSUPP : EAGAIN);
		assert_done(&store, IO_WRITE, PAGE, 2 * PAGE);
		assert_pends(&store, IO_WRITE, PAGE + 1, 2 * PAGE - 1);
		assert_pends(&store, IO_WRITE, PAGE, PAGE + 1);
		assert_pends(&store, IO_WRITE, PAGE + 1, 1);
		/* There is nothing behind the end. */
		assert_done(&store, IO_WRITE, IMAGE_BYTES / PAGE * PAGE, IMAGE_BYTES % PAGE);
		store_close(&store);
	}
	open_fresh(&store, &file);
	fake_fail(FAKE_NOWAIT, 0);
	assert_done(&store, IO_WRITE, PAGE + 1, 1);
	store_close(&store);
}

/* It is written once, by the worker, from its own memory. */
static void test_write_pending(void **state)
{
	static unsigned char expected[IMAGE_BYTES];
	struct operation operation;
	struct store store;

	(void)state;
	memset(memory, 0xee, 1000);
	open_fresh(&store, &file);
	memcpy(expected, original, IMAGE_BYTES);
	memset(expected + 100, 0xee, 1000);
	fake_fail(FAKE_NOWAIT, EAGAIN);
	fake_hold(FAKE_WRITE, store.fd);
	assert_int_equal(submit(&store, &operation, IO_WRITE, 100, 1000), IO_PENDING);
	fake_await_held(FAKE_WRITE, 1);
	assert_false(completions_any(&completions));
	fake_release(FAKE_WRITE);
	assert_int_equal(await_result(&operation.io), 0);
	assert_int_equal(fake_calls(FAKE_WRITE), 1);
	assert_content(&store, expected);
	store_close(&store);
}

static void test_slow_writes(void **state)
{
	struct store store, other;

	(void)state;
	open_fresh(&store, &file);
	/* What is said of one is not said of another. */
	test_path(image_path, "other");
	open_fresh(&other, &file);
	test_path(image_path, "image");
	assert_done(&store, IO_WRITE, 0, PAGE);
	fake_write_takes(LONG);
	assert_done(&store, IO_WRITE, 0, PAGE);
	fake_write_takes(0);
	assert_pends(&store, IO_WRITE, 0, PAGE);
	assert_done(&other, IO_WRITE, 0, PAGE);
	fake_clock_advance(SECOND / 2);
	assert_pends(&store, IO_WRITE, 0, PAGE);
	fake_clock_advance(SECOND / 2);
	assert_done(&store, IO_WRITE, 0, PAGE);
	/* One that a worker waited for counts as well. */
	fake_write_takes(LONG);
	assert_done(&store, IO_WRITE, 0, PAGE);
	fake_clock_advance(SECOND * 3 / 4);
	assert_pends(&store, IO_WRITE, 0, PAGE);
	fake_write_takes(0);
	fake_clock_advance(SECOND * 3 / 4);
	assert_pends(&store, IO_WRITE, 0, PAGE);
	fake_clock_advance(SECOND / 4);
	assert_done(&store, IO_WRITE, 0, PAGE);
	/* Much takes longer without being held up. */
	fake_write_takes(20500000);
	for (int i = 0; i < 2; i++)
		assert_done(&store, IO_WRITE, 0, IMAGE_BYTES);
	assert_done(&store, IO_WRITE, 0, PAGE);
	assert_pends(&store, IO_WRITE, 0, PAGE);
	store_close(&other);
	store_close(&store);
}

/* How long a read takes that a write needs says nothing about writes. */
static void test_slow_reads(void **state)
{
	struct operation operation;
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	fake_fail(FAKE_NOWAIT, EAGAIN);
	fake_hold(FAKE_READ, store.fd);
	assert_int_equal(submit(&store, &operation, IO_WRITE, 1, 100), IO_PENDING);
	fake_await_held(FAKE_READ, 1);
	fake_clock_advance(SECOND);
	fake_release(FAKE_READ);
	assert_int_equal(await_result(&operation.io), 0);
	assert_done(&store, IO_WRITE, 0, PAGE);
	store_close(&store);
}

static void test_dirty_pages(void **state)
{
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	for (int i = 0; i < 10; i++)
		assert_done(&store, IO_WRITE, 0, PAGE);
	assert_int_equal(fake_vmstat_looks(), 1);
	/* 1250 is a quarter of the way from one threshold to the other. */
	fake_vmstat(1249, 1, 1000, 2000);
	assert_done(&store, IO_WRITE, 0, PAGE);
	fake_clock_advance(SECOND / 10);
	assert_pends(&store, IO_WRITE, 0, PAGE);
	fake_vmstat(1249, 0, 1000, 2000);
	assert_pends(&store, IO_WRITE, 0, PAGE);
	fake_clock_advance(SECOND / 10);
	assert_done(&store, IO_WRITE, 0, PAGE);
	assert_int_equal(fake_vmstat_looks(), 3);
	assert_done(&store, IO_READ, 0, PAGE);
	store_close(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read_modes, reset),
		cmocka_unit_test_setup(test_read_from_disk, reset),
		cmocka_unit_test_setup(test_read_pending, reset),
		cmocka_unit_test_setup(test_in_memory, reset),
		cmocka_unit_test_setup(test_long_in_memory, reset),
		cmocka_unit_test_setup(test_on_disk, reset),
		cmocka_unit_test_setup(test_overlay, reset),
		cmocka_unit_test_setup(test_overlay_neighbours, reset),
		cmocka_unit_test_setup(test_write_misses, reset),
		cmocka_unit_test_setup(test_write_pending, reset),
		cmocka_unit_test_setup(test_slow_writes, reset),
		cmocka_unit_test_setup(test_slow_reads, reset),
		cmocka_unit_test_setup(test_dirty_pages, reset),
	};

	store_slow_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
