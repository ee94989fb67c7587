/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of done requests; see done_table.h. A client keeps its place in `clients` as long as it is there, so that a
 * save that goes on later misses nobody who was there all the time. Places are found by a hash of the client.
 */
#include "done_table.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deliberate_bug.h"
#include "little_endian.h"

#define RESULT_MIN (-4095) /* as in a message */

/* Of a saved client. */
enum {
	AT_FORWARDER = 0,
	AT_CLIENT = 8,
	AT_COUNT = 12,
	AT_LOWEST = 16,
	AT_OPEN_DEVICE = 24,
	AT_OPEN = 28,
	AT_REQUESTS = 32,
	REQUEST_SIZE = 32,
};

/* Of a request of it. */
enum {
	AT_REQUEST = 0,
	AT_RESULT = 8,
	AT_LENGTH = 12,
	AT_POSITION = 16,
	AT_DEVICE = 24,
	AT_UNSURE = 28,
};

/* How it is open. */
enum {
	OPEN_IS = 1,
	OPEN_SHARED = 2,
	OPEN_READ_ONLY = 4,
	OPEN_BITS = 7,
};

#define OPEN_MEMBER_SHIFT 8 /* bits 8 to 15: at which member */

static bool client_same(struct client_id a, struct client_id b)
{
	return a.forwarder == b.forwarder && a.client == b.client;
}

/* Where the search for a client begins. */
static unsigned int hash(const struct done_table *table, struct client_id id)
{
	uint64_t value = (id.forwarder ^ id.client) * UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 29 ^ id.client) * UINT64_C(0xbf58476d1ce4e5b9);
	return (unsigned int)(value >> 32) & table->places_mask;
}

/* Its index in `places`, or that of the empty one where it would be. There is always one that is empty. */
static unsigned int find_place(const struct done_table *table, struct client_id id)
{
	unsigned int at = hash(table, id);

	while (table->places[at] && !client_same(table->clients[table->places[at] - 1].id, id))
		at = (at + 1) & table->places_mask;
	return at;
}

/* NULL: it is not there. */
static struct done_client *find_client(const struct done_table *table, struct client_id id)
{
	unsigned int place = table->places[find_place(table, id)];

	assert(table->clients);
	return place ? &table->clients[place - 1] : NULL;
}

bool done_table_knows(const struct done_table *table, struct client_id client)
{
	return find_client(table, client);
}

int done_table_init(struct done_table *table, unsigned int clients, unsigned int window)
{
	unsigned int places = 2;

	assert(clients > 0 && clients <= UINT32_MAX / 4 && window > 0);
	while (places < 2 * clients)
		places *= 2;
	*table = (struct done_table){ .nr_clients = clients, .window = window, .places_mask = places - 1 };
	table->clients = calloc(clients, sizeof(table->clients[0]));
	table->requests = calloc((size_t)clients * window, sizeof(table->requests[0]));
	table->places = calloc(places, sizeof(table->places[0]));
	table->free = calloc(clients, sizeof(table->free[0]));
	if (!table->clients || !table->requests || !table->places || !table->free) {
		done_table_free(table);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < clients; i++)
		table->clients[i].requests = &table->requests[(size_t)i * window];
	done_table_clear(table);
	return 0;
}

void done_table_free(struct done_table *table)
{
	free(table->clients);
	free(table->requests);
	free(table->places);
	free(table->free);
	*table = (struct done_table){ 0 };
}

/* Its number is the next that is taken. */
static void free_client(struct done_table *table, struct done_client *client)
{
	table->nr_unsure -= client->nr_unsure;
	client->nr_unsure = 0;
	client->id = (struct client_id){ 0 };
	client->open = (struct client_open){ 0 };
	client->absent = 0;
	client->lowest = 0;
	memset(client->requests, 0, table->window * sizeof(client->requests[0]));
	table->free[table->nr_free++] = (unsigned int)(client - table->clients);
}

void done_table_clear(struct done_table *table)
{
	memset(table->places, 0, ((size_t)table->places_mask + 1) * sizeof(table->places[0]));
	table->nr_free = 0;
	/* The lowest numbers are taken first. */
	for (unsigned int i = table->nr_clients; i > 0; i--)
		free_client(table, &table->clients[i - 1]);
}

static struct done_client *take_client(struct done_table *table, struct client_id id)
{
	struct done_client *client;
	unsigned int number;

	if (table->nr_free == 0)
		return NULL;
	number = table->free[--table->nr_free];
	client = &table->clients[number];
	client->id = id;
	table->places[find_place(table, id)] = number + 1;
	return client;
}

/* Another takes its place, or nobody asks for it any more. */
static void forget_request(struct done_table *table, struct done_client *client, struct done_request *request)
{
	table->nr_unsure -= request->unsure;
	client->nr_unsure -= request->unsure;
	*request = (struct done_request){ 0 };
}

static void raise_lowest(struct done_table *table, struct done_client *client, uint64_t lowest)
{
	if (lowest <= client->lowest)
		return;
	client->lowest = lowest;
	for (unsigned int i = 0; i < table->window && client->nr_unsure > 0; i++) {
		if (client->requests[i].unsure && client->requests[i].request < lowest)
			forget_request(table, client, &client->requests[i]);
	}
}

static int add(struct done_table *table, struct client_id client, uint64_t lowest, const struct done_request *done)
{
	struct done_client *of;
	struct done_request *at;

	if (client.forwarder == 0)
		return 0;
	of = find_client(table, client);
	if (of && of->lowest > lowest)
		lowest = of->lowest;
	if (done->request >= lowest && done->request - lowest >= table->window)
		return -ERANGE;
	if (!of)
		of = take_client(table, client);
	if (!of)
		return -ENOSPC;
	raise_lowest(table, of, lowest);
	if (done->request < lowest)
		return 0;
	at = &of->requests[done->request % table->window];
	forget_request(table, of, at);
	*at = *done;
	table->nr_unsure += done->unsure;
	of->nr_unsure += done->unsure;
	return 0;
}

int done_table_open(struct done_table *table, struct client_id client, const struct client_open *open)
{
	struct done_client *of = find_client(table, client);

	if (!of)
		of = take_client(table, client);
	if (!of)
		return -ENOSPC;
	of->open = *open;
	return 0;
}

const struct client_open *done_table_open_of(const struct done_table *table, struct client_id client)
{
	const struct done_client *of = find_client(table, client);

	return of ? &of->open : NULL;
}

bool client_open_excludes(const struct client_open *one, const struct client_open *other)
{
	return one->open && other->open && one->device == other->device && !(one->shared && other->shared) &&
	       !(one->read_only && other->read_only);
}

int done_table_add(struct done_table *table, struct client_id client, uint64_t request, uint64_t lowest, int32_t result)
{
	const struct done_request done = { .request = request, .result = result };

	return add(table, client, lowest, &done);
}

int done_table_add_write(struct done_table *table, struct client_id client, uint64_t request, uint64_t lowest,
			 int32_t result, const struct done_range *range)
{
	const struct done_request done = { .request = request, .result = result, .range = *range };

	return add(table, client, lowest, &done);
}

int done_table_add_unsure(struct done_table *table, struct client_id client, uint64_t request, uint64_t lowest,
			  const struct done_range *range)
{
	const struct done_request done = { .request = request, .unsure = true, .range = *range };

	return add(table, client, lowest, &done);
}

/* Of a client that has one of that number; else NULL. */
static struct done_request *find_request(const struct done_table *table, const struct done_client *client,
					 uint64_t request)
{
	struct done_request *at = &client->requests[request % table->window];

	return at->request == request ? at : NULL;
}

enum done_answer done_table_find(const struct done_table *table, struct client_id client, uint64_t request,
				 int32_t *result)
{
	const struct done_client *of = client.forwarder ? find_client(table, client) : NULL;
	const struct done_request *done;

	if (!of || request == 0)
		return DONE_UNKNOWN;
	if (request < of->lowest)
		return DONE_OLD;
	done = find_request(table, of, request);
	if (!done)
		return DONE_UNKNOWN;
	if (done->unsure)
		return DONE_UNSURE;
	*result = done->result;
	return DONE_KNOWN;
}

const struct done_range *done_table_unsure(const struct done_table *table, struct client_id client, uint64_t request)
{
	int32_t result;

	return done_table_find(table, client, request, &result) == DONE_UNSURE
		       ? &find_request(table, find_client(table, client), request)->range
		       : NULL;
}

bool done_table_holds(const struct done_table *table, uint32_t device, uint64_t position, uint64_t length)
{
	for (unsigned int i = 0, seen = 0; i < table->nr_clients && seen < table->nr_unsure; i++) {
		const struct done_client *client = &table->clients[i];

		for (unsigned int k = 0; k < table->window && client->nr_unsure > 0; k++) {
			const struct done_request *at = &client->requests[k];

			if (at->unsure && at->range.device == device && at->range.position < position + length &&
			    position < at->range.position + at->range.length)
				return true;
		}
		seen += client->nr_unsure;
	}
	return false;
}

/* What one client has done here, and the primary has not. */
static void doubt_own(struct done_table *table, struct done_client *client, const struct done_table *primary)
{
	for (unsigned int i = 0; i < table->window; i++) {
		struct done_request *at = &client->requests[i];
		int32_t result;

		if (at->request < client->lowest || at->range.length == 0 || at->unsure)
			continue;
		switch (done_table_find(primary, client->id, at->request, &result)) {
		case DONE_KNOWN:
		case DONE_OLD: /* it was answered: all had it */
			break;
		case DONE_UNSURE:
		case DONE_UNKNOWN:
			if (!deliberate_bug(BUG_TEAR_TAKEN_FOR_DONE))
				done_table_add_unsure(table, client->id, at->request, client->lowest, &at->range);
		}
	}
}

/* What the primary has of one client, and this member has not. */
static void doubt_others(struct done_table *table, const struct done_client *client, unsigned int window)
{
	/* One that is not open here has nothing under way that is on all. */
	if (!client->id.forwarder || !done_table_knows(table, client->id))
		return;
	for (unsigned int i = 0; i < window; i++) {
		const struct done_request *at = &client->requests[i];
		int32_t result;

		if (at->request >= client->lowest && at->range.length > 0 &&
		    done_table_find(table, client->id, at->request, &result) == DONE_UNKNOWN)
			done_table_add_unsure(table, client->id, at->request, client->lowest, &at->range);
	}
}

void done_table_doubt(struct done_table *table, const struct done_table *primary)
{
	for (unsigned int i = 0; i < table->nr_clients; i++) {
		if (table->clients[i].id.forwarder)
			doubt_own(table, &table->clients[i], primary);
	}
	for (unsigned int i = 0; i < primary->nr_clients; i++)
		doubt_others(table, &primary->clients[i], primary->window);
}

void done_table_drop_unsure(struct done_table *table)
{
	for (unsigned int i = 0; i < table->nr_clients && table->nr_unsure > 0; i++) {
		struct done_client *client = &table->clients[i];

		for (unsigned int k = 0; k < table->window && client->nr_unsure > 0; k++) {
			if (client->requests[k].unsure)
				forget_request(table, client, &client->requests[k]);
		}
	}
}

void done_table_swap(struct done_table *table, struct done_table *other)
{
	struct done_table third = *table;

	*table = *other;
	*other = third;
}

/* Those behind an empty place come forward, if it is between them and where the search for them begins. */
static void close_gap(struct done_table *table, unsigned int gap)
{
	unsigned int mask = table->places_mask;

	for (unsigned int at = (gap + 1) & mask; table->places[at]; at = (at + 1) & mask) {
		unsigned int home = hash(table, table->clients[table->places[at] - 1].id);

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		table->places[gap] = table->places[at];
		table->places[at] = 0;
		gap = at;
	}
}

void done_table_forget(struct done_table *table, struct client_id client)
{
	unsigned int at, place;

	if (client.forwarder == 0)
		return;
	at = find_place(table, client);
	place = table->places[at];
	if (!place)
		return;
	table->places[at] = 0;
	close_gap(table, at);
	free_client(table, &table->clients[place - 1]);
}

void done_table_forget_process(struct done_table *table, uint64_t forwarder)
{
	if (forwarder == 0)
		return;
	for (unsigned int i = 0; i < table->nr_clients; i++)
		if (table->clients[i].id.forwarder == forwarder)
			done_table_forget(table, table->clients[i].id);
}

/* Those that are not below the lowest, in the order of their numbers. Returns the bytes. */
static size_t save_client(const struct done_table *table, const struct done_client *client, unsigned char *bytes)
{
	uint32_t count = 0;

	/* Numbers end before they wrap, which indices would not stand. */
	for (uint64_t i = 0; i < table->window && i <= UINT64_MAX - client->lowest; i++) {
		const struct done_request *done = &client->requests[(client->lowest + i) % table->window];
		unsigned char *at = bytes + AT_REQUESTS + (size_t)count * REQUEST_SIZE;

		if (done->request == 0 || done->request != client->lowest + i)
			continue;
		put_u64(at + AT_REQUEST, done->request);
		put_u32(at + AT_RESULT, (uint32_t)done->result);
		put_u32(at + AT_LENGTH, done->range.length);
		put_u64(at + AT_POSITION, done->range.position);
		put_u32(at + AT_DEVICE, done->range.device);
		put_u32(at + AT_UNSURE, done->unsure);
		count++;
	}
	put_u64(bytes + AT_FORWARDER, client->id.forwarder);
	put_u32(bytes + AT_CLIENT, client->id.client);
	put_u32(bytes + AT_COUNT, count);
	put_u64(bytes + AT_LOWEST, client->lowest);
	put_u32(bytes + AT_OPEN_DEVICE, client->open.device);
	put_u32(bytes + AT_OPEN, (client->open.open ? OPEN_IS : 0u) | (client->open.shared ? OPEN_SHARED : 0u) |
					 (client->open.read_only ? OPEN_READ_ONLY : 0u) |
					 (uint32_t)client->open.member << OPEN_MEMBER_SHIFT);
	return AT_REQUESTS + (size_t)count * REQUEST_SIZE;
}

size_t done_table_save(const struct done_table *table, unsigned int *next, void *data, size_t size)
{
	size_t used = 0;

	for (; *next < table->nr_clients; ++*next) {
		const struct done_client *client = &table->clients[*next];

		if (client->id.forwarder == 0)
			continue;
		if (size - used < DONE_TABLE_CLIENT_MAX(table->window))
			break;
		used += save_client(table, client, (unsigned char *)data + used);
	}
	return used;
}

/* One request behind `previous`. NULL, or what is wrong. */
static const char *load_request(struct done_table *table, struct client_id id, uint64_t lowest, uint64_t previous,
				const unsigned char *at)
{
	struct done_request done = {
		.request = get_u64(at + AT_REQUEST),
		.range = { .device = get_u32(at + AT_DEVICE),
			   .position = get_u64(at + AT_POSITION),
			   .length = get_u32(at + AT_LENGTH) },
		.result = (int32_t)get_u32(at + AT_RESULT),
		.unsure = get_u32(at + AT_UNSURE),
	};
	uint64_t end;
	int error;

	if (done.request < lowest || done.request - lowest >= table->window || done.request <= previous)
		return "a request out of its client's window or order";
	if (done.result > 0 || done.result < RESULT_MIN)
		return "a result that is none";
	if (get_u32(at + AT_UNSURE) > 1 || (done.unsure && (!done.range.length || done.result)))
		return "a request that cannot be unsure";
	if (done.range.device >= REPLICA_DEVICES_MAX ||
	    __builtin_add_overflow(done.range.position, (uint64_t)done.range.length, &end) ||
	    (!done.range.length && (done.range.position || done.range.device)))
		return "a range that cannot be";
	if (done.unsure && done_table_find(table, id, done.request, &done.result) == DONE_KNOWN)
		return NULL;
	/* Its client is in the table, and its lowest there is not lower than the one in whose window it is. */
	error = add(table, id, lowest, &done);
	assert(!error);
	(void)error;
	return NULL;
}

/* Of a saved client. NULL, or what is wrong. */
static const char *load_open(struct done_table *table, struct client_id id, const unsigned char *at)
{
	uint32_t device = get_u32(at + AT_OPEN_DEVICE), bits = get_u32(at + AT_OPEN);
	struct client_open open = {
		.open = bits & OPEN_IS,
		.shared = bits & OPEN_SHARED,
		.read_only = bits & OPEN_READ_ONLY,
		.member = (uint8_t)(bits >> OPEN_MEMBER_SHIFT & 0xff),
		.device = device,
	};

	if (device >= REPLICA_DEVICES_MAX || bits & ~((uint32_t)OPEN_BITS | 0xffu << OPEN_MEMBER_SHIFT) ||
	    open.member >= MEMBERS_MAX || (!open.open && (bits || device)))
		return "an open that cannot be";
	if (open.open) {
		int error = done_table_open(table, id, &open);

		assert(!error); /* its client is in the table */
		(void)error;
	}
	return NULL;
}

const char *done_table_load(struct done_table *table, const void *data, size_t size)
{
	const unsigned char *at = data;
	const char *wrong = NULL;

	while (size > 0 && !wrong) {
		struct client_id id;
		uint64_t lowest, previous = 0;
		uint32_t count;

		if (size < AT_REQUESTS)
			return "part of a client";
		id = (struct client_id){ get_u64(at + AT_FORWARDER), get_u32(at + AT_CLIENT) };
		count = get_u32(at + AT_COUNT);
		lowest = get_u64(at + AT_LOWEST);
		if (id.forwarder == 0)
			return "requests of nobody";
		if (count > table->window || (size - AT_REQUESTS) / REQUEST_SIZE < count)
			return "more requests than there can be";
		/* Also one without requests tells its lowest. */
		if (done_table_add(table, id, 0, lowest, 0))
			return "too many clients";
		wrong = load_open(table, id, at);
		for (uint32_t i = 0; i < count && !wrong; i++) {
			const unsigned char *request = at + AT_REQUESTS + (size_t)i * REQUEST_SIZE;

			wrong = load_request(table, id, lowest, previous, request);
			previous = get_u64(request + AT_REQUEST);
		}
		at += AT_REQUESTS + (size_t)count * REQUEST_SIZE;
		size -= AT_REQUESTS + (size_t)count * REQUEST_SIZE;
	}
	return wrong;
}
