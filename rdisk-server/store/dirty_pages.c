/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that wait to be written back, from /proc/vmstat; see dirty_pages.h.
 *
 * The kernel begins to hold up writers half-way between its two thresholds. A quarter of the way counts as near,
 * because much can be written between two looks.
 */
#include "dirty_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define FILE_NAME   "/proc/vmstat"
#define FILE_BYTES  16384	 /* of it: it has 4 KB */
#define INTERVAL_NS 100000000ull /* between two looks */

/* What is known of the host. The loop's thread. */
static int vmstat = -1;
static bool unreadable;
static bool near_limit;
static uint64_t next_look; /* ns */

/* The number behind `name`, which begins a line. 0, or -1 when there is none. */
static int find_number(const char *text, const char *name, uint64_t *number)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, length) && line[length] == ' ') {
			*number = strtoull(line + length, NULL, 10);
			return 0;
		}
	}
	return -1;
}

/* The text of the file, NUL-terminated. 0, or -1: errno. */
static int read_file(char *text)
{
	ssize_t bytes;

	if (vmstat < 0)
		vmstat = open(FILE_NAME, O_RDONLY | O_CLOEXEC);
	if (vmstat < 0)
		return -1;
	do
		bytes = pread(vmstat, text, FILE_BYTES - 1, 0);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return -1;
	text[bytes] = '\0';
	return 0;
}

/* 1: near; 0: not; -1: errno. */
static int look(void)
{
	char text[FILE_BYTES];
	uint64_t dirty, writeback, background, limit;

	if (read_file(text))
		return -1;
	if (find_number(text, "nr_dirty", &dirty) || find_number(text, "nr_writeback", &writeback) ||
	    find_number(text, "nr_dirty_background_threshold", &background) ||
	    find_number(text, "nr_dirty_threshold", &limit) || limit < background) {
		errno = EBADMSG;
		return -1;
	}
	return dirty + writeback >= background + (limit - background) / 4;
}

bool dirty_pages_near_limit(uint64_t now)
{
	int code;

	if (now < next_look || unreadable)
		return near_limit;
	next_look = now + INTERVAL_NS;
	code = look();
	near_limit = code > 0;
	if (code < 0) {
		log_warning("cannot tell from " FILE_NAME " how much the host has to write back (%s): that it lets "
			    "writes wait is noticed only when one has waited",
			    strerror(errno));
		unreadable = true;
	}
	return near_limit;
}
