/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of clients and of what they ask for: see the header. What they ask for is sim_load.c's choice.
 */
#include "sim_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim_contents.h"
#include "sim_load.h"
#include "sim_memory.h"
#include "sim_process.h"

enum operation_state {
	OPERATION_OPEN, /* not answered */
	OPERATION_ANSWERED,
	OPERATION_LOST,	     /* its client is dead */
	OPERATION_FORGOTTEN, /* and the core was told */
};

struct sim_operation {
	struct replica_request request; /* first */
	struct sim_client *client;	/* NULL: FORGOTTEN */
	uint64_t op;
	enum operation_state state;
	unsigned char *data;
	struct sim_operation *next;
};

enum client_state {
	CLIENT_OPENING,
	CLIENT_OPEN,
	CLIENT_CLOSING,
};

struct sim_client {
	struct sim_slot *slot; /* NULL: it is dead */
	uint32_t number;       /* at its process */
	int id;		       /* in the history */
	uint32_t device;
	enum client_state state;
	bool shared, read_only; /* how it opens the device */
	bool trouble;		/* it was answered an error: it opens the device anew */
	unsigned int outstanding;
	struct sim_operation *operations;
};

/* ---- operations ---- */

static void trace_operation(struct sim_host *host, const struct sim_operation *operation, const char *what)
{
	static const char *const names[ENTRY_KINDS] = {
		[ENTRY_WRITE] = "write", [ENTRY_ZEROES] = "zeroes", [ENTRY_READ] = "read",
		[ENTRY_FLUSH] = "flush", [ENTRY_OPEN] = "open",	    [ENTRY_CLOSE] = "close",
	};
	const struct replica_request *request = &operation->request;

	sim_trace(host->world, host->member,
		  "client %d %s op %" PRIu64 ": %s device %" PRIu32 " %" PRIu64 "+%" PRIu64 "%s", operation->client->id,
		  what, operation->op, names[request->kind], request->device, request->position, request->length,
		  request->stable ? " stable" : "");
}

static enum history_kind history_kind_of(enum entry_kind kind)
{
	switch (kind) {
	case ENTRY_WRITE:
		return HISTORY_WRITE;
	case ENTRY_ZEROES:
		return HISTORY_ZEROES;
	case ENTRY_FLUSH:
		return HISTORY_FLUSH;
	case ENTRY_OPEN:
		return HISTORY_OPEN;
	case ENTRY_CLOSE:
		return HISTORY_CLOSE;
	case ENTRY_READ:
	case ENTRY_KINDS:
		break;
	}
	return HISTORY_READ;
}

static void begin_operation(struct sim_client *client, const struct sim_wish *wish)
{
	struct sim_host *host = client->slot->host;
	struct sim_world *world = host->world;
	struct sim_operation *operation = sim_new(sizeof(*operation));
	struct sim_item item = { .kind = SIM_ITEM_SUBMIT, .operation = operation };

	operation->client = client;
	operation->op = ++world->ops;
	operation->request = (struct replica_request){
		.kind = wish->kind,
		.client = client->number,
		.device = client->device,
		.position = wish->position,
		.length = wish->length,
		.stable = wish->stable,
		.shared = client->shared,
		.read_only = client->read_only,
	};
	/* The core is to hold it, or to copy it. */
	if (wish->kind == ENTRY_WRITE && operation->op % 2) {
		operation->request.memory = sim_there(replica_data_create(wish->length));
		operation->data = operation->request.memory->bytes;
	} else if (wish->kind == ENTRY_WRITE || wish->kind == ENTRY_READ) {
		operation->data = sim_new(wish->length);
	}
	operation->request.data = operation->data;
	if (wish->kind == ENTRY_WRITE) {
		const struct sim_contents contents = { .seed = world->seed,
						       .client = (uint32_t)client->id,
						       .device = client->device,
						       .op = operation->op };

		sim_contents_fill(operation->data, wish->position, wish->length, &contents);
	}
	operation->next = client->operations;
	client->operations = operation;
	client->outstanding++;
	world->outstanding++;
	trace_operation(host, operation, "asks");
	history_begin(world->history, world->engine.now, client->id, operation->op, history_kind_of(wish->kind),
		      client->device, wish->position, wish->length, wish->kind == ENTRY_WRITE ? operation->data : NULL,
		      wish->stable);
	if (wish->kind == ENTRY_OPEN)
		history_open_as(world->history, operation->op,
				(client->shared ? 0 : HISTORY_EXCLUSIVE) |
					(client->read_only ? HISTORY_READS_ONLY : 0));
	sim_process_happens(host->process, SIM_SOURCE_CLIENT, &item);
}

/* As a server does, which then has nothing more to do with the core; some only, or few reads were entries. */
static bool read_at_once(struct sim_process *process, struct sim_operation *operation)
{
	const struct replica_request *request = &operation->request;
	const struct iovec vector = { operation->data, request->length };
	struct io io = {
		.operation = IO_READ,
		.client = request->client,
		.position = request->position,
		.length = request->length,
		.vector = &vector,
		.count = 1,
	};

	return request->kind == ENTRY_READ && sim_chance(&process->host->world->client_random, 1, 2) &&
	       replica_read_at_once(process->replica, sim_process_now(process), (int)request->device, &io);
}

void sim_client_submits(struct sim_process *process, struct sim_operation *operation)
{
	if (!read_at_once(process, operation)) {
		replica_submit(process->replica, sim_process_now(process), &operation->request);
		return;
	}
	operation->request.result = 0;
	sim_client_answered(process, &operation->request);
}

static void take_out(struct sim_client *client, struct sim_operation *operation)
{
	struct sim_operation **link = &client->operations;

	while (*link != operation)
		link = &(*link)->next;
	*link = operation->next;
}

static void free_data(struct sim_operation *operation)
{
	if (operation->request.memory)
		replica_data_release(operation->request.memory);
	else
		free(operation->data);
	operation->request.memory = NULL;
	operation->data = NULL;
}

static void free_operation(struct sim_operation *operation)
{
	free_data(operation);
	free(operation);
}

static void free_client(struct sim_client *client)
{
	while (client->operations) {
		struct sim_operation *operation = client->operations;

		client->operations = operation->next;
		free_operation(operation);
	}
	free(client);
}

/* Nobody will hear of what it has asked for. */
static void lose_operations(struct sim_world *world, struct sim_client *client)
{
	for (struct sim_operation *operation = client->operations; operation; operation = operation->next) {
		operation->state = OPERATION_LOST;
		world->outstanding--;
		history_lost(world->history, world->engine.now, operation->op);
	}
}

/* ---- what a client does next ---- */

static void go_on(struct sim_slot *slot)
{
	struct sim_world *world = slot->host->world;

	if (!sim_scheduled(&slot->think))
		sim_schedule(&world->engine, &slot->think,
			     world->engine.now + sim_spread(&world->client_random, 1, 2 * SIM_MILLISECOND));
}

/* A scripted one writes, and is as all are where they are not mixed. */
static void choose_access(struct sim_client *client)
{
	struct sim_world *world = client->slot->host->world;

	client->shared = world->settings.shared != SIM_OPENS_EXCLUSIVE;
	if (world->settings.shared != SIM_OPENS_MIXED || client->slot->scripted)
		return;
	client->shared = sim_chance(&world->client_random, 1, 2);
	client->read_only = sim_chance(&world->client_random, 1, 4);
}

static void open_device(struct sim_slot *slot)
{
	struct sim_world *world = slot->host->world;
	struct sim_client *client = sim_new(sizeof(*client));
	const struct sim_wish wish = { .kind = ENTRY_OPEN };

	client->slot = slot;
	client->number = ++slot->host->process->clients;
	client->id = world->clients++;
	client->device = slot->wishes ? slot->wishes->device
				      : (uint32_t)sim_below(&world->client_random, world->settings.devices);
	choose_access(client);
	slot->client = client;
	begin_operation(client, &wish);
}

static void close_device(struct sim_client *client)
{
	const struct sim_wish wish = { .kind = ENTRY_CLOSE };

	client->state = CLIENT_CLOSING;
	begin_operation(client, &wish);
}

/* The server is told that the client is gone; what it asked for stays its memory until then. */
static void die(struct sim_slot *slot)
{
	struct sim_client *client = slot->client;
	struct sim_item item = { .kind = SIM_ITEM_FORGET, .client = client };

	sim_trace(slot->host->world, slot->host->member, "client %d dies", client->id);
	lose_operations(slot->host->world, client);
	slot->client = NULL;
	client->slot = NULL;
	go_on(slot);
	sim_process_happens(slot->host->process, SIM_SOURCE_CLIENT, &item);
}

static bool wants_to_leave(const struct sim_slot *slot)
{
	const struct sim_client *client = slot->client;

	return client->trouble || (slot->host->world->finishing && !slot->wishes) ||
	       (slot->wishes && slot->wishes->device != client->device);
}

/* Who only reads tries to write now and then. */
static void only_read(struct sim_client *client, struct sim_wish *wish)
{
	if (sim_chance(&client->slot->host->world->client_random, 1, 64))
		return;
	wish->kind = ENTRY_READ;
	wish->stable = false;
	if (wish->length > MESSAGE_DATA_MAX)
		wish->length = MESSAGE_DATA_MAX;
}

static void ask(struct sim_slot *slot)
{
	struct sim_world *world = slot->host->world;
	struct sim_client *client = slot->client;
	struct sim_wish wish;

	if (wants_to_leave(slot)) {
		if (!client->outstanding)
			close_device(client);
		return;
	}
	if (client->outstanding >= (slot->scripted ? 4 : world->settings.depth))
		return;
	switch (sim_load_next(slot, &wish)) {
	case SIM_LOAD_WISH:
		if (client->read_only && wish.kind != ENTRY_FLUSH)
			only_read(client, &wish);
		begin_operation(client, &wish);
		break;
	case SIM_LOAD_CLOSE:
		client->trouble = true;
		break;
	case SIM_LOAD_DIE:
		die(slot);
		return;
	case SIM_LOAD_PAUSE:
		sim_schedule(&world->engine, &slot->think, world->engine.now + sim_load_pause(world));
		return;
	case SIM_LOAD_NOTHING:
		return;
	}
	go_on(slot);
}

static void think(struct sim_event *event)
{
	struct sim_slot *slot = SIM_OWNER(event, struct sim_slot, think);

	if (!slot->host->process || slot->host->process->ending)
		return;
	if (slot->client) {
		if (slot->client->state == CLIENT_OPEN)
			ask(slot);
	} else if (slot->wishes ||
		   (!slot->scripted && !slot->host->world->finishing && slot->host->world->requests_left)) {
		open_device(slot);
	}
}

/* ---- answers ---- */

static void leave(struct sim_slot *slot, uint64_t pause)
{
	struct sim_world *world = slot->host->world;

	free_client(slot->client);
	slot->client = NULL;
	sim_schedule(&world->engine, &slot->think,
		     world->engine.now + sim_spread(&world->client_random, SIM_MILLISECOND, pause));
}

static void went(struct sim_client *client, enum entry_kind kind, int result)
{
	struct sim_slot *slot = client->slot;

	switch (client->state) {
	case CLIENT_OPENING:
		client->state = CLIENT_OPEN;
		if (result)
			leave(slot, result == -EBUSY ? 10 * SIM_SECOND : SIM_SECOND);
		else
			go_on(slot);
		break;
	case CLIENT_CLOSING:
		leave(slot, SIM_SECOND);
		break;
	case CLIENT_OPEN:
		if (result)
			sim_trace(slot->host->world, slot->host->member, "client %d: kind %d failed: %s", client->id,
				  (int)kind, strerror(-result));
		client->trouble |= result;
		go_on(slot);
		break;
	}
}

void sim_client_answered(struct sim_process *process, struct replica_request *request)
{
	struct sim_operation *operation = (struct sim_operation *)(void *)request;
	struct sim_world *world = process->host->world;
	struct sim_client *client = operation->client;
	enum entry_kind kind = request->kind;
	int result = request->result;

	switch (operation->state) {
	case OPERATION_LOST:
		return;
	case OPERATION_ANSWERED:
	case OPERATION_FORGOTTEN:
		sim_fail(world, "%c answered op %" PRIu64 " %s", sim_letter(process->host->member), operation->op,
			 operation->state == OPERATION_ANSWERED ? "twice" : "of a client that was forgotten");
		return;
	case OPERATION_OPEN:
		break;
	}
	operation->state = OPERATION_ANSWERED;
	world->outstanding--;
	world->counts.answers++;
	world->counts.errors += result != 0;
	sim_digest(world, operation->op, (uint64_t)(int64_t)result);
	if (result && world->expect_no_errors)
		sim_fail(world, "op %" PRIu64 " was answered an error: %d", operation->op, result);
	trace_operation(process->host, operation, result ? "is answered an error for" : "is answered");
	if (!result && client->read_only && (kind == ENTRY_WRITE || kind == ENTRY_ZEROES))
		sim_fail(world, "op %" PRIu64 " was done, of an open that only reads", operation->op);
	if (result > 0)
		sim_fail(world, "op %" PRIu64 " was answered %d, which is no result", operation->op, result);
	history_end(world->history, world->engine.now, client->id, operation->op, result,
		    kind == ENTRY_READ && !result ? operation->data : NULL);
	client->outstanding--;
	take_out(client, operation);
	free_operation(operation);
	went(client, kind, result);
}

/* What is forgotten stays where it is until the process dies, useless: so who still uses it is found. */
void sim_client_is_forgotten(struct sim_process *process, struct sim_client *client)
{
	replica_forget_client(process->replica, sim_process_now(process), client->number);
	while (client->operations) {
		struct sim_operation *operation = client->operations;

		client->operations = operation->next;
		free_data(operation);
		memset(&operation->request, 0xee, sizeof(operation->request));
		operation->request.memory = NULL;
		operation->client = NULL;
		operation->state = OPERATION_FORGOTTEN;
		operation->next = process->forgotten;
		process->forgotten = operation;
	}
	free(client);
}

/* ---- all of a host ---- */

void sim_clients_init(struct sim_host *host)
{
	uint64_t count = host->world->settings.clients;

	host->slots = sim_new((count + 1) * sizeof(struct sim_slot));
	for (uint64_t i = 0; i <= count; i++) {
		struct sim_slot *slot = &host->slots[i];

		slot->host = host;
		slot->think.fire = think;
		slot->scripted = i == count;
	}
}

static struct sim_slot *scripted_slot(const struct sim_host *host)
{
	return &host->slots[host->world->settings.clients];
}

void sim_clients_free(struct sim_host *host)
{
	struct sim_slot *slot = scripted_slot(host);

	while (slot->wishes) {
		struct sim_wish *wish = slot->wishes;

		slot->wishes = wish->next;
		free(wish);
	}
	free(host->slots);
	host->slots = NULL;
}

void sim_clients_start(struct sim_host *host)
{
	struct sim_world *world = host->world;

	for (uint64_t i = 0; i <= world->settings.clients; i++)
		sim_schedule(&world->engine, &host->slots[i].think,
			     world->engine.now + sim_spread(&world->client_random, SIM_MILLISECOND, SIM_SECOND));
}

/* Clients that died before, and were not forgotten yet, are in the inbox: sim_process_die() frees that. */
void sim_clients_die(struct sim_process *process)
{
	struct sim_host *host = process->host;

	for (uint64_t i = 0; i <= host->world->settings.clients; i++) {
		struct sim_slot *slot = &host->slots[i];

		sim_cancel(&host->world->engine, &slot->think);
		if (!slot->client)
			continue;
		lose_operations(host->world, slot->client);
		free_client(slot->client);
		slot->client = NULL;
	}
	while (process->forgotten) {
		struct sim_operation *operation = process->forgotten;

		process->forgotten = operation->next;
		free_operation(operation);
	}
	for (const struct sim_item *item = process->inbox[SIM_SOURCE_CLIENT].first; item; item = item->next) {
		if (item->kind == SIM_ITEM_FORGET)
			free_client(item->client);
	}
}

void sim_client_wish(struct sim_host *host, const struct sim_wish *wish)
{
	struct sim_slot *slot = scripted_slot(host);
	struct sim_wish **link = &slot->wishes;
	struct sim_wish *copy = sim_copy(wish, sizeof(*wish));

	while (*link)
		link = &(*link)->next;
	copy->next = NULL;
	*link = copy;
	host->world->wishes++;
	sim_schedule(&host->world->engine, &slot->think, host->world->engine.now);
}

void sim_client_kill(struct sim_host *host)
{
	uint64_t count = host->world->settings.clients;

	for (uint64_t i = 0, first = sim_below(&host->world->client_random, count + 1); i <= count; i++) {
		struct sim_slot *slot = &host->slots[(first + i) % (count + 1)];

		if (slot->client && host->process) {
			die(slot);
			return;
		}
	}
}

void sim_clients_wake(struct sim_world *world)
{
	for (int member = 0; member < world->members; member++) {
		for (uint64_t i = 0; i < world->settings.clients; i++) {
			struct sim_slot *slot = &world->hosts[member].slots[i];
			uint64_t time = world->engine.now + sim_spread(&world->client_random, 1, 200 * SIM_MILLISECOND);

			if (sim_scheduled(&slot->think) && slot->think.time > time)
				sim_schedule(&world->engine, &slot->think, time);
		}
	}
}

void sim_clients_finish(struct sim_world *world)
{
	world->finishing = true;
	for (int member = 0; member < world->members; member++) {
		for (uint64_t i = 0; i <= world->settings.clients; i++)
			sim_schedule(&world->engine, &world->hosts[member].slots[i].think, world->engine.now);
	}
}
