/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-report with given values: medians, ratios of rounds, bars, what was skipped or is missing, broken
 * files, and that the page stands alone.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_directory.h"
#include "test_process.h"

#define FILE_SIZE_MAX (1 << 20)

static struct test_process process;
static char results[TEST_PATH_SIZE], output[TEST_PATH_SIZE];

/* Empty directories for results and report. */
static int setup(void **state)
{
	static int number;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "results%d", ++number);
	test_path(results, name);
	snprintf(name, sizeof(name), "output%d", number);
	test_path(output, name);
	if (mkdir(results, 0700) || mkdir(output, 0700))
		test_fatal("%s: %s", results, strerror(errno));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_process_discard(&process);
	return 0;
}

static void write_results(const char *name, const char *text)
{
	char path[2 * TEST_PATH_SIZE];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", results, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file))
		test_fatal("%s: %s", path, strerror(errno));
}

static int run(void)
{
	const char *const arguments[] = { REPORT_PROGRAM, results, output, NULL };

	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	return test_process_exit_code(&process);
}

/* A file of the report; NULL if there is none. */
static const char *read_output(const char *name)
{
	static char text[FILE_SIZE_MAX];
	char path[2 * TEST_PATH_SIZE];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", output, name);
	file = fopen(path, "r");
	if (!file)
		return NULL;
	length = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[length] = '\0';
	return text;
}

/* A row of bench.json that has a bar. The caller deletes *root. */
static const cJSON *find_row(cJSON **root, const char *name)
{
	const cJSON *row;

	*root = cJSON_Parse(read_output("bench.json"));
	assert_non_null(*root);
	cJSON_ArrayForEach(row, cJSON_GetObjectItem(*root, "rows"))
	{
		if (!strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(row, "row")), name) &&
		    cJSON_HasObjectItem(row, "bar"))
			return row;
	}
	fail_msg("no row %s", name);
	return NULL;
}

static void assert_number(const cJSON *object, const char *name, double expected)
{
	double value = cJSON_GetNumberValue(cJSON_GetObjectItem(object, name));

	if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
		fail_msg("%s is %g, not %g", name, value, expected);
}

static void assert_met(const char *name, bool measured, bool met)
{
	cJSON *root;
	const cJSON *row = find_row(&root, name);

	if (cJSON_IsTrue(cJSON_GetObjectItem(row, "measured")) != measured ||
	    cJSON_IsTrue(cJSON_GetObjectItem(row, "met")) != met)
		fail_msg("%s: measured and met are not %d and %d", name, measured, met);
	cJSON_Delete(root);
}

/* The median of the ratios of rounds is another than the ratio of the medians; round 4 has no partner. */
static void ratios_are_taken_round_by_round(void **state)
{
	cJSON *root;
	const cJSON *row;

	(void)state;
	write_results("guest.jsonl", "{\"part\": \"guest\", \"rounds\": 4}\n"
				     "{\"row\": \"guest-read-1\", \"side\": \"rdisk\", \"round\": 1, \"value\": 40}\n"
				     "{\"row\": \"guest-read-1\", \"side\": \"ubd\", \"round\": 1, \"value\": 10}\n"
				     "{\"row\": \"guest-read-1\", \"side\": \"ubd\", \"round\": 2, \"value\": 50}\n"
				     "{\"row\": \"guest-read-1\", \"side\": \"rdisk\", \"round\": 2, \"value\": 100}\n"
				     "{\"row\": \"guest-read-1\", \"side\": \"ubd\", \"round\": 3, \"value\": 2}\n"
				     "{\"row\": \"guest-read-1\", \"side\": \"rdisk\", \"round\": 3, \"value\": 10}\n"
				     "{\"row\": \"guest-read-1\", \"side\": \"rdisk\", \"round\": 4, \"value\": 20}\n");
	assert_int_equal(run(), 0);
	row = find_row(&root, "guest-read-1");
	assert_number(row, "median", 30);
	assert_number(row, "against_median", 10);
	assert_number(row, "ratio", 4);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(row, "values")), 4);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(row, "ratios")), 3);
	assert_non_null(strstr(read_output("bench.md"), "| 30 | ubd: 10 | 4 (2 to 5) |"));
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(row, "met")));
	cJSON_Delete(root);
}

static void write_pair(const char *name, const char *other, double value, double against)
{
	char text[512], file[64];

	snprintf(text, sizeof(text),
		 "{\"row\": \"%s\", \"side\": \"rdisk\", \"round\": 1, \"value\": %.17g}\n"
		 "{\"row\": \"%s\", \"side\": \"%s\", \"round\": 1, \"value\": %.17g}\n",
		 name, value, name, other, against);
	snprintf(file, sizeof(file), "%s.jsonl", name);
	write_results(file, text);
}

/* Each rule on both sides of its bar. */
static void bars_are_judged(void **state)
{
	(void)state;
	write_pair("guest-read-1", "ubd", 380, 100);
	write_pair("tree", "ubd", 10, 11);
	write_pair("host-latency", "nbd", 5, 50);
	write_pair("slow-other", "alone", 90, 100);
	write_pair("ipc-sendrec", "none", 1e6, 1);
	write_pair("idle", "bare", 0.99, 5);
	assert_int_equal(run(), 0);
	assert_met("guest-read-1", true, true);
	assert_met("tree", true, true);
	assert_met("host-latency", true, true);
	assert_met("slow-other", true, true);
	assert_met("ipc-sendrec", true, true);
	assert_met("idle", true, true);

	write_pair("guest-read-1", "ubd", 379, 100);
	write_pair("tree", "ubd", 10, 10.9);
	write_pair("host-latency", "nbd", 5.1, 50);
	write_pair("slow-other", "alone", 89, 100);
	write_pair("ipc-sendrec", "none", 999999, 1);
	write_pair("idle", "bare", 1, 5);
	assert_int_equal(run(), 0);
	assert_met("guest-read-1", true, false);
	assert_met("tree", true, false);
	assert_met("host-latency", true, false);
	assert_met("slow-other", true, false);
	assert_met("ipc-sendrec", true, false);
	assert_met("idle", true, false);
}

/* What was not measured is not met, and the table says why. */
static void missing_rows_are_not_met(void **state)
{
	(void)state;
	write_results("guest.jsonl", "{\"skip\": \"guest-virtio\", \"why\": \"it is <not> there\"}\n"
				     "{\"row\": \"guest-brd\", \"side\": \"rdisk\", \"round\": 1, \"value\": 3}\n");
	assert_int_equal(run(), 0);
	assert_met("guest-virtio", false, false);
	assert_met("guest-brd", false, false);
	assert_met("memory", false, false);
	assert_non_null(strstr(read_output("bench.md"), "not measured: it is <not> there"));
	assert_non_null(strstr(read_output("bench.html"), "not measured: it is &lt;not&gt; there"));
}

static int count(const char *text, const char *word)
{
	int times = 0;

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		times++;
	return times;
}

/* The page needs nothing else: its plots are in it, and nothing is fetched or run. */
static void page_stands_alone(void **state)
{
	const char *page;

	(void)state;
	write_results("scale.jsonl",
		      "{\"series\": \"clients\", \"side\": \"rdisk\", \"x\": 1, \"round\": 1, \"value\": 5}\n"
		      "{\"series\": \"clients\", \"side\": \"rdisk\", \"x\": 2, \"round\": 1, \"value\": 9}\n"
		      "{\"series\": \"clients\", \"side\": \"rdisk\", \"x\": 2, \"round\": 2, \"value\": 7}\n");
	write_pair("guest-read-1", "ubd", 380, 100);
	assert_int_equal(run(), 0);
	page = read_output("bench.html");
	assert_non_null(page);
	assert_int_equal(count(page, "<svg"), 2);
	assert_int_equal(count(page, "</svg>"), 2);
	assert_non_null(strstr(page, "number of clients"));
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "src="));
	assert_null(strstr(page, "href="));
	assert_null(strstr(page, "url("));
	assert_non_null(read_output("performance-ratios.svg"));
	assert_non_null(strstr(read_output("performance-clients.svg"), "</svg>"));
	assert_null(read_output("performance-devices.svg"));
}

/* A row without a bar: values, ratio and plot; and why a trace was not replayed. */
static void replays_are_shown(void **state)
{
	const char *table, *plot;

	(void)state;
	write_pair("replay-windows-mssql", "nbd", 60000, 20000);
	write_results("replay.jsonl",
		      "{\"skip\": \"replay-linux-mysql\", \"why\": \"blkreplay-examples is not installed\"}\n");
	assert_int_equal(run(), 0);
	table = read_output("bench.md");
	assert_non_null(table);
	assert_non_null(strstr(table, "| replay of windows-mssql, operations a second | 60 k | nbd: 20 k | 3 |  |  |"));
	assert_non_null(strstr(table, "not measured: blkreplay-examples is not installed"));
	plot = read_output("performance-replay.svg");
	assert_non_null(plot);
	assert_non_null(strstr(plot, "mssql"));
	assert_null(strstr(plot, "mysql"));
	assert_null(read_output("performance-ratios.svg"));
	assert_int_equal(count(read_output("bench.html"), "<svg"), 1);
}

static void assert_refused(const char *line, const char *cause)
{
	write_results("bad.jsonl", line);
	assert_int_equal(run(), 1);
	if (!strstr(process.log.text, cause))
		fail_msg("\"%s\" does not say \"%s\"", process.log.text, cause);
}

static void broken_results_are_refused(void **state)
{
	(void)state;
	assert_refused("{\"part\": \"x\"}\n{\"row\": \"tree\"\n", "bad.jsonl: line 2 is no result");
	assert_refused("{\"row\": \"tree\", \"side\": \"rdisk\", \"round\": 1}\n", "line 1");
	assert_refused("{\"row\": \"tree\", \"side\": \"rdisk\", \"round\": 0, \"value\": 1}\n", "line 1");
	assert_refused("{\"row\": \"tree\", \"side\": \"rdisk\", \"round\": 1, \"value\": \"1\"}\n", "line 1");
	assert_refused("{\"row\": \"tree\", \"side\": \"\", \"round\": 1, \"value\": 1}\n", "line 1");
	assert_refused("{\"row\": \"a name that is longer than any of the names\", \"side\": \"rdisk\", \"round\": 1, "
		       "\"value\": 1}\n",
		       "line 1");
	assert_refused("{\"series\": \"clients\", \"side\": \"rdisk\", \"x\": 0, \"round\": 1, \"value\": 1}\n",
		       "line 1");
	assert_refused("{\"skip\": \"tree\"}\n", "line 1");
	assert_refused("[1]\n", "line 1");
	if (rmdir(output))
		test_fatal("%s: %s", output, strerror(errno));
	write_results("bad.jsonl", "");
	assert_int_equal(run(), 1);
	assert_non_null(strstr(process.log.text, "cannot write"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ratios_are_taken_round_by_round, setup, teardown),
		cmocka_unit_test_setup_teardown(bars_are_judged, setup, teardown),
		cmocka_unit_test_setup_teardown(missing_rows_are_not_met, setup, teardown),
		cmocka_unit_test_setup_teardown(page_stands_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(replays_are_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_results_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
