/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * That one server at a time has an image, and that who starts while the one before is still ending waits for it.
 *
 * The lock is an open-file-description lock on the whole file: it goes with the descriptor, however the server ends,
 * and two readers may share it. Servers on different hosts that share a file system are kept apart only as far as that
 * file system passes locks on. A block device that is to be written is claimed as well (O_EXCL), against mounting.
 */
#ifndef RDISK_IMAGE_LOCK_H
#define RDISK_IMAGE_LOCK_H

#include <stdbool.h>

#include "diagnostic.h"
#include "store.h"

/*
 * Locks an open image file, for writing or for reading. When another process has it, waits for up to
 * settings->lock_wait seconds for that to end, which is logged, or until settings->interrupted() says so. 0, or -1 and
 * *diagnostic.
 *
 * While it waits SIGALRM is its own: handler and mask are afterwards as they were. Any thread, one at a time.
 */
int image_lock(int fd, const struct store_settings *settings, bool writable, struct diagnostic *diagnostic);

/*
 * Claims a block device that is locked for writing already. A descriptor that holds the claim, or -1 and *diagnostic.
 * It waits a moment if it has to and settings->lock_wait is not 0: the claim of one who was killed ends just after its
 * lock.
 */
int image_claim(const struct store_settings *settings, struct diagnostic *diagnostic);

#endif
