/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rdiskctl does without a server, or before it asks one: keys, configurations, its command line, completion. What
 * it asks a server is in test_rdiskctl.c.
 */
#include "rdiskctl_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <cJSON.h>

static char config[TEST_PATH_SIZE];

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		test_fatal("%s: %s", path, strerror(errno));
}

static const char good_config[] =
	"devices = ( { name = \"disk\"; image_file = \"d\"; replicated = true; } );\n"
	"replication = { set = \"main\"; insecure = true; state_dir = \"state\"; members = (\n"
	"{ node = 1; name = \"a\"; address = \"127.0.0.1\"; },\n"
	"{ node = 2; name = \"b\"; address = \"203.0.113.2\"; } ); control = \"socket\"; };\n";

static void test_socket_of_configuration(void **state)
{
	(void)state;
	write_file(config, good_config);
	assert_int_equal(RUN("-c", config, "status"), 0);
	assert_output("primary b, serving\n");
	write_file(config, "devices = ( { name = \"disk\"; image_file = \"d\"; } );\n");
	assert_int_equal(RUN("-c", config, "status"), 1);
	assert_complaint("no device is replicated");
	write_file(config, "devices = (\n");
	assert_int_equal(RUN("-c", config, "--json", "status"), 1);
	assert_json_error("bad-configuration", "test.cfg:");
}

static void test_check_config(void **state)
{
	cJSON *object;

	(void)state;
	write_file(config, good_config);
	assert_int_equal(RUN("-c", config, "check-config"), 0);
	assert_output("devices=1 (0 disk replicated)\n");
	assert_output("set=main members=2 (1 a 127.0.0.1:7300 this, 2 b 203.0.113.2:7300)");
	assert_non_null(strstr(process.log.text, "warning: the set has two votes"));
	assert_int_equal(RUN("-c", config, "check-config", "--json"), 0);
	assert_string_equal(process.log.text, "");
	object = cJSON_Parse(process.output.text);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(object, "warnings")), 2);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(object, "members")), 2);
	cJSON_Delete(object);
	/* The environment may name it, the command line comes first. */
	assert_int_equal(setenv("RDISK_CONFIG", config, 1), 0);
	assert_int_equal(RUN("check-config"), 0);
	assert_output("devices=1 (0 disk replicated)\n");
	assert_int_equal(setenv("RDISK_CONFIG", "/nonexistent/other.cfg", 1), 0);
	assert_int_equal(RUN("check-config"), 1);
	assert_complaint("/nonexistent/other.cfg");
	assert_int_equal(RUN("-c", config, "check-config"), 0);
	assert_int_equal(unsetenv("RDISK_CONFIG"), 0);
	write_file(config, "devices = (\n\n{ name = 1; } );\n");
	assert_int_equal(RUN("-c", config, "check-config"), 1);
	assert_complaint("test.cfg:3: name must be a string");
	assert_int_equal(RUN("-c", config, "check-config", "--json"), 1);
	assert_json_error("bad-configuration", "test.cfg:3: ");
}

static void test_keygen(void **state)
{
	char path[TEST_PATH_SIZE], text[80];
	struct stat status;
	FILE *file;

	(void)state;
	test_path(path, "new.key");
	assert_int_equal(RUN("keygen", path), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(text, 1, sizeof(text), file), 65);
	fclose(file);
	assert_int_equal(text[64], '\n');
	text[64] = '\0';
	assert_int_equal(strspn(text, "0123456789abcdef"), 64);
	assert_int_equal(RUN("keygen", path), 1);
	assert_complaint("not overwritten");
	assert_int_equal(RUN("keygen", "--json", path), 1);
	assert_json_error("failed", "not overwritten");
}

static void test_usage(void **state)
{
	static const struct {
		const char *arguments[6];
		const char *cause;
	} cases[] = {
		{ { NULL }, "a command is needed" },
		{ { "destroy" }, "unknown command \"destroy\"" },
		{ { "--colour" }, "bad option \"--colour\"" },
		{ { "-s" }, "needs a value" },
		{ { "-s", "x", "-c", "y", "status" }, "exclude each other" },
		{ { "status", "more" }, "takes no argument" },
		{ { "promote" }, "promote needs NODE" },
		{ { "promote", "a", "b" }, "unexpected argument \"b\"" },
		{ { "promote", "a", "--watch" }, "--watch is for status only" },
		{ { "promote", "a", "--yes" }, "--yes is not for promote" },
		{ { "force-primary", "--yes" }, "needs --dead NODE" },
		{ { "force-primary", "--dead", "a" }, "needs --yes: all that this host's member lacks is lost" },
		{ { "invalidate", "a" }, "needs --yes" },
		{ { "invalidate", "--yes" }, "needs NODE" },
		{ { "init", "a" }, "takes no argument" },
		{ { "init" }, "needs --from NODE" },
		{ { "status", "--from", "a" }, "--from is not for status" },
		{ { "status", "--dead", "a" }, "--dead is not for status" },
		{ { "status", "-t", "5" }, "--timeout is not for status" },
		{ { "promote", "a", "--timeout" }, "needs a value" },
		{ { "promote", "a", "-t", "soon" }, "from 0 to 1000000, not \"soon\"" },
		{ { "promote", "a", "-t", "" }, "from 0 to 1000000, not \"\"" },
		{ { "promote", "a", "-t", "-1" }, "from 0 to 1000000, not \"-1\"" },
		{ { "promote", "a", "-t", "1000001" }, "from 0 to 1000000, not \"1000001\"" },
		{ { "promote", "a", "-t", "99999999999999999999" }, "from 0 to 1000000" },
		{ { "keygen" }, "needs FILE" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *json[8] = { 0 };
		int count = 0;

		assert_int_equal(run(cases[i].arguments), 2);
		assert_complaint(cases[i].cause);
		assert_string_equal(process.output.text, "");
		for (; cases[i].arguments[count]; count++)
			json[count + 1] = cases[i].arguments[count];
		json[0] = "--json";
		assert_int_equal(run(json), 2);
		assert_json_error("usage", cases[i].cause);
	}
	assert_int_equal(RUN("--help"), 0);
	assert_output("force-primary --dead NODE[,NODE...] --yes");
	assert_int_equal(RUN("--version"), 0);
	assert_string_equal(process.output.text, "rdiskctl " RDISK_VERSION "\n");
	assert_int_equal(run((const char *const[]){ "keygen", "/dev/full", NULL }), 1);
}

/* What bash offers for a line that ends with a word that was begun. */
static void complete(const char *script, const char *line)
{
	static const char function[] =
		". \"$1\"; PATH=$3:$PATH; read -r -a COMP_WORDS <<<\"$2\"; [[ $2 != *' ' ]] || COMP_WORDS+=('')\n"
		"COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _${COMP_WORDS[0]}; printf '%s\\n' \"${COMPREPLY[@]}\"";
	const char *const arguments[] = { "/bin/bash", "-c", function, "bash", script, line, PROGRAMS, NULL };

	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_string_equal(process.log.text, "");
	assert_int_equal(test_process_exit_code(&process), 0);
}

static void test_completion(void **state)
{
	static const char *const commands[] = { "status", "promote",	  "force-primary", "invalidate",
						"init",	  "pause-resync", "resume-resync", "events",
						"keygen", "check-config" };
	char line[2 * TEST_PATH_SIZE];

	(void)state;
	complete(COMPLETION "/rdiskctl.bash", "rdiskctl ");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(line, sizeof(line), "%s\n", commands[i]);
		assert_output(line);
	}
	complete(COMPLETION "/rdiskctl.bash", "rdiskctl --json pause");
	assert_string_equal(process.output.text, "pause-resync\n");
	complete(COMPLETION "/rdiskctl.bash", "rdiskctl status --w");
	assert_string_equal(process.output.text, "--watch\n");
	complete(COMPLETION "/rdiskctl.bash", "rdiskctl init --ti");
	assert_string_equal(process.output.text, "--timeout\n");
	/* Members are those of the server. */
	snprintf(line, sizeof(line), "rdiskctl -s %s force-primary --dead ", socket_path);
	complete(COMPLETION "/rdiskctl.bash", line);
	assert_string_equal(process.output.text, "a\nb\nc\n");
	snprintf(line, sizeof(line), "rdiskctl -s %s promote b", socket_path);
	complete(COMPLETION "/rdiskctl.bash", line);
	assert_string_equal(process.output.text, "b\n");
	complete(COMPLETION "/rdisk.bash", "rdisk -U ");
	assert_string_equal(process.output.text, "FULL\nDIFF\n");
	complete(COMPLETION "/rdisk.bash", "rdisk --bo");
	assert_string_equal(process.output.text, "--boot-id-file\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_socket_of_configuration, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test(test_check_config),
		cmocka_unit_test(test_keygen),
		cmocka_unit_test(test_usage),
		cmocka_unit_test_setup_teardown(test_completion, rdiskctl_setup, rdiskctl_teardown),
	};

	rdiskctl_begin();
	test_path(config, "test.cfg");
	return cmocka_run_group_tests_name("rdiskctl alone", tests, NULL, NULL);
}
