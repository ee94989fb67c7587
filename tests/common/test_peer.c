/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second client process that does what it is told over a socket pair: one
 * datagram an order, one an answer.
 */
#include "test_disk.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_server.h"

struct order {
	int destination;
	int timeout_ms;
	message msg;
	/* in place of a message: memory to grant */
	void *base; /* NULL: a message */
	size_t length;
	int fd;
};

struct outcome {
	int result;
	message msg;
};

static _Noreturn void serve(int socket, int endpoint, pid_t parent)
{
	struct outcome outcome = { 0 };
	struct order order;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	outcome.result = test_bind(endpoint);
	while (send(socket, &outcome, sizeof(outcome), MSG_NOSIGNAL) == (ssize_t)sizeof(outcome) &&
	       recv(socket, &order, sizeof(order), 0) == (ssize_t)sizeof(order)) {
		outcome.msg = order.msg;
		if (order.base)
			outcome.result = dvk_grant(order.destination, order.fd, 0, order.base, order.length);
		else
			outcome.result = dvk_sendrec_T(order.destination, &outcome.msg, order.timeout_ms);
	}
	(void)dvk_close();
	_exit(0);
}

static struct outcome receive_outcome(struct test_peer *peer)
{
	struct outcome outcome;
	ssize_t got;

	do {
		got = recv(peer->socket, &outcome, sizeof(outcome), 0);
	} while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(outcome))
		test_fatal("the second client is gone");
	return outcome;
}

void test_peer_start(struct test_peer *peer, int endpoint)
{
	pid_t parent = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		test_fatal("socketpair: %s", strerror(errno));
	(void)fflush(NULL);
	peer->pid = fork();
	if (peer->pid < 0)
		test_fatal("fork: %s", strerror(errno));
	if (peer->pid == 0) {
		(void)close(ends[0]);
		serve(ends[1], endpoint, parent);
	}
	(void)close(ends[1]);
	peer->socket = ends[0];
	peer->endpoint = receive_outcome(peer).result;
}

static void give_order(struct test_peer *peer, const struct order *order)
{
	if (send(peer->socket, order, sizeof(*order), MSG_NOSIGNAL) != (ssize_t)sizeof(*order))
		test_fatal("the second client takes no order: %s", strerror(errno));
}

void test_peer_begin(struct test_peer *peer, int destination, const message *request, int timeout_ms)
{
	const struct order order = { .destination = destination, .timeout_ms = timeout_ms, .msg = *request };

	give_order(peer, &order);
}

bool test_peer_finished(const struct test_peer *peer)
{
	struct pollfd ready = { .fd = peer->socket, .events = POLLIN };

	return poll(&ready, 1, 0) > 0;
}

int test_peer_grant(struct test_peer *peer, int destination, int fd, void *base, size_t length)
{
	const struct order order = { .destination = destination, .base = base, .length = length, .fd = fd };

	give_order(peer, &order);
	return receive_outcome(peer).result;
}

int test_peer_finish(struct test_peer *peer, message *reply)
{
	struct outcome outcome = receive_outcome(peer);

	*reply = outcome.msg;
	return outcome.result;
}

int test_peer_request(struct test_peer *peer, struct test_disk *disk, int type, int count, int64_t position,
		      int64_t length, const void *address)
{
	message msg = { .m_type = type };
	int self = disk->self ? disk->self : peer->endpoint;

	msg.DEVICE = disk->minor;
	msg.IO_ENDPT = self;
	msg.COUNT = count;
	msg.POSITION = position;
	msg.LENGTH = length;
	msg.ADDRESS = (char *)(uintptr_t)address;
	test_peer_begin(peer, disk->server, &msg, disk->timeout_ms);
	disk->transport = test_peer_finish(peer, &msg);
	if (disk->transport)
		return TEST_DISK_NO_ANSWER;
	if (msg.m_type != MOLTASK_REPLY || msg.REP_ENDPT != self)
		return TEST_DISK_BAD_REPLY;
	return msg.REP_STATUS;
}

static void reap(struct test_peer *peer)
{
	if (waitpid(peer->pid, NULL, 0) != peer->pid)
		test_fatal("waitpid: %s", strerror(errno));
	peer->pid = 0;
}

void test_peer_kill(struct test_peer *peer, int signal_number)
{
	if (kill(peer->pid, signal_number))
		test_fatal("kill: %s", strerror(errno));
	reap(peer);
	(void)close(peer->socket);
}

void test_peer_stop(struct test_peer *peer)
{
	if (!peer->pid)
		return;
	/* Peers that were started later hold this end too: closing it would end nothing. */
	(void)shutdown(peer->socket, SHUT_RDWR);
	(void)close(peer->socket);
	reap(peer);
}

void *test_grantable_memory(size_t length, int *fd)
{
	void *memory;

	*fd = memfd_create("granted", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)length))
		test_fatal("memfd: %s", strerror(errno));
	memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (memory == MAP_FAILED)
		test_fatal("mmap: %s", strerror(errno));
	return memory;
}

void *test_shared_memory(size_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		test_fatal("mmap: %s", strerror(errno));
	return memory;
}
