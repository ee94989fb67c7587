/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member keeps on disk: the bytes of its slots and sectors, and that nothing else is taken for one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "replica_values.h"

#define ROUNDS 20000
#define WORDS  (METADATA_SECTOR_BITS / 64)

static unsigned char bytes[METADATA_SLOT_SIZE];
static struct metadata_slot slot;
static uint64_t bits[WORDS];

static enum metadata_state decode_slot(size_t size)
{
	return metadata_decode_slot(bytes, size, REPLICA_VALUES_NODE, &slot);
}

static void sample_slot(void)
{
	struct metadata_slot value = replica_values_slot();

	metadata_encode_slot(&value, bytes);
}

/* The places of the sectors that are sampled. */
static const struct metadata_place log_place = { .kind = METADATA_LOG, .device = 3, .index = 0x11121314 };
static const struct metadata_place bits_place = {
	.kind = METADATA_BITS, .device = 3, .member = 6, .index = 0x11121314
};

static enum metadata_state decode_sector(const struct metadata_place *place, size_t size)
{
	struct metadata_slot value = replica_values_slot();

	return metadata_decode_sector(bytes, size, place, &value.set, REPLICA_VALUES_NODE, bits);
}

static void sample_sector(const struct metadata_place *place)
{
	struct metadata_slot value = replica_values_slot();
	uint64_t words[WORDS];

	replica_values_bits(words);
	metadata_encode_sector(place, &value.set, REPLICA_VALUES_NODE, words, bytes);
}

static void test_slot_bytes(void **state)
{
	static const unsigned char head[] = {
		'R', 'D', 'M', 'D', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* set */
		0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
		/* node, kind, the rest of the head */
		200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* sequence, promised, accepted */
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 0x34,
		0x33, 0x32, 0x31, 4, 0, 0, 0, 0x38, 0x37, 0x36, 0x35, 5, 0, 0, 0,
		/* votes_from, wants_all, flush_failed */
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x31, 0x02, 0x80, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0,
		/* images */
		0x50, 0, 0, 0, 0, 0, 0, 0, 0x51, 0, 0, 0, 0, 0, 0, 0
	};

	(void)state;
	sample_slot();
	memset(bytes + 8, 0, 8);
	assert_memory_equal(bytes, head, sizeof(head));
	assert_int_equal(bytes[120 + 8 * 15], 0x5f);
	assert_int_equal(bytes[248], 0x60);
	assert_int_equal(bytes[248 + 8 * 15], 0x6f);
	/* Two configurations, of which the second is none, and the features of seven members. */
	assert_int_equal(bytes[376], 0xa0);
	assert_int_equal(bytes[376 + 16], 0x08);
	assert_int_equal(bytes[376 + 184 + 3], 0x10);
	assert_int_equal(bytes[1192], 0x70);
	assert_int_equal(bytes[1192 + 8 * 6], 0x76);
	/* The marks of bits. */
	assert_int_equal(bytes[1248], 0x80);
	assert_int_equal(bytes[1304], 0x90);
	assert_int_equal(bytes[1304 + 8 * 6], 0x96);
	assert_int_equal(bytes[1360], 1);
	for (size_t i = 1368; i < METADATA_SLOT_SIZE; i++)
		assert_int_equal(bytes[i], 0);
}

static void test_sector_bytes(void **state)
{
	static const unsigned char place[] = { 200, 0, 0, 0, 2,	   0,	 0,    0,    3, 0, 0, 0,
					       6,   0, 0, 0, 0x14, 0x13, 0x12, 0x11, 0, 0, 0, 0 };

	(void)state;
	sample_sector(&bits_place);
	assert_memory_equal(bytes, "RDMD\1\0\0\0", 8);
	assert_memory_equal(bytes + 32, place, sizeof(place));
	assert_int_equal(bytes[64], 0x01);
	assert_int_equal(bytes[64 + 7], 0x80);
	assert_int_equal(bytes[64 + 8], 0x02);
	assert_int_equal(bytes[511], 0x80);
}

/* The samples as the first version of the form had them. */
static void compare_sample(const char *name, size_t size)
{
	unsigned char sample[METADATA_SLOT_SIZE + 1];
	size_t sample_size;
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/metadata/%s", FUZZ_CORPUS, name);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("cannot open %s", path);
	sample_size = fread(sample, 1, sizeof(sample), file);
	fclose(file);
	if (size != sample_size || memcmp(sample, bytes, size) != 0)
		fail_msg("it is not as in %s", path);
}

static void test_samples(void **state)
{
	(void)state;
	sample_slot();
	compare_sample("slot", METADATA_SLOT_SIZE);
	sample_sector(&log_place);
	compare_sample("log", METADATA_SECTOR);
	sample_sector(&bits_place);
	compare_sample("bits", METADATA_SECTOR);
}

static void test_slot(void **state)
{
	struct metadata_slot value = replica_values_slot();

	(void)state;
	sample_slot();
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_GOOD);
	assert_memory_equal(slot.set.bytes, value.set.bytes, sizeof(value.set.bytes));
	assert_true(slot.sequence == value.sequence && slot.node == value.node);
	assert_true(slot.promised_epoch == value.promised_epoch && slot.votes_from == value.votes_from);
	assert_int_equal(ballot_compare(slot.promised, value.promised), 0);
	assert_int_equal(ballot_compare(slot.accepted, value.accepted), 0);
	assert_true(replica_configuration_same(&slot.configuration, &value.configuration));
	assert_memory_equal(slot.images, value.images, sizeof(value.images));
	assert_memory_equal(slot.names, value.names, sizeof(value.names));
	assert_true(slot.wants_all == value.wants_all && slot.flush_failed == value.flush_failed);
	assert_true(slot.decided == value.decided);
	assert_memory_equal(slot.features, value.features, sizeof(value.features));
	assert_memory_equal(slot.bits_saved, value.bits_saved, sizeof(value.bits_saved));
	assert_memory_equal(slot.bits_lost, value.bits_lost, sizeof(value.bits_lost));

	/* Before the first configuration there is neither that nor a set. */
	value = (struct metadata_slot){
		.sequence = 1, .node = REPLICA_VALUES_NODE, .promised_epoch = 1, .promised = { 1, 0 }
	};
	metadata_encode_slot(&value, bytes);
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_GOOD);
	assert_true(slot.configuration.epoch == 0 && slot.promised.counter == 1);
}

static void test_sector(void **state)
{
	uint64_t words[WORDS];

	(void)state;
	replica_values_bits(words);
	sample_sector(&log_place);
	assert_int_equal(decode_sector(&log_place, METADATA_SECTOR), METADATA_GOOD);
	assert_memory_equal(bits, words, sizeof(words));
	/* None set is not none there. */
	memset(words, 0, sizeof(words));
	metadata_encode_sector(&log_place, &(struct set_id){ { 1 } }, 1, words, bytes);
	memset(bits, 0xff, sizeof(bits));
	assert_int_equal(metadata_decode_sector(bytes, METADATA_SECTOR, &log_place, &(struct set_id){ { 1 } }, 1, bits),
			 METADATA_GOOD);
	assert_memory_equal(bits, words, sizeof(words));
}

static void test_other_places(void **state)
{
	const struct metadata_place places[] = {
		{ METADATA_LOG, 3, 6, 0x11121314 },  { METADATA_BITS, 2, 6, 0x11121314 },
		{ METADATA_BITS, 3, 5, 0x11121314 }, { METADATA_BITS, 3, 6, 0x11121315 },
		{ METADATA_SLOT, 0, 0, 0 },
	};

	(void)state;
	sample_sector(&bits_place);
	memset(bits, 0x55, sizeof(bits));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		assert_int_equal(decode_sector(&places[i], METADATA_SECTOR), METADATA_BROKEN);
	for (size_t i = 0; i < WORDS; i++)
		assert_true(bits[i] == UINT64_C(0x5555555555555555));
	assert_int_equal(decode_sector(&bits_place, METADATA_SECTOR), METADATA_GOOD);
}

static void test_missing(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(decode_slot(0), METADATA_MISSING);
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_MISSING);
	assert_int_equal(decode_slot(100), METADATA_MISSING);
	assert_int_equal(decode_sector(&log_place, 0), METADATA_MISSING);
	assert_int_equal(decode_sector(&log_place, METADATA_SECTOR), METADATA_MISSING);
	bytes[METADATA_SECTOR - 1] = 1;
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_BROKEN);
	assert_int_equal(decode_sector(&log_place, METADATA_SECTOR), METADATA_BROKEN);
}

static void test_foreign(void **state)
{
	struct set_id other = replica_values_slot().set;

	(void)state;
	sample_slot();
	assert_int_equal(metadata_decode_slot(bytes, METADATA_SLOT_SIZE, 199, &slot), METADATA_FOREIGN);
	sample_sector(&log_place);
	assert_int_equal(metadata_decode_sector(bytes, METADATA_SECTOR, &log_place, &other, 199, bits),
			 METADATA_FOREIGN);
	other.bytes[15] ^= 1;
	assert_int_equal(metadata_decode_sector(bytes, METADATA_SECTOR, &log_place, &other, REPLICA_VALUES_NODE, bits),
			 METADATA_FOREIGN);
}

/* Newer is only what is whole: a flipped bit of the version does not keep a process from starting. */
static void test_future(void **state)
{
	(void)state;
	sample_slot();
	bytes[4] = 2;
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_BROKEN);
	bytes[METADATA_SLOT_SIZE - 1] = 0x77;
	replica_values_seal_metadata(bytes, METADATA_SLOT_SIZE);
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_FUTURE);
	bytes[4] = 0;
	replica_values_seal_metadata(bytes, METADATA_SLOT_SIZE);
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_BROKEN);
	sample_sector(&log_place);
	bytes[7] = 0x80;
	replica_values_seal_metadata(bytes, METADATA_SECTOR);
	assert_int_equal(decode_sector(&log_place, METADATA_SECTOR), METADATA_FUTURE);
}

static void test_bit_flips(void **state)
{
	(void)state;
	sample_slot();
	for (size_t bit = 0; bit < 8 * METADATA_SLOT_SIZE; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_BROKEN);
		bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
	sample_sector(&bits_place);
	for (size_t bit = 0; bit < 8 * METADATA_SECTOR; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_int_equal(decode_sector(&bits_place, METADATA_SECTOR), METADATA_BROKEN);
		bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
}

/* Also where the rest was never written: torn in the middle of it. */
static void test_truncation(void **state)
{
	(void)state;
	for (size_t size = 1; size < METADATA_SLOT_SIZE; size++) {
		sample_slot();
		assert_int_equal(decode_slot(size), METADATA_BROKEN);
		/* After the last mark it is zeroes anyway. */
		memset(bytes + size, 0, METADATA_SLOT_SIZE - size);
		assert_int_equal(decode_slot(METADATA_SLOT_SIZE), size < 1361 ? METADATA_BROKEN : METADATA_GOOD);
	}
	for (size_t size = 1; size < METADATA_SECTOR; size++) {
		sample_sector(&log_place);
		assert_int_equal(decode_sector(&log_place, size), METADATA_BROKEN);
		memset(bytes + size, 0, METADATA_SECTOR - size);
		assert_int_equal(decode_sector(&log_place, METADATA_SECTOR), METADATA_BROKEN);
	}
	assert_int_equal(decode_sector(&log_place, METADATA_SECTOR + 1), METADATA_BROKEN);
}

/* A slot that was changed by a statement cannot be. */
#define assert_broken(change)                                                                                          \
	do {                                                                                                           \
		struct metadata_slot s = replica_values_slot();                                                        \
                                                                                                                       \
		change;                                                                                                \
		metadata_encode_slot(&s, bytes);                                                                       \
		assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_BROKEN);                                    \
	} while (0)

static void test_wrong_slots(void **state)
{
	(void)state;
	assert_broken(s.promised.member = MEMBERS_MAX);
	assert_broken(s.accepted.member = UINT32_MAX);
	assert_broken(s.wants_all = UINT64_C(1) << REPLICA_DEVICES_MAX);
	assert_broken(s.bits_saved[6] = UINT64_C(1) << REPLICA_DEVICES_MAX);
	assert_broken(s.bits_lost[0] = UINT64_C(1) << REPLICA_DEVICES_MAX);
	assert_broken(s.flush_failed = 2);
	assert_broken(s.decided = 2);
	assert_broken(s.set.bytes[0] ^= 1);
	assert_broken(s.configuration.primary = 1);
	assert_broken(s.configuration.digest = 0);
	/* What it gave up is a configuration of the same set, or none. */
	assert_broken((s.given_up = s.configuration, s.given_up.primary = 1));
	assert_broken((s.given_up = s.configuration, s.given_up.set.bytes[0] ^= 1));
	/* Behind all fields there is nothing. */
	sample_slot();
	bytes[METADATA_SLOT_SIZE - 1] = 1;
	replica_values_seal_metadata(bytes, METADATA_SLOT_SIZE);
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_BROKEN);
}

/* Damage with a checksum that is right: it is refused, or encodes to the same bytes. */
static void test_damage(void **state)
{
	int good = 0;
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		unsigned char again[METADATA_SLOT_SIZE];

		sample_slot();
		replica_values_damage(bytes, 700, &seed);
		replica_values_seal_metadata(bytes, METADATA_SLOT_SIZE);
		if (decode_slot(METADATA_SLOT_SIZE) != METADATA_GOOD)
			continue;
		metadata_encode_slot(&slot, again);
		assert_memory_equal(again, bytes, METADATA_SLOT_SIZE);
		good++;
	}
	assert_in_range(good, ROUNDS / 20, ROUNDS - ROUNDS / 20);
}

/* As another version that has the same form. */
static void test_restamp(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(metadata_version(bytes, METADATA_SLOT_SIZE), 0);
	sample_slot();
	assert_int_equal(metadata_version(bytes, METADATA_SLOT_SIZE), METADATA_VERSION);
	metadata_restamp(bytes, METADATA_SLOT_SIZE, METADATA_VERSION + 1);
	assert_int_equal(metadata_version(bytes, METADATA_SLOT_SIZE), METADATA_VERSION + 1);
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_FUTURE);
	metadata_restamp(bytes, METADATA_SLOT_SIZE, METADATA_VERSION);
	assert_int_equal(decode_slot(METADATA_SLOT_SIZE), METADATA_GOOD);
	bytes[100] ^= 1;
	assert_int_equal(metadata_version(bytes, METADATA_SLOT_SIZE), 0);
	assert_int_equal(metadata_version(bytes, 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restamp),	     cmocka_unit_test(test_slot_bytes),
		cmocka_unit_test(test_sector_bytes), cmocka_unit_test(test_samples),
		cmocka_unit_test(test_slot),	     cmocka_unit_test(test_sector),
		cmocka_unit_test(test_other_places), cmocka_unit_test(test_missing),
		cmocka_unit_test(test_foreign),	     cmocka_unit_test(test_future),
		cmocka_unit_test(test_bit_flips),    cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_wrong_slots),  cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
