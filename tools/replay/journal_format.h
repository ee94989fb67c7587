/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a journal, for its writer and its reader; journal.h describes them. Numbers are little-endian.
 */
#ifndef REPLAY_JOURNAL_FORMAT_H
#define REPLAY_JOURNAL_FORMAT_H

#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <xxhash.h>

#define JOURNAL_MAGIC	     UINT64_C(0x6e726a6b73696472) /* "rdiskjrn" */
#define JOURNAL_VERSION	     1
#define JOURNAL_HEADER_SIZE  4096

#define JOURNAL_BEGUN	     1u
#define JOURNAL_ANSWERED     2u
#define JOURNAL_FLUSHED	     3u
#define JOURNAL_ENDED	     4u

#define JOURNAL_STABLE	     1u
#define JOURNAL_RACED	     2u
#define JOURNAL_CHANGE_SHIFT 4

#define JOURNAL_CHECK_SHIFT  40

struct journal_header {
	uint64_t magic;
	uint32_t version;
	uint32_t block;
	uint64_t seed;
	uint64_t size;
	uint64_t check;
};

struct journal_record {
	uint32_t kind;
	uint32_t flags;
	uint64_t position;
	uint64_t length; /* and the check */
	uint32_t sequence;
	uint32_t floor;
};

static_assert(sizeof(struct journal_header) == 40, "the header is part of the format");
static_assert(sizeof(struct journal_record) == 32, "a record is part of the format");

/* 24 bits over a record; the place of the check counts as zero. */
static inline uint64_t journal_record_check(const struct journal_record *record)
{
	struct journal_record copy = *record;

	copy.length = htole64(le64toh(copy.length) & ((UINT64_C(1) << JOURNAL_CHECK_SHIFT) - 1));
	return XXH3_64bits(&copy, sizeof(copy)) & 0xffffff;
}

#endif
