/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library to be preloaded (LD_PRELOAD) into a program under test: it makes the nth
 * call of one class fail, as RDISK_FAULT tells:
 *
 *   RDISK_FAULT=class:n    the nth call of the process fails (n = 1, 2, ...)
 *   RDISK_FAULT=class:n+   the nth and every later one
 *
 * class         calls                                             what they return
 * malloc        malloc calloc realloc posix_memalign aligned_alloc  ENOMEM
 * open          open openat fopen                                 EMFILE
 * pread         pread preadv preadv2                              EIO
 * pread-short   the same                                          half of what was asked for, done
 * miss          preadv2 with RWF_NOWAIT                           EAGAIN
 * pwrite        pwrite pwritev pwritev2                           EIO
 * pwrite-short  the same                                          half of what was asked for, done
 * fdatasync     fdatasync fsync, pwritev2 with RWF_(D)SYNC        EIO
 * syncfs        syncfs                                            EIO
 * fallocate     fallocate                                         ENOSPC
 * mmap          mmap                                              ENOMEM
 * socket        socket                                            EMFILE
 * sendmsg       sendmsg                                           ENOBUFS
 * recvmsg       recvmsg                                           ENOMEM
 * copy          process_vm_readv process_vm_writev                EFAULT
 * futex         a futex wait through syscall()                    EINTR
 * futex-nomem   the same                                          ENOMEM
 * thread        pthread_create                                    EAGAIN
 * stall         clock_gettime of CLOCK_MONOTONIC_COARSE           what it returned at first, and 100 ms more
 *
 * With a stall that clock does not go on but by that: what was done between the n-1st look at it and the nth has taken
 * 100 ms, and nothing else any time.
 *
 * RDISK_HOLD=PATH or RDISK_HOLD_MS=MS holds things up instead (fault_hold.h). RDISK_FAULT may be set besides.
 *
 * The first fault is told in a line on stderr that begins with FAULT_MET. Waking is left
 * alone: on a mapped word it cannot fail. Calls that the C library makes inside
 * itself are seen where it goes through the public name (malloc), else not. What libconfig
 * allocates while it parses is exempt: before its version 1.7 it uses the memory unchecked, and
 * its users can do nothing about that.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fault_environment.h"
#include "fault_hold.h"
#include "next_function.h"

enum fault_class {
	FAULT_MALLOC,
	FAULT_OPEN,
	FAULT_PREAD,
	FAULT_PREAD_SHORT,
	FAULT_MISS,
	FAULT_PWRITE,
	FAULT_PWRITE_SHORT,
	FAULT_FDATASYNC,
	FAULT_SYNCFS,
	FAULT_FALLOCATE,
	FAULT_MMAP,
	FAULT_SOCKET,
	FAULT_SENDMSG,
	FAULT_RECVMSG,
	FAULT_COPY,
	FAULT_FUTEX,
	FAULT_FUTEX_NOMEM,
	FAULT_THREAD,
	FAULT_STALL,
	NR_FAULT_CLASSES,
};

static const char *const class_names[NR_FAULT_CLASSES] = {
	"malloc",    "open",   "pread",	      "pread-short", "miss",   "pwrite",  "pwrite-short",
	"fdatasync", "syncfs", "fallocate",   "mmap",	     "socket", "sendmsg", "recvmsg",
	"copy",	     "futex",  "futex-nomem", "thread",	     "stall",
};

/* Set once by the constructor, before the program has threads. */
static bool constructed;
static int selected = NR_FAULT_CLASSES;
static long first_fault;
static bool all_later;

static atomic_long calls; /* of the selected class; relaxed: nothing else depends on it */

__attribute__((constructor)) static void read_environment(void)
{
	const char *text = getenv("RDISK_FAULT");
	const char *colon = text ? strchr(text, ':') : NULL;
	char *end;

	constructed = true;
	if (!colon)
		return;
	first_fault = strtol(colon + 1, &end, 10);
	all_later = *end == '+';
	for (int i = 0; i < NR_FAULT_CLASSES; i++)
		if (strlen(class_names[i]) == (size_t)(colon - text) &&
		    !strncmp(class_names[i], text, (size_t)(colon - text)))
			selected = i;
}

/* Calls that this thread is inside of and that allocate what is not the program's: they call each other. */
static __thread int exempt;

/* Counts a call; true if it has to fail. Allocates nothing, changes no errno. */
static bool meets_fault(enum fault_class fault_class)
{
	long number;

	if ((int)fault_class != selected || (exempt && fault_class == FAULT_MALLOC))
		return false;
	number = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
	if (number == first_fault) {
		int saved = errno;
		char line[96];
		int length = snprintf(line, sizeof(line), FAULT_MET "%s call %ld\n", class_names[fault_class], number);

		if (write(STDERR_FILENO, line, (size_t)length) != length)
			abort();
		errno = saved;
	}
	return number == first_fault || (all_later && number > first_fault);
}

/*
 * Memory for whoever allocates before the next malloc is known: dlsym() itself does,
 * and the libraries that are set up before this one. Never given back.
 */
static alignas(16) unsigned char early_memory[65536];
static atomic_size_t early_used;
static __thread bool resolving;

static void *early_allocate(size_t size)
{
	size_t need = (size + 15) & ~(size_t)15;
	size_t at = atomic_fetch_add_explicit(&early_used, need, memory_order_relaxed);

	return at + need <= sizeof(early_memory) ? early_memory + at : NULL;
}

static bool is_early(const void *memory)
{
	return (uintptr_t)memory - (uintptr_t)early_memory < sizeof(early_memory);
}

struct allocator {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *memory, size_t size);
	void (*free)(void *memory);
	int (*posix_memalign)(void **memory, size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
};

/* NULL while it is being looked up, and before: a sanitizer that still sets itself up cannot look anything up. */
static const struct allocator *next_allocator(void)
{
	static struct allocator allocator;
	static atomic_bool known;

	/* acquire and release: who sees `known` sees the addresses */
	if (atomic_load_explicit(&known, memory_order_acquire))
		return &allocator;
	if (resolving || !constructed)
		return NULL;
	resolving = true;
	allocator.malloc = next_function("malloc");
	allocator.calloc = next_function("calloc");
	allocator.realloc = next_function("realloc");
	allocator.free = next_function("free");
	allocator.posix_memalign = next_function("posix_memalign");
	allocator.aligned_alloc = next_function("aligned_alloc");
	atomic_store_explicit(&known, true, memory_order_release);
	resolving = false;
	return &allocator;
}

void *malloc(size_t size)
{
	const struct allocator *next = next_allocator();

	if (!next)
		return early_allocate(size);
	if (meets_fault(FAULT_MALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return next->malloc(size);
}

void *calloc(size_t count, size_t size)
{
	const struct allocator *next = next_allocator();

	if (!next)
		return early_allocate(count * size); /* zeroed, as it is used once only */
	if (meets_fault(FAULT_MALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return next->calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	const struct allocator *next = next_allocator();
	void *moved;

	if (next && meets_fault(FAULT_MALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	if (next && !is_early(memory))
		return next->realloc(memory, size);
	moved = next ? next->malloc(size) : early_allocate(size);
	if (moved && memory) {
		size_t behind = (size_t)(early_memory + sizeof(early_memory) - (unsigned char *)memory);

		/* The old size is not known; what follows it in the arena may be copied as well. */
		memcpy(moved, memory, size < behind ? size : behind);
	}
	return moved;
}

void free(void *memory)
{
	const struct allocator *next;

	if (!memory || is_early(memory))
		return;
	/* All that is not early came from there, so it is known. */
	next = next_allocator();
	if (next)
		next->free(memory);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	const struct allocator *next = next_allocator();

	if (!next || meets_fault(FAULT_MALLOC))
		return ENOMEM;
	return next->posix_memalign(memory, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	const struct allocator *next = next_allocator();

	if (!next || meets_fault(FAULT_MALLOC)) {
		errno = ENOMEM;
		return NULL;
	}
	return next->aligned_alloc(alignment, size);
}

/* Files. */

/* O_TMPFILE has more than one bit. */
#define TAKES_MODE(flags) (((flags)&O_CREAT) || ((flags)&O_TMPFILE) == O_TMPFILE)

#define OPEN_FUNCTION(name)                                                                                            \
	int name(const char *path, int flags, ...)                                                                     \
	{                                                                                                              \
		NEXT(name)                                                                                             \
		mode_t mode = 0;                                                                                       \
		if (TAKES_MODE(flags)) {                                                                               \
			va_list arguments;                                                                             \
			va_start(arguments, flags);                                                                    \
			mode = va_arg(arguments, mode_t);                                                              \
			va_end(arguments);                                                                             \
		}                                                                                                      \
		if (fault_hold_hides(path)) {                                                                          \
			errno = ENOENT;                                                                                \
			return -1;                                                                                     \
		}                                                                                                      \
		if (meets_fault(FAULT_OPEN)) {                                                                         \
			errno = EMFILE;                                                                                \
			return -1;                                                                                     \
		}                                                                                                      \
		return next(path, flags, mode);                                                                        \
	}

#define OPENAT_FUNCTION(name)                                                                                          \
	int name(int directory, const char *path, int flags, ...)                                                      \
	{                                                                                                              \
		NEXT(name)                                                                                             \
		mode_t mode = 0;                                                                                       \
		if (TAKES_MODE(flags)) {                                                                               \
			va_list arguments;                                                                             \
			va_start(arguments, flags);                                                                    \
			mode = va_arg(arguments, mode_t);                                                              \
			va_end(arguments);                                                                             \
		}                                                                                                      \
		if (meets_fault(FAULT_OPEN)) {                                                                         \
			errno = EMFILE;                                                                                \
			return -1;                                                                                     \
		}                                                                                                      \
		return next(directory, path, flags, mode);                                                             \
	}

#define FOPEN_FUNCTION(name)                                                                                           \
	FILE *name(const char *path, const char *mode)                                                                 \
	{                                                                                                              \
		NEXT(name)                                                                                             \
		if (meets_fault(FAULT_OPEN)) {                                                                         \
			errno = EMFILE;                                                                                \
			return NULL;                                                                                   \
		}                                                                                                      \
		return next(path, mode);                                                                               \
	}

OPEN_FUNCTION(open)
OPEN_FUNCTION(open64)
OPENAT_FUNCTION(openat)
OPENAT_FUNCTION(openat64)
FOPEN_FUNCTION(fopen)
FOPEN_FUNCTION(fopen64)

/* Half of a length of at least 2. */
static size_t cut(size_t length)
{
	return length / 2 ? length / 2 : length;
}

#define PLAIN_FUNCTION(name, what, pointer, offset_type, whole, part)                                                  \
	ssize_t name(int fd, pointer buffer, size_t length, offset_type offset)                                        \
	{                                                                                                              \
		NEXT(name)                                                                                             \
		fault_hold(what);                                                                                      \
		if (meets_fault(whole)) {                                                                              \
			errno = EIO;                                                                                   \
			return -1;                                                                                     \
		}                                                                                                      \
		if (meets_fault(part))                                                                                 \
			length = cut(length);                                                                          \
		return next(fd, buffer, length, offset);                                                               \
	}

PLAIN_FUNCTION(pread, "read", void *, off_t, FAULT_PREAD, FAULT_PREAD_SHORT)
PLAIN_FUNCTION(pread64, "read", void *, off64_t, FAULT_PREAD, FAULT_PREAD_SHORT)
PLAIN_FUNCTION(pwrite, "write", const void *, off_t, FAULT_PWRITE, FAULT_PWRITE_SHORT)
PLAIN_FUNCTION(pwrite64, "write", const void *, off64_t, FAULT_PWRITE, FAULT_PWRITE_SHORT)

/* Half of a vector's elements, or half of its only one (which needs `room`). */
static const struct iovec *cut_vector(const struct iovec *vector, int *count, struct iovec *room)
{
	if (*count > 1) {
		*count /= 2;
		return vector;
	}
	if (*count < 1)
		return vector;
	*room = vector[0];
	room->iov_len = cut(room->iov_len);
	return room;
}

#define VECTOR_FUNCTION(name, what, offset_type, whole, part)                                                          \
	ssize_t name(int fd, const struct iovec *vector, int count, offset_type offset)                                \
	{                                                                                                              \
		NEXT(name)                                                                                             \
		struct iovec room;                                                                                     \
		fault_hold(what);                                                                                      \
		if (meets_fault(whole)) {                                                                              \
			errno = EIO;                                                                                   \
			return -1;                                                                                     \
		}                                                                                                      \
		if (meets_fault(part))                                                                                 \
			vector = cut_vector(vector, &count, &room);                                                    \
		return next(fd, vector, count, offset);                                                                \
	}

#define VECTOR2_FUNCTION(name, offset_type, whole, part)                                                               \
	ssize_t name(int fd, const struct iovec *vector, int count, offset_type offset, int flags)                     \
	{                                                                                                              \
		NEXT(name)                                                                                             \
		struct iovec room;                                                                                     \
		if ((flags & RWF_NOWAIT) && meets_fault(FAULT_MISS)) {                                                 \
			errno = EAGAIN;                                                                                \
			return -1;                                                                                     \
		}                                                                                                      \
		if (meets_fault(whole) || ((flags & (RWF_DSYNC | RWF_SYNC)) && meets_fault(FAULT_FDATASYNC))) {        \
			errno = EIO;                                                                                   \
			return -1;                                                                                     \
		}                                                                                                      \
		if (meets_fault(part))                                                                                 \
			vector = cut_vector(vector, &count, &room);                                                    \
		return next(fd, vector, count, offset, flags);                                                         \
	}

VECTOR_FUNCTION(preadv, "read", off_t, FAULT_PREAD, FAULT_PREAD_SHORT)
VECTOR_FUNCTION(preadv64, "read", off64_t, FAULT_PREAD, FAULT_PREAD_SHORT)
VECTOR_FUNCTION(pwritev, "write", off_t, FAULT_PWRITE, FAULT_PWRITE_SHORT)
VECTOR_FUNCTION(pwritev64, "write", off64_t, FAULT_PWRITE, FAULT_PWRITE_SHORT)
VECTOR2_FUNCTION(preadv2, off_t, FAULT_PREAD, FAULT_PREAD_SHORT)
VECTOR2_FUNCTION(preadv64v2, off64_t, FAULT_PREAD, FAULT_PREAD_SHORT)
VECTOR2_FUNCTION(pwritev2, off_t, FAULT_PWRITE, FAULT_PWRITE_SHORT)
VECTOR2_FUNCTION(pwritev64v2, off64_t, FAULT_PWRITE, FAULT_PWRITE_SHORT)

/* Calls that fail as a whole. */
#define FAILING_FUNCTION(type, name, parameters, arguments, fault_class, code, failed)                                 \
	BODY(type, name, parameters, arguments, fault_class, code, failed, (void)0)

/* The same, and held up. */
#define HELD_FUNCTION(type, name, parameters, arguments, fault_class, code, failed)                                    \
	BODY(type, name, parameters, arguments, fault_class, code, failed,                                             \
	     fault_hold(fault_class == FAULT_FDATASYNC ? "flush" : "allocate"))

#define BODY(type, name, parameters, arguments, fault_class, code, failed, first)                                      \
	type name parameters                                                                                           \
	{                                                                                                              \
		NEXT(name)                                                                                             \
		first;                                                                                                 \
		if (meets_fault(fault_class)) {                                                                        \
			errno = code;                                                                                  \
			return failed;                                                                                 \
		}                                                                                                      \
		return next arguments;                                                                                 \
	}

HELD_FUNCTION(int, fdatasync, (int fd), (fd), FAULT_FDATASYNC, EIO, -1)
HELD_FUNCTION(int, fsync, (int fd), (fd), FAULT_FDATASYNC, EIO, -1)
HELD_FUNCTION(int, fallocate, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length),
	      FAULT_FALLOCATE, ENOSPC, -1)
HELD_FUNCTION(int, fallocate64, (int fd, int mode, off64_t offset, off64_t length), (fd, mode, offset, length),
	      FAULT_FALLOCATE, ENOSPC, -1)
FAILING_FUNCTION(int, syncfs, (int fd), (fd), FAULT_SYNCFS, EIO, -1)
FAILING_FUNCTION(void *, mmap, (void *address, size_t length, int protection, int flags, int fd, off_t offset),
		 (address, length, protection, flags, fd, offset), FAULT_MMAP, ENOMEM, MAP_FAILED)
FAILING_FUNCTION(void *, mmap64, (void *address, size_t length, int protection, int flags, int fd, off64_t offset),
		 (address, length, protection, flags, fd, offset), FAULT_MMAP, ENOMEM, MAP_FAILED)
FAILING_FUNCTION(int, socket, (int domain, int type, int protocol), (domain, type, protocol), FAULT_SOCKET, EMFILE, -1)
FAILING_FUNCTION(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags), FAULT_SENDMSG,
		 ENOBUFS, -1)
FAILING_FUNCTION(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags), FAULT_RECVMSG, ENOMEM, -1)
FAILING_FUNCTION(ssize_t, process_vm_readv,
		 (pid_t pid, const struct iovec *local, unsigned long nr_local, const struct iovec *remote,
		  unsigned long nr_remote, unsigned long flags),
		 (pid, local, nr_local, remote, nr_remote, flags), FAULT_COPY, EFAULT, -1)
FAILING_FUNCTION(ssize_t, process_vm_writev,
		 (pid_t pid, const struct iovec *local, unsigned long nr_local, const struct iovec *remote,
		  unsigned long nr_remote, unsigned long flags),
		 (pid, local, nr_local, remote, nr_remote, flags), FAULT_COPY, EFAULT, -1)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	NEXT(pthread_create)

	return meets_fault(FAULT_THREAD) ? EAGAIN : next(thread, attributes, start, argument);
}

/* The clock of which no time passes but a stall. */
static void stalled_clock(struct timespec *now)
{
	static _Atomic int64_t start; /* ns; who comes first sets it */
	int64_t ns = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec;
	int64_t none = 0;

	/* relaxed: it carries nothing but itself */
	if (!atomic_compare_exchange_strong_explicit(&start, &none, ns, memory_order_relaxed, memory_order_relaxed))
		ns = none;
	if (meets_fault(FAULT_STALL))
		ns += 100000000;
	now->tv_sec = (time_t)(ns / 1000000000);
	now->tv_nsec = (long)(ns % 1000000000);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	NEXT(clock_gettime)
	int result = next(clock, now);

	if (!result && clock == CLOCK_MONOTONIC_COARSE && selected == FAULT_STALL)
		stalled_clock(now);
	return result;
}

/* libconfig's functions that allocate, with arguments of their kinds; its header is not needed for that. */
int config_read_string(void *config, const char *text);

int config_read_string(void *config, const char *text)
{
	NEXT(config_read_string)
	int result;

	exempt++;
	result = next(config, text);
	exempt--;
	return result;
}

#define LIBCONFIG_PROCEDURE(name, parameters, arguments)                                                               \
	void name parameters;                                                                                          \
	void name parameters                                                                                           \
	{                                                                                                              \
		NEXT(name)                                                                                             \
		exempt++;                                                                                              \
		next arguments;                                                                                        \
		exempt--;                                                                                              \
	}

LIBCONFIG_PROCEDURE(config_init, (void *config), (config))
LIBCONFIG_PROCEDURE(config_set_include_dir, (void *config, const char *directory), (config, directory))

/* By it a thread of a sanitizer learns its stack, and dies where that fails. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
	NEXT(pthread_getattr_np)
	int result;

	exempt++;
	result = next(thread, attributes);
	exempt--;
	return result;
}

static bool is_futex_wait(long number, long operation)
{
	long command = operation & FUTEX_CMD_MASK;

	if (number == SYS_futex_waitv)
		return true;
	return number == SYS_futex && (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET);
}

long syscall(long number, ...)
{
	NEXT(syscall)
	long words[6];
	va_list arguments;

	/* As the C library's own does: six words are taken, however many were passed. */
	va_start(arguments, number);
	for (int i = 0; i < 6; i++)
		words[i] = va_arg(arguments, long);
	va_end(arguments);
	if (is_futex_wait(number, words[1])) {
		if (meets_fault(FAULT_FUTEX)) {
			errno = EINTR;
			return -1;
		}
		if (meets_fault(FAULT_FUTEX_NOMEM)) {
			errno = ENOMEM;
			return -1;
		}
	}
	return next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
