/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An rdisk server under test, with a configuration made for it, and the image
 * files that it serves. One thread.
 */
#ifndef TEST_SERVER_H
#define TEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test_directory.h"
#include "test_process.h"

#define TEST_DCID	     0
#define TEST_SERVER_ENDPOINT 3

/* One group of the configuration's list `devices`; what is NULL, 0 or false is left out. */
struct test_device {
	const char *name;
	const char *type; /* NULL: "FILE_IMAGE" */
	const char *file; /* name in the test's directory */
	const char *size; /* as in the configuration, "4M" */
	int buffer;
	bool read_only;
	bool is_volatile;
	bool shared;
	const char *id;
};

struct test_server {
	struct test_process process;
	char config[TEST_PATH_SIZE];
};

/* Writes a configuration file of that name in the test's directory. */
void test_server_config(char path[TEST_PATH_SIZE], const char *name, const struct test_device *devices, size_t count);

/*
 * Writes a configuration and starts rdisk as TEST_SERVER_ENDPOINT of TEST_DCID with it.
 * `environment` as in test_process_start(). Does not wait.
 */
void test_server_launch(struct test_server *server, const struct test_device *devices, size_t count,
			const char *const environment[]);

/* The same, and waits until it is ready. A server that does not come up is fatal. */
void test_server_start(struct test_server *server, const struct test_device *devices, size_t count,
		       const char *const environment[]);

/* Ends it with SIGTERM; returns its exit status (128 + n for a signal). Prints its log when that is not 0. */
int test_server_stop(struct test_server *server);

/* Makes a sparse image file of that size in the test's directory. */
void test_image_create(const char *name, uint64_t size);

/* Reads from and writes to an image file; fatal unless all bytes are there. */
void test_image_read(const char *name, uint64_t position, void *buffer, size_t length);
void test_image_write(const char *name, uint64_t position, const void *buffer, size_t length);

/* Size of an image in bytes, and the bytes that it takes on the host. */
uint64_t test_image_size(const char *name);
uint64_t test_image_allocated(const char *name);

#endif
