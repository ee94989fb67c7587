/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_refusals.h.
 */
#include "membership_refusals.h"

#include <inttypes.h>
#include <string.h>

#include "membership_primary.h"
#include "membership_text.h"

static const char *name_of(const struct replication_configuration *replication, int member)
{
	return replication->members[member].name;
}

static member_set image_members(const struct replication_configuration *replication)
{
	member_set members = 0;

	for (int i = 0; i < replication->nr_members; i++)
		members |= replication->members[i].diskless ? 0 : member_bit(i);
	return members;
}

static struct membership_text begin(struct diagnostic *diagnostic)
{
	return membership_text_begin(diagnostic->text, sizeof(diagnostic->text));
}

/* ---- promote ---- */

/* The member itself, whoever is primary. */
static bool lacks_something(const struct replication_configuration *replication, const struct replica_status *status,
			    int member, struct membership_text *text)
{
	member_set able = status->configuration.in_sync & status->seen;
	const char *name = name_of(replication, member);

	if (replication->members[member].diskless) {
		membership_text_add(text, "%s has no image (diskless = true) and can only vote; name one of ", name);
		membership_text_add_names(text, replication, image_members(replication));
		return true;
	}
	if (member_in(able, member))
		return false;
	if (membership_seen_by(replication, status, member))
		membership_text_add_link(text, replication, member, membership_seen_by(replication, status, member));
	else if (!member_in(status->seen, member))
		membership_text_add(text, "%s is not seen: start rdisk there, and look at the network between", name);
	else if (member_in(status->parted | status->configuration.dead, member))
		membership_text_add(text,
				    "%s is excluded: its copy has to be discarded first (rdiskctl invalidate %s "
				    "--yes, on that host)",
				    name, name);
	else
		membership_text_add(text, "%s is not in sync: wait until it is (rdiskctl status --watch)", name);
	membership_text_add(text, "; in sync and seen: ");
	membership_text_add_names(text, replication, able);
	return true;
}

bool membership_promotion_lacks(const struct replication_configuration *replication,
				const struct replica_status *status, int member, struct diagnostic *diagnostic)
{
	struct membership_text text = begin(diagnostic);
	int primary = (int)status->configuration.primary;

	if (!status->configuration.epoch) {
		membership_text_add(&text,
				    "the set has not begun, or is not known here yet (rdiskctl status says what is "
				    "waited for)");
		return true;
	}
	if (lacks_something(replication, status, member, &text))
		return true;
	if (status->primary && !status->serving)
		membership_text_add(&text,
				    "%s, the primary, does not serve yet: try again when it does (rdiskctl status)",
				    name_of(replication, primary));
	else if (membership_seen_by(replication, status, primary))
		membership_text_add_link(&text, replication, primary, membership_seen_by(replication, status, primary));
	else if (!member_in(status->seen, primary))
		membership_text_add(
			&text,
			"%s, the primary, is not seen and cannot hand over: those who see each other choose "
			"another by themselves (rdiskctl status)",
			name_of(replication, primary));
	return text.used > 0;
}

void membership_refuse_promote(const struct replication_configuration *replication, const struct replica_status *status,
			       int member, const char *why, struct diagnostic *diagnostic)
{
	struct diagnostic lacks;

	if (membership_promotion_lacks(replication, status, member, &lacks))
		why = lacks.text;
	diagnostic_set(diagnostic, "promote %s: %.1400s", name_of(replication, member), why);
}

/* ---- the others ---- */

void membership_refuse_force(const struct replication_configuration *replication, const struct replica_status *status,
			     member_set dead, const char *why, struct diagnostic *diagnostic)
{
	struct membership_text text = begin(diagnostic);
	const char *name = name_of(replication, replication->self);

	membership_text_add(&text, "force-primary without ");
	membership_text_add_names(&text, replication, dead);
	if (replication->members[replication->self].diskless) {
		membership_text_add(&text,
				    ": %s, which got the order, has no image (diskless = true): give it on the host "
				    "whose copy is to be taken; with images: ",
				    name);
		membership_text_add_names(&text, replication, image_members(replication) & (member_set)~dead);
	} else if (!status->configuration.epoch) {
		membership_text_add(&text,
				    ": %s, which got the order, has never been in sync: give it on the host of one "
				    "that was",
				    name);
	} else if (status->discards) {
		membership_text_add(&text,
				    ": %s was started to have its copy discarded (-U FULL): start it without, to go on "
				    "with what is there",
				    name);
	} else {
		membership_text_add(
			&text,
			": %s: %s; if no other member has a copy to go on with: stop all, remove the set's part "
			"of state_dir on all, start them, and begin anew with an image of your choice (rdiskctl "
			"init --from NODE)",
			name, why);
	}
}

void membership_refuse_init(const struct replication_configuration *replication, const struct replica_status *status,
			    int member, const char *why, struct diagnostic *diagnostic)
{
	struct membership_text text = begin(diagnostic);
	const char *name = name_of(replication, member);

	membership_text_add(&text, "init --from %s: ", name);
	if (status->configuration.epoch) {
		membership_text_add(
			&text,
			"set %s has begun already (epoch %" PRIu64 "), and its members are brought up by "
			"themselves: to have one of them copied as a whole, start its rdisk with -U FULL, once",
			replication->set, status->configuration.epoch);
	} else if (replication->members[member].diskless) {
		membership_text_add(&text, "%s has no image (diskless = true); name one of ", name);
		membership_text_add_names(&text, replication, image_members(replication));
	} else if (member != replication->self) {
		membership_text_add(&text,
				    "a set is begun by the member whose images it begins with, and this is the host of "
				    "%s: on that of %s (%s), give the order rdiskctl init --from %s",
				    name_of(replication, replication->self), name, replication->members[member].address,
				    name);
	} else {
		membership_text_add(&text, "%s", why);
	}
}

void membership_refuse_invalidate(const struct replication_configuration *replication,
				  const struct replica_status *status, const char *why, struct diagnostic *diagnostic)
{
	struct membership_text text = begin(diagnostic);
	const char *name = name_of(replication, replication->self);

	membership_text_add(&text, "invalidate %s: ", name);
	if (!status->configuration.epoch)
		membership_text_add(&text,
				    "%s has no copy yet that it could discard: it has not been in the set since its "
				    "state is there",
				    name);
	else if (!status->parted)
		membership_text_add(
			&text,
			"%s has seen no member that went on without it, so there is nothing to choose between: if "
			"there is one, start rdisk there; if the copy is not to be trusted, start rdisk here with "
			"-U FULL; seen: ",
			name);
	else
		membership_text_add(&text, "%s", why);
	if (status->configuration.epoch && !status->parted)
		membership_text_add_names(&text, replication, status->seen);
}

/* ---- pause-resync, resume-resync ---- */

void membership_refuse_pause(const struct replication_configuration *replication, const struct replica_status *status,
			     const char *order, struct diagnostic *diagnostic)
{
	struct membership_text text = begin(diagnostic);
	int primary = (int)status->configuration.primary;

	membership_text_add(&text, "%s: %s is not the primary, and brings nobody up: ", order,
			    name_of(replication, replication->self));
	if (status->configuration.epoch && primary != replication->self)
		membership_text_add(&text, "give it on the host of %s", name_of(replication, primary));
	else
		membership_text_add(&text, "give it on the host of the primary, when there is one (rdiskctl status)");
}
