/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages that wait for room, as a list of clients, first come first begun for each disk; see deferred.h.
 */
#include "deferred.h"

#include "dvk.h"

/* Whether a disk that has none, or would leave as many free as it has, takes so many more. */
static bool has_room(const struct server *server, const struct device *device, unsigned int count)
{
	return device->nr_under_way == 0 || device->nr_under_way + 2 * count <= server->requests.nr_free;
}

bool deferred_is_full(const struct server *server, const struct device *device, unsigned int count, bool again)
{
	if (!device)
		return false;
	for (const struct client *client = server->deferred; client && !again; client = client->next_deferred) {
		if (client->deferred_for == device)
			return true;
	}
	return !has_room(server, device, count);
}

void deferred_add(struct server *server, const message *asked, const struct device *device, unsigned int count)
{
	struct client *client = client_of(server, asked->m_source);
	struct client **at = &server->deferred;

	while (*at)
		at = &(*at)->next_deferred;
	*at = client;
	client->next_deferred = NULL;
	client->deferred_for = device;
	client->nr_deferred = count;
	client->deferred_ns = server->received_ns;
	client->message = *asked;
	client->open = true;
}

/* Whether somebody before it waits for the same disk. */
static bool is_behind(const struct server *server, const struct client *client)
{
	for (const struct client *at = server->deferred; at != client; at = at->next_deferred) {
		if (at->deferred_for == client->deferred_for)
			return true;
	}
	return false;
}

bool deferred_next(struct server *server, message *asked)
{
	struct client *next;

	for (struct client *client = server->deferred; client; client = next) {
		next = client->next_deferred;
		if (!has_room(server, client->deferred_for, client->nr_deferred) || is_behind(server, client))
			continue;
		if (dvk_peer_incarnation(client->message.m_source) != client->incarnation) {
			client_forget(server, client->message.m_source);
			continue;
		}
		*asked = client->message;
		server->received_ns = client->deferred_ns;
		deferred_drop(server, client);
		client->open = false;
		return true;
	}
	return false;
}

void deferred_drop(struct server *server, struct client *client)
{
	struct client **at = &server->deferred;

	if (!client->deferred_for)
		return;
	while (*at != client)
		at = &(*at)->next_deferred;
	*at = client->next_deferred;
	client->deferred_for = NULL;
}
