/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core tells, and what becomes of connections, in the log and for who else is told; see member_internal.h.
 */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "member_internal.h"

#define HASTY_NS  UINT64_C(2000000000) /* a session that ends, or follows upon another, so soon has come to nothing */
#define HASTY_MAX 2

static const char *name_of(const struct member *member, int index)
{
	return index >= 0 && index < member->settings.members ? member->settings.names[index] : "-";
}

static const char *text_of(const struct replica_event *event)
{
	return event->text ? event->text : "";
}

/* Whether one that is in the queue says the same to who is told at the turn's end. */
static bool is_there(const struct member_events *events, const struct replica_event *event)
{
	for (unsigned int i = 0; i < events->count; i++) {
		const struct replica_event *other = &events->queue[i].event;

		if (other->kind != event->kind || other->member != event->member)
			continue;
		if (event->kind == REPLICA_EVENT_EPOCH)
			return true;
		if (event->kind == REPLICA_EVENT_REFUSED && !strcmp(text_of(other), text_of(event)))
			return true;
	}
	return false;
}

/* What is between this member and another one, whoever was told of it already. */
static void note_refusal(struct member *member, const struct replica_event *event)
{
	struct member_connection *connection;

	if (event->member == NO_MEMBER || event->member == member->settings.self || !event->text ||
	    (event->kind != REPLICA_EVENT_REFUSED && event->kind != REPLICA_EVENT_SPLIT))
		return;
	connection = &member->events.connections[event->member];
	(void)snprintf(connection->why, sizeof(connection->why), "%s", event->text);
}

void member_events_add(struct member *member, const struct replica_event *event)
{
	struct member_events *events = &member->events;
	struct member_event *place = &events->queue[events->count];

	note_refusal(member, event);
	if (is_there(events, event))
		return;
	if (events->count == MEMBER_EVENTS_MAX) {
		events->left_out++;
		return;
	}
	place->event = *event;
	if (event->text) {
		(void)snprintf(place->text, sizeof(place->text), "%s", event->text);
		place->event.text = place->text;
	}
	events->count++;
}

/* ---- connections ---- */

static void say_up(const struct member *member, int from)
{
	log_info("set %s: connected to %s", member->settings.set, name_of(member, from));
}

void member_events_up(struct member *member, int from)
{
	struct member_connection *connection = &member->events.connections[from];

	connection->up = true;
	connection->greeted = false;
	connection->began = member_now();
	if (connection->began - connection->went > HASTY_NS)
		connection->hasty = 0;
	connection->said = !connection->vain;
	if (connection->said)
		say_up(member, from);
}

/*
 * One that was not greeted was ended by a member that is there: it has refused this one, or was refused. So were
 * several that follow upon each other and last for moments; one or two are those of a process that is restarted and
 * killed.
 */
static void note_answer(struct member_connection *connection)
{
	uint64_t now = member_now();

	connection->hasty = now - connection->began < HASTY_NS ? connection->hasty + 1 : 0;
	connection->went = now;
	if (!connection->greeted || connection->hasty > HASTY_MAX)
		connection->answered = now;
}

static void gone(struct member *member, struct member_connection *connection, const char *why)
{
	(void)snprintf(connection->end, sizeof(connection->end), "%s", why);
	if (connection->up)
		note_answer(connection);
	connection->vain = !connection->greeted;
	member->events.moved |= connection->up && connection->greeted;
	connection->up = false;
}

void member_events_down(struct member *member, int from, const char *why)
{
	struct member_connection *connection = &member->events.connections[from];
	bool due = log_repeat_due(&connection->ended, log_repeat_of(why), member_now());

	if (connection->said || due)
		log_info("set %s: not connected to %s any more: %s", member->settings.set, name_of(member, from), why);
	/* Of an order of it that was refused: that did not end it. */
	if (connection->greeted)
		connection->why[0] = '\0';
	gone(member, connection, why);
}

void member_events_hung_up(struct member *member, int to)
{
	gone(member, &member->events.connections[to], SESSION_HUNG_UP);
}

/* Those that have turned out not to be in vain. */
static void look_whether_greeted(struct member *member)
{
	struct replica_status status;
	bool any = false;

	for (int i = 0; i < member->settings.members; i++)
		any |= member->events.connections[i].up && !member->events.connections[i].greeted;
	if (!any)
		return;
	replica_status(member->replica, &status);
	for (int i = 0; i < member->settings.members; i++) {
		struct member_connection *connection = &member->events.connections[i];

		if (!connection->up || connection->greeted || !status.members[i].connected)
			continue;
		if (!connection->said)
			say_up(member, i);
		*connection = (struct member_connection){
			.up = true,
			.greeted = true,
			.said = true,
			.began = connection->began,
			.went = connection->went,
			.hasty = connection->hasty,
		};
		member->events.moved = true;
	}
}

/* ---- telling ---- */

static void log_epoch(const struct member *member)
{
	struct replica_status status;
	char in_sync[256] = "";
	size_t used = 0;

	replica_status(member->replica, &status);
	for (int i = 0; i < member->settings.members && used < sizeof(in_sync); i++) {
		int length;

		if (!member_in(status.configuration.in_sync, i))
			continue;
		length = snprintf(in_sync + used, sizeof(in_sync) - used, " %s", name_of(member, i));
		used += length > 0 ? (size_t)length : 0;
	}
	log_info("set %s: generation %llu, epoch %llu: primary %s, in sync:%s", member->settings.set,
		 (unsigned long long)status.configuration.generation.number,
		 (unsigned long long)status.configuration.epoch, name_of(member, (int)status.configuration.primary),
		 in_sync);
}

/* Whether who is told has not heard of it lately. */
static bool log_refused(struct member *member, const struct replica_event *event)
{
	const char *text = text_of(event);

	/* It is not refused by itself: it says why it does not do something. */
	if (event->member == member->settings.self) {
		log_limited(LOG_LEVEL_WARNING, "set %s: this member: %s", member->settings.set, text);
		return true;
	}
	if (!log_repeat_due(&member->events.connections[event->member].refused, log_repeat_of(text), member_now()))
		return false;
	log_limited(LOG_LEVEL_WARNING, "set %s: member %s is refused: %s", member->settings.set,
		    name_of(member, event->member), text);
	return true;
}

static void tell(struct member *member, const struct replica_event *event)
{
	const char *set = member->settings.set, *text = text_of(event);

	switch (event->kind) {
	case REPLICA_EVENT_EPOCH:
		log_epoch(member);
		break;
	case REPLICA_EVENT_SERVING:
		log_info("set %s: this member serves", set);
		break;
	case REPLICA_EVENT_PAUSED:
		log_info("set %s: this member serves no more%s%s", set, *text ? ": " : "", text);
		break;
	case REPLICA_EVENT_MEMBER:
		log_info("set %s: member %s: %s", set, name_of(member, event->member), text);
		break;
	case REPLICA_EVENT_REFUSED:
		if (!log_refused(member, event))
			return;
		break;
	case REPLICA_EVENT_DISK:
		log_limited(LOG_LEVEL_ERROR, "set %s: %s", set, text);
		break;
	case REPLICA_EVENT_LOSS:
		log_warning("set %s: answered writes may be lost: %s", set, text);
		break;
	case REPLICA_EVENT_SPLIT:
		log_limited(LOG_LEVEL_ERROR, "set %s: member %s: %s", set, name_of(member, event->member), text);
		break;
	case REPLICA_EVENTS:
		break;
	}
	if (member->settings.tell)
		member->settings.tell(member->settings.user, event);
}

void member_events_tell(struct member *member)
{
	struct member_events *events = &member->events;

	look_whether_greeted(member);
	for (unsigned int i = 0; i < events->count; i++)
		tell(member, &events->queue[i].event);
	if (events->left_out)
		log_warning("set %s: %u more events in one turn are not told", member->settings.set, events->left_out);
	if (events->left_out && member->settings.lost)
		member->settings.lost(member->settings.user, events->left_out);
	/* What has come of them, too. */
	events->moved |= events->count > 0;
	events->count = events->left_out = 0;
	if (events->moved && member->settings.changed)
		member->settings.changed(member->settings.user);
	events->moved = false;
}
