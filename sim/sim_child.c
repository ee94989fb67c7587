/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes of runs: see the header.
 */
#include "sim_child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSOR_SECONDS 600 /* a run that needs more does not end */

__attribute__((noreturn)) static void give_up(const char *what)
{
	fprintf(stderr, "rdisk-sim: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size) {
		ssize_t written = write(fd, at, size);

		if (written < 0 && errno != EINTR)
			give_up("write");
		if (written > 0) {
			at += written;
			size -= (size_t)written;
		}
	}
}

static size_t read_all(int fd, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, (char *)bytes + done, size - done);

		if (got < 0 && errno != EINTR)
			give_up("read");
		if (got == 0)
			break;
		if (got > 0)
			done += (size_t)got;
	}
	return done;
}

void sim_child_start(struct sim_child *child, const struct sim_plan *plan)
{
	int fds[2];

	if (fflush(stdout) || pipe(fds))
		give_up("pipe");
	child->seed = plan->seed;
	child->fd = fds[0];
	child->pid = fork();
	if (child->pid < 0)
		give_up("fork");
	if (!child->pid) {
		const struct rlimit limit = { PROCESSOR_SECONDS, PROCESSOR_SECONDS };
		struct sim_outcome outcome;

		close(fds[0]);
		if (setrlimit(RLIMIT_CPU, &limit))
			give_up("setrlimit");
		sim_plan_run(plan, false, false, &outcome);
		write_all(fds[1], &outcome, sizeof(outcome));
		exit(0);
	}
	close(fds[1]);
}

void sim_child_end(struct sim_child *child, struct sim_outcome *outcome)
{
	size_t got = read_all(child->fd, outcome, sizeof(*outcome));
	int status;

	close(child->fd);
	while (waitpid(child->pid, &status, 0) < 0) {
		if (errno != EINTR)
			give_up("waitpid");
	}
	child->pid = 0;
	if (got == sizeof(*outcome) && WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	memset(outcome, 0, sizeof(*outcome));
	outcome->failed = true;
	if (WIFSIGNALED(status))
		snprintf(outcome->failure, sizeof(outcome->failure), "the process was killed by a signal: %s",
			 strsignal(WTERMSIG(status)));
	else
		snprintf(outcome->failure, sizeof(outcome->failure), "the process ended with status %d",
			 WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

void sim_child_run(const struct sim_plan *plan, struct sim_outcome *outcome)
{
	struct sim_child child;

	sim_child_start(&child, plan);
	sim_child_end(&child, outcome);
}
