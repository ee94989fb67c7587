/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_force.h.
 */
#include "membership_force.h"

#include <inttypes.h>

#include "membership_primary.h"
#include "membership_text.h"

/* A member is tried every 2 s at the latest, which may take 5 s to fail. */
#define ANSWERED_NS UINT64_C(10000000000)

bool membership_answers(const struct session_status *link)
{
	return link->up || (link->answered && link->answered + ANSWERED_NS >= member_now());
}

/*
 * What still makes connections serves perhaps, even if they come to nothing as this one does not want it, or is not
 * wanted: the disk would be two.
 */
static bool has_answered(const struct replication_configuration *replication, const struct member *member, int other,
			 struct diagnostic *why)
{
	struct session_status link;
	const char *reason;

	member_link(member, other, &link);
	if (!membership_answers(&link))
		return false;
	/* One that is up has not said yet who it is, or was not wanted for it. */
	reason = link.up ? "it has just connected" : "the two do not get on";
	diagnostic_set(why,
		       "force-primary: %s is not dead: something listens at its address (%s); mend that, or end its "
		       "rdisk first",
		       replication->members[other].name, link.why[0] ? link.why : reason);
	return true;
}

/* Only the connection from here is lost. */
static bool is_seen_elsewhere(const struct replication_configuration *replication, const struct replica_status *status,
			      int member, struct diagnostic *why)
{
	member_set witnesses = membership_seen_by(replication, status, member);
	struct membership_text text = membership_text_begin(why->text, sizeof(why->text));

	if (!witnesses)
		return false;
	membership_text_add(&text, "force-primary: %s is not dead: it is connected to ",
			    replication->members[member].name);
	membership_text_add_names(&text, replication, witnesses);
	membership_text_add(&text, "; the connection between %s and %s is down: mend that, or end its rdisk first",
			    replication->members[replication->self].name, replication->members[member].name);
	return true;
}

static bool is_there(const struct replication_configuration *replication, const struct member *member,
		     const struct replica_status *status, int other, struct diagnostic *why)
{
	if (!status->members[other].connected)
		return is_seen_elsewhere(replication, status, other, why) ||
		       has_answered(replication, member, other, why);
	diagnostic_set(why,
		       "force-primary: %s is connected, and not dead: to move the primary, rdiskctl promote; to give "
		       "its copy up, stop rdisk there first",
		       replication->members[other].name);
	return true;
}

/* Whether the primary sees enough of those whose votes count, as it says itself. */
static bool sees_majority(const struct replication_configuration *replication, const struct replica_status *status)
{
	int primary = (int)status->configuration.primary, voters = 0, seen = 0;
	member_set sees = status->members[primary].sees | member_bit(primary) | member_bit(replication->self);

	for (int i = 0; i < replication->nr_members; i++) {
		if (member_in(status->configuration.dead, i))
			continue;
		voters++;
		seen += member_in(sees, i);
	}
	return seen > voters / 2;
}

bool membership_serves_another(const struct replication_configuration *replication, const struct replica_status *status,
			       struct diagnostic *why)
{
	/* One that is seen, and sees too few to have a lease, does not serve, and may be forced out of that. */
	if (status->primary || !membership_has_primary(replication, status) || !sees_majority(replication, status))
		return false;
	diagnostic_set(why,
		       "force-primary: %s is primary and serves (epoch %" PRIu64 "), so there is nothing to force: to "
		       "have %s serve, rdiskctl promote %s",
		       replication->members[status->configuration.primary].name, status->configuration.epoch,
		       replication->members[replication->self].name, replication->members[replication->self].name);
	return true;
}

bool membership_may_force(const struct replication_configuration *replication, const struct member *member,
			  const struct replica_status *status, member_set dead, struct diagnostic *why)
{
	for (int i = 0; i < replication->nr_members; i++)
		if (i != replication->self && member_in(dead, i) && is_there(replication, member, status, i, why))
			return false;
	return !membership_serves_another(replication, status, why);
}
