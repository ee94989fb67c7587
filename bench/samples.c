/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long requests took; see samples.h.
 */
#include "samples.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

int samples_begin(struct samples *samples)
{
	samples->seconds = calloc(samples->count, sizeof(samples->seconds[0]));
	if (!samples->seconds) {
		fprintf(stderr, "no memory for %" PRIu32 " samples\n", samples->count);
		return -1;
	}
	samples->start = bench_now();
	return 0;
}

uint64_t samples_all(const struct samples *samples)
{
	return (uint64_t)samples->warm_up + samples->count;
}

void samples_note(struct samples *samples, double begun)
{
	uint64_t first = samples->warm_up;

	samples->end = bench_now();
	if (samples->done < first)
		samples->start = samples->end;
	else if (samples->done - first < samples->count)
		samples->seconds[samples->done - first] = samples->end - begun;
	if (samples->done >= first && samples->end - begun > samples->longest)
		samples->longest = samples->end - begun;
	samples->done++;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

int samples_print(struct samples *samples, const char *operation, uint32_t size, uint32_t in_flight)
{
	uint64_t measured = samples->done - samples->warm_up;
	uint32_t count = measured < samples->count ? (uint32_t)measured : samples->count;
	double rate = count / (samples->end - samples->start);

	qsort(samples->seconds, count, sizeof(samples->seconds[0]), compare);
	printf("{\"size\": %" PRIu32 ", \"in_flight\": %" PRIu32 ", \"operation\": \"%s\", \"count\": %" PRIu32
	       ", \"p50_us\": %.2f, \"p99_us\": %.2f, \"longest_us\": %.2f, \"per_s\": %.0f, \"mb_per_s\": %.1f}\n",
	       size, in_flight, operation, count, samples->seconds[count / 2] * 1e6,
	       samples->seconds[count - 1 - count / 100] * 1e6, samples->longest * 1e6, rate, rate * size * 1e-6);
	free(samples->seconds);
	samples->seconds = NULL;
	if (!fflush(stdout))
		return 0;
	fprintf(stderr, "stdout: %s\n", strerror(errno));
	return -1;
}

int samples_option(const char *program, const char *option, const char *text, uint64_t least, uint64_t most,
		   uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	if (!errno && end != text && !*end && *number >= least && *number <= most && text[0] != '-')
		return 0;
	fprintf(stderr, "%s: --%s needs a number from %" PRIu64 " to %" PRIu64 ", not \"%s\"\n", program, option, least,
		most, text);
	return -1;
}
