/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primary's own writes, which wait until the frames of a turn are sent: the others write meanwhile. They go to the
 * stores in the order in which they came.
 */
#include "member_internal.h"

void member_write_later(struct member *member, int device, struct io *io)
{
	member->nr_stored++;
	io->next = NULL;
	io->device = device;
	if (member->last_later)
		member->last_later->next = io;
	else
		member->later = io;
	member->last_later = io;
}

void member_write_now(struct member *member)
{
	struct io *io = member->later, *next;

	/* What is answered now may bring others, which wait for their own frames. */
	member->later = member->last_later = NULL;
	for (; io; io = next) {
		next = io->next;
		if (store_submit(member->settings.devices[io->device].store, io) != IO_DONE)
			continue;
		member->nr_stored--;
		replica_io_done(member->replica, member_now(), io);
	}
}
