/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-report: makes the report of scripts/bench.sh from what its parts have measured (results.h):
 *
 *   bench.json   all values of all rounds, medians, ratios, bars
 *   bench.md     the table of the bars, for documents
 *   bench.html   tables and plots in one page that needs nothing else
 *   performance-*.svg   the plots one by one
 *
 * It judges (rows.c) and never measures.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html_report.h"
#include "machine.h"
#include "plots.h"

#define NR_COLUMNS 6

/* A plot that is no series. */
struct figure {
	const char *name;
	const char *caption;
	int (*plot)(FILE *to, const struct results *results);
};

static const struct figure ratios = { "ratios", "The axis is logarithmic.", plot_ratios };
static const struct figure replays = { "replay",
				       "rdisk-replay, 32 operations in flight, without the trace's pauses; writes are "
				       "done. Each replay begins with an image of holes.",
				       plot_replays };

struct report {
	struct results results;
	struct machine machine;
};

/* A row as text: what, rdisk, beside, ratio, bar, met. */
struct cells {
	char text[NR_COLUMNS][RESULTS_WHY_SIZE + ROW_TEXT_SIZE];
};

static const char *const columns[NR_COLUMNS] = { "", "rdisk", "beside it", "ratio", "bar", "met" };

static FILE *create(const char *directory, const char *name)
{
	char path[4096];
	FILE *file = NULL;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path))
		file = fopen(path, "we");
	if (!file)
		fprintf(stderr, "rdisk-bench-report: cannot write %s/%s: %s\n", directory, name, strerror(errno));
	return file;
}

/* Closes a file: 0, or -1 when not all of it was written. */
static int finish(FILE *file, const char *name)
{
	int failed = ferror(file);

	if (!fclose(file) && !failed)
		return 0;
	fprintf(stderr, "rdisk-bench-report: cannot write %s: %s\n", name, strerror(errno));
	return -1;
}

static void fill_cells(const struct row *row, const struct row_result *result, struct cells *cells)
{
	char value[SVG_VALUE_SIZE];

	memset(cells, 0, sizeof(*cells));
	(void)snprintf(cells->text[0], sizeof(cells->text[0]), "%s", row->title);
	(void)row_bar(row, cells->text[4]);
	if (!result->measured && (row_has_bar(row) || result->skipped)) {
		(void)snprintf(cells->text[5], sizeof(cells->text[5]), "not measured%s%s", result->skipped ? ": " : "",
			       result->skipped ? result->skipped : "");
	} else if (row_has_bar(row)) {
		(void)snprintf(cells->text[5], sizeof(cells->text[5]), result->met ? "yes" : "no");
	}
	if (!isnan(result->value))
		(void)snprintf(cells->text[1], sizeof(cells->text[1]), "%s",
			       svg_value(value, result->value, row->unit));
	if (!isnan(result->other))
		(void)snprintf(cells->text[2], sizeof(cells->text[2]), "%s: %s", row->against,
			       svg_value(value, result->other, row->unit));
	else if (row->against)
		(void)snprintf(cells->text[2], sizeof(cells->text[2]), "%s", row->against);
	if (result->ratios.count > 1)
		(void)snprintf(cells->text[3], sizeof(cells->text[3]), "%.3g (%.3g to %.3g)", result->ratio,
			       values_least(&result->ratios), values_most(&result->ratios));
	else if (!isnan(result->ratio))
		(void)snprintf(cells->text[3], sizeof(cells->text[3]), "%.3g", result->ratio);
}

/* Calls `write` with each row of the one kind. */
static void each_row(const struct report *report, bool bars, FILE *to,
		     void (*write)(FILE *to, const struct cells *cells))
{
	for (size_t i = 0; i < nr_rows; i++) {
		static struct row_result result;
		struct cells cells;

		if (row_has_bar(&rows[i]) != bars)
			continue;
		row_evaluate(&rows[i], &report->results, &result);
		fill_cells(&rows[i], &result, &cells);
		write(to, &cells);
	}
}

static void write_markdown_row(FILE *to, const struct cells *cells)
{
	for (int i = 0; i < NR_COLUMNS; i++)
		fprintf(to, "| %s ", cells->text[i]);
	fputs("|\n", to);
}

static int write_markdown(const struct report *report, const char *directory)
{
	FILE *to = create(directory, "bench.md");

	if (!to)
		return -1;
	fprintf(to, "%ld x %s, Linux %s, %s\n\n", report->machine.processors, report->machine.processor,
		report->machine.kernel, report->machine.date);
	fputs("| | rdisk | beside it | ratio | bar | met |\n|---|---|---|---|---|---|\n", to);
	each_row(report, true, to, write_markdown_row);
	fputs("\nFor information:\n\n| | rdisk | beside it | ratio | | |\n|---|---|---|---|---|---|\n", to);
	each_row(report, false, to, write_markdown_row);
	return finish(to, "bench.md");
}

static cJSON *json_values(const struct values *values)
{
	return cJSON_CreateDoubleArray(values->value, (int)values->count);
}

/* A number that was measured, or null. */
static cJSON *json_number(double number)
{
	return isnan(number) ? cJSON_CreateNull() : cJSON_CreateNumber(number);
}

static cJSON *json_row(const struct row *row, const struct results *results)
{
	static const char *const unit[] = {
		[SVG_NUMBER] = "a second", [SVG_SECONDS] = "seconds",
		[SVG_BYTES] = "bytes",	   [SVG_BYTES_PER_SECOND] = "bytes a second",
		[SVG_PERCENT] = "percent",
	};
	static struct row_result result;
	cJSON *object = cJSON_CreateObject();
	char bar[ROW_TEXT_SIZE];

	row_evaluate(row, results, &result);
	cJSON_AddStringToObject(object, "row", row->name);
	cJSON_AddStringToObject(object, "title", row->title);
	cJSON_AddStringToObject(object, "unit", unit[row->unit]);
	cJSON_AddStringToObject(object, "side", row->side);
	cJSON_AddItemToObject(object, "values", json_values(&result.values));
	cJSON_AddItemToObject(object, "median", json_number(result.value));
	if (row->against) {
		cJSON_AddStringToObject(object, "against", row->against);
		cJSON_AddItemToObject(object, "against_values", json_values(&result.against));
		cJSON_AddItemToObject(object, "against_median", json_number(result.other));
		cJSON_AddItemToObject(object, "ratios", json_values(&result.ratios));
		cJSON_AddItemToObject(object, "ratio", json_number(result.ratio));
	}
	if (row_has_bar(row)) {
		cJSON_AddStringToObject(object, "bar", row_bar(row, bar));
		cJSON_AddBoolToObject(object, "measured", result.measured);
		cJSON_AddBoolToObject(object, "met", result.met);
	}
	if (!result.measured && result.skipped)
		cJSON_AddStringToObject(object, "skipped", result.skipped);
	return object;
}

static cJSON *json_point(const struct result *result)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "series", result->name);
	cJSON_AddStringToObject(object, "side", result->side);
	cJSON_AddNumberToObject(object, "x", result->x);
	cJSON_AddNumberToObject(object, "round", result->round);
	cJSON_AddNumberToObject(object, "value", result->value);
	return object;
}

static cJSON *json_report(const struct report *report)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *machine = cJSON_AddObjectToObject(root, "machine");
	cJSON *list;

	cJSON_AddStringToObject(machine, "processor", report->machine.processor);
	cJSON_AddNumberToObject(machine, "processors", (double)report->machine.processors);
	cJSON_AddStringToObject(machine, "kernel", report->machine.kernel);
	cJSON_AddStringToObject(root, "date", report->machine.date);
	list = cJSON_AddArrayToObject(root, "rows");
	for (size_t i = 0; i < nr_rows; i++)
		cJSON_AddItemToArray(list, json_row(&rows[i], &report->results));
	list = cJSON_AddArrayToObject(root, "series");
	for (size_t i = 0; i < report->results.count; i++) {
		if (report->results.list[i].x > 0)
			cJSON_AddItemToArray(list, json_point(&report->results.list[i]));
	}
	return root;
}

static int write_json(const struct report *report, const char *directory)
{
	cJSON *root = json_report(report);
	char *text = cJSON_Print(root);
	FILE *to = text ? create(directory, "bench.json") : NULL;
	int result = -1;

	if (!text)
		fprintf(stderr, "rdisk-bench-report: no memory for bench.json\n");
	if (to) {
		fprintf(to, "%s\n", text);
		result = finish(to, "bench.json");
	}
	cJSON_free(text);
	cJSON_Delete(root);
	return result;
}

static void write_html_row(FILE *to, const struct cells *cells)
{
	const char *text[NR_COLUMNS];

	for (int i = 0; i < NR_COLUMNS; i++)
		text[i] = cells->text[i];
	html_table_row(to, text, NR_COLUMNS);
}

static int html_plot(FILE *to, const struct report *report, const struct figure *figure)
{
	int result;

	html_figure_begin(to);
	result = figure->plot(to, &report->results);
	html_figure_end(to, result > 0 ? "Not measured." : figure->caption);
	return result < 0 ? -1 : 0;
}

static int html_series(FILE *to, const struct report *report, const struct series *series)
{
	int result;

	html_figure_begin(to);
	result = plot_series(to, series, &report->results);
	html_figure_end(to, result > 0 ? "Not measured." : series->caption);
	return result < 0 ? -1 : 0;
}

static int write_html(const struct report *report, const char *directory)
{
	FILE *to = create(directory, "bench.html");
	int result;

	if (!to)
		return -1;
	html_report_begin(to, "rdisk: measured");
	html_paragraph(to, "%ld x %s, Linux %s, %s.", report->machine.processors, report->machine.processor,
		       report->machine.kernel, report->machine.date);
	html_paragraph(to, "%s",
		       "Values are medians of rounds; a ratio is the median of the ratios of rounds, in each of which "
		       "both sides were measured one after the other, with the least and the greatest of them. "
		       "All images are on tmpfs.");
	html_table_begin(to, "What is to be reached", columns, NR_COLUMNS);
	each_row(report, true, to, write_html_row);
	html_table_end(to);
	result = html_plot(to, report, &ratios);
	html_table_begin(to, "For information", columns, NR_COLUMNS);
	each_row(report, false, to, write_html_row);
	html_table_end(to);
	if (!result)
		result = html_plot(to, report, &replays);
	html_heading(to, 2, "How cost grows");
	for (size_t i = 0; i < nr_series && !result; i++)
		result = html_series(to, report, &all_series[i]);
	if (html_report_end(to))
		result = -1;
	return finish(to, "bench.html") ? -1 : result;
}

/* One plot as a file; what was not measured leaves no file. Either figure or series. */
static int write_plot(const struct report *report, const struct figure *figure, const struct series *series,
		      const char *directory)
{
	char name[64], path[4096];
	FILE *to;
	int result;

	(void)snprintf(name, sizeof(name), "performance-%s.svg", figure ? figure->name : series->name);
	to = create(directory, name);
	if (!to)
		return -1;
	result = figure ? figure->plot(to, &report->results) : plot_series(to, series, &report->results);
	if (finish(to, name))
		return -1;
	if (result > 0 && snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path))
		(void)remove(path);
	return result < 0 ? -1 : 0;
}

static int write_plots(const struct report *report, const char *directory)
{
	int result = write_plot(report, &ratios, NULL, directory);

	if (!result)
		result = write_plot(report, &replays, NULL, directory);
	for (size_t i = 0; i < nr_series && !result; i++)
		result = write_plot(report, NULL, &all_series[i], directory);
	return result;
}

int main(int argc, char **argv)
{
	struct report report = { 0 };
	struct diagnostic diagnostic = { 0 };
	int result = -1;

	if (argc < 3 || argc > 4) {
		fprintf(stderr,
			"Usage: rdisk-bench-report RESULTS DIRECTORY [PLOTS]\n"
			"Reads all RESULTS/*.jsonl; writes bench.json, bench.md and bench.html to DIRECTORY and\n"
			"performance-*.svg to PLOTS, which is DIRECTORY unless told.\n");
		return EXIT_FAILURE;
	}
	if (results_read(&report.results, argv[1], &diagnostic)) {
		fprintf(stderr, "rdisk-bench-report: %s\n", diagnostic.text);
		goto out;
	}
	machine_describe(&report.machine);
	result = write_json(&report, argv[2]);
	if (!result)
		result = write_markdown(&report, argv[2]);
	if (!result)
		result = write_html(&report, argv[2]);
	if (!result)
		result = write_plots(&report, argv[argc - 1]);
out:
	results_free(&report.results);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
