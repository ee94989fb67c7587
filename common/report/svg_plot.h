/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plots as SVG text: lines, scatters, grouped bars and cumulative distributions. Each function
 * writes one <svg> element, which stands in an HTML page as it is and is a picture of its own when a file
 * begins with it. It is readable on a light and on a dark screen, needs no script and refers to nothing outside.
 *
 * Nothing of the caller's is kept. All functions return 0, or -1 when the stream failed or
 * memory ran out. Any thread. What is not finite (or beyond 1e100), or not above 0 on a logarithmic axis, is left out.
 */
#ifndef REPORT_SVG_PLOT_H
#define REPORT_SVG_PLOT_H

#include <stddef.h>
#include <stdio.h>

enum svg_scale {
	SVG_LINEAR,
	SVG_LOG,  /* ticks at powers of ten */
	SVG_LOG2, /* ticks at powers of two: queue depths, sizes of requests */
};

/* What a value counts, and so how it is written. */
enum svg_unit {
	SVG_NUMBER,	      /* 1, 20 k, 1.5 M */
	SVG_SECONDS,	      /* values in seconds: 200 ns, 5 us, 1.5 ms, 2 s, 10 min */
	SVG_BYTES,	      /* 4 KiB, 2 GiB */
	SVG_BYTES_PER_SECOND, /* 850 MB/s */
	SVG_PERCENT,	      /* values 0 to 100 */
};

struct svg_axis {
	const char *label; /* NULL: none */
	enum svg_scale scale;
	enum svg_unit unit;
	double minimum, maximum; /* both 0: from the data */
};

struct svg_plot {
	const char *title; /* NULL: none */
	struct svg_axis x, y;
	int width, height; /* pixels; 0: 760 and 360. It shrinks with the page. */
};

/* Points of one line or cloud, in the caller's arrays. A line breaks where a point is left out. */
struct svg_series {
	const char *name; /* in the legend; NULL: not there */
	const double *x, *y;
	size_t count;
};

/* One bar in each group. */
struct svg_bars {
	const char *name;
	const double *values; /* one a group; NAN: no bar */
	const double *low;    /* ends of a whisker, one a group; NULL: none */
	const double *high;
};

/* Lines; up to 60 points also get marks. Of long lines the highest and lowest points of each piece are drawn. */
int svg_lines(FILE *to, const struct svg_plot *plot, const struct svg_series *series, size_t count);

/* Points, thinned to at most SVG_SCATTER_POINTS: one a place, then an even choice. */
#define SVG_SCATTER_POINTS 12000
int svg_scatter(FILE *to, const struct svg_plot *plot, const struct svg_series *series, size_t count);

/* Grouped bars; plot->x gives the label below only. */
int svg_bars(FILE *to, const struct svg_plot *plot, const char *const groups[], size_t nr_groups,
	     const struct svg_bars *series, size_t count);

/*
 * Share of samples (percent, 0 to 100) that are at most x: series[].x are values in ascending order and series[].y how
 * many samples have each, or NULL for one each. plot->y is filled in here.
 */
int svg_cumulative(FILE *to, const struct svg_plot *plot, const struct svg_series *series, size_t count);

/* How often: series[].x are the lower edges of bins in ascending order, series[].y their counts; drawn as steps. */
int svg_histogram(FILE *to, const struct svg_plot *plot, const struct svg_series *series, size_t count);

/* A value as an axis writes it ("1.5 ms"), with up to three digits that count. Returns text. */
#define SVG_VALUE_SIZE 32
const char *svg_value(char text[SVG_VALUE_SIZE], double value, enum svg_unit unit);

#endif
