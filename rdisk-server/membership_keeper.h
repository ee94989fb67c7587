/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who drives the member of a replica set while the server's loop does not run, as when the node is replaced: else its
 * leases would end, and the others would go on without it. Clients are not its business: nobody has one then.
 *
 * From membership_keep() to membership_keep_end() the member and the control socket are the keeper's thread's, and
 * nothing else is: all of struct server but these stays the main thread's, which uses neither of the two meanwhile.
 * What the set has done for clients by then lies in the member, for the loop.
 */
#ifndef RDISK_MEMBERSHIP_KEEPER_H
#define RDISK_MEMBERSHIP_KEEPER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "server.h"

struct membership_keeper {
	struct server *server;
	atomic_bool end; /* set by the main thread */
	pthread_t thread;
	bool runs;
};

/*
 * Begins. Without a member there is nothing to do, and without a thread, which is logged, nothing is done. Main thread.
 */
void membership_keep(struct membership_keeper *keeper, struct server *server);

/* Ends it, and waits for that: the time of one turn. Main thread. */
void membership_keep_end(struct membership_keeper *keeper);

#endif
