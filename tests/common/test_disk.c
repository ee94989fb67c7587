/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk protocol from a client's side, request by request.
 */
#include "test_disk.h"

#include <string.h>
#include <sys/prctl.h>

#include "test_server.h"

int test_bind(int endpoint)
{
	int bound = dvk_open();

	/* Without the host's restriction (ptrace_scope) this fails, and is not needed. */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	if (bound)
		test_fatal("dvk_open: %s", dvk_strerror(bound));
	bound = dvk_bind(TEST_DCID, endpoint);
	if (bound < EDVSERRCODE || (endpoint != ANY && bound != endpoint))
		test_fatal("bind of endpoint %d: %s", endpoint, dvk_strerror(bound));
	return bound;
}

struct test_disk test_disk(int self, int minor)
{
	return (struct test_disk){
		.server = TEST_SERVER_ENDPOINT, .self = self, .minor = minor, .timeout_ms = TEST_TIMEOUT_MS
	};
}

int test_disk_request(struct test_disk *disk, int type, int count, int64_t position, int64_t length,
		      const void *address)
{
	message msg = { .m_type = type };

	msg.DEVICE = disk->minor;
	msg.IO_ENDPT = disk->self;
	msg.COUNT = count;
	msg.POSITION = position;
	msg.LENGTH = length;
	msg.ADDRESS = (char *)(uintptr_t)address;
	disk->transport = dvk_sendrec_T(disk->server, &msg, disk->timeout_ms);
	if (disk->transport)
		return TEST_DISK_NO_ANSWER;
	if (msg.m_type != MOLTASK_REPLY || msg.REP_ENDPT != disk->self)
		return TEST_DISK_BAD_REPLY;
	return msg.REP_STATUS;
}

int test_disk_open(struct test_disk *disk, int access)
{
	return test_disk_request(disk, DEV_OPEN, access, 0, 0, NULL);
}

int test_disk_close(struct test_disk *disk)
{
	return test_disk_request(disk, DEV_CLOSE, 0, 0, 0, NULL);
}

int test_disk_read(struct test_disk *disk, int64_t position, void *buffer, int length)
{
	return test_disk_request(disk, DEV_READ, length, position, 0, buffer);
}

int test_disk_write(struct test_disk *disk, int64_t position, const void *buffer, int length)
{
	return test_disk_request(disk, DEV_WRITE, length, position, 0, buffer);
}

int test_disk_gather(struct test_disk *disk, int64_t position, struct rdisk_iovec *vector, int elements)
{
	return test_disk_request(disk, DEV_GATHER, elements, position, 0, vector);
}

int test_disk_scatter(struct test_disk *disk, int64_t position, struct rdisk_iovec *vector, int elements)
{
	return test_disk_request(disk, DEV_SCATTER, elements, position, 0, vector);
}

int test_disk_flush(struct test_disk *disk)
{
	return test_disk_request(disk, DEV_FLUSH, 0, 0, 0, NULL);
}

int test_disk_discard(struct test_disk *disk, int64_t position, int64_t length)
{
	return test_disk_request(disk, DEV_DISCARD, 0, position, length, NULL);
}

int test_disk_write_zeroes(struct test_disk *disk, int64_t position, int64_t length)
{
	return test_disk_request(disk, DEV_WRITE_ZEROES, 0, position, length, NULL);
}

int test_disk_batch(struct test_disk *disk, struct rdisk_request *requests, int count)
{
	return test_disk_request(disk, DEV_BATCH, count, 0, 0, requests);
}

int test_disk_info(struct test_disk *disk, struct rdisk_info *info)
{
	memset(info, 0, sizeof(*info));
	return test_disk_request(disk, DEV_IOCTL, RDISK_IOC_INFO, 0, 0, info);
}
