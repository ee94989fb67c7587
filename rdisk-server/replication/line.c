/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of configurations that have parted. An operator's force begins a generation that those who are taken for dead
 * do not know of, and they may go on without it: from such a fork on there are two lines, each with writes that the
 * other does not have. Members of two lines do not talk to each other, whoever tells them of the other line, and each
 * keeps its copy, until an operator says whose is discarded. That member gives its line up: it learns what there is as
 * one that has lost its promises, and is brought up by its own bits and those of the primary.
 */
#include "core.h"

/* What this member's line is told by: what it has accepted, or what it gave up and has not replaced yet. */
static const struct replica_configuration *own_line(const struct replica *replica)
{
	const struct metadata_slot *now = &replica->durable.now;

	return now->configuration.epoch ? &now->configuration : &now->given_up;
}

/*
 * `later` has a fork of which `member` was taken for dead, and does not know. Decided or not: its vote does not count
 * there, so that it cannot know what it would help to decide.
 */
static bool left_out(const struct replica_configuration *later, int member, const struct replica_configuration *earlier)
{
	return member_in(later->dead, member) && replica_configuration_forked(later, earlier);
}

bool line_parted(const struct replica *replica, int member, const struct replica_configuration *theirs, bool settled)
{
	const struct replica_configuration *own = own_line(replica);
	bool parted;

	if (!own->epoch || !theirs->epoch)
		return false;
	parted = replica_configuration_parted(own, own != core_configuration(replica) || replica->decision.decided,
					      theirs, settled) ||
		 left_out(theirs, replica->settings.self, own) || left_out(own, member, theirs);
	/* What was given up is not taken again. */
	return own == &replica->durable.now.given_up ? !parted : parted;
}

void line_tell(struct replica *replica, int member)
{
	struct peer *peer = &replica->peers[member];

	/* What was seen of it is of another line, and nothing that it has to remember in this one. */
	peer->seen = 0;
	if (peer->parted)
		return;
	peer->parted = true;
	core_tell(replica, REPLICA_EVENT_SPLIT, member,
		  core_configuration(replica)->epoch
			  ? "one of the two went on without the other: decide whose copy to discard, and give that "
			    "member the order (rdiskctl invalidate)"
			  : "it still has what this member gave up: it is to give it up, too (rdiskctl invalidate)");
}

void line_give_up(struct replica *replica)
{
	struct metadata_slot *now = &replica->durable.now;

	now->given_up = now->configuration;
	now->configuration = (struct replica_configuration){ 0 };
	now->accepted = (struct ballot){ 0 };
	now->decided = 0;
	now->votes_from = VOTES_UNKNOWN;
	reign_forget(replica);
	decision_forget(replica);
	durable_then(replica, AFTER_GIVEN_UP, replica->settings.self, 0, (struct ballot){ 0 });
}

void line_given_up(struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		replica->peers[i].parted = false;
		replica->peers[i].seen = 0;
		if (replica->peers[i].connected)
			peer_refuse(replica, i, "this member has given up its copy: it begins anew with all others");
	}
}

/* ---- which blocks may differ ---- */

/* The next run of blocks that are in any of some maps. */
static bool next_of_any(const struct block_map *const *maps, int nr, uint64_t from, uint64_t *first, uint64_t *end)
{
	uint64_t at, count;
	bool grows = true;

	*first = UINT64_MAX;
	for (int i = 0; i < nr; i++) {
		if (block_map_next(maps[i], from, 1, &at, &count) && at < *first)
			*first = at;
	}
	*end = *first;
	while (grows && *first != UINT64_MAX) {
		grows = false;
		for (int i = 0; i < nr; i++) {
			if (!block_map_next(maps[i], *end, UINT64_MAX, &at, &count) || at != *end)
				continue;
			*end += count;
			grows = true;
		}
	}
	return *first != UINT64_MAX;
}

unsigned int replica_differing(const struct replica *replica, int member, int device, uint64_t *cursor,
			       struct byte_range *ranges, unsigned int most)
{
	const struct replica_device *of = &replica->devices[device];
	const struct block_map *maps[] = { &of->missing[member], &of->unflushed, &of->unflushed_before, &of->owed };
	uint64_t block = replica->settings.block_size, size = replica->settings.devices[device].size, first, end;
	unsigned int nr = 0;

	while (nr < most && next_of_any(maps, 4, *cursor, &first, &end)) {
		*cursor = end;
		ranges[nr].position = first * block;
		ranges[nr].length = (end * block < size ? end * block : size) - first * block;
		nr++;
	}
	return nr;
}
