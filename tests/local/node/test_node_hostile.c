/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients that do what they should not. Each loses its own connection at worst; a witness lives on. */
#include "node_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dvk_client.h"

static int descriptors;

static int open_descriptors(void)
{
	char command[64], output[64];

	/* An answer may come before the node has closed what it sent with it; the next one comes after. */
	assert_int_equal(raw_call(&admin, REQUEST(GET_DVS_INFO)), 0);
	snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", (int)node_pid);
	assert_int_equal(run_program((const char *[]){ "/bin/sh", "-c", command, NULL }, output, sizeof(output)), 0);
	return atoi(output);
}

static int setup(void **state)
{
	open_witness(state);
	descriptors = open_descriptors();
	return 0;
}

/* Nothing is left of the hostile ones, and the witness is who it was. */
static int teardown(void **state)
{
	struct received answer = raw_call_full(&witness, REQUEST(WAIT_BIND, .endpoint = SELF), -1);

	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 7);
	assert_int_equal(open_descriptors(), descriptors);
	return close_witness(state);
}

static void fill_random(void *data, size_t size)
{
	unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(random() >> 8);
}

static struct dvk_node_request valid_request(void)
{
	struct dvk_node_request request = REQUEST(GET_DVS_INFO);

	request.magic = DVK_WIRE_MAGIC;
	request.version = DVK_WIRE_VERSION;
	return request;
}

static void random_datagrams(void **state)
{
	unsigned char data[4096];

	(void)state;
	srandom(1);
	for (int i = 0; i < 300; i++) {
		size_t size = i < 100 ? sizeof(struct dvk_node_request) : (size_t)random() % sizeof(data);
		struct raw raw;

		fill_random(data, size);
		raw_connect(&raw);
		assert_int_equal(raw_send(&raw, data, size, NULL, 0), size);
		raw_expect_end(&raw);
		raw_close(&raw);
	}
}

static void wrong_forms(void **state)
{
	struct dvk_node_request request[2] = { valid_request(), valid_request() };
	struct raw raw;

	(void)state;
	for (int i = 0; i < 6; i++) {
		size_t size = sizeof(request[0]);

		request[0] = valid_request();
		if (i == 0)
			size--;
		else if (i == 1)
			size++;
		else if (i == 2)
			size = 0;
		else if (i == 3)
			request[0].magic++;
		else if (i == 4)
			request[0].version++;
		else
			size = sizeof(request);
		raw_open(&raw);
		assert_int_equal(raw_send(&raw, request, size, NULL, 0), size);
		raw_expect_end(&raw);
		raw_close(&raw);
	}
}

static void unwanted_descriptors(void **state)
{
	static const int counts[] = { 1, 2, 4, 5, 16 };
	struct dvk_node_request request = valid_request();
	struct raw raw;
	int fds[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		raw_open(&raw);
		assert_int_equal(raw_send(&raw, &request, sizeof(request), fds, counts[i]), sizeof(request));
		raw_expect_end(&raw);
		raw_close(&raw);
	}
	/* GRANT takes one. More are an error in the call. */
	request.call = DVK_CALL_GRANT;
	request.endpoint = 7;
	request.length = 4096;
	raw_open(&raw);
	assert_int_equal(raw_bind(&raw, 0, 30, NULL), 30);
	raw_introduce(&raw, &witness, 7);
	request.serial = ++raw.serial;
	assert_int_equal(raw_send(&raw, &request, sizeof(request), fds, 2), sizeof(request));
	assert_int_equal(raw_answer(&raw, raw.serial).packet.result, EDVSINVAL);
	request.serial = ++raw.serial;
	assert_int_equal(raw_send(&raw, &request, sizeof(request), fds, 16), sizeof(request));
	assert_int_equal(raw_answer(&raw, raw.serial).packet.result, EDVSINVAL);
	raw_close(&raw);
	assert_int_equal(raw_event(&witness, DVK_EVENT_PEER_GONE).packet.endpoint, 30);
	for (int i = 0; i < 16; i++)
		close(fds[i]);
}

static int random_endpoint(void)
{
	static const int special[] = { ANY, NONE, SELF, INT32_MIN, INT32_MAX, 300, -36, 7, 30 };
	long choice = random() % 20;

	if (choice < (long)(sizeof(special) / sizeof(special[0])))
		return special[choice];
	return (int)(random() % 80) - 34;
}

static void drop_events(struct raw *raw)
{
	assert_int_equal(raw_call(raw, REQUEST(GET_DVS_INFO)), 0);
	while (raw->nr_kept)
		close_received(&raw->kept[--raw->nr_kept]);
}

/* Requests of the right form with anything in them, from several connections. */
static void random_requests(void **state)
{
	enum { CLIENTS = 6, REQUESTS = 20000 };
	struct raw raws[CLIENTS];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	(void)state;
	srandom(2);
	for (int i = 0; i < CLIENTS; i++)
		raw_open(&raws[i]);
	for (int i = 0; i < REQUESTS; i++) {
		struct raw *raw = &raws[random() % CLIENTS];
		struct dvk_node_request request;
		struct received received;

		fill_random(&request, sizeof(request));
		request.call = (uint16_t)(random() % (DVK_CALL_GET_PROC_INFO + 3));
		request.dcid = (int)(random() % 4) - 1 + (random() % 50 == 0) * 31;
		request.endpoint = random_endpoint();
		request.argument = (int)(random() % 7);
		/* Never that of a stranger, who could be bound, and then unbound by SIGTERM. */
		request.pid = random() % 2 ? getpid() : (int)random() | 1 << 30;
		request.timeout = (int)(random() % 3) - 1 + (random() % 50 == 0);
		if (random() % 2)
			memset(&request.dc, 0, sizeof(request.dc));
		request.dc.dc_dcid = 1 + (int)(random() % 3);
		request.base &= random() % 2 ? ~4095ULL : ~0ULL;
		request.length &= random() % 2 ? 0xfff000 : ~0ULL;
		request.offset &= random() % 2 ? 0xfff000 : ~0ULL;
		/* The witness is in DC 0: its unbinding and the DC's end are not for them to ask. */
		if ((request.call == DVK_CALL_UNBIND || request.call == DVK_CALL_DC_END) && request.dcid == 0)
			request.dcid = 1;
		raw_ask(raw, request, request.call == DVK_CALL_GRANT && random() % 10 == 0 ? fd : -1);
		if (request.call >= DVK_CALL_WAIT_BIND && request.call <= DVK_CALL_WAIT_UNBIND)
			continue; /* may wait for ever; the next one ends that */
		do {
			assert_true(raw_receive(raw, &received));
			close_received(&received);
		} while (received.packet.kind != DVK_PACKET_ANSWER || received.packet.serial != raw->serial);
	}
	for (int i = 0; i < CLIENTS; i++)
		raw_close(&raws[i]);
	close(fd);
	for (int dcid = 1; dcid < 4; dcid++)
		raw_call(&admin, REQUEST(DC_END, .dcid = dcid));
	/* The admin may have been bound by LCL_BIND of this process; the witness was introduced, and left. */
	raw_call(&admin, REQUEST(UNBIND, .endpoint = SELF));
	drop_events(&admin);
	drop_events(&witness);
}

/*
 * A peer that comes and goes without end in front of one that is busy elsewhere: the node keeps
 * little of it, and the busy one finds the last of it when it looks.
 */
static void events_not_taken(void **state)
{
	enum { ROUNDS = 5000, AT_MOST = 1000 };
	struct received answer, event;
	struct raw busy, peer;
	int fd = memfd_create("grant", MFD_CLOEXEC);
	int events = 0, coming = 0;

	(void)state;
	raw_open(&busy);
	raw_open(&peer);
	assert_int_equal(raw_bind(&busy, 0, 3, NULL), 3);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(raw_bind(&peer, 0, 30, NULL), 30);
		answer = raw_call_full(&peer, REQUEST(CONNECT, .endpoint = 3), -1);
		assert_int_equal(answer.packet.result, 0);
		close_received(&answer);
		/* Now and then: the node starts a process for each. */
		if (i % 10 == 0) {
			answer = raw_call_full(&peer, REQUEST(GRANT, .endpoint = 3, .length = 4096), fd);
			assert_int_equal(answer.packet.result, 0);
		}
		assert_int_equal(raw_call(&peer, REQUEST(UNBIND, .endpoint = SELF)), 0);
	}
	assert_true(open_descriptors() < descriptors + 20);
	assert_int_equal(raw_bind(&peer, 0, 31, NULL), 31);
	answer = raw_call_full(&peer, REQUEST(CONNECT, .endpoint = 3), -1);
	assert_int_equal(answer.packet.result, 0);
	close_received(&answer);
	do {
		assert_true(raw_receive(&busy, &event));
		close_received(&event);
		coming += event.packet.kind == DVK_EVENT_PEER;
		coming -= event.packet.kind == DVK_EVENT_PEER_GONE;
		/* Never two at a time, never an end before a beginning. */
		if (event.packet.endpoint == 30)
			assert_in_range(coming, 0, 1);
		assert_true(++events < AT_MOST);
	} while (event.packet.endpoint != 31);
	assert_int_equal(event.packet.kind, DVK_EVENT_PEER);
	assert_int_equal(coming, 1);
	raw_no_event(&busy);
	close(fd);
	raw_close(&busy);
	raw_close(&peer);
}

/*
 * A client that asks and asks and reads no answer is not listened to after a while: neither descriptors nor packets
 * pile up in the node. When it reads, it finds all its answers, and is served again.
 */
static void answers_not_taken(void **state)
{
	enum { AT_MOST = 5000 };
	struct dvk_node_request requests[2] = { REQUEST(BIND, .endpoint = 3, .argument = SELF_BIND),
						REQUEST(UNBIND, .endpoint = SELF) };
	struct pollfd ready = { .events = POLLIN };
	uint32_t asked = 0, answered = 0;
	struct received answer;
	struct raw raw;

	(void)state;
	raw_open(&raw);
	ready.fd = raw.fd;
	assert_int_equal(fcntl(raw.fd, F_SETFL, O_NONBLOCK), 0);
	for (;;) {
		struct dvk_node_request *request = &requests[asked % 2];

		request->magic = DVK_WIRE_MAGIC;
		request->version = DVK_WIRE_VERSION;
		request->serial = asked;
		if (raw_send(&raw, request, sizeof(*request), NULL, 0) < 0) {
			assert_int_equal(errno, EAGAIN);
			/* Two rounds of the node's loop: what it still takes it has taken then. */
			open_descriptors();
			if (raw_send(&raw, request, sizeof(*request), NULL, 0) < 0)
				break;
		}
		assert_true(++asked < AT_MOST);
	}
	assert_true(open_descriptors() < descriptors + 10);
	while (answered < asked) {
		assert_true(raw_receive(&raw, &answer));
		assert_int_equal(answer.packet.serial, answered);
		assert_int_equal(answer.packet.result, 0);
		assert_int_equal(answer.nr_fds, answered % 2 ? 0 : 1);
		close_received(&answer);
		answered++;
	}
	assert_int_equal(poll(&ready, 1, 0), 0);
	assert_int_equal(fcntl(raw.fd, F_SETFL, 0), 0);
	assert_int_equal(raw_call(&raw, REQUEST(GET_DVS_INFO)), 0);
	raw_close(&raw);
}

/* Slow is not hostile: what fits into the queue arrives, in order, and the bell rings for each. */
static void slow_reader_gets_everything(void **state)
{
	enum { PEERS = 120 };
	struct dvk_process_page *page;
	struct received event;
	struct raw slow, peers[PEERS];
	int fd, grant = memfd_create("grant", MFD_CLOEXEC);

	(void)state;
	raw_open(&slow);
	assert_int_equal(raw_bind(&slow, 0, 3, &fd), 3);
	page = map_page(fd, PROT_READ | PROT_WRITE);
	close(fd);
	for (int i = 0; i < PEERS; i++) {
		raw_open(&peers[i]);
		assert_int_equal(raw_bind(&peers[i], 0, 30 + i, NULL), 30 + i);
		event = raw_call_full(&peers[i], REQUEST(CONNECT, .endpoint = 3), -1);
		assert_int_equal(event.packet.result, 0);
		close_received(&event);
		for (int j = 0; j < DVK_GRANTS_PER_PEER; j++)
			assert_int_equal(raw_call_full(&peers[i], REQUEST(GRANT, .endpoint = 3, .length = 4096), grant)
						 .packet.result,
					 0);
	}
	for (int i = 0; i < PEERS; i++) {
		event = raw_event(&slow, DVK_EVENT_PEER);
		assert_int_equal(event.packet.endpoint, 30 + i);
		assert_int_equal(event.nr_fds, 2);
		close_received(&event);
		for (int j = 0; j < DVK_GRANTS_PER_PEER; j++) {
			event = raw_event(&slow, DVK_EVENT_GRANT);
			assert_int_equal(event.packet.endpoint, 30 + i);
			assert_int_equal(event.nr_fds, 1);
			close_received(&event);
		}
	}
	raw_no_event(&slow);
	assert_int_equal(page->bell, PEERS * (1 + DVK_GRANTS_PER_PEER) * DVK_BELL_STEP);
	unmap_page(page);
	close(grant);
	raw_close(&slow);
	for (int i = 0; i < PEERS; i++)
		raw_close(&peers[i]);
}

/*
 * Peers that leave and come again in front of one that does not look: what the ones before have granted and it has not
 * been told is told no more, and so their number alone bounds what waits for it.
 */
static void grants_of_those_who_left(void **state)
{
	enum { PEERS = 190, GRANTS = DVK_GRANTS_PER_PEER };
	int granted[PEERS] = { 0 }, bound = 0, grant = memfd_create("grant", MFD_CLOEXEC);
	struct received event;
	struct raw slow, peers[PEERS];

	(void)state;
	raw_open(&slow);
	assert_int_equal(raw_bind(&slow, 0, 3, NULL), 3);
	for (int i = 0; i < PEERS; i++)
		raw_open(&peers[i]);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < PEERS; i++) {
			assert_int_equal(raw_bind(&peers[i], 0, 30 + i, NULL), 30 + i);
			event = raw_call_full(&peers[i], REQUEST(CONNECT, .endpoint = 3), -1);
			assert_int_equal(event.packet.result, 0);
			close_received(&event);
		}
		for (int i = 0; i < PEERS * GRANTS; i++)
			assert_int_equal(
				raw_call_full(&peers[i % PEERS], REQUEST(GRANT, .endpoint = 3, .length = 4096), grant)
					.packet.result,
				0);
		for (int i = 0; round == 0 && i < PEERS; i++)
			assert_int_equal(raw_call(&peers[i], REQUEST(UNBIND, .endpoint = SELF)), 0);
	}
	while (bound < PEERS || granted[PEERS - 1] < GRANTS) {
		int i;

		assert_true(raw_receive(&slow, &event));
		close_received(&event);
		i = event.packet.endpoint - 30;
		assert_in_range(i, 0, PEERS - 1);
		bound += event.packet.kind == DVK_EVENT_PEER;
		bound -= event.packet.kind == DVK_EVENT_PEER_GONE;
		granted[i] = event.packet.kind == DVK_EVENT_GRANT ? granted[i] + 1 : 0;
	}
	for (int i = 0; i < PEERS; i++)
		assert_int_equal(granted[i], GRANTS);
	raw_no_event(&slow);
	close(grant);
	raw_close(&slow);
	for (int i = 0; i < PEERS; i++)
		raw_close(&peers[i]);
}

static void scribbled_page(void **state)
{
	struct received answer;
	struct raw raw, peer;
	void *page;
	int fd;

	(void)state;
	srandom(3);
	raw_open(&raw);
	raw_open(&peer);
	assert_int_equal(raw_bind(&raw, 0, 3, &fd), 3);
	page = map_page(fd, PROT_READ | PROT_WRITE);
	close(fd);
	for (int i = 0; i < 200; i++) {
		fill_random(page, DVK_PAGE_SIZE);
		assert_int_equal(raw_bind(&peer, 0, 30, NULL), 30);
		raw_introduce(&peer, &raw, 3);
		answer = raw_call_full(&peer, REQUEST(GET_PROC_INFO, .endpoint = 3), -1);
		assert_int_equal(answer.packet.result, 0);
		assert_int_equal(answer.packet.proc.p_rts_flags & ~(unsigned long)(SENDING | RECEIVING | ONCOPY), 0);
		assert_int_equal(raw_call(&peer, REQUEST(UNBIND, .endpoint = SELF)), 0);
		raw_event(&raw, DVK_EVENT_PEER_GONE);
	}
	unmap_page(page);
	raw_close(&raw);
	raw_close(&peer);
}

static void half_closed_connection(void **state)
{
	struct raw raw;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
	raw_expect_end(&raw);
	raw_close(&raw);
	raw_open(&raw);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	assert_int_equal(shutdown(raw.fd, SHUT_RD), 0);
	assert_int_equal(raw_call(&witness, REQUEST(GETEP, .pid = getpid())), 0);
	raw_close(&raw);
}

/* A node without descriptors serves those that it has, and the next one when one leaves. */
static void descriptors_run_out(void **state)
{
	enum { LIMIT = 60, CLIENTS = 60 };
	struct rlimit limit = { LIMIT, LIMIT };
	struct raw raws[CLIENTS];
	struct received answer;
	uint32_t serials[CLIENTS];
	struct raw first;

	(void)state;
	/* For good: this node serves no other test. */
	assert_int_equal(prlimit(node_pid, RLIMIT_NOFILE, &limit, NULL), 0);
	raw_open(&first);
	for (int i = 0; i < CLIENTS; i++) {
		raw_connect(&raws[i]);
		serials[i] = raw_ask(&raws[i], REQUEST(HELLO), -1);
	}
	/* No descriptor is left for a page either. */
	for (int i = 0; i < 5; i++) {
		answer = raw_call_full(&first, REQUEST(BIND, .endpoint = 3), -1);
		if (answer.packet.result)
			break;
		close_received(&answer);
		assert_int_equal(raw_call(&first, REQUEST(UNBIND, .endpoint = SELF)), 0);
	}
	assert_int_equal(raw_call(&first, REQUEST(GET_DVS_INFO)), 0);
	/* Each that leaves makes room for another. */
	for (int i = 0; i < CLIENTS; i++) {
		answer = raw_answer(&raws[i], serials[i]);
		assert_int_equal(answer.packet.result, 0);
		raw_close(&raws[i]);
	}
	assert_int_equal(raw_bind(&first, 0, 3, NULL), 3);
	raw_close(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_datagrams, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(unwanted_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(random_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(events_not_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_not_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(slow_reader_gets_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(grants_of_those_who_left, setup, teardown),
		cmocka_unit_test_setup_teardown(scribbled_page, setup, teardown),
		cmocka_unit_test_setup_teardown(half_closed_connection, setup, teardown),
	};
	const struct CMUnitTest last_test[] = {
		cmocka_unit_test_setup_teardown(descriptors_run_out, setup, teardown),
	};

	return cmocka_run_group_tests(tests, start_node, stop_node) +
	       cmocka_run_group_tests(last_test, start_node, stop_node);
}
