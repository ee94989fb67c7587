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

static int run_through_buffer(const struct transfer *transfer, const struct rdisk_iovec *segments, int count,
			      uint64_t length)
{
	struct device *device = transfer->device;
	struct cursor cursor = { segments, count, 0 };
	uint64_t position = transfer->position;
	/* Several pieces are made stable together, at the end. */
	bool stable = transfer->stable && length <= device->buffer_size;
	int code = 0;

	while (length > 0 && !code) {
		uint64_t bytes = length < device->buffer_size ? length : device->buffer_size;
		struct iovec piece = { device->buffer, bytes };

		if (transfer->write) {
			code = move_buffer(transfer, &cursor, device->buffer, bytes);
			if (!code)
				code = image_write(&device->image, &piece, 1, position, stable);
		} else {
			code = image_read(&device->image, &piece, 1, position);
			if (!code)
				code = move_buffer(transfer, &cursor, device->buffer, bytes);
		}
		position += bytes;
		length -= bytes;
	}
	if (!code && transfer->stable && !stable)
		code = image_flush(&device->image);
	return code;
}

int64_t transfer_run(const struct transfer *transfer)
{
	struct image *image = &transfer->device->image;
	struct rdisk_iovec segments[RDISK_VECTOR_MAX];
	struct iovec vector[RDISK_VECTOR_MAX];
	uint64_t length;
	int count, code;

	code = sum_of_sizes(transfer, &length);
	if (code)
		return code;
	if (length == 0 || transfer->position >= image->size)
		return 0;
	if (length > image->size - transfer->position)
		length = image->size - transfer->position;
	count = cut_segments(transfer, length, segments);
	if (!client_memory_map(transfer->memory_endpoint, segments, count, vector))
		code = run_through_buffer(transfer, segments, count, length);
	else if (transfer->write)
		code = image_write(image, vector, count, transfer->position, transfer->stable);
	else
		code = image_read(image, vector, count, transfer->position);
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
