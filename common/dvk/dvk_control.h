/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of a client's control connection share: dvk_packet.c moves datagrams, dvk_event.c takes what the
 * node tells, dvk_request.c asks; dvk_bind.c, dvk_peer.c and dvk_grant.c keep what came of both; dvk_client.c opens and
 * closes it all. Not installed, and not for the files that move messages and data: what they need of these
 * files is in dvk_internal.h. The datagrams themselves are in dvk_wire.h.
 *
 * All of it runs in the thread that is inside a call on the client (dvk_client.h).
 *
 * Objects and their owners:
 *   descriptors  those of a packet belong to the struct dvk_received that they came in, until dvk_close_received().
 *                Who maps one lets it be: a mapping outlives its descriptor.
 *   own page     client->page, mapped while the client is bound: by dvk_binding_adopt() until dvk_binding_drop().
 *   peer         client->peers[slot]; its channel and page are mapped, and its bells open, from dvk_peer_add() until
 *                dvk_peer_drop().
 *   grant        peer->grants[i], mapped by dvk_grant_add() until its peer is dropped and it is not pinned.
 * Dropping a binding drops its peers, and closing a client its binding. What is unmapped or closed has been forgotten
 * before: a child that another thread forks meanwhile has what is left to forget (dvk_client_forget()), and no more.
 *
 * A node that cannot be believed any more (its socket failed, it sent what is no packet, or what it counts as ours
 * could not be taken) is lost: dvk_lose_node(). Every call then returns EDVSDVSINIT, until the client is closed.
 *
 * Freestanding.
 */
#ifndef DVK_CONTROL_H
#define DVK_CONTROL_H

#include "dvk_internal.h"

/* How long beyond the time that the node was given it may take to say that it is over. */
#define DVK_GRACE_MS 5000

/* A packet from the node with the descriptors that came along; -1 where there is none. */
struct dvk_received {
	struct dvk_node_packet packet;
	int fds[DVK_WIRE_MAX_FDS];
};

/* How long a question may take. */
struct dvk_patience {
	bool interruptible; /* EDVSINTR at once, and an answer that comes later is passed over */
	int limit_ms;	    /* -1: none */
	int at_limit;	    /* EDVSDVSINIT: the node is lost to us; else this code, and a late answer is passed over */
};

/* ---- dvk_packet.c ---- */

/*
 * Receives one packet without waiting. 0, and the caller closes *received; -EAGAIN or -EINTR;
 * EDVSDVSINIT for a closed socket, a malformed packet, or descriptors that did not fit into our table: what
 * the node then believes of us is not so any more, and only a new start mends that.
 */
int dvk_receive_packet(struct dvk_client *client, struct dvk_received *received);

/* Closes the descriptors that there are; -1 afterwards. */
void dvk_close_received(struct dvk_received *received);

/* Sends *request, and fd (lent) with it unless it is < 0. 0 or -errno; nothing was sent then. Does not wait. */
int dvk_send_request(struct dvk_client *client, const struct dvk_node_request *request, int fd);

/* Gives the node up. EDVSDVSINIT. */
int dvk_lose_node(struct dvk_client *client);

/* ---- dvk_event.c ---- */

/*
 * Does what a packet that answers no open question tells, and closes its descriptors. 0, or EDVSDVSINIT: it could not
 * be done, and the node is lost.
 */
int dvk_handle_event(struct dvk_client *client, struct dvk_received *received);

/* ---- dvk_request.c ---- */

/* For a question that the node answers at once, and whose answer must not be missed. */
extern const struct dvk_patience dvk_short_patience;

/* For one that the node answers at that time at the latest (ms; < 0: whenever it likes). */
struct dvk_patience dvk_patience_for(int timeout_ms);

/*
 * One question to the node, with fd (lent) unless it is < 0. Magic, version and serial of *request are filled in.
 * Events that come before the answer are taken on the way. The result is the node's, or EDVSDVSINIT, EDVSNOMEM
 * or EDVSINVAL (nothing was asked: no memory, or fd cannot be sent), or what *patience says. The caller closes
 * *received, whatever the result; its packet is the answer only if the result is the node's.
 */
int dvk_call_node(struct dvk_client *client, struct dvk_node_request *request, int fd,
		  const struct dvk_patience *patience, struct dvk_received *received);

/*
 * A question that has neither descriptors in its answer nor waits: results as above. *answer is filled in after 0 only;
 * it may be NULL.
 */
int dvk_ask_node(struct dvk_client *client, struct dvk_node_request *request, struct dvk_node_packet *answer);

/* ---- dvk_bind.c ---- */

/*
 * Takes over the page and numbers of a fresh binding, from an answer or an event. 0; EDVSSLOTUSED (bound already, or no
 * endpoint), EDVSALLOCMEM: nothing has changed then.
 */
int dvk_binding_adopt(struct dvk_client *client, const struct dvk_received *received);

/* The end of the binding, if there is one, and of all acquaintances; code: why, as peers' gone_code. */
void dvk_binding_drop(struct dvk_client *client, int code);

/* ---- dvk_peer.c ---- */

/*
 * Maps a new peer's channel and page. Takes the bells' descriptors over, which are -1 in *received then, and no others.
 * 0 or -errno: nothing has changed then.
 */
int dvk_peer_add(struct dvk_client *client, struct dvk_received *received);

/*
 * Forgets the peer in `slot`, if there is one; a notification and a reply that it left are kept for who waits for
 * them. code: EDVSDSTDIED, or why else it went.
 */
void dvk_peer_drop(struct dvk_client *client, int slot, int code);

/* Unmaps and closes what there is of a peer but its grants, and looks at none of it. */
void dvk_peer_unmap(struct dvk_peer *peer);

/* ---- dvk_descriptors.c ---- */

/* What descriptors are watched as: bits. */
#define DVK_WATCH_BELL 1u /* a peer's, or the interrupter's: edges */
#define DVK_WATCH_NODE 2u /* the control socket */
#define DVK_WATCH_OWN  4u /* the caller's */

/* Puts a descriptor among those that we sleep on, if we do. 0 or -errno. */
int dvk_watch(struct dvk_client *client, int fd, uint32_t as);

/* Takes it out again. Closing alone would not do: a child of fork() may have it. */
void dvk_unwatch(struct dvk_client *client, int fd);

/* For a child of fork(): lets go of its copies, without touching what they share with the parent's. */
void dvk_descriptors_forget(struct dvk_client *client);

/* ---- dvk_grant.c ---- */

/*
 * Maps memory that a peer grants. What cannot be mapped or is badly described is
 * left out: copies to it then fail with EDVSFAULT, which is the granter's own trouble.
 */
void dvk_grant_add(struct dvk_client *client, const struct dvk_received *received);

/* The granter has gone: nothing of what it granted is found any more, and what is not pinned is unmapped. */
void dvk_grants_drop(struct dvk_peer *peer);

/* Unmaps all that was granted there, pinned or not. */
void dvk_grants_unmap(struct dvk_peer *peer);

/* Unmaps one. */
void dvk_grant_unmap(struct dvk_grant *grant);

#endif
