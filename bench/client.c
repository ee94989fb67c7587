/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of rdisk on the host; see client.h.
 */
#include "client.h"

#include <stdio.h>

#include "dvk.h"
#include "rdisk_protocol.h"

int bench_client_connect(struct bench_client *client, const struct bench_target *target, int fd, void *area,
			 uint64_t bytes)
{
	int code;

	client->server = target->endpoint;
	code = dvk_open();
	if (!code)
		code = client->self = dvk_bind(target->dcid, ANY);
	if (code >= EDVSERRCODE)
		code = dvk_grant(client->server, fd, 0, area, bytes);
	if (code >= 0)
		return 0;
	fprintf(stderr, "rdisk: cannot be a client of endpoint %d: %s\n", client->server, dvk_strerror(code));
	return -1;
}

int bench_client_request(const struct bench_client *client, int type, unsigned int minor, int count, uint64_t position,
			 const void *address)
{
	message msg = { .m_type = type };
	int code;

	msg.DEVICE = (int)minor;
	msg.IO_ENDPT = client->self;
	msg.COUNT = count;
	msg.POSITION = (long)position;
	msg.ADDRESS = (char *)(uintptr_t)address;
	code = dvk_sendrec_T(client->server, &msg, TIMEOUT_MOLCALL);
	if (!code)
		code = msg.m_type == MOLTASK_REPLY ? msg.REP_STATUS : EDVSBADREQUEST;
	if (code < 0)
		fprintf(stderr, "rdisk: request %d for minor %u at %llu: %s\n", type, minor,
			(unsigned long long)position, dvk_strerror(code));
	return code;
}
