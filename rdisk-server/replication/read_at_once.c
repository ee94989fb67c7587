/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads that need no entry: where this member serves, nothing overlaps them, and the own image has the data in memory,
 * they are answered within the call, straight into the memory of who asked. All else is an entry's way: accept.c.
 *
 * What is promised is the same. A read sees what is complete: whatever is not, on this member or another, is in the
 * order of its device, or unsure. However long it takes (a process may be stopped at any place), it sees what there was
 * when the lease was looked at: nobody but this process changes the range, and nothing that it has begun does.
 */
#include "core.h"

/* A client of this host has it open at the primary, and in this generation. */
static bool has_open(const struct replica *replica, const struct io *io, uint32_t device)
{
	const struct local_client *local = forward_client(replica, io->client);
	const struct client_id id = { replica->settings.process.incarnation, io->client };
	const struct client_open *open;

	if (!local || local->generation != core_configuration(replica)->generation.id)
		return false;
	open = done_table_open_of(&replica->done, id);
	return open && open->open && open->device == device && !opens_is_closing(replica, id);
}

/* A longer one is done in pieces, between which the loop has its turn. */
static bool is_one_piece(const struct replica *replica, const struct io *io, uint32_t device)
{
	return io->length <= MESSAGE_DATA_MAX && maps_range_ok(replica, device, io->position, io->length);
}

static bool nothing_overlaps(const struct replica *replica, const struct io *io, uint32_t device)
{
	if (replica->done.nr_unsure && done_table_holds(&replica->done, device, io->position, io->length))
		return false;
	return !requests_overlap(&replica->devices[device].disk, io->position, io->length) ||
	       deliberate_bug(BUG_READ_PAST_WRITES);
}

bool replica_read_at_once(struct replica *replica, uint64_t now, int device, struct io *io)
{
	core_event_begins(replica, now);
	if (!answering_may(replica) || replica->forward.held_back || !has_open(replica, io, (uint32_t)device) ||
	    !is_one_piece(replica, io, (uint32_t)device) || !nothing_overlaps(replica, io, (uint32_t)device))
		return false;
	io->mode = IO_CACHED;
	if (replica->world->submit(replica, device, io) != IO_DONE || io->result)
		return false;
	keep_confirmed(replica, now);
	return true;
}
