/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks for a lock in /proc; see lock_holder.h. A lock of that kind belongs to no process, so that the kernel names
 * none when it is asked: but /proc/PID/fdinfo tells of each descriptor which locks it holds.
 */
#include "lock_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDINFO_BYTES 1024 /* of it: the lock comes behind some 60 */
#define PATH_BYTES   64

/* Whether what /proc tells of a descriptor has a lock in it. */
static bool has_lock(const char *path)
{
	char text[FDINFO_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t bytes;

	if (fd < 0)
		return false;
	bytes = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (bytes <= 0)
		return false;
	text[bytes] = '\0';
	return strstr(text, "\nlock:") && strstr(text, "OFDLCK");
}

/* Whether a descriptor of another process is of that file. Its file system is not asked: it may be one that hangs. */
static bool is_file(const char *path, const struct statx *file)
{
	struct statx other;

	return !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &other) && other.stx_ino == file->stx_ino &&
	       other.stx_dev_major == file->stx_dev_major && other.stx_dev_minor == file->stx_dev_minor;
}

static bool holds(long pid, const struct statx *file)
{
	char path[PATH_BYTES];
	const struct dirent *entry;
	bool found = false;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%ld/fdinfo", pid);
	directory = opendir(path);
	if (!directory)
		return false;
	while (!found && (entry = readdir(directory)) != NULL) {
		long number = atol(entry->d_name);

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/fdinfo/%ld", pid, number);
		if (!has_lock(path))
			continue;
		snprintf(path, sizeof(path), "/proc/%ld/fd/%ld", pid, number);
		found = is_file(path, file);
	}
	closedir(directory);
	return found;
}

pid_t lock_holder_find(int fd)
{
	const struct dirent *entry;
	struct statx file;
	pid_t holder = 0;
	DIR *directory;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &file))
		return 0;
	directory = opendir("/proc");
	if (!directory)
		return 0;
	while (!holder && (entry = readdir(directory)) != NULL) {
		long pid = atol(entry->d_name);

		if (isdigit((unsigned char)entry->d_name[0]) && pid != getpid() && holds(pid, &file))
			holder = (pid_t)pid;
	}
	closedir(directory);
	return holder;
}
