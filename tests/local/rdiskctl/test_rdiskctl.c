/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdiskctl against the server's control socket, behind which is a process that says what the test wants: what is asked,
 * what is printed, how it ends. And what it does without a server: keys, configurations, its command line, completion.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <cJSON.h>

#include "coarse_clock.h"
#include "control.h"
#include "test_directory.h"
#include "test_process.h"

/* What the server and the test share. The server's while it has not said that something came. */
struct shared {
	struct control_status status;
	int code;	  /* of the next order */
	char why[128];	  /* of it */
	char what[128];	  /* the last order, and whom it named */
	uint64_t timeout; /* that it was given, if it takes its time */
};

static struct shared *shared;
static struct replication_configuration replication;
static char config[TEST_PATH_SIZE], socket_path[TEST_PATH_SIZE];
static struct test_process process;

/* The server's process, and the test's end of a socket to it: a byte in is an order to it, a byte out an order it got.
 */
static pid_t server;
static int to_server = -1;

/* ---- the server ---- */

static int from_test;
static struct control *control;
static uint64_t last_order;

__attribute__((format(printf, 3, 4))) static int take_order(uint64_t order, struct diagnostic *why, const char *format,
							    ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(shared->what, sizeof(shared->what), format, arguments);
	va_end(arguments);
	last_order = order;
	if (shared->why[0])
		diagnostic_set(why, "%s", shared->why);
	if (send(from_test, "o", 1, 0) != 1)
		_exit(1);
	return shared->code;
}

static void tell_status(void *user, uint64_t now, struct control_status *status)
{
	(void)user;
	(void)now;
	*status = shared->status;
}

static int promote(void *user, uint64_t now, uint64_t order, int member, uint64_t timeout, struct diagnostic *why)
{
	(void)user;
	(void)now;
	shared->timeout = timeout;
	return take_order(order, why, "promote %d", member);
}

static int force(void *user, uint64_t now, uint64_t order, unsigned int dead, uint64_t timeout, struct diagnostic *why)
{
	(void)user;
	(void)now;
	shared->timeout = timeout;
	return take_order(order, why, "force %u", dead);
}

static int invalidate(void *user, uint64_t now, uint64_t order, int member, struct diagnostic *why)
{
	(void)user;
	(void)now;
	return take_order(order, why, "invalidate %d", member);
}

static int init(void *user, uint64_t now, uint64_t order, int from, struct diagnostic *why)
{
	(void)user;
	(void)now;
	return take_order(order, why, "init %d", from);
}

static int pause_resync(void *user, uint64_t now, uint64_t order, struct diagnostic *why)
{
	(void)user;
	(void)now;
	return take_order(order, why, "pause");
}

static int resume_resync(void *user, uint64_t now, uint64_t order, struct diagnostic *why)
{
	(void)user;
	(void)now;
	return take_order(order, why, "resume");
}

/* 'a': answers the last order; 'l': says that it is late; 'e': an event happens. */
static void obey_test(void)
{
	char byte;

	if (recv(from_test, &byte, 1, 0) != 1)
		_exit(0);
	if (byte == 'a')
		control_answer(control, last_order, 0, "b serves");
	if (byte == 'l')
		control_answer(control, last_order, -ETIMEDOUT, "b does not serve after 5 s: a is still the primary");
	if (byte == 'e')
		control_event(control, &(struct control_event){ CONTROL_EVENT_EPOCH, 7, 1, NULL, "text" });
}

static _Noreturn void run_server(void)
{
	static const struct control_orders orders = { tell_status, promote,	 force,	       invalidate,
						      init,	   pause_resync, resume_resync };
	struct diagnostic diagnostic = { "" };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (control_open(&control, &replication, &orders, NULL, &diagnostic))
		test_fatal("%s", diagnostic.text);
	if (send(from_test, "r", 1, 0) != 1)
		_exit(1);
	for (;;) {
		struct pollfd descriptors[2] = { { .fd = control_descriptor(control), .events = POLLIN },
						 { .fd = from_test, .events = POLLIN } };

		(void)poll(descriptors, 2, -1);
		if (descriptors[0].revents)
			control_turn(control, 1);
		if (descriptors[1].revents)
			obey_test();
	}
}

/* ---- the test's side ---- */

/* Waits until the server says that: 'r' it runs, 'o' it got an order. */
static void await_server(char expected)
{
	struct pollfd descriptor = { .fd = to_server, .events = POLLIN };
	char byte;

	if (poll(&descriptor, 1, TEST_TIMEOUT_MS) != 1 || recv(to_server, &byte, 1, 0) != 1)
		fail_msg("the server said nothing");
	else
		assert_int_equal(byte, expected);
}

static void tell_server(const char *byte)
{
	assert_int_equal(send(to_server, byte, 1, MSG_NOSIGNAL), 1);
}

static void start_server(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	server = fork();
	if (server == 0) {
		close(ends[0]);
		from_test = ends[1];
		run_server();
	}
	assert_true(server > 0);
	close(ends[1]);
	to_server = ends[0];
	await_server('r');
}

static void stop_server(void)
{
	if (server <= 0)
		return;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(to_server);
	server = 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		test_fatal("%s: %s", path, strerror(errno));
}

/* Two in sync and a diskless one, all well; b is primary, this is a. */
static int setup(void **state)
{
	(void)state;
	replication = (struct replication_configuration){ .nr_members = 3, .control = socket_path, .min_in_sync = 1 };
	snprintf(replication.set, sizeof(replication.set), "main");
	memset(shared, 0, sizeof(*shared));
	shared->status = (struct control_status){ .born = true,
						  .generation = 1,
						  .epoch = 12,
						  .primary = 1,
						  .serving = true,
						  .quorate = true,
						  .nr_devices = 1 };
	shared->status.devices[0] = (struct control_device){ 0, "disk", "id-1", 1536ull << 20 };
	for (int i = 0; i < 3; i++) {
		replication.members[i] = (struct replication_member){ .node = i + 1, .diskless = i == 2 };
		replication.members[i].name[0] = (char)('a' + i);
		shared->status.members[i] =
			(struct control_member){ .connected = true, .state = CONTROL_STATE_IN_SYNC };
	}
	shared->status.members[0].role = CONTROL_ROLE_BACKUP;
	shared->status.members[1].role = CONTROL_ROLE_PRIMARY;
	shared->status.members[2].role = CONTROL_ROLE_DISKLESS;
	start_server();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_process_discard(&process);
	stop_server();
	return 0;
}

static void start(const char *const arguments[])
{
	const char *all[16] = { RDISKCTL_PROGRAM };

	for (int i = 0; arguments[i]; i++)
		all[i + 1] = arguments[i];
	test_process_start(&process, all, NULL);
}

/* Runs it to its end; the exit status. */
static int run(const char *const arguments[])
{
	start(arguments);
	if (!test_process_wait_end(&process, TEST_TIMEOUT_MS)) {
		test_process_discard(&process);
		fail_msg("it did not end");
	}
	return test_process_exit_code(&process);
}

#define RUN(...)      run((const char *const[]){ __VA_ARGS__, NULL })
#define ASK(...)      RUN("-s", socket_path, __VA_ARGS__)
#define ASK_JSON(...) RUN("-s", socket_path, "--json", __VA_ARGS__)

static void assert_output(const char *text)
{
	if (!strstr(process.output.text, text))
		fail_msg("\"%s\" is not in: %s", text, process.output.text);
}

static void assert_no_output(const char *text)
{
	if (strstr(process.output.text, text))
		fail_msg("\"%s\" is in: %s", text, process.output.text);
}

/* Its standard error is one line that has the text. */
static void assert_complaint(const char *text)
{
	const char *line = process.log.text;

	assert_int_equal(strncmp(line, "rdiskctl: error: ", 17), 0);
	if (!strstr(line, text) || strchr(line, '\n') != line + strlen(line) - 1)
		fail_msg("\"%s\" is not in: %s", text, line);
}

/* It printed nothing but an error as JSON. */
static void assert_json_error(const char *code, const char *cause)
{
	cJSON *object = cJSON_Parse(process.output.text);
	const char *said = cJSON_GetStringValue(cJSON_GetObjectItem(object, "message"));

	assert_string_equal(process.log.text, "");
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(object, "error")), code);
	if (!said || !strstr(said, cause))
		fail_msg("\"%s\" is not in: %s", cause, process.output.text);
	cJSON_Delete(object);
}

/* ---- status ---- */

static void test_status(void **state)
{
	struct control_status *status = &shared->status;

	(void)state;
	assert_int_equal(ASK("status"), 0);
	assert_output("set main, epoch 12, generation 1, 00000000-");
	assert_output("primary b, serving\n");
	assert_output("a                    1  backup    in-sync    this host     nothing\n");
	assert_output("c                    3  diskless  -          connected     -\n");
	assert_output("    0  disk             1.5 GiB     id-1\n");
	assert_no_output("to do");

	status->members[1].connected = false;
	status->members[0].state = CONTROL_STATE_RESYNCING;
	status->members[0].out_of_sync = 600ull << 20;
	status->members[0].resync =
		(struct control_resync){ CONTROL_RESYNC_BITMAP, 424ull << 20, 1ull << 30, 90ull << 20, 150 };
	assert_int_equal(ASK("status"), 4);
	assert_output("600 MiB  424 MiB of 1.0 GiB, 90.0 MiB/s, 2 min left (bitmap)\n");
	assert_output("NOT THERE");
	assert_output("- not there: b. Start rdisk there");
	status->members[1].connected = true;
	assert_int_equal(ASK("status"), 4);
	assert_output("- nothing: who is not in sync is brought up");
	status->resync_paused = true;
	assert_int_equal(ASK("status"), 4);
	assert_output("- bringing up is paused: rdiskctl resume-resync");
	status->members[0].state = CONTROL_STATE_EXCLUDED;
	assert_int_equal(ASK("status"), 4);
	assert_output("- excluded: a.");
}

static void test_status_not_serving(void **state)
{
	struct control_status *status = &shared->status;

	(void)state;
	status->serving = status->quorate = false;
	status->primary = REPLICATION_NO_MEMBER;
	status->members[1].connected = status->members[2].connected = false;
	snprintf(status->blocked, sizeof(status->blocked),
		 "2 of 3 members must be seen to know the newest configuration; seen: a");
	assert_int_equal(ASK("status"), 5);
	assert_output("primary none, NOT SERVING\n");
	assert_output("waits: 2 of 3 members must be seen to know the newest configuration; seen: a\n");
	assert_output("- 2 of 3 members must be seen to serve; seen: a; not seen: b, c. Start rdisk there");
	assert_output("rdiskctl force-primary --dead b,c --yes");
	/* The diskless one is no reason to wait for. */
	status->quorate = status->serving = true;
	status->members[1].connected = true;
	status->primary = 1;
	assert_int_equal(ASK("status"), 4);
	assert_output("- not there: c.");

	status->born = status->serving = false;
	status->blocked[0] = '\0';
	assert_int_equal(ASK("status"), 5);
	assert_output("set main: not born, or not known here yet\n");
}

static void test_status_json(void **state)
{
	cJSON *object;

	(void)state;
	assert_int_equal(ASK_JSON("status"), 0);
	object = cJSON_Parse(process.output.text);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(object, "primary")), "b");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(object, "members")), 3);
	cJSON_Delete(object);
	shared->status.members[1].state = CONTROL_STATE_OUTDATED;
	assert_int_equal(ASK_JSON("status"), 4);
	shared->status.serving = false;
	assert_int_equal(ASK_JSON("status"), 5);
}

/* It looks again and again, says that the server is gone, and goes on with the next one. */
static void test_watch(void **state)
{
	const char *const arguments[] = { "/bin/sh", "-c",	  "exec \"$@\" >&2", "sh",	RDISKCTL_PROGRAM,
					  "-s",	     socket_path, "status",	     "--watch", NULL };

	(void)state;
	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_log_times(&process, "primary b, serving", 2, TEST_TIMEOUT_MS));
	stop_server();
	assert_true(test_process_wait_log(&process, "rdiskctl: error: ", TEST_TIMEOUT_MS));
	shared->status.epoch = 13;
	start_server();
	assert_true(test_process_wait_log(&process, "epoch 13", TEST_TIMEOUT_MS));
	assert_int_equal(test_process_stop(&process, SIGTERM), 128 + SIGTERM);
}

/* ---- orders ---- */

static void test_orders(void **state)
{
	(void)state;
	assert_int_equal(ASK("force-primary", "--dead", "b,3", "--yes"), 0);
	assert_string_equal(shared->what, "force 6");
	assert_string_equal(process.output.text, "");
	assert_int_equal(ASK("invalidate", "--yes", "b"), 0);
	assert_string_equal(shared->what, "invalidate 1");
	assert_int_equal(ASK("init", "--from", "a"), 0);
	assert_string_equal(shared->what, "init 0");
	assert_int_equal(ASK("pause-resync"), 0);
	assert_string_equal(shared->what, "pause");
	assert_int_equal(ASK_JSON("resume-resync"), 0);
	assert_string_equal(shared->what, "resume");
	assert_string_equal(process.output.text, "{\"result\":\"done\"}\n");

	shared->code = -EAGAIN;
	snprintf(shared->why, sizeof(shared->why), "give it to the primary, b");
	assert_int_equal(ASK("promote", "a"), 1);
	assert_complaint("give it to the primary, b");
	assert_int_equal(ASK_JSON("promote", "a"), 1);
	assert_json_error("not-now", "give it to the primary, b");
	assert_int_equal(ASK_JSON("promote", "d"), 1);
	assert_json_error("bad-request", "\"d\"");
	assert_int_equal(ASK("force-primary", "--dead", ",", "--yes"), 1);
	assert_complaint("which members are dead");
	for (int i = 0; i < 7; i++)
		await_server('o');
}

static void test_promote_waits(void **state)
{
	(void)state;
	shared->code = CONTROL_LATER;
	start((const char *const[]){ "-s", socket_path, "promote", "b", NULL });
	await_server('o');
	assert_string_equal(shared->what, "promote 1");
	tell_server("a");
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&process), 0);
	assert_string_equal(process.output.text, "b serves\n");

	/* The server dies meanwhile. */
	start((const char *const[]){ "-s", socket_path, "promote", "b", NULL });
	await_server('o');
	stop_server();
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&process), 3);
	assert_complaint("has ended the connection");
}

/* The order says how long it may take, and what it waits for is said when it takes longer. */
static void test_timeout(void **state)
{
	(void)state;
	shared->code = CONTROL_LATER;
	start((const char *const[]){ "-s", socket_path, "--json", "promote", "--timeout", "5", "b", NULL });
	await_server('o');
	assert_int_equal(shared->timeout, 5 * NS_PER_SECOND);
	tell_server("l");
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&process), 1);
	assert_json_error("timeout", "b does not serve after 5 s: a is still the primary");

	shared->code = 0;
	assert_int_equal(ASK("force-primary", "--dead", "b", "--yes"), 0);
	assert_int_equal(shared->timeout, 60 * NS_PER_SECOND);
	assert_int_equal(ASK("force-primary", "--dead", "b", "--yes", "-t", "0"), 0);
	assert_int_equal(shared->timeout, 0);
	assert_int_equal(ASK("invalidate", "-t", "7", "b", "--yes"), 0);
	assert_int_equal(ASK("init", "-t", "7", "--from", "a"), 0);
}

static void test_events(void **state)
{
	const char *const arguments[] = { "/bin/sh", "-c",	  "exec \"$@\" >&2", "sh", RDISKCTL_PROGRAM,
					  "-s",	     socket_path, "events",	     NULL };

	(void)state;
	test_process_start(&process, arguments, NULL);
	/* Until it has subscribed nobody hears them. */
	for (int i = 0; !strstr(process.log.text, "\"event\":\"epoch\""); i++) {
		assert_true(i < TEST_TIMEOUT_MS / 10);
		tell_server("e");
		(void)test_process_wait_log(&process, "\"event\":\"epoch\"", 10);
	}
	assert_non_null(strstr(process.log.text, "\"epoch\":7,\"node\":2,\"name\":\"b\",\"text\":\"text\"}\n"));
	assert_null(strstr(process.log.text, "subscribed"));
	stop_server();
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&process), 3);
}

static void test_no_server(void **state)
{
	(void)state;
	stop_server();
	/* It was killed: its socket is there. */
	assert_int_equal(ASK("status"), 3);
	assert_complaint("no server listens at ");
	assert_int_equal(ASK_JSON("promote", "b"), 3);
	assert_json_error("no-server", "no server listens at ");
	assert_int_equal(RUN("-s", "/nowhere", "events"), 3);
	assert_complaint("-s SOCKET or -c FILE");
}

/* ---- without a server ---- */

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
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status_not_serving, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_promote_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_of_configuration, setup, teardown),
		cmocka_unit_test(test_check_config),
		cmocka_unit_test(test_keygen),
		cmocka_unit_test(test_usage),
		cmocka_unit_test_setup_teardown(test_completion, setup, teardown),
	};

	test_directory();
	test_path(config, "test.cfg");
	test_path(socket_path, "socket");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		test_fatal("no memory");
	return cmocka_run_group_tests_name("rdiskctl", tests, NULL, NULL);
}
