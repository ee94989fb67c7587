/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of member/ share.
 */
#ifndef RDISK_MEMBER_INTERNAL_H
#define RDISK_MEMBER_INTERNAL_H

#include "completions.h"
#include "member.h"
#include "state_directory.h"

/* An io that is carried out by the set, in pieces of MESSAGE_DATA_MAX. */
struct member_request {
	struct replica_request request; /* first; of the piece under way */
	struct io *io;			/* NULL: free, or withdrawn */
	bool withdrawn;			/* nobody wants it, but the core still has its piece */
	int device;
	uint64_t moved; /* bytes of pieces that are done */
	void *data;	/* of the piece; from malloc(); NULL: none */
	bool describe;	/* IO_DESCRIBE: not known to the core */
	bool again;	/* its next piece is to be submitted */
	struct member_request *next_free;
};

struct member {
	struct member_settings settings;
	struct replica *replica;
	struct sessions *sessions;
	struct group *group;
	struct state_directory *state;
	struct completions stores; /* of the core's ios */
	struct completions saved;  /* of the state */
	int epoll, timer;
	int bell;		 /* an eventfd: rung for who is in member_wait() */
	uint64_t armed;		 /* time for which the timer is set; REPLICA_NEVER: it is not */
	uint64_t wake_by;	 /* for somebody else; REPLICA_NEVER: not */
	member_set bulk_refused; /* members to whom BULK was refused: they are told when there is room */
	unsigned int nr_stored;	 /* ios of the core that are at the stores */
	bool failed;
	bool known; /* a configuration is: IO_DESCRIBE has an answer */
	struct io *done, **done_tail;
	struct member_request *requests;
	struct member_request *free_requests;
	int nr_fresh;		   /* those from here on were never used: nobody has to look at them */
	unsigned int nr_withdrawn; /* that the core still has */
	bool again;		   /* some have to be submitted again */
};

/* Whether what can wait may be sent to a member: the rest of its queue is for what cannot. */
bool member_has_bulk_room(const struct member *member, int to);

/* member_disk.c */
int member_requests_create(struct member *member);
void member_requests_destroy(struct member *member);
void member_answered(struct member *member, struct replica_request *request);
void member_submit_again(struct member *member);
void member_became_known(struct member *member);

/* member_world.c */
extern const struct replica_world member_world;
extern const struct session_events member_session_events;

#endif
