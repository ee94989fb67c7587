/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the configuration of a replica set to this server as one of its members. Main thread.
 */
#ifndef RDISK_MEMBERSHIP_H
#define RDISK_MEMBERSHIP_H

#include "configured.h"
#include "diagnostic.h"
#include "options.h"
#include "server.h"

/*
 * Before the devices are opened: makes server->devices.member, if the configuration has a set. 0, or -1 and
 * *diagnostic.
 */
int membership_create(struct server *server, const struct configuration *configuration, struct diagnostic *diagnostic);

/*
 * When all devices are open: the member has its state, and listens. Strings of the configuration and options are used
 * as long as there is the member. 0, or -1 and *diagnostic.
 */
int membership_start(struct server *server, const struct configuration *configuration, const struct options *options,
		     struct diagnostic *diagnostic);

/* When nothing can fail any more: it takes part in the set. Harmless without one. */
void membership_begin(struct server *server);

/* When nothing is served any more, before the devices are closed, and after that. Harmless without one. */
void membership_end(struct server *server);
void membership_destroy(struct server *server);

#endif
