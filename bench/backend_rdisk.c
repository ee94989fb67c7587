/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads an rdisk server as any host client does: bound to a user endpoint, with its memory granted to the
 * server. One request is a DEV_READ, several in flight are a DEV_BATCH. With several minors they are read in turn.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "rdisk_protocol.h"

/* What is granted: the data first, then all else that the server reads or writes. */
struct area {
	char data[BENCH_LARGE];
	struct rdisk_request requests[BENCH_DEPTH_MAX];
	struct rdisk_iovec vectors[BENCH_DEPTH_MAX];
	struct rdisk_info info;
};

#define PAGE	  4096u
#define AREA_SIZE ((sizeof(struct area) + PAGE - 1) / PAGE * PAGE)

struct client {
	struct area *area;
	struct bench_client connection;
	unsigned int minor;
	unsigned int nr_minors;
	unsigned int turn;
};

static unsigned int next_minor(struct client *client)
{
	return client->minor + client->turn++ % client->nr_minors;
}

static int open_minors(struct backend *backend, struct client *client)
{
	backend->size = UINT64_MAX;
	for (unsigned int i = 0; i < client->nr_minors; i++) {
		unsigned int minor = client->minor + i;

		if (bench_client_request(&client->connection, DEV_OPEN, minor, RDISK_OPEN_READ, 0, NULL) < 0 ||
		    bench_client_request(&client->connection, DEV_IOCTL, minor, RDISK_IOC_INFO, 0,
					 &client->area->info) < 0)
			return -1;
		if (client->area->info.size < backend->size)
			backend->size = client->area->info.size;
	}
	return 0;
}

static int rdisk_open(struct backend *backend, const struct bench_target *target)
{
	struct client *client = calloc(1, sizeof(*client));
	int fd;

	if (!client) {
		fprintf(stderr, "rdisk: no memory for a client\n");
		return -1;
	}
	backend->own = client;
	client->minor = target->minor;
	client->nr_minors = target->nr_minors;
	client->area = bench_shared_memory(AREA_SIZE, &fd);
	if (!client->area)
		return -1;
	backend->memory = client->area->data;
	if (bench_client_connect(&client->connection, target, fd, client->area, AREA_SIZE))
		return -1;
	if (open_minors(backend, client))
		return -1;
	if (target->first_half)
		backend->size /= 2;
	return 0;
}

static int rdisk_read(struct backend *backend, uint64_t position, uint32_t bytes)
{
	struct client *client = backend->own;
	int got = bench_client_request(&client->connection, DEV_READ, next_minor(client), (int)bytes, position,
				       backend->memory);

	if (got >= 0 && got != (int)bytes)
		fprintf(stderr, "rdisk: a read of %u bytes gave %d\n", bytes, got);
	return got == (int)bytes ? 0 : -1;
}

static void fill_batch(struct backend *backend, struct client *client, unsigned int depth)
{
	struct area *area = client->area;

	for (unsigned int i = 0; i < depth; i++) {
		area->vectors[i].iov_addr = (uint64_t)(uintptr_t)(area->data + (size_t)i * BENCH_BLOCK);
		area->vectors[i].iov_size = BENCH_BLOCK;
		area->requests[i] = (struct rdisk_request){
			.operation = RDISK_OP_READ,
			.minor = (int)next_minor(client),
			.nr_segments = 1,
			.position = bench_position(backend),
			.length = BENCH_BLOCK,
			.vector = (uint64_t)(uintptr_t)&area->vectors[i],
			.result = RDISK_RESULT_NONE,
		};
	}
}

static int rdisk_read_many(struct backend *backend, unsigned int depth, double deadline, uint64_t *done)
{
	struct client *client = backend->own;

	while (bench_now() < deadline) {
		if (depth == 1) {
			if (rdisk_read(backend, bench_position(backend), BENCH_BLOCK))
				return -1;
			(*done)++;
			continue;
		}
		fill_batch(backend, client, depth);
		if (bench_client_request(&client->connection, DEV_BATCH, 0, (int)depth, 0, client->area->requests) < 0)
			return -1;
		for (unsigned int i = 0; i < depth; i++) {
			if (client->area->requests[i].result != (int64_t)BENCH_BLOCK) {
				fprintf(stderr, "rdisk: a read of a batch gave %lld\n",
					(long long)client->area->requests[i].result);
				return -1;
			}
		}
		*done += depth;
	}
	return 0;
}

const struct backend_operations backend_rdisk = { "rdisk", rdisk_open, rdisk_read, rdisk_read_many };
