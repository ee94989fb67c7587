/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting, watching and ending programs under test. Their output is read
 * while something is waited for; a program that writes much at other times is held up by
 * its pipe until then.
 */
#include "test_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test_directory.h"

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void open_stream(struct test_stream *stream, int *write_end)
{
	int ends[2];

	stream->length = 0;
	stream->text[0] = 0;
	if (pipe2(ends, O_CLOEXEC))
		test_fatal("pipe: %s", strerror(errno));
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK))
		test_fatal("fcntl: %s", strerror(errno));
	/* Room for what is written while nobody reads; less than asked for does as well. */
	(void)fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
	stream->fd = ends[0];
	*write_end = ends[1];
}

static void close_stream(struct test_stream *stream)
{
	if (stream->fd >= 0)
		(void)close(stream->fd);
	stream->fd = -1;
}

/* Takes all that is there now. */
static void drain_stream(struct test_stream *stream)
{
	while (stream->fd >= 0) {
		ssize_t got;

		if (stream->length > sizeof(stream->text) / 2) {
			size_t half = stream->length / 2;

			memmove(stream->text, stream->text + half, stream->length - half);
			stream->length -= half;
		}
		got = read(stream->fd, stream->text + stream->length, sizeof(stream->text) - stream->length - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got <= 0) {
			close_stream(stream);
			break;
		}
		stream->length += (size_t)got;
		/* Text is searched with string functions: a program's stray zero must not hide what follows. */
		for (size_t i = stream->length - (size_t)got; i < stream->length; i++)
			if (!stream->text[i])
				stream->text[i] = '?';
	}
	stream->text[stream->length] = 0;
}

static _Noreturn void become(const char *const arguments[], const char *const environment[], pid_t parent, int output,
			     int log)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(127);
	if (dup2(output, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(127);
	for (size_t i = 0; environment && environment[i]; i++)
		if (putenv((char *)(uintptr_t)environment[i]))
			_exit(127);
	(void)execv(arguments[0], (char *const *)(uintptr_t)arguments);
	fprintf(stderr, "exec %s: %s\n", arguments[0], strerror(errno));
	_exit(127);
}

void test_process_start(struct test_process *process, const char *const arguments[], const char *const environment[])
{
	pid_t parent = getpid();
	int output, log;

	process->status = 0;
	open_stream(&process->output, &output);
	open_stream(&process->log, &log);
	(void)fflush(NULL);
	process->pid = fork();
	if (process->pid < 0)
		test_fatal("fork: %s", strerror(errno));
	if (process->pid == 0)
		become(arguments, environment, parent, output, log);
	(void)close(output);
	(void)close(log);
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0)
		test_fatal("pidfd_open: %s", strerror(errno));
}

/* Waits for output or the end. False when the time is over. */
static bool watch(struct test_process *process, int64_t deadline_ms)
{
	struct pollfd polled[3] = {
		{ .fd = process->pidfd, .events = POLLIN },
		{ .fd = process->output.fd, .events = POLLIN },
		{ .fd = process->log.fd, .events = POLLIN },
	};
	int64_t left = deadline_ms - now_ms();
	int ready;

	if (left < 0)
		return false;
	ready = poll(polled, 3, (int)left);
	if (ready < 0 && errno != EINTR)
		test_fatal("poll: %s", strerror(errno));
	drain_stream(&process->output);
	drain_stream(&process->log);
	if (ready > 0 && polled[0].revents) {
		if (waitpid(process->pid, &process->status, 0) != process->pid)
			test_fatal("waitpid: %s", strerror(errno));
		(void)close(process->pidfd);
		process->pid = 0;
		drain_stream(&process->output);
		drain_stream(&process->log);
		close_stream(&process->output);
		close_stream(&process->log);
	}
	return true;
}

static int count_text(const char *log, const char *text)
{
	int count = 0;

	while ((log = strstr(log, text))) {
		log += strlen(text);
		count++;
	}
	return count;
}

bool test_process_wait_log(struct test_process *process, const char *text, int timeout_ms)
{
	return test_process_wait_log_times(process, text, 1, timeout_ms);
}

bool test_process_wait_log_times(struct test_process *process, const char *text, int times, int timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;

	for (;;) {
		if (count_text(process->log.text, text) >= times)
			return true;
		if (!process->pid || !watch(process, deadline_ms))
			return false;
	}
}

bool test_process_wait_end(struct test_process *process, int timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;

	while (process->pid)
		if (!watch(process, deadline_ms))
			return false;
	return true;
}

int test_process_stop(struct test_process *process, int signal_number)
{
	if (process->pid && signal_number && kill(process->pid, signal_number))
		test_fatal("kill %d: %s", (int)process->pid, strerror(errno));
	if (!test_process_wait_end(process, TEST_TIMEOUT_MS)) {
		pid_t pid = process->pid;

		test_process_discard(process);
		test_fatal("process %d did not end after signal %d; its log:\n%s", (int)pid, signal_number,
			   process->log.text);
	}
	return test_process_exit_code(process);
}

void test_process_discard(struct test_process *process)
{
	if (!process->pid)
		return;
	(void)kill(process->pid, SIGKILL);
	(void)test_process_wait_end(process, TEST_TIMEOUT_MS);
}

int test_process_exit_code(const struct test_process *process)
{
	if (WIFSIGNALED(process->status))
		return 128 + WTERMSIG(process->status);
	return WEXITSTATUS(process->status);
}
