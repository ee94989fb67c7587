/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the disk that keeps account of what it asked and was answered (crash_answers.h), on the clock of the
 * server's log. Every request gets the next number, and a write's data say it. One thread.
 */
#ifndef CRASH_CLIENT_H
#define CRASH_CLIENT_H

#include "crash_answers.h"
#include "test_disk.h"

#define CRASH_REQUESTS_MAX 600

/* The account of one disk. */
struct crash_client {
	struct test_disk disk;
	struct crash_answers answers; /* of `room` */
	struct crash_answer room[CRASH_REQUESTS_MAX];
	unsigned char *memory[CRASH_REQUESTS_MAX]; /* of writes, until crash_client_end() */
	struct rdisk_iovec vectors[CRASH_REQUESTS_MAX][3];
	int nr_suspended;
};

/* One request of a batch. */
struct crash_request {
	enum crash_answer_kind kind;
	bool fua;
	uint64_t position;
	uint64_t length;
};

/* A client without an account yet; opens the disk for writing. */
void crash_client_begin(struct crash_client *client, const struct test_disk *disk);

/* Forgets the requests' memory; the account stays. */
void crash_client_end(struct crash_client *client);

/* Notes a request that is sent now; its number. Of a write it makes the data (client->memory[number - 1]). */
size_t crash_client_send(struct crash_client *client, const struct crash_request *request);

/* Notes that its answer has come: bytes or 0, or an error. */
void crash_client_answer(struct crash_client *client, size_t number, int64_t result);

/* A request as a message of its own; a write of more than 1000 bytes as a vector, if it is to be. What was answered. */
int crash_client_request(struct crash_client *client, const struct crash_request *request, bool vector);

/* A batch, of which any may be suspended if `may_suspend`. Fatal to the test if it is not answered. */
void crash_client_batch(struct crash_client *client, const struct crash_request *requests, int count, bool may_suspend);

/* Collects until nothing is suspended any more. */
void crash_client_collect(struct crash_client *client);

/* Makes `count` requests of all kinds that a seed chooses within the first `area` bytes, and waits for all. */
void crash_client_random(struct crash_client *client, uint64_t seed, int count, uint64_t area);

/* One that a seed's state chooses, for those who send it themselves. */
struct crash_request crash_random_request(uint64_t *state, uint64_t area);

#endif
