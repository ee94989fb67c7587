/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between struct io of the server's requests and struct replica_request of the core: data in one piece and in memory of
 * its own, long ios piece after piece; and who the disks are.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <xxhash.h>

#include "member_internal.h"

#define REQUESTS_MAX (MEMBER_IOS_MAX + MEMBER_WITHDRAWN_MAX)

int member_requests_create(struct member *member)
{
	member->requests = calloc(REQUESTS_MAX, sizeof(*member->requests));
	return member->requests ? 0 : -ENOMEM;
}

static void free_data(struct member_request *request)
{
	replica_data_release(request->data);
	request->data = NULL;
}

void member_requests_destroy(struct member *member)
{
	for (int i = 0; i < member->nr_fresh; i++)
		free_data(&member->requests[i]);
	free(member->requests);
	member->requests = NULL;
	member->nr_fresh = 0;
}

static struct member_request *take(struct member *member)
{
	struct member_request *request = member->free_requests;

	if (request) {
		member->free_requests = request->next_free;
		return request;
	}
	assert(member->nr_fresh < REQUESTS_MAX); /* see MEMBER_IOS_MAX; the core has no more of those withdrawn */
	return &member->requests[member->nr_fresh++];
}

static void release(struct member *member, struct member_request *request)
{
	member->nr_withdrawn -= request->withdrawn;
	free_data(request);
	request->io = NULL;
	request->withdrawn = false;
	request->next_free = member->free_requests;
	member->free_requests = request;
}

static void end(struct member *member, struct member_request *request, int result)
{
	struct io *io = request->io;

	release(member, request);
	io->result = result;
	io->next = NULL;
	*member->done_tail = io;
	member->done_tail = &io->next;
}

/*
 * Copies between the piece and the memory of the io. That may be a client's, which its owner can take away at any time,
 * unless it is said to stay: so it is touched by a system call only.
 */
static int copy_vector(const struct member *member, const struct iovec *own, const struct iovec *vector,
		       unsigned long count, bool in)
{
	ssize_t copied = in ? process_vm_readv(member->pid, own, 1, vector, count, 0)
			    : process_vm_writev(member->pid, own, 1, vector, count, 0);

	if (copied < 0)
		return errno == ENOMEM ? -ENOMEM : -EFAULT;
	return (size_t)copied == own->iov_len ? 0 : -EFAULT;
}

static void copy_plainly(char *own, const struct iovec *vector, unsigned long count, bool in)
{
	for (unsigned long i = 0; i < count; own += vector[i++].iov_len)
		memcpy(in ? own : vector[i].iov_base, in ? vector[i].iov_base : own, vector[i].iov_len);
}

static int copy_piece(const struct member *member, const struct member_request *request, bool in)
{
	const struct io *io = request->io;
	struct iovec own = { request->data->bytes, request->request.length }, remote[IO_VECTOR_MAX];
	uint64_t skip = request->moved, left = request->request.length;
	unsigned long count = 0;

	for (int i = 0; i < io->count && left > 0; i++) {
		uint64_t length = io->vector[i].iov_len;

		if (skip >= length) {
			skip -= length;
			continue;
		}
		length -= skip;
		if (length > left)
			length = left;
		remote[count++] = (struct iovec){ (char *)io->vector[i].iov_base + skip, length };
		left -= length;
		skip = 0;
	}
	if (!io->stays)
		return copy_vector(member, &own, remote, count, in);
	copy_plainly(own.iov_base, remote, count, in);
	return 0;
}

static enum entry_kind kind_of(enum io_operation operation)
{
	switch (operation) {
	case IO_READ:
		return ENTRY_READ;
	case IO_WRITE:
		return ENTRY_WRITE;
	case IO_DISCARD:
	case IO_WRITE_ZEROES:
		return ENTRY_ZEROES;
	case IO_OPEN:
		return ENTRY_OPEN;
	default:
		return ENTRY_FLUSH;
	}
}

/* Submits the next piece. Its answer may come within. */
static void submit_piece(struct member *member, struct member_request *request)
{
	struct io *io = request->io;
	bool data = io->operation == IO_READ || io->operation == IO_WRITE;
	uint64_t length = io->length - request->moved;
	int code = 0;

	if (data && length > MESSAGE_DATA_MAX)
		length = MESSAGE_DATA_MAX;
	request->request = (struct replica_request){
		.kind = kind_of(io->operation),
		.client = io->client,
		.device = (uint32_t)request->device,
		.position = io->position + request->moved,
		.length = length,
		.stable = io->stable && io->operation != IO_READ && io->operation != IO_FLUSH,
		.shared = io->operation == IO_OPEN && io->shared,
		.read_only = io->operation == IO_OPEN && io->read_only,
	};
	/* The core may have that of the piece before still. */
	if (io->operation == IO_WRITE)
		free_data(request);
	if (data && !request->data) {
		member_note_piece(member, length);
		request->data = replica_data_create(length);
		code = request->data ? 0 : -ENOMEM;
	}
	if (!code && io->operation == IO_WRITE)
		code = copy_piece(member, request, true);
	if (code) {
		end(member, request, code);
		return;
	}
	request->request.data = request->data ? request->data->bytes : NULL;
	request->request.memory = request->data;
	replica_submit(member->replica, member_now(), &request->request);
}

void member_answered(struct member *member, struct replica_request *answered)
{
	struct member_request *request = (struct member_request *)answered;
	struct io *io = request->io;
	int result = answered->result;

	if (request->withdrawn) {
		release(member, request);
		return;
	}
	if (!result && io->operation == IO_READ)
		result = copy_piece(member, request, false);
	request->moved += answered->length;
	if (result || request->moved >= io->length) {
		end(member, request, result);
		return;
	}
	/* Within an event of the core nothing is submitted: the next turn does. */
	request->again = true;
	member->again = true;
}

void member_submit_again(struct member *member)
{
	if (!member->again)
		return;
	member->again = false;
	for (int i = 0; i < member->nr_fresh; i++) {
		struct member_request *request = &member->requests[i];

		if (!request->io || !request->again)
			continue;
		request->again = false;
		submit_piece(member, request);
	}
}

enum io_answer member_submit(struct member *member, int device, struct io *io)
{
	struct member_request *request;

	if (io->operation == IO_READ && replica_read_at_once(member->replica, member_now(), device, io))
		return IO_DONE;
	request = take(member);
	request->io = io;
	request->device = device;
	request->moved = 0;
	request->again = false;
	request->describe = io->operation == IO_DESCRIBE;
	if (!request->describe)
		submit_piece(member, request);
	else if (member->known)
		end(member, request, 0);
	return IO_PENDING;
}

bool member_withdraw(struct member *member, struct io *io)
{
	struct member_request *request = member->requests;

	while (request < member->requests + member->nr_fresh && request->io != io)
		request++;
	if (request == member->requests + member->nr_fresh)
		return false;
	request->io = NULL;
	/* Between two pieces the core has none. */
	if (request->describe || request->again || replica_withdraw(member->replica, &request->request)) {
		release(member, request);
	} else {
		request->withdrawn = true;
		member->nr_withdrawn++;
	}
	return true;
}

bool member_any_done(const struct member *member)
{
	return member->done != NULL;
}

struct io *member_take_done(struct member *member)
{
	struct io *done = member->done;

	member->done = NULL;
	member->done_tail = &member->done;
	return done;
}

void member_became_known(struct member *member)
{
	member->known = true;
	for (int i = 0; i < member->nr_fresh; i++) {
		if (member->requests[i].io && member->requests[i].describe)
			end(member, &member->requests[i], 0);
	}
}

void member_forget_client(struct member *member, uint32_t client)
{
	replica_forget_client(member->replica, member_now(), client);
	for (int i = 0; i < member->nr_fresh; i++) {
		struct member_request *request = &member->requests[i];

		if (request->withdrawn && request->request.client == client)
			release(member, request);
		else if (request->io && !request->describe && request->io->client == client)
			end(member, request, -ECANCELED);
	}
}

void member_cancel_all(struct member *member)
{
	for (int i = 0; i < member->nr_fresh; i++) {
		struct member_request *request = &member->requests[i];

		if (request->withdrawn)
			member_forget_client(member, request->request.client);
		else if (request->io && request->describe)
			end(member, request, -ECANCELED);
		else if (request->io)
			member_forget_client(member, request->io->client);
	}
}

bool member_disk(const struct member *member, int device, struct member_disk *disk)
{
	const char *name = member->settings.devices[device].name;
	struct replica_status status;
	XXH128_hash_t hash;

	if (!member->known)
		return false;
	replica_status(member->replica, &status);
	hash = XXH3_128bits_withSeed(name, strlen(name), XXH3_64bits(&status.configuration.set, sizeof(struct set_id)));
	*disk = (struct member_disk){ .size = status.configuration.sizes[device], .identity = hash.low64 };
	/* In the form of a UUID, version 8: one's own. */
	(void)snprintf(disk->id, sizeof(disk->id), "%08x-%04x-8%03x-%04x-%012" PRIx64,
		       (unsigned int)(hash.high64 >> 32), (unsigned int)(hash.high64 >> 16 & 0xffff),
		       (unsigned int)(hash.high64 & 0xfff), (unsigned int)(hash.low64 >> 48 & 0x3fff) | 0x8000,
		       hash.low64 & 0xffffffffffff);
	return true;
}
