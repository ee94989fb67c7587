/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the driver's user half share. No kernel headers here.
 *
 * Code of rd_thread must use raw system calls only: it shares the C library's thread-local
 * storage (errno) with the kernel's thread, and malloc is the kernel's allocator.
 */
#ifndef UML_RDISK_USER_H
#define UML_RDISK_USER_H

#include <stdatomic.h>
#include <stdint.h>

#include "dvk_client.h"
#include "rdisk.h"

enum rdisk_state { RDISK_IDLE, RDISK_KERNEL, RDISK_THREAD, RDISK_DONE };

struct rdisk_host {
	struct rdisk_parameters parameters;
	struct rdisk_link link;
	struct rdisk_control *control;
	int control_fd;
	unsigned long control_length; /* bytes, whole pages */
	atomic_int state;	      /* enum rdisk_state */
	atomic_uint wake;	      /* rd_thread sleeps on it; counts hand-overs and leaves */
	atomic_uint watch;	      /* a number, another one each time, while a batch is left; else 0 */
	atomic_ullong progress;	      /* enum rdisk_progress and its reason, see rdisk_progress_word() */
	int kernel_fd; /* the interrupt reads here */
	int thread_fd; /* rd_thread writes here */
	int thread_pid; /* -1: none */
	void *thread_stack;
	char directory[RDISK_PATH_MAX]; /* of the node's socket; "" when dvk_node= named the socket */
	uint32_t incarnation; /* of the server that the link was connected to */
	struct dvk_client client; /* the I/O endpoint */
	struct dvk_client guest;  /* the guest's own endpoint, uml_ep; rd_thread only */
};

extern struct rdisk_host rdisk_host;

#define RDISK_THREAD_STACK_SIZE (256 * 1024)

/* One word, so that nobody sees the progress of one moment with the reason of another. */
static inline unsigned long long rdisk_progress_word(enum rdisk_progress progress, int reason)
{
	return (unsigned long long)progress << 32 | (uint32_t)reason;
}

/* Body of rd_thread; never returns. */
int rdisk_thread(void *unused);

/* rd_thread's handler for SIGTERM. */
void rdisk_thread_terminate(int signal);

/*
 * Changes the link's state; false if it was not `from`. acquire and release: who
 * takes the link sees all that the last owner wrote.
 */
static inline bool rdisk_state_move(int from, int to)
{
	return atomic_compare_exchange_strong_explicit(&rdisk_host.state, &from, to, memory_order_acq_rel,
						       memory_order_relaxed);
}

/* Where the batch is sent to, as a message. */
static inline void rdisk_batch_message(message *msg, unsigned int count)
{
	__builtin_memset(msg, 0, sizeof(*msg));
	msg->m_type = DEV_BATCH;
	msg->IO_ENDPT = rdisk_host.client.endpoint;
	msg->COUNT = (int)count;
	msg->ADDRESS = (char *)rdisk_host.control->requests;
}

/* REP_STATUS of an answer, or EDVSBADREQUEST if it is none. */
static inline int rdisk_reply_status(const message *msg)
{
	bool reply = msg->m_type == MOLTASK_REPLY && msg->REP_ENDPT == rdisk_host.client.endpoint;

	return reply ? msg->REP_STATUS : EDVSBADREQUEST;
}

/* False when the server that we were connected to is not the one that is there now. */
static inline bool rdisk_same_server(void)
{
	const struct dvk_client *client = &rdisk_host.client;
	const struct dvk_peer *peer = &client->peers[dvk_endpoint_slot(rdisk_host.parameters.rd_ep)];

	return !client->node_lost && peer->channel && peer->incarnation == rdisk_host.incarnation;
}

#endif
