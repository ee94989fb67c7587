/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One datagram to the service manager; see dvk_notify.h. */
#include "dvk_notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dvk_errno.h"

int dvk_sd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length;
	ssize_t sent;
	int fd, error;

	if (!path || !*path)
		return 0;
	length = strlen(path);
	if ((*path != '/' && *path != '@') || length >= sizeof(address.sun_path))
		return EDVSINVAL;
	memcpy(address.sun_path, path, length);
	/* '@' stands for the zero byte of an abstract address. */
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? EDVSMFILE : EDVSNOMEM;
	do {
		sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	} while (sent < 0 && errno == EINTR);
	error = errno;
	close(fd);
	if (sent >= 0)
		return 0;
	return error == EACCES || error == EPERM ? EDVSACCES : EDVSNOTCONN;
}
