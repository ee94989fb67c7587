/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay, for volatile devices: the image file is only read; what is written goes
 * to a memfd of the same size, and a bitmap tells which blocks of 4 KiB are there. A block that
 * is written in part is copied to memory first. So it takes at most as much memory as
 * the image has bytes, and a bit for each block.
 *
 * After a failed write a block is either in memory whole, or still the file's.
 */
#include "store_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BITS 64 /* in one word of the bitmap */

int image_overlay_create(struct image *image, struct diagnostic *diagnostic)
{
	uint64_t blocks = image->size / OVERLAY_BLOCK + 1;

	image->in_memory = calloc((size_t)(blocks / BITS + 1), sizeof(*image->in_memory));
	image->block_buffer = aligned_alloc(OVERLAY_BLOCK, OVERLAY_BLOCK);
	if (!image->in_memory || !image->block_buffer)
		return diagnostic_set(diagnostic, "cannot keep what is written to it in memory: %s", strerror(ENOMEM));
	image->memory_fd = image_memory_create(image->name, image->size, diagnostic);
	return image->memory_fd < 0 ? -1 : 0;
}

static bool block_in_memory(const struct image *image, uint64_t block)
{
	return image->in_memory[block / BITS] >> (block % BITS) & 1;
}

static void set_in_memory(struct image *image, uint64_t block)
{
	image->in_memory[block / BITS] |= (uint64_t)1 << (block % BITS);
}

/*
 * Moves the first `bytes` of a vector into `front`; returns its number of elements.
 * The rest stays in *vector.
 */
static int split_front(struct iovec **vector, int *count, uint64_t bytes, struct iovec *front)
{
	int used = 0;

	while (bytes > 0 && *count > 0) {
		struct iovec *first = *vector;

		front[used] = *first;
		if (bytes < first->iov_len) {
			front[used].iov_len = (size_t)bytes;
			first->iov_base = (char *)first->iov_base + bytes;
			first->iov_len -= (size_t)bytes;
			return used + 1;
		}
		bytes -= first->iov_len;
		used++;
		(*vector)++;
		(*count)--;
	}
	return used;
}

static int overlay_read(struct image *image, struct iovec *vector, int count, uint64_t position, int flags)
{
	struct iovec front[RDISK_VECTOR_MAX];
	uint64_t end = position;

	for (int i = 0; i < count; i++)
		end += vector[i].iov_len;
	while (position < end) {
		uint64_t block = position / OVERLAY_BLOCK;
		bool in_memory = block_in_memory(image, block);
		uint64_t run_end;
		int used, code;

		/* as far as the blocks are all in the same place */
		do
			run_end = ++block * OVERLAY_BLOCK;
		while (run_end < end && block_in_memory(image, block) == in_memory);
		if (run_end > end)
			run_end = end;
		used = split_front(&vector, &count, run_end - position, front);
		if (in_memory)
			code = image_read_all(image->memory_fd, front, used, position, 0);
		else
			code = image_read_all(image->fd, front, used, position, flags);
		if (code)
			return code;
		position = run_end;
	}
	return 0;
}

/* Copies the block that holds `position` to memory, unless it is there. */
static int bring_in(struct image *image, uint64_t position)
{
	uint64_t block = position / OVERLAY_BLOCK;
	uint64_t start = block * OVERLAY_BLOCK;
	struct iovec piece = { image->block_buffer, OVERLAY_BLOCK };
	int code;

	if (block_in_memory(image, block))
		return 0;
	if (image->size - start < OVERLAY_BLOCK)
		piece.iov_len = (size_t)(image->size - start);
	struct iovec again = piece;
	code = image_read_all(image->fd, &piece, 1, start, 0);
	if (!code)
		code = image_write_all(image->memory_fd, &again, 1, start, 0);
	if (!code)
		set_in_memory(image, block);
	return code;
}

/* Brings in the blocks that the range covers in part: its first and its last at most. */
static int bring_in_ends(struct image *image, uint64_t position, uint64_t end)
{
	int code = 0;

	if (position % OVERLAY_BLOCK)
		code = bring_in(image, position);
	if (!code && end % OVERLAY_BLOCK && end != image->size)
		code = bring_in(image, end);
	return code;
}

static void set_range_in_memory(struct image *image, uint64_t position, uint64_t end)
{
	for (uint64_t block = position / OVERLAY_BLOCK; block * OVERLAY_BLOCK < end; block++)
		set_in_memory(image, block);
}

static int overlay_write(struct image *image, struct iovec *vector, int count, uint64_t position, bool stable)
{
	uint64_t end = position;
	int code;

	(void)stable;
	for (int i = 0; i < count; i++)
		end += vector[i].iov_len;
	code = bring_in_ends(image, position, end);
	if (!code)
		code = image_write_all(image->memory_fd, vector, count, position, 0);
	if (!code)
		set_range_in_memory(image, position, end);
	return code;
}

static int overlay_write_zeroes(struct image *image, uint64_t position, uint64_t length)
{
	uint64_t end = position + length;
	int code = bring_in_ends(image, position, end);

	if (!code)
		code = image_allocate(image->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position, length);
	if (!code)
		set_range_in_memory(image, position, end);
	return code;
}

const struct image_operations image_overlay_operations = {
	.read = overlay_read,
	.write = overlay_write,
	.flush = NULL,
	.discard = overlay_write_zeroes,
	.write_zeroes = overlay_write_zeroes,
};
