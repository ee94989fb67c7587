/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums of a result and its table for people; see result.h.
 */
#include "result.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "progress.h"
#include "svg_plot.h"

double result_seconds(const struct result *result)
{
	return result->end_ns > result->start_ns ? (double)(result->end_ns - result->start_ns) / 1e9 : 0;
}

void result_error(struct result *result, const char *format, ...)
{
	va_list arguments;

	if (result->error_lines++ > ERRORS_NAMED)
		return;
	progress_clear();
	if (result->error_lines > ERRORS_NAMED) {
		fprintf(stderr, "rdisk-replay: more errors are only counted\n");
		return;
	}
	fprintf(stderr, "rdisk-replay: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

void result_total(const struct result *result, struct result_kind *total)
{
	memset(total, 0, sizeof(*total));
	for (int k = 0; k < TRACE_KINDS; k++) {
		total->operations += result->kinds[k].operations;
		total->bytes += result->kinds[k].bytes;
		total->errors += result->kinds[k].errors;
		histogram_merge(&total->latency, &result->kinds[k].latency);
	}
}

static const char *time_text(char text[SVG_VALUE_SIZE], uint64_t ns)
{
	return svg_value(text, (double)ns / 1e9, SVG_SECONDS);
}

static void print_kind(const char *name, const struct result_kind *kind, double seconds, FILE *to)
{
	static const double percents[] = { 50, 90, 99, 99.9 };
	char text[SVG_VALUE_SIZE];

	fprintf(to, "%-12s %10" PRIu64, name, kind->operations);
	fprintf(to, " %10s", svg_value(text, (double)kind->bytes, SVG_BYTES));
	fprintf(to, " %8s", svg_value(text, seconds > 0 ? (double)kind->operations / seconds : 0, SVG_NUMBER));
	fprintf(to, " %10s", svg_value(text, seconds > 0 ? (double)kind->bytes / seconds : 0, SVG_BYTES_PER_SECOND));
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		fprintf(to, " %8s", time_text(text, histogram_percentile(&kind->latency, percents[i])));
	fprintf(to, " %8s", time_text(text, kind->latency.most));
	fprintf(to, " %6" PRIu64 "\n", kind->errors);
}

static void print_lateness(const struct result *result, FILE *to)
{
	char p50[SVG_VALUE_SIZE], p99[SVG_VALUE_SIZE], most[SVG_VALUE_SIZE];

	if (!result->scheduled) {
		fprintf(to, "lateness: none, there is no schedule at this speed\n");
		return;
	}
	fprintf(to, "lateness against the schedule: p50 %s, p99 %s, max %s\n",
		time_text(p50, histogram_percentile(&result->lateness, 50)),
		time_text(p99, histogram_percentile(&result->lateness, 99)), time_text(most, result->lateness.most));
}

/* What did not go as in the trace: only what there was. */
static void print_counts(const struct result *result, FILE *to)
{
	const struct {
		uint64_t count;
		const char *text;
	} counts[] = {
		{ result->broken, "broken lines of the trace, left out" },
		{ result->missing, "operations missing in the trace: its recorder could not keep up" },
		{ result->late_lines, "lines of the trace out of their order in time" },
		{ result->left_out, "operations of the trace that cannot be replayed, left out" },
		{ result->mapped, "operations folded or scaled to another position" },
		{ result->widened, "operations widened to whole blocks" },
		{ result->skipped, "operations skipped: beyond the end of the disk" },
		{ result->misplaced, "operations not done: they do not fit on the disk (--map)" },
		{ result->discarded, "changes of the disk not done (--writes discard)" },
		{ result->held, "operations that waited for an earlier one of the same blocks" },
		{ result->unanswered, "operations without an answer: the disk was lost" },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i].count)
			fprintf(to, "%" PRIu64 " %s\n", counts[i].count, counts[i].text);
}

static void print_verify(const struct result *result, FILE *to)
{
	char text[SVG_VALUE_SIZE];

	if (!result->verify)
		return;
	fprintf(to,
		"verify: %" PRIu64 " blocks right, %" PRIu64 " wrong, %" PRIu64
		" read that this replay knows nothing of",
		result->checked - result->wrong, result->wrong, result->unchecked);
	if (result->check_ns)
		fprintf(to, "; reading all again at the end took %s", time_text(text, result->check_ns));
	if (result->check_errors)
		fprintf(to, ", and %" PRIu64 " reads of it failed", result->check_errors);
	fprintf(to, "%s\n", result->final_check ? "" : "; not all that was written was read again");
}

int result_print(const struct result *result, FILE *to)
{
	double seconds = result_seconds(result);
	static struct result_kind total;
	char text[SVG_VALUE_SIZE], of_trace[SVG_VALUE_SIZE];

	result_total(result, &total);
	fprintf(to, "%s (%s) on %s, %s", result->trace, result->format, result->target,
		svg_value(text, (double)result->target_size, SVG_BYTES));
	fprintf(to, ", speed %s, depth %u, seed %" PRIu64 "\n", result->speed, result->depth, result->seed);
	fprintf(to, "%s %s, %s of the trace%s\n\n", result->signal ? "ended early after" : "took",
		svg_value(text, seconds, SVG_SECONDS), time_text(of_trace, result->trace_ns),
		result->signal ? " (interrupted)" : "");
	fprintf(to, "%-12s %10s %10s %8s %10s %8s %8s %8s %8s %8s %6s\n", "", "operations", "bytes", "IOPS", "rate",
		"p50", "p90", "p99", "p99.9", "max", "errors");
	for (int k = 0; k < TRACE_KINDS; k++)
		if (result->kinds[k].operations || result->kinds[k].errors)
			print_kind(trace_kind_name((enum trace_kind)k), &result->kinds[k], seconds, to);
	print_kind("all", &total, seconds, to);
	fputc('\n', to);
	print_lateness(result, to);
	print_counts(result, to);
	print_verify(result, to);
	fprintf(to, "errors: %" PRIu64 "\n", result->errors);
	return fflush(to) || ferror(to) ? -1 : 0;
}
