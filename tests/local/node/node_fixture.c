/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See node_fixture.h. */
#include "node_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

char directory[64];
pid_t node_pid;
struct raw admin, witness;

/* ---- processes ---- */

/* In a child: does not outlive the test, however that ends. */
static void die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

/* output: what standard output and error are to be, or -1. closed: bits of standard descriptors that it has not got. */
static pid_t spawn(const char *const *arguments, int output, int closed, uid_t uid)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* Before the change of user, who may have no way to the file. */
		int program = open(arguments[0], O_RDONLY | O_CLOEXEC);

		if (uid != geteuid() && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
			_exit(126);
		/* After it: a change of user takes the wish back. */
		die_with_parent(parent);
		if (output >= 0) {
			dup2(output, 1);
			dup2(output, 2);
		}
		for (int i = 0; i < 3; i++)
			if (closed >> i & 1)
				close(i);
		fexecve(program, (char *const *)(uintptr_t)arguments, environ);
		_exit(127);
	}
	return pid;
}

/* A socket as a service manager's, in the directory; sets $NOTIFY_SOCKET. */
static int notify_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	unlink(address.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(chmod(address.sun_path, 0777), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
	return fd;
}

static pid_t spawn_ready_node(uid_t uid, int closed, const char *const *arguments)
{
	const char *full[16] = { DVKD_PATH };
	struct pollfd ready[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char text[64] = "";
	int count = 1;
	pid_t pid;

	for (; arguments && arguments[count - 1]; count++)
		full[count] = arguments[count - 1];
	ready[0].fd = notify_open();
	pid = spawn(full, -1, closed, uid);
	unsetenv("NOTIFY_SOCKET");
	ready[1].fd = pidfd_open(pid, 0);
	assert_true(ready[1].fd >= 0);
	assert_true(poll(ready, 2, PATIENCE_MS) > 0);
	if (!(ready[0].revents & POLLIN))
		fail_msg("dvkd ended with status %d", wait_process(pid));
	assert_true(recv(ready[0].fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "READY=1");
	close(ready[0].fd);
	close(ready[1].fd);
	return pid;
}

pid_t spawn_program(const char *const *arguments, int output)
{
	return spawn(arguments, output, 0, geteuid());
}

pid_t spawn_node(const char *const *arguments)
{
	return spawn_ready_node(geteuid(), 0, arguments);
}

pid_t spawn_node_as(uid_t uid, const char *const *arguments)
{
	return spawn_ready_node(uid, 0, arguments);
}

pid_t spawn_node_without(int closed)
{
	return spawn_ready_node(geteuid(), closed, NULL);
}

int run_program(const char *const *arguments, char *output, size_t size)
{
	size_t length = 0;
	ssize_t got;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = spawn(arguments, ends[1], 0, geteuid());
	close(ends[1]);
	while ((got = read(ends[0], output + length, size - 1 - length)) > 0)
		length += (size_t)got;
	output[length] = '\0';
	close(ends[0]);
	return wait_process(pid);
}

int wait_process(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int end_process(pid_t pid, int signal)
{
	assert_int_equal(kill(pid, signal), 0);
	return wait_process(pid);
}

static char state_of(pid_t pid)
{
	char path[64], line[128];
	char state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	/* "1234 (name) S ..." */
	if (fgets(line, sizeof(line), file) && strrchr(line, ')'))
		state = strrchr(line, ')')[2];
	fclose(file);
	return state;
}

void stop_process(pid_t pid)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PATIENCE_MS / 1000;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	while (state_of(pid) != 'T') {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			fail_msg("process %d does not stop", (int)pid);
	}
}

/* ---- fixtures ---- */

static pid_t cleaner;
static int cleaner_fd = -1;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

/* A process that removes the directory when the test is over, also when that was killed. */
static int start_cleaner(void)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	cleaner = fork();
	if (cleaner < 0)
		return -1;
	if (cleaner == 0) {
		/* What ends the test's process group is not for the cleaner. */
		setsid();
		close(ends[1]);
		while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
			;
		_exit(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) ? 1 : 0);
	}
	close(ends[0]);
	cleaner_fd = ends[1];
	return 0;
}

int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/dvk-test-XXXXXX");
	if (!mkdtemp(directory) || start_cleaner())
		return -1;
	return setenv("DVK_RUNTIME_DIR", directory, 1);
}

int remove_directory(void **state)
{
	(void)state;
	close(cleaner_fd);
	return wait_process(cleaner) ? -1 : 0;
}

int start_node(void **state)
{
	if (make_directory(state))
		return -1;
	node_pid = spawn_node(NULL);
	return 0;
}

int stop_node(void **state)
{
	int status = end_process(node_pid, SIGTERM);

	if (status)
		print_error("dvkd ended with status %d\n", status);
	return remove_directory(state) || status ? -1 : 0;
}

/* ---- connections ---- */

static int connect_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" DVK_NODE_SOCKET, directory);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void raw_init(struct raw *raw, int fd)
{
	assert_true(fd >= 0);
	raw->fd = fd;
	raw->serial = 0;
	raw->nr_kept = 0;
	raw->kept = calloc(KEPT_EVENTS, sizeof(*raw->kept));
	assert_non_null(raw->kept);
}

void raw_connect(struct raw *raw)
{
	raw_init(raw, connect_socket());
}

void raw_close(struct raw *raw)
{
	for (int i = 0; i < raw->nr_kept; i++)
		close_received(&raw->kept[i]);
	free(raw->kept);
	raw->kept = NULL;
	if (raw->fd >= 0)
		close(raw->fd);
	raw->fd = -1;
}

void raw_open(struct raw *raw)
{
	raw_connect(raw);
	assert_int_equal(raw_call(raw, REQUEST(HELLO, .pid = 0)), 0);
}

ssize_t raw_send(const struct raw *raw, const void *data, size_t size, const int *fds, int nr_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 16)];
	} control = { 0 };
	struct iovec vector = { (void *)(uintptr_t)data, size };
	struct msghdr msg = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (nr_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nr_fds);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nr_fds);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * (size_t)nr_fds);
	}
	return sendmsg(raw->fd, &msg, MSG_NOSIGNAL);
}

bool raw_receive(const struct raw *raw, struct received *received)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * RECEIVED_FDS)];
	} control;
	struct iovec vector = { &received->packet, sizeof(received->packet) };
	struct msghdr msg = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct pollfd ready = { .fd = raw->fd, .events = POLLIN };
	ssize_t length;

	received->nr_fds = 0;
	if (poll(&ready, 1, PATIENCE_MS) != 1)
		fail_msg("the node sends nothing");
	length = recvmsg(raw->fd, &msg, MSG_CMSG_CLOEXEC);
	if (length < 0 && errno == ECONNRESET)
		length = recvmsg(raw->fd, &msg, MSG_CMSG_CLOEXEC);
	if (length <= 0)
		return false;
	assert_int_equal(length, sizeof(received->packet));
	assert_int_equal(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC), 0);
	assert_int_equal(received->packet.magic, DVK_WIRE_MAGIC);
	assert_int_equal(received->packet.version, DVK_WIRE_VERSION);
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&msg); header; header = CMSG_NXTHDR(&msg, header)) {
		received->nr_fds = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(received->fds, CMSG_DATA(header), sizeof(int) * (size_t)received->nr_fds);
	}
	return true;
}

void raw_expect_end(const struct raw *raw)
{
	struct received received;

	if (raw_receive(raw, &received))
		fail_msg("a packet of kind %u, result %d instead of the end", received.packet.kind,
			 received.packet.result);
}

uint32_t raw_ask(struct raw *raw, struct dvk_node_request request, int fd)
{
	request.magic = DVK_WIRE_MAGIC;
	request.version = DVK_WIRE_VERSION;
	request.serial = ++raw->serial;
	assert_int_equal(raw_send(raw, &request, sizeof(request), &fd, fd >= 0 ? 1 : 0), sizeof(request));
	return raw->serial;
}

struct received raw_answer(struct raw *raw, uint32_t serial)
{
	struct received received;

	for (;;) {
		if (!raw_receive(raw, &received))
			fail_msg("the node ended the connection");
		if (received.packet.kind == DVK_PACKET_ANSWER) {
			assert_int_equal(received.packet.serial, serial);
			return received;
		}
		assert_int_equal(received.packet.serial, 0);
		assert_true(raw->nr_kept < KEPT_EVENTS);
		raw->kept[raw->nr_kept++] = received;
	}
}

struct received raw_call_full(struct raw *raw, struct dvk_node_request request, int fd)
{
	return raw_answer(raw, raw_ask(raw, request, fd));
}

int raw_call(struct raw *raw, struct dvk_node_request request)
{
	struct received received = raw_call_full(raw, request, -1);

	close_received(&received);
	return received.packet.result;
}

struct received raw_event(struct raw *raw, enum dvk_packet_kind kind)
{
	struct received received;

	if (raw->nr_kept) {
		received = raw->kept[0];
		raw->nr_kept--;
		memmove(&raw->kept[0], &raw->kept[1], sizeof(received) * (size_t)raw->nr_kept);
	} else if (!raw_receive(raw, &received)) {
		fail_msg("the node ended the connection");
	}
	assert_int_equal(received.packet.kind, kind);
	assert_int_equal(received.packet.serial, 0);
	return received;
}

void raw_no_event(struct raw *raw)
{
	/* Events go out before the answer to a later question. */
	assert_int_equal(raw_call(raw, REQUEST(GET_DVS_INFO)), 0);
	assert_int_equal(raw->nr_kept, 0);
}

void close_received(struct received *received)
{
	for (int i = 0; i < received->nr_fds; i++)
		close(received->fds[i]);
	received->nr_fds = 0;
}

/* ---- common steps ---- */

int raw_bind(struct raw *raw, int dcid, int endpoint, int *page)
{
	struct received answer =
		raw_call_full(raw, REQUEST(BIND, .dcid = dcid, .endpoint = endpoint, .argument = SELF_BIND), -1);

	if (answer.packet.result) {
		assert_int_equal(answer.nr_fds, 0);
		return answer.packet.result;
	}
	assert_int_equal(answer.nr_fds, 1);
	if (page)
		*page = answer.fds[0];
	else
		close_received(&answer);
	return answer.packet.endpoint;
}

void raw_start_dc(struct raw *raw, int dcid)
{
	assert_int_equal(raw_call(raw, REQUEST(DC_INIT, .dc = { .dc_dcid = dcid })), 0);
}

void raw_introduce(struct raw *raw, struct raw *peer, int endpoint)
{
	struct received answer = raw_call_full(raw, REQUEST(CONNECT, .endpoint = endpoint), -1);
	struct received event;

	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.nr_fds, 2);
	close_received(&answer);
	event = raw_event(peer, DVK_EVENT_PEER);
	assert_int_equal(event.nr_fds, 2);
	close_received(&event);
}

/* ---- puppets ---- */

static _Noreturn void sleep_for_ever(void)
{
	for (;;)
		pause();
}

void puppet_start(struct puppet *puppet)
{
	struct raw passed;
	struct received received;
	pid_t parent = getpid();
	int pair[2];
	char byte = 0;
	struct iovec vector = { &byte, 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	puppet->pid = fork();
	assert_true(puppet->pid >= 0);
	if (puppet->pid == 0) {
		die_with_parent(parent);
		passed.fd = pair[1];
		received.fds[0] = connect_socket();
		if (received.fds[0] < 0 || raw_send(&passed, &byte, 1, received.fds, 1) != 1)
			_exit(1);
		close(received.fds[0]);
		sleep_for_ever();
	}
	close(pair[1]);
	assert_int_equal(recvmsg(pair[0], &msg, MSG_CMSG_CLOEXEC), 1);
	close(pair[0]);
	assert_int_equal(control.header.cmsg_len, CMSG_LEN(sizeof(int)));
	memcpy(&received.fds[0], CMSG_DATA(&control.header), sizeof(int));
	raw_init(&puppet->raw, received.fds[0]);
}

void puppet_open(struct puppet *puppet)
{
	puppet_start(puppet);
	assert_int_equal(raw_call(&puppet->raw, REQUEST(HELLO, .pid = puppet->pid)), 0);
}

pid_t sleeper_start(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		die_with_parent(parent);
		sleep_for_ever();
	}
	return pid;
}

void puppet_end(struct puppet *puppet)
{
	assert_int_equal(end_process(puppet->pid, SIGKILL), 128 + SIGKILL);
	raw_close(&puppet->raw);
}

struct dvk_process_page *map_page(int fd, int protection)
{
	void *page = mmap(NULL, DVK_PAGE_SIZE, protection, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

void unmap_page(void *page)
{
	assert_int_equal(munmap(page, DVK_PAGE_SIZE), 0);
}

/* ---- what many tests begin with ---- */

int open_admin(void **state)
{
	(void)state;
	raw_open(&admin);
	raw_start_dc(&admin, 0);
	return 0;
}

int close_admin(void **state)
{
	(void)state;
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 0)), 0);
	raw_close(&admin);
	return 0;
}

int open_witness(void **state)
{
	open_admin(state);
	raw_open(&witness);
	assert_int_equal(raw_bind(&witness, 0, 7, NULL), 7);
	return 0;
}

int close_witness(void **state)
{
	raw_close(&witness);
	return close_admin(state);
}

int start_witnessed_node(void **state)
{
	return start_node(state) ? -1 : open_witness(state);
}

int stop_witnessed_node(void **state)
{
	raw_close(&witness);
	raw_close(&admin);
	return stop_node(state);
}
