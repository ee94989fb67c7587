/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See replica_cluster.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"
#include "replica_cluster_world.h"

#define MINUTE UINT64_C(60000000000)
#define STEP   UINT64_C(10000) /* ns */

static struct cluster_process processes[CLUSTER_MEMBERS];

/* ---- processes ---- */

void cluster_init(struct cluster *cluster, int members, member_set diskless)
{
	memset(cluster, 0, sizeof(*cluster));
	cluster->members = members;
	cluster->now = UINT64_C(1000000000);
	cluster->random = 1;
	cluster->min_in_sync = 1;
	cluster->next_incarnation = 100;
	for (int i = 0; i < members; i++) {
		cluster->member[i].diskless = member_in(diskless, i);
		cluster->member[i].boot = (uint64_t)i + 1;
	}
}

static int setup(void **state, int members, member_set diskless)
{
	*state = malloc(sizeof(struct cluster));
	assert_non_null(*state);
	cluster_init(*state, members, diskless);
	return 0;
}

int cluster_setup(void **state)
{
	return setup(state, 3, 0);
}

int cluster_setup_five(void **state)
{
	return setup(state, 5, member_bit(D) | member_bit(E));
}

int cluster_teardown(void **state)
{
	cluster_end(*state);
	free(*state);
	return 0;
}

void cluster_settings(struct cluster *cluster, int index, struct replica_settings *settings)
{
	struct cluster_member *member = &cluster->member[index];

	*settings = (struct replica_settings){
		.members = cluster->members,
		.self = index,
		.nr_devices = 1,
		.process = { member->incarnation, member->boot },
		.lease = CLUSTER_LEASE,
		.drift = 1000,
		.heartbeat = CLUSTER_HEARTBEAT,
		.replica_timeout = CLUSTER_LEASE * 2,
		.election_delay = CLUSTER_LEASE / 2,
		.flush_interval = CLUSTER_LEASE,
		.open_grace = CLUSTER_GRACE,
		.min_in_sync = cluster->min_in_sync,
		.error_on_no_quorum = cluster->error_on_no_quorum,
		.window = 8,
		.window_bytes = 8 * MESSAGE_DATA_MAX,
		.requests = 16,
		.clients = 8,
		.block_size = CLUSTER_BLOCK,
		.extent_size = 4 * CLUSTER_BLOCK,
		.copy_size = 2 * CLUSTER_BLOCK,
		.copies = 2,
		.resync_rate = cluster->resync_rate,
	};
	for (int i = 0; i < cluster->members; i++)
		settings->list[i] = (struct listed_member){ (uint8_t)(i + 1), cluster->member[i].diskless };
	settings->devices[0] = (struct replica_device_settings){
		.name_checksum = 77,
		.size = CLUSTER_SIZE,
		.identity = (uint64_t)index + 1000 + 100 * member->images,
		.overlap_block = 512,
		.image = member->has_data ? REPLICA_IMAGE_DATA : REPLICA_IMAGE_NEW,
	};
	if (cluster->adjust)
		cluster->adjust(cluster, index, settings);
}

void cluster_start(struct cluster *cluster, int index)
{
	struct cluster_member *member = &cluster->member[index];
	struct replica_settings settings;
	struct metadata_place place = { .kind = METADATA_LOG };

	assert_null(member->replica);
	member->incarnation = ++cluster->next_incarnation;
	member->nr_saves = 0;
	member->nr_hung = 0;
	cluster_settings(cluster, index, &settings);
	processes[index] = (struct cluster_process){ cluster, index };
	assert_int_equal(replica_create(&member->replica, &settings, &cluster_world, &processes[index]), 0);
	for (uint32_t i = 0; i < 2; i++) {
		if (member->damaged_slots[i])
			assert_null(replica_load_slot(member->replica, i, NULL, 0));
		else if (member->saved_slots[i])
			assert_null(replica_load_slot(member->replica, i, member->slots[i], METADATA_SLOT_SIZE));
	}
	if (member->saved_log)
		assert_null(replica_load_sector(member->replica, &place, member->log, METADATA_SECTOR));
	place.kind = METADATA_BITS;
	for (place.member = 0; place.member < (uint32_t)cluster->members; place.member++) {
		if (member->saved_bits[place.member])
			assert_null(replica_load_sector(member->replica, &place, member->bits[place.member],
							METADATA_SECTOR));
	}
	replica_start(member->replica, cluster->now);
}

void cluster_start_all(struct cluster *cluster)
{
	for (int i = 0; i < cluster->members; i++)
		cluster_start(cluster, i);
}

void cluster_begin(struct cluster *cluster)
{
	cluster_start_all(cluster);
	cluster_until(cluster, cluster_serves, A);
	for (int i = 0; i < cluster->members; i++) {
		if (!cluster->member[i].diskless)
			cluster_until(cluster, cluster_in_sync, i);
	}
}

void cluster_begin_other(struct cluster *cluster, int members, member_set diskless)
{
	cluster_end(cluster);
	cluster_init(cluster, members, diskless);
	cluster_begin(cluster);
}

static void drop_frames(struct cluster *cluster, int a, int b)
{
	struct cluster_frame **at = &cluster->first, *frame;

	cluster->last = NULL;
	while ((frame = *at)) {
		if ((frame->from == a && frame->to == b) || (frame->from == b && frame->to == a)) {
			*at = frame->next;
			free(frame->bytes);
			free(frame);
		} else {
			cluster->last = frame;
			at = &frame->next;
		}
	}
}

/* A session that is up on any side ends on both. */
static void end_session(struct cluster *cluster, int a, int b)
{
	int side[2][2] = { { a, b }, { b, a } };

	drop_frames(cluster, a, b);
	for (int i = 0; i < 2; i++) {
		if (!cluster->up[side[i][0]][side[i][1]])
			continue;
		cluster->up[side[i][0]][side[i][1]] = false;
		if (cluster->member[side[i][0]].replica)
			replica_disconnected(cluster->member[side[i][0]].replica, cluster->now, side[i][1]);
	}
}

void cluster_kill(struct cluster *cluster, int index)
{
	struct cluster_member *member = &cluster->member[index];

	/* What is in the kernel of its host still happens. */
	for (int i = 0; i < member->nr_hung; i++)
		cluster_carry_out(member, member->hung[i]);
	member->nr_hung = 0;
	replica_destroy(member->replica);
	member->replica = NULL;
	for (int i = 0; i < cluster->members; i++)
		end_session(cluster, index, i);
}

void cluster_power(struct cluster *cluster, int index)
{
	struct cluster_member *member = &cluster->member[index];

	member->nr_hung = 0;
	if (member->replica)
		cluster_kill(cluster, index);
	memcpy(member->image, member->stable_image, CLUSTER_SIZE);
	member->boot += 100;
}

void cluster_replace(struct cluster *cluster, int index, unsigned char byte)
{
	struct cluster_member *member = &cluster->member[index];

	assert_null(member->replica);
	member->images++;
	memset(member->image, byte, CLUSTER_SIZE);
	memset(member->stable_image, byte, CLUSTER_SIZE);
}

void cluster_cut(struct cluster *cluster, int index, bool cut)
{
	cluster->member[index].cut = cut;
	for (int i = 0; i < cluster->members && cut; i++)
		end_session(cluster, index, i);
}

void cluster_cut_link(struct cluster *cluster, int a, int b, bool cut)
{
	cluster->link_cut[a][b] = cluster->link_cut[b][a] = cut;
	if (cut)
		end_session(cluster, a, b);
}

void cluster_lose(struct cluster *cluster, enum message_type type, int from)
{
	for (int i = 0; i < CLUSTER_MEMBERS; i++)
		cluster->lost[i] |= from == NO_MEMBER || from == i ? UINT64_C(1) << type : 0;
}

void cluster_lose_nothing(struct cluster *cluster)
{
	memset(cluster->lost, 0, sizeof(cluster->lost));
	cluster->loses = NULL;
}

void cluster_end(struct cluster *cluster)
{
	for (int i = 0; i < cluster->members; i++) {
		if (cluster->member[i].replica)
			cluster_kill(cluster, i);
	}
	while (cluster->first) {
		struct cluster_frame *frame = cluster->first;

		cluster->first = frame->next;
		free(frame->bytes);
		free(frame);
	}
}

/* ---- time ---- */

static void connect_all(struct cluster *cluster)
{
	for (int i = 0; i < cluster->members; i++) {
		for (int k = 0; k < i; k++) {
			struct cluster_member *a = &cluster->member[i], *b = &cluster->member[k];

			if (cluster->up[i][k] != cluster->up[k][i]) {
				end_session(cluster, i, k);
				cluster->again[i][k] = cluster->now + CLUSTER_HEARTBEAT / 4;
			}
			if (cluster->up[i][k] || !a->replica || !b->replica || a->cut || b->cut ||
			    cluster->link_cut[i][k] || cluster->now < cluster->again[i][k])
				continue;
			cluster->up[i][k] = true;
			cluster->up[k][i] = true;
			replica_connected(a->replica, cluster->now, k);
			replica_connected(b->replica, cluster->now, i);
		}
	}
}

static void deliver(struct cluster *cluster)
{
	struct cluster_frame *frame = cluster->first;
	unsigned int type = frame->bytes[4];

	cluster->first = frame->next;
	if (!cluster->first)
		cluster->last = NULL;
	cluster->delivered = frame->bytes;
	cluster->delivered_size = frame->size;
	if (cluster->up[frame->from][frame->to] && cluster->up[frame->to][frame->from] && !cluster->mute[frame->from] &&
	    !(cluster->lost[frame->from] >> type & 1) &&
	    !(cluster->loses && cluster->loses(cluster, frame->from, frame->to, type)))
		replica_frame(cluster->member[frame->to].replica, cluster->now, frame->from, frame->bytes, frame->size);
	else
		free(frame->bytes);
	free(frame);
}

static bool save_one(struct cluster *cluster, struct cluster_member *member)
{
	struct replica_save *save;

	if (!member->replica || member->saves_hang || member->nr_saves == 0)
		return false;
	save = member->save[0];
	memmove(member->save, member->save + 1, sizeof(struct replica_save *) * (size_t)--member->nr_saves);
	if (member->save_result) {
		replica_saved(member->replica, cluster->now, save, member->save_result);
		return true;
	}
	if (save->place.kind == METADATA_SLOT) {
		memcpy(member->slots[save->place.index], save->bytes, save->size);
		member->saved_slots[save->place.index] = true;
	} else if (save->place.kind == METADATA_LOG) {
		assert_true(save->place.index == 0); /* the device is small: one sector is all of it */
		memcpy(member->log, save->bytes, save->size);
		member->saved_log = true;
	} else {
		assert_true(save->place.index == 0 && save->place.member < CLUSTER_MEMBERS);
		memcpy(member->bits[save->place.member], save->bytes, save->size);
		member->saved_bits[save->place.member] = true;
	}
	replica_saved(member->replica, cluster->now, save, 0);
	return true;
}

static bool unhang_one(struct cluster *cluster, struct cluster_member *member)
{
	struct io *io;

	if (!member->replica || member->io_hangs || member->nr_hung == 0)
		return false;
	io = member->hung[0];
	memmove(member->hung, member->hung + 1, sizeof(struct io *) * (size_t)--member->nr_hung);
	io->result = cluster_carry_out(member, io);
	replica_io_done(member->replica, cluster->now, io);
	return true;
}

void cluster_come_back(struct cluster *cluster, int index, int which, int result)
{
	struct cluster_member *member = &cluster->member[index];
	struct io *io = member->hung[which];

	assert_true(member->nr_hung > which);
	memmove(member->hung + which, member->hung + which + 1,
		sizeof(struct io *) * (size_t)(--member->nr_hung - which));
	io->result = result;
	replica_io_done(member->replica, cluster->now, io);
}

static bool tell_of_room(struct cluster *cluster)
{
	for (int i = 0; i < cluster->members; i++) {
		for (int k = 0; k < cluster->members; k++) {
			if (!cluster->refused[i][k] || cluster_under_way(cluster, i, k) > cluster->bulk)
				continue;
			cluster->refused[i][k] = false;
			if (cluster->up[i][k] && cluster->member[i].replica) {
				replica_can_send(cluster->member[i].replica, cluster->now, k);
				return true;
			}
		}
	}
	return false;
}

static bool step(struct cluster *cluster)
{
	connect_all(cluster);
	if (tell_of_room(cluster))
		return true;
	if (cluster->first) {
		deliver(cluster);
		return true;
	}
	for (int i = 0; i < cluster->members; i++) {
		if (save_one(cluster, &cluster->member[i]) || unhang_one(cluster, &cluster->member[i]))
			return true;
	}
	return false;
}

static void fire_timers(struct cluster *cluster)
{
	for (int i = 0; i < cluster->members; i++) {
		struct replica *replica = cluster->member[i].replica;

		if (replica && replica_next_time(replica) <= cluster->now)
			replica_time(replica, cluster->now);
	}
}

void cluster_go(struct cluster *cluster, uint64_t time)
{
	uint64_t end = cluster->now + time;
	int steps = 0;

	for (;;) {
		uint64_t next = end;

		/* All that happens takes a little time, so that nobody waits for another who never does nothing. */
		for (int i = 0; step(cluster); i++) {
			if (cluster->steps && ++steps > cluster->steps)
				return;
			assert_true(i < 1000000);
			cluster->now += STEP;
			fire_timers(cluster);
		}
		for (int i = 0; i < cluster->members; i++) {
			struct replica *replica = cluster->member[i].replica;

			if (replica && replica_next_time(replica) < next)
				next = replica_next_time(replica);
		}
		if (next > cluster->now)
			cluster->now = next;
		fire_timers(cluster);
		if (cluster->now >= end && !cluster->first)
			return;
	}
}

void cluster_until(struct cluster *cluster, bool (*is)(struct cluster *cluster, int member), int member)
{
	uint64_t end = cluster->now + MINUTE;

	while (!is(cluster, member)) {
		if (cluster->now > end) {
			for (int i = 0; i < cluster->members; i++) {
				struct replica_status status;

				if (!cluster->member[i].replica)
					continue;
				status = cluster_status(cluster, i);
				print_error("%c: epoch %llu%s primary %u in sync %x%s%s %s\n", 'A' + i,
					    (unsigned long long)status.configuration.epoch,
					    status.decided ? "" : " undecided", status.configuration.primary,
					    status.configuration.in_sync, status.primary ? " PRIMARY" : "",
					    status.serving ? " SERVING" : "", status.blocked ? status.blocked : "");
			}
			fail_msg("it did not happen within a minute");
		}
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	}
}

bool cluster_serves(struct cluster *cluster, int member)
{
	return cluster->member[member].replica && cluster_status(cluster, member).serving;
}

bool cluster_in_sync(struct cluster *cluster, int member)
{
	int primary = cluster_primary(cluster);
	struct replica_status status;

	if (primary == NO_MEMBER)
		return false;
	status = cluster_status(cluster, primary);
	return status.decided && member_in(status.configuration.in_sync, member) && cluster->member[member].replica &&
	       status.configuration.processes[member].incarnation == cluster->member[member].incarnation;
}

bool cluster_not_in_sync(struct cluster *cluster, int member)
{
	return cluster_primary(cluster) != NO_MEMBER && !cluster_in_sync(cluster, member);
}

bool cluster_resyncing(struct cluster *cluster, int member)
{
	int primary = cluster_primary(cluster);

	return primary != NO_MEMBER &&
	       cluster_status(cluster, primary).members[member].state == REPLICA_MEMBER_RESYNCING;
}

int cluster_primary(struct cluster *cluster)
{
	for (int i = 0; i < cluster->members; i++) {
		if (cluster_serves(cluster, i))
			return i;
	}
	return NO_MEMBER;
}

struct replica_status cluster_status(struct cluster *cluster, int member)
{
	struct replica_status status;

	replica_status(cluster->member[member].replica, &status);
	return status;
}

void cluster_all_in_sync(struct cluster *cluster)
{
	while (cluster_primary(cluster) == NO_MEMBER)
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	for (int i = 0; i < cluster->members; i++) {
		if (!cluster->member[i].diskless)
			cluster_until(cluster, cluster_in_sync, i);
	}
	cluster_assert_equal(cluster);
}

void cluster_assert_equal(struct cluster *cluster)
{
	for (int i = 1; i < cluster->members; i++) {
		if (!cluster->member[i].diskless)
			assert_memory_equal(cluster->member[0].image, cluster->member[i].image, CLUSTER_SIZE);
	}
}
