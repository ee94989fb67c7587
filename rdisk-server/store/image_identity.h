/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a disk is, and which file an image is. Two things:
 *
 * The identity of the *disk*, a text, is what clients know it by. It is configured, or made of random bytes and kept
 * with the image file in the extended attribute user.rdisk.id, together with the number and birth time of that file: a
 * copy that takes the attribute along is another disk, and is noticed. Where that cannot be kept it is made from the
 * identity of the file, which gives the same at each start; and what does not outlive the server is another disk at
 * each start.
 *
 * The identity of the *file*, a number, is to notice that another one has its place.
 */
#ifndef RDISK_IMAGE_IDENTITY_H
#define RDISK_IMAGE_IDENTITY_H

#include <stdint.h>
#include <sys/stat.h>

#include "diagnostic.h"
#include "store.h"

/*
 * Of an open file, from its number and birth time, or, where the file system keeps no such time, from its device and
 * number; of a block device, from what names it (device_identity.h), or else its device number. The same after a
 * restart of the server; and of the host, where no number of a device is in it. Any thread.
 */
uint64_t image_file_identity(int fd, const struct stat *status);

/* Whether a configured id, if there is one, can be one of that disk. 0, or -1 and *diagnostic. Any thread. */
int image_identity_check(const struct store_settings *settings, struct diagnostic *diagnostic);

/*
 * Looks who the disk of an image would be, where the settings have been checked: sets found->id, or found->copy_of.
 * `fd`: the image file. Changes nothing. 0, or -1 and *diagnostic. Any thread.
 */
int image_identity_look(const struct store_settings *settings, int fd, struct store_found *found,
			struct diagnostic *diagnostic);

/*
 * Sets store->id, where the settings have been checked and store->file_identity is set. `fd`: the image file, locked;
 * -1: none. May write the attribute, if the image is locked for writing. 0, or -1 and *diagnostic.
 */
int image_identity_find(struct store *store, const struct store_settings *settings, int fd,
			struct diagnostic *diagnostic);

#endif
