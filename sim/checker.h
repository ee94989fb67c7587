/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker: does a history of clients (history.h) agree with what rdisk promises? It looks at what clients and final
 * images saw, at nothing inside a member.
 *
 * The promise, for each 512-byte block by itself (a write of several blocks may be seen in parts: no more than a block
 * is atomic). A block is a register. The history is right if its operations on the block can be put into one order,
 * each at one moment between its begin and its end, such that
 *
 *   1. a read that succeeded returns the value of the last write before it, or the initial value;
 *   2. a write (or write of zeroes) that was answered with success is in the order once;
 *   3. a write that failed, was lost, or was never answered is in the order once, at any moment after its begin,
 * however late, or not at all. It cannot take effect twice: what was overwritten, with the newer value seen, does not
 * come back;
 *   4. a read that failed or was not answered says nothing;
 *   5. the final images are reads after everything else.
 *
 * Where writes may be gone (history_may_lose() at the event L), the order has one more step at L: the block is set to
 *
 *   - the value of any write that is before L in the order, but of none that is before the last *durable* one (the
 *     initial value is durable). A write answered with success is durable at L if it is stable, or if a flush of the
 *     same device, by any client, began after that answer and before L and was answered with success, however late. So
 * a flush that was under way at L and succeeds promises what it covers.
 *   - This step counts as a write of that value that was answered at L: a flush that begins after L makes what was
 * found then durable. Without such a flush, the next loss may choose again, from the same values and newer ones.
 *
 * history_may_lose_flushed() lets it be any value that was ever written before L, or the initial one.
 *
 * Beside the blocks, the opens of each client on each device: at a loss they lapse. A request that begins after it and
 * succeeds (but for an open or a close) must come after an open that was answered with success after the loss. A client
 * of which no open is recorded is taken to have one since its first request; histories with losses have to record
 * opens.
 *
 * Opens that exclude each other (history_open_as()): a client has a device open from a moment within its open at least
 * until its last request that succeeds, and no two that exclude each other are so at a time. What a client asked for
 * has taken effect before another that it excludes, and that began to open the device when it had it, is answered that
 * it has it open; or never. A client that opens a device more than once is left out of this.
 *
 * Every violation of that is found, and nothing else is reported, but for what is stated here:
 *   - contents are compared by 64-bit hashes;
 *   - the check of a block in which zeroes, or equal data, are written, or over which a loss passes, is a search. If it
 *     would need more than its limits (SEARCH_... in checker_search.h) the block is counted as undecided, and it
 *     is the caller's to treat that as a failure. The check of other blocks takes n log n for n operations;
 *     In a block that is searched nothing is found of what took effect later than an open allows;
 *   - of a block only the first violation is reported.
 *
 * Not checked: which answers may be errors; bounds on time.
 */
#ifndef SIM_CHECKER_H
#define SIM_CHECKER_H

#include "history.h"

enum checker_kind {
	CHECKER_NOWHERE,      /* a value that was not written to that block before */
	CHECKER_STALE_READ,   /* an old value, though the newer one is still there later */
	CHECKER_LOST_WRITE,   /* an answered write that is not seen any more */
	CHECKER_LOST_FLUSHED, /* ... and that no loss of memory explains, because it was durable */
	CHECKER_OLD_BACK, /* an old value again, after a newer one was seen: it took effect twice or went backwards */
	CHECKER_SILENT_LOSS, /* a flush succeeds on an open whose writes may be gone */
	CHECKER_LAPSED_OPEN, /* another request succeeds on an open that has lapsed */
	CHECKER_LATE_WRITE,  /* what was asked for on one open takes effect on another that excludes it */
	CHECKER_TWO_OPENS,   /* two that exclude each other at a time */
	CHECKER_IMAGES,	     /* final images that differ */
};

#define CHECKER_KINDS 10

struct checker_violation {
	enum checker_kind kind;
	uint32_t device;
	uint64_t block, blocks; /* neighbours with the same operations are one violation; blocks is 0 for opens */
	char *text;		/* lines: what is wrong, and the operations concerned in order of time */
};

/* Violations beyond this many are counted, not explained. */
#define CHECKER_VIOLATIONS_MAX 64

struct checker_report {
	struct checker_violation *violations;
	size_t nr_violations; /* that are there */
	size_t nr_more;	      /* blocks that are wrong too */
	size_t nr_blocks;     /* that were checked */
	size_t nr_searched;   /* of them, by search */
	size_t nr_undecided;  /* of them, given up */
};

/*
 * What an image holds at the end, after every event: length bytes (a multiple of HISTORY_BLOCK) at position. To be told
 * for the image of each member; they have to be equal, too. NULL for data: zeroes. A position that is no multiple makes
 * the history unusable.
 */
void checker_final(struct history *history, uint32_t device, uint64_t position, const void *data, uint64_t length);

/*
 * Checks the history and fills *report, which the caller gives back with checker_report_destroy() whatever is returned.
 * Returns 0 when that was done (there is nothing wrong if nr_violations, nr_more and nr_undecided are 0), or -EINVAL:
 * the history is unusable, history_broken() says why.
 */
int checker_run(const struct history *history, struct checker_report *report);

void checker_report_destroy(struct checker_report *report);

/* A few words: "stale read". */
const char *checker_kind_name(enum checker_kind kind);

/* The invariant that is broken, of those that the scenarios are written against: "I3". */
const char *checker_kind_invariant(enum checker_kind kind);

#endif
