/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library to be preloaded (LD_PRELOAD) into a program: it logs what the program does to some files (RDISK_CRASH_LOG,
 * RDISK_CRASH_FILES: crash_log_file.c), so that what a power cut would have left of them can be worked out.
 *
 * logged       calls
 * WRITE        pwrite pwritev pwritev2; stable with RWF_DSYNC or RWF_SYNC, or if the file was opened so
 * ZERO         fallocate that punches a hole or zeroes a range
 * FLUSH        fdatasync fsync syncfs (of all logged files of that file system)
 * RESIZE       ftruncate
 * GROW         fallocate that may make the file larger
 * SYNC_RANGE   sync_file_range
 *
 * Not logged, as nothing that is tested with this changes its files so: write(), mappings, io_uring, copies from file
 * to file, and files that are renamed. A fallocate() that moves data ends the program.
 *
 * The data of a write are copied before it is logged, and the copy is written: what is in the log is what is in the
 * file, also when somebody changes the memory meanwhile. With RDISK_CRASH_FAULT the library does wrong (crash_fault.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crash_fault.h"
#include "crash_log_file.h"
#include "next_function.h"

/* Of each file: the call of a flush that was begun too early and waits for the next; 0: none. */
static atomic_uint_fast64_t early_flushes[CRASH_RECORD_FILES];

/* A call's result as the log has it. */
static int64_t result_of(ssize_t returned)
{
	return returned < 0 ? -errno : returned;
}

/* ---- writes ---- */

/* How the call behind this library is made. */
typedef ssize_t write_function(int fd, const struct iovec *vector, int count, off_t position, int flags);

static ssize_t write_plain(int fd, const struct iovec *vector, int count, off_t position, int flags)
{
	NEXT(pwritev)
	(void)flags;
	return next(fd, vector, count, position);
}

static ssize_t write_with_flags(int fd, const struct iovec *vector, int count, off_t position, int flags)
{
	NEXT(pwritev2)
	return next(fd, vector, count, position, flags);
}

static bool opened_stable(int fd)
{
	long flags = syscall(SYS_fcntl, fd, F_GETFL, 0);

	return flags >= 0 && (flags & O_DSYNC);
}

static size_t length_of(const struct iovec *vector, int count)
{
	size_t length = 0;

	for (int i = 0; i < count; i++)
		if (__builtin_add_overflow(length, vector[i].iov_len, &length) || length > INT32_MAX)
			crash_log_die("a logged file is written in pieces that are too large");
	return length;
}

static void begin_early_flush(int file)
{
	uint64_t call;

	if (!crash_fault_meets(CRASH_FAULT_SYNC_EARLY) ||
	    atomic_load_explicit(&early_flushes[file], memory_order_relaxed))
		return;
	call = crash_file_begin(file, CRASH_CALL_FLUSH, 0, 0, 0, NULL, 0);
	/* relaxed: it carries nothing but itself */
	atomic_store_explicit(&early_flushes[file], call, memory_order_relaxed);
}

/* Writes the copy of what was to be written, which is `vector` if not all of that could be copied. */
static ssize_t write_copy(int file, int fd, const struct iovec *vector, int count, off_t position, int flags,
			  write_function *next, size_t length, const struct iovec *copy)
{
	bool stable = flags & (RWF_DSYNC | RWF_SYNC) || opened_stable(fd);
	bool silent = crash_fault_meets(CRASH_FAULT_WRITE_SILENT);
	uint64_t call = 0;
	ssize_t result;

	if (crash_fault_meets(CRASH_FAULT_WRITE_LOST))
		return (ssize_t)length;
	if (crash_fault_meets(CRASH_FAULT_WRITE_WRONG))
		*(unsigned char *)copy->iov_base ^= 0xff;
	if (stable && crash_fault_meets(CRASH_FAULT_SYNC_LOST)) {
		flags &= ~(RWF_DSYNC | RWF_SYNC);
		stable = false;
	}
	if (!silent)
		call = crash_file_begin(file, CRASH_CALL_WRITE, stable ? CRASH_RECORD_STABLE : 0, (uint64_t)position,
					length, copy->iov_base, copy->iov_len);
	begin_early_flush(file);
	result =
		copy->iov_len == length ? next(fd, copy, 1, position, flags) : next(fd, vector, count, position, flags);
	if (!silent)
		crash_file_end(file, CRASH_CALL_WRITE, call, result_of(result));
	return result;
}

static ssize_t write_logged(int fd, const struct iovec *vector, int count, off_t position, int flags,
			    write_function *next)
{
	int file = crash_file_of(fd);
	size_t length = file < 0 ? 0 : length_of(vector, count);
	struct iovec copy = { .iov_len = length };
	ssize_t result;
	long copied;
	int saved;

	if (length == 0)
		return next(fd, vector, count, position, flags);
	if (position < 0 || flags & RWF_APPEND)
		crash_log_die("a logged file is written where its offset or its end is");
	copy.iov_base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy.iov_base == MAP_FAILED)
		crash_log_die("no memory");
	/* A system call: the memory can be such that a load from it would raise SIGBUS. */
	copied = syscall(SYS_process_vm_readv, getpid(), &copy, 1UL, vector, (unsigned long)count, 0UL);
	copy.iov_len = copied > 0 ? (size_t)copied : 0;
	result = write_copy(file, fd, vector, count, position, flags, next, length, &copy);
	saved = errno;
	(void)munmap(copy.iov_base, length);
	errno = saved;
	return result;
}

ssize_t pwrite(int fd, const void *buffer, size_t length, off_t position)
{
	const struct iovec vector = { (void *)(uintptr_t)buffer, length };

	return write_logged(fd, &vector, 1, position, 0, write_plain);
}

ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t position)
{
	return write_logged(fd, vector, count, position, 0, write_plain);
}

ssize_t pwritev2(int fd, const struct iovec *vector, int count, off_t position, int flags)
{
	return write_logged(fd, vector, count, position, flags, write_with_flags);
}

ssize_t pwrite64(int fd, const void *buffer, size_t length, off64_t position) __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *vector, int count, off64_t position) __attribute__((alias("pwritev")));
ssize_t pwritev64v2(int fd, const struct iovec *vector, int count, off64_t position, int flags)
	__attribute__((alias("pwritev2")));

/* ---- what makes stable ---- */

static int sync_logged(int fd, int (*next)(int fd))
{
	int file = crash_file_of(fd);
	uint64_t call;
	int result;

	if (file < 0)
		return next(fd);
	if (crash_fault_meets(CRASH_FAULT_SYNC_LOST))
		return 0;
	call = atomic_exchange_explicit(&early_flushes[file], 0, memory_order_relaxed);
	if (!call)
		call = crash_file_begin(file, CRASH_CALL_FLUSH, 0, 0, 0, NULL, 0);
	if (crash_fault_meets(CRASH_FAULT_SYNC_HIDDEN)) {
		crash_file_end(file, CRASH_CALL_FLUSH, call, -EIO);
		return 0;
	}
	if (crash_fault_meets(CRASH_FAULT_SYNC_FAILED)) {
		errno = EIO;
		result = -1;
	} else {
		result = next(fd);
	}
	crash_file_end(file, CRASH_CALL_FLUSH, call, result_of(result));
	return result;
}

int fdatasync(int fd)
{
	NEXT(fdatasync)
	return sync_logged(fd, next);
}

int fsync(int fd)
{
	NEXT(fsync)
	return sync_logged(fd, next);
}

int syncfs(int fd)
{
	NEXT(syncfs)
	uint64_t flushes[CRASH_RECORD_FILES];
	int result;

	if (crash_file_on_same_system(fd, 0) >= 0 && crash_fault_meets(CRASH_FAULT_SYNC_LOST))
		return 0;
	for (int file = -1; (file = crash_file_on_same_system(fd, file + 1)) >= 0;)
		flushes[file] = crash_file_begin(file, CRASH_CALL_FLUSH, 0, 0, 0, NULL, 0);
	result = next(fd);
	for (int file = -1; (file = crash_file_on_same_system(fd, file + 1)) >= 0;)
		crash_file_end(file, CRASH_CALL_FLUSH, flushes[file], result_of(result));
	return result;
}

int sync_file_range(int fd, off64_t position, off64_t length, unsigned int flags)
{
	NEXT(sync_file_range)
	int file = crash_file_of(fd);
	uint64_t call;
	int result;

	if (file < 0)
		return next(fd, position, length, flags);
	call = crash_file_begin(file, CRASH_CALL_SYNC_RANGE, 0, (uint64_t)position, (uint64_t)length, NULL, 0);
	result = next(fd, position, length, flags);
	crash_file_end(file, CRASH_CALL_SYNC_RANGE, call, result_of(result));
	return result;
}

/* ---- what changes without data ---- */

int fallocate(int fd, int mode, off_t position, off_t length)
{
	NEXT(fallocate)
	bool zeroes = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
	enum crash_record_call what = zeroes ? CRASH_CALL_ZERO : CRASH_CALL_GROW;
	int file = crash_file_of(fd);
	uint64_t call;
	int result;

	if (file < 0 || position < 0 || length <= 0 || (!zeroes && mode & FALLOC_FL_KEEP_SIZE))
		return next(fd, mode, position, length);
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) || (zeroes && !(mode & FALLOC_FL_KEEP_SIZE)))
		crash_log_die("fallocate() moves a logged file's data, or zeroes them beyond its end");
	if (crash_fault_meets(CRASH_FAULT_ZERO_LOST))
		return 0;
	if (zeroes)
		call = crash_file_begin(file, what, 0, (uint64_t)position, (uint64_t)length, NULL, 0);
	else
		call = crash_file_begin(file, what, 0, 0, (uint64_t)position + (uint64_t)length, NULL, 0);
	result = next(fd, mode, position, length);
	crash_file_end(file, what, call, result_of(result));
	return result;
}

int ftruncate(int fd, off_t length)
{
	NEXT(ftruncate)
	int file = length >= 0 ? crash_file_of(fd) : -1;
	uint64_t call;
	int result;

	if (file < 0)
		return next(fd, length);
	call = crash_file_begin(file, CRASH_CALL_RESIZE, 0, 0, (uint64_t)length, NULL, 0);
	result = next(fd, length);
	crash_file_end(file, CRASH_CALL_RESIZE, call, result_of(result));
	return result;
}

int fallocate64(int fd, int mode, off64_t position, off64_t length) __attribute__((alias("fallocate")));
int ftruncate64(int fd, off64_t length) __attribute__((alias("ftruncate")));
