/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of pieces that overlap: each waits for all that came before it, unless both read. Only pieces that are
 * pending or that wait are in the list, so where nothing is, the question costs one compare.
 *
 * Shared by the files of request/ only.
 */
#ifndef RDISK_REQUEST_ORDER_H
#define RDISK_REQUEST_ORDER_H

#include "request.h"

/* Sets request->blockers to how many pieces of its disk this one (request->io) has to wait for. */
void request_order_look(struct request *request);

/* Puts it at the end. */
void request_order_add(struct request *request);

/*
 * Takes it away; whoever waited for it alone is appended to `ready`, with phase READY. Harmless for one that is not in
 * the list.
 */
void request_order_remove(struct request *request, struct request_list *ready);

/* Gives a buffer back, to who waits for one if there is somebody. Harmless without one. */
void request_buffer_return(struct requests *requests, struct request *request);

/* ---- request_list.c ---- */

void request_list_append(struct request_list *list, struct request *request);
struct request *request_list_shift(struct request_list *list); /* NULL: empty */
void request_list_remove(struct request_list *list, const struct request *request);

#endif
