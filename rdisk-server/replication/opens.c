/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens at the primary: which may be at the same time, who waits for whom, and the closing of those whose process is
 * gone. How each client has its device open is kept in the table of done requests, on all members.
 *
 * A close takes effect when nothing of its client is under way any more. An open that excludes another gets -EBUSY, but
 * where that one is closing, or its process is not there, it waits for what comes first: the process is back, or the
 * other is closed. The latter happens open_grace after the process was last there, or as soon as its member has another
 * process, so the wait has an end.
 */
#include <errno.h>

#include "core.h"

static bool client_is(const struct entry *entry, struct client_id client)
{
	return entry->client.forwarder == client.forwarder && entry->client.client == client.client;
}

static bool process_is_here(const struct replica *replica, uint64_t incarnation)
{
	if (replica->settings.process.incarnation == incarnation)
		return true;
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].greeted && replica->peers[i].process.incarnation == incarnation)
			return true;
	}
	return false;
}

static bool is_in(const struct entry_list *list, enum entry_kind kind, struct client_id client)
{
	for (const struct entry *at = list->first; at; at = at->next) {
		if (at->kind == kind && client_is(at, client))
			return true;
	}
	return false;
}

/* Also one that is out of the table, and not on all yet, or not answered: what is sent again is taken for it. */
bool opens_is_closing(const struct replica *replica, struct client_id client)
{
	const struct entry_list *lists[] = { &replica->queue, &replica->opens, &replica->window_waiters,
					     &replica->active, &replica->held };

	for (unsigned int i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (is_in(lists[i], ENTRY_CLOSE, client))
			return true;
	}
	return false;
}

bool opens_is_open(const struct replica *replica, struct client_id client)
{
	return done_table_knows(&replica->done, client) || is_in(&replica->queue, ENTRY_OPEN, client) ||
	       is_in(&replica->opens, ENTRY_OPEN, client) || is_in(&replica->window_waiters, ENTRY_OPEN, client);
}

/* Whether anything else of its client is not complete, or not answered. */
static bool has_more_under_way(const struct replica *replica, const struct entry *entry)
{
	const struct entry_list *lists[] = { &replica->queue,	      &replica->ordered,	&replica->active,
					     &replica->held,	      &replica->window_waiters, &replica->flush.waiting,
					     &replica->flush.covered, &replica->unsure_waiters };

	for (unsigned int i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct entry *at = lists[i]->first; at; at = at->next) {
			if (at != entry && at->role == ENTRY_OF_CLIENT && client_is(at, entry->client))
				return true;
		}
	}
	return false;
}

/* ---- which may be at the same time ---- */

enum verdict {
	OPEN_CAN_BE,
	OPEN_WAITS,
	OPEN_IS_BUSY,
};

/* Whether one that excludes it is about to be noted in the table; of the queue: one that is adopted. */
static bool is_about_to_exclude(const struct entry_list *list, struct client_id id, const struct client_open *open)
{
	for (const struct entry *at = list->first; at; at = at->next) {
		if (at->kind == ENTRY_OPEN && (at->step == STEP_WINDOW || !at->client_request) && !client_is(at, id) &&
		    client_open_excludes(&at->open, open))
			return true;
	}
	return false;
}

static enum verdict judge(struct replica *replica, struct client_id id, const struct client_open *open)
{
	enum verdict verdict = OPEN_CAN_BE;

	for (unsigned int i = 0; i < replica->done.nr_clients; i++) {
		const struct done_client *client = &replica->done.clients[i];

		if (!client->id.forwarder || !client_open_excludes(&client->open, open) ||
		    (client->id.forwarder == id.forwarder && client->id.client == id.client))
			continue;
		if (process_is_here(replica, client->id.forwarder) && !opens_is_closing(replica, client->id))
			return OPEN_IS_BUSY;
		if (!deliberate_bug(BUG_ABSENT_OWNER_IGNORED))
			verdict = OPEN_WAITS;
	}
	return is_about_to_exclude(&replica->window_waiters, id, open) || is_about_to_exclude(&replica->queue, id, open)
		       ? OPEN_IS_BUSY
		       : verdict;
}

bool opens_can_adopt(struct replica *replica, struct client_id client, const struct client_open *open)
{
	return !opens_is_closing(replica, client) && judge(replica, client, open) == OPEN_CAN_BE;
}

/* ---- who waits ---- */

/* It is done with, one way or the other, or it stays in the list. */
static void try_open(struct replica *replica, struct entry *entry)
{
	enum verdict verdict;

	/* Who may have it open is not known yet. */
	if (replica->now < replica->reign.adopt_until) {
		core_wake_at(replica, replica->reign.adopt_until);
		return;
	}
	/* Nobody waits for it: if it is still wanted it is asked for again. */
	if (!process_is_here(replica, entry->client.forwarder)) {
		entry_free(replica, entry);
		return;
	}
	verdict = judge(replica, entry->client, &entry->open);
	if (verdict == OPEN_CAN_BE) {
		primary_begin(replica, entry);
	} else if (verdict == OPEN_IS_BUSY && replica->now < replica->forward.settled_at) {
		core_wake_at(replica, replica->forward.settled_at);
	} else if (verdict == OPEN_IS_BUSY) {
		entry_remove(entry);
		entry_append(&replica->active, entry);
		entry_complete(replica, entry, -EBUSY);
	}
}

static void try_close(struct replica *replica, struct entry *entry)
{
	/* One of the primary's own, and its process came back in time. */
	if (!entry->client_request && process_is_here(replica, entry->client.forwarder))
		entry_free(replica, entry);
	else if (!has_more_under_way(replica, entry))
		primary_begin(replica, entry);
}

/* An open that waits is not wanted any more. */
static void forget_open(struct replica *replica, struct client_id client)
{
	struct entry *next;

	for (struct entry *at = replica->opens.first; at; at = next) {
		next = at->next;
		if (at->kind == ENTRY_OPEN && client_is(at, client))
			entry_free(replica, at);
	}
}

void opens_start(struct replica *replica, struct entry *entry)
{
	if (entry->kind == ENTRY_CLOSE)
		forget_open(replica, entry->client);
	entry_append(&replica->opens, entry);
	if (entry->kind == ENTRY_CLOSE)
		try_close(replica, entry);
	else
		try_open(replica, entry);
}

void opens_go_on(struct replica *replica)
{
	struct entry *next;

	if (replica->reign.role != ROLE_SERVING)
		return;
	/* Closes first: opens wait for them. */
	for (struct entry *at = replica->opens.first; at; at = next) {
		next = at->next;
		if (at->kind == ENTRY_CLOSE)
			try_close(replica, at);
	}
	for (struct entry *at = replica->opens.first; at; at = next) {
		next = at->next;
		if (at->kind == ENTRY_OPEN)
			try_open(replica, at);
	}
}

/* ---- whose process is gone ---- */

static void forget_absence(struct replica *replica)
{
	for (unsigned int i = 0; i < replica->done.nr_clients; i++)
		replica->done.clients[i].absent = 0;
}

void opens_reign_begins(struct replica *replica)
{
	forget_absence(replica);
	replica->forward.next_look = 0;
}

/* What was sent to the last primary is sent again: time for a close to come before an open is refused because of it. */
void opens_serve(struct replica *replica)
{
	replica->forward.settled_at = replica->now + 2 * replica->settings.heartbeat;
}

void opens_process_changed(struct replica *replica, uint64_t incarnation)
{
	for (unsigned int i = 0; i < replica->done.nr_clients; i++) {
		if (replica->done.clients[i].id.forwarder == incarnation)
			replica->done.clients[i].absent = 0;
	}
	replica->forward.next_look = 0;
	core_wake_at(replica, replica->now);
}

/* Another process is its member by now: what it asked for it has forgotten, and nobody comes back for it. */
static bool is_replaced(const struct replica *replica, const struct done_client *client)
{
	int member = client->open.member;

	return client->open.open && (member == replica->settings.self || replica->peers[member].greeted);
}

/* Opens of processes that were not there for open_grace, or whose member has another process, are closed. */
void opens_tick(struct replica *replica)
{
	struct forward *forward = &replica->forward;

	if (replica->reign.role != ROLE_SERVING)
		return;
	/* Who is cut off itself cannot tell who is gone. */
	if (!lease_holds(replica)) {
		forget_absence(replica);
		forward->next_look = replica->now + replica->settings.heartbeat;
	}
	if (forward->next_look > replica->now) {
		core_wake_at(replica, forward->next_look);
		return;
	}
	forward->next_look = replica->now + replica->settings.open_grace;
	for (unsigned int i = 0; i < replica->done.nr_clients; i++) {
		struct done_client *client = &replica->done.clients[i];
		struct entry *entry;
		uint64_t end;

		if (!client->id.forwarder || process_is_here(replica, client->id.forwarder)) {
			client->absent = 0;
			continue;
		}
		if (!client->absent)
			client->absent = replica->now;
		end = is_replaced(replica, client) ? replica->now : client->absent + replica->settings.open_grace;
		if (end > replica->now) {
			if (end < forward->next_look)
				forward->next_look = end;
			continue;
		}
		if (opens_is_closing(replica, client->id))
			continue;
		if (!entry_room(replica)) {
			forward->next_look = replica->now + replica->settings.heartbeat;
			continue;
		}
		entry = entry_take(replica, ENTRY_OF_CLIENT, ENTRY_CLOSE, 0, 0, 0, NULL, NULL);
		entry->client = client->id;
		opens_start(replica, entry);
	}
	core_wake_at(replica, forward->next_look);
}
