/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a simulated disk holds after a power cut: every combination of what was not flushed turns up, nothing else does;
 * a flush that failed has forgotten for good. The same for pieces of metadata, sector by sector.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_disk.h"
#include "sim_memory.h"
#include "sim_state.h"

#define SECTORS 4
#define ROUNDS	400

static struct sim_random chance;

static int write_sectors(struct sim_disk *disk, uint64_t sector, uint64_t count, int value)
{
	unsigned char *data = sim_new(count * SIM_SECTOR);
	struct iovec vector[2] = { { data, 100 }, { data + 100, count * SIM_SECTOR - 100 } };
	struct io io = { .operation = IO_WRITE,
			 .position = sector * SIM_SECTOR,
			 .length = count * SIM_SECTOR,
			 .vector = vector,
			 .count = 2 };
	int result;

	memset(data, value, count * SIM_SECTOR);
	result = sim_disk_do(disk, &io, NULL, &chance);
	free(data);
	return result;
}

static int flush_disk(struct sim_disk *disk)
{
	const struct io io = { .operation = IO_FLUSH };
	uint64_t *covered = sim_copy(disk->dirty, disk->words * sizeof(uint64_t));
	int result = sim_disk_do(disk, &io, covered, &chance);

	free(covered);
	return result;
}

static int sector_value(struct sim_disk *disk, uint64_t sector)
{
	unsigned char data[SIM_SECTOR];
	struct iovec vector = { data, SIM_SECTOR };
	const struct io io = { .operation = IO_READ,
			       .position = sector * SIM_SECTOR,
			       .length = SIM_SECTOR,
			       .vector = &vector,
			       .count = 1 };

	assert_int_equal(sim_disk_do(disk, &io, NULL, &chance), 0);
	for (unsigned int i = 1; i < SIM_SECTOR; i++)
		assert_int_equal(data[i], data[0]);
	return data[0];
}

static void power_cut(void **state)
{
	unsigned int seen[1 << SECTORS] = { 0 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct sim_disk disk;
		unsigned int survived = 0;

		sim_disk_init(&disk, SECTORS * SIM_SECTOR, 1);
		assert_true(sim_disk_blank(&disk));
		assert_int_equal(write_sectors(&disk, 0, SECTORS, 1), 0);
		assert_int_equal(flush_disk(&disk), 0);
		assert_int_equal(write_sectors(&disk, 0, SECTORS, 2), 0);
		sim_disk_power_cut(&disk, &chance);
		for (uint64_t sector = 0; sector < SECTORS; sector++) {
			int value = sector_value(&disk, sector);

			assert_true(value == 1 || value == 2);
			survived |= (unsigned int)(value == 2) << sector;
		}
		seen[survived]++;
		assert_false(sim_disk_blank(&disk));
		sim_disk_free(&disk);
	}
	for (int subset = 0; subset < 1 << SECTORS; subset++)
		assert_true(seen[subset] > 0);
}

/* Of two writes that were not flushed, the first alone may be there, too. */
static void old_version(void **state)
{
	unsigned int seen[4] = { 0 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct sim_disk disk;

		sim_disk_init(&disk, SECTORS * SIM_SECTOR, 1);
		write_sectors(&disk, 1, 1, 1);
		write_sectors(&disk, 1, 1, 2);
		sim_disk_power_cut(&disk, &chance);
		seen[sector_value(&disk, 1)]++;
		assert_int_equal(sector_value(&disk, 0), 0);
		sim_disk_free(&disk);
	}
	assert_true(seen[0] && seen[1] && seen[2]);
}

static void failed_flush(void **state)
{
	unsigned int lost = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct sim_disk disk;

		sim_disk_init(&disk, SECTORS * SIM_SECTOR, 1);
		write_sectors(&disk, 0, SECTORS, 1);
		disk.flush_errors = 1;
		assert_int_equal(flush_disk(&disk), -EIO);
		/* It reads as written, and the next flush is content. */
		assert_int_equal(sector_value(&disk, 3), 1);
		assert_int_equal(flush_disk(&disk), 0);
		sim_disk_power_cut(&disk, &chance);
		lost += sector_value(&disk, 3) == 0;
		sim_disk_free(&disk);
	}
	assert_true(lost > ROUNDS / 4 && lost < ROUNDS);
}

/* What comes after a flush has begun is not covered by it. */
static void late_write(void **state)
{
	const struct io flush = { .operation = IO_FLUSH };
	struct sim_disk disk;
	uint64_t *covered;
	unsigned int lost = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		sim_disk_init(&disk, SECTORS * SIM_SECTOR, 1);
		write_sectors(&disk, 0, 1, 1);
		covered = sim_copy(disk.dirty, disk.words * sizeof(uint64_t));
		write_sectors(&disk, 1, 1, 1);
		assert_int_equal(sim_disk_do(&disk, &flush, covered, &chance), 0);
		free(covered);
		sim_disk_power_cut(&disk, &chance);
		assert_int_equal(sector_value(&disk, 0), 1);
		lost += sector_value(&disk, 1) == 0;
		sim_disk_free(&disk);
	}
	assert_true(lost > 0);
}

static void errors(void **state)
{
	struct sim_disk disk;
	unsigned int partly = 0;

	(void)state;
	sim_disk_init(&disk, SECTORS * SIM_SECTOR, 1);
	write_sectors(&disk, 0, 2, 1);
	disk.full = true;
	assert_int_equal(write_sectors(&disk, 0, 2, 2), 0);
	assert_int_equal(write_sectors(&disk, 1, 2, 3), -ENOSPC);
	assert_int_equal(sector_value(&disk, 1), 3);
	assert_int_equal(sector_value(&disk, 2), 0);
	disk.full = false;
	for (int round = 0; round < ROUNDS; round++) {
		write_sectors(&disk, 0, SECTORS, 0);
		disk.write_errors = 1;
		assert_int_equal(write_sectors(&disk, 0, SECTORS, 4), -EIO);
		assert_int_equal(sector_value(&disk, SECTORS - 1), 0);
		partly += sector_value(&disk, 0) == 4;
	}
	assert_true(partly > 0 && partly < ROUNDS);
	sim_disk_replace(&disk, 2);
	assert_true(sim_disk_blank(&disk) && disk.identity == 2);
	sim_disk_free(&disk);
}

/* A process that dies while it writes. */
static void left(void **state)
{
	unsigned char data[2 * SIM_SECTOR];
	struct iovec vector = { data, sizeof(data) };
	const struct io io = { .operation = IO_WRITE, .length = sizeof(data), .vector = &vector, .count = 1 };
	unsigned int seen[4] = { 0 };

	(void)state;
	memset(data, 1, sizeof(data));
	for (int round = 0; round < ROUNDS; round++) {
		struct sim_disk disk;

		sim_disk_init(&disk, SECTORS * SIM_SECTOR, 1);
		sim_disk_leave(&disk, &io, &chance);
		seen[sector_value(&disk, 0) + 2 * sector_value(&disk, 1)]++;
		sim_disk_free(&disk);
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
}

static void metadata(void **state)
{
	const struct metadata_place place = { .kind = METADATA_SLOT };
	unsigned char old[METADATA_SLOT_SIZE], new[METADATA_SLOT_SIZE];
	unsigned int torn = 0, whole = 0, none = 0;

	(void)state;
	memset(old, 1, sizeof(old));
	memset(new, 2, sizeof(new));
	for (int round = 0; round < ROUNDS; round++) {
		struct sim_state store = { 0 };
		struct sim_piece *piece;
		size_t news = 0;

		assert_int_equal(sim_state_save(&store, &place, old, sizeof(old), &chance), 0);
		sim_state_leave(&store, &place, new, sizeof(new), &chance);
		sim_state_power_cut(&store, &chance);
		piece = sim_state_find(&store, &place, 0);
		assert_non_null(piece);
		for (size_t i = 0; i < sizeof(old); i++) {
			assert_true(piece->cache[i] == piece->cache[i / SIM_SECTOR * SIM_SECTOR]);
			news += piece->cache[i] == 2;
		}
		assert_memory_equal(piece->cache, piece->stable, sizeof(old));
		none += news == 0;
		whole += news == sizeof(new);
		torn += news && news < sizeof(new);
		sim_state_free(&store);
	}
	assert_true(none && whole && torn);
}

static void old_metadata(void **state)
{
	const struct metadata_place place = { .kind = METADATA_SLOT, .index = 1 };
	unsigned char bytes[METADATA_SLOT_SIZE] = { 1 };
	struct sim_state store = { 0 };
	struct sim_piece *piece;

	(void)state;
	assert_false(sim_state_put_back(&store));
	sim_state_save(&store, &place, bytes, sizeof(bytes), &chance);
	sim_state_keep(&store);
	bytes[0] = 2;
	sim_state_save(&store, &place, bytes, sizeof(bytes), &chance);
	assert_true(sim_state_put_back(&store));
	piece = sim_state_find(&store, &place, 0);
	assert_int_equal(piece->cache[0], 1);
	assert_true(sim_state_flip(&store, METADATA_SLOT, 1, &chance));
	assert_false(sim_state_flip(&store, METADATA_SLOT, 0, &chance));
	sim_state_wipe(&store);
	assert_false(sim_state_find(&store, &place, 0)->there);
	store.errors = 1;
	assert_int_equal(sim_state_save(&store, &place, bytes, sizeof(bytes), &chance), -EIO);
	assert_int_equal(sim_state_save(&store, &place, bytes, sizeof(bytes), &chance), 0);
	sim_state_free(&store);
}

static int setup(void **state)
{
	(void)state;
	sim_random_seed(&chance, 7, 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(power_cut),  cmocka_unit_test(old_version),  cmocka_unit_test(failed_flush),
		cmocka_unit_test(late_write), cmocka_unit_test(errors),	      cmocka_unit_test(left),
		cmocka_unit_test(metadata),   cmocka_unit_test(old_metadata),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
