/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that are sent to the node: memory is passed on; what cannot be closed without waiting neither reaches a
 * peer nor keeps the node from serving others, nor from ending.
 */
#include "node_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dvk_client.h"

/* Longer than the test's patience: a node that waits for it fails. */
#define LINGER_S (PATIENCE_MS / 1000 + 20)

/* A TCP connection whose last closing waits until the other end is closed. */
struct lingering {
	int fd;
	int other_end;
};

static struct lingering linger(void)
{
	const struct linger option = { .l_onoff = 1, .l_linger = LINGER_S };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct lingering made;
	char data[4096] = { 0 };

	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	made.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(made.fd >= 0);
	assert_int_equal(connect(made.fd, (struct sockaddr *)&address, size), 0);
	made.other_end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(made.other_end >= 0);
	close(listener);
	while (send(made.fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(setsockopt(made.fd, SOL_SOCKET, SO_LINGER, &option, sizeof(option)), 0);
	return made;
}

static struct dvk_node_request formed(struct dvk_node_request request)
{
	request.magic = DVK_WIRE_MAGIC;
	request.version = DVK_WIRE_VERSION;
	return request;
}

/* While the node stands still, nobody else closes what we have just sent, and so ours is never the last closing. */
static void pause_node(void)
{
	int status;

	assert_int_equal(kill(node_pid, SIGSTOP), 0);
	assert_int_equal(waitpid(node_pid, &status, WUNTRACED), node_pid);
	assert_true(WIFSTOPPED(status));
}

static void resume_node(void)
{
	assert_int_equal(kill(node_pid, SIGCONT), 0);
}

/* Sends the datagram with so many copies of the descriptor, of which the sender keeps none; the node is paused. */
static void send_away(const struct raw *raw, struct dvk_node_request request, struct lingering *lingering, int copies)
{
	int fds[16];

	for (int i = 0; i < copies; i++)
		fds[i] = lingering->fd;
	request = formed(request);
	assert_int_equal(raw_send(raw, &request, sizeof(request), fds, copies), sizeof(request));
	close(lingering->fd);
}

static void open_granter(struct raw *raw)
{
	raw_open(raw);
	assert_int_equal(raw_bind(raw, 0, 30, NULL), 30);
	raw_introduce(raw, &witness, 7);
}

static int grant(struct raw *raw, int fd)
{
	return raw_answer(raw, raw_ask(raw, REQUEST(GRANT, .endpoint = 7, .length = 4096), fd)).packet.result;
}

static void memory_is_passed_on(void **state)
{
	char name[128];
	struct received event;
	struct raw raw;
	int fds[3];

	(void)state;
	snprintf(name, sizeof(name), "%s/memory", directory);
	fds[0] = memfd_create("memory", MFD_CLOEXEC);
	fds[1] = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fds[2] = open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	/* As a guest kernel's. */
	unlink(name);
	open_granter(&raw);
	for (int i = 0; i < 3; i++) {
		assert_true(fds[i] >= 0);
		assert_int_equal(grant(&raw, fds[i]), 0);
		event = raw_event(&witness, DVK_EVENT_GRANT);
		assert_int_equal(event.nr_fds, 1);
		close_received(&event);
		close(fds[i]);
	}
	raw_close(&raw);
}

static void other_things_are_refused(void **state)
{
	struct raw raw;
	int ends[2], fds[5];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fds[0] = ends[0];
	fds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[2] = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[3] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	/* Not every kernel has it. No huge pages are needed as long as none is touched. */
	fds[4] = memfd_create("memory", MFD_CLOEXEC | MFD_HUGETLB);
	open_granter(&raw);
	for (int i = 0; i < (fds[4] < 0 ? 4 : 5); i++) {
		assert_true(fds[i] >= 0);
		assert_int_equal(grant(&raw, fds[i]), EDVSINVAL);
		close(fds[i]);
	}
	close(ends[1]);
	raw_no_event(&witness);
	/* That is no reason to end the connection. */
	assert_int_equal(raw_call(&raw, REQUEST(GET_DVS_INFO)), 0);
	raw_close(&raw);
}

static void lingering_grant(void **state)
{
	struct lingering lingering = linger();
	struct raw raw;
	uint32_t serial;

	(void)state;
	open_granter(&raw);
	pause_node();
	serial = raw_ask(&raw, REQUEST(GRANT, .endpoint = 7, .length = 4096), lingering.fd);
	close(lingering.fd);
	resume_node();
	assert_int_equal(raw_answer(&raw, serial).packet.result, EDVSINVAL);
	raw_no_event(&witness);
	close(lingering.other_end);
	assert_int_equal(raw_call(&raw, REQUEST(GET_DVS_INFO)), 0);
	raw_close(&raw);
}

/* With calls that take none, and more than any call takes. */
static void lingering_elsewhere(void **state)
{
	static const int copies[] = { 1, 2, 4, 5, 16 };
	struct raw raw;

	(void)state;
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		struct lingering lingering = linger();

		raw_open(&raw);
		pause_node();
		send_away(&raw, REQUEST(GET_DVS_INFO), &lingering, copies[i]);
		resume_node();
		raw_expect_end(&raw);
		raw_no_event(&witness);
		raw_close(&raw);
		close(lingering.other_end);
	}
}

/* What the node never looks at, since the connection ends before. */
static void lingering_left_behind(void **state)
{
	struct lingering lingering = linger();
	char wrong[3] = { 0 };
	struct raw raw;

	(void)state;
	/* Both in the socket before the node looks. */
	raw_open(&raw);
	pause_node();
	assert_int_equal(raw_send(&raw, wrong, sizeof(wrong), NULL, 0), sizeof(wrong));
	assert_int_equal(raw_send(&raw, wrong, 0, NULL, 0), 0);
	send_away(&raw, REQUEST(GRANT), &lingering, 1);
	resume_node();
	raw_expect_end(&raw);
	raw_no_event(&witness);
	raw_close(&raw);
	close(lingering.other_end);
}

static void lingering_of_the_dead(void **state)
{
	struct lingering lingering = linger();
	struct raw raw;

	(void)state;
	open_granter(&raw);
	pause_node();
	send_away(&raw, REQUEST(GRANT, .endpoint = 7, .length = 4096), &lingering, 1);
	raw_close(&raw);
	resume_node();
	raw_event(&witness, DVK_EVENT_PEER_GONE);
	raw_no_event(&witness);
	close(lingering.other_end);
}

/* A node that is told to end does, whatever lies in its sockets: accepted or not. */
static void end_with_lingering(void **state)
{
	struct lingering granted, left, early;
	struct raw raw, late;

	(void)state;
	granted = linger();
	left = linger();
	early = linger();
	open_granter(&raw);
	pause_node();
	send_away(&raw, REQUEST(GRANT, .endpoint = 7, .length = 4096), &granted, 1);
	resume_node();
	assert_int_equal(raw_answer(&raw, 0).packet.result, EDVSINVAL);
	pause_node();
	send_away(&raw, REQUEST(GRANT, .endpoint = 7, .length = 4096), &left, 1);
	raw_connect(&late);
	send_away(&late, REQUEST(HELLO), &early, 1);
	raw_close(&late);
	assert_int_equal(kill(node_pid, SIGTERM), 0);
	resume_node();
	raw_expect_end(&witness);
	assert_int_equal(wait_process(node_pid), 0);
	raw_close(&raw);
	close(granted.other_end);
	close(left.other_end);
	close(early.other_end);
	node_pid = spawn_node(NULL);
}

/* ---- a helper that does not come to its work ---- */

/* Next stop of a traced process: its status. */
static int next_stop(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_true(WIFSTOPPED(status));
	return status;
}

/*
 * Stopped before its first step, a helper has all descriptors of the node. The node does not wait for it for ever, and
 * those that it closes are closed, as far as it is concerned.
 */
static void stopped_helper(void **state)
{
	int memory = memfd_create("memory", MFD_CLOEXEC);
	unsigned long helper;
	struct raw raw, other;
	int status;

	(void)state;
	open_granter(&raw);
	raw_open(&other);
	if (ptrace(PTRACE_SEIZE, node_pid, NULL, PTRACE_O_TRACEFORK)) {
		print_message("skipped: the node cannot be traced\n");
		skip();
		return;
	}
	raw_ask(&raw, REQUEST(GRANT, .endpoint = 7, .length = 4096), memory);
	assert_int_equal(next_stop(node_pid) >> 8, SIGTRAP | PTRACE_EVENT_FORK << 8);
	assert_int_equal(ptrace(PTRACE_GETEVENTMSG, node_pid, NULL, &helper), 0);
	next_stop((pid_t)helper);
	assert_int_equal(ptrace(PTRACE_DETACH, node_pid, NULL, NULL), 0);
	raw_expect_end(&raw);
	raw_close(&raw);
	raw_close(&other);
	raw_event(&witness, DVK_EVENT_PEER_GONE);
	raw_no_event(&witness);
	assert_int_equal(waitpid((pid_t)helper, &status, __WALL), (pid_t)helper);
	assert_true(WIFSIGNALED(status));
	close(memory);
}

/* ---- what the user may have under way ---- */

#define USER_ID 45678

/* By a process of the same user: even root may lack the right. */
static void limit_node(rlim_t files)
{
	const struct rlimit limit = { files, files };
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(setgroups(0, NULL) || setresgid(USER_ID, USER_ID, USER_ID) ||
		      setresuid(USER_ID, USER_ID, USER_ID) || prlimit(node_pid, RLIMIT_NOFILE, &limit, NULL));
	assert_int_equal(wait_process(pid), 0);
}

/*
 * The kernel bounds the descriptors that one user has in sockets. A node that comes to the bound refuses grants, which
 * may be tried again; what it has to send in any case it keeps, and sends it when there is room again.
 */
static void too_many_under_way(void **state)
{
	enum { LIMIT = 150, GRANTERS = 20, LATE = 5, PEERS = GRANTERS + LATE };
	int memory = memfd_create("memory", MFD_CLOEXEC);
	struct raw slow, peers[PEERS];
	struct received received;
	uint32_t serials[PEERS];
	int granted = 0, refused = 0;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root, to run the node as a user with a bound\n");
		skip();
		return;
	}
	assert_int_equal(end_process(node_pid, SIGTERM), 0);
	assert_int_equal(chown(directory, USER_ID, USER_ID), 0);
	node_pid = spawn_node_as(USER_ID, NULL);
	raw_close(&admin);
	raw_close(&witness);
	raw_open(&admin);
	raw_start_dc(&admin, 0);
	raw_open(&witness);
	assert_int_equal(raw_bind(&witness, 0, 7, NULL), 7);
	raw_open(&slow);
	assert_int_equal(raw_bind(&slow, 0, 3, NULL), 3);
	for (int i = 0; i < PEERS; i++) {
		raw_open(&peers[i]);
		assert_int_equal(raw_bind(&peers[i], 0, 30 + i, NULL), 30 + i);
		if (i >= GRANTERS)
			continue;
		received = raw_call_full(&peers[i], REQUEST(CONNECT, .endpoint = 3), -1);
		assert_int_equal(received.packet.result, 0);
		close_received(&received);
	}
	/* The bound is that of whoever sends, for all that is under way already. */
	limit_node(LIMIT);
	for (int i = 0; i < GRANTERS * DVK_GRANTS_PER_PEER; i++) {
		received = raw_call_full(&peers[i % GRANTERS], REQUEST(GRANT, .endpoint = 3, .length = 4096), memory);
		if (received.packet.result)
			assert_int_equal(received.packet.result, EDVSNOMEM);
		granted += received.packet.result == 0;
		refused += received.packet.result != 0;
	}
	assert_true(granted > 0 && refused > 0);
	for (int i = GRANTERS; i < PEERS; i++)
		serials[i] = raw_ask(&peers[i], REQUEST(CONNECT, .endpoint = 3), -1);
	/* They have been looked at when others are answered. */
	raw_no_event(&witness);
	for (int i = 0; i < GRANTERS + granted + LATE; i++) {
		assert_true(raw_receive(&slow, &received));
		assert_int_equal(received.packet.kind,
				 i < GRANTERS || i >= GRANTERS + granted ? DVK_EVENT_PEER : DVK_EVENT_GRANT);
		assert_int_equal(received.nr_fds, received.packet.kind == DVK_EVENT_PEER ? 2 : 1);
		close_received(&received);
	}
	raw_no_event(&slow);
	for (int i = GRANTERS; i < PEERS; i++) {
		received = raw_answer(&peers[i], serials[i]);
		assert_int_equal(received.packet.result, 0);
		assert_int_equal(received.nr_fds, 2);
		close_received(&received);
	}
	for (int i = 0; i < PEERS; i++)
		raw_close(&peers[i]);
	raw_close(&slow);
	close(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(memory_is_passed_on, start_witnessed_node, stop_witnessed_node),
		cmocka_unit_test_setup_teardown(other_things_are_refused, start_witnessed_node, stop_witnessed_node),
		cmocka_unit_test_setup_teardown(lingering_grant, start_witnessed_node, stop_witnessed_node),
		cmocka_unit_test_setup_teardown(lingering_elsewhere, start_witnessed_node, stop_witnessed_node),
		cmocka_unit_test_setup_teardown(lingering_left_behind, start_witnessed_node, stop_witnessed_node),
		cmocka_unit_test_setup_teardown(lingering_of_the_dead, start_witnessed_node, stop_witnessed_node),
		cmocka_unit_test_setup_teardown(end_with_lingering, start_witnessed_node, stop_witnessed_node),
		cmocka_unit_test_setup_teardown(stopped_helper, start_witnessed_node, stop_witnessed_node),
		cmocka_unit_test_setup_teardown(too_many_under_way, start_witnessed_node, stop_witnessed_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
