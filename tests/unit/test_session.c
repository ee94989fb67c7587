/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: what two or three members send each other arrives, whole, in order, and what is urgent first; with TLS and
 * in the clear, in whatever pieces the bytes come.
 */
#include "session_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (1u << 20)

static const bool with_key[] = { true, false };

static int count_frames(int node, int from)
{
	return nodes[node].of[from].nr_frames;
}

/* Frames of both classes from one to the other: each class is in order, and nothing is missing or changed. */
static void exchange(int from, int to, const size_t *sizes, int count)
{
	int next[SESSION_CLASSES] = { 0 };

	for (int i = 0; i < count; i++) {
		for (int class = 0; class < SESSION_CLASSES; class ++) {
			uint32_t number = (uint32_t)(2 * i + class);

			while (!session_test_send(from, to, class, number, sizes[i]))
				session_test_turn();
		}
	}
	session_test_until(count_frames(to, from) == SESSION_CLASSES * count);
	for (int i = 0; i < SESSION_CLASSES * count; i++) {
		uint32_t number = session_test_number(to, from, i);
		int class = (int)(number % 2);

		assert_int_equal(number, 2 * next[class] + class);
		assert_true(session_test_is(to, from, i, number, sizes[number / 2]));
		next[class]++;
	}
	session_test_forget_frames(to, from);
}

/* Around the sizes of records, of gathering and of a frame. */
static const size_t sizes[] = { 4,     5,     17,    4096,  16371, 16372, 16373,      16384, 32744,
				32745, 65535, 65536, 65537, 99999, MIB,	  MIB + 1024, 4,     100000 };
#define NR_SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))

static void test_frames(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		session_test_begin(3, with_key[k]);
		session_test_start_all(3);
		for (int from = 0; from < 3; from++)
			exchange(from, (from + 1) % 3, sizes, NR_SIZES);
		session_test_end(NULL);
	}
}

static void test_compression(void **state)
{
	static const enum session_compression modes[] = { SESSION_COMPRESSION_OFF, SESSION_COMPRESSION_ON,
							  SESSION_COMPRESSION_AUTO };
	uint64_t sent[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct session_status status;

		session_test_begin(2, true);
		nodes[0].settings.compression = nodes[1].settings.compression = modes[i];
		session_test_start_all(2);
		for (int round = 0; round < 3; round++)
			exchange(0, 1, sizes, NR_SIZES);
		sessions_status(nodes[0].sessions, 1, &status);
		sent[i] = status.sent;
		session_test_end(NULL);
	}
	assert_true(sent[1] < sent[0] / 2);
	assert_true(sent[2] <= sent[0]);
}

/* AUTO: over a link that is slow, what comes when it has been waited for is made smaller. */
static void test_slow_link(void **state)
{
	enum { FRAMES = 40, SIZE = 200000 };
	struct session_status status;
	uint32_t sent = 0;

	(void)state;
	session_test_begin(2, true);
	nodes[0].settings.compression = SESSION_COMPRESSION_AUTO;
	nodes[0].members[1].port = SESSION_TEST_PORT(9);
	nodes[1].members[0].port = SESSION_TEST_PORT(8);
	session_test_relay(SESSION_TEST_PORT(9), SESSION_TEST_PORT(1));
	session_test_start_all(2);
	relay.piece = 20000;
	session_test_deadline(true, "all frames are there");
	while (count_frames(1, 0) < FRAMES) {
		session_test_deadline(false, "all frames are there");
		if (sent < FRAMES && session_test_send(0, 1, SESSION_STREAM, sent, SIZE))
			sent++;
		session_test_forward(SESSION_TEST_MS);
		session_test_turn_at_once();
	}
	for (int i = 0; i < FRAMES; i++)
		assert_true(session_test_is(1, 0, i, (uint32_t)i, SIZE));
	sessions_status(nodes[0].sessions, 1, &status);
	assert_true(status.sent < (uint64_t)FRAMES * SIZE * 3 / 4);
}

/* Data that LZ4 makes nothing of goes as it is: no byte more than without. */
static void test_random_data(void **state)
{
	static unsigned char data[MIB], copy[MIB];
	uint64_t sent[2];
	uint32_t random = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++) {
		random = random * 1664525 + 1013904223;
		data[i] = (unsigned char)(random >> 24);
	}
	memcpy(copy, data, sizeof(data));
	for (int on = 0; on < 2; on++) {
		struct session_status status;

		session_test_begin(2, true);
		nodes[0].settings.compression = on ? SESSION_COMPRESSION_ON : SESSION_COMPRESSION_OFF;
		session_test_start_all(2);
		assert_true(sessions_send(nodes[0].sessions, 1, SESSION_STREAM, NULL, 0, data, sizeof(data)));
		session_test_until(count_frames(1, 0) == 1);
		assert_memory_equal(nodes[1].of[0].frames[0].bytes, copy, sizeof(copy));
		sessions_status(nodes[0].sessions, 1, &status);
		sent[on] = status.sent;
		session_test_end(NULL);
	}
	assert_true(sent[1] <= sent[0] + 100);
}

/* Through a relay that passes one byte on at a time. */
static void test_single_bytes(void **state)
{
	static const size_t small[] = { 4, 5, 100, 600, 17000, 4 };

	(void)state;
	for (int k = 0; k < 2; k++) {
		session_test_begin(2, with_key[k]);
		nodes[0].settings.compression = nodes[1].settings.compression = SESSION_COMPRESSION_ON;
		nodes[0].members[1].port = SESSION_TEST_PORT(9);
		nodes[1].members[0].port = SESSION_TEST_PORT(8); /* nobody's: it cannot connect itself */
		session_test_relay(SESSION_TEST_PORT(9), SESSION_TEST_PORT(1));
		relay.piece = 1;
		session_test_start_all(2);
		exchange(0, 1, small, 6);
		exchange(1, 0, small, 4);
		assert_int_equal(relay.connections, 1);
		session_test_end(NULL);
	}
}

/* What is urgent does not wait for what was sent before it, but for the little that is on its way. */
static void test_priority(void **state)
{
	int at = -1;

	(void)state;
	for (int k = 0; k < 2; k++) {
		session_test_begin(2, with_key[k]);
		session_test_start_all(2);
		assert_true(session_test_send(0, 1, SESSION_CONTROL, 0, 4));
		session_test_until(count_frames(1, 0) == 1);
		nodes[1].stopped = true;
		for (uint32_t i = 1; i <= 3; i++) {
			assert_true(session_test_send(0, 1, SESSION_STREAM, i, MIB));
			session_test_turn();
		}
		assert_true(session_test_send(0, 1, SESSION_CONTROL, 99, 4));
		nodes[1].stopped = false;
		session_test_until(count_frames(1, 0) == 5);
		for (int i = 1; i < 5; i++) {
			if (session_test_number(1, 0, i) == 99)
				at = i;
		}
		/* The socket's buffers hold less than all three. */
		assert_in_range(at, 1, 3);
		session_test_end(NULL);
	}
}

/* The first frame is overtaken by nothing, whatever its class and size. */
static void test_first_frame(void **state)
{
	(void)state;
	session_test_begin(2, true);
	session_test_start_all(2);
	assert_true(session_test_send(0, 1, SESSION_STREAM, 1, MIB));
	for (uint32_t i = 2; i < 6; i++)
		assert_true(session_test_send(0, 1, SESSION_CONTROL, i, 40));
	assert_true(session_test_send(0, 1, SESSION_STREAM, 6, 40));
	session_test_until(count_frames(1, 0) == 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(session_test_number(1, 0, i), i + 1);
}

/* A full queue refuses, takes nothing, and says when there is room. */
static void test_queue_full(void **state)
{
	uint32_t sent = 0;
	int told;

	(void)state;
	session_test_begin(2, true);
	session_test_start_all(2);
	nodes[1].stopped = true;
	while (session_test_send(0, 1, SESSION_STREAM, sent, MIB)) {
		assert_true(++sent < 100);
		session_test_turn();
	}
	assert_int_equal(nodes[0].of[1].rooms, 0);
	/* The other class has a queue of its own. */
	assert_true(session_test_send(0, 1, SESSION_CONTROL, 1000, 4));
	nodes[1].stopped = false;
	session_test_until(nodes[0].of[1].rooms == 1);
	assert_true(session_test_send(0, 1, SESSION_STREAM, sent, MIB));
	session_test_until(count_frames(1, 0) == (int)sent + 2);
	told = nodes[0].of[1].rooms;
	for (int i = 0, next = 0; i < (int)sent + 2; i++) {
		if (session_test_number(1, 0, i) != 1000)
			assert_true(session_test_is(1, 0, i, (uint32_t)next++, MIB));
	}
	/* Once for what was refused, and not again. */
	assert_int_equal(told, 1);
}

/* What cannot be sent at all. */
static void test_no_frame(void **state)
{
	(void)state;
	session_test_begin(2, false);
	session_test_start(0);
	assert_false(session_test_send(0, 1, SESSION_CONTROL, 1, 4));
	session_test_start(1);
	session_test_until(nodes[0].of[1].up && nodes[1].of[0].up);
	assert_false(sessions_send(nodes[0].sessions, 1, SESSION_STREAM, NULL, 0, NULL, 0));
	assert_false(session_test_send(0, 1, SESSION_STREAM, 1, nodes[0].settings.frame_max + 1));
	assert_true(session_test_send(0, 1, SESSION_STREAM, 2, nodes[0].settings.frame_max));
	session_test_until(count_frames(1, 0) == 1);
	assert_int_equal(nodes[0].of[1].rooms, 0);
}

/* A frame that is larger than the receiver may have ends the session before there is memory for it. */
static void test_frame_too_large(void **state)
{
	(void)state;
	session_test_begin(2, true);
	nodes[1].settings.frame_max = 5000;
	session_test_start_all(2);
	assert_true(session_test_send(0, 1, SESSION_STREAM, 1, 5001));
	session_test_until(nodes[1].of[0].downs == 1);
	assert_non_null(strstr(nodes[1].of[0].why, "larger than any may be"));
}

/* IPv6, and names. */
static void test_addresses(void **state)
{
	static const char *const addresses[] = { "::1", "localhost" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint16_t port = (uint16_t)(10000 + (unsigned int)getpid() % 20000);
		struct session_status status;

		session_test_begin(2, true);
		for (int k = 0; k < 4; k++) {
			snprintf(nodes[k / 2].addresses[k % 2], sizeof(nodes[0].addresses[0]), "%s", addresses[i]);
			nodes[k / 2].members[k % 2].port = (uint16_t)(port + k % 2);
		}
		session_test_start_all(2);
		exchange(0, 1, sizes, 4);
		exchange(1, 0, sizes, 4);
		sessions_status(nodes[0].sessions, 1, &status);
		assert_true(status.up);
		if (i == 0)
			assert_memory_equal(status.address, "::1 port ", 9);
		session_test_end(NULL);
	}
}

/* A name that nobody has: said, tried again, and no hindrance at the end. */
static void test_unknown_name(void **state)
{
	(void)state;
	session_test_begin(2, true);
	snprintf(nodes[0].addresses[1], sizeof(nodes[0].addresses[1]), "no-such-host.invalid");
	session_test_start(0);
	session_test_until(strstr(session_test_why(0, 1), "no-such-host.invalid"));
	session_test_turn();
}

static void test_status(void **state)
{
	struct session_status status;

	(void)state;
	session_test_begin(2, true);
	session_test_start(0);
	sessions_status(nodes[0].sessions, 1, &status);
	assert_false(status.up);
	assert_int_equal(status.since, 0);
	session_test_until(strstr(session_test_why(0, 1), "Connection refused"));
	session_test_start(1);
	session_test_until(nodes[0].of[1].up && nodes[1].of[0].up);
	exchange(0, 1, sizes, 5);
	sessions_status(nodes[0].sessions, 1, &status);
	assert_true(status.up);
	assert_true(status.sent > 4096 && status.received > 0 && status.since > 0);
	assert_string_equal(status.why, "");
	assert_memory_equal(status.address, "127.", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_frames, session_test_end),
		cmocka_unit_test_teardown(test_compression, session_test_end),
		cmocka_unit_test_teardown(test_slow_link, session_test_end),
		cmocka_unit_test_teardown(test_random_data, session_test_end),
		cmocka_unit_test_teardown(test_single_bytes, session_test_end),
		cmocka_unit_test_teardown(test_priority, session_test_end),
		cmocka_unit_test_teardown(test_first_frame, session_test_end),
		cmocka_unit_test_teardown(test_queue_full, session_test_end),
		cmocka_unit_test_teardown(test_no_frame, session_test_end),
		cmocka_unit_test_teardown(test_frame_too_large, session_test_end),
		cmocka_unit_test_teardown(test_addresses, session_test_end),
		cmocka_unit_test_teardown(test_unknown_name, session_test_end),
		cmocka_unit_test_teardown(test_status, session_test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
