/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See test_fuse.h.
 */
#include "test_fuse.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NODE 2

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node, .size = 4096, .nlink = 1, .mode = node == FILE_NODE ? S_IFREG | 0600 : S_IFDIR | 0700
	};
}

static void reply(int fuse, const struct fuse_in_header *request, const void *data, size_t size)
{
	char answer[256];
	struct fuse_out_header header = { .len = (uint32_t)(sizeof(header) + size), .unique = request->unique };

	memcpy(answer, &header, sizeof(header));
	memcpy(answer + sizeof(header), data, size);
	if (write(fuse, answer, header.len) != (ssize_t)header.len)
		_exit(1);
}

/* One directory with one file, whose opening is the last that is answered. */
static _Noreturn void serve(int fuse, int life)
{
	static char buffer[FUSE_MIN_READ_BUFFER * 4];
	const struct fuse_in_header *request = (const struct fuse_in_header *)buffer;
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
	struct fuse_entry_out entry = { .nodeid = FILE_NODE };
	struct fuse_attr_out attr = { 0 };
	struct fuse_open_out opened = { .fh = 1 };
	struct pollfd ready[2] = { { .fd = fuse, .events = POLLIN }, { .fd = life } };

	while (poll(ready, 2, -1) > 0 && !ready[1].revents && read(fuse, buffer, sizeof(buffer)) > 0) {
		switch (request->opcode) {
		case FUSE_INIT:
			reply(fuse, request, &init, sizeof(init));
			break;
		case FUSE_LOOKUP:
			entry.attr = attributes(FILE_NODE);
			reply(fuse, request, &entry, sizeof(entry));
			break;
		case FUSE_GETATTR:
			attr.attr = attributes(request->nodeid);
			if (request->nodeid != FILE_NODE)
				reply(fuse, request, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
			reply(fuse, request, &opened, sizeof(opened));
			break;
		case FUSE_READ:
			_exit(0);
		default:
			break;
		}
	}
	_exit(0);
}

int test_fuse_mount(uid_t user, gid_t group, int life)
{
	pid_t server;
	char options[128];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fuse < 0)
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fuse, user, group);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("test", "/mnt", "fuse", MS_NOSUID | MS_NODEV, options)) {
		close(fuse);
		return -1;
	}
	server = fork();
	if (server == 0)
		serve(fuse, life);
	close(fuse);
	return server < 0 ? -1 : 0;
}
