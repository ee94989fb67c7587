/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the core share: its state. What each part does for the others is in its own header. For
 * replication/ alone; the rest of the server uses replica.h.
 *
 * The parts, in the order in which docs/replication.md has them ("The code"):
 *
 * part          state                 what it does
 * replica.c     struct replica        events: each goes to its part, and then all that can go on goes on
 * receive.c     -                     frames: whether they may be taken, and to which part they go
 * core.c        -                     what all do to the world: send, tell, wake, fail
 * create.c      -                     settings and memory
 * start.c       -                     what was kept is loaded, and the process starts
 * durable.c     struct durable        promise and configuration, in two slots; what waits for them to be stable
 * peer.c        struct peer           hello, status: what is known of each member
 * version.c     -                     members of different versions
 * line.c        -                     lines of configurations that have parted
 * decision.c    struct decision       the vote, and proposals
 * lease.c       struct lease          grants given and taken
 * reign.c       struct reign          what this member is
 * propose.c     struct reign          what it proposes, and when
 * birth.c       -                     the first configuration of a set
 * promotion.c   -                     another primary
 * entry.c       struct entry          one operation on an image: order, activity log, store
 * maps.c        struct replica_device what is unflushed, missing, unfinished
 * maps_disk.c   the same              what of it is on disk: activity log, bits
 * primary.c     struct reign          entries to all members, their answers, flushes
 * backup.c      struct backup         entries from the primary
 * recovery.c    struct reign          what a new primary does before it serves
 * bringup.c     struct bringup        targets, at the primary
 * copy.c        struct bringup        what they are copied
 * joining.c     struct joining        this member as a target
 * forward.c     struct forward        requests of this host's clients, brought to the primary
 * keep.c        struct forward        exclusive opens of this host's clients, as long as nobody can have closed them
 * accept.c      -                     requests at the primary: which are done, and which were
 * read_at_once.c -                    reads of the primary's own clients that need no entry
 * answering.c   -                     its answers: given, or held until they may be
 * opens.c       struct done_client    opens at the primary: who excludes whom, who waits
 * unsure.c      struct done_table     what overlaps a request that was done perhaps, or in part, waits
 * stop.c        struct stop           how a process ends
 * operator.c    -                     an operator's orders, and the status
 */
#ifndef RDISK_REPLICATION_CORE_H
#define RDISK_REPLICATION_CORE_H

#include "accept.h"
#include "answering.h"
#include "backup.h"
#include "block_map.h"
#include "bringup.h"
#include "copy.h"
#include "decision.h"
#include "deliberate_bug.h"
#include "done_table.h"
#include "durable.h"
#include "entry.h"
#include "forward.h"
#include "joining.h"
#include "keep.h"
#include "lease.h"
#include "line.h"
#include "maps.h"
#include "opens.h"
#include "peer.h"
#include "primary.h"
#include "propose.h"
#include "recovery.h"
#include "reign.h"
#include "replica.h"
#include "request.h"
#include "stop.h"
#include "unsure.h"
#include "version.h"

#define REPLICA_BLOCK_MIN 512u
#define DONE_TABLE_PIECE  32768u /* bytes of a DONE_TABLE: one client fits at least */
#define RANGES_PIECE	  4096u	 /* bytes of the ranges of a REPORT */
#define BULK_TURN	  3	 /* times copy_size: what may go before a message that can wait */

struct replica {
	struct replica_settings settings;
	const struct replica_world *world;
	void *user;
	uint64_t now;
	uint64_t next_time;
	uint64_t list_digest; /* in each configuration */
	uint64_t digest;      /* what members have in common, in each HELLO */
	bool clean;	      /* nothing was hot at its start */
	/*
	 * Bit n: the image of device n is another file than that of the slots, or an operator distrusts it, which is
	 * not noted in them before it is given anything; and what they had in wants_all.
	 */
	uint64_t other_images, noted_wants;
	bool image_missing; /* one was at the start, and this member was not brought up since */
	bool failed;	    /* its metadata cannot be kept: it does nothing any more */
	bool stopping;	    /* an operator ends the process: see `stop` */
	bool consider;	    /* something changed that propose_consider() looks at */
	uint64_t heartbeat_at;
	uint64_t session; /* count of sessions: entries know by which they came */
	uint64_t sessions[MEMBERS_MAX];
	int init_from;	    /* NO_MEMBER */
	bool resync_paused; /* an operator wants no copies */
	bool has_view;
	member_set view; /* the last one: whom the group service sees */
	struct durable durable;
	struct peer peers[MEMBERS_MAX];
	struct decision decision;
	struct lease lease;
	struct reign reign;
	struct set_flush flush;
	struct backup backup;
	struct stop stop;
	struct bringup bringup[MEMBERS_MAX];
	struct joining joining;
	struct forward forward;
	struct done_table done;
	struct replica_device devices[REPLICA_DEVICES_MAX];
	struct requests requests;
	void *entries;
	struct entry **by_number; /* primary: entries under way, at number % window */
	uint64_t copy_number;	  /* of the last COPY */
	uint64_t next_copy;	  /* time at which one may begin by settings.resync_rate */
	/* An entry of the primary is in one of these, or in one of `flush`. */
	struct entry_list queue;	  /* requests that wait until it serves */
	struct entry_list opens;	  /* OPENs and CLOSEs that wait for others: opens.c */
	struct entry_list unsure_waiters; /* requests that wait for unsure ones */
	uint64_t next_ask;		  /* time when it is asked again whether those are wanted */
	struct entry_list ordered;	  /* begun, without a number: they wait for their turn, or read */
	struct entry_list window_waiters; /* their turn has come, the window is full */
	struct entry_list active;	  /* with a number, in the order of them */
	struct entry_list held;		  /* done, but not to be answered without a lease */
	struct entry_list copies;
	struct entry_list compared; /* as a target */
	/* Of all roles: what the own image does not have yet. */
	struct entry_list here;
	unsigned int nr_here;
	bool here_less; /* nr_here went down */
	struct entry *first_completed, *last_completed;
};

/* The timer is to ring at `time` at the latest. */
void core_wake_at(struct replica *replica, uint64_t time);
void core_tell(struct replica *replica, enum replica_event_kind kind, int member, const char *text);
/*
 * Whether what waits to be sent to a member has its turn though its queue has been full: what can wait does so for its
 * share only, or clients that write all the time would keep it waiting for ever.
 */
bool core_has_turn(const struct replica *replica, int member);
/* false: the queue is full, nothing was sent; who asked does so again after replica_can_send(). */
bool core_try_send(struct replica *replica, int member, enum replica_class class, struct message *message,
		   const void *data);
/* Sends; a session whose queue is full is ended. */
void core_send(struct replica *replica, int member, enum replica_class class, struct message *message,
	       const void *data);
/* The metadata cannot be kept: no vote, no service, for good. */
void core_fail(struct replica *replica, const char *why);

/* Each function of replica.h that changes something stands between these two: the time of what has happened is `now`.
 */
void core_event_begins(struct replica *replica, uint64_t now);
/* All that can go on after it goes on. */
void core_event_ends(struct replica *replica);

static inline const struct replica_configuration *core_configuration(const struct replica *replica)
{
	return &replica->durable.now.configuration;
}

static inline bool core_diskless(const struct replica *replica, int member)
{
	return replica->settings.list[member].diskless;
}

/* Members whose votes count. */
static inline member_set core_voters(const struct replica *replica, member_set dead)
{
	return (member_set)((1u << replica->settings.members) - 1) & (member_set)~dead;
}

/* Whether `set` holds a majority of them, by what was accepted. */
static inline bool core_majority(const struct replica *replica, member_set set)
{
	member_set voters = core_voters(replica, core_configuration(replica)->dead);

	return member_count(set & voters) > member_count(voters) / 2;
}

#endif
