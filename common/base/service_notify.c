/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager's notification; see service_notify.h.
 */
#include "service_notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

void service_notify(const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length;
	int fd;

	if (!path || !*path)
		return;
	length = strlen(path);
	if ((*path != '/' && *path != '@') || length >= sizeof(address.sun_path)) {
		log_warning("NOTIFY_SOCKET %s is no address of a Unix socket", path);
		return;
	}
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0'; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		log_warning("cannot notify the service manager at %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}
