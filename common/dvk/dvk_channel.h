/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared memory of the data plane: the channel that two peers share, and the
 * page that every bound process shares with its node and (read-only) its peers.
 *
 * A channel is one sealed memfd page that holds two mailboxes, one a direction.
 * No lock is shared between processes, so none can be left held by a dead one.
 * Each word has one writer a state, and changes of ownership are compare-and-swap
 * on a word that carries a sequence number. What a process reads here can change
 * under it: copy, then check, then use.
 *
 *   send  EMPTY --sender--> FULL --receiver--> TAKEN --sender--> EMPTY
 *                            |  \--sender, to withdraw--> EMPTY
 *   want  IDLE --receiver--> WAITING or LISTENING --sender replies--> DELIVERED --receiver--> IDLE
 *                            \--receiver, time-out or signal--> IDLE
 *
 * WAITING is for the answer to one request, whose message carries the same sequence number: a late reply to a
 * request that was given up cannot be taken for the answer to the next. LISTENING (a plain receive from
 * this sender) takes any reply.
 *
 * The sender writes body while send is not FULL, and reply_body while want is WAITING or LISTENING; a
 * receiver copies a body first and owns it only if its compare-and-swap of the state
 * that it saw succeeds. A reply has a body of its own, because the sender may go on
 * to post a message before a sleeping receiver has read the reply.
 *
 * Bells. A receiver that found nothing sets DVK_BELL_SLEEPER in the bell of every
 * word that it waits on, looks once more, and sleeps (futex_waitv) on the values it
 * set. Whoever made something true adds DVK_BELL_STEP, and wakes if the bit
 * was set. Both are read-modify-writes of one word, so one of them comes second and sees the
 * other: acquire and release are order enough, on every processor. A bell lies in the channel that it is for: a peer
 * that plays with it disturbs nobody's wait but its own.
 *
 * Sleepers in epoll. Who also waits for sockets cannot sleep on futexes when it waits for all its peers. It sets
 * `asleep` in its process page instead, looks once more, and sleeps in epoll on a descriptor for each channel. Whoever
 * rings such a peer's bell looks at that mark too, and writes to the channel's descriptor if it is set. Here post and
 * mark are two words: stores and loads of different words may pass each other on every processor, and each side could
 * see the other's old value. So both have a sequentially consistent fence between their store and their load. The
 * descriptor is an eventfd that the receiver only has wrapped into an epoll instance, and never reads: edges wake it.
 * So neither can make the other wait, whatever it does with its own: no flag (O_NONBLOCK), no counter, no lock and no
 * room is shared.
 *
 * Freestanding. All fields native byte order; both sides are on one host.
 */
#ifndef DVK_CHANNEL_H
#define DVK_CHANNEL_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "dvk_message.h"

#define DVK_PAGE_SIZE	 4096 /* bytes of a channel and of a process page */

#define DVK_BELL_SLEEPER 1u
#define DVK_BELL_STEP	 2u

/* Low two bits of `send` and `want`; the rest is a sequence number. */
enum dvk_send_state { DVK_SEND_EMPTY = 0, DVK_SEND_FULL = 1, DVK_SEND_TAKEN = 2 };
enum dvk_want_state { DVK_WANT_IDLE = 0, DVK_WANT_WAITING = 1, DVK_WANT_DELIVERED = 2, DVK_WANT_LISTENING = 3 };
#define DVK_STATE_MASK	 3u
#define DVK_STATE_STEP	 4u

/*
 * In flags: the sender waits for an answer, so that who takes the message need not ring.
 * The other bits are then the sequence number of its `want`.
 */
#define DVK_POST_SENDREC 1u

/* One direction of a channel. "Sender" and "receiver" are its two ends. */
struct dvk_mailbox {
	/* written by the sender but for FULL -> TAKEN */
	alignas(64) _Atomic uint32_t send;
	_Atomic uint32_t notify;			   /* sender 0 -> 1, receiver 1 -> 0 */
	_Atomic int32_t notify_value;			   /* written before notify */
	_Atomic uint32_t flags;				   /* DVK_POST_*, of the message that is FULL */
	uint64_t body[sizeof(message) / sizeof(uint64_t)]; /* a message, as words: see dvk_body_write() */
	/* written by the receiver but for WAITING -> DELIVERED */
	alignas(64) _Atomic uint32_t want;
	_Atomic uint32_t bell;					 /* the receiver sleeps on it */
	uint64_t reply_body[sizeof(message) / sizeof(uint64_t)]; /* written by the sender while WAITING */
};

/*
 * mailbox[0] carries what the endpoint that asked for the introduction sends;
 * mailbox[1] the other direction.
 */
struct dvk_channel {
	struct dvk_mailbox mailbox[2];
};

static_assert(sizeof(struct dvk_mailbox) == 128, "two cache lines");
static_assert(sizeof(struct dvk_channel) <= DVK_PAGE_SIZE, "one page");

/*
 * A bound process's own page. The node rings its bell after sending an event on
 * the control socket; the rest is written by the owner alone: for `dvkctl procs`,
 * for the state rules of dvk_vcopy(), and for those who ring its bells. Its peers map it read-only.
 */
struct dvk_process_page {
	alignas(64) _Atomic uint32_t bell;
	alignas(64) _Atomic uint32_t rts_flags; /* SENDING, RECEIVING, 0 */
	_Atomic int32_t getfrom;		/* endpoint, ANY or NONE */
	_Atomic int32_t sendto;			/* endpoint or NONE */
	_Atomic uint32_t reserved;
	_Atomic uint64_t messages_sent;
	_Atomic uint64_t copies;
	/* 1: sleeps in epoll. In a line of its own, as others read it often: it changes only when there is a sleep */
	alignas(64) _Atomic uint32_t asleep;
};

static_assert(sizeof(struct dvk_process_page) <= DVK_PAGE_SIZE, "one page");

#endif
