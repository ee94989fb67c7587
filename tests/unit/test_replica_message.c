/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between members and their frames. The frame of each type is kept as a file (a sample for the fuzzers, too),
 * two of them also here, byte by byte: what members of another version read must not change by accident. Everything
 * that is not such a frame is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "replica_values.h"

#define ROUNDS 4000 /* of damage, for each type */

static unsigned char frame[REPLICA_VALUES_FRAME];

/* What is wrong with a frame. */
static const char *decode(const void *bytes, size_t size)
{
	struct message message;
	const void *data;

	return message_decode(bytes, size, &message, &data);
}

static void test_write_bytes(void **state)
{
	static const unsigned char expected[] = {
		/* prefix */
		'R', 'D', 'R', 1, 15, 0, 108, 0, 56, 0, 0, 0, 0, 0, 0, 0,
		/* checksums */
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* flags, kind, member, device */
		0x01, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 13, 0, 0, 0,
		/* epoch, reign, number */
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x11, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x28,
		0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
		/* position, length */
		0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 56, 0, 0, 0, 0, 0, 0, 0,
		/* forwarder, client, generation */
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0x4c, 0x4b, 0x4a, 0x49, 0x54, 0x53, 0x52, 0x51, 0x50,
		0x4f, 0x4e, 0x4d,
		/* request, lowest */
		0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61, 0x01, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61,
		/* complete, flushed */
		0x78, 0x77, 0x76, 0x75, 0x74, 0x73, 0x72, 0x71, 0x70, 0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x7a, 0x79
	};
	size_t size = replica_values_frame(MESSAGE_WRITE, frame);

	(void)state;
	assert_int_equal(size, sizeof(expected) + 56);
	memset(frame + 16, 0, 16);
	assert_memory_equal(frame, expected, sizeof(expected));
	assert_int_equal(frame[sizeof(expected)], 0xc0);
	assert_int_equal(frame[size - 1], 0xc0 + 55);
}

static void test_hello_bytes(void **state)
{
	static const unsigned char fields[] = {
		/* flags, member, epoch */
		0xc8, 0, 0, 0, 6, 0, 0, 0, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
		/* ballot, accepted */
		0x1c, 0x1b, 0x1a, 0x19, 5, 0, 0, 0, 0x10, 0x1f, 0x1e, 0x1d, 4, 0, 0, 0,
		/* process */
		0x98, 0x97, 0x96, 0x95, 0x94, 0x93, 0x92, 0x91, 0x90, 0x9f, 0x9e, 0x9d, 0x9c, 0x9b, 0x9a, 0x99,
		/* set */
		0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
		/* digest, seen */
		0xa8, 0xa7, 0xa6, 0xa5, 0xa4, 0xa3, 0xa2, 0xa1, 0xb8, 0xb7, 0xb6, 0xb5, 0xb4, 0xb3, 0xb2, 0x31,
		/* oldest, newest, features, settings */
		1, 0, 0, 0, 2, 0, 0, 0, 0xb0, 0xbf, 0xbe, 0xbd, 0xbc, 0xbb, 0xba, 0xb9, 0x51, 0, 0, 0, 0x52, 0, 0, 0,
		0x53, 0, 0, 0, 0x54, 0, 0, 0, 0x55, 0, 0, 0,
		/* the configuration: set */
		0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
		/* epoch, reign */
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x01, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		/* generation: id, parent, number */
		0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 3, 0, 0,
		0,
		/* primary, in_sync, 0 */
		2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
		/* digest */
		0x88, 0x87, 0x86, 0x85, 0x84, 0x83, 0x82, 0x81,
		/* processes */
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61, 0x78, 0x77, 0x76,
		0x75, 0x74, 0x73, 0x72, 0x71
	};
	static const unsigned char sizes[] = { 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0x02, 0, 0x20, 0, 0, 0, 0 };
	static const unsigned char devices[] = { 0,    0x10, 0,	   0x10, 0,    0,    0,	   0,	 0xe8, 0xe7, 0xe6,
						 0xe5, 0xe4, 0xe3, 0xe2, 0xe1, 0,    0x20, 0,	 0x20, 0,    0,
						 0,    0,    0xf8, 0xf7, 0xf6, 0xf5, 0xf4, 0xf3, 0xf2, 0xf1 };
	size_t size = replica_values_frame(MESSAGE_HELLO, frame);
	size_t at_sizes = MESSAGE_PREFIX + 116 + 184;

	(void)state;
	assert_int_equal(size, MESSAGE_PREFIX + 116 + 408 + 32);
	assert_memory_equal(frame + MESSAGE_PREFIX, fields, sizeof(fields));
	/* The processes of four more members are 0, and the sizes of 14 more devices. */
	for (size_t i = MESSAGE_PREFIX + sizeof(fields); i < at_sizes; i++)
		assert_int_equal(frame[i], 0);
	assert_memory_equal(frame + at_sizes, sizes, sizeof(sizes));
	for (size_t i = at_sizes + sizeof(sizes); i < size - 32; i++)
		assert_int_equal(frame[i], 0);
	/* Data: size and name of two devices. */
	assert_memory_equal(frame + size - 32, devices, sizeof(devices));
}

/* A frame of each type, as the first version of the form had it. */
static void test_samples(void **state)
{
	(void)state;
	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		unsigned char sample[REPLICA_VALUES_FRAME + 1];
		size_t size = replica_values_frame(type, frame), sample_size;
		char path[512];
		FILE *file;

		snprintf(path, sizeof(path), "%s/message/%s", FUZZ_CORPUS, message_name(type));
		file = fopen(path, "rb");
		if (!file)
			fail_msg("cannot open %s", path);
		sample_size = fread(sample, 1, sizeof(sample), file);
		fclose(file);
		if (size != sample_size || memcmp(sample, frame, size) != 0)
			fail_msg("%s is not as in %s", message_name(type), path);
	}
}

/* What was encoded is decoded, and what a type does not have is zero then. */
static void test_round_trip(void **state)
{
	(void)state;
	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		unsigned char again[MESSAGE_HEAD_MAX];
		size_t size = replica_values_frame(type, frame);
		struct message_sizes sizes;
		struct message message;
		const void *data;
		const char *wrong;

		assert_int_equal(message_sizes(frame, &sizes), 0);
		assert_int_equal((size_t)sizes.head + sizes.data, size);
		assert_true(sizes.head <= MESSAGE_HEAD_MAX);
		wrong = message_decode(frame, size, &message, &data);
		if (wrong)
			fail_msg("%s: %s", message_name(type), wrong);
		assert_int_equal(message.type, type);
		assert_ptr_equal(data, sizes.data ? frame + sizes.head : NULL);
		assert_int_equal(message_encode(&message, data, again), sizes.head);
		assert_memory_equal(again, frame, sizes.head);
		/* The checksum of the data need not be computed again. */
		assert_int_equal(message_encode(&message, NULL, again), sizes.head);
		assert_memory_equal(again, frame, sizes.head);
	}
}

static void test_fields(void **state)
{
	unsigned char bytes[REPLICA_VALUES_DATA];
	struct message wanted = replica_values_message(MESSAGE_WRITE, bytes), message;
	const void *data;

	(void)state;
	assert_null(message_decode(frame, replica_values_frame(MESSAGE_WRITE, frame), &message, &data));
	assert_int_equal(message.flags, MESSAGE_STABLE);
	assert_int_equal(message.kind, ENTRY_WRITE);
	assert_int_equal(message.device, wanted.device);
	assert_true(message.epoch == wanted.epoch && message.reign == wanted.reign && message.number == wanted.number);
	assert_true(message.position == wanted.position && message.length == wanted.length);
	assert_true(message.client.forwarder == wanted.client.forwarder);
	assert_true(message.client.client == wanted.client.client && message.generation == wanted.generation);
	assert_true(message.request == wanted.request && message.lowest == wanted.lowest);
	assert_true(message.complete == wanted.complete && message.flushed == wanted.flushed);
	assert_int_equal(message.data_size, 56);
	assert_memory_equal(data, bytes, 56);
	assert_true(message.ballot.counter == 0 && message.wait == 0 && message.configuration.epoch == 0);

	assert_null(message_decode(frame, replica_values_frame(MESSAGE_WRITTEN, frame), &message, &data));
	assert_int_equal(message.result, -5);
	assert_null(data);
	assert_null(message_decode(frame, replica_values_frame(MESSAGE_REFUSE, frame), &message, &data));
	assert_int_equal(message.kind, REFUSED_LEASE);
	assert_true(message.wait == wanted.wait && message.configuration.epoch == 0x0102030405060708);
	assert_true(message.ballot.counter == wanted.ballot.counter && message.ballot.member == wanted.ballot.member);
	assert_true(replica_configuration_same(&message.configuration, &wanted.configuration));
}

/* Without a configuration nothing of one is sent, whatever is in it. */
static void test_no_configuration(void **state)
{
	unsigned char bytes[REPLICA_VALUES_DATA];
	struct message message = replica_values_message(MESSAGE_COLLECT, bytes);
	const void *data;
	size_t size;

	(void)state;
	message.configuration.epoch = 0;
	size = message_encode(&message, NULL, frame);
	assert_null(message_decode(frame, size, &message, &data));
	assert_true(message.configuration.epoch == 0 && message.configuration.digest == 0);
	/* Something without an epoch is not a configuration. */
	frame[size - 1] = 1;
	replica_values_seal_frame(frame, size);
	assert_string_equal(decode(frame, size), "no epoch");
}

static void test_bit_flips(void **state)
{
	(void)state;
	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		size_t size = replica_values_frame(type, frame);

		for (size_t bit = 0; bit < 8 * size; bit++) {
			frame[bit / 8] ^= (unsigned char)(1u << bit % 8);
			if (!decode(frame, size))
				fail_msg("%s: bit %zu is not seen", message_name(type), bit);
			frame[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
	}
}

static void test_truncation(void **state)
{
	(void)state;
	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		size_t size = replica_values_frame(type, frame);

		assert_null(decode(frame, size));
		assert_non_null(decode(frame, size + 1));
		for (size_t length = 0; length < size; length++) {
			unsigned char cut[REPLICA_VALUES_FRAME];

			memcpy(cut, frame, length);
			assert_non_null(decode(cut, length));
			replica_values_seal_frame(cut, length);
			assert_non_null(decode(cut, length));
		}
	}
}

/* Damaged frames whose checksums are right: they are refused, or what they say is what is encoded again. */
static void test_damage(void **state)
{
	uint64_t seed = 1;
	int refused = 0;

	(void)state;
	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		for (int round = 0; round < ROUNDS; round++) {
			unsigned char again[MESSAGE_HEAD_MAX];
			size_t size = replica_values_frame(type, frame);
			struct message message;
			const void *data;

			replica_values_damage(frame, size, &seed);
			replica_values_seal_frame(frame, size);
			if (message_decode(frame, size, &message, &data)) {
				refused++;
				continue;
			}
			assert_int_equal(message_encode(&message, data, again), size - message.data_size);
			assert_memory_equal(again, frame, size - message.data_size);
		}
	}
	/* Both happen. */
	assert_in_range(refused, ROUNDS, MESSAGE_TYPES * ROUNDS - ROUNDS);
}

/* A prefix that is another in 4 bytes; what it says of the sizes is believed only where it can be. */
static void test_sizes(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} bad[] = {
		{ 0, 0x00524452 }, /* version: only a HELLO has none */
		{ 0, 0x01524453 }, /* magic */
		{ 4, 104u << 16 }, /* type */
		{ 4, 104u << 16 | MESSAGE_TYPES },
		{ 4, 104u << 16 | 0xffff },
		{ 4, 103u << 16 | MESSAGE_WRITE },
		{ 4, 105u << 16 | MESSAGE_WRITE },
		{ 8, MESSAGE_DATA_MAX + 1 },
		{ 8, UINT32_MAX },
		{ 12, 1 },
	};
	struct message_sizes sizes;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		replica_values_frame(MESSAGE_WRITE, frame);
		for (int byte = 0; byte < 4; byte++)
			frame[bad[i].at + (size_t)byte] = (unsigned char)(bad[i].value >> 8 * byte);
		assert_int_equal(message_sizes(frame, &sizes), -1);
	}
	/* No data where there are none. */
	replica_values_frame(MESSAGE_WRITTEN, frame);
	assert_int_equal(message_sizes(frame, &sizes), 0);
	frame[8] = 1;
	assert_int_equal(message_sizes(frame, &sizes), -1);
}

/* What is wrong with a message that was changed by a statement. */
#define assert_wrong(message_type, change, text)                                                                       \
	do {                                                                                                           \
		unsigned char bytes[REPLICA_VALUES_DATA];                                                              \
		struct message m = replica_values_message(message_type, bytes);                                        \
		const char *wrong;                                                                                     \
		size_t head;                                                                                           \
                                                                                                                       \
		change;                                                                                                \
		head = message_encode(&m, bytes, frame);                                                               \
		memcpy(frame + head, bytes, m.data_size);                                                              \
		wrong = decode(frame, head + m.data_size);                                                             \
		assert_non_null(wrong);                                                                                \
		assert_string_equal(wrong, text);                                                                      \
	} while (0)

static void test_wrong_fields(void **state)
{
	(void)state;
	assert_wrong(MESSAGE_WRITE, m.flags = MESSAGE_LAST, "flags that it cannot have");
	assert_wrong(MESSAGE_HELLO, m.flags = MESSAGE_FLAGS + 1, "flags that it cannot have");
	assert_wrong(MESSAGE_WRITE, m.kind = 0, "a kind that it cannot have");
	assert_wrong(MESSAGE_WRITE, m.kind = ENTRY_READ, "a kind that it cannot have");
	assert_wrong(MESSAGE_COPY, m.kind = ENTRY_OPEN, "a kind that it cannot have");
	assert_wrong(MESSAGE_REQUEST, m.kind = ENTRY_KINDS, "a kind that it cannot have");
	assert_wrong(MESSAGE_REQUEST, m.kind = 32 + ENTRY_WRITE, "a kind that it cannot have");
	assert_wrong(MESSAGE_REFUSE, m.kind = 0, "a kind that it cannot have");
	assert_wrong(MESSAGE_REFUSE, m.kind = REFUSALS, "a kind that it cannot have");
	assert_wrong(MESSAGE_HELLO, m.member = MEMBERS_MAX, "a member that cannot be");
	assert_wrong(MESSAGE_PROPOSE, m.ballot.member = MEMBERS_MAX, "a member that cannot be");
	assert_wrong(MESSAGE_PROMISE, m.accepted.member = UINT32_MAX, "a member that cannot be");
	/* Who would believe it could propose nothing any more. */
	assert_wrong(MESSAGE_COLLECT, m.ballot.counter = UINT32_MAX, "a ballot that is never reached");
	assert_wrong(MESSAGE_STATUS, m.accepted.counter = BALLOT_COUNT_MAX + 1, "a ballot that is never reached");
	assert_wrong(MESSAGE_STATUS, m.epoch = UINT64_MAX, "an epoch that is never reached");
	assert_wrong(MESSAGE_HELLO, m.seen = EPOCH_MAX + 1, "an epoch that is never reached");
	assert_wrong(MESSAGE_WRITE, m.reign = EPOCH_MAX + 1, "an epoch that is never reached");
	assert_wrong(MESSAGE_HELLO, m.oldest = 0, "no versions");
	assert_wrong(MESSAGE_HELLO, m.oldest = 3, "no versions");
	assert_wrong(MESSAGE_HELLO, m.newest = 256, "no versions");
	assert_wrong(MESSAGE_WRITE, m.device = REPLICA_DEVICES_MAX, "a device that cannot be");
	assert_wrong(MESSAGE_WRITTEN, m.result = 1, "a result that is none");
	assert_wrong(MESSAGE_WRITTEN, m.result = -4096, "a result that is none");
	assert_wrong(MESSAGE_COLLECT, m.configuration.in_sync = 1, "a primary that is not in sync");
	assert_wrong(MESSAGE_COLLECT, m.configuration.in_sync |= 0x80, "more members in sync than there are");
	assert_wrong(MESSAGE_COLLECT, m.configuration.sizes[3] = 1, "a device's size");
}

static void test_wrong_ranges(void **state)
{
	(void)state;
	assert_wrong(MESSAGE_WRITE, m.position = UINT64_MAX - 55, "a range that wraps");
	assert_wrong(MESSAGE_HASH, m.length = UINT64_MAX, "a range that wraps");
	assert_wrong(MESSAGE_HASH, m.length = 0, "a range that its kind does not have");
	assert_wrong(MESSAGE_COPY, m.length = 0, "a range that its kind does not have");
	assert_wrong(MESSAGE_WRITE, m.length = m.data_size = 0, "a range that its kind does not have");
	assert_wrong(MESSAGE_REQUEST, (m.kind = ENTRY_OPEN, m.position = m.data_size = 0),
		     "a range that its kind does not have");
	assert_wrong(MESSAGE_REQUEST, (m.kind = ENTRY_FLUSH, m.length = m.data_size = 0),
		     "a range that its kind does not have");
	assert_wrong(MESSAGE_REQUEST, (m.kind = ENTRY_READ, m.data_size = 0, m.length = MESSAGE_DATA_MAX + 1),
		     "a range that is too long");
	assert_wrong(MESSAGE_REPORT, message_put_range(bytes, 1, (struct byte_range){ 4096, 0 }),
		     "a range that is empty or wraps");
	assert_wrong(MESSAGE_BITS, message_put_range(bytes, 0, (struct byte_range){ UINT64_MAX, 1 }),
		     "a range that is empty or wraps");
	assert_wrong(MESSAGE_JOIN, m.data_size--, "part of a range");
}

static void test_wrong_data(void **state)
{
	(void)state;
	assert_wrong(MESSAGE_WRITE, m.data_size--, "data of another length");
	assert_wrong(MESSAGE_WRITE, m.length++, "data of another length");
	assert_wrong(MESSAGE_WRITE, m.data_size = 0, "data of another length");
	assert_wrong(MESSAGE_WRITE, m.kind = ENTRY_ZEROES, "data of another length");
	assert_wrong(MESSAGE_COPY, m.kind = ENTRY_WRITE, "data of another length");
	assert_wrong(MESSAGE_COPY, (m.data_size = 56, memset(bytes, 0, 56)), "data of another length");
	assert_wrong(MESSAGE_REQUEST, m.kind = ENTRY_READ, "data of another length");
	assert_wrong(MESSAGE_HELLO, m.data_size--, "part of a device, or too many");
	assert_wrong(MESSAGE_HELLO, message_put_device(bytes, 1, (struct message_device){ (uint64_t)INT64_MAX + 1, 0 }),
		     "a device's size");
	assert_wrong(MESSAGE_HASHES, m.data_size--, "part of a hash");
	assert_wrong(MESSAGE_HASHES, m.result = -5, "an error with data");
	assert_wrong(MESSAGE_ANSWER, m.result = -5, "an error with data");
}

static void test_wrong_clients(void **state)
{
	(void)state;
	assert_wrong(MESSAGE_REQUEST, m.client.forwarder = 0, "a request of nobody");
	assert_wrong(MESSAGE_ANSWER, m.client = (struct client_id){ 0 }, "a request of nobody");
	assert_wrong(MESSAGE_WRITE, m.client.forwarder = 0, "a request of nobody");
	assert_wrong(MESSAGE_WRITE, (m.client = (struct client_id){ 0 }, m.request = m.lowest = 0),
		     "a request of nobody");
	assert_wrong(MESSAGE_WRITE, (m.client.forwarder = 0, m.client.client = 0), "a request of nobody");
	assert_wrong(MESSAGE_WRITE, (m.client.forwarder = 0, m.client.client = 0, m.request = 0),
		     "a request of nobody");
	assert_wrong(MESSAGE_WRITE, m.request = 0, "a request without a number");
	assert_wrong(MESSAGE_REQUEST, m.request = 0, "a request without a number");
	/* Only of an open that is held nobody waits for an answer. */
	assert_wrong(MESSAGE_REQUEST, m.request = m.lowest = 0, "a request without a number");
	assert_wrong(
		MESSAGE_REQUEST,
		(m.kind = ENTRY_OPEN, m.position = m.length = m.data_size = 0, m.flags = 0, m.request = m.lowest = 0),
		"a request without a number");
	assert_wrong(MESSAGE_REQUEST, m.lowest = 0, "a request that its client does not wait for");
	assert_wrong(MESSAGE_REQUEST, m.lowest = m.request + 1, "a request that its client does not wait for");
}

/* Whether a message that was changed by a statement is well. */
#define assert_good(message_type, change)                                                                              \
	do {                                                                                                           \
		unsigned char bytes[REPLICA_VALUES_DATA];                                                              \
		struct message m = replica_values_message(message_type, bytes);                                        \
		size_t head;                                                                                           \
                                                                                                                       \
		change;                                                                                                \
		head = message_encode(&m, bytes, frame);                                                               \
		memcpy(frame + head, bytes, m.data_size);                                                              \
		assert_null(decode(frame, head + m.data_size));                                                        \
	} while (0)

static void test_allowed(void **state)
{
	(void)state;
	/* An entry of the primary's own; a client that is closed, as its host is gone. */
	assert_good(MESSAGE_WRITE, (m.client = (struct client_id){ 0 }, m.generation = m.request = m.lowest = 0));
	assert_good(MESSAGE_WRITE, (m.kind = ENTRY_CLOSE, m.position = m.length = m.data_size = 0, m.request = 0));
	assert_good(MESSAGE_WRITE,
		    (m.kind = ENTRY_OPEN, m.position = m.length = m.data_size = 0, m.flags = MESSAGE_SHARED));
	assert_good(MESSAGE_WRITE, (m.kind = ENTRY_ZEROES, m.data_size = 0, m.length = UINT64_C(1) << 40));
	assert_good(MESSAGE_WRITE, m.position = UINT64_MAX - 56);
	assert_good(MESSAGE_COPY, (m.kind = ENTRY_WRITE, m.data_size = 56, memset(bytes, 0, 56)));
	assert_good(MESSAGE_REQUEST, (m.kind = ENTRY_READ, m.data_size = 0, m.length = MESSAGE_DATA_MAX));
	assert_good(MESSAGE_REQUEST, (m.kind = ENTRY_FLUSH, m.position = m.length = m.data_size = 0));
	assert_good(MESSAGE_REQUEST, m.lowest = m.request);
	assert_good(MESSAGE_REQUEST, (m.kind = ENTRY_OPEN, m.position = m.length = m.data_size = 0,
				      m.flags = MESSAGE_HELD, m.request = m.lowest = 0));
	/* Nothing to tell. */
	assert_good(MESSAGE_HELLO, m.data_size = 0);
	assert_good(MESSAGE_REPORT, m.data_size = 0);
	assert_good(MESSAGE_JOIN, m.data_size = 0);
	assert_good(MESSAGE_DONE_TABLE, m.data_size = 0);
	assert_good(MESSAGE_HASHES, (m.data_size = 0, m.result = -5));
	assert_good(MESSAGE_ANSWER, (m.data_size = 0, m.result = -4095));
	assert_good(MESSAGE_HELLO, (m.newest = 255, m.features = UINT64_MAX));
}

static void test_devices(void **state)
{
	unsigned char bytes[(REPLICA_DEVICES_MAX + 1) * MESSAGE_DEVICE_SIZE] = { 0 },
							large[MESSAGE_HEAD_MAX + sizeof(bytes)];
	unsigned char data[REPLICA_VALUES_DATA];
	struct message message = replica_values_message(MESSAGE_HELLO, data);
	struct message_device device = message_get_device(data, 1);

	(void)state;
	assert_true(device.size == 0x20002000 && device.name == 0xf1f2f3f4f5f6f7f8);
	for (uint32_t count = REPLICA_DEVICES_MAX; count <= REPLICA_DEVICES_MAX + 1; count++) {
		size_t head;

		message.data_size = count * MESSAGE_DEVICE_SIZE;
		head = message_encode(&message, bytes, large);
		memcpy(large + head, bytes, message.data_size);
		assert_int_equal(decode(large, head + message.data_size) == NULL, count == REPLICA_DEVICES_MAX);
	}
}

/* The largest frame there is. */
static void test_most_data(void **state)
{
	static unsigned char large[MESSAGE_HEAD_MAX + MESSAGE_DATA_MAX];
	static unsigned char data[MESSAGE_DATA_MAX];
	unsigned char bytes[REPLICA_VALUES_DATA];
	struct message message = replica_values_message(MESSAGE_WRITE, bytes);
	size_t head;

	(void)state;
	message.length = message.data_size = MESSAGE_DATA_MAX;
	memset(data, 0x5a, sizeof(data));
	head = message_encode(&message, data, large);
	memcpy(large + head, data, sizeof(data));
	assert_null(decode(large, head + sizeof(data)));
	large[head + sizeof(data) - 1] ^= 1;
	assert_string_equal(decode(large, head + sizeof(data)), "a wrong checksum of the data");
}

static void test_ranges(void **state)
{
	unsigned char bytes[2 * MESSAGE_RANGE_SIZE];
	struct byte_range range;

	(void)state;
	message_put_range(bytes, 0, (struct byte_range){ 1, 2 });
	message_put_range(bytes, 1, (struct byte_range){ 0x0102030405060708, UINT64_MAX });
	assert_int_equal(bytes[16], 8);
	range = message_get_range(bytes, 0);
	assert_true(range.position == 1 && range.length == 2);
	range = message_get_range(bytes, 1);
	assert_true(range.position == 0x0102030405060708 && range.length == UINT64_MAX);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(message_name(MESSAGE_HELLO), "HELLO");
	assert_string_equal(message_name(MESSAGE_STEP_DOWN), "STEP_DOWN");
	assert_string_equal(message_name(0), "unknown");
	assert_string_equal(message_name(MESSAGE_TYPES), "unknown");
	for (enum message_type a = 1; a < MESSAGE_TYPES; a++)
		for (enum message_type b = 1; b < a; b++)
			assert_string_not_equal(message_name(a), message_name(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_bytes),  cmocka_unit_test(test_hello_bytes),
		cmocka_unit_test(test_samples),	     cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_fields),	     cmocka_unit_test(test_no_configuration),
		cmocka_unit_test(test_bit_flips),    cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_damage),	     cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_wrong_fields), cmocka_unit_test(test_wrong_ranges),
		cmocka_unit_test(test_wrong_data),   cmocka_unit_test(test_wrong_clients),
		cmocka_unit_test(test_allowed),	     cmocka_unit_test(test_most_data),
		cmocka_unit_test(test_devices),	     cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
