/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes as people write them. Any thread.
 */
#ifndef SIZE_TEXT_H
#define SIZE_TEXT_H

#include <stdint.h>

/*
 * "512M" and the like to bytes: a decimal number, then nothing or one of K, M, G, T
 * (powers of 1024). 0, or -1 when it is none or beyond 2^63-1.
 */
int size_parse(const char *text, uint64_t *bytes);

/* The reverse, exact: "512M", "1000". Returns text, which has room for SIZE_TEXT bytes. */
#define SIZE_TEXT 24
const char *size_format(uint64_t bytes, char text[SIZE_TEXT]);

#endif
