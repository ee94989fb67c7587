// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages between endpoints: send, receive, sendrec, reply, notify, over the channels
 * that dvk_channel.h describes. The rules of who may do what are the original's (facts 2.4).
 *
 * A message is never half given: the sender posts it (EMPTY -> FULL) and either the
 * receiver takes it (FULL -> TAKEN) or the sender takes it back (FULL -> EMPTY); the
 * compare-and-swap decides. A reply is posted by WAITING or LISTENING -> DELIVERED in the same way.
 */
#include "dvk_internal.h"
#include "dvk_system.h"

/* How long a NOWAIT send gives a receiver that is blocked for it to wake up and take it. */
#define HANDOVER_MS 100

static bool is_system(const struct dvk_client *client, int endpoint)
{
	return dvk_endpoint_is_system(endpoint, client->nr_tasks, client->nr_sysprocs);
}

/* For `dvkctl procs` and for the peers' rules of vcopy; see struct dvk_process_page. */
static void publish(struct dvk_client *client, uint32_t flags, int getfrom, int sendto)
{
	if (!client->page)
		return;
	atomic_store_explicit(&client->page->getfrom, getfrom, memory_order_relaxed);
	atomic_store_explicit(&client->page->sendto, sendto, memory_order_relaxed);
	atomic_store_explicit(&client->page->rts_flags, flags, memory_order_release);
}

static void count_sent(struct dvk_client *client)
{
	uint64_t sent; /* one writer: no read-modify-write needed */

	if (!client->page)
		return;
	sent = atomic_load_explicit(&client->page->messages_sent, memory_order_relaxed);
	atomic_store_explicit(&client->page->messages_sent, sent + 1, memory_order_relaxed);
}

/* ---- one mailbox, sender's side ---- */

static uint32_t posted(const struct dvk_peer *peer)
{
	return peer->send_sequence | DVK_SEND_FULL;
}

static void post(struct dvk_peer *peer, const message *msg, uint32_t flags)
{
	peer->send_sequence += DVK_STATE_STEP;
	dvk_body_write(peer->out->body, msg);
	atomic_store_explicit(&peer->out->flags, flags, memory_order_relaxed);
	/* release: who sees FULL sees the message, and our published state */
	atomic_store_explicit(&peer->out->send, posted(peer), memory_order_release);
	dvk_ring_peer(peer);
}

/* Takes back what was posted; false if it was taken before. */
static bool withdraw(struct dvk_peer *peer)
{
	uint32_t expected = posted(peer);

	return atomic_compare_exchange_strong_explicit(&peer->out->send, &expected,
						       peer->send_sequence | DVK_SEND_EMPTY, memory_order_acq_rel,
						       memory_order_acquire);
}

/* True once the receiver has taken what was posted (or has scribbled over the word: its own loss). */
static bool taken(const struct dvk_peer *peer)
{
	return atomic_load_explicit(&peer->out->send, memory_order_acquire) != posted(peer);
}

/* ---- one mailbox, receiver's side ---- */

static bool is_posted(const struct dvk_peer *peer)
{
	return (atomic_load_explicit(&peer->in->send, memory_order_acquire) & DVK_STATE_MASK) == DVK_SEND_FULL;
}

/* Takes a message that the peer has posted, if there is one. */
static bool take_posted(struct dvk_peer *peer, message *msg)
{
	uint32_t state = atomic_load_explicit(&peer->in->send, memory_order_acquire);
	uint32_t flags;

	if ((state & DVK_STATE_MASK) != DVK_SEND_FULL)
		return false;
	dvk_body_read(msg, peer->in->body);
	flags = atomic_load_explicit(&peer->in->flags, memory_order_relaxed);
	/* acq_rel: the copying is done before the sender may write the body again */
	if (!atomic_compare_exchange_strong_explicit(&peer->in->send, &state,
						     (state & ~DVK_STATE_MASK) | DVK_SEND_TAKEN, memory_order_acq_rel,
						     memory_order_relaxed))
		return false;
	msg->m_source = peer->endpoint;
	if (flags & DVK_POST_SENDREC)
		peer->request_sequence = flags & ~DVK_STATE_MASK;
	else
		dvk_ring_peer(peer);
	return true;
}

static void build_notification(message *msg, int source, int value)
{
	int64_t now = dvk_system_realtime_ns();

	__builtin_memset(msg, 0, sizeof(*msg));
	msg->m_source = source;
	msg->m_type = NOTIFY_FROM(dvk_endpoint_number(source));
	msg->m9_l1 = value;
	msg->m9_t1.tv_sec = now / 1000000000;
	msg->m9_t1.tv_nsec = now % 1000000000;
}

static bool is_notified(const struct dvk_peer *peer)
{
	return peer->notifies && atomic_load_explicit(&peer->in->notify, memory_order_acquire);
}

static bool take_notification(struct dvk_client *client, struct dvk_peer *peer, message *msg)
{
	int value;

	if (!is_notified(peer))
		return false;
	value = atomic_load_explicit(&peer->in->notify_value, memory_order_relaxed);
	/* release: the value was read before the sender may write another */
	atomic_store_explicit(&peer->in->notify, 0, memory_order_release);
	build_notification(msg, peer->endpoint, value);
	client->notified = true;
	return true;
}

/* A notification of a process that is gone since; source ANY or one endpoint. */
static bool take_gone_notification(struct dvk_client *client, int source, message *msg)
{
	for (int i = 0; i < client->nr_gone_notify; i++) {
		if (source != ANY && client->gone_notify[i] != source)
			continue;
		build_notification(msg, client->gone_notify[i], client->gone_notify_value[i]);
		client->notified = true;
		client->nr_gone_notify--;
		for (; i < client->nr_gone_notify; i++) {
			client->gone_notify[i] = client->gone_notify[i + 1];
			client->gone_notify_value[i] = client->gone_notify_value[i + 1];
		}
		return true;
	}
	return false;
}

/* ---- replies: the word `want` ---- */

/* Begins, or after stop_wanting() goes on with, the wait that want_sequence and want_state describe. */
static void want_again(struct dvk_peer *peer)
{
	atomic_store_explicit(&peer->in->want, peer->want_sequence | peer->want_state, memory_order_release);
}

static void want_reply(struct dvk_peer *peer, enum dvk_want_state state)
{
	peer->want_sequence += DVK_STATE_STEP;
	peer->want_state = state;
	want_again(peer);
}

static bool take_reply(struct dvk_peer *peer, message *msg)
{
	if (atomic_load_explicit(&peer->in->want, memory_order_acquire) != (peer->want_sequence | DVK_WANT_DELIVERED))
		return false;
	dvk_body_read(msg, peer->in->reply_body);
	msg->m_source = peer->endpoint;
	atomic_store_explicit(&peer->in->want, peer->want_sequence | DVK_WANT_IDLE, memory_order_release);
	return true;
}

/* Stops waiting for a reply; true if one came in the last moment and is in *msg. */
static bool stop_wanting(struct dvk_peer *peer, message *msg)
{
	uint32_t expected = peer->want_sequence | peer->want_state;

	if (atomic_compare_exchange_strong_explicit(&peer->in->want, &expected, peer->want_sequence | DVK_WANT_IDLE,
						    memory_order_acq_rel, memory_order_acquire))
		return false;
	return take_reply(peer, msg);
}

/* ---- waiting for one peer ---- */

/* What a call that waits for one peer waits for, and how it went. */
struct exchange {
	struct dvk_peer *peer;
	message *msg;
	uint32_t incarnation; /* of the peer when the wait began */
	bool until_taken;     /* our message is to be taken; else a message of the peer's is to come */
	bool answer;	      /* that is to answer ours, so it counts only when ours was taken */
	bool notifications;   /* that may also be a notification */
	bool done;
	bool gone; /* the peer went instead */
};

/*
 * Takes whatever the peer has for us. Before anything but a reply is taken the reply is
 * declined, so that no replier is told of a delivery that nobody sees.
 */
static bool take_from_peer(struct dvk_client *client, struct exchange *exchange)
{
	struct dvk_peer *peer = exchange->peer;

	if (take_reply(peer, exchange->msg))
		return true;
	if (exchange->answer && !taken(peer))
		return false;
	if (!is_posted(peer) && !(exchange->notifications && is_notified(peer)))
		return false;
	if (stop_wanting(peer, exchange->msg))
		return true;
	if (exchange->notifications && take_notification(client, peer, exchange->msg))
		return true;
	if (take_posted(peer, exchange->msg))
		return true;
	want_again(peer); /* what was posted has been taken back */
	return false;
}

/* A reply that came before its sender went; see dvk_peer_drop(). */
static bool take_rescued(struct dvk_client *client, struct exchange *exchange)
{
	if (exchange->until_taken || client->rescued_slot != dvk_endpoint_slot(exchange->peer->endpoint))
		return false;
	*exchange->msg = client->rescued_reply;
	client->rescued_slot = -1;
	return true;
}

static bool exchange_over(struct dvk_client *client, void *context)
{
	struct exchange *exchange = context;
	struct dvk_peer *peer = exchange->peer;

	if (exchange->done)
		return true;
	if (peer->incarnation != exchange->incarnation) {
		exchange->done = true;
		exchange->gone = !take_rescued(client, exchange);
		return true;
	}
	if (exchange->until_taken)
		exchange->done = taken(peer);
	else
		exchange->done = take_from_peer(client, exchange);
	return exchange->done;
}

/* The code for a peer that went: `died` if it did, else that it was unbound. */
static int gone_code(const struct dvk_peer *peer, int died)
{
	return peer->gone_code == EDVSDSTDIED ? died : EDVSNOTBIND;
}

/* ---- send ---- */

/* True if a peer's published state says that a message of ours would be taken now. */
static bool ready_for_us(const struct dvk_client *client, const struct dvk_peer *peer)
{
	uint32_t flags = atomic_load_explicit(&peer->page->rts_flags, memory_order_acquire);
	int getfrom = atomic_load_explicit(&peer->page->getfrom, memory_order_relaxed);

	if (!(flags & RECEIVING) || is_posted(peer))
		return false;
	return getfrom == ANY || getfrom == client->endpoint;
}

int dvk_client_send(struct dvk_client *client, int endpoint, const message *msg, int timeout_ms)
{
	struct exchange exchange = { .until_taken = true };
	int rc = dvk_client_ready(client);

	if (rc)
		return rc;
	if (!is_system(client, client->endpoint))
		return EDVSBADCALL;
	rc = dvk_peer_get(client, endpoint, &timeout_ms, &exchange.peer);
	if (rc)
		return rc;
	exchange.incarnation = exchange.peer->incarnation;
	if (timeout_ms == 0 && !ready_for_us(client, exchange.peer))
		return EDVSAGAIN;
	post(exchange.peer, msg, 0);
	/* after it: who sees us sending finds the message */
	publish(client, SENDING, NONE, endpoint);
	rc = dvk_wait_until(client, dvk_endpoint_slot(endpoint), exchange_over, &exchange,
			    timeout_ms ? timeout_ms : HANDOVER_MS);
	if (rc == EDVSTIMEDOUT && timeout_ms == 0)
		rc = EDVSAGAIN;
	publish(client, 0, NONE, NONE);
	if (!rc && exchange.gone)
		return gone_code(exchange.peer, EDVSDSTDIED);
	if (rc && exchange.peer->incarnation == exchange.incarnation && exchange.peer->channel &&
	    !withdraw(exchange.peer))
		rc = 0; /* taken in the last moment */
	if (!rc)
		count_sent(client);
	return rc;
}

/* ---- sendrec ---- */

static int begin_sendrec(struct dvk_client *client, struct dvk_peer *peer, const message *msg)
{
	if (client->outstanding != NONE)
		return EDVSPROCSTS;
	client->outstanding = peer->endpoint;
	client->outstanding_incarnation = peer->incarnation;
	publish(client, SENDING | RECEIVING, peer->endpoint, peer->endpoint);
	/* before the message, so that whoever takes it can reply at once */
	client->rescued_slot = -1;
	want_reply(peer, DVK_WANT_WAITING);
	post(peer, msg, peer->want_sequence | DVK_POST_SENDREC);
	return 0;
}

int dvk_client_sendrec_begin(struct dvk_client *client, int endpoint, const message *msg)
{
	struct dvk_peer *peer;
	int rc = dvk_peer_get(client, endpoint, NULL, &peer);

	return rc ? rc : begin_sendrec(client, peer, msg);
}

int dvk_client_sendrec_begin_known(struct dvk_client *client, int endpoint, uint32_t incarnation, const message *msg)
{
	struct dvk_peer *peer;
	int rc = dvk_client_ready(client);

	if (rc)
		return rc;
	if (!dvk_endpoint_valid(endpoint) || endpoint == client->endpoint)
		return EDVSENDPOINT;
	peer = &client->peers[dvk_endpoint_slot(endpoint)];
	if (!peer->channel || peer->incarnation != incarnation)
		return EDVSNOTBIND;
	return begin_sendrec(client, peer, msg);
}

static struct exchange outstanding_exchange(struct dvk_client *client, message *msg)
{
	return (struct exchange){
		.peer = &client->peers[dvk_endpoint_slot(client->outstanding)],
		.incarnation = client->outstanding_incarnation,
		.answer = true,
		.msg = msg,
	};
}

/* Ends an outstanding sendrec whose wait gave rc; returns the call's result. */
static int end_sendrec(struct dvk_client *client, const struct exchange *exchange, int rc)
{
	struct dvk_peer *peer = exchange->peer;

	if (!rc && exchange->gone) {
		rc = gone_code(peer, EDVSDEADSRCDST);
	} else if (peer->channel && peer->incarnation == exchange->incarnation) {
		withdraw(peer);
		if (rc && stop_wanting(peer, exchange->msg))
			rc = 0;
	}
	publish(client, 0, NONE, NONE);
	client->outstanding = NONE;
	if (!rc)
		count_sent(client);
	return rc;
}

int dvk_client_sendrec_finish(struct dvk_client *client, message *msg, int64_t spin_ns, int timeout_ms)
{
	struct exchange exchange;
	int slot, rc;

	if (client->outstanding == NONE)
		return EDVSPROCSTS;
	rc = dvk_client_ready(client);
	exchange = outstanding_exchange(client, msg);
	if (rc)
		return end_sendrec(client, &exchange, rc);
	slot = dvk_endpoint_slot(client->outstanding);
	if (timeout_ms != 0)
		rc = dvk_wait_until(client, slot, exchange_over, &exchange, timeout_ms);
	else
		rc = dvk_spin_until(client, exchange_over, &exchange, spin_ns);
	if (rc == EDVSAGAIN && spin_ns > 0 && dvk_spin_crowded(&client->spin, dvk_system_monotonic_ns()))
		rc = dvk_doze_until(client, slot, exchange_over, &exchange);
	if (rc == EDVSAGAIN || rc == EDVSINTR)
		return rc;
	return end_sendrec(client, &exchange, rc);
}

int dvk_client_sendrec_cancel(struct dvk_client *client, message *msg)
{
	struct exchange exchange;
	int rc;

	if (client->outstanding == NONE)
		return EDVSPROCSTS;
	rc = dvk_client_ready(client);
	exchange = outstanding_exchange(client, msg);
	if (!rc)
		rc = dvk_spin_until(client, exchange_over, &exchange, 0);
	return end_sendrec(client, &exchange, rc == EDVSAGAIN ? EDVSTIMEDOUT : rc);
}

int dvk_client_sendrec(struct dvk_client *client, int endpoint, message *msg, int timeout_ms)
{
	struct exchange exchange;
	struct dvk_peer *peer;
	int rc;

	if (timeout_ms == 0) {
		/* Both halves at once without waiting cannot be: as in the original, it would block. */
		rc = dvk_peer_get(client, endpoint, &timeout_ms, &peer);
		return rc ? rc : EDVSAGAIN;
	}
	rc = dvk_peer_get(client, endpoint, &timeout_ms, &peer);
	if (!rc)
		rc = begin_sendrec(client, peer, msg);
	if (rc)
		return rc;
	exchange = outstanding_exchange(client, msg);
	rc = dvk_wait_until(client, dvk_endpoint_slot(endpoint), exchange_over, &exchange, timeout_ms);
	return end_sendrec(client, &exchange, rc);
}

/* ---- receive ---- */

/* After so many messages in a row the caller's own descriptor has its turn. */
#define MESSAGES_PER_OWN 16

struct receive_any {
	message *msg;
	bool notifications;
	bool done;
	bool interrupted; /* and no message came */
	bool ready;	  /* the caller's descriptor is, and no message came */
};

static uint32_t interrupts(const struct dvk_client *client)
{
	/* acquire: what was done before the interrupt is seen by who is interrupted */
	return atomic_load_explicit(&client->interrupt_bell, memory_order_acquire) & ~DVK_BELL_SLEEPER;
}

/* Whether the caller's descriptor was found ready; looks itself as often as a spin looks at the clock. */
static bool own_became_ready(struct dvk_client *client)
{
	if (client->own_fd < 0)
		return false;
	/* Not before the time of a spin begins: where there is none the sleep looks by itself. */
	if (!client->own_ready && ++client->looks % DVK_SPINS_PER_CLOCK == 0 && client->looks > DVK_SPINS_PER_CLOCK)
		client->own_ready = dvk_own_ready(client);
	return client->own_ready;
}

static bool any_arrived(struct dvk_client *client, void *context)
{
	struct receive_any *receive = context;

	if (receive->done || receive->interrupted || receive->ready)
		return true;
	if (receive->notifications) {
		receive->done = client->nr_gone_notify && take_gone_notification(client, ANY, receive->msg);
		for (int i = 0; i < client->nr_active && !receive->done; i++)
			receive->done = take_notification(client, &client->peers[client->active[i]], receive->msg);
	}
	for (int i = 0; i < client->nr_active && !receive->done; i++) {
		int at = client->next + i;

		at = at < client->nr_active ? at : at % client->nr_active;
		receive->done = take_posted(&client->peers[client->active[at]], receive->msg);
		if (receive->done) /* the one just served comes last the next time */
			client->next = at + 1;
	}
	if (!receive->done && interrupts(client) != client->interrupt_seen) {
		client->interrupt_seen = interrupts(client);
		receive->interrupted = true;
	}
	if (!receive->done && !receive->interrupted)
		receive->ready = own_became_ready(client);
	return receive->done || receive->interrupted || receive->ready;
}

/* True when the caller's descriptor is ready after so many messages that it is served first. */
static bool own_has_turn(struct dvk_client *client)
{
	if (client->own_fd < 0 || client->since_own++ < MESSAGES_PER_OWN)
		return false;
	client->since_own = 0;
	return dvk_own_ready(client);
}

static int receive_from_any(struct dvk_client *client, message *msg, bool notifications, int timeout_ms)
{
	struct receive_any receive = { .msg = msg, .notifications = notifications };
	int rc;

	if (own_has_turn(client))
		return EDVSREADY;
	client->own_ready = false;
	/* Most messages come before this is worth a call. */
	client->looks = 0;
	publish(client, RECEIVING, ANY, NONE);
	rc = dvk_wait_until(client, DVK_WAIT_ALL, any_arrived, &receive, timeout_ms);
	publish(client, 0, NONE, NONE);
	if (!rc && receive.interrupted)
		return EDVSINTR;
	if ((rc == EDVSAGAIN || rc == EDVSTIMEDOUT) && dvk_own_ready(client)) {
		receive.ready = true;
		rc = 0;
	}
	if (rc || !receive.ready)
		return rc;
	client->since_own = 0;
	return EDVSREADY;
}

static int receive_from(struct dvk_client *client, int source, message *msg, int timeout_ms)
{
	struct exchange exchange = { .msg = msg, .notifications = true };
	struct dvk_peer *peer;
	int rc;

	if (dvk_endpoint_valid(source) && take_gone_notification(client, source, msg))
		return 0;
	rc = dvk_peer_get(client, source, &timeout_ms, &peer);
	if (rc)
		return rc;
	exchange.peer = peer;
	exchange.incarnation = peer->incarnation;
	client->rescued_slot = -1;
	publish(client, RECEIVING, source, NONE);
	want_reply(peer, DVK_WANT_LISTENING);
	rc = dvk_wait_until(client, dvk_endpoint_slot(source), exchange_over, &exchange, timeout_ms);
	publish(client, 0, NONE, NONE);
	if (rc && peer->channel && peer->incarnation == exchange.incarnation && stop_wanting(peer, msg))
		return 0;
	if (!rc && exchange.gone)
		rc = take_gone_notification(client, source, msg) ? 0 : gone_code(peer, EDVSSRCDIED);
	return rc;
}

/*
 * What the node said before the sender sent, above all what the sender granted, is known when
 * its message is looked at. The message counts in any case: if the node is gone, the next call says so.
 */
static int with_events(struct dvk_client *client, int rc)
{
	if (!rc && client->page && dvk_events_pending(client))
		(void)dvk_take_events(client);
	return rc;
}

bool dvk_client_notified(const struct dvk_client *client)
{
	return client->notified;
}

int dvk_client_receive(struct dvk_client *client, int source, message *msg, int timeout_ms)
{
	int rc = dvk_client_ready(client);

	client->notified = false;
	if (rc)
		return rc;
	if (!is_system(client, client->endpoint))
		return EDVSBADCALL;
	if (source == ANY)
		return with_events(client, receive_from_any(client, msg, true, timeout_ms));
	return with_events(client, receive_from(client, source, msg, timeout_ms));
}

int dvk_client_rcvrqst(struct dvk_client *client, message *msg, int timeout_ms)
{
	int rc = dvk_client_ready(client);

	client->notified = false;
	if (rc)
		return rc;
	if (!is_system(client, client->endpoint))
		return EDVSTRAPDENIED;
	return with_events(client, receive_from_any(client, msg, false, timeout_ms));
}

/* ---- reply and notify ---- */

int dvk_client_reply(struct dvk_client *client, int endpoint, const message *msg)
{
	struct dvk_peer *peer;
	uint32_t want;
	int rc = dvk_client_ready(client);

	if (rc)
		return rc;
	if (!is_system(client, client->endpoint))
		return EDVSBADCALL;
	rc = dvk_peer_get(client, endpoint, NULL, &peer);
	if (rc)
		return rc;
	want = atomic_load_explicit(&peer->out->want, memory_order_acquire);
	/* It waits for the answer to the request that we took last, or for anything from us. */
	if (want != (peer->request_sequence | DVK_WANT_WAITING) && (want & DVK_STATE_MASK) != DVK_WANT_LISTENING)
		return EDVSPROCSTS;
	dvk_body_write(peer->out->reply_body, msg);
	if (!atomic_compare_exchange_strong_explicit(&peer->out->want, &want,
						     (want & ~DVK_STATE_MASK) | DVK_WANT_DELIVERED,
						     memory_order_acq_rel, memory_order_relaxed))
		return EDVSPROCSTS; /* it gave up in this moment */
	dvk_ring_peer(peer);
	count_sent(client);
	return 0;
}

int dvk_client_notify(struct dvk_client *client, int endpoint, int value)
{
	struct dvk_peer *peer;
	int rc = dvk_client_ready(client);

	if (rc)
		return rc;
	if (!is_system(client, client->endpoint))
		return EDVSBADCALL;
	if (dvk_endpoint_valid(endpoint) && !is_system(client, endpoint))
		return EDVSTRAPDENIED;
	rc = dvk_peer_get(client, endpoint, NULL, &peer);
	if (rc)
		return rc;
	/* We alone set it: what is 0 stays 0. acquire: the receiver has read the last value. */
	if (atomic_load_explicit(&peer->out->notify, memory_order_acquire))
		return EDVSOVERRUN;
	atomic_store_explicit(&peer->out->notify_value, value, memory_order_relaxed);
	atomic_store_explicit(&peer->out->notify, 1, memory_order_release);
	dvk_ring_peer(peer);
	return 0;
}
