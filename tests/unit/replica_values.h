/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values that the tests of the replication's forms share, and the fuzzers begin with: all different, so that none can
 * be taken for another. What they encode to must not change: members of another version read it.
 */
#ifndef REPLICA_VALUES_H
#define REPLICA_VALUES_H

#include "message.h"
#include "metadata.h"

#define REPLICA_VALUES_DATA 64u /* bytes of data at most */

/* One that a list of 3 members with 2 devices could have decided: members 0 and 2 are in sync, 2 is the primary. */
struct replica_configuration replica_values_configuration(void);

/* One of each type, with all that it can have; data are written to `data`. */
struct message replica_values_message(enum message_type type, unsigned char data[static REPLICA_VALUES_DATA]);

/* The same as a frame. Returns its bytes. */
#define REPLICA_VALUES_FRAME (MESSAGE_HEAD_MAX + REPLICA_VALUES_DATA)
size_t replica_values_frame(enum message_type type, unsigned char frame[static REPLICA_VALUES_FRAME]);

/* Makes the checksums of a changed frame right, as far as its prefix says where they are. */
void replica_values_seal_frame(unsigned char *frame, size_t size);

/* A slot with all that it can have, of the configuration above and this node; the bits of a sector. */
#define REPLICA_VALUES_NODE 200u
struct metadata_slot replica_values_slot(void);
void replica_values_bits(uint64_t words[static METADATA_SECTOR_BITS / 64]);

/* Makes the checksum of a changed slot or sector right. */
void replica_values_seal_metadata(unsigned char *bytes, size_t size);

/* The same numbers in each run. */
uint64_t replica_values_random(uint64_t *seed);

/* One to three of: a bit, a byte, a word that is an extreme. size > 0. */
void replica_values_damage(unsigned char *bytes, size_t size, uint64_t *seed);

#endif
