/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contents of an image: see the header.
 */
#include "sim_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_memory.h"

static bool bit_get(const uint64_t *map, uint64_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static void bit_set(uint64_t *map, uint64_t bit)
{
	map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void bit_clear(uint64_t *map, uint64_t bit)
{
	map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

void sim_disk_init(struct sim_disk *disk, uint64_t size, uint64_t identity)
{
	uint64_t sectors = size / SIM_SECTOR;

	*disk = (struct sim_disk){ .size = size, .identity = identity, .words = (sectors + 63) / 64 };
	disk->cache = sim_new(size);
	disk->stable = sim_new(size);
	disk->dirty = sim_new(disk->words * sizeof(uint64_t));
	disk->allocated = sim_new(disk->words * sizeof(uint64_t));
}

void sim_disk_free(struct sim_disk *disk)
{
	free(disk->cache);
	free(disk->stable);
	free(disk->dirty);
	free(disk->allocated);
	*disk = (struct sim_disk){ 0 };
}

bool sim_disk_blank(const struct sim_disk *disk)
{
	for (size_t i = 0; i < disk->words; i++) {
		if (disk->allocated[i])
			return false;
	}
	return true;
}

void sim_disk_replace(struct sim_disk *disk, uint64_t identity)
{
	disk->identity = identity;
	memset(disk->cache, 0, disk->size);
	memset(disk->stable, 0, disk->size);
	memset(disk->dirty, 0, disk->words * sizeof(uint64_t));
	memset(disk->allocated, 0, disk->words * sizeof(uint64_t));
}

static void to_stable(struct sim_disk *disk, uint64_t sector)
{
	memcpy(disk->stable + sector * SIM_SECTOR, disk->cache + sector * SIM_SECTOR, SIM_SECTOR);
}

static void from_stable(struct sim_disk *disk, uint64_t sector)
{
	memcpy(disk->cache + sector * SIM_SECTOR, disk->stable + sector * SIM_SECTOR, SIM_SECTOR);
}

/* Copies bytes of a vector, from its byte `offset` on. */
static void copy_vector(const struct io *io, uint64_t offset, unsigned char *bytes, uint64_t size, bool out)
{
	for (int i = 0; i < io->count && size; i++) {
		uint64_t length = io->vector[i].iov_len, part;

		if (offset >= length) {
			offset -= length;
			continue;
		}
		part = length - offset < size ? length - offset : size;
		if (out)
			memcpy((unsigned char *)io->vector[i].iov_base + offset, bytes, part);
		else
			memcpy(bytes, (const unsigned char *)io->vector[i].iov_base + offset, part);
		bytes += part;
		size -= part;
		offset = 0;
	}
}

/* Of one sector what a WRITE, DISCARD or WRITE_ZEROES has for it. */
static void change_sector(struct sim_disk *disk, const struct io *io, uint64_t sector, struct sim_random *random)
{
	uint64_t from = sector * SIM_SECTOR, to = from + SIM_SECTOR;

	if (from < io->position)
		from = io->position;
	if (to > io->position + io->length)
		to = io->position + io->length;
	/* What it held before may have been written back just now. */
	if (bit_get(disk->dirty, sector) && sim_chance(random, 1, 4))
		to_stable(disk, sector);
	if (io->operation == IO_WRITE)
		copy_vector(io, from - io->position, disk->cache + from, to - from, false);
	else
		memset(disk->cache + from, 0, to - from);
	bit_set(disk->dirty, sector);
	if (io->operation != IO_DISCARD)
		bit_set(disk->allocated, sector);
	else if (to - from == SIM_SECTOR)
		bit_clear(disk->allocated, sector);
}

static uint64_t first_sector(const struct io *io)
{
	return io->position / SIM_SECTOR;
}

static uint64_t end_sector(const struct io *io)
{
	return (io->position + io->length + SIM_SECTOR - 1) / SIM_SECTOR;
}

static int change(struct sim_disk *disk, const struct io *io, struct sim_random *random)
{
	uint64_t end = end_sector(io), stop = end;
	int result = 0;

	/* It may leave what was there. */
	if (io->operation == IO_DISCARD && sim_chance(random, 1, 2))
		return 0;
	if (disk->write_errors) {
		disk->write_errors--;
		stop = sim_between(random, first_sector(io), end - 1);
		result = -EIO;
	}
	for (uint64_t sector = first_sector(io); sector < stop; sector++) {
		if (disk->full && io->operation != IO_DISCARD && !bit_get(disk->allocated, sector))
			return -ENOSPC;
		change_sector(disk, io, sector, random);
	}
	return result;
}

/* A failing one forgets some of what it should have written: no later one will write it. */
static int flush(struct sim_disk *disk, const uint64_t *flushed, struct sim_random *random)
{
	bool fails = disk->flush_errors;

	if (fails)
		disk->flush_errors--;
	for (size_t word = 0; word < disk->words; word++) {
		uint64_t left = flushed[word] & disk->dirty[word];

		for (; left; left &= left - 1) {
			uint64_t sector = word * 64 + (uint64_t)__builtin_ctzll(left);

			if (!fails || sim_chance(random, 1, 2))
				to_stable(disk, sector);
			else if (disk->evict)
				from_stable(disk, sector);
			bit_clear(disk->dirty, sector);
		}
	}
	return fails ? -EIO : 0;
}

/*
 * What cannot be read was not in the page cache: what that had, and is not going to write as a flush has failed, is not
 * found there later.
 */
static void drop_from_cache(struct sim_disk *disk, const struct io *io)
{
	uint64_t end = io->position + io->length;

	for (uint64_t sector = io->position / SIM_SECTOR; sector * SIM_SECTOR < end; sector++) {
		if (!bit_get(disk->dirty, sector))
			memcpy(disk->cache + sector * SIM_SECTOR, disk->stable + sector * SIM_SECTOR, SIM_SECTOR);
	}
}

/* What the page cache has and is not going to write is not what the disk has, if a flush has failed. */
static void read_past_cache(const struct sim_disk *disk, const struct io *io)
{
	uint64_t done = 0;

	while (done < io->length) {
		uint64_t position = io->position + done, left = SIM_SECTOR - position % SIM_SECTOR;
		const unsigned char *from = bit_get(disk->dirty, position / SIM_SECTOR) ? disk->cache : disk->stable;

		if (left > io->length - done)
			left = io->length - done;
		copy_vector(io, done, (unsigned char *)(uintptr_t)from + position, left, true);
		done += left;
	}
}

int sim_disk_do(struct sim_disk *disk, const struct io *io, const uint64_t *flushed, struct sim_random *random)
{
	switch (io->operation) {
	case IO_READ:
		if (disk->read_errors) {
			disk->read_errors--;
			drop_from_cache(disk, io);
			return -EIO;
		}
		if (io->mode == IO_FROM_DISK)
			read_past_cache(disk, io);
		else
			copy_vector(io, 0, disk->cache + io->position, io->length, true);
		return 0;
	case IO_WRITE:
	case IO_DISCARD:
	case IO_WRITE_ZEROES:
		return change(disk, io, random);
	case IO_FLUSH:
		return flush(disk, flushed, random);
	case IO_FETCH:
	case IO_OPEN:
	case IO_DESCRIBE:
		break;
	}
	return 0;
}

void sim_disk_leave(struct sim_disk *disk, const struct io *io, struct sim_random *random)
{
	uint64_t kind = sim_below(random, 3);

	if (io->operation != IO_WRITE && io->operation != IO_DISCARD && io->operation != IO_WRITE_ZEROES)
		return;
	for (uint64_t sector = first_sector(io); sector < end_sector(io); sector++) {
		if (disk->full && io->operation != IO_DISCARD && !bit_get(disk->allocated, sector))
			return;
		if (kind == 1 || (kind == 2 && sim_chance(random, 1, 2)))
			change_sector(disk, io, sector, random);
	}
}

void sim_disk_power_cut(struct sim_disk *disk, struct sim_random *random)
{
	uint64_t kind = sim_below(random, 3);

	for (size_t word = 0; word < disk->words; word++) {
		uint64_t left = disk->dirty[word];

		for (; left; left &= left - 1) {
			if (kind == 1 || (kind == 2 && sim_chance(random, 1, 2)))
				to_stable(disk, word * 64 + (uint64_t)__builtin_ctzll(left));
		}
		disk->dirty[word] = 0;
	}
	/* All of it: what a failed flush lost is clean, and not there either. */
	memcpy(disk->cache, disk->stable, disk->size);
}
