/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of requests and the disks that they are for, and requests that nobody waits for any more; see request.h.
 */
#include <assert.h>
#include <errno.h>

#include "request_order.h"

void requests_init(struct requests *requests, void *pool, size_t size, unsigned int count,
		   const struct request_memory *memory)
{
	*requests = (struct requests){
		.memory = memory,
		.fresh = pool,
		.size = size,
		.nr_fresh = count,
		.nr_free = count,
	};
}

void request_disk_init(struct request_disk *disk, enum io_answer (*submit)(struct request_disk *, struct io *),
		       uint64_t overlap_block, void *buffers, uint32_t buffer_size)
{
	disk->submit = submit;
	disk->overlap_block = overlap_block;
	disk->buffer_size = buffer_size;
	disk->read_buffer = buffers;
	for (int i = 0; buffers && i < REQUEST_BUFFERS; i++)
		disk->write_buffers[disk->nr_write_buffers++] = (char *)buffers + (size_t)(i + 1) * buffer_size;
}

struct request *request_take(struct requests *requests)
{
	struct request *request = request_list_shift(&requests->free);

	if (!request && requests->nr_fresh == 0)
		return NULL;
	if (!request) {
		request = (struct request *)requests->fresh;
		requests->fresh += requests->size;
		requests->nr_fresh--;
	}
	requests->nr_free--;
	request->phase = REQUEST_BEGUN;
	request->result = 0;
	request->abandoned = false;
	request->stable = false;
	request->copied = false;
	request->moved = 0;
	request->fetches = 0;
	return request;
}

void request_free(struct requests *requests, struct request *request)
{
	assert(request->phase == REQUEST_BEGUN || request->phase == REQUEST_DONE);
	assert(!request->in_order && !request->buffer);
	request->phase = REQUEST_FREE;
	/* The one that was used last comes first: it is in the processor's cache. */
	request->next = requests->free.first;
	if (!requests->free.first)
		requests->free.last = request;
	requests->free.first = request;
	requests->nr_free++;
}

/* Nothing is under way for it: it ends at once. */
static void end_idle(struct requests *requests, struct request *request)
{
	request_order_remove(request, &requests->ready);
	request_buffer_return(requests, request);
	request->result = -ECANCELED;
	request->phase = REQUEST_DONE;
	request_list_append(&requests->done, request);
}

void request_abandon(struct requests *requests, struct request *request)
{
	assert(!request->abandoned);
	request->abandoned = true;
	switch (request->phase) {
	case REQUEST_IN_STORE:
	case REQUEST_IN_FETCH:
	case REQUEST_IN_FLUSH:
		if (request->disk->withdraw && request->disk->withdraw(request->disk, &request->io)) {
			end_idle(requests, request);
			break;
		}
		request->disk->nr_abandoned++;
		request->abandoned_before = request->disk->all_abandoned++;
		/* relaxed: it carries nothing but itself */
		atomic_store_explicit(&request->io.cancelled, true, memory_order_relaxed);
		break;
	case REQUEST_IN_BUFFER:
		request_list_remove(&request->disk->buffer_waiters, request);
		end_idle(requests, request);
		break;
	case REQUEST_IN_SETTLE:
		request_list_remove(&request->disk->settlers, request);
		end_idle(requests, request);
		break;
	case REQUEST_READY:
		request_list_remove(&requests->ready, request);
		end_idle(requests, request);
		break;
	case REQUEST_IN_ORDER:
	case REQUEST_IN_CLIENT:
		end_idle(requests, request);
		break;
	case REQUEST_DONE:
		break; /* it is in the list of those already */
	case REQUEST_FREE:
	case REQUEST_BEGUN:
		assert(false); /* nobody can wait for it yet */
	}
}
