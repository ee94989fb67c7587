/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history of a run: what clients asked for and were answered, in the order of true time, and the moments at which
 * what was written may have been lost. checker.h judges it; history_file.h writes it down and reads it back. It knows
 * nothing of who answered, nor why.
 *
 * Contents are kept by 512-byte block, each as a 64-bit value (history_value()): zeroes are 0, everything else is a
 * hash. Two different blocks are taken for the same with a chance of 2^-64 for each pair.
 *
 * Events are told in the order of true time; of events of one time, the one that is told first was first. An operation
 * precedes another when its end was told before the other's begin. A caller that breaks a rule (an operation that ends
 * twice, a time that goes back, a position that is no multiple of 512) makes the history unusable: history_broken()
 * says why, and nothing that is told after that counts.
 *
 * One thread. Memory is allocated as needed; a program that gets none ends.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_BLOCK	   512u
#define HISTORY_ZERO	   UINT64_C(0)
#define HISTORY_NEVER	   UINT64_MAX

/* Of one operation, one image: 8 GiB. */
#define HISTORY_BLOCKS_MAX (1u << 24)

enum history_kind { HISTORY_READ, HISTORY_WRITE, HISTORY_ZEROES, HISTORY_FLUSH, HISTORY_OPEN, HISTORY_CLOSE };

#define HISTORY_KINDS 6

enum history_state {
	HISTORY_UNANSWERED, /* at the end of the run, too */
	HISTORY_ANSWERED,
	HISTORY_LOST, /* nobody is left who could be answered */
};

/* How a client wants to open a device; bits. */
#define HISTORY_EXCLUSIVE  1u /* without others, or with those that only read if it only reads itself */
#define HISTORY_READS_ONLY 2u

/* Blocks of a device with their values. */
struct history_range {
	uint32_t device;
	uint64_t block; /* the first; in units of HISTORY_BLOCK */
	uint64_t blocks;
	size_t values; /* index of the first value; HISTORY_NO_VALUES: all zeroes, or not known */
};

#define HISTORY_NO_VALUES SIZE_MAX

struct history_op {
	uint64_t id; /* op, as the caller numbers it */
	int client;
	enum history_kind kind;
	enum history_state state;
	int result;		     /* of an answered one: negative is a failure */
	bool stable;		     /* of a write or zeroes: once answered it survives a loss of memory */
	unsigned int access;	     /* of an open: HISTORY_EXCLUSIVE, HISTORY_READS_ONLY */
	uint64_t begin, end;	     /* number of the event, from 1; end is HISTORY_NEVER without an answer */
	uint64_t begun_at, ended_at; /* true time in ns; ended_at also when it was lost */
	struct history_range range;
};

/* From here on writes may be gone. */
struct history_loss {
	uint64_t event;
	uint64_t time;
	uint64_t generation;
	bool flushed; /* what was flushed may be gone too */
};

/* Something that is shown in explanations and does not count. */
struct history_power {
	uint64_t event;
	uint64_t time;
	int member;
};

/* Read what is here; only the functions below change it. */
struct history {
	struct history_op *ops; /* by begin */
	size_t nr_ops, ops_room;
	uint64_t *values;
	size_t nr_values, values_room;
	struct history_loss *losses; /* by event */
	size_t nr_losses, losses_room;
	struct history_power *powers; /* by event */
	size_t nr_powers, powers_room;
	struct history_range *initial; /* a later one counts */
	size_t nr_initial, initial_room;
	struct history_range *final;
	size_t nr_final, final_room;

	uint64_t events; /* told so far */
	uint64_t time;	 /* of the last */
	size_t *by_id;	 /* hash of ids: index of the operation + 1; 0: free */
	size_t by_id_room;
	char broken[160]; /* why it is unusable, or empty */
};

/* An empty history, of devices that hold zeroes. */
void history_init(struct history *history);

/* Frees what it holds. */
void history_destroy(struct history *history);

/* The value of the HISTORY_BLOCK bytes at data. The same on every machine. */
uint64_t history_value(const void *data);

/* What length bytes (a multiple of HISTORY_BLOCK) at position of a device hold before the first event. */
void history_initial(struct history *history, uint32_t device, uint64_t position, const void *data, uint64_t length);

/* What the images hold after the last event: checker_final() in checker.h. */
void history_final(struct history *history, uint32_t device, uint64_t position, const void *data, uint64_t length);

/*
 * A client asks. time: true time in ns. op: a number that no other operation of the run has. position, length: bytes,
 * multiples of HISTORY_BLOCK; 0 for a flush, an open, a close. data: of a HISTORY_WRITE, length bytes, read at once;
 * else NULL. stable: the write is to be on the disk when it is answered.
 */
void history_begin(struct history *history, uint64_t time, int client, uint64_t op, enum history_kind kind,
		   uint32_t device, uint64_t position, uint64_t length, const void *data, bool stable);

/* Of an open that has begun and is not answered: how. access: HISTORY_EXCLUSIVE, HISTORY_READS_ONLY; else it is 0. */
void history_open_as(struct history *history, uint64_t op, unsigned int access);

/*
 * It is answered. result: 0 or more for success (then it was done whole), else a negative error code. data: of a
 * HISTORY_READ that succeeded, as many bytes as it asked for; else NULL.
 */
void history_end(struct history *history, uint64_t time, int client, uint64_t op, int result, const void *data);

/* Its client died before an answer came: what became of it is not known. */
void history_lost(struct history *history, uint64_t time, uint64_t op);

/*
 * A new generation began: opens of before have lapsed; writes that were answered, but not flushed before this time, may
 * be gone (checker.h says exactly which). To be told between the last moment at which an answer of the old generation
 * can have been made and the first moment at which one of the new one can.
 */
void history_may_lose(struct history *history, uint64_t time, uint64_t generation);

/* The same, when what was flushed may be gone too: the new generation was forced upon a member that had not all of it.
 */
void history_may_lose_flushed(struct history *history, uint64_t time, uint64_t generation);

/* A member's host lost its memory. For explanations alone: whether anything may be gone is told by history_may_lose().
 */
void history_power(struct history *history, uint64_t time, int member);

/* Why the history is unusable, or NULL. */
const char *history_broken(const struct history *history);

/* The word for a kind, as in files and explanations: "read", "write", ... */
const char *history_kind_name(enum history_kind kind);

/* The value of a block of a range. blocks from range->block on: 0 to range->blocks - 1. */
static inline uint64_t history_range_value(const struct history *history, const struct history_range *range,
					   uint64_t block)
{
	return range->values == HISTORY_NO_VALUES ? HISTORY_ZERO : history->values[range->values + block];
}

/*
 * For who has values in place of data (history_file.c): as history_begin(), history_end(), and so on, with values[0 ..
 * length / HISTORY_BLOCK] or NULL.
 */
void history_begin_values(struct history *history, uint64_t time, int client, uint64_t op, enum history_kind kind,
			  uint32_t device, uint64_t position, uint64_t length, const uint64_t *values, bool stable);
void history_end_values(struct history *history, uint64_t time, int client, uint64_t op, int result,
			const uint64_t *values, uint64_t nr_values);
void history_initial_values(struct history *history, uint32_t device, uint64_t position, const uint64_t *values,
			    uint64_t length);
void history_final_values(struct history *history, uint32_t device, uint64_t position, const uint64_t *values,
			  uint64_t length);

#endif
