/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The result as JSON. Times are ns, sizes bytes, rates of a second. The keys are documented in rdisk-replay(1).
 */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report_text.h"
#include "result.h"

/* Numbers as they are: a double has no room for all of 64 bits. */
static void add_u64(cJSON *object, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	(void)cJSON_AddRawToObject(object, key, text);
}

/* A name may have any bytes, JSON has none but UTF-8: what is none becomes U+FFFD. */
static void add_text(cJSON *object, const char *key, const char *text)
{
	size_t used = 0;
	char *copy = malloc(strlen(text) * (sizeof(REPORT_REPLACEMENT) - 1) + 1);

	if (!copy)
		return;
	while (*text) {
		/* cJSON escapes control characters, which XML has not. */
		size_t length = (unsigned char)*text < 0x80 ? 1 : report_character_length(text);

		if (length) {
			memcpy(copy + used, text, length);
			used += length;
		} else {
			memcpy(copy + used, REPORT_REPLACEMENT, sizeof(REPORT_REPLACEMENT) - 1);
			used += sizeof(REPORT_REPLACEMENT) - 1;
		}
		text += length ? length : 1;
	}
	copy[used] = 0;
	(void)cJSON_AddStringToObject(object, key, copy);
	free(copy);
}

static void add_latency(cJSON *object, const char *key, const struct histogram *histogram)
{
	cJSON *latency = cJSON_AddObjectToObject(object, key);

	add_u64(latency, "mean", histogram_mean(histogram));
	add_u64(latency, "min", histogram->least);
	add_u64(latency, "p50", histogram_percentile(histogram, 50));
	add_u64(latency, "p90", histogram_percentile(histogram, 90));
	add_u64(latency, "p99", histogram_percentile(histogram, 99));
	add_u64(latency, "p99.9", histogram_percentile(histogram, 99.9));
	add_u64(latency, "max", histogram->most);
}

static void add_kind(cJSON *object, const char *key, const struct result_kind *kind, double seconds)
{
	cJSON *item = cJSON_AddObjectToObject(object, key);

	add_u64(item, "operations", kind->operations);
	add_u64(item, "bytes", kind->bytes);
	add_u64(item, "errors", kind->errors);
	(void)cJSON_AddNumberToObject(item, "iops", seconds > 0 ? (double)kind->operations / seconds : 0);
	(void)cJSON_AddNumberToObject(item, "bytes_per_second", seconds > 0 ? (double)kind->bytes / seconds : 0);
	add_latency(item, "latency_ns", &kind->latency);
}

static void add_counts(cJSON *object, const struct result *result)
{
	add_u64(object, "trace_operations", result->read);
	add_u64(object, "broken", result->broken);
	add_u64(object, "out_of_order", result->late_lines);
	add_u64(object, "not_replayable", result->left_out);
	add_u64(object, "mapped", result->mapped);
	add_u64(object, "widened", result->widened);
	add_u64(object, "skipped", result->skipped);
	add_u64(object, "misplaced", result->misplaced);
	add_u64(object, "missing", result->missing);
	add_u64(object, "discarded", result->discarded);
	add_u64(object, "held", result->held);
	add_u64(object, "unanswered", result->unanswered);
	add_u64(object, "errors", result->errors);
	add_u64(object, "signal", (uint64_t)result->signal);
}

static void add_verify(cJSON *object, const struct result *result)
{
	cJSON *verify = cJSON_AddObjectToObject(object, "verify");

	add_u64(verify, "blocks_right", result->checked - result->wrong);
	add_u64(verify, "blocks_wrong", result->wrong);
	add_u64(verify, "blocks_unknown", result->unchecked);
	add_u64(verify, "read_errors", result->check_errors);
	(void)cJSON_AddNumberToObject(verify, "seconds", (double)result->check_ns / 1e9);
	(void)cJSON_AddBoolToObject(verify, "complete", result->final_check);
}

static cJSON *build(const struct result *result)
{
	double seconds = result_seconds(result);
	static struct result_kind total;
	cJSON *object = cJSON_CreateObject();
	cJSON *kinds;

	add_text(object, "trace", result->trace);
	(void)cJSON_AddStringToObject(object, "format", result->format);
	add_text(object, "target", result->target);
	add_u64(object, "target_bytes", result->target_size);
	(void)cJSON_AddStringToObject(object, "speed", result->speed);
	add_u64(object, "depth", result->depth);
	add_u64(object, "seed", result->seed);
	(void)cJSON_AddNumberToObject(object, "seconds", seconds);
	(void)cJSON_AddNumberToObject(object, "trace_seconds", (double)result->trace_ns / 1e9);
	add_counts(object, result);
	kinds = cJSON_AddObjectToObject(object, "kinds");
	for (int k = 0; k < TRACE_KINDS; k++)
		add_kind(kinds, trace_kind_name((enum trace_kind)k), &result->kinds[k], seconds);
	result_total(result, &total);
	add_kind(object, "all", &total, seconds);
	if (result->scheduled)
		add_latency(object, "lateness_ns", &result->lateness);
	if (result->verify)
		add_verify(object, result);
	return object;
}

int result_json(const struct result *result, FILE *to)
{
	cJSON *object = build(result);
	char *text = cJSON_Print(object);
	int status = -1;

	/* What could not be added for want of memory is not missed in silence: then the text cannot be had either. */
	if (text && fprintf(to, "%s\n", text) > 0 && !fflush(to) && !ferror(to))
		status = 0;
	cJSON_free(text);
	cJSON_Delete(object);
	return status;
}
