/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values for the tests of the replication's forms; see replica_values.h.
 */
#include "replica_values.h"

#include <string.h>

#include <xxhash.h>

#include "little_endian.h"

struct replica_configuration replica_values_configuration(void)
{
	struct replica_configuration configuration = {
		.generation = { .number = 3, .id = 0x3132333435363738, .parent = 0x2122232425262728 },
		.epoch = 0x0102030405060708,
		.reign = 0x0102030405060701,
		.primary = 2,
		.in_sync = 0x05,
		.processes = { [0] = { 0x4142434445464748, 0x5152535455565758 },
			       [2] = { 0x6162636465666768, 0x7172737475767778 } },
		.sizes = { 0x10000000, 0x20000200 },
		.digest = 0x8182838485868788,
	};

	for (unsigned int i = 0; i < sizeof(configuration.set.bytes); i++)
		configuration.set.bytes[i] = (unsigned char)(0xa0 + i);
	return configuration;
}

/* Flags, kind and data of a type; everything else is the same in all of them. */
static void of_type(struct message *message, unsigned char *data)
{
	switch (message->type) {
	case MESSAGE_HELLO:
		message->flags = MESSAGE_DECIDED | MESSAGE_NO_VOTE | MESSAGE_HAS_DATA;
		message->data_size = 2 * MESSAGE_DEVICE_SIZE;
		break;
	case MESSAGE_STATUS:
	case MESSAGE_LEARNT:
		message->flags = MESSAGE_BLANK | MESSAGE_NO_VOTE | MESSAGE_STOPPING;
		break;
	case MESSAGE_CONFIGURATION:
		message->flags = MESSAGE_DECIDED;
		break;
	case MESSAGE_REFUSE:
		message->flags = MESSAGE_DECIDED;
		message->kind = REFUSED_LEASE;
		break;
	case MESSAGE_WRITE:
		message->flags = MESSAGE_STABLE;
		message->kind = ENTRY_WRITE;
		message->data_size = (uint32_t)message->length;
		break;
	case MESSAGE_REQUEST:
		message->flags = MESSAGE_STABLE | MESSAGE_HELD;
		message->kind = ENTRY_WRITE;
		message->data_size = (uint32_t)message->length;
		break;
	case MESSAGE_COPY:
		message->kind = ENTRY_ZEROES;
		break;
	case MESSAGE_FLUSH:
		message->flags = MESSAGE_TRACKED;
		break;
	case MESSAGE_JOIN:
		message->flags = MESSAGE_EMPTY | MESSAGE_LAST;
		message->data_size = 2 * MESSAGE_RANGE_SIZE;
		break;
	case MESSAGE_BITS:
		message->flags = MESSAGE_LAST;
		message->data_size = MESSAGE_RANGE_SIZE;
		break;
	case MESSAGE_REPORT:
		message->flags = MESSAGE_LAST;
		message->data_size = 2 * MESSAGE_RANGE_SIZE;
		break;
	case MESSAGE_DONE_TABLE:
		message->flags = MESSAGE_LAST;
		message->data_size = 40;
		break;
	case MESSAGE_HASHES:
		message->result = 0;
		message->data_size = 2 * MESSAGE_HASH_SIZE;
		break;
	case MESSAGE_ANSWER:
		message->result = 0;
		message->data_size = 48;
		break;
	default:
		break;
	}
	for (unsigned int i = 0; i < message->data_size; i++)
		data[i] = (unsigned char)(0xc0 + i);
	if (message->type == MESSAGE_HELLO) {
		message_put_device(data, 0, (struct message_device){ 0x10001000, 0xe1e2e3e4e5e6e7e8 });
		message_put_device(data, 1, (struct message_device){ 0x20002000, 0xf1f2f3f4f5f6f7f8 });
	}
	if (message->type == MESSAGE_JOIN || message->type == MESSAGE_BITS || message->type == MESSAGE_REPORT) {
		message_put_range(data, 0, (struct byte_range){ 0x1000, 0x2000 });
		if (message->data_size > MESSAGE_RANGE_SIZE)
			message_put_range(data, 1, (struct byte_range){ 0x7fffffff00000000, 0x100000000 });
	}
}

struct message replica_values_message(enum message_type type, unsigned char data[static REPLICA_VALUES_DATA])
{
	struct message message = {
		.type = type,
		.epoch = 0x1112131415161718,
		.reign = 0x1112131415161711,
		.ballot = { 0x191a1b1c, 5 },
		.accepted = { 0x1d1e1f10, 4 },
		.number = 0x2122232425262728,
		.device = 13,
		.position = 0x3132333435363738,
		.length = 56,
		.result = -5,
		.client = { 0x4142434445464748, 0x494a4b4c },
		.generation = 0x4d4e4f5051525354,
		.request = 0x6162636465666768,
		.lowest = 0x6162636465666701,
		.complete = 0x7172737475767778,
		.flushed = 0x797a7b7c7d7e7f70,
		.wait = 0x8182838485868788,
		.member = 6,
		.process = { 0x9192939495969798, 0x999a9b9c9d9e9f90 },
		.digest = 0xa1a2a3a4a5a6a7a8,
		.seed = 0x5152535455565758,
		.seen = 0x31b2b3b4b5b6b7b8,
		.oldest = 1,
		.newest = 2,
		.settings = { 0x51, 0x52, 0x53, 0x54, 0x55 },
		.features = 0xb9babbbcbdbebfb0,
		.configuration = replica_values_configuration(),
	};

	for (unsigned int i = 0; i < sizeof(message.set.bytes); i++)
		message.set.bytes[i] = (unsigned char)(0xd0 + i);
	of_type(&message, data);
	return message;
}

size_t replica_values_frame(enum message_type type, unsigned char frame[static REPLICA_VALUES_FRAME])
{
	unsigned char data[REPLICA_VALUES_DATA];
	struct message message = replica_values_message(type, data);
	size_t head = message_encode(&message, data, frame);

	memcpy(frame + head, data, message.data_size);
	return head + message.data_size;
}

void replica_values_seal_frame(unsigned char *frame, size_t size)
{
	size_t head;

	if (size < MESSAGE_PREFIX)
		return;
	head = MESSAGE_PREFIX + get_u16(frame + 6);
	if (head > size)
		return;
	put_u64(frame + 16, head < size ? XXH3_64bits(frame + head, size - head) : 0);
	put_u64(frame + 24, 0);
	put_u64(frame + 24, XXH3_64bits(frame, head));
}

struct metadata_slot replica_values_slot(void)
{
	struct metadata_slot slot = {
		.sequence = 0x1112131415161718,
		.node = REPLICA_VALUES_NODE,
		.promised_epoch = 0x2122232425262728,
		.promised = { 0x31323334, 4 },
		.accepted = { 0x35363738, 5 },
		.votes_from = 0x3142434445464748,
		.wants_all = 0x8002,
		.flush_failed = 1,
		.decided = 1,
		.configuration = replica_values_configuration(),
	};

	slot.set = slot.configuration.set;
	for (unsigned int device = 0; device < REPLICA_DEVICES_MAX; device++) {
		slot.images[device] = 0x50 + device;
		slot.names[device] = 0x60 + device;
	}
	for (unsigned int member = 0; member < MEMBERS_MAX; member++) {
		slot.features[member] = 0x70 + member;
		slot.bits_saved[member] = 0x80 + member;
		slot.bits_lost[member] = 0x90 + member;
	}
	return slot;
}

void replica_values_bits(uint64_t words[static METADATA_SECTOR_BITS / 64])
{
	for (unsigned int i = 0; i < METADATA_SECTOR_BITS / 64; i++)
		words[i] = UINT64_C(0x8000000000000000) | (i + 1);
}

void replica_values_seal_metadata(unsigned char *bytes, size_t size)
{
	if (size < 16)
		return;
	put_u64(bytes + 8, 0);
	put_u64(bytes + 8, XXH3_64bits(bytes, size));
}

uint64_t replica_values_random(uint64_t *seed)
{
	uint64_t value;

	/* splitmix64 */
	value = *seed += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

void replica_values_damage(unsigned char *bytes, size_t size, uint64_t *seed)
{
	static const uint64_t extremes[] = { 0, 1, 7, 15, 16, 17, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX };

	for (uint64_t count = 1 + replica_values_random(seed) % 3; count > 0; count--) {
		size_t at = replica_values_random(seed) % size;
		uint64_t random = replica_values_random(seed);

		switch (random % 4) {
		case 0:
			bytes[at] ^= (unsigned char)(1u << (random >> 8) % 8);
			break;
		case 1:
			bytes[at] = (unsigned char)(random >> 8);
			break;
		case 2:
			at &= ~(size_t)3;
			if (at + 4 <= size)
				put_u32(bytes + at, (uint32_t)extremes[(random >> 8) % 10]);
			break;
		default:
			at &= ~(size_t)3;
			if (at + 8 <= size)
				put_u64(bytes + at, extremes[(random >> 8) % 10]);
			break;
		}
	}
}
