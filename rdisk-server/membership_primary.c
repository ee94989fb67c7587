/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_primary.h.
 */
#include "membership_primary.h"

/* Whether this member, which is not the primary, waits for something that it would not if it saw one that can serve. */
static bool misses_primary(const struct replica_status *status)
{
	switch (status->waits.what) {
	case REPLICA_WAITS_BIRTH:
	case REPLICA_WAITS_CHOICE:
	case REPLICA_WAITS_IMAGE:
	case REPLICA_WAITS_SOURCE:
	case REPLICA_WAITS_LEARNING:
	case REPLICA_WAITS_MAJORITY:
	case REPLICA_WAITS_IN_SYNC:
	case REPLICA_WAITS_MEMORY:
		return true;
	case REPLICA_WAITS_NOT:
	case REPLICA_WAITS_VOTES:
	case REPLICA_WAITS_SETTLING:
	case REPLICA_WAITS_DISK:
	case REPLICA_WAITS_FORCE:
	case REPLICA_WAITS_COPIES:
	case REPLICA_WAITS_FOR_EVER:
		break;
	}
	return false;
}

bool membership_has_primary(const struct replication_configuration *replication, const struct replica_status *status)
{
	int primary = (int)status->configuration.primary;

	if (status->primary)
		return status->serving;
	return status->configuration.epoch > 0 && status->decided && primary != replication->self &&
	       status->members[primary].connected && status->primary_there && !misses_primary(status);
}

member_set membership_seen_by(const struct replication_configuration *replication, const struct replica_status *status,
			      int member)
{
	member_set witnesses = 0;

	if (member == replication->self || status->members[member].connected)
		return 0;
	for (int i = 0; i < replication->nr_members; i++)
		if (status->members[i].connected && member_in(status->members[i].sees, member))
			witnesses |= member_bit(i);
	return witnesses;
}
