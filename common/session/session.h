/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: one connection between each two of a list of members, over which frames go. It is made, watched and made
 * anew here; TLS 1.3 with a key that all members have keeps others out. What a frame says is not looked at, and none is
 * sent twice: what was under way when a session ends is gone.
 *
 * Who connects: both. Of the two the member with the lower number decides which connection becomes the session, and
 * says so on it; so there are never two. While one lives, a new one is refused; a doubt about that is settled by asking
 * the old one, which then has `idle` ns to answer. So a process that was restarted gets in as soon as its old one is
 * gone, and a second process with the same number gets in never. It does not matter to frames who connected.
 *
 * Order: frames of one class to one member arrive in the order in which they were sent, those of CONTROL do not wait
 * for those of STREAM: all are cut into records of at most 16 KiB (record.h), and little is given to the kernel at a
 * time. The first frame of a session is overtaken by none.
 *
 * Names: an address in digits needs no look-up. The name of another member is looked up by a thread that lives as long
 * as that takes, before each attempt to connect. The own one is looked up by sessions_open(), which waits for it.
 *
 * All functions are for one thread, the loop's; none of them waits, but sessions_open() as said. A loop looks so:
 *
 *	for (;;) {
 *		epoll_wait() for sessions_descriptor(), among others, until sessions_next_time() at the latest;
 *		sessions_turn(sessions, now);
 *		whatever else there is to do, with sessions_send();
 *		sessions_push(sessions);
 *	}
 */
#ifndef RDISK_SESSION_H
#define RDISK_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diagnostic.h"
#include "session_key.h"

#define SESSION_MEMBERS_MAX 16
#define SESSION_SET_MAX	    63			/* bytes of a set's name */
#define SESSION_FRAME_MAX   (64u * 1024 * 1024) /* bytes: no frame_max is larger */
#define SESSION_NEVER	    UINT64_MAX		/* a time that does not come */

struct sessions;

enum session_class {
	SESSION_CONTROL, /* decisions, answers: not behind data */
	SESSION_STREAM,
	SESSION_CLASSES,
};

/* Data of LZ4 are told by the record, so members need not agree; all can read both. */
enum session_compression {
	SESSION_COMPRESSION_AUTO, /* what is sent while data wait for a link of less than 400 MB/s */
	SESSION_COMPRESSION_ON,	  /* all */
	SESSION_COMPRESSION_OFF,
};

struct session_member {
	uint32_t node;	     /* its number; no two have the same */
	const char *address; /* IPv4 or IPv6 in digits, or a name */
	uint16_t port;	     /* not 0 */
};

/* What a descriptor in the epoll instance stands for: its data.ptr. */
struct session_watch {
	/* It has something, as epoll says. Called by sessions_turn(). */
	void (*ready)(struct session_watch *watch, uint32_t events);
};

/* Copied by sessions_open(), with all that it points to. Times in ns; 0 stands for the default. */
struct session_settings {
	const struct session_member *members; /* the same list, in the same order, on all */
	int count;			      /* 1 .. SESSION_MEMBERS_MAX */
	int self;			      /* index */
	const char *set;		      /* 1 .. SESSION_SET_MAX bytes; another set's members are refused */
	const unsigned char *key;	      /* SESSION_KEY_SIZE bytes */
	size_t key_size;		      /* SESSION_KEY_SIZE; 0: in the clear, and anybody can be a member */
	/*
	 * What can wait to be sent to one member, of each class, with 12 bytes for each record of 16 KiB. At least what
	 * a frame of frame_max takes, and rounded up to pages; address space only, until it is used.
	 */
	size_t queue_bytes;
	size_t frame_max; /* bytes of a frame, sent and received; 1 .. SESSION_FRAME_MAX */
	enum session_compression compression;
	uint64_t idle;	      /* silence after which a member is asked for a sign of life (1 s) */
	uint64_t dead;	      /* silence after which a session ends; longer than idle (4 s) */
	uint64_t handshake;   /* what a connection may take to become a session (5 s) */
	uint64_t retry_least; /* between attempts to connect: this, then twice as long each time, (50 ms) */
	uint64_t retry_most;  /* up to this; shortened by up to a half, at random (2 s) */
	/*
	 * An epoll instance of the caller's, where the sessions' descriptors are to be beside its own, all with a
	 * struct session_watch; it stays open until sessions_close() has returned. 0: the sessions make one. With one
	 * for all a loop needs but one call to see what there is, and none for what is not there.
	 */
	int epoll;
};

/*
 * What sessions_turn() tells; nothing is called by any other function. All functions but sessions_turn() and
 * sessions_close() may be called from within. member: index.
 */
struct session_events {
	/* Its session has begun. */
	void (*up)(void *user, int member);
	/* It has ended, and not by sessions_hang_up(). why: one line without a full stop, valid in the call. */
	void (*down)(void *user, int member, const char *why);
	/*
	 * A whole frame, in memory from malloc(), which is the receiver's from now on. false: the receiver does not
	 * want the session any more; that is as if it had called sessions_hang_up(), which it may as well have done.
	 */
	bool (*frame)(void *user, int member, void *frame, size_t size);
	/* A frame was refused because of its size, in this session, and would be taken now. */
	void (*room)(void *user, int member);
};

/*
 * Listens on the address and port of `self`. events must stay; user is handed to each of them. Attempts to connect
 * begin with the first turn. 0, or -1 with *diagnostic: settings that cannot be, an address that is not of this host or
 * in use, a name that cannot be looked up, no memory.
 */
int sessions_open(struct sessions **sessions, const struct session_settings *settings,
		  const struct session_events *events, void *user, struct diagnostic *diagnostic);

/*
 * Ends all sessions, without an event. What was sent goes out as far as the kernel takes it at once. NULL is harmless.
 */
void sessions_close(struct sessions *sessions);

/* Readable when there is something to do for sessions_turn(): the epoll instance. */
int sessions_descriptor(const struct sessions *sessions);

/*
 * Does all that can be done without waiting: accepts, connects, receives, goes on with sending what had to wait.
 * now_ns: of a clock that does not go back, the same in all calls. What events send waits for sessions_push().
 */
void sessions_turn(struct sessions *sessions, uint64_t now_ns);

/* When sessions_turn() is to be called at the latest: 0, or a time in the past: at once. Ask after sessions_push(). */
uint64_t sessions_next_time(const struct sessions *sessions);

/*
 * Takes a frame, head before data, for a member other than `self`; 1 .. frame_max bytes in all. All of it was copied
 * when this returns. Not much is sent before sessions_push(): only each 64 KiB. false: its session is not up, or the
 * queue of this class has no room for it, and nothing was taken; in the second case `room` follows.
 */
bool sessions_send(struct sessions *sessions, int member, int session_class, const void *head, size_t head_size,
		   const void *data, size_t data_size);

/* Bytes of a class that were taken for a member and wait to be sent. */
size_t sessions_waiting(const struct sessions *sessions, int member, int session_class);

/* Sends what was taken, as far as the kernel takes it; the rest goes in later turns. */
void sessions_push(struct sessions *sessions);

/* For a time in which little is sent: gives the memory of queues that are empty back to the kernel. */
void sessions_rest(struct sessions *sessions);

/*
 * Ends the session with a member, and what waits in it. `down` is not called for it, nor anything else before the next
 * `up`. Attempts to connect go on. Harmless if it is not up.
 */
void sessions_hang_up(struct sessions *sessions, int member);

#define SESSION_WHY_SIZE     384			   /* bytes of such a text */
#define SESSION_HUNG_UP	     "this side ended the session" /* the text where that is so, and nothing came since */
#define SESSION_ADDRESS_SIZE 80

struct session_status {
	bool up;
	uint64_t since;			    /* ns: the time of the turn in which it came or went; 0: never */
	uint64_t sent, received;	    /* bytes on the wire, of all sessions with it so far */
	char address[SESSION_ADDRESS_SIZE]; /* of its end of the session, and the port; "" if it is not up */
	char why[SESSION_WHY_SIZE];	    /* why it is not up, as far as is known; "" if it is */
	/* ns: when a connection that had been made failed last, since it is not up. Something is there. 0: never */
	uint64_t answered;
};

/* Of another member than `self`. */
void sessions_status(const struct sessions *sessions, int member, struct session_status *status);

#endif
