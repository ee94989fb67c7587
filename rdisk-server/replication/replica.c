/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: each goes to its part, and after it all that can go on goes on. Frames are in receive.c, an operator's orders
 * in operator.c, how a core begins and ends in create.c and start.c.
 */
#include <assert.h>

#include "core.h"

/* What waits to be sent to a member goes on. */
static void room(struct replica *replica, int member)
{
	backup_can_send(replica, member);
	recovery_can_send(replica);
	bringup_can_send(replica, member);
	joining_can_send(replica, member);
	answering_can_send(replica, member);
}

static void take_turns(struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (!replica->peers[i].full || !core_has_turn(replica, i))
			continue;
		room(replica, i);
		/* Whether or not there was something. */
		replica->peers[i].passed = 0;
	}
}

void core_event_ends(struct replica *replica)
{
	do {
		entries_run(replica);
		answering_go_on(replica);
		take_turns(replica);
		if (replica->opens.first)
			opens_go_on(replica);
		stop_go_on(replica);
		if (unsure_go_on(replica) || replica->first_completed)
			continue;
		if (!replica->consider)
			break;
		replica->consider = false;
		propose_consider(replica);
		bringup_tick(replica);
		joining_tick(replica);
	} while (replica->first_completed || requests_can_go_on(&replica->requests) || replica->consider);
}

void core_event_begins(struct replica *replica, uint64_t now)
{
	assert(now >= replica->now);
	replica->now = now;
}

void replica_time(struct replica *replica, uint64_t now)
{
	core_event_begins(replica, now);
	replica->next_time = REPLICA_NEVER;
	peer_tick(replica);
	durable_tick(replica);
	decision_tick(replica);
	lease_tick(replica);
	recovery_tick(replica);
	primary_tick(replica);
	bringup_tick(replica);
	joining_tick(replica);
	forward_tick(replica);
	unsure_tick(replica);
	replica->consider = true;
	core_event_ends(replica);
}

uint64_t replica_next_time(const struct replica *replica)
{
	return replica->next_time;
}

void replica_connected(struct replica *replica, uint64_t now, int member)
{
	core_event_begins(replica, now);
	peer_connected(replica, member);
	core_event_ends(replica);
}

void replica_disconnected(struct replica *replica, uint64_t now, int member)
{
	core_event_begins(replica, now);
	peer_disconnected(replica, member);
	core_event_ends(replica);
}

void replica_can_send(struct replica *replica, uint64_t now, int member)
{
	core_event_begins(replica, now);
	replica->peers[member].full = false;
	if (replica->peers[member].greeted) {
		room(replica, member);
		forward_can_send(replica);
	}
	core_event_ends(replica);
}

void replica_view(struct replica *replica, uint64_t now, member_set present)
{
	core_event_begins(replica, now);
	peer_view(replica, present);
	core_event_ends(replica);
}

void replica_io_done(struct replica *replica, uint64_t now, struct io *io)
{
	core_event_begins(replica, now);
	entry_io_done(replica, io);
	core_event_ends(replica);
}

void replica_saved(struct replica *replica, uint64_t now, struct replica_save *save, int result)
{
	core_event_begins(replica, now);
	if (save->place.kind == METADATA_SLOT)
		durable_saved(replica, save, result);
	else
		maps_saved(replica, save, result);
	core_event_ends(replica);
}

void replica_submit(struct replica *replica, uint64_t now, struct replica_request *request)
{
	core_event_begins(replica, now);
	forward_submit(replica, request);
	core_event_ends(replica);
}

void replica_forget_client(struct replica *replica, uint64_t now, uint32_t client)
{
	core_event_begins(replica, now);
	forward_forget(replica, client);
	core_event_ends(replica);
}

bool replica_withdraw(struct replica *replica, struct replica_request *request)
{
	return forward_withdraw(replica, request);
}

void replica_stop(struct replica *replica, uint64_t now)
{
	core_event_begins(replica, now);
	stop_begin(replica);
	core_event_ends(replica);
}

bool replica_stopped(const struct replica *replica)
{
	return replica->failed ? replica->stopping : replica->stop.phase == STOP_DONE;
}
