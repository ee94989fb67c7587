// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A peer that scribbles over all it shares with us and over its socket: it may hurt itself
 * only. The tester serves an honest client meanwhile.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dvk_client.h"
#include "dvk_internal.h"
#include "dvk_runtime.h"
#include "ipc_fixture.h"

#define EXCHANGES 2000

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void open_client(struct dvk_client *client, int endpoint)
{
	char path[108];

	EXPECT_RC(dvk_runtime_socket(path, sizeof(path)), 0);
	dvk_client_init(client);
	EXPECT_RC(dvk_client_open(client, path), 0);
	EXPECT_RC(dvk_client_bind(client, SELF_BIND, DC, 0, endpoint), endpoint);
}

/* Gets a channel to the tester, and writes random words all over it until it is killed. */
static void scribbler(void *argument)
{
	struct dvk_client *client = calloc(1, sizeof(*client));
	message msg = { 0 };
	volatile uint32_t *words;
	uint64_t state = 88172645463325252u;

	EXPECT(client != NULL);
	open_client(client, PARTY);
	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
	words = (volatile uint32_t *)client->peers[dvk_endpoint_slot(TESTER)].channel;
	EXPECT(write(*(int *)argument, "", 1) == 1);
	for (;;) {
		uint64_t random = next_random(&state);
		uint32_t value = random & 0x100 ? (uint32_t)(random >> 40) & 7 : (uint32_t)(random >> 32);

		words[random % (sizeof(struct dvk_channel) / sizeof(uint32_t))] = value;
	}
}

static void honest(void *argument)
{
	message msg = { 0 };

	(void)argument;
	for (int i = 0; i < EXCHANGES; i++) {
		msg.m_type = 1;
		msg.m1_i1 = i;
		EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
		EXPECT(msg.m_source == TESTER && msg.m_type == 2 && msg.m1_i1 == i + 1);
	}
}

static void test_scribbled_channel(void **state)
{
	int ready[2], served = 0, client, enemy;
	message msg;
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	enemy = party_start(NONE, scribbler, &ready[1]);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	client = party_start(USER, honest, NULL);
	while (served < EXCHANGES) {
		dvk_set_spin(served % 2 ? 0 : 200000);
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
		if (msg.m_source == USER) {
			assert_int_equal(msg.m1_i1, served);
			served++;
		} else {
			assert_int_equal(msg.m_source, PARTY);
		}
		msg.m_type = 2;
		msg.m1_i1++;
		if (dvk_reply(msg.m_source, &msg))
			assert_int_equal(msg.m_source, PARTY);
		/* The other calls on the spoiled channel end, too, with whatever code. */
		if (served % 64 == 0) {
			char copied[64];

			dvk_notify(PARTY);
			dvk_send_T(PARTY, &msg, 0);
			dvk_sendrec_T(PARTY, &msg, 1);
			dvk_receive_T(PARTY, &msg, 1);
			dvk_vcopy(PARTY, copied, SELF, copied, sizeof(copied));
		}
	}
	party_join(client);
	party_kill(enemy);
	close(ready[0]);
	close(ready[1]);
}

/* A user endpoint has no right to notify: it does all the same, without end. */
static void notifier(void *argument)
{
	struct dvk_client *client = calloc(1, sizeof(*client));
	message msg = { 0 };
	struct dvk_mailbox *out;

	EXPECT(client != NULL);
	open_client(client, USER + 1);
	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
	out = client->peers[dvk_endpoint_slot(TESTER)].out;
	EXPECT(write(*(int *)argument, "", 1) == 1);
	for (;;) {
		atomic_store(&out->notify, 1);
		dvk_ring(&out->bell);
	}
}

static void serve_honest(void)
{
	int client = party_start(USER, honest, NULL);
	message msg;

	for (int served = 0; served < EXCHANGES; served++) {
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
		assert_int_equal(msg.m_source, USER);
		msg.m_type = 2;
		msg.m1_i1++;
		assert_int_equal(dvk_reply(USER, &msg), 0);
	}
	party_join(client);
}

/* Notifications come first: those of somebody who may not send any must not keep others from being served. */
static void test_notification_flood(void **state)
{
	int ready[2], enemy;
	message msg;
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	enemy = party_start(NONE, notifier, &ready[1]);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_reply(USER + 1, &msg), 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	serve_honest();
	party_kill(enemy);
	close(ready[0]);
	close(ready[1]);
}

#define ENORMOUS (UINT64_C(1) << 46)

/* Grants more address space than there is, from one endpoint after the other. */
static void landlord(void *argument)
{
	struct dvk_client *client = calloc(1, sizeof(*client));
	int fd = memfd_create("enormous", MFD_CLOEXEC);
	message msg = { 0 };

	EXPECT(client != NULL && fd >= 0 && ftruncate(fd, ENORMOUS) == 0);
	open_client(client, PARTY + *(int *)argument);
	for (int i = 0; i < DVK_GRANTS_PER_PEER; i++)
		EXPECT_RC(dvk_client_grant(client, TESTER, fd, 0, (void *)(uintptr_t)DVK_PAGE_SIZE, ENORMOUS >> i), 0);
	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
}

static void test_enormous_grants(void **state)
{
	enum { LANDLORDS = 20 };
	int landlords[LANDLORDS], numbers[LANDLORDS];
	message msg;

	(void)state;
	for (int i = 0; i < LANDLORDS; i++) {
		numbers[i] = i;
		landlords[i] = party_start(NONE, landlord, &numbers[i]);
	}
	for (int i = 0; i < LANDLORDS; i++)
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	serve_honest();
	for (int i = 0; i < LANDLORDS; i++) {
		assert_int_equal(dvk_reply(PARTY + i, &msg), 0);
		party_join(landlords[i]);
	}
}

static void socket_spoiler(void *argument)
{
	struct dvk_client *client = calloc(1, sizeof(*client));
	char noise[3000];
	uint64_t state = 99194853094755497u;

	(void)argument;
	EXPECT(client != NULL);
	for (int round = 0; round < 50; round++) {
		open_client(client, PARTY);
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (char)next_random(&state);
		/* The node may have cut us off already: either way is fine for us. */
		if (send(client->node_fd, noise, (size_t)next_random(&state) % sizeof(noise), MSG_NOSIGNAL) >= 0)
			EXPECT_RC(dvk_client_wait_unbind(client, TESTER, LONG_MS), EDVSDVSINIT);
		dvk_client_close(client);
		/* The endpoint is free at once, for the next round. */
		open_client(client, PARTY + 1);
		EXPECT_RC(dvk_client_wait_unbind(client, PARTY, LONG_MS), 0);
		dvk_client_close(client);
		open_client(client, PARTY + 2);
		EXPECT_RC(dvk_client_wait_unbind(client, PARTY + 1, LONG_MS), 0);
		dvk_client_close(client);
		open_client(client, PARTY + 3);
		EXPECT_RC(dvk_client_wait_unbind(client, PARTY + 2, LONG_MS), 0);
		EXPECT_RC(dvk_client_unbind(client, DC, SELF, LONG_MS), 0);
		dvk_client_close(client);
	}
}

static void test_spoiled_socket(void **state)
{
	int enemy = party_start(NONE, socket_spoiler, NULL);

	(void)state;
	serve_honest();
	party_join(enemy);
	assert_int_equal(dvk_getep(getpid()), TESTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IPC_TEST(name) cmocka_unit_test_setup_teardown(name, ipc_setup, ipc_teardown)
		IPC_TEST(test_scribbled_channel),
		IPC_TEST(test_notification_flood),
		IPC_TEST(test_enormous_grants),
		IPC_TEST(test_spoiled_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
