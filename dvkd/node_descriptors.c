/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that clients send: which of them the node may have, and how the rest is got rid of.
 *
 * Closing can wait for as long as whoever made the descriptor likes, a socket that lingers by whoever closes it last, a
 * file on a file system that a client serves itself by everybody. So the node takes none from a socket. A process of
 * its own, the helper, does (by fork), looks at them, gives the node what is harmless, closes them and ends; at worst
 * never. So it is with a socket in which descriptors are left. A client has one helper at a time and is
 * not listened to meanwhile, and counts as a client until it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node_internal.h"

/* How long the node waits for a helper to look at a descriptor; nothing that it does then takes time. */
#define HELPER_MS 3000

/* The kernel takes no more in a datagram (SCM_MAX_FD). */
#define FDS_MAX	  253

/* File systems whose files are closed without asking anybody; memfds and tmpfs are known by their seals. */
static const char *const local_types[] = {
	"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "xfs", "zfs",
};

static bool is_local_type(const char *type)
{
	for (size_t i = 0; i < sizeof(local_types) / sizeof(local_types[0]); i++)
		if (!strcmp(type, local_types[i]))
			return true;
	return false;
}

/* The type in a line of mountinfo if that is about the mount with this number, else NULL. */
static char *type_in_line(char *line, unsigned long long mount)
{
	char *end, *type;

	if (strtoull(line, &end, 10) != mount || end == line)
		return NULL;
	type = strstr(line, " - ");
	if (!type)
		return NULL;
	type += strlen(" - ");
	type[strcspn(type, " \n")] = '\0';
	return type;
}

/* Mounts of other mount namespaces are not in the list: what users mount in theirs is not to be trusted. */
static bool mount_is_local(unsigned long long mount)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	const char *type = NULL;
	char *line = NULL;
	size_t size = 0;
	bool local;

	if (!mounts)
		return false;
	while (!type && getline(&line, &size, mounts) > 0)
		type = type_in_line(line, mount);
	local = type && is_local_type(type);
	free(line);
	fclose(mounts);
	return local;
}

/* A page that is punched out of such a file may not be had again, also if it is sealed: a load then raises SIGBUS. */
static bool has_huge_pages(int fd)
{
	struct statfs system;

	return fstatfs(fd, &system) || system.f_type == HUGETLBFS_MAGIC;
}

/*
 * True for a file that can be mapped and whose closing does not wait for anybody: a memfd, a file on tmpfs, or a
 * regular file on one of the host's own file systems.
 */
static bool is_memory(int fd)
{
	struct statx status;

	/* Only memfds and files on tmpfs and hugetlbfs have seals. */
	if (fcntl(fd, F_GET_SEALS) >= 0)
		return !has_huge_pages(fd);
	/* fstat() would ask the file system, whoever that is. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &status) ||
	    !(status.stx_mask & STATX_TYPE) || !(status.stx_mask & STATX_MNT_ID) || !S_ISREG(status.stx_mode))
		return false;
	return mount_is_local(status.stx_mnt_id);
}

/* ---- helpers ---- */

/* Closes all descriptors but those two. */
static void close_others(int one, int other)
{
	unsigned int low = (unsigned int)(one < other ? one : other);
	unsigned int high = (unsigned int)(one < other ? other : one);

	if (low > 0)
		close_range(0, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

/* What a helper does with the client's socket; connection: to the node. */
typedef void (*helper_work)(int socket, int connection);

/* In the helper, which is to have nothing of the node's but the two descriptors, above all not its lock. */
static _Noreturn void helper_main(helper_work work, int socket, int connection)
{
	sigset_t none;

	close_others(socket, connection);
	prctl(PR_SET_NAME, "dvk-helper");
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	work(socket, connection);
	_exit(0);
}

/* Starts client->helper. The node's end of the connection, or -1. */
static int start_helper(struct node_client *client, helper_work work, int socket)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		helper_main(work, socket, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -1;
	}
	client->helper = pid;
	return ends[0];
}

/* A message between node and helper, with a descriptor or -1. */
struct note {
	int code;
	int fd;
};

static bool send_note(int connection, const struct note *note)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec vector = { (void *)(uintptr_t)&note->code, sizeof(note->code) };
	struct msghdr msg = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (note->fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &note->fd, sizeof(int));
	}
	return sendmsg(connection, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof(note->code);
}

/* False: none came in time, or will. */
static bool receive_note(int connection, struct note *note)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec vector = { &note->code, sizeof(note->code) };
	struct msghdr msg = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct pollfd ready = { .fd = connection, .events = POLLIN };

	note->fd = -1;
	if (poll(&ready, 1, HELPER_MS) <= 0 ||
	    recvmsg(connection, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(note->code))
		return false;
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&note->fd, CMSG_DATA(&control.header), sizeof(int));
	if (msg.msg_flags & MSG_CTRUNC)
		note->code = EDVSMFILE;
	return true;
}

/* Hears what a helper says. One that says nothing is killed: it may still have all that the node has. */
static bool hear_helper(const struct node_client *client, int connection, struct note *note)
{
	bool told = receive_note(connection, note);

	if (!told)
		kill(client->helper, SIGKILL);
	return told;
}

/* The helper's part: the node's answer is an error unless there is one descriptor, and that is memory. */
static void take_descriptors(int socket, int connection)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct dvk_node_request request;
	struct iovec vector = { &request, sizeof(request) };
	struct msghdr msg = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct note note = { EDVSINVAL, -1 };

	if (recvmsg(socket, &msg, MSG_DONTWAIT) < 0)
		_exit(1);
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&msg); header; header = CMSG_NXTHDR(&msg, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		if (header->cmsg_len != CMSG_LEN(sizeof(int)) || msg.msg_flags & MSG_CTRUNC)
			continue;
		memcpy(&note.fd, CMSG_DATA(header), sizeof(int));
	}
	if (note.fd >= 0 && is_memory(note.fd))
		note.code = 0;
	else
		note.fd = -1;
	if (!send_note(connection, &note)) {
		/* Too many descriptors of this user are under way. */
		note = (struct note){ EDVSNOMEM, -1 };
		send_note(connection, &note);
	}
	close(connection);
	/* Ending closes all that was received, however long that takes; sockets do not linger then. */
}

int node_descriptor_take(struct dvk_node *node, struct node_client *client)
{
	int connection = start_helper(client, take_descriptors, client->fd);
	struct note note;
	bool told;

	if (connection < 0) {
		client->postponed = true;
		node_try_again(node);
		node_client_watch(node, client);
		return NODE_NO_ANSWER;
	}
	told = hear_helper(client, connection, &note);
	close(connection);
	if (!told) {
		node_client_doom(node, client, "sent descriptors that cannot be looked at");
		return NODE_NO_ANSWER;
	}
	return note.code ? note.code : note.fd;
}

/* The helper's part: the last one to close the socket waits, so the node has to do it before. */
static void close_after_node(int socket, int connection)
{
	const struct note ready = { 0, -1 };
	char byte;

	(void)socket;
	if (!send_note(connection, &ready))
		_exit(1);
	while (read(connection, &byte, 1) < 0 && errno == EINTR)
		;
}

void node_leftover_close(struct dvk_node *node, struct node_client *client)
{
	struct note ready;
	int connection;

	if (client->helper || client->leftover_fd < 0)
		return;
	connection = start_helper(client, close_after_node, client->leftover_fd);
	if (connection < 0) {
		node_try_again(node);
		return;
	}
	/*
	 * A helper that is killed before it has the socket for sure: another one is started when it is gone. The end of
	 * the connection lets the helper close the socket: it comes after our own closing.
	 */
	if (hear_helper(client, connection, &ready))
		node_close(&client->leftover_fd);
	close(connection);
}

bool node_helper_ended(struct node_client *client)
{
	/* An error: somebody else took it. */
	if (!client->helper || waitpid(client->helper, NULL, WNOHANG) == 0)
		return false;
	client->helper = 0;
	return true;
}
