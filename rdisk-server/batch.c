/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries out batches; see batch.h. The descriptors and each vector are copied first and
 * checked then: the client may change its memory at any time.
 */
#include "batch.h"

#include <stddef.h>

#include "client_memory.h"
#include "dvk_errno.h"
#include "request.h"
#include "transfer.h"

static int64_t run_transfer(struct server *server, struct device *device, int memory_endpoint,
			    const struct rdisk_request *request)
{
	struct transfer transfer = {
		.device = device,
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
	if (request->flags & ~RDISK_REQUEST_FUA || request->reserved || request->position > INT64_MAX)
		return EDVSINVAL;
	switch ((enum rdisk_operation)request->operation) {
	case RDISK_OP_READ:
	case RDISK_OP_WRITE:
		return run_transfer(server, device, memory_endpoint, request);
	case RDISK_OP_FLUSH:
		return request_flush(device);
	case RDISK_OP_DISCARD:
		return request_range(device, request->position, request->length, false, stable);
	case RDISK_OP_WRITE_ZEROES:
		return request_range(device, request->position, request->length, true, stable);
	}
	return EDVSBADREQUEST;
}

int batch_run(struct server *server, int client, int memory_endpoint, uint64_t address, int count)
{
	struct rdisk_request *batch = server->batch;
	int code;

	if (count < 1)
		return EDVSINVAL;
	if (count > RDISK_BATCH_MAX)
		return EDVS2BIG;
	code = client_memory_read(memory_endpoint, address, batch, (size_t)count * sizeof(*batch));
	if (code)
		return code;
	for (int i = 0; i < count; i++) {
		int64_t result = run_request(server, client, memory_endpoint, &batch[i]);
		uint64_t place = address + (uint64_t)i * sizeof(*batch) + offsetof(struct rdisk_request, result);

		code = client_memory_write(memory_endpoint, place, &result, sizeof(result));
		if (code)
			return code;
	}
	return count;
}
