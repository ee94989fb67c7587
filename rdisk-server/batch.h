/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DEV_BATCH: several requests under one message. They are carried out one after the
 * other, in the order in which they are in the batch; each has a result of its own, and
 * a bad one fails alone.
 */
#ifndef RDISK_BATCH_H
#define RDISK_BATCH_H

#include <stdint.h>

#include "driver_task.h"

/*
 * Carries out `count` requests of `client` that lie at `address` in the memory of
 * memory_endpoint, and stores their results there. The number of requests that have a result; or EDVSINVAL,
 * EDVS2BIG (count), or a code of client_memory.h: then none was begun, or not
 * all results could be stored.
 */
int batch_run(struct server *server, int client, int memory_endpoint, uint64_t address, int count);

#endif
