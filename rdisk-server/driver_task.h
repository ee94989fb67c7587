/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's loop: receive a request from anybody, carry it out, answer it. One
 * thread, one request at a time. The protocol is the table at the top of rdisk_protocol.h.
 */
#ifndef RDISK_DRIVER_TASK_H
#define RDISK_DRIVER_TASK_H

#include "device.h"
#include "dvk_message.h"
#include "rdisk_protocol.h"

struct server {
	struct device_table devices;
	int dcid;
	int endpoint; /* the server's own */
	int nr_tasks; /* of the DC: they decide which clients are system endpoints */
	int nr_sysprocs;
	/* copies of what clients send, while a request is carried out */
	struct rdisk_iovec vector[RDISK_VECTOR_MAX];
	struct rdisk_request batch[RDISK_BATCH_MAX];
};

/*
 * Serves until a signal asks to end (termination.h): 0. Or until the endpoint or the node is
 * lost: the code of dvk_receive(). What was received is always answered.
 */
int driver_task(struct server *server);

/* Carries out one request and returns its REP_STATUS; the loop's body, for tests of it alone. */
int driver_handle(struct server *server, const message *request);

#endif
