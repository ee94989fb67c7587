/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's loop: receive a message from anybody, begin what it asks for, answer what is done. One thread. The
 * protocol is the table at the top of rdisk_protocol.h.
 */
#ifndef RDISK_DRIVER_TASK_H
#define RDISK_DRIVER_TASK_H

#include "dvk_message.h"
#include "server.h"

/* Sets up a zeroed server, whose devices are opened afterwards. 0 or -errno. Main thread. */
int driver_init(struct server *server);

/*
 * Serves until a signal asks to end (termination.h): 0, and what was received has been answered; nothing is under way
 * any more but what dead clients have left. Or until the endpoint or the node is lost: the code of dvk_receive(), and
 * nothing is owed to anybody any more.
 */
int driver_task(struct server *server);

/* Waits until the stores have nothing under way any more. */
/*
 * Hands the replicated disks over to others and gives up what clients have under way there, which is not answered.
 * Harmless without one, and when it was done already.
 */
void driver_leave_set(struct server *server);

void driver_drain(struct server *server);

/* Begins what one message asks for. For driver_task() and tests of single messages. */
void driver_begin(struct server *server, const message *asked);

#endif
