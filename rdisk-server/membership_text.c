/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_text.h.
 */
#include "membership_text.h"

#include <stdarg.h>
#include <stdio.h>

struct membership_text membership_text_begin(char *text, size_t size)
{
	text[0] = '\0';
	return (struct membership_text){ .text = text, .size = size };
}

void membership_text_add(struct membership_text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	if (text->used >= text->size)
		return;
	va_start(arguments, format);
	length = vsnprintf(text->text + text->used, text->size - text->used, format, arguments);
	va_end(arguments);
	if (length > 0)
		text->used += (size_t)length;
}

void membership_text_add_names(struct membership_text *text, const struct replication_configuration *replication,
			       member_set members)
{
	const char *before = "";

	if (!members)
		membership_text_add(text, "none");
	for (int i = 0; i < replication->nr_members; i++) {
		if (!member_in(members, i))
			continue;
		membership_text_add(text, "%s%s", before, replication->members[i].name);
		before = ", ";
	}
}

void membership_text_add_link(struct membership_text *text, const struct replication_configuration *replication,
			      int member, member_set seen_by)
{
	const char *name = replication->members[member].name;

	membership_text_add(text, "the connection between %s and %s is down; %s is there, and seen by ",
			    replication->members[replication->self].name, name, name);
	membership_text_add_names(text, replication, seen_by);
	membership_text_add(text, ": mend the network between %s and %s", replication->members[replication->self].name,
			    name);
}
