/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Introductions, grants and what peers are told of each other: packets, descriptors, bells. */
#include "node_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dvk_client.h"

/* Endpoints 3 (server, with its page), 30 and 31 (users). */
static struct raw server, user, other;
static struct dvk_process_page *server_page;

static int setup(void **state)
{
	int page;

	open_admin(state);
	raw_open(&server);
	raw_open(&user);
	raw_open(&other);
	assert_int_equal(raw_bind(&server, 0, 3, &page), 3);
	server_page = map_page(page, PROT_READ | PROT_WRITE);
	close(page);
	assert_int_equal(raw_bind(&user, 0, ANY, NULL), 30);
	assert_int_equal(raw_bind(&other, 0, ANY, NULL), 31);
	return 0;
}

static int teardown(void **state)
{
	unmap_page(server_page);
	raw_close(&server);
	raw_close(&user);
	raw_close(&other);
	return close_admin(state);
}

static void connect_codes(void **state)
{
	(void)state;
	assert_int_equal(raw_call(&admin, REQUEST(CONNECT, .endpoint = 3)), EDVSNOTBIND);
	assert_int_equal(raw_call(&user, REQUEST(CONNECT, .endpoint = 30)), EDVSENDPOINT);
	assert_int_equal(raw_call(&user, REQUEST(CONNECT, .endpoint = SELF)), EDVSENDPOINT);
	assert_int_equal(raw_call(&user, REQUEST(CONNECT, .endpoint = ANY)), EDVSENDPOINT);
	assert_int_equal(raw_call(&user, REQUEST(CONNECT, .endpoint = 221)), EDVSENDPOINT);
	assert_int_equal(raw_call(&user, REQUEST(CONNECT, .endpoint = 4)), EDVSNOTBIND);
	assert_int_equal(raw_call(&user, REQUEST(CONNECT, .endpoint = 31)), EDVSTRAPDENIED);
	raw_no_event(&other);
}

static void check_sealed_page(int fd)
{
	assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(lseek(fd, 0, SEEK_END), DVK_PAGE_SIZE);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 2 * DVK_PAGE_SIZE), -1);
}

static void check_read_only(int fd)
{
	check_sealed_page(fd);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_ptr_equal(mmap(NULL, DVK_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EACCES);
}

static void introduction(void **state)
{
	struct received answer, event;
	struct dvk_channel *mine, *theirs;
	void *page;

	(void)state;
	answer = raw_call_full(&user, REQUEST(CONNECT, .endpoint = 3), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 3);
	assert_int_equal(answer.packet.pid, getpid());
	assert_int_equal(answer.packet.side, 0);
	assert_int_equal(answer.packet.argument, 1);
	assert_int_equal(answer.nr_fds, 2);
	event = raw_event(&server, DVK_EVENT_PEER);
	assert_int_equal(event.packet.endpoint, 30);
	assert_int_equal(event.packet.dcid, 0);
	assert_int_equal(event.packet.pid, getpid());
	assert_int_equal(event.packet.side, 1);
	assert_int_equal(event.packet.argument, 1);
	assert_int_equal(event.nr_fds, 2);

	check_sealed_page(answer.fds[0]);
	check_sealed_page(event.fds[0]);
	check_read_only(answer.fds[1]);
	check_read_only(event.fds[1]);
	mine = (struct dvk_channel *)map_page(answer.fds[0], PROT_READ | PROT_WRITE);
	theirs = (struct dvk_channel *)map_page(event.fds[0], PROT_READ | PROT_WRITE);
	mine->mailbox[0].notify_value = 4711;
	assert_int_equal(theirs->mailbox[0].notify_value, 4711);
	server_page->rts_flags = RECEIVING;
	page = map_page(answer.fds[1], PROT_READ);
	assert_int_equal(((const struct dvk_process_page *)page)->rts_flags, RECEIVING);
	unmap_page(page);
	unmap_page(mine);
	unmap_page(theirs);
	close_received(&answer);
	close_received(&event);

	/* Once is enough, from either side. */
	answer = raw_call_full(&user, REQUEST(CONNECT, .endpoint = 3), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.nr_fds, 0);
	answer = raw_call_full(&server, REQUEST(CONNECT, .endpoint = 30), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.nr_fds, 0);
	raw_no_event(&server);
}

/* ---- bells of those who sleep in epoll ---- */

static void open_sleeper(struct raw *raw, int endpoint)
{
	raw_connect(raw);
	assert_int_equal(raw_call(raw, REQUEST(HELLO, .argument = DVK_HELLO_DESCRIPTORS)), 0);
	assert_int_equal(raw_bind(raw, 0, endpoint, NULL), endpoint);
}

static bool is_readable(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, 0) == 1;
}

/* One end rings and does not wait, the other one is woken and has no more than that. */
static void check_bell(int ring, int own)
{
	uint64_t number = UINT64_MAX - 1;

	assert_true(fcntl(ring, F_GETFL) & O_NONBLOCK);
	assert_false(is_readable(own));
	assert_int_equal(write(ring, &number, sizeof(number)), sizeof(number));
	assert_true(is_readable(own));
	assert_int_equal(write(ring, &number, sizeof(number)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(own, &number, sizeof(number)), -1);
	assert_int_equal(read(own, &number, sizeof(number)), -1);
}

/* CONNECT of `asking` to `asked` at that endpoint: both sides' descriptors, which are so many. */
static void introduce_with_bells(struct raw *asking, struct raw *asked, int endpoint, unsigned int bells_asking,
				 unsigned int bells_asked, struct received *answer, struct received *event)
{
	*answer = raw_call_full(asking, REQUEST(CONNECT, .endpoint = endpoint), -1);
	assert_int_equal(answer->packet.result, 0);
	assert_int_equal(answer->packet.bells, bells_asking);
	assert_int_equal(answer->nr_fds, 2 + __builtin_popcount(bells_asking));
	*event = raw_event(asked, DVK_EVENT_PEER);
	assert_int_equal(event->packet.bells, bells_asked);
	assert_int_equal(event->nr_fds, 2 + __builtin_popcount(bells_asked));
	check_sealed_page(answer->fds[0]);
	check_sealed_page(event->fds[0]);
	check_read_only(answer->fds[1]);
	check_read_only(event->fds[1]);
}

static void bells(void **state)
{
	struct received answer, event;
	struct raw sleeper, second;

	(void)state;
	open_sleeper(&sleeper, 5);
	open_sleeper(&second, 6);
	introduce_with_bells(&user, &sleeper, 5, DVK_BELL_RING, DVK_BELL_OWN, &answer, &event);
	check_bell(answer.fds[2], event.fds[2]);
	close_received(&answer);
	close_received(&event);
	introduce_with_bells(&sleeper, &server, 3, DVK_BELL_OWN, DVK_BELL_RING, &answer, &event);
	check_bell(event.fds[2], answer.fds[2]);
	close_received(&answer);
	close_received(&event);
	introduce_with_bells(&second, &sleeper, 5, DVK_BELL_RING | DVK_BELL_OWN, DVK_BELL_RING | DVK_BELL_OWN, &answer,
			     &event);
	check_bell(answer.fds[2], event.fds[3]);
	check_bell(event.fds[2], answer.fds[3]);
	close_received(&answer);
	close_received(&event);
	/* Who is introduced has them. */
	answer = raw_call_full(&user, REQUEST(CONNECT, .endpoint = 5), -1);
	assert_int_equal(answer.packet.bells, 0);
	assert_int_equal(answer.nr_fds, 0);
	raw_close(&sleeper);
	raw_close(&second);
}

/* A node that has no descriptor for a bell introduces nobody, and can do it later. */
static void no_descriptor_for_a_bell(void **state)
{
	struct rlimit before, low = { 0 };
	struct received answer, event;
	struct raw sleeper;

	(void)state;
	open_sleeper(&sleeper, 5);
	assert_int_equal(prlimit(node_pid, RLIMIT_NOFILE, NULL, &before), 0);
	low.rlim_max = before.rlim_max;
	/* Each limit from too low for a channel up to enough. */
	for (low.rlim_cur = 3;; low.rlim_cur++) {
		assert_int_equal(prlimit(node_pid, RLIMIT_NOFILE, &low, NULL), 0);
		answer = raw_call_full(&user, REQUEST(CONNECT, .endpoint = 5), -1);
		if (!answer.packet.result)
			break;
		assert_int_equal(answer.nr_fds, 0);
		assert_int_equal(answer.packet.bells, 0);
		raw_no_event(&sleeper);
	}
	assert_true(low.rlim_cur > 3);
	assert_int_equal(prlimit(node_pid, RLIMIT_NOFILE, &before, NULL), 0);
	event = raw_event(&sleeper, DVK_EVENT_PEER);
	check_bell(answer.fds[2], event.fds[2]);
	close_received(&answer);
	close_received(&event);
	raw_close(&sleeper);
}

static void hello_codes(void **state)
{
	struct raw raw;

	(void)state;
	raw_connect(&raw);
	assert_int_equal(raw_call(&raw, REQUEST(HELLO, .argument = 2)), EDVSINVAL);
	assert_int_equal(raw_call(&raw, REQUEST(HELLO, .argument = -1)), EDVSINVAL);
	assert_int_equal(raw_call(&raw, REQUEST(HELLO, .argument = DVK_HELLO_DESCRIPTORS)), 0);
	raw_close(&raw);
}

static void events_ring_the_bell(void **state)
{
	uint32_t before;

	(void)state;
	server_page->bell = DVK_BELL_SLEEPER;
	raw_introduce(&user, &server, 3);
	before = server_page->bell;
	assert_int_equal(before, DVK_BELL_SLEEPER + DVK_BELL_STEP);
	assert_int_equal(raw_call(&user, REQUEST(UNBIND, .endpoint = SELF)), 0);
	assert_int_equal(server_page->bell, before + DVK_BELL_STEP);
	raw_event(&server, DVK_EVENT_PEER_GONE);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 3)), 0);
	assert_int_equal(server_page->bell, before + 2 * DVK_BELL_STEP);
	raw_event(&server, DVK_EVENT_UNBOUND);
}

static void peer_gone(void **state)
{
	struct received event;
	struct puppet puppet;

	(void)state;
	raw_introduce(&user, &server, 3);
	assert_int_equal(raw_call(&user, REQUEST(UNBIND, .endpoint = SELF)), 0);
	event = raw_event(&server, DVK_EVENT_PEER_GONE);
	assert_int_equal(event.packet.endpoint, 30);
	assert_int_equal(event.packet.result, EDVSNOTBIND);
	assert_int_equal(event.nr_fds, 0);
	/* It is a stranger again. */
	assert_int_equal(raw_call(&server, REQUEST(CONNECT, .endpoint = 30)), EDVSNOTBIND);
	assert_int_equal(raw_bind(&user, 0, 30, NULL), 30);
	raw_introduce(&server, &user, 30);
	raw_close(&user);
	event = raw_event(&server, DVK_EVENT_PEER_GONE);
	assert_int_equal(event.packet.result, EDVSDSTDIED);
	raw_open(&user);

	/* Killed, while its socket lives on in another process: here. */
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 30, NULL), 30);
	raw_introduce(&puppet.raw, &server, 3);
	assert_int_equal(end_process(puppet.pid, SIGKILL), 128 + SIGKILL);
	event = raw_event(&server, DVK_EVENT_PEER_GONE);
	assert_int_equal(event.packet.endpoint, 30);
	assert_int_equal(event.packet.result, EDVSDSTDIED);
	raw_expect_end(&puppet.raw);
	raw_close(&puppet.raw);
	/* Nobody else was told. */
	raw_no_event(&other);
	raw_no_event(&server);
}

static void dc_end(void **state)
{
	struct received event;

	(void)state;
	raw_introduce(&user, &server, 3);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 0)), 0);
	/* The server's slot comes first, so the user sees it go. */
	event = raw_event(&user, DVK_EVENT_PEER_GONE);
	assert_int_equal(event.packet.result, EDVSNOTBIND);
	event = raw_event(&user, DVK_EVENT_UNBOUND);
	assert_int_equal(event.packet.result, EDVSDCNOTRUN);
	event = raw_event(&server, DVK_EVENT_UNBOUND);
	assert_int_equal(event.packet.result, EDVSDCNOTRUN);
	raw_event(&other, DVK_EVENT_UNBOUND);
	assert_int_equal(raw_call(&user, REQUEST(CONNECT, .endpoint = 3)), EDVSNOTBIND);
	raw_start_dc(&admin, 0);
	assert_int_equal(raw_bind(&user, 0, ANY, NULL), 30);
}

static struct dvk_node_request grant_request(void)
{
	return REQUEST(GRANT, .endpoint = 3, .base = 0x7f0000000000, .length = 8192, .offset = 4096);
}

static int grant(struct dvk_node_request request, int fd)
{
	return raw_call_full(&user, request, fd).packet.result;
}

static void grants(void **state)
{
	struct received event;
	int fd = memfd_create("grant", MFD_CLOEXEC);
	char text[6] = "";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 12288), 0);
	assert_int_equal(pwrite(fd, "hello", 5, 4096), 5);
	assert_int_equal(grant(grant_request(), fd), EDVSNOTBIND);
	raw_introduce(&user, &server, 3);
	assert_int_equal(grant(grant_request(), fd), 0);
	event = raw_event(&server, DVK_EVENT_GRANT);
	assert_int_equal(event.packet.endpoint, 30);
	assert_int_equal(event.packet.base, 0x7f0000000000);
	assert_int_equal(event.packet.length, 8192);
	assert_int_equal(event.packet.offset, 4096);
	assert_int_equal(event.nr_fds, 1);
	assert_int_equal(pread(event.fds[0], text, 5, 4096), 5);
	assert_string_equal(text, "hello");
	close_received(&event);
	raw_no_event(&server);

	/* A few are enough for anybody; the next introduction starts anew. */
	for (int i = 1; i < DVK_GRANTS_PER_PEER; i++) {
		assert_int_equal(grant(grant_request(), fd), 0);
		event = raw_event(&server, DVK_EVENT_GRANT);
		close_received(&event);
	}
	assert_int_equal(grant(grant_request(), fd), EDVSRSCBUSY);
	assert_int_equal(raw_call(&user, REQUEST(UNBIND, .endpoint = SELF)), 0);
	raw_event(&server, DVK_EVENT_PEER_GONE);
	assert_int_equal(raw_bind(&user, 0, 30, NULL), 30);
	raw_introduce(&user, &server, 3);
	assert_int_equal(grant(grant_request(), fd), 0);
	event = raw_event(&server, DVK_EVENT_GRANT);
	close_received(&event);
	close(fd);
}

static void grant_codes(void **state)
{
	static const struct {
		uint64_t base, length, offset;
	} wrong[] = {
		{ 1, 4096, 0 },
		{ 4096, 1, 0 },
		{ 4096, 0, 0 },
		{ 4096, 4096, 512 },
		{ UINT64_MAX - 4095, 8192, 0 },
		{ 4096, 8192, UINT64_MAX - 4095 },
		{ 4096, 4096, INT64_MAX - 4095 },
	};
	struct dvk_node_request request;
	int fd = memfd_create("grant", MFD_CLOEXEC);

	(void)state;
	raw_introduce(&user, &server, 3);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		request = grant_request();
		request.base = wrong[i].base;
		request.length = wrong[i].length;
		request.offset = wrong[i].offset;
		if (grant(request, fd) != EDVSINVAL)
			fail_msg("case %zu was accepted", i);
	}
	assert_int_equal(grant(grant_request(), -1), EDVSINVAL);
	request = grant_request();
	request.endpoint = 30;
	assert_int_equal(grant(request, fd), EDVSENDPOINT);
	request.endpoint = 1000;
	assert_int_equal(grant(request, fd), EDVSENDPOINT);
	request.endpoint = 4;
	assert_int_equal(grant(request, fd), EDVSNOTBIND);
	raw_no_event(&server);
	close(fd);
}

/* All peers of one process hear of its end. */
static void all_peers_are_told(void **state)
{
	enum { PEERS = 20 };
	struct raw peers[PEERS];
	struct puppet puppet;

	(void)state;
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 5, NULL), 5);
	for (int i = 0; i < PEERS; i++) {
		raw_open(&peers[i]);
		assert_int_equal(raw_bind(&peers[i], 0, 100 + i, NULL), 100 + i);
		raw_introduce(&peers[i], &puppet.raw, 5);
	}
	puppet_end(&puppet);
	for (int i = 0; i < PEERS; i++) {
		struct received event = raw_event(&peers[i], DVK_EVENT_PEER_GONE);

		assert_int_equal(event.packet.endpoint, 5);
		assert_int_equal(event.packet.result, EDVSDSTDIED);
		raw_close(&peers[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connect_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(introduction, setup, teardown),
		cmocka_unit_test_setup_teardown(bells, setup, teardown),
		cmocka_unit_test_setup_teardown(no_descriptor_for_a_bell, setup, teardown),
		cmocka_unit_test_setup_teardown(hello_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(events_ring_the_bell, setup, teardown),
		cmocka_unit_test_setup_teardown(peer_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(dc_end, setup, teardown),
		cmocka_unit_test_setup_teardown(grants, setup, teardown),
		cmocka_unit_test_setup_teardown(grant_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(all_peers_are_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, start_node, stop_node);
}
