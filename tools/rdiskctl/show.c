/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A status for people: who is primary, who is in sync, what is missing where and how long it takes, and what there is
 * to do. What a server of another version does not tell is left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rdiskctl.h"

#define NAMES_SIZE 512 /* bytes of a list of names; cut beyond */
#define TEXT_SIZE  64  /* bytes of a size or a time */

/* ---- what a status has ---- */

static const char *text_of(const cJSON *object, const char *key, const char *otherwise)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

	return text ? text : otherwise;
}

static bool is_true(const cJSON *object, const char *key)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* -1: it is not known. */
static double number_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsNumber(item) ? item->valuedouble : -1;
}

static const cJSON *members_of(const cJSON *status)
{
	return cJSON_GetObjectItemCaseSensitive(status, "members");
}

static bool is_in(const cJSON *member, const char *state)
{
	return !strcmp(text_of(member, "state", ""), state);
}

/* ---- numbers ---- */

static const char *size_text(double bytes, char text[TEXT_SIZE])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;

	for (; bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		bytes /= 1024;
	(void)snprintf(text, TEXT_SIZE, "%.*f %s", unit && bytes < 100 ? 1 : 0, bytes, units[unit]);
	return text;
}

static const char *time_text(double seconds, char text[TEXT_SIZE])
{
	if (seconds < 120)
		(void)snprintf(text, TEXT_SIZE, "%.0f s", seconds);
	else if (seconds < 7200)
		(void)snprintf(text, TEXT_SIZE, "%.0f min", seconds / 60);
	else
		(void)snprintf(text, TEXT_SIZE, "%.1f h", seconds / 3600);
	return text;
}

/* ---- names ---- */

enum which { CONNECTED, NOT_CONNECTED, LINK_DOWN, REFUSED, LOST, AWAY, IN_SYNC, NOT_IN_SYNC, EXCLUDED };

/* It is there: others see it. */
static bool is_seen_by_others(const cJSON *member)
{
	return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(member, "seen_by")) > 0;
}

static bool matches(const cJSON *member, enum which which)
{
	bool diskless = is_true(member, "diskless");

	switch (which) {
	case CONNECTED:
		return is_true(member, "connected");
	case NOT_CONNECTED:
		return !is_true(member, "connected");
	case LINK_DOWN:
		return !is_true(member, "connected") && is_seen_by_others(member);
	case REFUSED:
		return !is_true(member, "connected") && !is_seen_by_others(member) && is_true(member, "answers") &&
		       !is_in(member, "excluded");
	case LOST: /* as far as is known here */
		return !is_true(member, "connected") && !is_seen_by_others(member) && !is_true(member, "answers");
	case AWAY: /* and not refused */
		return !is_true(member, "connected") && !is_seen_by_others(member) && !is_true(member, "answers") &&
		       !is_in(member, "excluded");
	case IN_SYNC:
		return !diskless && is_in(member, "in-sync");
	case NOT_IN_SYNC:
		return !diskless && !is_in(member, "in-sync");
	case EXCLUDED:
		return is_in(member, "excluded");
	}
	return false;
}

/* How many there are, and their names with `between` between them. */
static int list(const cJSON *status, enum which which, const char *between, char names[NAMES_SIZE])
{
	const cJSON *member;
	size_t used = 0;
	int count = 0;

	names[0] = '\0';
	cJSON_ArrayForEach(member, members_of(status))
	{
		if (!matches(member, which))
			continue;
		if (used < NAMES_SIZE) {
			int length = snprintf(names + used, NAMES_SIZE - used, "%s%s", count ? between : "",
					      text_of(member, "name", "?"));

			used += length > 0 ? (size_t)length : 0;
		}
		count++;
	}
	return count;
}

/* How many names a list has, which may be none, and those, with commas between them. */
static int join_names(const cJSON *list_of_names, char names[NAMES_SIZE])
{
	const cJSON *name;
	size_t used = 0;

	names[0] = '\0';
	cJSON_ArrayForEach(name, list_of_names)
	{
		const char *text = cJSON_GetStringValue(name);
		int length = snprintf(names + used, NAMES_SIZE - used, "%s%s", used ? "," : "", text ? text : "?");

		used += length > 0 ? (size_t)length : 0;
		if (used >= NAMES_SIZE)
			break;
	}
	return cJSON_GetArraySize(list_of_names);
}

int status_code(const cJSON *status)
{
	char names[NAMES_SIZE];

	if (!is_true(status, "serving"))
		return EXIT_NOT_SERVING;
	if (list(status, NOT_CONNECTED, ", ", names) || list(status, NOT_IN_SYNC, ", ", names))
		return EXIT_DEGRADED;
	return EXIT_DONE;
}

/* ---- parts of the text ---- */

static void show_set(const cJSON *status)
{
	const char *uuid = text_of(status, "uuid", NULL);
	char names[NAMES_SIZE];

	printf("set %s", text_of(status, "set", "?"));
	if (uuid)
		printf(", epoch %.0f, generation %.0f, %s\n", number_of(status, "epoch"),
		       number_of(status, "generation"), uuid);
	else
		puts(": not born, or not known here yet");
	printf("primary %s, %s\n", text_of(status, "primary", "none"),
	       is_true(status, "serving") ? "serving" : "NOT SERVING");
	if (text_of(status, "blocked", NULL))
		printf("waits: %s\n", text_of(status, "blocked", ""));
	if (join_names(cJSON_GetObjectItemCaseSensitive(status, "force_without"), names))
		printf("ordered: force-primary --dead %s, given here; it is withdrawn when the rdiskctl that waits for "
		       "it ends\n",
		       names);
}

/* "400 MiB of 1.0 GiB, 90 MiB/s, 7 s left (bitmap)" */
static void show_resync(const cJSON *resync)
{
	double seconds = number_of(resync, "seconds_left");
	char done[TEXT_SIZE], total[TEXT_SIZE], rate[TEXT_SIZE], left[TEXT_SIZE];

	printf("  %s of %s, %s/s, %s left (%s)", size_text(number_of(resync, "done_bytes"), done),
	       size_text(number_of(resync, "total_bytes"), total), size_text(number_of(resync, "bytes_per_s"), rate),
	       seconds < 0 ? "?" : time_text(seconds, left), text_of(resync, "kind", "?"));
}

static void show_members(const cJSON *status)
{
	const cJSON *member;

	puts("\nmember            node  role      state      link          missing");
	cJSON_ArrayForEach(member, members_of(status))
	{
		const cJSON *resync = cJSON_GetObjectItemCaseSensitive(member, "resync");
		bool here = number_of(member, "node") == number_of(status, "node");
		double missing = number_of(member, "out_of_sync_bytes");
		bool diskless = is_true(member, "diskless");
		char size[TEXT_SIZE];

		printf("%-17s %4.0f  %-8s  %-9s  %-12s  %s", text_of(member, "name", "?"), number_of(member, "node"),
		       text_of(member, "role", "?"), diskless ? "-" : text_of(member, "state", "?"),
		       here			      ? "this host"
		       : is_true(member, "connected") ? "connected"
		       : is_seen_by_others(member)    ? "LINK DOWN"
		       : is_true(member, "answers")   ? "REFUSED"
						      : "NOT THERE",
		       diskless	     ? "-"
		       : missing < 0 ? "?"
		       : missing > 0 ? size_text(missing, size)
				     : "nothing");
		if (cJSON_IsObject(resync))
			show_resync(resync);
		putchar('\n');
	}
}

static void show_devices(const cJSON *status)
{
	const cJSON *device;

	puts("\nminor  name             size        id");
	cJSON_ArrayForEach(device, cJSON_GetObjectItemCaseSensitive(status, "devices"))
	{
		double bytes = number_of(device, "size");
		char size[TEXT_SIZE];

		/* No disk is empty: one without a size is of a set that has not begun, or is not known there. */
		printf("%5.0f  %-15s  %-10s  %s\n", number_of(device, "minor"), text_of(device, "name", "?"),
		       bytes > 0 ? size_text(bytes, size) : "unknown", text_of(device, "id", ""));
	}
}

/* ---- what there is to do ---- */

/* What keeps them apart, as far as this member knows. */
static void show_links(const cJSON *status)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, members_of(status))
	{
		const char *link = text_of(member, "link", NULL);

		if (link && !matches(member, LINK_DOWN) && !matches(member, REFUSED))
			printf("  %s: %s\n", text_of(member, "name", "?"), link);
	}
}

static void advise_votes(const cJSON *status)
{
	int members = cJSON_GetArraySize(members_of(status));
	char seen[NAMES_SIZE], missing[NAMES_SIZE], dead[NAMES_SIZE];

	if (is_true(status, "quorate") || !list(status, LOST, ", ", missing))
		return;
	list(status, CONNECTED, ", ", seen);
	list(status, LOST, ",", dead);
	printf("- %d of %d members must be seen to serve; seen: %s; not seen: %s. Start rdisk there. If it runs, its "
	       "log and this one's say\n"
	       "  what is between them: the network, or a key, a set or a setting that is another there.\n",
	       members / 2 + 1, members, seen, missing);
	show_links(status);
	/* Of a set that has not begun nobody has a copy. */
	if (number_of(status, "epoch") < 1)
		return;
	printf("  Only if they are lost for good, or cannot be reached and are certainly off: rdiskctl force-primary "
	       "--dead %s --yes,\n"
	       "  on the host whose copy is to be taken. What it lacks is lost. Where they do run, there are two disks "
	       "then.\n",
	       dead);
}

/* Who is there, and not reached from here, is neither to be started nor to be taken for dead. */
static void advise_links(const cJSON *status)
{
	const char *self = text_of(status, "name", "this host");
	const cJSON *member;

	cJSON_ArrayForEach(member, members_of(status))
	{
		const char *name = text_of(member, "name", "?");
		char names[NAMES_SIZE];

		if (!matches(member, LINK_DOWN))
			continue;
		join_names(cJSON_GetObjectItemCaseSensitive(member, "seen_by"), names);
		printf("- the connection between %s and %s is down, and no more than that: %s is there, and seen by "
		       "%s. "
		       "Mend the network\n"
		       "  between the two; there is nothing to start or to force.\n",
		       self, name, name, names);
		if (text_of(member, "link", NULL))
			printf("  %s: %s\n", name, text_of(member, "link", ""));
	}
}

/* Neither are those that do not get on with this one. */
static void advise_refused(const cJSON *status)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, members_of(status))
	{
		if (matches(member, REFUSED))
			printf("- %s is there, and does not get on with this member: %s. Mend that; it is not to be "
			       "taken for dead.\n",
			       text_of(member, "name", "?"), text_of(member, "link", "its log and this one's say why"));
	}
}

static void advise_in_sync(const cJSON *status)
{
	double min_in_sync = number_of(status, "min_in_sync");
	char names[NAMES_SIZE];
	int count = list(status, IN_SYNC, ", ", names);

	if (count < min_in_sync)
		printf("- min_in_sync = %.0f, and in sync are %s: the others must come back and be brought up, or the "
		       "setting must be less.\n",
		       min_in_sync, count ? names : "none");
}

static void advise(const cJSON *status)
{
	bool quorate = is_true(status, "quorate");
	char names[NAMES_SIZE];

	if (status_code(status) == EXIT_DONE)
		return;
	puts("\nto do:");
	advise_links(status);
	advise_refused(status);
	advise_votes(status);
	if (text_of(status, "uuid", NULL))
		advise_in_sync(status);
	if (quorate && list(status, AWAY, ", ", names)) {
		printf("- not there: %s. Start rdisk there; if it runs, its log and this one's say what is between "
		       "them. What they miss is kept for them.\n",
		       names);
		show_links(status);
	}
	if (list(status, EXCLUDED, ", ", names))
		printf("- excluded: %s. The log says why. If their copies are those to be discarded: rdiskctl "
		       "invalidate NODE "
		       "--yes, on that host.\n",
		       names);
	if (is_true(status, "resync_paused"))
		puts("- bringing up is paused: rdiskctl resume-resync, on this host");
	else if (quorate && is_true(status, "serving") && list(status, NOT_IN_SYNC, ", ", names) &&
		 !list(status, NOT_CONNECTED, ", ", names) && !list(status, EXCLUDED, ", ", names))
		puts("- nothing: who is not in sync is brought up");
	else if (quorate && !is_true(status, "serving"))
		puts(text_of(status, "blocked", NULL) ? "- see above what is waited for"
						      : "- nothing: a primary is being decided");
}

void status_show(const cJSON *status)
{
	show_set(status);
	show_members(status);
	show_devices(status);
	advise(status);
}
