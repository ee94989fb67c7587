/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames: what is decoded is within its bounds, and encodes to the same bytes.
 */
#include "fuzz.h"

#include <string.h>

#include "done_table.h"
#include "little_endian.h"
#include "replica_values.h"

/* That nothing can have which a receiver would use without looking at it again. */
static void check_bounds(const struct message *message)
{
	uint64_t end;

	fuzz_require(message->type > 0 && message->type < MESSAGE_TYPES, "a type");
	fuzz_require(!(message->flags & ~MESSAGE_FLAGS), "flags");
	fuzz_require(message->device < REPLICA_DEVICES_MAX && message->member < MEMBERS_MAX, "a device or member");
	fuzz_require(message->ballot.member < MEMBERS_MAX && message->accepted.member < MEMBERS_MAX, "a ballot");
	fuzz_require(!__builtin_add_overflow(message->position, message->length, &end), "a range");
	fuzz_require(message->result <= 0 && message->result >= -4095, "a result");
	fuzz_require(message->data_size <= MESSAGE_DATA_MAX, "the data's size");
	if (message->configuration.epoch != 0)
		fuzz_require(message->configuration.primary < MEMBERS_MAX &&
				     member_in(message->configuration.in_sync, (int)message->configuration.primary) &&
				     !(message->configuration.in_sync >> MEMBERS_MAX),
			     "a configuration");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char head[MESSAGE_HEAD_MAX];
	struct message_sizes sizes;
	struct message message;
	const void *carried;
	size_t head_size;

	if (size >= MESSAGE_PREFIX && !message_sizes(data, &sizes))
		fuzz_require(sizes.head <= MESSAGE_HEAD_MAX && sizes.data <= MESSAGE_DATA_MAX, "sizes");
	if (message_decode(data, size, &message, &carried))
		return 0;
	check_bounds(&message);
	head_size = message_encode(&message, carried, head);
	fuzz_require(head_size + message.data_size == size, "another size than it was");
	fuzz_require(memcmp(head, data, head_size) == 0, "another head than it was");
	fuzz_require(message.data_size == 0 || memcmp(carried, data + head_size, message.data_size) == 0, "other data");
	return 0;
}

/* The prefix as the type wants it, all that is behind the fields being data; then the checksums. */
static size_t repair(uint8_t *data, size_t size, size_t max_size)
{
	struct message empty = { .type = 1 + get_u16(data + 4) % (MESSAGE_TYPES - 1) };
	unsigned char head[MESSAGE_HEAD_MAX];
	size_t head_size = message_encode(&empty, NULL, head);

	if (head_size > max_size)
		return size;
	if (size < head_size) {
		memset(data + size, 0, head_size - size);
		size = head_size;
	}
	memcpy(data, head, MESSAGE_PREFIX);
	put_u32(data + 8, (uint32_t)(size - head_size));
	replica_values_seal_frame(data, size);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size = LLVMFuzzerMutate(data, size, max_size);
	if (size < MESSAGE_PREFIX)
		return size;
	/* Sometimes also what is wrong outside of the fields. */
	if (seed % 16 == 0)
		replica_values_seal_frame(data, size);
	else if (seed % 16 != 1)
		size = repair(data, size, max_size);
	return size;
}
