/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries requests out: from phase to phase, as the table in request.h says. The pool, and what is no progress, is in
 * request_pool.c.
 */
#include <assert.h>
#include <errno.h>

#include "request_order.h"

/* After so many fetches in vain (it was dropped from the page cache before it could be used) a piece is waited for. */
#define FETCHES_MAX 3

static void finish(struct request *request, int result)
{
	request->result = result;
	request->phase = REQUEST_DONE;
}

/* Hands a buffer that is not needed any more to who waits for one. */
void request_buffer_return(struct requests *requests, struct request *request)
{
	struct request_disk *disk = request->disk;
	struct request *waiter;

	if (!request->buffer)
		return;
	waiter = request_list_shift(&disk->buffer_waiters);
	if (waiter) {
		waiter->buffer = request->buffer;
		waiter->phase = REQUEST_READY;
		request_list_append(&requests->ready, waiter);
	} else {
		disk->write_buffers[disk->nr_write_buffers++] = request->buffer;
	}
	request->buffer = NULL;
}

/* ---- the end of what was submitted ---- */

static bool needs_flush(const struct request *request)
{
	return request->stable && !request->disk->stable_writes && request->operation != REQUEST_READ;
}

static void end_piece(struct requests *requests, struct request *request, int result)
{
	request_order_remove(request, &requests->ready);
	if (!result && request->copied && request->operation == REQUEST_READ)
		result = requests->memory->copy_out(request, request->moved, request->buffer_vector.iov_base,
						    request->io.length);
	request_buffer_return(requests, request);
	if (result == REQUEST_CLIENT_AWAY) {
		request->phase = REQUEST_IN_CLIENT;
		return;
	}
	if (result) {
		finish(request, result);
		return;
	}
	request->moved += request->io.length;
	request->fetches = 0;
	/* Its answer is not to wait for what those who have waited for it do now. */
	if (request->moved == request->length && !needs_flush(request))
		finish(request, 0);
	else
		request->phase = REQUEST_READY;
}

static void end_fetch(struct requests *requests, struct request *request, int result)
{
	if (result) {
		request_order_remove(request, &requests->ready);
		finish(request, result);
		return;
	}
	request->fetches++;
	request->phase = REQUEST_READY;
}

/* ---- pieces ---- */

static void submit_fetch(struct requests *requests, struct request *request)
{
	struct io *io = &request->io;

	io->operation = IO_FETCH;
	io->mode = IO_MAY_PEND;
	if (request->disk->submit(request->disk, io) == IO_PENDING)
		request->phase = REQUEST_IN_FETCH;
	else
		end_fetch(requests, request, io->result);
}

/* What has no range. */
static void submit_whole(struct request *request, enum io_operation operation)
{
	struct io *io = &request->io;

	*io = (struct io){ .operation = operation,
			   .client = request->client,
			   .shared = request->shared,
			   .read_only = request->read_only };
	if (request->disk->submit(request->disk, io) == IO_PENDING)
		request->phase = REQUEST_IN_FLUSH;
	else
		finish(request, io->result);
}

static void submit_piece(struct requests *requests, struct request *request)
{
	switch (request->disk->submit(request->disk, &request->io)) {
	case IO_DONE:
		end_piece(requests, request, request->io.result);
		break;
	case IO_PENDING:
		/* the buffer for reads is for the moment only */
		assert(!request->copied || request->operation != REQUEST_READ || request->disk->reads_pend);
		if (!request->in_order)
			request_order_add(request);
		request->phase = REQUEST_IN_STORE;
		break;
	case IO_MISSED:
		/* It is still to be read as it is now: what comes after it may change it. */
		if (!request->in_order)
			request_order_add(request);
		submit_fetch(requests, request);
		break;
	}
}

static enum io_mode mode_of(const struct request *request)
{
	if (!request->copied || request->operation != REQUEST_READ || request->disk->reads_pend)
		return IO_MAY_PEND;
	if (request->fetches == 0)
		return IO_CACHED;
	return request->fetches < FETCHES_MAX ? IO_FETCHED : IO_AT_ONCE;
}

static uint64_t piece_length(const struct request *request)
{
	uint64_t rest = request->length - request->moved;
	uint64_t most = rest;

	if (request->operation == REQUEST_DISCARD || request->operation == REQUEST_WRITE_ZEROES)
		most = REQUEST_RANGE_PIECE - (request->position + request->moved) % REQUEST_RANGE_PIECE;
	else if (request->copied)
		most = request->disk->buffer_size;
	return rest < most ? rest : most;
}

/* What the next piece is. */
static void set_piece(struct request *request)
{
	static const enum io_operation operations[] = {
		[REQUEST_READ] = IO_READ,
		[REQUEST_WRITE] = IO_WRITE,
		[REQUEST_DISCARD] = IO_DISCARD,
		[REQUEST_WRITE_ZEROES] = IO_WRITE_ZEROES,
	};
	struct io *io = &request->io;

	io->operation = operations[request->operation];
	io->mode = mode_of(request);
	io->client = request->client;
	io->stable = request->stable;
	io->position = request->position + request->moved;
	io->length = piece_length(request);
	io->vector = request->copied ? &request->buffer_vector : request->vector;
	io->count = request->copied ? 1 : request->count;
	io->stays = request->copied || request->stays;
	atomic_init(&io->cancelled, false);
}

/* Whether a piece with copied memory can go to the store now; else it waits in another phase, or has failed. */
static bool copied_is_ready(struct requests *requests, struct request *request)
{
	struct request_disk *disk = request->disk;
	int code;

	if (!requests->memory->reachable(request)) {
		/* It may never come: others are not to wait for what this one was handed. */
		request_order_remove(request, &requests->ready);
		request_buffer_return(requests, request);
		request->phase = REQUEST_IN_CLIENT;
		return false;
	}
	request->buffer_vector = (struct iovec){ disk->read_buffer, request->io.length };
	if (request->operation == REQUEST_READ && !disk->reads_pend)
		return true;
	if (!request->buffer && disk->nr_write_buffers == 0) {
		/* It keeps its place. Whoever has a buffer has a place, too, and waits for nobody but the store. */
		if (!request->in_order)
			request_order_add(request);
		request->phase = REQUEST_IN_BUFFER;
		request_list_append(&disk->buffer_waiters, request);
		return false;
	}
	if (!request->buffer)
		request->buffer = disk->write_buffers[--disk->nr_write_buffers];
	request->buffer_vector.iov_base = request->buffer;
	if (request->operation == REQUEST_READ)
		return true;
	code = requests->memory->copy_in(request, request->moved, request->buffer, request->io.length);
	if (!code)
		return true;
	request_order_remove(request, &requests->ready);
	request_buffer_return(requests, request);
	if (code == REQUEST_CLIENT_AWAY)
		request->phase = REQUEST_IN_CLIENT;
	else
		finish(request, code);
	return false;
}

static void begin_piece(struct requests *requests, struct request *request)
{
	set_piece(request);
	if (!request->in_order && request->disk->order_first) {
		request_order_look(request);
		if (request->blockers > 0) {
			request_order_add(request);
			request->phase = REQUEST_IN_ORDER;
			return;
		}
	}
	if (!request->copied || request->operation == REQUEST_DISCARD || request->operation == REQUEST_WRITE_ZEROES ||
	    copied_is_ready(requests, request))
		submit_piece(requests, request);
}

static void settle(struct request *request)
{
	if (request->disk->nr_abandoned == 0) {
		finish(request, 0);
		return;
	}
	request->blockers = request->disk->nr_abandoned;
	request->abandoned_before = request->disk->all_abandoned;
	request->phase = REQUEST_IN_SETTLE;
	request_list_append(&request->disk->settlers, request);
}

/* One step on. */
static void step(struct requests *requests, struct request *request)
{
	switch (request->operation) {
	case REQUEST_SETTLE:
		settle(request);
		break;
	case REQUEST_FLUSH:
		submit_whole(request, IO_FLUSH);
		break;
	case REQUEST_OPEN:
		submit_whole(request, IO_OPEN);
		break;
	case REQUEST_DESCRIBE:
		submit_whole(request, IO_DESCRIBE);
		break;
	case REQUEST_READ:
	case REQUEST_WRITE:
	case REQUEST_DISCARD:
	case REQUEST_WRITE_ZEROES:
		if (request->moved < request->length)
			begin_piece(requests, request);
		else if (needs_flush(request))
			submit_whole(request, IO_FLUSH);
		else
			finish(request, 0);
		break;
	}
}

/* As far as it can go. True: DONE. */
static bool run(struct requests *requests, struct request *request)
{
	do
		step(requests, request);
	while (request->phase == REQUEST_READY);
	return request->phase == REQUEST_DONE;
}

bool request_begin(struct requests *requests, struct request *request)
{
	assert(request->phase == REQUEST_BEGUN);
	return run(requests, request);
}

/* One that was abandoned is over: those who came after that wait for one less. */
static void tell_settlers(struct requests *requests, const struct request *over)
{
	struct request *next;

	for (struct request *settler = over->disk->settlers.first; settler; settler = next) {
		next = settler->next;
		if (settler->abandoned_before <= over->abandoned_before || --settler->blockers > 0)
			continue;
		request_list_remove(&over->disk->settlers, settler);
		finish(settler, 0);
		request_list_append(&requests->done, settler);
	}
}

/* One that nobody waits for is over: what it left half done stays so. */
static void end_abandoned(struct requests *requests, struct request *request)
{
	request_order_remove(request, &requests->ready);
	request_buffer_return(requests, request);
	finish(request, -ECANCELED);
	request->disk->nr_abandoned--;
	tell_settlers(requests, request);
}

void request_io_done(struct requests *requests, struct io *io)
{
	struct request *request = (struct request *)((char *)io - offsetof(struct request, io));

	if (request->abandoned) {
		end_abandoned(requests, request);
	} else if (request->phase == REQUEST_IN_STORE) {
		end_piece(requests, request, io->result);
	} else if (request->phase == REQUEST_IN_FETCH) {
		end_fetch(requests, request, io->result);
	} else {
		assert(request->phase == REQUEST_IN_FLUSH);
		finish(request, io->result);
	}
	if (request->phase == REQUEST_DONE)
		request_list_append(&requests->done, request);
	else if (request->phase == REQUEST_READY)
		request_list_append(&requests->ready, request);
}

void request_client_came(struct requests *requests, struct request *request)
{
	if (request->phase != REQUEST_IN_CLIENT)
		return;
	request->phase = REQUEST_READY;
	request_list_append(&requests->ready, request);
}

struct request *request_next_done(struct requests *requests)
{
	for (;;) {
		struct request *request = request_list_shift(&requests->done);

		if (request)
			return request;
		request = request_list_shift(&requests->ready);
		if (!request)
			return NULL;
		if (run(requests, request))
			request_list_append(&requests->done, request);
	}
}
