/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text that is put together in memory of the caller, with names of members of a set in it. Any thread.
 */
#ifndef RDISK_MEMBERSHIP_TEXT_H
#define RDISK_MEMBERSHIP_TEXT_H

#include <stddef.h>

#include "replica.h"
#include "replication_configured.h"

struct membership_text {
	char *text; /* of the caller; ends with a zero at any time */
	size_t size;
	size_t used; /* beyond `size` if something was cut */
};

struct membership_text membership_text_begin(char *text, size_t size);

/* What comes after what is there; cut where there is no room. */
__attribute__((format(printf, 2, 3))) void membership_text_add(struct membership_text *text, const char *format, ...);

/* "a, b"; "none". */
void membership_text_add_names(struct membership_text *text, const struct replication_configuration *replication,
			       member_set members);

/* That only what is between this member and another one is down, as those (seen_by, not empty) see that one. */
void membership_text_add_link(struct membership_text *text, const struct replication_configuration *replication,
			      int member, member_set seen_by);

#endif
