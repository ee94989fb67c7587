/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of requests share: a pool, one scripted disk, and memory of clients that is the test's own. Neither
 * thread, clock nor file: what is under test runs in simulations and on other processors too.
 */
#ifndef REQUEST_TEST_H
#define REQUEST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "request.h"
#include "scripted_disk.h"

#define POOL	     64
#define DISK_BYTES   (UINT64_C(1) << 30)
#define BLOCK	     4096u  /* the disk's overlap_block */
#define BUFFER	     8192u  /* bytes of each buffer */
#define MEMORY_BYTES 65536u /* of each request */

/* A request with the memory that it is about. The front's part, so to speak. */
struct asked {
	struct request request; /* first: the pool's */
	unsigned char memory[MEMORY_BYTES];
	struct iovec vector[2];
	bool away;	     /* copied memory: it is not reachable */
	int copy_code;	     /* what the next copy ends with, without copying; then 0 again */
	int copies;	     /* calls */
	unsigned int number; /* of the random test: 1 for the first request */
};

extern struct requests requests;
extern struct asked pool[POOL];
extern struct request_disk disk;
extern struct scripted_disk below;

/* setup and teardown of each test; the latter demands that nothing is left anywhere. */
int request_test_setup(void **state);
int request_test_teardown(void **state);

/*
 * A request that is filled in and not begun: READ and WRITE are of direct memory, in two pieces if there are two bytes.
 * The caller may change it. The memory is zeroed.
 */
struct asked *ask(enum request_operation operation, uint64_t position, uint64_t length);

/* The same of copied memory. */
struct asked *ask_copied(enum request_operation operation, uint64_t position, uint64_t length);

/* Begins one that must not be DONE at once. */
void begin(struct asked *asked);

/* Begins one that must be DONE at once, and frees it. Returns its result. */
int begin_done(struct asked *asked);

/* What is PENDING of a request ends: its piece, fetch or flush. */
void end(struct asked *asked, int result);

/* request_next_done() must give out this one, which is freed. Returns its result. */
int next_done(struct asked *asked);

/* It must have nothing to give out. */
void none_done(void);

/* From now on all is PENDING. */
void all_pend(void);

/* One of direct memory, or of copied memory, that is begun and not DONE. */
struct asked *begun(enum request_operation operation, uint64_t position, uint64_t length);
struct asked *begun_copied(enum request_operation operation, uint64_t position, uint64_t length);

void assert_io(const struct io *io, enum io_operation operation, uint64_t position, uint64_t length);

#define assert_phase(asked, expected) assert_int_equal((asked)->request.phase, REQUEST_##expected)

/* Which request an io is of. */
static inline struct asked *asked_of(const struct io *io)
{
	return (struct asked *)((char *)(uintptr_t)io - offsetof(struct request, io));
}

#endif
