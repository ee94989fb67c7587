/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of done requests, against a list of all that was ever added; and its form, when it goes to another member.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "done_table.h"
#include "replica_values.h"

#define CLIENTS 5
#define WINDOW	7

static struct done_table table;
static uint64_t seed = 1;

static uint64_t below(uint64_t limit)
{
	return replica_values_random(&seed) % limit;
}

static int setup(void **state)
{
	(void)state;
	return done_table_init(&table, CLIENTS, WINDOW);
}

static int teardown(void **state)
{
	(void)state;
	done_table_free(&table);
	done_table_free(&table);
	return 0;
}

static const struct client_id anna = { 0x1112131415161718, 1 };

/* What is known of a request of anna's: its result, 1 for an old one, 2 for an unknown one. */
static int32_t known(uint64_t request)
{
	int32_t result = -1000;

	switch (done_table_find(&table, anna, request, &result)) {
	case DONE_KNOWN:
		return result;
	case DONE_OLD:
		return 1;
	default:
		assert_int_equal(result, -1000);
		return 2;
	}
}

static void test_window(void **state)
{
	(void)state;
	assert_int_equal(known(1), 2);
	assert_int_equal(done_table_add(&table, anna, 1, 1, 0), 0);
	assert_int_equal(done_table_add(&table, anna, 7, 1, -5), 0);
	assert_int_equal(known(0), 2);
	assert_int_equal(known(1), 0);
	assert_int_equal(known(2), 2);
	assert_int_equal(known(7), -5);
	assert_int_equal(known(8), 2);
	assert_int_equal(done_table_add(&table, anna, 8, 1, 0), -ERANGE);
	assert_int_equal(done_table_add(&table, anna, UINT64_MAX, 1, 0), -ERANGE);
	assert_int_equal(known(1), 0);
	/* 8 takes the place of 1, which nobody asks for any more. */
	assert_int_equal(done_table_add(&table, anna, 8, 2, -28), 0);
	assert_int_equal(known(1), 1);
	assert_int_equal(known(8), -28);
	/* A lower lowest comes late. */
	assert_int_equal(done_table_add(&table, anna, 2, 1, -1), 0);
	assert_int_equal(known(2), -1);
	assert_int_equal(known(1), 1);
	assert_int_equal(done_table_add(&table, anna, 1, 1, -3), 0);
	assert_int_equal(known(1), 1);
	/* One below its own lowest only tells that. */
	assert_int_equal(done_table_add(&table, anna, 3, 8, -3), 0);
	assert_int_equal(known(7), 1);
	assert_int_equal(known(8), -28);
	/* A new result counts. */
	assert_int_equal(done_table_add(&table, anna, 8, 8, 0), 0);
	assert_int_equal(known(8), 0);
	done_table_clear(&table);
	assert_int_equal(known(8), 2);
}

static void test_numbers_at_their_end(void **state)
{
	unsigned char bytes[DONE_TABLE_CLIENT_MAX(WINDOW)];
	unsigned int next = 0;
	size_t size;

	(void)state;
	assert_int_equal(done_table_add(&table, anna, UINT64_MAX, UINT64_MAX - 2, -4), 0);
	assert_int_equal(done_table_add(&table, anna, UINT64_MAX - 2, UINT64_MAX - 2, -2), 0);
	assert_int_equal(known(UINT64_MAX), -4);
	size = done_table_save(&table, &next, bytes, sizeof(bytes));
	assert_int_equal(size, DONE_TABLE_CLIENT_MAX(2));
	done_table_clear(&table);
	assert_null(done_table_load(&table, bytes, size));
	assert_int_equal(known(UINT64_MAX), -4);
	assert_int_equal(known(UINT64_MAX - 1), 2);
	assert_int_equal(known(UINT64_MAX - 2), -2);
}

static void test_clients(void **state)
{
	struct client_id client = { 9, 0 }, nobody = { 0, 0 };
	int32_t result;

	(void)state;
	assert_int_equal(done_table_add(&table, nobody, 1, 1, 0), 0);
	assert_int_equal(done_table_find(&table, nobody, 1, &result), DONE_UNKNOWN);
	for (client.client = 0; client.client < CLIENTS; client.client++)
		assert_int_equal(done_table_add(&table, client, 1, 1, -(int32_t)client.client), 0);
	assert_int_equal(done_table_add(&table, anna, 1, 1, 0), -ENOSPC);
	assert_int_equal(done_table_add(&table, anna, 9, 1, 0), -ERANGE);
	client.client = 3;
	done_table_forget(&table, client);
	done_table_forget(&table, client);
	done_table_forget(&table, nobody);
	assert_int_equal(done_table_find(&table, client, 1, &result), DONE_UNKNOWN);
	assert_int_equal(done_table_add(&table, anna, 1, 1, 0), 0);
	assert_int_equal(done_table_find(&table, anna, 1, &result), DONE_KNOWN);
	/* What was there of the one before is not anna's. */
	done_table_forget(&table, anna);
	assert_int_equal(done_table_add(&table, anna, 2, 1, 0), 0);
	assert_int_equal(known(1), 2);
	done_table_forget_process(&table, 0);
	done_table_forget_process(&table, 9);
	for (client.client = 0; client.client < CLIENTS; client.client++)
		assert_int_equal(done_table_find(&table, client, 1, &result), DONE_UNKNOWN);
	assert_int_equal(known(2), 0);
}

/* A client of the random test: {1 or 2, 0 .. 3}, and what it is known to have done. */
#define NAMES 8
struct model {
	bool there;
	uint64_t lowest;
	int32_t results[400]; /* 1: none */
};

static struct client_id name(unsigned int number)
{
	return (struct client_id){ 1 + number / 4, number % 4 };
}

static void check_model(const struct done_table *in, const struct model *model)
{
	for (unsigned int i = 0; i < NAMES; i++)
		for (uint64_t request = 1; request < 400; request++) {
			int32_t result = 1;
			enum done_answer wanted, answer = done_table_find(in, name(i), request, &result);

			if (!model[i].there)
				wanted = DONE_UNKNOWN;
			else if (request < model[i].lowest)
				wanted = DONE_OLD;
			else
				wanted = model[i].results[request] == 1 ? DONE_UNKNOWN : DONE_KNOWN;
			assert_int_equal(answer, wanted);
			if (answer == DONE_KNOWN)
				assert_int_equal(result, model[i].results[request]);
		}
}

static void forget(struct model *model)
{
	*model = (struct model){ .there = false };
	for (int i = 0; i < 400; i++)
		model->results[i] = 1;
}

static void model_add(struct model *model, unsigned int number, uint64_t request, uint64_t lowest, int32_t result)
{
	unsigned int there = 0;
	int wanted = 0;

	for (unsigned int i = 0; i < NAMES; i++)
		there += model[i].there;
	if (lowest < model[number].lowest)
		lowest = model[number].lowest;
	if (request >= lowest + WINDOW)
		wanted = -ERANGE;
	else if (!model[number].there && there == CLIENTS)
		wanted = -ENOSPC;
	assert_int_equal(done_table_add(&table, name(number), request, lowest, result), wanted);
	if (wanted)
		return;
	model[number].there = true;
	model[number].lowest = lowest;
	if (request >= lowest)
		model[number].results[request] = result;
}

/* All of it in pieces of a random size into another table. */
static void check_copy(const struct model *model)
{
	struct done_table other;
	unsigned int next = 0;

	assert_int_equal(done_table_init(&other, CLIENTS, WINDOW), 0);
	while (next < table.nr_clients) {
		unsigned char bytes[CLIENTS * DONE_TABLE_CLIENT_MAX(WINDOW)];
		size_t room = DONE_TABLE_CLIENT_MAX(WINDOW) + below(sizeof(bytes) - DONE_TABLE_CLIENT_MAX(WINDOW));
		size_t size = done_table_save(&table, &next, bytes, room);

		assert_true(size <= room);
		assert_null(done_table_load(&other, bytes, size));
	}
	check_model(&other, model);
	done_table_free(&other);
}

static void test_random(void **state)
{
	static struct model model[NAMES];
	uint64_t base = 1;

	(void)state;
	for (unsigned int i = 0; i < NAMES; i++)
		forget(&model[i]);
	for (int step = 0; step < 4000; step++) {
		unsigned int number = (unsigned int)below(NAMES);

		base = 1 + (uint64_t)step / 12;
		switch (below(30)) {
		case 0:
			done_table_forget(&table, name(number));
			forget(&model[number]);
			break;
		case 1:
			if (below(3))
				break;
			done_table_forget_process(&table, name(number).forwarder);
			for (unsigned int i = 0; i < 4; i++)
				forget(&model[number / 4 * 4 + i]);
			break;
		default:
			model_add(model, number, base + below(WINDOW + 2), base + below(3), -(int32_t)below(100));
			break;
		}
		if (step % 20 == 0) {
			check_model(&table, model);
			check_copy(model);
		}
	}
}

/* A save that goes on after changes: who was there all the time is in it. */
static void test_save_beside_changes(void **state)
{
	unsigned char first[DONE_TABLE_CLIENT_MAX(WINDOW)], rest[CLIENTS * DONE_TABLE_CLIENT_MAX(WINDOW)];
	struct client_id client = { 7, 0 };
	size_t first_size, rest_size;
	unsigned int next = 0;
	int32_t result;

	(void)state;
	for (client.client = 0; client.client < CLIENTS; client.client++)
		assert_int_equal(done_table_add(&table, client, 1, 1, 0), 0);
	first_size = done_table_save(&table, &next, first, sizeof(first));
	assert_int_equal(next, 1);
	for (client.client = 0; client.client < CLIENTS - 1; client.client++)
		done_table_forget(&table, client);
	assert_int_equal(done_table_add(&table, anna, 1, 1, 0), 0);
	rest_size = done_table_save(&table, &next, rest, sizeof(rest));
	assert_int_equal(next, CLIENTS);
	done_table_clear(&table);
	assert_null(done_table_load(&table, rest, rest_size));
	assert_int_equal(done_table_find(&table, client, 1, &result), DONE_KNOWN);
	assert_null(done_table_load(&table, first, first_size));
}

/* How a client has its device open: it lasts until it is forgotten, and counts for nobody else. */
static void test_open(void **state)
{
	const struct client_open shared = { .open = true, .shared = true, .device = 1 };
	const struct client_open alone = { .open = true, .device = 1 }, elsewhere = { .open = true, .device = 2 };
	const struct client_open reads = { .open = true, .read_only = true, .device = 1 }, none = { 0 };
	struct client_id client = { 9, 0 };

	(void)state;
	assert_null(done_table_open_of(&table, anna));
	assert_int_equal(done_table_add(&table, anna, 1, 1, 0), 0);
	assert_false(done_table_open_of(&table, anna)->open);
	assert_int_equal(done_table_open(&table, anna, &alone), 0);
	assert_int_equal(known(1), 0);
	assert_true(done_table_open_of(&table, anna)->open);
	done_table_forget(&table, anna);
	for (client.client = 0; client.client < CLIENTS; client.client++)
		assert_int_equal(done_table_add(&table, client, 1, 1, 0), 0);
	for (unsigned int i = 0; i < CLIENTS; i++)
		assert_false(table.clients[i].open.open);
	assert_int_equal(done_table_open(&table, anna, &alone), -ENOSPC);
	assert_true(client_open_excludes(&alone, &alone));
	assert_true(client_open_excludes(&alone, &shared));
	assert_true(client_open_excludes(&shared, &alone));
	assert_true(client_open_excludes(&reads, &alone));
	assert_true(client_open_excludes(&reads, &shared));
	assert_false(client_open_excludes(&shared, &shared));
	assert_false(client_open_excludes(&reads, &reads));
	assert_false(client_open_excludes(&alone, &elsewhere));
	assert_false(client_open_excludes(&alone, &none));
	assert_false(client_open_excludes(&none, &alone));
}

/* ---- requests that are unsure ---- */

static const struct done_range low = { 4096, 4096, 0 }, high = { 65536, 512, 0 }, elsewhere = { 0, 4096, 1 };

static enum done_answer answer(const struct done_table *in, uint64_t request)
{
	int32_t result;

	return done_table_find(in, anna, request, &result);
}

static void test_unsure(void **state)
{
	(void)state;
	assert_int_equal(done_table_add_unsure(&table, anna, 3, 1, &low), 0);
	assert_int_equal(done_table_add_write(&table, anna, 4, 1, 0, &high), 0);
	assert_int_equal(table.nr_unsure, 1);
	assert_int_equal(answer(&table, 3), DONE_UNSURE);
	assert_null(done_table_unsure(&table, anna, 4));
	assert_true(done_table_holds(&table, 0, 0, 4097));
	assert_true(done_table_holds(&table, 0, 8191, 1));
	assert_true(done_table_holds(&table, 0, 5000, 1));
	assert_false(done_table_holds(&table, 0, 0, 4096));
	assert_false(done_table_holds(&table, 0, 8192, 1u << 20));
	assert_false(done_table_holds(&table, 1, 4096, 4096));
	/* It is done; another becomes unsure, and its client does not want it any more. */
	assert_int_equal(done_table_add_write(&table, anna, 3, 1, 0, &low), 0);
	assert_int_equal(table.nr_unsure, 0);
	assert_int_equal(known(3), 0);
	assert_false(done_table_holds(&table, 0, 4096, 4096));
	assert_int_equal(done_table_add_unsure(&table, anna, 4, 1, &high), 0);
	assert_int_equal(done_table_add(&table, anna, 6, 5, 0), 0);
	assert_int_equal(table.nr_unsure, 0);
	assert_int_equal(answer(&table, 4), DONE_OLD);
	/* Of two the lower one alone is not wanted any more. */
	assert_int_equal(done_table_add_unsure(&table, anna, 6, 5, &low), 0);
	assert_int_equal(done_table_add_unsure(&table, anna, 8, 5, &high), 0);
	assert_int_equal(done_table_add(&table, anna, 9, 7, 0), 0);
	assert_int_equal(table.nr_unsure, 1);
	assert_int_equal(answer(&table, 6), DONE_OLD);
	assert_int_equal(answer(&table, 8), DONE_UNSURE);
	done_table_forget(&table, anna);
	/* It is closed; or all of them are dropped. */
	assert_int_equal(done_table_add_unsure(&table, anna, 7, 5, &elsewhere), 0);
	assert_true(done_table_holds(&table, 1, 4095, 1));
	done_table_forget(&table, anna);
	assert_int_equal(table.nr_unsure, 0);
	assert_int_equal(done_table_add_unsure(&table, anna, 7, 5, &elsewhere), 0);
	assert_int_equal(done_table_add(&table, anna, 8, 5, 0), 0);
	assert_int_equal(done_table_add_unsure(&table, anna, 10, 5, &low), 0);
	done_table_drop_unsure(&table);
	assert_int_equal(table.nr_unsure, 0);
	assert_int_equal(answer(&table, 7), DONE_UNKNOWN);
	assert_int_equal(answer(&table, 8), DONE_KNOWN);
	assert_int_equal(answer(&table, 10), DONE_UNKNOWN);
}

/* What only one of two has done is unsure; so is what is unsure at the primary. */
static void test_doubt(void **state)
{
	const struct client_id other = { 77, 7 };
	struct done_table primary;
	int32_t result;

	(void)state;
	assert_int_equal(done_table_init(&primary, CLIENTS, WINDOW), 0);
	assert_int_equal(done_table_add(&table, anna, 1, 1, 0), 0);		/* an OPEN */
	assert_int_equal(done_table_add_write(&table, anna, 2, 1, 0, &low), 0); /* both */
	assert_int_equal(done_table_add_write(&primary, anna, 2, 1, 0, &low), 0);
	assert_int_equal(done_table_add_write(&table, anna, 3, 1, 0, &high), 0);   /* only this one */
	assert_int_equal(done_table_add_write(&primary, anna, 4, 1, 0, &high), 0); /* only the primary */
	assert_int_equal(done_table_add_write(&table, anna, 5, 1, 0, &low), 0);	   /* done and unsure */
	assert_int_equal(done_table_add_unsure(&primary, anna, 5, 1, &low), 0);
	assert_int_equal(done_table_add_unsure(&table, anna, 6, 1, &low), 0); /* unsure and done */
	assert_int_equal(done_table_add_write(&primary, anna, 6, 1, 0, &low), 0);
	/* One that is not open here. */
	assert_int_equal(done_table_add_write(&primary, other, 1, 1, 0, &low), 0);
	done_table_doubt(&table, &primary);
	assert_int_equal(answer(&table, 1), DONE_KNOWN);
	assert_int_equal(answer(&table, 2), DONE_KNOWN);
	for (uint64_t request = 3; request <= 6; request++)
		assert_int_equal(answer(&table, request), DONE_UNSURE);
	assert_int_equal(done_table_find(&table, other, 1, &result), DONE_UNKNOWN);
	assert_int_equal(table.nr_unsure, 4);
	/* Answered, as the primary knows: all had it. */
	assert_int_equal(done_table_add_write(&table, anna, 7, 1, 0, &low), 0);
	assert_int_equal(done_table_add(&primary, anna, 8, 8, 0), 0);
	done_table_doubt(&table, &primary);
	assert_int_equal(answer(&table, 7), DONE_KNOWN);
	done_table_swap(&table, &primary);
	assert_int_equal(table.nr_unsure, 0);
	assert_int_equal(primary.nr_unsure, 4);
	assert_int_equal(answer(&table, 8), DONE_KNOWN);
	done_table_free(&primary);
}

/* What is done stays so when another member says that it is unsure. */
static void test_load_unsure(void **state)
{
	unsigned char bytes[DONE_TABLE_CLIENT_MAX(WINDOW)];
	unsigned int next = 0;
	size_t size;

	(void)state;
	assert_int_equal(done_table_add_unsure(&table, anna, 2, 1, &low), 0);
	assert_int_equal(done_table_add_unsure(&table, anna, 3, 1, &high), 0);
	size = done_table_save(&table, &next, bytes, sizeof(bytes));
	done_table_clear(&table);
	assert_int_equal(table.nr_unsure, 0);
	assert_int_equal(done_table_add_write(&table, anna, 2, 1, -28, &low), 0);
	assert_null(done_table_load(&table, bytes, size));
	assert_int_equal(known(2), -28);
	assert_int_equal(answer(&table, 3), DONE_UNSURE);
	assert_int_equal(table.nr_unsure, 1);
}

/* ---- the form ---- */

static const struct client_open reading = { .open = true, .read_only = true, .device = 3 };

static const unsigned char sample[] = {
	/* forwarder, client, count, lowest, device, how it is open */
	0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 1, 0, 0, 0, 2, 0, 0, 0, 0x01, 0x22, 0, 0, 0, 0, 0, 0, 3, 0, 0,
	0, 5, 0, 0, 0,
	/* requests: number, result, length, position, device, unsure */
	0x01, 0x22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 13, 0,
	0, 0, 1, 0, 0, 0, 0x04, 0x22, 0, 0, 0, 0, 0, 0, 0xfb, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0,
	/* one without requests */
	0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 2, 0, 0, 0, 0, 0, 0, 0, 0x07, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0
};

static void test_bytes(void **state)
{
	unsigned char bytes[CLIENTS * DONE_TABLE_CLIENT_MAX(WINDOW)];
	const struct done_range range = { 0x3132333435363738, 0x1000, 13 };
	const struct done_range *loaded;
	unsigned int next = 0;
	int32_t result;

	(void)state;
	assert_int_equal(done_table_add(&table, anna, 0x2204, 0x2201, -5), 0);
	assert_int_equal(done_table_add_unsure(&table, anna, 0x2201, 0x2201, &range), 0);
	assert_int_equal(done_table_open(&table, anna, &reading), 0);
	assert_int_equal(done_table_add(&table, (struct client_id){ 0x2122232425262728, 2 }, 3, 7, 0), 0);
	assert_int_equal(done_table_save(&table, &next, bytes, sizeof(bytes)), sizeof(sample));
	assert_int_equal(next, CLIENTS);
	assert_memory_equal(bytes, sample, sizeof(sample));
	done_table_clear(&table);
	assert_null(done_table_load(&table, sample, sizeof(sample)));
	assert_int_equal(known(0x2204), -5);
	assert_true(done_table_open_of(&table, anna)->read_only);
	assert_int_equal(done_table_find(&table, anna, 0x2201, &result), DONE_UNSURE);
	loaded = done_table_unsure(&table, anna, 0x2201);
	assert_true(loaded && loaded->device == 13 && loaded->position == range.position && loaded->length == 0x1000);
	assert_int_equal(done_table_find(&table, (struct client_id){ 0x2122232425262728, 2 }, 6, &result), DONE_OLD);
}

static void test_truncation(void **state)
{
	(void)state;
	for (size_t size = 1; size < sizeof(sample); size++) {
		done_table_clear(&table);
		if (size == 96) /* just the first client */
			assert_null(done_table_load(&table, sample, size));
		else
			assert_non_null(done_table_load(&table, sample, size));
	}
	assert_null(done_table_load(&table, sample, 0));
}

/* What is wrong with the sample, with a byte of another value. */
#define assert_wrong(at, value, text)                                                                                  \
	do {                                                                                                           \
		unsigned char bytes[sizeof(sample)];                                                                   \
		const char *wrong;                                                                                     \
                                                                                                                       \
		memcpy(bytes, sample, sizeof(sample));                                                                 \
		bytes[at] = (value);                                                                                   \
		done_table_clear(&table);                                                                              \
		wrong = done_table_load(&table, bytes, sizeof(bytes));                                                 \
		assert_non_null(wrong);                                                                                \
		assert_string_equal(wrong, text);                                                                      \
	} while (0)

static void test_wrong(void **state)
{
	unsigned char nobody[32];
	struct client_id client = { 9, 0 };

	(void)state;
	assert_wrong(12, 3, "a request out of its client's window or order");
	assert_wrong(12, WINDOW + 1, "more requests than there can be");
	assert_wrong(15, 0xff, "more requests than there can be");
	assert_wrong(16, 2, "a request out of its client's window or order");
	assert_wrong(32, 4, "a request out of its client's window or order");
	assert_wrong(32, 5, "a request out of its client's window or order");
	assert_wrong(64, 8, "a request out of its client's window or order");
	assert_wrong(40, 1, "a result that is none");
	assert_wrong(73, 0xef, "a result that is none");
	assert_wrong(60, 2, "a request that cannot be unsure");
	assert_wrong(92, 1, "a request that cannot be unsure");
	assert_wrong(56, REPLICA_DEVICES_MAX, "a range that cannot be");
	assert_wrong(88, 1, "a range that cannot be");
	assert_wrong(87, 1, "a range that cannot be");
	assert_wrong(24, REPLICA_DEVICES_MAX, "an open that cannot be");
	assert_wrong(28, 4, "an open that cannot be");
	assert_wrong(28, 0, "an open that cannot be");
	assert_wrong(29, MEMBERS_MAX, "an open that cannot be");
	assert_wrong(30, 1, "an open that cannot be");
	memcpy(nobody, sample + 96, 32);
	memset(nobody, 0, 8);
	assert_string_equal(done_table_load(&table, nobody, 32), "requests of nobody");
	done_table_clear(&table);
	for (client.client = 0; client.client < CLIENTS; client.client++)
		assert_int_equal(done_table_add(&table, client, 1, 1, 0), 0);
	assert_string_equal(done_table_load(&table, sample, sizeof(sample)), "too many clients");
}

/* Damage is refused, or what was loaded is saved and loaded alike. */
static void test_damage(void **state)
{
	int refused = 0, rounds = 20000;

	(void)state;
	for (int round = 0; round < rounds; round++) {
		unsigned char bytes[sizeof(sample)], saved[2][CLIENTS * DONE_TABLE_CLIENT_MAX(WINDOW)];
		size_t sizes[2];

		memcpy(bytes, sample, sizeof(sample));
		replica_values_damage(bytes, sizeof(bytes), &seed);
		done_table_clear(&table);
		refused += done_table_load(&table, bytes, sizeof(bytes)) != NULL;
		for (int i = 0; i < 2; i++) {
			unsigned int next = 0;

			sizes[i] = done_table_save(&table, &next, saved[i], sizeof(saved[i]));
			assert_int_equal(next, CLIENTS);
			done_table_clear(&table);
			assert_null(done_table_load(&table, saved[i], sizes[i]));
		}
		assert_int_equal(sizes[0], sizes[1]);
		assert_memory_equal(saved[0], saved[1], sizes[0]);
	}
	assert_in_range(refused, rounds / 10, rounds - rounds / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_at_their_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_doubt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load_unsure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_save_beside_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
