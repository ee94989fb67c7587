/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: see the header.
 */
#include "sim_invariant.h"

#include <inttypes.h>
#include <string.h>

#include "sim_calm.h"
#include "sim_process.h"

#define WATCH_INTERVAL (2 * SIM_SECOND)

/* What a process thinks now, as far as its clock tells; `holds_lease` of before may have run out since its last event.
 */
static bool holds_now(struct sim_process *process, struct replica_status *status)
{
	replica_time(process->replica, sim_process_now(process));
	replica_status(process->replica, status);
	process->holds_lease = status->holds_lease;
	/* Arms it anew. */
	sim_schedule(&process->host->world->engine, &process->timer, process->host->world->engine.now);
	return status->holds_lease;
}

/* The first who knows of a new one has not answered in it yet. A set's first one loses nothing. */
static void look_at_generation(struct sim_world *world, const struct replica_status *status)
{
	uint32_t number = status->configuration.generation.number;

	if (!status->decided || !status->configuration.epoch || number <= world->generation)
		return;
	if (world->generation) {
		sim_trace(world, NO_MEMBER, "generation %" PRIu32 ": what was not flushed may be lost", number);
		history_may_lose(world->history, world->engine.now, number);
	}
	world->generation = number;
}

/* Whoever is of one line does not go over to another before an operator says so. */
static void look_at_line(struct sim_host *host, const struct replica_status *status)
{
	if (!status->decided || status->configuration.epoch == host->line.epoch)
		return;
	if (replica_configuration_parted(&host->line, true, &status->configuration, true) ||
	    (member_in(status->configuration.dead, host->member) &&
	     replica_configuration_forked(&status->configuration, &host->line) && host->line.epoch))
		sim_fail(host->world, "%c went over to another line at epoch %" PRIu64, sim_letter(host->member),
			 status->configuration.epoch);
	host->line = status->configuration;
}

/*
 * One that is stopped answers nobody: whether it has a lease is asked in its first event after that.
 */
void sim_invariant_lease(struct sim_process *process)
{
	struct sim_world *world = process->host->world;
	struct replica_status status, other_status;

	replica_status(process->replica, &status);
	look_at_generation(world, &status);
	look_at_line(process->host, &status);
	process->serving = status.serving;
	if (status.serving && !status.holds_lease)
		sim_fail(world, "%c serves without a lease", sim_letter(process->host->member));
	process->holds_lease = status.holds_lease;
	if (!status.holds_lease)
		return;
	for (int member = 0; member < world->members; member++) {
		struct sim_process *other = world->hosts[member].process;

		if (!other || other == process || other->stopped || !other->holds_lease)
			continue;
		if (holds_now(other, &other_status))
			sim_fail(world, "two valid leases: %c in epoch %" PRIu64 ", %c in epoch %" PRIu64,
				 sim_letter(process->host->member), status.configuration.epoch, sim_letter(member),
				 other_status.configuration.epoch);
	}
}

static void compare(struct sim_world *world, const struct sim_host *a, const struct sim_host *b, uint64_t device)
{
	const unsigned char *one = a->disks[device].cache, *two = b->disks[device].cache;

	for (uint64_t at = 0; at < world->settings.size; at += SIM_SECTOR) {
		if (memcmp(one + at, two + at, SIM_SECTOR)) {
			sim_fail(world, "device %" PRIu64 " differs at byte %" PRIu64 " between %c and %c", device, at,
				 sim_letter(a->member), sim_letter(b->member));
			return;
		}
	}
}

/* One that is away in the calm lacks what came since, or has what nobody was answered. */
static bool has_image(const struct sim_world *world, int member)
{
	return !world->hosts[member].diskless && !member_in(world->away, member);
}

void sim_invariant_images(struct sim_world *world)
{
	int first = 0;

	while (first < world->members && !has_image(world, first))
		first++;
	for (int member = first + 1; member < world->members; member++) {
		if (!has_image(world, member))
			continue;
		for (uint64_t device = 0; device < world->settings.devices; device++)
			compare(world, &world->hosts[first], &world->hosts[member], device);
	}
}

/* Nobody waits for anything: no request, no disk, no frame but those that renew. */
static bool is_quiet(const struct sim_world *world)
{
	struct replica_status status;

	if (world->outstanding)
		return false;
	for (int member = 0; member < world->members; member++) {
		const struct sim_process *process = world->hosts[member].process;

		if (!process)
			continue;
		replica_status(process->replica, &status);
		if (process->ios || process->saves || status.under_way)
			return false;
	}
	for (const struct sim_frame *frame = world->network.frames; frame; frame = frame->all_next) {
		if (frame->class == REPLICA_CLASS_STREAM)
			return false;
	}
	return true;
}

static void watch(struct sim_event *event)
{
	struct sim_world *world = SIM_OWNER(event, struct sim_world, watch);

	if (is_quiet(world) && !sim_calm_missing(world)) {
		world->counts.compared++;
		sim_invariant_images(world);
	}
	sim_schedule(&world->engine, event, world->engine.now + WATCH_INTERVAL);
}

void sim_invariant_watch(struct sim_world *world)
{
	world->watch.fire = watch;
	sim_schedule(&world->engine, &world->watch, world->engine.now + WATCH_INTERVAL);
}
