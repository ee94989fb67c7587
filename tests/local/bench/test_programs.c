/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs that measure, for a moment each: they print what the report expects, and they fail with a message
 * when there is nothing to measure. What they print is not judged: it is a matter of the machine.
 */
#include <cjson/cJSON.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault_environment.h"
#include "test_server.h"

#define NR_DEVICES 8

static struct test_process process, peer;
static struct test_server server;

static void start_server(void)
{
	static struct test_device devices[NR_DEVICES];
	static char names[NR_DEVICES][16];

	test_runtime_new();
	for (int i = 0; i < NR_DEVICES; i++) {
		snprintf(names[i], sizeof(names[i]), "disk%d", i);
		devices[i] = (struct test_device){ .name = names[i], .file = names[i], .size = "2M" };
	}
	test_server_start(&server, devices, NR_DEVICES, NULL);
}

static int teardown(void **state)
{
	(void)state;
	test_process_discard(&process);
	test_process_discard(&peer);
	test_process_discard(&server.process);
	return 0;
}

static int run(const char *const arguments[])
{
	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	return test_process_exit_code(&process);
}

/* How many lines of the output are values above 0 with this name; all lines must be values. */
static int count_values(const char *kind, const char *name)
{
	static char text[TEST_STREAM_SIZE];
	char *rest = text, *line;
	int found = 0;

	memcpy(text, process.output.text, sizeof(text));
	while ((line = strsep(&rest, "\n")) != NULL && *line) {
		cJSON *object = cJSON_Parse(line);
		const char *text_of_kind = cJSON_GetStringValue(cJSON_GetObjectItem(object, kind));
		double value = cJSON_GetNumberValue(cJSON_GetObjectItem(object, "value"));

		if (!(value >= 0))
			fail_msg("\"%s\" has no value", line);
		if (text_of_kind && !strcmp(text_of_kind, name) && value > 0)
			found++;
		cJSON_Delete(object);
	}
	return found;
}

static void host_measures_rows_and_series(void **state)
{
	char dcid[16], endpoint[16], image[TEST_PATH_SIZE];
	const char *const arguments[] = { HOST_PROGRAM, "-d",	   dcid,    "-e",    endpoint, "-f",
					  image,	"-r",	   "2",	    "-s",    "0.01",   "rows",
					  "clients",	"devices", "depth", "sizes", NULL };

	(void)state;
	start_server();
	snprintf(dcid, sizeof(dcid), "%d", TEST_DCID);
	snprintf(endpoint, sizeof(endpoint), "%d", TEST_SERVER_ENDPOINT);
	test_path(image, "disk0");
	if (run(arguments))
		fail_msg("it failed: %s", process.log.text);
	assert_int_equal(count_values("row", "host-latency"), 2);
	assert_int_equal(count_values("row", "host-flight"), 2);
	assert_int_equal(count_values("row", "host-sequential"), 4);
	assert_int_equal(count_values("series", "clients"), 2 * 4);
	assert_int_equal(count_values("series", "devices"), 2 * 16);
	assert_int_equal(count_values("series", "host-depth"), 2 * 8);
	assert_int_equal(count_values("series", "sizes"), 2 * 7);
	assert_int_equal(test_server_stop(&server), 0);
}

/* Two devices, of which the second may be on a disk whose operations take longer. */
static void start_slow_server(const char *type)
{
	const struct test_device devices[] = {
		{ .name = "fast", .file = "fast", .size = "4M", .shared = true },
		{ .name = "slow", .type = type, .file = type ? NULL : "slow", .size = "4M", .shared = true },
	};
	struct fault_environment environment;

	test_runtime_new();
	fault_environment_set(&environment, "none:1");
	fault_environment_delay(&environment, 1);
	test_server_start(&server, devices, 2, environment.variables);
}

static int count_lines(const char *name)
{
	char word[64];
	int found = 0;

	snprintf(word, sizeof(word), "\"row\": \"%s\"", name);
	for (const char *at = strstr(process.output.text, word); at; at = strstr(at + 1, word))
		found++;
	return found;
}

/* A client beside one whose requests wait for a slow disk; where nothing waits there is nothing to measure. */
static void host_measures_beside_a_slow_disk(void **state)
{
	char dcid[16], endpoint[16];
	const char *const arguments[] = { HOST_PROGRAM, "-d", dcid,   "-e",   endpoint, "-r",
					  "2",		"-s", "0.01", "slow", NULL };

	(void)state;
	snprintf(dcid, sizeof(dcid), "%d", TEST_DCID);
	snprintf(endpoint, sizeof(endpoint), "%d", TEST_SERVER_ENDPOINT);
	start_slow_server(NULL);
	if (run(arguments))
		fail_msg("it failed: %s", process.log.text);
	assert_int_equal(count_values("row", "slow-other"), 4);
	assert_int_equal(count_values("row", "slow-same"), 4);
	assert_int_equal(count_lines("slow-load"), 2);
	assert_int_equal(test_server_stop(&server), 0);

	start_slow_server("MEMORY_IMAGE");
	assert_int_equal(run(arguments), 1);
	assert_non_null(strstr(process.log.text, "the disk is not slow"));
	assert_int_equal(test_server_stop(&server), 0);
}

static void ipc_measures_messages_and_copies(void **state)
{
	const char *const arguments[] = { IPC_PROGRAM, "1", "0.01", NULL };

	(void)state;
	start_server();
	if (run(arguments))
		fail_msg("it failed: %s", process.log.text);
	assert_int_equal(count_values("row", "ipc-sendrec"), 1);
	assert_int_equal(count_values("row", "ipc-vcopy"), 1);
	assert_int_equal(count_values("row", "ipc-vcopy-plain"), 1);
	assert_int_equal(test_server_stop(&server), 0);
}

static void usage_measures_processes(void **state)
{
	char group[64], pid[16];
	const char *const cpu[] = { USAGE_PROGRAM, "cpu", "1", "1", group, NULL };
	const char *const memory[] = { USAGE_PROGRAM, "memory", "1", pid, NULL };

	(void)state;
	/* Its own parent: that it descends from, so that some time at least is counted. */
	snprintf(group, sizeof(group), "rdisk=%d", getpid());
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (run(cpu))
		fail_msg("it failed: %s", process.log.text);
	assert_int_equal(count_values("row", "idle"), 1);
	if (run(memory))
		fail_msg("it failed: %s", process.log.text);
	assert_int_equal(count_values("row", "memory"), 1);
}

/* What rdisk-replay says becomes a value; what is not the whole trace's time is refused. */
static void replay_is_measured(void **state)
{
	static const char script[] =
		"\"$0\" -d \"$2\" -e \"$3\" --speed max --map wrap --writes \"$4\" --quiet --json - \"$5\""
		" | \"$1\" replay-sample rdisk 1";
	char dcid[16], endpoint[16];
	const char *const real[] = { "/bin/sh", "-c",	  script, REPLAY_PROGRAM, REPLAY_RESULT_PROGRAM,
				     dcid,	endpoint, "real", TRACE,	  NULL };
	const char *const discard[] = { "/bin/sh", "-c",     script,	REPLAY_PROGRAM, REPLAY_RESULT_PROGRAM,
					dcid,	   endpoint, "discard", TRACE,		NULL };
	const char *const no_result[] = { "/bin/sh", "-c", "\"$0\" replay-sample rdisk 1 </dev/null",
					  REPLAY_RESULT_PROGRAM, NULL };

	(void)state;
	start_server();
	snprintf(dcid, sizeof(dcid), "%d", TEST_DCID);
	snprintf(endpoint, sizeof(endpoint), "%d", TEST_SERVER_ENDPOINT);
	if (run(real))
		fail_msg("it failed: %s", process.log.text);
	assert_int_equal(count_values("row", "replay-sample"), 1);
	assert_int_not_equal(run(discard), 0);
	assert_non_null(strstr(process.log.text, "discarded is "));
	assert_int_equal(test_server_stop(&server), 0);
	assert_int_not_equal(run(no_result), 0);
	assert_non_null(strstr(process.log.text, "no result of rdisk-replay"));
}

/* A peer, which is ready to be written to; its port. `key` may be NULL. */
static const char *start_peer(const char *file, const char *key)
{
	const char *const secure[] = { FLOOR_PROGRAM, "serve", "--port", "0", file, "--key", key, NULL };
	const char *const clear[] = { FLOOR_PROGRAM, "serve", "--port", "0", file, NULL };
	static const char before[] = "listening on port ";
	static char port[16];
	const char *text;

	test_process_start(&peer, key ? secure : clear, NULL);
	if (!test_process_wait_log(&peer, "\n", TEST_TIMEOUT_MS))
		fail_msg("the peer has ended: %s", peer.log.text);
	text = strstr(peer.log.text, before);
	assert_non_null(text);
	snprintf(port, sizeof(port), "%d", atoi(text + strlen(before)));
	return port;
}

static void make_key(char path[TEST_PATH_SIZE], const char *name, int byte)
{
	FILE *file;

	test_path(path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	for (int i = 0; i < 32; i++)
		assert_int_equal(fputc(byte, file), byte);
	assert_int_equal(fclose(file), 0);
}

static void assert_measured(bool tls, const char *writer)
{
	cJSON *object = cJSON_Parse(process.output.text);

	assert_non_null(object);
	assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(object, "tls")), tls);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(object, "writer")), writer);
	assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(object, "p50_us")) > 0);
	assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(object, "writes_per_s")) > 0);
	cJSON_Delete(object);
}

/* One peer, in the clear and with TLS, by writers of all kinds; what they leave in both files is the same. */
static void floor_measures_writes(void **state)
{
	char key[TEST_PATH_SIZE], other[TEST_PATH_SIZE], mine[TEST_PATH_SIZE], theirs[TEST_PATH_SIZE];
	const char *const same[] = { "/usr/bin/cmp", mine, theirs, NULL };

	(void)state;
	test_runtime_new();
	make_key(key, "floor.key", 1);
	make_key(other, "other.key", 2);
	test_path(mine, "floor.1");
	test_path(theirs, "floor.2");
	for (int tls = 0; tls <= 1; tls++) {
		const char *port = start_peer(theirs, tls ? key : NULL);
		/* What follows the last word of the clear one is left out. */
		const char *const polls[] = { FLOOR_PROGRAM,
					      "write",
					      "--port",
					      port,
					      "--count",
					      "20",
					      "--size",
					      "1048576",
					      mine,
					      "127.0.0.1",
					      tls ? "--key" : NULL,
					      key,
					      NULL };
		const char *const sleeps[] = {
			FLOOR_PROGRAM, "write", "--port", port, "--count", "50",	"--sleep",
			"--in-flight", "16",	"--spin", "10", mine,	   "127.0.0.1", tls ? "--key" : NULL,
			key,	       NULL
		};
		const char *const refused[] = { FLOOR_PROGRAM, "write", "--port", port, mine,
						"127.0.0.1",   "--key", other,	  NULL };

		if (run(polls))
			fail_msg("it failed: %s", process.log.text);
		assert_measured(tls, "polls");
		if (run(sleeps))
			fail_msg("it failed: %s", process.log.text);
		assert_measured(tls, "sleeps");
		if (tls) {
			assert_int_equal(run(refused), 1);
			assert_non_null(strstr(process.log.text, "the other end is refused"));
			/* It has said so, and goes on for others. */
			if (run(polls))
				fail_msg("it failed: %s", process.log.text);
		}
		assert_int_equal(test_process_stop(&peer, SIGTERM), 128 + SIGTERM);
		if (run(same))
			fail_msg("the files differ: %s", process.output.text);
	}
}

static void nothing_to_measure_is_an_error(void **state)
{
	char image[TEST_PATH_SIZE];
	const char *const no_server[] = { HOST_PROGRAM, "clients", NULL };
	const char *const no_subject[] = { HOST_PROGRAM, "nothing", NULL };
	const char *const no_node[] = { IPC_PROGRAM, "1", "0.01", NULL };
	const char *const no_peer[] = { FLOOR_PROGRAM, "write", "--port", "1", image, "127.0.0.1", NULL };
	const char *const no_process[] = { USAGE_PROGRAM, "cpu", "1", "1", "rdisk=999999999", NULL };

	(void)state;
	test_runtime_new();
	test_path(image, "floor.1");
	assert_int_equal(run(no_server), 1);
	assert_non_null(strstr(process.log.text, "failed in round 1"));
	assert_int_equal(run(no_subject), 1);
	assert_non_null(strstr(process.log.text, "\"nothing\""));
	assert_int_equal(run(no_node), 1);
	assert_non_null(strstr(process.log.text, "cannot start container 0"));
	assert_int_equal(run(no_process), 1);
	assert_non_null(strstr(process.log.text, "no process 999999999"));
	assert_int_equal(run(no_peer), 1);
	assert_non_null(strstr(process.log.text, "cannot connect to 127.0.0.1 port 1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(host_measures_rows_and_series, teardown),
		cmocka_unit_test_teardown(host_measures_beside_a_slow_disk, teardown),
		cmocka_unit_test_teardown(ipc_measures_messages_and_copies, teardown),
		cmocka_unit_test_teardown(usage_measures_processes, teardown),
		cmocka_unit_test_teardown(replay_is_measured, teardown),
		cmocka_unit_test_teardown(floor_measures_writes, teardown),
		cmocka_unit_test_teardown(nothing_to_measure_is_an_error, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
