/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a client: copies to and from it, and where it is mapped here if the
 * client granted it. Everything read from it is a copy, so that what was checked is what is used.
 *
 * Copying works only while the client is blocked in its request, and fails with the
 * codes of dvk_vcopy(): EDVSFAULT (bad address), EDVSPROCSTS, EDVSNOTBIND (it died
 * meanwhile), EDVSPERM (memory of another user that is not granted, or the host forbids it).
 */
#ifndef RDISK_CLIENT_MEMORY_H
#define RDISK_CLIENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clients.h"

/*
 * Whose memory a message is about, whose IO_ENDPT was checked and whose sender was met. 0; EDVSNOTBIND, or another code
 * of a copy. To be called before anything is copied for the message.
 */
int client_memory_owner(struct server *server, const message *asked, struct memory_owner *owner);

/* Any number of bytes; 0 or a code: EDVSNOTBIND also where there is somebody else by now. */
int client_memory_read(const struct memory_owner *owner, uint64_t address, void *to, size_t bytes);
int client_memory_write(const struct memory_owner *owner, uint64_t address, const void *from, size_t bytes);

/*
 * Where all segments of a request's client are mapped here, into request->vector, if they lie in one granted memory;
 * which then stays mapped until front_request_release(). False: they can only be copied. Pass the addresses to system
 * calls only: the owner can take the memory away.
 */
bool client_memory_pin(struct front_request *request);

/* How request/ reaches memory that is not pinned: the segments of the client. */
extern const struct request_memory client_memory_copied;

#endif
