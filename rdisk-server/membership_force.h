/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether an order to be primary without the votes of some may be given to this member: not while one of them shows any
 * sign of life, to this member or to another one, and not while there is a primary. What the core itself refuses is not
 * for here. The loop's thread.
 */
#ifndef RDISK_MEMBERSHIP_FORCE_H
#define RDISK_MEMBERSHIP_FORCE_H

#include <stdbool.h>

#include "diagnostic.h"
#include "member.h"
#include "replication_configured.h"

/* status: of now. false: it may not be, with *why. */
bool membership_may_force(const struct replication_configuration *replication, const struct member *member,
			  const struct replica_status *status, member_set dead, struct diagnostic *why);

/* Whether another member that is not connected is there all the same, by what there is between the two (member_link()).
 */
bool membership_answers(const struct session_status *link);

/* Whether a primary serves, which is not this member, so that there is nothing to force; then *why. */
bool membership_serves_another(const struct replication_configuration *replication, const struct replica_status *status,
			       struct diagnostic *why);

#endif
