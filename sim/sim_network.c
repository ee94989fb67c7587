/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames and links: see the header. When sessions come and go is sim_session.c.
 */
#include "sim_network.h"

#include <stdlib.h>
#include <string.h>

#include "sim_memory.h"
#include "sim_session.h"

static void frame_arrives(struct sim_event *event);

void sim_network_init(struct sim_network *network, struct sim_engine *engine, struct sim_random *random,
		      const struct sim_network_user *user, const struct sim_network_settings *settings, int members)
{
	*network = (struct sim_network){
		.engine = engine,
		.random = random,
		.user = user,
		.settings = *settings,
		.members = members,
	};
	for (int a = 0; a < members; a++) {
		for (int b = a + 1; b < members; b++)
			sim_session_init(network, a, b);
	}
}

static void release(struct sim_frame *frame)
{
	sim_cancel(frame->network->engine, &frame->event);
	free(frame->bytes);
	free(frame);
}

void sim_frame_taken(struct sim_frame *frame)
{
	struct sim_network *network = frame->network;
	struct sim_side *side = sim_session_side(network, frame->from, frame->to);

	if (side->pair->session == frame->session) {
		side->queued[frame->class] -= frame->size;
		if (side->refused && side->up && side->queued[REPLICA_CLASS_STREAM] <= network->settings.bulk &&
		    !sim_scheduled(&side->room))
			sim_schedule(network->engine, &side->room, network->engine->now);
	}
	if (frame->all_previous)
		frame->all_previous->all_next = frame->all_next;
	else
		network->frames = frame->all_next;
	if (frame->all_next)
		frame->all_next->all_previous = frame->all_previous;
	release(frame);
}

void sim_network_drop_held(struct sim_side *side)
{
	struct sim_frame *frame = side->held.first, *next;

	for (; frame; frame = next) {
		next = frame->next;
		sim_frame_taken(frame);
	}
	side->held = (struct sim_frame_list){ 0 };
}

void sim_network_free(struct sim_network *network)
{
	struct sim_frame *frame = network->frames, *next;

	for (; frame; frame = next) {
		next = frame->all_next;
		release(frame);
	}
	network->frames = NULL;
}

uint64_t sim_network_delay(struct sim_network *network, int from, int to)
{
	const struct sim_network_settings *settings = &network->settings;
	uint64_t delay = settings->delay + sim_below(network->random, settings->jitter + 1) + network->extra[from][to];

	if (settings->tail && sim_chance(network->random, 1, settings->tail))
		delay += settings->delay * sim_between(network->random, 1, 50);
	return delay;
}

static void deliver(struct sim_frame *frame)
{
	struct sim_network *network = frame->network;
	const struct sim_side *receiver = sim_session_side(network, frame->to, frame->from);

	if (receiver->pair->session == frame->session && receiver->up && receiver->told && !receiver->dropping)
		network->user->frame(network, frame);
	else
		sim_frame_taken(frame);
}

static void hold(struct sim_side *side, struct sim_frame *frame)
{
	frame->next = NULL;
	if (side->held.last)
		side->held.last->next = frame;
	else
		side->held.first = frame;
	side->held.last = frame;
}

static void frame_arrives(struct sim_event *event)
{
	struct sim_frame *frame = SIM_OWNER(event, struct sim_frame, event);
	struct sim_network *network = frame->network;
	struct sim_side *side = sim_session_side(network, frame->from, frame->to);

	if (side->pair->session == frame->session && network->cut[frame->from][frame->to])
		hold(side, frame);
	else
		deliver(frame);
}

/* Nothing overtakes the first of a session, which says who it is. */
static void keep_first(struct sim_side *side, uint64_t time)
{
	for (int class = 0; class < SIM_CLASSES; class ++) {
		if (side->last[class])
			return;
	}
	for (int class = 0; class < SIM_CLASSES; class ++)
		side->last[class] = time;
}

static uint64_t arrival(struct sim_network *network, struct sim_side *side, const struct sim_frame *frame)
{
	const struct sim_side *receiver = &side->pair->sides[!side->self];
	uint64_t sent = network->engine->now, rate = network->rate[frame->from][frame->to], time;

	if (rate) {
		if (side->link_free > sent)
			sent = side->link_free;
		sent += frame->size * SIM_SECOND / rate;
		side->link_free = sent;
	}
	time = sent + sim_network_delay(network, frame->from, frame->to);
	if (time < side->last[frame->class])
		time = side->last[frame->class];
	if (time < receiver->told_at)
		time = receiver->told_at;
	keep_first(side, time);
	side->last[frame->class] = time;
	return time;
}

bool sim_network_send(struct sim_network *network, int from, int to, uint64_t session, enum replica_class class,
		      const void *head, size_t head_size, const void *data, size_t data_size)
{
	struct sim_side *side = sim_session_side(network, from, to);
	bool bulk = class == REPLICA_CLASS_BULK;
	size_t size = head_size + data_size;
	struct sim_frame *frame;

	if (side->pair->session != session || !side->up)
		return true;
	if (bulk)
		class = REPLICA_CLASS_STREAM;
	/* A queue takes one frame of any size. */
	if (side->queued[class] && (side->queued[class] + size > network->settings.queue ||
				    (bulk && side->queued[class] > network->settings.bulk))) {
		side->refused = true;
		return false;
	}
	side->queued[class] += size;
	frame = sim_new(sizeof(*frame));
	*frame = (struct sim_frame){ .event.fire = frame_arrives,
				     .network = network,
				     .from = from,
				     .to = to,
				     .class = class,
				     .session = session,
				     .size = size };
	frame->all_next = network->frames;
	if (network->frames)
		network->frames->all_previous = frame;
	network->frames = frame;
	frame->bytes = sim_resize(NULL, size);
	memcpy(frame->bytes, head, head_size);
	if (data_size)
		memcpy((unsigned char *)frame->bytes + head_size, data, data_size);
	sim_schedule(network->engine, &frame->event, arrival(network, side, frame));
	return true;
}

void sim_network_cut(struct sim_network *network, int from, int to)
{
	if (network->cut[from][to])
		return;
	network->cut[from][to] = true;
	sim_session_doubt(sim_session_side(network, from, to));
	sim_session_doubt(sim_session_side(network, to, from));
}

void sim_network_heal(struct sim_network *network, int from, int to)
{
	struct sim_side *side = sim_session_side(network, from, to);
	struct sim_frame_list held = side->held;

	if (!network->cut[from][to])
		return;
	network->cut[from][to] = false;
	side->held = (struct sim_frame_list){ 0 };
	sim_session_trust(side->pair);
	/* Now, before any that come after them. */
	while (held.first) {
		struct sim_frame *frame = held.first;

		held.first = frame->next;
		frame->next = NULL;
		deliver(frame);
	}
	sim_session_consider(side->pair);
}
