/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and fields; see trace_parse.h. By hand, because the C library's functions take signs, blanks and prefixes.
 */
#include "trace_parse.h"

#include <stddef.h>
#include <string.h>

static bool is_blank(char character)
{
	return character == ' ' || character == '\t';
}

static char *trim(char *text)
{
	size_t length;

	while (is_blank(*text))
		text++;
	length = strlen(text);
	while (length > 0 && is_blank(text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int parse_words(char *line, char *fields[FIELDS_MAX])
{
	int count = 0;

	for (;;) {
		while (is_blank(*line))
			line++;
		if (!*line)
			return count;
		fields[count++] = line;
		if (count == FIELDS_MAX)
			return count;
		while (*line && !is_blank(*line))
			line++;
		if (!*line)
			return count;
		*line++ = '\0';
	}
}

int parse_fields(char *line, char separator, char *fields[FIELDS_MAX])
{
	int count = 0;

	if (separator == ' ')
		return parse_words(line, fields);
	for (;;) {
		char *end = count < FIELDS_MAX - 1 ? strchr(line, separator) : NULL;

		if (end)
			*end = '\0';
		fields[count++] = trim(line);
		if (!end)
			return count;
		line = end + 1;
	}
}

static unsigned int digit_value(char character)
{
	if (character >= '0' && character <= '9')
		return (unsigned int)(character - '0');
	if (character >= 'a' && character <= 'f')
		return (unsigned int)(character - 'a') + 10;
	if (character >= 'A' && character <= 'F')
		return (unsigned int)(character - 'A') + 10;
	return 16;
}

bool parse_number_base(const char *text, unsigned int base, uint64_t *value)
{
	uint64_t result = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned int digit = digit_value(*text);

		if (digit >= base || __builtin_mul_overflow(result, base, &result) ||
		    __builtin_add_overflow(result, digit, &result))
			return false;
	}
	*value = result;
	return true;
}

bool parse_number(const char *text, uint64_t *value)
{
	return parse_number_base(text, 10, value);
}

bool parse_seconds(const char *text, uint64_t *ns)
{
	uint64_t result = 0;
	uint64_t unit = NS_PER_S;
	bool digits = false;

	for (; digit_value(*text) < 10; text++) {
		digits = true;
		if (__builtin_mul_overflow(result, 10u, &result) ||
		    __builtin_add_overflow(result, digit_value(*text), &result))
			return false;
	}
	if (!digits || __builtin_mul_overflow(result, NS_PER_S, &result))
		return false;
	if (*text == '.') {
		for (text++; digit_value(*text) < 10; text++) {
			unit /= 10;
			if (__builtin_add_overflow(result, unit * digit_value(*text), &result))
				return false;
		}
	}
	if (*text)
		return false;
	*ns = result;
	return true;
}

int parse_scaled(const char *text, const char *what, uint64_t unit, uint64_t *value, struct diagnostic *cause)
{
	uint64_t number;

	if (!parse_number(text, &number))
		return diagnostic_set(cause, "%s \"%.40s\" is not a number from 0 to %llu", what, text,
				      (unsigned long long)(UINT64_MAX / unit));
	if (__builtin_mul_overflow(number, unit, value))
		return diagnostic_set(cause, "%s %.40s is too large", what, text);
	return 0;
}

int parse_time(const char *text, const char *what, uint64_t *ns, struct diagnostic *cause)
{
	if (!parse_seconds(text, ns))
		return diagnostic_set(cause, "%s \"%.40s\" is not a number of seconds (or too large)", what, text);
	return 0;
}

int parse_device(const char *text, const char *what, uint32_t *device, struct diagnostic *cause)
{
	uint64_t number;

	if (!parse_number(text, &number) || number > UINT32_MAX)
		return diagnostic_set(cause, "%s \"%.40s\" is not a number from 0 to %u", what, text, UINT32_MAX);
	*device = (uint32_t)number;
	return 0;
}
