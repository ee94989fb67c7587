/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Escaping; see report_text.h.
 */
#include "report_text.h"

#include <stdbool.h>
#include <stdint.h>

size_t report_character_length(const char *from)
{
	const unsigned char *text = (const unsigned char *)from;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *text < 0x80 ? 1 : *text >> 5 == 6 ? 2 : *text >> 4 == 14 ? 3 : *text >> 3 == 30 ? 4 : 0;
	uint32_t code;

	if (length == 0)
		return 0;
	if (length == 1)
		return *text >= ' ' || *text == '\t' || *text == '\n' || *text == '\r';
	code = *text & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3fu);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) || code == 0xfffe ||
	    code == 0xffff)
		return 0;
	return length;
}

static const char *entity(char character)
{
	switch (character) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void report_text(FILE *to, const char *text)
{
	while (*text) {
		size_t length = report_character_length(text);
		const char *escaped = entity(*text);

		if (escaped)
			(void)fputs(escaped, to);
		else if (length == 0)
			(void)fputs(REPORT_REPLACEMENT, to);
		else
			(void)fwrite(text, 1, length, to);
		text += length ? length : 1;
	}
}
