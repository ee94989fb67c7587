/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-pairs: the table of scripts/bench-pairs.sh, from what two versions of rdisk have measured in pairs
 * (results.h; a round is a pair). Each row says how many times as fast the later one is. It never measures.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "rows.h"

#define SIDE	  "rdisk"
#define ROW_LEAST 0.90 /* of a row: below it is named */
#define MEAN_BAR  0.97 /* of the geometric mean of all rows */

struct measured {
	struct results before, after;
};

struct pair_row {
	struct values before, after, ratios;
	const char *before_skipped, *after_skipped; /* why, or NULL */
	double ratio;				    /* median; NAN: there is no pair */
};

/* A time or a size: less is better. */
static bool is_cost(const struct row *row)
{
	return row->unit == SVG_SECONDS || row->unit == SVG_PERCENT || row->unit == SVG_BYTES;
}

/* The four are in the row "tree" as well: they do not count again in the mean. */
static bool is_part_of_another(const struct row *row)
{
	return !strncmp(row->name, "tree-", strlen("tree-"));
}

/* rows[] has some names several times, beside different others. */
static bool is_first_of_its_name(size_t at)
{
	if (strcmp(rows[at].side, SIDE))
		return false;
	for (size_t i = 0; i < at; i++) {
		if (!strcmp(rows[i].name, rows[at].name) && !strcmp(rows[i].side, SIDE))
			return false;
	}
	return true;
}

static void evaluate(const struct row *row, const struct measured *measured, struct pair_row *pair)
{
	results_values(&measured->before, row->name, SIDE, 0, &pair->before);
	results_values(&measured->after, row->name, SIDE, 0, &pair->after);
	pair->ratios.count = 0;
	if (is_cost(row))
		results_ratios(&pair->before, &pair->after, &pair->ratios);
	else
		results_ratios(&pair->after, &pair->before, &pair->ratios);
	pair->ratio = values_median(&pair->ratios);
	pair->before_skipped = results_skipped(&measured->before, row->name);
	pair->after_skipped = results_skipped(&measured->after, row->name);
}

static bool is_there(const struct pair_row *pair)
{
	return pair->before.count > 0 || pair->after.count > 0 || pair->before_skipped || pair->after_skipped;
}

/* What is to be said of a row besides its figures. */
static void print_remarks(const struct pair_row *pair)
{
	const struct {
		const char *side;
		bool lacks;
		const char *why;
	} sides[] = {
		{ "before", pair->before.count == 0, pair->before_skipped },
		{ "after", pair->after.count == 0, pair->after_skipped },
	};
	const char *separator = " ";

	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		if (!sides[i].lacks)
			continue;
		printf("%snot measured %s%s%s", separator, sides[i].side, sides[i].why ? ": " : "",
		       sides[i].why ? sides[i].why : "");
		separator = "; ";
	}
	if (pair->ratio < ROW_LEAST)
		printf("%sbelow %.2f", separator, ROW_LEAST);
	puts(" |");
}

static void print_row(const struct row *row, const struct pair_row *pair)
{
	char value[SVG_VALUE_SIZE];

	printf("| %s | ", row->title);
	printf("%s | ", pair->before.count > 0 ? svg_value(value, values_median(&pair->before), row->unit) : "");
	printf("%s | ", pair->after.count > 0 ? svg_value(value, values_median(&pair->after), row->unit) : "");
	if (pair->ratios.count > 0)
		printf("%.3f (%.3f to %.3f) | %zu |", pair->ratio, values_least(&pair->ratios),
		       values_most(&pair->ratios), pair->ratios.count);
	else
		printf("| 0 |"); /* the cell before it is empty */
	print_remarks(pair);
}

/* Names the rows that are below ROW_LEAST, in one line. */
static void print_slower(const struct measured *measured)
{
	static struct pair_row pair;
	const char *before = "";

	printf("Rows below %.2f: ", ROW_LEAST);
	for (size_t i = 0; i < nr_rows; i++) {
		if (!is_first_of_its_name(i))
			continue;
		evaluate(&rows[i], measured, &pair);
		if (!(pair.ratio < ROW_LEAST))
			continue;
		printf("%s%s (%.3f)", before, rows[i].title, pair.ratio);
		before = "; ";
	}
	puts(*before ? "." : "none.");
}

/* The table, and what it says as a whole. 0; -1: no row was measured on both sides. */
static int print_table(const struct measured *measured)
{
	static struct pair_row pair;
	unsigned int counted = 0, lacking = 0;
	double sum = 0, mean;

	puts("| | before | after | times as fast | pairs | |\n|---|---|---|---|---|---|");
	for (size_t i = 0; i < nr_rows; i++) {
		if (!is_first_of_its_name(i))
			continue;
		evaluate(&rows[i], measured, &pair);
		if (!is_there(&pair))
			continue;
		print_row(&rows[i], &pair);
		lacking += isnan(pair.ratio) ? 1 : 0;
		if (isnan(pair.ratio) || is_part_of_another(&rows[i]))
			continue;
		sum += log(pair.ratio);
		counted++;
	}
	putchar('\n');
	if (lacking > 0)
		printf("Rows without a pair: %u; they count for nothing.\n", lacking);
	if (counted == 0) {
		puts("Nothing was measured on both sides.");
		return -1;
	}
	print_slower(measured);
	mean = exp(sum / counted);
	printf("Geometric mean of %u rows (the steps of the file tree count as one): %.3f, bar >= %.2f: %s.\n", counted,
	       mean, MEAN_BAR, mean >= MEAN_BAR ? "met" : "not met");
	return 0;
}

static int read_side(struct results *results, const char *directory)
{
	struct diagnostic diagnostic = { 0 };

	if (!results_read(results, directory, &diagnostic))
		return 0;
	fprintf(stderr, "rdisk-bench-pairs: %s\n", diagnostic.text);
	return -1;
}

int main(int argc, char **argv)
{
	struct measured measured = { 0 };
	struct machine machine;
	int result = -1;

	if (argc != 3) {
		fprintf(stderr, "Usage: rdisk-bench-pairs BEFORE AFTER\n"
				"Reads all BEFORE/*.jsonl and AFTER/*.jsonl, of which a round is a pair, and writes a "
				"table.\n");
		return EXIT_FAILURE;
	}
	if (read_side(&measured.before, argv[1]) || read_side(&measured.after, argv[2]))
		goto out;
	machine_describe(&machine);
	printf("%ld x %s, Linux %s, %s\n\n", machine.processors, machine.processor, machine.kernel, machine.date);
	result = print_table(&measured);
	if (fflush(stdout)) {
		perror("rdisk-bench-pairs: cannot write the table");
		result = -1;
	}
out:
	results_free(&measured.before);
	results_free(&measured.after);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
