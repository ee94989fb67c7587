/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why something could not be done, in words, for whoever reports it: the lowest
 * function that knows the cause writes it here and returns an error. Plain memory of the caller.
 */
#ifndef RDISK_DIAGNOSTIC_H
#define RDISK_DIAGNOSTIC_H

#include <stdarg.h>
#include <stdio.h>

struct diagnostic {
	char text[1536];
};

/* Sets the text (cut if it is too long) and returns -1, so that a caller can return it in turn. */
__attribute__((format(printf, 2, 3))) static inline int diagnostic_set(struct diagnostic *diagnostic,
								       const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(diagnostic->text, sizeof(diagnostic->text), format, arguments) < 0)
		diagnostic->text[0] = '\0';
	va_end(arguments);
	return -1;
}

#endif
