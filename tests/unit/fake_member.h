/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A member of a replica set that does what a test says: what is submitted stays pending until the test ends it. In
 * place of rdisk-server/member/.
 */
#ifndef FAKE_MEMBER_H
#define FAKE_MEMBER_H

#include "member.h"

#define FAKE_PENDING_MAX MEMBER_IOS_MAX

struct fake_member {
	struct io *pending[FAKE_PENDING_MAX]; /* in the order of their coming */
	int nr_pending;
	uint32_t forgotten[FAKE_PENDING_MAX]; /* clients, in that order */
	int nr_forgotten;
	int nr_withdrawn;
	uint64_t size; /* of its disks; 0: not known */
	struct io *done, **done_tail;
};

extern struct fake_member fake_member;

void fake_member_reset(void);

/* The first that is pending, which must be this, ends. Nothing of its data is moved. */
void fake_member_end(enum io_operation operation, uint32_t client, int result);

#endif
