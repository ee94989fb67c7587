/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_keeper.h.
 */
#include "membership_keeper.h"

#include <signal.h>
#include <string.h>

#include "log.h"
#include "membership_control.h"
#include "termination.h"

static void *keep(void *context)
{
	struct membership_keeper *keeper = context;
	struct member *member = keeper->server->devices.member;

	/* relaxed: nothing comes with it; what was done here is the main thread's by the join */
	while (!atomic_load_explicit(&keeper->end, memory_order_relaxed) && !member_failed(member)) {
		member_turn(member);
		membership_control_turn(keeper->server->control);
		member_before_wait(member);
		/* The ring that goes with the end is kept for this wait if it comes before. */
		if (!member_failed(member))
			member_wait(member, NULL);
	}
	/* The process is to end; what the main thread waits for may take long. */
	if (member_failed(member))
		termination_request();
	return NULL;
}

void membership_keep(struct membership_keeper *keeper, struct server *server)
{
	sigset_t all, before;
	int error;

	keeper->server = server;
	keeper->runs = false;
	atomic_init(&keeper->end, false);
	if (!server->devices.member)
		return;
	/* Signals are for the main thread: they end what it waits for. */
	sigfillset(&all);
	error = pthread_sigmask(SIG_BLOCK, &all, &before);
	if (!error) {
		error = pthread_create(&keeper->thread, NULL, keep, keeper);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	keeper->runs = !error;
	if (error)
		log_warning("no thread for the replica set while the node is replaced: %s; the others may go on "
			    "without this member",
			    strerror(error));
}

void membership_keep_end(struct membership_keeper *keeper)
{
	if (!keeper->runs)
		return;
	atomic_store_explicit(&keeper->end, true, memory_order_relaxed);
	member_ring(keeper->server->devices.member);
	pthread_join(keeper->thread, NULL);
	keeper->runs = false;
}
