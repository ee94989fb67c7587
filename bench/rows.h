/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The benchmark's table: what is compared with what, which bar it has to reach, and whether it does; and the
 * series, which show how cost grows.
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "results.h"
#include "svg_plot.h"

enum row_rule {
	RATIO_AT_LEAST,	 /* value / against >= bar */
	RATIO_AT_MOST,	 /* value / against <= bar */
	FASTER_AT_LEAST, /* values are times: against / value >= bar */
	VALUE_AT_LEAST,
	VALUE_BELOW,
	NO_BAR,	      /* value / against, for information */
	NO_BAR_TIMES, /* against / value, for information */
};

struct row {
	const char *name;
	const char *title;
	const char *label;   /* in the plot of ratios or, if it has no bar, of replays; NULL: not there */
	const char *side;    /* whose value it is */
	const char *against; /* the other side, or NULL */
	enum svg_unit unit;
	enum row_rule rule;
	double bar;
};

extern const struct row rows[];
extern const size_t nr_rows;

bool row_has_bar(const struct row *row);

/* A row with what was measured. Ratios are taken round by round. */
struct row_result {
	struct values values, against, ratios;
	double value, other, ratio; /* medians; NAN: not measured */
	const char *skipped;	    /* why there is nothing, or NULL */
	bool measured;		    /* what the rule needs is there */
	bool met;		    /* NO_BAR: true */
};

void row_evaluate(const struct row *row, const struct results *results, struct row_result *result);

/* The bar as the table shows it, e.g. ">= 3.8". Returns text. */
#define ROW_TEXT_SIZE 64
const char *row_bar(const struct row *row, char text[ROW_TEXT_SIZE]);

struct series {
	const char *name;
	const char *title;
	const char *caption;
	struct svg_axis x, y;
	const char *sides[4]; /* up to the first NULL */
};

extern const struct series all_series[];
extern const size_t nr_series;

#endif
