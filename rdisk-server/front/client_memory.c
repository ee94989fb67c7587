/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies to and from a client's memory; see client_memory.h. A sealed grant is read and written
 * by memcpy(), which saves a system call for each small thing; all else goes through dvk_vcopy().
 */
#include "client_memory.h"

#include <string.h>

#include "dvk.h"
#include "server.h"

/* Where a sealed grant has these bytes, or NULL. */
static void *sealed_memory(int endpoint, uint64_t address, size_t bytes)
{
	void *local;
	bool sealed;

	if (dvk_granted(endpoint, address, bytes, &local, &sealed) || !sealed)
		return NULL;
	return local;
}

/* An address in the client as dvk_vcopy() wants it; a number here, never dereferenced. */
static void *client_pointer(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* Whether it is still the same process. */
static bool is_there(const struct memory_owner *owner)
{
	return owner->incarnation >= 0 && dvk_peer_incarnation(owner->endpoint) == owner->incarnation;
}

int client_memory_owner(struct server *server, const message *asked, struct memory_owner *owner)
{
	char nothing;
	long code;

	owner->endpoint = asked->IO_ENDPT;
	if (asked->IO_ENDPT == asked->m_source) {
		owner->incarnation = client_of(server, asked->m_source)->incarnation;
		return 0;
	}
	owner->incarnation = dvk_peer_incarnation(owner->endpoint);
	if (owner->incarnation >= 0)
		return 0;
	/* One that we have not met: a copy of nothing makes it known. */
	code = dvk_vcopy(owner->endpoint, asked->ADDRESS, SELF, &nothing, 0);
	if (code < 0)
		return (int)code;
	owner->incarnation = dvk_peer_incarnation(owner->endpoint);
	return owner->incarnation < 0 ? EDVSNOTBIND : 0;
}

/* Copies between an address of the owner's and memory of our own: `in`, which is written to, or out of it. */
static int copy_owned(const struct memory_owner *owner, uint64_t address, char *own, size_t bytes, bool in)
{
	void *local;
	uint64_t end;

	if (bytes == 0)
		return 0;
	if (__builtin_add_overflow(address, (uint64_t)bytes, &end))
		return EDVSFAULT;
	if (!is_there(owner))
		return EDVSNOTBIND;
	local = sealed_memory(owner->endpoint, address, bytes);
	if (local) {
		memcpy(in ? own : local, in ? local : own, bytes);
		return 0;
	}
	while (bytes > 0) {
		size_t piece = bytes < MAXCOPYLEN ? bytes : MAXCOPYLEN;
		void *theirs = client_pointer(address);
		long copied = in ? dvk_vcopy(owner->endpoint, theirs, SELF, own, (long)piece)
				 : dvk_vcopy(SELF, own, owner->endpoint, theirs, (long)piece);

		if (copied < 0)
			return (int)copied;
		if (copied != (long)piece)
			return EDVSFAULT;
		address += piece;
		own += piece;
		bytes -= piece;
	}
	/* Its end may have been learned of by the copy. */
	return is_there(owner) ? 0 : EDVSNOTBIND;
}

int client_memory_read(const struct memory_owner *owner, uint64_t address, void *to, size_t bytes)
{
	return copy_owned(owner, address, to, bytes, true);
}

int client_memory_write(const struct memory_owner *owner, uint64_t address, const void *from, size_t bytes)
{
	/* It is only read from. */
	return copy_owned(owner, address, (char *)(uintptr_t)from, bytes, false);
}

bool client_memory_pin(struct front_request *request)
{
	static_assert(sizeof(struct dvk_range) == sizeof(struct rdisk_iovec) &&
			      offsetof(struct dvk_range, bytes) == offsetof(struct rdisk_iovec, iov_size),
		      "a segment is a range");
	int count = request->request.count;

	/* The vector has the client's addresses so far. */
	static_assert(sizeof(struct dvk_range) == sizeof(struct iovec) &&
			      offsetof(struct dvk_range, bytes) == offsetof(struct iovec, iov_len),
		      "and so is an element of a vector");
	if (!is_there(&request->memory) ||
	    dvk_pin(request->memory.endpoint, (const struct dvk_range *)request->vector, count, &request->pin))
		return false;
	request->pinned = true;
	for (int i = 0; i < count; i++) {
		uint64_t address = (uintptr_t)request->vector[i].iov_base;

		request->vector[i].iov_base = client_pointer(address + request->pin.to_local);
	}
	return true;
}

/* ---- copied memory ---- */

static bool reachable(const struct request *request)
{
	const struct front_request *front = (const struct front_request *)request;

	/* Whoever waits for the answer to this very request is blocked in it, or it would have been abandoned. */
	return front->kind != ANSWER_COLLECTED || front->owner->in_batch;
}

/* Copies a part of the data of a request, segment by segment. As request_memory.copy_in() and copy_out(). */
static int copy(const struct front_request *request, uint64_t offset, char *buffer, size_t bytes, bool in)
{
	int code = 0;

	for (int i = 0; i < request->nr_segments && bytes > 0 && !code; i++) {
		const struct rdisk_iovec *segment = &request->segments[i];
		uint64_t piece, address;

		if (offset >= segment->iov_size) {
			offset -= segment->iov_size;
			continue;
		}
		piece = segment->iov_size - offset;
		if (piece > bytes)
			piece = bytes;
		if (__builtin_add_overflow(segment->iov_addr, offset, &address))
			return EDVSFAULT;
		code = in ? client_memory_read(&request->memory, address, buffer, piece)
			  : client_memory_write(&request->memory, address, buffer, piece);
		buffer += piece;
		bytes -= piece;
		offset = 0;
	}
	return code == EDVSPROCSTS && request->kind == ANSWER_COLLECTED ? REQUEST_CLIENT_AWAY : code;
}

static int copy_in(struct request *request, uint64_t offset, void *buffer, size_t bytes)
{
	return copy((const struct front_request *)request, offset, buffer, bytes, true);
}

static int copy_out(struct request *request, uint64_t offset, const void *buffer, size_t bytes)
{
	/* It is only read from. */
	return copy((const struct front_request *)request, offset, (char *)(uintptr_t)buffer, bytes, false);
}

const struct request_memory client_memory_copied = {
	.reachable = reachable,
	.copy_in = copy_in,
	.copy_out = copy_out,
};
