/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames that wait to be sent; see frame_queue.h.
 */
#include "frame_queue.h"

#include <errno.h>
#include <lz4.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "little_endian.h"

#define COMPRESSION_LEAST    512u /* bytes: what is smaller is not tried */
#define COMPRESSION_WORTH    8u	  /* one part of so many has to be saved */
#define COMPRESSION_VAIN_MAX 6u	  /* 2^6 records are skipped at most: 1 MiB */

#define REST_KEPT	     (256u * 1024) /* bytes: what small frames need; whole pages */

/* The ring's memory, both halves of it the same pages. 0 or -errno. */
static int map_twice(int fd, size_t size, unsigned char **memory)
{
	unsigned char *place = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int code;

	if (place == MAP_FAILED)
		return -errno;
	for (int half = 0; half < 2; half++) {
		if (mmap(place + (size_t)half * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
		    MAP_FAILED) {
			code = -errno;
			(void)munmap(place, 2 * size);
			return code;
		}
	}
	*memory = place;
	return 0;
}

int frame_queue_init(struct frame_queue *queue, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd, code = 0;

	*queue = (struct frame_queue){ 0 };
	if (__builtin_add_overflow(size, page - 1, &size) || size > SIZE_MAX / 4)
		return -ENOMEM;
	size -= size % page;
	fd = memfd_create("rdisk-frames", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size))
		code = -errno;
	if (!code)
		code = map_twice(fd, size, &queue->memory);
	(void)close(fd);
	if (!code)
		queue->size = size;
	return code;
}

void frame_queue_free(struct frame_queue *queue)
{
	if (queue->memory)
		(void)munmap(queue->memory, 2 * queue->size);
	*queue = (struct frame_queue){ 0 };
}

void frame_queue_clear(struct frame_queue *queue)
{
	queue->put = queue->taken = 0;
}

void frame_queue_rest(struct frame_queue *queue)
{
	if (!queue->used || queue->put != queue->taken || queue->size <= REST_KEPT)
		return;
	/* Where that cannot be it stays as it is. */
	(void)madvise(queue->memory + REST_KEPT, queue->size - REST_KEPT, MADV_REMOVE);
	queue->used = false;
}

/* Up to `size` bytes of the source, of its head first. Returns how many there were. */
static size_t copy_from(struct frame_source *source, unsigned char *to, size_t size)
{
	size_t head = source->head_size < size ? source->head_size : size, data = size - head;

	if (data > source->data_size)
		data = source->data_size;
	if (head > 0)
		memcpy(to, source->head, head);
	if (data > 0)
		memcpy(to + head, source->data, data);
	source->head += head;
	source->head_size -= head;
	source->data += data;
	source->data_size -= data;
	return head + data;
}

/* Whether a record is to be tried. What did not shrink is tried again after twice as many records as the last time. */
static bool worth_trying(struct compression *compression, size_t size)
{
	if (size < COMPRESSION_LEAST)
		return false;
	if (compression->skip == 0)
		return true;
	compression->skip--;
	return false;
}

/* In place. Returns how many bytes there are then: fewer only if they are LZ4. */
static size_t shrink(struct compression *compression, unsigned char *bytes, size_t size)
{
	char packed[RECORD_PAYLOAD_MAX];
	size_t most = size - size / COMPRESSION_WORTH;
	int used;

	if (!worth_trying(compression, size))
		return size;
	compression->tried += size;
	used = LZ4_compress_default((const char *)bytes, packed, (int)size, (int)most);
	if (used <= 0) {
		if (compression->vain < COMPRESSION_VAIN_MAX)
			compression->vain++;
		compression->skip = 1u << compression->vain;
		return size;
	}
	compression->vain = 0;
	compression->saved += size - (size_t)used;
	memcpy(bytes, packed, (size_t)used);
	return (size_t)used;
}

bool frame_queue_put(struct frame_queue *queue, unsigned int class, struct frame_source *source,
		     struct compression *compression)
{
	unsigned char *record;
	struct record_head head = { .class = class, .total = source->total };
	bool last;

	/* An empty one begins at the beginning again: memory that is in the processor's cache. */
	if (queue->put == queue->taken)
		queue->put = queue->taken = 0;
	record = queue->memory + queue->put % queue->size;
	head.plain = (uint32_t)copy_from(source, record + RECORD_HEAD, RECORD_PAYLOAD_MAX);
	head.size = head.plain;
	if (compression)
		head.size = (uint32_t)shrink(compression, record + RECORD_HEAD, head.plain);
	last = source->head_size == 0 && source->data_size == 0;
	head.flags = (source->first ? RECORD_FIRST : 0) | (last ? RECORD_LAST : 0) |
		     (head.size < head.plain ? RECORD_PACKED : 0);
	source->first = false;
	record_encode(&head, record);
	queue->put += RECORD_HEAD + head.size;
	queue->used |= queue->put > REST_KEPT;
	return last;
}

const unsigned char *frame_queue_peek(const struct frame_queue *queue, size_t most, uint64_t end, size_t *size)
{
	const unsigned char *first = queue->memory + queue->taken % queue->size;
	size_t waiting = frame_queue_waiting(queue), used = 0;

	if (end < queue->put)
		waiting = (size_t)(end - queue->taken);
	while (used < waiting) {
		size_t record = RECORD_HEAD + get_u16(first + used + 2);

		if (used > 0 && used + record > most)
			break;
		used += record;
	}
	*size = used;
	return used > 0 ? first : NULL;
}

void frame_queue_take(struct frame_queue *queue, size_t size)
{
	queue->taken += size;
}
