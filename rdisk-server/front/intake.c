/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From messages and elements of batches to requests; see intake.h.
 *
 * type                          operation
 * DEV_READ, DEV_WRITE[_FUA]     REQUEST_READ, REQUEST_WRITE, of one segment
 * DEV_GATHER, DEV_SCATTER[_FUA] the same, of a vector that the client gets back with what is left of it
 * DEV_FLUSH                     REQUEST_FLUSH
 * DEV_DISCARD, DEV_WRITE_ZEROES REQUEST_DISCARD, REQUEST_WRITE_ZEROES
 */
#include "intake.h"

#include "client_memory.h"
#include "dvk.h"

bool intake_is_io(const message *asked)
{
	switch (asked->m_type) {
	case DEV_READ:
	case DEV_WRITE:
	case DEV_WRITE_FUA:
	case DEV_GATHER:
	case DEV_SCATTER:
	case DEV_SCATTER_FUA:
	case DEV_FLUSH:
	case DEV_DISCARD:
	case DEV_WRITE_ZEROES:
		return true;
	default:
		return false;
	}
}

int intake_check_memory(const struct server *server, const message *asked)
{
	if (asked->IO_ENDPT == asked->m_source)
		return 0;
	if (!dvk_endpoint_is_system(asked->m_source, server->nr_tasks, server->nr_sysprocs))
		return EDVSPERM;
	if (!dvk_endpoint_valid(asked->IO_ENDPT) || asked->IO_ENDPT == server->endpoint)
		return EDVSENDPOINT;
	return 0;
}

/* ---- data ---- */

/* The segments without the empty ones and without what lies beyond `length`, with the client's addresses. */
static int cut_segments(const struct front_request *request, uint64_t length, struct iovec *vector)
{
	int count = 0;

	for (int i = 0; i < request->nr_segments && length > 0; i++) {
		uint64_t bytes = request->segments[i].iov_size;

		if (bytes == 0)
			continue;
		if (bytes > length)
			bytes = length;
		length -= bytes;
		vector[count].iov_base = (void *)(uintptr_t)request->segments[i].iov_addr;
		vector[count].iov_len = bytes;
		count++;
	}
	return count;
}

/* The memory can only be copied. */
static void set_copied(struct server *server, struct front_request *request)
{
	request->request.copied = true;
	if (request->kind == ANSWER_COLLECTED) {
		request->waits_for_client = true;
		server->nr_client_waiters++;
	}
}

/* The data of a READ or WRITE of a device at `position`: request->segments, which are a copy. */
static int set_data(struct server *server, struct front_request *request, const struct device *device,
		    uint64_t position)
{
	struct request *below = &request->request;
	uint64_t length = 0;

	for (int i = 0; i < request->nr_segments; i++) {
		if (__builtin_add_overflow(length, request->segments[i].iov_size, &length))
			return EDVSINVAL;
	}
	if (length > INT32_MAX)
		return EDVSINVAL;
	if (length == 0 || position >= device->size)
		return 0;
	if (length > device->size - position)
		length = device->size - position;
	below->position = position;
	below->length = length;
	below->vector = request->vector;
	below->count = cut_segments(request, length, request->vector);
	if (!client_memory_pin(request))
		set_copied(server, request);
	else
		below->stays = request->pin.sealed;
	return INTAKE_BEGIN;
}

/* DISCARD or WRITE_ZEROES: all of the range has to be on the device. */
static int set_range(struct front_request *request, const struct device *device, uint64_t position, uint64_t length)
{
	uint64_t end;

	if (__builtin_add_overflow(position, length, &end) || end > device->size)
		return EDVSINVAL;
	request->request.position = position;
	request->request.length = length;
	return INTAKE_BEGIN;
}

static int set_flush(struct front_request *request, const struct device *device)
{
	request->request.position = 0;
	request->request.length = 0;
	return device->read_only ? 0 : INTAKE_BEGIN;
}

static uint64_t address_of(const message *asked)
{
	return (uint64_t)(uintptr_t)asked->ADDRESS;
}

/* ---- messages ---- */

static void set_message_operation(struct request *request, const message *asked)
{
	switch (asked->m_type) {
	case DEV_READ:
	case DEV_GATHER:
		request->operation = REQUEST_READ;
		break;
	case DEV_WRITE_FUA:
	case DEV_SCATTER_FUA:
		request->stable = true;
		request->operation = REQUEST_WRITE;
		break;
	case DEV_FLUSH:
		request->operation = REQUEST_FLUSH;
		break;
	case DEV_DISCARD:
		request->operation = REQUEST_DISCARD;
		break;
	case DEV_WRITE_ZEROES:
		request->operation = REQUEST_WRITE_ZEROES;
		break;
	default:
		request->operation = REQUEST_WRITE;
		break;
	}
}

static bool is_vector(const message *asked)
{
	return asked->m_type == DEV_GATHER || asked->m_type == DEV_SCATTER || asked->m_type == DEV_SCATTER_FUA;
}

static enum rdisk_operation recorded_operation(const struct request *request)
{
	static const enum rdisk_operation operations[] = {
		[REQUEST_READ] = RDISK_OP_READ,
		[REQUEST_WRITE] = RDISK_OP_WRITE,
		[REQUEST_FLUSH] = RDISK_OP_FLUSH,
		[REQUEST_DISCARD] = RDISK_OP_DISCARD,
		[REQUEST_WRITE_ZEROES] = RDISK_OP_WRITE_ZEROES,
	};

	return operations[request->operation];
}

/* What the recording will say of it. Of a vector only what was moved is known, when it is done (answer.c). */
static void describe_message(const struct server *server, struct front_request *request, const message *asked)
{
	bool range = asked->m_type == DEV_DISCARD || asked->m_type == DEV_WRITE_ZEROES;
	bool flush = asked->m_type == DEV_FLUSH;

	request->recorded = true;
	request->record = (struct recording_request){
		.started_ns = server->received_ns,
		.client = asked->m_source,
		.minor = asked->DEVICE,
		.operation = recorded_operation(&request->request),
		.stable = request->request.stable,
		.position = flush ? 0 : (uint64_t)asked->POSITION,
		.length = flush || is_vector(asked) ? 0
			  : range		    ? (uint64_t)asked->LENGTH
						    : (uint64_t)asked->COUNT,
	};
}

static int set_message_segments(struct front_request *request, const message *asked)
{
	int count = asked->COUNT;

	if (!is_vector(asked)) {
		if (count < 0 || asked->POSITION < 0)
			return EDVSINVAL;
		request->nr_segments = 1;
		request->segments[0].iov_addr = address_of(asked);
		request->segments[0].iov_size = (uint64_t)count;
		return 0;
	}
	if (count < 1 || asked->POSITION < 0)
		return EDVSINVAL;
	if (count > RDISK_VECTOR_MAX)
		return EDVS2BIG;
	request->nr_segments = count;
	return client_memory_read(&request->memory, address_of(asked), request->segments,
				  (size_t)count * sizeof(request->segments[0]));
}

int intake_message(struct server *server, struct front_request *request, const message *asked)
{
	struct device *device = device_find(&server->devices, asked->DEVICE);
	struct request *below = &request->request;
	int code;

	request->kind = ANSWER_MESSAGE;
	request->message = *asked;
	set_message_operation(below, asked);
	if (server->recording)
		describe_message(server, request, asked);
	if (!device)
		return EDVSNXIO;
	below->disk = &device->disk;
	below->client = device_client(device, asked->m_source);
	switch (below->operation) {
	case REQUEST_READ:
	case REQUEST_WRITE:
		code = intake_check_memory(server, asked);
		if (!code)
			code = device_access(device, asked->m_source, below->operation == REQUEST_WRITE);
		if (!code)
			code = client_memory_owner(server, asked, &request->memory);
		if (!code)
			code = set_message_segments(request, asked);
		return code ? code : set_data(server, request, device, (uint64_t)asked->POSITION);
	case REQUEST_DISCARD:
	case REQUEST_WRITE_ZEROES:
		code = device_access(device, asked->m_source, true);
		if (code)
			return code;
		if (asked->POSITION < 0 || asked->LENGTH < 0)
			return EDVSINVAL;
		return set_range(request, device, (uint64_t)asked->POSITION, (uint64_t)asked->LENGTH);
	case REQUEST_FLUSH:
	case REQUEST_SETTLE:
	case REQUEST_OPEN:
	case REQUEST_DESCRIBE:
		break;
	}
	code = device_access(device, asked->m_source, false);
	return code ? code : set_flush(request, device);
}

/* ---- elements of batches ---- */

/* Whether an operation of a batch is one for a request; which one. */
static bool set_element_operation(struct request *request, const struct rdisk_request *element)
{
	switch ((enum rdisk_operation)element->operation) {
	case RDISK_OP_READ:
		request->operation = REQUEST_READ;
		return true;
	case RDISK_OP_WRITE:
		request->operation = REQUEST_WRITE;
		return true;
	case RDISK_OP_FLUSH:
		request->operation = REQUEST_FLUSH;
		return true;
	case RDISK_OP_DISCARD:
		request->operation = REQUEST_DISCARD;
		return true;
	case RDISK_OP_WRITE_ZEROES:
		request->operation = REQUEST_WRITE_ZEROES;
		return true;
	case RDISK_OP_COLLECT:
		break;
	}
	return false;
}

static void describe_element(const struct server *server, struct front_request *request,
			     const struct rdisk_request *element)
{
	request->recorded = true;
	request->record = (struct recording_request){
		.started_ns = server->received_ns,
		.client = request->client,
		.minor = element->minor,
		.operation = (enum rdisk_operation)element->operation,
		.stable = element->flags & RDISK_REQUEST_FUA,
		.position = element->position,
		.length = element->length,
	};
}

static int set_element_data(struct server *server, struct front_request *request, const struct device *device,
			    const struct rdisk_request *element)
{
	uint64_t sum = 0;
	int code;

	if (element->nr_segments < 1)
		return EDVSINVAL;
	if (element->nr_segments > RDISK_VECTOR_MAX)
		return EDVS2BIG;
	request->nr_segments = (int)element->nr_segments;
	code = client_memory_read(&request->memory, element->vector, request->segments,
				  element->nr_segments * sizeof(request->segments[0]));
	if (code)
		return code;
	for (int i = 0; i < request->nr_segments; i++) {
		if (__builtin_add_overflow(sum, request->segments[i].iov_size, &sum))
			return EDVSINVAL;
	}
	return sum == element->length ? set_data(server, request, device, element->position) : EDVSINVAL;
}

/* The client may collect the result later: as rdisk_protocol.h says, and as far as there is room for it. */
static bool is_collected(const struct server *server, const struct front_request *request,
			 const struct rdisk_request *element)
{
	return element->flags & RDISK_REQUEST_MAY_SUSPEND && request->memory.endpoint == request->client &&
	       server->nr_client_waiters < CLIENT_WAITERS_MAX;
}

int intake_element(struct server *server, struct front_request *request, const struct rdisk_request *element)
{
	struct device *device = device_find(&server->devices, element->minor);
	struct request *below = &request->request;
	bool changes = element->operation != RDISK_OP_READ && element->operation != RDISK_OP_FLUSH;
	int code;

	request->memory = request->owner->memory;
	request->cookie = element->cookie;
	request->kind = is_collected(server, request, element) ? ANSWER_COLLECTED : ANSWER_ELEMENT;
	if (!set_element_operation(below, element))
		return EDVSBADREQUEST;
	if (server->recording)
		describe_element(server, request, element);
	if (!device)
		return EDVSNXIO;
	code = device_access(device, request->client, changes);
	if (code)
		return code;
	if (element->flags & ~(RDISK_REQUEST_FUA | RDISK_REQUEST_MAY_SUSPEND) || element->reserved ||
	    element->position > INT64_MAX)
		return EDVSINVAL;
	if (request->kind == ANSWER_COLLECTED && request->owner->nr_suspended >= RDISK_SUSPENDED_MAX)
		return EDVSAGAIN;
	below->disk = &device->disk;
	below->client = device_client(device, request->client);
	below->stable = element->flags & RDISK_REQUEST_FUA;
	switch (below->operation) {
	case REQUEST_READ:
	case REQUEST_WRITE:
		return set_element_data(server, request, device, element);
	case REQUEST_DISCARD:
	case REQUEST_WRITE_ZEROES:
		return set_range(request, device, element->position, element->length);
	case REQUEST_FLUSH:
	case REQUEST_SETTLE:
	case REQUEST_OPEN:
	case REQUEST_DESCRIBE:
		break;
	}
	return set_flush(request, device);
}
