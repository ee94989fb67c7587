/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets, at the primary. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_BRINGUP_H
#define RDISK_REPLICATION_BRINGUP_H

#include "block_map.h"
#include "entry.h"
#include "message.h"
#include "reign.h"
#include "replica.h"

enum bringup_phase {
	BRINGUP_NONE,
	BRINGUP_COPYING, /* bits are left */
	BRINGUP_HANDING, /* the state is on its way */
	BRINGUP_READY,	 /* it can be admitted */
};

/* What a target was told of what is missing on others: where that goes on. */
struct handing {
	bool under_way;
	bool table_sent;
	struct sending_table table;
	int who;	 /* member whose bits are told; the target itself: what is unflushed */
	int device, map; /* map: of those of `who` */
	uint64_t cursor; /* in it */
	uint64_t number; /* of messages for `who` and `device` that were sent */
};

/* One target, at the primary. */
struct bringup {
	enum bringup_phase phase;
	struct handing handing;
	struct process_id process;
	uint64_t cursor[REPLICA_DEVICES_MAX]; /* block to look at next */
	unsigned int copies;		      /* under way */
	uint64_t handed_over;		      /* number of the last HANDED_OVER */
	bool asking;			      /* its JOIN was heard from the first message on, by its present session */
	uint64_t seed;			      /* of hashes */
	uint64_t rest_until;		      /* time: the clients' turn until then */
	uint64_t not_before;		      /* time: it did not keep up, and is not taken again until then */
	unsigned int slow;		      /* how often it did not, since it was in sync */
	uint64_t done;			      /* bytes that were copied, or equal */
	uint64_t mark, mark_done;	      /* time from which the rate is measured, and `done` then */
	uint64_t rate;			      /* bytes a second before that; 0: none was measured */
	bool in_flush, flushed;		      /* a flush of the set began, and was complete, since it is a target */
	struct block_map copied[REPLICA_DEVICES_MAX];	/* acknowledged since the last flush began */
	struct block_map flushing[REPLICA_DEVICES_MAX]; /* acknowledged before that, while it goes on */
	/* Of what is missing on it, also while it is no target: what may be equal, so that it is to be compared first.
	 */
	struct block_map doubted[REPLICA_DEVICES_MAX];
};

/* As the target. */
struct joining {
	uint64_t next;	      /* time of the next JOIN, unless it was heard */
	bool saying;	      /* a JOIN is being sent */
	uint64_t epoch;	      /* that it is for */
	bool said;	      /* its first message is out */
	int device, map;      /* where it goes on */
	uint64_t cursor;      /* in that map */
	uint64_t not_before;  /* time; its disk has failed shortly before */
	bool joined;	      /* it asked, and entries are taken */
	bool heard;	      /* the primary has taken it as a target */
	uint64_t reign;	      /* that it asked in */
	uint64_t told;	      /* reign whose primary has heard all, and nothing was lost here since; 0: none */
	uint64_t told_to;     /* its process */
	uint64_t session;     /* by which it asked */
	uint64_t handed_over; /* number of the HANDED_OVER that it is to answer when all is stable; 0: none */
	uint64_t ready;	      /* reign in which it said READY, and was not taken as a target anew since; 0: none */
	bool whole;	      /* it has the tables of then, and what came since */
};

void bringup_join(struct replica *replica, int member, const struct message *message, const void *data);
void bringup_flush_begins(struct replica *replica);
void bringup_flush_complete(struct replica *replica);
/* Something was copied and is to be flushed, so that its bits go and a copy that is interrupted goes on from there. */
bool bringup_waits_for_flush(const struct replica *replica);
/* A range is done. */
void bringup_progress(struct replica *replica, int member, uint64_t bytes);
void bringup_status(const struct replica *replica, int member, struct replica_member_status *status);
/* How long (ns) the answers of a target are waited for. */
uint64_t bringup_patience(const struct replica *replica);
/* It does not keep up, or this member cannot bring it up now: not again before a while, which gets longer. */
void bringup_drop_for_a_while(struct replica *replica, int member, const char *why);
void bringup_ready(struct replica *replica, int member, const struct message *message);
void bringup_drop(struct replica *replica, int member, const char *why);
void bringup_go_on(struct replica *replica);
void bringup_end_of_entry(struct replica *replica, struct entry *entry);
/* The queue to a member has room again. */
void bringup_can_send(struct replica *replica, int member);
void bringup_tick(struct replica *replica);

#endif
