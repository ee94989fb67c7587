/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-pair: writes pieces of one size to several NBD servers at once, some at any time, each done when all
 * servers have answered, as a mirror over NBD would; prints the same line as rdisk-bench-one. It checks no data.
 */
#include <getopt.h>
#include <libnbd.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "samples.h"

#define PROGRAM	    "rdisk-bench-pair"
#define SERVERS_MAX 4

struct job {
	bool sequential;
	uint32_t size, in_flight, count;
};

struct mirror;

/* A write that is under way. */
struct slot {
	struct mirror *mirror;
	double begun;
	int waits; /* servers that have not answered */
};

struct mirror {
	const struct job *job;
	struct nbd_handle *servers[SERVERS_MAX];
	int nr_servers;
	char *data;
	uint64_t next;	       /* number of the next write */
	struct backend places; /* for bench_random() alone */
	struct slot slots[BENCH_DEPTH_MAX];
	unsigned int unused[BENCH_DEPTH_MAX], nr_unused;
	int error; /* errno of a write that failed */
	struct samples samples;
};

static int complain(const char *what)
{
	fprintf(stderr, PROGRAM ": %s: %s\n", what, nbd_get_error());
	return -1;
}

static int connect_all(struct mirror *mirror, char **uris)
{
	mirror->places.size = UINT64_MAX;
	for (int i = 0; i < mirror->nr_servers; i++) {
		struct nbd_handle *server = mirror->servers[i] = nbd_create();
		int64_t size;

		if (!server)
			return complain("cannot make a handle");
		if (nbd_set_uri_allow_local_file(server, true) || nbd_connect_uri(server, uris[i]))
			return complain(uris[i]);
		size = nbd_get_size(server);
		if (size < (int64_t)mirror->job->size) {
			fprintf(stderr, PROGRAM ": %s is smaller than one write\n", uris[i]);
			return -1;
		}
		if ((uint64_t)size < mirror->places.size)
			mirror->places.size = (uint64_t)size;
	}
	return 0;
}

/* Called by libnbd; it must not make calls on a handle. */
static int completed(void *context, int *error)
{
	struct slot *slot = context;
	struct mirror *mirror = slot->mirror;

	if (*error)
		mirror->error = *error;
	if (--slot->waits == 0) {
		samples_note(&mirror->samples, slot->begun);
		mirror->unused[mirror->nr_unused++] = (unsigned int)(slot - mirror->slots);
	}
	return 1; /* forget the request */
}

static int submit(struct mirror *mirror)
{
	const struct job *job = mirror->job;
	struct slot *slot = &mirror->slots[mirror->unused[--mirror->nr_unused]];
	uint64_t places = mirror->places.size / job->size;
	uint64_t number = job->sequential ? mirror->next++ : bench_random(&mirror->places);

	slot->begun = bench_now();
	slot->waits = mirror->nr_servers;
	for (int i = 0; i < mirror->nr_servers; i++) {
		if (nbd_aio_pwrite(mirror->servers[i], mirror->data, job->size, number % places * job->size,
				   (nbd_completion_callback){ .callback = completed, .user_data = slot }, 0) < 0)
			return complain("write");
	}
	return 0;
}

static int notify(struct nbd_handle *server, short events)
{
	unsigned int direction = nbd_aio_get_direction(server);
	int code = 0;

	if ((events & (POLLIN | POLLHUP)) && (direction & LIBNBD_AIO_DIRECTION_READ))
		code = nbd_aio_notify_read(server);
	else if ((events & POLLOUT) && (direction & LIBNBD_AIO_DIRECTION_WRITE))
		code = nbd_aio_notify_write(server);
	return code ? complain("connection") : 0;
}

/* Until something can be sent or has come. */
static int wait_for_one(struct mirror *mirror)
{
	struct pollfd polled[SERVERS_MAX];

	for (int i = 0; i < mirror->nr_servers; i++) {
		unsigned int direction = nbd_aio_get_direction(mirror->servers[i]);

		polled[i] = (struct pollfd){
			.fd = nbd_aio_get_fd(mirror->servers[i]),
			.events = (short)((direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
					  (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0)),
		};
	}
	if (poll(polled, (nfds_t)mirror->nr_servers, -1) < 0) {
		perror(PROGRAM ": poll");
		return -1;
	}
	for (int i = 0; i < mirror->nr_servers; i++) {
		if (polled[i].revents && notify(mirror->servers[i], polled[i].revents))
			return -1;
	}
	return 0;
}

static int measure(const struct job *job, char **uris, int nr_servers)
{
	static struct mirror mirror;

	mirror.job = job;
	mirror.nr_servers = nr_servers;
	mirror.places.seed = 0x9e3779b97f4a7c15u;
	mirror.samples.warm_up = job->count / 10;
	mirror.samples.count = job->count;
	mirror.data = malloc(job->size);
	if (!mirror.data) {
		fprintf(stderr, PROGRAM ": no memory for %u bytes\n", job->size);
		return -1;
	}
	memset(mirror.data, 0x5a, job->size);
	if (connect_all(&mirror, uris) || samples_begin(&mirror.samples))
		return -1;
	for (unsigned int i = 0; i < job->in_flight; i++) {
		mirror.slots[i].mirror = &mirror;
		mirror.unused[mirror.nr_unused++] = i;
	}
	for (uint64_t all = samples_all(&mirror.samples); mirror.samples.done < all;) {
		while (mirror.nr_unused > 0 && mirror.samples.done + job->in_flight - mirror.nr_unused < all) {
			if (submit(&mirror))
				return -1;
		}
		if (wait_for_one(&mirror))
			return -1;
		if (mirror.error) {
			fprintf(stderr, PROGRAM ": a write failed: %s\n", strerror(mirror.error));
			return -1;
		}
	}
	for (int i = 0; i < nr_servers; i++) {
		if (nbd_shutdown(mirror.servers[i], 0))
			return complain(uris[i]);
		nbd_close(mirror.servers[i]);
	}
	free(mirror.data);
	return samples_print(&mirror.samples, "write", job->size, job->in_flight);
}

static int parse(const char *option, uint64_t most, uint32_t *number)
{
	uint64_t value;

	if (samples_option(PROGRAM, option, optarg, 1, most, &value))
		return -1;
	*number = (uint32_t)value;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "size", required_argument, NULL, 's' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "count", required_argument, NULL, 'c' },
		{ "sequential", no_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	static struct job job = { .size = BENCH_BLOCK, .in_flight = 1, .count = 5000 };
	int option, code = 0, index = 0;

	while (!code && (option = getopt_long(argc, argv, "", options, &index)) >= 0) {
		switch (option) {
		case 's':
			code = parse(options[index].name, BENCH_LARGE, &job.size);
			break;
		case 'f':
			code = parse(options[index].name, BENCH_DEPTH_MAX, &job.in_flight);
			break;
		case 'c':
			code = parse(options[index].name, SAMPLES_MAX, &job.count);
			break;
		case 'q':
			job.sequential = true;
			break;
		default:
			code = -1; /* getopt_long() has said why */
		}
	}
	if (code)
		return EXIT_FAILURE;
	if (argc - optind < 1 || argc - optind > SERVERS_MAX) {
		fprintf(stderr,
			"Usage: " PROGRAM " [--size BYTES] [--in-flight N] [--count N] [--sequential] URI...\n");
		return EXIT_FAILURE;
	}
	return measure(&job, argv + optind, argc - optind) ? EXIT_FAILURE : EXIT_SUCCESS;
}
