/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service manager's notification; see service_notify.h.
 */
#include "service_notify.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* 0 or -errno; -EAGAIN: there is no room. */
static int send_to(const struct sockaddr_un *address, socklen_t size, const char *state, int wait_ms)
{
	struct pollfd room = { .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), .events = POLLOUT };
	int code = 0;

	if (room.fd < 0)
		return -errno;
	/* Connected, it can be waited for. */
	if (connect(room.fd, (const struct sockaddr *)address, size))
		code = -errno;
	if (!code && wait_ms > 0)
		(void)poll(&room, 1, wait_ms);
	if (!code && send(room.fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		code = -errno;
	close(room.fd);
	return code;
}

bool service_notify(const char *state, int wait_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length;
	int code;

	if (!path || !*path)
		return true;
	length = strlen(path);
	if ((*path != '/' && *path != '@') || length >= sizeof(address.sun_path)) {
		log_warning("NOTIFY_SOCKET %s is no address of a Unix socket", path);
		return true;
	}
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0'; /* abstract */
	code = send_to(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length), state, wait_ms);
	if (code)
		log_limited(LOG_LEVEL_WARNING, "cannot notify the service manager at %s: %s", path,
			    code == -EAGAIN ? "it does not read what it is told" : strerror(-code));
	return code != -EAGAIN;
}
