/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cluster-client tells: lines of a history (history_file.h), with times of CLOCK_MONOTONIC, which the hosts of one
 * machine share.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cluster_client.h"

#define LINE_MAX_SIZE (64 + 64 + 18 * (REQUEST_MAX / HISTORY_BLOCK))

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void put(const struct client *client, const char *line, size_t size)
{
	ssize_t written = write(client->history, line, size);

	if (written < 0 || (size_t)written != size)
		fatal("the history cannot be written", written < 0 ? strerror(errno) : "it was cut");
}

static size_t put_values(char *line, size_t used, const struct wish *wish, bool values)
{
	if (!values || wish->length == 0)
		return used + (size_t)sprintf(line + used, " -\n");
	for (uint64_t at = 0; at < wish->length; at += HISTORY_BLOCK)
		used += (size_t)sprintf(line + used, "%c%" PRIx64, at ? ',' : ' ', history_value(wish->data + at));
	line[used++] = '\n';
	return used;
}

/* Each open is a client of its own in the history. */
static int open_number(const struct client *client)
{
	return (int)(client->number * 100000 + client->opens);
}

void tell_begin(const struct client *client, const struct wish *wish)
{
	char line[LINE_MAX_SIZE];
	size_t used = (size_t)sprintf(line, "%" PRIu64 " begin %d %" PRIu64 " %s %d %" PRIu64 " %" PRIu64 " %d",
				      now_ns(), open_number(client), wish->op, history_kind_name(wish->kind),
				      client->minor, wish->position, wish->length, wish->stable);

	put(client, line, put_values(line, used, wish, wish->kind == HISTORY_WRITE));
}

void tell_end(const struct client *client, const struct wish *wish, int64_t result)
{
	bool transfer = wish->kind == HISTORY_READ || wish->kind == HISTORY_WRITE;
	char line[LINE_MAX_SIZE];
	size_t used;

	if (transfer && result >= 0 && (uint64_t)result != wish->length)
		fatal("a transfer was cut", history_kind_name(wish->kind));
	used = (size_t)sprintf(line, "%" PRIu64 " end %d %" PRIu64 " %d", now_ns(), open_number(client), wish->op,
			       result < 0 ? (int)result : 0);
	put(client, line, put_values(line, used, wish, wish->kind == HISTORY_READ && result >= 0));
}
