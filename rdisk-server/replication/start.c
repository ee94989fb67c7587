/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process starts: what the last one kept is loaded, the images are looked at, and what follows from both is set up.
 * The forms of what is loaded are in metadata.h; what maps make of theirs in maps_disk.c.
 */
#include "core.h"

/* Whether a configuration is about as many devices as there are. */
static bool has_size_of_each(const struct replica *replica, const struct replica_configuration *configuration)
{
	for (int i = 0; i < REPLICA_DEVICES_MAX; i++) {
		if ((configuration->sizes[i] != 0) != (i < replica->settings.nr_devices))
			return false;
	}
	return true;
}

const char *replica_load_slot(struct replica *replica, uint32_t index, const void *bytes, size_t size)
{
	struct durable *durable = &replica->durable;
	struct metadata_slot slot;
	unsigned char copy[METADATA_SLOT_SIZE];

	(void)index;
	switch (bytes ? metadata_decode_slot(version_read(replica, bytes, size, copy), size, durable->now.node, &slot)
		      : METADATA_BROKEN) {
	case METADATA_GOOD:
		break;
	case METADATA_MISSING:
		return NULL;
	case METADATA_BROKEN:
		durable->broken = true;
		return NULL;
	case METADATA_FUTURE:
		return "its metadata were written by a newer version: start that one again";
	case METADATA_FOREIGN:
		return "its metadata belong to another node: give each member a state_dir of its own, or remove the "
		       "folder; then this member takes a whole copy of the others";
	}
	if (((slot.configuration.epoch && slot.configuration.digest != replica->list_digest) ||
	     (slot.given_up.epoch && slot.given_up.digest != replica->list_digest)) &&
	    !deliberate_bug(BUG_LIST_TAKEN))
		return "its metadata are of a set with other members: put the list of members back in the "
		       "configuration file as it was, their nodes, order, and which of them are diskless";
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		/* Maps are of devices by their place in the list. */
		if (slot.names[i] && slot.names[i] != replica->settings.devices[i].name_checksum)
			return "its metadata are of devices with other names, or in another order: put the devices "
			       "back "
			       "in the configuration file as they were";
	}
	if (slot.configuration.epoch && !has_size_of_each(replica, &slot.configuration))
		return "its metadata are of a set with another number of devices, which cannot be changed: put the "
		       "list of "
		       "replicated devices back in the configuration file as it was";
	durable->loaded++;
	if (slot.sequence > durable->now.sequence)
		durable->now = slot;
	return NULL;
}

const char *replica_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
				size_t size)
{
	return maps_load_sector(replica, place, bytes, size);
}

/*
 * Which image files there are, and whether they are those that were there before. Others are noted when they are
 * brought up, and not before: where a host is started without a file system of its image another one is made, and what
 * was there is to be found again. So are those that an operator distrusts: until one that is in sync serves, it may be
 * that they are the last ones.
 */
static void look_at_images(struct replica *replica)
{
	struct metadata_slot *now = &replica->durable.now;
	bool was_set = now->configuration.epoch || now->given_up.epoch;
	uint64_t distrusted = 0;

	replica->noted_wants = now->wants_all;

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		const struct replica_device_settings *device = &replica->settings.devices[i];
		bool missing = device->image == REPLICA_IMAGE_MISSING;

		if (core_diskless(replica, replica->settings.self))
			break;
		replica->image_missing |= missing;
		now->names[i] = device->name_checksum;
		if (was_set && missing)
			distrusted |= UINT64_C(1) << i;
		else if (was_set && now->images[i] != device->identity)
			replica->other_images |= UINT64_C(1) << i;
		else
			now->images[i] = device->identity;
	}
	if (deliberate_bug(BUG_EMPTY_IMAGE_PROMOTED))
		replica->other_images = 0;
	replica->other_images |= distrusted;
	now->wants_all |= replica->other_images;
}

void replica_start(struct replica *replica, uint64_t now)
{
	struct durable *durable = &replica->durable;

	replica->now = now;
	replica->lease.held_off_until = deliberate_bug(BUG_NO_HOLD_OFF) ? 0 : now + lease_longest(replica);
	durable->stable = durable->now;
	look_at_images(replica);
	/* With one good slot nothing is lost: both hold the same. Both are made good again. */
	if (durable->loaded > 0)
		durable->broken = false;
	else
		durable->now.votes_from = replica->settings.members > 1 && !deliberate_bug(BUG_VOTE_WITH_LOST_METADATA)
						  ? VOTES_UNKNOWN
						  : 0;
	if (durable->broken)
		decision_lost(replica, 0);
	if (deliberate_bug(BUG_FAILED_FLUSH_FORGOTTEN))
		durable->now.flush_failed = 0;
	/* The page cache may have what the disk has not. */
	replica->reign.rewrite = durable->now.flush_failed;
	maps_loaded(replica);
	replica->clean = maps_clean(replica);
	durable_changed(replica);
	decision_found(replica);
	replica->consider = true;
	replica_time(replica, now);
}
