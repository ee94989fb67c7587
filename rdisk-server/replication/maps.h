/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of blocks: unflushed, missing, unfinished, hot. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_MAPS_H
#define RDISK_REPLICATION_MAPS_H

#include "block_map.h"
#include "entry.h"
#include "message.h"
#include "metadata.h"
#include "replica.h"
#include "request.h"

struct replica_device {
	struct request_disk disk; /* order of the entries */
	struct replica *replica;
	int index;
	uint64_t blocks, extents;
	uint64_t sectors;		       /* of the activity log */
	struct block_map missing[MEMBERS_MAX]; /* what an absent member must be given */
	member_set whole;		       /* of whom that is all, as their image has nothing */
	struct block_map unflushed, unflushed_before;
	struct block_map owed;	     /* unfinished of former reigns */
	struct block_map hot;	     /* extents, as they are to be in the log */
	struct block_map hot_stable; /* as they are there */
	/* Sectors of the log: which are dirty, and the one that is being written. */
	struct block_map log_dirty;
	struct block_map log_there; /* sectors of it that are on disk */
	bool log_busy;
	/* Extents that were written in this interval between tracked flushes, and in the one before. */
	struct block_map touched, touched_before;
	/* Sectors of missing[m]: which are to be saved; and the one that is being saved. */
	struct block_map bits_dirty[MEMBERS_MAX];
	bool bits_busy;
	int bits_member;
	uint64_t bits_sector;
	struct replica_save bits_save;
	unsigned char bits_bytes[METADATA_SECTOR];
	uint64_t bits_sectors; /* of each of these maps */
	/* At the start: of which members a sector was found, and one that cannot be used. */
	member_set bits_found, bits_broken;
	bool written; /* to the own image, by this process */
	struct replica_save log_save;
	unsigned char log_bytes[METADATA_SECTOR];
	uint64_t log_saving[METADATA_SECTOR_BITS / 64];
	struct entry *log_waiters;
	uint64_t *memory; /* of all the maps */
};

#define MAPS_SECTOR_WORDS (METADATA_SECTOR_BITS / 64)

/* ---- maps.c ---- */

/* 0 or -ENOMEM; maps_destroy() frees what there is. */
int maps_create(struct replica *replica);
void maps_destroy(struct replica *replica);
/* Blocks that a range of bytes touches. */
void maps_blocks(const struct replica *replica, uint64_t position, uint64_t length, uint64_t *first, uint64_t *count);
/* Whether a range of zeroes is one piece for request/. */
static inline bool maps_one_piece(uint64_t position, uint64_t length)
{
	return length > 0 && position / REQUEST_RANGE_PIECE == (position + length - 1) / REQUEST_RANGE_PIECE;
}

/* Whether a range lies on a device. */
bool maps_range_ok(const struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
/* The same of what a request, an entry or a copy is about, if it is about a range; zeroes are one piece. */
bool maps_message_ok(const struct replica *replica, const struct message *message);
/* Members must be given a range. Those without images and this one are left out. */
void maps_miss(struct replica *replica, member_set members, uint32_t device, uint64_t position, uint64_t length);
/* Whether there is anything to be known of what a member lacks: else its maps are empty, and have no memory. */
bool maps_has(const struct replica *replica, int member);
/* The same of a member that may have it already; of `count` blocks; and of all of a device. */
void maps_doubt(struct replica *replica, int member, uint32_t device, uint64_t position, uint64_t length);
void maps_doubt_blocks(struct replica *replica, int member, uint32_t device, uint64_t first, uint64_t count);
void maps_doubt_all(struct replica *replica, int member, uint32_t device);
void maps_miss_all(struct replica *replica, int member, uint32_t device);
/* Blocks of it need not be given to a member (any more). */
void maps_unmiss(struct replica *replica, int member, uint32_t device, uint64_t first, uint64_t count);
void maps_miss_active(struct replica *replica, int member);
/* The same of all that is owed; a range is owed; nothing is any more. */
void maps_miss_owed(struct replica *replica, member_set members);
/* What the own image has and no flush has covered is owed. */
void maps_owe_own_unflushed(struct replica *replica);
void maps_owe(struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
void maps_forget_owed(struct replica *replica);
/* The blocks of a range are not owed any more: those that are in it as a whole. */
void maps_settle(struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
/* The whole blocks that a range lies in, as a range of the device. */
void maps_round(const struct replica *replica, uint32_t device, uint64_t *position, uint64_t *length);
bool maps_any_unflushed(const struct replica *replica);
#define MAPS_RANGES_SIZE (256 * MESSAGE_RANGE_SIZE) /* bytes of the ranges in one message, at most */
/* The same by what is set: no more than a copy has. */
size_t maps_ranges_size(const struct replica *replica);
/*
 * Writes runs of set blocks from *cursor (a block; 0 at first) on as ranges, as many as fit, and moves it on. Returns
 * the bytes; 0: there are no more.
 */
uint32_t maps_ranges(const struct replica *replica, uint32_t device, const struct block_map *map, uint64_t *cursor,
		     void *data, size_t size);
/* A range is about to be written on this member: bits for the absent, and unflushed. */
void maps_note_write(struct replica *replica, uint32_t device, uint64_t position, uint64_t length, member_set absent);
/* All that may be missing on a member that is absent from now on. */
void maps_owe_unflushed(struct replica *replica, member_set members);
void maps_owe_all(struct replica *replica, member_set members);
void maps_forget_missing(struct replica *replica, int member);
/* A tracked flush begins: what was written before it is complete when it is. */
void maps_flush_begins(struct replica *replica);
/* The process is to end, and its image is flushed: nothing is unflushed. */
void maps_forget_unflushed(struct replica *replica);
/* Bytes. */
uint64_t maps_missing_bytes(const struct replica *replica, int member);

/* ---- maps_disk.c ---- */

/* Whether all extents of a range are hot and stable; else the entry waits until they are. */
bool maps_hot(struct replica *replica, struct entry *entry);
/* A sector of the log, or of bits, was saved; result: 0 or a negative errno. */
void maps_saved(struct replica *replica, struct replica_save *save, int result);
/* Extents become hot because of what others say: bits in them need not be stable then. */
void maps_heat(struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
void maps_may_save(struct replica *replica); /* a slot is stable */
/* No sector of the log is to be saved, or on its way. */
bool maps_log_is_stable(const struct replica *replica);
/* Nothing is hot: all that this member has written is flushed, and equal on all that were in sync. */
bool maps_clean(const struct replica *replica);
/* A tracked flush is complete on all: extents cool. */
void maps_flush_complete(struct replica *replica);
/* All extents cool in which nothing is unflushed or unfinished. true: that is stable. */
bool maps_cool_all(struct replica *replica);
/* A sector that is on disk, at the start. NULL, or why this process cannot start with it. */
const char *maps_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
			     size_t size);
/* All was loaded that there is: sectors of the log and files of bits that are not there are lost. */
void maps_loaded(struct replica *replica);
/* A member is in sync: nothing of what it must be given is lost any more. */
void maps_bits_made_good(struct replica *replica, int member);
/* The slots name a set for the first time: all of the log is written. */
void maps_set_known(struct replica *replica);

#endif
