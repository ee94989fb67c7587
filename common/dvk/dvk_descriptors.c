// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sleeping in epoll, for a process that waits for descriptors of its own beside its peers. The protocol is in
 * dvk_channel.h; who gets which descriptor in dvk_wire.h. Spinning, and the sleep of all others, is dvk_wait.c's; what
 * receive() makes of a descriptor that is ready, dvk_ipc.c's.
 *
 * wait_fd and interrupt_fd are made when the client is told to use descriptors, and kept until it is told not to:
 * whoever interrupts it may do so at any moment, and must not write to a number that is another file's by then. Nothing
 * that a peer can write to is ever read here.
 */
#include <errno.h>

#include "dvk_control.h"
#include "dvk_system.h"

static void close_fd(int *fd)
{
	int open = *fd;

	*fd = -1;
	if (open >= 0)
		dvk_system_close(open);
}

int dvk_watch(struct dvk_client *client, int fd, uint32_t as)
{
	return client->wait_fd < 0 ? 0 : dvk_system_epoll_add(client->wait_fd, fd, as == DVK_WATCH_BELL, as);
}

void dvk_unwatch(struct dvk_client *client, int fd)
{
	if (client->wait_fd >= 0 && fd >= 0)
		dvk_system_epoll_remove(client->wait_fd, fd);
}

void dvk_descriptors_forget(struct dvk_client *client)
{
	close_fd(&client->wait_fd);
	close_fd(&client->interrupt_fd);
	client->own_fd = -1;
}

/* Makes what lasts from one fd of the caller's to the next. 0 or -errno. */
static int make_descriptors(struct dvk_client *client)
{
	int rc;

	if (client->wait_fd >= 0)
		return 0;
	rc = dvk_system_eventfd();
	if (rc < 0)
		return rc;
	client->interrupt_fd = rc;
	rc = dvk_system_epoll_create();
	if (rc >= 0) {
		client->wait_fd = rc;
		rc = dvk_watch(client, client->interrupt_fd, DVK_WATCH_BELL);
	}
	if (rc < 0)
		dvk_descriptors_forget(client);
	return rc;
}

int dvk_client_use_descriptors(struct dvk_client *client, int fd)
{
	int rc;

	if (client->node_fd >= 0)
		return EDVSPROCSTS;
	rc = make_descriptors(client);
	if (rc)
		return dvk_error_of(rc);
	dvk_unwatch(client, client->own_fd);
	client->own_fd = -1;
	if (fd < 0)
		return 0;
	rc = dvk_watch(client, fd, DVK_WATCH_OWN);
	if (rc)
		return rc == -ENOMEM || rc == -ENOSPC ? EDVSNOMEM : EDVSINVAL;
	client->own_fd = fd;
	return 0;
}

int dvk_client_use_futexes(struct dvk_client *client)
{
	if (client->node_fd >= 0)
		return EDVSPROCSTS;
	dvk_descriptors_forget(client);
	return 0;
}

void dvk_ring_descriptor(const struct dvk_peer *peer)
{
	dvk_full_fence();
	/* A mark that is seen too late costs a needless ring, and one that is seen is no older than the last sleep. */
	if (atomic_load_explicit(&peer->page->asleep, memory_order_relaxed))
		dvk_system_ring(peer->ring_fd);
}

void dvk_client_interrupt(struct dvk_client *client)
{
	dvk_ring(&client->interrupt_bell);
	dvk_full_fence();
	if (atomic_load_explicit(&client->asleep, memory_order_acquire))
		dvk_system_ring(client->interrupt_fd);
}

bool dvk_own_ready(const struct dvk_client *client)
{
	/* An error counts: it is the caller's to find out. */
	return client->own_fd >= 0 && dvk_system_poll_in(client->own_fd, 0) != 0;
}

static void set_asleep(struct dvk_client *client, uint32_t asleep)
{
	atomic_store_explicit(&client->page->asleep, asleep, memory_order_relaxed);
	/* release: who sees us asleep sees interrupt_fd */
	atomic_store_explicit(&client->asleep, asleep, memory_order_release);
}

int dvk_sleep_in_epoll(struct dvk_client *client, dvk_condition condition, void *context, int64_t deadline)
{
	uint32_t ready = 0;
	int rc = 0;

	set_asleep(client, 1);
	dvk_full_fence();
	/* Whoever posted before the mark was set is seen here; whoever posts later sees it. */
	if (!dvk_events_pending(client) && !condition(client, context))
		rc = dvk_system_epoll_wait(client->wait_fd, deadline, &ready);
	set_asleep(client, 0);
	if (rc < 0)
		return rc == -EINTR ? EDVSINTR : dvk_error_of(rc);
	if (ready & DVK_WATCH_OWN)
		client->own_ready = true;
	/* Without looking at the bell: it may be rung later than what it stands for comes, or, at the node's death,
	 * never. */
	return ready & DVK_WATCH_NODE ? dvk_take_events(client) : 0;
}
