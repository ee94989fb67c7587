/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was done to one image, and what each of its sectors may hold after a power cut. crash_states.h makes whole
 * images of that.
 *
 * The rules are those of a page cache over a disk that tears writes at sectors:
 *
 * - A sector on the disk holds what the page cache held for it at some moment: the result of the changes of some
 *   beginning of their order. A change that began after another had returned comes after it; of two that were under way
 *   at once either may come first. Sectors know nothing of each other.
 * - A flush that succeeded covers the changes that had returned before it began; once it has returned none of them can
 *   be missing. Those under way beside it may or may not be there. A stable change covers itself.
 * - A flush that failed covers nothing, and no later flush covers what had begun before it returned: the host forgets
 *   pages that it could not write. Such a change may be there, or be gone as if it had never been made.
 * - A change that failed, or that is `optional`, may be there or not.
 * - The size of the image is kept like a sector of its own.
 *
 * What is left out: a sector that is torn within itself, a disk that damages neighbours of what it writes, and that
 * making an image smaller takes its data away at once with its size (here each may survive without the other, which
 * only adds states).
 *
 * Freestanding: no files, threads or clock; it needs memcpy(), memmove(), memset() and memcmp(). Memory is the owner's.
 * Everything may be used by any thread that has the structures for itself.
 */
#ifndef CRASH_RUN_H
#define CRASH_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_SECTOR	512
#define CRASH_NEVER	UINT64_MAX
#define CRASH_SIZE_CELL UINT64_MAX /* in place of a sector's number: the size */

enum crash_code {
	CRASH_OK = 0,
	CRASH_NO_ROOM = -1,   /* the memory does not suffice, or more is under way at once than can be worked out */
	CRASH_BAD_EVENT = -2, /* out of order, without data, or beyond what numbers can say */
};

enum crash_kind {
	CRASH_WRITE,
	CRASH_ZERO,   /* write-zeroes, a hole that is punched */
	CRASH_FLUSH,  /* of the whole image */
	CRASH_RESIZE, /* `length` is the new size; what a smaller one cuts off reads as zeroes later */
	CRASH_GROW,   /* the size is at least `length` now */
};

/*
 * One call. Moments are numbers that grow, of whatever clock: one is before another if it is smaller, and two that are
 * equal count as not ordered.
 */
struct crash_event {
	enum crash_kind kind;
	bool failed;
	bool optional; /* a change that may be left out though it succeeded: a discard that was asked for */
	bool stable;   /* a change that is on stable storage once it has returned */
	uint64_t begun;
	uint64_t returned; /* CRASH_NEVER: not yet */
	uint64_t position; /* bytes, as length */
	uint64_t length;
	const unsigned char *data; /* WRITE: `length` bytes */
};

/* Memory that the owner gives; what is used lies at its front. `start` is aligned for any object. */
struct crash_memory {
	unsigned char *start;
	size_t size;
	size_t used;
};

/* What becomes of an event, for all cuts. */
struct crash_fate {
	uint64_t stable_from;  /* moment from which it cannot be missing */
	uint64_t suspect_from; /* moment from which it can be forgotten */
};

/* That an event touches a cell. Sorted by cell, then event. */
struct crash_touch {
	uint64_t sector;
	size_t event;
};

/* A sector, or the size, that the run touches. */
struct crash_cell {
	uint64_t sector;
	size_t first; /* of its touches */
	size_t count;
};

struct crash_run {
	/* Set by the owner. */
	const struct crash_event *events; /* sorted by `begun`; they stay where they are */
	size_t nr_events;
	uint64_t size; /* bytes of the image at first */
	/* Stores what a sector held at first; NULL: zeroes. */
	void (*read_initial)(void *context, uint64_t sector, unsigned char bytes[CRASH_SECTOR]);
	void *context;

	/* Set by crash_run_prepare(); in its memory. */
	struct crash_fate *fates;
	struct crash_touch *touches;
	size_t nr_touches;
	struct crash_cell *cells; /* sorted; the size, if it changes, is the last */
	size_t nr_cells;
};

/* Some content of a cell. Of CRASH_SIZE_CELL see crash_content_size(). */
struct crash_content {
	uint64_t hash;
	bool allowed;
	unsigned char bytes[CRASH_SECTOR];
};

/* The contents that a cell may have; all differ. */
struct crash_contents {
	const struct crash_content *content;
	size_t count;
	size_t oldest; /* index of the one with as few changes as can be */
	size_t newest; /* and with all */
};

/* Which of the allowed contents are wanted; see crash_contents_find(). */
enum crash_filter {
	CRASH_ANY,
	CRASH_WITH,    /* those in which the event has its place */
	CRASH_WITHOUT, /* those that it has no part in */
};

/* Works out what does not depend on the cut. The memory is used for as long as the run is. CRASH_OK or a code. */
int crash_run_prepare(struct crash_run *run, struct crash_memory *memory);

/* Bytes of memory that crash_run_prepare() needs at most, or SIZE_MAX: for the events are bad or too large. */
size_t crash_run_memory(const struct crash_run *run);

/* Index of the cell, or run->nr_cells: that sector was never touched. */
size_t crash_run_find(const struct crash_run *run, uint64_t sector);

/*
 * What a cell may hold after a power cut at the moment `cut`: calls that had begun before it were at least under way,
 * those that had returned before it were over. Takes memory for the contents, and some more for its work. CRASH_OK or
 * CRASH_NO_ROOM. There is always one at least.
 */
int crash_contents(const struct crash_run *run, size_t cell, uint64_t cut, struct crash_memory *memory,
		   struct crash_contents *contents);

/*
 * The same for a part of them, as `filter` says of `event`. There may be none: with CRASH_WITHOUT for what cannot be
 * missing, with CRASH_WITH for what has no effect any more.
 */
int crash_contents_find(const struct crash_run *run, size_t cell, uint64_t cut, enum crash_filter filter, size_t event,
			struct crash_memory *memory, struct crash_contents *contents);

/* Index of the content that is equal to these bytes, or `count`. */
size_t crash_contents_index(const struct crash_contents *contents, const unsigned char bytes[CRASH_SECTOR]);

/* Index of one of them as the seed chooses for this sector: of any, but often the oldest or the newest. */
size_t crash_contents_sample(const struct crash_contents *contents, uint64_t sector, uint64_t seed);

/* The size that a content of CRASH_SIZE_CELL says. */
uint64_t crash_content_size(const struct crash_content *content);

/* Takes `count` objects of `size` bytes from the front of the memory; NULL if they do not fit. */
void *crash_memory_take(struct crash_memory *memory, size_t count, size_t size);

#endif
