/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of a replicated device: opens are made in the set, questions wait until it is known, what the dead had is
 * given up, and the end of the server leaves nothing behind.
 */
#include <errno.h>

#include "batch.h"
#include "fake_member.h"
#include "front_test.h"

#define OTHER (CLIENT + 1)

static const struct configuration configuration = {
	.nr_devices = 1,
	.replication = { .nr_members = 1, .self = 0, .members = { { .node = 1, .name = "a", .diskless = true } } },
	.devices = { { .name = "DISK",
		       .type = FILE_IMAGE,
		       .buffer = BUFFER_SIZE,
		       .shared = true,
		       .replicated = true,
		       .line = 1 } },
};

static int setup_set(bool granted)
{
	struct diagnostic diagnostic;

	if (granted ? setup_granted(NULL) : setup_copied(NULL))
		return -1;
	device_table_close(&server.devices);
	memset(&server.devices, 0, sizeof(server.devices));
	fake_member_reset();
	fake_member.size = DISK_SIZE;
	server.devices.member = (struct member *)&fake_member;
	return device_table_open(&server.devices, &configuration, "test.cfg", &server.completions, &diagnostic);
}

static int setup(void **state)
{
	(void)state;
	return setup_set(true);
}

static int setup_memory_copied(void **state)
{
	(void)state;
	return setup_set(false);
}

static int teardown(void **state)
{
	(void)state;
	none_answered();
	assert_int_equal(fake_member.nr_pending, 0);
	assert_int_equal(server.requests.nr_free, REQUESTS_MAX);
	assert_int_equal(fake_dvk.pins, 0);
	device_table_close(&server.devices);
	completions_destroy(&server.completions);
	return 0;
}

/* What the set does ends so, and the server takes it. */
static void end_in_set(enum io_operation operation, uint32_t client, int result)
{
	fake_member_end(operation, client, result);
	answer_all_done(&server);
}

static void open_disk(int endpoint, int access, uint32_t number)
{
	const message asked = build(endpoint, DEV_OPEN, DISK, access, 0, NULL);

	begin(&asked);
	end_in_set(IO_OPEN, number, 0);
	assert_int_equal(answered(endpoint), 0);
}

static void test_open(void **state)
{
	const message again = build(CLIENT, DEV_OPEN, DISK, 0, 0, NULL);
	const message reading = build(CLIENT, DEV_OPEN, DISK, RDISK_OPEN_READ, 0, NULL);

	(void)state;
	begin(&reading);
	assert_true(fake_member.pending[0]->read_only);
	assert_true(fake_member.pending[0]->shared);
	/* Refused by the set: it has nothing open. */
	end_in_set(IO_OPEN, 1, -EBUSY);
	assert_int_equal(answered(CLIENT), EDVSBUSY);
	assert_int_equal(ask_for(CLIENT, DEV_READ, DISK, 512, 0, memory[0].data), EDVSNXIO);
	assert_int_equal(fake_member.forgotten[0], 1);
	/* Another number; a second open of the same kind is this host's business alone. */
	open_disk(CLIENT, RDISK_OPEN_READ, 2);
	assert_int_equal(ask_for(CLIENT, DEV_OPEN, DISK, RDISK_OPEN_READ, 0, NULL), 0);
	/* One that writes is not. Refused, it leaves the others as they are. */
	begin(&again);
	assert_false(fake_member.pending[0]->read_only);
	end_in_set(IO_OPEN, 2, -EBUSY);
	assert_int_equal(answered(CLIENT), EDVSBUSY);
	assert_int_equal(ask_for(CLIENT, DEV_WRITE, DISK, 512, 0, memory[0].data), EDVSBADOWNER);
	begin(&again);
	end_in_set(IO_OPEN, 2, 0);
	assert_int_equal(answered(CLIENT), 0);
	/* The last close ends it in the set. */
	assert_int_equal(fake_member.nr_forgotten, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask_for(CLIENT, DEV_CLOSE, DISK, 0, 0, NULL), 0);
	assert_int_equal(fake_member.nr_forgotten, 2);
	assert_int_equal(fake_member.forgotten[1], 2);
	assert_int_equal(ask_for(CLIENT, DEV_CLOSE, DISK, 0, 0, NULL), EDVSNXIO);
}

/* A client that gives up waiting has nothing open, and what it asks next is asked of the set again. */
static void test_open_given_up(void **state)
{
	const message writing = build(CLIENT, DEV_OPEN, DISK, 0, 0, NULL);
	const message reading = build(CLIENT, DEV_OPEN, DISK, RDISK_OPEN_READ, 0, NULL);

	(void)state;
	begin(&reading);
	begin(&writing);
	assert_int_equal(fake_member.forgotten[0], 1);
	assert_int_equal(fake_member.nr_pending, 1);
	end_in_set(IO_OPEN, 2, 0);
	assert_int_equal(answered(CLIENT), 0);
	assert_int_equal(ask_for(CLIENT, DEV_CLOSE, DISK, 0, 0, NULL), 0);
	/* The same of one that is to write as well: those that only read stay. */
	open_disk(CLIENT, RDISK_OPEN_READ, 3);
	begin(&writing);
	begin(&writing);
	assert_int_equal(fake_member.nr_pending, 1);
	end_in_set(IO_OPEN, 3, -EBUSY);
	assert_int_equal(answered(CLIENT), EDVSBUSY);
	assert_int_equal(ask_for(CLIENT, DEV_WRITE, DISK, 512, 0, memory[0].data), EDVSBADOWNER);
	assert_int_equal(ask_for(CLIENT, DEV_CLOSE, DISK, 0, 0, NULL), 0);
	assert_int_equal(ask_for(CLIENT, DEV_CLOSE, DISK, 0, 0, NULL), EDVSNXIO);
}

static void test_requests(void **state)
{
	message asked = build(CLIENT, DEV_WRITE_FUA, DISK, 512, 4096, memory[0].data);

	(void)state;
	open_disk(CLIENT, 0, 1);
	begin(&asked);
	assert_true(fake_member.pending[0]->stable);
	end_in_set(IO_WRITE, 1, 0);
	assert_int_equal(answered(CLIENT), 512); /* without a flush */
	asked = build(CLIENT, DEV_READ, DISK, 512, DISK_SIZE - 100, memory[0].data);
	begin(&asked);
	assert_int_equal(fake_member.pending[0]->length, 100);
	end_in_set(IO_READ, 1, -EIO);
	assert_int_equal(answered(CLIENT), EDVSIO);
	asked = build(CLIENT, DEV_FLUSH, DISK, 0, 0, NULL);
	begin(&asked);
	end_in_set(IO_FLUSH, 1, 0);
	assert_int_equal(answered(CLIENT), 0);
}

/* Reads to memory that is copied are pending as all others. */
static void test_copied_read(void **state)
{
	const message asked = build(CLIENT, DEV_READ, DISK, 2 * BUFFER_SIZE, 0, memory[0].data);

	(void)state;
	open_disk(CLIENT, 0, 1);
	begin(&asked);
	for (int i = 1; i <= 2; i++) {
		none_answered();
		assert_int_equal(fake_member.pending[0]->length, BUFFER_SIZE);
		memset(fake_member.pending[0]->vector->iov_base, i, BUFFER_SIZE);
		end_in_set(IO_READ, 1, 0);
	}
	assert_int_equal(answered(CLIENT), 2 * BUFFER_SIZE);
	assert_int_equal(memory[0].data[0], 1);
	assert_int_equal(memory[0].data[2 * BUFFER_SIZE - 1], 2);
}

static void test_not_known_yet(void **state)
{
	struct rdisk_info info = { 0 };
	message asked = build(CLIENT, DEV_IOCTL, DISK, 0, 0, memory[0].data);

	(void)state;
	asked.REQUEST = RDISK_IOC_INFO;
	fake_member.size = 0;
	begin(&asked);
	fake_member.size = DISK_SIZE;
	end_in_set(IO_DESCRIBE, 0, 0);
	assert_int_equal(answered(CLIENT), 0);
	memcpy(&info, memory[0].data, sizeof(info));
	assert_int_equal(info.size, DISK_SIZE);
	assert_string_equal(info.id, "the-set-s-disk");
	assert_int_equal(info.image_id, 77);
	/* From now on at once. */
	assert_int_equal(ask(&asked), 0);
}

static void test_death(void **state)
{
	const message asked = build(CLIENT, DEV_WRITE, DISK, 512, 0, memory[0].data);
	const message open = build(OTHER, DEV_OPEN, DISK, 0, 0, NULL);

	(void)state;
	open_disk(CLIENT, 0, 1);
	begin(&asked);
	begin(&open);
	die(CLIENT);
	die(OTHER);
	device_table_forget_dead(&server.devices);
	answer_all_done(&server);
	assert_int_equal(fake_member.nr_forgotten, 2);
	none_answered();
	/* Whoever comes there next is another. */
	succeed(CLIENT);
	assert_int_equal(ask_for(CLIENT, DEV_READ, DISK, 512, 0, memory[0].data), EDVSNXIO);
	open_disk(CLIENT, 0, 3);
}

/* What clients have under way at the end is not answered: another server does it. */
static void test_end(void **state)
{
	const message asked = build(CLIENT, DEV_WRITE, DISK, 512, 0, memory[0].data);

	(void)state;
	open_disk(CLIENT, 0, 1);
	begin(&asked);
	end_is_requested = true;
	assert_int_equal(driver_task(&server), 0);
	none_answered();
	assert_int_equal(fake_member.forgotten[0], 1);
}

/* The dead hold nothing of the server while their requests wait in the set, whatever those are. */
static void test_death_in_set(void **state)
{
	const message asked = batch(CLIENT, 2);
	message question = build(OTHER, DEV_IOCTL, DISK, 0, 0, memory_of(OTHER)->data);

	(void)state;
	open_disk(CLIENT, 0, 1);
	marked(CLIENT, 0, RDISK_OP_WRITE, DISK, 0, 512);
	marked(CLIENT, 1, RDISK_OP_FLUSH, DISK, 0, 0);
	assert_int_equal(ask(&asked), 2);
	question.REQUEST = RDISK_IOC_INFO;
	fake_member.size = 0;
	server.devices.devices[DISK].size = 0;
	for (int i = 0; i < 3; i++) {
		begin(&question);
		die(OTHER);
		clients_forget_dead(&server);
		answer_all_done(&server);
		assert_int_equal(fake_member.nr_pending, 2);
		succeed(OTHER);
	}
	die(CLIENT);
	clients_forget_dead(&server);
	device_table_forget_dead(&server.devices);
	answer_all_done(&server);
	assert_int_equal(fake_member.nr_withdrawn, 5);
	assert_int_equal(fake_dvk.pins, 0);
	assert_int_equal(server.requests.nr_free, REQUESTS_MAX);
	fake_member.size = DISK_SIZE;
}

/* Who gives up and asks again does not fill the server. */
static void test_give_up_in_set(void **state)
{
	const message asked = build(CLIENT, DEV_WRITE, DISK, 512, 0, memory[0].data);

	(void)state;
	open_disk(CLIENT, 0, 1);
	for (int i = 0; i < 2 * REQUESTS_MAX; i++)
		begin(&asked);
	assert_int_equal(fake_member.nr_pending, 1);
	end_in_set(IO_WRITE, 1, 0);
	assert_int_equal(answered(CLIENT), 512);
}

/* ---- more than the set takes ---- */

enum {
	FULL = SET_REQUESTS_MAX / RDISK_BATCH_MAX, /* batches that it takes */
	RINGS = FULL + 4			   /* clients */
};
static_assert((int)RINGS < (int)CLIENTS, "and one that has another disk");

/* Requests of different places, so that all are in the set at once. */
static void fill_batch(int endpoint, bool suspended)
{
	for (int i = 0; i < RDISK_BATCH_MAX; i++) {
		struct rdisk_request *request = suspended ? marked(endpoint, i, RDISK_OP_FLUSH, DISK, 0, 0)
							  : element(endpoint, i, RDISK_OP_FLUSH, DISK, 0, 0);

		request->result = RDISK_RESULT_NONE;
	}
}

static void fill_set(void)
{
	for (int i = 0; i < RINGS; i++)
		open_disk(CLIENT + i, 0, (uint32_t)i + 1);
	for (int i = 0; i < RINGS; i++) {
		const message asked = batch(CLIENT + i, RDISK_BATCH_MAX);

		fill_batch(CLIENT + i, i % 2);
		if (i % 2 && i < FULL)
			assert_int_equal(ask(&asked), RDISK_BATCH_MAX);
		else
			begin(&asked);
	}
	assert_int_equal(fake_member.nr_pending, SET_REQUESTS_MAX);
}

/* The first that is pending, whose ever it is, ends. */
static void end_one(void)
{
	fake_member_end(IO_FLUSH, fake_member.pending[0]->client, 0);
	answer_all_done(&server);
	batch_resume(&server);
}

static void test_full_set(void **state)
{
	int ended = 0, replies;

	(void)state;
	fill_set();
	/* There is room for a whole batch of others, also of those that wait for their clients. */
	assert_true(server.requests.nr_free >= CLIENT_WAITERS_MAX + RDISK_BATCH_MAX);
	batch_resume(&server);
	assert_int_equal(fake_member.nr_pending, SET_REQUESTS_MAX);
	replies = fake_dvk.nr_replies;
	for (; fake_member.nr_pending > 0; ended++) {
		int left = RINGS * RDISK_BATCH_MAX - ended;

		assert_int_equal(fake_member.nr_pending, left < SET_REQUESTS_MAX ? left : SET_REQUESTS_MAX);
		end_one();
	}
	/* Each once. */
	assert_int_equal(ended, RINGS * RDISK_BATCH_MAX);
	assert_null(server.first_deferred);
	assert_int_equal(server.nr_set_requests, 0);
	assert_int_equal(fake_dvk.nr_replies - replies, RINGS - FULL / 2);
	for (int i = 0; i < RINGS - FULL / 2; i++)
		assert_int_equal(next_answered(fake_dvk.reply_to[replies + i]), RDISK_BATCH_MAX);
	for (int i = 0; i < RINGS; i++) {
		const struct client *client = client_of(&server, CLIENT + i);

		assert_int_equal(client->nr_results, i % 2 ? RDISK_BATCH_MAX : 0);
		for (int k = 0; k < RDISK_BATCH_MAX; k++)
			assert_int_equal(memory[i].requests[k].result, i % 2 ? SUSPEND : 0);
	}
	for (int i = 0; i < RINGS; i++)
		client_forget(&server, CLIENT + i);
}

/* What is copied for the set is not all of it copied in one turn: the loop has more to do. */
static void test_much_data(void **state)
{
	enum { WHOLE = sizeof(memory[0].data), BATCHES = SET_BYTES_TURN / (RDISK_BATCH_MAX * WHOLE) + 2 };
	int pending;

	(void)state;
	for (int i = 0; i < BATCHES; i++)
		open_disk(CLIENT + i, 0, (uint32_t)i + 1);
	for (int i = 0; i < BATCHES; i++) {
		const message asked = batch(CLIENT + i, RDISK_BATCH_MAX);

		for (int k = 0; k < RDISK_BATCH_MAX; k++) {
			element(CLIENT + i, k, RDISK_OP_READ, DISK, 0, WHOLE);
			memory[i].vectors[k].iov_addr = (uint64_t)(uintptr_t)memory[i].data;
		}
		begin(&asked);
	}
	pending = fake_member.nr_pending;
	assert_int_equal(pending, SET_BYTES_TURN / WHOLE);
	assert_true(batch_can_resume(&server));
	batch_resume(&server);
	assert_int_equal(fake_member.nr_pending,
			 2 * pending < BATCHES * RDISK_BATCH_MAX ? 2 * pending : BATCHES * RDISK_BATCH_MAX);
	while (batch_can_resume(&server))
		batch_resume(&server);
	assert_int_equal(fake_member.nr_pending, BATCHES * RDISK_BATCH_MAX);
	while (fake_member.nr_pending > 0) {
		fake_member_end(IO_READ, fake_member.pending[0]->client, 0);
		answer_all_done(&server);
	}
	for (int i = 0; i < BATCHES; i++)
		assert_int_equal(next_answered(CLIENT + i), RDISK_BATCH_MAX);
}

/* A client that waits with its batch gives it up, or dies, or its memory cannot be read any more. */
static void test_deferred_end(void **state)
{
	const message other = build(CLIENT + FULL, DEV_IOCTL, DISK, 0, 0, memory[FULL].data);

	(void)state;
	fill_set();
	assert_ptr_equal(server.first_deferred, client_of(&server, CLIENT + FULL));
	assert_int_equal(ask(&other), EDVSNOTTY);
	assert_ptr_equal(server.first_deferred, client_of(&server, CLIENT + FULL + 1));
	die(CLIENT + FULL + 1);
	die(CLIENT + RINGS - 1);
	clients_forget_dead(&server);
	assert_ptr_equal(server.first_deferred, client_of(&server, CLIENT + FULL + 2));
	assert_ptr_equal(server.last_deferred, server.first_deferred);
	while (fake_member.nr_pending > 0)
		end_one();
	for (int i = 0; i < RINGS; i++) {
		if (i < FULL ? i % 2 == 0 : i == FULL + 2)
			assert_int_equal(next_answered(CLIENT + i), RDISK_BATCH_MAX);
	}
	for (int i = 0; i < RINGS; i++)
		client_forget(&server, CLIENT + i);
	assert_int_equal(server.nr_set_requests, 0);
}

/* At the end of the server they have no answer, as those in the set. */
static void test_deferred_at_end(void **state)
{
	(void)state;
	fill_set();
	end_is_requested = true;
	assert_int_equal(driver_task(&server), 0);
	assert_null(server.first_deferred);
	assert_int_equal(server.nr_set_requests, 0);
}

#define SET_TEST(function)    cmocka_unit_test_setup_teardown(function, setup, teardown)
#define COPIED_TEST(function) cmocka_unit_test_setup_teardown(function, setup_memory_copied, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SET_TEST(test_open),
		SET_TEST(test_open_given_up),
		SET_TEST(test_requests),
		COPIED_TEST(test_copied_read),
		SET_TEST(test_not_known_yet),
		SET_TEST(test_death),
		SET_TEST(test_end),
		SET_TEST(test_death_in_set),
		SET_TEST(test_give_up_in_set),
		SET_TEST(test_full_set),
		SET_TEST(test_much_data),
		SET_TEST(test_deferred_end),
		SET_TEST(test_deferred_at_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
