/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See replay_fixture.h.
 */
#include "replay_fixture.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#define PATHS	      16
#define ARGUMENTS_MAX 40

struct test_process replay;

const char *path_of(const char *name)
{
	static char paths[PATHS][TEST_PATH_SIZE];
	static unsigned int next;
	char *path = paths[next++ % PATHS];

	test_path(path, name);
	return path;
}

const char *make_file(const char *name, const char *text)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		test_fatal("%s: %s", path, strerror(errno));
	return path;
}

static FILE *begin_trace(const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		test_fatal("%s: %s", path, strerror(errno));
	fprintf(file, "fio version 3 iolog\n0 d add\n0 d open\n");
	return file;
}

const char *make_trace(const char *name, const char *body)
{
	const char *path = path_of(name);
	FILE *file = begin_trace(path);

	fputs(body, file);
	if (fclose(file))
		test_fatal("%s: %s", path, strerror(errno));
	return path;
}

const char *make_mixed_trace(const char *name, unsigned int count, uint64_t size, unsigned int seed)
{
	const char *path = path_of(name);
	FILE *file = begin_trace(path);

	for (unsigned int i = 0; i < count; i++) {
		unsigned int what = (unsigned int)rand_r(&seed) % 100;
		uint64_t length = 512u * (1u + (unsigned int)rand_r(&seed) % 64u);
		uint64_t at = (uint64_t)rand_r(&seed) % ((size - length) / 512) * 512;

		if (what < 4)
			fprintf(file, "%u d datasync 0 0\n", i * 1000);
		else
			fprintf(file, "%u d %s %llu %llu\n", i * 1000,
				what < 30   ? "read"
				: what < 34 ? "trim"
					    : "write",
				(unsigned long long)at, (unsigned long long)length);
	}
	if (fclose(file))
		test_fatal("%s: %s", path, strerror(errno));
	return path;
}

void replay_start(const char *const arguments[])
{
	const char *all[ARGUMENTS_MAX] = { REPLAY_PROGRAM };

	for (size_t i = 0; arguments[i]; i++) {
		if (i + 2 >= ARGUMENTS_MAX)
			test_fatal("too many arguments");
		all[i + 1] = arguments[i];
	}
	test_process_start(&replay, all, NULL);
}

int replay_run(const char *const arguments[])
{
	replay_start(arguments);
	return test_process_stop(&replay, 0);
}

void assert_run(int status, int expected, const char *text)
{
	if (status != expected || (text ? !strstr(replay.log.text, text) : replay.log.length > 0))
		fail_msg("status %d (expected %d); stderr should have \"%s\":\n%s\nstdout:\n%s", status, expected,
			 text ? text : "", replay.log.text, replay.output.text);
}

double json_number(const char *path)
{
	cJSON *json = cJSON_Parse(replay.output.text);
	const cJSON *item = json;
	char copy[128], *rest = copy, *key;
	double value;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	while (item && (key = strsep(&rest, ".")))
		item = cJSON_GetObjectItemCaseSensitive(item, key);
	if (!cJSON_IsNumber(item))
		fail_msg("there is no number %s in: %s", path, replay.output.text);
	value = item->valuedouble;
	cJSON_Delete(json);
	return value;
}

static int open_image(const char *name)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		test_fatal("%s: %s", name, strerror(errno));
	return fd;
}

bool same_images(const char *a, const char *b)
{
	static unsigned char of_a[65536], of_b[65536];
	int fd_a = open_image(a), fd_b = open_image(b);
	bool same = true;
	ssize_t got;

	while (same && (got = read(fd_a, of_a, sizeof(of_a))) > 0)
		same = read(fd_b, of_b, sizeof(of_b)) == got && !memcmp(of_a, of_b, (size_t)got);
	same = same && read(fd_b, of_b, 1) == 0;
	(void)close(fd_a);
	(void)close(fd_b);
	return same;
}

int watch_begin(const char *name)
{
	int watch = inotify_init1(IN_CLOEXEC);

	if (watch < 0 || inotify_add_watch(watch, path_of(name), IN_MODIFY) < 0)
		test_fatal("inotify: %s", strerror(errno));
	return watch;
}

void watch_writes(int watch, int times)
{
	struct inotify_event event;

	while (times-- > 0) {
		struct pollfd polled = { .fd = watch, .events = POLLIN };

		/* Equal events that nobody has read yet are one; each write while nobody waits counts once at least. */
		if (poll(&polled, 1, TEST_TIMEOUT_MS) != 1 || read(watch, &event, sizeof(event)) != sizeof(event))
			test_fatal("the image was not written; the replay says: %s", replay.log.text);
	}
	(void)close(watch);
}

int replay_discard(void **state)
{
	(void)state;
	test_process_discard(&replay);
	return 0;
}
