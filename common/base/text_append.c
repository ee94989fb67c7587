/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See text_append.h. */
#include "text_append.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(text + used, size - used, format, arguments) < 0)
		text[used] = '\0';
	va_end(arguments);
}
