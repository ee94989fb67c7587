/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets no session, what is said about it, and that it costs the others nothing: other keys, none, other sets and
 * numbers, bytes that are nothing, cut, changed or sent for the second time, and connections that say nothing.
 */
#include "session_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session_key.h"
#include "test_directory.h"

#define STRANGERS_MAX 60

static const bool with_key[] = { true, false };

static bool says(int node, int of, const char *text)
{
	return strstr(session_test_why(node, of), text);
}

/* Neither has ever had a session with the other. */
static void assert_apart(int a, int b)
{
	assert_int_equal(nodes[a].of[b].ups, 0);
	assert_int_equal(nodes[b].of[a].ups, 0);
}

/* Still a session, the first one, over which frames go. */
static void assert_together(int a, int b)
{
	int before = nodes[b].of[a].nr_frames;

	assert_true(nodes[a].of[b].up && nodes[b].of[a].up);
	assert_int_equal(nodes[a].of[b].downs + nodes[b].of[a].downs, 0);
	assert_true(session_test_send(a, b, SESSION_STREAM, 7, 5000));
	session_test_until(nodes[b].of[a].nr_frames == before + 1);
	assert_true(session_test_is(b, a, before, 7, 5000));
}

static void test_other_key(void **state)
{
	(void)state;
	session_test_begin(2, true);
	nodes[1].key[31] ^= 1;
	session_test_start(0);
	session_test_start(1);
	session_test_until(says(0, 1, "key_file") && says(1, 0, "key_file"));
	assert_apart(0, 1);
}

/* One has a key and the other none, either way. */
static void test_no_key(void **state)
{
	(void)state;
	for (int clear = 0; clear < 2; clear++) {
		session_test_begin(2, true);
		nodes[clear].settings.key_size = 0;
		session_test_start(0);
		session_test_start(1);
		session_test_until(says(0, 1, "key") && says(1, 0, "key"));
		assert_apart(0, 1);
		session_test_end(NULL);
	}
}

static void test_other_set(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		session_test_begin(2, with_key[k]);
		nodes[1].settings.set = "another";
		session_test_start(0);
		session_test_start(1);
		session_test_until(says(0, 1, "it belongs to set \"another\", not \"test\"") &&
				   says(1, 0, "it belongs to set \"test\", not \"another\""));
		assert_apart(0, 1);
		session_test_end(NULL);
	}
}

/* The lists give numbers, or addresses, to others. */
static void test_other_list(void **state)
{
	(void)state;
	session_test_begin(2, true);
	nodes[1].members[1].node = 9;
	session_test_start(0);
	session_test_start(1);
	session_test_until(says(1, 0, "looks for node 2, and this is node 9"));
	assert_apart(0, 1);
	session_test_end(NULL);

	/* Its own address is that of another. */
	session_test_begin(2, true);
	nodes[0].members[1].port = SESSION_TEST_PORT(0);
	session_test_start(0);
	session_test_until(says(0, 1, "it is this process itself"));
}

/*
 * A second process with a number that is taken, first by hand of the one that decides, then of the other: the first one
 * keeps its session, and when it has gone the second one has it.
 */
static void test_two_with_one_number(void **state)
{
	(void)state;
	for (int twin = 0; twin < 2; twin++) {
		session_test_begin(3, true);
		for (int i = 0; i < 3; i++)
			nodes[i].settings.count = 2;
		nodes[2].settings.self = twin;
		nodes[2].members[twin].port = SESSION_TEST_PORT(2);
		session_test_start(0);
		session_test_start(1);
		session_test_until(nodes[0].of[1].up && nodes[1].of[0].up);
		session_test_start(2);
		session_test_until(says(2, !twin, "before that was the session"));
		session_test_until(says(2, !twin, "before that was the session"));
		assert_int_equal(nodes[2].of[!twin].ups, 0);
		assert_together(twin, !twin);
		session_test_kill(twin);
		session_test_until(nodes[2].of[!twin].up && nodes[!twin].of[twin].up);
		session_test_end(NULL);
	}
}

/* What connects and sends these bytes is closed, and nothing else happens. */
static void send_and_expect_end(int node, const unsigned char *bytes, size_t size, bool close_first)
{
	int fd = session_test_connect(SESSION_TEST_PORT(node));
	size_t received = 0;

	/* More come from there in a second than are let in. */
	session_test_forward(30 * SESSION_TEST_MS);
	if (size > 0)
		assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
	if (close_first)
		assert_int_equal(shutdown(fd, SHUT_WR), 0);
	session_test_until(session_test_closed(fd, &received));
	close(fd);
}

static void test_garbage(void **state)
{
	static unsigned char bytes[20000];
	uint32_t random = 1;

	(void)state;
	for (int k = 0; k < 2; k++) {
		session_test_begin(2, with_key[k]);
		session_test_start_all(2);
		for (int first = 0; first < 256; first += 5) {
			for (size_t i = 0; i < sizeof(bytes); i++) {
				random = random * 1664525 + 1013904223;
				bytes[i] = (unsigned char)(random >> 24);
			}
			bytes[0] = (unsigned char)first;
			if (first == 20) {
				bytes[0] = 0x16; /* as TLS begins */
				bytes[1] = 3;
				bytes[2] = 1;
				bytes[3] = 0x10; /* and a length that is there */
			}
			send_and_expect_end(1, bytes, sizeof(bytes), false);
		}
		send_and_expect_end(1, (const unsigned char *)"GET / HTTP/1.1\r\n\r\n", 18, false);
		assert_together(0, 1);
		session_test_end(NULL);
	}
}

/* A session's beginning, up to a frame, as it went over the wire. The caller frees it. */
static unsigned char *record(bool key, size_t *size)
{
	unsigned char *bytes;

	session_test_begin(2, key);
	nodes[0].members[1].port = SESSION_TEST_PORT(9);
	nodes[1].members[0].port = SESSION_TEST_PORT(8);
	session_test_relay(SESSION_TEST_PORT(9), SESSION_TEST_PORT(1));
	session_test_start_all(2);
	assert_true(session_test_send(0, 1, SESSION_CONTROL, 1, 100));
	session_test_until(nodes[1].of[0].nr_frames == 1);
	bytes = relay.recorded;
	*size = relay.nr_recorded;
	relay.recorded = NULL;
	session_test_end(NULL);
	return bytes;
}

/* Who has seen a session's bytes can send them again, whole, or as far as he likes. */
static void test_replay(void **state)
{
	size_t size;
	unsigned char *bytes = record(true, &size);

	(void)state;
	assert_true(size > 400);
	session_test_begin(2, true);
	session_test_start_all(2);
	send_and_expect_end(1, bytes, size, false);
	for (size_t cut = 0; cut < size; cut += cut < 40 ? 1 : 3)
		send_and_expect_end(1, bytes, cut, true);
	assert_together(0, 1);
	assert_int_equal(nodes[1].of[0].ups, 1);
	free(bytes);
}

/* The same in the clear, where whole bytes would be a member. */
static void test_cut_in_the_clear(void **state)
{
	size_t size;
	unsigned char *bytes = record(false, &size);

	(void)state;
	session_test_begin(2, false);
	session_test_start_all(2);
	for (size_t cut = 0; cut < size; cut++)
		send_and_expect_end(1, bytes, cut, true);
	assert_together(0, 1);
	free(bytes);
}

/* A bit of the connection is changed on its way: it never is a session, or what is changed never arrives. */
static void test_changed_bytes(void **state)
{
	int flips = 0, ended = 0;
	size_t size;

	(void)state;
	free(record(true, &size));
	for (size_t flip = 1; flip <= size; flip += 23) {
		session_test_begin(2, true);
		nodes[0].members[1].port = SESSION_TEST_PORT(9);
		nodes[1].members[0].port = SESSION_TEST_PORT(8);
		session_test_relay(SESSION_TEST_PORT(9), SESSION_TEST_PORT(1));
		relay.flip = flip;
		session_test_start(0);
		session_test_start(1);
		/* A length that was made larger makes both wait for more: then time ends it. */
		while (relay.connections < 2 && nodes[1].of[0].nr_frames < 10) {
			session_test_turn();
			if (nodes[0].of[1].up)
				session_test_send(0, 1, SESSION_CONTROL, 1, 100);
			session_test_forward(SESSION_TEST_MS * 10000);
		}
		ended += relay.connections > 1;
		for (int i = 0; i < nodes[1].of[0].nr_frames; i++)
			assert_true(session_test_is(1, 0, i, 1, 100));
		session_test_end(NULL);
		flips++;
	}
	/* All but where TLS has a few bytes for old boxes on the way, which it does not look at. */
	assert_true(flips > 15 && ended >= flips - 2);
}

static int count_closed(const int *fds, int count)
{
	int closed = 0;

	for (int i = 0; i < count; i++) {
		size_t received = 0;

		closed += session_test_closed(fds[i], &received);
	}
	return closed;
}

/* Connections that say nothing: few are kept, for a while, and members get in beside them. */
static void test_half_open(void **state)
{
	int fds[STRANGERS_MAX];

	(void)state;
	session_test_begin(2, true);
	session_test_start(1);
	session_test_turn();
	for (int i = 0; i < STRANGERS_MAX; i++) {
		fds[i] = session_test_connect(SESSION_TEST_PORT(1));
		session_test_forward(30 * SESSION_TEST_MS);
		session_test_turn();
	}
	session_test_until(count_closed(fds, STRANGERS_MAX) == STRANGERS_MAX - 16);
	session_test_start(0);
	session_test_until(nodes[0].of[1].up && nodes[1].of[0].up);
	assert_true(count_closed(fds, STRANGERS_MAX) < STRANGERS_MAX);
	session_test_forward(nodes[1].settings.handshake);
	session_test_until(count_closed(fds, STRANGERS_MAX) == STRANGERS_MAX);
	assert_together(0, 1);
	for (int i = 0; i < STRANGERS_MAX; i++)
		close(fds[i]);
}

/* More of them at once than are let in in a second. */
static void test_strangers_rate(void **state)
{
	enum { MANY = 300 };
	static int fds[MANY];

	(void)state;
	session_test_begin(2, true);
	session_test_start(0);
	session_test_start(1);
	session_test_until(nodes[0].of[1].up && nodes[1].of[0].up);
	for (int i = 0; i < MANY; i++) {
		fds[i] = session_test_connect(SESSION_TEST_PORT(1));
		if (i % 10 == 9) /* fewer than it accepts in a turn */
			session_test_turn();
	}
	session_test_until(count_closed(fds, MANY) >= MANY - 16);
	assert_together(0, 1);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
}

/* ---- settings and keys ---- */

static void assert_not_opened(const char *text)
{
	struct diagnostic diagnostic = { "" };
	struct sessions *sessions = NULL;

	assert_int_equal(sessions_open(&sessions, &nodes[0].settings, NULL, NULL, &diagnostic), -1);
	if (!strstr(diagnostic.text, text))
		fail_msg("\"%s\" does not say \"%s\"", diagnostic.text, text);
}

static void test_settings(void **state)
{
	(void)state;
	session_test_begin(2, true);
	nodes[0].members[1].node = 1;
	assert_not_opened("two members are node 1");
	session_test_begin(2, true);
	nodes[0].settings.self = 2;
	assert_not_opened("of which this is one");
	session_test_begin(2, true);
	nodes[0].settings.key_size = 16;
	assert_not_opened("32 bytes");
	session_test_begin(2, true);
	nodes[0].settings.set = "";
	assert_not_opened("name");
	session_test_begin(2, true);
	nodes[0].settings.frame_max = SIZE_MAX;
	assert_not_opened("frames");
	session_test_begin(2, true);
	nodes[0].settings.dead = nodes[0].settings.idle;
	assert_not_opened("silence");
	session_test_begin(2, true);
	nodes[0].members[1].port = 0;
	assert_not_opened("node 2 has no address or port");
	session_test_begin(2, true);
	snprintf(nodes[0].addresses[0], sizeof(nodes[0].addresses[0]), "192.0.2.1");
	assert_not_opened("no interface of this host");
	session_test_begin(2, true);
	session_test_start(1);
	nodes[0].members[0].port = SESSION_TEST_PORT(1);
	assert_not_opened("running already");
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file;

	unlink(path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void assert_no_key(const char *path, const char *text)
{
	static const unsigned char zeroes[SESSION_KEY_SIZE];
	unsigned char key[SESSION_KEY_SIZE];
	struct diagnostic diagnostic = { "" };

	assert_int_equal(session_key_read(path, key, &diagnostic), -1);
	assert_memory_equal(key, zeroes, sizeof(key));
	if (!strstr(diagnostic.text, text) || !strstr(diagnostic.text, path))
		fail_msg("\"%s\" does not say \"%s\"", diagnostic.text, text);
}

static void test_key_file(void **state)
{
	static const char good[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n";
	unsigned char key[SESSION_KEY_SIZE], made[SESSION_KEY_SIZE];
	struct diagnostic diagnostic = { "" };
	char path[TEST_PATH_SIZE], text[100];

	(void)state;
	test_path(path, "key");
	assert_no_key(path, "keygen");
	write_file(path, good, 0600);
	assert_int_equal(session_key_read(path, key, &diagnostic), 0);
	for (int i = 0; i < SESSION_KEY_SIZE; i++)
		assert_int_equal(key[i], i);
	for (mode_t bit = 1; bit < 0100; bit <<= 1) {
		write_file(path, good, 0600 | bit);
		assert_no_key(path, "chmod 600");
	}
	write_file(path, "", 0600);
	assert_no_key(path, "hexadecimal");
	for (size_t size = 1; size < sizeof(good) - 1; size++) {
		snprintf(text, sizeof(text), "%.*s", (int)size, good);
		write_file(path, text, 0600);
		assert_no_key(path, "hexadecimal");
	}
	snprintf(text, sizeof(text), "%s\n", good);
	write_file(path, text, 0600);
	assert_no_key(path, "hexadecimal");
	snprintf(text, sizeof(text), "g%s", good + 1);
	write_file(path, text, 0600);
	assert_no_key(path, "hexadecimal");
	assert_int_equal(session_key_make(path, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "not overwritten"));

	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_no_key(path, "no regular file");
	assert_int_equal(unlink(path), 0);

	assert_int_equal(session_key_make(path, &diagnostic), 0);
	assert_int_equal(session_key_read(path, made, &diagnostic), 0);
	assert_memory_not_equal(made, key, sizeof(key));
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_other_key, session_test_end),
		cmocka_unit_test_teardown(test_no_key, session_test_end),
		cmocka_unit_test_teardown(test_other_set, session_test_end),
		cmocka_unit_test_teardown(test_other_list, session_test_end),
		cmocka_unit_test_teardown(test_two_with_one_number, session_test_end),
		cmocka_unit_test_teardown(test_garbage, session_test_end),
		cmocka_unit_test_teardown(test_replay, session_test_end),
		cmocka_unit_test_teardown(test_cut_in_the_clear, session_test_end),
		cmocka_unit_test_teardown(test_changed_bytes, session_test_end),
		cmocka_unit_test_teardown(test_half_open, session_test_end),
		cmocka_unit_test_teardown(test_strangers_rate, session_test_end),
		cmocka_unit_test_teardown(test_settings, session_test_end),
		cmocka_unit_test_teardown(test_key_file, session_test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
