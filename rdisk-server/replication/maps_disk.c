/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member knows of blocks (maps.c) as far as it is on disk: the activity log, which says what extents are hot,
 * and the bits of what is missing on the absent.
 *
 * An extent is hot in the log, durably, before the image is touched. It cools when it was not touched for a while, a
 * tracked flush is complete on all, and the bits of the absent in it are stable. So whatever is unflushed, or missing
 * and not stable, lies in hot extents.
 */
#include <string.h>

#include "core.h"

/* ---- the activity log ---- */

static uint32_t own_node(const struct replica *replica)
{
	return replica->settings.list[replica->settings.self].node;
}

static void log_save_next(struct replica_device *device)
{
	struct replica *replica = device->replica;
	uint64_t sector, count;

	/* Without a slot of its set it would be taken for another's. */
	if (!durable_knows_set(replica) || device->log_busy ||
	    !block_map_next(&device->log_dirty, 0, 1, &sector, &count))
		return;
	block_map_remove(&device->log_dirty, sector, 1);
	device->log_busy = true;
	memcpy(device->log_saving, device->hot.words + sector * MAPS_SECTOR_WORDS, sizeof(device->log_saving));
	device->log_save = (struct replica_save){
		.place = { .kind = METADATA_LOG, .device = (uint32_t)device->index, .index = (uint32_t)sector },
		.bytes = device->log_bytes,
		.size = METADATA_SECTOR,
	};
	metadata_encode_sector(&device->log_save.place, &replica->durable.now.set, own_node(replica),
			       device->log_saving, device->log_bytes);
	version_stamp(replica, device->log_bytes, sizeof(device->log_bytes));
	replica->world->save(replica, &device->log_save);
}

static void extents_of(const struct replica *replica, const struct entry *entry, uint64_t *first, uint64_t *count)
{
	uint64_t extent = replica->settings.extent_size;

	*first = entry->request.position / extent;
	*count = (entry->request.position + entry->request.length - 1) / extent - *first + 1;
}

bool maps_hot(struct replica *replica, struct entry *entry)
{
	struct replica_device *device = &replica->devices[entry->device];
	uint64_t first, count;

	extents_of(replica, entry, &first, &count);
	block_map_add(&device->touched, first, count);
	if (block_map_all(&device->hot_stable, first, count))
		return true;
	for (uint64_t i = first; i < first + count; i++) {
		if (block_map_has(&device->hot, i))
			continue;
		block_map_add(&device->hot, i, 1);
		block_map_add(&device->log_dirty, i / METADATA_SECTOR_BITS, 1);
	}
	entry->next_logged = device->log_waiters;
	device->log_waiters = entry;
	log_save_next(device);
	return false;
}

void maps_heat(struct replica *replica, uint32_t device, uint64_t position, uint64_t length)
{
	struct replica_device *of = &replica->devices[device];
	uint64_t extent = replica->settings.extent_size;
	uint64_t last = (position + length - 1) / extent;

	for (uint64_t i = position / extent; i <= last; i++) {
		block_map_add(&of->touched, i, 1);
		if (block_map_has(&of->hot_stable, i))
			continue;
		block_map_add(&of->hot, i, 1);
		block_map_add(&of->log_dirty, i / METADATA_SECTOR_BITS, 1);
	}
	log_save_next(of);
}

void maps_may_save(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++)
		log_save_next(&replica->devices[i]);
}

bool maps_log_is_stable(const struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		if (replica->devices[i].log_busy || replica->devices[i].log_dirty.count > 0)
			return false;
	}
	return true;
}

static void log_saved(struct replica *replica, struct replica_device *device, uint32_t sector)
{
	struct entry *entry, *next, *ready = NULL;
	struct entry **waiting = &device->log_waiters;

	device->log_busy = false;
	block_map_add(&device->log_there, sector, 1);
	for (uint64_t i = 0; i < METADATA_SECTOR_BITS; i++) {
		uint64_t extent = (uint64_t)sector * METADATA_SECTOR_BITS + i;

		/* One that has cooled meanwhile is not hot in the sector that comes next. */
		if (extent < device->extents && (device->log_saving[i / 64] >> (i % 64) & 1) &&
		    block_map_has(&device->hot, extent))
			block_map_add(&device->hot_stable, extent, 1);
	}
	while ((entry = *waiting)) {
		uint64_t first, count;

		extents_of(replica, entry, &first, &count);
		if (block_map_all(&device->hot_stable, first, count)) {
			*waiting = entry->next_logged;
			entry->next_logged = ready;
			ready = entry;
		} else {
			waiting = &entry->next_logged;
		}
	}
	log_save_next(device);
	for (entry = ready; entry; entry = next) {
		next = entry->next_logged;
		entry_logged(replica, entry);
	}
}

/* ---- bits on disk ---- */

/* Whether the device is one of those of a mark in the slots. */
static bool is_of(const struct replica_device *device, uint64_t devices)
{
	return devices >> device->index & 1;
}

/* That there are bits of a member is in the slots before anything rests on them: a file that is gone would be none. */
static void note_saved(struct replica_device *device, int member)
{
	uint64_t *saved = &device->replica->durable.now.bits_saved[member];

	if (is_of(device, *saved))
		return;
	*saved |= UINT64_C(1) << device->index;
	durable_changed(device->replica);
}

static bool bits_save(struct replica_device *device, int member, uint64_t sector)
{
	struct replica *replica = device->replica;

	/* A loss is in the slots before there are bits again, or the next process would take those for all. */
	if (device->bits_busy || !durable_knows_set(replica) ||
	    is_of(device, replica->durable.now.bits_lost[member] & ~replica->durable.stable.bits_lost[member]))
		return false;
	block_map_remove(&device->bits_dirty[member], sector, 1);
	device->bits_busy = true;
	device->bits_member = member;
	device->bits_sector = sector;
	device->bits_save = (struct replica_save){
		.place = { METADATA_BITS, (uint32_t)device->index, (uint32_t)member, (uint32_t)sector },
		.bytes = device->bits_bytes,
		.size = METADATA_SECTOR,
	};
	metadata_encode_sector(&device->bits_save.place, &replica->durable.now.set, own_node(replica),
			       device->missing[member].words + sector * MAPS_SECTOR_WORDS, device->bits_bytes);
	version_stamp(replica, device->bits_bytes, sizeof(device->bits_bytes));
	replica->world->save(replica, &device->bits_save);
	return true;
}

/* Whether the bits of an extent are stable, for all members; else begins to save them. */
static bool bits_stable(struct replica_device *device, uint64_t extent)
{
	uint64_t blocks = device->replica->settings.extent_size / device->replica->settings.block_size;
	uint64_t last = (extent + 1) * blocks - 1;
	uint64_t first_sector = extent * blocks / METADATA_SECTOR_BITS, last_sector, sector, count;
	const struct durable *durable = &device->replica->durable;

	if (last >= device->blocks)
		last = device->blocks - 1;
	last_sector = last / METADATA_SECTOR_BITS;
	for (int i = 0; i < device->replica->settings.members; i++) {
		if (is_of(device, durable->now.bits_saved[i] & ~durable->stable.bits_saved[i]))
			return false;
		if (block_map_next(&device->bits_dirty[i], first_sector, 1, &sector, &count) && sector <= last_sector) {
			bits_save(device, i, sector);
			return false;
		}
	}
	return !device->bits_busy || device->bits_sector < first_sector || device->bits_sector > last_sector;
}

/* ---- cooling ---- */

static bool extent_is_quiet(const struct replica_device *device, uint64_t extent)
{
	uint64_t blocks = device->replica->settings.extent_size / device->replica->settings.block_size;
	uint64_t first = extent * blocks, count = blocks;

	if (count > device->blocks - first)
		count = device->blocks - first;
	if (deliberate_bug(BUG_COOLED_WITHOUT_FLUSH))
		return !device->log_waiters;
	return !block_map_has(&device->touched, extent) && !block_map_has(&device->touched_before, extent) &&
	       !block_map_any(&device->unflushed, first, count) &&
	       !block_map_any(&device->unflushed_before, first, count) && !block_map_any(&device->owed, first, count);
}

static void cool(struct replica_device *device)
{
	uint64_t extent, count, from = 0;

	while (block_map_next(&device->hot, from, 1, &extent, &count)) {
		from = extent + 1;
		if (!extent_is_quiet(device, extent) || !bits_stable(device, extent))
			continue;
		block_map_remove(&device->hot, extent, 1);
		block_map_remove(&device->hot_stable, extent, 1);
		block_map_add(&device->log_dirty, extent / METADATA_SECTOR_BITS, 1);
	}
	block_map_clear(&device->touched_before);
	block_map_unite(&device->touched_before, &device->touched);
	block_map_clear(&device->touched);
	log_save_next(device);
}

bool maps_cool_all(struct replica *replica)
{
	bool stable = true;

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct replica_device *device = &replica->devices[i];

		block_map_clear(&device->touched_before);
		block_map_clear(&device->touched);
		cool(device);
		for (uint64_t extent = 0, count; block_map_next(&device->hot, extent, 1, &extent, &count); extent++)
			stable &= !extent_is_quiet(device, extent);
	}
	return stable && maps_log_is_stable(replica);
}

void maps_flush_complete(struct replica *replica)
{
	bool in_sync = peer_is_named(replica, replica->settings.self, core_configuration(replica));

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		block_map_clear(&replica->devices[i].unflushed_before);
		/* What a target has may differ from the others' wherever it says. */
		if (in_sync)
			cool(&replica->devices[i]);
	}
}

bool maps_clean(const struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		if (replica->devices[i].hot.count > 0)
			return false;
	}
	return true;
}

void maps_saved(struct replica *replica, struct replica_save *save, int result)
{
	struct replica_device *device = &replica->devices[save->place.device];

	if (result) {
		core_fail(replica, "its activity log or bits cannot be written");
		return;
	}
	if (save->place.kind == METADATA_BITS) {
		device->bits_busy = false;
		note_saved(device, device->bits_member);
		return;
	}
	log_saved(replica, device, save->place.index);
	joining_log_saved(replica);
}

/* ---- at the start ---- */

/* Hot extents may differ from the others', and are missing on all of them. */
static void load_log(struct replica *replica, struct replica_device *device, uint32_t index, const uint64_t *bits)
{
	uint64_t blocks = replica->settings.extent_size / replica->settings.block_size;

	for (uint64_t i = 0; i < METADATA_SECTOR_BITS; i++) {
		uint64_t extent = (uint64_t)index * METADATA_SECTOR_BITS + i, first = extent * blocks, count = blocks;

		if (extent >= device->extents || !(bits[i / 64] >> (i % 64) & 1))
			continue;
		block_map_add(&device->hot, extent, 1);
		block_map_add(&device->hot_stable, extent, 1);
		if (count > device->blocks - first)
			count = device->blocks - first;
		block_map_add(&device->owed, first, count);
		for (int k = 0; k < replica->settings.members; k++)
			maps_doubt_blocks(replica, k, (uint32_t)device->index, first, count);
	}
}

static void load_bits(struct replica_device *device, uint32_t member, uint32_t index, const uint64_t *bits)
{
	for (uint64_t i = 0; i < METADATA_SECTOR_BITS; i++) {
		uint64_t block = (uint64_t)index * METADATA_SECTOR_BITS + i;

		if (block < device->blocks && (bits[i / 64] >> (i % 64) & 1))
			block_map_add(&device->missing[member], block, 1);
	}
}

/* Nobody knows what of it the member has. */
static void doubt_sector(struct replica_device *device, int member, uint32_t index)
{
	uint64_t first = (uint64_t)index * METADATA_SECTOR_BITS, count = METADATA_SECTOR_BITS;

	if (count > device->blocks - first)
		count = device->blocks - first;
	device->bits_found |= member_bit(member);
	device->bits_broken |= member_bit(member);
	maps_doubt_blocks(device->replica, member, (uint32_t)device->index, first, count);
}

const char *maps_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
			     size_t size)
{
	uint64_t bits[MAPS_SECTOR_WORDS];
	unsigned char copy[METADATA_SLOT_SIZE];
	struct replica_device *device;

	if (place->kind == METADATA_SLOT || place->device >= (uint32_t)replica->settings.nr_devices)
		return NULL;
	device = &replica->devices[place->device];
	if (place->kind == METADATA_LOG
		    ? place->index >= device->sectors
		    : place->index >= device->bits_sectors || !maps_has(replica, (int)place->member))
		return NULL;
	/* Without a slot all is lost, whatever is left of the rest. */
	if (!replica->durable.loaded)
		return NULL;
	switch (bytes ? metadata_decode_sector(version_read(replica, bytes, size, copy), size, place,
					       &replica->durable.now.set, own_node(replica), bits)
		      : METADATA_BROKEN) {
	case METADATA_GOOD:
		break;
	case METADATA_MISSING:
		return NULL;
	case METADATA_BROKEN:
		if (place->kind == METADATA_LOG)
			return NULL; /* as one that is missing: maps_loaded() */
		doubt_sector(device, (int)place->member, place->index);
		return NULL;
	case METADATA_FUTURE:
		return "its maps were written by a newer version: start that one again";
	case METADATA_FOREIGN:
		return "its maps belong to another replica set or node, or its slots are lost: put the folder back as "
		       "it was, or remove it; then this member takes a whole copy of the others";
	}
	if (place->kind == METADATA_LOG) {
		block_map_add(&device->log_there, place->index, 1);
		load_log(replica, device, place->index, bits);
	} else {
		device->bits_found |= member_bit((int)place->member);
		load_bits(device, place->member, place->index, bits);
	}
	return NULL;
}

/*
 * Sectors of bits are written only where something is set, so that one that is missing has nothing set; but a whole
 * file is missing only if none was ever written, which the slots know. If one was, it is lost, and all of the device
 * may be missing on that member, until it is in sync: what is saved of it from now on is not all.
 */
static void look_for_bits(struct replica_device *device)
{
	struct replica *replica = device->replica;
	struct metadata_slot *now = &replica->durable.now;

	for (int i = 0; i < replica->settings.members; i++) {
		if (!maps_has(replica, i))
			continue;
		if (is_of(device, now->bits_saved[i]) && !member_in(device->bits_found, i) &&
		    !deliberate_bug(BUG_LOST_BITS_ARE_NONE))
			now->bits_lost[i] |= UINT64_C(1) << device->index;
		if (is_of(device, now->bits_lost[i])) {
			maps_doubt_all(replica, i, (uint32_t)device->index);
			core_tell(replica, REPLICA_EVENT_MEMBER, i,
				  "the file of what it misses was lost: all of its image is compared");
		} else if (member_in(device->bits_broken, i)) {
			core_tell(replica, REPLICA_EVENT_MEMBER, i,
				  "a part of what it misses cannot be read: that part of its image is compared");
		}
	}
}

void maps_bits_made_good(struct replica *replica, int member)
{
	if (!replica->durable.now.bits_lost[member])
		return;
	replica->durable.now.bits_lost[member] = 0;
	durable_changed(replica);
}

/* All sectors are written when the set is known: one that is not there is lost, and may have had any extent hot. */
void maps_loaded(struct replica *replica)
{
	uint64_t all[MAPS_SECTOR_WORDS];

	memset(all, 0xff, sizeof(all));
	for (int i = 0; i < replica->settings.nr_devices && durable_knows_set(replica); i++) {
		struct replica_device *device = &replica->devices[i];

		for (uint64_t sector = 0; sector < device->sectors; sector++) {
			if (block_map_has(&device->log_there, sector) || deliberate_bug(BUG_LOST_LOG_IS_CLEAN))
				continue;
			load_log(replica, device, (uint32_t)sector, all);
			block_map_add(&device->log_dirty, sector, 1);
		}
		look_for_bits(device);
		log_save_next(device);
	}
}

void maps_set_known(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct replica_device *device = &replica->devices[i];

		if (device->sectors > 0)
			block_map_add(&device->log_dirty, 0, device->sectors);
		log_save_next(device);
	}
}
