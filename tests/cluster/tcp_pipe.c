/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_pipe: what it reads goes to a peer, what the peer sends is written; for tests of what arrives between two hosts.
 * It says "connected" first. It ends when it has nothing more to read, or the peer has ended.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "tcp_pipe: %s: %s\n", what, strerror(errno));
	return -1;
}

/* The connection, or -1 with a message. */
static int listen_for(const struct sockaddr_in *address)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int yes = 1;
	int peer;

	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(listener, (const struct sockaddr *)address, sizeof(*address)) || listen(listener, 1))
		return fail("cannot listen");
	puts("listening");
	if (fflush(stdout))
		return fail("cannot write");
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (peer < 0)
		return fail("cannot accept");
	close(listener);
	return peer;
}

static int connect_to(const struct sockaddr_in *address)
{
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (peer < 0 || connect(peer, (const struct sockaddr *)address, sizeof(*address)))
		return fail("cannot connect");
	return peer;
}

/* 1: moved something; 0: the end; -1 with a message. */
static int move(int from, int to)
{
	char bytes[4096];
	ssize_t length = read(from, bytes, sizeof(bytes));

	if (length < 0)
		return fail("cannot read");
	for (ssize_t done = 0; done < length;) {
		ssize_t written = write(to, bytes + done, (size_t)(length - done));

		if (written < 0)
			return fail("cannot write");
		done += written;
	}
	return length > 0;
}

static int serve(int peer)
{
	struct pollfd wait[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = peer, .events = POLLIN } };
	int moved = 1;

	puts("connected");
	if (fflush(stdout))
		return fail("cannot write");
	while (moved > 0) {
		if (poll(wait, 2, -1) < 0)
			return fail("cannot wait");
		if (wait[1].revents)
			moved = move(peer, STDOUT_FILENO);
		if (moved > 0 && wait[0].revents)
			moved = move(STDIN_FILENO, peer);
	}
	return moved;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	bool listening = argc == 4 && strcmp(argv[1], "listen") == 0;
	int peer;

	if (argc != 4 || (!listening && strcmp(argv[1], "connect") != 0) ||
	    inet_pton(AF_INET, argv[2], &address.sin_addr) != 1) {
		fprintf(stderr, "usage: tcp_pipe listen|connect ADDRESS PORT\n");
		return 2;
	}
	address.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
	peer = listening ? listen_for(&address) : connect_to(&address);
	return peer >= 0 && serve(peer) == 0 ? 0 : 1;
}
