/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of sessions share:
 *
 *	sessions.c	the functions of session.h, and the turn
 *	member.c	which connection is the session; up, down, signs of life
 *	dialer.c	connecting, when and where to
 *	listener.c	accepting, from whom and how many
 *	connection.c	one connection, from its beginning to its end; what it receives
 *	sender.c	what it sends
 *
 * One thread. A connection that is closed stays in memory until the end of the turn (or of the call, outside of one),
 * in the state CLOSED; events may close any, so whoever goes on with one after an event looks at that.
 */
#ifndef RDISK_SESSION_INTERNAL_H
#define RDISK_SESSION_INTERNAL_H

#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "log_repeat.h"
#include "channel.h"
#include "frame_queue.h"
#include "frame_reader.h"
#include "record.h"
#include "resolver.h"
#include "session.h"

#define NS_PER_MS	1000000ull

#define HALF_OPEN_MAX	16	      /* connections that others began and that are no member's yet */
#define STRANGERS_RATE	50	      /* of those, a second, from addresses that no member has */
#define ACCEPT_ONCE	16	      /* in one turn */
#define RECEIVE_SIZE	(256u * 1024) /* of one connection in one turn */
#define SEND_SIZE	(64u * 1024)  /* bytes that are gathered for one send() */
#define SEND_ONCE	(256u * 1024) /* of one connection, before others have their turn */
#define UNSENT_MAX	(256u * 1024) /* what TLS says by itself beside that; more is not let happen */
#define SLOW_LINK	400u	      /* bytes a us: LZ4 makes some 900 of what it was given, and no link faster */
#define RATE_WINDOW	(10 * NS_PER_MS)
#define KERNEL_UNSENT	(64 * 1024)  /* bytes that the kernel takes and has not sent */
#define KERNEL_RECEIVED (256 * 1024) /* bytes that it keeps for a receiver that is late, and as much for itself */

enum connection_state {
	CONNECTION_CONNECTING, /* TCP's connect */
	CONNECTION_SECURING,   /* the handshake of TLS */
	CONNECTION_GREETING,   /* the other's hello is to come */
	CONNECTION_WAITING,    /* hellos are exchanged: START (or STARTED, if this side said START) is to come */
	CONNECTION_HELD,       /* it could become the session, but there is one: that is asked whether it lives */
	CONNECTION_UP,	       /* it is the session */
	CONNECTION_CLOSED,
};

struct connection {
	struct session_watch watch;
	struct sessions *sessions;
	TAILQ_ENTRY(connection) next;
	int fd;
	enum connection_state state;
	bool ours;	    /* this side connected */
	bool from_a_member; /* its address is one of a member */
	bool failed;	    /* `why`: it is to be closed with it */
	bool start_sent;
	bool wants_output;     /* epoll tells when it can send again */
	int member;	       /* index; -1: not known yet */
	uint64_t peer_process; /* of its hello */
	struct resolved_address peer;
	uint64_t deadline;	 /* ns: by when it has to be UP or HELD */
	struct channel *channel; /* NULL: in the clear, or not yet */
	struct frame_reader reader;
	/* What the kernel did not take, before anything else. */
	unsigned char *unsent;
	size_t unsent_size, unsent_done;
	/* How fast the link is, while it is what is waited for. */
	bool slow;	     /* slower than what LZ4 is for */
	uint64_t rate_since; /* ns; 0: the link is not waited for */
	uint64_t rate_bytes; /* that the kernel took since */
	/* Own messages that are due. */
	bool start_due, started_due, ping_due, pong_due;
	uint32_t pong_number;
	/* Signs of life. */
	uint64_t heard; /* ns */
	uint64_t asked; /* ns, of the last PING; 0: heard since */
	uint32_t pings; /* number of the last */
	char why[SESSION_WHY_SIZE];
};

TAILQ_HEAD(connection_list, connection);

struct member {
	struct session_member settings; /* address: the own copy */
	struct connection *session;	/* UP, or NULL */
	struct connection *held;	/* HELD, or NULL; only beside a session */
	uint32_t held_ping;		/* the PING that the session has to answer meanwhile */
	uint64_t held_until;		/* ns: by when */
	struct connection *attempt;	/* this side's, up to WAITING, or NULL */
	/* What waits for the session. */
	struct frame_queue queues[SESSION_CLASSES];
	size_t refused[SESSION_CLASSES]; /* bytes of the frame that had no room; 0: none */
	size_t gathered;		 /* bytes put since anything was sent */
	struct compression compression;
	bool more_to_send; /* it stopped because of SEND_ONCE */
	/* The session's first frame: until it is sent up to here, nothing else is. */
	bool first_put, first_sent;
	unsigned int first_class;
	uint64_t first_end;
	/* Connecting. */
	bool in_digits;
	struct resolved resolved;
	int next_address; /* of those: to be tried next */
	struct resolver_job *job;
	uint64_t retry;	       /* ns: before the attempt after the next one that fails */
	uint64_t next_attempt; /* ns */
	/* What is told. */
	uint64_t since;
	uint64_t sent, received;
	char why[SESSION_WHY_SIZE];
	uint64_t answered; /* as in session_status */
};

struct sessions {
	struct session_watch listener_watch, resolver_watch;
	const struct session_events *events;
	void *user;
	struct session_settings settings; /* members: not used; times: none is 0 */
	char set[SESSION_SET_MAX + 1];
	struct member *members; /* settings.count of them */
	uint64_t process;
	uint64_t now; /* of the last turn */
	bool in_turn;
	int epoll, listener, eventfd;
	struct channel_key *key; /* NULL: in the clear */
	struct connection_list connections, closed;
	int half_open;
	uint64_t listen_again; /* ns: the listener is not watched until then; 0: it is */
	/* Lines about connections that are no member's, by what they say: one with another key comes again and again.
	 */
	struct log_repeat refused[8];
	uint64_t strangers_ns;	/* when the next one from an address that no member has would be on time */
	unsigned char *receive; /* RECEIVE_SIZE bytes */
	struct channel_output output;
};

static inline struct member *member_of(struct connection *connection)
{
	return &connection->sessions->members[connection->member];
}

/* ---- sessions.c ---- */

/* Watches a descriptor, or changes what for. 0 or -errno. */
int sessions_watch(struct sessions *sessions, int fd, struct session_watch *watch, uint32_t events, bool anew);

/* A number up to `most`, not to be guessed. */
uint64_t sessions_random(uint64_t most);

/* ---- connection.c ---- */

/* Of a socket before it listens or connects: how much may wait there for a receiver. 0 or -errno. */
int connection_limit_receiving(int fd);

/* "10.0.0.1 port 7300" */
const char *address_text(const struct resolved_address *address, char text[static SESSION_ADDRESS_SIZE]);

/* Takes the descriptor over, also if there is no memory: NULL. The state is CONNECTING. */
struct connection *connection_create(struct sessions *sessions, int fd, const struct resolved_address *peer, bool ours,
				     int member);

/* It is connected: TLS begins, or the hello. */
void connection_begin(struct connection *connection);

/* Notes that it is to be closed, and why, as far as that is not noted yet; member_reap() does it. */
void connection_fail(struct connection *connection, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* At once, and without a word to anybody: nothing of the member's refers to it any more. */
void connection_close(struct connection *connection);

void connection_free_closed(struct sessions *sessions);

/* ---- sender.c ---- */

/* Sends what is due of own messages, and what waits of frames if it is UP. May fail the connection. */
void sender_run(struct connection *connection);

/* Sends what is in sessions->output, which is empty then. */
void sender_flush(struct connection *connection);

/* Puts bytes into sessions->output, encrypted if they have to be. */
void sender_put(struct connection *connection, const unsigned char *bytes, size_t size);

/* ---- dialer.c ---- */

/* Begins what is due, for a member without a session. */
void dialer_run(struct sessions *sessions, int member);
uint64_t dialer_next_time(const struct sessions *sessions, int member);

/* The time of the next attempt, after one that failed or a session that did not last. */
void dialer_back_off(struct sessions *sessions, struct member *member);
/* After a session that did: at once, or nearly. */
void dialer_soon(struct sessions *sessions, struct member *member);

void dialer_resolved(struct session_watch *watch, uint32_t events);
/* It is connected, or could not be. */
void dialer_connected(struct connection *connection);

/* ---- listener.c ---- */

int listener_open(struct sessions *sessions, struct diagnostic *diagnostic);
void listener_run(struct sessions *sessions);

/* ---- member.c ---- */

/* The other's hello. */
void member_hello(struct connection *connection, const struct hello *hello);
void member_own_message(struct connection *connection, const struct own_message *message);
/* Why there is no session; what is new goes to the log. */
void member_note(struct member *member, const char *why);
/* Closes what failed, with all that follows from it; calls `down`. */
void member_reap(struct connection *connection);
/* Time limits and signs of life. */
void member_run(struct sessions *sessions, int member);
uint64_t member_next_time(const struct sessions *sessions, int member);
/* Its session, the own attempt and what is held are closed, with no event. */
void member_hang_up(struct sessions *sessions, int member);

#endif
