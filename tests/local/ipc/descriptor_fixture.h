// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For tests of a server that waits for its peers and for a descriptor of its own: parties that know whether it sleeps,
 * and the server's side of what they ask.
 */
#ifndef DESCRIPTOR_FIXTURE_H
#define DESCRIPTOR_FIXTURE_H

#include "dvk_client.h"
#include "dvk_internal.h"
#include "ipc_fixture.h"

#define MANY	 200
#define PER_PEER 5 /* requests of each of many */

/* The server's own descriptor, and the other end of it. */
extern int own, other;
/* A client beside the library's own; each process has one at most. */
extern struct dvk_client second_client;

int descriptor_setup(void **state);
int descriptor_teardown(void **state);

/* For parties. */
struct dvk_client *open_client(int endpoint);
struct dvk_peer *server_of(struct dvk_client *client);
/* Until the server says that it sleeps: it does so before it calls the kernel. */
void await_asleep(struct dvk_client *client);
/* Makes one exchange with the server, so that the two are introduced, and waits until it sleeps after that. */
struct dvk_client *watch_server(int endpoint);
/* argument: int, how often; int, the endpoint of who calls when the server sleeps. */
void calls_many_times(void *argument);
void calls_when_asleep(void *argument);

/* For the server: answers the first request of a party of that kind. */
void meet(int endpoint);
/* Serves until so many requests and so many bytes of its own have come. */
void serve(int requests, int bytes);
int lowest_free_descriptor(void);

#endif
