/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image of a host, as file systems give it: what its host sees (the page cache) and what is on stable storage,
 * sector by sector. What was written may get there at any time, and is there for sure only after a flush that said yes.
 * Faults are fields that a script sets. When something happens, and who waits for it, is sim_store.h's.
 */
#ifndef RDISK_SIM_DISK_H
#define RDISK_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "io.h"
#include "sim_random.h"

#define SIM_SECTOR 512u /* bytes that a disk writes whole or not at all */

struct sim_disk {
	uint64_t size;	   /* bytes, a multiple of SIM_SECTOR */
	uint64_t identity; /* of the image file */
	bool missing;	   /* the file is away: it cannot be opened */
	bool smaller;	   /* it has lost its last block */
	unsigned char *cache, *stable;
	uint64_t *dirty;     /* sectors that differ from `stable`, as the kernel knows */
	uint64_t *allocated; /* sectors that were written and not freed */
	size_t words;	     /* of both maps */
	/* Faults. */
	uint64_t hung_until;				  /* true time: nothing ends before */
	uint64_t slow;					  /* ns that everything takes longer */
	uint64_t write_errors, read_errors, flush_errors; /* how many of the next ones fail */
	bool evict; /* a flush that fails also drops what it lost from the page cache */
	bool full;  /* sectors that are not allocated cannot be written */
};

void sim_disk_init(struct sim_disk *disk, uint64_t size, uint64_t identity);
void sim_disk_free(struct sim_disk *disk);

/* Whether nothing was ever written to it, or all of that freed. */
bool sim_disk_blank(const struct sim_disk *disk);

/* Another file of the same name, with nothing in it. */
void sim_disk_replace(struct sim_disk *disk, uint64_t identity);

/*
 * Does it now: 0, -EIO or -ENOSPC; after these some first sectors of a write may have been written. flushed: for a
 * FLUSH, `words` words, the sectors that it covers: those that were dirty when it was submitted.
 */
int sim_disk_do(struct sim_disk *disk, const struct io *io, const uint64_t *flushed, struct sim_random *random);

/* The process that submitted it has died before it was told: it was done, or not, or some sectors of it. */
void sim_disk_leave(struct sim_disk *disk, const struct io *io, struct sim_random *random);

/* What was not flushed survives, sector by sector, or not; the page cache is gone. */
void sim_disk_power_cut(struct sim_disk *disk, struct sim_random *random);

#endif
