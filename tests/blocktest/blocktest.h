/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blocktest: is a server's minor a disk? A suite of tests over the disk protocol,
 * for any endpoint, whoever wrote the server. This file: what its parts share.
 *
 * Every test ends with one result. The first thing that is wrong decides it:
 *
 * OK        all as it has to be
 * DEATH     the server died while it had a request
 * COMMFAIL  no answer for another reason (time-out, not bound, ...)
 * BADTYPE   an answer that is no MOLTASK_REPLY
 * BADID     an answer for another endpoint's request
 * BADSTATUS another status than the error that was due, or something was accepted that had to be refused
 * UNEXFAIL  an error where there had to be none
 * TRUNC     fewer bytes moved than had to be
 * OVERFLOW  more bytes moved than had to be, or bytes changed that the request does not cover
 * CORRUPT   wrong contents
 * MISSING   bytes that were reported as read and never arrived
 *
 * What the disk holds is known: two windows, the first bytes of the device and the
 * last, are read at the start, and kept up with what is written. One thread.
 */
#ifndef BLOCKTEST_H
#define BLOCKTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dvk.h"
#include "rdisk_protocol.h"

#define BLOCKTEST_RESULTS(X)                                                                                           \
	X(OK)                                                                                                          \
	X(DEATH)                                                                                                       \
	X(COMMFAIL)                                                                                                    \
	X(BADTYPE)                                                                                                     \
	X(BADID)                                                                                                       \
	X(BADSTATUS)                                                                                                   \
	X(UNEXFAIL)                                                                                                    \
	X(TRUNC)                                                                                                       \
	X(OVERFLOW)                                                                                                    \
	X(CORRUPT)                                                                                                     \
	X(MISSING)

enum blocktest_result {
#define BLOCKTEST_ENUM(name) RESULT_##name,
	BLOCKTEST_RESULTS(BLOCKTEST_ENUM)
#undef BLOCKTEST_ENUM
};

#define ARENA_SIZE   ((size_t)8 << 20) /* bytes for buffers, vectors and batches */
#define GUARD_SIZE   4096	       /* bytes on each side of a buffer that must stay as they are */
#define TRANSFER_MAX ((size_t)1 << 20) /* bytes of the largest plain request made here */
#define TAIL_WINDOW  ((size_t)1 << 18) /* bytes of the window at the end of the device */

/* A range of the device, and what it has to hold. */
struct window {
	uint64_t position;
	size_t length;
	unsigned char *bytes;
};

struct blocktest {
	/* from the command line */
	int dcid;
	int server; /* endpoint */
	int minor;
	int timeout_ms;
	uint64_t size_limit; /* bytes of the first window, at most */
	bool destructive;
	bool grant;
	bool json;

	int self; /* own endpoint */
	struct rdisk_info info;
	struct window low, tail;
	unsigned char *arena; /* ARENA_SIZE bytes: all that the server is shown lies in it */
	uint64_t random;

	/* of the test that runs */
	enum blocktest_result result;
	char detail[160];
};

/* When a test can run. */
#define NEEDS_DESTRUCTIVE 1u /* it changes the device */
#define NEEDS_WRITABLE	  2u /* the device is not read-only, but it stays as it is */
#define NEEDS_CLOSED	  4u /* nobody has it open: run before the suite opens it */
#define NEEDS_EXCLUSIVE	  8u /* the device is not shared */

struct blocktest_case {
	const char *group;
	const char *name;
	unsigned int needs;
	void (*run)(struct blocktest *test);
};

/* Each ends with an element whose group is NULL. */
extern const struct blocktest_case rules_cases[];
extern const struct blocktest_case bad_cases[];
extern const struct blocktest_case vector_cases[];
extern const struct blocktest_case data_cases[];
extern const struct blocktest_case batch_cases[];

/* ---- blocktest_request.c ---- */

/* Records the test's result; the first call counts. Returns false. */
bool fail_test(struct blocktest *test, enum blocktest_result result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A request of the suite's minor and endpoint, the rest 0. */
message new_request(const struct blocktest *test, int type);

/* Sends it; true and *status if there was a proper answer, else the result is recorded. */
bool call_server(struct blocktest *test, const message *request, int *status);

/* Sends it and wants this status. An error wanted: EDVS code; else bytes, or 0. */
bool expect_status(struct blocktest *test, const message *request, int wanted, const char *what);

/* Sends it and wants an error, whichever. */
bool expect_error(struct blocktest *test, const message *request, const char *what);

/* The number of bytes that a transfer there has to move. */
int64_t expected_bytes(const struct blocktest *test, int64_t position, int64_t length);

/* ---- blocktest_data.c ---- */

/* Marks [from, from + length) and GUARD_SIZE bytes on both sides: what the server writes there is seen. */
void mark_memory(struct blocktest *test, unsigned char *from, size_t length);

/* Whether [from, from + length) is still marked (else OVERFLOW). */
bool check_marks(struct blocktest *test, const unsigned char *from, size_t length, const char *what);

/* Whether the bytes are what the device holds from `position` on, which must lie in a window. */
bool check_contents(struct blocktest *test, const unsigned char *bytes, size_t length, uint64_t position,
		    const char *what);

/* Notes that the device now holds the bytes there. */
void note_written(struct blocktest *test, const unsigned char *bytes, size_t length, uint64_t position);

/* One DEV_READ into `buffer`, in the arena, checked in every respect. */
bool read_and_check(struct blocktest *test, int64_t position, unsigned char *buffer, int length);

/* One DEV_WRITE (or other type of write) of fresh random bytes put into `buffer`. */
bool write_fresh(struct blocktest *test, int type, int64_t position, unsigned char *buffer, int length);

/* Fills with bytes that were not there before. */
void fill_fresh(struct blocktest *test, unsigned char *bytes, size_t length);

/* 0 .. limit-1; the same sequence in every run. */
uint64_t next_random(struct blocktest *test, uint64_t limit);

/* Reads both windows for the first time. False, with the result recorded, on failure. */
bool load_windows(struct blocktest *test);

/* Where in the arena a test may put its first buffer. */
static inline unsigned char *arena_buffer(const struct blocktest *test)
{
	return test->arena + GUARD_SIZE;
}

/* An address as a message and a vector carry it. */
static inline uint64_t address_number(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

#endif
