/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What operators ask this member and order it: the functions of the control socket (control.h), over the member. Main
 * thread.
 */
#ifndef RDISK_MEMBERSHIP_CONTROL_H
#define RDISK_MEMBERSHIP_CONTROL_H

#include "configured.h"
#include "diagnostic.h"
#include "server.h"

struct membership_control;

/* Listens at the configuration's control path, for a member that was started. 0, or -1 and *diagnostic. */
int membership_control_open(struct membership_control **control, struct server *server,
			    const struct configuration *configuration, struct diagnostic *diagnostic);

/* Something happened in the set: subscribers are told. NULL is harmless. */
void membership_control_tell(struct membership_control *control, const struct replica_event *event);

/* So much more happened than could be told. NULL is harmless. */
void membership_control_lost(struct membership_control *control, unsigned int lost);

/*
 * After what was told, or when a member has come or gone, of which the set may know no event: subscribers and the
 * service manager are told what is different. NULL is harmless.
 */
void membership_control_look(struct membership_control *control);

/* In each turn of the loop in which there may be something to do. */
void membership_control_turn(struct membership_control *control);

/* NULL is harmless. */
void membership_control_close(struct membership_control *control);

#endif
