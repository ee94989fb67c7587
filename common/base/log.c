/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines on stderr; see log.h. Built so that it cannot fail in a way that
 * matters: no allocation, one write(2) a line, the result of which nobody could be told, and no wait for who reads it.
 */
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE     2048
#define ROOM_WAIT_MS  50 /* for who reads the log to make room; far less than a lease */
#define LIMIT_LINES   20 /* lines of log_limited() in one period */
#define LIMIT_SECONDS 10 /* length of the period */

static enum log_level highest_level = LOG_LEVEL_INFO;
static bool with_time;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error: ",
	[LOG_LEVEL_WARNING] = "warning: ",
	[LOG_LEVEL_INFO] = "info: ",
	[LOG_LEVEL_DEBUG] = "debug: ",
};

void log_set_level(enum log_level level)
{
	highest_level = level;
}

void log_set_time(void)
{
	with_time = true;
}

/* As dmesg(1) does; what that clock says is the same in all processes of a host. */
static size_t put_time(char *line, size_t size)
{
	struct timespec now;
	int length;

	if (!with_time)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	length = snprintf(line, size, "[%lld.%09ld] ", (long long)now.tv_sec, now.tv_nsec);
	return length < 0 ? 0 : (size_t)length;
}

/* A log that cannot be written has nowhere to say so. */
static void put_line(const char *line, size_t size)
{
	if (write(STDERR_FILENO, line, size) < 0)
		errno = 0;
}

/*
 * Whether there is room for a line. Who reads the log may have stopped: that is waited for once, and not again before
 * something was read, as whoever logs has more to do than that. What is left out then is counted, and told.
 */
static bool is_read(void)
{
	static atomic_uint left_out;
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[LINE_SIZE];
	unsigned int lines;
	int length;

	/* relaxed: a number, and nothing that comes with it */
	if (!poll(&room, 1, atomic_load_explicit(&left_out, memory_order_relaxed) ? 0 : ROOM_WAIT_MS)) {
		atomic_fetch_add_explicit(&left_out, 1, memory_order_relaxed);
		return false;
	}
	lines = atomic_exchange_explicit(&left_out, 0, memory_order_relaxed);
	if (lines) {
		length = snprintf(line, sizeof(line), "rdisk: warning: %u lines were left out, as nobody read them\n",
				  lines);
		put_line(line, (size_t)length);
	}
	return true;
}

__attribute__((format(printf, 2, 0))) static void write_line(const char *prefix, const char *format, va_list arguments)
{
	char line[LINE_SIZE];
	int saved_errno = errno;
	size_t used = (size_t)snprintf(line, sizeof(line), "rdisk: ");
	int length;

	used += put_time(line + used, sizeof(line) - used);
	used += (size_t)snprintf(line + used, sizeof(line) - used, "%s", prefix);
	length = vsnprintf(line + used, sizeof(line) - used, format, arguments);

	if (length < 0)
		length = 0;
	used += (size_t)length;
	if (used > sizeof(line) - 1)
		used = sizeof(line) - 1;
	for (size_t i = 0; i < used; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	line[used++] = '\n';
	if (is_read())
		put_line(line, used);
	errno = saved_errno;
}

void log_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	if (level > highest_level)
		return;
	va_start(arguments, format);
	write_line(level_names[level], format, arguments);
	va_end(arguments);
}

void log_limited(enum log_level level, const char *format, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static time_t period_start;
	static unsigned int lines, left_out;
	struct timespec now;
	va_list arguments;

	if (level > highest_level)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	if (now.tv_sec - period_start >= LIMIT_SECONDS) {
		if (left_out > 0)
			log_line(level, "%u lines like the ones before were left out", left_out);
		period_start = now.tv_sec;
		lines = 0;
		left_out = 0;
	}
	if (lines >= LIMIT_LINES) {
		left_out++;
	} else {
		lines++;
		va_start(arguments, format);
		write_line(level_names[level], format, arguments);
		va_end(arguments);
	}
	pthread_mutex_unlock(&lock);
}

void log_plain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line("", format, arguments);
	va_end(arguments);
}
