/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key that all members share: a file of 64 hexadecimal digits and a line's end, that nobody but its owner can read.
 * Any thread.
 */
#ifndef RDISK_SESSION_KEY_H
#define RDISK_SESSION_KEY_H

#include "diagnostic.h"

#define SESSION_KEY_SIZE 32 /* bytes */

/*
 * Reads it, if it is a file of the own user's or root's that group and others can neither read nor write. 0, or -1 with
 * *diagnostic, and a key of zeroes.
 */
int session_key_read(const char *path, unsigned char key[static SESSION_KEY_SIZE], struct diagnostic *diagnostic);

/* Makes a new file (mode 0600) with a random key, and makes it stable. 0, or -1 with *diagnostic: also if it exists. */
int session_key_make(const char *path, struct diagnostic *diagnostic);

#endif
