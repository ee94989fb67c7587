/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages that are begun later, because the disk that they are for has its share of the pool: or clients of one disk
 * that hangs would take all requests, and those of other disks would wait as well. Its share is as many as are free, so
 * that one busy disk gets half of the pool, two a third each, and there is always something left for the next.
 *
 * The client of such a message is blocked in it, and holds nothing meanwhile but its own entry. The loop's thread only.
 */
#ifndef RDISK_DEFERRED_H
#define RDISK_DEFERRED_H

#include <stdbool.h>

#include "server.h"

/*
 * Whether `count` requests for a device have to wait. NULL: there is no such device, and nothing waits for it. Those
 * that wait for the same disk are first, but not before one that deferred_next() has given out: `again`.
 */
bool deferred_is_full(const struct server *server, const struct device *device, unsigned int count, bool again);

/* Keeps the message of a client, which needs `count` requests for the device, until deferred_next() gives it out. */
void deferred_add(struct server *server, const message *asked, const struct device *device, unsigned int count);

/* A message that can be begun now, of a client that lives: true, and it is not kept any more. */
bool deferred_next(struct server *server, message *asked);

/* The client has given it up. Harmless when there is none. */
void deferred_drop(struct server *server, struct client *client);

#endif
