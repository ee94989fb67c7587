/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws what was measured with common/report; see plots.h.
 */
#include "plots.h"

#include <math.h>
#include <string.h>

#define RATIOS_MAX  32
#define REPLAYS_MAX 8
#define POINTS_MAX  256
#define LINES_MAX   4

/* More is better in all of them: a ratio of which less is better is turned round. */
static double better(const struct row *row, double ratio)
{
	return row->rule == RATIO_AT_MOST ? 1 / ratio : ratio;
}

int plot_ratios(FILE *to, const struct results *results)
{
	const struct svg_plot plot = {
		.title = "How many times as fast",
		.x = { .label = "what is measured, and beside what" },
		.y = { "times", SVG_LOG, SVG_NUMBER, 0, 0 },
		.width = 1100,
		.height = 420,
	};
	double value[RATIOS_MAX], low[RATIOS_MAX], high[RATIOS_MAX], bar[RATIOS_MAX];
	static char labels[RATIOS_MAX][64];
	const char *groups[RATIOS_MAX];
	struct svg_bars bars[2] = {
		{ .name = "measured, with the range of the rounds", .values = value, .low = low, .high = high },
		{ .name = "the bar", .values = bar },
	};
	size_t count = 0;

	for (size_t i = 0; i < nr_rows && count < RATIOS_MAX; i++) {
		static struct row_result result;

		if (!rows[i].label || !row_has_bar(&rows[i]))
			continue;
		row_evaluate(&rows[i], results, &result);
		if (!result.measured)
			continue;
		(void)snprintf(labels[count], sizeof(labels[count]), "%s / %s", rows[i].label, rows[i].against);
		groups[count] = labels[count];
		value[count] = better(&rows[i], result.ratio);
		low[count] = better(&rows[i], values_least(&result.ratios));
		high[count] = better(&rows[i], values_most(&result.ratios));
		if (low[count] > high[count]) {
			double swap = low[count];

			low[count] = high[count];
			high[count] = swap;
		}
		bar[count] = better(&rows[i], rows[i].bar);
		count++;
	}
	return count ? svg_bars(to, &plot, groups, count, bars, 2) : 1;
}

/* The bars of one side of the plot of replays. */
struct replay_bars {
	double value[REPLAYS_MAX], low[REPLAYS_MAX], high[REPLAYS_MAX];
};

static void add_bar(struct replay_bars *bars, size_t at, const struct values *values)
{
	bars->value[at] = values_median(values);
	bars->low[at] = values_least(values);
	bars->high[at] = values_most(values);
}

int plot_replays(FILE *to, const struct results *results)
{
	const struct svg_plot plot = {
		.title = "Traces of servers, replayed",
		.x = { .label = "trace" },
		.y = { "operations a second", SVG_LINEAR, SVG_NUMBER, 0, 0 },
	};
	struct replay_bars rdisk, nbd;
	const char *groups[REPLAYS_MAX];
	const struct svg_bars bars[2] = {
		{ "rdisk, with the range of the rounds", rdisk.value, rdisk.low, rdisk.high },
		{ "nbd", nbd.value, nbd.low, nbd.high },
	};
	size_t count = 0;

	for (size_t i = 0; i < nr_rows && count < REPLAYS_MAX; i++) {
		static struct row_result result;

		if (!rows[i].label || row_has_bar(&rows[i]))
			continue;
		row_evaluate(&rows[i], results, &result);
		if (!result.measured)
			continue;
		groups[count] = rows[i].label;
		add_bar(&rdisk, count, &result.values);
		add_bar(&nbd, count, &result.against);
		count++;
	}
	return count ? svg_bars(to, &plot, groups, count, bars, 2) : 1;
}

/* One line: the median at each x at which a side was measured, in ascending order. Returns how many points. */
static size_t line_points(const struct results *results, const char *name, const char *side, double *x, double *y)
{
	static struct values values;
	double last = 0;
	size_t count = 0;

	while (count < POINTS_MAX) {
		double next = INFINITY;

		for (size_t i = 0; i < results->count; i++) {
			const struct result *result = &results->list[i];

			if (result->x > last && result->x < next && !strcmp(result->name, name) &&
			    !strcmp(result->side, side))
				next = result->x;
		}
		if (!isfinite(next))
			break;
		results_values(results, name, side, next, &values);
		x[count] = last = next;
		y[count++] = values_median(&values);
	}
	return count;
}

int plot_series(FILE *to, const struct series *series, const struct results *results)
{
	const struct svg_plot plot = { .title = series->title, .x = series->x, .y = series->y };
	static double x[LINES_MAX][POINTS_MAX], y[LINES_MAX][POINTS_MAX];
	struct svg_series lines[LINES_MAX] = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < LINES_MAX && series->sides[i]; i++) {
		size_t points = line_points(results, series->name, series->sides[i], x[count], y[count]);

		if (points == 0)
			continue;
		lines[count] = (struct svg_series){ series->sides[i], x[count], y[count], points };
		count++;
	}
	return count ? svg_lines(to, &plot, lines, count) : 1;
}
