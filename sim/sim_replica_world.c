/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions of a core: see the header. None of them calls a core.
 */
#include "sim_replica_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "sim_client.h"
#include "sim_memory.h"
#include "sim_process.h"
#include "sim_store.h"

const char *sim_frame_name(const void *frame, size_t size)
{
	const unsigned char *bytes = frame;
	unsigned int type = size < MESSAGE_PREFIX ? 0 : bytes[4] | (unsigned int)bytes[5] << 8;

	return type && type < MESSAGE_TYPES ? message_name((enum message_type)type) : "?";
}

/* What it is about, where a type has that: the range, the flags, the result. */
static void trace_frame(struct sim_host *host, int member, const void *head, size_t head_size, const void *data,
			size_t data_size)
{
	unsigned char *frame = sim_new(head_size + data_size);
	struct message message = { 0 };
	const void *payload;
	char range[80] = "", result[24] = "", flags[24] = "";

	memcpy(frame, head, head_size);
	if (data_size)
		memcpy(frame + head_size, data, data_size);
	if (!message_decode(frame, head_size + data_size, &message, &payload)) {
		if (message.length)
			snprintf(range, sizeof(range), " device %" PRIu32 " %" PRIu64 "+%" PRIu64, message.device,
				 message.position, message.length);
		if (message.flags)
			snprintf(flags, sizeof(flags), " flags %" PRIx32, message.flags);
		if (message.result)
			snprintf(result, sizeof(result), " result %" PRId32, message.result);
	}
	sim_trace(host->world, host->member, "-> %c %s%s%s%s", sim_letter(member), sim_frame_name(head, head_size),
		  range, flags, result);
	free(frame);
}

static bool send_frame(struct replica *replica, int member, enum replica_class class, const void *head,
		       size_t head_size, const void *data, size_t data_size)
{
	struct sim_process *process = replica_user(replica);
	struct sim_host *host = process->host;

	if (!process->sessions[member]) {
		sim_fail(host->world, "%c sent to %c without a session", sim_letter(host->member), sim_letter(member));
		return true;
	}
	host->world->counts.frames++;
	host->world->counts.bytes += head_size + data_size;
	sim_digest_bytes(host->world, head, head_size);
	if (host->world->trace)
		trace_frame(host, member, head, head_size, data, data_size);
	return sim_network_send(&host->world->network, host->member, member, process->sessions[member], class, head,
				head_size, data, data_size);
}

static void hang_up(struct replica *replica, int member)
{
	struct sim_process *process = replica_user(replica);
	struct sim_host *host = process->host;
	uint64_t session = process->sessions[member];

	sim_trace(host->world, host->member, "hangs up on %c", sim_letter(member));
	process->sessions[member] = 0;
	if (session)
		sim_network_hang_up(&host->world->network, host->member, member, session);
}

static uint64_t random_number(struct replica *replica)
{
	const struct sim_process *process = replica_user(replica);

	return sim_random(&process->host->world->core_random);
}

static void answered(struct replica *replica, struct replica_request *request)
{
	sim_client_answered(replica_user(replica), request);
}

static void tell(struct replica *replica, const struct replica_event *event)
{
	static const char *const names[] = {
		[REPLICA_EVENT_EPOCH] = "epoch",     [REPLICA_EVENT_SERVING] = "serving",
		[REPLICA_EVENT_PAUSED] = "paused",   [REPLICA_EVENT_MEMBER] = "member",
		[REPLICA_EVENT_REFUSED] = "refused", [REPLICA_EVENT_DISK] = "disk",
		[REPLICA_EVENT_SPLIT] = "split",     [REPLICA_EVENT_LOSS] = "loss",
	};
	struct sim_process *process = replica_user(replica);
	struct sim_world *world = process->host->world;

	if (event->kind == REPLICA_EVENT_EPOCH)
		world->counts.epochs++;
	sim_digest(world, (uint64_t)event->kind, event->epoch);
	if (event->member == NO_MEMBER)
		sim_trace(world, process->host->member, "tells: %s, epoch %" PRIu64 ": %s", names[event->kind],
			  event->epoch, event->text ? event->text : "");
	else
		sim_trace(world, process->host->member, "tells: %s %c, epoch %" PRIu64 ": %s", names[event->kind],
			  sim_letter(event->member), event->epoch, event->text ? event->text : "");
}

const struct replica_world sim_replica_world = {
	.send = send_frame,
	.hang_up = hang_up,
	.submit = sim_store_submit,
	.save = sim_store_save,
	.random = random_number,
	.answered = answered,
	.tell = tell,
};
