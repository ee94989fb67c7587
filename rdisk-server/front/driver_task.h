/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's loop: receive a request from anybody, carry it out, answer it. One thread, one request at a
 * time; a request that would have to wait for a disk is set aside (suspended.h) and answered later. The
 * protocol is the table at the top of rdisk_protocol.h.
 */
#ifndef RDISK_DRIVER_TASK_H
#define RDISK_DRIVER_TASK_H

#include "device.h"
#include "dvk_message.h"
#include "rdisk_protocol.h"
#include "suspended.h"

struct recording;

struct server {
	struct device_table devices;
	int dcid;
	int endpoint; /* the server's own */
	int nr_tasks; /* of the DC: they decide which clients are system endpoints */
	int nr_sysprocs;
	struct suspension suspension;
	struct attempt attempt;	     /* at the request that is being carried out */
	struct recording *recording; /* of all I/O, or NULL */
	uint64_t received_ns;	     /* when the message came that is being begun (record_start()) */
	/* copies of what clients send, while a request is carried out */
	struct rdisk_iovec vector[RDISK_VECTOR_MAX];
	struct rdisk_request batch[RDISK_BATCH_MAX];
};

/*
 * Serves until a signal asks to end (termination.h): 0, and what was received has been answered. Or until the endpoint
 * or the node is lost: the code of dvk_receive(). server->suspension.workers are started; after 0 they are stopped.
 */
int driver_task(struct server *server);

/*
 * Makes server->attempt at one request that is no batch: its REP_STATUS, or SUSPEND. For driver_task.c and tests of
 * requests alone.
 */
int driver_handle(struct server *server, const message *request);

/* Answers a client. 0, or why it did not get the answer (dvk_reply()). */
int driver_answer(const message *request, int status);

#endif
