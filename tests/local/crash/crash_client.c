/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks and keeps account; see crash_client.h.
 */
#include "crash_client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test_pattern.h"
#include "test_server.h"

#define BATCH_MAX  8
#define LENGTH_MAX 3000 /* bytes of a random request */

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void crash_client_begin(struct crash_client *client, const struct test_disk *disk)
{
	memset(client, 0, sizeof(*client));
	client->disk = *disk;
	client->answers.answers = client->room;
	if (test_disk_open(&client->disk, RDISK_OPEN_WRITE))
		test_fatal("minor %d cannot be opened", disk->minor);
}

void crash_client_end(struct crash_client *client)
{
	for (size_t i = 0; i < client->answers.count; i++) {
		free(client->memory[i]);
		client->memory[i] = NULL;
	}
}

size_t crash_client_send(struct crash_client *client, const struct crash_request *request)
{
	size_t number = client->answers.count + 1;

	if (number > CRASH_REQUESTS_MAX)
		test_fatal("too many requests for one account");
	if (request->kind == CRASH_ANSWER_WRITE) {
		if (request->length == 0)
			test_fatal("a write of nothing cannot be accounted for");
		client->memory[number - 1] = malloc(request->length);
		if (!client->memory[number - 1])
			test_fatal("no memory");
		test_pattern_fill(client->memory[number - 1], request->length, request->position, number);
	}
	client->answers.count = number;
	client->room[number - 1] = (struct crash_answer){ .kind = request->kind,
							  .fua = request->fua,
							  .sent = now_ns(),
							  .answered = UINT64_MAX,
							  .position = request->position,
							  .length = request->length };
	return number;
}

void crash_client_answer(struct crash_client *client, size_t number, int64_t result)
{
	struct crash_answer *answer = &client->room[number - 1];

	answer->answered = now_ns();
	answer->failed = result != (answer->kind == CRASH_ANSWER_WRITE ? (int64_t)answer->length : 0);
}

/* A write's data in up to three parts; how many. */
static int fill_vector(struct crash_client *client, size_t number, bool in_parts)
{
	struct rdisk_iovec *vector = client->vectors[number - 1];
	uint64_t length = client->room[number - 1].length;
	uint64_t address = test_address(client->memory[number - 1]);

	if (!in_parts || length < 1000) {
		vector[0] = (struct rdisk_iovec){ address, length };
		return 1;
	}
	vector[0] = (struct rdisk_iovec){ address, 100 };
	vector[1] = (struct rdisk_iovec){ address + 100, 512 };
	vector[2] = (struct rdisk_iovec){ address + 612, length - 612 };
	return 3;
}

int crash_client_request(struct crash_client *client, const struct crash_request *request, bool vector)
{
	size_t number = crash_client_send(client, request);
	int64_t position = (int64_t)request->position, length = (int64_t)request->length;
	struct test_disk *disk = &client->disk;
	int count, result = 0;

	switch (request->kind) {
	case CRASH_ANSWER_WRITE:
		count = fill_vector(client, number, vector);
		if (vector)
			result = test_disk_request(disk, request->fua ? DEV_SCATTER_FUA : DEV_SCATTER, count, position,
						   0, client->vectors[number - 1]);
		else
			result = test_disk_request(disk, request->fua ? DEV_WRITE_FUA : DEV_WRITE, (int)length,
						   position, 0, client->memory[number - 1]);
		break;
	case CRASH_ANSWER_ZEROES:
		result = test_disk_write_zeroes(disk, position, length);
		break;
	case CRASH_ANSWER_DISCARD:
		result = test_disk_discard(disk, position, length);
		break;
	case CRASH_ANSWER_FLUSH:
		result = test_disk_flush(disk);
		break;
	}
	if (result != TEST_DISK_NO_ANSWER)
		crash_client_answer(client, number, result);
	return result;
}

static uint32_t operation_of(enum crash_answer_kind kind)
{
	switch (kind) {
	case CRASH_ANSWER_WRITE:
		return RDISK_OP_WRITE;
	case CRASH_ANSWER_ZEROES:
		return RDISK_OP_WRITE_ZEROES;
	case CRASH_ANSWER_DISCARD:
		return RDISK_OP_DISCARD;
	case CRASH_ANSWER_FLUSH:
		break;
	}
	return RDISK_OP_FLUSH;
}

static struct rdisk_request build(struct crash_client *client, const struct crash_request *request, size_t number,
				  bool may_suspend)
{
	struct rdisk_request built = { .operation = operation_of(request->kind),
				       .flags = (request->fua ? RDISK_REQUEST_FUA : 0) |
						(may_suspend ? RDISK_REQUEST_MAY_SUSPEND : 0),
				       .minor = client->disk.minor,
				       .position = request->position,
				       .length = request->length,
				       .cookie = number,
				       .result = RDISK_RESULT_NONE };

	if (request->kind == CRASH_ANSWER_WRITE) {
		built.nr_segments = (uint32_t)fill_vector(client, number, number % 2);
		built.vector = test_address(client->vectors[number - 1]);
	}
	return built;
}

void crash_client_batch(struct crash_client *client, const struct crash_request *requests, int count, bool may_suspend)
{
	struct rdisk_request batch[BATCH_MAX];
	int status;

	if (count > BATCH_MAX)
		test_fatal("too large a batch");
	for (int i = 0; i < count; i++)
		batch[i] = build(client, &requests[i], crash_client_send(client, &requests[i]), may_suspend);
	status = test_disk_batch(&client->disk, batch, count);
	if (status != count)
		test_fatal("a batch of %d was answered %d", count, status);
	for (int i = 0; i < count; i++) {
		if (batch[i].result == SUSPEND)
			client->nr_suspended++;
		else
			crash_client_answer(client, batch[i].cookie, batch[i].result);
	}
}

void crash_client_collect(struct crash_client *client)
{
	while (client->nr_suspended > 0) {
		struct rdisk_completion completions[BATCH_MAX];
		struct rdisk_request collect = { .operation = RDISK_OP_COLLECT,
						 .flags = RDISK_REQUEST_WAIT,
						 .nr_segments = BATCH_MAX,
						 .vector = test_address(completions),
						 .result = RDISK_RESULT_NONE };

		if (test_disk_batch(&client->disk, &collect, 1) != 1 || collect.result < 1)
			test_fatal("nothing can be collected: %lld", (long long)collect.result);
		for (int64_t i = 0; i < collect.result; i++, client->nr_suspended--)
			crash_client_answer(client, completions[i].cookie, completions[i].result);
	}
}

/* ---- at random ---- */

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % limit;
}

struct crash_request crash_random_request(uint64_t *state, uint64_t area)
{
	static const enum crash_answer_kind kinds[] = { CRASH_ANSWER_WRITE,   CRASH_ANSWER_WRITE, CRASH_ANSWER_WRITE,
							CRASH_ANSWER_WRITE,   CRASH_ANSWER_WRITE, CRASH_ANSWER_ZEROES,
							CRASH_ANSWER_DISCARD, CRASH_ANSWER_FLUSH };
	struct crash_request request = { .kind = kinds[random_below(state, 8)] };

	if (request.kind == CRASH_ANSWER_FLUSH)
		return request;
	request.length = 1 + random_below(state, LENGTH_MAX);
	request.position = random_below(state, (uint32_t)(area - LENGTH_MAX - 512));
	if (random_below(state, 5) < 3) {
		request.position = request.position / 512 * 512;
		request.length = (request.length + 511) / 512 * 512;
	}
	request.fua = request.kind == CRASH_ANSWER_WRITE && random_below(state, 6) == 0;
	return request;
}

void crash_client_random(struct crash_client *client, uint64_t seed, int count, uint64_t area)
{
	uint64_t state = seed;

	while (count > 0) {
		struct crash_request requests[BATCH_MAX];
		int together = random_below(&state, 3) ? 1 : 1 + (int)random_below(&state, BATCH_MAX);

		for (int i = 0; i < together; i++)
			requests[i] = crash_random_request(&state, area);
		if (together == 1)
			(void)crash_client_request(client, &requests[0], random_below(&state, 2));
		else
			crash_client_batch(client, requests, together, random_below(&state, 2));
		if (random_below(&state, 3) == 0)
			crash_client_collect(client);
		count -= together;
	}
	crash_client_collect(client);
}
