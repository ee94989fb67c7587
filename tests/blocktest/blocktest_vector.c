/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vectors and batches: their limits, bad elements among good ones, what of them is
 * changed and what is not.
 */
#include <stdlib.h>
#include <string.h>

#include "blocktest.h"

#define ELEMENT_SPACING 768		     /* bytes from one element's memory to the next one's */
#define VECTOR_OFFSET	(ARENA_SIZE - 65536) /* where vectors and batches lie in the arena */

static struct rdisk_iovec *arena_vector(const struct blocktest *test)
{
	return (struct rdisk_iovec *)(void *)(test->arena + VECTOR_OFFSET);
}

/* Elements of odd sizes with gaps between them. Returns the sum of the sizes. */
static int build_vector(const struct blocktest *test, struct rdisk_iovec *vector, int elements)
{
	int total = 0;

	for (int i = 0; i < elements; i++) {
		uint64_t size = 1 + (uint64_t)(i * 389) % 700;

		vector[i].iov_addr = address_number(arena_buffer(test)) + (uint64_t)i * ELEMENT_SPACING;
		vector[i].iov_size = size;
		total += (int)size;
	}
	return total;
}

static unsigned char *element_memory(const struct rdisk_iovec *element)
{
	return (unsigned char *)(uintptr_t)element->iov_addr;
}

static message vector_request(const struct blocktest *test, int type, int64_t position, int elements)
{
	message request = new_request(test, type);

	request.COUNT = elements;
	request.POSITION = position;
	request.ADDRESS = (char *)arena_vector(test);
	return request;
}

/* Whether the server updated the vector as `moved` bytes demand. */
static bool check_updated(struct blocktest *test, const struct rdisk_iovec *before, int elements, uint64_t moved)
{
	const struct rdisk_iovec *now = arena_vector(test);

	for (int i = 0; i < elements; i++) {
		uint64_t part = before[i].iov_size < moved ? before[i].iov_size : moved;

		if (now[i].iov_size != before[i].iov_size - part || now[i].iov_addr != before[i].iov_addr + part)
			return fail_test(test, RESULT_CORRUPT, "vector of %d: element %d was not advanced by %llu",
					 elements, i, (unsigned long long)part);
		moved -= part;
	}
	return true;
}

/* One DEV_GATHER, checked element by element and gap by gap. */
static bool gather(struct blocktest *test, int64_t position, int elements)
{
	struct rdisk_iovec before[RDISK_VECTOR_MAX];
	message request = vector_request(test, DEV_GATHER, position, elements);
	int total = build_vector(test, before, elements);
	int expected = (int)expected_bytes(test, position, total);
	uint64_t left = (uint64_t)expected;

	memcpy(arena_vector(test), before, (size_t)elements * sizeof(before[0]));
	mark_memory(test, arena_buffer(test), (size_t)elements * ELEMENT_SPACING);
	if (!expect_status(test, &request, expected, "gather"))
		return false;
	for (int i = 0; i < elements; i++) {
		unsigned char *memory = element_memory(&before[i]);
		size_t part = (size_t)(before[i].iov_size < left ? before[i].iov_size : left);

		if ((part && !check_contents(test, memory, part, (uint64_t)position, "gather")) ||
		    !check_marks(test, memory + part, ELEMENT_SPACING - part, "gather"))
			return false;
		position += (int64_t)part;
		left -= part;
	}
	return check_updated(test, before, elements, (uint64_t)expected);
}

/* One DEV_SCATTER of fresh bytes. */
static bool scatter(struct blocktest *test, int64_t position, int elements)
{
	struct rdisk_iovec before[RDISK_VECTOR_MAX];
	message request = vector_request(test, DEV_SCATTER, position, elements);
	int total = build_vector(test, before, elements);
	int expected = (int)expected_bytes(test, position, total);
	uint64_t left = (uint64_t)expected;

	memcpy(arena_vector(test), before, (size_t)elements * sizeof(before[0]));
	fill_fresh(test, arena_buffer(test), (size_t)elements * ELEMENT_SPACING);
	if (!expect_status(test, &request, expected, "scatter"))
		return false;
	for (int i = 0; i < elements; i++) {
		size_t part = (size_t)(before[i].iov_size < left ? before[i].iov_size : left);

		note_written(test, element_memory(&before[i]), part, (uint64_t)position);
		position += (int64_t)part;
		left -= part;
	}
	return check_updated(test, before, elements, (uint64_t)expected);
}

static const int good_numbers[] = { 1, 2, 3, 63, 64, 65, 128, 255, 256 };

static void numbers(struct blocktest *test)
{
	for (size_t i = 0; i < sizeof(good_numbers) / sizeof(good_numbers[0]); i++)
		if (!gather(test, 0, good_numbers[i]) || !gather(test, 1027, good_numbers[i] / 2 + 1))
			return;
}

static void numbers_written(struct blocktest *test)
{
	for (size_t i = 0; i < sizeof(good_numbers) / sizeof(good_numbers[0]); i++)
		if (!scatter(test, 513, good_numbers[i]) || !gather(test, 513, good_numbers[i]) ||
		    !read_and_check(test, 0, arena_buffer(test), 100000))
			return;
}

static void end_of_device(struct blocktest *test)
{
	int64_t size = (int64_t)test->info.size;

	for (int back = 1; back < 4000; back += 613)
		if (!gather(test, size - back, 16))
			return;
	if (gather(test, size, 4))
		(void)gather(test, size + 4096, 4);
}

static void end_of_device_written(struct blocktest *test)
{
	int64_t size = (int64_t)test->info.size;

	for (int back = 1; back < 4000; back += 613)
		if (!scatter(test, size - back, 16) || !gather(test, size - back, 16))
			return;
	(void)scatter(test, size, 4);
}

static bool bad_vectors(struct blocktest *test, int type)
{
	static const struct {
		int elements, wanted;
		const char *what;
	} counts[] = { { 0, EDVSINVAL, "vector of no elements" },
		       { -1, EDVSINVAL, "vector of -1 elements" },
		       { INT32_MIN, EDVSINVAL, "vector of very negative size" },
		       { RDISK_VECTOR_MAX + 1, EDVS2BIG, "vector with one element too many" },
		       { INT32_MAX, EDVS2BIG, "vector of very many elements" } };
	static const uint64_t sizes[] = { UINT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 511 };
	struct rdisk_iovec *vector = arena_vector(test);
	message request;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		(void)build_vector(test, vector, RDISK_VECTOR_MAX + 1);
		request = vector_request(test, type, 0, counts[i].elements);
		if (!expect_status(test, &request, counts[i].wanted, counts[i].what))
			return false;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		(void)build_vector(test, vector, 3);
		vector[1].iov_size = sizes[i];
		request = vector_request(test, type, 0, 3);
		if (!expect_status(test, &request, EDVSINVAL, "vector whose sizes have no sum"))
			return false;
	}
	(void)build_vector(test, vector, 3);
	request = vector_request(test, type, -1, 3);
	if (!expect_status(test, &request, EDVSINVAL, "vector for a negative position"))
		return false;
	vector[1].iov_addr = 64;
	request = vector_request(test, type, 0, 3);
	if (!expect_status(test, &request, EDVSFAULT, "vector with a bad address in it"))
		return false;
	request.ADDRESS = (char *)(uintptr_t)64;
	return expect_status(test, &request, EDVSFAULT, "vector at a bad address");
}

static void bad_gathers(struct blocktest *test)
{
	if (bad_vectors(test, DEV_GATHER))
		(void)gather(test, 0, RDISK_VECTOR_MAX);
}

/* The scatter with a bad address may have been done in part: what is there now is unknown. */
static void bad_scatters(struct blocktest *test)
{
	if (bad_vectors(test, DEV_SCATTER) && bad_vectors(test, DEV_SCATTER_FUA) && scatter(test, 0, 16))
		(void)read_and_check(test, 0, arena_buffer(test), 65536);
}

const struct blocktest_case vector_cases[] = {
	{ "vector", "numbers", 0, numbers },
	{ "vector", "numbers-written", NEEDS_DESTRUCTIVE, numbers_written },
	{ "vector", "end-of-device", 0, end_of_device },
	{ "vector", "end-of-device-written", NEEDS_DESTRUCTIVE, end_of_device_written },
	{ "vector", "bad-gathers", 0, bad_gathers },
	{ "vector", "bad-scatters", NEEDS_DESTRUCTIVE, bad_scatters },
	{ NULL, NULL, 0, NULL },
};

/* ---- batches ---- */

/* A batch of reads or writes of two elements each, laid out as the arena is. */
struct batch {
	struct rdisk_request *requests;
	struct rdisk_iovec *vectors; /* two a request */
	unsigned char *memory;	     /* 2 * BATCH_SEGMENT a request */
};

#define BATCH_SEGMENT 2048

static struct batch arena_batch(const struct blocktest *test)
{
	unsigned char *at = test->arena + VECTOR_OFFSET;

	return (struct batch){
		.requests = (struct rdisk_request *)(void *)at,
		.vectors = (struct rdisk_iovec *)(void *)(at + RDISK_BATCH_MAX * sizeof(struct rdisk_request)),
		.memory = arena_buffer(test),
	};
}

static void build_request(const struct blocktest *test, struct batch *batch, int i, uint32_t operation)
{
	struct rdisk_iovec *vector = batch->vectors + 2 * i;
	unsigned char *memory = batch->memory + (size_t)i * 2 * BATCH_SEGMENT;

	/* The second half lies before the first. */
	vector[0] = (struct rdisk_iovec){ address_number(memory + BATCH_SEGMENT), BATCH_SEGMENT };
	vector[1] = (struct rdisk_iovec){ address_number(memory), BATCH_SEGMENT };
	batch->requests[i] = (struct rdisk_request){
		.operation = operation,
		.minor = test->minor,
		.nr_segments = 2,
		.position = (uint64_t)i * 1500 % 60000,
		.length = (uint64_t)2 * BATCH_SEGMENT,
		.vector = address_number(vector),
		.cookie = (uint64_t)i << 40 | 0xfeed,
		.result = RDISK_RESULT_NONE,
	};
}

static bool send_batch(struct blocktest *test, const struct batch *batch, int count)
{
	struct rdisk_request before[RDISK_BATCH_MAX];
	message request = new_request(test, DEV_BATCH);

	memcpy(before, batch->requests, (size_t)count * sizeof(before[0]));
	request.COUNT = count;
	request.ADDRESS = (char *)batch->requests;
	if (!expect_status(test, &request, count, "batch"))
		return false;
	for (int i = 0; i < count; i++) {
		if (batch->requests[i].result == RDISK_RESULT_NONE)
			return fail_test(test, RESULT_MISSING, "batch: request %d of %d has no result", i, count);
		before[i].result = batch->requests[i].result;
	}
	if (memcmp(before, batch->requests, (size_t)count * sizeof(before[0])))
		return fail_test(test, RESULT_OVERFLOW, "batch: more than the results was changed");
	return true;
}

static bool check_read(struct blocktest *test, const struct batch *batch, int i)
{
	const struct rdisk_request *request = &batch->requests[i];
	const unsigned char *memory = batch->memory + (size_t)i * 2 * BATCH_SEGMENT;

	if (request->result != 2 * BATCH_SEGMENT)
		return fail_test(test, request->result < 0 ? RESULT_UNEXFAIL : RESULT_TRUNC,
				 "batch: request %d: result %lld", i, (long long)request->result);
	return check_contents(test, memory + BATCH_SEGMENT, BATCH_SEGMENT, request->position, "batch") &&
	       check_contents(test, memory, BATCH_SEGMENT, request->position + BATCH_SEGMENT, "batch");
}

static void batch_reads(struct blocktest *test)
{
	static const int counts[] = { 1, 2, 64, RDISK_BATCH_MAX };
	struct batch batch = arena_batch(test);

	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		mark_memory(test, batch.memory, (size_t)RDISK_BATCH_MAX * 2 * BATCH_SEGMENT);
		for (int i = 0; i < counts[c]; i++)
			build_request(test, &batch, i, RDISK_OP_READ);
		if (!send_batch(test, &batch, counts[c]))
			return;
		for (int i = 0; i < counts[c]; i++)
			if (!check_read(test, &batch, i))
				return;
	}
}

/* Requests of one batch may be done in any order, so these do not overlap. */
static void batch_writes(struct blocktest *test)
{
	struct batch batch = arena_batch(test);
	int count = (int)(test->low.length / (2 * BATCH_SEGMENT));

	if (count > RDISK_BATCH_MAX)
		count = RDISK_BATCH_MAX;
	fill_fresh(test, batch.memory, (size_t)count * 2 * BATCH_SEGMENT);
	for (int i = 0; i < count; i++) {
		const unsigned char *memory = batch.memory + (size_t)i * 2 * BATCH_SEGMENT;

		build_request(test, &batch, i, RDISK_OP_WRITE);
		batch.requests[i].position = (uint64_t)(count - 1 - i) * 2 * BATCH_SEGMENT;
		batch.requests[i].flags = i % 5 ? 0 : RDISK_REQUEST_FUA;
		note_written(test, memory + BATCH_SEGMENT, BATCH_SEGMENT, batch.requests[i].position);
		note_written(test, memory, BATCH_SEGMENT, batch.requests[i].position + BATCH_SEGMENT);
	}
	if (!send_batch(test, &batch, count))
		return;
	for (int i = 0; i < count; i++)
		if (batch.requests[i].result != 2 * BATCH_SEGMENT)
			(void)fail_test(test, batch.requests[i].result < 0 ? RESULT_UNEXFAIL : RESULT_TRUNC,
					"batch: write %d: result %lld", i, (long long)batch.requests[i].result);
	(void)read_and_check(test, 0, arena_buffer(test), count * 2 * BATCH_SEGMENT);
}

/* Spoils request i in the i-th way. */
static void spoil(struct batch *batch, int i)
{
	struct rdisk_request *request = &batch->requests[i];

	switch (i) {
	case 1:
		request->minor = -1;
		break;
	case 2:
		request->operation = 0;
		break;
	case 3:
		request->operation = 999;
		break;
	case 4:
		request->nr_segments = 0;
		break;
	case 5:
		request->nr_segments = RDISK_VECTOR_MAX + 1;
		break;
	case 6:
		request->vector = 64;
		break;
	case 7:
		batch->vectors[2 * i + 1].iov_addr = 64;
		break;
	case 8:
		request->position = UINT64_MAX;
		break;
	case 9:
		request->length -= 1;
		break;
	case 10:
		batch->vectors[2 * i].iov_size = UINT64_MAX;
		break;
	default:
		break;
	}
}

#define SPOILT_FIRST 1
#define SPOILT_LAST  10

static void batch_bad_among_good(struct blocktest *test)
{
	struct batch batch = arena_batch(test);

	mark_memory(test, batch.memory, (size_t)16 * 2 * BATCH_SEGMENT);
	for (int i = 0; i < 16; i++) {
		build_request(test, &batch, i, RDISK_OP_READ);
		spoil(&batch, i);
	}
	if (!send_batch(test, &batch, 16))
		return;
	for (int i = 0; i < 16; i++) {
		if (i < SPOILT_FIRST || i > SPOILT_LAST) {
			if (!check_read(test, &batch, i))
				return;
		} else if (batch.requests[i].result >= 0) {
			(void)fail_test(test, RESULT_BADSTATUS, "batch: bad request %d was accepted", i);
			return;
		}
	}
}

static void batch_limits(struct blocktest *test)
{
	static const struct {
		int count, wanted;
	} counts[] = {
		{ 0, EDVSINVAL }, { -1, EDVSINVAL }, { RDISK_BATCH_MAX + 1, EDVS2BIG }, { INT32_MAX, EDVS2BIG }
	};
	message request = new_request(test, DEV_BATCH);

	memset(test->arena + VECTOR_OFFSET, 0, 65536);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		request.COUNT = counts[i].count;
		request.ADDRESS = (char *)test->arena + VECTOR_OFFSET;
		if (!expect_status(test, &request, counts[i].wanted, "batch of a bad number of requests"))
			return;
	}
	request.COUNT = 1;
	request.ADDRESS = (char *)(uintptr_t)64;
	(void)expect_status(test, &request, EDVSFAULT, "batch at a bad address");
}

const struct blocktest_case batch_cases[] = {
	{ "batch", "reads", 0, batch_reads },
	{ "batch", "writes", NEEDS_DESTRUCTIVE, batch_writes },
	{ "batch", "bad-among-good", 0, batch_bad_among_good },
	{ "batch", "limits", 0, batch_limits },
	{ NULL, NULL, 0, NULL },
};
