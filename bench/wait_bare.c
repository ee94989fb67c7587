// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * By what a process that has several peers can be woken: the bare protocols, between two processes that share some
 * words for each channel.
 *
 *   futex    the receiver marks the bell in each channel and sleeps on all of them: futex_waitv, which takes 128; of
 *            more a part after the other, 10 ms each
 *
 * All others sleep in epoll on a descriptor a channel, which is written to when the receiver's one mark is set:
 *
 *   pipe     a pipe, read after each sleep
 *   socket   a pair of sockets, likewise
 *   eventfd  an eventfd, never read: edges wake
 *   inner    the same, but the receiver has it only inside an epoll instance a channel
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wait.h"

#define WINDOW	  127 /* words beside the receiver's own */
#define WINDOW_NS 10000000
#define SLEEPER	  1u
#define STEP	  2u
#define EVENTS	  16

struct channel {
	alignas(64) _Atomic uint32_t request;
	alignas(64) _Atomic uint32_t bell;
	alignas(64) _Atomic uint32_t answer;
};

struct shared {
	alignas(64) _Atomic uint32_t asleep;   /* the receiver's mark */
	alignas(64) _Atomic uint32_t own_bell; /* the node's, which nobody rings here */
	struct channel channels[WAIT_CHANNELS_MAX];
};

struct method;

struct bench {
	const struct method *method;
	struct shared *shared;
	unsigned int channels;
	unsigned int next; /* window of futex */
	bool spin;
	int epoll;
	int read_end[WAIT_CHANNELS_MAX];
	int write_end[WAIT_CHANNELS_MAX];
};

struct method {
	const char *name;
	void (*sleep)(struct bench *bench);
	int (*make)(int *read_end, int *write_end); /* NULL: futexes */
	bool drained;
};

static void die(const char *what)
{
	fprintf(stderr, "rdisk-bench-wait: %s: %s\n", what, strerror(errno));
	_exit(EXIT_FAILURE);
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
	return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

/* ---- descriptors ---- */

static int make_pipe(int *read_end, int *write_end)
{
	int ends[2];

	if (pipe2(ends, O_NONBLOCK))
		return -1;
	*read_end = ends[0];
	*write_end = ends[1];
	return 0;
}

static int make_socket(int *read_end, int *write_end)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))
		return -1;
	*read_end = ends[0];
	*write_end = ends[1];
	return 0;
}

static int make_eventfd(int *read_end, int *write_end)
{
	*read_end = *write_end = eventfd(0, EFD_NONBLOCK);
	return *read_end < 0 ? -1 : 0;
}

static int make_inner(int *read_end, int *write_end)
{
	struct epoll_event edges = { .events = EPOLLIN | EPOLLET };

	*write_end = eventfd(0, EFD_NONBLOCK);
	*read_end = epoll_create1(0);
	return *write_end < 0 || *read_end < 0 || epoll_ctl(*read_end, EPOLL_CTL_ADD, *write_end, &edges) ? -1 : 0;
}

static void open_channels(struct bench *bench)
{
	if (!bench->method->make)
		return;
	bench->epoll = epoll_create1(0);
	if (bench->epoll < 0)
		die("epoll");
	for (unsigned int i = 0; i < bench->channels; i++) {
		struct epoll_event event = { .events = EPOLLIN | (bench->method->drained ? 0 : EPOLLET),
					     .data.u32 = i };

		if (bench->method->make(&bench->read_end[i], &bench->write_end[i]) ||
		    epoll_ctl(bench->epoll, EPOLL_CTL_ADD, bench->read_end[i], &event))
			die("a channel's descriptors");
	}
}

static void close_channels(struct bench *bench)
{
	if (!bench->method->make)
		return;
	for (unsigned int i = 0; i < bench->channels; i++) {
		close(bench->read_end[i]);
		if (bench->write_end[i] != bench->read_end[i])
			close(bench->write_end[i]);
	}
	close(bench->epoll);
}

/* ---- ringing and sleeping ---- */

static void ring(const struct bench *bench, unsigned int at)
{
	static const uint64_t one = 1;
	struct channel *channel = &bench->shared->channels[at];

	if (!bench->method->make) {
		if (atomic_fetch_add(&channel->bell, STEP) & SLEEPER)
			futex(&channel->bell, FUTEX_WAKE, INT32_MAX);
		return;
	}
	/* Post and mark are two words: without the fence both sides could see the other's old one. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&bench->shared->asleep, memory_order_relaxed) &&
	    write(bench->write_end[at], &one, sizeof(one)) < 0 && errno != EAGAIN)
		die("ringing");
}

/* The channel with a request, looked for from `from` on, or the number of channels. */
static unsigned int look(const struct bench *bench, unsigned int from)
{
	for (unsigned int i = 0; i < bench->channels; i++) {
		unsigned int at = (from + i) % bench->channels;

		if (atomic_load_explicit(&bench->shared->channels[at].request, memory_order_acquire))
			return at;
	}
	return bench->channels;
}

static void sleep_on_futexes(struct bench *bench)
{
	struct futex_waitv waits[WINDOW + 1] = { 0 };
	unsigned int words = bench->channels < WINDOW ? bench->channels : WINDOW;
	struct timespec until;

	for (unsigned int i = 0; i <= words; i++) {
		_Atomic uint32_t *word = &bench->shared->own_bell;

		if (i < words)
			word = &bench->shared->channels[(bench->next + i) % bench->channels].bell;
		waits[i].uaddr = (uintptr_t)word;
		waits[i].val = atomic_fetch_or(word, SLEEPER) | SLEEPER;
		waits[i].flags = FUTEX_32;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WINDOW_NS;
	until.tv_sec += words < bench->channels ? until.tv_nsec / 1000000000 : 1;
	until.tv_nsec %= 1000000000;
	if (look(bench, 0) == bench->channels)
		syscall(SYS_futex_waitv, waits, words + 1, 0, &until, CLOCK_MONOTONIC);
	for (unsigned int i = 0; i <= words; i++)
		atomic_fetch_and((_Atomic uint32_t *)(uintptr_t)waits[i].uaddr, ~SLEEPER);
	bench->next += words;
	if (bench->next >= bench->channels)
		bench->next -= bench->channels;
}

static void sleep_in_epoll(struct bench *bench)
{
	struct epoll_event events[EVENTS];
	char drained[64];
	int count;

	atomic_store_explicit(&bench->shared->asleep, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (look(bench, 0) == bench->channels) {
		count = epoll_wait(bench->epoll, events, EVENTS, 1000);
		for (int i = 0; i < count && bench->method->drained; i++)
			if (read(bench->read_end[events[i].data.u32], drained, sizeof(drained)) < 0 && errno != EAGAIN)
				die("reading");
	}
	atomic_store_explicit(&bench->shared->asleep, 0, memory_order_relaxed);
}

static const struct method methods[] = {
	{ "futex", sleep_on_futexes, NULL, false },	 { "pipe", sleep_in_epoll, make_pipe, true },
	{ "socket", sleep_in_epoll, make_socket, true }, { "eventfd", sleep_in_epoll, make_eventfd, false },
	{ "inner", sleep_in_epoll, make_inner, false },
};

static _Noreturn void receive(struct bench *bench)
{
	unsigned int from = 0;

	for (;;) {
		unsigned int at = look(bench, from);

		if (at < bench->channels) {
			struct channel *channel = &bench->shared->channels[at];

			atomic_store_explicit(&channel->request, 0, memory_order_relaxed);
			atomic_store_explicit(&channel->answer, 1, memory_order_release);
			if (!bench->spin)
				futex(&channel->answer, FUTEX_WAKE, 1);
			from = at + 1;
		} else if (!bench->spin) {
			bench->method->sleep(bench);
		}
	}
}

/* ---- measuring ---- */

static void call(void *context, unsigned int at)
{
	const struct bench *bench = context;
	struct channel *channel = &bench->shared->channels[at];

	atomic_store_explicit(&channel->request, 1, memory_order_release);
	ring(bench, at);
	while (!atomic_load_explicit(&channel->answer, memory_order_acquire))
		if (!bench->spin)
			futex(&channel->answer, FUTEX_WAIT, 0);
	atomic_store_explicit(&channel->answer, 0, memory_order_relaxed);
}

static void measure(const struct method *method, const struct wait_job *job)
{
	struct bench bench = { .method = method, .channels = job->channels, .spin = job->spin };
	pid_t parent = getpid(), receiver;

	bench.shared = mmap(NULL, sizeof(*bench.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bench.shared == MAP_FAILED)
		die("shared memory");
	open_channels(&bench);
	receiver = fork();
	if (receiver < 0)
		die("fork");
	if (receiver == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
			_exit(EXIT_FAILURE);
		wait_stay_on_processor(1);
		receive(&bench);
	}
	wait_stay_on_processor(0);
	call(&bench, 0);
	wait_measure(job, "wait", method->name, call, &bench);
	kill(receiver, SIGKILL);
	waitpid(receiver, NULL, 0);
	close_channels(&bench);
	munmap(bench.shared, sizeof(*bench.shared));
}

void wait_bare(const struct wait_job *job)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		measure(&methods[i], job);
}
