/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See member_set.h. RDISK_PROGRAM and RDISKCTL_PROGRAM come from the build.
 */
#include "member_set.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <cJSON.h>

#include "test_server.h"

#define ARGUMENTS_MAX 16
#define LOOK_NS	      20000000 /* between two looks at a status: nothing tells of a change without a connection */

struct set_member set_members[MEMBERS];
struct test_process member_ctl;
static unsigned int sets; /* made so far */

/* The same configuration for all; addresses are of this process alone. */
static void write_config(const struct set_member *member)
{
	FILE *file = fopen(member->config, "w");
	unsigned int high = 1 + (unsigned int)getpid() / 256 % 254, low = (unsigned int)getpid() % 256;

	if (!file)
		test_fatal("%s: %s", member->config, strerror(errno));
	fprintf(file,
		"devices = ( { name = \"disk\"; image_file = \"disk.img\"; size = \"%d\"; replicated = true; } );\n",
		MEMBER_SET_SIZE);
	fprintf(file, "replication = { set = \"test\"; insecure = true; group = \"beacons\"; lease_ms = 500;\n"
		      "replica_timeout_ms = 2000; state_dir = \"state\"; control = \"control\"; members = (\n");
	for (int i = 0; i < MEMBERS; i++)
		fprintf(file, "{ node = %d; name = \"%c\"; address = \"127.%u.%u.%d\"; port = 7300;%s }%s\n", i + 1,
			'a' + i, high, low, i + 1, i == MEMBER_C ? " diskless = true;" : "",
			i + 1 < MEMBERS ? "," : "");
	fprintf(file, "); };\n");
	if (fclose(file))
		test_fatal("%s: %s", member->config, strerror(errno));
}

static void make_path(char path[TEST_PATH_SIZE], const char *folder, const char *name)
{
	if (snprintf(path, TEST_PATH_SIZE, "%s/%s", folder, name) >= TEST_PATH_SIZE)
		test_fatal("the path of %s in %s is too long", name, folder);
}

void member_set_make(void)
{
	sets++;
	for (int i = 0; i < MEMBERS; i++) {
		struct set_member *member = &set_members[i];
		char name[16];

		*member = (struct set_member){ .name = { (char)('a' + i), '\0' } };
		snprintf(name, sizeof(name), "%s%u", member->name, sets);
		test_path(member->folder, name);
		make_path(member->config, member->folder, "rdisk.cfg");
		make_path(member->runtime, member->folder, "node");
		if (mkdir(member->folder, 0700) || mkdir(member->runtime, 0700))
			test_fatal("%s: %s", member->folder, strerror(errno));
		write_config(member);
	}
}

void member_change(int member, const char *from, const char *to)
{
	const char *path = set_members[member].config;
	char text[4096];
	FILE *file = fopen(path, "r+");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	const char *place;

	text[length] = '\0';
	place = strstr(text, from);
	if (!file || !place) {
		if (file)
			fclose(file);
		test_fatal("%s: there is no \"%s\"", path, from);
		return;
	}
	rewind(file);
	fprintf(file, "%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
	if (fflush(file) || ftruncate(fileno(file), ftell(file)) || fclose(file))
		test_fatal("%s: %s", path, strerror(errno));
}

void member_launch(int index, const char *const arguments[])
{
	struct set_member *member = &set_members[index];
	char runtime[TEST_PATH_SIZE + sizeof("DVK_RUNTIME_DIR=")], dcid[16], endpoint[16];
	const char *all[ARGUMENTS_MAX] = { RDISK_PROGRAM, "-d",		  dcid,	    "-e",	 endpoint,
					   "-c",	  member->config, "--node", member->name };
	const char *const environment[] = { runtime, NULL };

	snprintf(dcid, sizeof(dcid), "%d", TEST_DCID);
	snprintf(endpoint, sizeof(endpoint), "%d", TEST_SERVER_ENDPOINT);
	snprintf(runtime, sizeof(runtime), "DVK_RUNTIME_DIR=%s", member->runtime);
	for (int i = 0; arguments && arguments[i]; i++)
		all[9 + i] = arguments[i];
	test_process_start(&member->rdisk, all, environment);
}

void member_start(int index, const char *const arguments[])
{
	member_launch(index, arguments);
	if (!test_process_wait_log(&set_members[index].rdisk, "rdisk: ready", TEST_TIMEOUT_MS))
		fail_msg("member %s did not get ready; its log:\n%s", set_members[index].name,
			 set_members[index].rdisk.log.text);
}

void member_promote(int member, const char *name)
{
	const struct timespec between = { .tv_nsec = LOOK_NS };
	const time_t limit = time(NULL) + TEST_TIMEOUT_MS / 1000;

	while (MEMBER_ORDER(member, "promote", name)) {
		if (time(NULL) > limit)
			fail_msg("%s is not promoted: %s", name, member_ctl.log.text);
		nanosleep(&between, NULL);
	}
}

void member_set_start(void)
{
	for (int i = 0; i < MEMBERS; i++)
		member_start(i, NULL);
	member_await(MEMBER_A, NULL, "b");
	member_promote(MEMBER_A, "a");
	member_await(MEMBER_B, "a", "b");
}

void member_set_end(void)
{
	/* The primary last: it has nobody to hand over to any more. */
	for (int i = MEMBERS - 1; i >= 0; i--) {
		struct set_member *member = &set_members[i];
		int status;

		if (!member->rdisk.pid)
			continue;
		status = test_process_stop(&member->rdisk, SIGTERM);
		if (status)
			fail_msg("member %s ended with status %d; its log:\n%s", member->name, status,
				 member->rdisk.log.text);
	}
}

void member_set_discard(void)
{
	test_process_discard(&member_ctl);
	for (int i = 0; i < MEMBERS; i++)
		test_process_discard(&set_members[i].rdisk);
}

int member_set_setup(void **state)
{
	(void)state;
	member_set_make();
	return 0;
}

int member_set_teardown(void **state)
{
	(void)state;
	member_set_discard();
	return 0;
}

int member_order(int member, const char *const arguments[])
{
	const char *all[ARGUMENTS_MAX] = { RDISKCTL_PROGRAM, "-c", set_members[member].config };

	for (int i = 0; arguments[i]; i++)
		all[3 + i] = arguments[i];
	test_process_start(&member_ctl, all, NULL);
	if (!test_process_wait_end(&member_ctl, TEST_TIMEOUT_MS)) {
		test_process_discard(&member_ctl);
		fail_msg("rdiskctl %s did not end", arguments[0]);
	}
	return test_process_exit_code(&member_ctl);
}

/* NULL: it does not answer. The caller deletes it. */
static cJSON *status_of(int member)
{
	cJSON *status;

	(void)MEMBER_ORDER(member, "--json", "status");
	status = cJSON_Parse(member_ctl.output.text);
	if (cJSON_GetObjectItemCaseSensitive(status, "version"))
		return status;
	cJSON_Delete(status);
	return NULL;
}

static bool is(const cJSON *object, const char *key, const char *value)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text && !strcmp(text, value);
}

static bool is_so(const cJSON *status, const char *primary, const char *in_sync)
{
	const cJSON *item;
	bool found = !in_sync;

	if (primary &&
	    (!is(status, "primary", primary) || !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(status, "serving"))))
		return false;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(status, "members"))
	{
		if (!found && is(item, "name", in_sync))
			found = is(item, "state", "in-sync");
	}
	return found;
}

void member_await(int member, const char *primary, const char *in_sync)
{
	const struct timespec between = { .tv_nsec = LOOK_NS };
	const time_t limit = time(NULL) + TEST_TIMEOUT_MS / 1000;

	for (;;) {
		cJSON *status = status_of(member);
		bool so = is_so(status, primary, in_sync);

		cJSON_Delete(status);
		if (so)
			return;
		if (time(NULL) > limit)
			fail_msg("%s does not serve, or %s is not in sync, as %s sees it: %s", primary ? primary : "-",
				 in_sync ? in_sync : "-", set_members[member].name, member_ctl.output.text);
		nanosleep(&between, NULL);
	}
}

void member_await_blocked(int member, const char *text)
{
	const struct timespec between = { .tv_nsec = LOOK_NS };
	const time_t limit = time(NULL) + TEST_TIMEOUT_MS / 1000;

	for (;;) {
		cJSON *status = status_of(member);
		bool so = is(status, "blocked", text) &&
			  cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(status, "serving"));

		cJSON_Delete(status);
		if (so)
			return;
		if (time(NULL) > limit)
			fail_msg("%s does not say \"%s\": %s", set_members[member].name, text, member_ctl.output.text);
		nanosleep(&between, NULL);
	}
}

double member_epoch(int member)
{
	cJSON *status = status_of(member);
	double epoch = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(status, "epoch"));

	cJSON_Delete(status);
	return epoch;
}
