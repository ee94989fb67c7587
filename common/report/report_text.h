/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text for XML and HTML: what has a meaning there is escaped, and what may not be in a page at all
 * (control characters, bytes that are not UTF-8) becomes U+FFFD.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include <stdio.h>

/* Writes text, good in elements and in quoted attributes. Errors stay in the stream (ferror()). */
void report_text(FILE *to, const char *text);

#endif
