/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's boot id as a number; see boot_id.h.
 */
#include "boot_id.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

int boot_id_read(const char *path, uint64_t *boot, struct diagnostic *diagnostic)
{
	char text[256];
	ssize_t got;
	int fd;

	if (!path)
		path = BOOT_ID_PATH;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return diagnostic_set(diagnostic, "cannot open the boot id %s: %s", path, strerror(errno));
	got = read(fd, text, sizeof(text));
	close(fd);
	if (got <= 0)
		return diagnostic_set(diagnostic, "cannot read the boot id %s: %s", path,
				      got < 0 ? strerror(errno) : "it is empty");
	*boot = XXH3_64bits(text, (size_t)got);
	if (!*boot)
		*boot = 1;
	return 0;
}
