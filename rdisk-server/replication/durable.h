/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member has promised and accepted, in two slots on disk, and what waits until that is stable. For the parts of
 * the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_DURABLE_H
#define RDISK_REPLICATION_DURABLE_H

#include "message.h"
#include "metadata.h"
#include "replica.h"

#define AFTER_SAVE_MAX 32 /* answers that wait for the slots */

enum after_save {
	AFTER_PROMISE,	/* PROMISE to member */
	AFTER_ACCEPTED, /* ACCEPTED to member */
	AFTER_LEARNED,	/* it has a vote again */
	AFTER_GIVEN_UP, /* sessions begin anew: nobody is told of what it gave up */
};

struct awaiting_save {
	uint64_t version;
	enum after_save what;
	int member;
	uint64_t epoch;
	struct ballot ballot;
};

struct durable {
	struct metadata_slot now;    /* as it is to be: what this member acts on */
	struct metadata_slot stable; /* as both slots hold it: what others are told */
	struct metadata_slot saving;
	uint64_t version;	 /* of `now` */
	uint64_t saving_version; /* of `saving` */
	uint64_t stable_version;
	bool busy;	/* a save is under way */
	uint64_t began; /* when it was handed over */
	bool hangs;	/* it is under way for longer than replica_timeout: see durable_tick() */
	struct replica_save save;
	unsigned char bytes[METADATA_SLOT_SIZE];
	struct awaiting_save awaiting[AFTER_SAVE_MAX];
	unsigned int nr_awaiting;
	unsigned int loaded; /* good slots at the start */
	bool broken;	     /* a slot was there and could not be read */
};

/* `now` was changed: writes it. */
void durable_changed(struct replica *replica);

/* The same; once it is stable, decision_saved() is called. */
void durable_then(struct replica *replica, enum after_save what, int member, uint64_t epoch, struct ballot ballot);
/* Images that are others than before are noted, with the next change, and that they are not to be trusted. */
void durable_note_images(struct replica *replica);
/* A slot of its set is stable: what else is saved can be told to be its. */
bool durable_knows_set(const struct replica *replica);
void durable_saved(struct replica *replica, struct replica_save *save, int result);

/*
 * Whoever cannot keep what it decides is no hindrance to those who can: it proposes nothing, and if it is primary and
 * another can be, it asks for its lease no more, and says so to all.
 */
void durable_tick(struct replica *replica);

#endif
