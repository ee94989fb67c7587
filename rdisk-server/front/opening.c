/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See opening.h.
 *
 * An open waits, as a request, for what clients that have died or given up may still do to the device: whoever has it
 * open sees only what its openers do. One of a replicated device is made in the set, which sees to the same for all
 * hosts. A question about a replicated device waits until the set is known.
 */
#include "opening.h"

#include <errno.h>

#include "answer.h"
#include "client_memory.h"
#include "collect.h"
#include "dvk.h"
#include "intake.h"
#include "log.h"
#include "reply.h"

static void begin(struct server *server, struct device *device, const message *asked, enum request_operation operation,
		  uint32_t client)
{
	struct front_request *request = front_request_take(server, asked->m_source);

	request->kind = ANSWER_MESSAGE;
	request->message = *asked;
	request->request.disk = &device->disk;
	request->request.operation = operation;
	request->request.client = client;
	request->request.shared = device->shared;
	request->request.read_only = !device_writes(device, asked->m_source);
	if (request_begin(&server->requests, &request->request)) {
		answer_message(server, request, opening_result(server, request));
		return;
	}
	client_add(request);
	request->owner->open = true;
}

void opening_open(struct server *server, struct device *device, const message *asked)
{
	int code = device_open(&server->devices, device, asked->m_source, asked->COUNT);
	bool tell = false;
	uint32_t number = 0;

	log_debug("device %s: open by endpoint %d, access %d: %d", device->name, asked->m_source, asked->COUNT, code);
	if (!code)
		clients_forget_dead(server);
	if (!code && device->member)
		number = device_open_number(&server->devices, device, asked->m_source, &tell);
	if (tell)
		begin(server, device, asked, REQUEST_OPEN, number);
	else if (code || device->member || device->disk.nr_abandoned == 0)
		reply_status(asked, code);
	else
		begin(server, device, asked, REQUEST_SETTLE, 0);
}

/* Whoever opens it next sees nothing any more of what the client has suspended. */
void opening_close(struct server *server, struct device *device, const message *asked)
{
	int endpoint = asked->m_source;
	int code = device_close(device, endpoint);

	if (!code && device_access(device, endpoint, false))
		collect_closed(server, client_of(server, endpoint), &device->disk);
	reply_status(asked, code);
}

static int ioctl(struct server *server, struct device *device, const message *asked)
{
	uint64_t address = (uint64_t)(uintptr_t)asked->ADDRESS;
	struct rdisk_partition partition;
	struct memory_owner owner;
	struct rdisk_info info;
	int code = intake_check_memory(server, asked);

	if (!code)
		code = client_memory_owner(server, asked, &owner);
	if (code)
		return code;
	switch (asked->REQUEST) {
	case DIOCGETP:
		device_partition(device, &partition);
		return client_memory_write(&owner, address, &partition, sizeof(partition));
	case RDISK_IOC_INFO:
		device_info(&server->devices, asked->DEVICE, &info);
		return client_memory_write(&owner, address, &info, sizeof(info));
	default:
		return EDVSNOTTY;
	}
}

/* Before any I/O: nobody has it open as long as its size is not known. */
static void learn(struct server *server, struct device *device)
{
	if (device_learn(device))
		recording_describe(server->recording, &server->devices);
}

void opening_ioctl(struct server *server, struct device *device, const message *asked)
{
	learn(server, device);
	if (device->member && !device->size)
		begin(server, device, asked, REQUEST_DESCRIBE, 0);
	else
		reply_status(asked, ioctl(server, device, asked));
}

int opening_result(struct server *server, struct front_request *request)
{
	struct device *device = device_find(&server->devices, request->message.DEVICE);
	int code = request->request.result;

	learn(server, device);
	switch (request->request.operation) {
	case REQUEST_OPEN:
		if (code)
			device_open_failed(device, request->client);
		else
			device_open_told(device, request->client);
		return code == -EBUSY ? EDVSBUSY : code;
	case REQUEST_DESCRIBE:
		return code ? code : ioctl(server, device, &request->message);
	default:
		return code;
	}
}
