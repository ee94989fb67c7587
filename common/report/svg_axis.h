/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the plots: where a value lies on an axis, and at which values an axis has ticks.
 */
#ifndef REPORT_SVG_AXIS_H
#define REPORT_SVG_AXIS_H

#include <stdbool.h>
#include <stddef.h>

#include "svg_plot.h"

#define AXIS_TICKS_MAX 24

/* The values that were seen; starts as AXIS_RANGE_NONE. */
struct axis_range {
	double least, most;
};

#define AXIS_RANGE_NONE                                                                                                \
	(struct axis_range)                                                                                            \
	{                                                                                                              \
		.least = 1, .most = 0                                                                                  \
	}

struct axis_map {
	enum svg_scale scale;
	enum svg_unit unit;
	double low, high; /* values at the ends, low < high */
	double from, to;  /* pixels of low and of high */
};

/* Whether a value can be shown on such an axis at all. */
bool axis_can_show(enum svg_scale scale, double value);

/* Takes a value into the range unless it cannot be shown. */
void axis_range_add(struct axis_range *range, enum svg_scale scale, double value);

/* Sets scale, unit and ends. from_zero: a linear axis of positive values begins at 0. The caller sets the pixels. */
void axis_fit(struct axis_map *map, const struct svg_axis *axis, const struct axis_range *range, bool from_zero);

/* Pixel of a value that can be shown; may be outside of the axis. */
double axis_place(const struct axis_map *map, double value);

/* The ticks' values in ascending order; at most `wanted` or a few more. Returns how many. */
size_t axis_ticks(const struct axis_map *map, int wanted, double ticks[AXIS_TICKS_MAX]);

#endif
