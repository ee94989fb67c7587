/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text that is put together piece by piece. Any thread.
 */
#ifndef TEXT_APPEND_H
#define TEXT_APPEND_H

#include <stddef.h>

/* Adds to a text in memory of `size` bytes, which ends with a zero, as much as there is room for. */
__attribute__((format(printf, 3, 4))) void text_append(char *text, size_t size, const char *format, ...);

#endif
