/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is different in a member's status since it was looked at last, as events for who listens at the control socket:
 * so that each member tells what it learns of, whoever decided it. What the core itself tells, with its cause, comes
 * before, and is not told again. One thread, the loop's.
 */
#ifndef RDISK_MEMBERSHIP_CHANGES_H
#define RDISK_MEMBERSHIP_CHANGES_H

#include "control.h"
#include "control_status.h"
#include "replication_configured.h"

struct membership_changes {
	const struct replication_configuration *replication;
	/* As they were told last. */
	int primary;
	bool serving, quorate;
	unsigned int resyncing; /* bit n: member n is being brought up */
	struct {
		bool connected;
		enum control_role role;
		enum control_state state;
	} members[REPLICATION_MEMBERS_MAX];
};

/* Nothing was told yet. The configuration must stay. */
void membership_changes_init(struct membership_changes *changes, const struct replication_configuration *replication);

/* An event of the core is told: it says already what that kind of event would say of this status. */
void membership_changes_told(struct membership_changes *changes, const struct control_event *event,
			     const struct control_status *status);

/* Tells what is different, and keeps it in mind. */
void membership_changes_look(struct membership_changes *changes, struct control *control,
			     const struct control_status *status);

#endif
