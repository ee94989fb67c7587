/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this member proposes, and when; what birth.c and promotion.c need of it for theirs. For the parts of the core
 * alone: core.h.
 */
#ifndef RDISK_REPLICATION_PROPOSE_H
#define RDISK_REPLICATION_PROPOSE_H

#include "replica.h"
#include "replica_configuration.h"

/* What a proposal is for: each waits for a time of its own, drawn when it is called for first. */
enum purpose {
	PURPOSE_BIRTH,
	PURPOSE_SETTLING,
	PURPOSE_CHANGE, /* of who is in sync, of the reign: the primary's */
	PURPOSE_HAND_OVER,
	PURPOSE_PROMOTION,
	PURPOSE_FORCE,
	PURPOSE_VOTE, /* of one in sync that has none in the next epoch */
	PURPOSES,
};

/* Looks at what is called for, unless a proposal is under way, and proposes it when its time has come. */
void propose_consider(struct replica *replica);
/*
 * Waits before a proposal for a random time of at least `least` ns, drawn when it is called for first, so that not all
 * make theirs at once. true: it is over.
 */
bool propose_waited(struct replica *replica, enum purpose purpose, uint64_t least);
/* `value` gets a member into its in-sync set, with the process that it is now; or has it there no more. */
void propose_with(struct replica *replica, struct replica_configuration *value, int member);
void propose_without(struct replica_configuration *value, int member);
/* Data may be lost: a generation begins, so that every client is told. Two lines may part here: it is remembered. */
void propose_new_generation(struct replica *replica, struct replica_configuration *value);
void propose_new_fork(const struct replica *replica, struct replica_configuration *value);
/* What a member, which may be this one, says of itself: flags of HELLO and STATUS. */
uint32_t propose_flags_of(const struct replica *replica, int member);
/* Whether its images are at least of these sizes (bytes). */
bool propose_sizes_are(const struct replica *replica, int member, const uint64_t *sizes);

/* birth.c: without any configuration. */
void birth_consider(struct replica *replica);
/* promotion.c: the primary is gone; an operator's order, reign.force_without, is to be carried out. */
void promotion_consider(struct replica *replica);
void promotion_force(struct replica *replica);
/* A member is there: an order to be primary that takes it for dead is forgotten, if it is not proposed yet. */
void promotion_seen(struct replica *replica, int member);
/* The order is not to be carried out any more. false: its proposal is on its way, and may be decided nevertheless. */
bool promotion_forget_force(struct replica *replica);

#endif
