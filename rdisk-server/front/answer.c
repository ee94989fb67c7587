/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From requests that are done to answers; see answer.h.
 */
#include "answer.h"

#include <errno.h>

#include "client_memory.h"
#include "collect.h"
#include "dvk.h"
#include "intake.h"
#include "opening.h"
#include "reply.h"

/* What a store reports are codes of the protocol by their numbers. */
static_assert(EDVSIO == -EIO && EDVSNOSPC == -ENOSPC && EDVSROFS == -EROFS && EDVSFAULT == -EFAULT,
	      "errors of stores have the protocol's numbers");

/* What the client is to be told. */
static int64_t result_of(const struct request *request)
{
	if (request->result)
		return request->result;
	return request->operation == REQUEST_READ || request->operation == REQUEST_WRITE ? (int64_t)request->length : 0;
}

static bool is_vector(const struct front_request *request)
{
	int type = request->message.m_type;

	return request->kind == ANSWER_MESSAGE &&
	       (type == DEV_GATHER || type == DEV_SCATTER || type == DEV_SCATTER_FUA);
}

static void record(struct server *server, struct front_request *request, int64_t result)
{
	if (!server->recording || !request->recorded)
		return;
	request->record.result = result;
	if (is_vector(request))
		request->record.length = result > 0 ? (uint64_t)result : 0;
	recording_add(server->recording, &request->record);
}

/* Gives the client its vector back, without what was moved. 0, or a code of client_memory.h. */
static int return_vector(struct front_request *request, uint64_t moved)
{
	const message *asked = &request->message;

	for (int i = 0; i < request->nr_segments && moved > 0; i++) {
		struct rdisk_iovec *segment = &request->segments[i];
		uint64_t bytes = segment->iov_size < moved ? segment->iov_size : moved;

		segment->iov_addr += bytes;
		segment->iov_size -= bytes;
		moved -= bytes;
	}
	return client_memory_write(&request->memory, (uint64_t)(uintptr_t)asked->ADDRESS, request->segments,
				   (size_t)request->nr_segments * sizeof(request->segments[0]));
}

void answer_message(struct server *server, struct front_request *request, int code)
{
	int64_t result = code == INTAKE_BEGIN ? result_of(&request->request) : code;

	if (result > 0 && is_vector(request)) {
		code = return_vector(request, (uint64_t)result);
		if (code)
			result = code;
	}
	record(server, request, result);
	reply_status(&request->message, (int)result); /* at most INT32_MAX bytes */
	front_request_release(server, request);
}

int64_t answer_element(struct server *server, struct front_request *request, int code)
{
	int64_t result = code == INTAKE_BEGIN ? result_of(&request->request) : code;

	record(server, request, result);
	front_request_release(server, request);
	return result;
}

/* One that was under way is done. */
static void answer(struct server *server, struct front_request *request)
{
	struct client *client = request->owner;
	uint64_t address = request->result_address, cookie = request->cookie;

	switch (request->kind) {
	case ANSWER_MESSAGE:
		client->open = false;
		answer_message(server, request,
			       intake_is_io(&request->message) ? INTAKE_BEGIN : opening_result(server, request));
		break;
	case ANSWER_ELEMENT:
		client->elements--;
		reply_set_result(client, address, answer_element(server, request, INTAKE_BEGIN));
		reply_batch_if_done(client);
		break;
	case ANSWER_COLLECTED:
		collect_add(client, cookie, answer_element(server, request, INTAKE_BEGIN));
		break;
	}
}

/* Lets a client go on that waits to collect, with all that there is for it by now. NULL: nobody. */
static void resume(struct client *collector)
{
	/* It may have been forgotten since. */
	if (collector && collector->collects)
		collect_resume(collector);
}

static void take_done(struct server *server, struct io *io)
{
	while (io) {
		struct io *next = io->next;

		request_io_done(&server->requests, io);
		io = next;
	}
}

void answer_all_done(struct server *server)
{
	struct client *collector = NULL; /* got a result that it has not been woken for yet */
	struct request *done;

	take_done(server, completions_take(&server->completions));
	if (server->devices.member)
		take_done(server, member_take_done(server->devices.member));
	while ((done = request_next_done(&server->requests)) != NULL) {
		struct front_request *request = (struct front_request *)done;

		if (done->abandoned) {
			front_request_release(server, request);
			continue;
		}
		client_remove(request);
		if (dvk_peer_incarnation(request->client) == request->owner->incarnation) {
			/* What is done together wakes it once. */
			if (request->kind == ANSWER_COLLECTED && request->owner != collector) {
				resume(collector);
				collector = request->owner;
			}
			answer(server, request);
			continue;
		}
		/* Whoever asked for it has died, and somebody else may be there now. */
		client_forget(server, request->client);
		front_request_release(server, request);
	}
	resume(collector);
}
