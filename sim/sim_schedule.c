/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language of schedules, read and written: one table says what each action looks like.
 */
#include "sim_schedule.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim_engine.h"
#include "sim_memory.h"

#define LINE_MAX_BYTES 1024
#define WORDS_MAX      24
#define ANY	       MEMBERS_MAX

/* "first MEMBERS second OTHERS NUMBERS" */
struct form {
	const char *first, *second; /* second: NULL: none */
	int least, most;	    /* members */
	bool others;		    /* one or more members after `second` */
	int numbers;
};

static const struct form forms[SIM_ACTIONS] = {
	[SIM_START] = { "start", NULL, 1, ANY, false, 0 },
	[SIM_KILL] = { "kill", NULL, 1, ANY, false, 0 },
	[SIM_TERMINATE] = { "terminate", NULL, 1, ANY, false, 0 },
	[SIM_STOP] = { "stop", NULL, 1, ANY, false, 0 },
	[SIM_CONTINUE] = { "continue", NULL, 1, ANY, false, 0 },
	[SIM_POWER] = { "power", NULL, 1, ANY, false, 0 },
	[SIM_DRIFT] = { "drift", NULL, 1, 1, false, 1 },
	[SIM_CUT] = { "cut", NULL, 2, 2, false, 0 },
	[SIM_CUT_ONE_WAY] = { "cut", "to", 1, 1, true, 0 },
	[SIM_HEAL] = { "heal", NULL, 0, 2, false, 0 },
	[SIM_HEAL_ONE_WAY] = { "heal", "to", 1, 1, true, 0 },
	[SIM_ISOLATE] = { "isolate", NULL, 1, ANY, false, 0 },
	[SIM_BREAK] = { "break", NULL, 2, 2, false, 0 },
	[SIM_SLOW] = { "slow", NULL, 2, 2, false, 1 },
	[SIM_DELAY] = { "delay", NULL, 2, 2, false, 1 },
	[SIM_DISK_HANG] = { "disk", "hang", 1, 1, false, 1 },
	[SIM_DISK_SLOW] = { "disk", "slow", 1, 1, false, 1 },
	[SIM_DISK_WRITE_ERRORS] = { "disk", "write-errors", 1, 1, false, 1 },
	[SIM_DISK_READ_ERRORS] = { "disk", "read-errors", 1, 1, false, 1 },
	[SIM_DISK_FLUSH_ERRORS] = { "disk", "flush-errors", 1, 1, false, 1 },
	[SIM_DISK_EVICT] = { "disk", "evict", 1, 1, false, 0 },
	[SIM_DISK_FULL] = { "disk", "full", 1, 1, false, 0 },
	[SIM_DISK_WELL] = { "disk", "well", 1, 1, false, 0 },
	[SIM_META_HANG] = { "meta", "hang", 1, 1, false, 1 },
	[SIM_META_ERRORS] = { "meta", "errors", 1, 1, false, 1 },
	[SIM_META_FLIP] = { "meta", "flip", 1, 1, false, 1 },
	[SIM_META_REMOVE] = { "meta", "remove", 1, 1, false, 1 },
	[SIM_META_WIPE] = { "meta", "wipe", 1, 1, false, 0 },
	[SIM_META_COOL] = { "meta", "cool", 1, 1, false, 0 },
	[SIM_META_KEEP] = { "meta", "keep", 1, 1, false, 0 },
	[SIM_META_OLD] = { "meta", "old", 1, 1, false, 0 },
	[SIM_IMAGE_REPLACE] = { "image", "replace", 1, 1, false, 0 },
	[SIM_IMAGE_MISSING] = { "image", "missing", 1, 1, false, 0 },
	[SIM_IMAGE_SMALLER] = { "image", "smaller", 1, 1, false, 0 },
	[SIM_IMAGE_BACK] = { "image", "back", 1, 1, false, 0 },
	[SIM_VIEW] = { "view", "shows", 1, 1, true, 0 },
	[SIM_PROMOTE] = { "promote", NULL, 1, 1, false, 0 },
	[SIM_FORCE] = { "force", "without", 1, 1, true, 0 },
	[SIM_INVALIDATE] = { "invalidate", NULL, 1, ANY, false, 0 },
	[SIM_LIST] = { "list", NULL, 1, 1, false, 1 },
	[SIM_VERSION] = { "version", NULL, 1, 1, false, 1 },
	[SIM_DIE] = { "die", NULL, 1, 1, false, 0 },
	[SIM_WAKE] = { "wake", NULL, 0, 0, false, 0 },
	[SIM_WRITE] = { "write", NULL, 1, 1, false, 2 },
	[SIM_READ] = { "read", NULL, 1, 1, false, 2 },
	[SIM_ZEROES] = { "zeroes", NULL, 1, 1, false, 2 },
	[SIM_FLUSH] = { "flush", NULL, 1, 1, false, 0 },
	[SIM_FUA] = { "fua", NULL, 1, 1, false, 2 },
};

void sim_schedule_free(struct sim_schedule *schedule)
{
	free(schedule->actions);
	free(schedule->settings);
	*schedule = (struct sim_schedule){ 0 };
}

void sim_schedule_add(struct sim_schedule *schedule, const struct sim_action *action)
{
	if (schedule->count == schedule->capacity) {
		schedule->capacity = schedule->capacity ? 2 * schedule->capacity : 32;
		schedule->actions = sim_resize(schedule->actions, schedule->capacity * sizeof(struct sim_action));
	}
	schedule->actions[schedule->count++] = *action;
}

/* ---- words ---- */

static int member_word(const char *word)
{
	return word[0] >= 'A' && word[0] < 'A' + MEMBERS_MAX && !word[1] ? word[0] - 'A' : NO_MEMBER;
}

/* A number with a unit of time, or without. */
static bool number_word(const char *word, uint64_t *number)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "", 1 },
		      { "ns", 1 },
		      { "us", SIM_MICROSECOND },
		      { "ms", SIM_MILLISECOND },
		      { "s", SIM_SECOND },
		      { "m", 60 * SIM_SECOND } };
	uint64_t value = 0;

	if (!isdigit((unsigned char)*word))
		return false;
	for (; isdigit((unsigned char)*word); word++) {
		if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*word - '0'), &value))
			return false;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(word, units[i].name))
			return !__builtin_mul_overflow(value, units[i].ns, number);
	}
	return false;
}

static bool time_word(char *word, struct sim_action *action)
{
	char *dots = strstr(word, "..");

	if (dots)
		*dots = '\0';
	if (!number_word(word, &action->from))
		return false;
	action->to = action->from;
	return !dots || (number_word(dots + 2, &action->to) && action->from <= action->to);
}

static bool fits(const struct form *form, const char *first, const char *second, const struct sim_action *action,
		 int numbers)
{
	return !strcmp(form->first, first) && (form->second ? second && !strcmp(form->second, second) : !second) &&
	       action->nr_members >= form->least && action->nr_members <= form->most &&
	       (form->others ? action->nr_others > 0 : !action->nr_others) && numbers == form->numbers;
}

static const char *check(const struct sim_action *action)
{
	bool pair = action->kind == SIM_CUT || action->kind == SIM_BREAK || action->kind == SIM_SLOW ||
		    action->kind == SIM_DELAY || action->kind == SIM_HEAL;
	bool one_way = action->kind == SIM_CUT_ONE_WAY || action->kind == SIM_HEAL_ONE_WAY;

	if (action->kind == SIM_HEAL && action->nr_members == 1)
		return "a link has two ends";
	if ((pair && action->nr_members == 2 && action->members[0] == action->members[1]) ||
	    (one_way && action->members[0] == action->others[0]))
		return "a member has no link to itself";
	if (one_way && action->nr_others != 1)
		return "a link has two ends";
	if ((action->kind == SIM_META_FLIP || action->kind == SIM_META_REMOVE) && action->numbers[0] > 3)
		return "there are pieces 0 to 3";
	if (action->kind == SIM_DRIFT && (action->numbers[0] <= 0 || action->numbers[0] >= 2000000))
		return "a clock's speed is more than 0 and less than 2000000";
	if (action->kind == SIM_VERSION && action->numbers[0] != 1 && action->numbers[0] != 2)
		return "there are versions 1 and 2";
	if (action->kind == SIM_LIST && action->numbers[0] <= (uint64_t)action->members[0])
		return "a member is in its own list";
	return NULL;
}

static const char *action_line(char **words, int count, struct sim_action *action)
{
	const char *second = NULL;
	int numbers = 0;

	for (int i = 1; i < count; i++) {
		int member = member_word(words[i]);

		if (member != NO_MEMBER) {
			int *list = second ? action->others : action->members;
			int *length = second ? &action->nr_others : &action->nr_members;

			if (*length == MEMBERS_MAX || numbers)
				return "too many members, or after a number";
			list[(*length)++] = member;
		} else if (numbers < SIM_NUMBERS_MAX && number_word(words[i], &action->numbers[numbers])) {
			numbers++;
		} else if (second || numbers) {
			return "a word that is neither a member nor a number";
		} else {
			second = words[i];
		}
	}
	for (int kind = 0; kind < SIM_ACTIONS; kind++) {
		if (fits(&forms[kind], words[0], second, action, numbers)) {
			action->kind = (enum sim_action_kind)kind;
			return check(action);
		}
	}
	return "no action looks like that";
}

static const char *setting_line(struct sim_schedule *schedule, char **words, int count)
{
	struct sim_setting setting;

	if (count != 3 || strlen(words[1]) >= sizeof(setting.name) || !number_word(words[2], &setting.value))
		return "not: set NAME VALUE";
	memset(setting.name, 0, sizeof(setting.name));
	memcpy(setting.name, words[1], strlen(words[1]));
	schedule->settings = sim_resize(schedule->settings, (schedule->nr_settings + 1) * sizeof(struct sim_setting));
	schedule->settings[schedule->nr_settings++] = setting;
	return NULL;
}

static const char *expect_line(struct sim_schedule *schedule, char **words, int count)
{
	if (count == 2 && !strcmp(words[1], "loss")) {
		schedule->expect_loss = true;
		return NULL;
	}
	if (count == 3 && !strcmp(words[1], "no") && !strcmp(words[2], "errors")) {
		schedule->expect_no_errors = true;
		return NULL;
	}
	if (count < 3 || strcmp(words[1], "refused"))
		return "not: expect loss, nor: expect no errors, nor: expect refused MEMBER...";
	for (int i = 2; i < count; i++) {
		if (member_word(words[i]) == NO_MEMBER)
			return "not: expect refused MEMBER...";
		schedule->expect_refused |= member_bit(member_word(words[i]));
	}
	return NULL;
}

static const char *parse_line(struct sim_schedule *schedule, char *line)
{
	struct sim_action action = { 0 };
	char *words[WORDS_MAX], *rest = line, *word;
	const char *wrong;
	int count = 0;

	line[strcspn(line, "#")] = '\0';
	while ((word = strtok_r(rest, " \t\r", &rest))) {
		if (count == WORDS_MAX)
			return "too many words";
		words[count++] = word;
	}
	if (!count)
		return NULL;
	if (!strcmp(words[0], "seed")) {
		schedule->has_seed = count == 2 && number_word(words[1], &schedule->seed);
		return schedule->has_seed ? NULL : "not: seed NUMBER";
	}
	if (!strcmp(words[0], "set"))
		return setting_line(schedule, words, count);
	if (!strcmp(words[0], "alone")) {
		schedule->alone = count == 1;
		return schedule->alone ? NULL : "not: alone";
	}
	if (!strcmp(words[0], "expect"))
		return expect_line(schedule, words, count);
	if (strcmp(words[0], "at") || count < 3 || !time_word(words[1], &action))
		return "not: at TIME ACTION, nor set, nor expect";
	action.careful = !strcmp(words[count - 1], "careful");
	wrong = action_line(words + 2, count - 2 - action.careful, &action);
	if (!wrong)
		sim_schedule_add(schedule, &action);
	return wrong;
}

const char *sim_schedule_parse(struct sim_schedule *schedule, const char *text, unsigned int *line)
{
	for (*line = 1; *text; (*line)++) {
		size_t length = strcspn(text, "\n");
		char copy[LINE_MAX_BYTES];
		const char *wrong;

		if (length >= sizeof(copy))
			return "the line is too long";
		memcpy(copy, text, length);
		copy[length] = '\0';
		wrong = parse_line(schedule, copy);
		if (wrong)
			return wrong;
		text += length + (text[length] == '\n');
	}
	return NULL;
}

/* ---- what becomes of it ---- */

/* Stable: insertion, as there are few. */
void sim_schedule_settle(struct sim_schedule *schedule, struct sim_random *random)
{
	for (size_t i = 0; i < schedule->count; i++) {
		struct sim_action action = schedule->actions[i];
		size_t at = i;

		if (action.from != action.to)
			action.from = sim_between(random, action.from, action.to) / SIM_MICROSECOND * SIM_MICROSECOND;
		action.to = action.from;
		for (; at > 0 && schedule->actions[at - 1].from > action.from; at--)
			schedule->actions[at] = schedule->actions[at - 1];
		schedule->actions[at] = action;
	}
}

__attribute__((format(printf, 3, 4))) static void add_text(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + length, size - length, format, arguments);
	va_end(arguments);
}

void sim_action_print(const struct sim_action *action, char *text, size_t size)
{
	const struct form *form = &forms[action->kind];

	text[0] = '\0';
	add_text(text, size, "%s", form->first);
	for (int i = 0; i < action->nr_members; i++)
		add_text(text, size, " %c", 'A' + action->members[i]);
	if (form->second)
		add_text(text, size, " %s", form->second);
	for (int i = 0; i < action->nr_others; i++)
		add_text(text, size, " %c", 'A' + action->others[i]);
	for (int i = 0; i < form->numbers; i++)
		add_text(text, size, " %" PRIu64, action->numbers[i]);
	if (action->careful)
		add_text(text, size, " careful");
}

static void print_time(uint64_t time, FILE *out)
{
	if (time % SIM_MILLISECOND == 0)
		fprintf(out, "%" PRIu64 "ms", time / SIM_MILLISECOND);
	else if (time % SIM_MICROSECOND == 0)
		fprintf(out, "%" PRIu64 "us", time / SIM_MICROSECOND);
	else
		fprintf(out, "%" PRIu64 "ns", time);
}

void sim_schedule_print(const struct sim_schedule *schedule, FILE *out)
{
	if (schedule->has_seed)
		fprintf(out, "seed %" PRIu64 "\n", schedule->seed);
	for (size_t i = 0; i < schedule->nr_settings; i++)
		fprintf(out, "set %s %" PRIu64 "\n", schedule->settings[i].name, schedule->settings[i].value);
	if (schedule->expect_loss)
		fputs("expect loss\n", out);
	if (schedule->expect_no_errors)
		fputs("expect no errors\n", out);
	if (schedule->alone)
		fputs("alone\n", out);
	for (int member = 0; member < MEMBERS_MAX; member++) {
		if (member_in(schedule->expect_refused, member))
			fprintf(out, "expect refused %c\n", 'A' + member);
	}
	for (size_t i = 0; i < schedule->count; i++) {
		const struct sim_action *action = &schedule->actions[i];
		char text[LINE_MAX_BYTES];

		sim_action_print(action, text, sizeof(text));
		fputs("at ", out);
		print_time(action->from, out);
		if (action->from != action->to) {
			fputs("..", out);
			print_time(action->to, out);
		}
		fprintf(out, " %s\n", text);
	}
}

const char *sim_schedule_set(const struct sim_schedule *schedule, struct sim_settings *settings)
{
	for (size_t i = 0; i < schedule->nr_settings; i++) {
		uint64_t *setting = sim_settings_find(settings, schedule->settings[i].name);

		if (!setting)
			return schedule->settings[i].name;
		*setting = schedule->settings[i].value;
	}
	return NULL;
}
