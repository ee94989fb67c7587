/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An endpoint as a target: a client of the disk protocol over libdvk. A client has one message under way at a
 * time, so what is started is collected and goes out at the next wait: one operation as a request of its own, several
 * as a batch, which is answered as a whole. Requests, vectors and data lie in memory that the server is granted.
 *
 * The operations of a batch are independent of each other: the server may do them in any order. Whoever starts them
 * holds back what overlaps.
 */
#include "target.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dvk.h"
#include "rdisk_protocol.h"

/* What the server reads of a batch beside the data; in memory that it is granted. */
struct shared {
	struct rdisk_request requests[RDISK_BATCH_MAX];
	struct rdisk_iovec vectors[RDISK_BATCH_MAX];
};

#define SHARED_SIZE ((sizeof(struct shared) + 4095) / 4096 * 4096)

struct endpoint {
	struct target target;
	int server, self, minor;
	bool open;
	struct shared *shared;
	int shared_fd;
	struct io *started[RDISK_BATCH_MAX];
	int nr_started;
};

static_assert(DEPTH_MAX <= RDISK_BATCH_MAX, "what may be under way fits into a batch");

static uint64_t address_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* One message and its answer: the status, or a code with *lost set when there was no answer. */
static int request(struct endpoint *endpoint, message *msg, bool *lost)
{
	int code;

	msg->IO_ENDPT = endpoint->self;
	code = dvk_sendrec(endpoint->server, msg);
	*lost = code != 0;
	if (code)
		return code;
	if (msg->m_type == MOLTASK_REPLY && msg->REP_ENDPT == endpoint->self)
		return msg->REP_STATUS;
	*lost = true;
	return EDVSBADREQUEST;
}

/* Why a server that was there has not answered. */
static const char *no_answer_text(int code)
{
	switch (code) {
	case EDVSDEADSRCDST:
	case EDVSSRCDIED:
	case EDVSDSTDIED:
	case EDVSNOTBIND:
		return "the server ended";
	default:
		return dvk_strerror(code);
	}
}

static void start(struct target *target, struct io *io)
{
	struct endpoint *endpoint = (struct endpoint *)target;

	endpoint->started[endpoint->nr_started++] = io;
}

static uint32_t operation_of(enum trace_kind kind)
{
	static const uint32_t operations[TRACE_KINDS] = {
		[TRACE_READ] = RDISK_OP_READ,
		[TRACE_WRITE] = RDISK_OP_WRITE,
		[TRACE_FLUSH] = RDISK_OP_FLUSH,
		[TRACE_DISCARD] = RDISK_OP_DISCARD,
		[TRACE_WRITE_ZEROES] = RDISK_OP_WRITE_ZEROES,
	};

	return operations[kind];
}

static bool is_transfer(enum trace_kind kind)
{
	return kind == TRACE_READ || kind == TRACE_WRITE;
}

static void set_result(struct io *io, int64_t result)
{
	io->error = result < 0 ? (int)result : 0;
	io->moved = result > 0 ? (uint64_t)result : 0;
}

/* A request of its own. -1: no answer. */
static int run_single(struct endpoint *endpoint, struct io *io, int *code)
{
	bool stable = io->flags & TRACE_FUA, lost;
	message msg = { 0 };

	switch (io->kind) {
	case TRACE_READ:
		msg.m_type = DEV_READ;
		break;
	case TRACE_WRITE:
		msg.m_type = stable ? DEV_WRITE_FUA : DEV_WRITE;
		break;
	case TRACE_FLUSH:
		msg.m_type = DEV_FLUSH;
		break;
	case TRACE_DISCARD:
		msg.m_type = DEV_DISCARD;
		break;
	default:
		msg.m_type = DEV_WRITE_ZEROES;
		break;
	}
	msg.DEVICE = endpoint->minor;
	msg.POSITION = (long)io->position;
	if (is_transfer(io->kind)) {
		msg.COUNT = (int)io->length;
		msg.ADDRESS = io->buffer;
	} else if (io->kind != TRACE_FLUSH) {
		msg.LENGTH = (long)io->length;
	}
	io->sent_ns = now_ns();
	*code = request(endpoint, &msg, &lost);
	io->done_ns = now_ns();
	if (lost)
		return -1;
	set_result(io, *code);
	return 0;
}

static void fill_request(struct endpoint *endpoint, int index)
{
	const struct io *io = endpoint->started[index];
	struct rdisk_iovec *vector = &endpoint->shared->vectors[index];

	*vector = (struct rdisk_iovec){ address_of(io->buffer), io->length };
	endpoint->shared->requests[index] = (struct rdisk_request){
		.operation = operation_of(io->kind),
		.flags = io->flags & TRACE_FUA && io->kind != TRACE_READ && io->kind != TRACE_FLUSH &&
					 io->kind != TRACE_DISCARD
				 ? RDISK_REQUEST_FUA
				 : 0,
		.minor = endpoint->minor,
		.nr_segments = is_transfer(io->kind),
		.position = io->position,
		.length = io->length,
		.vector = is_transfer(io->kind) ? address_of(vector) : 0,
		.result = RDISK_RESULT_NONE,
	};
}

static int run_batch(struct endpoint *endpoint, int *code)
{
	int count = endpoint->nr_started;
	message msg = { .m_type = DEV_BATCH };
	uint64_t sent, done;
	bool lost;

	for (int i = 0; i < count; i++)
		fill_request(endpoint, i);
	msg.DEVICE = endpoint->minor;
	msg.COUNT = count;
	msg.ADDRESS = (char *)endpoint->shared->requests;
	sent = now_ns();
	*code = request(endpoint, &msg, &lost);
	done = now_ns();
	if (lost)
		return -1;
	for (int i = 0; i < count; i++) {
		/* The server's page: it is read once. */
		int64_t result = *(volatile int64_t *)&endpoint->shared->requests[i].result;

		endpoint->started[i]->sent_ns = sent;
		endpoint->started[i]->done_ns = done;
		if (*code < 0)
			result = *code;
		else if (result == RDISK_RESULT_NONE || result < INT32_MIN)
			result = EDVSBADREQUEST;
		set_result(endpoint->started[i], result);
	}
	return 0;
}

static int wait_done(struct target *target, struct io **done, uint64_t until_ns, struct diagnostic *diagnostic)
{
	struct endpoint *endpoint = (struct endpoint *)target;
	int count = endpoint->nr_started, code;

	(void)until_ns; /* the answer is waited for, however long it takes: nothing else can be sent before it */
	if (count == 0)
		return 0;
	if (count == 1 && !(endpoint->started[0]->kind == TRACE_WRITE_ZEROES && endpoint->started[0]->flags & TRACE_FUA)
		    ? run_single(endpoint, endpoint->started[0], &code)
		    : run_batch(endpoint, &code))
		return diagnostic_set(diagnostic, "%s: no answer to %d operation%s: %s", target->name, count,
				      count > 1 ? "s" : "", no_answer_text(code));
	for (int i = 0; i < count; i++)
		endpoint->started[i]->next = i + 1 < count ? endpoint->started[i + 1] : NULL;
	*done = endpoint->started[0];
	endpoint->nr_started = 0;
	return count;
}

static void close_endpoint(struct target *target)
{
	struct endpoint *endpoint = (struct endpoint *)target;
	message msg = { .m_type = DEV_CLOSE };
	bool lost;

	msg.DEVICE = endpoint->minor;
	/* Whoever cannot be told so any more learns it from the end of this process. */
	if (endpoint->open)
		(void)request(endpoint, &msg, &lost);
	(void)dvk_close();
	if (endpoint->shared)
		(void)munmap(endpoint->shared, SHARED_SIZE);
	if (endpoint->shared_fd >= 0)
		(void)close(endpoint->shared_fd);
	free(endpoint);
}

static const struct target_kind endpoint_kind = { start, wait_done, dvk_strerror, close_endpoint };

static int connect_node(struct endpoint *endpoint, int dcid, struct diagnostic *diagnostic)
{
	int code = dvk_open();

	if (code)
		return diagnostic_set(diagnostic, "cannot connect to the node: %s%s", dvk_strerror(code),
				      code == EDVSDVSINIT ? ": start rdisk, or set DVK_RUNTIME_DIR to the directory of "
							    "the node that it uses"
							  : "");
	endpoint->self = dvk_bind(dcid, ANY);
	if (endpoint->self < EDVSERRCODE)
		return diagnostic_set(diagnostic, "cannot bind an endpoint in container %d: %s", dcid,
				      dvk_strerror(endpoint->self));
	return 0;
}

static int ask_info(struct endpoint *endpoint, struct rdisk_info *info, struct diagnostic *diagnostic)
{
	message msg = { .m_type = DEV_IOCTL };
	bool lost;
	int code;

	msg.DEVICE = endpoint->minor;
	msg.COUNT = RDISK_IOC_INFO;
	msg.ADDRESS = (char *)endpoint->shared;
	code = request(endpoint, &msg, &lost);
	memcpy(info, endpoint->shared, sizeof(*info));
	if (code)
		return diagnostic_set(diagnostic, "%s: %s", endpoint->target.name,
				      lost ? no_answer_text(code) : dvk_strerror(code));
	return 0;
}

static int make_shared(struct endpoint *endpoint, struct diagnostic *diagnostic)
{
	void *mapping;

	endpoint->shared_fd = memfd_create("rdisk-replay requests", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (endpoint->shared_fd < 0 || ftruncate(endpoint->shared_fd, SHARED_SIZE) ||
	    fcntl(endpoint->shared_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return diagnostic_set(diagnostic, "cannot make memory for requests: %m");
	mapping = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, endpoint->shared_fd, 0);
	if (mapping == MAP_FAILED)
		return diagnostic_set(diagnostic, "cannot map memory for requests: %m");
	endpoint->shared = mapping;
	return 0;
}

static int open_device(struct endpoint *endpoint, const struct target_options *options, struct diagnostic *diagnostic)
{
	message msg = { .m_type = DEV_OPEN };
	struct rdisk_info info;
	bool lost;
	int code;

	if (ask_info(endpoint, &info, diagnostic))
		return -1;
	if (options->write && info.flags & RDISK_INFO_READ_ONLY)
		return diagnostic_set(diagnostic, "%s is read-only: replay with --writes discard",
				      endpoint->target.name);
	msg.DEVICE = endpoint->minor;
	msg.COUNT = RDISK_OPEN_READ | (options->write ? RDISK_OPEN_WRITE : 0);
	code = request(endpoint, &msg, &lost);
	if (code)
		return diagnostic_set(diagnostic, "%s cannot be opened: %s", endpoint->target.name,
				      lost ? no_answer_text(code) : dvk_strerror(code));
	endpoint->open = true;
	endpoint->target.size = info.size;
	return 0;
}

static int grant_memory(struct endpoint *endpoint, const struct target_options *options, struct diagnostic *diagnostic)
{
	int code = dvk_grant(endpoint->server, endpoint->shared_fd, 0, endpoint->shared, SHARED_SIZE);

	if (!code)
		code = dvk_grant(endpoint->server, options->memory_fd, 0, options->memory, options->memory_size);
	if (code == EDVSNOTBIND)
		return diagnostic_set(diagnostic, "%s: nobody serves there: start rdisk with that endpoint",
				      endpoint->target.name);
	if (code)
		return diagnostic_set(diagnostic, "%s: cannot share memory with the server: %s", endpoint->target.name,
				      dvk_strerror(code));
	return 0;
}

int target_open_endpoint(struct target **target, int dcid, int endpoint_number, int minor,
			 const struct target_options *options, struct diagnostic *diagnostic)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return diagnostic_set(diagnostic, "out of memory");
	endpoint->target.kind = &endpoint_kind;
	endpoint->target.block = RDISK_SECTOR_SIZE;
	endpoint->shared_fd = -1;
	endpoint->server = endpoint_number;
	endpoint->minor = minor;
	(void)snprintf(endpoint->target.name, sizeof(endpoint->target.name), "container %d endpoint %d minor %d", dcid,
		       endpoint_number, minor);
	if (make_shared(endpoint, diagnostic) || connect_node(endpoint, dcid, diagnostic) ||
	    grant_memory(endpoint, options, diagnostic) || open_device(endpoint, options, diagnostic)) {
		close_endpoint(&endpoint->target);
		return -1;
	}
	*target = &endpoint->target;
	return 0;
}
