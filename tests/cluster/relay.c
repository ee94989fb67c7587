/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay: a slow and unreliable way between two hosts, as this kernel has no netem. What comes in on one address goes on
 * to another, and what comes back comes back, as late, as slowly and as far as it is told on stdin:
 *
 *   delay MS        each byte arrives that much later
 *   rate BYTES      a second, in each direction of each connection; 0: as fast as it goes
 *   stall           nothing arrives; connections stay
 *   go              it arrives again
 *   cut             connections are reset, with what is under way
 *   cut-after BYTES the same when that many more have arrived in one direction of any: in the middle of a frame, say.
 * They arrive, and no more of what is under way does; later connections work again refuse, accept  new connections are
 * reset at once; are taken
 *
 * It says "listening" when it is, "done" after each line, "cut" when a cut-after took place. It ends when stdin does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 64
#define CHUNK	    16384
#define QUEUE_MOST  (4u << 20) /* bytes of a direction that are under way: more is not read */
#define NEVER	    UINT64_MAX
#define SECOND	    1000000000u

struct chunk {
	STAILQ_ENTRY(chunk) next;
	uint64_t due; /* ns */
	size_t length, done;
	unsigned char bytes[CHUNK];
};

struct direction {
	int from, to;
	STAILQ_HEAD(chunk_queue, chunk) queue;
	size_t queued;
	uint64_t busy_until; /* ns; by the rate */
	uint64_t last_due;   /* ns; of what was queued */
	bool ended;	     /* nothing more comes */
	bool told_ended;     /* and the other side knows */
};

/* fd of both are -1 where there is none. */
static struct connection {
	bool open;
	struct direction directions[2];
} connections[CONNECTIONS];

static uint64_t delay_ns, rate, cut_after = NEVER;
static bool stalled, refusing;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		die("clock");
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void say(const char *word)
{
	if (puts(word) < 0 || fflush(stdout))
		die("stdout");
}

/* Closes a socket as a host that knows nothing of it would: by a reset. */
static void reset(int fd)
{
	const struct linger linger = { .l_onoff = 1 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	(void)close(fd);
}

static void drop_chunk(struct direction *direction)
{
	struct chunk *chunk = STAILQ_FIRST(&direction->queue);

	STAILQ_REMOVE_HEAD(&direction->queue, next);
	direction->queued -= chunk->length;
	free(chunk);
}

static void end_connection(struct connection *connection, bool by_reset)
{
	for (int i = 0; i < 2; i++) {
		while (!STAILQ_EMPTY(&connection->directions[i].queue))
			drop_chunk(&connection->directions[i]);
		if (by_reset)
			reset(connection->directions[i].from);
		else
			(void)close(connection->directions[i].from);
	}
	connection->open = false;
}

static void cut_all(void)
{
	for (int i = 0; i < CONNECTIONS; i++)
		if (connections[i].open)
			end_connection(&connections[i], true);
}

/* ---- what moves ---- */

/* False: the connection is broken. */
static bool take_in(struct direction *direction)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	ssize_t length;

	if (!chunk)
		die("memory");
	length = recv(direction->from, chunk->bytes, sizeof(chunk->bytes), MSG_DONTWAIT);
	if (length <= 0) {
		free(chunk);
		direction->ended = length == 0;
		return length == 0 || errno == EAGAIN || errno == EINTR;
	}
	chunk->length = (size_t)length;
	if (direction->busy_until < now_ns())
		direction->busy_until = now_ns();
	if (rate)
		direction->busy_until += (uint64_t)length * SECOND / rate;
	chunk->due = direction->busy_until + delay_ns;
	/* What comes first arrives first, also when the delay gets shorter. */
	if (chunk->due < direction->last_due)
		chunk->due = direction->last_due;
	direction->last_due = chunk->due;
	direction->queued += chunk->length;
	STAILQ_INSERT_TAIL(&direction->queue, chunk, next);
	return true;
}

/* Sends what is due. False: the connection is broken, or was cut. */
static bool give_out(struct direction *direction, uint64_t now)
{
	struct chunk *chunk;

	while (!stalled && (chunk = STAILQ_FIRST(&direction->queue)) && chunk->due <= now) {
		size_t length = chunk->length - chunk->done;
		ssize_t sent;

		if (cut_after < length)
			length = (size_t)cut_after;
		sent = length ? send(direction->to, chunk->bytes + chunk->done, length, MSG_DONTWAIT | MSG_NOSIGNAL)
			      : 0;
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR;
		chunk->done += (size_t)sent;
		if (cut_after != NEVER) {
			cut_after -= (uint64_t)sent;
			if (cut_after == 0)
				return false;
		}
		if (chunk->done == chunk->length)
			drop_chunk(direction);
	}
	if (direction->ended && !direction->told_ended && STAILQ_EMPTY(&direction->queue)) {
		(void)shutdown(direction->to, SHUT_WR);
		direction->told_ended = true;
	}
	return true;
}

/* Waits until all that was sent has arrived, so that a reset does not take it along. */
static void settle(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	const struct timespec moment = { .tv_nsec = 1000000 };

	for (int i = 0; i < 1000 && !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) && info.tcpi_unacked; i++)
		(void)nanosleep(&moment, NULL);
}

static void serve(struct connection *connection, short came[2])
{
	uint64_t now = now_ns();

	for (int i = 0; i < 2; i++) {
		struct direction *direction = &connection->directions[i];

		if ((came[i] & (POLLIN | POLLHUP | POLLERR)) && !direction->ended && direction->queued < QUEUE_MOST &&
		    !take_in(direction)) {
			end_connection(connection, true);
			return;
		}
		if (!give_out(direction, now)) {
			if (cut_after == 0) {
				settle(direction->to);
				cut_after = NEVER;
				end_connection(connection, true);
				say("cut");
			} else {
				end_connection(connection, true);
			}
			return;
		}
	}
	if (connection->directions[0].told_ended && connection->directions[1].told_ended)
		end_connection(connection, false);
}

static void connect_on(int from, const struct sockaddr_in *target)
{
	int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int yes = 1;
	struct connection *connection = NULL;

	for (int i = 0; i < CONNECTIONS && !connection; i++)
		if (!connections[i].open)
			connection = &connections[i];
	if (to < 0 || refusing || !connection || connect(to, (const struct sockaddr *)target, sizeof(*target))) {
		if (to >= 0)
			(void)close(to);
		reset(from);
		return;
	}
	(void)setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	(void)setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	*connection = (struct connection){ .open = true,
					   .directions = { { .from = from, .to = to }, { .from = to, .to = from } } };
	for (int i = 0; i < 2; i++)
		STAILQ_INIT(&connection->directions[i].queue);
}

/* ---- what it is told ---- */

static void obey(char *line)
{
	char *number = strchr(line, ' ');
	uint64_t value = number ? strtoull(number + 1, NULL, 10) : 0;

	if (number)
		*number = '\0';
	if (strcmp(line, "delay") == 0)
		delay_ns = value * 1000000;
	else if (strcmp(line, "rate") == 0)
		rate = value;
	else if (strcmp(line, "stall") == 0 || strcmp(line, "go") == 0)
		stalled = *line == 's';
	else if (strcmp(line, "cut") == 0)
		cut_all();
	else if (strcmp(line, "cut-after") == 0 && value > 0)
		cut_after = value;
	else if (strcmp(line, "refuse") == 0 || strcmp(line, "accept") == 0)
		refusing = *line == 'r';
	else {
		fprintf(stderr, "relay: what is \"%s\"?\n", line);
		exit(2);
	}
	say("done");
}

/* False: stdin has ended. */
static bool take_orders(void)
{
	static char text[256];
	static size_t length;
	ssize_t got = read(STDIN_FILENO, text + length, sizeof(text) - 1 - length);
	char *end;

	if (got <= 0)
		return false;
	length += (size_t)got;
	text[length] = '\0';
	while ((end = strchr(text, '\n'))) {
		*end = '\0';
		obey(text);
		length -= (size_t)(end + 1 - text);
		memmove(text, end + 1, length + 1);
	}
	return length < sizeof(text) - 1;
}

/* ms until something is due, or -1. */
static int time_left(uint64_t now)
{
	uint64_t next = NEVER;

	for (int i = 0; i < CONNECTIONS * 2 && !stalled; i++) {
		const struct connection *connection = &connections[i / 2];
		const struct chunk *chunk =
			connection->open ? STAILQ_FIRST(&connection->directions[i % 2].queue) : NULL;

		if (chunk && chunk->due > now && chunk->due < next)
			next = chunk->due;
	}
	return next == NEVER ? -1 : (int)((next - now) / 1000000 + 1);
}

/* What of a socket is to be waited for: what it sends, and room for what is due to it. */
static int wanted(const struct connection *connection, int side, uint64_t now)
{
	const struct direction *in = &connection->directions[side], *out = &connection->directions[!side];
	const struct chunk *chunk = STAILQ_FIRST(&out->queue);
	int events = 0;

	if (!in->ended && in->queued < QUEUE_MOST)
		events |= POLLIN;
	if (!stalled && chunk && chunk->due <= now)
		events |= POLLOUT;
	return events;
}

static void run(int listener, const struct sockaddr_in *target)
{
	struct pollfd wait[2 + CONNECTIONS * 2] = { { .fd = STDIN_FILENO, .events = POLLIN },
						    { .fd = listener, .events = POLLIN } };

	for (;;) {
		uint64_t now = now_ns();

		for (int i = 0; i < CONNECTIONS * 2; i++) {
			const struct connection *connection = &connections[i / 2];
			int events = connection->open ? wanted(connection, i % 2, now) : 0;

			/* One of which nothing is wanted would report its end for ever. */
			wait[2 + i] = (struct pollfd){ .fd = events ? connection->directions[i % 2].from : -1,
						       .events = (short)events };
		}
		if (poll(wait, sizeof(wait) / sizeof(wait[0]), time_left(now)) < 0 && errno != EINTR)
			die("poll");
		for (int i = 0; i < CONNECTIONS; i++)
			if (connections[i].open)
				serve(&connections[i], (short[]){ wait[2 + i * 2].revents, wait[3 + i * 2].revents });
		if (wait[1].revents) {
			int from = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

			if (from >= 0)
				connect_on(from, target);
		}
		if (wait[0].revents && !take_orders())
			return;
	}
}

static struct sockaddr_in parse(const char *address, const char *port)
{
	struct sockaddr_in parsed = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };

	if (inet_pton(AF_INET, address, &parsed.sin_addr) != 1) {
		fprintf(stderr, "relay: %s is no address\n", address);
		exit(2);
	}
	return parsed;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in own, target;
	const int yes = 1;
	int listener;

	if (argc != 5) {
		fprintf(stderr, "usage: relay ADDRESS PORT TO-ADDRESS TO-PORT\n");
		return 2;
	}
	own = parse(argv[1], argv[2]);
	target = parse(argv[3], argv[4]);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(listener, (struct sockaddr *)&own, sizeof(own)) || listen(listener, CONNECTIONS))
		die("cannot listen");
	say("listening");
	run(listener, &target);
	return 0;
}
