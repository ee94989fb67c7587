/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form of what goes over a session, without sockets: what was fixed stays as it is, every cut is put together
 * again, and whatever is not so is refused, before there is memory for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame_queue.h"
#include "frame_reader.h"
#include "little_endian.h"
#include "session_values.h"

/* What a reader found; frames are compared with those that are to come. */
struct found {
	int hellos, owns, frames;
	const char *why;
};

static void feed(struct frame_reader *reader, const unsigned char *bytes, size_t size, struct found *found)
{
	while (size > 0 && !found->why) {
		const struct session_values_frame *expected = &session_values_frames[found->frames];
		struct reader_item item;
		size_t taken = frame_reader_take(reader, bytes, size, &item);

		bytes += taken;
		size -= taken;
		switch (item.result) {
		case READER_MORE:
			assert_int_equal(size, 0);
			break;
		case READER_HELLO:
			assert_string_equal(item.hello.set, "a set");
			assert_int_equal(item.hello.from, 0x11121314);
			assert_int_equal(item.hello.to, 0x21222324);
			assert_true(item.hello.process == 0x3132333435363738);
			frame_reader_allow_frames(reader);
			found->hellos++;
			break;
		case READER_OWN:
			assert_int_equal(item.own.kind, found->owns == 0 ? OWN_START : OWN_PING);
			assert_int_equal(item.own.number, found->owns == 0 ? 0 : 0x41424344);
			found->owns++;
			break;
		case READER_FRAME:
			assert_in_range(found->frames, 0, SESSION_VALUES_FRAMES - 1);
			assert_int_equal(item.size, expected->size);
			assert_memory_equal(item.frame, expected->bytes, expected->size);
			free(item.frame);
			found->frames++;
			break;
		case READER_WRONG:
			found->why = item.why;
			break;
		}
	}
}

static void assert_all(const struct found *found)
{
	assert_null(found->why);
	assert_int_equal(found->hellos, 1);
	assert_int_equal(found->owns, 2);
	assert_int_equal(found->frames, SESSION_VALUES_FRAMES);
}

static void test_form_stays(void **state)
{
	unsigned char bytes[SESSION_VALUES_SIZE], sample[SESSION_VALUES_SIZE + 1];
	size_t size = session_values_stream(bytes);
	FILE *file = fopen(FUZZ_CORPUS "/frame/stream", "rb");

	(void)state;
	assert_non_null(file);
	assert_int_equal(fread(sample, 1, sizeof(sample), file), size);
	fclose(file);
	assert_memory_equal(sample, bytes, size);
}

/* In two pieces, wherever it is cut, and byte by byte. */
static void test_cuts(void **state)
{
	unsigned char bytes[SESSION_VALUES_SIZE];
	size_t size = session_values_stream(bytes);

	(void)state;
	for (size_t cut = 0; cut <= size + 1; cut++) {
		struct frame_reader reader;
		struct found found = { 0 };

		frame_reader_init(&reader, SESSION_VALUES_FRAME);
		if (cut <= size) {
			feed(&reader, bytes, cut, &found);
			feed(&reader, bytes + cut, size - cut, &found);
		}
		for (size_t i = 0; cut > size && i < size; i++)
			feed(&reader, bytes + i, 1, &found);
		assert_all(&found);
		frame_reader_free(&reader);
	}
}

/* It ends within: what was not whole is not delivered. */
static void test_ends(void **state)
{
	unsigned char bytes[SESSION_VALUES_SIZE];
	size_t size = session_values_stream(bytes);

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		struct frame_reader reader;
		struct found found = { 0 };

		frame_reader_init(&reader, SESSION_VALUES_FRAME);
		feed(&reader, bytes, cut, &found);
		assert_null(found.why);
		assert_true(found.frames < SESSION_VALUES_FRAMES);
		frame_reader_free(&reader);
	}
}

/* One record behind a hello, as `change` has it: what is said of it. */
static const char *refused(struct record_head head, bool allowed)
{
	static const unsigned char payload[RECORD_PAYLOAD_MAX + 1];
	unsigned char bytes[SESSION_VALUES_SIZE], encoded[RECORD_HEAD];
	struct frame_reader reader;
	struct found found = { 0 };

	session_values_stream(bytes);
	frame_reader_init(&reader, SESSION_VALUES_FRAME);
	feed(&reader, bytes, HELLO_SIZE, &found);
	reader.frames = allowed;
	record_encode(&head, encoded);
	feed(&reader, encoded, sizeof(encoded), &found);
	if (!found.why)
		feed(&reader, payload, head.size, &found);
	frame_reader_free(&reader);
	return found.why;
}

static void assert_refused(struct record_head head, const char *text)
{
	const char *why = refused(head, true);

	if (!why || !strstr(why, text))
		fail_msg("\"%s\" does not say \"%s\"", why ? why : "nothing", text);
}

static void test_wrong_records(void **state)
{
	const uint32_t max = SESSION_VALUES_FRAME;
	const struct record_head good = { SESSION_STREAM, RECORD_FIRST, 10, 10, max };
	struct record_head head = good;

	(void)state;
	assert_null(refused(good, true));
	assert_non_null(refused(good, false));
	head.total = max + 1;
	assert_refused(head, "larger than any may be");
	head = good;
	head.total = UINT32_MAX;
	assert_refused(head, "larger than any may be");
	head = good;
	head.class = RECORD_OWN + 1;
	assert_refused(head, "no known kind");
	head = good;
	head.flags |= 8;
	assert_refused(head, "no known kind");
	head = good;
	head.size = 0;
	assert_refused(head, "wrong size");
	head = good;
	head.size = head.plain = RECORD_PAYLOAD_MAX + 1;
	assert_refused(head, "wrong size");
	head = good;
	head.plain = 11;
	assert_refused(head, "another size than it says");
	head = good;
	head.flags |= RECORD_PACKED;
	assert_refused(head, "another size than it says");
	head = good;
	head.total = 9;
	assert_refused(head, "larger than its frame");
	head = good;
	head.flags = 0;
	assert_refused(head, "without the ones before");
	head = good;
	head.flags |= RECORD_LAST;
	assert_refused(head, "ends elsewhere");
	head.total = 10;
	head.flags = RECORD_FIRST;
	assert_refused(head, "ends elsewhere");
	/* Zeroes are no LZ4 of this. */
	head = good;
	head.flags |= RECORD_PACKED;
	head.plain = 1000;
	assert_refused(head, "LZ4");
	head = (struct record_head){ RECORD_OWN, RECORD_FIRST | RECORD_LAST, OWN_SIZE, OWN_SIZE, OWN_SIZE };
	assert_refused(head, "no known kind"); /* it is of kind 0 */
	head.total = 10;
	assert_refused(head, "wrong size");
}

/* A second record that does not go with the first. */
static void test_wrong_second_record(void **state)
{
	static const struct record_head seconds[] = {
		{ SESSION_STREAM, RECORD_FIRST, 10, 10, 30 },
		{ SESSION_STREAM, 0, 10, 10, 31 },
		{ SESSION_STREAM, 0, 21, 21, 30 },
		{ SESSION_STREAM, 0, 20, 20, 30 },
		{ SESSION_STREAM, RECORD_LAST, 10, 10, 30 },
	};
	const struct record_head first = { SESSION_STREAM, RECORD_FIRST, 10, 10, 30 };

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		unsigned char bytes[SESSION_VALUES_SIZE] = { 0 };
		struct frame_reader reader;
		struct found found = { 0 };

		session_values_stream(bytes);
		memset(bytes + HELLO_SIZE, 0, sizeof(bytes) - HELLO_SIZE);
		record_encode(&first, bytes + HELLO_SIZE);
		record_encode(&seconds[i], bytes + HELLO_SIZE + RECORD_HEAD + 10);
		frame_reader_init(&reader, SESSION_VALUES_FRAME);
		feed(&reader, bytes, HELLO_SIZE + 2 * RECORD_HEAD + 10, &found);
		assert_non_null(found.why);
		frame_reader_free(&reader);
	}
}

static void assert_wrong_hello(size_t at, unsigned char value, const char *text)
{
	unsigned char bytes[SESSION_VALUES_SIZE];
	struct hello hello;
	const char *why;

	session_values_stream(bytes);
	bytes[at] = value;
	why = hello_decode(bytes, &hello);
	if (!why || !strstr(why, text))
		fail_msg("\"%s\" does not say \"%s\"", why ? why : "nothing", text);
}

static void test_wrong_hellos(void **state)
{
	(void)state;
	assert_wrong_hello(0, 'r', "not of rdisk");
	assert_wrong_hello(3, 0, "not of rdisk");
	assert_wrong_hello(6, SESSION_VERSION + 1, "version");
	assert_wrong_hello(7, 2, "version");
	assert_wrong_hello(28, 0, "size");
	assert_wrong_hello(28, 64, "size");
	assert_wrong_hello(31, 1, "size");
	assert_wrong_hello(28, 6, "without a name");
	assert_wrong_hello(33, 0, "without a name");
}

/* ---- the queue ---- */

#define FRAME_SIZE 50000u

/* Puts a frame of head and data, with all of its bytes from one random number. */
static void put(struct frame_queue *queue, const unsigned char *frame, size_t head_size, size_t size,
		struct compression *compression)
{
	struct frame_source source = {
		.head = frame,
		.data = frame + head_size,
		.head_size = head_size,
		.data_size = size - head_size,
		.total = (uint32_t)size,
		.first = true,
	};

	assert_true(frame_queue_room(queue) >= record_bytes(size));
	while (!frame_queue_put(queue, SESSION_STREAM, &source, compression))
		;
}

/* Round and round in a small ring, with frames of all sizes, with and without LZ4, as far as it has room. */
static void test_ring(void **state)
{
	static unsigned char frames[8][FRAME_SIZE];
	size_t sizes[8] = { 0 };
	unsigned int puts = 0, takes = 0;
	struct compression compression = { 0 };
	struct frame_reader reader;
	struct frame_queue queue;
	uint32_t random = 7;

	(void)state;
	assert_int_equal(frame_queue_init(&queue, 100000), 0);
	frame_reader_init(&reader, FRAME_SIZE);
	reader.greeted = reader.frames = true;
	while (takes < 3000) {
		unsigned char *frame = frames[puts % 8];
		const unsigned char *records;
		struct reader_item item;
		size_t size;

		random = random * 1664525 + 1013904223;
		size = 1 + (random >> 8) % (random % 5 == 0 ? FRAME_SIZE : 3000);
		if (puts - takes < 8 && frame_queue_room(&queue) >= record_bytes(size)) {
			sizes[puts % 8] = size;
			for (size_t i = 0; i < size; i++)
				frame[i] = (unsigned char)(random % 3 == 0 ? (random + i) * 2654435761u >> 20 : i / 99);
			put(&queue, frame, size / 7, size, puts % 2 ? &compression : NULL);
			puts++;
			continue;
		}
		records = frame_queue_peek(&queue, 1 + random % 70000, UINT64_MAX, &size);
		assert_non_null(records);
		for (size_t done = 0; done < size;) {
			done += frame_reader_take(&reader, records + done, size - done, &item);
			assert_true(item.result == READER_MORE || item.result == READER_FRAME);
			if (item.result != READER_FRAME)
				continue;
			assert_int_equal(item.size, sizes[takes % 8]);
			assert_memory_equal(item.frame, frames[takes % 8], item.size);
			free(item.frame);
			takes++;
		}
		frame_queue_take(&queue, size);
	}
	assert_true(compression.saved > 0);
	frame_reader_free(&reader);
	frame_queue_free(&queue);
}

/* What does not shrink is not tried each time; what does is again at once. */
static void test_skipping(void **state)
{
	static unsigned char noise[RECORD_PAYLOAD_MAX], zeroes[RECORD_PAYLOAD_MAX];
	struct compression compression = { 0 };
	struct frame_queue queue;
	uint32_t random = 7;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(noise); i++) {
		random = random * 1664525 + 1013904223;
		noise[i] = (unsigned char)(random >> 24);
	}
	assert_int_equal(frame_queue_init(&queue, 100000), 0);
	for (int i = 0; i < 1000; i++) {
		put(&queue, noise, 0, sizeof(noise), &compression);
		assert_non_null(frame_queue_peek(&queue, SIZE_MAX, UINT64_MAX, &size));
		assert_int_equal(size, RECORD_HEAD + sizeof(noise));
		frame_queue_take(&queue, size);
	}
	assert_in_range(compression.tried, sizeof(noise), 40 * sizeof(noise));
	assert_int_equal(compression.saved, 0);
	for (int i = 0; i < 200; i++) {
		put(&queue, zeroes, 0, sizeof(zeroes), &compression);
		assert_non_null(frame_queue_peek(&queue, SIZE_MAX, UINT64_MAX, &size));
		frame_queue_take(&queue, size);
	}
	assert_true(compression.saved > 100 * sizeof(zeroes));
	frame_queue_free(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form_stays),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_wrong_records),
		cmocka_unit_test(test_wrong_second_record),
		cmocka_unit_test(test_wrong_hellos),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_skipping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
