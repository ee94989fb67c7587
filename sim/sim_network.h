/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions between processes, as common/session would give them over TCP: two streams of frames in order for each
 * class, which overtake each other (but not the first frame of all); the two sides learn at different times that a
 * session is there or gone; what was under way is lost with it. Links have delays, tails, a bandwidth, and are cut, one
 * way or both: then frames are held until the link is whole again, or one side gives up.
 *
 * Nothing of one session is ever given to a process as of another. It calls its user only from its own events and from
 * sim_network_heal(), never from within sim_network_send() or sim_network_hang_up().
 */
#ifndef RDISK_SIM_NETWORK_H
#define RDISK_SIM_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replica.h"
#include "sim_engine.h"
#include "sim_random.h"

#define SIM_CLASSES 2 /* streams of frames: REPLICA_CLASS_BULK is in that of REPLICA_CLASS_STREAM */

enum sim_peer_state {
	SIM_PEER_OFF,	  /* its host has no power: nobody answers for it */
	SIM_PEER_DEAD,	  /* its host refuses connections */
	SIM_PEER_STOPPED, /* its host takes frames, it does nothing */
	SIM_PEER_RUNNING,
};

struct sim_network;

struct sim_frame {
	struct sim_event event;
	struct sim_network *network;
	int from, to;
	enum replica_class class;
	uint64_t session;
	void *bytes; /* of malloc(); NULL once somebody has taken them */
	size_t size;
	struct sim_frame *next; /* of a list of held ones, or the receiver's */
	struct sim_frame *all_next, *all_previous;
};

struct sim_frame_list {
	struct sim_frame *first, *last;
};

/* Who uses it. */
struct sim_network_user {
	enum sim_peer_state (*state)(struct sim_network *network, int member);
	void (*connected)(struct sim_network *network, int member, int peer, uint64_t session);
	void (*disconnected)(struct sim_network *network, int member, int peer, uint64_t session);
	/* Something to `peer` was refused, and there is room now. */
	void (*room)(struct sim_network *network, int member, int peer, uint64_t session);
	/* The user owns it then, and says sim_frame_taken() when the receiver has it. */
	void (*frame)(struct sim_network *network, struct sim_frame *frame);
};

/* All times in ns. */
struct sim_network_settings {
	uint64_t delay, jitter; /* of each frame: delay .. delay + jitter */
	uint64_t tail;		/* one in so many frames is late, up to 50 times the delay; 0: none */
	uint64_t retry;		/* up to this long between attempts to connect */
	uint64_t timeout;	/* about when a side gives a session up that is silent */
	uint64_t queue;		/* bytes of each stream under way from one side, then send() says no */
	uint64_t bulk;		/* while more than that is under way, what can wait does */
};

/* One side of a session. */
struct sim_side {
	struct sim_pair *pair;
	int self;		      /* 0 or 1: which side it is */
	bool up, told;		      /* it exists here, and the process was told so */
	bool dropping;		      /* what is under way to it does not come any more */
	bool doubted;		      /* `broken` is scheduled because of silence alone */
	uint64_t told_at;	      /* frames come later */
	uint64_t queued[SIM_CLASSES]; /* bytes under way from it */
	uint64_t last[SIM_CLASSES];   /* when the last frame from it arrives */
	uint64_t link_free;	      /* when the last byte from it is on a slow link */
	struct sim_frame_list held;   /* from it, at a cut */
	bool refused;		      /* a frame, and there was no room since */
	struct sim_event tell, broken, room;
};

/* At most one session of two members. */
struct sim_pair {
	struct sim_network *network;
	int members[2];
	uint64_t session; /* the last one's number */
	struct sim_side sides[2];
	struct sim_event connect;
};

struct sim_network {
	struct sim_engine *engine;
	struct sim_random *random;
	const struct sim_network_user *user;
	struct sim_network_settings settings;
	int members;
	uint64_t sessions;
	struct sim_frame *frames;			 /* all that nobody has taken */
	bool cut[MEMBERS_MAX][MEMBERS_MAX];		 /* from, to */
	uint64_t rate[MEMBERS_MAX][MEMBERS_MAX];	 /* bytes a second; 0: no limit */
	uint64_t extra[MEMBERS_MAX][MEMBERS_MAX];	 /* ns of delay */
	struct sim_pair pairs[MEMBERS_MAX][MEMBERS_MAX]; /* [a][b], a < b */
};

void sim_network_init(struct sim_network *network, struct sim_engine *engine, struct sim_random *random,
		      const struct sim_network_user *user, const struct sim_network_settings *settings, int members);
void sim_network_free(struct sim_network *network);

/* false: the queue is full. A frame for a session that is gone is taken, and lost. */
bool sim_network_send(struct sim_network *network, int from, int to, uint64_t session, enum replica_class class,
		      const void *head, size_t head_size, const void *data, size_t data_size);

/* The process of `member` ends the session, if it is that one; its peer learns later. */
void sim_network_hang_up(struct sim_network *network, int member, int peer, uint64_t session);

/* The receiver has it: frees it. Its bytes, too, unless they are NULL. */
void sim_frame_taken(struct sim_frame *frame);

/* What has become of a process. died: state() says whether its host is off. */
void sim_network_started(struct sim_network *network, int member);
void sim_network_died(struct sim_network *network, int member);
void sim_network_stopped(struct sim_network *network, int member);
void sim_network_continued(struct sim_network *network, int member);

void sim_network_cut(struct sim_network *network, int from, int to);
void sim_network_heal(struct sim_network *network, int from, int to);
void sim_network_break(struct sim_network *network, int a, int b); /* the session, not the link */

#endif
