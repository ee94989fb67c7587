/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time of disks: see the header. Data get to the page cache when an io ends, and are read then.
 */
#include "sim_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_memory.h"
#include "sim_process.h"

#define LOOK_AGAIN (50 * SIM_MILLISECOND)

static struct sim_world *world_of(const struct sim_process *process)
{
	return process->host->world;
}

static void release_io(struct sim_pending_io *pending)
{
	sim_cancel(&world_of(pending->process)->engine, &pending->event);
	free(pending->flushed);
	free(pending);
}

void sim_store_io_told(struct sim_pending_io *pending)
{
	if (pending->previous)
		pending->previous->next = pending->next;
	else
		pending->process->ios = pending->next;
	if (pending->next)
		pending->next->previous = pending->previous;
	release_io(pending);
}

/* A hang may end earlier than it was to. */
static uint64_t look_again(struct sim_world *world, uint64_t hung_until)
{
	uint64_t soon = world->engine.now + LOOK_AGAIN;

	return soon < hung_until ? soon : hung_until;
}

static void io_ends(struct sim_event *event)
{
	struct sim_pending_io *pending = SIM_OWNER(event, struct sim_pending_io, event);
	struct sim_world *world = world_of(pending->process);
	struct sim_item item = { .kind = SIM_ITEM_IO_DONE, .io = pending };

	if (pending->disk->hung_until > world->engine.now) {
		sim_schedule(&world->engine, &pending->event, look_again(world, pending->disk->hung_until));
		return;
	}
	if (atomic_load_explicit(&pending->io->cancelled, memory_order_relaxed) &&
	    sim_chance(&world->disk_random, 1, 2))
		pending->io->result = -ECANCELED;
	else
		pending->io->result = sim_disk_do(pending->disk, pending->io, pending->flushed, &world->disk_random);
	if (pending->io->result) {
		pending->process->host->disk_failed = world->engine.now;
		sim_trace(world, pending->process->host->member, "disk: operation %d of %llu+%llu: %s",
			  (int)pending->io->operation, (unsigned long long)pending->io->position,
			  (unsigned long long)pending->io->length, strerror(-pending->io->result));
	}
	pending->done = true;
	sim_process_happens(pending->process, SIM_SOURCE_IO, &item);
}

/* Whether it is done without waiting: reads that are cached, and writes as long as the host takes them so. */
static bool at_once(struct sim_world *world, const struct sim_disk *disk, const struct io *io, bool *missed)
{
	bool cached = sim_below(&world->disk_random, 256) < world->settings.cached;
	bool hung = disk->hung_until > world->engine.now;

	*missed = false;
	if (io->operation == IO_WRITE)
		return cached && !hung;
	if (io->operation != IO_READ)
		return false;
	switch (io->mode) {
	case IO_CACHED:
		*missed = !cached;
		return true;
	case IO_FETCHED:
	case IO_AT_ONCE:
		return true;
	case IO_FROM_DISK:
		return false;
	case IO_MAY_PEND:
		break;
	}
	return cached;
}

static uint64_t io_delay(struct sim_world *world, const struct sim_disk *disk, const struct io *io)
{
	uint64_t delay = io->operation == IO_FLUSH ? world->settings.flush_delay : world->settings.disk_delay;

	delay = sim_spread(&world->disk_random, delay / 16 + 1, delay + 16);
	if (sim_chance(&world->disk_random, 1, 64))
		delay *= 8;
	return delay + disk->slow;
}

enum io_answer sim_store_submit(struct replica *replica, int device, struct io *io)
{
	struct sim_process *process = replica_user(replica);
	struct sim_world *world = world_of(process);
	struct sim_disk *disk = &process->host->disks[device];
	struct sim_pending_io *pending;
	bool missed;

	if (io->operation != IO_FLUSH &&
	    (!io->length || io->position > disk->size || io->length > disk->size - io->position)) {
		sim_fail(world, "%c: an io beyond the end of device %d", sim_letter(process->host->member), device);
		io->result = -EIO;
		return IO_DONE;
	}
	if (at_once(world, disk, io, &missed)) {
		if (missed)
			return IO_MISSED;
		io->result = sim_disk_do(disk, io, NULL, &world->disk_random);
		if (io->result)
			process->host->disk_failed = world->engine.now;
		return IO_DONE;
	}
	pending = sim_new(sizeof(*pending));
	*pending = (struct sim_pending_io){ .event.fire = io_ends, .process = process, .io = io, .disk = disk };
	if (io->operation == IO_FLUSH)
		pending->flushed = sim_copy(disk->dirty, disk->words * sizeof(uint64_t));
	pending->next = process->ios;
	if (process->ios)
		process->ios->previous = pending;
	process->ios = pending;
	sim_schedule(&world->engine, &pending->event, world->engine.now + io_delay(world, disk, io));
	return IO_PENDING;
}

static void release_save(struct sim_pending_save *pending)
{
	sim_cancel(&world_of(pending->process)->engine, &pending->event);
	free(pending);
}

void sim_store_save_told(struct sim_pending_save *pending)
{
	if (pending->previous)
		pending->previous->next = pending->next;
	else
		pending->process->saves = pending->next;
	if (pending->next)
		pending->next->previous = pending->previous;
	release_save(pending);
}

static void save_ends(struct sim_event *event)
{
	struct sim_pending_save *pending = SIM_OWNER(event, struct sim_pending_save, event);
	struct sim_world *world = world_of(pending->process);
	struct sim_state *state = &pending->process->host->state;
	struct sim_item item = { .kind = SIM_ITEM_SAVED, .save = pending };

	if (state->hung_until > world->engine.now) {
		sim_schedule(&world->engine, &pending->event, look_again(world, state->hung_until));
		return;
	}
	pending->result = sim_state_save(state, &pending->save->place, pending->save->bytes, pending->save->size,
					 &world->disk_random);
	pending->done = true;
	sim_process_happens(pending->process, SIM_SOURCE_SAVE, &item);
}

void sim_store_save(struct replica *replica, struct replica_save *save)
{
	struct sim_process *process = replica_user(replica);
	struct sim_world *world = world_of(process);
	struct sim_pending_save *pending = sim_new(sizeof(*pending));
	struct sim_piece *piece = sim_state_find(&process->host->state, &save->place, save->size);
	uint64_t delay =
		sim_spread(&world->disk_random, world->settings.save_delay / 16 + 1, world->settings.save_delay + 16);
	uint64_t time = world->engine.now + delay;

	/* One piece is one file's range: its saves end in the order in which they began. */
	if (time <= piece->busy_until)
		time = piece->busy_until + 1;
	piece->busy_until = time;
	sim_digest_bytes(world, save->bytes, save->size);
	*pending = (struct sim_pending_save){ .event.fire = save_ends, .process = process, .save = save };
	pending->next = process->saves;
	if (process->saves)
		process->saves->previous = pending;
	process->saves = pending;
	sim_schedule(&world->engine, &pending->event, time);
}

static void ios_end(struct sim_process *process)
{
	struct sim_pending_io *pending = process->ios, *next;

	for (; pending; pending = next) {
		next = pending->next;
		if (!pending->done)
			sim_disk_leave(pending->disk, pending->io, &world_of(process)->disk_random);
		release_io(pending);
	}
	process->ios = NULL;
}

/* The oldest first, as several may be of one piece; the list has the newest first. */
static void saves_end(struct sim_process *process)
{
	struct sim_pending_save *pending = process->saves, *previous;

	while (pending && pending->next)
		pending = pending->next;
	for (; pending; pending = previous) {
		const struct replica_save *save = pending->save;

		previous = pending->previous;
		if (!pending->done)
			sim_state_leave(&process->host->state, &save->place, save->bytes, save->size,
					&world_of(process)->disk_random);
		release_save(pending);
	}
	process->saves = NULL;
}

void sim_store_process_dies(struct sim_process *process)
{
	ios_end(process);
	saves_end(process);
}

uint64_t sim_store_free_at(const struct sim_host *host)
{
	uint64_t time = host->world->engine.now;

	for (uint64_t device = 0; device < host->world->settings.devices; device++) {
		if (host->disks[device].hung_until > time)
			time = host->disks[device].hung_until;
	}
	return host->state.hung_until > time ? host->state.hung_until : time;
}
