/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_waits.h.
 */
#include "membership_waits.h"

#include "membership_primary.h"
#include "membership_text.h"

/* "2 of a, b, c must be seen to ...; seen: a" */
static void add_count(struct membership_text *writer, const struct replication_configuration *replication,
		      const struct replica_status *status, const char *what)
{
	membership_text_add(writer, "%u of ", status->waits.needed);
	membership_text_add_names(writer, replication, status->waits.members);
	membership_text_add(writer, " must be seen %s; seen: ", what);
	membership_text_add_names(writer, replication, status->seen & status->waits.members);
}

static void add_in_sync(struct membership_text *writer, const struct replication_configuration *replication,
			const struct replica_status *status)
{
	bool seen = status->waits.members && !(status->waits.members & (member_set)~status->seen);

	if (status->discards) {
		membership_text_add(writer,
				    "the copy of this member is to be discarded (-U FULL), and is not before one "
				    "that is in sync serves, of ");
		membership_text_add_names(writer, replication,
					  status->waits.members & (member_set)~member_bit(replication->self));
		membership_text_add(writer, ": if none does, start rdisk here without -U FULL, to go on with what is "
					    "there");
		return;
	}
	if (!seen)
		membership_text_add(writer, "a member that is in sync must be seen: ");
	membership_text_add_names(writer, replication, status->waits.members);
	if (seen)
		membership_text_add(
			writer, ": one that is in sync is to take over; if none does so soon, the status there says "
				"why; if their copies were lost, replaced or discarded: rdiskctl force-primary takes "
				"another one; if none is "
				"left, the set has to begin anew, with state_dir removed on all");
	else
		membership_text_add(writer, "; start rdisk there; only if they are lost for good: rdiskctl "
					    "force-primary, which loses what the copy that is taken lacks");
}

/*
 * The primary is seen by others: it serves them, or would, and is not to be started there, still less to be taken for
 * dead. False: it is not so.
 */
static bool add_link(struct membership_text *writer, const struct replication_configuration *replication,
		     const struct replica_status *status)
{
	int primary = (int)status->configuration.primary;
	member_set seen_by = status->configuration.epoch ? membership_seen_by(replication, status, primary) : 0;

	if (!seen_by || status->waits.what == REPLICA_WAITS_FORCE || status->waits.what == REPLICA_WAITS_FOR_EVER)
		return false;
	membership_text_add(writer, "the primary cannot be reached from here: ");
	membership_text_add_link(writer, replication, primary, seen_by);
	return true;
}

void membership_waits_text(const struct replication_configuration *replication, const struct replica_status *status,
			   char *text, size_t size)
{
	struct membership_text writer = membership_text_begin(text, size);

	if (add_link(&writer, replication, status))
		return;
	switch (status->waits.what) {
	case REPLICA_WAITS_NOT:
		break;
	case REPLICA_WAITS_BIRTH:
		membership_text_add(&writer,
				    "the set begins when all of its members are seen: start rdisk on all; seen: ");
		membership_text_add_names(&writer, replication, status->seen);
		break;
	case REPLICA_WAITS_CHOICE:
		membership_text_add(
			&writer,
			"several members have images with data: choose whose the set is to begin with; those of all "
			"others are overwritten (rdiskctl init --from NODE, on that host)");
		break;
	case REPLICA_WAITS_SOURCE:
		membership_text_add(&writer, "the set is to begin with the image of ");
		membership_text_add_names(&writer, replication, status->waits.members);
		membership_text_add(&writer, ": give the order there, too, if it was not (rdiskctl init --from NODE)");
		break;
	case REPLICA_WAITS_LEARNING:
		add_count(&writer, replication, status, "to know the newest configuration");
		break;
	case REPLICA_WAITS_MAJORITY:
		add_count(&writer, replication, status, "to decide who serves");
		break;
	case REPLICA_WAITS_IN_SYNC:
		add_in_sync(&writer, replication, status);
		break;
	case REPLICA_WAITS_MEMORY:
		membership_text_add(
			&writer, "what was answered and not flushed may be known to members that are not seen yet: ");
		membership_text_add_names(&writer, replication, status->waits.members & (member_set)~status->seen);
		membership_text_add(&writer,
				    "; start rdisk there; only if they are lost for good: rdiskctl force-primary");
		break;
	case REPLICA_WAITS_FORCE:
		add_count(&writer, replication, status, "to decide the forced primary");
		break;
	case REPLICA_WAITS_COPIES:
		membership_text_add(&writer, "min_in_sync: %u more must be in sync: ", status->waits.needed);
		membership_text_add_names(&writer, replication, status->waits.members);
		break;
	case REPLICA_WAITS_VOTES:
		if (status->configuration.epoch)
			add_count(&writer, replication, status, "to bring back the vote that this member has lost");
		else
			membership_text_add(&writer, "%s", status->blocked ? status->blocked : "");
		break;
	case REPLICA_WAITS_IMAGE:
	case REPLICA_WAITS_SETTLING:
	case REPLICA_WAITS_DISK:
	case REPLICA_WAITS_FOR_EVER:
		membership_text_add(&writer, "%s", status->blocked ? status->blocked : "");
		break;
	}
}
