/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Telling a service manager how a program is doing; no library of its is needed. Hosted. */
#ifndef DVK_NOTIFY_H
#define DVK_NOTIFY_H

/*
 * Sends `state` ("READY=1", "STOPPING=1") to the socket in $NOTIFY_SOCKET (see sd_notify(3)). 0, also
 * when the variable is not set: nobody wants to know; else an EDVS code (EDVSINVAL: not
 * a socket's address). Any thread.
 */
int dvk_sd_notify(const char *state);

#endif
