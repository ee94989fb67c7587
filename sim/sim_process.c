/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How events get into a core: see the header. What comes out of it is sim_replica_world.c.
 */
#include "sim_process.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sim_client.h"
#include "sim_host.h"
#include "sim_invariant.h"
#include "sim_memory.h"
#include "sim_replica_world.h"
#include "sim_store.h"

uint64_t sim_process_now(const struct sim_process *process)
{
	return sim_clock_show(&process->host->clock, process->host->world->engine.now);
}

static void arm_timer(struct sim_process *process)
{
	struct sim_world *world = process->host->world;
	uint64_t next = replica_next_time(process->replica), time;

	if (next == REPLICA_NEVER) {
		sim_cancel(&world->engine, &process->timer);
		return;
	}
	time = sim_clock_when(&process->host->clock, next);
	if (time == SIM_NEVER) {
		sim_cancel(&world->engine, &process->timer);
		return;
	}
	/* As late as it was to be, if it was armed for that. */
	if (sim_scheduled(&process->timer) && process->timer.time >= time &&
	    process->timer.time <= time + world->settings.timer_delay)
		return;
	if (time <= world->engine.now)
		time = world->engine.now + SIM_MICROSECOND;
	if (world->settings.timer_delay)
		time += sim_below(&world->host_random, world->settings.timer_delay + 1);
	sim_schedule(&world->engine, &process->timer, time);
}

void sim_process_after(struct sim_process *process)
{
	arm_timer(process);
	sim_invariant_lease(process);
	sim_host_look(process->host);
}

static void timer(struct sim_event *event)
{
	struct sim_process *process = SIM_OWNER(event, struct sim_process, timer);

	replica_time(process->replica, sim_process_now(process));
	sim_process_after(process);
}

static void frame_comes(struct sim_process *process, struct sim_frame *frame)
{
	int peer = frame->from;
	uint64_t session = frame->session;
	void *bytes = frame->bytes;
	size_t size = frame->size;

	if (process->sessions[peer] != session) {
		sim_frame_taken(frame);
		return;
	}
	frame->bytes = NULL;
	sim_frame_taken(frame);
	sim_trace(process->host->world, process->host->member, "<- %c %s", sim_letter(peer),
		  sim_frame_name(bytes, size));
	if (!replica_frame(process->replica, sim_process_now(process), peer, bytes, size)) {
		sim_trace(process->host->world, process->host->member, "refused that frame of %c", sim_letter(peer));
		process->host->world->counts.refused++;
	}
}

static void session_ends(struct sim_process *process, const struct sim_item *item)
{
	if (process->sessions[item->peer] != item->session)
		return;
	process->sessions[item->peer] = 0;
	sim_trace(process->host->world, process->host->member, "disconnected from %c", sim_letter(item->peer));
	replica_disconnected(process->replica, sim_process_now(process), item->peer);
}

static void session_begins(struct sim_process *process, const struct sim_item *item)
{
	/* Who is not in its list is not talked to. */
	if (item->peer >= process->members) {
		sim_network_hang_up(&process->host->world->network, process->host->member, item->peer, item->session);
		return;
	}
	process->sessions[item->peer] = item->session;
	sim_trace(process->host->world, process->host->member, "connected to %c", sim_letter(item->peer));
	replica_connected(process->replica, sim_process_now(process), item->peer);
}

static void happen(struct sim_process *process, const struct sim_item *item)
{
	struct replica *replica = process->replica;
	uint64_t now = sim_process_now(process);
	struct io *io;
	struct replica_save *save;
	int result;

	switch (item->kind) {
	case SIM_ITEM_IO_DONE:
		io = item->io->io;
		sim_store_io_told(item->io);
		replica_io_done(replica, now, io);
		break;
	case SIM_ITEM_SAVED:
		save = item->save->save;
		result = item->save->result;
		process->broken |= result;
		sim_store_save_told(item->save);
		replica_saved(replica, now, save, result);
		break;
	case SIM_ITEM_VIEW:
		replica_view(replica, now, item->view);
		break;
	case SIM_ITEM_SUBMIT:
		sim_client_submits(process, item->operation);
		break;
	case SIM_ITEM_FORGET:
		sim_client_is_forgotten(process, item->client);
		break;
	case SIM_ITEM_CONNECTED:
		session_begins(process, item);
		break;
	case SIM_ITEM_DISCONNECTED:
		session_ends(process, item);
		break;
	case SIM_ITEM_ROOM:
		if (process->sessions[item->peer] == item->session)
			replica_can_send(replica, now, item->peer);
		break;
	case SIM_ITEM_FRAME:
		frame_comes(process, item->frame);
		break;
	}
	sim_digest(process->host->world, (uint64_t)item->kind, (uint64_t)process->host->member);
	sim_process_after(process);
}

static void append(struct sim_item_list *list, const struct sim_item *item)
{
	struct sim_item *copy = sim_copy(item, sizeof(*item));

	copy->next = NULL;
	if (list->last)
		list->last->next = copy;
	else
		list->first = copy;
	list->last = copy;
}

static struct sim_item *shift(struct sim_item_list *list)
{
	struct sim_item *item = list->first;

	if (item) {
		list->first = item->next;
		if (!list->first)
			list->last = NULL;
	}
	return item;
}

void sim_process_happens(struct sim_process *process, unsigned int source, const struct sim_item *item)
{
	if (process->stopped)
		append(&process->inbox[source], item);
	else
		happen(process, item);
}

void sim_process_stop(struct sim_process *process)
{
	process->stopped = true;
	sim_cancel(&process->host->world->engine, &process->timer);
}

/* The nth source that has something; the timer is the last one. */
static unsigned int nth_source(const struct sim_process *process, uint64_t n)
{
	unsigned int source;

	for (source = 0; source < SIM_SOURCES; source++) {
		if (process->inbox[source].first && n-- == 0)
			break;
	}
	return source;
}

static uint64_t sources(const struct sim_process *process)
{
	uint64_t count = 0;

	for (unsigned int source = 0; source < SIM_SOURCES; source++)
		count += process->inbox[source].first != NULL;
	return count;
}

void sim_process_continue(struct sim_process *process)
{
	struct sim_random *random = &process->host->world->host_random;
	bool timer_due = true;

	process->stopped = false;
	while (sources(process) || timer_due) {
		unsigned int source = nth_source(process, sim_below(random, sources(process) + timer_due));
		struct sim_item *item;

		if (source == SIM_SOURCES) {
			timer_due = false;
			if (replica_next_time(process->replica) <= sim_process_now(process))
				timer(&process->timer);
			continue;
		}
		item = shift(&process->inbox[source]);
		happen(process, item);
		free(item);
	}
	arm_timer(process);
}

static void fill_settings(const struct sim_host *host, const struct process_id *id, struct replica_settings *to)
{
	const struct sim_settings *from = &host->world->settings;

	*to = (struct replica_settings){
		.members = host->listed ? (int)host->listed : host->world->members,
		.self = host->member,
		.nr_devices = (int)from->devices,
		.process = *id,
		.lease = from->lease,
		.drift = (uint32_t)from->drift,
		.heartbeat = from->heartbeat,
		.replica_timeout = from->replica_timeout,
		.election_delay = from->election_delay,
		.flush_interval = from->flush_interval,
		.open_grace = from->open_grace,
		.made_up = host->made_up,
		.memory_wait = from->memory_wait,
		.min_in_sync = (unsigned int)from->min_in_sync,
		.error_on_no_quorum = from->error_on_no_quorum,
		.slow_replica_waits = from->slow_replica_waits,
		.window = (unsigned int)from->window,
		.window_bytes = from->window_bytes,
		.requests = (unsigned int)from->requests,
		.clients = (unsigned int)from->open_clients,
		.block_size = (uint32_t)from->block_size,
		.extent_size = (uint32_t)from->extent_size,
		.copy_size = (uint32_t)from->copy_size,
		.copies = (unsigned int)from->parallel_copies,
		.resync_rate = from->resync_rate,
	};
	for (int member = 0; member < to->members; member++)
		to->list[member] = (struct listed_member){ .node = (uint8_t)(member + 1),
							   .diskless = host->world->hosts[member].diskless };
	for (int device = 0; device < to->nr_devices; device++) {
		const struct sim_disk *disk = &host->disks[device];
		struct replica_device_settings *settings = &to->devices[device];

		settings->name_checksum = sim_mix((uint64_t)device + 1);
		settings->overlap_block = SIM_SECTOR;
		if (host->diskless)
			continue;
		settings->size = disk->smaller ? disk->size - from->block_size : disk->size;
		settings->identity = disk->identity;
		settings->image = disk->missing		 ? REPLICA_IMAGE_MISSING
				  : sim_disk_blank(disk) ? REPLICA_IMAGE_NEW
							 : REPLICA_IMAGE_DATA;
	}
}

static const char *load(struct sim_process *process)
{
	struct sim_state *state = &process->host->state;
	const char *why = NULL;

	sim_state_sync(state);
	for (size_t i = 0; i < state->count && !why; i++) {
		const struct sim_piece *piece = &state->pieces[i];

		if (!piece->there)
			continue;
		if (piece->place.kind == METADATA_SLOT)
			why = replica_load_slot(process->replica, piece->place.index, piece->cache, piece->size);
		else
			why = replica_load_sector(process->replica, &piece->place, piece->cache, piece->size);
	}
	return why;
}

/* Never 0. */
static uint64_t incarnation(struct sim_random *random)
{
	return sim_random(random) | 1;
}

struct sim_process *sim_process_start(struct sim_host *host, const char **why)
{
	struct sim_process *process = sim_new(sizeof(*process));
	struct replica_settings settings;
	int result;

	*process = (struct sim_process){ .host = host, .timer.fire = timer };
	process->id = (struct process_id){ .incarnation = incarnation(&host->world->host_random), .boot = host->boot };
	fill_settings(host, &process->id, &settings);
	process->members = settings.members;
	result = replica_create(&process->replica, &settings, &sim_replica_world, process);
	if (result) {
		sim_fail(host->world, "replica_create: error %d", result);
		*why = "it could not be made";
		free(process);
		return NULL;
	}
	*why = load(process);
	if (*why) {
		replica_destroy(process->replica);
		free(process);
		return NULL;
	}
	host->process = process;
	sim_trace(host->world, host->member, "process %" PRIx64 " starts", process->id.incarnation);
	/* What an operator distrusts once: the next process would discard what this one is given, perhaps the last
	 * copy. */
	for (int device = 0; device < settings.nr_devices; device++)
		host->disks[device].missing = false;
	replica_start(process->replica, sim_process_now(process));
	sim_process_after(process);
	return process;
}

void sim_process_die(struct sim_process *process)
{
	sim_cancel(&process->host->world->engine, &process->timer);
	sim_store_process_dies(process);
	replica_destroy(process->replica);
	sim_clients_die(process);
	process->host->process = NULL;
	for (unsigned int source = 0; source < SIM_SOURCES; source++) {
		struct sim_item *item;

		while ((item = shift(&process->inbox[source]))) {
			if (item->kind == SIM_ITEM_FRAME)
				sim_frame_taken(item->frame);
			free(item);
		}
	}
	free(process);
}
