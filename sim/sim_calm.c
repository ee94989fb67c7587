/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calm after the faults: see the header.
 */
#include "sim_calm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core.h"
#include "sim_action.h"
#include "sim_host.h"

/* A process with a shorter list is started again. */
static void all_are_listed(struct sim_host *host)
{
	host->listed = 0;
	if (host->process && host->process->members != host->world->members)
		sim_host_kill(host);
}

/* NULL: it does not run. */
static const struct replica *core_of(const struct sim_world *world, int member)
{
	const struct sim_process *process = world->hosts[member].process;

	return process && !process->ending && !process->broken ? process->replica : NULL;
}

/* In sync, and nothing of it is lost: the process that was admitted, whose disk did not fail. */
static bool is_well(const struct sim_world *world, int member, const struct replica_configuration *configuration)
{
	const struct replica *core = core_of(world, member);

	return core && peer_is_named(core, member, configuration) && !core->reign.disk_failed &&
	       !core->durable.now.flush_failed && !core->durable.now.given_up.epoch && !core->stopping &&
	       !core->decision.learning;
}

bool sim_calm_can_do_without(const struct sim_world *world, member_set gone)
{
	uint64_t decided = 0, copies = 0;
	int voters = 0;

	for (int i = 0; i < world->members; i++) {
		const struct replica *core = core_of(world, i);

		/* One that does not run may have accepted what nobody knows of; what operators ordered is for them. */
		if (!core || core_configuration(core)->dead || core->durable.now.given_up.epoch)
			return false;
		if (core->decision.decided && core_configuration(core)->epoch > decided)
			decided = core_configuration(core)->epoch;
		copies += !member_in(gone, i) && !world->hosts[i].diskless;
		voters += !member_in(gone, i) && decision_votes(core, core_configuration(core)->epoch + 1) &&
			  !core->stopping;
	}
	if (!decided || voters <= world->members / 2 || copies < world->settings.min_in_sync)
		return false;
	for (int i = 0; i < world->members; i++) {
		const struct replica_configuration *configuration = core_configuration(core_of(world, i));
		bool any = false;

		if (configuration->epoch < decided)
			continue;
		for (int k = 0; k < world->members; k++)
			any |= !member_in(gone, k) && is_well(world, k, configuration);
		if (!any)
			return false;
	}
	return true;
}

void sim_calm_begin(struct sim_world *world)
{
	sim_trace(world, NO_MEMBER, "calm");
	world->calm = true;
	for (int a = 0; a < world->members; a++) {
		for (int b = 0; b < world->members; b++) {
			if (a == b)
				continue;
			world->network.rate[a][b] = world->network.extra[a][b] = 0;
			sim_network_heal(&world->network, a, b);
		}
	}
	for (int member = 0; member < world->members; member++) {
		struct sim_host *host = &world->hosts[member];

		sim_disks_well(host);
		for (uint64_t device = 0; device < world->settings.devices; device++)
			host->disks[device].hung_until = 0;
		host->state.hung_until = host->state.errors = 0;
		sim_images_back(host);
		all_are_listed(host);
		sim_host_continue(host);
		if (member_in(world->away, member))
			sim_host_power_cut(host);
		else
			sim_host_start(host);
	}
	sim_views_change(world);
}

static const char *member_missing(struct sim_world *world, int member, const struct replica_status *primary)
{
	static char text[160];
	const struct sim_host *host = &world->hosts[member];
	struct replica_status status;
	enum replica_member_state state = primary->members[member].state;

	if (member_in(world->away, member))
		return NULL;
	if (!host->process || host->process->stopped || host->process->ending || host->process->broken) {
		snprintf(text, sizeof(text), "%c does not run", sim_letter(member));
		return text;
	}
	replica_status(host->process->replica, &status);
	if (!status.votes) {
		snprintf(text, sizeof(text), "%c has no vote (%s)", sim_letter(member),
			 status.blocked ? status.blocked : "nothing is waited for");
		return text;
	}
	if (status.configuration.epoch != primary->configuration.epoch || !status.decided) {
		snprintf(text, sizeof(text), "%c is at epoch %" PRIu64 ", the primary at %" PRIu64, sim_letter(member),
			 status.configuration.epoch, primary->configuration.epoch);
		return text;
	}
	if (state != REPLICA_MEMBER_DISKLESS && state != REPLICA_MEMBER_IN_SYNC) {
		snprintf(text, sizeof(text), "%c is not in sync: state %d, %" PRIu64 " bytes left (%s)",
			 sim_letter(member), (int)state, primary->members[member].out_of_sync,
			 status.blocked ? status.blocked : "nothing is waited for");
		return text;
	}
	/* One that was started anew, perhaps with another image, is in sync until the primary has heard of it. */
	if (member_in(primary->configuration.in_sync, member) &&
	    !process_same(primary->configuration.processes[member], host->process->id)) {
		snprintf(text, sizeof(text), "%c is another process than the one in sync", sim_letter(member));
		return text;
	}
	return NULL;
}

/* The generation that it is of; 0: none, or it does not run. */
static uint64_t generation_of(const struct sim_world *world, int member)
{
	const struct sim_process *process = world->hosts[member].process;
	struct replica_status status;

	if (!process || process->stopped || process->ending || process->broken)
		return 0;
	replica_status(process->replica, &status);
	return status.configuration.generation.number;
}

static bool is_to_be_discarded(const struct sim_world *world, int member)
{
	uint64_t own = generation_of(world, member);
	struct replica_status status;

	if (!own)
		return false;
	replica_status(world->hosts[member].process->replica, &status);
	for (int other = 0; other < world->members; other++) {
		uint64_t theirs = member_in(status.parted, other) ? generation_of(world, other) : 0;

		if (theirs > own || (theirs == own && other < member))
			return true;
	}
	return false;
}

void sim_calm_operator(struct sim_world *world)
{
	for (int member = 0; member < world->members; member++) {
		const struct sim_action invalidate = { .kind = SIM_INVALIDATE };

		if (is_to_be_discarded(world, member)) {
			sim_trace(world, member, "is given the order to discard its copy");
			sim_order(&world->hosts[member], &invalidate);
		}
	}
}

static const char *nobody_serves(struct sim_world *world)
{
	static char text[7 * 100];

	snprintf(text, sizeof(text), "nobody serves:");
	for (int member = 0; member < world->members; member++) {
		struct replica_status status = { 0 };
		const struct sim_process *process = world->hosts[member].process;
		size_t length = strlen(text);

		if (process)
			replica_status(process->replica, &status);
		snprintf(text + length, sizeof(text) - length, " %c at epoch %" PRIu64 ": %s;", sim_letter(member),
			 status.configuration.epoch,
			 !process	  ? "it does not run"
			 : status.blocked ? status.blocked
					  : "nothing is waited for");
	}
	return text;
}

const char *sim_calm_missing(struct sim_world *world)
{
	const char *missing = NULL;

	for (int member = 0; member < world->members; member++) {
		const struct sim_process *process = world->hosts[member].process;
		struct replica_status status;

		if (!process || process->stopped || !process->serving)
			continue;
		replica_status(process->replica, &status);
		for (int other = 0; other < world->members && !missing; other++)
			missing = member_missing(world, other, &status);
		return missing;
	}
	return nobody_serves(world);
}
