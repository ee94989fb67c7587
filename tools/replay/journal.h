/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of a replay: what was answered, so that the disk can be checked after a crash of the server or of the
 * host, by a process that knows nothing else. A header and records of 32 bytes each, all numbers little-endian:
 *
 * header, 4096 bytes   record
 *  0 "rdiskjrn"         0 u32 kind: 1 begun, 2 answered, 3 flushed, 4 ended; 0: the journal ends here
 *  8 u32 version, 1     4 u32 flags: 1 stable by itself (FUA), 2 raced, and 16 times the change: data, zeroes, discard
 * 12 u32 block, 512     8 u64 position; flushed: how many "answered" records the flush covers
 * 16 u64 seed          16 u64 length; but bits 40 to 63 are a check: the low ones of the XXH3 of the rest
 * 24 u64 disk's size   24 u32 sequence
 * 32 u64 XXH3 of 0-31  28 u32 floor, see ledger.h
 *
 * Records lie in the page cache as soon as they are made, so they survive the death of the replay. "answered" follows
 * the answer before anything is concluded from it. Before a zeroing or a discard is sent its "begun" is on the disk,
 * because its data cannot say what wrote it; and before a flush counts, all records are. So after a crash of the host
 * the journal claims no more than the disk has to have. One thread.
 */
#ifndef REPLAY_JOURNAL_H
#define REPLAY_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diagnostic.h"
#include "ledger.h"

#define JOURNAL_LENGTH_MAX ((UINT64_C(1) << 40) - 1)

struct journal {
	int fd; /* -1: none is kept */
	char name[256];
	unsigned char *window; /* the part of the file that is mapped */
	uint64_t window_at;    /* its place in the file */
	size_t used;	       /* bytes of the window */
	uint64_t answers;      /* how many "answered" there are */
};

/* A change of the disk as the journal has it. */
struct journal_change {
	uint64_t position, length;
	uint32_t sequence, floor;
	enum ledger_change change;
	bool stable, raced;
};

/* A new file, which must not exist, for a disk of that size. 0, or -1 and *diagnostic. */
int journal_create(struct journal *journal, const char *name, uint64_t seed, uint64_t size,
		   struct diagnostic *diagnostic);

/* All: 0, or -1 and *diagnostic (no space, I/O error). Changes longer than JOURNAL_LENGTH_MAX are refused. */
int journal_begun(struct journal *journal, const struct journal_change *change, struct diagnostic *diagnostic);
int journal_answered(struct journal *journal, const struct journal_change *change, struct diagnostic *diagnostic);
/* A flush that was sent when journal->answers was `answers` succeeded. */
int journal_flushed(struct journal *journal, uint64_t answers, struct diagnostic *diagnostic);
/* The replay ended by itself. Closes the journal. */
int journal_end(struct journal *journal, struct diagnostic *diagnostic);
void journal_close(struct journal *journal);
/* Nothing was begun: closes the journal, if there is one, and removes it. */
void journal_discard(struct journal *journal);

/* What a journal says. */
struct journal_summary {
	uint64_t seed;
	uint64_t size;	  /* of the disk */
	uint64_t answers; /* how many changes were answered */
	uint64_t covered; /* how many of them, the first ones, a flush covers */
	uint64_t stable;  /* how many of them were stable by themselves */
	bool ended;	  /* the replay ended by itself */
};

/* Reads the journal's header and how far it goes. 0, or -1 and *diagnostic. */
int journal_read(const char *name, struct journal_summary *summary, struct diagnostic *diagnostic);

/*
 * Takes its changes into a ledger of that disk. covered_only: of what was answered only that counts as certain
 * which a flush covers, or which was stable by itself.
 */
int journal_load(const char *name, bool covered_only, struct ledger *ledger, struct diagnostic *diagnostic);

#endif
