/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs of this folder share: one server at a time, with a node of
 * its own, and this process as its client. Included once a program.
 */
#ifndef SERVER_FIXTURE_H
#define SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_disk.h"
#include "test_pattern.h"
#include "test_server.h"

#define KIB(n)		 ((int64_t)(n)*1024)
#define MIB(n)		 (KIB(n) * 1024)
#define GIB(n)		 (MIB(n) * 1024)

/* Addresses where nothing is mapped: the first page, and one above what a process can have. */
#define BAD_ADDRESS	 ((void *)(uintptr_t)64)
#define HIGH_BAD_ADDRESS ((void *)(uintptr_t)0xffffffffff000000u)

static struct test_server server;

/* A node and a server of their own for a test, and this process bound to `endpoint` (ANY: a user's). */
static inline int fixture_start(const struct test_device *devices, size_t count, int endpoint)
{
	test_runtime_new();
	test_server_start(&server, devices, count, NULL);
	return test_bind(endpoint);
}

/* Ends both in good order; the server has to exit with 0. */
static inline void fixture_end(void)
{
	(void)dvk_close();
	assert_int_equal(test_server_stop(&server), 0);
}

/* Teardown of every test: after a failure the server still runs. */
static inline int fixture_discard(void **state)
{
	(void)state;
	if (server.process.pid) {
		test_process_discard(&server.process);
		fprintf(stderr, "log of rdisk:\n%s\n", server.process.log.text);
	}
	(void)dvk_close();
	return 0;
}

#define FIXTURE_TEST(function) cmocka_unit_test_teardown(function, fixture_discard)

/* The server answers and its minor 0 can be asked about. */
static inline void assert_server_lives(int self)
{
	struct test_disk disk = test_disk(self, 0);
	struct rdisk_info info;

	assert_int_equal(test_disk_info(&disk, &info), 0);
}

static inline unsigned char *fixture_memory(size_t length)
{
	unsigned char *memory = malloc(length);

	assert_non_null(memory);
	return memory;
}

#endif
