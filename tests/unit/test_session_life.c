/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How sessions end, and begin again: members that die, stop, are cut off, come back, hang up; in any order, too.
 */
#include "session_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool together(int a, int b)
{
	return nodes[a].of[b].up && nodes[b].of[a].up;
}

static void send_one(int from, int to, uint32_t number)
{
	int before = nodes[to].of[from].nr_frames;

	assert_true(session_test_send(from, to, SESSION_STREAM, number, 3000));
	session_test_until(nodes[to].of[from].nr_frames == before + 1);
	assert_true(session_test_is(to, from, before, number, 3000));
}

/* Who is left is told at once, and the one that comes back is there at once: it connects itself. */
static void test_death_and_return(void **state)
{
	(void)state;
	for (int dies = 0; dies < 2; dies++) {
		int stays = !dies;

		session_test_begin(2, true);
		/* Its own attempts are far apart. */
		nodes[stays].settings.retry_least = 3600000 * SESSION_TEST_MS;
		nodes[stays].settings.retry_most = 3600000 * SESSION_TEST_MS;
		session_test_start_all(2);
		for (int i = 1; i <= 3; i++) {
			session_test_kill(dies);
			session_test_until(nodes[stays].of[dies].downs == i);
			assert_string_equal(nodes[stays].of[dies].why, "it closed the connection");
			assert_false(session_test_send(stays, dies, SESSION_CONTROL, 1, 10));
			session_test_start(dies);
			session_test_until(together(0, 1));
			send_one(stays, dies, (uint32_t)i);
			send_one(dies, stays, (uint32_t)i);
		}
		session_test_end(NULL);
	}
}

/* Only one of them can connect, whichever. */
static void test_one_way_to_connect(void **state)
{
	(void)state;
	for (int connects = 0; connects < 2; connects++) {
		session_test_begin(2, true);
		nodes[!connects].members[connects].port = SESSION_TEST_PORT(8); /* nobody's */
		session_test_start_all(2);
		send_one(0, 1, 1);
		session_test_kill(connects);
		session_test_until(nodes[!connects].of[connects].downs == 1);
		session_test_start(connects);
		session_test_until(together(0, 1));
		session_test_end(NULL);
	}
}

/* Nothing is sent for long: signs of life keep the session. */
static void test_idle(void **state)
{
	(void)state;
	session_test_begin(2, true);
	session_test_start_all(2);
	for (int i = 0; i < 30; i++) {
		struct session_status before, after;

		sessions_status(nodes[0].sessions, 1, &before);
		session_test_forward(nodes[0].settings.idle);
		do {
			session_test_turn();
			sessions_status(nodes[0].sessions, 1, &after);
		} while (after.received == before.received);
	}
	assert_int_equal(nodes[0].of[1].downs + nodes[1].of[0].downs, 0);
	send_one(0, 1, 1);
}

/* From member 0 to 1 through the relay; 1 cannot connect itself. */
static void begin_with_relay(void)
{
	session_test_begin(2, true);
	nodes[0].members[1].port = SESSION_TEST_PORT(9);
	nodes[1].members[0].port = SESSION_TEST_PORT(8); /* nobody's */
	session_test_relay(SESSION_TEST_PORT(9), SESSION_TEST_PORT(1));
	session_test_start_all(2);
}

/* The link dies without a word. */
static void test_dead_link(void **state)
{
	(void)state;
	begin_with_relay();
	relay.frozen = true;
	session_test_forward(nodes[0].settings.idle);
	session_test_turn();
	session_test_forward(nodes[0].settings.dead - nodes[0].settings.idle - 30000 * SESSION_TEST_MS);
	for (int i = 0; i < 10; i++)
		session_test_turn();
	assert_int_equal(nodes[0].of[1].downs, 0);
	session_test_forward(30000 * SESSION_TEST_MS);
	session_test_until(nodes[0].of[1].downs == 1 && nodes[1].of[0].downs == 1);
	assert_non_null(strstr(nodes[0].of[1].why, "nothing was heard of it for"));
	relay.frozen = false;
	session_test_until(together(0, 1));
	send_one(0, 1, 1);
}

/* A member's process stands still, beyond the limit and not. */
static void test_stopped_member(void **state)
{
	(void)state;
	session_test_begin(2, true);
	session_test_start_all(2);
	nodes[1].stopped = true;
	session_test_forward(nodes[0].settings.dead - 1000 * SESSION_TEST_MS);
	session_test_turn();
	nodes[1].stopped = false;
	send_one(0, 1, 1);
	assert_int_equal(nodes[0].of[1].downs, 0);

	nodes[1].stopped = true;
	/* What it has sent before comes first. */
	for (int i = 0; i < 3; i++) {
		session_test_forward(nodes[0].settings.idle);
		session_test_turn();
	}
	session_test_forward(nodes[0].settings.dead);
	session_test_until(nodes[0].of[1].downs == 1);
	nodes[1].stopped = false;
	session_test_until(nodes[1].of[0].downs == 1 && together(0, 1));
	send_one(0, 1, 2);
	send_one(1, 0, 3);
}

/*
 * A member is started anew and the other was not told that the old one died, as with a power failure: the new one gets
 * in when the old one has not answered for a while, and not before.
 */
static void test_restart_without_a_word(void **state)
{
	(void)state;
	begin_with_relay();
	relay.frozen = true;
	session_test_kill(1);
	nodes[1].members[0].port = SESSION_TEST_PORT(0);
	session_test_start(1);
	for (int i = 0; i < 10; i++)
		session_test_turn();
	assert_true(nodes[0].of[1].up && nodes[0].of[1].downs == 0);
	assert_false(nodes[1].of[0].up);
	session_test_forward(nodes[0].settings.idle);
	session_test_until(nodes[0].of[1].downs == 1);
	session_test_until(together(0, 1));
	assert_int_equal(nodes[0].of[1].ups, 2);
	send_one(1, 0, 1);
	send_one(0, 1, 2);
}

/* Who hangs up is told nothing, the other that it is over; what was under way is not delivered later. */
static void test_hang_up(void **state)
{
	(void)state;
	for (int hangs = 0; hangs < 2; hangs++) {
		int other = !hangs;

		session_test_begin(2, true);
		session_test_start_all(2);
		nodes[other].stopped = true;
		for (uint32_t i = 0; i < 3; i++)
			assert_true(session_test_send(hangs, other, SESSION_STREAM, i, 1u << 20));
		sessions_hang_up(nodes[hangs].sessions, other);
		nodes[hangs].of[other].up = false;
		assert_false(session_test_send(hangs, other, SESSION_CONTROL, 1, 10));
		sessions_hang_up(nodes[hangs].sessions, other);
		nodes[other].stopped = false;
		session_test_until(nodes[other].of[hangs].downs == 1);
		session_test_until(together(0, 1));
		assert_int_equal(nodes[hangs].of[other].downs, 0);
		session_test_forget_frames(other, hangs);
		send_one(hangs, other, 7);
		session_test_end(NULL);
	}
}

/* From within an event: nothing more of that session is told, however much has come. */
static void test_refused_frame(void **state)
{
	(void)state;
	for (int refuses = 0; refuses < 2; refuses++) {
		int other = !refuses;

		session_test_begin(2, true);
		session_test_start_all(2);
		nodes[refuses].of[other].hang_up_at = 3;
		nodes[refuses].stopped = true;
		for (uint32_t i = 0; i < 10; i++)
			assert_true(session_test_send(other, refuses, SESSION_CONTROL, i, 100));
		session_test_turn();
		nodes[refuses].stopped = false;
		session_test_until(nodes[other].of[refuses].downs == 1);
		assert_int_equal(nodes[refuses].of[other].nr_frames, 3);
		session_test_until(together(0, 1));
		assert_int_equal(nodes[refuses].of[other].downs, 0);
		session_test_end(NULL);
	}
}

/* The connection breaks after so many bytes: the frame that is cut is never delivered, nor what is left of it. */
static void test_cut_frames(void **state)
{
	(void)state;
	for (size_t cut = 700; cut < 60000; cut = cut * 5 / 4 + 17) {
		begin_with_relay();
		assert_true(session_test_send(0, 1, SESSION_STREAM, 1, 50000));
		relay.cut = relay.passed > cut ? relay.passed + 1 : cut;
		session_test_until(nodes[0].of[1].downs == 1 || nodes[1].of[0].nr_frames == 1);
		relay.cut = 0;
		session_test_until(nodes[1].of[0].downs + nodes[1].of[0].nr_frames > 0 && together(0, 1));
		session_test_forget_frames(1, 0);
		send_one(0, 1, 2);
		session_test_end(NULL);
	}
}

/* What was sent before the end of a process goes out as far as the kernel takes it. */
static void test_close_sends(void **state)
{
	(void)state;
	session_test_begin(2, true);
	session_test_start_all(2);
	assert_true(session_test_send(0, 1, SESSION_CONTROL, 5, 200));
	session_test_kill(0);
	session_test_until(nodes[1].of[0].downs == 1);
	assert_true(session_test_is(1, 0, 0, 5, 200));
}

/* Numbers of one session rise, in each class; a session that ended leaves nothing for the next. */
static void check_order(int node, int from, uint32_t last[SESSION_CLASSES], int *ups)
{
	struct told *told = &nodes[node].of[from];

	if (told->ups != *ups)
		memset(last, 0, SESSION_CLASSES * sizeof(last[0]));
	*ups = told->ups;
	for (int i = 0; i < told->nr_frames; i++) {
		uint32_t number = session_test_number(node, from, i), class = number % 2;

		assert_true(session_test_is(node, from, i, number, told->frames[i].size));
		assert_true(number > last[class]);
		last[class] = number;
	}
	session_test_forget_frames(node, from);
}

/*
 * Three members that are killed, started, stopped, hang up, and send frames meanwhile, by chance, the same in each run.
 * The events themselves check that up and down follow each other.
 */
static void test_random(void **state)
{
	static uint32_t last[SESSION_TEST_NODES][SESSION_TEST_NODES][SESSION_CLASSES];
	static int ups[SESSION_TEST_NODES][SESSION_TEST_NODES];
	uint32_t random = 12345, number = 2;

	(void)state;
	session_test_begin(3, true);
	for (int i = 0; i < 3; i++) {
		nodes[i].settings.idle = 1000 * SESSION_TEST_MS;
		nodes[i].settings.dead = 3000 * SESSION_TEST_MS;
		nodes[i].settings.compression = SESSION_COMPRESSION_ON;
	}
	session_test_start_all(3);
	for (int step = 0; step < 3000; step++) {
		int a, b;

		random = random * 1664525 + 1013904223;
		a = (int)((random >> 8) % 3);
		b = (int)(((uint32_t)a + 1 + (random >> 12) % 2) % 3);
		switch ((random >> 16) % 40) {
		case 0:
			if (nodes[a].sessions) {
				session_test_kill(a);
				memset(ups[a], 0, sizeof(ups[a]));
				memset(last[a], 0, sizeof(last[a]));
			}
			break;
		case 1:
			nodes[a].stopped = !nodes[a].stopped;
			break;
		case 2:
			if (nodes[a].sessions) {
				sessions_hang_up(nodes[a].sessions, b);
				nodes[a].of[b].up = false;
			}
			break;
		case 3:
			session_test_forward((random >> 20) % 600 * SESSION_TEST_MS);
			break;
		default:
			if (nodes[a].sessions)
				session_test_send(a, b, (int)(number % 2), number, 1 + (random >> 4) % 70000);
			number++;
		}
		if (!nodes[a].sessions && (random >> 22) % 3 == 0)
			session_test_start(a);
		session_test_forward(SESSION_TEST_MS);
		session_test_turn_at_once();
		for (int i = 0; i < 9; i++)
			check_order(i / 3, i % 3, last[i / 3][i % 3], &ups[i / 3][i % 3]);
	}
	for (int i = 0; i < 3; i++) {
		nodes[i].stopped = false;
		if (!nodes[i].sessions)
			session_test_start(i);
	}
	session_test_until(together(0, 1) && together(0, 2) && together(1, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_death_and_return, session_test_end),
		cmocka_unit_test_teardown(test_one_way_to_connect, session_test_end),
		cmocka_unit_test_teardown(test_idle, session_test_end),
		cmocka_unit_test_teardown(test_dead_link, session_test_end),
		cmocka_unit_test_teardown(test_stopped_member, session_test_end),
		cmocka_unit_test_teardown(test_restart_without_a_word, session_test_end),
		cmocka_unit_test_teardown(test_hang_up, session_test_end),
		cmocka_unit_test_teardown(test_refused_frame, session_test_end),
		cmocka_unit_test_teardown(test_cut_frames, session_test_end),
		cmocka_unit_test_teardown(test_close_sends, session_test_end),
		cmocka_unit_test_teardown(test_random, session_test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
