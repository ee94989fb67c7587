/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small common needs of the node's files: its log lines, the clock, error codes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "node_internal.h"

#define SECOND_NS     1000000000LL

/* Lines of one source that are written at once, and how long it takes until one more may be. */
#define LINES_AT_ONCE 50
#define LINE_PAUSE_NS (10 * SECOND_NS)

int64_t node_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

__attribute__((format(printf, 2, 0))) static void write_line(const char *level, const char *format, va_list arguments)
{
	char text[400];

	vsnprintf(text, sizeof(text), format, arguments);
	fprintf(stderr, "dvkd: %s: %s\n", level, text);
}

void node_log(const char *level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(level, format, arguments);
	va_end(arguments);
}

/* ---- lines that clients cause ---- */

/* When the next line may be written. */
static int64_t next_line(const struct node_log_source *source)
{
	return source->paid_off - (LINES_AT_ONCE - 1) * LINE_PAUSE_NS;
}

static bool may_write(struct node_log_source *source, int64_t now)
{
	if (next_line(source) > now)
		return false;
	source->paid_off = (source->paid_off > now ? source->paid_off : now) + LINE_PAUSE_NS;
	return true;
}

static void tell_left_out(struct node_log_source *source, const char *whose)
{
	if (source->left_out)
		node_log("warning", "left out %lu lines that clients of %s caused", source->left_out, whose);
	source->left_out = 0;
}

static const char own_users[] = "root or this user", other_users[] = "other users";

void node_log_client(struct dvk_node *node, bool other_user, const char *level, const char *format, ...)
{
	struct node_log_source *source = other_user ? &node->log_others : &node->log_own;
	va_list arguments;

	if (!may_write(source, node_now())) {
		source->left_out++;
		return;
	}
	tell_left_out(source, other_user ? other_users : own_users);
	va_start(arguments, format);
	write_line(level, format, arguments);
	va_end(arguments);
}

void node_log_left_out(struct dvk_node *node, int64_t now)
{
	if (node->log_own.left_out && may_write(&node->log_own, now))
		tell_left_out(&node->log_own, own_users);
	if (node->log_others.left_out && may_write(&node->log_others, now))
		tell_left_out(&node->log_others, other_users);
}

int64_t node_log_next(const struct dvk_node *node)
{
	int64_t own = node->log_own.left_out ? next_line(&node->log_own) : INT64_MAX;
	int64_t others = node->log_others.left_out ? next_line(&node->log_others) : INT64_MAX;

	return own < others ? own : others;
}

void node_log_end(struct dvk_node *node)
{
	tell_left_out(&node->log_own, own_users);
	tell_left_out(&node->log_others, other_users);
}

/* ---- small needs ---- */

int node_fail(char *cause, size_t size, int code, const char *format, ...)
{
	va_list arguments;

	if (cause && size) {
		va_start(arguments, format);
		vsnprintf(cause, size, format, arguments);
		va_end(arguments);
	}
	return code;
}

int node_error_of(int error)
{
	switch (error) {
	case ENOMEM:
	case ENOBUFS:
		return EDVSNOMEM;
	case EMFILE:
	case ENFILE:
		return EDVSMFILE;
	case EACCES:
		return EDVSACCES;
	case EPERM:
		return EDVSPERM;
	case ENOENT:
		return EDVSNOENT;
	case EINTR:
		return EDVSINTR;
	case ENAMETOOLONG:
		return EDVSNAMETOOLONG;
	case ENOSPC:
		return EDVSNOSPC;
	case EROFS:
		return EDVSROFS;
	case EEXIST:
		return EDVSEXIST;
	default:
		return EDVSIO;
	}
}

void node_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
