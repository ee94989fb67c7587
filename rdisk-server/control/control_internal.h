/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of control/ share.
 */
#ifndef RDISK_CONTROL_INTERNAL_H
#define RDISK_CONTROL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "control.h"

struct control_connection {
	int fd;		   /* -1: free */
	uint32_t serial;   /* another one for each use of this place */
	uint32_t interest; /* events that epoll watches for */
	uint64_t order;	   /* that is under way; 0: none */
	uint64_t used;	   /* when it was heard last, in lines of all */
	bool subscribed;
	bool ended;    /* nothing more comes in; it ends when its answers are sent */
	size_t length; /* bytes of a line that is not whole yet */
	char line[CONTROL_LINE_MAX];
	char *output; /* that was not taken yet, or NULL */
	size_t output_size;
};

struct control {
	const struct replication_configuration *replication;
	const struct control_orders *orders;
	void *user;
	int epoll;
	int listener;
	int spare;    /* a descriptor to have one when there are no more; -1: none */
	dev_t device; /* of the socket's file */
	ino_t inode;
	uint32_t serials;
	uint64_t lines;
	uint64_t last_order;
	struct control_connection connections[CONTROL_CONNECTIONS_MAX];
};

/* control_socket.c: a listening socket at path, nonblocking, and its file. It, or -1 and *diagnostic. */
int control_socket_listen(const char *path, dev_t *device, ino_t *inode, struct diagnostic *diagnostic);
void control_socket_remove(const char *path, dev_t device, ino_t inode);

/* control_order.c: obeys a line (length bytes, without its end). Its answer is sent, now or later. */
void control_obey(struct control *control, struct control_connection *connection, uint64_t now, const char *line,
		  size_t length);

/* control.c: sends an object, which may be NULL for want of memory, as a line, and deletes it. */
void control_send(struct control *control, struct control_connection *connection, struct cJSON *object);

#endif
