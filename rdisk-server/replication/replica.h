/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The replication core: one member's part of a replica set, as a state machine. Events go in as calls of the functions
 * below, actions come out as calls of struct replica_world. It has no thread, clock, file or socket of its own: the
 * server drives it with real ones, sim/ with simulated ones. docs/replication.md says what it does and why.
 *
 * One thread, the loop's. `now` is CLOCK_BOOTTIME in ns as of the event, read after what the event tells of (a read
 * that ended, a frame that came), because leases are judged by it; it never goes back. After any event the caller arms
 * its timer for replica_next_time(). The world's functions are called from within events and do not call back into the
 * core.
 */
#ifndef RDISK_REPLICA_H
#define RDISK_REPLICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replica_configuration.h"
#include "io.h"
#include "message.h"
#include "metadata.h"

#define REPLICA_NEVER	  UINT64_MAX		  /* a time that does not come */
#define REPLICA_LEASE_MAX UINT64_C(3600000000000) /* ns */

struct replica;

/* What an image is at the start of the process, as the caller finds it. */
enum replica_image {
	REPLICA_IMAGE_NEW,     /* just made, or known to hold nothing but zeroes */
	REPLICA_IMAGE_DATA,    /* it was there */
	REPLICA_IMAGE_MISSING, /* it cannot be opened: it must be brought up as a whole when it is there again */
};

/* Bits of what a version can beyond the wire version of a session. */
#define REPLICA_FEATURES	UINT64_C(0)
#define REPLICA_FEATURE_MADE_UP (UINT64_C(1) << 63) /* see settings.made_up */

struct replica_device_settings {
	uint64_t name_checksum; /* of the name; the same on all members */
	uint64_t size;		/* bytes; of this member's image. 0 on a diskless member */
	uint64_t identity;	/* of the image file: another file has another. 0 on a diskless member */
	uint32_t overlap_block; /* bytes, a power of two: see struct request_disk */
	enum replica_image image;
};

/*
 * All times in ns. Members whose lists, leases, names of devices, window, requests, clients, block_size or extent_size
 * differ refuse each other.
 */
struct replica_settings {
	struct listed_member list[MEMBERS_MAX]; /* the same on all members */
	int members;				/* 1 .. MEMBERS_MAX */
	int self;				/* index in the list */
	struct replica_device_settings devices[REPLICA_DEVICES_MAX];
	int nr_devices;
	struct process_id process;
	uint64_t lease;		  /* how long a grant lasts; at most REPLICA_LEASE_MAX */
	uint32_t drift;		  /* bound on how wrong a clock runs, parts per million */
	uint64_t heartbeat;	  /* between STATUS messages */
	uint64_t replica_timeout; /* for an answer of a member, and of the own store */
	uint64_t election_delay;  /* the least that a member waits before it proposes itself, the most for votes */
	uint64_t flush_interval;  /* between flushes of the set */
	uint64_t open_grace;	  /* how long a primary without tables takes opens that it does not know for its own */
	uint64_t memory_wait;	  /* for those in sync that may have kept what this host forgot; 0: for ever */
	unsigned int min_in_sync;
	bool error_on_no_quorum; /* requests fail with EIO while nothing is served; else they wait */
	bool slow_replica_waits; /* one that does not keep up is waited for while its session lives; else it is removed
				  */
	unsigned int window;	 /* entries that may be under way at once */
	/* Bytes of data of these: one of any size if there is no other. A quarter of what a queue to a member holds. */
	uint64_t window_bytes;
	unsigned int requests; /* at once: of the own host's clients, forwarded ones of each member, of a client */
	unsigned int clients;  /* opens of the whole set, at most */
	uint32_t block_size;   /* bytes of a bit of the maps; a power of two */
	uint32_t extent_size;  /* bytes of a bit of the activity log; a power of two, a multiple of block_size */
	uint32_t copy_size;    /* bytes of a COPY, and of ranges, at most; a multiple of block_size, at most
				* MESSAGE_DATA_MAX */
	bool made_up;	       /* for tests: as if it were of the next version, which there is not yet: see version.c */
	unsigned int copies;   /* ranges that are copied at once, to each target */
	uint64_t resync_rate;  /* bytes a second of which all targets together are brought up at most; 0: any */
};

/* Memory of a WRITE's data, which its request and what became of it have at the same time. */
struct replica_data {
	unsigned int holders;
	unsigned char bytes[];
};

/* Held once; or NULL: there is no memory. The thread of the core, as for all of these. */
struct replica_data *replica_data_create(size_t size);
void replica_data_hold(struct replica_data *data);
/* The last one frees it. NULL is harmless. */
void replica_data_release(struct replica_data *data);

/* One request of a client of this host, memory of the caller's until it is answered. */
struct replica_request {
	/* The caller's. */
	enum entry_kind kind;
	uint32_t client; /* number of its open, which the caller gives: never used twice in one process */
	uint32_t device;
	uint64_t position, length; /* bytes, as in struct io; OPEN, CLOSE, FLUSH: 0 */
	bool stable;		   /* WRITE, ZEROES: FUA */
	bool shared;		   /* OPEN: others that are shared, too, may have it open at the same time */
	bool read_only;		   /* OPEN: it only reads; with others that only read it may share it in any case */
	/*
	 * The data: one piece of `length` bytes. A WRITE's must not change until it is answered; a READ's is written
	 * only at the moment of the answer.
	 */
	void *data;
	/*
	 * What a WRITE's data are in, held by the caller; or NULL. What the core does with them may take longer than
	 * the request: then it holds this, or a copy where there is none.
	 */
	struct replica_data *memory;
	/* Set when it is answered: 0 or -errno. */
	int result;
	/* The core's. */
	uint64_t number;
	uint64_t sent_at; /* when it was sent first; 0: it was not */
	bool sent;	  /* perhaps: it counts as under way */
	bool held_back;	  /* a queue was full: it is to be sent (again) */
	struct replica_request *next, *previous;
};

/* A piece of metadata to be written and made stable; memory of the core's until replica_saved(). */
struct replica_save {
	struct metadata_place place;
	const void *bytes;
	size_t size; /* METADATA_SLOT_SIZE or METADATA_SECTOR */
};

/* What happens, for logs and status. */
enum replica_event_kind {
	REPLICA_EVENT_EPOCH,   /* a configuration was decided, as far as is known here now */
	REPLICA_EVENT_SERVING, /* this member serves */
	REPLICA_EVENT_PAUSED,  /* it stopped serving */
	REPLICA_EVENT_MEMBER,  /* member: it was removed, admitted, became a target */
	REPLICA_EVENT_REFUSED, /* member: it is not talked to; text says why */
	REPLICA_EVENT_DISK,    /* an image or the metadata failed; text */
	REPLICA_EVENT_SPLIT,   /* member: its line of configurations and this member's have parted; text */
	REPLICA_EVENT_LOSS,    /* this member proposes a new generation: answered writes may be lost; text says why */
	REPLICA_EVENTS,
};

struct replica_event {
	enum replica_event_kind kind;
	uint64_t epoch;
	int member;	  /* NO_MEMBER: none */
	const char *text; /* one line without a full stop, or NULL */
};

/* How urgent a frame is; frames to one member of one class stay in order. */
enum replica_class {
	REPLICA_CLASS_CONTROL, /* decisions, leases, answers of members: not behind data */
	REPLICA_CLASS_STREAM,  /* entries, flushes, copies, tables: one stream in order */
	REPLICA_CLASS_BULK,    /* of that stream, and in its order, but what can wait: see replica_world.send() */
};

struct replica_world {
	/*
	 * Sends a frame to a member whose session is up; all is taken before it returns. false: its queue is full, and
	 * nothing was taken: the core ends the session, or sends it again after replica_can_send(). BULK is refused
	 * as soon as more than a part of the stream's queue (a quarter, say) is in use, so that what cannot wait finds
	 * room; an empty queue takes one frame of any class and size. Nothing overtakes the first frame of a session,
	 * of any class.
	 */
	bool (*send)(struct replica *replica, int member, enum replica_class class, const void *head, size_t head_size,
		     const void *data, size_t data_size);
	/* Ends a session. replica_disconnected() is not called for it. */
	void (*hang_up)(struct replica *replica, int member);
	/* As struct request_disk's, of a device's own image. What is PENDING comes back by replica_io_done(). */
	enum io_answer (*submit)(struct replica *replica, int device, struct io *io);
	/* Writes a piece of metadata and makes it stable; then replica_saved(). Several may be under way. */
	void (*save)(struct replica *replica, struct replica_save *save);
	/* Random, and not to be guessed. */
	uint64_t (*random)(struct replica *replica);
	/* A request has its result. The core does not touch it any more. */
	void (*answered)(struct replica *replica, struct replica_request *request);
	void (*tell)(struct replica *replica, const struct replica_event *event);
};

/*
 * Allocates a core, and all memory that it will ever use but the data of entries, of which the settings bound how many
 * there are. settings are copied, world must stay. user: for replica_user(). 0 or -ENOMEM, -EINVAL (settings that
 * contradict each other).
 */
int replica_create(struct replica **replica, const struct replica_settings *settings, const struct replica_world *world,
		   void *user);
/* NULL is harmless. Nothing is PENDING at a store or being saved any more; requests without an answer never get one. */
void replica_destroy(struct replica *replica);
void *replica_user(const struct replica *replica);

/*
 * Between create and start: what was found in state_dir, piece by piece; both slots (index 0 and 1) before any sector,
 * as those are checked against the set. A piece that is not there is not handed over, or as zeroes; one that cannot be
 * read as NULL of size 0, which counts as broken. Where the slots name a set a sector of the log that is not there is
 * lost: it stands for all of its extents hot. Sectors of bits are saved only when something is set in them: that one of
 * them is lost is not noticed, but that none is there where some were saved is, and stands for all bits of that member
 * and device. bytes: `size` of them, looked at in the call only. NULL, or why the process must not start (a newer
 * version's, another set's): nothing is to be overwritten then.
 */
const char *replica_load_slot(struct replica *replica, uint32_t index, const void *bytes, size_t size);
const char *replica_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
				size_t size);
/* Once, after all that was loaded and before any event. */
void replica_start(struct replica *replica, uint64_t now);

/*
 * The session to a member (its index, not the own) is up (nothing was received yet), or is gone with all that was under
 * way. Up again without having been reported gone: the last one is.
 */
void replica_connected(struct replica *replica, uint64_t now, int member);
void replica_disconnected(struct replica *replica, uint64_t now, int member);

/*
 * A send to a member was refused, and by now so much has left its queue that a BULK frame of any size is taken. Once
 * for all that were refused until then; not if the session has ended.
 */
void replica_can_send(struct replica *replica, uint64_t now, int member);

/*
 * A whole frame of a member's session, in memory from malloc() that is the core's from now on. false: it was not one
 * that this member may send now; the core has ended the session.
 */
bool replica_frame(struct replica *replica, uint64_t now, int member, void *frame, size_t size);

/*
 * Who is there, as the group service says: a hint when to act, never what is true. Without one it is never called, and
 * sessions decide.
 */
void replica_view(struct replica *replica, uint64_t now, member_set present);

/* The time has come that replica_next_time() told, or later. */
void replica_time(struct replica *replica, uint64_t now);
uint64_t replica_next_time(const struct replica *replica);

/* An io that submit() had PENDING has its result. */
void replica_io_done(struct replica *replica, uint64_t now, struct io *io);

/*
 * A piece is stable, or is not (result: 0 or -errno): then the core stops voting and serving for good, and says so
 * (REPLICA_EVENT_DISK). The process is to end then, as others take it for well as long as its sessions are up.
 */
void replica_saved(struct replica *replica, uint64_t now, struct replica_save *save, int result);

/*
 * A client's request. It is answered by answered(), perhaps within this call: -EIO also if its open is of another
 * generation or unknown to the primary, -EBUSY if another has the device open that excludes this one, or if there are
 * too many opens, -EBADF for a write of an open that only reads, -ENOMEM if nothing was done as there was no memory. A
 * client has one device open; an OPEN of one that has it open already says in which way it has it from now on, if it
 * succeeds. The caller has seen to it that the device is one, that the range is within the size that was decided
 * (replica_status()), and that a READ or WRITE is not longer than MESSAGE_DATA_MAX: what is not so is an error of the
 * program here, and gets no answer from another host.
 */
void replica_submit(struct replica *replica, uint64_t now, struct replica_request *request);

/*
 * Reads at once, into the io's vector, if that needs nobody else: this member serves, the client (io->client) has the
 * device open, and the data are in this host's memory. true: it is done, and io->result 0. false: nothing has happened
 * (but that the memory may have been written); it is to be submitted. Not within another call of the core.
 */
bool replica_read_at_once(struct replica *replica, uint64_t now, int device, struct io *io);

/*
 * Its client is gone: its requests are not answered any more and the caller may free them; what was begun goes on, and
 * the primary is told by a CLOSE of the core's own. What follows from it is done with the next event.
 */
void replica_forget_client(struct replica *replica, uint64_t now, uint32_t client);

/*
 * Nobody waits for a request any more that was submitted and is not answered. true: it was never sent to a primary, is
 * forgotten, and is the caller's again. false: it may be carried out, and stays the core's until it is answered or its
 * client is forgotten; there are never more than `requests` (of the settings) of those.
 */
bool replica_withdraw(struct replica *replica, struct replica_request *request);

/*
 * The process is to end: it hands over what it is to one that stays, leaves the set, flushes its image and lets its
 * extents cool, so that nothing has to be made good when it is back. Until replica_stopped() it goes on: events are
 * brought to it as before. That is so after at most 3 replica_timeout, 4 election_delay and a lease, whatever fails;
 * what was not done by then is made good later. Clients have no answer to what is under way when the last one ends.
 */
void replica_stop(struct replica *replica, uint64_t now);
bool replica_stopped(const struct replica *replica);

/*
 * ---- orders of an operator ----
 *
 * 0: it is taken, and replica_status() shows what comes of it; or -EAGAIN (not now), -EINVAL (never), with *why, a text
 * that stays.
 */

/*
 * To any member that sees the primary: that one is to hand over to `member`, which is in sync. Forgotten if the primary
 * does not serve when it hears of it, or `member` goes before it is decided.
 */
int replica_promote(struct replica *replica, uint64_t now, int member, const char **why);

/*
 * To the member that is to be primary, whatever it may lack: without the votes of `dead`, with a new generation, of
 * which it alone is in sync. It proposes that until it is decided, for which it needs a majority of the others' votes.
 * docs/replication.md says what it costs.
 */
int replica_force(struct replica *replica, uint64_t now, member_set dead, const char **why);

/*
 * An order of that kind that is not carried out is not to be any more; harmless if there is none. false: its proposal
 * is on its way, and may be decided nevertheless.
 */
bool replica_withdraw_force(struct replica *replica, uint64_t now);

/*
 * To the member whose copy is to be discarded, when members of two lines have met (status.parted): it gives up what it
 * decided, and all that it has and the other line does not. It gets its vote back when it has learnt from a majority
 * of the others and their primary has decided so, and its image is brought up: what differs is copied, where both sides
 * know. Does nothing to the others.
 */
int replica_invalidate(struct replica *replica, uint64_t now, const char **why);

/*
 * Where this member's image may differ from that of `member` (not itself; both have images), as far as this one can
 * know: what was written here and that one may lack. Ranges in ascending order, none touching another; from *cursor on
 * (0 at first), which is moved on; at most `most` (> 0). 0: there are no more. What the other has written since it
 * tells itself.
 */
unsigned int replica_differing(const struct replica *replica, int member, int device, uint64_t *cursor,
			       struct byte_range *ranges, unsigned int most);

/*
 * Before there is a set: it begins with the image of `member`, who has to be given the order itself; the images of all
 * others are overwritten. On another it only keeps that one from choosing its own.
 */
int replica_init_from(struct replica *replica, uint64_t now, int member, const char **why);

/*
 * Nobody is copied anything from now on, or again; who is a target stays one, and goes on to get all that is written.
 * For as long as this process lives, whenever it is the primary. Never refused.
 */
void replica_pause_resync(struct replica *replica, uint64_t now, bool paused);

/* ---- what is the case ---- */
enum replica_member_state {
	REPLICA_MEMBER_UNKNOWN, /* nothing is decided, or it was never seen */
	REPLICA_MEMBER_IN_SYNC,
	REPLICA_MEMBER_RESYNCING,
	REPLICA_MEMBER_OUTDATED, /* it has an image that is not in sync */
	REPLICA_MEMBER_DISKLESS,
};

struct replica_member_status {
	bool connected;
	member_set sees; /* whom it can talk to, as it has said itself of late; of one that is connected, else 0 */
	enum replica_member_state state;
	uint64_t out_of_sync; /* bytes; of the primary's knowledge, else UINT64_MAX */
	/* Of one that is being brought up, at the primary; else 0. What was copied, was equal, or was nothing but
	 * zeroes counts alike. */
	uint64_t resynced;    /* bytes, since it began */
	uint64_t resync_more; /* bytes that are to follow; what it has and has not flushed yet is out of sync, too */
	uint64_t resync_rate; /* bytes a second, of late */
	uint64_t resync_left; /* ns, at that rate; UINT64_MAX: not to be told */
	bool compares;	      /* some of what is left may be equal: hashes are compared first */
	bool whole;	      /* its image has nothing: all of it is copied, and not what bits say that it lacks */
};

/* What a member waits for: a front end makes its messages of this, and of the names that the members have. */
enum replica_wait {
	REPLICA_WAITS_NOT,
	REPLICA_WAITS_BIRTH,  /* for all members to be seen, none of which may have a configuration */
	REPLICA_WAITS_VOTES,  /* for all to know of each other that they are at a birth, or for a vote that was lost to
			       * count again; by itself */
	REPLICA_WAITS_CHOICE, /* several have images with data: one of them is to be given the order replica_init_from()
			       */
	REPLICA_WAITS_SOURCE, /* `members` is to begin the set, and has to be given that order, too, if it does not know
			       */
	REPLICA_WAITS_IMAGE,  /* for a member with an image */
	REPLICA_WAITS_LEARNING, /* its promises are lost: for so many of them to say what was decided */
	REPLICA_WAITS_MAJORITY, /* for so many of the voters to be seen */
	REPLICA_WAITS_SETTLING, /* the newest configuration may be decided or not; by itself */
	REPLICA_WAITS_IN_SYNC,	/* for one that is in sync to be seen: this member is not; or an operator forces another
				 */
	REPLICA_WAITS_MEMORY, /* its host was restarted: for those that are in sync and may have kept what was answered
			       */
	REPLICA_WAITS_FORCE,  /* an order to be primary is not decided yet: for so many of the voters */
	REPLICA_WAITS_COPIES, /* min_in_sync: for so many more of them to be brought up */
	REPLICA_WAITS_DISK,   /* what a failed flush lost is to be written again, and fails; tried again by itself */
	REPLICA_WAITS_FOR_EVER, /* it cannot go on: see the text */
};

struct replica_waits {
	enum replica_wait what;
	member_set members;  /* of whom it waits for some */
	unsigned int needed; /* so many of them, itself included if it is one */
	uint64_t until;	     /* time of this process's clock, ns, at which it gives up waiting; 0: never */
};

struct replica_status {
	struct replica_configuration configuration; /* the newest that is accepted; epoch 0: none */
	bool decided;				    /* known to be */
	bool primary;				    /* this member is, whether or not it serves */
	bool primary_there; /* the process that is named as primary is this one, or can be talked to */
	bool serving;	    /* it is the primary, and its lease holds */
	bool votes;	    /* it has a vote */
	bool holds_lease;   /* checked at the time of the last event */
	bool discards; /* its image is to be discarded, and is not yet: a process that is started without that has it */
	member_set parted;	   /* seen, and of another line: see replica_invalidate() */
	member_set forces_without; /* whom an order that is not carried out takes for dead; 0: there is none */
	member_set seen;	   /* who can be talked to, itself included */
	struct replica_waits waits;
	const char *blocked; /* the same as a text that stays; NULL: nothing is waited for */
	uint64_t under_way; /* entries of this primary that not all have yet, also where clients were answered errors */
	struct replica_member_status members[MEMBERS_MAX];
};

void replica_status(const struct replica *replica, struct replica_status *status);

#endif
