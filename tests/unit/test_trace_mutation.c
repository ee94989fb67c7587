/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples with random damage, the same in each run: whatever comes of it, readers keep their promises (trace.h) and,
 * under the sanitizers, their memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace_test.h"

#define ROUNDS	    60 /* of each sample in each way */
#define SAMPLE_MAX  16384
#define ELEMENTS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct trace_test test;
static uint64_t seed = 12345;

static size_t next_random(size_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(seed >> 33) % below;
}

static const struct {
	const char *name;
	const char *format;
} samples[] = {
	{ "alibaba.csv", "alibaba" },
	{ "blkparse.txt", "blkparse" },
	{ "blkreplay.load", "blkreplay" },
	{ "cpus.blktrace.0", "blktrace" },
	{ "fio-2.log", "fio-2" },
	{ "fio-3.log", "fio-3" },
	{ "guest.blkparse.txt", "blkparse" },
	{ "guest.blktrace.0", "blktrace" },
	{ "msr.csv", "msr" },
	{ "original.log", "original" },
	{ "other-endian.blktrace", "blktrace" },
	{ "recording", "rdisk" },
	{ "tencent.csv", "tencent" },
};

static size_t load(const char *name, unsigned char bytes[SAMPLE_MAX])
{
	char path[TEST_PATH_SIZE * 2];
	size_t length;
	FILE *file;

	trace_test_sample(path, name);
	file = fopen(path, "r");
	if (!file)
		test_fatal("cannot read %s", path);
	length = fread(bytes, 1, SAMPLE_MAX, file);
	fclose(file);
	return length;
}

/* Reads bytes as a trace, from memory: thousands of files would take their time. */
static void read_memory(const unsigned char *bytes, size_t length, const struct trace_options *options)
{
	static int memory = -1;
	char path[64];

	if (memory < 0)
		memory = memfd_create("trace", MFD_CLOEXEC);
	if (memory < 0 || ftruncate(memory, 0) || pwrite(memory, bytes, length, 0) != (ssize_t)length)
		test_fatal("cannot make a trace in memory");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	trace_test_read(&test, path, options);
}

/* One to four damages. */
static size_t damage(unsigned char bytes[2 * SAMPLE_MAX], size_t length)
{
	static const char pieces[] = "\n\0;,. -+0918446744073709551616QDCRW[]\r\xff";

	for (size_t n = 1 + next_random(4); n > 0 && length > 1; n--) {
		size_t at = next_random(length);
		size_t piece = 1 + next_random(length - at < 40 ? length - at : 40);

		switch (next_random(5)) {
		case 0: /* a bit */
			bytes[at] ^= (unsigned char)(1u << next_random(8));
			break;
		case 1: /* a byte that means something */
			bytes[at] = (unsigned char)pieces[next_random(sizeof(pieces) - 1)];
			break;
		case 2: /* a piece twice */
			if (length + piece <= 2 * SAMPLE_MAX) {
				memmove(bytes + at + piece, bytes + at, length - at);
				length += piece;
			}
			break;
		case 3: /* a piece less */
			memmove(bytes + at, bytes + at + piece, length - at - piece);
			length -= piece;
			break;
		default: /* the end less */
			length -= piece;
			break;
		}
	}
	return length;
}

static void assert_promises(void)
{
	uint64_t last = 0;

	for (int i = 0; i < test.count && i < TRACE_TEST_OPERATIONS; i++) {
		const struct trace_operation *operation = &test.operations[i];

		assert_true(operation->time_ns >= last);
		last = operation->time_ns;
		assert_in_range(operation->kind, 0, TRACE_KINDS - 1);
		if (operation->kind == TRACE_FLUSH) {
			assert_int_equal(operation->position + operation->length, 0);
			continue;
		}
		assert_true(operation->length > 0);
		if (operation->kind == TRACE_READ || operation->kind == TRACE_WRITE)
			assert_true(operation->length <= TRACE_TRANSFER_MAX);
		assert_true(operation->position <= INT64_MAX && operation->length <= INT64_MAX - operation->position);
	}
	if (test.failed)
		assert_true(test.error.text[0] != '\0');
}

static void test_mutations(void **state)
{
	static unsigned char original[SAMPLE_MAX], bytes[2 * SAMPLE_MAX];
	int broken = 0;

	(void)state;
	for (int i = 0; i < ELEMENTS(samples); i++) {
		size_t length = load(samples[i].name, original);

		for (int round = 0; round < 2 * ROUNDS; round++) {
			struct trace_options options = trace_test_options(round % 2 ? samples[i].format : NULL);

			memcpy(bytes, original, length);
			read_memory(bytes, damage(bytes, length), &options);
			assert_promises();
			broken += test.failed || test.broken > 0;
		}
	}
	assert_true(broken > ELEMENTS(samples) * ROUNDS / 4); /* the damage is seen */
}

/* Each sample as each format: nothing is understood, nothing bad happens. */
static void test_wrong_formats(void **state)
{
	static unsigned char bytes[SAMPLE_MAX];

	(void)state;
	for (int i = 0; i < ELEMENTS(samples); i++) {
		size_t length = load(samples[i].name, bytes);

		for (int k = 0; k < ELEMENTS(samples); k++) {
			struct trace_options options = trace_test_options(samples[k].format);

			read_memory(bytes, length, &options);
			assert_promises();
			if (strcmp(samples[i].format, samples[k].format) != 0)
				assert_true(test.count <= 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_wrong_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
