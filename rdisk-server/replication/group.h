/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is there, as a group service says. It is a hint when to act, never what is true: a service forgets to say that a
 * member has gone, says it late, or in another order than that of what happened. So nobody waits for a view, and nobody
 * believes one; what is true members decide by their sessions (replica_view(), docs/replication.md).
 *
 * engine    views
 * beacons   none: sessions have heartbeats of their own, which decide
 * corosync  of the members whose process is in the group "rdisk:SET" and whose host is in the ring as well; node ids of
 *           corosync.conf are the nodes of the members. While there is no daemon there is no view
 *
 * Not for the core: a library of its own, with a thread and descriptors.
 */
#ifndef RDISK_GROUP_H
#define RDISK_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "diagnostic.h"
#include "replica_configuration.h"

struct group;

enum group_kind {
	GROUP_BEACONS,
	GROUP_COROSYNC,
};

struct group_view {
	bool known;	    /* the service speaks; else the rest says nothing, and sessions alone tell who is there */
	bool quorate;	    /* the ring that this host is in has a majority of votes, as the service counts them */
	member_set present; /* a bit for each place in the list of members */
};

/*
 * Joins the group of a set. nodes[] has the node number of each of `members` members, of which `self` is this one; set
 * is its name. Neither is used after the return. Whether the service is there does not matter: it is looked for until
 * group_close(). The loop's thread, as all of these. 0, or -1 and *diagnostic.
 */
int group_open(struct group **group, enum group_kind kind, const char *set, const uint32_t nodes[], int members,
	       int self, struct diagnostic *diagnostic);

/* To be waited for: readable when group_take() has a view. -1: it never has one. */
int group_descriptor(const struct group *group);

/* The newest view, if there is one since the last call. Those between are not told. */
bool group_take(struct group *group, struct group_view *view);

/* Leaves the group, without waiting for a service that hangs. NULL is harmless. */
void group_close(struct group *group);

#endif
