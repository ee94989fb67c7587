/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the files of results and computes; see results.h.
 */
#include "results.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int add(struct results *results, const struct result *result, struct diagnostic *diagnostic)
{
	if (results->count == results->room) {
		size_t room = results->room ? 2 * results->room : 256;
		struct result *list = realloc(results->list, room * sizeof(*list));

		if (!list)
			return diagnostic_set(diagnostic, "no memory for %zu results", room);
		results->list = list;
		results->room = room;
	}
	results->list[results->count++] = *result;
	return 0;
}

/* Copies a member that is a text and fits; false if it is not there or is something else. */
static bool get_text(const cJSON *object, const char *name, char *text, size_t size)
{
	const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return value && *value && snprintf(text, size, "%s", value) < (int)size;
}

static bool get_number(const cJSON *object, const char *name, double *number)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	*number = cJSON_GetNumberValue(item);
	return cJSON_IsNumber(item) && isfinite(*number);
}

/* 1: *result is filled; 0: the line has none; -1: it is broken. */
static int parse(const cJSON *object, struct result *result)
{
	double round;

	memset(result, 0, sizeof(*result));
	if (cJSON_HasObjectItem(object, "part"))
		return 0;
	if (get_text(object, "skip", result->name, sizeof(result->name)))
		return get_text(object, "why", result->why, sizeof(result->why)) ? 1 : -1;
	if (get_text(object, "series", result->name, sizeof(result->name))) {
		if (!get_number(object, "x", &result->x) || result->x <= 0)
			return -1;
	} else if (!get_text(object, "row", result->name, sizeof(result->name))) {
		return -1;
	}
	if (!get_text(object, "side", result->side, sizeof(result->side)) ||
	    !get_number(object, "value", &result->value) || !get_number(object, "round", &round) || round < 1 ||
	    round > RESULTS_VALUES)
		return -1;
	result->round = (int)round;
	return 1;
}

static int read_file(struct results *results, const char *path, struct diagnostic *diagnostic)
{
	FILE *file = fopen(path, "re");
	unsigned int number = 0;
	char line[512];
	int code = 0;

	if (!file)
		return diagnostic_set(diagnostic, "%s: %s", path, strerror(errno));
	while (!code && fgets(line, sizeof(line), file)) {
		cJSON *object = cJSON_Parse(line);
		struct result result;
		int kind = object ? parse(object, &result) : -1;

		cJSON_Delete(object);
		number++;
		if (kind < 0)
			code = diagnostic_set(diagnostic, "%s: line %u is no result", path, number);
		else if (kind > 0)
			code = add(results, &result, diagnostic);
	}
	if (!code && ferror(file))
		code = diagnostic_set(diagnostic, "%s: %s", path, strerror(errno));
	(void)fclose(file);
	return code;
}

int results_read(struct results *results, const char *directory, struct diagnostic *diagnostic)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;
	int code = 0;

	if (!entries)
		return diagnostic_set(diagnostic, "%s: %s", directory, strerror(errno));
	while (!code && (entry = readdir(entries)) != NULL) {
		const char *ending = strrchr(entry->d_name, '.');
		char path[4096];

		if (!ending || strcmp(ending, ".jsonl"))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= (int)sizeof(path))
			code = diagnostic_set(diagnostic, "%s: the name is too long", directory);
		else
			code = read_file(results, path, diagnostic);
	}
	(void)closedir(entries);
	return code;
}

void results_free(struct results *results)
{
	free(results->list);
	*results = (struct results){ 0 };
}

const char *results_skipped(const struct results *results, const char *name)
{
	for (size_t i = 0; i < results->count; i++) {
		if (results->list[i].why[0] && !strcmp(results->list[i].name, name))
			return results->list[i].why;
	}
	return NULL;
}

void results_values(const struct results *results, const char *name, const char *side, double x, struct values *values)
{
	values->count = 0;
	for (int round = 1; round <= RESULTS_VALUES; round++) {
		for (size_t i = 0; i < results->count; i++) {
			const struct result *result = &results->list[i];

			if (result->round != round || result->x != x || strcmp(result->name, name) ||
			    strcmp(result->side, side))
				continue;
			values->value[values->count] = result->value;
			values->round[values->count++] = round;
			break; /* one a round */
		}
	}
}

void results_ratios(const struct values *values, const struct values *against, struct values *ratios)
{
	ratios->count = 0;
	for (size_t i = 0; i < values->count; i++) {
		for (size_t j = 0; j < against->count; j++) {
			if (against->round[j] != values->round[i] || against->value[j] <= 0)
				continue;
			ratios->value[ratios->count] = values->value[i] / against->value[j];
			ratios->round[ratios->count++] = values->round[i];
		}
	}
}

static int compare(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

double values_median(const struct values *values)
{
	struct values sorted = *values;
	size_t middle = values->count / 2;

	if (values->count == 0)
		return (double)NAN;
	qsort(sorted.value, sorted.count, sizeof(sorted.value[0]), compare);
	return sorted.count % 2 ? sorted.value[middle] : (sorted.value[middle - 1] + sorted.value[middle]) / 2;
}

double values_least(const struct values *values)
{
	double least = (double)NAN;

	for (size_t i = 0; i < values->count; i++)
		least = i == 0 || values->value[i] < least ? values->value[i] : least;
	return least;
}

double values_most(const struct values *values)
{
	double most = (double)NAN;

	for (size_t i = 0; i < values->count; i++)
		most = i == 0 || values->value[i] > most ? values->value[i] : most;
	return most;
}
