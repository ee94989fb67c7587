/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What group.c and the engines that have a thread share: the hand-over of views from that thread to the loop. Only the
 * newest view counts, so that a loop which does not come to take them costs no memory.
 */
#ifndef RDISK_GROUP_INTERNAL_H
#define RDISK_GROUP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "group.h"

#define GROUP_NAME_SIZE 128 /* bytes, without an end: what corosync allows */

struct group {
	enum group_kind kind;
	/* Set by group_open(), then only read. */
	char name[GROUP_NAME_SIZE + 1];
	uint32_t nodes[MEMBERS_MAX];
	int members;
	int self;
	int fresh_fd;	  /* eventfd: there is a view that was not taken; -1: an engine without views */
	int stop_fd;	  /* eventfd: the thread is to end */
	int ended_fd;	  /* eventfd: it needs nothing more */
	pthread_t thread; /* the loop's */

	pthread_mutex_t lock; /* for the view */
	struct group_view view;
	bool fresh; /* it was not taken */

	/*
	 * The loop's and the thread's: whoever lets go last frees. Released with what was done before, acquired by the
	 * last one.
	 */
	atomic_int holders;
};

/* Hands a view over, in place of one that was not taken. The engine's thread. */
void group_publish(struct group *group, const struct group_view *view);

/* Waits until the thread is to end, or `ms` milliseconds have passed. Whether it is to end. The engine's thread. */
bool group_stopping(const struct group *group, int ms);

/* The thread's last act. */
void group_ended(struct group *group);

/* What the thread of the engine "corosync" does: `context` is the group. */
void *group_corosync(void *context);

#endif
