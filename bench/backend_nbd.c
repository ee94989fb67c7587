/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads an NBD server over a Unix socket with libnbd: one connection, and for several requests in flight
 * libnbd's asynchronous calls, a new request for each that is answered.
 */
#include "backend.h"

#include <libnbd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* A place for one request in flight; the free ones are a stack. */
struct slot {
	struct connection *connection;
	unsigned int number;
};

struct connection {
	struct nbd_handle *nbd;
	struct slot slots[BENCH_DEPTH_MAX];
	unsigned int free[BENCH_DEPTH_MAX];
	unsigned int nr_free;
	uint64_t completed;
	int error; /* errno of a request that failed */
};

static int complain(const char *what)
{
	fprintf(stderr, "nbd: %s: %s\n", what, nbd_get_error());
	return -1;
}

static int nbd_backend_open(struct backend *backend, const struct bench_target *target)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int64_t size;

	if (!connection) {
		fprintf(stderr, "nbd: no memory for a connection\n");
		return -1;
	}
	backend->own = connection;
	connection->nbd = nbd_create();
	if (!connection->nbd)
		return complain("cannot make a handle");
	/* It would clear the memory before each read. */
	if (nbd_set_pread_initialize(connection->nbd, false))
		return complain("cannot set an option");
	if (nbd_connect_unix(connection->nbd, target->nbd_socket))
		return complain(target->nbd_socket);
	size = nbd_get_size(connection->nbd);
	if (size < 0)
		return complain("cannot get the size");
	backend->size = (uint64_t)size;
	return 0;
}

static int nbd_backend_read(struct backend *backend, uint64_t position, uint32_t bytes)
{
	struct connection *connection = backend->own;

	return nbd_pread(connection->nbd, backend->memory, bytes, position, 0) ? complain("read") : 0;
}

/* Called by libnbd inside nbd_poll(); it must not make calls on the handle. */
static int completed(void *context, int *error)
{
	struct slot *slot = context;
	struct connection *connection = slot->connection;

	if (*error)
		connection->error = *error;
	connection->completed++;
	connection->free[connection->nr_free++] = slot->number;
	return 1; /* forget the request */
}

static int submit(struct backend *backend, struct connection *connection)
{
	struct slot *slot = &connection->slots[connection->free[--connection->nr_free]];
	char *memory = backend->memory + (size_t)slot->number * BENCH_BLOCK;
	int64_t cookie = nbd_aio_pread(connection->nbd, memory, BENCH_BLOCK, bench_position(backend),
				       (nbd_completion_callback){ .callback = completed, .user_data = slot }, 0);

	return cookie < 0 ? complain("read") : 0;
}

static int nbd_backend_read_many(struct backend *backend, unsigned int depth, double deadline, uint64_t *done)
{
	struct connection *connection = backend->own;
	bool go_on;

	connection->nr_free = depth;
	connection->completed = 0;
	for (unsigned int i = 0; i < depth; i++) {
		connection->slots[i] = (struct slot){ connection, i };
		connection->free[i] = i;
	}
	do {
		go_on = bench_now() < deadline;
		while (go_on && connection->nr_free > 0) {
			if (submit(backend, connection))
				return -1;
		}
		if (connection->nr_free < depth && nbd_poll(connection->nbd, -1) < 0)
			return complain("poll");
		if (connection->error) {
			fprintf(stderr, "nbd: a read failed with errno %d\n", connection->error);
			return -1;
		}
	} while (go_on || connection->nr_free < depth);
	*done += connection->completed;
	return 0;
}

const struct backend_operations backend_nbd = { "nbd", nbd_backend_open, nbd_backend_read, nbd_backend_read_many };
