/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client of rdisk-bench-floor's writer; see floor_client.h.
 */
#include "floor_client.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend.h"

#define LOOKS_PER_CLOCK 32

static void sleep_on(struct floor_mailbox *mailbox, uint32_t done)
{
	atomic_store_explicit(&mailbox->asleep, 1, memory_order_seq_cst);
	/* It returns at once if that has changed meanwhile. */
	(void)syscall(SYS_futex, &mailbox->done, FUTEX_WAIT, done, NULL, NULL, 0);
	atomic_store_explicit(&mailbox->asleep, 0, memory_order_relaxed);
}

/* Until more than `done` are. How many are. */
static uint32_t wait_for_more(struct floor_mailbox *mailbox, uint32_t done, uint32_t spin_us)
{
	double until = bench_now() + spin_us * 1e-6;
	uint32_t now;

	for (unsigned int looks = 1;; looks++) {
		/* acquire: what it stands for was done before */
		now = atomic_load_explicit(&mailbox->done, memory_order_acquire);
		if (now != done)
			return now;
		if (atomic_load_explicit(&mailbox->failed, memory_order_relaxed))
			_exit(EXIT_FAILURE);
		if (spin_us == 0 || (looks % LOOKS_PER_CLOCK == 0 && bench_now() > until))
			sleep_on(mailbox, done);
		else if (looks % LOOKS_PER_CLOCK == 0)
			(void)sched_yield();
	}
}

static _Noreturn void ask(struct floor_mailbox *mailbox, uint32_t all, uint32_t in_flight, uint32_t spin_us,
			  double *samples)
{
	double begun[FLOOR_IN_FLIGHT_MAX] = { 0 };
	uint32_t posted = 0, done = 0;

	while (done < all) {
		uint32_t now;
		double time = bench_now();

		for (; posted < all && posted - done < in_flight; posted++)
			begun[posted % FLOOR_IN_FLIGHT_MAX] = time;
		atomic_store_explicit(&mailbox->posted, posted, memory_order_release);
		now = wait_for_more(mailbox, done, spin_us);
		time = bench_now();
		for (; done < now; done++)
			samples[done] = time - begun[done % FLOOR_IN_FLIGHT_MAX];
	}
	_exit(EXIT_SUCCESS);
}

pid_t floor_client_start(struct floor_mailbox *mailbox, uint32_t all, uint32_t in_flight, uint32_t spin_us,
			 double *samples)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	/* It does not outlive the writer, which may have ended already. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(EXIT_FAILURE);
	ask(mailbox, all, in_flight, spin_us, samples);
}

void floor_client_tell(struct floor_mailbox *mailbox, uint32_t done)
{
	/* seq_cst: either the client sees this before it sleeps, or it is seen asleep here */
	atomic_store_explicit(&mailbox->done, done, memory_order_seq_cst);
	if (atomic_load_explicit(&mailbox->asleep, memory_order_seq_cst))
		(void)syscall(SYS_futex, &mailbox->done, FUTEX_WAKE, 1, NULL, NULL, 0);
}
