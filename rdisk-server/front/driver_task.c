/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop, in the manner of MINIX's block driver library. What is done with a message of each type:
 *
 * type                             begun by       fields and rules: rdisk_protocol.h
 * DEV_OPEN                         begin_open
 * DEV_CLOSE                        close_device
 * DEV_IOCTL                        handle_ioctl
 * CANCEL                           0: who sends it has given up whatever he was waiting for
 * DEV_BATCH                        batch_begin (batch.h)
 * those that ask for I/O           begin_io (intake.h)
 * a notification                   no answer
 * anything else                    EDVSBADREQUEST
 */
#include "driver_task.h"

#include "answer.h"
#include "batch.h"
#include "client_memory.h"
#include "collect.h"
#include "dvk.h"
#include "intake.h"
#include "log.h"
#include "reply.h"
#include "termination.h"

int driver_init(struct server *server)
{
	requests_init(&server->requests, server->pool, sizeof(server->pool[0]), REQUESTS_MAX, &client_memory_copied);
	return completions_init(&server->completions, dvk_interrupt);
}

/* Goes as far as the request can at once, and answers it if that is its end. */
static void begin_request(struct server *server, struct front_request *request, int code)
{
	if (code != INTAKE_BEGIN || request_begin(&server->requests, &request->request)) {
		answer_message(server, request, code);
		return;
	}
	client_add(request);
	request->owner->open = true;
}

static void begin_io(struct server *server, const message *asked)
{
	struct front_request *request = front_request_take(server, asked->m_source);

	begin_request(server, request, intake_message(server, request, asked));
}

/*
 * An open waits, as a request, for what clients that have died or given up may still do to the device: whoever has it
 * open sees only what its openers do.
 */
static void begin_open(struct server *server, struct device *device, const message *asked)
{
	int code = device_open(&server->devices, device, asked->m_source, asked->COUNT);
	struct front_request *request;

	log_debug("device %s: open by endpoint %d, access %d: %d", device->name, asked->m_source, asked->COUNT, code);
	if (!code)
		clients_forget_dead(server);
	if (code || device->disk.nr_abandoned == 0) {
		reply_status(asked, code);
		return;
	}
	request = front_request_take(server, asked->m_source);
	request->kind = ANSWER_MESSAGE;
	request->message = *asked;
	request->request.disk = &device->disk;
	request->request.operation = REQUEST_SETTLE;
	begin_request(server, request, INTAKE_BEGIN);
}

/* Whoever opens it next sees nothing any more of what the client has suspended. */
static int close_device(struct server *server, struct device *device, int endpoint)
{
	int code = device_close(device, endpoint);

	if (!code && device_access(device, endpoint, false))
		collect_closed(server, client_of(server, endpoint), &device->disk);
	return code;
}

static int handle_ioctl(struct server *server, struct device *device, const message *asked)
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

/* What is no I/O. */
static void begin_other(struct server *server, const message *asked)
{
	struct device *device = device_find(&server->devices, asked->DEVICE);

	switch (asked->m_type) {
	case DEV_OPEN:
		if (device)
			begin_open(server, device, asked);
		else
			reply_status(asked, EDVSNXIO);
		break;
	case DEV_CLOSE:
		reply_status(asked, device ? close_device(server, device, asked->m_source) : EDVSNXIO);
		break;
	case DEV_IOCTL:
		reply_status(asked, device ? handle_ioctl(server, device, asked) : EDVSNXIO);
		break;
	case CANCEL:
		reply_status(asked, device ? 0 : EDVSNXIO);
		break;
	default:
		reply_status(asked, EDVSBADREQUEST);
		break;
	}
}

void driver_begin(struct server *server, const message *asked)
{
	struct client *client = client_of(server, asked->m_source);

	server->received_ns = server->recording ? recording_now() : 0;
	if (!client_meet(server, asked->m_source))
		return;
	if (client->open)
		client_give_up(server, asked->m_source);
	if (asked->m_type == DEV_BATCH)
		batch_begin(server, asked);
	else if (intake_is_io(asked))
		begin_io(server, asked);
	else
		begin_other(server, asked);
}

void driver_drain(struct server *server)
{
	for (;;) {
		answer_all_done(server);
		if (server->requests.nr_free == REQUESTS_MAX)
			break;
		completions_await(&server->completions);
	}
}

/* Answers what was received and is not answered yet. Results that nobody has collected by now are lost. */
static void finish(struct server *server)
{
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		struct client *client = &server->clients[slot];

		if (client->collects)
			collect_end(client);
		for (struct front_request *request = client->requests, *next; request; request = next) {
			next = request->next;
			if (request->kind != ANSWER_COLLECTED)
				continue;
			client_abandon(server, request);
		}
	}
	driver_drain(server);
}

/* Whether a whole batch can be begun. */
static bool has_room(const struct server *server)
{
	return server->requests.nr_free >= RDISK_BATCH_MAX;
}

int driver_task(struct server *server)
{
	while (!termination_requested()) {
		message request;
		int code;

		if (completions_any(&server->completions) || requests_can_go_on(&server->requests))
			answer_all_done(server);
		/* The stores have so much to do that nothing more is taken on. */
		if (!has_room(server)) {
			completions_await(&server->completions);
			continue;
		}
		code = dvk_receive(ANY, &request);
		if (code == EDVSINTR)
			continue;
		if (code) {
			clients_forget_all(server);
			return code;
		}
		if (!dvk_notified())
			driver_begin(server, &request);
	}
	finish(server);
	return 0;
}
