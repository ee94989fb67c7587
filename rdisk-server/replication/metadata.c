/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots and sectors of maps as bytes; see metadata.h for their form.
 */
#include "metadata.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "encoding.h"
#include "little_endian.h"

/* What each piece begins with. */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_CHECKSUM = 8,
	AT_SET = 16,
	AT_NODE = 32,
	AT_KIND = 36,
	AT_DEVICE = 40,
	AT_MEMBER = 44,
	AT_INDEX = 48,
	AT_RESERVED = 52,
	AT_BODY = METADATA_SECTOR_HEAD,
};

/* Of a slot. */
enum {
	AT_SEQUENCE = AT_BODY,
	AT_PROMISED_EPOCH = AT_SEQUENCE + 8,
	AT_PROMISED = AT_PROMISED_EPOCH + 8,
	AT_ACCEPTED = AT_PROMISED + 8,
	AT_VOTES_FROM = AT_ACCEPTED + 8,
	AT_WANTS_ALL = AT_VOTES_FROM + 8,
	AT_FLUSH_FAILED = AT_WANTS_ALL + 8,
	AT_IMAGES = AT_FLUSH_FAILED + 8,
	AT_NAMES = AT_IMAGES + 8 * REPLICA_DEVICES_MAX,
	AT_CONFIGURATION = AT_NAMES + 8 * REPLICA_DEVICES_MAX,
	AT_GIVEN_UP = AT_CONFIGURATION + REPLICA_CONFIGURATION_BYTES,
	AT_FEATURES = AT_GIVEN_UP + REPLICA_CONFIGURATION_BYTES,
	AT_BITS_SAVED = AT_FEATURES + 8 * MEMBERS_MAX,
	AT_BITS_LOST = AT_BITS_SAVED + 8 * MEMBERS_MAX,
	AT_DECIDED = AT_BITS_LOST + 8 * MEMBERS_MAX,
	AT_END = AT_DECIDED + 8,
};

_Static_assert(AT_END == 1368 && AT_END <= METADATA_SLOT_SIZE, "the layout is as metadata.h says");
_Static_assert(METADATA_SLOT_SIZE <= CHECKSUM_AROUND_MAX, "a slot has one checksum");
_Static_assert(METADATA_SECTOR_BITS % 64 == 0, "a sector's bits are whole words");

#define MAGIC ((uint32_t)'R' | (uint32_t)'D' << 8 | (uint32_t)'M' << 16 | (uint32_t)'D' << 24)

static bool set_same(const struct set_id *a, const struct set_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void put_head(unsigned char *bytes, const struct metadata_place *place, const struct set_id *set, uint32_t node)
{
	put_u32(bytes + AT_MAGIC, MAGIC);
	put_u32(bytes + AT_VERSION, METADATA_VERSION);
	memcpy(bytes + AT_SET, set->bytes, sizeof(set->bytes));
	put_u32(bytes + AT_NODE, node);
	put_u32(bytes + AT_KIND, place->kind);
	put_u32(bytes + AT_DEVICE, place->device);
	put_u32(bytes + AT_MEMBER, place->member);
	put_u32(bytes + AT_INDEX, place->index);
}

static void seal(unsigned char *bytes, size_t size)
{
	put_u64(bytes + AT_CHECKSUM, checksum_around(bytes, size, AT_CHECKSUM));
}

/* Whether it is a whole piece of this version. What a newer version has only in its own form is not looked at. */
static enum metadata_state check_piece(const unsigned char *bytes, size_t size, size_t wanted)
{
	if (bytes_are_zero(bytes, size))
		return METADATA_MISSING;
	if (size != wanted || get_u32(bytes + AT_MAGIC) != MAGIC ||
	    get_u64(bytes + AT_CHECKSUM) != checksum_around(bytes, size, AT_CHECKSUM))
		return METADATA_BROKEN;
	if (get_u32(bytes + AT_VERSION) > METADATA_VERSION)
		return METADATA_FUTURE;
	if (get_u32(bytes + AT_VERSION) != METADATA_VERSION ||
	    !bytes_are_zero(bytes + AT_RESERVED, AT_BODY - AT_RESERVED))
		return METADATA_BROKEN;
	return METADATA_GOOD;
}

static bool place_is(const unsigned char *bytes, const struct metadata_place *place)
{
	return get_u32(bytes + AT_KIND) == (uint32_t)place->kind && get_u32(bytes + AT_DEVICE) == place->device &&
	       get_u32(bytes + AT_MEMBER) == place->member && get_u32(bytes + AT_INDEX) == place->index;
}

static void put_ballot(unsigned char *bytes, struct ballot ballot)
{
	put_u32(bytes, ballot.counter);
	put_u32(bytes + 4, ballot.member);
}

static struct ballot get_ballot(const unsigned char *bytes)
{
	return (struct ballot){ .counter = get_u32(bytes), .member = get_u32(bytes + 4) };
}

/* Both slots have one form: either may be read in place of the other. */
static const struct metadata_place any_slot = { .kind = METADATA_SLOT };

void metadata_encode_slot(const struct metadata_slot *slot, unsigned char bytes[static METADATA_SLOT_SIZE])
{
	memset(bytes, 0, METADATA_SLOT_SIZE);
	put_head(bytes, &any_slot, &slot->set, slot->node);
	put_u64(bytes + AT_SEQUENCE, slot->sequence);
	put_u64(bytes + AT_PROMISED_EPOCH, slot->promised_epoch);
	put_ballot(bytes + AT_PROMISED, slot->promised);
	put_ballot(bytes + AT_ACCEPTED, slot->accepted);
	put_u64(bytes + AT_VOTES_FROM, slot->votes_from);
	put_u64(bytes + AT_WANTS_ALL, slot->wants_all);
	put_u64(bytes + AT_FLUSH_FAILED, slot->flush_failed);
	put_u64(bytes + AT_DECIDED, slot->decided);
	for (size_t device = 0; device < REPLICA_DEVICES_MAX; device++) {
		put_u64(bytes + AT_IMAGES + 8 * device, slot->images[device]);
		put_u64(bytes + AT_NAMES + 8 * device, slot->names[device]);
	}
	replica_configuration_encode(&slot->configuration, bytes + AT_CONFIGURATION);
	replica_configuration_encode(&slot->given_up, bytes + AT_GIVEN_UP);
	for (size_t member = 0; member < MEMBERS_MAX; member++) {
		put_u64(bytes + AT_FEATURES + 8 * member, slot->features[member]);
		put_u64(bytes + AT_BITS_SAVED + 8 * member, slot->bits_saved[member]);
		put_u64(bytes + AT_BITS_LOST + 8 * member, slot->bits_lost[member]);
	}
	seal(bytes, METADATA_SLOT_SIZE);
}

static void get_slot(const unsigned char *bytes, struct metadata_slot *slot)
{
	memcpy(slot->set.bytes, bytes + AT_SET, sizeof(slot->set.bytes));
	slot->node = get_u32(bytes + AT_NODE);
	slot->sequence = get_u64(bytes + AT_SEQUENCE);
	slot->promised_epoch = get_u64(bytes + AT_PROMISED_EPOCH);
	slot->promised = get_ballot(bytes + AT_PROMISED);
	slot->accepted = get_ballot(bytes + AT_ACCEPTED);
	slot->votes_from = get_u64(bytes + AT_VOTES_FROM);
	slot->wants_all = get_u64(bytes + AT_WANTS_ALL);
	slot->flush_failed = get_u64(bytes + AT_FLUSH_FAILED);
	slot->decided = get_u64(bytes + AT_DECIDED);
	for (size_t device = 0; device < REPLICA_DEVICES_MAX; device++) {
		slot->images[device] = get_u64(bytes + AT_IMAGES + 8 * device);
		slot->names[device] = get_u64(bytes + AT_NAMES + 8 * device);
	}
	for (size_t member = 0; member < MEMBERS_MAX; member++) {
		slot->features[member] = get_u64(bytes + AT_FEATURES + 8 * member);
		slot->bits_saved[member] = get_u64(bytes + AT_BITS_SAVED + 8 * member);
		slot->bits_lost[member] = get_u64(bytes + AT_BITS_LOST + 8 * member);
	}
}

static bool devices_ok(const struct metadata_slot *slot)
{
	uint64_t any = slot->wants_all;

	for (size_t member = 0; member < MEMBERS_MAX; member++)
		any |= slot->bits_saved[member] | slot->bits_lost[member];
	return !(any >> REPLICA_DEVICES_MAX);
}

enum metadata_state metadata_decode_slot(const void *bytes, size_t size, uint32_t node, struct metadata_slot *slot)
{
	const unsigned char *at = bytes;
	enum metadata_state state = check_piece(at, size, METADATA_SLOT_SIZE);

	if (state != METADATA_GOOD)
		return state;
	if (!place_is(at, &any_slot))
		return METADATA_BROKEN;
	memset(slot, 0, sizeof(*slot));
	get_slot(at, slot);
	if (slot->node != node)
		return METADATA_FOREIGN;
	if (slot->promised.member >= MEMBERS_MAX || slot->accepted.member >= MEMBERS_MAX ||
	    slot->promised.counter > BALLOT_COUNT_MAX || slot->accepted.counter > BALLOT_COUNT_MAX ||
	    slot->promised_epoch > EPOCH_MAX || (slot->votes_from != VOTES_UNKNOWN && slot->votes_from > EPOCH_MAX) ||
	    !devices_ok(slot) || slot->flush_failed > 1 || slot->decided > 1 ||
	    !bytes_are_zero(at + AT_END, METADATA_SLOT_SIZE - AT_END))
		return METADATA_BROKEN;
	if (replica_configuration_decode(at + AT_CONFIGURATION, &slot->configuration) ||
	    replica_configuration_decode(at + AT_GIVEN_UP, &slot->given_up))
		return METADATA_BROKEN;
	if ((slot->configuration.epoch != 0 && !set_same(&slot->configuration.set, &slot->set)) ||
	    (slot->given_up.epoch != 0 && !set_same(&slot->given_up.set, &slot->set)))
		return METADATA_BROKEN;
	return METADATA_GOOD;
}

void metadata_encode_sector(const struct metadata_place *place, const struct set_id *set, uint32_t node,
			    const uint64_t *bits, unsigned char bytes[static METADATA_SECTOR])
{
	assert(place->kind == METADATA_LOG || place->kind == METADATA_BITS);
	memset(bytes, 0, AT_BODY);
	put_head(bytes, place, set, node);
	for (size_t word = 0; word < METADATA_SECTOR_BITS / 64; word++)
		put_u64(bytes + AT_BODY + 8 * word, bits[word]);
	seal(bytes, METADATA_SECTOR);
}

enum metadata_state metadata_decode_sector(const void *bytes, size_t size, const struct metadata_place *place,
					   const struct set_id *set, uint32_t node, uint64_t *bits)
{
	const unsigned char *at = bytes;
	enum metadata_state state = check_piece(at, size, METADATA_SECTOR);
	struct set_id written;

	if (state != METADATA_GOOD)
		return state;
	memcpy(written.bytes, at + AT_SET, sizeof(written.bytes));
	if (!set_same(&written, set) || get_u32(at + AT_NODE) != node)
		return METADATA_FOREIGN;
	if (!place_is(at, place))
		return METADATA_BROKEN;
	for (size_t word = 0; word < METADATA_SECTOR_BITS / 64; word++)
		bits[word] = get_u64(at + AT_BODY + 8 * word);
	return METADATA_GOOD;
}

void metadata_restamp(unsigned char *bytes, size_t size, uint32_t version)
{
	put_u32(bytes + AT_VERSION, version);
	seal(bytes, size);
}

uint32_t metadata_version(const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	if (size < AT_BODY || get_u32(at + AT_MAGIC) != MAGIC ||
	    get_u64(at + AT_CHECKSUM) != checksum_around(at, size, AT_CHECKSUM))
		return 0;
	return get_u32(at + AT_VERSION);
}
