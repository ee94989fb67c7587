// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copies between the memories of two endpoints (vcopy) and access to granted memory.
 *
 * Each party's memory is reached by the best means there is: the caller's own
 * directly; a peer's through a grant mapped here; else, if the peer is of the caller's own user, through
 * process_vm_readv and process_vm_writev. Those wait for whatever stands behind the peer's pages, which may be a file
 * system of its own that never answers: one user's processes can stop each other anyhow, but no other user's. Mappings
 * that their owner can truncate are touched by system calls only, which then return EFAULT where a load would raise
 * SIGBUS.
 */
#include <errno.h>

#include "dvk_control.h"
#include "dvk_system.h"

/* Bytes on the stack that a copy between two other processes goes through at a time. */
#define BOUNCE_SIZE 4096

/* One end of a copy. */
struct end {
	int pid;    /* 0: memory mapped here */
	bool plain; /* loads and stores are safe (mapped here, cannot vanish) */
	char *address;
};

/*
 * The original's rule: a party other than the caller must be blocked receiving. One that is in a
 * sendrec must wait for the answer to the request that we took last: neither be sending still, nor
 * have been answered, nor have given up.
 */
static int check_blocked(const struct dvk_client *client, const struct dvk_peer *peer)
{
	uint32_t flags = atomic_load_explicit(&peer->page->rts_flags, memory_order_acquire);
	int getfrom = atomic_load_explicit(&peer->page->getfrom, memory_order_relaxed);
	uint32_t want;

	if (!(flags & RECEIVING))
		return EDVSPROCSTS;
	if (!(flags & SENDING) || getfrom != client->endpoint)
		return 0;
	want = atomic_load_explicit(&peer->out->want, memory_order_acquire);
	return want == (peer->request_sequence | DVK_WANT_WAITING) ? 0 : EDVSPROCSTS;
}

static bool grant_covers(const struct dvk_grant *grant, uint64_t address, uint64_t bytes)
{
	if (!grant->length || grant->orphaned || address < grant->base || bytes > grant->length)
		return false;
	return address - grant->base <= grant->length - bytes;
}

static const struct dvk_grant *find_grant(const struct dvk_peer *peer, uint64_t address, uint64_t bytes)
{
	for (int i = 0; i < DVK_GRANTS_PER_PEER; i++) {
		if (grant_covers(&peer->grants[i], address, bytes))
			return &peer->grants[i];
	}
	return NULL;
}

int dvk_client_granted(struct dvk_client *client, int endpoint, uint64_t address, uint64_t bytes, void **local,
		       bool *sealed)
{
	const struct dvk_grant *grant;
	struct dvk_peer *peer;
	int rc = dvk_peer_known(client, endpoint, &peer);

	if (!rc)
		rc = check_blocked(client, peer);
	if (rc)
		return rc;
	grant = find_grant(peer, address, bytes);
	if (!grant)
		return EDVSFAULT;
	*local = (char *)grant->mapping + (address - grant->base);
	*sealed = grant->sealed;
	return 0;
}

static bool grant_covers_all(const struct dvk_grant *grant, const struct dvk_range *ranges, int count)
{
	for (int i = 0; i < count; i++) {
		if (!grant_covers(grant, ranges[i].address, ranges[i].bytes))
			return false;
	}
	return true;
}

int dvk_client_pin(struct dvk_client *client, int endpoint, const struct dvk_range *ranges, int count,
		   struct dvk_pin *pin)
{
	struct dvk_peer *peer;
	int rc = dvk_peer_known(client, endpoint, &peer);

	if (!rc)
		rc = check_blocked(client, peer);
	if (rc)
		return rc;
	if (count < 1)
		return EDVSINVAL;
	for (int i = 0; i < DVK_GRANTS_PER_PEER; i++) {
		struct dvk_grant *grant = &peer->grants[i];

		if (!grant_covers_all(grant, ranges, count) || grant->pins == UINT32_MAX)
			continue;
		grant->pins++;
		pin->to_local = (uintptr_t)grant->mapping - grant->base;
		pin->sealed = grant->sealed;
		pin->slot = dvk_endpoint_slot(endpoint);
		pin->index = i;
		pin->mapping = grant->mapping;
		return 0;
	}
	return EDVSFAULT;
}

void dvk_client_unpin(struct dvk_client *client, const struct dvk_pin *pin)
{
	struct dvk_grant *grant = &client->peers[pin->slot].grants[pin->index];

	/* Of another client, or of before a fork: as it is mapped for good, or not at all, none of ours is there. */
	if (!grant->pins || grant->mapping != pin->mapping)
		return;
	if (--grant->pins == 0 && grant->orphaned)
		dvk_grant_unmap(grant);
}

/* Takes no events: what was resolved for one end stays good while the other is. */
static int resolve(struct dvk_client *client, int endpoint, const void *address, uint64_t bytes, struct end *end)
{
	const struct dvk_grant *grant;
	struct dvk_peer *peer;
	int rc;

	end->pid = 0;
	end->plain = true;
	end->address = (char *)(uintptr_t)address;
	if (endpoint == client->endpoint)
		return 0;
	rc = dvk_peer_known(client, endpoint, &peer);
	if (!rc)
		rc = check_blocked(client, peer);
	if (rc)
		return rc;
	grant = find_grant(peer, (uintptr_t)address, bytes);
	if (grant) {
		end->plain = grant->sealed;
		end->address = (char *)grant->mapping + ((uintptr_t)address - grant->base);
		return 0;
	}
	/* Root could: the kernel stops only others. */
	if (!peer->same_user)
		return EDVSPERM;
	end->pid = peer->pid;
	end->plain = false;
	return 0;
}

/* One piece between an end in another process (or in unsafe memory) and memory mapped here. */
static long read_piece(const struct end *from, size_t offset, void *to, size_t length)
{
	int pid = from->pid ? from->pid : dvk_system_getpid();

	return dvk_system_process_read(pid, to, from->address + offset, length);
}

static long write_piece(const struct end *to, size_t offset, const void *from, size_t length)
{
	int pid = to->pid ? to->pid : dvk_system_getpid();

	return dvk_system_process_write(pid, from, to->address + offset, length);
}

/* As much as one step copies, from `done` on: > 0, or -errno. */
static long copy_step(const struct end *from, const struct end *to, size_t done, size_t left)
{
	char bounce[BOUNCE_SIZE];
	long got;

	if (!to->pid)
		return read_piece(from, done, to->address + done, left);
	if (!from->pid)
		return write_piece(to, done, from->address + done, left);
	got = read_piece(from, done, bounce, left < sizeof(bounce) ? left : sizeof(bounce));
	return got <= 0 ? got : write_piece(to, done, bounce, (size_t)got);
}

static int copy(const struct end *from, const struct end *to, size_t bytes)
{
	size_t done = 0;

	if (from->plain && to->plain) {
		__builtin_memcpy(to->address, from->address, bytes);
		return 0;
	}
	while (done < bytes) {
		long moved = copy_step(from, to, done, bytes - done);

		if (moved == -ESRCH)
			return EDVSNOTBIND;
		if (moved <= 0)
			return moved == -EPERM ? EDVSPERM : moved == -ENOSYS ? EDVSNOSYS : EDVSFAULT;
		done += (size_t)moved;
	}
	return 0;
}

/* Makes sure that we know an endpoint, if it is not our own. */
static int introduce(struct dvk_client *client, int endpoint)
{
	struct dvk_peer *peer;

	return endpoint == client->endpoint ? 0 : dvk_peer_get(client, endpoint, NULL, &peer);
}

long dvk_client_vcopy(struct dvk_client *client, int source, const void *source_address, int destination,
		      void *destination_address, long bytes)
{
	struct end from, to;
	int rc = dvk_client_ready(client);

	if (rc)
		return rc;
	if (!dvk_endpoint_is_system(client->endpoint, client->nr_tasks, client->nr_sysprocs))
		return EDVSTRAPDENIED;
	if (source == SELF)
		source = client->endpoint;
	if (destination == SELF)
		destination = client->endpoint;
	if (!dvk_endpoint_valid(source) || !dvk_endpoint_valid(destination) || source == destination)
		return EDVSENDPOINT;
	if (bytes < 0 || bytes > MAXCOPYLEN)
		return EDVSRANGE;
	rc = introduce(client, source);
	if (!rc)
		rc = introduce(client, destination);
	if (!rc)
		rc = resolve(client, source, source_address, (uint64_t)bytes, &from);
	if (!rc)
		rc = resolve(client, destination, destination_address, (uint64_t)bytes, &to);
	if (!rc && from.pid && from.pid == to.pid)
		rc = EDVSPERM;
	if (!rc)
		rc = copy(&from, &to, (size_t)bytes);
	if (rc)
		return rc;
	atomic_fetch_add_explicit(&client->page->copies, 1, memory_order_relaxed);
	return bytes;
}
