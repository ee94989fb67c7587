/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing the journal; see journal.h. Records are stored into a mapped window of the file, whose space is
 * allocated before: a record costs no system call, and a full disk is an error instead of a SIGBUS.
 */
#include "journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "journal_format.h"

#define WINDOW_SIZE (UINT64_C(4) << 20)

static int failed(const struct journal *journal, const char *what, int error, struct diagnostic *diagnostic)
{
	return diagnostic_set(diagnostic, "journal %s: cannot %s: %s", journal->name, what, strerror(error));
}

static int map_window(struct journal *journal, struct diagnostic *diagnostic)
{
	int error = posix_fallocate(journal->fd, (off_t)journal->window_at, (off_t)WINDOW_SIZE);
	void *mapping;

	if (error)
		return failed(journal, "allocate space", error, diagnostic);
	mapping = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, journal->fd, (off_t)journal->window_at);
	if (mapping == MAP_FAILED)
		return failed(journal, "map it", errno, diagnostic);
	journal->window = mapping;
	return 0;
}

static void unmap_window(struct journal *journal)
{
	if (journal->window)
		(void)munmap(journal->window, WINDOW_SIZE);
	journal->window = NULL;
}

static int sync_journal(const struct journal *journal, struct diagnostic *diagnostic)
{
	return fdatasync(journal->fd) ? failed(journal, "write it to the disk", errno, diagnostic) : 0;
}

/* The name must be found after a crash as well. */
static int sync_directory(const struct journal *journal, struct diagnostic *diagnostic)
{
	char *copy = strdup(journal->name);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int status = fd < 0 || fsync(fd) ? failed(journal, "write its directory to the disk", errno, diagnostic) : 0;

	if (fd >= 0)
		(void)close(fd);
	free(copy);
	return status;
}

int journal_create(struct journal *journal, const char *name, uint64_t seed, uint64_t size,
		   struct diagnostic *diagnostic)
{
	struct journal_header header = {
		.magic = htole64(JOURNAL_MAGIC),
		.version = htole32(JOURNAL_VERSION),
		.block = htole32(LEDGER_BLOCK),
		.seed = htole64(seed),
		.size = htole64(size),
	};

	*journal = (struct journal){ .fd = -1 };
	if (snprintf(journal->name, sizeof(journal->name), "%s", name) >= (int)sizeof(journal->name))
		return diagnostic_set(diagnostic, "the name of the journal is too long");
	journal->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (journal->fd < 0)
		return errno == EEXIST ? diagnostic_set(diagnostic,
							"journal %s exists: remove it or name another; what it says "
							"can be checked with --verify-only",
							name)
				       : failed(journal, "create it", errno, diagnostic);
	header.check = htole64(XXH3_64bits(&header, offsetof(struct journal_header, check)));
	if (map_window(journal, diagnostic))
		goto fail;
	memcpy(journal->window, &header, sizeof(header));
	journal->used = JOURNAL_HEADER_SIZE;
	if (sync_journal(journal, diagnostic) || sync_directory(journal, diagnostic))
		goto fail;
	return 0;
fail:
	journal_close(journal);
	(void)unlink(name); /* ours, and good for nothing */
	return -1;
}

static int append(struct journal *journal, struct journal_record record, struct diagnostic *diagnostic)
{
	record.length |= htole64(journal_record_check(&record) << JOURNAL_CHECK_SHIFT);
	if (journal->used == WINDOW_SIZE) {
		unmap_window(journal);
		journal->window_at += WINDOW_SIZE;
		journal->used = 0;
		if (map_window(journal, diagnostic))
			return -1;
	}
	memcpy(journal->window + journal->used, &record, sizeof(record));
	journal->used += sizeof(record);
	return 0;
}

static int append_change(struct journal *journal, uint32_t kind, const struct journal_change *change,
			 struct diagnostic *diagnostic)
{
	const struct journal_record record = {
		.kind = htole32(kind),
		.flags = htole32((change->stable ? JOURNAL_STABLE : 0) | (change->raced ? JOURNAL_RACED : 0) |
				 (uint32_t)change->change << JOURNAL_CHANGE_SHIFT),
		.position = htole64(change->position),
		.length = htole64(change->length),
		.sequence = htole32(change->sequence),
		.floor = htole32(change->floor),
	};

	if (!journal->window)
		return failed(journal, "go on", EIO, diagnostic);
	if (change->length > JOURNAL_LENGTH_MAX)
		return diagnostic_set(diagnostic, "journal %s: a change of %llu bytes is too long for it",
				      journal->name, (unsigned long long)change->length);
	return append(journal, record, diagnostic);
}

int journal_begun(struct journal *journal, const struct journal_change *change, struct diagnostic *diagnostic)
{
	if (append_change(journal, JOURNAL_BEGUN, change, diagnostic))
		return -1;
	return sync_journal(journal, diagnostic);
}

int journal_answered(struct journal *journal, const struct journal_change *change, struct diagnostic *diagnostic)
{
	if (append_change(journal, JOURNAL_ANSWERED, change, diagnostic))
		return -1;
	journal->answers++;
	return 0;
}

int journal_flushed(struct journal *journal, uint64_t answers, struct diagnostic *diagnostic)
{
	const struct journal_record record = { .kind = htole32(JOURNAL_FLUSHED), .position = htole64(answers) };

	if (!journal->window)
		return failed(journal, "go on", EIO, diagnostic);
	if (append(journal, record, diagnostic))
		return -1;
	return sync_journal(journal, diagnostic);
}

int journal_end(struct journal *journal, struct diagnostic *diagnostic)
{
	const struct journal_record record = { .kind = htole32(JOURNAL_ENDED) };
	int status = -1;

	if (!journal->window)
		(void)failed(journal, "go on", EIO, diagnostic);
	else if (!append(journal, record, diagnostic))
		status = sync_journal(journal, diagnostic);
	journal_close(journal);
	return status;
}

void journal_close(struct journal *journal)
{
	unmap_window(journal);
	if (journal->fd >= 0)
		(void)close(journal->fd);
	journal->fd = -1;
}

void journal_discard(struct journal *journal)
{
	if (journal->fd >= 0)
		(void)unlink(journal->name);
	journal_close(journal);
}
