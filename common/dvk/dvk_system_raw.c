// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system calls of libdvk's core by raw instructions, for the guest kernel's user half (see
 * dvk_system.h). Of the C library only headers are used: constants and structures
 * that are the kernel's own on x86-64.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdint.h>
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

#include "dvk_syscall_raw.h"
#include "dvk_system.h"

#define NS_PER_SECOND 1000000000LL

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

int dvk_system_socket_seqpacket(void)
{
	const struct timeval limit = { .tv_sec = DVK_CONNECT_SECONDS };
	long fd = dvk_syscall3(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	long result;

	if (fd < 0)
		return (int)fd;
	result = dvk_syscall5(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!result)
		return (int)fd;
	dvk_syscall1(SYS_close, fd);
	return (int)result;
}

int dvk_system_connect_unix(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = 0;

	while (path[length]) {
		if (length == sizeof(address.sun_path) - 1)
			return -ENAMETOOLONG;
		address.sun_path[length] = path[length];
		length++;
	}
	return (int)dvk_syscall3(SYS_connect, fd, &address, sizeof(address));
}

long dvk_system_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return dvk_syscall3(SYS_sendmsg, fd, msg, flags);
}

long dvk_system_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return dvk_syscall3(SYS_recvmsg, fd, msg, flags);
}

int dvk_system_poll_in(int fd, int timeout_ms)
{
	int events = dvk_system_poll(fd, POLLIN, timeout_ms);

	return events > 0 ? 1 : events;
}

int dvk_system_poll(int fd, int events, int timeout_ms)
{
	struct pollfd poll = { .fd = fd, .events = (short)events };
	long result = dvk_syscall3(SYS_poll, &poll, 1, timeout_ms);

	return result > 0 ? poll.revents : (int)result;
}

int dvk_system_disconnect(int fd)
{
	return (int)dvk_syscall2(SYS_shutdown, fd, SHUT_RDWR);
}

int dvk_system_close(int fd)
{
	return (int)dvk_syscall1(SYS_close, fd);
}

int dvk_system_map(int fd, uint64_t offset, size_t length, int writable, void **address)
{
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	long result;

	if (offset > INT64_MAX)
		return -EINVAL;
	result = dvk_syscall6(SYS_mmap, 0, length, protection, MAP_SHARED, fd, offset);
	if (result < 0 && result >= -4095)
		return (int)result;
	*address = (void *)result;
	return 0;
}

int dvk_system_unmap(void *address, size_t length)
{
	return (int)dvk_syscall2(SYS_munmap, address, length);
}

int dvk_system_seals(int fd)
{
	return (int)dvk_syscall2(SYS_fcntl, fd, F_GET_SEALS);
}

int64_t dvk_system_file_size(int fd)
{
	struct stat status = { 0 };
	long result = dvk_syscall2(SYS_fstat, fd, &status);

	return result < 0 ? result : status.st_size;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND };
}

int dvk_system_futex_wait(const struct dvk_futex_wait *waits, unsigned int count, int64_t deadline_ns)
{
	struct futex_waitv vector[DVK_FUTEX_WAIT_MAX];
	struct timespec deadline = timespec_of(deadline_ns);
	long result;

	if (count == 0 || count > DVK_FUTEX_WAIT_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++) {
		vector[i] = (struct futex_waitv){
			.val = waits[i].value,
			.uaddr = (uintptr_t)waits[i].word,
			.flags = FUTEX_32, /* not private: the waker is another process */
		};
	}
	result = dvk_syscall5(SYS_futex_waitv, vector, count, 0, deadline_ns == INT64_MAX ? NULL : &deadline,
			      CLOCK_MONOTONIC);
	if (result == -EAGAIN) /* a word differs already */
		return 0;
	return result < 0 ? (int)result : 0;
}

int dvk_system_futex_wait_one(_Atomic uint32_t *word, uint32_t value, int64_t deadline_ns)
{
	struct timespec deadline = timespec_of(deadline_ns);
	long result;

	/* WAIT_BITSET and not WAIT, as its time is absolute. */
	result = dvk_syscall6(SYS_futex, word, FUTEX_WAIT_BITSET, value, deadline_ns == INT64_MAX ? NULL : &deadline,
			      NULL, FUTEX_BITSET_MATCH_ANY);
	if (result == -EAGAIN) /* it differs already */
		return 0;
	return (int)result;
}

int dvk_system_futex_wake(_Atomic uint32_t *word)
{
	return (int)dvk_syscall6(SYS_futex, word, FUTEX_WAKE, INT_MAX, 0, 0, 0);
}

int dvk_system_epoll_create(void)
{
	return (int)dvk_syscall1(SYS_epoll_create1, EPOLL_CLOEXEC);
}

int dvk_system_eventfd(void)
{
	return (int)dvk_syscall2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int dvk_system_epoll_add(int epoll_fd, int fd, bool edges, uint32_t tag)
{
	struct epoll_event event = { .events = EPOLLIN | (edges ? EPOLLET : 0), .data.u32 = tag };

	return (int)dvk_syscall4(SYS_epoll_ctl, epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int dvk_system_epoll_remove(int epoll_fd, int fd)
{
	return (int)dvk_syscall4(SYS_epoll_ctl, epoll_fd, EPOLL_CTL_DEL, fd, 0);
}

int dvk_system_epoll_wait(int epoll_fd, int64_t deadline_ns, uint32_t *ready)
{
	struct epoll_event events[DVK_EPOLL_EVENTS] = { 0 };
	long count = dvk_syscall4(SYS_epoll_wait, epoll_fd, events, DVK_EPOLL_EVENTS,
				  dvk_milliseconds_until(deadline_ns, dvk_system_monotonic_ns()));

	*ready = 0;
	for (long i = 0; i < count; i++)
		*ready |= events[i].data.u32;
	return count < 0 ? (int)count : 0;
}

int dvk_system_ring(int fd)
{
	const uint64_t one = 1;
	long result = dvk_syscall3(SYS_write, fd, &one, sizeof(one));

	return result < 0 ? (int)result : 0;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now = { 0 };

	dvk_syscall2(SYS_clock_gettime, clock, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
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
	dvk_syscall0(SYS_sched_yield);
}

int dvk_system_getpid(void)
{
	return (int)dvk_syscall0(SYS_getpid);
}

int dvk_system_gettid(void)
{
	return (int)dvk_syscall0(SYS_gettid);
}

long dvk_system_process_read(int pid, void *to, const void *from, size_t length)
{
	struct iovec local = { to, length };
	struct iovec remote = { (void *)(uintptr_t)from, length };

	return dvk_syscall6(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0);
}

long dvk_system_process_write(int pid, const void *from, void *to, size_t length)
{
	struct iovec local = { (void *)(uintptr_t)from, length };
	struct iovec remote = { to, length };

	return dvk_syscall6(SYS_process_vm_writev, pid, &local, 1, &remote, 1, 0);
}
