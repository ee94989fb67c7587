/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is owed what; see clients.h.
 */
#include "clients.h"

#include <assert.h>

#include "client_memory.h"
#include "dvk.h"
#include "server.h"

static_assert(offsetof(struct front_request, request) == 0, "request/ gives back what it was given");

struct front_request *front_request_take(struct server *server, int client)
{
	struct front_request *request = (struct front_request *)request_take(&server->requests);

	assert(request);
	request->client = client;
	request->owner = client_of(server, client);
	request->waits_for_client = false;
	request->in_set = false;
	request->pinned = false;
	request->recorded = false;
	return request;
}

void front_request_release(struct server *server, struct front_request *request)
{
	if (request->pinned)
		dvk_unpin(&request->pin);
	if (request->waits_for_client)
		server->nr_client_waiters--;
	server->nr_set_requests -= request->in_set;
	request_free(&server->requests, &request->request);
}

static bool is_owed_anything(const struct client *client)
{
	return client->open || client->requests || client->nr_results > 0;
}

void client_add(struct front_request *request)
{
	struct client *client = request->owner;

	request->previous = NULL;
	request->next = client->requests;
	if (client->requests)
		client->requests->previous = request;
	client->requests = request;
}

void client_remove(struct front_request *request)
{
	if (request->previous)
		request->previous->next = request->next;
	else
		request->owner->requests = request->next;
	if (request->next)
		request->next->previous = request->previous;
}

bool client_meet(struct server *server, int endpoint)
{
	struct client *client = client_of(server, endpoint);
	int incarnation = dvk_peer_incarnation(endpoint);

	if (client->incarnation != incarnation)
		client_forget(server, endpoint);
	client->incarnation = incarnation;
	return incarnation >= 0;
}

bool client_lives(const struct server *server, int endpoint)
{
	const struct client *client = &server->clients[dvk_endpoint_slot(endpoint)];

	return !is_owed_anything(client) || dvk_peer_incarnation(endpoint) == client->incarnation;
}

void client_abandon(struct server *server, struct front_request *request)
{
	struct device *device = request->request.disk ? device_of(request->request.disk) : NULL;

	client_remove(request);
	/* What it has given up it does not have open; if the process is another, all that the last one had is gone. */
	if (request->request.operation == REQUEST_OPEN && request->request.phase != REQUEST_DONE && device &&
	    device_has_open(device, request->client))
		device_open_failed(device, request->client);
	request_abandon(&server->requests, &request->request);
}

void client_defer(struct server *server, struct client *client)
{
	client->deferred = true;
	client->next_deferred = NULL;
	if (server->first_deferred)
		server->last_deferred->next_deferred = client;
	else
		server->first_deferred = client;
	server->last_deferred = client;
}

void client_undefer(struct server *server, struct client *client)
{
	struct client *before = NULL;

	if (!client->deferred)
		return;
	client->deferred = false;
	for (struct client *at = server->first_deferred; at != client; at = at->next_deferred)
		before = at;
	if (before)
		before->next_deferred = client->next_deferred;
	else
		server->first_deferred = client->next_deferred;
	if (server->last_deferred == client)
		server->last_deferred = before;
}

void client_give_up(struct server *server, int endpoint)
{
	struct client *client = client_of(server, endpoint);
	struct front_request *next;

	for (struct front_request *request = client->requests; request; request = next) {
		next = request->next;
		if (request->kind != ANSWER_COLLECTED)
			client_abandon(server, request);
	}
	client_undefer(server, client);
	client->open = false;
	client->collects = false;
	client->in_batch = false;
	client->elements = 0;
	client->told = 0;
}

void client_forget(struct server *server, int endpoint)
{
	struct client *client = client_of(server, endpoint);

	client_give_up(server, endpoint);
	while (client->requests)
		client_abandon(server, client->requests);
	client->nr_suspended = 0;
	client->nr_results = 0;
}

void clients_forget_dead(struct server *server)
{
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		if (!client_lives(server, slot - NR_TASKS))
			client_forget(server, slot - NR_TASKS);
	}
}

void clients_forget_all(struct server *server)
{
	for (int slot = 0; slot < NR_SLOTS; slot++)
		client_forget(server, slot - NR_TASKS);
}
