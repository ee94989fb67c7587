/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node: one process for each user (or host) that owns the tables of DCs and endpoints
 * and introduces processes to each other. It serves common/dvk/dvk_wire.h on the
 * socket node.sock of the runtime directory (dvk_runtime.h). Messages and data do not pass
 * through it.
 *
 * Two ways to have one: run it in the foreground (dvk_node_create(), dvk_node_run(): the
 * program dvkd), or have one started when none answers (dvk_node_ensure(): rdisk).
 *
 * Who is the node is said by a lock on node.lock in the runtime directory, held for
 * the node's life, and by a name in the kernel (an abstract socket), which lasts when the file is removed. Starting and
 * ending a node happen under a second lock, on start.lock, held for that moment only. Neither file is left behind.
 *
 * A node whose files are removed, renamed or replaced makes them anew, or says in its log why it cannot.
 *
 * Hosted. One thread a struct dvk_node.
 */
#ifndef DVK_NODE_H
#define DVK_NODE_H

#include <stddef.h>

/* Bytes that are enough for the text that explains a failure. */
#define DVK_NODE_CAUSE_SIZE 256

struct dvk_node_options {
	int nodeid;	   /* 0 .. NR_NODES-1 */
	const char *name;  /* of the whole system, in dvs_usr.d_name; NULL: "DVS" */
	const char *group; /* its members may bind user endpoints; NULL: nobody but root and this user */
};

struct dvk_node;

/*
 * Makes the runtime directory if it is missing (not its parents), becomes the node and
 * listens. 0 and *node; or an EDVS code, and cause (size bytes) says in one line
 * what failed: EDVSBUSY (another node has the directory), EDVSTIMEDOUT (one has it and does not answer),
 * EDVSBADREQUEST (one of another version has it), EDVSACCES (the directory or a lock in it is
 * not to be trusted), EDVSNAMETOOLONG, EDVSBADNODEID, EDVSNAMESIZE, EDVSNOENT (group), EDVSPERM,
 * EDVSNOMEM, EDVSMFILE, EDVSIO. Waits, up to 10 s for a node that is not to be found by its files and does not answer.
 */
int dvk_node_create(const struct dvk_node_options *options, struct dvk_node **node, char *cause, size_t size);

/*
 * Serves until SIGTERM (or SIGINT, unless it is ignored) comes. Both signals are blocked
 * while it runs and taken from a descriptor. 0, or an EDVS code when the loop itself failed.
 */
int dvk_node_run(struct dvk_node *node);

/* Ends the node: closes all connections, unlinks socket and locks. NULL is allowed. */
void dvk_node_destroy(struct dvk_node *node);

/*
 * Sees to it that a node answers: returns 0 when one does, or when one was started as a process of its
 * own, which ends by itself when its last client has gone. Of many callers at once
 * one starts it and all use it.
 *
 * *hold gets a descriptor that keeps such a node from ending: close it once the caller has
 * opened its own connection (dvk_open()), or when it gives up.
 *
 * Errors as dvk_node_create(), with cause as there.
 *
 * Forks: call it before the process has threads. Waits for the child that it makes; no SIGCHLD
 * handler may reap it meanwhile. What the new node has to say goes to node.log in the runtime directory.
 */
int dvk_node_ensure(int *hold, char *cause, size_t size);

#endif
