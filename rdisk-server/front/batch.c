/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Begins batches; see batch.h. The descriptors and each vector are copied first and checked then: the client may change
 * its memory at any time.
 */
#include "batch.h"

#include "answer.h"
#include "client_memory.h"
#include "collect.h"
#include "dvk_errno.h"
#include "intake.h"
#include "reply.h"

/* Begins one element. Its result, or SUSPEND: it is under way. */
static int64_t begin_element(struct server *server, const message *batch, const struct rdisk_request *element,
			     uint64_t address)
{
	struct front_request *request = front_request_take(server, batch->m_source);
	int code = intake_element(server, request, element);

	if (code == INTAKE_BEGIN && device_of(request->request.disk)->member) {
		request->in_set = true;
		server->nr_set_requests++;
		if (request->request.operation == REQUEST_READ || request->request.operation == REQUEST_WRITE)
			server->set_bytes += request->request.length;
	}
	if (code != INTAKE_BEGIN || request_begin(&server->requests, &request->request))
		return answer_element(server, request, code);
	client_add(request);
	request->result_address = address;
	if (request->kind == ANSWER_COLLECTED)
		request->owner->nr_suspended++;
	else
		request->owner->elements++;
	return SUSPEND;
}

/* It is blocked in a batch from now on: what waits to reach its memory goes on, before what is in the batch. */
static void reach_client(struct server *server, struct client *client)
{
	struct front_request *oldest = client->requests;

	client->in_batch = true;
	while (oldest && oldest->next)
		oldest = oldest->next;
	for (struct front_request *request = oldest; request; request = request->previous)
		request_client_came(&server->requests, &request->request);
	if (requests_can_go_on(&server->requests))
		answer_all_done(server);
}

/* Does COLLECT, which is the last of a batch. Its result; SUSPEND: the batch waits until there is something. */
static int64_t begin_collect(struct server *server, struct client *client, const struct rdisk_request *collect,
			     uint64_t address)
{
	int64_t result = collect_check(collect);

	/* as for MAY_SUSPEND: in one's own memory */
	if (!result && client->message.IO_ENDPT != client->message.m_source)
		result = EDVSPERM;
	if (result)
		return result;
	answer_all_done(server);
	result = collect_store(client, collect);
	if (result || !(collect->flags & RDISK_REQUEST_WAIT) || client->nr_suspended == 0)
		return result;
	client->collects = true;
	client->collect_address = address;
	client->collect = *collect;
	return SUSPEND;
}

/* Whether an element has to wait until replicated disks, of which it names one, take more. */
static bool is_deferred(struct server *server, const struct rdisk_request *element)
{
	const struct device *device = device_find(&server->devices, element->minor);

	return element->operation != RDISK_OP_COLLECT && device && device->member &&
	       (server->nr_set_requests >= SET_REQUESTS_MAX || server->set_bytes >= SET_BYTES_TURN);
}

/*
 * Begins the requests of server->batch, from `first` on. 0, also if the client is deferred before the rest is begun; or
 * why not all results could be stored: then the rest was not begun.
 */
static int begin_elements(struct server *server, const message *batch, int first, int count)
{
	struct client *client = client_of(server, batch->m_source);
	uint64_t address = (uint64_t)(uintptr_t)batch->ADDRESS + (uint64_t)first * sizeof(struct rdisk_request);

	for (int i = first; i < count; i++, address += sizeof(struct rdisk_request)) {
		const struct rdisk_request *element = &server->batch[i];
		int64_t result;
		int code;

		if (is_deferred(server, element)) {
			client->next_element = i;
			client_defer(server, client);
			return 0;
		}
		if (element->operation == RDISK_OP_COLLECT && i == count - 1)
			result = begin_collect(server, client, element, address);
		else
			result = begin_element(server, batch, element, address);
		/* What is not done when the batch is answered has SUSPEND; all else gets its result in time. */
		code = reply_result(client, address, result);
		if (code)
			return code;
	}
	return 0;
}

void batch_begin(struct server *server, const message *asked)
{
	struct client *client = client_of(server, asked->m_source);
	struct memory_owner owner;
	int count = asked->COUNT;
	int code = intake_check_memory(server, asked);

	if (!code && (count < 1 || count > RDISK_BATCH_MAX))
		code = count < 1 ? EDVSINVAL : EDVS2BIG;
	if (!code)
		code = client_memory_owner(server, asked, &owner);
	if (!code)
		code = client_memory_read(&owner, (uint64_t)(uintptr_t)asked->ADDRESS, server->batch,
					  (size_t)count * sizeof(server->batch[0]));
	if (code) {
		reply_status(asked, code);
		return;
	}
	client->message = *asked;
	client->memory = owner;
	client->status = count;
	reach_client(server, client);
	code = begin_elements(server, asked, 0, count);
	if (code)
		client->status = code;
	client->open = true;
	reply_batch_if_done(client);
}

/* Goes on with the batch of a client that was deferred. */
static void resume(struct server *server, struct client *client)
{
	const message asked = client->message;
	int first = client->next_element, count = asked.COUNT;
	uint64_t offset = (uint64_t)first * sizeof(server->batch[0]);
	int code = client_memory_read(&client->memory, (uint64_t)(uintptr_t)asked.ADDRESS + offset,
				      server->batch + first, (size_t)(count - first) * sizeof(server->batch[0]));

	/* What is done meanwhile is not to be its answer. */
	client->open = false;
	if (!code)
		code = begin_elements(server, &asked, first, count);
	if (code)
		client->status = code;
	client->open = true;
	reply_batch_if_done(client);
}

bool batch_can_resume(const struct server *server)
{
	return server->first_deferred && server->nr_set_requests < SET_REQUESTS_MAX &&
	       server->requests.nr_free >= RDISK_BATCH_MAX;
}

void batch_resume(struct server *server)
{
	server->set_bytes = 0;
	while (batch_can_resume(server) && server->set_bytes < SET_BYTES_TURN) {
		struct client *client = server->first_deferred;

		client_undefer(server, client);
		if (client_lives(server, client->message.m_source))
			resume(server, client);
		else
			client_forget(server, client->message.m_source);
	}
}
