/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When sessions come and go: what sim_network.c and sim_session.c have between them.
 */
#ifndef RDISK_SIM_SESSION_H
#define RDISK_SIM_SESSION_H

#include "sim_network.h"

void sim_session_init(struct sim_network *network, int a, int b);

/* The side of `self` in its session with `peer`. */
struct sim_side *sim_session_side(struct sim_network *network, int self, int peer);

/* It hears nothing: it will give up, unless sim_session_trust() comes before. */
void sim_session_doubt(struct sim_side *side);
void sim_session_trust(struct sim_pair *pair);

/* Something has changed: whether the two connect, or one side has to learn that there is no session any more. */
void sim_session_consider(struct sim_pair *pair);

/* ---- of sim_network.c ---- */

/* ns that a frame takes now. */
uint64_t sim_network_delay(struct sim_network *network, int from, int to);

/* What was held from this side is lost. */
void sim_network_drop_held(struct sim_side *side);

#endif
