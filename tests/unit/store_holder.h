/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another process that has an image open, as a server would, until it is killed.
 */
#ifndef STORE_HOLDER_H
#define STORE_HOLDER_H

#include "store.h"

/* Starts it; it has the image when this returns. One at a time. */
void holder_start(const struct store_settings *settings);

/* Kills it, and does not wait until it is gone. May be called by fake_on_log(). */
void holder_kill(const char *text);

/* Kills it if that was not done, and waits until it is gone. */
void holder_end(void);

#endif
