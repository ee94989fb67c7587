/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts: see the header.
 */
#include "sim_host.h"

#include "sim_client.h"
#include "sim_process.h"
#include "sim_store.h"

#define END_LIMIT (5 * SIM_SECOND) /* who does not stop by itself is killed */

static struct sim_host *host_of(struct sim_network *network, int member)
{
	return &SIM_OWNER(network, struct sim_world, network)->hosts[member];
}

/* ---- the network ---- */

static enum sim_peer_state peer_state(struct sim_network *network, int member)
{
	const struct sim_host *host = host_of(network, member);

	if (!host->on)
		return SIM_PEER_OFF;
	if (!host->process || host->process->ending)
		return SIM_PEER_DEAD;
	return host->process->stopped ? SIM_PEER_STOPPED : SIM_PEER_RUNNING;
}

static void session_happens(struct sim_network *network, int member, int peer, uint64_t session,
			    enum sim_item_kind kind)
{
	struct sim_item item = { .kind = kind, .peer = peer, .session = session };

	sim_process_happens(host_of(network, member)->process, SIM_SOURCE_SESSION + (unsigned int)peer, &item);
}

static void connected(struct sim_network *network, int member, int peer, uint64_t session)
{
	session_happens(network, member, peer, session, SIM_ITEM_CONNECTED);
}

static void disconnected(struct sim_network *network, int member, int peer, uint64_t session)
{
	session_happens(network, member, peer, session, SIM_ITEM_DISCONNECTED);
}

static void room(struct sim_network *network, int member, int peer, uint64_t session)
{
	session_happens(network, member, peer, session, SIM_ITEM_ROOM);
}

static void frame(struct sim_network *network, struct sim_frame *frame)
{
	struct sim_item item = { .kind = SIM_ITEM_FRAME, .frame = frame };

	sim_process_happens(host_of(network, frame->to)->process, SIM_SOURCE_SESSION + (unsigned int)frame->from,
			    &item);
}

const struct sim_network_user sim_host_network_user = {
	.state = peer_state,
	.connected = connected,
	.disconnected = disconnected,
	.room = room,
	.frame = frame,
};

/* ---- start and end ---- */

/* Its memory is new: another boot, and a clock that starts anywhere and runs as wrong as it may. */
static void boot(struct sim_host *host)
{
	struct sim_random *random = &host->world->host_random;
	uint64_t drift = host->world->settings.drift;

	host->on = true;
	host->boot = sim_random(random) | 1;
	host->clock.true_base = host->world->engine.now;
	host->clock.base = sim_spread(random, 1, 1000000 * SIM_SECOND);
	host->clock.drift = (int32_t)sim_below(random, 2 * drift + 1) - (int32_t)drift;
}

static void start_now(struct sim_event *event)
{
	struct sim_host *host = SIM_OWNER(event, struct sim_host, start);
	struct sim_world *world = host->world;
	const char *why;

	if (host->process && host->process->broken)
		sim_host_kill(host);
	if (host->process)
		return;
	if (sim_store_free_at(host) > world->engine.now) {
		sim_schedule(&world->engine, &host->start, sim_store_free_at(host));
		return;
	}
	if (!host->on)
		boot(host);
	if (!sim_process_start(host, &why)) {
		sim_trace(world, host->member, "does not start: %s", why);
		if (!member_in(world->expect_refused, host->member))
			sim_fail(world, "%c does not start: %s", sim_letter(host->member), why);
		return;
	}
	sim_network_started(&world->network, host->member);
	sim_clients_start(host);
	sim_views_change(world);
}

static void end_now(struct sim_event *event)
{
	struct sim_host *host = SIM_OWNER(event, struct sim_host, end);

	sim_host_kill(host);
	if (host->again || host->world->calm)
		sim_host_start(host);
}

void sim_host_init(struct sim_world *world, int member)
{
	struct sim_host *host = &world->hosts[member];

	*host = (struct sim_host){ .world = world, .member = member, .start.fire = start_now, .end.fire = end_now };
	host->diskless = (uint64_t)member >= world->settings.copies;
	for (uint64_t device = 0; device < world->settings.devices && !host->diskless; device++)
		sim_disk_init(&host->disks[device], world->settings.size, sim_random(&world->host_random) | 1);
	boot(host);
	sim_view_init(host);
	sim_clients_init(host);
}

void sim_host_free(struct sim_host *host)
{
	if (host->process)
		sim_process_die(host->process);
	sim_clients_free(host);
	sim_state_free(&host->state);
	for (int device = 0; device < REPLICA_DEVICES_MAX; device++)
		sim_disk_free(&host->disks[device]);
}

void sim_host_start(struct sim_host *host)
{
	struct sim_world *world = host->world;

	host->again = host->process && host->process->ending;
	if (!host->process)
		sim_schedule(&world->engine, &host->start,
			     world->engine.now + sim_spread(&world->host_random, 1, 20 * SIM_MILLISECOND));
}

void sim_host_kill(struct sim_host *host)
{
	struct sim_world *world = host->world;

	sim_cancel(&world->engine, &host->start);
	sim_cancel(&world->engine, &host->end);
	if (!host->process)
		return;
	sim_trace(world, host->member, "dies");
	sim_process_die(host->process);
	sim_network_died(&world->network, host->member);
	sim_views_change(world);
}

void sim_host_terminate(struct sim_host *host)
{
	struct sim_world *world = host->world;

	if (!host->process || host->process->stopped || host->process->ending)
		return;
	host->process->ending = true;
	sim_schedule(&world->engine, &host->end, world->engine.now + END_LIMIT);
	replica_stop(host->process->replica, sim_process_now(host->process));
	sim_process_after(host->process);
}

void sim_host_stop(struct sim_host *host)
{
	if (!host->process || host->process->stopped || host->process->ending)
		return;
	sim_process_stop(host->process);
	sim_network_stopped(&host->world->network, host->member);
}

void sim_host_continue(struct sim_host *host)
{
	if (!host->process || !host->process->stopped)
		return;
	sim_process_continue(host->process);
	sim_network_continued(&host->world->network, host->member);
}

void sim_host_power_cut(struct sim_host *host)
{
	struct sim_world *world = host->world;

	if (!host->on)
		return;
	history_power(world->history, world->engine.now, host->member);
	host->on = false;
	sim_host_kill(host);
	sim_state_power_cut(&host->state, &world->disk_random);
	host->state.hung_until = 0;
	for (uint64_t device = 0; device < world->settings.devices && !host->diskless; device++) {
		sim_disk_power_cut(&host->disks[device], &world->disk_random);
		host->disks[device].hung_until = 0;
	}
}

void sim_host_look(struct sim_host *host)
{
	struct sim_world *world = host->world;
	const struct sim_process *process = host->process;

	if (process->ending && replica_stopped(process->replica) && host->end.time != world->engine.now)
		sim_schedule(&world->engine, &host->end, world->engine.now);
	/* The server ends with an error when its metadata fail; whoever supervises it starts it again. */
	if (process->broken && !sim_scheduled(&host->start))
		sim_schedule(&world->engine, &host->start,
			     world->engine.now + sim_spread(&world->host_random, SIM_MILLISECOND, SIM_SECOND));
}
