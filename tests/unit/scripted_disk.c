/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scripted disk; see scripted_disk.h.
 */
#include "scripted_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GARBLED 0xee

static struct scripted_disk *disks;

void scripted_disks_reset(void)
{
	disks = NULL;
}

static struct scripted_disk *find(const struct request_disk *disk)
{
	struct scripted_disk *at = disks;

	while (at && at->disk != disk)
		at = at->next;
	assert_non_null(at);
	return at;
}

static bool has_data(enum io_operation operation)
{
	return operation == IO_READ || operation == IO_WRITE;
}

static bool is_exclusive(enum io_operation operation)
{
	return operation == IO_WRITE || operation == IO_DISCARD || operation == IO_WRITE_ZEROES;
}

/* The part of an io that is kept: its first byte in `data`, and how many; *skipped: bytes of the io before that. */
static size_t kept(const struct scripted_disk *scripted, const struct io *io, size_t *at, uint64_t *skipped)
{
	uint64_t start = io->position, end = io->position + io->length;
	uint64_t kept_end = scripted->origin + SCRIPTED_BYTES;

	if (start < scripted->origin)
		start = scripted->origin;
	if (end > kept_end)
		end = kept_end;
	if (start >= end)
		return 0;
	*at = (size_t)(start - scripted->origin);
	*skipped = start - io->position;
	return (size_t)(end - start);
}

/* Moves bytes between a vector, from its byte `skipped` on, and `bytes`. */
static void move(const struct io *io, uint64_t skipped, unsigned char *bytes, size_t length)
{
	for (int i = 0; i < io->count && length > 0; i++) {
		size_t piece = io->vector[i].iov_len;
		unsigned char *memory = io->vector[i].iov_base;

		if (skipped >= piece) {
			skipped -= piece;
			continue;
		}
		memory += skipped;
		piece -= (size_t)skipped;
		if (piece > length)
			piece = length;
		if (io->operation == IO_READ)
			memcpy(memory, bytes, piece);
		else
			memcpy(bytes, memory, piece);
		bytes += piece;
		length -= piece;
		skipped = 0;
	}
}

static void carry_out(struct scripted_disk *scripted, const struct io *io)
{
	uint64_t skipped = 0;
	size_t at = 0;
	size_t length = kept(scripted, io, &at, &skipped);

	if (has_data(io->operation))
		move(io, skipped, scripted->data + at, length);
	else if (is_exclusive(io->operation))
		memset(scripted->data + at, 0, length);
	if (scripted->carried_out)
		scripted->carried_out(scripted, io);
}

static uint64_t first_block(const struct scripted_disk *scripted, const struct io *io)
{
	return io->position / scripted->disk->overlap_block;
}

static uint64_t last_block(const struct scripted_disk *scripted, const struct io *io)
{
	return (io->position + io->length - 1) / scripted->disk->overlap_block;
}

static void assert_well_formed(const struct scripted_disk *scripted, const struct io *io)
{
	uint64_t sum = 0;

	assert_false(io->cancelled);
	if (io->operation == IO_FLUSH) {
		assert_int_equal(io->position, 0);
		assert_int_equal(io->length, 0);
		return;
	}
	assert_true(io->length > 0);
	assert_true(io->position < scripted->size && io->length <= scripted->size - io->position);
	if (!has_data(io->operation))
		return;
	assert_in_range(io->count, 1, IO_VECTOR_MAX);
	for (int i = 0; i < io->count; i++) {
		assert_true(io->vector[i].iov_len > 0);
		sum += io->vector[i].iov_len;
	}
	assert_int_equal(sum, io->length);
}

/* What overlaps with it and is under way would be done before it or after it: nobody knows. */
static void assert_alone(const struct scripted_disk *scripted, const struct io *io)
{
	if (io->operation == IO_FLUSH || io->operation == IO_FETCH)
		return;
	for (int i = 0; i < scripted->nr_pending; i++) {
		const struct io *other = scripted->pending[i];

		assert_ptr_not_equal(io, other);
		if (other->operation == IO_FLUSH || other->operation == IO_FETCH ||
		    !(is_exclusive(io->operation) || is_exclusive(other->operation)))
			continue;
		assert_true(last_block(scripted, io) < first_block(scripted, other) ||
			    last_block(scripted, other) < first_block(scripted, io));
	}
}

static enum io_answer submit(struct request_disk *disk, struct io *io)
{
	struct scripted_disk *scripted = find(disk);
	enum io_answer answer = scripted->answers[io->operation];
	uint64_t skipped = 0;
	size_t at = 0;

	assert_in_range(io->operation, IO_READ, IO_FETCH);
	assert_well_formed(scripted, io);
	assert_alone(scripted, io);
	scripted->submitted[io->operation]++;
	scripted->last = io;
	if (scripted->choose)
		answer = scripted->choose(scripted, io);
	switch (answer) {
	case IO_DONE:
		io->result = scripted->results[io->operation];
		if (!io->result)
			carry_out(scripted, io);
		break;
	case IO_PENDING:
		assert_true(scripted->nr_pending < SCRIPTED_PENDING_MAX);
		scripted->pending[scripted->nr_pending++] = io;
		if (is_exclusive(io->operation)) {
			size_t length = kept(scripted, io, &at, &skipped);

			memset(scripted->data + at, GARBLED, length);
		}
		break;
	case IO_MISSED:
		assert_true(io->operation == IO_READ && (io->mode == IO_CACHED || io->mode == IO_FETCHED));
		break;
	}
	return answer;
}

/* Takes one out of what is PENDING: false if it is not there. */
static bool take_out(struct scripted_disk *scripted, const struct io *io)
{
	int at = 0;

	while (at < scripted->nr_pending && scripted->pending[at] != io)
		at++;
	if (at == scripted->nr_pending)
		return false;
	scripted->nr_pending--;
	memmove(&scripted->pending[at], &scripted->pending[at + 1],
		(size_t)(scripted->nr_pending - at) * sizeof(struct io *));
	return true;
}

static bool withdraw(struct request_disk *disk, struct io *io)
{
	struct scripted_disk *scripted = find(disk);

	return scripted->withdraws && take_out(scripted, io);
}

void scripted_disk_attach(struct scripted_disk *scripted, struct request_disk *disk, uint64_t size)
{
	memset(scripted, 0, sizeof(*scripted));
	scripted->disk = disk;
	scripted->size = size;
	scripted->next = disks;
	disks = scripted;
	disk->submit = submit;
	disk->withdraw = withdraw;
}

struct io *scripted_disk_end(struct scripted_disk *scripted, struct io *io, int result)
{
	assert_true(take_out(scripted, io));
	io->result = result;
	if (!result)
		carry_out(scripted, io);
	return io;
}
