/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries out batches; see batch.h. The descriptors and each vector are copied first and
 * checked then: the client may change its memory at any time.
 */
#include "batch.h"

#include <stddef.h>

#include "client_memory.h"
#include "dvk_errno.h"
#include "record.h"
#include "request.h"
#include "transfer.h"

static int64_t run_transfer(struct server *server, struct device *device, int memory_endpoint,
			    const struct rdisk_request *request)
{
	struct transfer transfer = {
		.device = device,
		.attempt = &server->attempt,
		.memory_endpoint = memory_endpoint,
		.write = request->operation == RDISK_OP_WRITE,
		.stable = request->flags & RDISK_REQUEST_FUA,
		.position = request->position,
		.segments = server->vector,
		.nr_segments = (int)request->nr_segments,
	};
	uint64_t sum = 0;
	int code;

	if (request->nr_segments < 1)
		return EDVSINVAL;
	if (request->nr_segments > RDISK_VECTOR_MAX)
		return EDVS2BIG;
	code = client_memory_read(memory_endpoint, request->vector, server->vector,
				  request->nr_segments * sizeof(server->vector[0]));
	if (code)
		return code;
	for (uint32_t i = 0; i < request->nr_segments; i++) {
		if (__builtin_add_overflow(sum, server->vector[i].iov_size, &sum))
			return EDVSINVAL;
	}
	if (sum != request->length)
		return EDVSINVAL;
	return transfer_run(&transfer);
}

/* Makes server->attempt at one request: its result, or SUSPEND. */
static int64_t run_request(struct server *server, int client, int memory_endpoint, const struct rdisk_request *request)
{
	struct device *device = device_find(&server->devices, request->minor);
	bool write = request->operation != RDISK_OP_READ && request->operation != RDISK_OP_FLUSH;
	bool stable = request->flags & RDISK_REQUEST_FUA;
	int code;

	if (request->operation < RDISK_OP_READ || request->operation > RDISK_OP_WRITE_ZEROES)
		return EDVSBADREQUEST;
	if (!device)
		return EDVSNXIO;
	code = device_access(device, client, write);
	if (code)
		return code;
	if (request->flags & ~(RDISK_REQUEST_FUA | RDISK_REQUEST_MAY_SUSPEND) || request->reserved ||
	    request->position > INT64_MAX)
		return EDVSINVAL;
	switch ((enum rdisk_operation)request->operation) {
	case RDISK_OP_READ:
	case RDISK_OP_WRITE:
		return run_transfer(server, device, memory_endpoint, request);
	case RDISK_OP_FLUSH:
		return request_flush(device, &server->attempt);
	case RDISK_OP_DISCARD:
		return request_range(device, &server->attempt, request->position, request->length, false, stable);
	case RDISK_OP_WRITE_ZEROES:
		return request_range(device, &server->attempt, request->position, request->length, true, stable);
	case RDISK_OP_COLLECT:
		break;
	}
	return EDVSBADREQUEST;
}

/* Makes of a request whose attempt ended with SUSPEND an ELEMENT or COLLECTED. 0; EDVSAGAIN; SUSPEND: it has to be done
 * in place. */
static int suspend_request(struct server *server, const message *batch, const struct rdisk_request *request,
			   uint64_t result_address)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, batch->m_source);
	bool collected = request->flags & RDISK_REQUEST_MAY_SUSPEND && batch->IO_ENDPT == batch->m_source;
	struct suspended *suspended;

	if (collected && rendezvous->nr_suspended >= RDISK_SUSPENDED_MAX)
		return EDVSAGAIN;
	suspended = suspended_new(&server->suspension, batch->m_source, batch->IO_ENDPT, &server->attempt);
	if (!suspended)
		return SUSPEND;
	suspended->received_ns = server->received_ns;
	suspended->request = *request;
	suspended->result_address = result_address;
	suspended->kind = collected ? SUSPENDED_COLLECTED : SUSPENDED_ELEMENT;
	if (!collected)
		rendezvous->elements++;
	return 0;
}

/* The first attempt at a request of a batch. Its result; SUSPEND: an ELEMENT or COLLECTED has been made of it. */
static int64_t begin_request(struct server *server, const message *batch, const struct rdisk_request *request,
			     uint64_t result_address)
{
	int64_t result;
	int code;

	server->attempt = (struct attempt){ 0 };
	result = run_request(server, batch->m_source, batch->IO_ENDPT, request);
	if (result == SUSPEND) {
		code = suspend_request(server, batch, request, result_address);
		if (!code)
			return SUSPEND;
		result = code;
	}
	if (result == SUSPEND) {
		server->attempt = (struct attempt){ .may_wait = true };
		result = run_request(server, batch->m_source, batch->IO_ENDPT, request);
	}
	record_request(server, batch->m_source, request, server->received_ns, result);
	return result;
}

/* The next attempt at one that is READY. Its result, or SUSPEND: it waits again. */
static int64_t retry_request(struct server *server, struct suspended *suspended)
{
	int64_t result;

	if (!suspended_memory_is_there(suspended))
		return EDVSNOTBIND;
	server->attempt = suspended_attempt(&server->suspension, suspended);
	result = run_request(server, suspended->client, suspended->memory_endpoint, &suspended->request);
	if (result == SUSPEND && suspended_again(&server->suspension, suspended, &server->attempt))
		return SUSPEND;
	if (result == SUSPEND) {
		server->attempt = (struct attempt){ .may_wait = true };
		result = run_request(server, suspended->client, suspended->memory_endpoint, &suspended->request);
	}
	return result;
}

/* ---- collecting ---- */

static int check_collect(const struct rdisk_request *request)
{
	if (request->flags & ~RDISK_REQUEST_WAIT || request->minor || request->position || request->length ||
	    request->reserved || request->nr_segments < 1)
		return EDVSINVAL;
	return request->nr_segments > RDISK_BATCH_MAX ? EDVS2BIG : 0;
}

/*
 * The next attempt at one that the client may collect and that is READY. It is DONE if it has a result now. Not when
 * the client has given up the batch meanwhile, so that its memory cannot be used: then it stays READY.
 */
static void advance_collected(struct server *server, struct suspended *suspended)
{
	int64_t result = retry_request(server, suspended);

	if (result == SUSPEND || result == EDVSPROCSTS)
		return;
	suspended->result = result;
	suspended->state = SUSPENDED_DONE;
	record_request(server, suspended->client, &suspended->request, suspended->received_ns, result);
}

/*
 * Makes the next attempt at all that a client may collect and stores what is done. How many, or a code of
 * client_memory.h. They are told, and may be told again: see answer().
 */
static int64_t collect(struct server *server, int client, const struct rdisk_request *request)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, client);
	uint32_t count = 0;

	for (struct suspended *suspended = rendezvous->suspended; suspended && count < request->nr_segments;
	     suspended = suspended->next) {
		struct rdisk_completion completion = { .cookie = suspended->request.cookie };
		int code;

		if (suspended->kind == SUSPENDED_COLLECTED && suspended->state == SUSPENDED_READY)
			advance_collected(server, suspended);
		if (suspended->state != SUSPENDED_DONE)
			continue;
		completion.result = suspended->result;
		code = client_memory_write(client, request->vector + count * sizeof(completion), &completion,
					   sizeof(completion));
		if (code)
			return count ? (int64_t)count : code;
		suspended->told = true;
		count++;
	}
	return count;
}

/* Answers a batch. What it has told is forgotten if the client has got the answer, else it is told again next time. */
static void answer(struct server *server, const message *batch, int status)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, batch->m_source);
	bool delivered = driver_answer(batch, status) == 0;
	struct suspended *next;

	for (struct suspended *suspended = rendezvous->suspended; suspended; suspended = next) {
		next = suspended->next;
		if (suspended->told && delivered)
			suspended_free(&server->suspension, suspended);
		else
			suspended->told = false;
	}
}

static bool nothing_to_wait_for(const struct rendezvous *rendezvous)
{
	for (const struct suspended *suspended = rendezvous->suspended; suspended; suspended = suspended->next)
		if (suspended->kind == SUSPENDED_COLLECTED)
			return false;
	return true;
}

/* ---- the batch as a whole ---- */

static int store_result(int memory_endpoint, uint64_t address, int64_t result)
{
	return client_memory_write(memory_endpoint, address + offsetof(struct rdisk_request, result), &result,
				   sizeof(result));
}

/* Does COLLECT, which is the last of a batch. Its result; SUSPEND: the batch waits until there is something. */
static int64_t begin_collect(struct server *server, const message *batch, const struct rdisk_request *request,
			     uint64_t address)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, batch->m_source);
	int64_t result = check_collect(request);

	/* as for MAY_SUSPEND: in one's own memory */
	if (!result && batch->IO_ENDPT != batch->m_source)
		result = EDVSPERM;
	if (!result)
		result = collect(server, batch->m_source, request);
	if (result || !(request->flags & RDISK_REQUEST_WAIT) || nothing_to_wait_for(rendezvous) ||
	    server->suspension.all_in_place)
		return result;
	rendezvous->collects = true;
	rendezvous->collect_address = address;
	rendezvous->collect = *request;
	return SUSPEND;
}

/* Carries out all requests of server->batch. How many, or why not all results could be stored. */
static int begin_requests(struct server *server, const message *batch, uint64_t address, int count)
{
	for (int i = 0; i < count; i++, address += sizeof(struct rdisk_request)) {
		const struct rdisk_request *request = &server->batch[i];
		int64_t result;
		int code;

		if (request->operation == RDISK_OP_COLLECT && i == count - 1)
			result = begin_collect(server, batch, request, address);
		else
			result = begin_request(server, batch, request, address);
		/* What is not done when the batch is answered has SUSPEND; all else gets its result in time. */
		code = store_result(batch->IO_ENDPT, address, result);
		if (code)
			return code;
	}
	return count;
}

/* Answers an open batch, unless it is still waiting for something. */
static void answer_if_done(struct server *server, struct rendezvous *rendezvous)
{
	if (rendezvous->elements > 0 || rendezvous->collects)
		return;
	rendezvous->open = false;
	answer(server, &rendezvous->message, rendezvous->status);
}

void batch_begin(struct server *server, const message *request)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, request->m_source);
	uint64_t address = (uint64_t)(uintptr_t)request->ADDRESS;
	int count = request->COUNT;
	int code;

	if (count < 1 || count > RDISK_BATCH_MAX) {
		driver_answer(request, count < 1 ? EDVSINVAL : EDVS2BIG);
		return;
	}
	code = client_memory_read(request->IO_ENDPT, address, server->batch, (size_t)count * sizeof(server->batch[0]));
	if (code) {
		driver_answer(request, code);
		return;
	}
	rendezvous->status = begin_requests(server, request, address, count);
	rendezvous->open = true;
	rendezvous->message = *request;
	answer_if_done(server, rendezvous);
}

/* An open batch's request has this result. */
static void set_result(struct rendezvous *rendezvous, uint64_t address, int64_t result)
{
	int code = store_result(rendezvous->message.IO_ENDPT, address, result);

	if (code)
		rendezvous->status = code;
}

static void resume_collect(struct server *server, int client)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, client);
	int64_t result = collect(server, client, &rendezvous->collect);

	if (!result)
		return;
	rendezvous->collects = false;
	set_result(rendezvous, rendezvous->collect_address, result);
	answer_if_done(server, rendezvous);
}

void batch_resume(struct server *server, struct suspended *suspended)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, suspended->client);
	int64_t result;

	if (suspended->kind == SUSPENDED_COLLECTED) {
		if (rendezvous->collects)
			resume_collect(server, suspended->client);
		return;
	}
	result = retry_request(server, suspended);
	if (result == SUSPEND)
		return;
	record_request(server, suspended->client, &suspended->request, suspended->received_ns, result);
	set_result(rendezvous, suspended->result_address, result);
	suspended_free(&server->suspension, suspended);
	rendezvous->elements--;
	answer_if_done(server, rendezvous);
}

void batch_end_collect(struct server *server, int client)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, client);

	if (!rendezvous->collects)
		return;
	rendezvous->collects = false;
	set_result(rendezvous, rendezvous->collect_address, 0);
	answer_if_done(server, rendezvous);
}
