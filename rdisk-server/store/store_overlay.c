/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay, for volatile disks: the image file is only read; what is written goes to a memfd of the same size, and a
 * bitmap tells which blocks of 4 KiB are there. A block that is written in part is copied to memory first. So it takes
 * at most as much memory as the image has bytes, and a bit for each block.
 *
 * After a failed write a block is either in memory whole, or still the file's.
 *
 * No two threads are ever at one block, but at two whose bits share a word. Who sets a bit has the block whole in
 * memory before that (release), and who sees it set sees the block so (acquire).
 */
#include "store_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vector_io.h"

#define BLOCK STORE_OVERLAY_BLOCK
#define BITS  64 /* in one word of the bitmap */

int store_overlay_create(struct store *store, struct diagnostic *diagnostic)
{
	uint64_t blocks = store->size / BLOCK + 1;

	store->in_memory = calloc((size_t)(blocks / BITS + 1), sizeof(*store->in_memory));
	if (!store->in_memory)
		return diagnostic_set(diagnostic, "cannot keep what is written to it in memory: %s", strerror(ENOMEM));
	store->memory_fd = store_memory_create(store->name, store->size, diagnostic);
	return store->memory_fd < 0 ? -1 : 0;
}

static bool block_in_memory(const struct store *store, uint64_t block)
{
	return atomic_load_explicit(&store->in_memory[block / BITS], memory_order_acquire) >> (block % BITS) & 1;
}

/* Blocks first .. last are whole in memory. */
static void set_in_memory(struct store *store, uint64_t first, uint64_t last)
{
	for (uint64_t word = first / BITS; word <= last / BITS; word++) {
		uint64_t bits = UINT64_MAX;

		if (word == first / BITS)
			bits <<= first % BITS;
		if (word == last / BITS)
			bits &= UINT64_MAX >> (BITS - 1 - last % BITS);
		/* relaxed: it only saves what is costly, and nobody takes a bit away */
		if (bits & ~atomic_load_explicit(&store->in_memory[word], memory_order_relaxed))
			atomic_fetch_or_explicit(&store->in_memory[word], bits, memory_order_release);
	}
}

/* The end of the longest piece from `position` that is in one place; *in_memory: which. */
static uint64_t end_of_run(const struct store *store, uint64_t position, uint64_t end, bool *in_memory)
{
	uint64_t block = position / BLOCK;
	uint64_t run_end;

	*in_memory = block_in_memory(store, block);
	do
		run_end = ++block * BLOCK;
	while (run_end < end && block_in_memory(store, block) == *in_memory);
	return run_end < end ? run_end : end;
}

static int read_run(struct store *store, const struct iovec *vector, int count, uint64_t position, bool in_memory,
		    bool may_wait)
{
	if (in_memory)
		return vector_read(store->memory_fd, vector, count, position, 0);
	return store_read_file(store, vector, count, position, may_wait);
}

static int overlay_read(struct store *store, const struct io *io, bool may_wait)
{
	struct vector_cursor cursor = { io->vector, io->count, 0 };
	uint64_t position = io->position;
	uint64_t end = position + io->length;
	bool in_memory;
	uint64_t run_end = end_of_run(store, position, end, &in_memory);

	if (run_end == end)
		return read_run(store, io->vector, io->count, position, in_memory, may_wait);
	for (;;) {
		struct iovec run[IO_VECTOR_MAX];
		int count = vector_next(&cursor, run_end - position, run);
		int code = read_run(store, run, count, position, in_memory, may_wait);

		position = run_end;
		if (code || position == end)
			return code;
		run_end = end_of_run(store, position, end, &in_memory);
	}
}

/* Copies the block that holds `position` to memory, unless it is there. */
static int bring_in(struct store *store, uint64_t position, bool may_wait)
{
	char buffer[BLOCK];
	uint64_t block = position / BLOCK;
	uint64_t start = block * BLOCK;
	/* cppcheck-suppress legacyUninitvar ; it is read into */
	struct iovec piece = { buffer, BLOCK };
	int code;

	if (block_in_memory(store, block))
		return 0;
	if (store->size - start < BLOCK)
		piece.iov_len = (size_t)(store->size - start);
	code = store_read_file(store, &piece, 1, start, may_wait);
	if (!code)
		code = vector_write(store->memory_fd, &piece, 1, start);
	if (!code)
		set_in_memory(store, block, block);
	return code;
}

/* Brings in the blocks that the range covers in part: its first and its last at most. */
static int bring_in_ends(struct store *store, uint64_t position, uint64_t end, bool may_wait)
{
	int code = 0;

	if (position % BLOCK)
		code = bring_in(store, position, may_wait);
	if (!code && end % BLOCK && end != store->size)
		code = bring_in(store, end, may_wait);
	return code;
}

static int overlay_write(struct store *store, const struct io *io, bool may_wait)
{
	uint64_t end = io->position + io->length;
	int code = bring_in_ends(store, io->position, end, may_wait);

	if (!code)
		code = vector_write(store->memory_fd, io->vector, io->count, io->position);
	if (!code)
		set_in_memory(store, io->position / BLOCK, (end - 1) / BLOCK);
	return code;
}

static int overlay_write_zeroes(struct store *store, const struct io *io, bool may_wait)
{
	uint64_t end = io->position + io->length;
	int code = bring_in_ends(store, io->position, end, may_wait);

	if (!code)
		code = store_allocate(store->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io->position,
				      io->length);
	if (!code)
		set_in_memory(store, io->position / BLOCK, (end - 1) / BLOCK);
	return code;
}

const struct store_operations store_overlay_operations = {
	.read = overlay_read,
	.write = overlay_write,
	.discard = overlay_write_zeroes,
	.write_zeroes = overlay_write_zeroes,
};
