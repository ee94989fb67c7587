/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of member/ share.
 */
#ifndef RDISK_MEMBER_INTERNAL_H
#define RDISK_MEMBER_INTERNAL_H

#include "completions.h"
#include "log_repeat.h"
#include "member.h"
#include "state_directory.h"

/* An io that is carried out by the set, in pieces of MESSAGE_DATA_MAX. */
struct member_request {
	struct replica_request request; /* first; of the piece under way */
	struct io *io;			/* NULL: free, or withdrawn */
	bool withdrawn;			/* nobody wants it, but the core still has its piece */
	int device;
	uint64_t moved;		   /* bytes of pieces that are done */
	struct replica_data *data; /* of the piece; NULL: none */
	bool describe;		   /* IO_DESCRIBE: not known to the core */
	bool again;		   /* its next piece is to be submitted */
	struct member_request *next_free;
};

/* What the core has told in a turn, until the turn's end. */
#define MEMBER_EVENTS_MAX     64
#define MEMBER_EVENT_TEXT_MAX 256 /* bytes, with the zero; one that is longer is cut */

struct member_event {
	struct replica_event event; /* its text is `text`, or NULL */
	char text[MEMBER_EVENT_TEXT_MAX];
};

/*
 * What was said of the connection to another member. One that the other member, or this one, ends before they have
 * greeted each other was in vain; what comes of the next one is likely the same, and said now and then only.
 */
struct member_connection {
	bool up;
	bool greeted;
	bool said;			 /* that it is up */
	bool vain;			 /* the last one was */
	uint64_t began, went;		 /* member_now() when it came up, and when the last one went; 0: never */
	unsigned int hasty;		 /* how many in a row ended shortly after they began, one upon another */
	uint64_t answered;		 /* member_now() when one that came to nothing ended last; 0: never */
	char end[SESSION_WHY_SIZE];	 /* of the last one */
	char why[MEMBER_EVENT_TEXT_MAX]; /* the core has refused it; "": it has not, since it was greeted */
	struct log_repeat refused, ended;
};

struct member_events {
	struct member_event queue[MEMBER_EVENTS_MAX]; /* in the order of their coming */
	unsigned int count;
	unsigned int left_out; /* that it had no room for */
	bool moved;	       /* something to tell settings.changed: another member has come or gone */
	struct member_connection connections[MEMBERS_MAX];
};

struct member_watch {
	struct session_watch watch; /* first */
	bool *ready;
};

struct member {
	struct member_settings settings;
	struct replica *replica;
	struct sessions *sessions;
	struct group *group;
	struct state_directory *state;
	struct completions stores; /* of the core's ios */
	struct completions saved;  /* of the state */
	pid_t pid;		   /* of this process */
	int epoll, timer;
	struct member_watch watches[MEMBER_WATCHES_MAX]; /* of what is in `epoll` beside the sessions' */
	int nr_watches;
	bool timer_ready, view_ready;
	bool used_memory;	 /* of a large piece, since the last turn */
	bool gives_back;	 /* it has been since memory was given back */
	uint64_t give_back_at;	 /* of the coarse clock */
	int bell;		 /* an eventfd: rung for who is in member_wait() */
	uint64_t armed;		 /* time for which the timer is set; REPLICA_NEVER: it is not */
	uint64_t wake_by;	 /* for somebody else; REPLICA_NEVER: not */
	member_set bulk_refused; /* members to whom BULK was refused: they are told when there is room */
	unsigned int nr_stored;	 /* ios of the core that are at the stores, or `later` */
	struct io *later, *last_later;
	bool failed;
	bool known; /* a configuration is: IO_DESCRIBE has an answer */
	struct io *done, **done_tail;
	struct member_request *requests;
	struct member_request *free_requests;
	int nr_fresh;		   /* those from here on were never used: nobody has to look at them */
	unsigned int nr_withdrawn; /* that the core still has */
	bool again;		   /* some have to be submitted again */
	struct member_events events;
};

#define MEMBER_LARGE (64u << 10) /* bytes of a piece whose memory is kept for the next one */

static inline void member_note_piece(struct member *member, uint64_t bytes)
{
	if (bytes >= MEMBER_LARGE)
		member->used_memory = member->gives_back = true;
}

/* Whether what can wait may be sent to a member: the rest of its queue is for what cannot. */
bool member_has_bulk_room(const struct member *member, int to);

/* member_disk.c */
int member_requests_create(struct member *member);
void member_requests_destroy(struct member *member);
void member_answered(struct member *member, struct replica_request *request);
void member_submit_again(struct member *member);
void member_became_known(struct member *member);

/*
 * member_events.c. Events are taken within an event of the core, and told at the end of a turn, when the core may be
 * asked: logged, and passed on to settings.tell. An EPOCH is the newest then, however many there were. After them
 * settings.changed is called, if any was told, or any member has come or gone.
 */
void member_events_add(struct member *member, const struct replica_event *event);
void member_events_tell(struct member *member);
/* The session with another member began, ended, or was ended by the core. */
void member_events_up(struct member *member, int from);
void member_events_down(struct member *member, int from, const char *why);
void member_events_hung_up(struct member *member, int to);

/* member_later.c: the core's writes that frames go before. They are at the stores, as far as the core knows. */
void member_write_later(struct member *member, int device, struct io *io);
/* Those frames are on their way. */
void member_write_now(struct member *member);

/* member_world.c */
extern const struct replica_world member_world;
extern const struct session_events member_session_events;

#endif
