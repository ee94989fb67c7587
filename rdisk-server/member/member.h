/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This process as a member of a replica set: the replication core, driven by a real clock, sessions over the network,
 * files and the stores of the replicated devices. For the rest of the server it is something that carries out struct
 * io, as a store does: what is submitted here is carried out by the primary, whichever host that is on.
 *
 * What is known of the set's disks (size, identity) is that of the newest configuration; before there is one, nobody
 * can say. All of it is for the loop's thread.
 */
#ifndef RDISK_MEMBER_H
#define RDISK_MEMBER_H

#include "diagnostic.h"
#include "group.h"
#include "io.h"
#include "replica.h"
#include "session.h"
#include "store.h"

/*
 * ios at a time; and withdrawn ones that the set still has, beside them: as many as it may have of one host under way.
 */
#define MEMBER_IOS_MAX	     4096
#define MEMBER_WITHDRAWN_MAX 256

struct member;

struct member_device {
	const char *name;
	struct store *store; /* opened with the completions of member_completions(); NULL: this member has no image */
};

/* Plain data; strings, key and stores outlive the member. Times in ns. */
struct member_settings {
	const char *set; /* its name */
	int members;
	int self;
	struct listed_member list[MEMBERS_MAX];
	struct session_member sessions[MEMBERS_MAX];
	const char *names[MEMBERS_MAX]; /* of the members */
	const unsigned char *key;
	size_t key_size; /* bytes; 0: in the clear */
	enum session_compression compression;
	enum group_kind group;
	const char *state_dir;
	const char *boot_id_file; /* NULL: the host's */
	bool full_copy;		  /* what the images hold is discarded: they are brought up as a whole */
	int nr_devices;
	struct member_device devices[REPLICA_DEVICES_MAX];
	uint64_t lease, replica_timeout, open_grace, memory_wait;
	uint64_t resync_rate; /* bytes a second; 0: no limit */
	unsigned int min_in_sync;
	unsigned int clients; /* opens of the whole set, at most */
	bool error_on_no_quorum;
	bool slow_replica_waits;
	void (*tell)(void *user, const struct replica_event *event); /* it was logged, too */
	void (*lost)(void *user, unsigned int events); /* so many more happened in a turn than `tell` was told */
	/* At the end of a turn in which anything was told, or another member has come or gone, which is no event of the
	 * core. */
	void (*changed)(void *user);
	void *user; /* for all */
};

/*
 * Three steps. Stores need the first to be opened, and the second needs the stores; what may fail comes before the
 * third. member_create() allocates; its completions are for the stores of replicated devices. member_start() opens the
 * state and listens: 0, or -1 and *diagnostic; member_end() and member_destroy() are to follow in either case.
 * member_begin() begins: nothing of the state is changed before, and no other member is told anything.
 */
int member_create(struct member **member, void (*wake)(void), struct diagnostic *diagnostic);
struct completions *member_completions(struct member *member);
int member_start(struct member *member, const struct member_settings *settings, struct diagnostic *diagnostic);
void member_begin(struct member *member);

/*
 * The two steps back. member_end(): it takes no part any more; nothing is under way in it, but what others wait for.
 * Before the stores are closed, whose requests may have its memory. member_destroy(): after that, as their threads use
 * its completions, and its bell, until they have ended. NULL is harmless to both.
 */
void member_end(struct member *member);
void member_destroy(struct member *member);

/*
 * What there is between this member and another one; `answered` counts sessions that came to nothing, too, and `why` is
 * set of one that is up as well, if the core has refused it. The loop's thread.
 */
void member_link(const struct member *member, int other, struct session_status *link);

/* Pieces of its state that it has written, each made stable, since its start. The loop's thread. */
uint64_t member_saves(const struct member *member);

#define MEMBER_WATCHES_MAX 4

/*
 * A descriptor for which the loop is to be woken as well; MEMBER_WATCHES_MAX of them at most. When it is readable
 * member_turn() sets *ready, which its owner sets back. 0, or -1 and *diagnostic.
 */
int member_watch(struct member *member, int fd, bool *ready, struct diagnostic *diagnostic);

/* CLOCK_BOOTTIME in ns: the core's time. */
uint64_t member_now(void);

/* To be waited for in the loop: readable when member_turn() has something to do. */
int member_descriptor(const struct member *member);

/* Whether member_turn() has something to do that the descriptor does not tell of: cheap, for a look in every turn. */
bool member_due(const struct member *member);

/* All that is due: frames, timers, what stores and files have done. */
void member_turn(struct member *member);

/* The loop is to be woken by then, too (as member_now()), for something of somebody else's. Once; the first one counts.
 */
void member_wake_by(struct member *member, uint64_t time);

/* Sends what came of what was submitted, and arms the timer: before the loop waits. */
void member_before_wait(struct member *member);

/*
 * Waits until member_turn() has something to do: for a loop that waits for nothing else but `others` (may be NULL), for
 * which member_rings_for() was called. What member_take_done() would return is nothing to it. A signal ends it as well,
 * and member_ring().
 */
void member_wait(struct member *member, struct completions *others);

/* Those can be waited for with member_wait(). Before anything is put in there, which ends before the member does. */
void member_rings_for(const struct member *member, struct completions *others);

/* Ends the member_wait() of another thread, or its next one. Any thread. */
void member_ring(const struct member *member);

/* It cannot go on (its state cannot be kept): the process is to end. */
bool member_failed(const struct member *member);

/*
 * Carries out an io of a replicated device, of a client whose open is io->client (but IO_DESCRIBE). DONE: a READ of
 * what is at hand, without an error. PENDING: it comes back by member_take_done(). Results: 0 or -errno; -EBUSY of an
 * IO_OPEN: others have it open. At most MEMBER_IOS_MAX are PENDING.
 */
enum io_answer member_submit(struct member *member, int device, struct io *io);

/*
 * Nobody wants an io any more that is PENDING. true: it is the caller's again, and neither it nor its memory is touched
 * any more, though the set may yet carry it out. false: it is about to come back.
 */
bool member_withdraw(struct member *member, struct io *io);

/* Whether member_take_done() would return any. */
bool member_any_done(const struct member *member);

/* All that are done, each naming the next by io->next; NULL: none. */
struct io *member_take_done(struct member *member);

/* An open is over: what is under way of it comes back with -ECANCELED, and the set is told. */
void member_forget_client(struct member *member, uint32_t client);

/* The same for all, and what no open is known of. */
void member_cancel_all(struct member *member);

/* What is known of a device: see above. false: nothing yet; IO_DESCRIBE waits for it. */
struct member_disk {
	uint64_t size;		/* bytes */
	char id[STORE_ID_SIZE]; /* the same on all hosts */
	uint64_t identity;	/* the same as a number */
};

bool member_disk(const struct member *member, int device, struct member_disk *disk);

/* Hands over; what is pending then comes back with -ECANCELED. */
void member_stop(struct member *member);
bool member_stopped(const struct member *member);

/* For status and orders of an operator (replica.h). */
struct replica *member_replica(struct member *member);

#endif
