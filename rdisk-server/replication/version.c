/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of different versions of the program in one set, while it is being updated one by one. Of the wire versions
 * that two members speak the highest common one is a session's. What a version can beyond that are features: one is
 * used when all members were last seen to have it, and this member remembers that, so that one that is away counts as
 * it was; who was never seen counts as having none. Metadata are written in the oldest form that all members read. When
 * all have a feature that changes it, no member can go back to a version that does not read it: it refuses to start.
 *
 * There is one version yet, without features. A made-up one, behind settings.made_up, is what tests mix with it.
 */
#include <string.h>

#include "core.h"

#define METADATA_MADE_UP (METADATA_VERSION + 1) /* the same form under another number */

uint32_t version_newest_wire(const struct replica *replica)
{
	return MESSAGE_WIRE_NEWEST + replica->settings.made_up;
}

uint64_t version_features(const struct replica *replica)
{
	return REPLICA_FEATURES | (replica->settings.made_up ? REPLICA_FEATURE_MADE_UP : 0);
}

uint32_t version_agree(const struct replica *replica, uint32_t oldest, uint32_t newest)
{
	uint32_t common = version_newest_wire(replica);

	if (newest < common)
		common = newest;
	return common >= oldest && common >= MESSAGE_WIRE_OLDEST ? common : 0;
}

void version_seen(struct replica *replica, int member, uint64_t features)
{
	uint64_t *known = &replica->durable.now.features[member];

	if (*known == features)
		return;
	*known = features;
	durable_changed(replica);
}

bool version_uses(const struct replica *replica, uint64_t feature)
{
	uint64_t all = version_features(replica);

	if (deliberate_bug(BUG_FEATURE_AT_ONCE))
		return all & feature;
	for (int i = 0; i < replica->settings.members; i++) {
		if (i != replica->settings.self)
			all &= replica->durable.now.features[i];
	}
	return all & feature;
}

void version_stamp(const struct replica *replica, unsigned char *bytes, size_t size)
{
	if (version_uses(replica, REPLICA_FEATURE_MADE_UP))
		metadata_restamp(bytes, size, METADATA_MADE_UP);
}

const void *version_read(const struct replica *replica, const void *bytes, size_t size,
			 unsigned char copy[static METADATA_SLOT_SIZE])
{
	if (!replica->settings.made_up || size > METADATA_SLOT_SIZE ||
	    metadata_version(bytes, size) != METADATA_MADE_UP)
		return bytes;
	memcpy(copy, bytes, size);
	metadata_restamp(copy, size, METADATA_VERSION);
	return copy;
}
