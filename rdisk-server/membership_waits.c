/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_waits.h.
 */
#include "membership_waits.h"

#include <stdarg.h>
#include <stdio.h>

struct writer {
	char *text;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct writer *writer, const char *format, ...)
{
	va_list arguments;
	int length;

	if (writer->used >= writer->size)
		return;
	va_start(arguments, format);
	length = vsnprintf(writer->text + writer->used, writer->size - writer->used, format, arguments);
	va_end(arguments);
	if (length > 0)
		writer->used += (size_t)length;
}

static void add_names(struct writer *writer, const struct replication_configuration *replication, member_set members)
{
	const char *before = "";

	if (!members)
		add(writer, "none");
	for (int i = 0; i < replication->nr_members; i++) {
		if (!member_in(members, i))
			continue;
		add(writer, "%s%s", before, replication->members[i].name);
		before = ", ";
	}
}

/* "2 of a, b, c must be seen to ...; seen: a" */
static void add_count(struct writer *writer, const struct replication_configuration *replication,
		      const struct replica_status *status, const char *what)
{
	add(writer, "%u of ", status->waits.needed);
	add_names(writer, replication, status->waits.members);
	add(writer, " must be seen %s; seen: ", what);
	add_names(writer, replication, status->seen & status->waits.members);
}

void membership_waits_text(const struct replication_configuration *replication, const struct replica_status *status,
			   char *text, size_t size)
{
	struct writer writer = { text, size, 0 };

	text[0] = '\0';
	switch (status->waits.what) {
	case REPLICA_WAITS_NOT:
		break;
	case REPLICA_WAITS_BIRTH:
		add(&writer, "the set begins when all of its members are seen: start rdisk on all; seen: ");
		add_names(&writer, replication, status->seen);
		break;
	case REPLICA_WAITS_CHOICE:
		add(&writer,
		    "several members have images with data: choose whose the set is to begin with; those of all "
		    "others are overwritten (rdiskctl init --from NODE, on that host)");
		break;
	case REPLICA_WAITS_SOURCE:
		add(&writer, "the set is to begin with the image of ");
		add_names(&writer, replication, status->waits.members);
		add(&writer, ": give the order there, too, if it was not (rdiskctl init --from NODE)");
		break;
	case REPLICA_WAITS_LEARNING:
		add_count(&writer, replication, status, "to know the newest configuration");
		break;
	case REPLICA_WAITS_MAJORITY:
		add_count(&writer, replication, status, "to decide who serves");
		break;
	case REPLICA_WAITS_IN_SYNC:
		add(&writer, "a member that is in sync must be seen: ");
		add_names(&writer, replication, status->waits.members);
		add(&writer, "; start rdisk there; only if they are lost for good: rdiskctl force-primary, which loses "
			     "what the copy that is taken lacks");
		break;
	case REPLICA_WAITS_MEMORY:
		add(&writer, "what was answered and not flushed may be known to members that are not seen yet: ");
		add_names(&writer, replication, status->waits.members & (member_set)~status->seen);
		add(&writer, "; start rdisk there; only if they are lost for good: rdiskctl force-primary");
		break;
	case REPLICA_WAITS_FORCE:
		add_count(&writer, replication, status, "to decide the forced primary");
		break;
	case REPLICA_WAITS_COPIES:
		add(&writer, "min_in_sync: %u more must be in sync: ", status->waits.needed);
		add_names(&writer, replication, status->waits.members);
		break;
	case REPLICA_WAITS_VOTES:
	case REPLICA_WAITS_IMAGE:
	case REPLICA_WAITS_SETTLING:
	case REPLICA_WAITS_DISK:
	case REPLICA_WAITS_FOR_EVER:
		add(&writer, "%s", status->blocked ? status->blocked : "");
		break;
	}
}
