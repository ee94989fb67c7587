/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for XML and HTML: what has a meaning there is escaped, and what may not be in a page at all
 * (control characters, bytes that are not UTF-8) becomes U+FFFD.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes text, good in elements and in quoted attributes. Errors stay in the stream (ferror()). */
void report_text(FILE *to, const char *text);

/* U+FFFD, which stands for what is no character. */
#define REPORT_REPLACEMENT "\xef\xbf\xbd"

/* Bytes of the character at `text`, 0 when it is not well-formed UTF-8 or not allowed in XML. */
size_t report_character_length(const char *text);

#endif
