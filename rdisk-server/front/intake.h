/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client asks for, as a message or as an element of a batch, becomes a request: the one form that all below
 * knows. Everything that can be wrong with it is found here, in the order that rdisk_protocol.h promises: minor, whose
 * memory, access, numbers. The loop's thread only.
 */
#ifndef RDISK_INTAKE_H
#define RDISK_INTAKE_H

#include "clients.h"
#include "server.h"

/* It is filled in and can be begun. */
#define INTAKE_BEGIN 1

/* Whether a message is one that asks for I/O. */
bool intake_is_io(const message *asked);

/* Who may name whose memory in IO_ENDPT. 0; EDVSPERM, EDVSENDPOINT. */
int intake_check_memory(const struct server *server, const message *asked);

/*
 * Fills in a request that was just taken, from a message that asks for I/O. INTAKE_BEGIN; or its result, 0 or a code,
 * after which there is nothing to carry out.
 */
int intake_message(struct server *server, struct front_request *request, const message *asked);

/* The same from an element of its client's batch. */
int intake_element(struct server *server, struct front_request *request, const struct rdisk_request *element);

#endif
