/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: its command line, every way in which it cannot start, its end, and what
 * users of --group may do. What needs other users is skipped unless root runs it.
 */
#include "node_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[4096], output[4096];

static const char *in_directory(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* Runs dvkd with these arguments: it must fail with one line that has this text in it. */
static void assert_refused(const char *const *arguments, const char *text)
{
	const char *full[8] = { DVKD_PATH };
	int count = 1;

	for (; arguments && arguments[count - 1]; count++)
		full[count] = arguments[count - 1];
	assert_int_equal(run_program(full, output, sizeof(output)), 1);
	if (!strstr(output, text))
		fail_msg("no \"%s\" in: %s", text, output);
	assert_non_null(strchr(output, '\n'));
	assert_string_equal(strchr(output, '\n'), "\n");
	assert_int_equal(strncmp(output, "dvkd: ", 6) && !strstr(output, "dvkd: "), 0);
}

#define REFUSED(text, ...) assert_refused((const char *[]){ __VA_ARGS__, NULL }, text)

static void command_line(void **state)
{
	(void)state;
	assert_int_equal(run_program((const char *[]){ DVKD_PATH, "--help", NULL }, output, sizeof(output)), 0);
	assert_non_null(strstr(output, "Usage: dvkd"));
	assert_int_equal(run_program((const char *[]){ DVKD_PATH, "--version", NULL }, output, sizeof(output)), 0);
	assert_int_equal(strncmp(output, "dvkd ", 5), 0);
	REFUSED("node number \"32\"", "--node", "32");
	REFUSED("node number \"-1\"", "--node=-1");
	REFUSED("node number \"1x\"", "-n", "1x");
	REFUSED("node number \"\"", "--node=");
	REFUSED("name \"sixteen_letters!\"", "--name", "sixteen_letters!");
	REFUSED("name \"\"", "--name", "");
	REFUSED("no group \"no-such-group\"", "--group", "no-such-group");
	REFUSED("unexpected argument \"more\"", "more");
	REFUSED("unrecognized option", "--nothing");
	/* None of them left anything behind that is in the way. */
	assert_int_equal(end_process(spawn_node(NULL), SIGTERM), 0);
	assert_int_equal(access(in_directory(DVK_NODE_SOCKET), F_OK), -1);
	assert_int_equal(access(in_directory("node.lock"), F_OK), -1);
}

static void second_node_is_refused(void **state)
{
	pid_t pid = spawn_node(NULL);
	struct raw raw;

	(void)state;
	assert_refused(NULL, "another node is running in ");
	raw_open(&raw);
	raw_close(&raw);
	assert_int_equal(end_process(pid, SIGINT), 0);
}

static void use_directory(const char *name)
{
	assert_int_equal(setenv("DVK_RUNTIME_DIR", name, 1), 0);
}

static void bad_directories(void **state)
{
	char name[256], target[80];

	(void)state;
	snprintf(name, sizeof(name), "%s/none/below", directory);
	use_directory(name);
	assert_refused(NULL, "cannot make the runtime directory");

	snprintf(name, sizeof(name), "%s/file", directory);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	use_directory(name);
	assert_refused(NULL, "is not to be trusted");
	unlink(name);

	snprintf(name, sizeof(name), "%s/link", directory);
	snprintf(target, sizeof(target), "%s", directory);
	assert_int_equal(symlink(target, name), 0);
	use_directory(name);
	assert_refused(NULL, "is not to be trusted");
	unlink(name);

	assert_int_equal(chmod(directory, 0770), 0);
	use_directory(directory);
	assert_refused(NULL, "is not to be trusted");
	assert_int_equal(chmod(directory, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(directory, 12345, 0), 0);
		assert_refused(NULL, "is not to be trusted");
		assert_int_equal(chown(directory, 0, 0), 0);
	}

	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	use_directory(name);
	assert_refused(NULL, "too long");
	use_directory(directory);
}

static void makes_its_directory(void **state)
{
	char name[256];
	struct stat status;

	(void)state;
	snprintf(name, sizeof(name), "%s/made", directory);
	use_directory(name);
	/* The service manager's socket stays where it was. */
	assert_int_equal(end_process(spawn_node(NULL), SIGTERM), 0);
	assert_int_equal(stat(name, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(rmdir(name), 0);
	use_directory(directory);
}

/* A directory that is not the node's alone stays as it is, and whoever can open it, and so lock it, holds nobody up. */
static void shared_directory(void **state)
{
	struct stat status;
	int lock;

	(void)state;
	assert_int_equal(chmod(directory, 0755), 0);
	lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(end_process(spawn_node(NULL), SIGTERM), 0);
	close(lock);
	assert_int_equal(stat(directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	assert_int_equal(access(in_directory("start.lock"), F_OK), -1);
	assert_int_equal(chmod(directory, 0700), 0);
}

/* What others could lock, or what is no file, is no lock of ours. */
static void bad_locks(void **state)
{
	static const char *const names[] = { "node.lock", "start.lock" };
	char name[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", directory, names[i]);
		close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		for (mode_t bit = 01; bit <= 040; bit <<= 1) {
			assert_int_equal(chmod(name, 0600 | bit), 0);
			assert_refused(NULL, "is not to be trusted");
		}
		assert_int_equal(chmod(name, 0600), 0);
		if (geteuid() == 0) {
			assert_int_equal(chown(name, 12345, 0), 0);
			assert_refused(NULL, "is not to be trusted");
			assert_int_equal(chown(name, 0, 0), 0);
		}
		/* A file that a node left when it was killed. */
		assert_int_equal(end_process(spawn_node(NULL), SIGTERM), 0);
		assert_int_equal(access(name, F_OK), -1);

		assert_int_equal(mkfifo(name, 0600), 0);
		assert_refused(NULL, "is not to be trusted");
		unlink(name);
		assert_int_equal(symlink("elsewhere", name), 0);
		assert_refused(NULL, "cannot lock");
		unlink(name);
		assert_int_equal(access(in_directory("elsewhere"), F_OK), -1);
		assert_int_equal(mkdir(name, 0700), 0);
		assert_refused(NULL, "cannot lock");
		rmdir(name);
	}
}

static void no_permission(void **state)
{
	(void)state;
	if (geteuid() == 0) {
		print_message("skipped: root may write anywhere\n");
		skip();
		return;
	}
	assert_int_equal(chmod(directory, 0500), 0);
	assert_refused(NULL, "cannot lock");
	assert_int_equal(chmod(directory, 0700), 0);
}

static void starts_after_a_kill(void **state)
{
	pid_t pid = spawn_node(NULL);
	struct stat status;

	(void)state;
	assert_int_equal(end_process(pid, SIGKILL), 128 + SIGKILL);
	assert_int_equal(access(in_directory(DVK_NODE_SOCKET), F_OK), 0);
	pid = spawn_node(NULL);
	assert_int_equal(stat(in_directory(DVK_NODE_SOCKET), &status), 0);
	assert_int_equal(status.st_mode & 07777, S_ISVTX | 0600);
	assert_int_equal(end_process(pid, SIGTERM), 0);
}

static void options_are_used(void **state)
{
	pid_t pid = spawn_node((const char *[]){ "--node", "5", "--name", "fifteen_letters", NULL });
	struct received answer;
	struct raw raw;

	(void)state;
	raw_connect(&raw);
	answer = raw_call_full(&raw, REQUEST(HELLO), -1);
	assert_int_equal(answer.packet.argument, 5);
	answer = raw_call_full(&raw, REQUEST(GET_DVS_INFO), -1);
	assert_int_equal(answer.packet.argument, 5);
	assert_string_equal(answer.packet.dvs.d_name, "fifteen_letters");
	answer = raw_call_full(&raw, REQUEST(DC_INIT), -1);
	assert_int_equal(answer.packet.argument, 5);
	answer = raw_call_full(&raw, REQUEST(GET_DC_INFO), -1);
	assert_int_equal(answer.packet.dc.dc_nodes, 1 << 5);
	raw_close(&raw);
	assert_int_equal(end_process(pid, SIGTERM), 0);
}

/* One that ends does not wait for somebody who is starting one. */
static void ends_while_another_starts(void **state)
{
	pid_t pid = spawn_node(NULL);
	int lock = open(in_directory("start.lock"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	(void)state;
	assert_true(lock >= 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(end_process(pid, SIGTERM), 0);
	/* Nor does it take that from him. */
	assert_int_equal(access(in_directory("start.lock"), F_OK), 0);
	assert_int_equal(access(in_directory("node.lock"), F_OK), -1);
	unlink(in_directory("start.lock"));
	close(lock);
}

/* What it has to say goes to nobody then; above all not into a file or to a client that has the number. */
static void without_standard_descriptors(void **state)
{
	struct stat status;
	struct raw raw;
	pid_t pid;

	(void)state;
	for (int closed = 1; closed < 8; closed++) {
		pid = spawn_node_without(closed);
		raw_open(&raw);
		raw_start_dc(&raw, 0);
		assert_int_equal(raw_call(&raw, REQUEST(DC_END, .dcid = 0)), 0);
		raw_close(&raw);
		assert_int_equal(stat(in_directory("node.lock"), &status), 0);
		assert_int_equal(status.st_size, 0);
		assert_int_equal(end_process(pid, SIGTERM), 0);
	}
}

/* Whoever sleeps on his bell is woken, and finds the connection closed. */
static void end_wakes_everybody(void **state)
{
	pid_t pid = spawn_node(NULL);
	struct dvk_process_page *page;
	struct raw raw;
	int fd;

	(void)state;
	raw_open(&raw);
	raw_start_dc(&raw, 0);
	assert_int_equal(raw_bind(&raw, 0, 3, &fd), 3);
	page = map_page(fd, PROT_READ | PROT_WRITE);
	close(fd);
	assert_int_equal(page->bell, 0);
	assert_int_equal(end_process(pid, SIGTERM), 0);
	assert_int_equal(page->bell, DVK_BELL_STEP);
	raw_expect_end(&raw);
	unmap_page(page);
	raw_close(&raw);
}

/* ---- other users ---- */

#define MEMBER 23456
#define GROUP  34567

/* Becomes that user in a child; its status is what body() returns. */
static int as_user(uid_t uid, gid_t gid, gid_t more, int (*body)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(more != (gid_t)-1, &more) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
			_exit(99);
		_exit(body());
	}
	return wait_process(pid);
}

static int expect(struct raw *raw, struct dvk_node_request request, int result)
{
	return raw_call(raw, request) == result ? 0 : 1;
}

/* What a member may do, and what not. */
static int member(void)
{
	struct raw raw, second;
	int wrong = 0;

	raw_open(&raw);
	wrong += raw_bind(&raw, 0, 3, NULL) != EDVSPRIVILEGES;
	wrong += raw_bind(&raw, 0, -34, NULL) != EDVSPRIVILEGES;
	wrong += expect(&raw, REQUEST(BIND, .endpoint = 40, .argument = LCL_BIND, .pid = getpid()), EDVSPRIVILEGES);
	wrong += expect(&raw, REQUEST(DC_INIT, .dc = { .dc_dcid = 1 }), EDVSPRIVILEGES);
	wrong += expect(&raw, REQUEST(DC_END, .dcid = 0), EDVSPRIVILEGES);
	wrong += raw_bind(&raw, 0, ANY, NULL) != 30;
	wrong += expect(&raw, REQUEST(GET_PROC_INFO, .endpoint = 3), 0);
	/* The server belongs to root: it may be talked to, not ended. */
	wrong += expect(&raw, REQUEST(UNBIND, .endpoint = 3, .timeout = -1), EDVSPERM);
	wrong += expect(&raw, REQUEST(CONNECT, .endpoint = 3), 0);
	raw_open(&second);
	wrong += raw_bind(&second, 0, ANY, NULL) != 31;
	wrong += expect(&raw, REQUEST(UNBIND, .endpoint = 31, .timeout = -1), 0);
	raw_close(&second);
	raw_close(&raw);
	return wrong;
}

/* One user cannot have all places, and has his own again when he leaves them. */
static int greedy_member(void)
{
	enum { PLACES = 128 };
	struct raw raws[PLACES], refused;

	for (int i = 0; i < PLACES; i++)
		raw_open(&raws[i]);
	raw_connect(&refused);
	raw_expect_end(&refused);
	raw_close(&refused);
	raw_close(&raws[0]);
	/* Before it answers the node has seen that one go. */
	if (raw_call(&raws[1], REQUEST(GET_DVS_INFO)))
		return 1;
	raw_open(&raws[0]);
	for (int i = 0; i < PLACES; i++)
		raw_close(&raws[i]);
	return 0;
}

/* Answers that one does not read hold memory, and so not many wait for him. */
static int deaf_member(void)
{
	enum { AT_MOST = 64 };
	struct dvk_node_request requests[2] = { REQUEST(BIND, .endpoint = ANY, .argument = SELF_BIND),
						REQUEST(UNBIND, .endpoint = SELF) };
	struct raw raw, other;
	int asked = 0, bytes;

	raw_open(&raw);
	raw_open(&other);
	if (fcntl(raw.fd, F_SETFL, O_NONBLOCK))
		return 1;
	for (int tries = 0; tries < 2; tries++) {
		struct dvk_node_request request;

		do {
			request = requests[asked++ % 2];
			request.magic = DVK_WIRE_MAGIC;
			request.version = DVK_WIRE_VERSION;
		} while (raw_send(&raw, &request, sizeof(request), NULL, 0) == (ssize_t)sizeof(request));
		/* What the node still takes it has taken then. */
		raw_no_event(&other);
		raw_no_event(&other);
	}
	if (ioctl(raw.fd, FIONREAD, &bytes))
		return 1;
	raw_close(&raw);
	raw_close(&other);
	return bytes > 0 && bytes <= AT_MOST * (int)sizeof(struct dvk_node_packet) ? 0 : 1;
}

static int outsider(void)
{
	struct raw raw;
	int wrong;

	raw_connect(&raw);
	wrong = expect(&raw, REQUEST(HELLO), EDVSACCES);
	raw_expect_end(&raw);
	raw_close(&raw);
	raw_connect(&raw);
	wrong += expect(&raw, REQUEST(GET_DVS_INFO), EDVSACCES);
	raw_expect_end(&raw);
	raw_close(&raw);
	return wrong;
}

static void groups(void **state)
{
	struct stat status;
	struct puppet server;
	pid_t pid;
	const struct group *group;

	(void)state;
	/* The numbers are made up; the name must exist. */
	group = getgrnam("nogroup");
	if (geteuid() != 0 || !group) {
		print_message("skipped: needs root and a group \"nogroup\"\n");
		skip();
		return;
	}
	/* Another group's right to read the directory is not given to this one. */
	assert_int_equal(chown(directory, 0, GROUP), 0);
	assert_int_equal(chmod(directory, 0750), 0);
	pid = spawn_node((const char *[]){ "--group", "nogroup", NULL });
	assert_int_equal(stat(in_directory(DVK_NODE_SOCKET), &status), 0);
	assert_int_equal(status.st_mode & 07777, S_ISVTX | 0660);
	assert_int_equal(status.st_gid, group->gr_gid);
	assert_int_equal(stat(directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0710);
	assert_int_equal(status.st_gid, group->gr_gid);
	raw_open(&admin);
	raw_start_dc(&admin, 0);
	puppet_open(&server);
	assert_int_equal(raw_bind(&server.raw, 0, 3, NULL), 3);

	assert_int_equal(as_user(MEMBER, group->gr_gid, (gid_t)-1, member), 0);
	assert_int_equal(as_user(MEMBER, GROUP, group->gr_gid, member), 0);
	assert_int_equal(as_user(MEMBER, GROUP, group->gr_gid, greedy_member), 0);
	assert_int_equal(as_user(MEMBER, GROUP, group->gr_gid, deaf_member), 0);
	/* The socket's mode keeps others out; should it be opened by mistake, the node does. */
	assert_int_equal(chmod(directory, 0711), 0);
	assert_int_equal(chmod(in_directory(DVK_NODE_SOCKET), 0666), 0);
	assert_int_equal(as_user(MEMBER, GROUP, (gid_t)-1, outsider), 0);
	assert_int_equal(as_user(MEMBER, GROUP, GROUP, outsider), 0);

	puppet_end(&server);
	raw_close(&admin);
	assert_int_equal(end_process(pid, SIGTERM), 0);
	assert_int_equal(chown(directory, 0, 0), 0);
	assert_int_equal(chmod(directory, 0700), 0);
}

static struct raw root_server;
static gid_t member_group;

/* The connection is a member's, whoever its process is afterwards. */
static void connect_as_member(struct raw *raw)
{
	gid_t own = getegid();

	if (setegid(member_group) || seteuid(MEMBER))
		_exit(99);
	raw_connect(raw);
	if (seteuid(0) || setegid(own))
		_exit(99);
}

/* Introduces a connection to a peer: what both are told of each other's users, or -1 if that is not the same. */
static int told_of_users(struct raw *raw, int endpoint, struct raw *peer)
{
	struct received answer = raw_call_full(raw, REQUEST(CONNECT, .endpoint = endpoint), -1);
	struct received event = raw_event(peer, DVK_EVENT_PEER);

	close_received(&answer);
	close_received(&event);
	return answer.packet.result || answer.packet.argument != event.packet.argument ? -1 : answer.packet.argument;
}

/* Root's, when it is bound, and a member's when it says hello: that counts. */
static int bound_before_it_connects(void)
{
	struct dvk_node_request bind = REQUEST(BIND, .endpoint = 5, .argument = LCL_BIND, .pid = getpid());
	struct received answer, event;
	struct raw raw;
	int wrong = 0;

	connect_as_member(&raw);
	wrong += expect(&admin, bind, 0);
	answer = raw_call_full(&root_server, REQUEST(CONNECT, .endpoint = 5), -1);
	wrong += answer.packet.result || answer.packet.argument != 1;
	close_received(&answer);
	answer = raw_call_full(&raw, REQUEST(HELLO), -1);
	wrong += answer.packet.result || answer.packet.endpoint != 5;
	close_received(&answer);
	event = raw_event(&root_server, DVK_EVENT_PEER_GONE);
	wrong += event.packet.endpoint != 5 || event.packet.result != EDVSNOTBIND;
	raw_no_event(&raw);
	wrong += told_of_users(&root_server, 5, &raw) != 0;
	raw_close(&raw);
	return wrong;
}

/* Peers are told whether they are of one user: memory that is not granted is touched only then. */
static void users_of_peers(void **state)
{
	const struct group *group = getgrnam("nogroup");
	struct raw raw;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || !group) {
		print_message("skipped: needs root and a group \"nogroup\"\n");
		skip();
		return;
	}
	member_group = group->gr_gid;
	pid = spawn_node((const char *[]){ "--group", "nogroup", NULL });
	raw_open(&admin);
	raw_start_dc(&admin, 0);
	raw_open(&root_server);
	assert_int_equal(raw_bind(&root_server, 0, 3, NULL), 3);

	raw_open(&raw);
	assert_int_equal(raw_bind(&raw, 0, 30, NULL), 30);
	assert_int_equal(told_of_users(&raw, 3, &root_server), 1);
	raw_close(&raw);
	raw_event(&root_server, DVK_EVENT_PEER_GONE);

	/* Of the user that it was when it connected, whichever of the two asks. */
	for (int i = 0; i < 2; i++) {
		connect_as_member(&raw);
		assert_int_equal(raw_call(&raw, REQUEST(HELLO)), 0);
		assert_int_equal(raw_bind(&raw, 0, 30, NULL), 30);
		if (i == 0)
			assert_int_equal(told_of_users(&raw, 3, &root_server), 0);
		else
			assert_int_equal(told_of_users(&root_server, 30, &raw), 0);
		raw_close(&raw);
		raw_event(&root_server, DVK_EVENT_PEER_GONE);
	}
	assert_int_equal(as_user(0, 0, (gid_t)-1, bound_before_it_connects), 0);

	raw_close(&root_server);
	raw_close(&admin);
	assert_int_equal(end_process(pid, SIGTERM), 0);
	assert_int_equal(chown(directory, 0, 0), 0);
	assert_int_equal(chmod(directory, 0700), 0);
}

/* Root comes in everywhere; a user's node does not give its rights away. */
static void root_at_a_users_node(void **state)
{
	struct raw raw;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root\n");
		skip();
		return;
	}
	pid = spawn_node(NULL);
	raw_open(&raw);
	raw_start_dc(&raw, 0);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	/* No --group: whoever gets to the socket is refused. */
	assert_int_equal(chmod(directory, 0711), 0);
	assert_int_equal(chmod(in_directory(DVK_NODE_SOCKET), 0666), 0);
	assert_int_equal(as_user(MEMBER, GROUP, 0, outsider), 0);
	assert_int_equal(chmod(directory, 0700), 0);
	raw_close(&raw);
	assert_int_equal(end_process(pid, SIGTERM), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_line),
		cmocka_unit_test(second_node_is_refused),
		cmocka_unit_test(bad_directories),
		cmocka_unit_test(makes_its_directory),
		cmocka_unit_test(shared_directory),
		cmocka_unit_test(bad_locks),
		cmocka_unit_test(no_permission),
		cmocka_unit_test(starts_after_a_kill),
		cmocka_unit_test(options_are_used),
		cmocka_unit_test(ends_while_another_starts),
		cmocka_unit_test(without_standard_descriptors),
		cmocka_unit_test(end_wakes_everybody),
		cmocka_unit_test(groups),
		cmocka_unit_test(users_of_peers),
		cmocka_unit_test(root_at_a_users_node),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
