/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the node over its raw socket: a dvkd of one's own in a directory of one's
 * own, connections that speak datagrams, and puppets, processes that exist to be known to the
 * node while the test drives their connections. Any failure here fails the running test.
 * Nothing waits for a fixed time; a wait that takes longer than PATIENCE_MS fails.
 */
#ifndef NODE_FIXTURE_H
#define NODE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "dvk_channel.h"
#include "dvk_endpoint.h"
#include "dvk_errno.h"
#include "dvk_wire.h"

#define PATIENCE_MS  30000

#define RECEIVED_FDS 4
#define KEPT_EVENTS  600

struct received {
	struct dvk_node_packet packet;
	int fds[RECEIVED_FDS];
	int nr_fds;
};

/* A connection; events that came before an answer are kept. */
struct raw {
	int fd;
	uint32_t serial;
	struct received *kept;
	int nr_kept;
};

struct puppet {
	pid_t pid;
	struct raw raw;
};

/* cmocka fixtures of a group: a directory ($DVK_RUNTIME_DIR) with a dvkd in it, or without one. */
int start_node(void **state);
int stop_node(void **state);
/* Of a test: DC 0, fresh, which `admin` has started and ends. */
extern struct raw admin;
int open_admin(void **state);
int close_admin(void **state);
/* The same with a witness, endpoint 7 of it; or with a node of the test's own, too, which ends with it. */
extern struct raw witness;
int open_witness(void **state);
int close_witness(void **state);
int start_witnessed_node(void **state);
int stop_witnessed_node(void **state);
int make_directory(void **state);
int remove_directory(void **state);

extern char directory[64];
extern pid_t node_pid;

/* Runs dvkd with these arguments (NULL at the end); returns when it is ready. */
pid_t spawn_node(const char *const *arguments);
/* The same as another user, for root. */
pid_t spawn_node_as(uid_t uid, const char *const *arguments);
/* The same without some of the standard descriptors: bits. */
pid_t spawn_node_without(int closed);
/* Runs a program; its output and errors go to that descriptor. */
pid_t spawn_program(const char *const *arguments, int output);
/* Runs a program to its end; exit status. What it printed on stdout and stderr is in output. */
int run_program(const char *const *arguments, char *output, size_t size);
/* Ends a process by a signal and returns its wait status. */
int end_process(pid_t pid, int signal);
/* Stops a process, any: it does nothing any more when this returns. SIGCONT lets it go on. */
void stop_process(pid_t pid);
/* Waits for a process to end by itself. */
int wait_process(pid_t pid);

void raw_connect(struct raw *raw);
void raw_close(struct raw *raw);
/* Connects and says hello. */
void raw_open(struct raw *raw);
/* Sends a datagram as it is. Result of sendmsg(). */
ssize_t raw_send(const struct raw *raw, const void *data, size_t size, const int *fds, int nr_fds);
/* Next datagram; false at the end of the connection. */
bool raw_receive(const struct raw *raw, struct received *received);
/* True if the node ended the connection; fails if it sends something else. */
void raw_expect_end(const struct raw *raw);
/* Asks without waiting for the answer: serial. */
uint32_t raw_ask(struct raw *raw, struct dvk_node_request request, int fd);
/* Waits for the answer to that. */
struct received raw_answer(struct raw *raw, uint32_t serial);
/* Both. Descriptors of the answer are closed: result. */
int raw_call(struct raw *raw, struct dvk_node_request request);
struct received raw_call_full(struct raw *raw, struct dvk_node_request request, int fd);
/* Next event, which must be of that kind. */
struct received raw_event(struct raw *raw, enum dvk_packet_kind kind);
/* Fails if an event is there. */
void raw_no_event(struct raw *raw);
void close_received(struct received *received);

/* Request with its call and the fields given by name. */
#define REQUEST(number, ...) ((struct dvk_node_request){ .call = DVK_CALL_##number, __VA_ARGS__ })

/* SELF_BIND in a DC; the endpoint or an error. The page's descriptor, if page is not NULL. */
int raw_bind(struct raw *raw, int dcid, int endpoint, int *page);
/* DC 0 with the defaults. */
void raw_start_dc(struct raw *raw, int dcid);
/* Introduces; asserts success; all descriptors are closed. */
void raw_introduce(struct raw *raw, struct raw *peer, int endpoint);

/* A process that sleeps, its connection (not greeted) in our hands alone. */
void puppet_start(struct puppet *puppet);
/* The same with HELLO said. */
void puppet_open(struct puppet *puppet);
/* A process that sleeps and has no connection. */
pid_t sleeper_start(void);
void puppet_end(struct puppet *puppet);

struct dvk_process_page *map_page(int fd, int protection);
void unmap_page(void *page);

#endif
