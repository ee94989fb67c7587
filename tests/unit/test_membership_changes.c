/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of a status that is another than the last one: each change once, with who it is about, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "membership_changes.h"

enum { A, B, C };

/* a and b have images, c has none; this is b. */
static const struct replication_configuration replication = {
	.nr_members = 3,
	.self = B,
	.set = "main",
	.members = { { .node = 1, .name = "a" },
		     { .node = 2, .name = "b" },
		     { .node = 3, .name = "c", .diskless = true } },
};

static struct membership_changes changes;
static struct control_status status;

/* "MEMBER KIND TEXT" of each event, in lines. */
static char told[2048];

void __wrap_control_event(struct control *control, const struct control_event *event);

void __wrap_control_event(struct control *control, const struct control_event *event)
{
	static const char *const kinds[] = {
		[CONTROL_EVENT_EPOCH] = "epoch",   [CONTROL_EVENT_PRIMARY] = "primary",
		[CONTROL_EVENT_MEMBER] = "member", [CONTROL_EVENT_RESYNC] = "resync",
		[CONTROL_EVENT_QUORUM] = "quorum",
	};
	size_t used = strlen(told);

	assert_null(control);
	assert_int_equal(event->epoch, status.epoch);
	assert_ptr_equal(event->status, event->member < 0 ? NULL : &status.members[event->member]);
	(void)snprintf(told + used, sizeof(told) - used, "%s %s: %s\n",
		       event->member < 0 ? "-" : replication.members[event->member].name, kinds[event->kind],
		       event->text);
}

static void assert_tells(const char *expected)
{
	told[0] = '\0';
	membership_changes_look(&changes, NULL, &status);
	assert_string_equal(told, expected);
	/* Once. */
	told[0] = '\0';
	membership_changes_look(&changes, NULL, &status);
	assert_string_equal(told, "");
}

/* b sees nobody; then a serves, and all are well. */
static int begin(void **state)
{
	(void)state;
	status = (struct control_status){ .primary = REPLICATION_NO_MEMBER, .members = { [B].connected = true } };
	membership_changes_init(&changes, &replication);
	assert_tells("");
	status.born = status.quorate = status.serving = true;
	status.epoch = 5;
	status.primary = A;
	status.members[A] =
		(struct control_member){ true, CONTROL_ROLE_PRIMARY, CONTROL_STATE_IN_SYNC, 0, { 0 }, "", false, 0 };
	status.members[B] =
		(struct control_member){ true, CONTROL_ROLE_BACKUP, CONTROL_STATE_IN_SYNC, 0, { 0 }, "", false, 0 };
	status.members[C] =
		(struct control_member){ true, CONTROL_ROLE_DISKLESS, CONTROL_STATE_IN_SYNC, 0, { 0 }, "", false, 0 };
	assert_tells("- quorum: a majority of the members is seen\n"
		     "a primary: it serves\n"
		     "a member: it is connected; it is in sync; it is the primary\n"
		     "b member: it is in sync\n"
		     "c member: it is connected\n");
	return 0;
}

static void test_primary_goes(void **state)
{
	(void)state;
	status.members[A].connected = status.serving = false;
	snprintf(status.members[A].link, sizeof(status.members[A].link), "it closed the connection");
	assert_tells("a primary: it serves no more\n"
		     "a member: it is not connected any more: it closed the connection\n");
	status.epoch = 6;
	status.primary = B;
	status.serving = true;
	status.members[A].role = CONTROL_ROLE_NONE;
	status.members[A].state = CONTROL_STATE_OUTDATED;
	status.members[B].role = CONTROL_ROLE_PRIMARY;
	assert_tells("b primary: it serves\na member: it is not in sync\nb member: it is the primary\n");
	status.serving = false;
	snprintf(status.blocked, sizeof(status.blocked), "2 of a, b, c must be seen");
	assert_tells("b primary: 2 of a, b, c must be seen\n");
	/* It is waited for something else. */
	snprintf(status.blocked, sizeof(status.blocked), "a must be seen");
	assert_tells("");
}

static void test_resync(void **state)
{
	(void)state;
	status.members[B].state = CONTROL_STATE_OUTDATED;
	status.members[B].role = CONTROL_ROLE_NONE;
	assert_tells("b member: it is not in sync\n");
	status.members[B].state = CONTROL_STATE_RESYNCING;
	assert_tells("b resync: bringing up begins\nb member: it is being brought up\n");
	status.members[B].state = CONTROL_STATE_OUTDATED;
	assert_tells("b resync: bringing up was broken off\nb member: it is not in sync\n");
	status.members[B].state = CONTROL_STATE_RESYNCING;
	assert_tells("b resync: bringing up begins\nb member: it is being brought up\n");
	status.members[B].state = CONTROL_STATE_IN_SYNC;
	status.members[B].role = CONTROL_ROLE_BACKUP;
	assert_tells("b resync: bringing up is done\nb member: it is in sync\n");
}

/* What the core has told of, with its cause, is not told again. */
static void test_told(void **state)
{
	struct control_event event = { .kind = CONTROL_EVENT_MEMBER, .member = A };

	(void)state;
	status.members[A].state = CONTROL_STATE_RESYNCING;
	membership_changes_told(&changes, &event, &status);
	assert_tells("a resync: bringing up begins\n");
	status.primary = B;
	status.members[A].role = CONTROL_ROLE_BACKUP;
	status.members[B].role = CONTROL_ROLE_PRIMARY;
	event = (struct control_event){ .kind = CONTROL_EVENT_PRIMARY, .member = B };
	membership_changes_told(&changes, &event, &status);
	assert_tells("a member: it is a backup\nb member: it is the primary\n");
}

static void test_quorum(void **state)
{
	(void)state;
	status.quorate = false;
	status.members[C].connected = false;
	status.members[C].state = CONTROL_STATE_UNKNOWN;
	assert_tells("- quorum: no majority of the members is seen\nc member: it is not connected any more\n");
	status.members[A].state = CONTROL_STATE_EXCLUDED;
	assert_tells("a member: it is excluded\n");
	status.members[A].state = CONTROL_STATE_UNKNOWN;
	assert_tells("a member: its state is not known\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_primary_goes, begin),
		cmocka_unit_test_setup(test_resync, begin),
		cmocka_unit_test_setup(test_told, begin),
		cmocka_unit_test_setup(test_quorum, begin),
	};

	return cmocka_run_group_tests_name("membership changes", tests, NULL, NULL);
}
