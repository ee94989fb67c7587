/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of different versions: which frames and which features are used. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_VERSION_H
#define RDISK_REPLICATION_VERSION_H

#include "metadata.h"
#include "replica.h"

uint32_t version_newest_wire(const struct replica *replica);
uint64_t version_features(const struct replica *replica);
/* The wire version of a session with one that speaks these; 0: none. */
uint32_t version_agree(const struct replica *replica, uint32_t oldest, uint32_t newest);
/* What a member's HELLO said that it can. */
void version_seen(struct replica *replica, int member, uint64_t features);
/* Whether a feature (one bit) is to be used. */
bool version_uses(const struct replica *replica, uint64_t feature);
/* A piece of metadata that was encoded becomes of the version that is written. */
void version_stamp(const struct replica *replica, unsigned char *bytes, size_t size);
/* A piece of another version that this one reads is put into `copy` as one of METADATA_VERSION; else it is the same. */
const void *version_read(const struct replica *replica, const void *bytes, size_t size,
			 unsigned char copy[static METADATA_SLOT_SIZE]);

#endif
