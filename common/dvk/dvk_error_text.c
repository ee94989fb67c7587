// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names and texts of EDVS codes, for people.
 */
#include <stdio.h>

#include "dvk_errno.h"

struct error_text {
	int code;
	const char *name;
	const char *text;
};

static const struct error_text table[] = {
#define DVK_ERROR_TEXT(name, value, text) { value, #name, text },
	DVK_ERRORS(DVK_ERROR_TEXT)
#undef DVK_ERROR_TEXT
};

static const struct error_text *find(int code)
{
	for (unsigned int i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == code)
			return &table[i];
	return NULL;
}

const char *dvk_strerror(int code)
{
	static _Thread_local char unknown[32];
	const struct error_text *entry = find(code);

	if (entry)
		return entry->text;
	snprintf(unknown, sizeof(unknown), "error %d", code);
	return unknown;
}

const char *dvk_error_name(int code)
{
	const struct error_text *entry = find(code);

	return entry ? entry->name : NULL;
}
