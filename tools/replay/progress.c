/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The progress line; see progress.h.
 */
#include "progress.h"

#include <inttypes.h>

#include "events.h"
#include "svg_plot.h"

#define ETA_FROM 0.005 /* less than that done says nothing about the rest */

static bool shown;

static void print_left(double seconds, double done)
{
	double left = seconds * (1 - done) / done;

	fprintf(stderr, ", %d:%02d:%02d left", (int)(left / 3600), (int)(left / 60) % 60, (int)left % 60);
}

void progress_show(void *context, const struct result *result, double done)
{
	double seconds = result->start_ns ? (double)(now_ns() - result->start_ns) / 1e9 : 0;
	uint64_t operations = 0, bytes = 0;
	char count[SVG_VALUE_SIZE], rate[SVG_VALUE_SIZE], late[SVG_VALUE_SIZE];

	(void)context;
	if (seconds <= 0)
		return;
	for (int k = 0; k < TRACE_KINDS; k++) {
		operations += result->kinds[k].operations;
		bytes += result->kinds[k].bytes;
	}
	fprintf(stderr, "\r\033[K");
	if (done >= 0)
		fprintf(stderr, "%3.0f %%, ", done * 100);
	fprintf(stderr, "%" PRIu64 " operations, %s/s, %s", operations,
		svg_value(count, (double)operations / seconds, SVG_NUMBER),
		svg_value(rate, (double)bytes / seconds, SVG_BYTES_PER_SECOND));
	if (result->scheduled)
		fprintf(stderr, ", up to %s late", svg_value(late, (double)result->lateness.most / 1e9, SVG_SECONDS));
	if (result->errors || result->wrong)
		fprintf(stderr, ", %" PRIu64 " errors", result->errors + result->wrong);
	if (done > ETA_FROM)
		print_left(seconds, done);
	(void)fflush(stderr);
	shown = true;
}

void progress_clear(void)
{
	if (shown)
		fprintf(stderr, "\r\033[K");
	shown = false;
}
