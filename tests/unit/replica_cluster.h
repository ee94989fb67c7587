/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A few replication cores in one process, for tests of single schedules: frames, saves and time pass when the test says
 * so, and nothing is random. What a test does not stop goes on. The simulator (sim/) is for everything at random.
 */
#ifndef REPLICA_CLUSTER_H
#define REPLICA_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "replica.h"

enum { A, B, C, D, E }; /* members, by their index */

#define CLUSTER_MEMBERS	  5
#define CLUSTER_SIZE	  (64u * 4096) /* bytes of the one device */
#define CLUSTER_BLOCK	  4096u
#define CLUSTER_LEASE	  UINT64_C(1000000000) /* ns */
#define CLUSTER_HEARTBEAT UINT64_C(100000000)
#define CLUSTER_GRACE	  (4 * CLUSTER_LEASE) /* open_grace */

struct cluster_frame {
	struct cluster_frame *next;
	int from, to;
	size_t size;
	unsigned char *bytes;
};

struct cluster_member {
	struct replica *replica; /* NULL: no process */
	uint64_t boot, incarnation;
	bool diskless, has_data;
	unsigned char image[CLUSTER_SIZE];	  /* as its host sees it */
	unsigned char stable_image[CLUSTER_SIZE]; /* as of its last flush */
	unsigned char slots[2][METADATA_SLOT_SIZE];
	unsigned char log[METADATA_SECTOR], bits[CLUSTER_MEMBERS][METADATA_SECTOR];
	bool saved_slots[2], saved_log, saved_bits[CLUSTER_MEMBERS];
	bool damaged_slots[2]; /* they cannot be read */
	uint64_t images;       /* files that its image was before */
	bool cut;	       /* from all others */
	int io_result;	       /* of its writes and flushes */
	int read_result;       /* of its reads */
	int save_result;       /* of its metadata */
	bool saves_hang;       /* as io_hangs */
	bool io_hangs;	       /* they do not come back until cluster_go() after it is false again */
	struct io *hung[64];   /* in the order in which they came */
	int nr_hung;
	struct replica_save *save[16]; /* under way */
	int nr_saves;
};

struct cluster {
	uint64_t now; /* ns */
	int members;
	struct cluster_member member[CLUSTER_MEMBERS];
	bool up[CLUSTER_MEMBERS][CLUSTER_MEMBERS]; /* sessions */
	bool link_cut[CLUSTER_MEMBERS][CLUSTER_MEMBERS];
	const unsigned char *delivered; /* the frame that `loses` is asked about */
	size_t delivered_size;
	unsigned int told[CLUSTER_MEMBERS][REPLICA_EVENTS]; /* how often each has told of what */
	unsigned int sent[CLUSTER_MEMBERS][MESSAGE_TYPES];  /* frames */
	uint64_t again[CLUSTER_MEMBERS][CLUSTER_MEMBERS];   /* one that was hung up does not begin again before that */
	struct cluster_frame *first, *last;
	uint64_t random, next_incarnation;
	uint32_t next_client;
	bool mute[CLUSTER_MEMBERS]; /* what it sends is lost; its sessions stay */
	/* Settings of those that are started from now on. */
	unsigned int min_in_sync;
	bool error_on_no_quorum;
	/*
	 * While more than so many bytes are under way from one to another what can wait is refused; 0: nothing is. How
	 * often that was, and to whom there was no word since that there is room.
	 */
	size_t bulk;
	bool no_room;	      /* what can wait is always refused, and there is never word that there is room */
	uint64_t resync_rate; /* of members that are started from now on */
	unsigned int nr_refused;
	bool refused[CLUSTER_MEMBERS][CLUSTER_MEMBERS];
	uint64_t data[MESSAGE_TYPES];	/* bytes of data in all frames of each type, so far */
	uint64_t lost[CLUSTER_MEMBERS]; /* cluster_lose(): by the sender, bit t: frames of type t */
	/* A frame of such a type from `from` to `to` is lost, too, if this is set. */
	bool (*loses)(struct cluster *cluster, int from, int to, enum message_type type);
	/* The queue from `from` to `to` has no room for one, if this is set. */
	bool (*full)(struct cluster *cluster, int from, int to, enum message_type type);
	/* So much happens in one cluster_go() at most; 0: whatever the time is for, and without an end is an error. */
	int steps;
	/* Changes the settings that a member is about to be started with, if this is set. */
	void (*adjust)(struct cluster *cluster, int member, struct replica_settings *settings);
};

/*
 * Fixtures: *state is a cluster of three copies; or of five members, three copies with votes enough to do without two
 * of them. None is started.
 */
int cluster_setup(void **state);
int cluster_setup_five(void **state);
int cluster_teardown(void **state);

/* Blank members; those of the set `diskless` have no image. None is started. */
void cluster_init(struct cluster *cluster, int members, member_set diskless);
void cluster_end(struct cluster *cluster);

/* The settings that cluster_start() begins with. */
void cluster_settings(struct cluster *cluster, int member, struct replica_settings *settings);
void cluster_start(struct cluster *cluster, int member);
void cluster_start_all(struct cluster *cluster);
/* The same, and lets everything happen until the first serves and all that have an image are in sync. */
void cluster_begin(struct cluster *cluster);
/* The same of another set, in place of this one: see cluster_init(). */
void cluster_begin_other(struct cluster *cluster, int members, member_set diskless);
/* The process ends; its host lives on. Or its host dies: what was not flushed is gone. */
void cluster_kill(struct cluster *cluster, int member);
void cluster_power(struct cluster *cluster, int member);
/* Its image is another file, full of `byte`. It does not run. */
void cluster_replace(struct cluster *cluster, int member, unsigned char byte);
/* All its sessions end, and none begins until it is healed. */
void cluster_cut(struct cluster *cluster, int member, bool cut);

/* From now on frames of this type that `from` sends are lost; NO_MEMBER: those of all. Or none are, by `loses` neither.
 */
void cluster_lose(struct cluster *cluster, enum message_type type, int from);
void cluster_lose_nothing(struct cluster *cluster);
/*
 * What hangs at the store of a member (io_hangs) comes back with a result of the test's, and is not carried out: the
 * `which`th of it, 0 the one that came first.
 */
void cluster_come_back(struct cluster *cluster, int member, int which, int result);

/*
 * A message of a type as of now, by what `from` knows, about the first block, as far as one of that type can say so.
 * Where it has data they are of `data`, in which ranges are put.
 */
struct message cluster_message(struct cluster *cluster, int from, enum message_type type,
			       unsigned char data[static CLUSTER_BLOCK]);
/* What a member could not have sent, at once and on its session, which is up. false: the session has ended. */
bool cluster_send(struct cluster *cluster, int from, int to, const struct message *message, const void *data);
/* The same of one link. */
void cluster_cut_link(struct cluster *cluster, int a, int b, bool cut);

/* Lets everything happen for so long (ns). */
void cluster_go(struct cluster *cluster, uint64_t time);
/* Lets everything happen until `is` is the case; fails the test after a minute. */
void cluster_until(struct cluster *cluster, bool (*is)(struct cluster *cluster, int member), int member);
bool cluster_serves(struct cluster *cluster, int member);
bool cluster_in_sync(struct cluster *cluster, int member);
/* Somebody serves, and this one is not in sync; or is being brought up. */
bool cluster_not_in_sync(struct cluster *cluster, int member);
bool cluster_resyncing(struct cluster *cluster, int member);
/* Who serves; NO_MEMBER. */
int cluster_primary(struct cluster *cluster);
struct replica_status cluster_status(struct cluster *cluster, int member);
/* Lets everything happen until somebody serves and all that have an image are in sync, and as the first. */
void cluster_all_in_sync(struct cluster *cluster);
/* All images are as the first. */
void cluster_assert_equal(struct cluster *cluster);

/* An open of a client of a member's host, and its requests. result 1: not answered (yet). */
struct cluster_request {
	struct replica_request request;
	int result;
	unsigned char data[4 * CLUSTER_BLOCK];
};

uint32_t cluster_open(struct cluster *cluster, int member); /* shared */
/* Sends one on its way, which need not be; another client each time, which is returned. */
uint32_t cluster_ask_to_open(struct cluster *cluster, int member, struct cluster_request *request, bool shared,
			     bool read_only);
/* A client that has it open asks for another way. Its result. */
int cluster_open_again(struct cluster *cluster, int member, uint32_t client, bool shared, bool read_only);
void cluster_close(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request);
/* Lets everything happen until it is answered; fails the test after a minute. Its result. */
int cluster_answer(struct cluster *cluster, struct cluster_request *request);
/* Sends it on its way; the memory is the caller's until it is answered. */
void cluster_write(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request,
		   uint64_t position, uint64_t length, unsigned char byte);
/* The same of a block, which is on stable storage before it is answered. */
void cluster_write_stable(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request,
			  uint64_t position, unsigned char byte);
void cluster_read(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request,
		  uint64_t position, uint64_t length);
void cluster_flush(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request);
/* Any other; its data are those of the request's own memory. */
void cluster_submit(struct cluster *cluster, int member, struct cluster_request *request);
/* The same, and lets everything happen until it is answered. */
int cluster_write_now(struct cluster *cluster, int member, uint32_t client, uint64_t position, unsigned char byte);
int cluster_read_now(struct cluster *cluster, int member, uint32_t client, uint64_t position); /* its first byte */
int cluster_flush_now(struct cluster *cluster, int member, uint32_t client);

#endif
