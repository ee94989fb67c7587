/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of sessions. Both sides of one are down, or it is coming up (a side is up, and not told yet), or up; it ends
 * on each side on its own: by the process, by silence, or because word comes that the other side has ended it.
 */
#include "sim_session.h"

struct sim_side *sim_session_side(struct sim_network *network, int self, int peer)
{
	return self < peer ? &network->pairs[self][peer].sides[0] : &network->pairs[peer][self].sides[1];
}

static struct sim_side *other(struct sim_side *side)
{
	return &side->pair->sides[!side->self];
}

static int member_of(const struct sim_side *side)
{
	return side->pair->members[side->self];
}

static int peer_of(const struct sim_side *side)
{
	return side->pair->members[!side->self];
}

static enum sim_peer_state state_of(const struct sim_side *side)
{
	struct sim_network *network = side->pair->network;

	return network->user->state(network, member_of(side));
}

/* Something about what this side does reaches the other. */
static bool reaches_other(const struct sim_side *side)
{
	return !side->pair->network->cut[member_of(side)][peer_of(side)] && state_of(side) != SIM_PEER_OFF;
}

static void break_at(struct sim_side *side, uint64_t time, bool doubted)
{
	if (sim_scheduled(&side->broken) && side->broken.time <= time)
		return;
	side->doubted = doubted;
	sim_schedule(side->pair->network->engine, &side->broken, time);
}

static uint64_t give_up_time(struct sim_network *network)
{
	uint64_t timeout = network->settings.timeout;

	return network->engine->now + sim_between(network->random, timeout / 2, timeout + timeout / 2);
}

void sim_session_doubt(struct sim_side *side)
{
	if (side->up)
		break_at(side, give_up_time(side->pair->network), true);
}

/* Word that this side has ended the session goes to the other: after what was sent before it, or it is lost. */
static void tell_end(struct sim_side *side)
{
	struct sim_network *network = side->pair->network;
	struct sim_side *peer = other(side);
	uint64_t time = network->engine->now;

	if (!peer->up)
		return;
	if (!reaches_other(side)) {
		break_at(peer, give_up_time(network), false);
		return;
	}
	if (sim_chance(network->random, 1, 2)) {
		peer->dropping = true;
	} else {
		for (int class = 0; class < SIM_CLASSES; class ++) {
			if (side->last[class] > time)
				time = side->last[class];
		}
	}
	break_at(peer, time + sim_network_delay(network, member_of(side), peer_of(side)), false);
}

static void end_here(struct sim_side *side)
{
	struct sim_engine *engine = side->pair->network->engine;

	side->up = side->told = side->refused = false;
	sim_cancel(engine, &side->room);
	sim_cancel(engine, &side->tell);
	sim_cancel(engine, &side->broken);
	sim_network_drop_held(other(side));
	tell_end(side);
}

static void broken(struct sim_event *event)
{
	struct sim_side *side = SIM_OWNER(event, struct sim_side, broken);
	struct sim_network *network = side->pair->network;
	bool told = side->told;

	end_here(side);
	if (told)
		network->user->disconnected(network, member_of(side), peer_of(side), side->pair->session);
	sim_session_consider(side->pair);
}

static void tell(struct sim_event *event)
{
	struct sim_side *side = SIM_OWNER(event, struct sim_side, tell);
	struct sim_network *network = side->pair->network;

	side->told = true;
	network->user->connected(network, member_of(side), peer_of(side), side->pair->session);
}

/* What went into the queue meanwhile is of no matter: it is asked again, and refused again. */
static void room(struct sim_event *event)
{
	struct sim_side *side = SIM_OWNER(event, struct sim_side, room);
	struct sim_network *network = side->pair->network;

	side->refused = false;
	network->user->room(network, member_of(side), peer_of(side), side->pair->session);
}

static bool can_connect(struct sim_pair *pair)
{
	const struct sim_network *network = pair->network;
	int a = pair->members[0], b = pair->members[1];

	return !network->cut[a][b] && !network->cut[b][a] && !pair->sides[0].up && !pair->sides[1].up &&
	       state_of(&pair->sides[0]) == SIM_PEER_RUNNING && state_of(&pair->sides[1]) == SIM_PEER_RUNNING;
}

static void connect_now(struct sim_event *event)
{
	struct sim_pair *pair = SIM_OWNER(event, struct sim_pair, connect);
	struct sim_network *network = pair->network;
	uint64_t first = sim_below(network->random, 2), now = network->engine->now;

	if (!can_connect(pair)) {
		sim_session_consider(pair);
		return;
	}
	pair->session = ++network->sessions;
	for (uint64_t i = 0; i < 2; i++) {
		struct sim_side *side = &pair->sides[i];

		sim_network_drop_held(side);
		side->up = true;
		side->told = side->dropping = side->doubted = side->refused = false;
		side->link_free = 0;
		for (int class = 0; class < SIM_CLASSES; class ++)
			side->queued[class] = side->last[class] = 0;
		side->told_at =
			i == first ? now : now + sim_network_delay(network, pair->members[first], member_of(side));
		sim_schedule(network->engine, &side->tell, side->told_at);
	}
}

void sim_session_init(struct sim_network *network, int a, int b)
{
	struct sim_pair *pair = &network->pairs[a][b];

	*pair = (struct sim_pair){ .network = network, .members = { a, b }, .connect.fire = connect_now };
	for (int i = 0; i < 2; i++)
		pair->sides[i] = (struct sim_side){
			.pair = pair, .self = i, .tell.fire = tell, .broken.fire = broken, .room.fire = room
		};
}

void sim_session_trust(struct sim_pair *pair)
{
	struct sim_network *network = pair->network;

	if (!pair->sides[0].up || !pair->sides[1].up || network->cut[pair->members[0]][pair->members[1]] ||
	    network->cut[pair->members[1]][pair->members[0]])
		return;
	for (int i = 0; i < 2; i++) {
		if (pair->sides[i].doubted && sim_chance(network->random, 3, 4))
			sim_cancel(network->engine, &pair->sides[i].broken);
	}
}

void sim_session_consider(struct sim_pair *pair)
{
	struct sim_network *network = pair->network;

	if (can_connect(pair)) {
		if (!sim_scheduled(&pair->connect))
			sim_schedule(network->engine, &pair->connect,
				     network->engine->now + sim_between(network->random, 1, network->settings.retry));
		return;
	}
	/* One that thinks it has a session hears otherwise from the host of the other. */
	for (int i = 0; i < 2; i++) {
		struct sim_side *side = &pair->sides[i];

		if (side->up && !other(side)->up && reaches_other(other(side)) && reaches_other(side))
			break_at(side,
				 network->engine->now + sim_network_delay(network, peer_of(side), member_of(side)),
				 false);
	}
}

void sim_network_hang_up(struct sim_network *network, int member, int peer, uint64_t session)
{
	struct sim_side *side = sim_session_side(network, member, peer);

	if (side->pair->session != session || !side->up)
		return;
	end_here(side);
	sim_session_consider(side->pair);
}

static void consider_all(struct sim_network *network, int member)
{
	for (int peer = 0; peer < network->members; peer++) {
		if (peer != member)
			sim_session_consider(sim_session_side(network, member, peer)->pair);
	}
}

void sim_network_started(struct sim_network *network, int member)
{
	consider_all(network, member);
}

void sim_network_died(struct sim_network *network, int member)
{
	for (int peer = 0; peer < network->members; peer++) {
		if (peer != member) {
			struct sim_side *side = sim_session_side(network, member, peer);

			if (side->up)
				end_here(side);
		}
	}
}

void sim_network_stopped(struct sim_network *network, int member)
{
	for (int peer = 0; peer < network->members; peer++) {
		if (peer != member && sim_chance(network->random, 3, 4))
			sim_session_doubt(sim_session_side(network, peer, member));
	}
}

void sim_network_continued(struct sim_network *network, int member)
{
	for (int peer = 0; peer < network->members; peer++) {
		if (peer != member)
			sim_session_trust(sim_session_side(network, member, peer)->pair);
	}
	consider_all(network, member);
}

void sim_network_break(struct sim_network *network, int a, int b)
{
	struct sim_side *side = sim_session_side(network, a, b);

	if (side->up)
		break_at(side, network->engine->now + 1, false);
}
