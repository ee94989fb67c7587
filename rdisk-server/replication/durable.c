/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a voter must not forget: its promise and what it has accepted, in two slots that are both written before
 * anything that rests on them is sent. While they are being written more may change; all of that goes with the next
 * write. See metadata.h for their form.
 */
#include <assert.h>
#include <string.h>

#include "core.h"

static void write_slot(struct replica *replica, uint32_t index)
{
	struct durable *durable = &replica->durable;

	durable->save = (struct replica_save){
		.place = { .kind = METADATA_SLOT, .index = index },
		.bytes = durable->bytes,
		.size = sizeof(durable->bytes),
	};
	replica->world->save(replica, &durable->save);
}

static void begin(struct replica *replica)
{
	struct durable *durable = &replica->durable;

	durable->busy = true;
	durable->began = replica->now;
	core_wake_at(replica, durable->began + replica->settings.replica_timeout);
	durable->now.sequence++;
	durable->saving = durable->now;
	/* The one that was there before may come back. */
	durable->saving.wants_all &= ~(replica->other_images & ~replica->noted_wants);
	durable->saving_version = durable->version;
	metadata_encode_slot(&durable->saving, durable->bytes);
	version_stamp(replica, durable->bytes, sizeof(durable->bytes));
	write_slot(replica, 0);
}

void durable_note_images(struct replica *replica)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		if (replica->other_images >> i & 1)
			replica->durable.now.images[i] = replica->settings.devices[i].identity;
	}
	replica->other_images = 0;
}

void durable_changed(struct replica *replica)
{
	struct durable *durable = &replica->durable;

	durable->version++;
	if (!durable->busy && !replica->failed)
		begin(replica);
}

void durable_then(struct replica *replica, enum after_save what, int member, uint64_t epoch, struct ballot ballot)
{
	struct durable *durable = &replica->durable;

	/* Whoever waits for the oldest asks again. */
	if (durable->nr_awaiting == AFTER_SAVE_MAX) {
		for (unsigned int i = 1; i < AFTER_SAVE_MAX; i++)
			durable->awaiting[i - 1] = durable->awaiting[i];
		durable->nr_awaiting--;
	}
	durable->awaiting[durable->nr_awaiting++] = (struct awaiting_save){
		.version = durable->version + 1,
		.what = what,
		.member = member,
		.epoch = epoch,
		.ballot = ballot,
	};
	durable_changed(replica);
}

static void tell_awaiting(struct replica *replica)
{
	struct durable *durable = &replica->durable;
	struct awaiting_save ready[AFTER_SAVE_MAX];
	unsigned int nr_ready = 0, left = 0;

	for (unsigned int i = 0; i < durable->nr_awaiting; i++) {
		if (durable->awaiting[i].version <= durable->stable_version)
			ready[nr_ready++] = durable->awaiting[i];
		else
			durable->awaiting[left++] = durable->awaiting[i];
	}
	durable->nr_awaiting = left;
	for (unsigned int i = 0; i < nr_ready; i++)
		decision_saved(replica, &ready[i]);
}

bool durable_knows_set(const struct replica *replica)
{
	static const struct set_id none;

	return memcmp(&replica->durable.stable.set, &none, sizeof(none)) != 0;
}

void durable_saved(struct replica *replica, struct replica_save *save, int result)
{
	struct durable *durable = &replica->durable;
	bool news, first = !durable->stable_version, knew_set = durable_knows_set(replica);
	uint64_t wanted = durable->stable.wants_all;

	assert(durable->busy);
	if (result) {
		core_fail(replica, "the slots of its configuration cannot be written");
		return;
	}
	if (save->place.index == 0) {
		write_slot(replica, 1);
		return;
	}
	durable->busy = false;
	if (durable->hangs) {
		durable->hangs = false;
		replica->consider = true;
		peer_tell_all(replica);
	}
	news = durable->stable.configuration.epoch != durable->saving.configuration.epoch ||
	       ballot_compare(durable->stable.accepted, durable->saving.accepted);
	durable->stable = durable->saving;
	durable->stable_version = durable->saving_version;
	if (durable->stable.wants_all != wanted)
		replica->consider = true;
	if (durable->version != durable->stable_version)
		begin(replica);
	if (!knew_set && durable_knows_set(replica))
		maps_set_known(replica);
	else
		maps_may_save(replica);
	tell_awaiting(replica);
	/* Also what was found at the start: it may be the one vote that is missing, and none may be given anew. */
	if (news || first)
		decision_heard(replica, replica->settings.self, durable->stable.configuration.epoch,
			       durable->stable.accepted, false);
	if (news)
		peer_tell_all(replica);
}

void durable_tick(struct replica *replica)
{
	struct durable *durable = &replica->durable;
	uint64_t late = durable->began + replica->settings.replica_timeout;

	if (!durable->busy || durable->hangs || replica->failed)
		return;
	if (replica->now < late) {
		core_wake_at(replica, late);
		return;
	}
	durable->hangs = true;
	core_tell(replica, REPLICA_EVENT_DISK, replica->settings.self,
		  "what it decides is not saved: the disk of its state_dir does not answer");
	peer_tell_all(replica);
}
