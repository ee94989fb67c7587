/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start and end of the server around its clients: SIGTERM in the midst of
 * requests, restart, kill -9, two servers for one image or one endpoint, many clients at once.
 */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "fault_environment.h"
#include "server_fixture.h"

#define NR_WRITERS    4
#define WRITER_BLOCK  ((int)KIB(16))
#define WRITER_BLOCKS 64 /* each writes these over and over */

static const struct test_device life_device = { .name = "LIFE", .file = "life.img", .size = "4M", .shared = true };

/* A writer and what it was told; `acknowledged` is the last round that was answered for each block. */
struct writer {
	struct test_peer peer;
	unsigned char *memory; /* shared with the peer */
	int block;
	uint64_t round;
	uint64_t acknowledged[WRITER_BLOCKS];
	bool maybe[WRITER_BLOCKS]; /* a later round was sent and not answered */
	int ended_with;
};

static uint64_t writer_seed(int number, uint64_t round)
{
	return (uint64_t)number << 32 | round;
}

static int64_t writer_position(int number, int block)
{
	return ((int64_t)number * WRITER_BLOCKS + block) * WRITER_BLOCK;
}

static void writer_begin(struct writer *writer, int number)
{
	message msg = { .m_type = writer->round % 7 ? DEV_WRITE : DEV_WRITE_FUA };
	int64_t position = writer_position(number, writer->block);

	test_pattern_fill(writer->memory, (size_t)WRITER_BLOCK, (uint64_t)position, writer_seed(number, writer->round));
	msg.DEVICE = 0;
	msg.IO_ENDPT = writer->peer.endpoint;
	msg.COUNT = WRITER_BLOCK;
	msg.POSITION = position;
	msg.ADDRESS = (char *)writer->memory;
	test_peer_begin(&writer->peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
}

/* Takes the answer; false when the server is gone. */
static bool writer_finish(struct writer *writer)
{
	message msg;
	int code = test_peer_finish(&writer->peer, &msg);

	if (code) {
		writer->maybe[writer->block] = true;
		writer->ended_with = code;
		return false;
	}
	assert_int_equal(msg.m_type, MOLTASK_REPLY);
	assert_int_equal(msg.REP_STATUS, WRITER_BLOCK);
	writer->acknowledged[writer->block] = writer->round;
	writer->maybe[writer->block] = false;
	writer->block = (writer->block + 1) % WRITER_BLOCKS;
	writer->round++;
	return true;
}

/* Every block holds the round that was answered last, or the one after it where no answer came. */
static void check_writer(const struct writer *writer, int number)
{
	unsigned char bytes[KIB(16)];

	for (int block = 0; block < WRITER_BLOCKS; block++) {
		uint64_t position = (uint64_t)writer_position(number, block);
		uint64_t acknowledged = writer->acknowledged[block];
		size_t size = (size_t)WRITER_BLOCK;
		bool good;

		test_image_read("life.img", position, bytes, size);
		good = acknowledged
			       ? test_pattern_check(bytes, size, position, writer_seed(number, acknowledged)) == size
			       : test_bytes_check(bytes, size, 0) == size;
		/* A write that was not answered may have been done in part. */
		if (!good && !writer->maybe[block])
			fail_msg("writer %d: block %d does not hold round %llu", number, block,
				 (unsigned long long)acknowledged);
	}
}

/* Starts the writers, lets each have `rounds` answers, then ends the server under them. */
static void end_under_load(int signal_number, int rounds)
{
	struct writer *writers = calloc(NR_WRITERS, sizeof(*writers));
	struct test_disk disk = test_disk(0, 0);
	int working = NR_WRITERS;

	assert_non_null(writers);
	test_image_create("life.img", (uint64_t)MIB(4));
	test_runtime_new();
	test_server_start(&server, &life_device, 1, NULL);
	for (int i = 0; i < NR_WRITERS; i++) {
		writers[i].round = 1;
		writers[i].memory = test_shared_memory((size_t)WRITER_BLOCK);
		test_peer_start(&writers[i].peer, ANY);
		assert_int_equal(test_peer_request(&writers[i].peer, &disk, DEV_OPEN, 0, 0, 0, NULL), 0);
	}
	for (int i = 0; i < NR_WRITERS; i++)
		writer_begin(&writers[i], i);
	for (int round = 0; working; round++) {
		if (round == rounds)
			assert_int_equal(kill(server.process.pid, signal_number), 0);
		working = 0;
		for (int i = 0; i < NR_WRITERS; i++) {
			if (writers[i].ended_with || !writer_finish(&writers[i]))
				continue;
			writer_begin(&writers[i], i);
			working++;
		}
	}
	for (int i = 0; i < NR_WRITERS; i++) {
		int code = writers[i].ended_with;

		if (code != EDVSDEADSRCDST && code != EDVSNOTBIND && code != EDVSDSTDIED)
			fail_msg("a client of a server that ended got %d", code);
	}
	if (signal_number == SIGKILL)
		assert_int_equal(test_process_stop(&server.process, 0), 128 + SIGKILL);
	else
		assert_int_equal(test_process_stop(&server.process, 0), 0);
	for (int i = 0; i < NR_WRITERS; i++) {
		check_writer(&writers[i], i);
		test_peer_stop(&writers[i].peer);
	}
	free(writers);
}

static void test_sigterm_under_load(void **state)
{
	(void)state;
	for (int rounds = 0; rounds < 100; rounds += 20)
		end_under_load(SIGTERM, rounds);
	end_under_load(SIGINT, 10);
}

static void test_sigkill_under_load(void **state)
{
	(void)state;
	for (int rounds = 1; rounds < 100; rounds += 20)
		end_under_load(SIGKILL, rounds);
}

/* A client that stays bound finds the server again, on the same node, time after time. */
static void test_restarts(void **state)
{
	unsigned char buffer[4096];
	struct test_disk disk;

	(void)state;
	disk = test_disk(fixture_start(&life_device, 1, 5), 0);
	for (uint64_t round = 0; round < 10; round++) {
		uint64_t position = round * 4096;

		assert_int_equal(test_disk_write(&disk, 0, buffer, 512), EDVSNXIO);
		assert_int_equal(test_disk_open(&disk, 0), 0);
		test_pattern_fill(buffer, sizeof(buffer), position, 1);
		assert_int_equal(test_disk_write(&disk, (int64_t)position, buffer, sizeof(buffer)), sizeof(buffer));
		assert_int_equal(test_process_stop(&server.process, round & 1 ? SIGKILL : SIGTERM),
				 round & 1 ? 128 + SIGKILL : 0);
		assert_int_equal(dvk_wait4unbind_T(TEST_SERVER_ENDPOINT, TEST_TIMEOUT_MS), 0);
		assert_int_equal(test_disk_read(&disk, 0, buffer, 512), TEST_DISK_NO_ANSWER);
		assert_true(disk.transport == EDVSNOTBIND || disk.transport == EDVSDEADSRCDST);
		test_server_start(&server, &life_device, 1, NULL);
		assert_int_equal(dvk_wait4bindep_T(TEST_SERVER_ENDPOINT, TEST_TIMEOUT_MS), TEST_SERVER_ENDPOINT);
	}
	assert_int_equal(test_disk_open(&disk, RDISK_OPEN_READ), 0);
	for (uint64_t round = 0; round < 10; round++) {
		uint64_t position = round * 4096;

		assert_int_equal(test_disk_read(&disk, (int64_t)position, buffer, sizeof(buffer)), sizeof(buffer));
		assert_int_equal(test_pattern_check(buffer, sizeof(buffer), position, 1), sizeof(buffer));
	}
	fixture_end();
}

/* Nodes come and go with their last client; the next server must find or start one. */
static void test_new_node_each_time(void **state)
{
	(void)state;
	test_runtime_new();
	for (int round = 0; round < 20; round++) {
		struct test_disk disk;

		test_server_start(&server, &life_device, 1, NULL);
		disk = test_disk(test_bind(ANY), 0);
		assert_int_equal(test_disk_open(&disk, 0), 0);
		fixture_end();
	}
}

static bool is_there(const char *name)
{
	char path[TEST_PATH_SIZE];

	test_path(path, name);
	return access(path, F_OK) == 0;
}

/* Starts a second server that must refuse, with one line that holds `reason`. */
static void second_server_refused(struct test_device *device, int endpoint, const char *reason)
{
	static struct test_process second;
	char config[TEST_PATH_SIZE];
	char endpoint_text[16];
	const char *arguments[] = { RDISK_PROGRAM, "-d", "0", "-e", endpoint_text, "-c", config, NULL };

	snprintf(endpoint_text, sizeof(endpoint_text), "%d", endpoint);
	test_server_config(config, "second.cfg", device, 1);
	test_process_start(&second, arguments, NULL);
	assert_int_equal(test_process_stop(&second, 0), 1);
	if (!strstr(second.log.text, reason) || strstr(second.log.text, "ready"))
		fail_msg("the second server said: %s", second.log.text);
}

static void test_second_server(void **state)
{
	struct test_device device = life_device;
	char target[TEST_PATH_SIZE], alias[TEST_PATH_SIZE];
	struct test_disk disk;
	int self;

	(void)state;
	self = fixture_start(&life_device, 1, ANY);
	second_server_refused(&device, TEST_SERVER_ENDPOINT + 1, "life.img");
	/* Nor by another name, nor for reading in a volatile device. */
	test_path(target, "life.img");
	test_path(alias, "alias.img");
	assert_int_equal(link(target, alias), 0);
	device.file = "alias.img";
	second_server_refused(&device, TEST_SERVER_ENDPOINT + 1, "alias.img");
	/* An endpoint serves once. */
	device.file = "other.img";
	second_server_refused(&device, TEST_SERVER_ENDPOINT, "endpoint 3");
	/* Nor has it made the image that it was to serve. */
	assert_false(is_there("other.img"));
	disk = test_disk(self, 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_server_lives(self);
	fixture_end();
	assert_int_equal(unlink(alias), 0);
}

/* A start that fails behind the making of an image leaves none, and what was there before as it was. */
static void test_failed_start(void **state)
{
	static const struct test_device devices[] = {
		{ .name = "OLD", .file = "old.img" },
		{ .name = "NEW", .file = "new.img", .size = "1M" },
		{ .name = "NONE", .file = "dangling.img", .size = "1M" },
	};
	static struct test_process process;
	char config[TEST_PATH_SIZE], record[TEST_PATH_SIZE], dangling[TEST_PATH_SIZE];
	const char *const arguments[] = { RDISK_PROGRAM, "-d", "0", "-c", config, "--record", record, NULL };

	(void)state;
	test_runtime_new();
	/* It is missing, and cannot be made: a look before does not tell. */
	test_path(dangling, "dangling.img");
	assert_int_equal(symlink("nowhere", dangling), 0);
	test_image_create("old.img", (uint64_t)MIB(1));
	test_path(record, "record");
	for (size_t count = 3; count >= 2; count--) {
		test_server_config(config, "failed.cfg", devices, count);
		/* With all images there, it is the recording's turn. */
		if (count == 2)
			test_image_create("record", 0);
		test_process_start(&process, arguments, NULL);
		assert_int_equal(test_process_stop(&process, 0), 1);
		if (!strstr(process.log.text,
			    count == 3 ? "failed.cfg:4: cannot create image" : "there is such a file"))
			fail_msg("it said: %s", process.log.text);
		assert_non_null(strstr(process.log.text, "created image"));
		assert_null(strstr(process.log.text, "ready"));
		assert_false(is_there("new.img"));
		assert_int_equal(test_image_size("old.img"), MIB(1));
	}
	assert_int_equal(unlink(record), 0);
	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_log(&process, "ready", TEST_TIMEOUT_MS));
	assert_int_equal(test_process_stop(&process, SIGTERM), 0);
	assert_int_equal(test_image_size("new.img"), MIB(1));
}

/* Starts a server that serves `device`, as "faulty.cfg", and meets lock_fault.c's `fault`. */
static void start_with_lock_fault(struct test_process *process, const struct test_device *devices, size_t count,
				  const char *fault)
{
	char config[TEST_PATH_SIZE], variable[TEST_PATH_SIZE + 32];
	const char *const arguments[] = { RDISK_PROGRAM, "-d", "0", "-c", config, NULL };
	struct fault_environment environment;

	fault_environment_set(&environment, "");
	(void)snprintf(environment.preload, sizeof(environment.preload), "LD_PRELOAD=%s", LOCK_FAULT_LIBRARY);
	environment.variables[3] = variable;
	test_server_config(config, "faulty.cfg", devices, count);
	(void)snprintf(variable, sizeof(variable), "LOCK_FAULT=%s", fault);
	test_process_start(process, arguments, environment.variables);
}

/* The start of the server that created an image fails just as this one has opened it: it serves no deleted file. */
static void test_image_taken_away(void **state)
{
	static const struct test_device devices[] = {
		{ .name = "TAKEN", .file = "taken.img", .size = "1M" },
		{ .name = "ALIAS", .file = "taken.img" },
	};
	static struct test_process process;
	char path[TEST_PATH_SIZE], fault[TEST_PATH_SIZE + 16];

	(void)state;
	test_path(path, "taken.img");
	(void)snprintf(fault, sizeof(fault), "unlink:%s", path);
	test_runtime_new();
	/* It has the name anew, or none to serve. */
	test_image_create("taken.img", (uint64_t)MIB(1));
	start_with_lock_fault(&process, &devices[0], 1, fault);
	assert_true(test_process_wait_log(&process, "ready", TEST_TIMEOUT_MS));
	assert_true(is_there("taken.img"));
	assert_int_equal(test_process_stop(&process, SIGTERM), 0);
	start_with_lock_fault(&process, &devices[1], 1, fault);
	assert_int_equal(test_process_stop(&process, 0), 1);
	assert_non_null(strstr(process.log.text, "taken.img does not exist"));
	/* One that it has made then goes away with a start that fails later on. */
	test_image_create("taken.img", (uint64_t)MIB(1));
	test_server_start(&server, &life_device, 1, NULL);
	start_with_lock_fault(&process, &devices[0], 1, fault);
	assert_int_equal(test_process_stop(&process, 0), 1);
	assert_non_null(strstr(process.log.text, "cannot bind endpoint 3"));
	assert_false(is_there("taken.img"));
	assert_int_equal(test_server_stop(&server), 0);
}

/* A new image that cannot be locked does not stay, empty, to be refused by the next start. */
static void test_unlockable_image(void **state)
{
	static const struct test_device device = { .name = "NEW", .file = "unlocked.img", .size = "1M" };
	static struct test_process process;

	(void)state;
	test_runtime_new();
	start_with_lock_fault(&process, &device, 1, "enolck");
	assert_int_equal(test_process_stop(&process, 0), 1);
	assert_non_null(strstr(process.log.text, "cannot lock image"));
	assert_false(is_there("unlocked.img"));
}

/* A start that a signal ends makes no image any more, also when it gets as far as its endpoint. */
static void test_signal_at_start(void **state)
{
	static const struct test_device devices[] = {
		{ .name = "OLD", .file = "old.img" },
		{ .name = "NEW", .file = "late.img", .size = "1M" },
	};
	static struct test_process process;

	(void)state;
	test_runtime_new();
	test_image_create("old.img", (uint64_t)MIB(1));
	/* There is a container on a node already, so its start has nothing to wait for. */
	test_server_start(&server, &life_device, 1, NULL);
	assert_true(test_bind(ANY) >= 0);
	assert_int_equal(test_server_stop(&server), 0);
	start_with_lock_fault(&process, devices, 2, "term");
	assert_int_equal(test_process_stop(&process, 0), 0);
	assert_null(strstr(process.log.text, "ready"));
	assert_false(is_there("late.img"));
	(void)dvk_close();
}

/* What it has to say never goes into an image that got the number of a closed standard error. */
static void test_closed_standard_error(void **state)
{
	static struct test_process second;
	const struct test_device other = { .name = "OTHER", .file = "quiet.img", .size = "1M" };
	char config[TEST_PATH_SIZE], command[3 * TEST_PATH_SIZE];
	const char *const arguments[] = { "/bin/sh", "-c", command, NULL };
	unsigned char block[4096];
	struct test_disk disk;

	(void)state;
	disk = test_disk(fixture_start(&life_device, 1, ANY), 0);
	test_server_config(config, "second.cfg", &other, 1);
	(void)snprintf(command, sizeof(command), "exec %s -d 0 -e 4 -v -c %s 0<&- 1>&- 2>&-", RDISK_PROGRAM, config);
	test_process_start(&second, arguments, NULL);
	assert_int_equal(dvk_wait4bindep_T(4, TEST_TIMEOUT_MS), 4);
	disk.server = 4;
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_read(&disk, 0, block, sizeof(block)), sizeof(block));
	assert_int_equal(test_bytes_check(block, sizeof(block), 0), sizeof(block));
	assert_int_equal(test_process_stop(&second, SIGTERM), 0);
	test_image_read("quiet.img", 0, block, sizeof(block));
	assert_int_equal(test_bytes_check(block, sizeof(block), 0), sizeof(block));
	fixture_end();
}

/* Two servers of one DC with images of their own; each client request goes to the one it names. */
static void test_two_servers(void **state)
{
	static struct test_process second;
	const struct test_device other = { .name = "OTHER", .file = "second.img", .size = "2M" };
	char config[TEST_PATH_SIZE];
	const char *arguments[] = { RDISK_PROGRAM, "-d", "0", "-e", "4", "-c", config, NULL };
	struct rdisk_info info;
	struct test_disk disk;

	(void)state;
	disk = test_disk(fixture_start(&life_device, 1, ANY), 0);
	test_server_config(config, "second.cfg", &other, 1);
	test_process_start(&second, arguments, NULL);
	assert_true(test_process_wait_log(&second, "ready", TEST_TIMEOUT_MS));
	for (int round = 0; round < 50; round++) {
		disk.server = 3;
		assert_int_equal(test_disk_info(&disk, &info), 0);
		assert_string_equal(info.name, "LIFE");
		disk.server = 4;
		assert_int_equal(test_disk_info(&disk, &info), 0);
		assert_string_equal(info.name, "OTHER");
	}
	assert_int_equal(test_process_stop(&second, SIGTERM), 0);
	fixture_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_sigterm_under_load), FIXTURE_TEST(test_sigkill_under_load),
		FIXTURE_TEST(test_restarts),	       FIXTURE_TEST(test_new_node_each_time),
		FIXTURE_TEST(test_second_server),      FIXTURE_TEST(test_two_servers),
		FIXTURE_TEST(test_failed_start),       FIXTURE_TEST(test_closed_standard_error),
		FIXTURE_TEST(test_image_taken_away),   FIXTURE_TEST(test_unlockable_image),
		FIXTURE_TEST(test_signal_at_start),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
