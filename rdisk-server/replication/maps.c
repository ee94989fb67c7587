/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member knows of blocks, by device:
 *
 * missing[m]         must be given to member m, who is absent
 * unflushed          written here since the last tracked flush began
 * unflushed before   written before that; cleared when that flush is complete on all
 * owed               unfinished of former reigns: perhaps not equal on all
 * hot                extents that may differ from other members' after a crash of this one: the activity log
 *
 * An extent is hot in the log, durably, before the image is touched. It cools when it was not touched for a while, a
 * tracked flush is complete on all, and the bits of the absent in it are stable. So whatever is unflushed, or missing
 * and not stable, lies in hot extents.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define SECTOR_WORDS (METADATA_SECTOR_BITS / 64)

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* Whether there is anything to be known of what a member lacks: else its maps are empty, and have no memory. */
static bool has_maps(const struct replica *replica, int member)
{
	return member < replica->settings.members && member != replica->settings.self &&
	       !core_diskless(replica, member);
}

static int create_device(struct replica *replica, int index)
{
	struct replica_device *device = &replica->devices[index];
	uint64_t size = replica->settings.devices[index].size;
	size_t block_words, extent_words, sector_words, bits_words, map_words, others = 0;
	uint64_t *words;

	device->replica = replica;
	device->index = index;
	device->blocks = divide_up(size, replica->settings.block_size);
	device->extents = divide_up(size, replica->settings.extent_size);
	device->sectors = divide_up(device->extents, METADATA_SECTOR_BITS);
	device->bits_sectors = divide_up(device->blocks, METADATA_SECTOR_BITS);
	block_words = block_map_words(device->blocks);
	/* Whole sectors, so that one can be copied out. */
	extent_words = (size_t)device->sectors * SECTOR_WORDS;
	map_words = (size_t)device->bits_sectors * SECTOR_WORDS;
	sector_words = block_map_words(device->sectors);
	bits_words = block_map_words(device->bits_sectors);
	for (int i = 0; i < replica->settings.members; i++)
		others += has_maps(replica, i);
	device->memory = calloc((map_words + 3 * block_words + bits_words) * others + 3 * block_words +
					4 * extent_words + 2 * sector_words + 1,
				sizeof(uint64_t));
	if (!device->memory)
		return -ENOMEM;
	words = device->memory;
	for (int i = 0; i < replica->settings.members; i++) {
		if (!has_maps(replica, i))
			continue;
		block_map_init(&device->missing[i], words, device->blocks);
		words += map_words;
		block_map_init(&replica->bringup[i].copied[index], words, device->blocks);
		block_map_init(&replica->bringup[i].flushing[index], words + block_words, device->blocks);
		block_map_init(&replica->bringup[i].doubted[index], words + 2 * block_words, device->blocks);
		words += 3 * block_words;
		block_map_init(&device->bits_dirty[i], words, device->bits_sectors);
		words += bits_words;
	}
	block_map_init(&device->unflushed, words, device->blocks);
	block_map_init(&device->unflushed_before, words + block_words, device->blocks);
	block_map_init(&device->owed, words + 2 * block_words, device->blocks);
	words += 3 * block_words;
	block_map_init(&device->hot, words, device->extents);
	block_map_init(&device->hot_stable, words + extent_words, device->extents);
	block_map_init(&device->touched, words + 2 * extent_words, device->extents);
	block_map_init(&device->touched_before, words + 3 * extent_words, device->extents);
	block_map_init(&device->log_dirty, words + 4 * extent_words, device->sectors);
	block_map_init(&device->log_there, words + 4 * extent_words + sector_words, device->sectors);
	request_disk_init(&device->disk, entry_turn, replica->settings.devices[index].overlap_block, NULL, 0);
	return 0;
}

int maps_create(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		int error = create_device(replica, i);

		if (error)
			return error;
	}
	return 0;
}

void maps_destroy(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++)
		free(replica->devices[i].memory);
}

/* Bytes: of the image, or what was decided if that is less. */
static uint64_t device_size(const struct replica *replica, uint32_t device)
{
	uint64_t size = replica->settings.devices[device].size;

	if (core_configuration(replica)->epoch && core_configuration(replica)->sizes[device] < size)
		size = core_configuration(replica)->sizes[device];
	return size;
}

bool maps_range_ok(const struct replica *replica, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t size;

	if (device >= (uint32_t)replica->settings.nr_devices || length == 0)
		return false;
	size = device_size(replica, device);
	return length <= size && position <= size - length;
}

void maps_blocks(const struct replica *replica, uint64_t position, uint64_t length, uint64_t *first, uint64_t *count)
{
	uint64_t block = replica->settings.block_size;

	*first = position / block;
	*count = (position + length - 1) / block - *first + 1;
}

static member_set images(const struct replica *replica, member_set members)
{
	for (int i = 0; i < MEMBERS_MAX; i++) {
		if (!has_maps(replica, i))
			members &= (member_set)~member_bit(i);
	}
	return members;
}

/* They are saved when their extent is to cool: until then they need not be stable. */
static void bits_changed(struct replica_device *device, int member, uint64_t first, uint64_t count)
{
	uint64_t sector = first / METADATA_SECTOR_BITS;

	block_map_add(&device->bits_dirty[member], sector, (first + count - 1) / METADATA_SECTOR_BITS - sector + 1);
}

void maps_unmiss(struct replica *replica, int member, uint32_t device, uint64_t first, uint64_t count)
{
	if (!has_maps(replica, member))
		return;
	block_map_remove(&replica->bringup[member].doubted[device], first, count);
	block_map_remove(&replica->devices[device].missing[member], first, count);
	bits_changed(&replica->devices[device], member, first, count);
}

static void miss_blocks(struct replica *replica, member_set members, uint32_t device, uint64_t first, uint64_t count)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (!member_in(members, i))
			continue;
		if (!block_map_all(&replica->devices[device].missing[i], first, count)) {
			block_map_add(&replica->devices[device].missing[i], first, count);
			bits_changed(&replica->devices[device], i, first, count);
		}
		if (deliberate_bug(BUG_LATE_ACKNOWLEDGEMENT))
			continue;
		/* A copy that was read before does not make up for it. */
		block_map_remove(&replica->bringup[i].copied[device], first, count);
		block_map_remove(&replica->bringup[i].flushing[device], first, count);
	}
}

void maps_miss(struct replica *replica, member_set members, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t first, count;

	maps_blocks(replica, position, length, &first, &count);
	miss_blocks(replica, images(replica, members), device, first, count);
}

void maps_miss_all(struct replica *replica, int member, uint32_t device)
{
	miss_blocks(replica, images(replica, member_bit(member)), device, 0, replica->devices[device].blocks);
}

/* What is known to be missing is copied without a look. */
static void doubt_blocks(struct replica *replica, int member, uint32_t device, uint64_t first, uint64_t count)
{
	if (!has_maps(replica, member))
		return;
	block_map_add_others(&replica->bringup[member].doubted[device], &replica->devices[device].missing[member],
			     first, count);
	miss_blocks(replica, images(replica, member_bit(member)), device, first, count);
}

void maps_doubt(struct replica *replica, int member, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t first, count;

	maps_blocks(replica, position, length, &first, &count);
	doubt_blocks(replica, member, device, first, count);
}

void maps_doubt_all(struct replica *replica, int member, uint32_t device)
{
	doubt_blocks(replica, member, device, 0, replica->devices[device].blocks);
}

/* All entries under way that a target was sent: whether it has them is not known. */
void maps_miss_active(struct replica *replica, int member)
{
	for (struct entry *entry = replica->active.first; entry; entry = entry->next) {
		if (entry->number && (entry->kind == ENTRY_WRITE || entry->kind == ENTRY_ZEROES))
			maps_miss(replica, member_bit(member), entry->device, entry->request.position,
				  entry->request.length);
	}
}

void maps_owe(struct replica *replica, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t first, count;

	maps_blocks(replica, position, length, &first, &count);
	block_map_add(&replica->devices[device].owed, first, count);
}

void maps_note_write(struct replica *replica, uint32_t device, uint64_t position, uint64_t length, member_set absent)
{
	uint64_t first, count;

	maps_blocks(replica, position, length, &first, &count);
	replica->devices[device].written = true;
	block_map_add(&replica->devices[device].unflushed, first, count);
	maps_miss(replica, absent, device, position, length);
}

static void miss_map(struct replica *replica, member_set members, struct replica_device *device,
		     const struct block_map *map)
{
	uint64_t first, count, from = 0;

	while (block_map_next(map, from, UINT64_MAX, &first, &count)) {
		maps_miss(replica, members, (uint32_t)device->index, first * replica->settings.block_size,
			  count * replica->settings.block_size);
		from = first + count;
	}
}

void maps_owe_unflushed(struct replica *replica, member_set members)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct replica_device *device = &replica->devices[i];

		if (!deliberate_bug(BUG_BITMAP_WITHOUT_UNFLUSHED)) {
			miss_map(replica, members, device, &device->unflushed);
			miss_map(replica, members, device, &device->unflushed_before);
		}
		miss_map(replica, members, device, &device->owed);
	}
}

void maps_owe_own_unflushed(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct replica_device *device = &replica->devices[i];

		block_map_unite(&device->owed, &device->unflushed);
		block_map_unite(&device->owed, &device->unflushed_before);
	}
}

void maps_miss_owed(struct replica *replica, member_set members)
{
	for (int i = 0; i < replica->settings.nr_devices; i++)
		miss_map(replica, members, &replica->devices[i], &replica->devices[i].owed);
}

void maps_owe_all(struct replica *replica, member_set members)
{
	for (int i = 0; i < replica->settings.members; i++) {
		bool has_data = replica->peers[i].flags & MESSAGE_HAS_DATA;

		for (int k = 0; k < replica->settings.nr_devices && member_in(members, i); k++) {
			if (has_data)
				maps_doubt_all(replica, i, (uint32_t)k);
			else
				maps_miss_all(replica, i, (uint32_t)k);
		}
	}
}

void maps_forget_missing(struct replica *replica, int member)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		if (replica->devices[i].missing[member].count > 0)
			maps_unmiss(replica, member, (uint32_t)i, 0, replica->devices[i].blocks);
	}
}

void maps_forget_owed(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++)
		block_map_clear(&replica->devices[i].owed);
}

void maps_round(const struct replica *replica, uint32_t device, uint64_t *position, uint64_t *length)
{
	uint64_t block = replica->settings.block_size, size = device_size(replica, device), first, count;

	maps_blocks(replica, *position, *length, &first, &count);
	*position = first * block;
	*length = count * block;
	if (*length > size - *position)
		*length = size - *position;
}

void maps_settle(struct replica *replica, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t block = replica->settings.block_size;
	uint64_t first = divide_up(position, block), end = (position + length) / block;

	if (position + length == device_size(replica, device))
		end = divide_up(position + length, block);
	if (first < end)
		block_map_remove(&replica->devices[device].owed, first, end - first);
}

static void keep_range(struct replica *replica, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t first, count;

	maps_blocks(replica, position, length, &first, &count);
	block_map_add(&replica->devices[device].unflushed, first, count);
}

static void keep_entry(struct replica *replica, const struct entry *entry)
{
	if (entry->kind == ENTRY_WRITE || entry->kind == ENTRY_ZEROES)
		keep_range(replica, entry->device, entry->request.position, entry->request.length);
}

/* What is on its way to an image, this member's or another's, while a flush begins may miss it. */
static void keep_unflushed(struct replica *replica)
{
	for (const struct entry *entry = replica->here.first; entry; entry = entry->next_here)
		keep_entry(replica, entry);
	for (const struct entry *entry = replica->active.first; entry; entry = entry->next) {
		if (entry->number)
			keep_entry(replica, entry);
	}
	for (unsigned int i = 0; i < replica->settings.window; i++) {
		const struct unfinished *at = &replica->backup.unfinished[i];

		if (at->number && at->length)
			keep_range(replica, at->device, at->position, at->length);
	}
}

void maps_flush_begins(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct replica_device *device = &replica->devices[i];

		block_map_unite(&device->unflushed_before, &device->unflushed);
		block_map_clear(&device->unflushed);
	}
	keep_unflushed(replica);
}

bool maps_any_unflushed(const struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		if (replica->devices[i].unflushed.count || replica->devices[i].unflushed_before.count)
			return true;
	}
	return false;
}

uint64_t maps_missing_bytes(const struct replica *replica, int member)
{
	uint64_t blocks = 0;

	for (int i = 0; i < replica->settings.nr_devices; i++)
		blocks += replica->devices[i].missing[member].count;
	return blocks * replica->settings.block_size;
}

size_t maps_ranges_size(const struct replica *replica)
{
	return replica->settings.copy_size < MAPS_RANGES_SIZE ? replica->settings.copy_size : MAPS_RANGES_SIZE;
}

uint32_t maps_ranges(const struct replica *replica, uint32_t device, const struct block_map *map, uint64_t *cursor,
		     void *data, size_t size)
{
	uint64_t first, count, block = replica->settings.block_size, end = device_size(replica, device);
	unsigned int nr = 0;

	while ((nr + 1) * MESSAGE_RANGE_SIZE <= size && block_map_next(map, *cursor, UINT64_MAX, &first, &count)) {
		struct byte_range range = { first * block, count * block };

		*cursor = first + count;
		/* The last block may not be whole; and an image may be larger than what was decided. */
		if (range.position >= end)
			break;
		if (range.length > end - range.position)
			range.length = end - range.position;
		message_put_range(data, nr++, range);
	}
	return nr * MESSAGE_RANGE_SIZE;
}

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
	memcpy(device->log_saving, device->hot.words + sector * SECTOR_WORDS, sizeof(device->log_saving));
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

static bool bits_save(struct replica_device *device, int member, uint64_t sector)
{
	struct replica *replica = device->replica;

	if (device->bits_busy || !durable_knows_set(replica))
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
			       device->missing[member].words + sector * SECTOR_WORDS, device->bits_bytes);
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

	if (last >= device->blocks)
		last = device->blocks - 1;
	last_sector = last / METADATA_SECTOR_BITS;
	for (int i = 0; i < device->replica->settings.members; i++) {
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

void maps_forget_unflushed(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		block_map_clear(&replica->devices[i].unflushed);
		block_map_clear(&replica->devices[i].unflushed_before);
	}
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
			doubt_blocks(replica, k, (uint32_t)device->index, first, count);
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

const char *maps_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
			     size_t size)
{
	uint64_t bits[SECTOR_WORDS];
	unsigned char copy[METADATA_SLOT_SIZE];
	struct replica_device *device;

	if (place->kind == METADATA_SLOT || place->device >= (uint32_t)replica->settings.nr_devices)
		return NULL;
	device = &replica->devices[place->device];
	if (place->kind == METADATA_LOG
		    ? place->index >= device->sectors
		    : place->index >= device->bits_sectors || !has_maps(replica, (int)place->member))
		return NULL;
	/* Without a slot all is lost, whatever is left of the rest. */
	if (!replica->durable.loaded)
		return NULL;
	switch (metadata_decode_sector(version_read(replica, bytes, size, copy), size, place, &replica->durable.now.set,
				       own_node(replica), bits)) {
	case METADATA_GOOD:
		break;
	case METADATA_MISSING:
		return NULL;
	case METADATA_BROKEN:
		if (place->kind == METADATA_LOG)
			return NULL; /* as one that is missing: maps_loaded() */
		memset(bits, 0xff, sizeof(bits));
		break;
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
		load_bits(device, place->member, place->index, bits);
	}
	return NULL;
}

/* All sectors are written when the set is known: one that is not there is lost, and may have had any extent hot. */
void maps_loaded(struct replica *replica)
{
	uint64_t all[SECTOR_WORDS];

	memset(all, 0xff, sizeof(all));
	for (int i = 0; i < replica->settings.nr_devices && durable_knows_set(replica); i++) {
		struct replica_device *device = &replica->devices[i];

		for (uint64_t sector = 0; sector < device->sectors; sector++) {
			if (block_map_has(&device->log_there, sector) || deliberate_bug(BUG_LOST_LOG_IS_CLEAN))
				continue;
			load_log(replica, device, (uint32_t)sector, all);
			block_map_add(&device->log_dirty, sector, 1);
		}
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
