/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plots of a report: each as an <svg> element on a stream.
 */
#ifndef BENCH_PLOTS_H
#define BENCH_PLOTS_H

#include <stdio.h>

#include "rows.h"

/*
 * How many times as fast rdisk is as what it is compared with, and the bar, for the rows that are in this plot. 1:
 * nothing was measured, nothing is written; 0; -1: the stream failed or memory ran out. So all of these.
 */
int plot_ratios(FILE *to, const struct results *results);

/* Operations a second of each trace that was replayed, by side. */
int plot_replays(FILE *to, const struct results *results);

/* The medians of a series by x. */
int plot_series(FILE *to, const struct series *series, const struct results *results);

#endif
