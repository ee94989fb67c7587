/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens, closes and questions about a device: what is answered at once, and what waits as a request. The loop's thread.
 */
#ifndef RDISK_OPENING_H
#define RDISK_OPENING_H

#include "clients.h"

/* DEV_OPEN, DEV_CLOSE, DEV_IOCTL of a device that there is. */
void opening_open(struct server *server, struct device *device, const message *asked);
void opening_close(struct server *server, struct device *device, const message *asked);
void opening_ioctl(struct server *server, struct device *device, const message *asked);

/* A request that one of them has begun is done: what the client is told. */
int opening_result(struct server *server, struct front_request *request);

#endif
