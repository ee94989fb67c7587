/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells systemd, or whoever started the server with NOTIFY_SOCKET set, what state it is in:
 * the datagram that sd_notify(3) describes, without its library.
 */
#ifndef RDISK_SERVICE_NOTIFY_H
#define RDISK_SERVICE_NOTIFY_H

#include <stdbool.h>

/*
 * Sends `state`, such as "READY=1". A manager that has no room for it is waited for, wait_ms at most: one that does not
 * read what it is told must not hold up whoever tells it. Does nothing when NOTIFY_SOCKET is not set; when it cannot be
 * reached that is logged, for the service manager will say the rest. false: there was no room. Any thread.
 */
bool service_notify(const char *state, int wait_ms);

#endif
