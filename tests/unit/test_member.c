/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a member is waited for: member_wait() ends when there is something to do, and not before. When it passes on what
 * the core tells. What a member does is tested with processes (tests/local/member, tests/cluster).
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "coarse_clock.h"
#include "member_internal.h"
#include "test_directory.h"

#define QUIET_MS   200 /* in which a wait that looks now and then would have ended */
#define PATIENCE_S 60

static struct member *member;
static struct completions others;
static struct io io;

static int setup(void **state)
{
	struct diagnostic diagnostic = { "" };

	(void)state;
	if (member_create(&member, NULL, &diagnostic) || completions_init(&others, NULL))
		test_fatal("%s", diagnostic.text);
	member_rings_for(member, &others);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)completions_take(member_completions(member));
	(void)completions_take(&others);
	completions_destroy(&others);
	member_destroy(member);
	return 0;
}

static void *wait_there(void *unused)
{
	(void)unused;
	member_wait(member, &others);
	return NULL;
}

static bool ended(pthread_t thread, long milliseconds)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += (milliseconds + end.tv_nsec / 1000000) / 1000;
	end.tv_nsec = (milliseconds + end.tv_nsec / 1000000) % 1000 * 1000000;
	return pthread_timedjoin_np(thread, NULL, &end) == 0;
}

static pthread_t begin_wait(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wait_there, NULL), 0);
	assert_false(ended(thread, QUIET_MS));
	return thread;
}

static void test_wait_for_stores(void **state)
{
	pthread_t thread = begin_wait();

	(void)state;
	completions_put(member_completions(member), &io);
	assert_true(ended(thread, PATIENCE_S * 1000));
	/* It does not wait for what is there. */
	member_wait(member, NULL);
	assert_ptr_equal(completions_take(member_completions(member)), &io);
	/* What rang is over. */
	thread = begin_wait();
	member_ring(member);
	assert_true(ended(thread, PATIENCE_S * 1000));
}

static void test_wait_for_others(void **state)
{
	pthread_t thread = begin_wait();

	(void)state;
	completions_put(&others, &io);
	assert_true(ended(thread, PATIENCE_S * 1000));
	member_wait(member, &others);
	assert_ptr_equal(completions_take(&others), &io);
	/* Nobody is to be woken by what is put while nobody waits. */
	completions_put(&others, &io);
	assert_ptr_equal(completions_take(&others), &io);
	thread = begin_wait();
	member_ring(member);
	assert_true(ended(thread, PATIENCE_S * 1000));
	/* One that rings before the wait ends it, too. */
	member_ring(member);
	member_wait(member, &others);
}

/* ---- events ---- */

static int looks; /* at the core's status */

void __real_replica_status(const struct replica *replica, struct replica_status *status);
void __wrap_replica_status(const struct replica *replica, struct replica_status *status);

void __wrap_replica_status(const struct replica *replica, struct replica_status *status)
{
	looks++;
	__real_replica_status(replica, status);
}

#define TOLD_MAX (2 * MEMBER_EVENTS_MAX)

static struct replica_event told[TOLD_MAX];
static int nr_told, nr_changed;
static unsigned int nr_lost;

static void note(void *user, const struct replica_event *event)
{
	(void)user;
	assert_true(nr_told < TOLD_MAX);
	told[nr_told++] = *event;
}

static void note_lost(void *user, unsigned int events)
{
	(void)user;
	nr_lost += events;
}

static void note_changed(void *user)
{
	(void)user;
	nr_changed++;
}

/* A member that votes only, and sees nobody. */
static void start_member(void)
{
	static char state_dir[TEST_PATH_SIZE], address[24];
	struct member_settings settings = {
		.set = "test",
		.members = 2,
		.list = { { .node = 1, .diskless = true }, { .node = 2 } },
		.sessions = { { .node = 1, .address = address, .port = 7300 },
			      { .node = 2, .address = "192.0.2.1", .port = 7300 } },
		.names = { "a", "b" },
		.group = GROUP_BEACONS,
		.state_dir = state_dir,
		.nr_devices = 1,
		.devices = { { .name = "disk" } },
		.lease = 500000000,
		.replica_timeout = 2000000000,
		.open_grace = 1000000000,
		.memory_wait = 1000000000,
		.min_in_sync = 1,
		.clients = 4,
		.tell = note,
		.lost = note_lost,
		.changed = note_changed,
	};
	struct diagnostic diagnostic = { "" };

	/* Of the loopback network, for this process alone. */
	(void)snprintf(address, sizeof(address), "127.%d.%d.9", 1 + getpid() / 256 % 254, getpid() % 256);
	test_path(state_dir, "state");
	if (member_start(member, &settings, &diagnostic))
		test_fatal("%s", diagnostic.text);
	member_begin(member);
	member_turn(member);
	looks = nr_told = nr_changed = 0;
	nr_lost = 0;
}

static void tell(enum replica_event_kind kind, int of, const char *text)
{
	const struct replica_event event = { .kind = kind, .member = of, .text = text };

	member_world.tell(member->replica, &event);
}

/* Within an event of the core it is not asked, and nobody is told who might. */
static void test_told_at_the_end(void **state)
{
	char text[32] = "its image fails";

	(void)state;
	start_member();
	tell(REPLICA_EVENT_EPOCH, NO_MEMBER, NULL);
	tell(REPLICA_EVENT_SERVING, 0, NULL);
	tell(REPLICA_EVENT_DISK, 0, text);
	tell(REPLICA_EVENT_EPOCH, NO_MEMBER, NULL);
	memset(text, 'x', sizeof(text));
	assert_int_equal(looks, 0);
	assert_int_equal(nr_told, 0);
	assert_true(member_due(member));
	member_turn(member);
	assert_int_equal(nr_told, 3);
	assert_int_equal(told[0].kind, REPLICA_EVENT_EPOCH);
	assert_int_equal(told[1].kind, REPLICA_EVENT_SERVING);
	assert_null(told[1].text);
	assert_int_equal(told[2].kind, REPLICA_EVENT_DISK);
	assert_string_equal(told[2].text, "its image fails");
	/* What was saved meanwhile makes it due, too; but nobody is told again. */
	while (member_due(member))
		member_turn(member);
	assert_int_equal(nr_told, 3);
}

static void test_many_events(void **state)
{
	(void)state;
	start_member();
	for (int i = 0; i < 10 * MEMBER_EVENTS_MAX; i++)
		tell(REPLICA_EVENT_MEMBER, 1, "it is being brought up");
	member_turn(member);
	assert_int_equal(nr_told, MEMBER_EVENTS_MAX);
	/* How many are missing is told; and once, after all of them, that there is something to look at. */
	assert_int_equal(nr_lost, 9 * MEMBER_EVENTS_MAX);
	assert_int_equal(nr_changed, 1);
	/* There is room again. */
	tell(REPLICA_EVENT_MEMBER, 1, "it is in sync");
	member_turn(member);
	assert_int_equal(nr_told, MEMBER_EVENTS_MAX + 1);
	assert_int_equal(nr_lost, 9 * MEMBER_EVENTS_MAX);
	assert_int_equal(nr_changed, 2);
	member_turn(member);
	assert_int_equal(nr_changed, 2);
}

/* A member that is refused for one and the same reason is told of now and then; for another one, at once. */
static void test_refused_again(void **state)
{
	(void)state;
	start_member();
	for (int i = 0; i < 5; i++) {
		tell(REPLICA_EVENT_REFUSED, 1, "its lease_ms is another");
		tell(REPLICA_EVENT_REFUSED, 1, "its lease_ms is another");
		member_turn(member);
	}
	assert_int_equal(nr_told, 1);
	tell(REPLICA_EVENT_REFUSED, 1, "its devices are others");
	member_turn(member);
	assert_int_equal(nr_told, 2);
	/* What this member does not do itself. */
	tell(REPLICA_EVENT_REFUSED, 0, "what it promised is lost");
	member_turn(member);
	assert_int_equal(nr_told, 3);
}

/* ---- signs of life ---- */

static uint64_t answered(struct session_status *link)
{
	member_link(member, 1, link);
	return link->answered;
}

/* A session that this member or the other one refuses is a sign of life, and it is told why; one that breaks is none.
 */
static void test_answers(void **state)
{
	struct session_status link;
	uint64_t before;

	(void)state;
	start_member();
	assert_int_equal(answered(&link), 0);
	before = member_now();
	member_events_up(member, 1);
	tell(REPLICA_EVENT_REFUSED, 1, "its lease_ms is another");
	member_events_down(member, 1, "it closed the connection");
	assert_in_range(answered(&link), before, member_now());
	/* It was greeted, and is gone soon: a process that was killed. Not if that goes on and on. */
	member->events.connections[1] = (struct member_connection){ 0 };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(answered(&link), 0);
		member_events_up(member, 1);
		member->events.connections[1].greeted = true;
		member_events_down(member, 1, "it closed the connection");
	}
	assert_true(answered(&link) >= before);
	/* One that has lasted. */
	member->events.connections[1] = (struct member_connection){ 0 };
	member_events_up(member, 1);
	member->events.connections[1].greeted = true;
	member->events.connections[1].began -= 5 * NS_PER_SECOND;
	member_events_hung_up(member, 1);
	assert_int_equal(answered(&link), 0);
}

/* ---- lines about what lasts ---- */

static void test_log_repeat(void **state)
{
	const uint64_t second = 1000000000, one = log_repeat_of("one"), other = log_repeat_of("other");
	struct log_repeat repeat = { 0 };
	uint64_t now = 5 * second;
	int lines = 0;

	(void)state;
	assert_true(one && other && one != other);
	/* 0, 10, 30, 70, 150, 310, 630 s */
	for (int i = 0; i < 1000; i++)
		lines += log_repeat_due(&repeat, one, now + (uint64_t)i * second);
	assert_int_equal(lines, 7);
	now += 1000 * second;
	assert_true(log_repeat_due(&repeat, other, now));
	assert_false(log_repeat_due(&repeat, other, now + 9 * second));
	assert_true(log_repeat_due(&repeat, one, now + 9 * second));
	/* At least one an hour. */
	lines = 0;
	now += 9 * second;
	for (int i = 0; i < 100 * 3600; i++)
		lines += log_repeat_due(&repeat, one, now + (uint64_t)i * second);
	assert_true(lines > 98 && lines < 115);
	/* It was over for long, and is there again. */
	now += 1000 * 3600 * second;
	assert_true(log_repeat_due(&repeat, one, now));
	assert_false(log_repeat_due(&repeat, one, now + 9 * second));
	assert_true(log_repeat_due(&repeat, one, now + 10 * second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wait_for_stores, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait_for_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_told_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test(test_log_repeat),
	};

	test_directory();
	return cmocka_run_group_tests_name("member", tests, NULL, NULL);
}
