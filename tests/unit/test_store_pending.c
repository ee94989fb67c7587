/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a store does at once and what is PENDING, over a host that is slow where the test says so: every operation and
 * mode, writes that are held up, shared flushes, cancelling, and what there are threads for.
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
#include "store_test.h"

#define SECOND 1000000000ull /* in ns */
#define LONG   50000000ull   /* ns; a write of less than a MiB that takes so long was held up */
#define PAGE   4096u

static const struct store_settings file = { .name = "F", .path = image_path };
static const struct store_settings overlay = { .name = "V", .path = image_path, .is_volatile = true };
static const struct store_settings in_memory = { .name = "M", .kind = STORE_MEMORY, .size = 8u << 20 };

static unsigned char memory[2u << 20];
static atomic_int wakes;

static void count_wake(void)
{
	atomic_fetch_add(&wakes, 1);
}

/* A store of each test's own; on a disk unless the test says otherwise before. */
static void open_fresh(struct store *store, const struct store_settings *settings)
{
	make_image(IMAGE_BYTES);
	assert_opens(store, settings);
}

static int reset(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static enum io_answer submit_mode(struct store *store, struct operation *operation, enum io_operation what,
				  enum io_mode mode, uint64_t position, uint64_t length)
{
	struct io *io =
		operation_set(operation, what, position, length, what == IO_READ || what == IO_WRITE ? memory : NULL);

	io->mode = mode;
	return store_submit(store, io);
}

static enum io_answer submit(struct store *store, struct operation *operation, enum io_operation what,
			     uint64_t position, uint64_t length)
{
	return submit_mode(store, operation, what, IO_MAY_PEND, position, length);
}

static void assert_done(struct store *store, enum io_operation what, uint64_t position, uint64_t length)
{
	struct operation operation;

	assert_int_equal(submit(store, &operation, what, position, length), IO_DONE);
	assert_int_equal(operation.io.result, 0);
	assert_false(completions_any(&completions));
}

static void assert_pends(struct store *store, enum io_operation what, uint64_t position, uint64_t length)
{
	struct operation operation;

	assert_int_equal(submit(store, &operation, what, position, length), IO_PENDING);
	assert_int_equal(await_result(&operation.io), 0);
}

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

/* ---- flushes ---- */

static void test_shared_flush(void **state)
{
	struct operation first, second, third, fourth;
	struct store store;
	int wakes_before;

	(void)state;
	open_fresh(&store, &file);
	wakes_before = atomic_load(&wakes);
	fake_hold(FAKE_SYNC, store.fd);
	assert_int_equal(submit(&store, &first, IO_FLUSH, 0, 0), IO_PENDING);
	fake_await_held(FAKE_SYNC, 1);
	/* Both come too late for the first. */
	assert_int_equal(submit(&store, &second, IO_FLUSH, 0, 0), IO_PENDING);
	assert_int_equal(submit(&store, &third, IO_FLUSH, 0, 0), IO_PENDING);
	assert_int_equal(fake_calls(FAKE_SYNC), 1);
	fake_let(FAKE_SYNC, 1);
	assert_int_equal(await_result(&first.io), 0);
	fake_await_held(FAKE_SYNC, 1);
	/* ... and this one for theirs. */
	assert_int_equal(submit(&store, &fourth, IO_FLUSH, 0, 0), IO_PENDING);
	assert_int_equal(fake_calls(FAKE_SYNC), 2);
	fake_let(FAKE_SYNC, 1);
	fake_await_held(FAKE_SYNC, 1);
	assert_int_equal(fake_calls(FAKE_SYNC), 3);
	completions_await(&completions);
	assert_ptr_equal(completions_take(&completions), &second.io);
	assert_ptr_equal(second.io.next, &third.io);
	assert_null(third.io.next);
	assert_int_equal(second.io.result, 0);
	assert_int_equal(third.io.result, 0);
	/* Whoever is told of the second finds the third there, too. */
	assert_int_equal(atomic_load(&wakes), wakes_before + 2);
	fake_let(FAKE_SYNC, 1);
	assert_int_equal(await_result(&fourth.io), 0);
	assert_int_equal(fake_calls(FAKE_SYNC), 3);
	store_close(&store);
}

/* Many of them, in any order of threads: never two at a time, and none too few. */
static void test_many_flushes(void **state)
{
	struct operation flushes[500];
	struct store store;
	int taken = 0;

	(void)state;
	open_fresh(&store, &file);
	for (int i = 0; i < 500; i++) {
		assert_int_equal(submit(&store, &flushes[i], IO_FLUSH, 0, 0), IO_PENDING);
		for (struct io *io = completions_take(&completions); io; io = io->next)
			taken += !io->result;
	}
	store_close(&store);
	for (struct io *io = completions_take(&completions); io; io = io->next)
		taken += !io->result;
	assert_int_equal(taken, 500);
	assert_int_equal(fake_most_at_once(FAKE_SYNC), 1);
}

/* Those that share one share its failure, and those that come later have it too. */
static void test_shared_failure(void **state)
{
	struct operation first, second;
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	fake_hold(FAKE_SYNC, store.fd);
	fake_fail(FAKE_SYNC, EIO);
	assert_int_equal(submit(&store, &first, IO_FLUSH, 0, 0), IO_PENDING);
	fake_await_held(FAKE_SYNC, 1);
	assert_int_equal(submit(&store, &second, IO_FLUSH, 0, 0), IO_PENDING);
	fake_release(FAKE_SYNC);
	completions_await(&completions);
	store_close(&store); /* after which both are done */
	assert_ptr_equal(completions_take(&completions), &first.io);
	assert_ptr_equal(first.io.next, &second.io);
	assert_int_equal(first.io.result, -EIO);
	assert_int_equal(second.io.result, -EIO);
	assert_int_equal(fake_calls(FAKE_SYNC), 1);
	assert_int_equal(fake_log_lines(), 1);
}

/* ---- cancelling ---- */

/* Has all workers of a store wait in a read; `held` has WORKERS_MAX of them. */
static void occupy_workers(struct store *store, struct operation *held)
{
	fake_fail(FAKE_NOWAIT, EAGAIN);
	fake_hold(FAKE_READ, store->fd);
	for (int i = 0; i < WORKERS_MAX; i++)
		assert_int_equal(submit(store, &held[i], IO_READ, 0, 1), IO_PENDING);
	fake_await_held(FAKE_READ, WORKERS_MAX);
}

/* Takes them again, and checks that nothing else was done. */
static void release_workers(struct operation *held)
{
	int count = 0;

	fake_release(FAKE_READ);
	while (count < WORKERS_MAX) {
		completions_await(&completions);
		for (struct io *io = completions_take(&completions); io; io = io->next) {
			assert_true((struct operation *)io >= held && (struct operation *)io < held + WORKERS_MAX);
			assert_int_equal(io->result, 0);
			count++;
		}
	}
}

static void test_cancel_before(void **state)
{
	static const enum io_operation operations[] = { IO_READ,    IO_WRITE,	     IO_FLUSH,
							IO_DISCARD, IO_WRITE_ZEROES, IO_FETCH };
	struct operation held[WORKERS_MAX], cancelled[6];
	struct store store;
	int count = 0;

	(void)state;
	memset(memory, 0xee, PAGE);
	open_fresh(&store, &file);
	occupy_workers(&store, held);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(submit(&store, &cancelled[i], operations[i], 100, 100), IO_PENDING);
		atomic_store(&cancelled[i].io.cancelled, true);
	}
	fake_release(FAKE_READ);
	while (count < WORKERS_MAX + 6) {
		completions_await(&completions);
		for (struct io *io = completions_take(&completions); io; io = io->next)
			count++;
	}
	for (int i = 0; i < 6; i++)
		assert_int_equal(cancelled[i].io.result, -ECANCELED);
	assert_int_equal(fake_calls(FAKE_READ), WORKERS_MAX);
	assert_int_equal(fake_calls(FAKE_WRITE) + fake_calls(FAKE_SYNC) + fake_calls(FAKE_ALLOCATE), 0);
	assert_content(&store, original);
	store_close(&store);
}

static void test_cancel_begun(void **state)
{
	struct operation fetch, read;
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	fake_fail(FAKE_NOWAIT, EAGAIN);
	fake_hold(FAKE_READ, store.fd);
	assert_int_equal(submit(&store, &fetch, IO_FETCH, 0, IMAGE_BYTES), IO_PENDING);
	fake_await_held(FAKE_READ, 1);
	atomic_store(&fetch.io.cancelled, true);
	fake_let(FAKE_READ, 1);
	assert_int_equal(await_result(&fetch.io), -ECANCELED);
	assert_int_equal(fake_calls(FAKE_READ), 1); /* of four */
	assert_int_equal(submit(&store, &read, IO_READ, 0, 1), IO_PENDING);
	fake_await_held(FAKE_READ, 1);
	atomic_store(&read.io.cancelled, true);
	fake_let(FAKE_READ, 1);
	assert_int_equal(await_result(&read.io), 0);
	fake_release(FAKE_READ);
	store_close(&store);
}

/* A flush that waits for the next one, beside another that is still wanted. */
static void test_cancel_flush(void **state)
{
	struct operation first, cancelled, wanted;
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	fake_hold(FAKE_SYNC, store.fd);
	assert_int_equal(submit(&store, &first, IO_FLUSH, 0, 0), IO_PENDING);
	fake_await_held(FAKE_SYNC, 1);
	assert_int_equal(submit(&store, &cancelled, IO_FLUSH, 0, 0), IO_PENDING);
	assert_int_equal(submit(&store, &wanted, IO_FLUSH, 0, 0), IO_PENDING);
	atomic_store(&cancelled.io.cancelled, true);
	fake_release(FAKE_SYNC);
	completions_await(&completions);
	store_close(&store);
	assert_ptr_equal(completions_take(&completions), &first.io);
	assert_ptr_equal(first.io.next, &cancelled.io);
	assert_ptr_equal(cancelled.io.next, &wanted.io);
	assert_int_equal(cancelled.io.result, -ECANCELED);
	assert_int_equal(wanted.io.result, 0);
	assert_int_equal(fake_calls(FAKE_SYNC), 2);
}

/* What has not begun can be taken back, wherever it stands in the queue, and is not done; what has begun cannot. */
static void test_withdraw(void **state)
{
	static const enum io_operation operations[] = { IO_READ,    IO_WRITE,	     IO_FLUSH,
							IO_DISCARD, IO_WRITE_ZEROES, IO_FETCH };
	struct operation held[WORKERS_MAX], withdrawn[6], later;
	struct store store;

	(void)state;
	memset(memory, 0xee, PAGE);
	open_fresh(&store, &file);
	occupy_workers(&store, held);
	assert_false(store_withdraw(&store, &held[0].io));
	for (int i = 0; i < 6; i++)
		assert_int_equal(submit(&store, &withdrawn[i], operations[i], 100, 100), IO_PENDING);
	/* from the middle, the end, and the beginning */
	for (int i = 0; i < 6; i++)
		assert_true(store_withdraw(&store, &withdrawn[(i * 5 + 3) % 6].io));
	for (int i = 0; i < 6; i++)
		assert_false(store_withdraw(&store, &withdrawn[i].io));
	/* The queue is whole. */
	assert_int_equal(submit(&store, &later, IO_WRITE_ZEROES, 0, PAGE), IO_PENDING);
	assert_int_equal(submit(&store, &withdrawn[0], IO_WRITE_ZEROES, PAGE, PAGE), IO_PENDING);
	assert_true(store_withdraw(&store, &withdrawn[0].io));
	assert_true(store_withdraw(&store, &later.io));
	release_workers(held);
	assert_pends(&store, IO_FLUSH, 0, 0);
	assert_int_equal(fake_calls(FAKE_WRITE) + fake_calls(FAKE_ALLOCATE), 0);
	assert_content(&store, original);
	store_close(&store);
}

/* ---- threads ---- */

/* Where there can be none, all is done at once. */
static void test_no_threads(void **state)
{
	struct operation operation;
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	fake_fail(FAKE_THREAD, EAGAIN);
	fake_fail(FAKE_NOWAIT, EAGAIN);
	assert_int_equal(submit(&store, &operation, IO_READ, 100, 9000), IO_DONE);
	assert_int_equal(operation.io.result, 0);
	assert_memory_equal(memory, original + 100, 9000);
	assert_non_null(strstr(fake_log_last(), "device F: cannot start a thread"));
	assert_done(&store, IO_WRITE, 100, 9000);
	assert_done(&store, IO_FLUSH, 0, 0);
	assert_done(&store, IO_DISCARD, 100, 9000);
	assert_done(&store, IO_WRITE_ZEROES, 100, 9000);
	assert_done(&store, IO_FETCH, 0, IMAGE_BYTES);
	assert_int_equal(fake_calls(FAKE_SYNC), 1);
	fake_fail(FAKE_SYNC, EIO);
	assert_int_equal(submit(&store, &operation, IO_FLUSH, 0, 0), IO_DONE);
	assert_int_equal(operation.io.result, -EIO);
	/* There can be some again. */
	fake_fail(FAKE_THREAD, 0);
	assert_pends(&store, IO_FETCH, 0, IMAGE_BYTES);
	store_close(&store);
}

/* With one thread, which does them in the order in which they came. */
static void test_one_thread(void **state)
{
	struct operation operations[8];
	struct store store;
	struct io *io;

	(void)state;
	open_fresh(&store, &file);
	fake_fail(FAKE_NOWAIT, EAGAIN);
	fake_hold(FAKE_READ, store.fd);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(submit(&store, &operations[i], IO_READ, 0, 100), IO_PENDING);
		fake_fail(FAKE_THREAD, EAGAIN);
	}
	assert_non_null(strstr(fake_log_last(), "only 1 threads wait for a disk"));
	fake_release(FAKE_READ);
	store_close(&store);
	io = completions_take(&completions);
	for (int i = 0; i < 8; i++, io = io->next)
		assert_ptr_equal(io, &operations[i].io);
	assert_null(io);
}

/* As many threads as there is work, up to a limit, and none more for what comes later. */
static void test_thread_numbers(void **state)
{
	struct operation held[WORKERS_MAX], more[2];
	struct store store;

	(void)state;
	open_fresh(&store, &file);
	assert_pends(&store, IO_FETCH, 0, 1);
	assert_pends(&store, IO_FETCH, 0, 1);
	assert_true(fake_calls(FAKE_THREAD) <= 2); /* the first may not be waiting again yet */
	occupy_workers(&store, held);
	assert_int_equal(fake_calls(FAKE_THREAD), WORKERS_MAX);
	for (int i = 0; i < 2; i++)
		assert_int_equal(submit(&store, &more[i], IO_WRITE_ZEROES, 0, 1), IO_PENDING);
	assert_int_equal(fake_calls(FAKE_THREAD), WORKERS_MAX);
	assert_int_equal(fake_calls(FAKE_ALLOCATE), 0);
	fake_release(FAKE_READ);
	store_close(&store);
	for (struct io *io = completions_take(&completions); io; io = io->next)
		assert_int_equal(io->result, 0);
}

/* A disk that hangs is the matter of those who use it. */
static void test_hung_store(void **state)
{
	struct operation held[WORKERS_MAX];
	struct store hung, other;

	(void)state;
	open_fresh(&hung, &file);
	test_path(image_path, "other");
	open_fresh(&other, &file);
	test_path(image_path, "image");
	occupy_workers(&hung, held);
	assert_pends(&other, IO_READ, 0, 9000);
	assert_pends(&other, IO_FLUSH, 0, 0);
	assert_pends(&other, IO_WRITE, 1, 2);
	store_close(&other);
	release_workers(held);
	store_close(&hung);
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
		cmocka_unit_test_setup(test_shared_flush, reset),
		cmocka_unit_test_setup(test_many_flushes, reset),
		cmocka_unit_test_setup(test_shared_failure, reset),
		cmocka_unit_test_setup(test_cancel_before, reset),
		cmocka_unit_test_setup(test_cancel_begun, reset),
		cmocka_unit_test_setup(test_cancel_flush, reset),
		cmocka_unit_test_setup(test_withdraw, reset),
		cmocka_unit_test_setup(test_no_threads, reset),
		cmocka_unit_test_setup(test_one_thread, reset),
		cmocka_unit_test_setup(test_thread_numbers, reset),
		cmocka_unit_test_setup(test_hung_store, reset),
	};

	store_test_setup(count_wake);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
