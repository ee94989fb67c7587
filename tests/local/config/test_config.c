/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What rdisk says and how it ends when it cannot start: every kind of broken configuration, images that
 * cannot be served, bad options, endpoints and containers that it does not get. Each is
 * exit status 1 and exactly one line on stderr. And that good configurations are served, to whom that is
 * told, and that a lost node is no end. A start that waits for a server before it says so in a line of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_directory.h"
#include "test_process.h"

#define NOBODY	    "65534"
#define NOBODY_UID  "--reuid=65534"
#define NOBODY_GID  "--regid=65534"
#define GOOD_DEVICE "devices = ( { name = \"A\"; image_file = \"good.img\"; size = \"1M\"; } );\n"

static const char sample_one[] = SAMPLES "/rdisk.cfg";
static const char sample_two[] = SAMPLES "/rdisk-two.cfg";
static const char sample_three_hosts[] = SAMPLES "/rdisk-three-hosts.cfg";

static struct test_process process, server;
static char config[TEST_PATH_SIZE];

static void write_config(const char *name, const char *text)
{
	FILE *file;

	test_path(config, name);
	file = fopen(config, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) || chmod(config, 0644))
		test_fatal("%s: %s", config, strerror(errno));
}

static void make_file(const char *name, off_t size, mode_t mode)
{
	char path[TEST_PATH_SIZE];
	int fd;

	test_path(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, size) || fchmod(fd, mode) || close(fd))
		test_fatal("%s: %s", path, strerror(errno));
}

/* Whether a file of the test's can be that long. */
static bool takes_size(off_t size)
{
	char path[TEST_PATH_SIZE];
	int fd, code;

	test_path(path, "long.img");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	code = ftruncate(fd, size);
	if (fd < 0 || close(fd) || unlink(path))
		test_fatal("%s: %s", path, strerror(errno));
	return !code;
}

/* Runs rdisk to its end; the exit status. */
static int run(const char *const arguments[])
{
	test_process_start(&process, arguments, NULL);
	if (!test_process_wait_end(&process, TEST_TIMEOUT_MS)) {
		test_process_discard(&process);
		fail_msg("it did not end");
	}
	return test_process_exit_code(&process);
}

/* stderr is one line, "rdisk: <start>...<cause>...", and stdout is empty. */
static void assert_one_line(const char *start, const char *cause)
{
	char expected[2 * TEST_PATH_SIZE];
	const char *line = process.log.text;
	size_t length = strlen(line);

	snprintf(expected, sizeof(expected), "rdisk: %s", start);
	if (strncmp(line, expected, strlen(expected)) || !strstr(line, cause))
		fail_msg("\"%s\" is not %s...%s", line, expected, cause);
	assert_true(length > 0 && strchr(line, '\n') == line + length - 1);
	assert_string_equal(process.output.text, "");
}

/* The same after a first line that says for whom it has waited. */
static void assert_waited_in_vain(const char *holder, const char *start, const char *cause)
{
	char *end = strchr(process.log.text, '\n');

	assert_non_null(end);
	assert_int_equal(strncmp(process.log.text, "rdisk: info: ", 13), 0);
	assert_non_null(strstr(process.log.text, holder));
	assert_true(strstr(process.log.text, holder) < end && strstr(process.log.text, ": waiting up to 10 s") < end);
	memmove(process.log.text, end + 1, strlen(end));
	assert_one_line(start, cause);
}

/* Refused with status 1 and FILE:LINE, by --check-config and by a start alike. */
static void assert_refused(const char *text, int line, const char *cause)
{
	const char *const check[] = { RDISK_PROGRAM, "--check-config", "-c", config, NULL };
	const char *const start[] = { RDISK_PROGRAM, "-d", "0", "-e", "3", "-c", config, NULL };
	char place[TEST_PATH_SIZE + 16];

	write_config("bad.cfg", text);
	snprintf(place, sizeof(place), "%s:%d: ", config, line);
	assert_int_equal(run(check), 1);
	assert_one_line(place, cause);
	assert_int_equal(run(start), 1);
	assert_one_line(place, cause);
}

static void assert_options_refused(const char *const arguments[], const char *cause)
{
	assert_int_equal(run(arguments), 1);
	assert_one_line("", cause);
}

static bool exists(const char *name)
{
	char path[TEST_PATH_SIZE];

	test_path(path, name);
	return access(path, F_OK) == 0;
}

static void start_server(const char *endpoint)
{
	const char *const arguments[] = { RDISK_PROGRAM, "-d", "0", "-e", endpoint, "-c", config, NULL };

	test_process_start(&server, arguments, NULL);
	if (!test_process_wait_log(&server, "rdisk: ready ", TEST_TIMEOUT_MS))
		fail_msg("not ready: %s", server.log.text);
}

static int teardown(void **state)
{
	(void)state;
	test_process_discard(&server);
	return 0;
}

static void test_broken_files(void **state)
{
	(void)state;
	assert_refused("devices = (\n  {\n    name = ;\n  } );\n", 3, "syntax error");
	assert_refused("devices = (\n{ name = \"A\"; image_file = \"a\"; }\n", 3, "syntax error");
	assert_refused("# nothing\n", 1, "devices");
	assert_refused("\ndevices = ();\n", 2, "empty");
	assert_refused(GOOD_DEVICE "colour = 1;\n", 2, "colour");
	assert_refused("devices = ( {\nname = \"A\";\nimage_file = \"a\"; size = \"1M\";\ncolour = 1; } );\n", 4,
		       "colour");
	assert_refused("devices = ( {\nname = 1; } );\n", 2, "string");
	assert_refused("devices = ( {\nname = \"A\"; image_file = \"a\"; size = \"1M\";\nbuffer = \"4K\"; } );\n", 3,
		       "whole number");
	assert_refused("devices = ( {\nname = \"A\"; image_file = \"a\"; size = \"1M\";\nread_only = 1; } );\n", 3,
		       "true or false");
	assert_refused("devices = ( {\nname = \"A\"; image_file = \"a\";\nsize = \"1000\"; } );\n", 3, "512");
	assert_refused("devices = ( {\nname = \"A\"; image_file = \"a\"; size = \"1M\";\nreplicated = true; } );\n", 3,
		       "there is no group replication");
	assert_refused("devices = ( {\nname = \"A\"; image_file = \"a\"; size = \"1M\";\ncompression = true; } );\n", 3,
		       "not available");
	assert_refused("devices = (\n{ name = \"A\"; image_file = \"a\"; size = \"1M\"; },\n"
		       "{ name = \"A\"; image_file = \"b\"; size = \"1M\"; } );\n",
		       3, "name \"A\"");
	assert_false(exists("a"));
}

static void test_no_file(void **state)
{
	const char *const arguments[] = { RDISK_PROGRAM, "-d", "0", "-c", config, NULL };

	(void)state;
	test_path(config, "no-such.cfg");
	assert_int_equal(run(arguments), 1);
	assert_one_line(config, "No such file");
	test_path(config, "");
	assert_int_equal(run(arguments), 1);
	assert_one_line(config, "directory");
}

static void test_bad_images(void **state)
{
	char path[TEST_PATH_SIZE];

	(void)state;
	make_file("odd.img", 1000, 0600);
	make_file("empty.img", 0, 0600);
	make_file("small.img", 1024, 0600);
	test_path(path, "fifo.img");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused("devices = ( { name = \"A\";\nimage_file = \"odd.img\"; } );\n", 2, "1000 bytes");
	assert_refused("devices = ( { name = \"A\";\nimage_file = \"empty.img\"; } );\n", 2, "0 bytes");
	assert_refused("devices = ( { name = \"A\"; size = \"1M\";\nimage_file = \"small.img\"; } );\n", 2,
		       "has 1024 bytes, the configured size is 1048576");
	assert_refused("devices = ( { name = \"A\"; size = 512L;\nimage_file = \"small.img\"; } );\n", 2,
		       "has 1024 bytes, the configured size is 512");
	assert_refused("devices = ( { name = \"A\"; image_type = \"MEMORY_IMAGE\"; size = 512L;\n"
		       "image_file = \"small.img\"; } );\n",
		       2, "has 1024 bytes");
	assert_refused("devices = ( { name = \"A\";\nimage_file = \"none.img\"; } );\n", 2, "does not exist");
	assert_refused(
		"devices = ( { name = \"A\"; size = \"1M\"; read_only = true;\nimage_file = \"none.img\"; } );\n", 2,
		"does not exist");
	assert_refused("devices = ( { name = \"A\"; size = \"1M\";\nimage_file = \"nowhere/none.img\"; } );\n", 2,
		       "nowhere/none.img of 1048576 bytes: No such file or directory");
	if (!takes_size((off_t)1 << 50))
		assert_refused("devices = ( { name = \"A\"; size = \"1024T\";\nimage_file = \"none.img\"; } );\n", 2,
			       "none.img of 1125899906842624 bytes: File too large");
	assert_refused("devices = ( { name = \"A\";\nimage_file = \"fifo.img\"; } );\n", 2, "neither a regular file");
	assert_refused("devices = ( { name = \"A\";\nimage_file = \".\"; } );\n", 2, "directory");
	assert_false(exists("none.img"));
}

static void test_same_image_twice(void **state)
{
	char path[TEST_PATH_SIZE], other[TEST_PATH_SIZE];

	(void)state;
	make_file("twice.img", 1024, 0600);
	test_path(path, "twice.img");
	test_path(other, "link.img");
	assert_int_equal(symlink(path, other), 0);
	test_path(other, "hard.img");
	assert_int_equal(link(path, other), 0);
	assert_refused("devices = (\n{ name = \"A\"; image_file = \"twice.img\"; },\n"
		       "{ name = \"B\"; image_file = \"./twice.img\"; } );\n",
		       3, "same image");
	assert_refused("devices = (\n{ name = \"A\"; image_file = \"twice.img\"; },\n"
		       "{ name = \"B\"; image_file = \"link.img\"; read_only = true; } );\n",
		       3, "same image");
	assert_refused("devices = (\n{ name = \"A\"; image_file = \"twice.img\"; },\n"
		       "{ name = \"B\"; image_file = \"hard.img\"; } );\n",
		       3, "same image");
	assert_refused("devices = (\n{ name = \"A\"; image_file = \"new.img\"; size = \"1M\"; },\n"
		       "{ name = \"B\"; image_file = \"./new.img\"; size = \"1M\"; } );\n",
		       3, "same image");
	assert_false(exists("new.img"));
}

static void test_bad_options(void **state)
{
	const char *const none[] = { RDISK_PROGRAM, NULL };
	const char *const no_container[] = { RDISK_PROGRAM, "-c", config, NULL };
	const char *const no_config[] = { RDISK_PROGRAM, "-d", "0", NULL };
	const char *const no_number[] = { RDISK_PROGRAM, "-d", "0x", "-c", config, NULL };
	const char *const no_value[] = { RDISK_PROGRAM, "-c", config, "-d", NULL };
	const char *const no_option[] = { RDISK_PROGRAM, "--colour", NULL };
	const char *const argument[] = { RDISK_PROGRAM, "-d", "0", "-c", config, "more", NULL };
	const char *const large_container[] = { RDISK_PROGRAM, "-d", "32", "-c", config, NULL };
	const char *const negative_container[] = { RDISK_PROGRAM, "-d", "-1", "-c", config, NULL };
	const char *const large_endpoint[] = { RDISK_PROGRAM, "-d", "0", "-e", "221", "-c", config, NULL };
	const char *const small_endpoint[] = { RDISK_PROGRAM, "-d", "0", "-e", "-36", "-c", config, NULL };
	const char *const user_endpoint[] = { RDISK_PROGRAM, "-d", "0", "-e", "30", "-c", config, NULL };

	(void)state;
	write_config("options.cfg", GOOD_DEVICE);
	assert_options_refused(none, "-c FILE");
	assert_options_refused(no_container, "-d DCID");
	assert_options_refused(no_config, "-c FILE");
	assert_options_refused(no_number, "\"0x\"");
	assert_options_refused(no_value, "needs a value");
	assert_options_refused(no_option, "--colour");
	assert_options_refused(argument, "\"more\"");
	assert_options_refused(large_container, "container 32 is out of range");
	assert_options_refused(negative_container, "container -1 is out of range");
	assert_options_refused(large_endpoint, "endpoint 221 is out of range");
	assert_options_refused(small_endpoint, "endpoint -36 is out of range");
	assert_false(exists("good.img"));
	/* Known only after the container was asked for; and before an image is created. */
	assert_options_refused(user_endpoint, "endpoint 30 is for users");
	assert_false(exists("good.img"));
}

static void test_help_and_version(void **state)
{
	const char *const help[] = { RDISK_PROGRAM, "--help", NULL };
	const char *const version[] = { RDISK_PROGRAM, "--version", NULL };

	(void)state;
	assert_int_equal(run(help), 0);
	assert_non_null(strstr(process.output.text, "--check-config"));
	assert_string_equal(process.log.text, "");
	assert_int_equal(run(version), 0);
	assert_string_equal(process.output.text, "rdisk " RDISK_VERSION "\n");
	assert_string_equal(process.log.text, "");
	assert_options_refused(
		(const char *const[]){ "/bin/sh", "-c", "exec " RDISK_PROGRAM " --help >/dev/full", NULL },
		"cannot write to standard output: No space left");
	assert_options_refused((const char *const[]){ "/bin/sh", "-c", "exec " RDISK_PROGRAM " -V >&-", NULL },
			       "cannot write to standard output: Bad file descriptor");
}

static void test_endpoint_and_image_in_use(void **state)
{
	const char *const same_endpoint[] = { RDISK_PROGRAM, "-d", "0", "-e", "3", "-c", config, NULL };
	const char *const same_image[] = { RDISK_PROGRAM, "-d", "0", "-e", "4", "-c", config, NULL };
	const char *const check[] = { RDISK_PROGRAM, "--check-config", "-c", config, NULL };
	char place[TEST_PATH_SIZE + 16], image_holder[64], endpoint_holder[64];

	(void)state;
	make_file("good.img", 1 << 20, 0600);
	make_file("other.img", 1 << 20, 0600);
	write_config("first.cfg", GOOD_DEVICE);
	start_server("3");
	snprintf(image_holder, sizeof(image_holder), "in use by another server, process %d\n", (int)server.pid);
	snprintf(endpoint_holder, sizeof(endpoint_holder), "in use by process %d: end that, or ", (int)server.pid);

	snprintf(place, sizeof(place), "%s:1: ", config);
	assert_int_equal(run(same_image), 1);
	assert_waited_in_vain("good.img is in use by another server", place, image_holder);
	assert_int_equal(run(check), 0);

	write_config("second.cfg", "devices = ( { name = \"B\"; image_file = \"other.img\"; } );\n");
	assert_int_equal(run(same_endpoint), 1);
	assert_waited_in_vain("endpoint 3 of container 0 is in use by process ",
			      "cannot bind endpoint 3 of container 0: ", endpoint_holder);

	/* After a kill all of it is free again. */
	assert_int_equal(test_process_stop(&server, SIGKILL), 128 + SIGKILL);
	write_config("first.cfg", GOOD_DEVICE);
	start_server("3");
	assert_int_equal(test_process_stop(&server, SIGTERM), 0);
}

/* Starts a server that has to wait for the one before it, kills that, and expects the new one to serve. */
static void assert_takes_over(const char *waits_for)
{
	const char *const arguments[] = { RDISK_PROGRAM, "-d", "0", "-e", "3", "-c", config, NULL };

	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_log(&process, waits_for, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_stop(&server, SIGKILL), 128 + SIGKILL);
	assert_true(test_process_wait_log(&process, "rdisk: ready ", TEST_TIMEOUT_MS));
	server = process;
	memset(&process, 0, sizeof(process));
}

static void test_start_waits_for_the_server_before(void **state)
{
	const char *const arguments[] = { RDISK_PROGRAM, "-d", "0", "-e", "3", "-c", config, NULL };

	(void)state;
	make_file("good.img", 1 << 20, 0600);
	make_file("other.img", 1 << 20, 0600);
	write_config("first.cfg", GOOD_DEVICE);
	start_server("3");
	assert_takes_over("good.img is in use by another server: waiting up to 10 s");
	write_config("second.cfg", "devices = ( { name = \"B\"; image_file = \"other.img\"; } );\n");
	assert_takes_over("endpoint 3 of container 0 is in use by process ");
	/* A signal ends the wait as it ends any start. */
	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_log(&process, "waiting up to 10 s", TEST_TIMEOUT_MS));
	assert_int_equal(test_process_stop(&process, SIGTERM), 0);
	assert_int_equal(test_process_stop(&server, SIGTERM), 0);
}

static void test_readers_share(void **state)
{
	const char *const writer[] = { RDISK_PROGRAM, "-d", "0", "-e", "5", "-c", config, NULL };
	static struct test_process second;

	(void)state;
	make_file("good.img", 1 << 20, 0600);
	write_config("reader.cfg", "devices = ( { name = \"A\"; image_file = \"good.img\"; volatile = true; } );\n");
	start_server("3");
	second = server;
	memset(&server, 0, sizeof(server));
	start_server("4");
	write_config("writer.cfg", GOOD_DEVICE);
	assert_int_equal(run(writer), 1);
	assert_int_equal(test_process_stop(&server, SIGTERM), 0);
	assert_int_equal(test_process_stop(&second, SIGTERM), 0);
}

/* A copy of the program in a place that everybody can reach; its path. */
static const char *public_program(void)
{
	static char path[TEST_PATH_SIZE];
	struct stat status;
	int from, to;

	test_path(path, "rdisk");
	from = open(RDISK_PROGRAM, O_RDONLY);
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	if (from < 0 || to < 0 || fstat(from, &status) || chmod(test_directory(), 0711))
		test_fatal("%s: %s", path, strerror(errno));
	for (off_t done = 0; done < status.st_size;) {
		if (sendfile(to, from, &done, (size_t)(status.st_size - done)) <= 0)
			test_fatal("%s: %s", path, strerror(errno));
	}
	if (fchmod(to, 0755) || close(to) || close(from))
		test_fatal("%s: %s", path, strerror(errno));
	return path;
}

/* Runs rdisk as a user without rights: root becomes nobody, others are that already. */
static int run_without_rights(void)
{
	const char *program = public_program();
	const char *const as_nobody[] = { "/usr/bin/setpriv",
					  NOBODY_UID,
					  NOBODY_GID,
					  "--clear-groups",
					  program,
					  "-d",
					  "0",
					  "-e",
					  "3",
					  "-c",
					  config,
					  NULL };
	const char *const as_user[] = { program, "-d", "0", "-e", "3", "-c", config, NULL };

	return run(geteuid() == 0 ? as_nobody : as_user);
}

static void test_no_permission(void **state)
{
	char place[TEST_PATH_SIZE + 16];
	char runtime[TEST_PATH_SIZE];

	(void)state;
	make_file("secret.img", 1024, 0);
	write_config("secret.cfg", "devices = ( { name = \"A\";\nimage_file = \"secret.img\"; } );\n");
	snprintf(place, sizeof(place), "%s:2: ", config);
	assert_int_equal(run_without_rights(), 1);
	assert_one_line(place, "Permission denied");

	/* an image in order, but no right to be or to reach a node */
	make_file("public.img", 1024, 0666);
	write_config("public.cfg", "devices = ( { name = \"A\"; image_file = \"public.img\"; } );\n");
	test_path(runtime, "private");
	assert_int_equal(mkdir(runtime, 0500), 0);
	assert_int_equal(setenv("DVK_RUNTIME_DIR", runtime, 1), 0);
	assert_int_equal(run_without_rights(), 1);
	assert_one_line("no node to connect to: ", runtime);
	test_runtime_new();
}

static void test_samples(void **state)
{
	const char *const one[] = { RDISK_PROGRAM, "--check-config", "-c", sample_one, NULL };
	const char *const two[] = { RDISK_PROGRAM, "--check-config", "-c", sample_two, NULL };
	const char *const diskless[] = {
		RDISK_PROGRAM, "--check-config", "--node", "c", "-c", sample_three_hosts, NULL
	};

	(void)state;
	assert_int_equal(run(one), 0);
	assert_string_equal(process.output.text, "devices=1 (0 MY_FILE_IMG 512M rw)\n");
	assert_int_equal(run(two), 0);
	assert_string_equal(process.output.text, "devices=2 (0 FILE_DISK 512M rw, 1 MEMORY_DISK 64M rw memory)\n");
	assert_int_equal(run(diskless), 0);
	assert_string_equal(
		process.output.text,
		"devices=1 (0 DATA - rw replicated)\n"
		"set=main members=3 (1 a 192.0.2.1:7300, 2 b 192.0.2.2:7300, 3 c 192.0.2.3:7300 diskless this) "
		"group=corosync lease=300 ms min_in_sync=1\n");
}

static void test_start_creates_the_image(void **state)
{
	const char *const check[] = { RDISK_PROGRAM, "--check-config", "-c", config, NULL };
	char path[TEST_PATH_SIZE];
	struct stat status;

	(void)state;
	write_config("create.cfg", "devices = ( { name = \"A\"; image_file = \"created.img\"; size = \"6G\"; } );\n");
	assert_int_equal(run(check), 0);
	assert_false(exists("created.img"));
	start_server("-34");
	assert_non_null(strstr(server.log.text, "rdisk: ready dc=0 endpoint=-34 devices=1 (0 A 6G rw)\n"));
	test_path(path, "created.img");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, (int64_t)6 << 30);
	assert_int_equal(test_process_stop(&server, SIGTERM), 0);
}

/* The process that listens at the node's socket. */
static pid_t node_pid(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/node.sock", getenv("DVK_RUNTIME_DIR"));
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		test_fatal("%s: %s", address.sun_path, strerror(errno));
	close(fd);
	return peer.pid;
}

/* The node dies: the server starts another one, and is ready again at its endpoint. */
static void test_node_lost(void **state)
{
	(void)state;
	make_file("good.img", 1 << 20, 0600);
	write_config("node.cfg", GOOD_DEVICE);
	start_server("3");
	for (int times = 2; times < 5; times++) {
		assert_int_equal(kill(node_pid(), SIGKILL), 0);
		assert_true(test_process_wait_log_times(&server, "rdisk: ready ", times, TEST_TIMEOUT_MS));
	}
	assert_int_equal(test_process_stop(&server, SIGTERM), 0);
}

static void test_service_manager(void **state)
{
	const char *const arguments[] = { RDISK_PROGRAM, "-d", "0", "-c", config, NULL };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = TEST_TIMEOUT_MS / 1000 };
	char variable[TEST_PATH_SIZE + 16];
	const char *const environment[] = { variable, NULL };
	char path[TEST_PATH_SIZE];
	char text[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	test_path(path, "notify.sock");
	snprintf(variable, sizeof(variable), "NOTIFY_SOCKET=%s", path);
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify.sock", test_directory()) < 0)
		test_fatal("no address");
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	make_file("good.img", 1 << 20, 0600);
	write_config("notify.cfg", GOOD_DEVICE);
	test_process_start(&server, arguments, environment);
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), strlen("READY=1"));
	assert_string_equal(text, "READY=1");
	assert_int_equal(test_process_stop(&server, SIGTERM), 0);
	memset(text, 0, sizeof(text));
	assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), strlen("STOPPING=1"));
	assert_string_equal(text, "STOPPING=1");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken_files),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_bad_images),
		cmocka_unit_test(test_same_image_twice),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test_teardown(test_endpoint_and_image_in_use, teardown),
		cmocka_unit_test_teardown(test_start_waits_for_the_server_before, teardown),
		cmocka_unit_test_teardown(test_readers_share, teardown),
		cmocka_unit_test(test_no_permission),
		cmocka_unit_test(test_samples),
		cmocka_unit_test_teardown(test_start_creates_the_image, teardown),
		cmocka_unit_test_teardown(test_node_lost, teardown),
		cmocka_unit_test_teardown(test_service_manager, teardown),
	};

	test_directory();
	test_runtime_new();
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
