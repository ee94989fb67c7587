/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of sessions share; see session_test.h.
 */
#include "session_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "test_directory.h"

#define TOO_LONG_NS (60ull * 1000 * SESSION_TEST_MS)
#define SEED	    UINT32_C(2654435761)

struct test_node nodes[SESSION_TEST_NODES];
struct test_relay relay = { .listener = -1, .ends = { -1, -1 } };

static uint64_t forward;

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * SESSION_TEST_MS + (uint64_t)now.tv_nsec;
}

uint64_t session_test_now(void)
{
	return monotonic() + forward;
}

void session_test_forward(uint64_t ns)
{
	forward += ns;
}

void session_test_deadline(bool begin, const char *condition)
{
	static uint64_t deadline;

	if (begin)
		deadline = monotonic() + TOO_LONG_NS;
	else if (monotonic() > deadline)
		fail_msg("it never came to this: %s", condition);
}

const char *session_test_address(void)
{
	static char text[32];
	unsigned int pid = (unsigned int)getpid();

	snprintf(text, sizeof(text), "127.%u.%u.%u", 1 + (pid >> 16) % 250, (pid >> 8) & 255, pid & 255);
	return text;
}

/* ---- members ---- */

static void on_up(void *user, int member)
{
	struct test_node *node = user;

	assert_false(node->of[member].up);
	node->of[member].up = true;
	node->of[member].ups++;
}

static void on_down(void *user, int member, const char *why)
{
	struct test_node *node = user;

	assert_true(node->of[member].up);
	node->of[member].up = false;
	node->of[member].downs++;
	snprintf(node->of[member].why, sizeof(node->of[member].why), "%s", why);
}

static bool on_frame(void *user, int member, void *frame, size_t size)
{
	struct test_node *node = user;
	struct told *told = &node->of[member];

	assert_true(told->up);
	if (told->discard) {
		told->discarded += size;
		free(frame);
		return true;
	}
	told->frames = realloc(told->frames, ((size_t)told->nr_frames + 1) * sizeof(told->frames[0]));
	assert_non_null(told->frames);
	told->frames[told->nr_frames++] = (struct received_frame){ frame, size };
	if (told->nr_frames != told->hang_up_at)
		return true;
	told->up = false;
	return false;
}

static void on_room(void *user, int member)
{
	struct test_node *node = user;

	assert_true(node->of[member].up);
	node->of[member].rooms++;
}

static const struct session_events events = { .up = on_up, .down = on_down, .frame = on_frame, .room = on_room };

void session_test_begin(int count, bool with_key)
{
	forward = 0;
	for (int i = 0; i < count; i++) {
		struct test_node *node = &nodes[i];

		*node = (struct test_node){ 0 };
		for (int k = 0; k < count; k++) {
			snprintf(node->addresses[k], sizeof(node->addresses[k]), "%s", session_test_address());
			node->members[k] = (struct session_member){
				.node = (uint32_t)k + 1,
				.address = node->addresses[k],
				.port = SESSION_TEST_PORT(k),
			};
		}
		memset(node->key, 0x5a, sizeof(node->key));
		node->settings = (struct session_settings){
			.members = node->members,
			.count = count,
			.self = i,
			.set = "test",
			.key = node->key,
			.key_size = with_key ? SESSION_KEY_SIZE : 0,
			.queue_bytes = 4u << 20,
			.frame_max = (1u << 20) + 1024,
			.compression = SESSION_COMPRESSION_OFF,
			.idle = 60000 * SESSION_TEST_MS,
			.dead = 240000 * SESSION_TEST_MS,
			.handshake = 100000 * SESSION_TEST_MS,
			.retry_least = 2 * SESSION_TEST_MS,
			.retry_most = 20 * SESSION_TEST_MS,
		};
	}
}

void session_test_forget_frames(int node, int from)
{
	struct told *told = &nodes[node].of[from];

	for (int i = 0; i < told->nr_frames; i++)
		free(told->frames[i].bytes);
	free(told->frames);
	told->frames = NULL;
	told->nr_frames = 0;
}

void session_test_start(int node)
{
	struct diagnostic diagnostic = { "" };

	nodes[node].settings.members = nodes[node].members;
	if (sessions_open(&nodes[node].sessions, &nodes[node].settings, &events, &nodes[node], &diagnostic))
		fail_msg("%s", diagnostic.text);
}

void session_test_kill(int node)
{
	sessions_close(nodes[node].sessions);
	nodes[node].sessions = NULL;
	for (int i = 0; i < SESSION_TEST_NODES; i++) {
		session_test_forget_frames(node, i);
		nodes[node].of[i] = (struct told){ 0 };
	}
}

static bool all_up(int count)
{
	for (int i = 0; i < count; i++) {
		for (int k = 0; k < count; k++) {
			if (i != k && !nodes[i].of[k].up)
				return false;
		}
	}
	return true;
}

void session_test_start_all(int count)
{
	for (int i = 0; i < count; i++)
		session_test_start(i);
	session_test_until(all_up(count));
}

static void close_relay(void)
{
	for (int i = 0; i < 2; i++) {
		if (relay.ends[i] >= 0)
			close(relay.ends[i]);
		relay.ends[i] = -1;
	}
}

int session_test_end(void **state)
{
	(void)state;
	for (int i = 0; i < SESSION_TEST_NODES; i++)
		session_test_kill(i);
	close_relay();
	if (relay.listener >= 0)
		close(relay.listener);
	free(relay.recorded);
	relay = (struct test_relay){ .listener = -1, .ends = { -1, -1 } };
	return 0;
}

const char *session_test_why(int node, int of)
{
	static struct session_status status;

	sessions_status(nodes[node].sessions, of, &status);
	return status.why;
}

/* ---- frames ---- */

/* The number, its size, and bytes that follow from both; runs of them alike, so that LZ4 finds something. */
void session_test_fill(unsigned char *bytes, uint32_t number, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t value = i < 4 ? number >> 8 * i : (number + (uint32_t)size + (uint32_t)(i / 8)) * SEED >> 24;

		bytes[i] = (unsigned char)value;
	}
}

bool session_test_send(int from, int to, int class, uint32_t number, size_t size)
{
	unsigned char *bytes = malloc(size);
	size_t head = size / 3;
	bool taken;

	assert_non_null(bytes);
	session_test_fill(bytes, number, size);
	taken = sessions_send(nodes[from].sessions, to, class, bytes, head, bytes + head, size - head);
	free(bytes);
	return taken;
}

uint32_t session_test_number(int node, int from, int index)
{
	const struct received_frame *frame = &nodes[node].of[from].frames[index];
	uint32_t number = 0;

	for (size_t i = 0; i < 4 && i < frame->size; i++)
		number |= (uint32_t)frame->bytes[i] << 8 * i;
	return number;
}

bool session_test_is(int node, int from, int index, uint32_t number, size_t size)
{
	const struct received_frame *frame = &nodes[node].of[from].frames[index];
	unsigned char *bytes;
	bool same;

	if (index >= nodes[node].of[from].nr_frames || frame->size != size)
		return false;
	bytes = malloc(size);
	assert_non_null(bytes);
	session_test_fill(bytes, number, size);
	same = memcmp(bytes, frame->bytes, size) == 0;
	free(bytes);
	return same;
}

/* ---- sockets of the tests' own ---- */

static struct sockaddr_in own_address(uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, session_test_address(), &name.sin_addr);
	return name;
}

int session_test_connect(uint16_t port)
{
	struct sockaddr_in name = own_address(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* The listener's backlog takes it at once. */
	if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof(name)))
		test_fatal("cannot connect to port %u: %s", port, strerror(errno));
	return fd;
}

bool session_test_closed(int fd, size_t *received)
{
	unsigned char bytes[4096];
	ssize_t size;

	while ((size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		*received += (size_t)size;
	return size == 0 || (errno != EAGAIN && errno != EINTR);
}

/* ---- the relay ---- */

void session_test_relay(uint16_t port, uint16_t to)
{
	struct sockaddr_in name = own_address(port);
	const int yes = 1;

	relay.port = to;
	relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (relay.listener < 0 || setsockopt(relay.listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(relay.listener, (const struct sockaddr *)&name, sizeof(name)) || listen(relay.listener, 8))
		test_fatal("no relay on port %u: %s", port, strerror(errno));
}

static void accept_one(void)
{
	int fd = accept4(relay.listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	close_relay();
	relay.passed = 0;
	relay.connections++;
	relay.ends[0] = fd;
	relay.ends[1] = session_test_connect(relay.port);
}

/* What came from who connected: kept, and changed as the test wants it. */
static void meddle(unsigned char *bytes, size_t size)
{
	if (relay.connections == 1) {
		relay.recorded = realloc(relay.recorded, relay.nr_recorded + size);
		assert_non_null(relay.recorded);
		memcpy(relay.recorded + relay.nr_recorded, bytes, size);
		relay.nr_recorded += size;
	}
	if (relay.flip > relay.passed && relay.flip <= relay.passed + size)
		bytes[relay.flip - relay.passed - 1] ^= 1;
	relay.passed += size;
}

/* From one end to the other. false: it was closed. The other end takes little at a time, so that it never waits. */
static bool pass(int from)
{
	unsigned char bytes[65536];
	size_t most = relay.piece > 0 ? relay.piece : sizeof(bytes);
	ssize_t size;

	if (from == 0 && relay.cut > 0 && most > relay.cut - relay.passed)
		most = relay.cut - relay.passed;
	size = recv(relay.ends[from], bytes, most, MSG_DONTWAIT);
	if (size < 0)
		return errno == EAGAIN;
	if (size == 0)
		return false;
	if (from == 0)
		meddle(bytes, (size_t)size);
	if (send(relay.ends[!from], bytes, (size_t)size, MSG_NOSIGNAL) != size)
		return false;
	return from != 0 || relay.cut == 0 || relay.passed < relay.cut;
}

static void turn_relay(void)
{
	if (relay.listener < 0)
		return;
	accept_one();
	if (relay.ends[0] >= 0 && !relay.frozen && (!pass(0) || !pass(1)))
		close_relay();
}

/* ---- the loop ---- */

static int wait_ms(void)
{
	uint64_t next = UINT64_MAX, now = session_test_now();

	for (int i = 0; i < SESSION_TEST_NODES; i++) {
		if (nodes[i].sessions && !nodes[i].stopped && sessions_next_time(nodes[i].sessions) < next)
			next = sessions_next_time(nodes[i].sessions);
	}
	if (next <= now)
		return 0;
	return next - now > 100 * SESSION_TEST_MS ? 100 : (int)((next - now) / SESSION_TEST_MS) + 1;
}

static void turn(int wait)
{
	struct pollfd polled[SESSION_TEST_NODES + 3];
	nfds_t count = 0;
	bool relays = relay.ends[0] >= 0 && !relay.frozen;

	for (int i = 0; i < SESSION_TEST_NODES; i++) {
		if (nodes[i].sessions && !nodes[i].stopped)
			polled[count++].fd = sessions_descriptor(nodes[i].sessions);
	}
	if (relay.listener >= 0)
		polled[count++].fd = relay.listener;
	for (int i = 0; i < 2 && relays; i++)
		polled[count++].fd = relay.ends[i];
	for (nfds_t i = 0; i < count; i++)
		polled[i].events = POLLIN;
	if (poll(polled, count, wait) < 0)
		test_fatal("poll: %s", strerror(errno));
	turn_relay();
	for (int i = 0; i < SESSION_TEST_NODES; i++) {
		if (!nodes[i].sessions || nodes[i].stopped)
			continue;
		sessions_turn(nodes[i].sessions, session_test_now());
		sessions_push(nodes[i].sessions);
	}
}

void session_test_turn(void)
{
	turn(wait_ms());
}

void session_test_turn_at_once(void)
{
	turn(0);
}
