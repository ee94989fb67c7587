/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contents for disks under test: every byte follows from its position and a
 * seed, so that data in a wrong place, old data and foreign data are all told from the right
 * ones. Any thread.
 */
#ifndef TEST_PATTERN_H
#define TEST_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* Fills buffer with what belongs at `position` (bytes) of a disk with that seed. */
void test_pattern_fill(void *buffer, size_t length, uint64_t position, uint64_t seed);

/* Index of the first byte that is not as test_pattern_fill() leaves it; `length` if there is none. */
size_t test_pattern_check(const void *buffer, size_t length, uint64_t position, uint64_t seed);

/* Index of the first byte that differs from `value`; `length` if there is none. */
size_t test_bytes_check(const void *buffer, size_t length, unsigned char value);

#endif
