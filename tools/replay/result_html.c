/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The result as a page with plots. What is drawn is bounded: bins, buckets and a choice of points, however long the
 * replay was.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "html_report.h"
#include "result.h"
#include "svg_plot.h"

#define NS	    1e9
#define MORE_SERIES (2 * TRACE_KINDS)

static const char *seconds_text(char text[SVG_VALUE_SIZE], uint64_t ns)
{
	return svg_value(text, (double)ns / NS, SVG_SECONDS);
}

static void table_row(FILE *to, const char *name, const struct result_kind *kind, double seconds)
{
	static const double percents[] = { 50, 90, 99, 99.9, 100 };
	char texts[10][SVG_VALUE_SIZE];
	const char *cells[11] = { name };

	(void)snprintf(texts[0], sizeof(texts[0]), "%" PRIu64, kind->operations);
	(void)svg_value(texts[1], (double)kind->bytes, SVG_BYTES);
	(void)svg_value(texts[2], seconds > 0 ? (double)kind->operations / seconds : 0, SVG_NUMBER);
	(void)svg_value(texts[3], seconds > 0 ? (double)kind->bytes / seconds : 0, SVG_BYTES_PER_SECOND);
	for (size_t i = 0; i < 5; i++)
		(void)seconds_text(texts[4 + i], histogram_percentile(&kind->latency, percents[i]));
	(void)snprintf(texts[9], sizeof(texts[9]), "%" PRIu64, kind->errors);
	for (size_t i = 0; i < 10; i++)
		cells[i + 1] = texts[i];
	html_table_row(to, cells, 11);
}

static void kinds_table(const struct result *result, FILE *to)
{
	static const char *const columns[] = { "",    "operations", "bytes", "IOPS", "rate",  "p50",
					       "p90", "p99",	    "p99.9", "max",  "errors" };
	static struct result_kind total;
	double seconds = result_seconds(result);

	html_table_begin(to, "Operations and their latency", columns, sizeof(columns) / sizeof(columns[0]));
	for (int k = 0; k < TRACE_KINDS; k++)
		if (result->kinds[k].operations || result->kinds[k].errors)
			table_row(to, trace_kind_name((enum trace_kind)k), &result->kinds[k], seconds);
	result_total(result, &total);
	table_row(to, "all", &total, seconds);
	html_table_end(to);
}

static void count_row(FILE *to, const char *name, uint64_t count)
{
	char text[24];
	const char *cells[] = { name, text };

	(void)snprintf(text, sizeof(text), "%" PRIu64, count);
	html_table_row(to, cells, 2);
}

static void counts_table(const struct result *result, FILE *to)
{
	static const char *const columns[] = { "", "" };
	char text[SVG_VALUE_SIZE];
	const char *cells[] = { "", text };

	html_table_begin(to, "What else there was", columns, 2);
	if (result->scheduled) {
		cells[0] = "lateness against the schedule, p50";
		(void)seconds_text(text, histogram_percentile(&result->lateness, 50));
		html_table_row(to, cells, 2);
		cells[0] = "lateness against the schedule, p99";
		(void)seconds_text(text, histogram_percentile(&result->lateness, 99));
		html_table_row(to, cells, 2);
		cells[0] = "lateness against the schedule, max";
		(void)seconds_text(text, result->lateness.most);
		html_table_row(to, cells, 2);
	}
	count_row(to, "errors", result->errors);
	count_row(to, "broken lines of the trace", result->broken);
	count_row(to, "operations missing in the trace", result->missing);
	count_row(to, "lines of the trace out of their order in time", result->late_lines);
	count_row(to, "operations of the trace that cannot be replayed", result->left_out);
	count_row(to, "folded or scaled to another position", result->mapped);
	count_row(to, "widened to whole blocks", result->widened);
	count_row(to, "skipped, beyond the end of the disk", result->skipped);
	count_row(to, "not done, they do not fit on the disk", result->misplaced);
	count_row(to, "changes of the disk not done", result->discarded);
	count_row(to, "waited for an earlier one of the same blocks", result->held);
	count_row(to, "without an answer, the disk was lost", result->unanswered);
	if (result->verify) {
		count_row(to, "blocks verified", result->checked);
		count_row(to, "blocks with wrong data", result->wrong);
		count_row(to, "blocks read that this replay knows nothing of", result->unchecked);
		count_row(to, "reads of the final check that failed", result->check_errors);
		cells[0] = "time of the final check";
		(void)seconds_text(text, result->check_ns);
		html_table_row(to, cells, 2);
	}
	html_table_end(to);
}

static struct svg_axis time_axis(const struct result *result)
{
	return (struct svg_axis){
		.label = "time of the replay",
		.unit = SVG_SECONDS,
		.maximum = result_seconds(result),
	};
}

/* Arrays for the plots: x and y of each kind's bins, twice. */
struct bins {
	double x[TIMELINE_BINS];
	double y[MORE_SERIES][TIMELINE_BINS];
	char names[MORE_SERIES][32];
	struct svg_series series[MORE_SERIES];
};

static void add_series(struct bins *bins, size_t *count, size_t used, const char *kind, const char *what)
{
	(void)snprintf(bins->names[*count], sizeof(bins->names[0]), "%s%s", kind, what);
	bins->series[*count] = (struct svg_series){ bins->names[*count], bins->x, bins->y[*count], used };
	(*count)++;
}

static void fill_times(struct bins *bins, const struct timeline *timeline)
{
	for (size_t i = 0; i < TIMELINE_BINS; i++)
		bins->x[i] = ((double)i + 0.5) * (double)timeline->bin_ns / NS;
}

static int plot_latency(const struct result *result, struct bins *bins, FILE *to)
{
	const struct svg_plot plot = {
		.title = "Latency over time",
		.x = time_axis(result),
		.y = { .label = "latency", .scale = SVG_LOG, .unit = SVG_SECONDS },
	};
	const struct timeline *timeline = result->timeline;
	size_t count = 0, used = timeline_used(timeline);

	for (int k = 0; k < TRACE_KINDS; k++) {
		if (result->kinds[k].operations == 0)
			continue;
		for (size_t i = 0; i < used; i++) {
			const struct timeline_bin *bin = &timeline->kinds[k].bins[i];

			bins->y[count][i] = bin->operations ? (double)timeline_percentile(bin, 50) / NS : NAN;
			bins->y[count + 1][i] = bin->operations ? (double)timeline_percentile(bin, 99) / NS : NAN;
		}
		add_series(bins, &count, used, trace_kind_name((enum trace_kind)k), " p50");
		add_series(bins, &count, used, trace_kind_name((enum trace_kind)k), " p99");
	}
	return svg_lines(to, &plot, bins->series, count);
}

static int plot_rate(const struct result *result, struct bins *bins, FILE *to)
{
	const struct svg_plot plot = {
		.title = "Operations a second over time",
		.x = time_axis(result),
		.y = { .label = "operations a second" },
	};
	const struct timeline *timeline = result->timeline;
	size_t count = 0, used = timeline_used(timeline);

	for (int k = 0; k < TRACE_KINDS; k++) {
		if (result->kinds[k].operations == 0)
			continue;
		for (size_t i = 0; i < used; i++)
			bins->y[count][i] =
				(double)timeline->kinds[k].bins[i].operations / ((double)timeline->bin_ns / NS);
		add_series(bins, &count, used, trace_kind_name((enum trace_kind)k), "");
	}
	return svg_lines(to, &plot, bins->series, count);
}

static int plot_lateness(const struct result *result, struct bins *bins, FILE *to)
{
	const struct svg_plot plot = {
		.title = "Lateness against the schedule over time",
		.x = time_axis(result),
		.y = { .label = "latest of each moment", .scale = SVG_LOG, .unit = SVG_SECONDS },
	};
	const struct timeline *timeline = result->timeline;
	size_t count = 0, used = timeline_used(timeline);

	for (size_t i = 0; i < used; i++) {
		uint64_t most = 0;

		for (int k = 0; k < TRACE_KINDS; k++)
			if (timeline->kinds[k].bins[i].late_most > most)
				most = timeline->kinds[k].bins[i].late_most;
		bins->y[0][i] = most ? (double)most / NS : NAN;
	}
	add_series(bins, &count, used, "lateness", "");
	return svg_lines(to, &plot, bins->series, count);
}

/* Buckets from the first to the last that any kind uses. */
static void bucket_range(const struct result *result, size_t *from, size_t *to)
{
	*from = HISTOGRAM_BUCKETS;
	*to = 0;
	for (int k = 0; k < TRACE_KINDS; k++) {
		for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
			if (!result->kinds[k].latency.buckets[i])
				continue;
			*from = i < *from ? i : *from;
			*to = i + 1 > *to ? i + 1 : *to;
		}
	}
}

/* How often (buckets, four of them together) or, cumulative, the share that is as fast. */
static int plot_distribution(const struct result *result, bool cumulative, FILE *to)
{
	const struct svg_plot plot = {
		.title = cumulative ? "Share of operations that are as fast" : "Distribution of latency",
		.x = { .label = "latency", .scale = SVG_LOG, .unit = SVG_SECONDS },
		.y = { .label = cumulative ? "share" : "operations" },
	};
	struct svg_series series[TRACE_KINDS];
	size_t together = cumulative ? 1 : 4, from, end, count = 0, bins;
	double *x, *y[TRACE_KINDS] = { 0 };
	int status = -1;

	bucket_range(result, &from, &end);
	bins = end > from ? (end - from + together - 1) / together : 0;
	x = calloc(bins + 1, sizeof(*x));
	if (!x)
		return -1;
	for (size_t i = 0; i < bins; i++) {
		uint64_t low, high;

		histogram_bounds(from + i * together, &low, &high);
		x[i] = (double)((cumulative ? high : low) + (low == 0)) / NS;
	}
	for (int k = 0; k < TRACE_KINDS; k++) {
		if (result->kinds[k].operations == 0)
			continue;
		y[k] = calloc(bins + 1, sizeof(*y[k]));
		if (!y[k])
			goto out;
		for (size_t i = from; i < end; i++)
			y[k][(i - from) / together] += (double)result->kinds[k].latency.buckets[i];
		series[count++] = (struct svg_series){ trace_kind_name((enum trace_kind)k), x, y[k], bins };
	}
	status = cumulative ? svg_cumulative(to, &plot, series, count) : svg_histogram(to, &plot, series, count);
out:
	for (int k = 0; k < TRACE_KINDS; k++)
		free(y[k]);
	free(x);
	return status;
}

static int plot_positions(const struct result *result, FILE *to)
{
	const struct svg_plot plot = {
		.title = "Position on the disk over time",
		.x = time_axis(result),
		.y = { .label = "position", .unit = SVG_BYTES },
	};
	struct svg_series series[TRACE_KINDS];
	double *values = calloc((size_t)TRACE_KINDS * 2 * TIMELINE_POINTS, sizeof(*values));
	double *next = values;
	size_t count = 0;
	int status;

	if (!values)
		return -1;
	for (int k = 0; k < TRACE_KINDS; k++) {
		const struct timeline_kind *kind = &result->timeline->kinds[k];
		size_t points = kind->seen < TIMELINE_POINTS ? (size_t)kind->seen : TIMELINE_POINTS;
		double *x = next, *y = next + points;

		if (points == 0 || k == TRACE_FLUSH)
			continue;
		for (size_t i = 0; i < points; i++) {
			x[i] = (double)kind->points[i].time_ns / NS;
			y[i] = (double)kind->points[i].position;
		}
		series[count++] = (struct svg_series){ trace_kind_name((enum trace_kind)k), x, y, points };
		next += 2 * points;
	}
	status = svg_scatter(to, &plot, series, count);
	free(values);
	return status;
}

static int plots(const struct result *result, FILE *to)
{
	struct bins *bins = calloc(1, sizeof(*bins));
	int status = 0;

	if (!bins)
		return -1;
	fill_times(bins, result->timeline);
	html_figure_begin(to);
	status |= plot_latency(result, bins, to);
	html_figure_end(to, "Median and 99th percentile of each moment.");
	html_figure_begin(to);
	status |= plot_distribution(result, false, to);
	html_figure_end(to, NULL);
	html_figure_begin(to);
	status |= plot_distribution(result, true, to);
	html_figure_end(to, NULL);
	html_figure_begin(to);
	status |= plot_rate(result, bins, to);
	html_figure_end(to, NULL);
	if (result->scheduled) {
		html_figure_begin(to);
		status |= plot_lateness(result, bins, to);
		html_figure_end(to, NULL);
	}
	html_figure_begin(to);
	status |= plot_positions(result, to);
	html_figure_end(to, "An even random choice where there were too many operations to draw.");
	free(bins);
	return status;
}

int result_html(const struct result *result, FILE *to)
{
	char took[SVG_VALUE_SIZE], of_trace[SVG_VALUE_SIZE], size[SVG_VALUE_SIZE];
	int status;

	html_report_begin(to, "Replay of a trace");
	html_paragraph(to, "%s (%s) on %s, %s; speed %s, depth %u, seed %" PRIu64 ".", result->trace, result->format,
		       result->target, svg_value(size, (double)result->target_size, SVG_BYTES), result->speed,
		       result->depth, result->seed);
	html_paragraph(to, "It %s %s, for %s of the trace.", result->signal ? "was ended early after" : "took",
		       svg_value(took, result_seconds(result), SVG_SECONDS), seconds_text(of_trace, result->trace_ns));
	kinds_table(result, to);
	counts_table(result, to);
	status = plots(result, to);
	return html_report_end(to) ? -1 : status;
}
