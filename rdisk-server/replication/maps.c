/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member knows of blocks, by device:
 *
 * missing[m]         must be given to member m, who is absent
 * unflushed          written here since the last tracked flush began
 * unflushed before   written before that; cleared when that flush is complete on all
 * owed               unfinished of former reigns: perhaps not equal on all
 * hot                extents that may differ from other members' after a crash of this one: the activity log. An extent
 *                    is hot there, durably, before the image is touched
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define MAPS_OF_DEVICE (MEMBERS_MAX + 3)

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

static int create_device(struct replica *replica, int index)
{
	struct replica_device *device = &replica->devices[index];
	uint64_t size = replica->settings.devices[index].size;
	size_t block_words, extent_words, sector_words;
	uint64_t *words;

	device->replica = replica;
	device->index = index;
	device->blocks = divide_up(size, replica->settings.block_size);
	device->extents = divide_up(size, replica->settings.extent_size);
	device->sectors = divide_up(device->extents, METADATA_SECTOR_BITS);
	block_words = block_map_words(device->blocks);
	/* Whole sectors, so that one can be copied out. */
	extent_words = (size_t)device->sectors * (METADATA_SECTOR_BITS / 64);
	sector_words = block_map_words(device->sectors);
	device->memory = calloc(block_words * (MAPS_OF_DEVICE + 2 * MEMBERS_MAX) + extent_words * 2 + sector_words + 1,
				sizeof(uint64_t));
	if (!device->memory)
		return -ENOMEM;
	words = device->memory;
	for (int i = 0; i < MEMBERS_MAX; i++) {
		block_map_init(&device->missing[i], words, device->blocks);
		block_map_init(&replica->bringup[i].copied[index], words + block_words, device->blocks);
		block_map_init(&replica->bringup[i].flushing[index], words + 2 * block_words, device->blocks);
		words += 3 * block_words;
	}
	block_map_init(&device->unflushed, words, device->blocks);
	block_map_init(&device->unflushed_before, words + block_words, device->blocks);
	block_map_init(&device->owed, words + 2 * block_words, device->blocks);
	words += 3 * block_words;
	block_map_init(&device->hot, words, device->extents);
	block_map_init(&device->hot_stable, words + extent_words, device->extents);
	block_map_init(&device->log_dirty, words + 2 * extent_words, device->sectors);
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

bool maps_range_ok(const struct replica *replica, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t size;

	if (device >= (uint32_t)replica->settings.nr_devices || length == 0)
		return false;
	size = replica->settings.devices[device].size;
	if (core_configuration(replica)->epoch && core_configuration(replica)->sizes[device] < size)
		size = core_configuration(replica)->sizes[device];
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
		if (i >= replica->settings.members || core_diskless(replica, i) || i == replica->settings.self)
			members &= (member_set)~member_bit(i);
	}
	return members;
}

void maps_miss(struct replica *replica, member_set members, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t first, count;

	members = images(replica, members);
	maps_blocks(replica, position, length, &first, &count);
	for (int i = 0; i < replica->settings.members; i++) {
		if (!member_in(members, i))
			continue;
		block_map_add(&replica->devices[device].missing[i], first, count);
		/* A copy that was read before does not make up for it. */
		block_map_remove(&replica->bringup[i].copied[device], first, count);
		block_map_remove(&replica->bringup[i].flushing[device], first, count);
	}
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

		miss_map(replica, members, device, &device->unflushed);
		miss_map(replica, members, device, &device->unflushed_before);
		miss_map(replica, members, device, &device->owed);
	}
}

void maps_miss_owed(struct replica *replica, member_set members)
{
	for (int i = 0; i < replica->settings.nr_devices; i++)
		miss_map(replica, members, &replica->devices[i], &replica->devices[i].owed);
}

void maps_owe_all(struct replica *replica, member_set members)
{
	members = images(replica, members);
	for (int i = 0; i < replica->settings.members; i++) {
		for (int k = 0; k < replica->settings.nr_devices && member_in(members, i); k++) {
			struct replica_device *device = &replica->devices[k];

			block_map_add(&device->missing[i], 0, device->blocks);
		}
	}
}

void maps_forget_missing(struct replica *replica, int member)
{
	for (int i = 0; i < replica->settings.nr_devices; i++)
		block_map_clear(&replica->devices[i].missing[member]);
}

void maps_forget_owed(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++)
		block_map_clear(&replica->devices[i].owed);
}

/* What is on its way to the image while a flush begins may miss it. */
static void keep_unflushed(struct replica *replica)
{
	for (struct entry *entry = replica->here.first; entry; entry = entry->next_here) {
		if (entry->kind == ENTRY_WRITE || entry->kind == ENTRY_ZEROES) {
			uint64_t first, count;

			maps_blocks(replica, entry->request.position, entry->request.length, &first, &count);
			block_map_add(&replica->devices[entry->device].unflushed, first, count);
		}
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

void maps_flush_complete(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++)
		block_map_clear(&replica->devices[i].unflushed_before);
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

uint32_t maps_ranges(const struct replica *replica, const struct block_map *map, uint64_t *cursor, void *data,
		     size_t size)
{
	uint64_t first, count, block = replica->settings.block_size;
	unsigned int nr = 0;

	while ((nr + 1) * MESSAGE_RANGE_SIZE <= size && block_map_next(map, *cursor, UINT64_MAX, &first, &count)) {
		struct byte_range range = { first * block, count * block };

		message_put_range(data, nr++, range);
		*cursor = first + count;
	}
	return nr * MESSAGE_RANGE_SIZE;
}

/* ---- the activity log ---- */

static void log_save_next(struct replica_device *device)
{
	struct replica *replica = device->replica;
	const size_t words = METADATA_SECTOR_BITS / 64;
	uint64_t sector, count;

	if (device->log_busy || !block_map_next(&device->log_dirty, 0, 1, &sector, &count))
		return;
	block_map_remove(&device->log_dirty, sector, 1);
	device->log_busy = true;
	memcpy(device->log_saving, device->hot.words + sector * words, sizeof(device->log_saving));
	device->log_save = (struct replica_save){
		.place = { .kind = METADATA_LOG, .device = (uint32_t)device->index, .index = (uint32_t)sector },
		.bytes = device->log_bytes,
		.size = METADATA_SECTOR,
	};
	metadata_encode_sector(&device->log_save.place, &replica->durable.now.set,
			       replica->settings.list[replica->settings.self].node, device->log_saving,
			       device->log_bytes);
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

void maps_log_saved(struct replica *replica, struct replica_save *save, int result)
{
	struct replica_device *device = &replica->devices[save->place.device];
	const size_t words = METADATA_SECTOR_BITS / 64;
	struct entry *entry, *next, *ready = NULL;
	struct entry **waiting = &device->log_waiters;

	device->log_busy = false;
	if (result) {
		core_fail(replica, "its activity log cannot be written");
		return;
	}
	for (uint64_t i = 0; i < METADATA_SECTOR_BITS; i++) {
		uint64_t extent = (uint64_t)save->place.index * METADATA_SECTOR_BITS + i;

		if (extent < device->extents && (device->log_saving[i / 64] >> (i % 64) & 1))
			block_map_add(&device->hot_stable, extent, 1);
	}
	(void)words;
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

/* What the log says at the start: hot extents may differ from the others'. */
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
	}
}

const char *maps_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
			     size_t size)
{
	uint64_t bits[METADATA_SECTOR_BITS / 64];
	struct replica_device *device;

	if (place->kind != METADATA_LOG || place->device >= (uint32_t)replica->settings.nr_devices ||
	    place->index >= replica->devices[place->device].sectors)
		return NULL;
	device = &replica->devices[place->device];
	switch (metadata_decode_sector(bytes, size, place, &replica->durable.now.set,
				       replica->settings.list[replica->settings.self].node, bits)) {
	case METADATA_GOOD:
		break;
	case METADATA_MISSING:
		return NULL;
	case METADATA_BROKEN:
		memset(bits, 0xff, sizeof(bits));
		break;
	case METADATA_FUTURE:
		return "its activity log was written by a newer version";
	case METADATA_FOREIGN:
		return "its activity log belongs to another replica set or node";
	}
	load_log(replica, device, place->index, bits);
	return NULL;
}
