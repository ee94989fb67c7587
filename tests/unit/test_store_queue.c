/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is PENDING at a store: flushes that are shared, cancelling, taking back, and what there are threads for. */
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

#define PAGE 4096u

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
		cmocka_unit_test_setup(test_shared_flush, reset),   cmocka_unit_test_setup(test_many_flushes, reset),
		cmocka_unit_test_setup(test_shared_failure, reset), cmocka_unit_test_setup(test_cancel_before, reset),
		cmocka_unit_test_setup(test_cancel_begun, reset),   cmocka_unit_test_setup(test_cancel_flush, reset),
		cmocka_unit_test_setup(test_withdraw, reset),	    cmocka_unit_test_setup(test_no_threads, reset),
		cmocka_unit_test_setup(test_one_thread, reset),	    cmocka_unit_test_setup(test_thread_numbers, reset),
		cmocka_unit_test_setup(test_hung_store, reset),
	};

	store_slow_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
