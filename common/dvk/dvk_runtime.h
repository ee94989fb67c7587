/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a node keeps its socket: one rule for the node, host programs and tools.
 * The guest is told by its command line instead. Hosted.
 */
#ifndef DVK_RUNTIME_H
#define DVK_RUNTIME_H

#include <stddef.h>

/*
 * Writes the runtime directory ($DVK_RUNTIME_DIR, else $XDG_RUNTIME_DIR/dvk, else
 * /run/dvk for root and /tmp/dvk-UID for others) into path (size bytes). 0, or
 * EDVSNAMETOOLONG when it does not fit, with the socket's name, a Unix socket address.
 */
int dvk_runtime_directory(char *path, size_t size);

/* The same with the node's socket name appended. */
int dvk_runtime_socket(char *path, size_t size);

/*
 * 0 if the directory may be trusted: it exists, is a directory and no symbolic
 * link, belongs to root or the caller, and others cannot write to it. EDVSNOENT; EDVSACCES.
 */
int dvk_runtime_check(const char *directory);

#endif
