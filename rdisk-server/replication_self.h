/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which member of its replica set this process is, and what a person should know of the set before it runs. Any thread.
 */
#ifndef RDISK_REPLICATION_SELF_H
#define RDISK_REPLICATION_SELF_H

#include "diagnostic.h"
#include "replication_configured.h"

/*
 * Sets replication->self: the member of that name, or without one (NULL) the member whose address is one of this
 * host's. path: the configuration's. 0, or -1 and *diagnostic, "FILE:LINE: cause".
 */
int replication_find_self(struct replication_configuration *replication, const char *node, const char *path,
			  struct diagnostic *diagnostic);

/* Calls warn(context, text) for each thing in a set that works and is perhaps not what was meant. */
void replication_warnings(const struct replication_configuration *replication,
			  void (*warn)(void *context, const char *text), void *context);

/* "set NAME of 3: 1 a 192.0.2.1:7300 (this host), 2 b ..., by corosync" into text (cut if it is too long). */
void replication_describe(const struct replication_configuration *replication, char *text, size_t size);

#endif
