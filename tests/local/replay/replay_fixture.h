/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs of this folder share: traces made as text, rdisk-replay run on them, and images. Included
 * once a program; one thread.
 */
#ifndef REPLAY_FIXTURE_H
#define REPLAY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_directory.h"
#include "test_process.h"
#include "test_server.h"

#define KIB(n) ((uint64_t)(n)*1024)
#define MIB(n) (KIB(n) * 1024)

/* The last rdisk-replay that was started. */
extern struct test_process replay;

/* A file of that text in the test's directory; its path. */
const char *make_file(const char *name, const char *text);

/* A trace in fio's third format of `body`, whose lines are "MICROSECONDS d read|write|... [OFFSET LENGTH]\n"; its path.
 */
const char *make_trace(const char *name, const char *body);

/* A trace of `count` operations that one seed gives: most are writes, some reads, few flushes, trims. Positions below
 * `size`. */
const char *make_mixed_trace(const char *name, unsigned int count, uint64_t size, unsigned int seed);

/* The path of a file in the test's directory; valid until some calls later. */
const char *path_of(const char *name);

/* Starts rdisk-replay with these arguments (NULL-terminated, the program left out). */
void replay_start(const char *const arguments[]);

/* The same and waits for its end; its exit status, 128 + n for a signal. */
int replay_run(const char *const arguments[]);

#define RUN(...)   replay_run((const char *const[]){ __VA_ARGS__, NULL })
#define START(...) replay_start((const char *const[]){ __VA_ARGS__, NULL })

/* The last run's exit status was `status`, and its stderr has `text` (NULL: is empty). */
void assert_run(int status, int expected, const char *text);

/* A number of the JSON that the last run wrote on stdout, by its path: "kinds.write.operations". Fails when there is
 * none. */
double json_number(const char *path);

/* Whether two images are equal in size and content. */
bool same_images(const char *a, const char *b);

/* Waits until the file is written to, `times` times or more. The watch is set before: watch_begin(). */
int watch_begin(const char *name);
void watch_writes(int watch, int times);

/* Teardown: whatever still runs is ended. */
int replay_discard(void **state);

#define REPLAY_TEST(function) cmocka_unit_test_teardown(function, replay_discard)

#endif
