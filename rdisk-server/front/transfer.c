/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves data between images and clients; see transfer.h.
 */
#include "transfer.h"

#include "client_memory.h"
#include "dvk_errno.h"

/* A place in a vector. */
struct cursor {
	const struct rdisk_iovec *segment;
	int left;	 /* segments from this one on */
	uint64_t offset; /* bytes of *segment that are done */
};

static int sum_of_sizes(const struct transfer *transfer, uint64_t *length)
{
	*length = 0;
	for (int i = 0; i < transfer->nr_segments; i++) {
		if (__builtin_add_overflow(*length, transfer->segments[i].iov_size, length))
			return EDVSINVAL;
	}
	return *length > INT32_MAX ? EDVSINVAL : 0;
}

/* The segments without the empty ones and without what lies beyond `length`; returns how many. */
static int cut_segments(const struct transfer *transfer, uint64_t length, struct rdisk_iovec *kept)
{
	int count = 0;

	for (int i = 0; i < transfer->nr_segments && length > 0; i++) {
		struct rdisk_iovec segment = transfer->segments[i];

		if (segment.iov_size == 0)
			continue;
		if (segment.iov_size > length)
			segment.iov_size = length;
		length -= segment.iov_size;
		kept[count++] = segment;
	}
	return count;
}

/* Copies the next `bytes` of the client's segments to or from the buffer. */
static int move_buffer(const struct transfer *transfer, struct cursor *cursor, char *buffer, uint64_t bytes)
{
	while (bytes > 0 && cursor->left > 0) {
		const struct rdisk_iovec *segment = cursor->segment;
		uint64_t piece = segment->iov_size - cursor->offset;
		uint64_t address;
		int code;

		if (piece > bytes)
			piece = bytes;
		if (__builtin_add_overflow(segment->iov_addr, cursor->offset, &address))
			return EDVSFAULT;
		if (transfer->write)
			code = client_memory_read(transfer->memory_endpoint, address, buffer, piece);
		else
			code = client_memory_write(transfer->memory_endpoint, address, buffer, piece);
		if (code)
			return code;
		buffer += piece;
		bytes -= piece;
		cursor->offset += piece;
		if (cursor->offset == segment->iov_size)
			*cursor = (struct cursor){ segment + 1, cursor->left - 1, 0 };
	}
	return 0;
}

/* As image_read(), or IMAGE_MISS when this attempt is not to wait. */
static int read_image(const struct transfer *transfer, struct iovec *vector, int count, uint64_t position)
{
	struct image *image = &transfer->device->image;

	if (transfer->attempt->may_wait)
		return image_read(image, vector, count, position);
	return image_read_cached(image, vector, count, position);
}

static int run_through_buffer(const struct transfer *transfer, const struct rdisk_iovec *segments, int count,
			      uint64_t length, bool stable_at_once)
{
	struct device *device = transfer->device;
	struct cursor cursor = { segments, count, 0 };
	uint64_t position = transfer->position;
	/* Several pieces are made stable together, at the end. */
	bool stable = stable_at_once && length <= device->buffer_size;
	int code = 0;

	while (length > 0 && !code) {
		uint64_t bytes = length < device->buffer_size ? length : device->buffer_size;
		struct iovec piece = { device->buffer, bytes };

		if (transfer->write) {
			code = move_buffer(transfer, &cursor, device->buffer, bytes);
			if (!code)
				code = image_write(&device->image, &piece, 1, position, stable);
		} else {
			code = read_image(transfer, &piece, 1, position);
			if (!code)
				code = move_buffer(transfer, &cursor, device->buffer, bytes);
		}
		position += bytes;
		length -= bytes;
	}
	if (!code && stable_at_once && !stable)
		code = image_flush(&device->image);
	return code;
}

/* All of it between the image and the client's memory. 0, IMAGE_MISS or a code. */
static int move(const struct transfer *transfer, uint64_t length, bool stable_at_once)
{
	struct image *image = &transfer->device->image;
	struct rdisk_iovec segments[RDISK_VECTOR_MAX];
	struct iovec vector[RDISK_VECTOR_MAX];
	int count = cut_segments(transfer, length, segments);

	if (!client_memory_map(transfer->memory_endpoint, segments, count, vector))
		return run_through_buffer(transfer, segments, count, length, stable_at_once);
	if (transfer->write)
		return image_write(image, vector, count, transfer->position, stable_at_once);
	return read_image(transfer, vector, count, transfer->position);
}

int64_t transfer_run(const struct transfer *transfer)
{
	struct attempt *attempt = transfer->attempt;
	struct image *image = &transfer->device->image;
	bool flush_later, fetch_failed;
	uint64_t length, missing;
	int code;

	code = sum_of_sizes(transfer, &length);
	if (code)
		return code;
	if (length == 0 || transfer->position >= image->size)
		return 0;
	if (length > image->size - transfer->position)
		length = image->size - transfer->position;
	/* What was done meanwhile: a flush comes last, and a fetch that failed is the answer to a read. */
	if (attempt->done && attempt->done->kind == JOB_FLUSH)
		return attempt->done->result ? attempt->done->result : (int64_t)length;
	fetch_failed = attempt->done && attempt->done->result;
	if (fetch_failed && !transfer->write)
		return attempt->done->result;
	if (transfer->write && !attempt->may_wait && !fetch_failed &&
	    image_write_misses(image, transfer->position, length, &missing))
		return attempt_suspend(attempt, JOB_FETCH, image, missing, 1);
	flush_later = transfer->stable && !attempt->may_wait && image_waits(image);
	code = move(transfer, length, transfer->stable && !flush_later);
	if (code == IMAGE_MISS)
		return attempt_suspend(attempt, JOB_FETCH, image, transfer->position, length);
	if (!code && flush_later)
		return attempt_suspend(attempt, JOB_FLUSH, image, 0, 0);
	return code ? code : (int64_t)length;
}

void transfer_advance(struct rdisk_iovec *segments, int count, uint64_t moved)
{
	for (int i = 0; i < count && moved > 0; i++) {
		uint64_t bytes = segments[i].iov_size < moved ? segments[i].iov_size : moved;

		segments[i].iov_addr += bytes;
		segments[i].iov_size -= bytes;
		moved -= bytes;
	}
}
