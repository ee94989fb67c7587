/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers with a log, and what their log allows against what clients know; see crash_fixture.h.
 */
#include "crash_fixture.h"

#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash_environment.h"
#include "crash_log_read.h"
#include "dvk.h"
#include "test_pattern.h"

#define WORK (16u << 20) /* bytes to work out one sector in */

const struct test_device crash_devices[CRASH_DEVICES] = {
	{ .name = "0", .file = "0.img", .shared = true }, { .name = "1", .file = "1.img", .shared = true },
	{ .name = "2", .file = "2.img", .shared = true }, { .name = "3", .file = "3.img", .shared = true },
	{ .name = "4", .file = "4.img", .shared = true }, { .name = "5", .file = "5.img", .shared = true },
};

struct test_server crash_server;

bool crash_images_are_in_memory(void)
{
	struct statfs status;

	return !statfs(test_directory(), &status) && status.f_type == TMPFS_MAGIC;
}

static void remove_log(void)
{
	char path[TEST_PATH_SIZE];

	test_path(path, CRASH_LOG_NAME);
	(void)unlink(path);
}

static void start(int devices, const char *fault, const char *hold)
{
	static struct crash_environment environment;
	const char *names[CRASH_DEVICES + 1] = { NULL };

	for (int i = 0; i < devices; i++)
		names[i] = crash_devices[i].file;
	crash_environment_set(&environment, CRASH_LOG_NAME, names, fault, hold);
	test_server_start(&crash_server, crash_devices, (size_t)devices, environment.variables);
}

void crash_server_start(int devices, const char *fault, const char *hold)
{
	static unsigned char initial[CRASH_SIZE];

	remove_log();
	test_pattern_fill(initial, sizeof(initial), 0, 0);
	for (int i = 0; i < devices; i++) {
		test_image_create(crash_devices[i].file, CRASH_SIZE);
		test_image_write(crash_devices[i].file, 0, initial, sizeof(initial));
	}
	test_runtime_new();
	start(devices, fault, hold);
}

void crash_server_restart(int devices, bool new_log)
{
	if (new_log)
		remove_log();
	start(devices, NULL, NULL);
}

int crash_server_discard(void **state)
{
	(void)state;
	if (crash_server.process.pid) {
		test_process_discard(&crash_server.process);
		fprintf(stderr, "log of rdisk:\n%s\n", crash_server.process.log.text);
	}
	(void)dvk_close();
	return 0;
}

static void note(struct crash_report *report, const struct crash_finding *finding, size_t cut, const char *where)
{
	report->checks++;
	if (finding->verdict == CRASH_RIGHT)
		return;
	report->wrong[finding->verdict]++;
	if (!report->first[0])
		snprintf(report->first, sizeof(report->first),
			 "%.100s at byte %llu, power cut %zu: %s; there is request %zu, and missing is %zu", where,
			 (unsigned long long)finding->position, cut, crash_verdict_text(finding->verdict),
			 finding->found, finding->missing);
}

/* All that the log's calls up to a moment allow, by what was answered up to the same. */
static void judge_cut(struct crash_report *report, const struct crash_run *run, const struct crash_log_file *file,
		      size_t cut, const struct crash_answers *answers, struct crash_memory memory)
{
	size_t used = memory.used;

	for (size_t cell = 0; cell < run->nr_cells; cell++) {
		struct crash_contents contents;

		memory.used = used;
		if (crash_contents(run, cell, file->cuts[cut].moment, &memory, &contents))
			test_fatal("sector %llu may hold too much", (unsigned long long)run->cells[cell].sector);
		for (size_t i = 0; i < contents.count; i++) {
			struct crash_finding finding = crash_answers_check(
				answers, file->cuts[cut].until_ns, run->cells[cell].sector, contents.content[i].bytes);

			note(report, &finding, cut, file->path);
		}
	}
}

/* The image holds what the log says that it may, and where it says nothing what it held at first. */
static size_t count_not_logged(const struct crash_run *run, const unsigned char *image, struct crash_memory memory)
{
	size_t used = memory.used;
	size_t count = 0;

	for (uint64_t sector = 0; sector < CRASH_SIZE / CRASH_SECTOR; sector++) {
		const unsigned char *bytes = image + sector * CRASH_SECTOR;
		size_t cell = crash_run_find(run, sector);
		struct crash_contents contents;

		if (cell == run->nr_cells) {
			count += test_pattern_check(bytes, CRASH_SECTOR, sector * CRASH_SECTOR, 0) != CRASH_SECTOR;
			continue;
		}
		memory.used = used;
		if (crash_contents(run, cell, CRASH_NEVER, &memory, &contents))
			test_fatal("sector %llu may hold too much", (unsigned long long)sector);
		count += crash_contents_index(&contents, bytes) == contents.count;
	}
	return count;
}

struct crash_report crash_compare(int minor, const struct crash_answers *answers)
{
	static unsigned char image[CRASH_SIZE];
	struct crash_finding flushes = crash_answers_check_flushes(answers);
	char log_path[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
	struct crash_report report = { .cuts = 0 };
	const struct crash_log_file *file;
	struct diagnostic diagnostic;
	struct crash_memory memory;
	struct crash_log log;
	struct crash_run run;

	test_path(log_path, CRASH_LOG_NAME);
	test_path(path, crash_devices[minor].file);
	note(&report, &flushes, 0, path);
	if (crash_log_read(&log, log_path, &diagnostic))
		test_fatal("%s", diagnostic.text);
	file = crash_log_find(&log, path);
	if (!file)
		test_fatal("%s: nothing was logged of %s", log_path, path);
	if (crash_log_prepare(file, WORK, &run, &memory, &diagnostic))
		test_fatal("%s", diagnostic.text);
	report.cuts = file->nr_cuts;
	for (size_t cut = 0; cut < file->nr_cuts; cut++)
		judge_cut(&report, &run, file, cut, answers, memory);
	test_image_read(crash_devices[minor].file, 0, image, sizeof(image));
	report.not_logged = count_not_logged(&run, image, memory);
	if (report.not_logged && !report.first[0])
		snprintf(report.first, sizeof(report.first), "%s: %zu sectors hold what the log does not explain", path,
			 report.not_logged);
	free(memory.start);
	crash_log_free(&log);
	return report;
}

void assert_crash_right(const struct crash_report *report)
{
	if (report->first[0])
		fail_msg("%s", report->first);
}

struct crash_report crash_judge_image(const char *name, const struct crash_answers *answers, uint64_t moment)
{
	static unsigned char image[CRASH_SIZE];
	struct crash_report report = { .cuts = 1 };

	test_image_read(name, 0, image, sizeof(image));
	for (uint64_t sector = 0; sector < CRASH_SIZE / CRASH_SECTOR; sector++) {
		struct crash_finding finding =
			crash_answers_check(answers, moment, sector, image + sector * CRASH_SECTOR);

		note(&report, &finding, 0, name);
	}
	return report;
}
