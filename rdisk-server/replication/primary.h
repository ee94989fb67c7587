/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries to all members, their answers, flushes of the set. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_PRIMARY_H
#define RDISK_REPLICATION_PRIMARY_H

#include "block_map.h"
#include "entry.h"
#include "message.h"
#include "reign.h"

void primary_begin(struct replica *replica, struct entry *entry); /* its turn has come */
void primary_stored(struct replica *replica, struct entry *entry);
void primary_end(struct replica *replica, struct entry *entry);
void primary_written(struct replica *replica, int member, const struct message *message);
void primary_flushed(struct replica *replica, int member, const struct message *message);
void primary_flush_stored(struct replica *replica, int result);
/* The configuration does not name a member any more, or a target is dropped: its answers are not awaited. */
void primary_without(struct replica *replica, member_set members);
void primary_start_flush(struct replica *replica);
/* What was done for a client, in the table of done requests: on every member when its image has it. */
void primary_note_done(struct replica *replica, const struct entry *entry, int result);
/* What of it is in an image that may have a part of it: the own one, after an error. */
void primary_note_unsure(struct replica *replica, const struct entry *entry);
void primary_want_flush(struct replica *replica, struct entry *entry);
void primary_reset(struct replica *replica);
void primary_tick(struct replica *replica);

struct set_flush {
	bool running;
	uint64_t number;
	member_set waits;
	bool abandoned; /* its reign is over: what is pending only has to come back */
	uint64_t began;
	struct entry_list covered; /* requests that it answers */
	struct entry_list waiting; /* requests for the next one */
	bool wanted;		   /* the next one is, without a request */
	unsigned int quiet;	   /* how many are to come though nothing is written */
	uint64_t next;		   /* time of the next by itself */
	struct core_io io[REPLICA_DEVICES_MAX];
	int nr_pending;
	int result;
};

#endif
