/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of traces share: all operations of a trace at once (tests' traces are short), and traces out of
 * texts.
 */
#ifndef TRACE_TEST_H
#define TRACE_TEST_H

#include <stddef.h>

#include "test_directory.h"
#include "trace.h"

#define TRACE_TEST_OPERATIONS 1024
#define TRACE_TEST_REPORT     8192

/* A trace that was read to its end or to an error. */
struct trace_test {
	struct trace_operation operations[TRACE_TEST_OPERATIONS];
	int count;   /* of operations; -1: it could not be opened */
	bool failed; /* it could not be opened or not be read to the end: `error` */
	uint64_t broken;
	uint64_t late;
	uint64_t left_out;
	uint64_t missing;
	char format[32];
	char report[TRACE_TEST_REPORT]; /* what was told of broken lines, a line each */
	struct diagnostic error;
};

/* The options of a test: all devices, and the format of that name unless it is NULL. */
struct trace_options trace_test_options(const char *format);

/* Reads a trace; options->broken and context are set by this. */
void trace_test_read(struct trace_test *test, const char *path, const struct trace_options *options);

/* Makes a file of bytes in the test's directory and reads it. */
void trace_test_read_bytes(struct trace_test *test, const void *bytes, size_t length,
			   const struct trace_options *options);
void trace_test_read_text(struct trace_test *test, const char *text, const struct trace_options *options);

/* The path of a sample. */
void trace_test_sample(char path[TEST_PATH_SIZE * 2], const char *name);

/* Writes operations in a format into a new buffer, which the caller frees. */
char *trace_test_write(const char *format, const struct trace_operation *operations, int count,
		       struct trace_losses *losses, size_t *length);

/* Fails the test unless these are equal. */
void trace_test_assert_operation(const struct trace_operation *got, const struct trace_operation *expected, int number);
void trace_test_assert_operations(const struct trace_test *test, const struct trace_operation *expected, int count);

#endif
