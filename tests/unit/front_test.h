/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the server's front share: a server with two devices over scripted disks, clients that are numbers
 * (fake_dvk.h), and their memory, a page of batch for each and data. Nothing waits: what would, completions_await(),
 * fails the test unless something is PENDING, and ends that first.
 *
 * The program has to be linked with --wrap=completions_await and --wrap=termination_requested.
 */
#ifndef FRONT_TEST_H
#define FRONT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "answer.h"
#include "driver_task.h"
#include "fake_dvk.h"
#include "scripted_disk.h"

#define CLIENT	      30 /* the first of CLIENTS user endpoints */
#define CLIENTS	      24
#define SYSTEM_CLIENT 5
#define SERVER	      3
#define DISK	      0 /* minor: exclusive */
#define SHARED	      1 /* minor: shared */
#define DISK_SIZE     (64u * 4096)
#define BUFFER_SIZE   4096 /* of both devices */

/* The memory of one client, at the test's own addresses. */
struct front_memory {
	struct rdisk_request requests[RDISK_BATCH_MAX];
	struct rdisk_iovec vectors[RDISK_BATCH_MAX];
	struct rdisk_completion completions[RDISK_BATCH_MAX];
	unsigned char data[16 * BUFFER_SIZE];
};

extern struct server server;
extern struct scripted_disk below[2]; /* by minor */
extern struct front_memory memory[CLIENTS];
extern bool end_is_requested; /* what termination_requested() says */
extern int awaited;	      /* calls of completions_await() that found nothing to take */

/*
 * setup and teardown. All memory is granted after the first, none after the second. Teardown demands that nothing is
 * under way any more, that all was given back, and forgets what is left to be collected.
 */
int setup_granted(void **state);
int setup_copied(void **state);
int front_test_teardown(void **state);

static inline struct front_memory *memory_of(int endpoint)
{
	return &memory[endpoint - CLIENT];
}

/* What the next answers of a device's disk are to be. */
void answers(int minor, enum io_operation operation, enum io_answer answer);
void all_pend(int minor);

message build(int endpoint, int type, int minor, int count, int64_t position, void *address);

/* Hands a message to the server, which must not answer it. */
void begin(const message *asked);

/* The server must have answered this endpoint and nobody else since the last look. Returns REP_STATUS. */
int answered(int endpoint);
/* The same where others may have been answered after it. */
int next_answered(int endpoint);
void none_answered(void);

/* The same at once: begin, and its answer. */
int ask(const message *asked);
int ask_for(int endpoint, int type, int minor, int count, int64_t position, void *address);

void open_shared(int endpoint);

/* What is PENDING on a device's disk, the first or all, ends with this result, and the server takes it. */
void end_first(int minor, int result);
void end_all(int minor, int result);
/* The first ones end before the server looks. */
void end_together(int minor, int count, int result);

/* The process on an endpoint dies; another comes there. */
void die(int endpoint);
void succeed(int endpoint);

/* An element of a client's batch, of one segment: its `data`, by BUFFER_SIZE bytes an element. No flags. */
struct rdisk_request *element(int endpoint, int index, enum rdisk_operation operation, int minor, uint64_t position,
			      uint64_t length);
/* The same that may be suspended. */
struct rdisk_request *marked(int endpoint, int index, enum rdisk_operation operation, int minor, uint64_t position,
			     uint64_t length);
struct rdisk_request *collect(int endpoint, int index, uint32_t room, uint32_t flags);

message batch(int endpoint, int count);

/* Sends a batch of one COLLECT without WAIT, and returns how many there were. */
int collected(int endpoint);

#endif
