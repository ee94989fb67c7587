/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member keeps in its state_dir, and its form on disk. Pure functions; what is written when is the business of
 * durable.c and maps.c. All numbers are little-endian; everything has magic, version, set, node, and a checksum (XXH3,
 * 64 bits).
 *
 * - Two slots of METADATA_SLOT_SIZE bytes, which both hold the newest promise and configuration: both are written, one
 *   after the other, before anything that rests on them is sent. One that is torn or flipped is made good by the other.
 * - Maps, of the activity log (a bit an extent) and of what an absent member must be given (a bit a block): in sectors
 *   of METADATA_SECTOR bytes, each with its own checksum, of METADATA_SECTOR_BITS bits. Disks write a sector whole or
 *   not at all; one that cannot be read stands for all of its bits set.
 *
 * Each piece begins with a head; the first 16 bytes and what the checksum is of are so in all versions:
 *
 *   offset  bytes
 *   0       4      magic "RDMD"
 *   4       4      version
 *   8       8      checksum of the whole piece, with this field 0
 *   16      16     set
 *   32      4      node
 *   36      4      kind
 *   40      4      device, of the place; of a slot 0
 *   44      4      member; the same
 *   48      4      index; the same: one slot is as good as the other
 *   52      12     0
 *
 * A slot goes on with (the rest is 0):
 *
 *   64      8      sequence
 *   72      8      promised: epoch
 *   80      8      ballot {counter, member}
 *   88      8      accepted {counter, member}
 *   96      8      votes_from
 *   104     8      wants_all
 *   112     8      flush_failed
 *   120     128    images
 *   248     128    names
 *   376     408    configuration (see encoding.h)
 *   784     408    given_up, the same
 *   1192    56     features, of 7 members
 *   1248    56     bits_saved, the same
 *   1304    56     bits_lost, the same
 *   1360    8      decided
 *
 * and a sector with its bits, 56 words.
 */
#ifndef RDISK_METADATA_H
#define RDISK_METADATA_H

#include <stddef.h>
#include <stdint.h>

#include "replica_configuration.h"

#define METADATA_VERSION     1
#define METADATA_SLOT_SIZE   4096u
#define METADATA_SECTOR	     512u
#define METADATA_SECTOR_HEAD 64u
#define METADATA_SECTOR_BITS ((METADATA_SECTOR - METADATA_SECTOR_HEAD) * 8) /* 3584 */

enum metadata_kind {
	METADATA_SLOT, /* index 0 or 1 */
	METADATA_LOG,  /* of a device: extents that may differ from other members' */
	METADATA_BITS, /* of a device and an absent member: blocks that it must be given */
};

/* Which piece of the metadata. */
struct metadata_place {
	enum metadata_kind kind;
	uint32_t device; /* LOG, BITS */
	uint32_t member; /* BITS */
	uint32_t index;	 /* of the slot, or sector of the map */
};

/* Whether it lost something is not known: it found no slot, and not all others have said that nothing ever was. */
#define VOTES_UNKNOWN UINT64_MAX

struct metadata_slot {
	uint64_t sequence; /* higher: newer */
	struct set_id set; /* none before the first configuration */
	uint32_t node;
	uint64_t promised_epoch;
	struct ballot promised;
	struct ballot accepted;			    /* that the configuration was accepted under */
	struct replica_configuration configuration; /* epoch 0: none */
	uint64_t decided; /* 1: the configuration is known to be; 0: it may be, and whoever has a vote finds out */
	/*
	 * What an operator had this member give up, until it is in sync in another line; epoch 0: nothing. Its image
	 * and maps are of that line, and what was written over it since.
	 */
	struct replica_configuration given_up;
	uint64_t votes_from; /* epoch; 0: any. Below it it does not vote: it had lost what it promised. VOTES_UNKNOWN */
	uint64_t images[REPLICA_DEVICES_MAX]; /* identity of each image file */
	uint64_t names[REPLICA_DEVICES_MAX];  /* checksum of each device's name; 0: none */
	uint64_t wants_all; /* bit n: the image of device n is not to be trusted, it must be brought up as a whole */
	uint64_t features[MEMBERS_MAX]; /* that each other member was last seen to have; 0 also: never seen */
	uint64_t flush_failed;		/* 1: a flush of an image failed, and what it lost has not been made good */
	/*
	 * Of each other member: bit n: some of the bits of device n were saved, so that there is a file of them; and:
	 * that file was found gone, and the member was not in sync since.
	 */
	uint64_t bits_saved[MEMBERS_MAX], bits_lost[MEMBERS_MAX];
};

/* Why a piece cannot be used. */
enum metadata_state {
	METADATA_GOOD,
	METADATA_MISSING, /* nothing but zeroes, or no bytes */
	METADATA_BROKEN,  /* magic, checksum or contents */
	METADATA_FUTURE,  /* whole, of a newer version: it must not be overwritten */
	METADATA_FOREIGN, /* of another set or node: it must not be overwritten */
};

void metadata_encode_slot(const struct metadata_slot *slot, unsigned char bytes[static METADATA_SLOT_SIZE]);

/*
 * FOREIGN: of another node than `node`. `size` bytes were read. GOOD: ballots, device bits and the configuration are
 * what they can be, and the configuration is of the slot's set. Else *slot is unspecified.
 */
enum metadata_state metadata_decode_slot(const void *bytes, size_t size, uint32_t node, struct metadata_slot *slot);

/*
 * bits: METADATA_SECTOR_BITS / 64 words, bit 0 of word 0 is the sector's first. place: LOG or BITS.
 */
void metadata_encode_sector(const struct metadata_place *place, const struct set_id *set, uint32_t node,
			    const uint64_t *bits, unsigned char bytes[static METADATA_SECTOR]);

/* BROKEN: also one that stands at another place. `bits` are written if it is GOOD. */
enum metadata_state metadata_decode_sector(const void *bytes, size_t size, const struct metadata_place *place,
					   const struct set_id *set, uint32_t node, uint64_t *bits);

/*
 * A piece that is whole becomes one of another version with the same form. Versions with other forms translate here, to
 * and from METADATA_VERSION; there are none yet, but for tests.
 */
void metadata_restamp(unsigned char *bytes, size_t size, uint32_t version);

/* Of a piece that begins as all do; 0: it does not. */
uint32_t metadata_version(const void *bytes, size_t size);

#endif
