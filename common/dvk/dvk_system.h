/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls that the core of libdvk makes, each returning >= 0 or -errno.
 * Two implementations: dvk_system_host.c over the C library (so that sanitizers and
 * fault injection see them), dvk_system_raw.c with raw instructions for the guest
 * kernel's helper thread, which has no errno of its own.
 *
 * Nothing here allocates, prints or keeps state. Any thread.
 */
#ifndef DVK_SYSTEM_H
#define DVK_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct msghdr;
struct iovec;

/* One word to wait on: sleep only if it still holds `value`. */
struct dvk_futex_wait {
	const _Atomic uint32_t *word;
	uint32_t value;
};

#define DVK_CONNECT_SECONDS 30

/* Descriptors that one dvk_system_epoll_wait() reports at most; the others are in the next. */
#define DVK_EPOLL_EVENTS    16

/* At most this many words in one dvk_system_futex_wait() (the kernel's FUTEX_WAITV_MAX). */
#define DVK_FUTEX_WAIT_MAX  128

/* Its connecting gives up after DVK_CONNECT_SECONDS (-EAGAIN): a node that hangs accepts nobody. */
int dvk_system_socket_seqpacket(void);
int dvk_system_connect_unix(int fd, const char *path);
long dvk_system_sendmsg(int fd, const struct msghdr *msg, int flags);
long dvk_system_recvmsg(int fd, struct msghdr *msg, int flags);
int dvk_system_poll_in(int fd, int timeout_ms);
/* The same for any of poll()'s events: those that came (0: none in that time), or -errno. */
int dvk_system_poll(int fd, int events, int timeout_ms);
/* Ends a connection, whoever else has a descriptor of it. */
int dvk_system_disconnect(int fd);
int dvk_system_close(int fd);
/* Maps `length` bytes of fd, shared; `writable` adds PROT_WRITE. *address gets the mapping. */
int dvk_system_map(int fd, uint64_t offset, size_t length, int writable, void **address);
int dvk_system_unmap(void *address, size_t length);
/* F_GET_SEALS of fd, or -errno. */
int dvk_system_seals(int fd);
/* Size of the file behind fd in bytes, or -errno. */
int64_t dvk_system_file_size(int fd);
/*
 * Sleeps until one of the `count` (1 .. DVK_FUTEX_WAIT_MAX) words is woken or
 * differs from its value, or until deadline_ns (CLOCK_MONOTONIC; INT64_MAX:
 * none). Returns 0 (woken or changed), -ETIMEDOUT, -EINTR, or another -errno.
 */
int dvk_system_futex_wait(const struct dvk_futex_wait *waits, unsigned int count, int64_t deadline_ns);
/* The same for one word, with little stack. */
int dvk_system_futex_wait_one(_Atomic uint32_t *word, uint32_t value, int64_t deadline_ns);
int dvk_system_futex_wake(_Atomic uint32_t *word);
/* Descriptors that a child of exec() does not get, or -errno. The eventfd does not block. */
int dvk_system_epoll_create(void);
int dvk_system_eventfd(void);
/* Watches fd for input, errors and its end: while it is so, or by edges. tag: one bit. */
int dvk_system_epoll_add(int epoll_fd, int fd, bool edges, uint32_t tag);
int dvk_system_epoll_remove(int epoll_fd, int fd);
/* Waits until something watched is ready, or till deadline_ns as above. 0 and the tags in *ready (0: none); -errno. */
int dvk_system_epoll_wait(int epoll_fd, int64_t deadline_ns, uint32_t *ready);
/* Adds 1 to an eventfd. May be called by a signal handler. 0 or -errno. */
int dvk_system_ring(int fd);
/* CLOCK_MONOTONIC and CLOCK_REALTIME in ns. */
int64_t dvk_system_monotonic_ns(void);
int64_t dvk_system_realtime_ns(void);
/* Lets others run that wait for this processor. */
void dvk_system_yield(void);
int dvk_system_getpid(void);
int dvk_system_gettid(void);
/* One remote vector each; flags 0. Bytes copied or -errno. */
long dvk_system_process_read(int pid, void *to, const void *from, size_t length);
long dvk_system_process_write(int pid, const void *from, void *to, size_t length);

/* Milliseconds from now until a deadline, both in ns, rounded up; -1 for INT64_MAX: none. */
static inline int dvk_milliseconds_until(int64_t deadline_ns, int64_t now_ns)
{
	int64_t left;

	if (deadline_ns == INT64_MAX)
		return -1;
	left = deadline_ns <= now_ns ? 0 : (deadline_ns - now_ns + 999999) / 1000000;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

#endif
