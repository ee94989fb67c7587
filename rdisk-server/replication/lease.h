/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grants that were given and taken. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_LEASE_H
#define RDISK_REPLICATION_LEASE_H

#include "message.h"
#include "replica.h"

#define PAST_ROUNDS 16 /* rounds of renewals whose grants still count */

struct lease {
	/* As holder. */
	uint64_t round;
	uint64_t sent[PAST_ROUNDS];  /* when a round was, at round % PAST_ROUNDS */
	uint64_t until[MEMBERS_MAX]; /* of each member's grant */
	bool released;		     /* this process gave it up, for good in this reign */
	uint64_t next_round;	     /* time */
	/* As grantor. */
	int holder; /* NO_MEMBER: nobody */
	uint64_t granted_until;
	uint64_t held_off_until; /* after the start */
};

void lease_reset(struct replica *replica);
void lease_renew(struct replica *replica, int member, const struct message *message);
void lease_grant(struct replica *replica, int member, const struct message *message);
void lease_release(struct replica *replica, int member, const struct message *message);
/* Gives it up: nothing is answered any more in this reign. */
void lease_give_up(struct replica *replica);
/* Whether this member may answer now. */
bool lease_holds(const struct replica *replica);
/* When it ends, as things are. 0: it does not hold. */
uint64_t lease_end(const struct replica *replica);
/* As grantor: how long (ns) nothing may be promised to, or accepted for, `member`; 0: it may. */
uint64_t lease_forbids(const struct replica *replica, int member);
/* ns; the longest that one lasts by a clock within the bound. */
uint64_t lease_longest(const struct replica *replica);
void lease_tick(struct replica *replica);
/* A round now: it tells what is complete and flushed. */
void lease_tell(struct replica *replica);

#endif
