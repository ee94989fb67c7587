/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wrapped calls; see fake_disk.h.
 */
#include "fake_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "test_directory.h"

#define PARTS_MAX 256 /* elements of a vector */

/* One kind of call (lock). */
struct kind {
	int calls;
	int error;
	bool holds;
	int fd;	     /* those that are held; -1: all */
	int held;    /* waiting now */
	int permits; /* may still go on */
	int running; /* under way, held ones too */
	int most;    /* ... at a time */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct kind kinds[NR_FAKE_CALLS];
static pthread_t test_thread;
static bool in_memory_now;
static uint64_t short_bytes;
static uint64_t now_ns = 1000000000000; /* never set back: what is wrapped may remember it */
static uint64_t write_ns;
static int vmstat = -1;
static int vmstat_looks;
static int log_lines;
static char log_text[2048];
static void (*on_log)(const char *text);

ssize_t __real_pread(int fd, void *buffer, size_t size, off_t position);
ssize_t __real_preadv(int fd, const struct iovec *vector, int count, off_t position);
ssize_t __real_preadv2(int fd, const struct iovec *vector, int count, off_t position, int flags);
ssize_t __real_pwrite(int fd, const void *buffer, size_t size, off_t position);
ssize_t __real_pwritev(int fd, const struct iovec *vector, int count, off_t position);
int __real_fdatasync(int fd);
int __real_fallocate(int fd, int mode, off_t position, off_t length);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __real_fsync(int fd);
ssize_t __real_fgetxattr(int fd, const char *name, void *value, size_t size);
int __real_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags);
int __real_fstatfs(int fd, struct statfs *status);
int __real_open(const char *path, int flags, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *time);

/* ---- what the header promises ---- */

void fake_reset(void)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < NR_FAKE_CALLS; i++) {
		if (kinds[i].held)
			test_fatal("calls of kind %d are still held", i);
		kinds[i] = (struct kind){ 0 };
	}
	test_thread = pthread_self();
	in_memory_now = false;
	short_bytes = 0;
	write_ns = 0;
	log_lines = 0;
	log_text[0] = '\0';
	on_log = NULL;
	/* Whatever it remembers of the test before is old. */
	now_ns += 3600000000000;
	pthread_mutex_unlock(&lock);
	fake_vmstat(0, 0, 1000, 2000);
	vmstat_looks = 0;
}

void fake_in_memory(bool in_memory)
{
	in_memory_now = in_memory;
}

void fake_fail(enum fake_call call, int error)
{
	pthread_mutex_lock(&lock);
	kinds[call].error = error;
	pthread_mutex_unlock(&lock);
}

void fake_short(uint64_t bytes)
{
	pthread_mutex_lock(&lock);
	short_bytes = bytes;
	pthread_mutex_unlock(&lock);
}

int fake_most_at_once(enum fake_call call)
{
	int most;

	pthread_mutex_lock(&lock);
	most = kinds[call].most;
	pthread_mutex_unlock(&lock);
	return most;
}

int fake_calls(enum fake_call call)
{
	int calls;

	pthread_mutex_lock(&lock);
	calls = kinds[call].calls;
	pthread_mutex_unlock(&lock);
	return calls;
}

void fake_hold(enum fake_call call, int fd)
{
	pthread_mutex_lock(&lock);
	kinds[call].holds = true;
	kinds[call].fd = fd;
	kinds[call].permits = 0;
	pthread_mutex_unlock(&lock);
}

void fake_await_held(enum fake_call call, int count)
{
	pthread_mutex_lock(&lock);
	while (kinds[call].held - kinds[call].permits < count)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void fake_let(enum fake_call call, int count)
{
	pthread_mutex_lock(&lock);
	kinds[call].permits += count;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void fake_release(enum fake_call call)
{
	pthread_mutex_lock(&lock);
	kinds[call].holds = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void fake_clock_advance(uint64_t nanoseconds)
{
	pthread_mutex_lock(&lock);
	now_ns += nanoseconds;
	pthread_mutex_unlock(&lock);
}

void fake_write_takes(uint64_t nanoseconds)
{
	pthread_mutex_lock(&lock);
	write_ns = nanoseconds;
	pthread_mutex_unlock(&lock);
}

void fake_vmstat(int dirty, int writeback, int background, int limit)
{
	char text[256];
	int length = snprintf(text, sizeof(text),
			      "nr_free_pages 1\nnr_dirty %d\nnr_writeback %d\nnr_dirty_threshold %d\n"
			      "nr_dirty_background_threshold %d\npgpgin 5\n",
			      dirty, writeback, limit, background);

	if (vmstat < 0)
		vmstat = memfd_create("vmstat", MFD_CLOEXEC);
	if (vmstat < 0 || ftruncate(vmstat, 0) || __real_pwrite(vmstat, text, (size_t)length, 0) != (ssize_t)length)
		test_fatal("cannot make a vmstat");
}

int fake_vmstat_looks(void)
{
	return vmstat_looks;
}

int fake_log_lines(void)
{
	int lines;

	pthread_mutex_lock(&lock);
	lines = log_lines;
	pthread_mutex_unlock(&lock);
	return lines;
}

const char *fake_log_last(void)
{
	return log_text;
}

void fake_on_log(void (*call)(const char *text))
{
	on_log = call;
}

/* ---- the calls ---- */

/* A call begins. 0: it is to be made; else the errno that it fails with. */
static int begin(enum fake_call call, int fd)
{
	struct kind *kind = &kinds[call];
	int error;

	pthread_mutex_lock(&lock);
	kind->calls++;
	kind->running++;
	if (kind->running > kind->most)
		kind->most = kind->running;
	if (kind->holds && (kind->fd < 0 || kind->fd == fd) && !pthread_equal(pthread_self(), test_thread)) {
		kind->held++;
		pthread_cond_broadcast(&changed);
		while (kind->holds && !kind->permits)
			pthread_cond_wait(&changed, &lock);
		if (kind->holds)
			kind->permits--;
		kind->held--;
	}
	error = kind->error;
	kind->running -= error != 0;
	if (call == FAKE_WRITE)
		now_ns += write_ns;
	pthread_mutex_unlock(&lock);
	return error;
}

static void end(enum fake_call call)
{
	pthread_mutex_lock(&lock);
	kinds[call].running--;
	pthread_mutex_unlock(&lock);
}

/* begin() in the form of a system call's result. */
static int begin_call(enum fake_call call, int fd)
{
	int error = begin(call, fd);

	if (!error)
		return 0;
	errno = error;
	return -1;
}

/* What is left of a vector when no more than short_bytes are moved; returns its number of elements. */
static int cut(const struct iovec *vector, int count, struct iovec *parts)
{
	uint64_t left;
	int used = 0;

	pthread_mutex_lock(&lock);
	left = short_bytes ? short_bytes : UINT64_MAX;
	pthread_mutex_unlock(&lock);
	while (used < count && left > 0) {
		parts[used] = vector[used];
		if (parts[used].iov_len > left)
			parts[used].iov_len = (size_t)left;
		left -= parts[used].iov_len;
		used++;
	}
	return used;
}

ssize_t __wrap_preadv2(int fd, const struct iovec *vector, int count, off_t position, int flags);
ssize_t __wrap_preadv2(int fd, const struct iovec *vector, int count, off_t position, int flags)
{
	struct iovec parts[PARTS_MAX];
	enum fake_call call = flags & RWF_NOWAIT ? FAKE_NOWAIT : FAKE_READ;
	ssize_t bytes;

	if (begin_call(call, fd))
		return -1;
	count = cut(vector, count, parts);
	bytes = __real_preadv2(fd, parts, count, position, flags);
	end(call);
	/* Whether it misses is for the test to say. */
	if (bytes < 0 && (errno == EAGAIN || errno == EOPNOTSUPP) && flags & RWF_NOWAIT)
		return __real_preadv2(fd, parts, count, position, flags & ~RWF_NOWAIT);
	return bytes;
}

ssize_t __wrap_preadv(int fd, const struct iovec *vector, int count, off_t position);
ssize_t __wrap_preadv(int fd, const struct iovec *vector, int count, off_t position)
{
	return __wrap_preadv2(fd, vector, count, position, 0);
}

ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t position);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t position)
{
	const struct iovec vector = { buffer, size };

	if (fd >= 0 && fd == vmstat) {
		vmstat_looks++;
		return __real_pread(fd, buffer, size, position);
	}
	return __wrap_preadv2(fd, &vector, 1, position, 0);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *vector, int count, off_t position);
ssize_t __wrap_pwritev(int fd, const struct iovec *vector, int count, off_t position)
{
	struct iovec parts[PARTS_MAX];
	ssize_t bytes;

	if (begin_call(FAKE_WRITE, fd))
		return -1;
	count = cut(vector, count, parts);
	bytes = __real_pwritev(fd, parts, count, position);
	end(FAKE_WRITE);
	return bytes;
}

ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t position);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t position)
{
	const struct iovec vector = { (void *)buffer, size };

	return __wrap_pwritev(fd, &vector, 1, position);
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	int code;

	if (begin_call(FAKE_SYNC, fd))
		return -1;
	code = __real_fdatasync(fd);
	end(FAKE_SYNC);
	return code;
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return begin_call(FAKE_FSYNC, fd) ? -1 : __real_fsync(fd);
}

ssize_t __wrap_fgetxattr(int fd, const char *name, void *value, size_t size);
ssize_t __wrap_fgetxattr(int fd, const char *name, void *value, size_t size)
{
	return begin_call(FAKE_GET, fd) ? -1 : __real_fgetxattr(fd, name, value, size);
}

int __wrap_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags);
int __wrap_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	return begin_call(FAKE_SET, fd) ? -1 : __real_fsetxattr(fd, name, value, size, flags);
}

int __wrap_fallocate(int fd, int mode, off_t position, off_t length);
int __wrap_fallocate(int fd, int mode, off_t position, off_t length)
{
	return begin_call(FAKE_ALLOCATE, fd) ? -1 : __real_fallocate(fd, mode, position, length);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	int error = begin(FAKE_THREAD, -1);

	return error ? error : __real_pthread_create(thread, attributes, start, argument);
}

int __wrap_fstatfs(int fd, struct statfs *status);
int __wrap_fstatfs(int fd, struct statfs *status)
{
	int code = __real_fstatfs(fd, status);

	status->f_type = in_memory_now ? TMPFS_MAGIC : EXT4_SUPER_MAGIC;
	return code;
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list arguments;

	if (!strcmp(path, "/proc/vmstat"))
		return vmstat;
	if (flags & O_CREAT) {
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	return __real_open(path, flags, mode);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	uint64_t now;

	if (clock != CLOCK_MONOTONIC_COARSE)
		return __real_clock_gettime(clock, time);
	pthread_mutex_lock(&lock);
	now = now_ns;
	pthread_mutex_unlock(&lock);
	*time = (struct timespec){ (time_t)(now / 1000000000), (long)(now % 1000000000) };
	return 0;
}

__attribute__((format(printf, 1, 0))) static void note_line(const char *format, va_list arguments)
{
	pthread_mutex_lock(&lock);
	log_lines++;
	if (vsnprintf(log_text, sizeof(log_text), format, arguments) < 0)
		log_text[0] = '\0';
	pthread_mutex_unlock(&lock);
	if (on_log)
		on_log(log_text);
}

void __wrap_log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_log_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	(void)level;
	va_start(arguments, format);
	note_line(format, arguments);
	va_end(arguments);
}

void __wrap_log_limited(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_log_limited(enum log_level level, const char *format, ...)
{
	va_list arguments;

	(void)level;
	va_start(arguments, format);
	note_line(format, arguments);
	va_end(arguments);
}
