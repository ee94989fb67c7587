/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules that need no data: open and close, exclusive use, what DEV_IOCTL tells, and
 * requests with bad fields.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blocktest.h"

static message open_request(const struct blocktest *test, int access)
{
	message request = new_request(test, DEV_OPEN);

	request.COUNT = access;
	return request;
}

static message transfer_request(const struct blocktest *test, int type, int64_t position, int length)
{
	message request = new_request(test, type);

	request.COUNT = length;
	request.POSITION = position;
	request.ADDRESS = (char *)arena_buffer(test);
	return request;
}

/* ---- open and close; the device is closed before and after each ---- */

static void closed_refuses(struct blocktest *test)
{
	static const int types[] = { DEV_READ, DEV_FLUSH, DEV_WRITE, DEV_WRITE_FUA, DEV_DISCARD, DEV_WRITE_ZEROES };
	/* A server that has this wrong would change the device. */
	size_t count = test->destructive ? sizeof(types) / sizeof(types[0]) : 2;
	message close_request = new_request(test, DEV_CLOSE);

	for (size_t i = 0; i < count; i++) {
		message request = transfer_request(test, types[i], 0, 512);

		if (!expect_status(test, &request, EDVSNXIO, "request to a device that is not open"))
			return;
	}
	(void)expect_error(test, &close_request, "close of a device that is not open");
}

static void opens_are_counted(struct blocktest *test)
{
	message open_read = open_request(test, RDISK_OPEN_READ);
	message close_request = new_request(test, DEV_CLOSE);
	message read = transfer_request(test, DEV_READ, 0, 512);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 5; i++)
			if (!expect_status(test, &open_read, 0, "open"))
				return;
		for (int i = 0; i < 5; i++)
			if (!expect_status(test, &read, 512, "read between opens and closes") ||
			    !expect_status(test, &close_request, 0, "close"))
				return;
		if (!expect_status(test, &read, EDVSNXIO, "read after the last close") ||
		    !expect_error(test, &close_request, "one close too many"))
			return;
	}
}

/* What is written through the read-only open, should that be accepted, is what was there. */
static void access_is_kept(struct blocktest *test)
{
	message open_read = open_request(test, RDISK_OPEN_READ);
	message close_request = new_request(test, DEV_CLOSE);
	message read = transfer_request(test, DEV_READ, 0, 512);
	message write = transfer_request(test, DEV_WRITE, 0, 512);

	if (expect_status(test, &open_read, 0, "open for reading") && expect_status(test, &read, 512, "read") &&
	    expect_status(test, &write, EDVSBADOWNER, "write to a device opened for reading"))
		(void)expect_status(test, &close_request, 0, "close");
}

static void read_only_device(struct blocktest *test)
{
	message open_write = open_request(test, RDISK_OPEN_WRITE);
	message open_any = open_request(test, 0);
	message close_request = new_request(test, DEV_CLOSE);
	message read = transfer_request(test, DEV_READ, 0, 512);
	message write = transfer_request(test, DEV_WRITE, 0, 512);

	if (!(test->info.flags & RDISK_INFO_READ_ONLY)) {
		if (expect_status(test, &open_write, 0, "open for writing"))
			(void)expect_status(test, &close_request, 0, "close");
		return;
	}
	if (expect_status(test, &open_write, EDVSROFS, "open of a read-only device for writing") &&
	    expect_status(test, &open_any, 0, "open of a read-only device") &&
	    expect_status(test, &read, 512, "read") &&
	    expect_status(test, &write, EDVSROFS, "write to a read-only device"))
		(void)expect_status(test, &close_request, 0, "close");
}

static void bad_access(struct blocktest *test)
{
	message request = open_request(test, 1 << 20);

	(void)expect_error(test, &request, "open with unknown access bits");
}

static void bad_minors(struct blocktest *test)
{
	static const int types[] = { DEV_OPEN, DEV_CLOSE, DEV_READ, DEV_WRITE, DEV_FLUSH, DEV_DISCARD };
	const int minors[] = { -1, INT32_MIN, INT32_MAX, (int)test->info.nr_minors };

	for (size_t m = 0; m < sizeof(minors) / sizeof(minors[0]); m++) {
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			message request = transfer_request(test, types[t], 0, 512);

			request.DEVICE = minors[m];
			if (!expect_status(test, &request, EDVSNXIO, "request to a minor that does not exist"))
				return;
		}
	}
}

/* In the child: an open by another client. Exits with the negated status, or 255. */
static _Noreturn void open_as_other(struct blocktest *test, int access)
{
	message msg = open_request(test, access);
	int endpoint = dvk_bind(test->dcid, ANY);

	if (endpoint < EDVSERRCODE)
		_exit(255);
	msg.IO_ENDPT = endpoint;
	if (dvk_sendrec_T(test->server, &msg, test->timeout_ms) || msg.m_type != MOLTASK_REPLY)
		_exit(255);
	_exit(msg.REP_STATUS > 0 || msg.REP_STATUS < -254 ? 255 : -msg.REP_STATUS);
}

static bool other_gets(struct blocktest *test, int access, int wanted, const char *what)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return fail_test(test, RESULT_COMMFAIL, "cannot start a second client");
	if (child == 0)
		open_as_other(test, access);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) == 255)
		return fail_test(test, RESULT_COMMFAIL, "%s: the second client got no answer", what);
	if (-WEXITSTATUS(status) == wanted)
		return true;
	return fail_test(test, wanted ? RESULT_BADSTATUS : RESULT_UNEXFAIL, "%s: status %d in place of %d", what,
			 -WEXITSTATUS(status), wanted);
}

static void exclusive_use(struct blocktest *test)
{
	message open_write = open_request(test, RDISK_OPEN_WRITE);
	message open_read = open_request(test, RDISK_OPEN_READ);
	message close_request = new_request(test, DEV_CLOSE);

	if (!expect_status(test, &open_write, 0, "open for writing") ||
	    !other_gets(test, RDISK_OPEN_READ, EDVSBUSY, "second client reads while one writes") ||
	    !other_gets(test, RDISK_OPEN_WRITE, EDVSBUSY, "second client writes while one writes") ||
	    !expect_status(test, &close_request, 0, "close"))
		return;
	/* A second client that exits leaves nothing behind. */
	if (!other_gets(test, RDISK_OPEN_WRITE, 0, "second client writes alone") ||
	    !expect_status(test, &open_read, 0, "open after the second client's end") ||
	    !other_gets(test, RDISK_OPEN_READ, 0, "two clients read") ||
	    !other_gets(test, RDISK_OPEN_WRITE, EDVSBUSY, "second client writes while one reads"))
		return;
	(void)expect_status(test, &close_request, 0, "close");
}

const struct blocktest_case rules_cases[] = {
	{ "open", "closed-device-refuses", NEEDS_CLOSED, closed_refuses },
	{ "open", "opens-are-counted", NEEDS_CLOSED, opens_are_counted },
	{ "open", "access-is-kept", NEEDS_CLOSED | NEEDS_WRITABLE, access_is_kept },
	{ "open", "read-only-device", NEEDS_CLOSED, read_only_device },
	{ "open", "bad-access", NEEDS_CLOSED, bad_access },
	{ "open", "bad-minors", NEEDS_CLOSED, bad_minors },
	{ "open", "exclusive-use", NEEDS_CLOSED | NEEDS_WRITABLE | NEEDS_EXCLUSIVE, exclusive_use },
	{ NULL, NULL, 0, NULL },
};

/* ---- bad requests to the open device ---- */

static void ioctls(struct blocktest *test)
{
	struct rdisk_partition *partition = (struct rdisk_partition *)(void *)arena_buffer(test);
	message request = new_request(test, DEV_IOCTL);

	request.REQUEST = DIOCGETP;
	request.ADDRESS = (char *)partition;
	mark_memory(test, arena_buffer(test), sizeof(*partition));
	if (!expect_status(test, &request, 0, "DIOCGETP") ||
	    !check_marks(test, (unsigned char *)(partition + 1), GUARD_SIZE, "DIOCGETP"))
		return;
	if (partition->base != 0 || partition->size != test->info.size) {
		(void)fail_test(test, RESULT_CORRUPT, "DIOCGETP and RDISK_IOC_INFO tell different sizes");
		return;
	}
	request.REQUEST = 4711;
	if (!expect_status(test, &request, EDVSNOTTY, "unknown ioctl"))
		return;
	request.REQUEST = DIOCGETP;
	request.ADDRESS = NULL;
	(void)expect_status(test, &request, EDVSFAULT, "DIOCGETP to a bad address");
}

/* The same bad fields for each type of transfer; no bit of the device may change. */
static bool bad_transfer(struct blocktest *test, int type)
{
	static const int64_t positions[] = { -1, -512, INT64_MIN, -((int64_t)1 << 32) };
	static const int counts[] = { -1, -512, INT32_MIN };
	static const uint64_t addresses[] = { 0, 64, UINT64_MAX - 100, UINT64_C(0xffffffffff000000) };

	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		message request = transfer_request(test, type, positions[i], 512);

		if (!expect_status(test, &request, EDVSINVAL, "negative position"))
			return false;
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		message request = transfer_request(test, type, 0, counts[i]);

		if (!expect_status(test, &request, EDVSINVAL, "negative count"))
			return false;
	}
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		message request = transfer_request(test, type, 0, 512);

		request.ADDRESS = (char *)(uintptr_t)addresses[i];
		if (!expect_status(test, &request, EDVSFAULT, "bad address"))
			return false;
	}
	return true;
}

static void bad_reads(struct blocktest *test)
{
	message nothing = transfer_request(test, DEV_READ, 0, 0);

	mark_memory(test, arena_buffer(test), 4096);
	if (bad_transfer(test, DEV_READ) && expect_status(test, &nothing, 0, "read of no bytes") &&
	    check_marks(test, arena_buffer(test), 4096, "bad reads"))
		(void)read_and_check(test, 0, arena_buffer(test), 4096);
}

static void bad_writes(struct blocktest *test)
{
	message nothing = transfer_request(test, DEV_WRITE, 0, 0);

	if (bad_transfer(test, DEV_WRITE) && bad_transfer(test, DEV_WRITE_FUA) &&
	    expect_status(test, &nothing, 0, "write of no bytes"))
		(void)read_and_check(test, 0, arena_buffer(test), 65536);
}

static void foreign_memory(struct blocktest *test)
{
	const int endpoints[] = { test->server, test->self + 1, SYSTEM, ANY, NONE, SELF, INT32_MIN };

	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		message request = transfer_request(test, DEV_READ, 0, 512);

		request.IO_ENDPT = endpoints[i];
		if (!expect_status(test, &request, EDVSPERM, "another's memory"))
			return;
	}
}

static void unknown_types(struct blocktest *test)
{
	static const int types[] = { 0, 1, -1, DEV_READ - 1, DEV_GATHER + 1, DEV_BATCH + 1, INT32_MAX, MOLTASK_REPLY };
	message request;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		request = transfer_request(test, types[i], 0, 512);
		if (!expect_status(test, &request, EDVSBADREQUEST, "unknown type"))
			return;
	}
	request = new_request(test, CANCEL);
	(void)expect_status(test, &request, 0, "cancel with nothing pending");
}

const struct blocktest_case bad_cases[] = {
	{ "bad", "ioctls", 0, ioctls },
	{ "bad", "reads", 0, bad_reads },
	{ "bad", "writes", NEEDS_DESTRUCTIVE, bad_writes },
	{ "bad", "foreign-memory", 0, foreign_memory },
	{ "bad", "unknown-types", 0, unknown_types },
	{ NULL, NULL, 0, NULL },
};
