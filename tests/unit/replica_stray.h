/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of messages that do not fit: a set of three copies with one block written, and what must be the case
 * whatever was sent.
 */
#ifndef REPLICA_STRAY_H
#define REPLICA_STRAY_H

#include "replica_cluster.h"

/* Data of stray_message(), and ranges that are put there instead. */
extern unsigned char stray_data[CLUSTER_BLOCK];

/* Whether frames of a type are not ignored by who gets them from anybody: they are about what is decided. */
bool stray_is_for_all(enum message_type type);
/* Begins a set, and writes its first block with 1. Returns its configuration. */
struct replica_configuration stray_begin(struct cluster *cluster);
/* The second half of that, in one that has begun. */
void stray_write(struct cluster *cluster);
/* cluster_message(), with data that are nowhere. */
struct message stray_message(struct cluster *cluster, int from, enum message_type type);
/* Sends a message with stray_data, as soon as there is a session for it, and lets what follows happen. */
void stray_send(struct cluster *cluster, int from, int to, const struct message *message);
/* Nothing is lost any more, somebody serves, and all are in sync and equal. */
void stray_settle(struct cluster *cluster);
/* And the set is what it was, holds what it held, and works. */
void stray_assert_well(struct cluster *cluster, const struct replica_configuration *before);

#endif
