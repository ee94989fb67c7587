/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plots and the page: escaping, values as text, what is left out, that what is written is bounded, and that it is
 * well-formed (by a small check here, so that no tool is needed).
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "html_report.h"
#include "report_text.h"
#include "svg_plot.h"

static char *text;
static size_t text_size;
static FILE *stream;

static int begin(void **state)
{
	(void)state;
	text = NULL;
	stream = open_memstream(&text, &text_size);
	return stream ? 0 : -1;
}

static int discard(void **state)
{
	(void)state;
	if (stream)
		(void)fclose(stream);
	stream = NULL;
	free(text);
	return 0;
}

static void finish(void)
{
	assert_int_equal(fclose(stream), 0);
	stream = NULL;
}

static unsigned int count(const char *what)
{
	unsigned int found = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		found++;
	return found;
}

/* Skips a tag's attributes; each is name="value". The position of its end, or NULL. */
static const char *skip_attributes(const char *at)
{
	while (*at && *at != '>' && !(at[0] == '/' && at[1] == '>')) {
		if (*at == '"') {
			at = strchr(at + 1, '"');
			if (!at)
				return NULL;
		}
		if (*at == '<')
			return NULL;
		at++;
	}
	return *at ? at : NULL;
}

/* Every element is closed, in order, and there is no stray "<" or "&". */
static bool is_well_formed(const char *at)
{
	const char *open[64];
	size_t depth = 0;

	for (; *at; at++) {
		if (*at == '&' && strncmp(at, "&amp;", 5) && strncmp(at, "&lt;", 4) && strncmp(at, "&gt;", 4) &&
		    strncmp(at, "&quot;", 6) && strncmp(at, "&#39;", 5))
			return false;
		if (*at != '<')
			continue;
		if (at[1] == '!') {
			at = strchr(at, '>');
			continue;
		}
		if (at[1] == '/') {
			size_t length = strcspn(at + 2, ">");

			if (depth == 0 || strncmp(open[--depth], at + 2, length) || !strchr(" >", open[depth][length]))
				return false;
			continue;
		}
		if (depth == 64)
			return false;
		open[depth++] = at + 1;
		at = skip_attributes(at + 1);
		if (!at)
			return false;
		depth -= *at == '/';
	}
	return depth == 0;
}

static void test_escaping(void **state)
{
	(void)state;
	report_text(stream, "a<b>&\"c'\t\n");
	report_text(stream, "\x01\x1f\x7f-");
	report_text(stream, "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"); /* good UTF-8 */
	/* Overlong, cut, surrogate, beyond the last, lone continuation, and no character. */
	report_text(stream, "|\xc0\xaf|\xe2\x82|\xed\xa0\x80|\xf5\x80\x80\x80|\x80|\xef\xbf\xbf|");
	finish();
	assert_string_equal(
		text,
		"a&lt;b&gt;&amp;&quot;c&#39;\t\n\xef\xbf\xbd\xef\xbf\xbd\x7f-\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"
		"|\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd|"
		"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|");
}

static void test_values(void **state)
{
	static const struct {
		double value;
		enum svg_unit unit;
		const char *text;
	} cases[] = {
		{ 0, SVG_SECONDS, "0" },
		{ 1e-9, SVG_SECONDS, "1 ns" },
		{ 999e-9, SVG_SECONDS, "999 ns" },
		{ 1.5e-6, SVG_SECONDS, "1.5 us" },
		{ 0.0123456, SVG_SECONDS, "12.3 ms" },
		{ 119, SVG_SECONDS, "119 s" },
		{ 600, SVG_SECONDS, "10 min" },
		{ 7200, SVG_SECONDS, "2 h" },
		{ -2, SVG_SECONDS, "-2 s" },
		{ 1023, SVG_BYTES, "1023 B" },
		{ 4096, SVG_BYTES, "4 KiB" },
		{ 1.5 * 1073741824, SVG_BYTES, "1.5 GiB" },
		{ 1e6, SVG_BYTES_PER_SECOND, "1 MB/s" },
		{ 1234567, SVG_NUMBER, "1.23 M" },
		{ 1000, SVG_NUMBER, "1 k" },
		{ 0.5, SVG_NUMBER, "0.5" },
		{ 0.0001, SVG_NUMBER, "1.00e-04" },
		{ 1e30, SVG_NUMBER, "1.00e+18 T" },
		{ 99.9, SVG_PERCENT, "99.9 %" },
		{ NAN, SVG_NUMBER, "-" },
		{ INFINITY, SVG_SECONDS, "-" },
	};
	char written[SVG_VALUE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(svg_value(written, cases[i].value, cases[i].unit), cases[i].text);
}

/* Values of all kinds on all axes: nothing that is no number gets into the picture. */
static void test_odd_values(void **state)
{
	static const double odd[] = { NAN, 0,	 -1,	  1,	   INFINITY, -INFINITY, 1e300, 1e-300,
				      5,   1e-9, DBL_MAX, DBL_MIN, 4.9e-324, -1e300,	7,     7 };
	const struct svg_series series[] = { { "odd", odd, odd, 16 }, { NULL, odd + 1, odd, 15 } };
	const char *const groups[] = { "a", "b" };
	const struct svg_bars bars[] = { { "bars", odd, odd + 1, odd + 2 }, { NULL, odd + 4, NULL, NULL } };

	(void)state;
	for (int x = SVG_LINEAR; x <= SVG_LOG2; x++) {
		for (int y = SVG_LINEAR; y <= SVG_LOG2; y++) {
			const struct svg_plot plot = { .title = "odd",
						       .x = { .scale = (enum svg_scale)x },
						       .y = { .scale = (enum svg_scale)y } };

			assert_int_equal(svg_lines(stream, &plot, series, 2), 0);
			assert_int_equal(svg_scatter(stream, &plot, series, 2), 0);
			assert_int_equal(svg_histogram(stream, &plot, series, 2), 0);
			assert_int_equal(svg_cumulative(stream, &plot, series, 2), 0);
			assert_int_equal(svg_bars(stream, &plot, groups, 2, bars, 2), 0);
		}
	}
	finish();
	assert_true(is_well_formed(text));
	assert_int_equal(count("<svg "), 45);
	assert_int_equal(count("nan"), 0);
	assert_int_equal(count("inf"), 0);
}

static void test_nothing(void **state)
{
	const struct svg_plot plot = { 0 };
	const struct svg_series empty = { "empty", NULL, NULL, 0 };

	(void)state;
	assert_int_equal(svg_lines(stream, &plot, NULL, 0), 0);
	assert_int_equal(svg_scatter(stream, &plot, NULL, 0), 0);
	assert_int_equal(svg_scatter(stream, &plot, &empty, 1), 0);
	assert_int_equal(svg_histogram(stream, &plot, &empty, 1), 0);
	assert_int_equal(svg_cumulative(stream, &plot, &empty, 1), 0);
	assert_int_equal(svg_bars(stream, &plot, NULL, 0, NULL, 0), 0);
	finish();
	assert_true(is_well_formed(text));
	assert_int_equal(count("no data"), 5);
}

/* Few points between many gaps are marked as those of a short line are. */
static void test_single_points(void **state)
{
	double x[500], y[500];
	const struct svg_series series = { "gaps", x, y, 500 };
	const struct svg_plot plot = { .y = { .scale = SVG_LOG } };

	(void)state;
	for (size_t i = 0; i < 500; i++) {
		x[i] = (double)i;
		y[i] = i % 100 ? NAN : (double)(i + 1);
	}
	assert_int_equal(svg_lines(stream, &plot, &series, 1), 0);
	finish();
	assert_true(is_well_formed(text));
	assert_int_equal(count("<circle"), 5);
}

/* A million points: the picture stays small, and the one peak of a line stays in it. */
static void test_bounded(void **state)
{
	const size_t points = 1000000;
	double *x = calloc(points, sizeof(*x)), *y = calloc(points, sizeof(*y));
	const struct svg_series series = { "many", x, y, points };
	const struct svg_plot plot = { .y = { .minimum = 0, .maximum = 100 } };
	size_t of_lines;

	(void)state;
	assert_non_null(x);
	assert_non_null(y);
	for (size_t i = 0; i < points; i++) {
		x[i] = (double)i;
		y[i] = (double)(i * 7919 % 90);
	}
	y[500001] = 100;
	assert_int_equal(svg_lines(stream, &plot, &series, 1), 0);
	assert_int_equal(fflush(stream), 0);
	of_lines = text_size;
	assert_true(of_lines < 100000);
	/* The top of the plot: where the axis begins. */
	{
		const char *axis = strstr(text, "<path class=\"a\"");
		char top[32];

		assert_non_null(axis);
		(void)snprintf(top, sizeof(top), " %.1f", strtod(strchr(axis, 'V') + 1, NULL) - 0);
		axis = strstr(axis, "M");
		(void)snprintf(top, sizeof(top), " %.1fL", strtod(strchr(axis, ' ') + 1, NULL));
		assert_non_null(strstr(text, top));
	}
	assert_int_equal(svg_scatter(stream, &plot, &series, 1), 0);
	finish();
	assert_true(count("h0") <= SVG_SCATTER_POINTS + 10);
	assert_true(count("h0") > SVG_SCATTER_POINTS / 2);
	free(x);
	free(y);
}

static void test_page(void **state)
{
	static const char *const columns[] = { "<name>", "value" };
	static const char *const cells[] = { "a & b", "-12 k" };
	const double values[] = { 1, 2, 3 };
	const struct svg_series series = { "\"</svg>", values, values, 3 };
	const struct svg_plot plot = { .title = "<script>", .x = { .label = "&" }, .y = { .label = "'" } };

	(void)state;
	html_report_begin(stream, "Title </title>");
	html_heading(stream, 2, "1 < 2");
	html_paragraph(stream, "%s & %d", "<b>", 3);
	html_preformatted(stream, "$ a > b");
	html_table_begin(stream, "caption", columns, 2);
	html_table_row(stream, cells, 2);
	html_table_end(stream);
	html_figure_begin(stream);
	assert_int_equal(svg_lines(stream, &plot, &series, 1), 0);
	html_figure_end(stream, "&");
	assert_int_equal(html_report_end(stream), 0);
	finish();
	assert_true(is_well_formed(text));
	assert_int_equal(count("<script"), 0);
	assert_int_equal(count("<td class=\"n\">-12 k</td>"), 1);
	assert_int_equal(count("href"), 0);
	assert_int_equal(count("src="), 0);
}

static void test_full_disk(void **state)
{
	const struct svg_plot plot = { 0 };
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	(void)setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(svg_lines(full, &plot, NULL, 0), -1);
	assert_int_equal(html_report_end(full), -1);
	(void)fclose(full);
}

#define PLOT_TEST(function) cmocka_unit_test_setup_teardown(function, begin, discard)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLOT_TEST(test_escaping),  PLOT_TEST(test_values),	  PLOT_TEST(test_odd_values),
		PLOT_TEST(test_nothing),   PLOT_TEST(test_bounded),	  PLOT_TEST(test_page),
		PLOT_TEST(test_full_disk), PLOT_TEST(test_single_points),
	};

	return cmocka_run_group_tests_name("plots", tests, NULL, NULL);
}
