/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An operator's orders, and the status: whether an order can be given now, and to whom it goes. It is carried out
 * elsewhere: promotion.c, reign.c, birth.c, line.c, bringup.c.
 */
#include <errno.h>

#include "core.h"

/* This member is not the primary: brings the order to it. */
static int ask_to_step_down(struct replica *replica, int member, const char **why)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	int primary = (int)configuration->primary;
	struct message order = { .type = MESSAGE_STEP_DOWN, .epoch = configuration->epoch, .member = (uint32_t)member };

	if (!configuration->epoch || !replica->decision.decided || !replica->peers[primary].greeted) {
		*why = "the primary is not seen: nobody can hand over";
		return -EAGAIN;
	}
	if (member == primary) {
		*why = "that member is the primary";
		return -EAGAIN;
	}
	if (!member_in(configuration->in_sync, member)) {
		*why = "that member is not in sync";
		return -EAGAIN;
	}
	core_send(replica, primary, REPLICA_CLASS_CONTROL, &order, NULL);
	return 0;
}

int replica_promote(struct replica *replica, uint64_t now, int member, const char **why)
{
	int error;

	core_event_begins(replica, now);
	if (member < 0 || member >= replica->settings.members) {
		*why = "there is no such member";
		error = -EINVAL;
	} else if (core_configuration(replica)->primary == (uint32_t)replica->settings.self) {
		error = reign_promote(replica, member, why);
	} else {
		error = ask_to_step_down(replica, member, why);
	}
	core_event_ends(replica);
	return error;
}

int replica_force(struct replica *replica, uint64_t now, member_set dead, const char **why)
{
	int error = 0;

	core_event_begins(replica, now);
	if (core_diskless(replica, replica->settings.self) || !core_configuration(replica)->epoch ||
	    replica->durable.now.wants_all || replica->durable.now.given_up.epoch) {
		*why = "this member has no image that was ever in sync, or gave it up";
		error = -EINVAL;
	} else if (!propose_sizes_are(replica, replica->settings.self, core_configuration(replica)->sizes)) {
		*why = "an image of this member is smaller than the set has it: make it as large again";
		error = -EINVAL;
	} else if (!dead || member_in(dead, replica->settings.self) || (dead & (member_set)~core_voters(replica, 0))) {
		*why = "name the members that are dead, and only those";
		error = -EINVAL;
	} else {
		/* What another order has proposed is not to be taken for this one's. */
		(void)promotion_forget_force(replica);
		replica->reign.force_without = dead;
		replica->consider = true;
	}
	core_event_ends(replica);
	return error;
}

bool replica_withdraw_force(struct replica *replica, uint64_t now)
{
	bool forgotten;

	core_event_begins(replica, now);
	forgotten = promotion_forget_force(replica);
	core_event_ends(replica);
	return forgotten;
}

int replica_invalidate(struct replica *replica, uint64_t now, const char **why)
{
	member_set parted = 0;
	int error = 0;

	core_event_begins(replica, now);
	for (int i = 0; i < replica->settings.members; i++)
		parted |= replica->peers[i].parted ? member_bit(i) : 0;
	if (!core_configuration(replica)->epoch) {
		*why = "this member has nothing that it could give up";
		error = -EINVAL;
	} else if (!parted) {
		*why = "no member of another line was seen: there is nothing to choose from";
		error = -EAGAIN;
	} else {
		line_give_up(replica);
	}
	core_event_ends(replica);
	return error;
}

int replica_init_from(struct replica *replica, uint64_t now, int member, const char **why)
{
	core_event_begins(replica, now);
	if (core_configuration(replica)->epoch) {
		*why = "the set is there already";
		return -EINVAL;
	}
	if (member < 0 || member >= replica->settings.members || core_diskless(replica, member)) {
		*why = "that member has no image";
		return -EINVAL;
	}
	replica->init_from = member;
	replica->consider = true;
	core_event_ends(replica);
	return 0;
}

void replica_pause_resync(struct replica *replica, uint64_t now, bool paused)
{
	core_event_begins(replica, now);
	replica->resync_paused = paused;
	bringup_go_on(replica);
	core_event_ends(replica);
}

static enum replica_member_state state_of(const struct replica *replica, int member)
{
	if (core_diskless(replica, member))
		return REPLICA_MEMBER_DISKLESS;
	if (!core_configuration(replica)->epoch)
		return REPLICA_MEMBER_UNKNOWN;
	if (member_in(core_configuration(replica)->in_sync, member))
		return REPLICA_MEMBER_IN_SYNC;
	if (replica->bringup[member].phase != BRINGUP_NONE ||
	    (member == replica->settings.self && replica->joining.joined && replica->joining.heard))
		return REPLICA_MEMBER_RESYNCING;
	return REPLICA_MEMBER_OUTDATED;
}

void replica_status(const struct replica *replica, struct replica_status *status)
{
	*status = (struct replica_status){
		.configuration = *core_configuration(replica),
		.decided = replica->decision.decided,
		.primary = reign_is_primary(replica),
		.primary_there =
			core_configuration(replica)->epoch &&
			peer_is_named(replica, (int)core_configuration(replica)->primary, core_configuration(replica)),
		.holds_lease = lease_holds(replica),
		.discards = replica->image_missing && replica->other_images,
		.votes = decision_votes(replica, core_configuration(replica)->epoch + 1),
		.seen = reign_seen(replica),
		.waits = replica->reign.waits,
		.blocked = replica->reign.blocked,
		.forces_without = replica->reign.force_without,
	};
	for (int i = 0; i < replica->settings.members; i++)
		status->parted |= replica->peers[i].parted ? member_bit(i) : 0;
	status->serving = replica->reign.role == ROLE_SERVING && status->holds_lease;
	if (status->primary)
		status->under_way = replica->reign.number - replica->reign.complete;
	for (int i = 0; i < replica->settings.members; i++) {
		struct replica_member_status *member = &status->members[i];

		member->connected = i == replica->settings.self || replica->peers[i].greeted;
		member->sees = replica->peers[i].greeted ? peer_sees(replica, i) : 0;
		member->state = state_of(replica, i);
		member->out_of_sync = UINT64_MAX;
		if (member->state == REPLICA_MEMBER_IN_SYNC)
			member->out_of_sync = 0;
		else if (status->primary && !core_diskless(replica, i))
			member->out_of_sync = maps_missing_bytes(replica, i);
		bringup_status(replica, i, member);
	}
}
