/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which start of its host a process lives in: what was written and not flushed is there as long as that is the same.
 */
#ifndef RDISK_BOOT_ID_H
#define RDISK_BOOT_ID_H

#include <stdint.h>

#include "diagnostic.h"

/* From a file; NULL: the kernel's. A number that is not 0. 0, or -1 and *diagnostic. */
int boot_id_read(const char *path, uint64_t *boot, struct diagnostic *diagnostic);

#endif
