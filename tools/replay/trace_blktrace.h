/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blktrace's binary traces are a file for each CPU: BASE.blktrace.0, BASE.blktrace.1, ...
 */
#ifndef REPLAY_TRACE_BLKTRACE_H
#define REPLAY_TRACE_BLKTRACE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "diagnostic.h"

/*
 * When there is no file `path`, but there are path.blktrace.NUMBER: *first is one of them, to be freed by the
 * caller. Otherwise *first is NULL. 0, or -1 and *diagnostic.
 */
int blktrace_find_files(const char *path, char **first, struct diagnostic *diagnostic);

/* Whether there is no file `path`, and a file is one of path.blktrace.NUMBER. */
bool blktrace_has_file(const char *path, const struct stat *file);

#endif
