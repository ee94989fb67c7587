/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file, read by libconfig into plain structures and checked
 * completely: syntax, keys, types, ranges, and what can be said without touching an
 * image. The images themselves are looked at by image.h. rdisk.cfg(5) documents the format.
 */
#ifndef RDISK_CONFIGURATION_H
#define RDISK_CONFIGURATION_H

#include "configured.h"
#include "diagnostic.h"

/*
 * Reads and checks `path`. 0; or -1 and *diagnostic, "FILE:LINE: cause", with
 * nothing left to free. Forks: before the process has threads.
 */
int configuration_read(struct configuration *configuration, const char *path, struct diagnostic *diagnostic);

/* Frees what configuration_read() allocated; harmless on a zeroed structure. */
void configuration_free(struct configuration *configuration);

#endif
