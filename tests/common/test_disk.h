/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the disk protocol for tests: one function a request, over libdvk.
 * Acts for the process's own endpoint. One thread a process.
 */
#ifndef TEST_DISK_H
#define TEST_DISK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dvk.h"
#include "rdisk_protocol.h"

/* Returned in place of a status. */
#define TEST_DISK_NO_ANSWER INT_MIN	  /* the call failed: see `transport` */
#define TEST_DISK_BAD_REPLY (INT_MIN + 1) /* the answer's type or endpoint is wrong */

/* A minor of a server, as a client sees it. */
struct test_disk {
	int server; /* endpoint */
	int self;   /* own endpoint: whose memory the addresses are in */
	int minor;
	int timeout_ms; /* of each request */
	int transport;	/* code of the last call that got no answer */
};

/*
 * Binds the process in TEST_DCID: `endpoint`, or ANY for the first free user endpoint. Lets
 * the server read and write this process's memory where the host restricts that to debuggers. Returns the endpoint;
 * fatal on failure.
 */
int test_bind(int endpoint);

/* The server's minor as seen by a client bound as `self`. */
struct test_disk test_disk(int self, int minor);

/* All return REP_STATUS, or one of the two values above. Fields that a type does not use are 0. */
int test_disk_request(struct test_disk *disk, int type, int count, int64_t position, int64_t length,
		      const void *address);
int test_disk_open(struct test_disk *disk, int access);
int test_disk_close(struct test_disk *disk);
int test_disk_read(struct test_disk *disk, int64_t position, void *buffer, int length);
int test_disk_write(struct test_disk *disk, int64_t position, const void *buffer, int length);
int test_disk_gather(struct test_disk *disk, int64_t position, struct rdisk_iovec *vector, int elements);
int test_disk_scatter(struct test_disk *disk, int64_t position, struct rdisk_iovec *vector, int elements);
int test_disk_flush(struct test_disk *disk);
int test_disk_discard(struct test_disk *disk, int64_t position, int64_t length);
int test_disk_write_zeroes(struct test_disk *disk, int64_t position, int64_t length);
int test_disk_batch(struct test_disk *disk, struct rdisk_request *requests, int count);
int test_disk_info(struct test_disk *disk, struct rdisk_info *info);

/* An address as a vector's element carries it. */
static inline uint64_t test_address(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/*
 * Another process that is a client: forked, bound, and doing one request at a time as
 * it is told. It shares what test_shared_memory() returned before it was started.
 */
struct test_peer {
	pid_t pid;
	int socket;
	int endpoint;
};

/* Starts a peer bound to `endpoint` (ANY: the first free user endpoint). Fatal on failure. */
void test_peer_start(struct test_peer *peer, int endpoint);

/* The peer sends the message to `destination` with sendrec and waits at most timeout_ms. */
void test_peer_begin(struct test_peer *peer, int destination, const message *request, int timeout_ms);

/* What that sendrec returned; the answer in *reply. Fatal when the peer died. */
int test_peer_finish(struct test_peer *peer, message *reply);

/* Whether that sendrec has ended by now. */
bool test_peer_finished(const struct test_peer *peer);

/* The peer grants memory, of test_grantable_memory(), to `destination`. Returns what dvk_grant() did. */
int test_peer_grant(struct test_peer *peer, int destination, int fd, void *base, size_t length);

/* One disk request by the peer; as test_disk_request(). IO_ENDPT is the peer's unless disk->self is not 0. */
int test_peer_request(struct test_peer *peer, struct test_disk *disk, int type, int count, int64_t position,
		      int64_t length, const void *address);

/* Kills the peer with that signal and waits for its end. */
void test_peer_kill(struct test_peer *peer, int signal_number);

/* Ends the peer; does nothing when it has ended. */
void test_peer_stop(struct test_peer *peer);

/* Memory at one address in this process and in peers started later. Zeroed; lives until exit. */
void *test_shared_memory(size_t length);

/* The same of a file, *fd, that can be granted. */
void *test_grantable_memory(size_t length, int *fd);

#endif
