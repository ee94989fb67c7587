/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bells of those who sleep in epoll: descriptors by which one peer wakes the other. Who gets which, and why they are
 * made so, is in dvk_wire.h and dvk_channel.h. The node keeps none.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "node_internal.h"

int node_bell_create(int *ring, int *own)
{
	/* By edges: so nobody has to read the eventfd, which the sleeper could not. */
	struct epoll_event edges = { .events = EPOLLIN | EPOLLET };
	int error;

	*own = -1;
	*ring = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*ring >= 0)
		*own = epoll_create1(EPOLL_CLOEXEC);
	if (*own >= 0 && !epoll_ctl(*own, EPOLL_CTL_ADD, *ring, &edges))
		return 0;
	error = node_error_of(errno);
	node_close(own);
	node_close(ring);
	return error;
}
