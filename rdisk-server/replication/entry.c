/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries: operations on this member's images, whoever asked for them. Here is what all have in common: the place among
 * others that overlap (request/ keeps the order), the activity log, the own store. What an entry is for is the business
 * of primary.c, backup.c, copy.c, bringup.c and joining.c, which get it back when the own store is done with it, and
 * again when all is done and its place in the order is free.
 *
 * Nothing calls back from below: what ended is put into a list, and entries_run() goes on with it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

static struct entry *of_request(struct request *request)
{
	return (struct entry *)request;
}

void entry_append(struct entry_list *list, struct entry *entry)
{
	entry->list = list;
	entry->next = NULL;
	entry->previous = list->last;
	if (list->last)
		list->last->next = entry;
	else
		list->first = entry;
	list->last = entry;
}

void entry_remove(struct entry *entry)
{
	struct entry_list *list = entry->list;

	if (!list)
		return;
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		list->first = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	else
		list->last = entry->previous;
	entry->list = NULL;
}

/* OPEN, CLOSE and FLUSH touch no range: they have no place in the order. */
static bool is_ordered(const struct entry *entry)
{
	return entry->kind == ENTRY_WRITE || entry->kind == ENTRY_ZEROES || entry->kind == ENTRY_READ;
}

bool entry_room(const struct replica *replica)
{
	return replica->requests.nr_free > 2 * replica->settings.window + replica->settings.copies + ENTRIES_SPARE / 2;
}

struct entry *entry_take(struct replica *replica, enum entry_role role, enum entry_kind kind, uint32_t device,
			 uint64_t position, uint64_t length, void *memory, void *data)
{
	struct request *request = request_take(&replica->requests);
	struct entry *entry;

	assert(request); /* the pool is as large as all that may come */
	entry = of_request(request);
	memset((char *)entry + sizeof(*request), 0, sizeof(*entry) - sizeof(*request));
	entry->role = role;
	entry->kind = kind;
	entry->device = device;
	entry->origin = NO_MEMBER;
	entry->target = NO_MEMBER;
	entry->memory = memory;
	entry->data = data;
	entry->vector = (struct iovec){ .iov_base = data, .iov_len = length };
	entry->store.entry = entry;
	entry->store.device = (int)device;
	request->disk = &replica->devices[device].disk;
	request->position = position;
	request->length = length;
	request->vector = &entry->vector;
	request->count = 1;
	switch (kind) {
	case ENTRY_READ:
		request->operation = REQUEST_READ;
		break;
	case ENTRY_ZEROES:
		request->operation = REQUEST_WRITE_ZEROES;
		break;
	default:
		request->operation = REQUEST_WRITE;
	}
	return entry;
}

void entry_here(struct replica *replica, struct entry *entry)
{
	entry->is_here = true;
	entry->next_here = NULL;
	entry->previous_here = replica->here.last;
	if (replica->here.last)
		replica->here.last->next_here = entry;
	else
		replica->here.first = entry;
	replica->here.last = entry;
	replica->nr_here++;
}

static void not_here(struct replica *replica, struct entry *entry)
{
	if (!entry->is_here)
		return;
	entry->is_here = false;
	if (entry->previous_here)
		entry->previous_here->next_here = entry->next_here;
	else
		replica->here.first = entry->next_here;
	if (entry->next_here)
		entry->next_here->previous_here = entry->previous_here;
	else
		replica->here.last = entry->previous_here;
	replica->nr_here--;
	replica->here_less = true;
}

void entry_free(struct replica *replica, struct entry *entry)
{
	not_here(replica, entry);
	entry_remove(entry);
	free(entry->memory);
	entry->memory = NULL;
	replica_data_release(entry->shared);
	entry->shared = NULL;
	request_free(&replica->requests, &entry->request);
}

/* ---- the end: its part has it back when nothing of it is left to be done ---- */

static void end(struct replica *replica, struct entry *entry)
{
	switch (entry->role) {
	case ENTRY_OF_CLIENT:
	case ENTRY_OF_RECOVERY:
		primary_end(replica, entry);
		break;
	case ENTRY_OF_COPY:
		bringup_end_of_entry(replica, entry);
		break;
	case ENTRY_OF_PRIMARY:
	case ENTRY_COPIED:
	case ENTRY_COMPARED:
		backup_end(replica, entry);
		break;
	case ENTRY_ORPHAN:
		entry_free(replica, entry);
		break;
	}
}

void entry_begin(struct replica *replica, struct entry *entry)
{
	bool done;

	assert(is_ordered(entry));
	done = request_begin(&replica->requests, &entry->request);
	assert(!done); /* the device below is always PENDING */
	(void)done;
}

void entry_complete(struct replica *replica, struct entry *entry, int result)
{
	assert(!entry->completed);
	not_here(replica, entry);
	entry->completed = true;
	entry->result = result;
	entry->next_completed = NULL;
	if (replica->last_completed)
		replica->last_completed->next_completed = entry;
	else
		replica->first_completed = entry;
	replica->last_completed = entry;
}

void entries_run(struct replica *replica)
{
	for (;;) {
		struct entry *entry = replica->first_completed;
		struct request *request;

		if (entry) {
			replica->first_completed = entry->next_completed;
			if (!replica->first_completed)
				replica->last_completed = NULL;
			if (is_ordered(entry)) {
				entry->request.io.result = entry->result;
				request_io_done(&replica->requests, &entry->request.io);
			} else {
				end(replica, entry);
			}
			continue;
		}
		request = request_next_done(&replica->requests);
		if (request) {
			end(replica, of_request(request));
		} else if (replica->here_less && replica->nr_here == 0) {
			replica->here_less = false;
			backup_nothing_here(replica);
		} else {
			return;
		}
	}
}

void entry_orphan(struct replica *replica, struct entry *entry)
{
	entry_remove(entry);
	entry->role = ENTRY_ORPHAN;
	if (!is_ordered(entry)) {
		if (!entry->completed && entry->step != STEP_READ)
			entry_complete(replica, entry, -ECANCELED);
		return;
	}
	/* One that waits for its turn or for its store goes on; see turn() and here_done(). */
	if (!entry->completed && (entry->step == STEP_STORED || entry->step == STEP_WINDOW))
		entry_complete(replica, entry, -ECANCELED);
}

/* ---- the own image ---- */

static void here_done(struct replica *replica, struct entry *entry, int result);

static void submit_here(struct replica *replica, struct entry *entry, enum io_operation operation)
{
	struct io *io = &entry->store.io;

	*io = (struct io){ .operation = operation, .mode = IO_MAY_PEND };
	/* The page cache may have what the disk lost. */
	if (entry->role == ENTRY_COMPARED && !deliberate_bug(BUG_COMPARED_IN_CACHE))
		io->mode = IO_FROM_DISK;
	/* All members write at the same time, and what goes to the others takes longer. */
	io->not_first = operation == IO_WRITE && entry->role == ENTRY_OF_CLIENT && entry->waits;
	if (operation != IO_FLUSH) {
		io->position = entry->request.position;
		io->length = entry->request.length;
	}
	if (operation == IO_READ || operation == IO_WRITE) {
		io->vector = &entry->vector;
		io->count = 1;
	}
	if (replica->world->submit(replica, (int)entry->device, io) == IO_DONE)
		here_done(replica, entry, io->result);
}

void entry_read_here(struct replica *replica, struct entry *entry)
{
	entry->step = STEP_READ;
	entry->began = replica->now;
	core_wake_at(replica, replica->now + replica->settings.replica_timeout);
	if (!entry->data)
		here_done(replica, entry, -ENOMEM);
	else
		submit_here(replica, entry, IO_READ);
}

void entry_write_here(struct replica *replica, struct entry *entry)
{
	entry->step = STEP_LOG;
	if (maps_hot(replica, entry))
		entry_logged(replica, entry);
}

void entry_logged(struct replica *replica, struct entry *entry)
{
	enum io_operation operation = IO_WRITE;

	assert(entry->step == STEP_LOG);
	if (entry->role == ENTRY_ORPHAN) {
		entry->step = STEP_STORED;
		entry_complete(replica, entry, -ECANCELED);
		return;
	}
	/* No IO_DISCARD: it may leave what was there, on one member and not on another. Zeroes free what they can. */
	if (entry->kind == ENTRY_ZEROES)
		operation = IO_WRITE_ZEROES;
	entry->step = STEP_WRITE;
	submit_here(replica, entry, operation);
}

/* The own image has it, or has failed: back to who it is for. */
static void stored(struct replica *replica, struct entry *entry, int result)
{
	entry->step = STEP_STORED;
	entry->stored_result = result;
	not_here(replica, entry);
	switch (entry->role) {
	case ENTRY_OF_CLIENT:
	case ENTRY_OF_RECOVERY:
		primary_stored(replica, entry);
		break;
	case ENTRY_OF_COPY:
		copy_read(replica, entry);
		break;
	case ENTRY_OF_PRIMARY:
		backup_stored(replica, entry);
		break;
	case ENTRY_COPIED:
		joining_stored(replica, entry);
		break;
	case ENTRY_COMPARED:
		joining_read(replica, entry);
		break;
	case ENTRY_ORPHAN:
		/* It is in the image all the same. */
		if (entry->number && !result)
			primary_note_done(replica, entry, 0);
		else if (entry->number)
			primary_note_unsure(replica, entry);
		entry_complete(replica, entry, result);
		break;
	}
}

/* A flush has failed, and what that lost is not made good: one that succeeds says nothing of it. */
static bool flushes_are_doubted(const struct replica *replica)
{
	return reign_is_primary(replica) ? replica->durable.now.flush_failed : replica->reign.disk_failed;
}

static void here_done(struct replica *replica, struct entry *entry, int result)
{
	bool was_write = entry->step == STEP_WRITE;

	if (was_write && !result && entry->stable && entry->role != ENTRY_ORPHAN) {
		entry->step = STEP_FLUSH;
		submit_here(replica, entry, IO_FLUSH);
		return;
	}
	if (entry->step == STEP_FLUSH && result)
		reign_flush_failed(replica);
	else if (entry->step == STEP_FLUSH && entry->role != ENTRY_ORPHAN && flushes_are_doubted(replica))
		result = -EIO;
	stored(replica, entry, result);
}

void entry_io_done(struct replica *replica, struct io *io)
{
	struct core_io *core_io = (struct core_io *)((char *)io - offsetof(struct core_io, io));

	if (core_io->entry)
		here_done(replica, core_io->entry, io->result);
	else if (core_io->flush == FLUSH_OF_PRIMARY)
		primary_flush_stored(replica, io->result);
	else if (core_io->flush == FLUSH_OF_STOP)
		stop_flush_stored(replica, io->result);
	else
		backup_flush_stored(replica, io->result);
}

/* Its turn in the order of those that overlap has come: what request/ calls a disk is this. */
enum io_answer entry_turn(struct request_disk *disk, struct io *io)
{
	struct replica_device *device = (struct replica_device *)((char *)disk - offsetof(struct replica_device, disk));
	struct entry *entry = of_request((struct request *)((char *)io - offsetof(struct request, io)));
	struct replica *replica = device->replica;

	assert(io->position == entry->request.position && io->length == entry->request.length);
	switch (entry->role) {
	case ENTRY_OF_CLIENT:
		if (entry->kind == ENTRY_READ)
			entry_read_here(replica, entry);
		else
			primary_begin(replica, entry);
		break;
	case ENTRY_OF_RECOVERY:
	case ENTRY_OF_COPY:
	case ENTRY_COMPARED:
		entry_read_here(replica, entry);
		break;
	case ENTRY_OF_PRIMARY:
	case ENTRY_COPIED:
		entry_write_here(replica, entry);
		break;
	case ENTRY_ORPHAN:
		entry->step = STEP_STORED;
		entry_complete(replica, entry, -ECANCELED);
		break;
	}
	return IO_PENDING;
}
