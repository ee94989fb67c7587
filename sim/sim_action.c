/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions of a schedule: see the header, and sim_schedule.h for what each is.
 */
#include "sim_action.h"

#include "sim_calm.h"
#include "sim_client.h"
#include "sim_contents.h"
#include "sim_host.h"
#include "sim_process.h"

#define HURT_SETTLES (10 * SIM_SECOND)

static void cut(struct sim_world *world, int a, int b, bool both)
{
	sim_network_cut(&world->network, a, b);
	if (both)
		sim_network_cut(&world->network, b, a);
	sim_views_change(world);
}

static void heal(struct sim_world *world, const struct sim_action *action)
{
	for (int a = 0; a < world->members; a++) {
		for (int b = 0; b < world->members; b++) {
			if (a == b)
				continue;
			if (action->nr_members == 2 && (a != action->members[0] || b != action->members[1]) &&
			    (a != action->members[1] || b != action->members[0]))
				continue;
			sim_network_heal(&world->network, a, b);
		}
	}
	sim_views_change(world);
}

static void isolate(struct sim_world *world, int member)
{
	for (int other = 0; other < world->members; other++) {
		if (other != member)
			cut(world, member, other, true);
	}
}

void sim_disks_well(struct sim_host *host)
{
	for (uint64_t device = 0; device < host->world->settings.devices; device++) {
		struct sim_disk *disk = &host->disks[device];

		disk->slow = disk->write_errors = disk->read_errors = disk->flush_errors = 0;
		disk->full = disk->evict = false;
	}
}

void sim_images_back(struct sim_host *host)
{
	bool was_away = false;

	for (uint64_t device = 0; device < host->world->settings.devices; device++) {
		was_away |= host->disks[device].missing;
		was_away |= host->disks[device].smaller;
		host->disks[device].missing = host->disks[device].smaller = false;
	}
	if (was_away && host->process) {
		sim_host_kill(host);
		sim_host_start(host);
	}
}

/* All images of the host. */
static void do_disk(struct sim_host *host, const struct sim_action *action)
{
	struct sim_world *world = host->world;
	uint64_t number = action->numbers[0];

	for (uint64_t device = 0; device < world->settings.devices && !host->diskless; device++) {
		struct sim_disk *disk = &host->disks[device];

		switch (action->kind) {
		case SIM_DISK_HANG:
			disk->hung_until = world->engine.now + number;
			break;
		case SIM_DISK_SLOW:
			disk->slow = number;
			break;
		case SIM_DISK_WRITE_ERRORS:
			disk->write_errors = number;
			break;
		case SIM_DISK_READ_ERRORS:
			disk->read_errors = number;
			break;
		case SIM_DISK_FLUSH_ERRORS:
			disk->flush_errors = number;
			break;
		case SIM_DISK_EVICT:
			disk->evict = true;
			break;
		case SIM_DISK_FULL:
			disk->full = true;
			break;
		case SIM_IMAGE_REPLACE:
			sim_disk_replace(disk, sim_random(&world->host_random) | 1);
			break;
		case SIM_IMAGE_MISSING:
			disk->missing = true;
			break;
		case SIM_IMAGE_SMALLER:
			disk->smaller = true;
			break;
		default:
			sim_disks_well(host);
		}
	}
}

static enum metadata_kind piece_kind(uint64_t number)
{
	return number < SIM_PIECE_LOG ? METADATA_SLOT : number < SIM_PIECE_BITS ? METADATA_LOG : METADATA_BITS;
}

static void do_meta(struct sim_host *host, const struct sim_action *action)
{
	uint64_t number = action->numbers[0];

	/* What it knew is gone, or older. */
	if (action->kind >= SIM_META_FLIP && action->kind != SIM_META_KEEP)
		host->line = (struct replica_configuration){ 0 };
	switch (action->kind) {
	case SIM_META_HANG:
		host->state.hung_until = host->world->engine.now + number;
		break;
	case SIM_META_ERRORS:
		host->state.errors = number;
		break;
	case SIM_META_FLIP:
		sim_state_flip(&host->state, piece_kind(number), (uint32_t)number, &host->world->host_random);
		break;
	case SIM_META_REMOVE:
		sim_state_remove(&host->state, piece_kind(number), (uint32_t)number);
		break;
	case SIM_META_WIPE:
		sim_state_wipe(&host->state);
		break;
	case SIM_META_COOL:
		sim_state_cool(&host->state);
		break;
	case SIM_META_KEEP:
		sim_state_keep(&host->state);
		host->kept_epoch = host->line.epoch;
		break;
	default:
		sim_state_put_back(&host->state);
	}
}

static member_set set_of(const int *members, int count)
{
	member_set set = 0;

	for (int i = 0; i < count; i++)
		set |= member_bit(members[i]);
	return set;
}

void sim_order(struct sim_host *host, const struct sim_action *action)
{
	struct sim_world *world = host->world;
	struct sim_process *process = host->process;
	const char *why = "";
	int result;

	if (!process || process->stopped || process->ending)
		return;
	if (action->kind == SIM_INVALIDATE) {
		result = replica_invalidate(process->replica, sim_process_now(process), &why);
		if (!result)
			host->line = (struct replica_configuration){ 0 };
	} else if (action->kind == SIM_PROMOTE)
		result = replica_promote(process->replica, sim_process_now(process), action->members[0], &why);
	else
		result = replica_force(process->replica, sim_process_now(process),
				       set_of(action->others, action->nr_others), &why);
	if (result)
		sim_trace(world, process->host->member, "the order is refused: %s", why);
	sim_process_after(process);
}

static void show_view(struct sim_host *host, const struct sim_action *action)
{
	struct sim_item item = { .kind = SIM_ITEM_VIEW,
				 .view = member_bit(host->member) | set_of(action->others, action->nr_others) };

	if (host->process)
		sim_process_happens(host->process, SIM_SOURCE_VIEW, &item);
}

static void wish(struct sim_host *host, const struct sim_action *action)
{
	uint64_t blocks = host->world->settings.size / SIM_CONTENTS_BLOCK;
	struct sim_wish wish = { .stable = action->kind == SIM_FUA };

	wish.kind = action->kind == SIM_READ	 ? ENTRY_READ
		    : action->kind == SIM_ZEROES ? ENTRY_ZEROES
		    : action->kind == SIM_FLUSH	 ? ENTRY_FLUSH
						 : ENTRY_WRITE;
	if (wish.kind != ENTRY_FLUSH) {
		uint64_t first = action->numbers[0], count = action->numbers[1];

		if (!count || first >= blocks || count > blocks - first) {
			sim_fail(host->world, "the schedule asks for blocks that there are not");
			return;
		}
		wish.position = first * SIM_CONTENTS_BLOCK;
		wish.length = count * SIM_CONTENTS_BLOCK;
	}
	sim_client_wish(host, &wish);
}

static void do_link(struct sim_world *world, const struct sim_action *action)
{
	int a = action->members[0], b = action->nr_others ? action->others[0] : action->members[1];

	switch (action->kind) {
	case SIM_CUT:
	case SIM_CUT_ONE_WAY:
		cut(world, a, b, action->kind == SIM_CUT);
		break;
	case SIM_HEAL:
		heal(world, action);
		break;
	case SIM_HEAL_ONE_WAY:
		sim_network_heal(&world->network, a, b);
		sim_views_change(world);
		break;
	case SIM_BREAK:
		sim_network_break(&world->network, a, b);
		break;
	case SIM_SLOW:
		world->network.rate[a][b] = world->network.rate[b][a] = action->numbers[0];
		break;
	default:
		world->network.extra[a][b] = world->network.extra[b][a] = action->numbers[0];
	}
}

static void do_host(struct sim_host *host, const struct sim_action *action)
{
	switch (action->kind) {
	case SIM_START:
		sim_host_start(host);
		break;
	case SIM_KILL:
		sim_host_kill(host);
		break;
	case SIM_TERMINATE:
		sim_host_terminate(host);
		break;
	case SIM_STOP:
		sim_host_stop(host);
		break;
	case SIM_CONTINUE:
		sim_host_continue(host);
		break;
	case SIM_POWER:
		sim_host_power_cut(host);
		break;
	case SIM_DRIFT:
		sim_clock_drift(&host->clock, host->world->engine.now,
				(int32_t)((int64_t)action->numbers[0] - 1000000));
		break;
	case SIM_ISOLATE:
		isolate(host->world, host->member);
		break;
	case SIM_IMAGE_BACK:
		sim_images_back(host);
		break;
	case SIM_LIST:
		host->listed = action->numbers[0];
		break;
	case SIM_VERSION:
		host->made_up = action->numbers[0] == 2;
		break;
	case SIM_VIEW:
		show_view(host, action);
		break;
	case SIM_PROMOTE:
	case SIM_FORCE:
	case SIM_INVALIDATE:
		sim_order(host, action);
		break;
	case SIM_DIE:
		sim_client_kill(host);
		break;
	case SIM_WRITE:
	case SIM_READ:
	case SIM_ZEROES:
	case SIM_FLUSH:
	case SIM_FUA:
		wish(host, action);
		break;
	default:
		if (action->kind >= SIM_META_HANG && action->kind <= SIM_META_OLD)
			do_meta(host, action);
		else
			do_disk(host, action);
	}
}

/* What makes things better is done at any time. */
static bool helps(enum sim_action_kind kind)
{
	return kind == SIM_START || kind == SIM_CONTINUE || kind == SIM_HEAL || kind == SIM_HEAL_ONE_WAY ||
	       kind == SIM_DISK_WELL || kind == SIM_IMAGE_BACK || kind == SIM_META_KEEP || kind >= SIM_WAKE;
}

/*
 * The copy of a disk that fails, or that the next process is not to trust, is none, which the others know later: until
 * then all seem to be well, and the only good copy would be hurt.
 */
static bool disk_fails(const struct sim_world *world)
{
	for (int member = 0; member < world->members; member++) {
		const struct sim_host *host = &world->hosts[member];

		for (uint64_t device = 0; device < world->settings.devices && !host->diskless; device++) {
			const struct sim_disk *disk = &host->disks[device];

			if (disk->write_errors || disk->read_errors || disk->flush_errors || disk->missing)
				return true;
		}
		if (host->disk_failed && world->engine.now - host->disk_failed < HURT_SETTLES)
			return true;
	}
	return false;
}

static bool breaks_disk(enum sim_action_kind kind)
{
	return kind == SIM_DISK_WRITE_ERRORS || kind == SIM_DISK_READ_ERRORS || kind == SIM_DISK_FLUSH_ERRORS;
}

/* Whether it may be done now; a careful one kills its member, and what is old is started again at once. */
static bool may(struct sim_world *world, const struct sim_action *action)
{
	struct sim_host *host = &world->hosts[action->members[0]];

	if (world->shielded) {
		if (!sim_calm_missing(world))
			world->shielded = false;
		else if (!helps(action->kind))
			return false;
	}
	/* As the other way round: see disk_fails(). Nor is what is left of its metadata torn. */
	if ((breaks_disk(action->kind) || action->kind == SIM_META_ERRORS) && world->hurt &&
	    world->engine.now - world->hurt < HURT_SETTLES)
		return false;
	/* That a flush failed is to be saved: a process that ends before that is taken for one that was killed before.
	 */
	if (action->kind == SIM_META_ERRORS && disk_fails(world))
		return false;
	/* What a process saves goes to the file that it has open, which is as gone as what was in it. */
	if (action->kind == SIM_META_REMOVE && action->numbers[0] == SIM_PIECE_BITS && !action->careful &&
	    host->process)
		return false;
	if (!action->careful)
		return true;
	if (sim_calm_missing(world) || disk_fails(world) || (action->kind == SIM_META_OLD && !host->state.was_kept))
		return false;
	/* Nobody has seen newer: that it is old cannot be noticed. */
	if (action->kind == SIM_META_OLD && host->line.epoch <= host->kept_epoch)
		return false;
	/* Of two votes neither can be spared: who has lost its promises waits for an operator. */
	if (world->members == 2 && (action->kind == SIM_META_OLD || action->kind == SIM_META_WIPE))
		return false;
	sim_host_kill(host);
	world->hurt = world->engine.now;
	if (action->kind == SIM_META_OLD) {
		world->shielded = true;
		sim_host_start(host);
	}
	return true;
}

static void act(struct sim_world *world, const struct sim_action *action)
{
	char text[200];

	sim_action_print(action, text, sizeof(text));
	if (!may(world, action)) {
		sim_trace(world, NO_MEMBER, "not now: %s", text);
		world->counts.skipped++;
		return;
	}
	sim_trace(world, NO_MEMBER, "%s", text);
	sim_digest(world, (uint64_t)action->kind, action->numbers[0]);
	world->counts.actions++;
	if (action->kind == SIM_CUT || action->kind == SIM_CUT_ONE_WAY || action->kind == SIM_HEAL ||
	    action->kind == SIM_HEAL_ONE_WAY || action->kind == SIM_BREAK || action->kind == SIM_SLOW ||
	    action->kind == SIM_DELAY) {
		do_link(world, action);
	} else {
		for (int i = 0; i < action->nr_members; i++)
			do_host(&world->hosts[action->members[i]], action);
	}
	if (action->kind < SIM_WRITE)
		sim_clients_wake(world);
}

static void play(struct sim_event *event)
{
	struct sim_player *player = SIM_OWNER(event, struct sim_player, event);

	act(player->world, &player->schedule->actions[player->next++]);
	if (player->next < player->schedule->count)
		sim_schedule(&player->world->engine, &player->event, player->schedule->actions[player->next].from);
}

const char *sim_player_start(struct sim_player *player, struct sim_world *world, const struct sim_schedule *schedule)
{
	*player = (struct sim_player){ .world = world, .schedule = schedule, .event.fire = play };
	for (size_t i = 0; i < schedule->count; i++) {
		const struct sim_action *action = &schedule->actions[i];

		for (int j = 0; j < action->nr_members; j++) {
			if (action->members[j] >= world->members)
				return "the schedule names a member that the set does not have";
		}
		if (action->kind == SIM_LIST && action->numbers[0] > (uint64_t)world->members)
			return "the schedule lists members that the set does not have";
		for (int j = 0; j < action->nr_others; j++) {
			if (action->others[j] >= world->members)
				return "the schedule names a member that the set does not have";
		}
	}
	if (schedule->count)
		sim_schedule(&world->engine, &player->event, schedule->actions[0].from);
	return NULL;
}
