// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where a node keeps its socket. Creates nothing; see dvk_runtime.h.
 */
#include "dvk_runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dvk_errno.h"
#include "dvk_wire.h"

int dvk_runtime_directory(char *path, size_t size)
{
	const char *own = getenv("DVK_RUNTIME_DIR");
	const char *session = getenv("XDG_RUNTIME_DIR");
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof("/" DVK_NODE_SOCKET);
	int length;

	if (own && *own)
		length = snprintf(path, size, "%s", own);
	else if (session && *session)
		length = snprintf(path, size, "%s/dvk", session);
	else if (geteuid() == 0)
		length = snprintf(path, size, "/run/dvk");
	else
		length = snprintf(path, size, "/tmp/dvk-%u", geteuid());
	return length < 0 || (size_t)length >= size || (size_t)length > most ? EDVSNAMETOOLONG : 0;
}

int dvk_runtime_socket(char *path, size_t size)
{
	char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int rc = dvk_runtime_directory(directory, sizeof(directory));
	int length;

	if (rc)
		return rc;
	length = snprintf(path, size, "%s/%s", directory, DVK_NODE_SOCKET);
	return length < 0 || (size_t)length >= size ? EDVSNAMETOOLONG : 0;
}

int dvk_runtime_check(const char *directory)
{
	struct stat st;

	if (lstat(directory, &st))
		return errno == ENOENT ? EDVSNOENT : EDVSACCES;
	if (!S_ISDIR(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return EDVSACCES;
	return 0;
}
