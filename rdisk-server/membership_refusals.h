/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why an order that the core has refused was refused, in words: which order, whose member is in the way and how, and
 * what there is to do. The core's own words, `why`, are there for what is not looked for here. Any thread.
 */
#ifndef RDISK_MEMBERSHIP_REFUSALS_H
#define RDISK_MEMBERSHIP_REFUSALS_H

#include "diagnostic.h"
#include "replica.h"
#include "replication_configured.h"

void membership_refuse_promote(const struct replication_configuration *replication, const struct replica_status *status,
			       int member, const char *why, struct diagnostic *diagnostic);

/* What keeps a member from becoming the primary that an order wants it to be; "" and false: nothing is known. */
bool membership_promotion_lacks(const struct replication_configuration *replication,
				const struct replica_status *status, int member, struct diagnostic *diagnostic);

/* dead: whom the order takes for dead. */
void membership_refuse_force(const struct replication_configuration *replication, const struct replica_status *status,
			     member_set dead, const char *why, struct diagnostic *diagnostic);

void membership_refuse_init(const struct replication_configuration *replication, const struct replica_status *status,
			    int member, const char *why, struct diagnostic *diagnostic);

/* order: as rdiskctl calls it. Of a member that brings nobody up, as it is not the primary. */
void membership_refuse_pause(const struct replication_configuration *replication, const struct replica_status *status,
			     const char *order, struct diagnostic *diagnostic);

void membership_refuse_invalidate(const struct replication_configuration *replication,
				  const struct replica_status *status, const char *why, struct diagnostic *diagnostic);

#endif
