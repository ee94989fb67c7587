/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests one by one, in the manner of MINIX's block driver library: the loop dispatches
 * on the type, each handler checks its fields in the same order (minor, whose memory,
 * access, numbers) and returns what goes into REP_STATUS. Fields and rules: rdisk_protocol.h.
 *
 * type                          handler
 * DEV_OPEN, DEV_CLOSE           handle_open, device_close
 * DEV_READ, DEV_WRITE[_FUA]     handle_transfer, with a vector of one element
 * DEV_GATHER, DEV_SCATTER[_FUA] handle_vector
 * DEV_IOCTL                     handle_ioctl
 * DEV_FLUSH                     handle_flush
 * DEV_DISCARD, DEV_WRITE_ZEROES handle_range
 * DEV_BATCH                     batch_begin (batch.h)
 * CANCEL                        0: who sends it has given up whatever he was waiting for
 * a notification                no answer
 * anything else                 EDVSBADREQUEST
 */
#include "driver_task.h"

#include "batch.h"
#include "client_memory.h"
#include "dvk.h"
#include "log.h"
#include "record.h"
#include "request.h"
#include "termination.h"
#include "transfer.h"

static uint64_t address_of(const message *request)
{
	return (uint64_t)(uintptr_t)request->ADDRESS;
}

/* Who may name whose memory. */
static int check_memory_endpoint(const struct server *server, const message *request)
{
	if (request->IO_ENDPT == request->m_source)
		return 0;
	if (!dvk_endpoint_is_system(request->m_source, server->nr_tasks, server->nr_sysprocs))
		return EDVSPERM;
	if (!dvk_endpoint_valid(request->IO_ENDPT) || request->IO_ENDPT == server->endpoint)
		return EDVSENDPOINT;
	return 0;
}

static int handle_open(struct server *server, struct device *device, const message *request)
{
	int code = device_open(&server->devices, device, request->m_source, request->COUNT);

	log_debug("device %s: open by endpoint %d, access %d: %d", device->name, request->m_source, request->COUNT,
		  code);
	return code;
}

static int run_transfer(struct server *server, struct device *device, const message *request,
			const struct rdisk_iovec *segments, int count, bool write, bool stable)
{
	const struct transfer transfer = {
		.device = device,
		.attempt = &server->attempt,
		.memory_endpoint = request->IO_ENDPT,
		.write = write,
		.stable = stable,
		.position = (uint64_t)request->POSITION,
		.segments = segments,
		.nr_segments = count,
	};

	return (int)transfer_run(&transfer); /* at most INT32_MAX bytes */
}

static int handle_transfer(struct server *server, struct device *device, const message *request, bool write,
			   bool stable)
{
	struct rdisk_iovec segment;
	int code = check_memory_endpoint(server, request);

	if (!code)
		code = device_access(device, request->m_source, write);
	if (code)
		return code;
	if (request->COUNT < 0 || request->POSITION < 0)
		return EDVSINVAL;
	segment.iov_addr = address_of(request);
	segment.iov_size = (uint64_t)request->COUNT;
	return run_transfer(server, device, request, &segment, 1, write, stable);
}

static int handle_vector(struct server *server, struct device *device, const message *request, bool write, bool stable)
{
	struct rdisk_iovec *vector = server->vector;
	int count = request->COUNT;
	int code = check_memory_endpoint(server, request);
	int moved;

	if (!code)
		code = device_access(device, request->m_source, write);
	if (code)
		return code;
	if (count < 1 || request->POSITION < 0)
		return EDVSINVAL;
	if (count > RDISK_VECTOR_MAX)
		return EDVS2BIG;
	code = client_memory_read(request->IO_ENDPT, address_of(request), vector, (size_t)count * sizeof(*vector));
	if (code)
		return code;
	moved = run_transfer(server, device, request, vector, count, write, stable);
	if (moved <= 0)
		return moved;
	transfer_advance(vector, count, (uint64_t)moved);
	code = client_memory_write(request->IO_ENDPT, address_of(request), vector, (size_t)count * sizeof(*vector));
	return code ? code : moved;
}

static int handle_ioctl(struct server *server, struct device *device, const message *request)
{
	struct rdisk_partition partition;
	struct rdisk_info info;
	int code = check_memory_endpoint(server, request);

	if (code)
		return code;
	switch (request->REQUEST) {
	case DIOCGETP:
		device_partition(device, &partition);
		return client_memory_write(request->IO_ENDPT, address_of(request), &partition, sizeof(partition));
	case RDISK_IOC_INFO:
		device_info(&server->devices, request->DEVICE, &info);
		return client_memory_write(request->IO_ENDPT, address_of(request), &info, sizeof(info));
	default:
		return EDVSNOTTY;
	}
}

static int handle_flush(struct server *server, struct device *device, const message *request)
{
	int code = device_access(device, request->m_source, false);

	return code ? code : request_flush(device, &server->attempt);
}

static int handle_range(struct server *server, struct device *device, const message *request, bool zeroes)
{
	int code = device_access(device, request->m_source, true);

	if (code)
		return code;
	if (request->POSITION < 0 || request->LENGTH < 0)
		return EDVSINVAL;
	return request_range(device, &server->attempt, (uint64_t)request->POSITION, (uint64_t)request->LENGTH, zeroes,
			     false);
}

int driver_handle(struct server *server, const message *request)
{
	struct device *device = device_find(&server->devices, request->DEVICE);

	switch (request->m_type) {
	case DEV_OPEN:
		return device ? handle_open(server, device, request) : EDVSNXIO;
	case DEV_CLOSE:
		return device ? device_close(device, request->m_source) : EDVSNXIO;
	case DEV_READ:
		return device ? handle_transfer(server, device, request, false, false) : EDVSNXIO;
	case DEV_WRITE:
	case DEV_WRITE_FUA:
		return device ? handle_transfer(server, device, request, true, request->m_type == DEV_WRITE_FUA)
			      : EDVSNXIO;
	case DEV_GATHER:
		return device ? handle_vector(server, device, request, false, false) : EDVSNXIO;
	case DEV_SCATTER:
	case DEV_SCATTER_FUA:
		return device ? handle_vector(server, device, request, true, request->m_type == DEV_SCATTER_FUA)
			      : EDVSNXIO;
	case DEV_IOCTL:
		return device ? handle_ioctl(server, device, request) : EDVSNXIO;
	case DEV_FLUSH:
		return device ? handle_flush(server, device, request) : EDVSNXIO;
	case DEV_DISCARD:
	case DEV_WRITE_ZEROES:
		return device ? handle_range(server, device, request, request->m_type == DEV_WRITE_ZEROES) : EDVSNXIO;
	case CANCEL:
		return device ? 0 : EDVSNXIO;
	default:
		return EDVSBADREQUEST;
	}
}

int driver_answer(const message *request, int status)
{
	message reply = { .m_type = MOLTASK_REPLY };
	int code;

	reply.REP_ENDPT = request->IO_ENDPT;
	reply.REP_STATUS = status;
	code = dvk_reply(request->m_source, &reply);
	/* Clients may die, or send what they did not wait for: neither is the server's trouble. */
	if (code)
		log_debug("cannot answer endpoint %d: %s", request->m_source, dvk_strerror(code));
	return code;
}

static void begin_batch(struct server *server, const message *request)
{
	int code = check_memory_endpoint(server, request);

	if (code)
		driver_answer(request, code);
	else
		batch_begin(server, request);
}

static void begin_message(struct server *server, const message *request)
{
	struct suspended *suspended;
	int status;

	server->attempt = (struct attempt){ 0 };
	status = driver_handle(server, request);
	if (status == SUSPEND) {
		suspended = suspended_new(&server->suspension, request->m_source, request->IO_ENDPT, &server->attempt);
		if (suspended) {
			suspended->kind = SUSPENDED_MESSAGE;
			suspended->message = *request;
			suspended->received_ns = server->received_ns;
			rendezvous_of(&server->suspension, request->m_source)->open = true;
			return;
		}
		server->attempt = (struct attempt){ .may_wait = true };
		status = driver_handle(server, request);
	}
	record_message(server, request, server->received_ns, status);
	driver_answer(request, status);
}

static void begin(struct server *server, const message *request)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, request->m_source);

	server->received_ns = record_start(server);
	if (rendezvous->suspended && dvk_peer_incarnation(request->m_source) != rendezvous->incarnation)
		rendezvous_forget(&server->suspension, request->m_source);
	else if (rendezvous->open)
		rendezvous_give_up(&server->suspension, request->m_source);
	if (request->m_type == DEV_BATCH)
		begin_batch(server, request);
	else
		begin_message(server, request);
}

/* Another attempt at a request that is a message of its own. */
static void resume_message(struct server *server, struct suspended *suspended)
{
	struct rendezvous *rendezvous = rendezvous_of(&server->suspension, suspended->client);
	int status;

	server->attempt = suspended_attempt(&server->suspension, suspended);
	status = suspended_memory_is_there(suspended) ? driver_handle(server, &suspended->message) : EDVSNOTBIND;
	if (status == SUSPEND) {
		if (suspended_again(&server->suspension, suspended, &server->attempt))
			return;
		server->attempt = (struct attempt){ .may_wait = true };
		status = driver_handle(server, &suspended->message);
	}
	rendezvous->open = false;
	record_message(server, &suspended->message, suspended->received_ns, status);
	driver_answer(&suspended->message, status);
	suspended_free(&server->suspension, suspended);
}

/* Goes on with what the workers have made possible. */
static void resume(struct server *server)
{
	struct suspended *suspended;

	while ((suspended = suspended_next_ready(&server->suspension))) {
		int client = suspended->client;

		if (dvk_peer_incarnation(client) != rendezvous_of(&server->suspension, client)->incarnation)
			rendezvous_forget(&server->suspension, client);
		else if (suspended->kind == SUSPENDED_MESSAGE)
			resume_message(server, suspended);
		else
			batch_resume(server, suspended);
	}
}

/* Answers what was received and is not answered yet. */
static void finish(struct server *server)
{
	server->suspension.all_in_place = true;
	workers_stop(&server->suspension.workers);
	resume(server);
	for (int slot = 0; slot < NR_SLOTS; slot++)
		batch_end_collect(server, slot - NR_TASKS);
}

int driver_task(struct server *server)
{
	while (!termination_requested()) {
		message request;
		int code;

		if (workers_have_finished(&server->suspension.workers))
			resume(server);
		code = dvk_receive(ANY, &request);
		if (code == EDVSINTR)
			continue;
		if (code) {
			rendezvous_forget_all(&server->suspension);
			return code;
		}
		if (dvk_notified())
			continue;
		begin(server, &request);
	}
	finish(server);
	return 0;
}
