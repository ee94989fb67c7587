/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primary's part of a copy: a range of its own image that a target must be given. It is read; where it is not known
 * whether the target's blocks differ their hashes are asked for first; what differs is sent, zeroes without their
 * bytes. It has its place in the order from before it is read until the target has acknowledged all of it, so that no
 * write is between what was read or compared and what the target has. Which range is next, and what follows from a copy
 * that is over, is bringup.c's business.
 */
#include <stdlib.h>
#include <string.h>

#include "block_hash.h"
#include "core.h"

/* ---- which range ---- */

/* A bucket of tokens, told by the time at which it is full again. */
static void count_rate(struct replica *replica, uint64_t length)
{
	uint64_t rate = replica->settings.resync_rate;

	if (!rate)
		return;
	if (replica->next_copy < replica->now)
		replica->next_copy = replica->now;
	replica->next_copy += length * UINT64_C(1000000000) / rate;
}

/* It was zeroes: neither the link nor, mostly, a disk had anything to do. An image may have holes of many GiB. */
static void uncount_rate(struct replica *replica, uint64_t length)
{
	uint64_t time =
		replica->settings.resync_rate ? length * UINT64_C(1000000000) / replica->settings.resync_rate : 0;

	replica->next_copy -= time < replica->next_copy ? time : replica->next_copy;
}

/* Behind the data a byte for each block: whether it is equal at the target. */
static enum copy_begun begin_copy(struct replica *replica, int member, uint32_t device, uint64_t first, uint64_t count)
{
	uint64_t block = replica->settings.block_size;
	uint64_t position = first * block, length = count * block;
	uint64_t size = core_configuration(replica)->sizes[device];
	bool compares = block_map_has(&replica->bringup[member].doubted[device], first);
	bool out_of_order = compares && deliberate_bug(BUG_COMPARED_WITHOUT_ORDER);
	struct entry *entry;
	unsigned char *memory;

	if (length > size - position)
		length = size - position;
	memory = malloc(length + count);
	if (!memory)
		return COPY_NO_MEMORY;
	memset(memory + length, 0, count);
	entry = entry_take(replica, ENTRY_OF_COPY, out_of_order ? ENTRY_OPEN : ENTRY_WRITE, device, position, length,
			   memory, memory);
	entry->equal = memory + length;
	entry->begun = replica->now;
	entry->compares = compares;
	entry->target = member;
	entry->origin = member;
	entry->session = replica->sessions[member];
	replica->bringup[member].copies++;
	count_rate(replica, length);
	entry_append(&replica->copies, entry);
	if (out_of_order)
		entry_read_here(replica, entry);
	else
		entry_begin(replica, entry);
	return COPY_BEGUN;
}

/* The next blocks that are to be copied; false: none is left that is not under way or waits for a flush. */
static bool next_blocks(struct replica *replica, int member, uint32_t *device, uint64_t *first, uint64_t *count)
{
	struct bringup *bringup = &replica->bringup[member];
	uint64_t most = replica->settings.copy_size / replica->settings.block_size;
	uint64_t piece = REQUEST_RANGE_PIECE / replica->settings.block_size;

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		const struct block_map *missing = &replica->devices[i].missing[member];

		while (block_map_next(missing, bringup->cursor[i], most, first, count)) {
			uint64_t take = 0;

			/* Zeroes of it are one piece for request/. */
			if (*count > piece - *first % piece)
				*count = piece - *first % piece;
			while (take < *count && !block_map_has(&bringup->copied[i], *first + take) &&
			       !block_map_has(&bringup->flushing[i], *first + take) &&
			       block_map_has(&bringup->doubted[i], *first + take) ==
				       block_map_has(&bringup->doubted[i], *first))
				take++;
			bringup->cursor[i] = *first + (take ? take : 1);
			/* An image may be larger than what was decided: that part is nobody's. */
			if (*first * replica->settings.block_size >= core_configuration(replica)->sizes[i]) {
				maps_unmiss(replica, member, (uint32_t)i, *first, *count);
				continue;
			}
			if (!take)
				continue;
			*count = take;
			*device = (uint32_t)i;
			return true;
		}
	}
	return false;
}

enum copy_begun copy_begin_next(struct replica *replica, int member)
{
	uint64_t first, count;
	uint32_t device;

	return next_blocks(replica, member, &device, &first, &count) ? begin_copy(replica, member, device, first, count)
								     : COPY_NONE;
}

/* ---- its way ---- */

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

enum piece {
	PIECE_EQUAL,
	PIECE_ZEROES,
	PIECE_DATA,
};

/* Bytes of what was read, from `from` on, that are one message, or none: blocks of one kind. */
static uint64_t piece_of(const struct replica *replica, const struct entry *entry, uint64_t from, enum piece *piece)
{
	const unsigned char *bytes = (const unsigned char *)entry->data + from;
	uint64_t left = entry->request.length - from, length = 0, size = replica->settings.block_size;

	do {
		uint64_t block = size < left - length ? size : left - length;
		enum piece kind = entry->equal[(from + length) / size] ? PIECE_EQUAL
				  : is_zero(bytes + length, block)     ? PIECE_ZEROES
								       : PIECE_DATA;

		if (length == 0)
			*piece = kind;
		else if (kind != *piece)
			break;
		length += block;
	} while (length < left);
	return length;
}

static void copy_is_over(struct replica *replica, struct entry *entry)
{
	uint64_t first, count;

	maps_blocks(replica, entry->request.position, entry->request.length, &first, &count);
	if (deliberate_bug(BUG_BIT_BEFORE_FLUSH))
		maps_unmiss(replica, entry->target, entry->device, first, count);
	else
		block_map_add(&replica->bringup[entry->target].copied[entry->device], first, count);
	bringup_progress(replica, entry->target, entry->request.length);
	entry_complete(replica, entry, 0);
}

static uint64_t copy_number(const struct replica *replica, const struct entry *entry)
{
	return entry->number ? entry->number : replica->copy_number + 1;
}

/* A message of it was sent: all of them have one number. */
static void note_number(struct replica *replica, struct entry *entry)
{
	if (!entry->number)
		entry->number = ++replica->copy_number;
}

static void send_hash(struct replica *replica, struct entry *entry)
{
	struct message hash = {
		.type = MESSAGE_HASH,
		.epoch = replica->reign.epoch,
		.reign = replica->reign.reign,
		.device = entry->device,
		.position = entry->request.position,
		.length = entry->request.length,
		.number = copy_number(replica, entry),
		.seed = replica->bringup[entry->target].seed,
	};

	entry->asked = core_try_send(replica, entry->target, REPLICA_CLASS_BULK, &hash, NULL);
	if (entry->asked)
		note_number(replica, entry);
}

static bool send_piece(struct replica *replica, struct entry *entry, enum piece piece, uint64_t length)
{
	struct message copy = {
		.type = MESSAGE_COPY,
		.epoch = replica->reign.epoch,
		.reign = replica->reign.reign,
		.device = entry->device,
		.kind = piece == PIECE_ZEROES ? ENTRY_ZEROES : ENTRY_WRITE,
		.position = entry->request.position + entry->sent,
		.length = length,
		.number = copy_number(replica, entry),
		.data_size = piece == PIECE_ZEROES ? 0 : (uint32_t)length,
	};

	if (piece == PIECE_EQUAL || (piece == PIECE_ZEROES && deliberate_bug(BUG_ZEROES_NOT_COPIED)))
		return true;
	if (!core_try_send(replica, entry->target, REPLICA_CLASS_BULK, &copy,
			   (const unsigned char *)entry->data + entry->sent))
		return false;
	note_number(replica, entry);
	entry->pieces++;
	if (piece == PIECE_ZEROES)
		uncount_rate(replica, length);
	return true;
}

/*
 * Sends what was read, as the queue has room: only what differs, where that is asked first, and zeroes without their
 * bytes. Entries may go between: none that overlaps, as it has kept its place in the order since before it was read.
 */
static void send_copy(struct replica *replica, struct entry *entry)
{
	if (entry->compares) {
		if (!entry->asked)
			send_hash(replica, entry);
		return;
	}
	while (entry->sent < entry->request.length) {
		enum piece piece;
		uint64_t length = piece_of(replica, entry, entry->sent, &piece);

		if (!send_piece(replica, entry, piece, length))
			return;
		entry->sent += length;
	}
	if (!entry->pieces)
		copy_is_over(replica, entry);
}

void copy_can_send(struct replica *replica, int member)
{
	for (struct entry *entry = replica->copies.first; entry; entry = entry->next) {
		if (entry->target == member && entry->step == STEP_STORED && entry->sent < entry->request.length)
			send_copy(replica, entry);
	}
}

/* The own image was read for a copy. */
void copy_read(struct replica *replica, struct entry *entry)
{
	int member = entry->target;

	if (entry->stored_result) {
		if (!reign_own_disk_failed(replica)) {
			entry_complete(replica, entry, entry->stored_result);
			bringup_drop_for_a_while(replica, member,
						 "a block for it cannot be read: it cannot be in sync before that "
						 "block is written again, or can be read");
		}
		return;
	}
	entry->began = replica->now;
	core_wake_at(replica, replica->now + replica->settings.replica_timeout);
	send_copy(replica, entry);
}

void copy_copied(struct replica *replica, int member, const struct message *message)
{
	for (struct entry *entry = replica->copies.first; entry; entry = entry->next) {
		if (entry->target != member || !entry->pieces || entry->number != message->number || entry->completed ||
		    entry->session != replica->sessions[member])
			continue;
		if (message->result) {
			bringup_drop(replica, member, "its disk failed");
			return;
		}
		entry->pieces--;
		if (!entry->pieces && entry->sent == entry->request.length)
			copy_is_over(replica, entry);
		return;
	}
}

static struct entry *compared_entry(struct replica *replica, int member, uint64_t number)
{
	for (struct entry *entry = replica->copies.first; entry; entry = entry->next) {
		if (entry->target == member && entry->compares && entry->asked && entry->number == number &&
		    entry->session == replica->sessions[member] && !entry->completed)
			return entry;
	}
	return NULL;
}

/*
 * Blocks whose hashes are equal are as good as copied: their bits go by the same flush. What cannot be read at the
 * target is another there.
 */
static void compare(struct replica *replica, struct entry *entry, const unsigned char *theirs)
{
	unsigned char own[MESSAGE_HASH_SIZE];
	struct bringup *bringup = &replica->bringup[entry->target];
	uint64_t block = replica->settings.block_size, first, count;

	maps_blocks(replica, entry->request.position, entry->request.length, &first, &count);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t left = entry->request.length - i * block;

		if (theirs) {
			block_hashes((const unsigned char *)entry->data + i * block, left < block ? left : block, block,
				     bringup->seed, own);
			entry->equal[i] = !memcmp(own, theirs + i * MESSAGE_HASH_SIZE, sizeof(own));
		}
		if (!entry->equal[i])
			block_map_remove(&bringup->doubted[entry->device], first + i, 1);
		else if (deliberate_bug(BUG_EQUAL_WITHOUT_FLUSH))
			maps_unmiss(replica, entry->target, entry->device, first + i, 1);
	}
}

void copy_hashes(struct replica *replica, int member, const struct message *message, const void *data)
{
	struct entry *entry = compared_entry(replica, member, message->number);
	uint64_t first, count;

	if (!entry)
		return;
	maps_blocks(replica, entry->request.position, entry->request.length, &first, &count);
	if (!message->result && message->data_size != count * MESSAGE_HASH_SIZE) {
		peer_refuse(replica, member, "it sent hashes of another range");
		return;
	}
	compare(replica, entry, message->result ? NULL : data);
	entry->compares = false;
	entry->began = replica->now;
	core_wake_at(replica, replica->now + replica->settings.replica_timeout);
	send_copy(replica, entry);
}
