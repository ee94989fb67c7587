// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dvk_system.h over the C library. The guest's counterpart is dvk_system_raw.c.
 */
#include "dvk_system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int dvk_system_socket_seqpacket(void)
{
	const struct timeval limit = { .tv_sec = DVK_CONNECT_SECONDS };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int dvk_system_connect_unix(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);

	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

long dvk_system_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	long sent = sendmsg(fd, msg, flags);

	return sent < 0 ? -errno : sent;
}

long dvk_system_recvmsg(int fd, struct msghdr *msg, int flags)
{
	long got = recvmsg(fd, msg, flags);

	return got < 0 ? -errno : got;
}

int dvk_system_poll_in(int fd, int timeout_ms)
{
	int events = dvk_system_poll(fd, POLLIN, timeout_ms);

	return events > 0 ? 1 : events;
}

int dvk_system_poll(int fd, int events, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = (short)events };
	int rc = poll(&pollfd, 1, timeout_ms);

	return rc < 0 ? -errno : rc ? pollfd.revents : 0;
}

int dvk_system_disconnect(int fd)
{
	return shutdown(fd, SHUT_RDWR) ? -errno : 0;
}

int dvk_system_close(int fd)
{
	return close(fd) ? -errno : 0;
}

int dvk_system_map(int fd, uint64_t offset, size_t length, int writable, void **address)
{
	void *mapping =
		mmap(NULL, length, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, (off_t)offset);

	if (mapping == MAP_FAILED)
		return -errno;
	*address = mapping;
	return 0;
}

int dvk_system_unmap(void *address, size_t length)
{
	return munmap(address, length) ? -errno : 0;
}

int dvk_system_seals(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals < 0 ? -errno : seals;
}

int64_t dvk_system_file_size(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -errno : st.st_size;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
}

int dvk_system_futex_wait(const struct dvk_futex_wait *waits, unsigned int count, int64_t deadline_ns)
{
	struct futex_waitv vector[DVK_FUTEX_WAIT_MAX];
	struct timespec deadline = timespec_of(deadline_ns);

	for (unsigned int i = 0; i < count; i++) {
		vector[i] = (struct futex_waitv){
			.val = waits[i].value,
			.uaddr = (uintptr_t)waits[i].word,
			.flags = FUTEX_32, /* shared between processes: not FUTEX_PRIVATE_FLAG */
		};
	}
	if (syscall(SYS_futex_waitv, vector, count, 0, deadline_ns == INT64_MAX ? NULL : &deadline, CLOCK_MONOTONIC) >=
	    0)
		return 0;
	return errno == EAGAIN ? 0 : -errno;
}

int dvk_system_futex_wait_one(_Atomic uint32_t *word, uint32_t value, int64_t deadline_ns)
{
	struct timespec deadline = timespec_of(deadline_ns);

	/* WAIT_BITSET and not WAIT, as its time is absolute. */
	if (!syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, deadline_ns == INT64_MAX ? NULL : &deadline, NULL,
		     FUTEX_BITSET_MATCH_ANY) ||
	    errno == EAGAIN) /* it differs already */
		return 0;
	return -errno;
}

int dvk_system_futex_wake(_Atomic uint32_t *word)
{
	return syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) < 0 ? -errno : 0;
}

int dvk_system_epoll_create(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int dvk_system_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int dvk_system_epoll_add(int epoll_fd, int fd, bool edges, uint32_t tag)
{
	struct epoll_event event = { .events = EPOLLIN | (edges ? EPOLLET : 0), .data.u32 = tag };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int dvk_system_epoll_remove(int epoll_fd, int fd)
{
	return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL) ? -errno : 0;
}

int dvk_system_epoll_wait(int epoll_fd, int64_t deadline_ns, uint32_t *ready)
{
	struct epoll_event events[DVK_EPOLL_EVENTS];
	int count = epoll_wait(epoll_fd, events, DVK_EPOLL_EVENTS,
			       dvk_milliseconds_until(deadline_ns, dvk_system_monotonic_ns()));

	*ready = 0;
	for (int i = 0; i < count; i++)
		*ready |= events[i].data.u32;
	return count < 0 ? -errno : 0;
}

int dvk_system_ring(int fd)
{
	const uint64_t one = 1;
	int before = errno; /* a signal handler's caller may be about to read it */
	int rc = write(fd, &one, sizeof(one)) < 0 ? -errno : 0;

	errno = before;
	return rc;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int64_t dvk_system_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t dvk_system_realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

void dvk_system_yield(void)
{
	sched_yield();
}

int dvk_system_getpid(void)
{
	return getpid();
}

int dvk_system_gettid(void)
{
	return gettid();
}

long dvk_system_process_read(int pid, void *to, const void *from, size_t length)
{
	struct iovec local = { to, length }, remote = { (void *)(uintptr_t)from, length };
	long got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	return got < 0 ? -errno : got;
}

long dvk_system_process_write(int pid, const void *from, void *to, size_t length)
{
	struct iovec local = { (void *)(uintptr_t)from, length }, remote = { to, length };
	long put = process_vm_writev(pid, &local, 1, &remote, 1, 0);

	return put < 0 ? -errno : put;
}
