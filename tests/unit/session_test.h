/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of sessions share: members in this process on real sockets of the loopback interface, driven by one
 * loop, and a relay that can stand between two of them. Nothing waits for a time to pass: the loop runs until what a
 * test waits for has happened, and time limits are reached by setting the members' clock forward.
 */
#ifndef SESSION_TEST_H
#define SESSION_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "session.h"

#define SESSION_TEST_NODES 3
#define SESSION_TEST_MS	   1000000ull /* ns */

struct received_frame {
	unsigned char *bytes;
	size_t size;
};

/* A member, and what it was told of the others, by index. */
struct test_node {
	struct sessions *sessions; /* NULL: it is not running */
	struct session_settings settings;
	struct session_member members[SESSION_TEST_NODES];
	char addresses[SESSION_TEST_NODES][32];
	unsigned char key[SESSION_KEY_SIZE];
	bool stopped; /* its loop does not run */
	struct told {
		int ups, downs, rooms;
		bool up;
		char why[SESSION_WHY_SIZE]; /* of the last down */
		struct received_frame *frames;
		int nr_frames;
		int hang_up_at;	  /* the frame of this number, from 1, is answered false */
		size_t discarded; /* bytes of frames that were not kept */
		bool discard;
	} of[SESSION_TEST_NODES];
};

extern struct test_node nodes[SESSION_TEST_NODES];

/* An address of 127.0.0.0/8 that no other test program uses, and ports of it by number. */
#define SESSION_TEST_PORT(number) ((uint16_t)(7300 + (number)))
const char *session_test_address(void);

/*
 * Settings of `count` members with the numbers 1, 2, ... in one set, with the same key; none is started. Small times
 * to try again, and long ones for everything else.
 */
void session_test_begin(int count, bool with_key);
/* Ends all that runs. A teardown function of cmocka. */
int session_test_end(void **state);

void session_test_start(int node);
/* As if the process died: without a word to the others but what the kernel says. */
void session_test_kill(int node);
/* All of them, and waits until each is up with each. */
void session_test_start_all(int count);

/* One turn of the loop for all that runs, after waiting for something to do. */
void session_test_turn(void);
/* The same without waiting. */
void session_test_turn_at_once(void);
/* Turns until the condition holds; fails the test when that takes ages. */
#define session_test_until(condition)                                                                                  \
	do {                                                                                                           \
		session_test_deadline(true, #condition);                                                               \
		while (!(condition)) {                                                                                 \
			session_test_deadline(false, #condition);                                                      \
			session_test_turn();                                                                           \
		}                                                                                                      \
	} while (0)
void session_test_deadline(bool begin, const char *condition);

/* Sets the members' clock forward. */
void session_test_forward(uint64_t ns);
uint64_t session_test_now(void);

/* Sends `size` bytes that can be told from those of another number. Whether it was taken. */
bool session_test_send(int from, int to, int class, uint32_t number, size_t size);
/* Whether a frame that `node` has of `from` is that of the number. */
bool session_test_is(int node, int from, int index, uint32_t number, size_t size);
/* Its number. */
uint32_t session_test_number(int node, int from, int index);
/* Fills bytes as session_test_send() does. */
void session_test_fill(unsigned char *bytes, uint32_t number, size_t size);
void session_test_forget_frames(int node, int from);

/* The status text that says why there is no session. */
const char *session_test_why(int node, int of);

/* ---- a relay ---- */

struct test_relay {
	int listener;
	int ends[2];   /* of the connection that goes through it: who connected, who was connected to; -1: none */
	uint16_t port; /* of the target, at session_test_address() */
	size_t piece;  /* bytes that it passes on at a time; 0: as many as there are */
	bool frozen;   /* it passes nothing on */
	unsigned char *recorded; /* what came from who connected, of the first connection */
	size_t nr_recorded;
	size_t flip;	 /* the byte of this number, from 1, from who connected is changed */
	size_t cut;	 /* after so many bytes from who connected it closes both; 0: never */
	size_t passed;	 /* bytes from who connected, of this connection */
	int connections; /* so far */
};

extern struct test_relay relay;
/* From a port to another. It is part of the loop. */
void session_test_relay(uint16_t port, uint16_t to);

/* A connection of nobody's to a port; nonblocking. */
int session_test_connect(uint16_t port);
/* Whether it was closed by the other end; what it sends is thrown away, and counted. */
bool session_test_closed(int fd, size_t *received);

#endif
