/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the core share: its state, and what each part does for the others. For replication/ alone; the rest
 * of the server uses replica.h.
 *
 * part          state                 what it does
 * durable.c     struct durable        promise and configuration, in two slots; what waits for them to be stable
 * peer.c        struct peer           hello, status: what is known of each member
 * version.c     -                     members of different versions
 * line.c        -                     lines of configurations that have parted
 * decision.c    struct decision       the vote, and proposals
 * lease.c       struct lease          grants given and taken
 * reign.c       struct reign          what this member is; when to propose what
 * entry.c       struct entry          one operation on an image: order, activity log, store
 * primary.c     struct reign          entries to all members, their answers, flushes
 * backup.c      struct backup         entries from the primary
 * stop.c        struct stop           how a process ends
 * recovery.c    struct reign          what a new primary does before it serves
 * bringup.c     struct bringup        targets, at the primary
 * copy.c        struct bringup        what they are copied
 * joining.c     struct joining        this member as a target
 * forward.c     struct forward        requests of this host's clients; requests at the primary
 * keep.c        struct forward        exclusive opens of this host's clients, as long as nobody can have closed them
 * opens.c       struct done_client    opens at the primary: who excludes whom, who waits
 * unsure.c      struct done_table     what overlaps a request that was done perhaps, or in part, waits
 * maps.c        struct replica_device what is unflushed, missing, unfinished, hot
 */
#ifndef RDISK_REPLICATION_CORE_H
#define RDISK_REPLICATION_CORE_H

#include "block_map.h"
#include "deliberate_bug.h"
#include "done_table.h"
#include "replica.h"
#include "request.h"

#define PAST_ROUNDS	  16 /* rounds of renewals whose grants still count */
#define AFTER_SAVE_MAX	  32 /* answers that wait for the slots */
#define REPLICA_BLOCK_MIN 512u
#define DONE_TABLE_PIECE  32768u /* bytes of a DONE_TABLE: one client fits at least */
#define RANGES_PIECE	  4096u	 /* bytes of the ranges of a REPORT */
#define ENTRIES_SPARE	  64	 /* of the pool, beyond what is counted */
#define BULK_TURN	  3	 /* times copy_size: what may go before a message that can wait */

/* ---- durable.c ---- */

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
	bool busy; /* a save is under way */
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
/* A slot of its set is stable: what else is saved can be told to be its. */
bool durable_knows_set(const struct replica *replica);
void durable_saved(struct replica *replica, struct replica_save *save, int result);

/* ---- peer.c ---- */

struct peer {
	bool connected;
	bool greeted; /* its HELLO was taken: messages of other types count */
	bool full; /* a send was refused, and replica_can_send() has not come since: what is BULK waits for its turn */
	uint64_t passed; /* bytes of what cannot wait that went before it since then */
	struct process_id process;
	uint32_t wire;	/* version of its session's frames */
	uint32_t flags; /* of its last HELLO or STATUS */
	/* The newest configuration it is known to have accepted, by HELLO or STATUS of this session. */
	uint64_t epoch;
	struct ballot accepted;
	bool decided;
	/* The highest epoch that it was ever seen to have accepted or promised: survives its sessions. */
	uint64_t seen;
	uint64_t heard_at;		     /* time of the last frame */
	uint64_t asked;			     /* time of the last FETCH to it; 0: it was answered */
	uint64_t sizes[REPLICA_DEVICES_MAX]; /* bytes, of its images */
	/* As primary: it has failed, and is to be removed. */
	bool failed;
	uint64_t leaves_after; /* as primary: of the flush after which one that is to end leaves; 0: none */
	bool parted;	       /* its line of configurations is another than this member's: see line.c */
};

void peer_connected(struct replica *replica, int member);
void peer_disconnected(struct replica *replica, int member);
void peer_hello(struct replica *replica, int member, const struct message *message, const void *data);
void peer_status(struct replica *replica, int member, const struct message *message);
/* What this member says of itself in HELLO and STATUS. */
uint32_t peer_own_flags(const struct replica *replica);
void peer_fetch(struct replica *replica, int member);
void peer_view(struct replica *replica, member_set present);
/*
 * For how long this member waits, before it acts, for another that has no session, if it waits for `delay` where there
 * is no group service: less if that does not see it either, more if it does.
 */
uint64_t peer_hint(const struct replica *replica, int member, uint64_t delay);
void peer_tick(struct replica *replica);
/* Tells all what this member has accepted. */
void peer_tell_all(struct replica *replica);
/* Whether the process that a configuration names for a member is there and can be talked to. */
bool peer_is_named(const struct replica *replica, int member, const struct replica_configuration *configuration);
/* Ends a session for a cause that is told of. */
void peer_refuse(struct replica *replica, int member, const char *why);

/* ---- version.c ---- */

uint32_t version_newest_wire(const struct replica *replica);
uint64_t version_features(const struct replica *replica);
/* The wire version of a session with one that speaks these; 0: none. */
uint32_t version_agree(const struct replica *replica, uint32_t oldest, uint32_t newest);
/* What a member's HELLO said that it can. */
void version_seen(struct replica *replica, int member, uint64_t features);
/* Whether a feature (one bit) is to be used. */
bool version_uses(const struct replica *replica, uint64_t feature);
/* A piece of metadata that was encoded becomes of the version that is written. */
void version_stamp(const struct replica *replica, unsigned char *bytes, size_t size);
/* A piece of another version that this one reads is put into `copy` as one of METADATA_VERSION; else it is the same. */
const void *version_read(const struct replica *replica, const void *bytes, size_t size,
			 unsigned char copy[static METADATA_SLOT_SIZE]);

/* ---- line.c ---- */

/* Whether what `member` has come from is not what this member has come from. settled: of `theirs`; see line.c. */
bool line_parted(const struct replica *replica, int member, const struct replica_configuration *theirs, bool settled);
/* It has: nothing that it says counts, and nothing is done about it before an operator says whose copy to discard. */
void line_tell(struct replica *replica, int member);
/* An operator has: this member's. */
void line_give_up(struct replica *replica);
void line_given_up(struct replica *replica); /* that is stable */

/* ---- decision.c ---- */

enum proposal_phase {
	PROPOSAL_NONE,
	PROPOSAL_COLLECTING,
	PROPOSAL_PROPOSING,
};

struct decision {
	bool decided; /* durable.now.configuration is known to be */
	enum proposal_phase phase;
	uint64_t epoch;
	struct ballot ballot;
	struct replica_configuration value; /* own, or adopted */
	struct ballot adopted;		    /* counter 0: own */
	bool own;			    /* `value` is set */
	member_set dead;		    /* whose votes do not count for it */
	member_set answers;		    /* promised, or accepted */
	uint64_t deadline;		    /* of the phase */
	uint32_t highest_counter;	    /* seen in any ballot */
	/* Members that were seen to have accepted (heard_epoch, heard_ballot), by STATUS. */
	uint64_t heard_epoch;
	struct ballot heard_ballot;
	member_set heard;
	/* Without a vote: what the others have. */
	member_set untouched; /* without a slot: others that have said that they promised and accepted nothing */
	bool learning;
	member_set learnt;
	uint64_t learnt_epoch;
	uint64_t seen; /* the highest epoch that others saw of this member and that it does not know of */
	uint64_t next_learn;
};

/* Proposes `value` for the epoch after the decided one; fills in epoch and ballot. Not while another is under way. */
void decision_propose(struct replica *replica, const struct replica_configuration *value);
/* The same, decided without the votes of those that `value` has for dead, also over what is not known to be decided. */
void decision_force(struct replica *replica, const struct replica_configuration *value);
/* Proposes again what was accepted and is not known to be decided. */
void decision_settle(struct replica *replica);
/* Whether this member cannot propose anything any more, as there is no higher ballot or epoch. */
bool decision_used_up(const struct replica *replica);
void decision_give_up(struct replica *replica);
void decision_collect(struct replica *replica, int member, const struct message *message);
void decision_promise(struct replica *replica, int member, const struct message *message);
void decision_refuse(struct replica *replica, int member, const struct message *message);
void decision_proposal(struct replica *replica, int member, const struct message *message);
void decision_accepted(struct replica *replica, int member, const struct message *message);
void decision_configuration(struct replica *replica, int member, const struct message *message);
void decision_saved(struct replica *replica, const struct awaiting_save *awaiting);
/* A member was heard to have accepted (epoch, ballot). */
void decision_heard(struct replica *replica, int member, uint64_t epoch, struct ballot ballot, bool decided);
void decision_lost(struct replica *replica, uint64_t seen);
/* This member forgets what it decided, by an operator's order, and learns what others have. */
void decision_forget(struct replica *replica);
void decision_learn(struct replica *replica, int member);
void decision_learnt(struct replica *replica, int member, const struct message *message);
void decision_tick(struct replica *replica);
bool decision_votes(const struct replica *replica, uint64_t epoch);

/* ---- lease.c ---- */

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

/* ---- reign.c ---- */

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

/* What a proposal is for: each waits for a time of its own, drawn when it is called for first. */
enum purpose {
	PURPOSE_BIRTH,
	PURPOSE_SETTLING,
	PURPOSE_CHANGE, /* of who is in sync, of the reign: the primary's */
	PURPOSE_HAND_OVER,
	PURPOSE_PROMOTION,
	PURPOSE_FORCE,
	PURPOSES,
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
	uint64_t adopt_until;	 /* without that table: unknown clients are taken for known until then */
	unsigned int equalising; /* entries under way */
	uint64_t cursor[REPLICA_DEVICES_MAX]; /* block of `owed` to look at next */
	uint64_t flushed;		      /* number of the last flush that all have completed */
	int candidate;			      /* NO_MEMBER: no admission is proposed */
	int successor;			      /* to hand over to; NO_MEMBER */
	member_set force_without; /* an operator wants this member to be primary, and takes these for dead */
};

void reign_changed(struct replica *replica); /* another configuration was accepted, or became known as decided */
void reign_consider(struct replica *replica);
/* It waits, for `needed` of `members`. */
void reign_waits(struct replica *replica, enum replica_wait what, member_set members, unsigned int needed,
		 const char *text);
/* There is no configuration any more: no role, and nothing of any before. */
void reign_forget(struct replica *replica);
bool reign_is_primary(const struct replica *replica);
/* Members that an entry is sent to, itself left out: in sync, and targets. */
member_set reign_receivers(const struct replica *replica);
/* A member is to be removed. */
void reign_member_failed(struct replica *replica, int member, const char *why);
/* The own image fails or hangs. true: others are in sync, and one of them shall serve. */
bool reign_own_disk_failed(struct replica *replica);
/* A flush of the own image has failed; and that was made good. */
void reign_flush_failed(struct replica *replica);
void reign_flush_made_good(struct replica *replica);
/* An operator's order to the primary that serves, by whatever way: to hand over. 0, or -EAGAIN with *why. */
int reign_promote(struct replica *replica, int member, const char **why);
/* As primary that is to end: nobody else is in sync who could be asked or waited for. */
bool reign_is_last(const struct replica *replica);
/* Whether those that are seen, this one included, can decide something. */
member_set reign_seen(const struct replica *replica);
bool reign_majority_there(const struct replica *replica);
/* It answers nothing any more in this reign, if it is the primary. */
void reign_answers_nothing(struct replica *replica);

/* ---- entry.c ---- */

enum entry_role {
	ENTRY_OF_CLIENT,   /* primary: a request */
	ENTRY_OF_RECOVERY, /* primary: an unfinished range, read from the own image and written to all */
	ENTRY_OF_COPY,	   /* primary: a range, read from the own image and written to a target */
	ENTRY_OF_PRIMARY,  /* backup, target: from the primary */
	ENTRY_COPIED,	   /* target: a COPY */
	ENTRY_COMPARED,	   /* target: a HASH */
	ENTRY_ORPHAN,	   /* nobody waits for it; its store may still have it */
};

enum entry_step {
	STEP_ORDER,  /* waits for its turn */
	STEP_WINDOW, /* primary: its turn has come, and too many are under way */
	STEP_READ,   /* RECOVERY, COPY: the own image is read */
	STEP_LOG,    /* an extent is being made hot */
	STEP_WRITE,  /* at the store */
	STEP_FLUSH,  /* at the store, for a stable one */
	STEP_STORED, /* nothing to do here any more */
};

/* Whose flush it is. */
enum flush_owner {
	FLUSH_OF_BACKUP,
	FLUSH_OF_PRIMARY,
	FLUSH_OF_STOP,
};

/* An io at the world's store. */
struct core_io {
	struct io io;
	struct entry *entry; /* NULL: a flush */
	int device;
	enum flush_owner flush;
};

struct entry_list {
	struct entry *first, *last;
};

struct entry {
	struct request request; /* first: the pool and the order are request/'s */
	enum entry_role role;
	enum entry_kind kind;
	enum entry_step step;
	uint32_t device;
	uint64_t reign, number; /* number 0: none yet */
	bool stable, may_free;
	struct client_id client;
	struct client_open open; /* of an OPEN */
	uint64_t client_request, lowest;
	int origin;	      /* member that waits for the answer */
	uint64_t begun;	      /* time; of a COPY */
	int target;	      /* of a COPY; so are: */
	unsigned char *equal; /* a byte for each block: the target has it */
	bool compares;	      /* hashes are wanted before anything is sent */
	bool asked;	      /* for them */
	uint64_t sent;	      /* bytes that need no other message; of a HASH at the target: of its hashes */
	unsigned int pieces;  /* messages that were sent and are not acknowledged */
	uint64_t seed;	      /* of a HASH at the target */
	uint64_t session;     /* of `origin`, when it came */
	member_set waits;     /* members whose answer is awaited */
	member_set failed;    /* members that failed to store it, this one included */
	int error;	      /* of one of them */
	uint64_t began;	      /* time when it was sent */
	void *memory;	      /* from malloc(): of `data`; owned; NULL: none */
	void *data;
	struct iovec vector;
	struct core_io store;
	int stored_result; /* of the own image */
	bool completed;	   /* entry_complete() was called: it ends soon */
	int result;
	struct entry *next_completed;
	struct entry *next_logged; /* of those that wait for the activity log */
	struct entry_list *list;   /* that it is in; NULL: none */
	struct entry *next, *previous;
	/* Of those that the own image does not have yet, and that it shall have. */
	bool is_here;
	struct entry *next_here, *previous_here;
};

/* A new one, not begun; the pool is large enough for all that the settings allow. memory: owned from now on. */
struct entry *entry_take(struct replica *replica, enum entry_role role, enum entry_kind kind, uint32_t device,
			 uint64_t position, uint64_t length, void *memory, void *data);
/*
 * Whether there is room for more that can wait. A store that hangs keeps entries of sessions and reigns that are over,
 * so that the pool can run low; the rest of it is for what is under way already.
 */
bool entry_room(const struct replica *replica);
void entry_begin(struct replica *replica, struct entry *entry);
/* Nothing is to be done for it any more: those who wait for it in the order can go on. Leads to its part's _end(). */
void entry_complete(struct replica *replica, struct entry *entry, int result);
/* Writes it to the own image: makes its extents hot first. */
void entry_write_here(struct replica *replica, struct entry *entry);
void entry_read_here(struct replica *replica, struct entry *entry);
/* The extents that it waited for are hot. */
void entry_logged(struct replica *replica, struct entry *entry);
void entry_io_done(struct replica *replica, struct io *io);
/* Goes on with all that can go on. */
void entries_run(struct replica *replica);
void entry_free(struct replica *replica, struct entry *entry);
/* Nobody waits for it any more: it ends when the own store is done with it. Takes it from its list. */
void entry_orphan(struct replica *replica, struct entry *entry);
/* The own image shall have it; until it has, or the entry ends, it is in replica->here. */
void entry_here(struct replica *replica, struct entry *entry);
void entry_append(struct entry_list *list, struct entry *entry);
void entry_remove(struct entry *entry);
enum io_answer entry_turn(struct request_disk *disk, struct io *io);

/* ---- primary.c ---- */

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
/* More of the table of done requests, from where `sending` is (0 at first). false: the queue is full, it goes on later.
 */
bool primary_send_done_table(struct replica *replica, int member, struct sending_table *sending);
void primary_want_flush(struct replica *replica, struct entry *entry);
void primary_paused_can_go_on(struct replica *replica);
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

/*
 * ---- backup.c ----
 *
 * Here, in bringup.c and in forward.c a function that takes `frame` owns it, memory from malloc() that `data` lies in.
 */

struct backup {
	uint64_t reign;	   /* of the entries that are taken */
	uint64_t complete; /* as the primary says */
	uint64_t flushed;  /* as the primary says */
	uint64_t tracked;  /* number of the flush at which unflushed became unflushed before; 0: none since */
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

/* ---- stop.c ---- */

enum stop_phase {
	STOP_LEAVING,  /* the others are to go on without it */
	STOP_FLUSHING, /* its own image */
	STOP_COOLING,
	STOP_DONE,
};

struct stop {
	enum stop_phase phase;
	bool was_in_sync;	     /* and its image is to be trusted */
	uint64_t leaves_by, ends_by; /* times */
	struct core_io io[REPLICA_DEVICES_MAX];
	int nr_pending;
	int result;
};

void stop_begin(struct replica *replica);
void stop_flush_stored(struct replica *replica, int result);
void stop_go_on(struct replica *replica);

/* ---- recovery.c ---- */

void recovery_begin(struct replica *replica);
void recovery_report(struct replica *replica, int member, const struct message *message, const void *data);
void recovery_go_on(struct replica *replica);
/* The epoch is another: asks those that have not reported yet. */
void recovery_ask(struct replica *replica);
void recovery_end_of_entry(struct replica *replica, struct entry *entry);
/* A range that may differ: written to all from the own image, before anybody who comes later gets at it. */
void recovery_equalise(struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
void recovery_reconciled(struct replica *replica, int member, const struct message *message);
void recovery_can_send(struct replica *replica);
void recovery_tick(struct replica *replica);

/* ---- bringup.c ---- */

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

/* ---- copy.c ---- */

enum copy_begun {
	COPY_BEGUN,
	COPY_NONE, /* nothing is left that is not under way or waits for a flush */
	COPY_NO_MEMORY,
};

/* The next of the blocks that a target must be given. */
enum copy_begun copy_begin_next(struct replica *replica, int member);
void copy_read(struct replica *replica, struct entry *entry);
void copy_copied(struct replica *replica, int member, const struct message *message);
void copy_hashes(struct replica *replica, int member, const struct message *message, const void *data);
void copy_can_send(struct replica *replica, int member);

/* ---- joining.c ---- */

/* Whether this member has asked `member`, by its present session and in the present reign, to be brought up. */
bool joining_is_target(const struct replica *replica, int member);
/* The primary has taken it as a target. */
void joining_heard(struct replica *replica);
/* Its disk has failed: it asks after a while, and with all that it may have lost. */
void joining_disk_failed(struct replica *replica);
void joining_copy(struct replica *replica, int member, const struct message *message, void *frame, const void *data);
void joining_stored(struct replica *replica, struct entry *entry);
void joining_hash(struct replica *replica, int member, const struct message *message);
void joining_read(struct replica *replica, struct entry *entry);
void joining_bits(struct replica *replica, int member, const struct message *message, const void *data);
/* More of the activity log is stable. */
void joining_log_saved(struct replica *replica);
void joining_handed_over(struct replica *replica, int member, const struct message *message);
void joining_session_ended(struct replica *replica, int member);
void joining_can_send(struct replica *replica, int member);
void joining_tick(struct replica *replica);

/* ---- forward.c ---- */

struct local_client {
	uint32_t client;	      /* 0: free */
	uint64_t number;	      /* of its last request */
	uint64_t generation;	      /* id of that in which it was opened; 0: it is not open */
	struct client_open open;      /* as it has asked for */
	struct replica_request close; /* the core's own: its client is gone */
};

struct forward {
	struct replica_request *first, *last; /* not answered, in the order in which they came */
	struct local_client *clients;	      /* settings.clients */
	bool held_back;			      /* some, because a queue was full */
	unsigned int nr_sent;		      /* of the requests, at most settings.requests */
	/* As primary: time of the next look at whose process is gone; until when it may lack closes sent to the last.
	 */
	uint64_t next_look, settled_at;
	/* keep.c: time at which a primary can have closed nothing of this process yet; the last of its own requests. */
	uint64_t confirmed;
	uint64_t keeper_request, keeper_sent;
	unsigned int spare; /* places of that table beyond settings.clients */
};

void forward_submit(struct replica *replica, struct replica_request *request);
void forward_resend(struct replica *replica);
void forward_request(struct replica *replica, int member, const struct message *message, void *frame, const void *data);
void forward_answer(struct replica *replica, int member, const struct message *message, const void *data);
/* Answers an entry of a client, if it may; else it is held until it may. */
void forward_done(struct replica *replica, struct entry *entry);
void forward_forget(struct replica *replica, uint32_t client);
void forward_start_queue(struct replica *replica);
/* A queue has room again: what was held back goes. */
void forward_can_send(struct replica *replica);
void forward_tick(struct replica *replica);

/* Whether a client of this host waits for a request. */
bool forward_wants(const struct replica *replica, uint32_t client, uint64_t request);
/* A request whose turn has come, as far as unsure ones are concerned. */
void forward_start(struct replica *replica, struct entry *entry);

/* Whether a primary is seen that takes requests of this member, which may be itself. */
bool forward_sees_primary(const struct replica *replica);

/* ---- keep.c ---- */

/* What was sent at that time was answered. */
void keep_confirmed(struct replica *replica, uint64_t sent_at);
/* Whether no primary can have closed what this process has open. */
bool keep_is_sure(const struct replica *replica);
/* Tells a primary that may have forgotten them of exclusive opens. */
void keep_tell(struct replica *replica);
/* true: the answer is to a request of its own. */
bool keep_answer(struct replica *replica, const struct message *message);
void keep_tick(struct replica *replica);

/* ---- unsure.c ---- */

/* Whether an entry of a client that is about to begin has to wait; then it is in replica->unsure_waiters. */
bool unsure_holds(struct replica *replica, struct entry *entry);
/* Begins with those that need not wait any more. true: there was one. */
bool unsure_go_on(struct replica *replica);
void unsure_wanted(struct replica *replica, int member, const struct message *message);
void unsure_unwanted(struct replica *replica, int member, const struct message *message);
void unsure_tick(struct replica *replica);

/* ---- opens.c ---- */

/* An OPEN or CLOSE at the primary that serves: it begins when it may, or is answered an error. */
void opens_start(struct replica *replica, struct entry *entry);
/* Those that wait, as far as they can. */
void opens_go_on(struct replica *replica);
/* Whether the client has something open, or waits for that. */
bool opens_is_open(const struct replica *replica, struct client_id client);
/* A CLOSE of the client is under way: nothing else of it is taken any more. */
bool opens_is_closing(const struct replica *replica, struct client_id client);
/* Whether an open that this primary does not know can be taken for one of before. */
bool opens_can_adopt(struct replica *replica, struct client_id client, const struct client_open *open);
void opens_reign_begins(struct replica *replica);
/* From now on it serves. */
void opens_serve(struct replica *replica);
/* The session of a process began or ended. */
void opens_process_changed(struct replica *replica, uint64_t incarnation);
void opens_tick(struct replica *replica);

/* ---- maps.c ---- */

struct replica_device {
	struct request_disk disk; /* order of the entries */
	struct replica *replica;
	int index;
	uint64_t blocks, extents;
	uint64_t sectors;		       /* of the activity log */
	struct block_map missing[MEMBERS_MAX]; /* what an absent member must be given */
	struct block_map unflushed, unflushed_before;
	struct block_map owed;	     /* unfinished of former reigns */
	struct block_map hot;	     /* extents, as they are to be in the log */
	struct block_map hot_stable; /* as they are there */
	/* Sectors of the log: which are dirty, and the one that is being written. */
	struct block_map log_dirty;
	struct block_map log_there; /* sectors of it that are on disk */
	bool log_busy;
	/* Extents that were written in this interval between tracked flushes, and in the one before. */
	struct block_map touched, touched_before;
	/* Sectors of missing[m]: which are to be saved; and the one that is being saved. */
	struct block_map bits_dirty[MEMBERS_MAX];
	bool bits_busy;
	int bits_member;
	uint64_t bits_sector;
	struct replica_save bits_save;
	unsigned char bits_bytes[METADATA_SECTOR];
	uint64_t bits_sectors; /* of each of these maps */
	bool written;	       /* to the own image, by this process */
	struct replica_save log_save;
	unsigned char log_bytes[METADATA_SECTOR];
	uint64_t log_saving[METADATA_SECTOR_BITS / 64];
	struct entry *log_waiters;
	uint64_t *memory; /* of all the maps */
};

int maps_create(struct replica *replica);
void maps_destroy(struct replica *replica);
/* Blocks that a range of bytes touches. */
void maps_blocks(const struct replica *replica, uint64_t position, uint64_t length, uint64_t *first, uint64_t *count);
/* Whether a range of zeroes is one piece for request/. */
static inline bool maps_one_piece(uint64_t position, uint64_t length)
{
	return length > 0 && position / REQUEST_RANGE_PIECE == (position + length - 1) / REQUEST_RANGE_PIECE;
}

/* Whether a range lies on a device. */
bool maps_range_ok(const struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
/* Members must be given a range. Those without images and this one are left out. */
void maps_miss(struct replica *replica, member_set members, uint32_t device, uint64_t position, uint64_t length);
/* The same of a member that may have it already; and of all of a device. */
void maps_doubt(struct replica *replica, int member, uint32_t device, uint64_t position, uint64_t length);
void maps_doubt_all(struct replica *replica, int member, uint32_t device);
void maps_miss_all(struct replica *replica, int member, uint32_t device);
/* Blocks of it need not be given to a member (any more). */
void maps_unmiss(struct replica *replica, int member, uint32_t device, uint64_t first, uint64_t count);
void maps_miss_active(struct replica *replica, int member);
/* The same of all that is owed; a range is owed; nothing is any more. */
void maps_miss_owed(struct replica *replica, member_set members);
/* What the own image has and no flush has covered is owed. */
void maps_owe_own_unflushed(struct replica *replica);
void maps_owe(struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
void maps_forget_owed(struct replica *replica);
/* The blocks of a range are not owed any more: those that are in it as a whole. */
void maps_settle(struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
/* The whole blocks that a range lies in, as a range of the device. */
void maps_round(const struct replica *replica, uint32_t device, uint64_t *position, uint64_t *length);
bool maps_any_unflushed(const struct replica *replica);
#define MAPS_RANGES_SIZE (256 * MESSAGE_RANGE_SIZE) /* bytes of the ranges in one message, at most */
/* The same by what is set: no more than a copy has. */
size_t maps_ranges_size(const struct replica *replica);
/*
 * Writes runs of set blocks from *cursor (a block; 0 at first) on as ranges, as many as fit, and moves it on. Returns
 * the bytes; 0: there are no more.
 */
uint32_t maps_ranges(const struct replica *replica, uint32_t device, const struct block_map *map, uint64_t *cursor,
		     void *data, size_t size);
/* A range is about to be written on this member: bits for the absent, and unflushed. */
void maps_note_write(struct replica *replica, uint32_t device, uint64_t position, uint64_t length, member_set absent);
/* Whether all extents of a range are hot and stable; else the entry waits until they are. */
bool maps_hot(struct replica *replica, struct entry *entry);
void maps_saved(struct replica *replica, struct replica_save *save, int result);
/* Extents become hot because of what others say: bits in them need not be stable then. */
void maps_heat(struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
void maps_may_save(struct replica *replica); /* a slot is stable */
bool maps_log_is_stable(const struct replica *replica);
/* Nothing is hot: all that this member has written is flushed, and equal on all that were in sync. */
bool maps_clean(const struct replica *replica);
/* All that may be missing on a member that is absent from now on. */
void maps_owe_unflushed(struct replica *replica, member_set members);
void maps_owe_all(struct replica *replica, member_set members);
void maps_forget_missing(struct replica *replica, int member);
/*
 * The process is to end, and its image is flushed: nothing is unflushed; and all extents cool in which nothing is
 * unflushed or unfinished. true: that is stable.
 */
void maps_forget_unflushed(struct replica *replica);
bool maps_cool_all(struct replica *replica);
/* A tracked flush begins, or is complete on all. */
void maps_flush_begins(struct replica *replica);
void maps_flush_complete(struct replica *replica);
uint64_t maps_missing_bytes(const struct replica *replica, int member);
/* All was loaded that there is; and the slots name a set for the first time. */
void maps_loaded(struct replica *replica);
void maps_set_known(struct replica *replica);
const char *maps_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
			     size_t size);

/* ---- replica.c ---- */

struct replica {
	struct replica_settings settings;
	const struct replica_world *world;
	void *user;
	uint64_t now;
	uint64_t next_time;
	uint64_t digest;
	bool clean;    /* nothing was hot at its start */
	bool failed;   /* its metadata cannot be kept: it does nothing any more */
	bool stopping; /* an operator ends the process: see `stop` */
	bool consider; /* something changed that reign_consider() looks at */
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
/* false: the queue is full, nothing was sent; who asked does so again after replica_can_send(). */
bool core_try_send(struct replica *replica, int member, enum replica_class class, struct message *message,
		   const void *data);
/* Sends; a session whose queue is full is ended. */
void core_send(struct replica *replica, int member, enum replica_class class, struct message *message,
	       const void *data);
/* The metadata cannot be kept: no vote, no service, for good. */
void core_fail(struct replica *replica, const char *why);

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
