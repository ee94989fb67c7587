/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a client: copies to and from it, and where it is mapped here if the
 * client granted it. Everything read from it is a copy, so that what was checked is what is used.
 *
 * All of it works only while the client is blocked in its request, and fails with the
 * codes of dvk_vcopy(): EDVSFAULT (bad address), EDVSPROCSTS, EDVSNOTBIND (it died
 * meanwhile), EDVSPERM (memory of another user that is not granted, or the host forbids it).
 */
#ifndef RDISK_CLIENT_MEMORY_H
#define RDISK_CLIENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "rdisk_protocol.h"

/* Any number of bytes; 0 or a code. */
int client_memory_read(int endpoint, uint64_t address, void *to, size_t bytes);
int client_memory_write(int endpoint, uint64_t address, const void *from, size_t bytes);

/*
 * Where the segments are mapped here, in vector[] (count elements): true only if
 * all of them are granted. Pass the addresses to system calls only, and before the next
 * call of this file or of the dvk library.
 */
bool client_memory_map(int endpoint, const struct rdisk_iovec *segments, int count, struct iovec *vector);

#endif
