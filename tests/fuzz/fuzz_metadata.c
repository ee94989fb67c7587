/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots and sectors, read as ones of the node, set and place that they say: what is good is within its bounds, and
 * encodes to the same bytes.
 */
#include "fuzz.h"

#include <string.h>

#include "little_endian.h"
#include "replica_values.h"

#define USED 1368u /* bytes of a slot that are worth changing: all but zeroes */

static void check_slot(const uint8_t *data, size_t size)
{
	unsigned char again[METADATA_SLOT_SIZE];
	uint32_t node = size >= 36 ? get_u32(data + 32) : 1;
	struct metadata_slot slot;

	if (metadata_decode_slot(data, size, node, &slot) != METADATA_GOOD)
		return;
	fuzz_require(slot.promised.member < MEMBERS_MAX && slot.accepted.member < MEMBERS_MAX, "a ballot");
	fuzz_require(!(slot.wants_all >> REPLICA_DEVICES_MAX) && slot.flush_failed <= 1 && slot.decided <= 1,
		     "a device or mark");
	for (unsigned int member = 0; member < MEMBERS_MAX; member++)
		fuzz_require(!((slot.bits_saved[member] | slot.bits_lost[member]) >> REPLICA_DEVICES_MAX), "a device");
	metadata_encode_slot(&slot, again);
	fuzz_require(size == sizeof(again) && memcmp(again, data, size) == 0, "another slot than it was");
	fuzz_require(metadata_decode_slot(data, size, node + 1, &slot) == METADATA_FOREIGN, "of any node");
}

static void check_sector(const uint8_t *data, size_t size)
{
	struct metadata_place place = { .kind = METADATA_BITS };
	unsigned char again[METADATA_SECTOR];
	uint64_t bits[METADATA_SECTOR_BITS / 64];
	struct set_id set = { { 0 } };
	uint32_t node = 1;

	if (size >= METADATA_SECTOR_HEAD) {
		memcpy(set.bytes, data + 16, sizeof(set.bytes));
		node = get_u32(data + 32);
		place = (struct metadata_place){ .kind = get_u32(data + 36) == METADATA_LOG ? METADATA_LOG
											    : METADATA_BITS,
						 .device = get_u32(data + 40),
						 .member = get_u32(data + 44),
						 .index = get_u32(data + 48) };
	}
	if (metadata_decode_sector(data, size, &place, &set, node, bits) != METADATA_GOOD)
		return;
	metadata_encode_sector(&place, &set, node, bits, again);
	fuzz_require(size == sizeof(again) && memcmp(again, data, size) == 0, "another sector than it was");
	place.index++;
	fuzz_require(metadata_decode_sector(data, size, &place, &set, node, bits) == METADATA_BROKEN, "of any place");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_slot(data, size);
	check_sector(data, size);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static const unsigned char magic_version[8] = { 'R', 'D', 'M', 'D', METADATA_VERSION };
	size_t wanted = seed / 16 % 2 ? METADATA_SLOT_SIZE : METADATA_SECTOR;

	if (size > USED)
		size = USED;
	size = LLVMFuzzerMutate(data, size, max_size < USED ? max_size : USED);
	if (wanted > max_size || seed % 16 == 0)
		return size;
	if (size < wanted)
		memset(data + size, 0, wanted - size);
	memcpy(data, magic_version, sizeof(magic_version));
	replica_values_seal_metadata(data, wanted);
	return wanted;
}
