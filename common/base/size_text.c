/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes with units; see size_text.h.
 */
#include "size_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int size_parse(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	uint64_t number;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -1;
	errno = 0;
	number = strtoumax(text, &end, 10);
	if (errno)
		return -1;
	if (*end) {
		const char *unit = strchr(units, *end);

		if (!unit || end[1])
			return -1;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (number > (uint64_t)INT64_MAX >> shift)
		return -1;
	*bytes = number << shift;
	return 0;
}

const char *size_format(uint64_t bytes, char text[SIZE_TEXT])
{
	static const char *const units[] = { "", "K", "M", "G", "T" };
	unsigned int unit = 0;

	while (bytes && bytes % 1024 == 0 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, SIZE_TEXT, "%" PRIu64 "%s", bytes, units[unit]);
	return text;
}
