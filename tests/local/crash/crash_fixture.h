/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that logs what it does to its images, and the comparison of that with what its clients were answered. One
 * thread. An image's content at first is the pattern with the number 0.
 */
#ifndef CRASH_FIXTURE_H
#define CRASH_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crash_answers.h"
#include "test_server.h"

#define CRASH_LOG_NAME "server.log"
#define CRASH_DEVICES  6
#define CRASH_SIZE     (256 * 1024) /* bytes of each image */

/* The server's devices: "0.img" and so on; anybody may open them. */
extern const struct test_device crash_devices[CRASH_DEVICES];

/* What came of a comparison. */
struct crash_report {
	size_t cuts;	 /* moments at which the power was cut */
	uint64_t checks; /* contents of sectors that were judged */
	uint64_t wrong[NR_CRASH_VERDICTS];
	size_t not_logged; /* sectors of the image that hold what the log does not explain */
	char first[400];   /* the first that was wrong, for a message; "": nothing was */
};

extern struct test_server crash_server;

/* Whether there is no disk behind the images: nothing waits for one then, and the server may make stable otherwise. */
bool crash_images_are_in_memory(void);

/*
 * Makes new images and an empty log, and starts a server with it. `fault` and `hold` as in crash_environment_set(). It
 * logs the images of the first `devices` devices.
 */
void crash_server_start(int devices, const char *fault, const char *hold);

/* Starts it again, with the images and the log as they are, or with no log but an empty one. */
void crash_server_restart(int devices, bool new_log);

/* Teardown of every test: after a failure the server still runs. */
int crash_server_discard(void **state);

/*
 * Cuts the power at every moment of the log and judges every content that any sector may then have by the answers; then
 * the image of that minor as it is by the log. The server has ended.
 */
struct crash_report crash_compare(int minor, const struct crash_answers *answers);

/* Nothing was wrong; else the test fails with the report's message. */
void assert_crash_right(const struct crash_report *report);

/* Judges a whole image file (a name in the test's directory) as it would be after a power cut at `moment`. */
struct crash_report crash_judge_image(const char *name, const struct crash_answers *answers, uint64_t moment);

#endif
