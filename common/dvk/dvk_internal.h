/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of libdvk's core share among themselves; not installed. What only those of the control connection
 * share is in dvk_control.h.
 * Freestanding.
 */
#ifndef DVK_INTERNAL_H
#define DVK_INTERNAL_H

#include "dvk_client.h"
#include "dvk_wire.h"

/* Copies a message into / out of shared memory by single words, so that a peer that writes meanwhile can
 * spoil the message but not the copying. */
static inline void dvk_body_write(uint64_t *body, const message *msg)
{
	uint64_t words[sizeof(message) / sizeof(uint64_t)];

	__builtin_memcpy(words, msg, sizeof(words));
	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		__atomic_store_n(&body[i], words[i], __ATOMIC_RELAXED);
}

static inline void dvk_body_read(message *msg, const uint64_t *body)
{
	uint64_t words[sizeof(message) / sizeof(uint64_t)];

	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		words[i] = __atomic_load_n(&body[i], __ATOMIC_RELAXED);
	__builtin_memcpy(msg, words, sizeof(words));
}

/* Says to the processor that we spin: one that shares its core with another gives that one the core meanwhile. */
static inline void dvk_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb"
			 :
			 :
			 : "memory"); /* "yield" is over at once on most: isb takes about as long as x86's pause */
#else
	atomic_signal_fence(memory_order_seq_cst);
#endif
}

/*
 * Between a store and a load of another word that must not pass each other; see dvk_channel.h. ThreadSanitizer does not
 * know fences, and need not: what they order here are atomic accesses.
 */
static inline void dvk_full_fence(void)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wtsan"
	atomic_thread_fence(memory_order_seq_cst);
#pragma GCC diagnostic pop
}

/* 0 if the caller can use IPC now; EDVSDVSINIT, EDVSNOTBIND. */
static inline int dvk_client_ready(const struct dvk_client *client)
{
	if (client->node_fd < 0 || client->node_lost)
		return EDVSDVSINIT;
	return client->endpoint == NONE ? EDVSNOTBIND : 0;
}

/* True when the node has sent events that were not taken yet. The client is bound. */
static inline bool dvk_events_pending(const struct dvk_client *client)
{
	uint32_t bell = atomic_load_explicit(&client->page->bell, memory_order_acquire);

	return (bell & ~DVK_BELL_SLEEPER) != client->bell_seen;
}

/* ---- dvk_errno.c ---- */

/* EDVS code for what a system call returned (-errno). */
int dvk_error_of(int error);

/* The same code, or one below EDVSERRCODE: for calls that return endpoints. */
int dvk_endpoint_error(int code);

/* ---- dvk_event.c ---- */

/*
 * Takes what the node has sent, without waiting: introductions, deaths, grants.
 * 0, or EDVSDVSINIT (node gone), EDVSNOTBIND (we were unbound).
 */
int dvk_take_events(struct dvk_client *client);

/* ---- dvk_peer.c ---- */

/*
 * The peer at `endpoint`, introduced by the node if need be. *timeout_ms is the caller's, and reduced by what that took
 * (not to 0); EDVSTIMEDOUT, EDVSAGAIN, EDVSINTR as there. NULL: the node is waited for as in other calls.
 * EDVSENDPOINT, EDVSNOTBIND, EDVSTRAPDENIED, EDVSNOMEM, EDVSDVSINIT.
 */
int dvk_peer_get(struct dvk_client *client, int endpoint, int *timeout_ms, struct dvk_peer **peer);

/* The peer at `endpoint` if it was introduced, without taking events. EDVSENDPOINT, EDVSNOTBIND, EDVSDVSINIT. */
int dvk_peer_known(struct dvk_client *client, int endpoint, struct dvk_peer **peer);

/* ---- dvk_wait.c ---- */

/*
 * Looks whether a wait is over. Called often: cheap, no system call. Once true it
 * must stay true however often it is asked.
 */
typedef bool (*dvk_condition)(struct dvk_client *client, void *context);

/* One look: 1 the condition holds, 0 not yet, < 0 an error. Takes events that have come; peers may go by that. */
int dvk_look(struct dvk_client *client, dvk_condition condition, void *context);

#define DVK_WAIT_ALL (-1)

/*
 * Waits until condition() holds: spins, then sleeps on the bells of the peer in
 * `slot`, or of all peers (DVK_WAIT_ALL). 0; EDVSAGAIN (timeout_ms 0), EDVSTIMEDOUT, EDVSINTR, EDVSDVSINIT,
 * EDVSNOTBIND.
 */
int dvk_wait_until(struct dvk_client *client, int slot, dvk_condition condition, void *context, int timeout_ms);

/*
 * Rings a bell after something was made true for its owner. The read-modify-write is a release for what was stored
 * before; the sleeper's own read-modify-write of the same word orders the two.
 */
void dvk_ring(_Atomic uint32_t *bell);

/* Rings our bell at a peer, however that sleeps. */
void dvk_ring_peer(const struct dvk_peer *peer);

/* ---- dvk_descriptors.c ---- */

/* For a peer that may sleep in epoll, after something was made true for it and its bell was rung. */
void dvk_ring_descriptor(const struct dvk_peer *peer);

/* Whether the caller's own descriptor is readable. One system call. False without one. */
bool dvk_own_ready(const struct dvk_client *client);

/*
 * Sleeps once in epoll, for whoever waits for all peers and uses descriptors; deadline: CLOCK_MONOTONIC in ns,
 * INT64_MAX: none. 0 (look again; client->own_ready may be set), EDVSINTR, EDVSDVSINIT, EDVSNOTBIND, or another error.
 */
int dvk_sleep_in_epoll(struct dvk_client *client, dvk_condition condition, void *context, int64_t deadline);

/* ---- dvk_awake.c ---- */

/* Looks of a spin between two readings of the clock. */
#define DVK_SPINS_PER_CLOCK 32

/*
 * As dvk_wait_until(), but without sleeping: spins at most spin_ns, less in a crowd (dvk_spin.h); 0: looks once,
 * without system calls but for events. 0 or EDVSAGAIN or as there.
 */
int dvk_spin_until(struct dvk_client *client, dvk_condition condition, void *context, int64_t spin_ns);

/*
 * The same for whoever must not sleep for long, in a crowd: sleeps at most 200 us, on the bell of the peer in `slot`
 * only, as rd_thread may sleep on the client's own. Should it have slept on the peer's too, and clear our mark of a
 * sleeper when it is woken late, all of the 200 us are slept. 0 or EDVSAGAIN or as above.
 */
int dvk_doze_until(struct dvk_client *client, int slot, dvk_condition condition, void *context);

#endif
