/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has an image locked, for messages. Nothing is decided by it.
 */
#ifndef RDISK_LOCK_HOLDER_H
#define RDISK_LOCK_HOLDER_H

#include <sys/types.h>

/*
 * The pid of another process that has an open-file-description lock on the file of `fd`, as far as /proc shows it: of
 * processes of the caller's user, or of all for root, in its namespace. 0: none is found. Waits for no file system but
 * /proc. Any thread.
 */
pid_t lock_holder_find(int fd);

#endif
