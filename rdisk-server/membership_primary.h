/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a primary serves, and who sees whom, as far as a member's status (replica.h) tells. Pure functions, any
 * thread. What is said of it is not for here: membership_waits.h, membership_refusals.h.
 */
#ifndef RDISK_MEMBERSHIP_PRIMARY_H
#define RDISK_MEMBERSHIP_PRIMARY_H

#include <stdbool.h>

#include "replica.h"
#include "replication_configured.h"

/*
 * Whether the primary is known to be there and to hold its lease. The member that is named as primary may be there, and
 * its process be another, which has no part in that.
 */
bool membership_has_primary(const struct replication_configuration *replication, const struct replica_status *status);

/* Who of those that this member sees sees a member that it does not see itself; 0: nobody, or it sees it. */
member_set membership_seen_by(const struct replication_configuration *replication, const struct replica_status *status,
			      int member);

#endif
