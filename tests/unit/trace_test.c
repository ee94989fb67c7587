/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole traces in memory; see trace_test.h.
 */
#include "trace_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void note_broken(void *context, const char *text)
{
	struct trace_test *test = context;
	size_t used = strlen(test->report);

	snprintf(test->report + used, sizeof(test->report) - used, "%s\n", text);
}

struct trace_options trace_test_options(const char *format)
{
	struct trace_options options = { .device = -1, .wake = -1 };

	if (format) {
		options.format = trace_format_find(format);
		if (!options.format)
			test_fatal("there is no format \"%s\"", format);
	}
	return options;
}

void trace_test_read(struct trace_test *test, const char *path, const struct trace_options *options)
{
	struct trace_options used = *options;
	struct trace_reader *reader;
	struct trace_operation operation;
	int got;

	memset(test, 0, sizeof(*test));
	used.broken = note_broken;
	used.context = test;
	if (trace_reader_open(&reader, path, &used, &test->error)) {
		test->count = -1;
		test->failed = true;
		return;
	}
	while ((got = trace_reader_next(reader, &operation, &test->error)) > 0) {
		if (test->count < TRACE_TEST_OPERATIONS)
			test->operations[test->count] = operation;
		test->count++;
	}
	test->failed = got < 0;
	test->broken = trace_reader_broken(reader);
	test->late = trace_reader_late(reader);
	test->left_out = trace_reader_left_out(reader);
	test->missing = trace_reader_missing(reader);
	snprintf(test->format, sizeof(test->format), "%s", trace_reader_format(reader));
	trace_reader_close(reader);
}

void trace_test_read_bytes(struct trace_test *test, const void *bytes, size_t length,
			   const struct trace_options *options)
{
	char path[TEST_PATH_SIZE];
	FILE *file;

	test_path(path, "trace");
	file = fopen(path, "w");
	if (!file || fwrite(bytes, 1, length, file) != length || fclose(file))
		test_fatal("cannot make %s", path);
	trace_test_read(test, path, options);
}

void trace_test_read_text(struct trace_test *test, const char *text, const struct trace_options *options)
{
	trace_test_read_bytes(test, text, strlen(text), options);
}

void trace_test_sample(char path[TEST_PATH_SIZE * 2], const char *name)
{
	snprintf(path, (size_t)TEST_PATH_SIZE * 2, "%s/%s", TRACE_SAMPLES, name);
}

char *trace_test_write(const char *format, const struct trace_operation *operations, int count,
		       struct trace_losses *losses, size_t *length)
{
	struct diagnostic diagnostic = { "" };
	struct trace_writer *writer;
	char *text = NULL;
	FILE *to = open_memstream(&text, length);

	if (!to || trace_writer_open(&writer, to, trace_format_find(format), &diagnostic))
		test_fatal("cannot begin to write: %s", diagnostic.text);
	for (int i = 0; i < count; i++)
		assert_int_equal(trace_writer_put(writer, &operations[i], &diagnostic), 0);
	*losses = *trace_writer_losses(writer);
	assert_int_equal(trace_writer_close(writer, &diagnostic), 0);
	assert_int_equal(fclose(to), 0);
	return text;
}

void trace_test_assert_operation(const struct trace_operation *got, const struct trace_operation *expected, int number)
{
	if (got->time_ns != expected->time_ns || got->latency_ns != expected->latency_ns ||
	    got->position != expected->position || got->length != expected->length || got->device != expected->device ||
	    got->kind != expected->kind || got->flags != expected->flags)
		fail_msg("operation %d is %s of %llu at %llu, device %u, flags %u, time %llu, latency %llu; "
			 "expected %s of %llu at %llu, device %u, flags %u, time %llu, latency %llu",
			 number, trace_kind_name(got->kind), (unsigned long long)got->length,
			 (unsigned long long)got->position, got->device, got->flags, (unsigned long long)got->time_ns,
			 (unsigned long long)got->latency_ns, trace_kind_name(expected->kind),
			 (unsigned long long)expected->length, (unsigned long long)expected->position, expected->device,
			 expected->flags, (unsigned long long)expected->time_ns,
			 (unsigned long long)expected->latency_ns);
}

void trace_test_assert_operations(const struct trace_test *test, const struct trace_operation *expected, int count)
{
	if (test->failed)
		fail_msg("%s", test->error.text);
	for (int i = 0; i < count && i < test->count; i++)
		trace_test_assert_operation(&test->operations[i], &expected[i], i);
	assert_int_equal(test->count, count);
}
