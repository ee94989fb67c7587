/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of a node whose files are removed, renamed or replaced under it: the damage, who comes then, and waiting
 * for what the node makes of it. The runtime directory is two below one of the test's own, so that the one above it can
 * be replaced, too.
 */
#ifndef PLACE_FIXTURE_H
#define PLACE_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "dvk_node.h"
#include "node_fixture.h"

extern char base[64], above[80]; /* the test's own directory, and the one in it that holds the runtime directory */
extern char cause[DVK_NODE_CAUSE_SIZE]; /* of dvk_node_ensure() */
extern struct raw server;
extern pid_t node; /* 0: none runs */

int place_setup(void **state);
/* A test that fails leaves nothing to the next one. */
int place_teardown(void **state);

/* What others do to the files. */
#define DAMAGES 9
struct damage {
	const char *name;
	void (*done)(void);
	bool told; /* the node hears of it */
};
extern const struct damage damages[DAMAGES];

/* Path of a file of the node's; until the next call. */
const char *in_directory(const char *name);
void remove_file(const char *name);
void make_file(const char *name);
void lock_removed(void);
void socket_removed(void);
void both_removed(void);
void directory_removed(void);
void directory_renamed(void);
/* The runtime directory is as new. */
void clean(void);

/* For loops that wait: the second (CLOCK_MONOTONIC) after which give_way() fails the test, saying `what`. */
int64_t patience_ends(void);
void give_way(int64_t end, const char *what);
/* Until the node is found by its name and has its lock, without anybody who asks it to be. */
void wait_until_found(pid_t process);
bool log_has(const char *path, const char *text);
/* Until node.log has it. */
void wait_for_log(const char *text);

pid_t process_behind(int fd);
void name_socket(struct sockaddr_un *address, const char *path);
/* Connection to whoever listens at the socket's name; -1: nobody. */
int connect_by_name(void);
/* Listens there itself. */
int listen_by_name(void);

/* A node, and a server that is endpoint 3 of it. */
void start_server(void);
/* A client that comes now is introduced to the server, and no file is missing. */
void expect_server_reached(void);
void end_server(void);

/* Another node is started in the same directory; *fd: what it says. */
pid_t start_second(int *fd);
/* It ends, and says that. */
void expect_refused(pid_t pid, int fd, const char *text);

/* The node that a server starts: dvk_node_ensure(). It ends with the last hold on it. */
int hold_node(void);
void end_held_node(int hold);
/* And nothing is left of it. */
void release_node(int hold);

#endif
