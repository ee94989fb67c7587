/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of done requests from another member: whatever was loaded before a fault, what is saved of it loads, and is
 * then saved alike; and loading it again changes nothing.
 */
#include "fuzz.h"

#include <string.h>

#include "done_table.h"
#include "replica_values.h"

#define CLIENTS 8
#define WINDOW	7 /* not a power of two: numbers that wrap would show */

static size_t save(const struct done_table *table, unsigned char bytes[static CLIENTS * DONE_TABLE_CLIENT_MAX(WINDOW)])
{
	unsigned int next = 0;
	size_t size = done_table_save(table, &next, bytes, CLIENTS * DONE_TABLE_CLIENT_MAX(WINDOW));

	fuzz_require(next == CLIENTS, "a table that is not saved at once");
	return size;
}

static void check_requests(const struct done_table *table)
{
	unsigned int unsure = 0;

	for (unsigned int i = 0; i < CLIENTS; i++) {
		const struct done_client *client = &table->clients[i];
		int32_t result;

		if (client->id.forwarder == 0)
			continue;
		for (unsigned int k = 0; k < WINDOW; k++) {
			uint64_t request = client->requests[k].request;
			enum done_answer wanted = request < client->lowest ? DONE_OLD : DONE_KNOWN;

			if (request == 0)
				continue;
			unsure += client->requests[k].unsure;
			if (client->requests[k].unsure)
				wanted = DONE_UNSURE;
			fuzz_require(done_table_find(table, client->id, request, &result) == wanted,
				     "a request that is not found");
		}
	}
	fuzz_require(unsure == table->nr_unsure, "another number of unsure ones");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char saved[2][CLIENTS * DONE_TABLE_CLIENT_MAX(WINDOW)];
	struct done_table first, second;
	size_t sizes[2];

	if (done_table_init(&first, CLIENTS, WINDOW) || done_table_init(&second, CLIENTS, WINDOW))
		abort();
	done_table_load(&first, data, size);
	check_requests(&first);
	sizes[0] = save(&first, saved[0]);
	for (int again = 0; again < 2; again++) {
		fuzz_require(!done_table_load(&second, saved[0], sizes[0]), "a table that was saved does not load");
		sizes[1] = save(&second, saved[1]);
		fuzz_require(sizes[0] == sizes[1] && memcmp(saved[0], saved[1], sizes[0]) == 0, "another table");
	}
	for (unsigned int i = 0; i < CLIENTS; i++)
		done_table_forget_process(&first, first.clients[i].id.forwarder);
	fuzz_require(save(&first, saved[0]) == 0, "a client that was forgotten");
	done_table_free(&first);
	done_table_free(&second);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	(void)seed;
	return LLVMFuzzerMutate(data, size, max_size);
}
