/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of traces: gzip as zlib's own gzread() reads it, whatever is wrong with it; pipes, which give what they
 * have; and the descriptor that ends the reading.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "test_directory.h"
#include "trace_source.h"

#define CONTENT	  300000 /* more than all buffers together */
#define FILE_SIZE (2 * CONTENT)
#define DAMAGES	  2000
#define CHUNK_MAX 70000

static unsigned char content[CONTENT];
static unsigned char file_bytes[FILE_SIZE];
static char path[TEST_PATH_SIZE];
static struct diagnostic diagnostic;
static uint64_t state_of_random = 88172645463325252u;

/* What a file gives. */
struct reading {
	unsigned char bytes[2 * CONTENT];
	size_t length;
	bool failed;
};

static struct reading ours, zlibs;

static uint64_t next_random(uint64_t below)
{
	state_of_random ^= state_of_random << 13;
	state_of_random ^= state_of_random >> 7;
	state_of_random ^= state_of_random << 17;
	return state_of_random % below;
}

static int prepare(void **state)
{
	(void)state;
	test_path(path, "source");
	for (size_t i = 0; i < CONTENT; i++)
		content[i] = (unsigned char)('0' + next_random(10));
	return 0;
}

static void write_file(size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file_bytes, length), length);
	assert_int_equal(close(fd), 0);
}

/* One member of gzip behind what is in file_bytes; the new length. */
static size_t add_member(size_t at, const unsigned char *bytes, size_t length)
{
	z_stream stream = { 0 };

	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (unsigned char *)(uintptr_t)bytes;
	stream.avail_in = (unsigned int)length;
	stream.next_out = file_bytes + at;
	stream.avail_out = (unsigned int)(FILE_SIZE - at);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	at += stream.total_out;
	assert_int_equal(deflateEnd(&stream), Z_OK);
	return at;
}

static void read_ours(size_t chunk)
{
	struct trace_source *source = trace_source_open(path, -1, &diagnostic);
	int64_t got;

	assert_non_null(source);
	ours.length = 0;
	do {
		size_t room = sizeof(ours.bytes) - ours.length;

		got = trace_source_read(source, ours.bytes + ours.length, room < chunk ? room : chunk, &diagnostic);
		ours.length += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	ours.failed = got < 0;
	if (!ours.failed)
		assert_int_equal(trace_source_read(source, &got, 1, &diagnostic), 0);
	trace_source_close(source);
}

static void read_zlibs(void)
{
	gzFile file = gzopen(path, "rb");
	int got, code;

	assert_non_null(file);
	zlibs.length = 0;
	while ((got = gzread(file, zlibs.bytes + zlibs.length, 1)) > 0)
		zlibs.length++;
	(void)gzerror(file, &code);
	zlibs.failed = got < 0 || code != Z_OK;
	(void)gzclose_r(file);
}

/* The file gives these bytes, in whatever pieces it is read. */
static void assert_content(const unsigned char *bytes, size_t length)
{
	static const size_t chunks[] = { 1, 100, 65536, CHUNK_MAX };

	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		read_ours(chunks[i]);
		assert_false(ours.failed);
		assert_int_equal(ours.length, length);
		assert_memory_equal(ours.bytes, bytes, length);
	}
}

static void test_plain(void **state)
{
	static const size_t lengths[] = { 0, 1, 2, 3, 65535, 65536, 65537, CONTENT };

	(void)state;
	memcpy(file_bytes, content, CONTENT);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		write_file(lengths[i]);
		assert_content(content, lengths[i]);
	}
	/* Half of what gzip begins with. */
	file_bytes[0] = 0x1f;
	write_file(1);
	assert_content(file_bytes, 1);
	write_file(2);
	assert_content(file_bytes, 2);
}

static void test_members(void **state)
{
	size_t length, whole;

	(void)state;
	write_file(add_member(0, content, CONTENT));
	assert_content(content, CONTENT);
	/* Nothing in it; and one behind the other, also an empty one. */
	write_file(add_member(0, content, 0));
	assert_content(content, 0);
	length = add_member(0, content, 100000);
	length = add_member(length, content, 0);
	length = add_member(length, content + 100000, 1);
	whole = add_member(length, content + 100001, CONTENT - 100001);
	write_file(whole);
	assert_content(content, CONTENT);
	/* What follows and is no member is ignored: of all lengths, and zeroes. */
	memset(file_bytes + whole, 0, 512);
	for (size_t more = 1; more <= 512; more *= 2) {
		write_file(whole + more);
		assert_content(content, CONTENT);
	}
	memcpy(file_bytes + whole, "\x1fgarbage", sizeof("\x1fgarbage"));
	write_file(whole + sizeof("\x1fgarbage"));
	assert_content(content, CONTENT);
	/* Half a member is an error, after all before it. */
	write_file(length + 10);
	read_ours(CHUNK_MAX);
	assert_true(ours.failed);
	assert_non_null(strstr(diagnostic.text, "the gzip data ends before its end"));
	assert_int_equal(ours.length, 100001);
	assert_memory_equal(ours.bytes, content, 100001);
}

/* Found at the end of a member; most of what is before it was handed out by then. */
static void test_wrong_checksum(void **state)
{
	size_t length = add_member(0, content, CONTENT);

	(void)state;
	file_bytes[length - 6] ^= 1;
	write_file(length);
	read_ours(CHUNK_MAX);
	assert_true(ours.failed);
	assert_in_range(ours.length, CONTENT - CHUNK_MAX, CONTENT);
	assert_memory_equal(ours.bytes, content, ours.length);
	assert_non_null(strstr(diagnostic.text, "source: cannot be read: incorrect"));
}

/* Damaged in any way: the same bytes and the same end as with gzread(), but that an error may be met some bytes apart.
 */
static void test_damaged(void **state)
{
	(void)state;
	for (int i = 0; i < DAMAGES; i++) {
		size_t cut = next_random(3000), length;

		length = add_member(0, content, cut);
		length = add_member(length, content + cut, 3000 - cut);
		for (uint64_t n = next_random(3); n > 0; n--)
			file_bytes[next_random(length)] ^= (unsigned char)(1u << next_random(8));
		write_file(next_random(4) ? length : next_random(length + 1));
		read_zlibs();
		read_ours(1 + next_random(5000));
		assert_int_equal(ours.failed, zlibs.failed);
		assert_true(ours.failed || ours.length == zlibs.length);
		assert_memory_equal(ours.bytes, zlibs.bytes, ours.length < zlibs.length ? ours.length : zlibs.length);
	}
}

/* A FIFO without a writer, and a writer that is silent: neither is waited for longer than `wake` wants. */
static void test_pipe(void **state)
{
	int wake = eventfd(0, EFD_CLOEXEC), writer;
	struct trace_source *source;
	char bytes[16];

	(void)state;
	assert_true(wake >= 0);
	test_path(path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	source = trace_source_open(path, wake, &diagnostic);
	assert_non_null(source);
	writer = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(writer >= 0);
	/* What is there comes, without waiting for more. */
	assert_int_equal(write(writer, "abc", 3), 3);
	assert_int_equal(trace_source_read(source, bytes, sizeof(bytes), &diagnostic), 3);
	assert_memory_equal(bytes, "abc", 3);
	assert_true(trace_source_progress(source) < 0);
	assert_int_equal(eventfd_write(wake, 1), 0);
	assert_int_equal(trace_source_read(source, bytes, sizeof(bytes), &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "interrupted"));
	(void)close(writer);
	trace_source_close(source);

	source = trace_source_open(path, wake, &diagnostic);
	assert_non_null(source);
	assert_int_equal(trace_source_read(source, bytes, sizeof(bytes), &diagnostic), -1);
	trace_source_close(source);
	/* A writer that came and went: the end. */
	source = trace_source_open(path, -1, &diagnostic);
	assert_non_null(source);
	writer = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(writer >= 0);
	(void)close(writer);
	assert_int_equal(trace_source_read(source, bytes, sizeof(bytes), &diagnostic), 0);
	trace_source_close(source);
	(void)close(wake);
}

/* What is always ready to be read is ended too. */
static void test_wake_with_file(void **state)
{
	int wake = eventfd(0, EFD_CLOEXEC);
	struct trace_source *source;
	unsigned char *bytes = malloc(CONTENT);

	(void)state;
	assert_true(wake >= 0);
	assert_non_null(bytes);
	test_path(path, "source");
	memcpy(file_bytes, content, CONTENT);
	write_file(CONTENT);
	source = trace_source_open(path, wake, &diagnostic);
	assert_non_null(source);
	assert_true(trace_source_read(source, bytes, CONTENT / 2, &diagnostic) > 0);
	assert_int_equal(eventfd_write(wake, 1), 0);
	for (int64_t got = 1; got > 0;)
		got = trace_source_read(source, bytes, CONTENT / 2, &diagnostic);
	assert_true(trace_source_progress(source) > 0);
	assert_true(trace_source_progress(source) < 1);
	assert_non_null(strstr(diagnostic.text, "interrupted"));
	trace_source_close(source);
	(void)close(wake);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	cmocka_unit_test(test_members), cmocka_unit_test(test_wrong_checksum),
		cmocka_unit_test(test_damaged), cmocka_unit_test(test_pipe),	cmocka_unit_test(test_wake_with_file),
	};

	return cmocka_run_group_tests_name("trace source", tests, prepare, NULL);
}
