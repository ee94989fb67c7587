/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing traces: what was written is read back as it was, as far as the format can say it, and what it cannot
 * say is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace_test.h"

#define ELEMENTS(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define OPERATIONS  500

static struct trace_test test;
static struct trace_operation operations[OPERATIONS];

/* What a format can say. */
static const struct format_limits {
	const char *format;
	uint64_t time_unit; /* ns; 0: no times */
	uint64_t latency_unit;
	unsigned int kinds;
	bool devices;
	bool fua;
} limits[] = {
#define KIND(kind) (1u << (kind))
#define TRANSFERS  (KIND(TRACE_READ) | KIND(TRACE_WRITE))
	{ "blkreplay", 1, 1, TRANSFERS, false, false },
	{ "blkparse", 1, 1, TRANSFERS | KIND(TRACE_FLUSH) | KIND(TRACE_DISCARD) | KIND(TRACE_WRITE_ZEROES), true,
	  true },
	{ "fio-3", 1000, 0, TRANSFERS | KIND(TRACE_FLUSH) | KIND(TRACE_DISCARD), true, false },
	{ "msr", 100, 100, TRANSFERS, true, false },
	{ "alibaba", 1000, 0, TRANSFERS, true, false },
	{ "tencent", 1000000000, 0, TRANSFERS, true, false },
	{ "original", 0, 0, TRANSFERS, true, false },
};

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

/* Operations that every sector-based format can say, devices numbered as they come. */
static void make_operations(void)
{
	uint64_t seed = 1;
	uint64_t now = 0;

	for (int i = 0; i < OPERATIONS; i++) {
		struct trace_operation *operation = &operations[i];

		*operation = (struct trace_operation){
			.time_ns = now,
			.latency_ns = next_random(&seed) % 4 ? 1 + next_random(&seed) % 3000000 : TRACE_NO_LATENCY,
			/* no two at one place: completions could be taken for one another's */
			.position = ((uint64_t)i << 21) + next_random(&seed) % 512 * 512,
			.length = 512 * (1 + next_random(&seed) % 256),
			.device = (uint32_t)i < 3 ? (uint32_t)i : (uint32_t)(next_random(&seed) % 3),
			.kind = (enum trace_kind)(next_random(&seed) % TRACE_KINDS),
		};
		if (operation->kind == TRACE_WRITE || operation->kind == TRACE_WRITE_ZEROES)
			operation->flags = next_random(&seed) % 3 ? 0 : TRACE_FUA;
		if (operation->kind == TRACE_FLUSH) {
			operation->position = 0;
			operation->length = 0;
			operation->latency_ns = TRACE_NO_LATENCY;
		}
		now += next_random(&seed) % 4 ? next_random(&seed) % 2000000 : 0;
	}
	/* the first three name the devices in all formats */
	for (int i = 0; i < 3; i++)
		operations[i].kind = TRACE_READ, operations[i].flags = 0, operations[i].length = 512;
}

/* What is left of the operations in a format. */
static int expect(const struct format_limits *limit, struct trace_operation expected[OPERATIONS],
		  struct trace_losses *losses)
{
	int count = 0;

	*losses = (struct trace_losses){ 0 };
	for (int i = 0; i < OPERATIONS; i++) {
		struct trace_operation operation = operations[i];

		if (!(limit->kinds & KIND(operation.kind))) {
			losses->left_out[operation.kind]++;
			continue;
		}
		losses->times += limit->time_unit ? operation.time_ns % limit->time_unit > 0 : operation.time_ns > 0;
		losses->latencies += !limit->latency_unit && operation.latency_ns != TRACE_NO_LATENCY;
		operation.time_ns = limit->time_unit ? operation.time_ns / limit->time_unit * limit->time_unit : 0;
		if (!limit->latency_unit)
			operation.latency_ns = TRACE_NO_LATENCY;
		else if (operation.latency_ns != TRACE_NO_LATENCY)
			operation.latency_ns = operation.latency_ns / limit->latency_unit * limit->latency_unit;
		if (!limit->devices)
			operation.device = 0;
		if (!limit->fua) {
			losses->fua += operation.flags ? 1 : 0;
			operation.flags = 0;
		}
		/* 0 is what these formats write for an unknown one */
		if (operation.latency_ns == 0)
			operation.latency_ns = TRACE_NO_LATENCY;
		expected[count++] = operation;
	}
	return count;
}

static void assert_losses(const struct trace_losses *got, const struct trace_losses *expected)
{
	for (int kind = 0; kind < TRACE_KINDS; kind++)
		assert_int_equal(got->left_out[kind], expected->left_out[kind]);
	assert_int_equal(got->devices, expected->devices);
	assert_int_equal(got->fua, expected->fua);
	assert_int_equal(got->widened, expected->widened);
	assert_int_equal(got->times, expected->times);
	assert_int_equal(got->latencies, expected->latencies);
}

/* Written and read back, with the format told by the content; and written again from that: the same text. */
static void test_round_trips(void **state)
{
	static struct trace_operation expected[OPERATIONS];
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	for (int i = 0; i < ELEMENTS(limits); i++) {
		struct trace_losses expected_losses, losses;
		int count = expect(&limits[i], expected, &expected_losses);
		size_t length, again_length;
		char *text = trace_test_write(limits[i].format, operations, OPERATIONS, &losses, &length);
		char *again;

		assert_losses(&losses, &expected_losses);
		trace_test_read_bytes(&test, text, length, &options);
		assert_string_equal(test.format, limits[i].format);
		assert_int_equal(test.broken, 0);
		trace_test_assert_operations(&test, expected, count);
		again = trace_test_write(limits[i].format, test.operations, test.count, &losses, &again_length);
		assert_int_equal(length, again_length);
		assert_memory_equal(text, again, length);
		free(text);
		free(again);
	}
}

/* From each format into each other and back: as much as both can say. */
static void test_through_two_formats(void **state)
{
	static struct trace_test direct, detour;
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	for (int i = 0; i < ELEMENTS(limits); i++) {
		for (int k = 0; k < ELEMENTS(limits); k++) {
			struct trace_losses losses;
			size_t length;
			char *text = trace_test_write(limits[i].format, operations, OPERATIONS, &losses, &length);

			trace_test_read_bytes(&direct, text, length, &options);
			free(text);
			text = trace_test_write(limits[k].format, direct.operations, direct.count, &losses, &length);
			trace_test_read_bytes(&detour, text, length, &options);
			free(text);
			text = trace_test_write(limits[i].format, detour.operations, detour.count, &losses, &length);
			trace_test_read_bytes(&test, text, length, &options);
			free(text);
			assert_int_equal(test.broken, 0);
			assert_int_equal(test.count, detour.count);
			for (int n = 0, m = 0; n < direct.count; n++) {
				if (!(limits[k].kinds & KIND(direct.operations[n].kind)))
					continue;
				assert_int_equal(test.operations[m].kind, direct.operations[n].kind);
				assert_int_equal(test.operations[m].position, direct.operations[n].position);
				assert_int_equal(test.operations[m].length, direct.operations[n].length);
				m++;
			}
		}
	}
}

/* Version 2 has time in waits of at least 100 us: no time is off by more, and none goes missing. */
static void test_fio_2(void **state)
{
	struct trace_options options = trace_test_options(NULL);
	struct trace_losses losses;
	size_t length;
	char *text = trace_test_write("fio-2", operations, OPERATIONS, &losses, &length);
	uint64_t shortened = 0;
	int written = 0;

	(void)state;
	assert_null(strstr(text, "wait 0 "));
	trace_test_read_bytes(&test, text, length, &options);
	assert_string_equal(test.format, "fio-2");
	assert_int_equal(test.broken, 0);
	for (int i = 0; i < OPERATIONS; i++) {
		const struct trace_operation *read = &test.operations[written];

		if (operations[i].kind == TRACE_WRITE_ZEROES)
			continue;
		assert_int_equal(read->kind, operations[i].kind);
		assert_int_equal(read->position, operations[i].position);
		assert_int_equal(read->device, operations[i].device);
		assert_true(read->time_ns <= operations[i].time_ns);
		shortened += read->time_ns < operations[i].time_ns;
		assert_true(operations[i].time_ns - read->time_ns < 101000);
		written++;
	}
	assert_int_equal(test.count, written);
	assert_true(shortened > 0);
	assert_int_equal(losses.times, shortened);
	free(text);
}

/* What does not begin and end at sectors is widened where there is nothing smaller. */
static void test_widened(void **state)
{
	static const struct trace_operation odd[] = {
		{ 0, TRACE_NO_LATENCY, 100, 1000, 0, TRACE_WRITE, 0 },
		{ 0, TRACE_NO_LATENCY, 512, 512, 0, TRACE_WRITE, 0 },
		{ 0, TRACE_NO_LATENCY, 1024, 1, 0, TRACE_READ, 0 },
	};
	static const struct trace_operation even[] = {
		{ 0, TRACE_NO_LATENCY, 0, 1536, 0, TRACE_WRITE, 0 },
		{ 0, TRACE_NO_LATENCY, 512, 512, 0, TRACE_WRITE, 0 },
		{ 0, TRACE_NO_LATENCY, 1024, 512, 0, TRACE_READ, 0 },
	};
	struct trace_options options = trace_test_options(NULL);
	struct trace_losses losses;
	char words[256];
	size_t length;
	char *text = trace_test_write("blkreplay", odd, ELEMENTS(odd), &losses, &length);

	(void)state;
	assert_int_equal(losses.widened, 2);
	assert_true(trace_losses_describe(&losses, words, sizeof(words)));
	assert_string_equal(words, "2 operations were widened to whole sectors");
	trace_test_read_bytes(&test, text, length, &options);
	trace_test_assert_operations(&test, even, ELEMENTS(even));
	free(text);
	text = trace_test_write("alibaba", odd, ELEMENTS(odd), &losses, &length);
	assert_false(trace_losses_describe(&losses, words, sizeof(words)));
	assert_string_equal(words, "");
	trace_test_read_bytes(&test, text, length, &options);
	trace_test_assert_operations(&test, odd, ELEMENTS(odd));
	free(text);
}

static void test_losses_in_words(void **state)
{
	const struct trace_losses losses = { .left_out = { [TRACE_FLUSH] = 12, [TRACE_DISCARD] = 3 },
					     .devices = 1,
					     .fua = 2,
					     .widened = 4,
					     .times = 5,
					     .latencies = 6 };
	char words[512];
	char few[20];

	(void)state;
	assert_true(trace_losses_describe(&losses, words, sizeof(words)));
	assert_string_equal(words, "12 flush, 3 discard operations were left out, the format does not have them; "
				   "1 operations were left out, the format cannot name their device; "
				   "2 operations were written without forced unit access; "
				   "4 operations were widened to whole sectors; "
				   "5 times were shortened or left out; 6 latencies were left out");
	assert_true(trace_losses_describe(&losses, few, sizeof(few)));
	assert_int_equal(strlen(few), sizeof(few) - 1);
}

/* More devices than an iolog of ours names. */
static void test_many_devices(void **state)
{
	static struct trace_operation many[1100];
	struct trace_options options = trace_test_options(NULL);
	struct trace_losses losses;
	size_t length;
	char *text;

	(void)state;
	for (int i = 0; i < ELEMENTS(many); i++)
		many[i] = (struct trace_operation){
			.latency_ns = TRACE_NO_LATENCY, .length = 512, .device = (uint32_t)i, .kind = TRACE_READ
		};
	text = trace_test_write("fio-3", many, ELEMENTS(many), &losses, &length);
	assert_int_equal(losses.devices, ELEMENTS(many) - 1024);
	trace_test_read_bytes(&test, text, length, &options);
	assert_int_equal(test.count, 1024);
	assert_int_equal(test.broken, 0);
	free(text);
}

static void test_not_writable(void **state)
{
	struct diagnostic diagnostic = { "" };
	struct trace_writer *writer;

	(void)state;
	assert_false(trace_format_writable(trace_format_find("rdisk")));
	assert_int_equal(trace_writer_open(&writer, stdout, trace_format_find("blktrace"), &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "cannot be written in the format blktrace"));
}

/* A full disk is an error, at the latest when the trace is ended. */
static void test_full_disk(void **state)
{
	struct diagnostic diagnostic = { "" };
	struct trace_writer *writer;
	FILE *full = fopen("/dev/full", "w");
	int code = 0;

	(void)state;
	assert_non_null(full);
	assert_int_equal(trace_writer_open(&writer, full, trace_format_find("msr"), &diagnostic), 0);
	for (int i = 0; i < OPERATIONS && !code; i++)
		code = trace_writer_put(writer, &operations[0], &diagnostic);
	assert_int_equal(code, -1);
	assert_non_null(strstr(diagnostic.text, "No space left on device"));
	assert_int_equal(trace_writer_close(writer, &diagnostic), -1);
	fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),	cmocka_unit_test(test_through_two_formats),
		cmocka_unit_test(test_fio_2),		cmocka_unit_test(test_widened),
		cmocka_unit_test(test_losses_in_words), cmocka_unit_test(test_many_devices),
		cmocka_unit_test(test_not_writable),	cmocka_unit_test(test_full_disk),
	};

	make_operations();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
