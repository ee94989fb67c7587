/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server keeps what it promises through a power cut at any moment: the log of its calls is turned into everything
 * that its images may hold then, and each of that has to agree with what its clients had been answered by then.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash_client.h"
#include "crash_fixture.h"
#include "crash_log_read.h"
#include "crash_states.h"
#include "test_pattern.h"

#define AREA (24 * 1024) /* bytes that requests go to: they overlap */
#define WORK (16u << 20)

static struct crash_client clients[CRASH_DEVICES];

static void end_server(void)
{
	(void)dvk_close();
	assert_int_equal(test_server_stop(&crash_server), 0);
}

static struct crash_request write_at(uint64_t sector, uint64_t sectors, bool fua)
{
	return (struct crash_request){
		.kind = CRASH_ANSWER_WRITE, .fua = fua, .position = sector * 512, .length = sectors * 512
	};
}

static struct crash_request change_at(enum crash_answer_kind kind, uint64_t sector, uint64_t sectors)
{
	return (struct crash_request){ .kind = kind, .position = sector * 512, .length = sectors * 512 };
}

static const struct crash_request flush = { .kind = CRASH_ANSWER_FLUSH };

static void ask(struct crash_client *client, struct crash_request request)
{
	assert_true(crash_client_request(client, &request, false) >= 0);
}

/* Requests of all kinds, one after the other and in batches, on several disks. */
static void test_random_requests(void **state)
{
	int self;

	(void)state;
	crash_server_start(CRASH_DEVICES, NULL, NULL);
	self = test_bind(ANY);
	for (int minor = 0; minor < CRASH_DEVICES; minor++) {
		struct test_disk disk = test_disk(self, minor);

		crash_client_begin(&clients[minor], &disk);
		crash_client_random(&clients[minor], (uint64_t)minor + 1, 70, AREA);
		crash_client_end(&clients[minor]);
	}
	end_server();
	for (int minor = 0; minor < CRASH_DEVICES; minor++) {
		struct crash_report report = crash_compare(minor, &clients[minor].answers);

		assert_crash_right(&report);
		assert_true(report.cuts > 100);
		assert_true(report.checks > 1000);
	}
}

/* ---- every image of a short run ---- */

/* For crash_visit: an image is judged sector by sector. */
struct judged {
	const struct crash_answers *answers;
	uint64_t moment;
	struct crash_finding finding;
};

static int judge_image(void *context, const struct crash_states *states)
{
	struct judged *judged = context;

	for (size_t cell = 0; cell < states->run->nr_cells; cell++) {
		judged->finding = crash_answers_check(judged->answers, judged->moment, states->run->cells[cell].sector,
						      crash_states_sector(states, cell));
		if (judged->finding.verdict != CRASH_RIGHT)
			return 1;
	}
	return 0;
}

/* All images after a power cut at each moment of a log; how many. */
static uint64_t visit_images(const struct crash_answers *answers)
{
	char log_path[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
	const struct crash_log_file *file;
	struct diagnostic diagnostic;
	struct crash_memory memory;
	struct crash_log log;
	struct crash_run run;
	uint64_t visited = 0;
	size_t used;

	test_path(log_path, CRASH_LOG_NAME);
	test_path(path, crash_devices[0].file);
	assert_int_equal(crash_log_read(&log, log_path, &diagnostic), 0);
	file = crash_log_find(&log, path);
	assert_non_null(file);
	assert_int_equal(crash_log_prepare(file, WORK, &run, &memory, &diagnostic), 0);
	used = memory.used;
	for (size_t cut = 0; cut < file->nr_cuts; cut++) {
		struct judged judged = { .answers = answers, .moment = file->cuts[cut].until_ns };
		struct crash_visit how = { .limit = 10000, .visit = judge_image, .context = &judged };
		struct crash_states states;

		memory.used = used;
		assert_int_equal(crash_states_prepare(&states, &run, file->cuts[cut].moment, &memory), CRASH_OK);
		assert_int_equal(crash_states_visit(&states, &how, &memory), 0);
		assert_true(how.exhaustive);
		assert_true(how.visited == crash_states_count(&states));
		visited += how.visited;
	}
	free(memory.start);
	crash_log_free(&log);
	return visited;
}

static void test_all_images(void **state)
{
	struct test_disk disk;
	struct crash_report report;
	uint64_t images;

	(void)state;
	crash_server_start(1, NULL, NULL);
	disk = test_disk(test_bind(ANY), 0);
	crash_client_begin(&clients[0], &disk);
	ask(&clients[0], write_at(0, 3, false));
	ask(&clients[0], write_at(2, 3, false));
	ask(&clients[0], flush);
	ask(&clients[0], write_at(1, 2, true));
	ask(&clients[0], change_at(CRASH_ANSWER_ZEROES, 3, 2));
	ask(&clients[0], write_at(0, 4, false));
	ask(&clients[0], change_at(CRASH_ANSWER_DISCARD, 0, 1));
	ask(&clients[0], write_at(5, 3, false));
	ask(&clients[0], flush);
	crash_client_end(&clients[0]);
	end_server();
	report = crash_compare(0, &clients[0].answers);
	assert_crash_right(&report);
	images = visit_images(&clients[0].answers);
	print_message("%zu moments, %llu images\n", report.cuts, (unsigned long long)images);
	assert_true(images > 1000);
}

/* ---- several at once ---- */

#define PEERS 4
#define ROOM  4096 /* bytes of a peer's data */

static int type_of(const struct crash_request *request)
{
	switch (request->kind) {
	case CRASH_ANSWER_WRITE:
		return request->fua ? DEV_WRITE_FUA : DEV_WRITE;
	case CRASH_ANSWER_ZEROES:
		return DEV_WRITE_ZEROES;
	case CRASH_ANSWER_DISCARD:
		return DEV_DISCARD;
	case CRASH_ANSWER_FLUSH:
		break;
	}
	return DEV_FLUSH;
}

/* Has a peer begin a request; its number. `data` is shared with it. */
static size_t begin_request(struct crash_client *client, struct test_peer *peer, const struct crash_request *request,
			    unsigned char *data)
{
	size_t number = crash_client_send(client, request);
	message msg = { .m_type = type_of(request) };

	msg.IO_ENDPT = peer->endpoint;
	msg.POSITION = (int64_t)request->position;
	if (request->kind == CRASH_ANSWER_WRITE) {
		memcpy(data, client->memory[number - 1], request->length);
		msg.COUNT = (int)request->length;
		msg.ADDRESS = (char *)data;
	} else {
		msg.LENGTH = (int64_t)request->length;
	}
	test_peer_begin(peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
	return number;
}

static void finish_request(struct crash_client *client, struct test_peer *peer, size_t number)
{
	message reply;

	assert_int_equal(test_peer_finish(peer, &reply), 0);
	crash_client_answer(client, number, reply.REP_STATUS);
	assert_false(client->room[number - 1].failed);
}

static void start_peers(struct test_peer peers[PEERS])
{
	for (int i = 0; i < PEERS; i++) {
		struct test_disk disk = test_disk(0, 0);

		test_peer_start(&peers[i], ANY);
		assert_int_equal(test_peer_request(&peers[i], &disk, DEV_OPEN, 0, 0, 0, NULL), 0);
	}
}

/* Clients whose requests are under way together, to the same sectors. */
static void test_several_clients(void **state)
{
	struct crash_client *client = &clients[0];
	unsigned char *data = test_shared_memory((size_t)PEERS * ROOM);
	struct test_peer peers[PEERS];
	struct crash_report report;
	struct test_disk disk;
	uint64_t random = 99;

	(void)state;
	crash_server_start(1, NULL, NULL);
	disk = test_disk(test_bind(ANY), 0);
	crash_client_begin(client, &disk);
	start_peers(peers);
	for (int round = 0; round < 50; round++) {
		size_t numbers[PEERS];

		for (size_t i = 0; i < PEERS; i++) {
			struct crash_request request = crash_random_request(&random, AREA);

			numbers[i] = begin_request(client, &peers[i], &request, data + i * ROOM);
		}
		for (size_t i = 0; i < PEERS; i++)
			finish_request(client, &peers[i], numbers[i]);
	}
	for (int i = 0; i < PEERS; i++)
		test_peer_stop(&peers[i]);
	crash_client_end(client);
	end_server();
	report = crash_compare(0, &client->answers);
	assert_crash_right(&report);
}

/* ---- a flush that takes long ---- */

/* Whether a flush has begun that has not returned. */
static bool flush_is_under_way(const char *log_path)
{
	struct diagnostic diagnostic;
	struct crash_log log;
	bool found = false;

	assert_int_equal(crash_log_read(&log, log_path, &diagnostic), 0);
	for (size_t file = 0; file < log.nr_files; file++)
		for (size_t i = 0; i < log.files[file].nr_events; i++)
			found |= log.files[file].events[i].kind == CRASH_FLUSH &&
				 log.files[file].events[i].returned == CRASH_NEVER;
	crash_log_free(&log);
	return found;
}

static void await_flush(void)
{
	int notices = inotify_init1(IN_CLOEXEC);
	char path[TEST_PATH_SIZE];

	test_path(path, CRASH_LOG_NAME);
	assert_true(notices >= 0);
	assert_true(inotify_add_watch(notices, path, IN_MODIFY) >= 0);
	while (!flush_is_under_way(path)) {
		struct pollfd polled = { .fd = notices, .events = POLLIN };
		char events[4096];

		assert_int_equal(poll(&polled, 1, TEST_TIMEOUT_MS), 1);
		assert_true(read(notices, events, sizeof(events)) > 0);
	}
	(void)close(notices);
}

/*
 * While a flush is under way, more is written, to the same sectors too, and flushed: those flushes must not be answered
 * by the one that began before what they cover was written.
 */
static void test_writes_beside_a_flush(void **state)
{
	const struct crash_request beside[] = { write_at(0, 2, false), flush, write_at(1, 2, true),
						write_at(8, 1, false), flush, change_at(CRASH_ANSWER_ZEROES, 4, 2) };
	struct crash_client *client = &clients[0];
	char hold[TEST_PATH_SIZE];
	struct crash_report report;
	struct test_disk disk;
	int gate;

	(void)state;
	if (crash_images_are_in_memory()) {
		fprintf(stderr, "skipped: a flush takes no time where /tmp is in memory\n");
		skip();
	}
	test_path(hold, "hold");
	(void)unlink(hold);
	assert_int_equal(mkfifo(hold, 0600), 0);
	crash_server_start(1, NULL, hold);
	disk = test_disk(test_bind(ANY), 0);
	crash_client_begin(client, &disk);
	ask(client, write_at(0, 6, false));
	crash_client_batch(client, &flush, 1, true);
	await_flush();
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
		crash_client_batch(client, &beside[i], 1, true);
	/* Neither a flush nor the FUA write can be done yet. */
	for (size_t i = 0; i < client->answers.count; i++)
		if (client->room[i].kind == CRASH_ANSWER_FLUSH || client->room[i].fua)
			assert_true(client->room[i].answered == UINT64_MAX);
	gate = open(hold, O_WRONLY | O_CLOEXEC);
	assert_true(gate >= 0);
	crash_client_collect(client);
	ask(client, write_at(0, 6, false));
	crash_client_end(client);
	end_server();
	(void)close(gate);
	for (size_t i = 0; i < client->answers.count; i++)
		assert_false(client->room[i].failed);
	report = crash_compare(0, &client->answers);
	assert_crash_right(&report);
}

/* ---- a server that is killed ---- */

/*
 * The server is killed while requests may be under way, and started again; what was answered holds, whichever of its
 * lives did it.
 */
static void test_killed_server(void **state)
{
	const struct crash_request unfinished[] = { write_at(3, 4, false), write_at(4, 4, true), flush,
						    change_at(CRASH_ANSWER_ZEROES, 5, 2), write_at(6, 4, true) };
	struct crash_client *client = &clients[0];
	struct crash_report report;
	struct test_disk disk;

	(void)state;
	crash_server_start(1, NULL, NULL);
	disk = test_disk(test_bind(ANY), 0);
	crash_client_begin(client, &disk);
	for (int life = 0; life < 4; life++) {
		if (life > 0) {
			assert_int_equal(test_process_stop(&crash_server.process, SIGKILL), 128 + SIGKILL);
			crash_server_restart(1, false);
			assert_int_equal(test_disk_open(&client->disk, RDISK_OPEN_WRITE), 0);
		}
		crash_client_random(client, (uint64_t)life + 50, 30, AREA);
		crash_client_batch(client, unfinished, 5, true);
		client->nr_suspended = 0; /* never to be collected */
	}
	crash_client_end(client);
	end_server();
	report = crash_compare(0, &client->answers);
	assert_crash_right(&report);
}

#define CRASH_TEST(function) cmocka_unit_test_teardown(function, crash_server_discard)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CRASH_TEST(test_random_requests), CRASH_TEST(test_all_images),
		CRASH_TEST(test_several_clients), CRASH_TEST(test_writes_beside_a_flush),
		CRASH_TEST(test_killed_server),
	};

	return cmocka_run_group_tests_name("crash server", tests, NULL, NULL);
}
