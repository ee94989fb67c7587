/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Some forty requests of every kind to a file, a volatile and a memory device, and the
 * checks of their answers: success means all of it, an error is always allowed, and no data is ever wrong.
 */
#include "fault_script.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test_disk.h"
#include "test_pattern.h"

const struct test_device script_devices[NR_SCRIPT_DEVICES] = {
	[SCRIPT_FILE] = { .name = "FILE", .file = SCRIPT_FILE_IMAGE, .buffer = 16384 },
	[SCRIPT_VOLATILE] = { .name = "VOLATILE", .file = SCRIPT_VOLATILE_IMAGE, .is_volatile = true },
	[SCRIPT_MEMORY] = { .name = "MEMORY", .type = "MEMORY_IMAGE", .size = "1M" },
};

void fault_script_create(struct fault_script *script)
{
	for (int i = 0; i < NR_SCRIPT_DEVICES; i++)
		fault_model_create(&script->models[i]);
	script->initial = malloc(MODEL_SIZE);
	script->memory = malloc(MODEL_SIZE);
	script->granted_fd = memfd_create("granted", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (!script->initial || !script->memory || script->granted_fd < 0 ||
	    ftruncate(script->granted_fd, (off_t)MODEL_SIZE))
		test_fatal("no memory for the script: %s", strerror(errno));
	script->granted = mmap(NULL, MODEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, script->granted_fd, 0);
	if (script->granted == MAP_FAILED)
		test_fatal("mmap: %s", strerror(errno));
	test_pattern_fill(script->initial, MODEL_SIZE, 0, 1);
}

void fault_script_reset(struct fault_script *script)
{
	static const char *const images[] = { SCRIPT_FILE_IMAGE, SCRIPT_VOLATILE_IMAGE };
	static const unsigned char zeroes[MODEL_SIZE];

	for (int i = 0; i < 2; i++) {
		test_image_create(images[i], MODEL_SIZE);
		test_image_write(images[i], 0, script->initial, MODEL_SIZE);
		fault_model_set(&script->models[i], script->initial);
	}
	fault_model_set(&script->models[SCRIPT_MEMORY], zeroes);
	script->answered = 0;
	script->gone = 0;
	script->sync_failed = false;
	script->violation[0] = 0;
}

void fault_script_violate(struct fault_script *script, const char *format, ...)
{
	va_list arguments;

	if (script->violation[0])
		return;
	va_start(arguments, format);
	vsnprintf(script->violation, sizeof(script->violation), format, arguments);
	va_end(arguments);
}

static struct test_disk disk_of(const struct fault_script *script, int minor)
{
	struct test_disk disk = test_disk(script->self, minor);

	disk.timeout_ms = SCRIPT_TIMEOUT_MS;
	return disk;
}

/* Nothing more is sent once the server is gone or wrong. */
static bool is_over(const struct fault_script *script)
{
	return script->gone || script->violation[0];
}

/* State of a process as /proc tells it: 'S' asleep, 'R', 'Z', ...; 0 when there is none. */
static char process_state(pid_t pid)
{
	char path[64], text[512];
	const char *name_end;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[length > 0 ? length : 0] = 0;
	name_end = strrchr(text, ')');
	if (!name_end || !name_end[1])
		return 0;
	return name_end[2];
}

/*
 * A server spins for a while before it sleeps. Its sleeping is what can fail, so
 * it is waited for; one that never sleeps is found awake and served as it is.
 */
static void wait_until_asleep(pid_t pid)
{
	for (int i = 0; i < 100000; i++) {
		char state = process_state(pid);

		if (state != 'R' && state != 'D')
			return;
		(void)sched_yield();
	}
}

/* One request; *status is an error also when there was no answer, which ends the script. False: no answer. */
static bool request(struct fault_script *script, int minor, int type, int count, size_t position, size_t length,
		    const void *address, int *status)
{
	struct test_disk disk = disk_of(script, minor);

	*status = TEST_DISK_NO_ANSWER;
	if (is_over(script))
		return false;
	wait_until_asleep(script->server);
	*status = test_disk_request(&disk, type, count, (int64_t)position, (int64_t)length, address);
	if (*status == TEST_DISK_BAD_REPLY)
		fault_script_violate(script, "type %d: answer of a wrong type or for another endpoint", type);
	if (*status == TEST_DISK_NO_ANSWER) {
		script->gone = disk.transport;
		if (disk.transport == EDVSTIMEDOUT)
			fault_script_violate(script, "type %d: no answer", type);
		return false;
	}
	script->answered++;
	return true;
}

/* Success is exactly this number; an error is always possible. */
static void check_status(struct fault_script *script, int type, int status, int wanted)
{
	if (status >= 0 && status != wanted)
		fault_script_violate(script, "type %d: status %d in place of %d", type, status, wanted);
}

static void check_data(struct fault_script *script, int minor, size_t position, const unsigned char *bytes,
		       size_t length)
{
	size_t at = fault_model_check(&script->models[minor], position, bytes, length);

	if (at != position + length)
		fault_script_violate(script, "minor %d: wrong data was read at %zu", minor, at);
}

static void write_range(struct fault_script *script, int minor, int type, unsigned char *memory, size_t position,
			size_t length, uint64_t seed)
{
	int status;

	if (is_over(script))
		return;
	test_pattern_fill(memory, length, position, seed);
	(void)request(script, minor, type, (int)length, position, 0, memory, &status);
	check_status(script, type, status, (int)length);
	fault_model_write(&script->models[minor], position, memory, length, status == (int)length);
	if (type == DEV_WRITE_FUA && status == EDVSIO)
		script->sync_failed = true;
}

static void read_range(struct fault_script *script, int minor, unsigned char *memory, size_t position, size_t length)
{
	int status;

	memset(memory, 0xa5, length);
	if (!request(script, minor, DEV_READ, (int)length, position, 0, memory, &status))
		return;
	check_status(script, DEV_READ, status, (int)length);
	if (status == (int)length)
		check_data(script, minor, position, memory, length);
}

/* Eight elements of a page each, every second page of `memory`. */
static void vector_transfer(struct fault_script *script, int minor, bool write, size_t position, uint64_t seed)
{
	struct rdisk_iovec vector[8];
	unsigned char flat[8 * 4096];
	int type = write ? DEV_SCATTER : DEV_GATHER;
	int status;

	if (is_over(script))
		return;
	for (size_t i = 0; i < 8; i++) {
		unsigned char *element = script->memory + i * 8192;

		vector[i] = (struct rdisk_iovec){ test_address(element), 4096 };
		if (write)
			test_pattern_fill(element, 4096, position + i * 4096, seed);
		memcpy(flat + i * 4096, element, 4096);
	}
	(void)request(script, minor, type, 8, position, 0, vector, &status);
	check_status(script, type, status, (int)sizeof(flat));
	if (write) {
		fault_model_write(&script->models[minor], position, flat, sizeof(flat), status == (int)sizeof(flat));
		return;
	}
	for (size_t i = 0; i < 8 && status == (int)sizeof(flat); i++)
		check_data(script, minor, position + i * 4096, script->memory + i * 8192, 4096);
}

static void flush(struct fault_script *script, int minor, bool sync_faults)
{
	int status;

	if (!request(script, minor, DEV_FLUSH, 0, 0, 0, NULL, &status))
		return;
	check_status(script, DEV_FLUSH, status, 0);
	if (sync_faults && script->sync_failed && minor == SCRIPT_FILE && status == 0)
		fault_script_violate(script, "a flush succeeded after one had failed");
	if (status == EDVSIO)
		script->sync_failed = true;
}

static void zero_range(struct fault_script *script, int minor, int type, size_t position, size_t length)
{
	static const unsigned char zeroes[MODEL_SIZE];
	int status;

	if (is_over(script))
		return;
	(void)request(script, minor, type, 0, position, length, NULL, &status);
	check_status(script, type, status, 0);
	/* What was discarded may also be there still. */
	fault_model_write(&script->models[minor], position, zeroes, length, status == 0 && type == DEV_WRITE_ZEROES);
}

static bool request_batch(struct fault_script *script, struct rdisk_request *requests, int count, int *status)
{
	return request(script, SCRIPT_FILE, DEV_BATCH, count, 0, 0, requests, status);
}

/* A write, a FUA write, a read of what no other request touches, and a flush. */
static void batch(struct fault_script *script, uint64_t seed)
{
	struct rdisk_iovec vectors[3];
	struct rdisk_request requests[4] = { 0 };
	size_t positions[3] = { 700000, 720001, 900000 };
	int status;

	if (is_over(script))
		return;
	for (size_t i = 0; i < 3; i++) {
		unsigned char *memory = script->granted + i * 32768;

		vectors[i] = (struct rdisk_iovec){ test_address(memory), 10000 };
		test_pattern_fill(memory, 10000, positions[i], seed);
		requests[i] = (struct rdisk_request){ .operation = i < 2 ? RDISK_OP_WRITE : RDISK_OP_READ,
						      .flags = i == 1 ? RDISK_REQUEST_FUA : 0,
						      .minor = SCRIPT_FILE,
						      .nr_segments = 1,
						      .position = positions[i],
						      .length = 10000,
						      .vector = test_address(&vectors[i]),
						      .result = RDISK_RESULT_NONE };
	}
	requests[3] = (struct rdisk_request){ .operation = RDISK_OP_FLUSH,
					      .minor = SCRIPT_FILE,
					      .result = RDISK_RESULT_NONE };
	(void)request_batch(script, requests, 4, &status);
	check_status(script, DEV_BATCH, status, 4);
	for (size_t i = 0; i < 4; i++) {
		if (status == 4 && (requests[i].result == RDISK_RESULT_NONE ||
				    (requests[i].result >= 0 && requests[i].result != (i < 3 ? 10000 : 0))))
			fault_script_violate(script, "batch: request %zu: result %lld", i,
					     (long long)requests[i].result);
		if (i < 2)
			fault_model_write(&script->models[SCRIPT_FILE], positions[i],
					  (unsigned char *)(uintptr_t)vectors[i].iov_addr, 10000,
					  status == 4 && requests[i].result == 10000);
		if (i == 2 && status == 4 && requests[i].result == 10000)
			check_data(script, SCRIPT_FILE, positions[i], script->granted + i * 32768, 10000);
		if (status == 4 && requests[i].result == EDVSIO && i != 0 && i != 2)
			script->sync_failed = true;
	}
}

/* Requests that may be suspended. */
enum { MARKED_WRITE, MARKED_READ, MARKED_FLUSH, NR_MARKED };

#define MARKED_LENGTH  10000u
#define WRITE_POSITION 760000u
#define READ_POSITION  920001u

/* What was collected: of requests that were sent, each once. Notes their results. */
static void note_collected(struct fault_script *script, const struct rdisk_completion *completions, int64_t count,
			   int64_t results[NR_MARKED])
{
	if (count > NR_MARKED)
		fault_script_violate(script, "%lld requests were collected", (long long)count);
	for (int64_t i = 0; i < count && i < NR_MARKED; i++) {
		uint64_t cookie = completions[i].cookie;

		if (cookie >= NR_MARKED || (results[cookie] != SUSPEND && results[cookie] != RDISK_RESULT_NONE))
			fault_script_violate(script, "request %llu was collected", (unsigned long long)cookie);
		else
			results[cookie] = completions[i].result;
	}
}

/* Collects until nothing is left, also when that fails now and then. */
static void collect(struct fault_script *script, int64_t results[NR_MARKED])
{
	for (int failures = 0; failures < 3 && !is_over(script);) {
		struct rdisk_completion completions[NR_MARKED] = { 0 };
		struct rdisk_request request = { .operation = RDISK_OP_COLLECT,
						 .flags = RDISK_REQUEST_WAIT,
						 .nr_segments = NR_MARKED,
						 .vector = test_address(completions),
						 .result = RDISK_RESULT_NONE };
		int status;

		if (!request_batch(script, &request, 1, &status))
			return;
		check_status(script, DEV_BATCH, status, 1);
		/* With any other status nothing was given away: it comes again, also if it was stored already. */
		if (status == 1)
			note_collected(script, completions, request.result, results);
		if (status == 1 && request.result == 0)
			return;
		failures += status != 1 || request.result < 0;
	}
}

/* A write from granted memory, a read into memory that is not, and a flush, which may all be suspended. */
static void suspend(struct fault_script *script, uint64_t seed)
{
	struct rdisk_iovec vectors[2] = { { test_address(script->granted), MARKED_LENGTH },
					  { test_address(script->memory), MARKED_LENGTH } };
	struct rdisk_request requests[NR_MARKED] = { 0 };
	int64_t results[NR_MARKED];
	int status;

	if (is_over(script))
		return;
	test_pattern_fill(script->granted, MARKED_LENGTH, WRITE_POSITION, seed);
	memset(script->memory, 0xa5, MARKED_LENGTH);
	for (unsigned int i = 0; i < NR_MARKED; i++) {
		requests[i] = (struct rdisk_request){ .operation = i == MARKED_WRITE  ? RDISK_OP_WRITE
								   : i == MARKED_READ ? RDISK_OP_READ
										      : RDISK_OP_FLUSH,
						      .flags = RDISK_REQUEST_MAY_SUSPEND,
						      .minor = SCRIPT_FILE,
						      .cookie = i,
						      .result = RDISK_RESULT_NONE };
		if (i == MARKED_FLUSH)
			continue;
		requests[i].nr_segments = 1;
		requests[i].position = i == MARKED_WRITE ? WRITE_POSITION : READ_POSITION;
		requests[i].length = MARKED_LENGTH;
		requests[i].vector = test_address(&vectors[i]);
	}
	(void)request_batch(script, requests, NR_MARKED, &status);
	check_status(script, DEV_BATCH, status, NR_MARKED);
	for (int i = 0; i < NR_MARKED; i++)
		results[i] = requests[i].result;
	collect(script, results);
	for (int i = 0; i < NR_MARKED && !is_over(script); i++) {
		if (results[i] >= 0 && results[i] != (i == MARKED_FLUSH ? 0 : (int64_t)MARKED_LENGTH))
			fault_script_violate(script, "suspended request %d: result %lld", i, (long long)results[i]);
		if (status == NR_MARKED && (results[i] == SUSPEND || results[i] == RDISK_RESULT_NONE))
			fault_script_violate(script, "suspended request %d has no result", i);
	}
	fault_model_write(&script->models[SCRIPT_FILE], WRITE_POSITION, script->granted, MARKED_LENGTH,
			  results[MARKED_WRITE] == (int64_t)MARKED_LENGTH);
	if (results[MARKED_READ] == (int64_t)MARKED_LENGTH)
		check_data(script, SCRIPT_FILE, READ_POSITION, script->memory, MARKED_LENGTH);
	if (results[MARKED_FLUSH] == EDVSIO)
		script->sync_failed = true;
}

static void simple(struct fault_script *script, int minor, int type, int count, const void *address)
{
	int status;

	if (request(script, minor, type, count, 0, 0, address, &status))
		check_status(script, type, status, 0);
}

void fault_script_run(struct fault_script *script, bool sync_faults)
{
	struct rdisk_info info = { 0 };

	simple(script, SCRIPT_FILE, DEV_IOCTL, RDISK_IOC_INFO, &info);
	for (int minor = 0; minor < NR_SCRIPT_DEVICES; minor++)
		simple(script, minor, DEV_OPEN, 0, NULL);
	/* Without the grant the server copies; that it cannot be had is one more case. */
	(void)dvk_grant(TEST_SERVER_ENDPOINT, script->granted_fd, 0, script->granted, MODEL_SIZE);
	write_range(script, SCRIPT_FILE, DEV_WRITE, script->memory, 0, 65536, 2);
	write_range(script, SCRIPT_FILE, DEV_WRITE, script->granted, 100001, 70001, 3);
	read_range(script, SCRIPT_FILE, script->memory, 1000, 65536);
	read_range(script, SCRIPT_FILE, script->granted, 100000, 71000);
	write_range(script, SCRIPT_FILE, DEV_WRITE_FUA, script->granted, 262144, 4096, 4);
	vector_transfer(script, SCRIPT_FILE, true, 300000, 5);
	vector_transfer(script, SCRIPT_FILE, false, 299999, 0);
	flush(script, SCRIPT_FILE, sync_faults);
	for (int minor = SCRIPT_VOLATILE; minor <= SCRIPT_MEMORY; minor++) {
		write_range(script, minor, DEV_WRITE, script->granted, 5000, 20000, 6);
		write_range(script, minor, DEV_WRITE, script->memory, 30001, 9000, 7);
		zero_range(script, minor, DEV_WRITE_ZEROES, 8191, 3);
		zero_range(script, minor, DEV_DISCARD, 409600, 8192);
		read_range(script, minor, script->memory, 0, 65536);
		flush(script, minor, false);
	}
	zero_range(script, SCRIPT_FILE, DEV_DISCARD, 524288, 65536);
	zero_range(script, SCRIPT_FILE, DEV_WRITE_ZEROES, 600000, 5000);
	batch(script, 8);
	suspend(script, 10);
	write_range(script, SCRIPT_FILE, DEV_WRITE, script->memory, 0, 4096, 9);
	flush(script, SCRIPT_FILE, sync_faults);
	for (int minor = 0; minor < NR_SCRIPT_DEVICES; minor++) {
		read_range(script, minor, script->granted, 0, MODEL_SIZE);
		simple(script, minor, DEV_CLOSE, 0, NULL);
	}
}

bool fault_script_answers(const struct fault_script *script)
{
	struct test_disk disk = disk_of(script, SCRIPT_FILE);

	return test_disk_request(&disk, CANCEL, 0, 0, 0, NULL) == 0;
}

void fault_script_check_images(struct fault_script *script)
{
	size_t at;

	test_image_read(SCRIPT_FILE_IMAGE, 0, script->memory, MODEL_SIZE);
	at = fault_model_check(&script->models[SCRIPT_FILE], 0, script->memory, MODEL_SIZE);
	if (at != MODEL_SIZE)
		fault_script_violate(script, "the image holds wrong data at %zu", at);
	test_image_read(SCRIPT_VOLATILE_IMAGE, 0, script->memory, MODEL_SIZE);
	if (memcmp(script->memory, script->initial, MODEL_SIZE))
		fault_script_violate(script, "the image of the volatile device was changed");
	if (test_image_size(SCRIPT_FILE_IMAGE) != MODEL_SIZE)
		fault_script_violate(script, "the image has another size");
}

void fault_script_check_served(struct fault_script *script)
{
	struct test_disk disk = disk_of(script, SCRIPT_FILE);

	if (test_disk_open(&disk, RDISK_OPEN_READ) ||
	    test_disk_read(&disk, 0, script->memory, (int)MODEL_SIZE) != (int)MODEL_SIZE) {
		fault_script_violate(script, "a server without faults cannot read the image");
		return;
	}
	check_data(script, SCRIPT_FILE, 0, script->memory, MODEL_SIZE);
}
