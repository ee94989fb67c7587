/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_changes.h.
 */
#include "membership_changes.h"

#include <string.h>

#include "text_append.h"

#define TEXT_SIZE (CONTROL_LINK_SIZE + CONTROL_BLOCKED_SIZE) /* bytes */

void membership_changes_init(struct membership_changes *changes, const struct replication_configuration *replication)
{
	*changes = (struct membership_changes){ .replication = replication, .primary = REPLICATION_NO_MEMBER };
	changes->members[replication->self].connected = true;
}

static void note_member(struct membership_changes *changes, int member, const struct control_status *status)
{
	changes->members[member].connected = status->members[member].connected;
	changes->members[member].role = status->members[member].role;
	changes->members[member].state = status->members[member].state;
}

void membership_changes_told(struct membership_changes *changes, const struct control_event *event,
			     const struct control_status *status)
{
	if (event->kind == CONTROL_EVENT_PRIMARY) {
		changes->primary = status->primary;
		changes->serving = status->serving;
	} else if (event->kind == CONTROL_EVENT_MEMBER && event->member != REPLICATION_NO_MEMBER) {
		note_member(changes, event->member, status);
	}
}

static void tell(struct control *control, enum control_event_kind kind, const struct control_status *status, int member,
		 const char *text)
{
	const struct control_event event = {
		.kind = kind,
		.epoch = status->epoch,
		.member = member,
		.status = member == REPLICATION_NO_MEMBER ? NULL : &status->members[member],
		.text = text,
	};

	control_event(control, &event);
}

static void look_at_quorum(struct membership_changes *changes, struct control *control,
			   const struct control_status *status)
{
	if (status->quorate == changes->quorate)
		return;
	changes->quorate = status->quorate;
	tell(control, CONTROL_EVENT_QUORUM, status, REPLICATION_NO_MEMBER,
	     status->quorate ? "a majority of the members is seen" : "no majority of the members is seen");
}

/* Of this member's clients' view: who serves them, or that nobody does, and what is waited for. */
static void look_at_primary(struct membership_changes *changes, struct control *control,
			    const struct control_status *status)
{
	int before = changes->primary;
	bool served = changes->serving;

	if (before == status->primary && served == status->serving)
		return;
	changes->primary = status->primary;
	changes->serving = status->serving;
	if (status->serving)
		tell(control, CONTROL_EVENT_PRIMARY, status, status->primary, "it serves");
	else if (served)
		tell(control, CONTROL_EVENT_PRIMARY, status, before,
		     status->blocked[0] ? status->blocked : "it serves no more");
}

static const char *state_text(enum control_state state)
{
	switch (state) {
	case CONTROL_STATE_UNKNOWN:
		return "its state is not known";
	case CONTROL_STATE_IN_SYNC:
		return "it is in sync";
	case CONTROL_STATE_RESYNCING:
		return "it is being brought up";
	case CONTROL_STATE_OUTDATED:
		return "it is not in sync";
	case CONTROL_STATE_EXCLUDED:
		return "it is excluded";
	}
	return "";
}

static void look_at_member(struct membership_changes *changes, struct control *control,
			   const struct control_status *status, int member)
{
	const struct control_member *now = &status->members[member];
	bool moved = now->connected != changes->members[member].connected;
	bool other_state =
		now->state != changes->members[member].state && !changes->replication->members[member].diskless;
	bool other_role = now->role != changes->members[member].role;
	char text[TEXT_SIZE] = "";

	note_member(changes, member, status);
	if (!moved && !other_state && !other_role)
		return;
	if (moved)
		text_append(text, sizeof(text), "it is %s%s%s", now->connected ? "connected" : "not connected any more",
			    now->link[0] ? ": " : "", now->link);
	if (other_state)
		text_append(text, sizeof(text), "%s%s", text[0] ? "; " : "", state_text(now->state));
	if (other_role && now->role == CONTROL_ROLE_PRIMARY)
		text_append(text, sizeof(text), "%s%s", text[0] ? "; " : "", "it is the primary");
	else if (other_role && !text[0])
		text_append(text, sizeof(text), "%s",
			    now->role == CONTROL_ROLE_BACKUP ? "it is a backup" : "it has another role");
	tell(control, CONTROL_EVENT_MEMBER, status, member, text);
}

/* Who has become a target, or is none any more. */
static void look_at_resync(struct membership_changes *changes, struct control *control,
			   const struct control_status *status, int member)
{
	enum control_state state = status->members[member].state;
	bool resyncs = state == CONTROL_STATE_RESYNCING;

	if (resyncs == (changes->resyncing >> member & 1))
		return;
	changes->resyncing ^= 1u << member;
	tell(control, CONTROL_EVENT_RESYNC, status, member,
	     resyncs			      ? "bringing up begins"
	     : state == CONTROL_STATE_IN_SYNC ? "bringing up is done"
					      : "bringing up was broken off");
}

void membership_changes_look(struct membership_changes *changes, struct control *control,
			     const struct control_status *status)
{
	look_at_quorum(changes, control, status);
	look_at_primary(changes, control, status);
	for (int i = 0; i < changes->replication->nr_members; i++) {
		look_at_resync(changes, control, status, i);
		look_at_member(changes, control, status, i);
	}
}
