/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A history is read; see history_file.h. Nothing of the file is trusted.
 */
#include "history_file.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "grow.h"

#define WORDS_MAX 11
#define SHOWN	  40 /* of a word, in a message */

struct reader {
	struct history *history;
	struct history_file_error *error;
	uint64_t *values;
	size_t nr_values, values_room;
	bool has_values;
	bool headed;
	char *words[WORDS_MAX]; /* of the line */
	size_t nr_words;
};

__attribute__((format(printf, 2, 3))) static int bad(struct reader *reader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(reader->error->text, sizeof(reader->error->text), format, arguments) < 0)
		reader->error->text[0] = '\0';
	va_end(arguments);
	return -EINVAL;
}

/* ---- words ---- */

/* The digits at *text in the base, up to another character. Returns false: none, or beyond 64 bits. */
static bool digits(const char **text, unsigned int base, uint64_t *number)
{
	static const char all[] = "0123456789abcdef";
	const char *at = *text;

	*number = 0;
	for (; *at; at++) {
		const char *digit = memchr(all, *at, base);

		if (!digit)
			break;
		if (__builtin_mul_overflow(*number, base, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(digit - all), number))
			return false;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

static int number(struct reader *reader, size_t word, const char *name, uint64_t max, uint64_t *value)
{
	const char *text = reader->words[word];

	if (!digits(&text, 10, value) || *text || *value > max)
		return bad(reader, "%s: a number up to %" PRIu64 " expected, not \"%.*s\"", name, max, SHOWN,
			   reader->words[word]);
	return 0;
}

static int signed_number(struct reader *reader, size_t word, const char *name, int *value)
{
	const char *text = reader->words[word];
	bool negative = *text == '-';
	uint64_t size;

	text += negative;
	if (!digits(&text, 10, &size) || *text || size > INT_MAX)
		return bad(reader, "%s: a number of at most %d expected, not \"%.*s\"", name, INT_MAX, SHOWN,
			   reader->words[word]);
	*value = negative ? -(int)size : (int)size;
	return 0;
}

static int words_needed(struct reader *reader, size_t count)
{
	if (reader->nr_words == count)
		return 0;
	return bad(reader, "%s: %zu words expected, %zu are there", reader->words[1], count, reader->nr_words);
}

/* "V*N,V,..." */
static int values(struct reader *reader, size_t word)
{
	const char *text = reader->words[word];

	reader->nr_values = 0;
	reader->has_values = strcmp(text, "-") != 0;
	if (!reader->has_values)
		return 0;
	do {
		uint64_t value, count = 1;

		if (!digits(&text, 16, &value))
			return bad(reader, "values: hexadecimal digits expected at \"%.*s\"", SHOWN, text);
		if (*text == '*') {
			text++;
			if (!digits(&text, 10, &count) || !count)
				return bad(reader, "values: a number of blocks expected at \"%.*s\"", SHOWN, text);
		}
		if (count > HISTORY_BLOCKS_MAX - reader->nr_values)
			return bad(reader, "values: more than %u", HISTORY_BLOCKS_MAX);
		reader->values = grow_to(reader->values, &reader->values_room, reader->nr_values + count,
					 sizeof(*reader->values));
		while (count--)
			reader->values[reader->nr_values++] = value;
	} while (*text == ',' && *++text);
	if (*text)
		return bad(reader, "values: \",\" expected at \"%.*s\"", SHOWN, text);
	return 0;
}

static int values_for(struct reader *reader, size_t word, uint64_t length)
{
	int code = values(reader, word);

	if (code || !reader->has_values || reader->nr_values == length / HISTORY_BLOCK)
		return code;
	return bad(reader, "values: %zu, for a length of %" PRIu64, reader->nr_values, length);
}

static const uint64_t *values_or_null(const struct reader *reader)
{
	return reader->has_values ? reader->values : NULL;
}

static int kind(struct reader *reader, size_t word, enum history_kind *value)
{
	for (int i = 0; i < HISTORY_KINDS; i++) {
		*value = (enum history_kind)i;
		if (!strcmp(reader->words[word], history_kind_name(*value)))
			return 0;
	}
	return bad(reader, "there is no kind \"%.*s\"", SHOWN, reader->words[word]);
}

/* ---- lines ---- */

/* DEVICE POSITION LENGTH from the word on. */
static int range(struct reader *reader, size_t word, uint64_t *device, uint64_t *position, uint64_t *length)
{
	int code = number(reader, word, "device", UINT32_MAX, device);

	if (!code)
		code = number(reader, word + 1, "position", UINT64_MAX, position);
	if (!code)
		code = number(reader, word + 2, "length", UINT64_MAX, length);
	return code;
}

static int contents_line(struct reader *reader, uint64_t time)
{
	uint64_t device, position, length;
	int code = words_needed(reader, 6);

	(void)time;
	if (!code)
		code = range(reader, 2, &device, &position, &length);
	if (!code)
		code = values_for(reader, 5, length);
	if (code)
		return code;
	if (!strcmp(reader->words[1], "initial"))
		history_initial_values(reader->history, (uint32_t)device, position, values_or_null(reader), length);
	else
		history_final_values(reader->history, (uint32_t)device, position, values_or_null(reader), length);
	return 0;
}

static int begin_line(struct reader *reader, uint64_t time)
{
	uint64_t op = 0, device = 0, position = 0, length = 0, stable = 0;
	enum history_kind of = HISTORY_READ;
	int client = 0, code = words_needed(reader, 10);

	if (!code)
		code = signed_number(reader, 2, "client", &client);
	if (!code)
		code = number(reader, 3, "operation", UINT64_MAX, &op);
	if (!code)
		code = kind(reader, 4, &of);
	if (!code)
		code = range(reader, 5, &device, &position, &length);
	if (!code)
		code = number(reader, 8, "stable", of == HISTORY_OPEN ? 3 : 1, &stable);
	if (!code)
		code = values_for(reader, 9, length);
	if (!code)
		history_begin_values(reader->history, time, client, op, of, (uint32_t)device, position, length,
				     values_or_null(reader), stable && of != HISTORY_OPEN);
	if (!code && of == HISTORY_OPEN)
		history_open_as(reader->history, op, (unsigned int)stable);
	return code;
}

static int end_line(struct reader *reader, uint64_t time)
{
	int client = 0, result = 0, code = words_needed(reader, 6);
	uint64_t op = 0;

	if (!code)
		code = signed_number(reader, 2, "client", &client);
	if (!code)
		code = number(reader, 3, "operation", UINT64_MAX, &op);
	if (!code)
		code = signed_number(reader, 4, "result", &result);
	if (!code)
		code = values(reader, 5);
	if (!code)
		history_end_values(reader->history, time, client, op, result, values_or_null(reader),
				   reader->nr_values);
	return code;
}

static int lost_line(struct reader *reader, uint64_t time)
{
	int code = words_needed(reader, 3);
	uint64_t op;

	if (!code)
		code = number(reader, 2, "operation", UINT64_MAX, &op);
	if (!code)
		history_lost(reader->history, time, op);
	return code;
}

static int loss_line(struct reader *reader, uint64_t time)
{
	int code = words_needed(reader, 4);
	uint64_t generation;

	if (!code)
		code = number(reader, 2, "generation", UINT64_MAX, &generation);
	if (code)
		return code;
	if (!strcmp(reader->words[3], "unflushed"))
		history_may_lose(reader->history, time, generation);
	else if (!strcmp(reader->words[3], "flushed"))
		history_may_lose_flushed(reader->history, time, generation);
	else
		return bad(reader, "unflushed or flushed expected, not \"%.*s\"", SHOWN, reader->words[3]);
	return 0;
}

static int power_line(struct reader *reader, uint64_t time)
{
	int member = 0, code = words_needed(reader, 3);

	if (!code)
		code = signed_number(reader, 2, "member", &member);
	if (!code)
		history_power(reader->history, time, member);
	return code;
}

static const struct {
	const char *word;
	int (*read)(struct reader *reader, uint64_t time);
} line_kinds[] = {
	{ "begin", begin_line }, { "end", end_line },	       { "lost", lost_line },	   { "may-lose", loss_line },
	{ "power", power_line }, { "initial", contents_line }, { "final", contents_line },
};

static int event_line(struct reader *reader)
{
	uint64_t time;
	int code = number(reader, 0, "time", UINT64_MAX, &time);

	if (code)
		return code;
	if (reader->nr_words < 2)
		return bad(reader, "a time alone");
	for (size_t i = 0; i < sizeof(line_kinds) / sizeof(*line_kinds); i++) {
		if (strcmp(reader->words[1], line_kinds[i].word))
			continue;
		code = line_kinds[i].read(reader, time);
		if (!code && history_broken(reader->history))
			code = bad(reader, "%s", history_broken(reader->history));
		return code;
	}
	return bad(reader, "there is no event \"%.*s\"", SHOWN, reader->words[1]);
}

static int line(struct reader *reader, char *text)
{
	char *rest = NULL;

	if (text[0] == '#')
		return 0;
	reader->nr_words = 0;
	for (char *word = strtok_r(text, " \t\r\n", &rest); word; word = strtok_r(NULL, " \t\r\n", &rest)) {
		if (reader->nr_words == WORDS_MAX)
			return bad(reader, "more than %d words", WORDS_MAX);
		reader->words[reader->nr_words++] = word;
	}
	if (!reader->nr_words)
		return 0;
	if (!strcmp(reader->words[0], "rdisk-history")) {
		if (reader->nr_words != 2 || strcmp(reader->words[1], "1"))
			return bad(reader, "a history of another version than 1");
		reader->headed = true;
		return 0;
	}
	if (!reader->headed)
		return bad(reader, "this is no history: it does not begin with \"rdisk-history 1\"");
	return event_line(reader);
}

static int check_end(struct reader *reader, FILE *file)
{
	if (ferror(file) || !feof(file)) {
		reader->error->line = 0;
		(void)bad(reader, "cannot be read: %s", strerror(errno));
		return -EIO;
	}
	if (reader->headed)
		return 0;
	return bad(reader, "this is no history: it is empty");
}

int history_load(struct history *history, FILE *file, struct history_file_error *error)
{
	struct reader reader = { .history = history, .error = error };
	size_t size = 0;
	char *text = NULL;
	ssize_t length;
	int code = 0;

	memset(error, 0, sizeof(*error));
	while (!code && (length = getline(&text, &size, file)) >= 0) {
		error->line++;
		if (strlen(text) != (size_t)length)
			code = bad(&reader, "a byte of zero");
		else
			code = line(&reader, text);
	}
	if (!code)
		code = check_end(&reader, file);
	free(text);
	free(reader.values);
	return code;
}
