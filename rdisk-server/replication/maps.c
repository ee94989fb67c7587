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
 * What of that is on disk, and when, is in maps_disk.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* Whether there is anything to be known of what a member lacks: else its maps are empty, and have no memory. */
bool maps_has(const struct replica *replica, int member)
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
	extent_words = (size_t)device->sectors * MAPS_SECTOR_WORDS;
	map_words = (size_t)device->bits_sectors * MAPS_SECTOR_WORDS;
	sector_words = block_map_words(device->sectors);
	bits_words = block_map_words(device->bits_sectors);
	for (int i = 0; i < replica->settings.members; i++)
		others += maps_has(replica, i);
	device->memory = calloc((map_words + 3 * block_words + bits_words) * others + 3 * block_words +
					4 * extent_words + 2 * sector_words + 1,
				sizeof(uint64_t));
	if (!device->memory)
		return -ENOMEM;
	words = device->memory;
	for (int i = 0; i < replica->settings.members; i++) {
		if (!maps_has(replica, i))
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

bool maps_message_ok(const struct replica *replica, const struct message *message)
{
	switch (message->kind) {
	case ENTRY_OPEN:
	case ENTRY_CLOSE:
	case ENTRY_FLUSH:
		return true;
	case ENTRY_ZEROES:
		return maps_range_ok(replica, message->device, message->position, message->length) &&
		       maps_one_piece(message->position, message->length);
	default:
		return maps_range_ok(replica, message->device, message->position, message->length);
	}
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
		if (!maps_has(replica, i))
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
	if (!maps_has(replica, member))
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
	replica->devices[device].whole |= member_bit(member);
	miss_blocks(replica, images(replica, member_bit(member)), device, 0, replica->devices[device].blocks);
}

/* What is known to be missing is copied without a look. */
void maps_doubt_blocks(struct replica *replica, int member, uint32_t device, uint64_t first, uint64_t count)
{
	if (!maps_has(replica, member))
		return;
	block_map_add_others(&replica->bringup[member].doubted[device], &replica->devices[device].missing[member],
			     first, count);
	miss_blocks(replica, images(replica, member_bit(member)), device, first, count);
}

void maps_doubt(struct replica *replica, int member, uint32_t device, uint64_t position, uint64_t length)
{
	uint64_t first, count;

	maps_blocks(replica, position, length, &first, &count);
	maps_doubt_blocks(replica, member, device, first, count);
}

void maps_doubt_all(struct replica *replica, int member, uint32_t device)
{
	maps_doubt_blocks(replica, member, device, 0, replica->devices[device].blocks);
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
		replica->devices[i].whole &= (member_set)~member_bit(member);
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

void maps_forget_unflushed(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		block_map_clear(&replica->devices[i].unflushed);
		block_map_clear(&replica->devices[i].unflushed_before);
	}
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
