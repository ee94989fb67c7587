/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See device_identity.h. A partition is that of its disk which has its number and its place there.
 */
#include "device_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TEXT_SIZE 512 /* bytes; more of such a file is not looked at */

/* Where a disk has its name, and whose: the first one counts. */
static const char *const names[] = {
	"dm/uuid",	 /* device mapper: a logical volume's, an encrypted device's */
	"wwid",		 /* NVMe */
	"device/wwid",	 /* SCSI and what looks so */
	"serial",	 /* virtio */
	"device/serial", /* others */
};

/* A file's text without the white space at its end. False: there is none. */
static bool read_text(const char *folder, const char *name, char text[static TEXT_SIZE])
{
	char path[PATH_MAX];
	ssize_t bytes;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	do
		bytes = read(fd, text, TEXT_SIZE - 1);
	while (bytes < 0 && errno == EINTR);
	close(fd);
	while (bytes > 0 && strchr(" \t\n", text[bytes - 1]))
		bytes--;
	if (bytes <= 0)
		return false;
	text[bytes] = '\0';
	return true;
}

/* FNV-1a, with the zero at the text's end. */
static uint64_t mix(uint64_t hash, const char *text)
{
	do
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	while (*text++);
	return hash;
}

static uint64_t disk_in(const char *folder)
{
	char text[TEXT_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (read_text(folder, names[i], text))
			return mix(mix(0xcbf29ce484222325u, names[i]), text);
	}
	return 0;
}

uint64_t device_identity_in(const char *folder)
{
	char number[TEXT_SIZE], start[TEXT_SIZE], disk[PATH_MAX];
	uint64_t identity;

	if (!read_text(folder, "partition", number))
		return disk_in(folder);
	if (!read_text(folder, "start", start) || snprintf(disk, sizeof(disk), "%s/..", folder) >= (int)sizeof(disk))
		return 0;
	identity = disk_in(disk);
	return identity ? mix(mix(identity, number), start) : 0;
}

uint64_t device_identity_of(dev_t device)
{
	char folder[64];

	(void)snprintf(folder, sizeof(folder), "/sys/dev/block/%u:%u", major(device), minor(device));
	return device_identity_in(folder);
}
