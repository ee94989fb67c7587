/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger; see ledger.h. An entry: bits 0 to 30 the newest change that was begun, bit 31 zeroes may be there,
 * bits 32 to 62 the oldest that may be there (0: also what was there before the first), bit 63 anything may be there.
 */
#include "ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stamp.h"

#define SEQUENCE     UINT64_C(0x7fffffff)
#define MAY_BE_ZERO  (UINT64_C(1) << 31)
#define OLDEST_SHIFT 32
#define MAY_BE_ANY   (UINT64_C(1) << 63)

#define AREA	     UINT64_C(8192) /* blocks that one element of `changed` stands for */
#define GAP	     128	    /* blocks: what was not changed is read with its neighbours if it is no longer */

static_assert(LEDGER_BLOCK == STAMP_SIZE, "a block has one stamp");

static uint32_t newest_of(uint64_t entry)
{
	return (uint32_t)(entry & SEQUENCE);
}

static uint32_t oldest_of(uint64_t entry)
{
	return (uint32_t)(entry >> OLDEST_SHIFT & SEQUENCE);
}

static const char *temporary_directory(void)
{
	const char *directory = getenv("TMPDIR");

	return directory && *directory ? directory : "/var/tmp";
}

/*
 * The file is sparse: when its file system is full, the touch of a new page raises SIGBUS. Nothing else that is mapped
 * here can.
 */
static void no_room(int number)
{
	static const char text[] =
		"rdisk-replay: no room for the temporary file of --verify; TMPDIR names another place for it\n";

	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)number;
	(void)written; /* or not: the status tells it as well */
	_exit(2);
}

/* Not every file system has O_TMPFILE. */
static int unnamed_file(const char *directory)
{
	char name[4096];
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) ||
	    snprintf(name, sizeof(name), "%s/rdisk-replay.XXXXXX", directory) >= (int)sizeof(name))
		return fd;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(name);
	return fd;
}

int ledger_open(struct ledger *ledger, uint64_t size, struct diagnostic *diagnostic)
{
	const char *directory = temporary_directory();
	void *mapping = MAP_FAILED;
	size_t bytes;
	int fd;

	*ledger = (struct ledger){ .blocks = size / LEDGER_BLOCK + (size % LEDGER_BLOCK != 0) };
	if (ledger->blocks == 0)
		return diagnostic_set(diagnostic, "the disk is empty: there is nothing to verify");
	bytes = ledger->blocks * sizeof(uint64_t);
	ledger->changed = calloc(ledger->blocks / AREA + 1, sizeof(*ledger->changed));
	if (!ledger->changed)
		return diagnostic_set(diagnostic, "out of memory");
	fd = unnamed_file(directory);
	if (fd >= 0 && !ftruncate(fd, (off_t)bytes))
		mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapping != MAP_FAILED) {
		ledger->entries = mapping;
		(void)signal(SIGBUS, no_room);
		(void)close(fd);
		return 0;
	}
	diagnostic_set(diagnostic,
		       "cannot make a temporary file of %zu bytes (sparse) in %s to verify with: %s; TMPDIR names "
		       "another place",
		       bytes, directory, strerror(errno));
	ledger_close(ledger);
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger->entries)
		(void)munmap(ledger->entries, ledger->blocks * sizeof(uint64_t));
	ledger->entries = NULL;
	free(ledger->changed);
	ledger->changed = NULL;
}

void ledger_begin(struct ledger *ledger, uint64_t position, uint64_t length, uint32_t sequence,
		  enum ledger_change change)
{
	uint64_t flags = change == LEDGER_ZEROES ? MAY_BE_ZERO : change == LEDGER_DISCARD ? MAY_BE_ANY : 0;
	uint64_t *entry = &ledger->entries[position / LEDGER_BLOCK];

	for (uint64_t area = position / LEDGER_BLOCK / AREA; area * AREA * LEDGER_BLOCK < position + length; area++)
		ledger->changed[area] = true;
	for (uint64_t i = 0; i < length / LEDGER_BLOCK; i++)
		entry[i] = (entry[i] & ~SEQUENCE) | sequence | flags;
}

void ledger_answer(struct ledger *ledger, uint64_t position, uint64_t length, uint32_t floor, enum ledger_change change,
		   bool raced)
{
	/* What was there before it is gone now; unless something else may have come in between. */
	uint64_t gone = raced || change == LEDGER_DISCARD ? 0 : MAY_BE_ANY | (change == LEDGER_DATA ? MAY_BE_ZERO : 0);
	uint64_t *entry = &ledger->entries[position / LEDGER_BLOCK];

	for (uint64_t i = 0; i < length / LEDGER_BLOCK; i++) {
		if (change != LEDGER_DISCARD && floor > oldest_of(entry[i]))
			entry[i] = (entry[i] & ~(SEQUENCE << OLDEST_SHIFT)) | (uint64_t)floor << OLDEST_SHIFT;
		entry[i] &= ~gone;
	}
}

/* "write 5", "one of the writes 5 to 7", ... */
static void describe_expected(uint64_t entry, bool all_begun, char *text, size_t size)
{
	uint32_t oldest = oldest_of(entry), newest = newest_of(entry);
	const char *zeroes = entry & MAY_BE_ZERO ? " or zeroes" : "";

	if (all_begun)
		(void)snprintf(text, size, "write %" PRIu32 " or a later one%s", oldest, zeroes);
	else if (oldest == newest)
		(void)snprintf(text, size, "write %" PRIu32 "%s", newest, zeroes);
	else
		(void)snprintf(text, size, "one of the writes %" PRIu32 " to %" PRIu32 "%s", oldest, newest, zeroes);
}

static enum ledger_verdict wrong(uint64_t position, const char *expected, const char *found, struct diagnostic *why)
{
	diagnostic_set(why, "wrong data at position %" PRIu64 ": expected %s, found %s", position, expected, found);
	return LEDGER_WRONG;
}

static void describe_found(const struct stamp *stamp, uint64_t position, char *text, size_t size)
{
	switch (stamp->kind) {
	case STAMP_GOOD:
		if (stamp->position == position)
			(void)snprintf(text, size, "write %" PRIu64, stamp->sequence);
		else
			(void)snprintf(text, size, "write %" PRIu64 " of position %" PRIu64, stamp->sequence,
				       stamp->position);
		break;
	case STAMP_ZEROES:
		(void)snprintf(text, size, "zeroes");
		break;
	case STAMP_BROKEN:
		(void)snprintf(text, size, "a write with a wrong checksum");
		break;
	case STAMP_FOREIGN:
		(void)snprintf(text, size, "a write of another replay (seed %" PRIu64 ")", stamp->seed);
		break;
	case STAMP_NONE:
		(void)snprintf(text, size, "data of no replay");
		break;
	}
}

enum ledger_verdict ledger_look(const struct ledger *ledger, const struct ledger_check *check, uint64_t position,
				const void *block, struct diagnostic *why)
{
	uint64_t entry = ledger->entries[position / LEDGER_BLOCK];
	struct stamp stamp = stamp_look(block, check->seed);
	char expected[128], found[128];
	bool right;

	describe_found(&stamp, position, found, sizeof(found));
	/* A write of this replay that is in the wrong place is wrong whatever else is known. */
	if (stamp.kind == STAMP_GOOD && stamp.position != position)
		return wrong(position, newest_of(entry) ? "none of another place" : "none of this replay", found, why);
	if (newest_of(entry) == 0)
		return LEDGER_UNTOUCHED;
	if (entry & MAY_BE_ANY)
		return LEDGER_UNKNOWN;
	if (stamp.kind == STAMP_GOOD)
		right = stamp.sequence >= oldest_of(entry) && (check->all_begun || stamp.sequence <= newest_of(entry));
	else if (oldest_of(entry) == 0)
		return LEDGER_UNKNOWN;
	else
		right = stamp.kind == STAMP_ZEROES && entry & MAY_BE_ZERO;
	if (right)
		return LEDGER_RIGHT;
	describe_expected(entry, check->all_begun, expected, sizeof(expected));
	return wrong(position, expected, found, why);
}

/* The first block from `block` on that was changed, or ledger->blocks. */
static uint64_t next_changed(const struct ledger *ledger, uint64_t block)
{
	while (block < ledger->blocks) {
		if (!ledger->changed[block / AREA])
			block = (block / AREA + 1) * AREA;
		else if (newest_of(ledger->entries[block]))
			return block;
		else
			block++;
	}
	return ledger->blocks;
}

bool ledger_next(const struct ledger *ledger, uint64_t *position, uint64_t *length, uint64_t most)
{
	uint64_t first = next_changed(ledger, *position / LEDGER_BLOCK), last = first, block = first;

	if (first >= ledger->blocks)
		return false;
	while (block < ledger->blocks && block - first < most / LEDGER_BLOCK && block - last <= GAP) {
		last = block;
		block = next_changed(ledger, block + 1);
	}
	*position = first * LEDGER_BLOCK;
	*length = (last - first + 1) * LEDGER_BLOCK;
	return true;
}
