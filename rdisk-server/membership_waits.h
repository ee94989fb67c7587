/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member of a set waits for, in words, with the names of those who are seen and what there is to do. Any thread.
 */
#ifndef RDISK_MEMBERSHIP_WAITS_H
#define RDISK_MEMBERSHIP_WAITS_H

#include "replica.h"
#include "replication_configured.h"

/* "" if it waits for nothing. Cut if it is too long. */
void membership_waits_text(const struct replication_configuration *replication, const struct replica_status *status,
			   char *text, size_t size);

#endif
