/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this member is, and whom it sees. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_REIGN_H
#define RDISK_REPLICATION_REIGN_H

#include "propose.h"
#include "replica.h"
#include "replica_configuration.h"

/* A table of done requests on its way to a member. */
struct sending_table {
	unsigned int next; /* client to go on with */
	uint64_t number;   /* of the next message */
};

enum role {
	ROLE_NONE,	    /* no configuration names this process */
	ROLE_BACKUP,	    /* in sync */
	ROLE_CONFIRMING,    /* primary: asks the in-sync members what is unfinished */
	ROLE_EQUALISING,    /* primary: makes that equal on all */
	ROLE_SERVING,	    /* primary */
	ROLE_STEPPING_DOWN, /* primary that answers nothing any more in this reign */
};

struct reign {
	enum role role;
	uint64_t epoch;	     /* of the decided configuration that was acted on last */
	member_set in_sync;  /* of the same */
	uint64_t ended;	     /* a reign of this process that is over, whoever is named */
	member_set absent;   /* members with images that are not in sync, by the last that named this process */
	uint64_t not_before; /* time: a lease that others gave is waited for, and nothing is proposed */
	uint64_t waits_until[PURPOSES]; /* time that was drawn; 0: none, it is not called for */
	unsigned int called_for;	/* bit n: purpose n, by the present look */
	bool disk_failed;		/* of this member: it serves no more */
	struct replica_waits waits;
	const char *blocked;   /* the same as text */
	uint64_t memory_since; /* time since when it waits for the memory of others; 0: it does not */
	/* As primary. */
	uint64_t reign;
	uint64_t number;	   /* of the last entry that was begun */
	uint64_t complete;	   /* all entries up to it are complete on all */
	uint64_t under_way;	   /* bytes of data of entries that were begun and are not over */
	member_set confirmed;	   /* their unfinished ranges are known */
	uint64_t confirm_deadline; /* for the next report, or for more of the table to go */
	bool knows;		   /* it has a table of done requests: that of a process that was restarted is lost */
	uint64_t generation;	   /* id of that of the table */
	struct sending_table sending[MEMBERS_MAX];
	member_set sent;	 /* all of the table went to them */
	bool told;		 /* RECONCILED went to all */
	member_set reconciled;	 /* who has answered it */
	bool flush_lost;	 /* nobody knows what of the answered writes is stable: a generation begins */
	bool rewrite;		 /* what is made equal is written to the own image, too: a flush of it failed */
	bool rewrite_failed;	 /* some of that could not be written */
	bool rewrite_told;	 /* and that was told, in this reign */
	uint64_t rewrite_at;	 /* time: all of it is tried again */
	uint64_t adopt_until;	 /* without that table: unknown clients are taken for known until then */
	unsigned int equalising; /* entries under way */
	uint64_t cursor[REPLICA_DEVICES_MAX]; /* block of `owed` to look at next */
	uint64_t flushed;		      /* number of the last flush that all have completed */
	int candidate;			      /* NO_MEMBER: no admission is proposed */
	int successor;			      /* to hand over to; NO_MEMBER */
	member_set force_without; /* an operator wants this member to be primary, and takes these for dead */
};

void reign_changed(struct replica *replica); /* another configuration was accepted, or became known as decided */
/* It waits, for `needed` of `members`. */
void reign_waits(struct replica *replica, enum replica_wait what, member_set members, unsigned int needed,
		 const char *text);
/* It waits for a majority of the members that vote. */
void reign_waits_for_majority(struct replica *replica, enum replica_wait what, const char *text);
/* There is no configuration any more: no role, and nothing of any before. */
void reign_forget(struct replica *replica);
bool reign_is_primary(const struct replica *replica);
/* Whether a configuration has this process in its in-sync set. */
bool reign_names_self(const struct replica *replica, const struct replica_configuration *configuration);
/* Members that are not diskless. */
member_set reign_image_members(const struct replica *replica);
/* Members that an entry is sent to, itself left out: in sync, and targets. */
member_set reign_receivers(const struct replica *replica);
/* A member is to be removed. */
void reign_member_failed(struct replica *replica, int member, const char *why);
/* The own image fails or hangs. true: others are in sync, and one of them shall serve. */
bool reign_own_disk_failed(struct replica *replica);
/* A flush of the own image has failed: kept in the slots; with what follows from that; and that was made good. */
void reign_note_flush_failed(struct replica *replica);
void reign_flush_failed(struct replica *replica);
void reign_flush_made_good(struct replica *replica);
/* Nobody else has what a flush lost: what was answered before may be gone, and every client is to be told. */
void reign_lose_unflushed(struct replica *replica);
/* An operator's order to the primary that serves, by whatever way: to hand over. 0, or -EAGAIN with *why. */
int reign_promote(struct replica *replica, int member, const char **why);
/* As primary that is to end: nobody else is in sync who could be asked or waited for. */
bool reign_is_last(const struct replica *replica);
/* Whether those that are seen, this one included, can decide something. */
member_set reign_seen(const struct replica *replica);
bool reign_majority_there(const struct replica *replica);
/* Another that could be primary at once; NO_MEMBER: there is none. */
int reign_choose_successor(const struct replica *replica);
/* As primary it answers nothing any more in this reign, so that another can be primary at once. */
void reign_step_down(struct replica *replica);
/* The same, if it is the primary. */
void reign_answers_nothing(struct replica *replica);

#endif
