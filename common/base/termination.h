/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGTERM, SIGINT and SIGHUP ask the server to end; it does so between two requests.
 *
 * A signal that comes after the loop looked and before it sleeps must not be lost. So the
 * handler also starts a timer that signals again every few milliseconds until the loop has
 * taken notice: one of those finds it asleep, and ends the sleep with EDVSINTR.
 */
#ifndef RDISK_TERMINATION_H
#define RDISK_TERMINATION_H

#include <stdbool.h>

/* Sets up the handlers; SIGPIPE is ignored. 0 or -errno. Main thread, once. */
int termination_setup(void);

/* As if one of the signals came to the main thread, which is not the caller's. */
void termination_request(void);

/* Whether one of the signals came. Any thread. */
bool termination_requested(void);

/* Stops the repeated signals for good: the caller knows, and what it does now is not to be interrupted, however often
 * it is asked to end. */
void termination_acknowledge(void);

#endif
