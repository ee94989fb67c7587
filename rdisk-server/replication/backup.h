/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries from the primary, and what is told to the next one. A function that takes `frame` owns it, memory from
 * malloc() that `data` lies in. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_BACKUP_H
#define RDISK_REPLICATION_BACKUP_H

#include "done_table.h"
#include "entry.h"
#include "message.h"

struct backup {
	uint64_t reign;	   /* of the entries that are taken */
	uint64_t complete; /* as the primary says */
	uint64_t flushed;  /* as the primary says */
	uint64_t tracked;  /* number of the flush at which unflushed became unflushed before; 0: none since */
	uint64_t stable;   /* number of the last flush that was good here */
	uint64_t confirm;  /* epoch of a CONFIRM that waits for what is here; 0: none */
	/* Of this reign's entries: what is not known to be complete on all, entry n at n % window. */
	struct unfinished {
		uint64_t number; /* 0: none */
		uint32_t device;
		uint64_t position, length;
		bool equalises; /* when it is complete, what was unfinished there of before is not any more */
	} * unfinished;
	/* The REPORT that is being sent. */
	struct report {
		uint64_t epoch;	  /* 0: none */
		uint64_t session; /* that it goes by */
		int device;
		uint64_t cursor;
	} report;
	/* The table of the primary of `table_reign`, which becomes this member's when all is equal. */
	struct done_table table;
	uint64_t table_reign;
	uint64_t table_session; /* by which it came: what comes by another may have a gap before it */
	uint64_t table_next;	/* number of the message that is to come */
	bool table_whole;
	/* The FLUSH that is under way, and the last that was asked for. */
	bool flushing, flush_again;
	struct asked_flush {
		int member;
		uint64_t session, reign, number;
	} flush_now, flush_asked;
	struct core_io io[REPLICA_DEVICES_MAX];
	int nr_pending;
	int result;
};

void backup_write(struct replica *replica, int member, const struct message *message, void *frame, const void *data);
void backup_flush(struct replica *replica, int member, const struct message *message);
void backup_stored(struct replica *replica, struct entry *entry);
void backup_end(struct replica *replica, struct entry *entry);
void backup_flush_stored(struct replica *replica, int result);
void backup_confirm(struct replica *replica, int member, const struct message *message);
void backup_done_table(struct replica *replica, int member, const struct message *message, const void *data);
/* What a renewal of the primary says of its reign. */
void backup_settled(struct replica *replica, const struct message *message);
void backup_reconciled(struct replica *replica, int member, const struct message *message);
/* What was unfinished of this reign is unfinished of a former one from now on. */
void backup_reign_ends(struct replica *replica);
/* The own image has all that it shall have: who waited for that goes on. */
void backup_nothing_here(struct replica *replica);
/* Members are absent that were not: bits for them of all that they may lack. */
void backup_absent(struct replica *replica, member_set members);
/* The queue to a member has room again. */
void backup_can_send(struct replica *replica, int member);

/* Whether anything of this reign is not known to be complete on all. */
bool backup_any_unfinished(const struct replica *replica);

#endif
