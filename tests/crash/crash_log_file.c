/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Appends records; see crash_log_file.h. RDISK_CRASH_LOG names the log, to which several processes may add one after
 * the other, RDISK_CRASH_FILES the files, separated by colons. They need not exist yet.
 */
#include "crash_log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECTOR	 512
#define CHUNK	 65536 /* bytes of what was there before that go into one record */
#define FIRST_FD 3     /* the standard descriptors are the program's, also when it was started without */

/* A file of RDISK_CRASH_FILES. All of it belongs to who holds the lock, but the path, which does not change. */
struct file {
	char path[CRASH_RECORD_PATH];
	bool met; /* the rest counts */
	uint32_t number;
	int fd; /* to read what was there */
	dev_t device;
	ino_t inode;
	uint64_t nr_sectors; /* at first */
	unsigned char *kept; /* a bit each: what was there is in the log, or was asked for; NULL: there are none */
};

/* Set once by the constructor, before the program has threads. */
static int log_fd = -1;
static uint64_t process;
static int nr_files;
static struct file files[CRASH_RECORD_FILES];

/* Of who holds the lock. */
static uint32_t nr_met;
static uint64_t calls;
static unsigned char chunk[CHUNK];

/*
 * A lock that no sanitizer sees: it would order the program's own threads, and so hide that they do not. 0: free, 1:
 * held, 2: held and waited for.
 */
static atomic_int lock_word;

_Noreturn void crash_log_die(const char *message)
{
	struct iovec line[3] = { { (void *)(uintptr_t) "crash_log: ", 11 },
				 { (void *)(uintptr_t)message, strlen(message) },
				 { (void *)(uintptr_t) "\n", 1 } };

	(void)syscall(SYS_writev, STDERR_FILENO, line, 3);
	abort();
}

static void lock(void)
{
	int word = 0;

	/* acquire, with the release of unlock(): what the holder before has done */
	if (atomic_compare_exchange_strong_explicit(&lock_word, &word, 1, memory_order_acquire, memory_order_relaxed))
		return;
	while (atomic_exchange_explicit(&lock_word, 2, memory_order_acquire))
		(void)syscall(SYS_futex, &lock_word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

static void unlock(void)
{
	if (atomic_exchange_explicit(&lock_word, 0, memory_order_release) == 2)
		(void)syscall(SYS_futex, &lock_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Writes all of it behind the end of the log. */
static void append(struct crash_record *record, const void *payload, size_t length)
{
	struct iovec vector[2] = { { record, sizeof(*record) }, { (void *)(uintptr_t)payload, length } };

	record->magic = CRASH_RECORD_MAGIC;
	record->process = process;
	record->time_ns = now_ns();
	record->payload = length;
	while (vector[0].iov_len + vector[1].iov_len > 0) {
		long done = syscall(SYS_writev, log_fd, vector, 2);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			crash_log_die("the log cannot be written");
		for (int i = 0; i < 2; i++) {
			size_t part = (size_t)done < vector[i].iov_len ? (size_t)done : vector[i].iov_len;

			vector[i].iov_base = (char *)vector[i].iov_base + part;
			vector[i].iov_len -= part;
			done -= (long)part;
		}
	}
}

/* Bytes of the log up to the end of its last whole record: a process that was killed may have left a part of one. */
static uint64_t whole_length(int fd)
{
	uint64_t length = 0, next = 0;
	struct stat status;
	struct crash_record record;

	if (fstat(fd, &status))
		crash_log_die("the log cannot be asked for its size");
	while (next <= (uint64_t)status.st_size) {
		length = next;
		if (syscall(SYS_pread64, fd, &record, sizeof(record), length) != (long)sizeof(record))
			break;
		if (record.magic != CRASH_RECORD_MAGIC)
			crash_log_die("the file that is to be the log is none");
		if (__builtin_add_overflow(length + sizeof(record), record.payload, &next))
			break;
	}
	return length;
}

static void open_log(const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	long moved;

	if (fd < 0)
		crash_log_die("the log cannot be opened");
	moved = fd < FIRST_FD ? syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FIRST_FD) : fd;
	if (moved < 0 || syscall(SYS_ftruncate, moved, whole_length((int)moved)))
		crash_log_die("the log cannot be used");
	if (moved != fd)
		(void)syscall(SYS_close, fd);
	log_fd = (int)moved;
}

__attribute__((constructor)) static void read_environment(void)
{
	const char *log = getenv("RDISK_CRASH_LOG");
	const char *names = getenv("RDISK_CRASH_FILES");

	if (!log || !names)
		return;
	process = now_ns() << 8 ^ (uint64_t)getpid();
	for (const char *name = names; *name;) {
		size_t length = strcspn(name, ":");

		if (nr_files == CRASH_RECORD_FILES || length >= CRASH_RECORD_PATH)
			crash_log_die("RDISK_CRASH_FILES has too many names, or too long ones");
		memcpy(files[nr_files++].path, name, length);
		name += length;
		name += *name == ':';
	}
	open_log(log);
}

/* The lock is held. */
static void meet(struct file *file, const struct stat *status)
{
	struct crash_record record = { .kind = CRASH_RECORD_FILE };

	file->fd = (int)syscall(SYS_openat, AT_FDCWD, file->path, O_RDONLY | O_CLOEXEC, 0);
	if (file->fd < 0)
		crash_log_die("a file that is to be logged cannot be read");
	file->device = status->st_dev;
	file->inode = status->st_ino;
	file->nr_sectors = ((uint64_t)status->st_size + SECTOR - 1) / SECTOR;
	if (file->nr_sectors > 0) {
		file->kept = mmap(NULL, (size_t)(file->nr_sectors + 7) / 8, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (file->kept == MAP_FAILED)
			crash_log_die("no memory");
	}
	file->number = nr_met++;
	file->met = true;
	record.file = file->number;
	record.position = file->inode;
	record.length = (uint64_t)status->st_size;
	append(&record, file->path, strlen(file->path));
}

int crash_file_of(int fd)
{
	int saved = errno;
	struct stat status, named;
	int found = -1;

	if (log_fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode))
		goto out;
	lock();
	for (int i = 0; i < nr_files && found < 0; i++) {
		struct file *file = &files[i];

		if (file->met) {
			if (file->device == status.st_dev && file->inode == status.st_ino)
				found = i;
		} else if (!stat(file->path, &named) && named.st_dev == status.st_dev &&
			   named.st_ino == status.st_ino) {
			meet(file, &status);
			found = i;
		}
	}
	unlock();
out:
	errno = saved;
	return found;
}

int crash_file_on_same_system(int fd, int file)
{
	int saved = errno;
	struct stat status;
	int found = -1;

	if (log_fd < 0 || fstat(fd, &status))
		goto out;
	lock();
	for (; file < nr_files && found < 0; file++)
		if (files[file].met && files[file].device == status.st_dev)
			found = file;
	unlock();
out:
	errno = saved;
	return found;
}

/* ---- what was there before ---- */

static bool is_kept(const struct file *file, uint64_t sector)
{
	return file->kept[sector / 8] >> (sector % 8) & 1;
}

/* Logs bytes from `from` to `to` (whole sectors, or up to the end of the file). */
static void keep_bytes(const struct file *file, uint64_t from, uint64_t to)
{
	while (from < to) {
		size_t wanted = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
		struct crash_record record = { .kind = CRASH_RECORD_INITIAL, .file = file->number, .position = from };
		long got = syscall(SYS_pread64, file->fd, chunk, wanted, from);

		if (got < 0)
			crash_log_die("a file that is logged cannot be read");
		if (got == 0)
			return;
		record.length = (uint64_t)got;
		append(&record, chunk, (size_t)got);
		from += (uint64_t)got;
	}
}

/* The same, without holes: what has no record was zero. */
static void keep_data(const struct file *file, uint64_t from, uint64_t to)
{
	while (from < to) {
		long data = syscall(SYS_lseek, file->fd, from, SEEK_DATA);
		long hole;

		if (data < 0 && errno == ENXIO)
			return;
		/* A file system that knows no holes. */
		if (data < 0)
			data = (long)from;
		hole = syscall(SYS_lseek, file->fd, data, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > to)
			hole = (long)to;
		if ((uint64_t)data < to)
			keep_bytes(file, (uint64_t)data / SECTOR * SECTOR, (uint64_t)hole);
		from = (uint64_t)hole;
	}
}

/* Sees to it that what a change of the range takes away is in the log. */
static void keep(const struct file *file, uint64_t position, uint64_t length)
{
	uint64_t sector = position / SECTOR;
	uint64_t end = file->nr_sectors;

	if (length == 0)
		return;
	/* (position + length) may be more than a number holds. */
	if (length - 1 < UINT64_MAX - position && (position + length - 1) / SECTOR + 1 < end)
		end = (position + length - 1) / SECTOR + 1;
	while (sector < end) {
		uint64_t first = sector;

		while (sector < end && !is_kept(file, sector)) {
			file->kept[sector / 8] |= (unsigned char)(1u << (sector % 8));
			sector++;
		}
		if (sector > first)
			keep_data(file, first * SECTOR, sector * SECTOR);
		while (sector < end && is_kept(file, sector))
			sector++;
	}
}

/* ---- calls ---- */

uint64_t crash_file_begin(int file, enum crash_record_call what, uint32_t flags, uint64_t position, uint64_t length,
			  const void *data, size_t payload)
{
	int saved = errno;
	struct crash_record record = { .kind = CRASH_RECORD_BEGIN,
				       .what = (uint16_t)what,
				       .flags = flags,
				       .position = position,
				       .length = length };

	lock();
	if (what == CRASH_CALL_WRITE || what == CRASH_CALL_ZERO)
		keep(&files[file], position, length);
	else if (what == CRASH_CALL_RESIZE)
		keep(&files[file], length, UINT64_MAX);
	record.file = files[file].number;
	record.call = ++calls;
	append(&record, data, payload);
	unlock();
	errno = saved;
	return record.call;
}

void crash_file_end(int file, enum crash_record_call what, uint64_t call, int64_t result)
{
	int saved = errno;
	struct crash_record record = {
		.kind = CRASH_RECORD_END, .what = (uint16_t)what, .call = call, .result = result
	};

	lock();
	record.file = files[file].number;
	append(&record, NULL, 0);
	unlock();
	errno = saved;
}
