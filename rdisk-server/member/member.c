/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start, turn and end of a member; see member.h.
 */
#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "boot_id.h"
#include "coarse_clock.h"
#include "log.h"
#include "member_internal.h"

#define MILLISECOND	 1000000ull    /* ns */
#define LEASE_DRIFT	 1000	       /* parts per million: ten times what clocks of hosts are off */
#define REST		 NS_PER_SECOND /* without a large piece */
#define FREED_MEMORY_MAX (16 * MESSAGE_DATA_MAX)
#define WINDOW		 256 /* entries */
#define REQUESTS	 MEMBER_WITHDRAWN_MAX
#define SECTOR		 512u
#define BLOCK_SIZE	 4096u
#define EXTENT_SIZE	 (4u << 20)
#define COPY_SIZE	 (256u << 10)
#define COPIES		 8
#define FLUSH_INTERVAL	 (5 * NS_PER_SECOND)
#define HEARTBEATS	 4 /* in a lease */
#define ELECTION_PART	 4 /* of a lease: nobody can follow before most of that has run out */
#define QUEUE_BYTES	 (32u << 20)
#define WINDOW_BYTES	 (QUEUE_BYTES / 4)
#define BULK_PART	 8 /* of a queue: so much of it is for what can wait */

/*
 * Data come and go in pieces of up to MESSAGE_DATA_MAX. Left alone malloc() gives the memory of such a piece back to
 * the kernel when it is freed, and has all its pages made anew for the next one, which takes longer than to copy it.
 */
static void keep_freed_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 2 * MESSAGE_DATA_MAX);
	(void)mallopt(M_TRIM_THRESHOLD, FREED_MEMORY_MAX);
	(void)mallopt(M_TOP_PAD, MESSAGE_DATA_MAX);
}

uint64_t member_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

int member_create(struct member **result, void (*wake)(void), struct diagnostic *diagnostic)
{
	struct member *member = calloc(1, sizeof(*member));
	int code;

	if (!member)
		return diagnostic_set(diagnostic, "no memory for a member of a replica set");
	*result = member;
	keep_freed_memory();
	member->pid = getpid();
	member->epoll = member->timer = member->bell = -1;
	member->armed = member->wake_by = REPLICA_NEVER;
	member->done_tail = &member->done;
	code = completions_init(&member->stores, wake);
	if (!code)
		code = completions_init(&member->saved, wake);
	if (!code)
		code = member_requests_create(member);
	if (code)
		return diagnostic_set(diagnostic, "cannot set up a member of a replica set: %s", strerror(-code));
	member->epoll = epoll_create1(EPOLL_CLOEXEC);
	member->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	member->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (member->epoll < 0 || member->timer < 0 || member->bell < 0)
		return diagnostic_set(diagnostic, "cannot make descriptors for the replica set: %s", strerror(errno));
	member_rings_for(member, &member->stores);
	member_rings_for(member, &member->saved);
	return 0;
}

struct completions *member_completions(struct member *member)
{
	return &member->stores;
}

void member_rings_for(const struct member *member, struct completions *completions)
{
	completions_set_bell(completions, member->bell);
}

static void watched_is_ready(struct session_watch *watch, uint32_t events)
{
	(void)events;
	*((struct member_watch *)watch)->ready = true;
}

int member_watch(struct member *member, int fd, bool *ready, struct diagnostic *diagnostic)
{
	struct member_watch *watch = &member->watches[member->nr_watches];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

	assert(member->nr_watches < MEMBER_WATCHES_MAX);
	*watch = (struct member_watch){ .watch.ready = watched_is_ready, .ready = ready };
	member->nr_watches++;
	if (epoll_ctl(member->epoll, EPOLL_CTL_ADD, fd, &event))
		return diagnostic_set(diagnostic, "cannot wait for the replica set: %s", strerror(errno));
	return 0;
}

/* An image that holds nothing but a hole was just made, by this process or by whoever set it up. */
static enum replica_image image_of(const struct store *store)
{
	if (store->created || (lseek(store->fd, 0, SEEK_DATA) < 0 && errno == ENXIO))
		return REPLICA_IMAGE_NEW;
	return REPLICA_IMAGE_DATA;
}

static void fill_devices(const struct member_settings *from, struct replica_settings *settings)
{
	settings->nr_devices = from->nr_devices;
	for (int i = 0; i < from->nr_devices; i++) {
		const struct member_device *device = &from->devices[i];
		struct replica_device_settings *to = &settings->devices[i];

		to->name_checksum = XXH3_64bits(device->name, strlen(device->name));
		to->overlap_block = SECTOR;
		if (!device->store)
			continue;
		to->size = device->store->size;
		to->identity = device->store->file_identity;
		if (device->store->overlap_block > to->overlap_block)
			to->overlap_block = device->store->overlap_block;
		to->image = from->full_copy ? REPLICA_IMAGE_MISSING : image_of(device->store);
	}
}

static int create_core(struct member *member, struct diagnostic *diagnostic)
{
	const struct member_settings *from = &member->settings;
	struct replica_settings settings = {
		.members = from->members,
		.self = from->self,
		.lease = from->lease,
		.drift = LEASE_DRIFT,
		.heartbeat = from->lease / HEARTBEATS,
		.replica_timeout = from->replica_timeout,
		.election_delay = from->lease / ELECTION_PART,
		.flush_interval = FLUSH_INTERVAL,
		.open_grace = from->open_grace,
		.memory_wait = from->memory_wait,
		.resync_rate = from->resync_rate,
		.min_in_sync = from->min_in_sync,
		.error_on_no_quorum = from->error_on_no_quorum,
		.slow_replica_waits = from->slow_replica_waits,
		.window = WINDOW,
		.window_bytes = WINDOW_BYTES,
		.requests = REQUESTS,
		.clients = from->clients,
		.block_size = BLOCK_SIZE,
		.extent_size = EXTENT_SIZE,
		.copy_size = COPY_SIZE,
		.copies = COPIES,
	};
	int code;

	memcpy(settings.list, from->list, sizeof(settings.list));
	settings.process.incarnation = member_world.random(NULL) | 1;
	if (boot_id_read(from->boot_id_file, &settings.process.boot, diagnostic))
		return -1;
	fill_devices(from, &settings);
	code = replica_create(&member->replica, &settings, &member_world, member);
	if (code)
		return diagnostic_set(diagnostic, "cannot set up the replica set: %s", strerror(-code));
	return 0;
}

static const char *take_piece(void *context, const struct metadata_place *place, const void *bytes, size_t size)
{
	struct member *member = context;

	if (place->kind == METADATA_SLOT)
		return replica_load_slot(member->replica, place->index, bytes, size);
	return replica_load_sector(member->replica, place, bytes, size);
}

static int open_state(struct member *member, struct diagnostic *diagnostic)
{
	struct state_directory_settings settings = {
		.path = member->settings.state_dir,
		.set = member->settings.set,
		.nr_devices = member->settings.nr_devices,
		.members = member->settings.members,
		.saved = &member->saved,
	};

	for (int i = 0; i < settings.nr_devices; i++)
		settings.names[i] = member->settings.devices[i].name;
	for (int i = 0; i < settings.members; i++)
		settings.nodes[i] = member->settings.list[i].node;
	return state_directory_open(&member->state, &settings, diagnostic);
}

static int open_group(struct member *member, struct diagnostic *diagnostic)
{
	const struct member_settings *settings = &member->settings;
	uint32_t nodes[MEMBERS_MAX];
	int fd;

	for (int i = 0; i < settings->members; i++)
		nodes[i] = settings->list[i].node;
	if (group_open(&member->group, settings->group, settings->set, nodes, settings->members, settings->self,
		       diagnostic))
		return -1;
	fd = group_descriptor(member->group);
	return fd < 0 ? 0 : member_watch(member, fd, &member->view_ready, diagnostic);
}

static int open_sessions(struct member *member, struct diagnostic *diagnostic)
{
	const struct session_settings settings = {
		.members = member->settings.sessions,
		.count = member->settings.members,
		.self = member->settings.self,
		.set = member->settings.set,
		.key = member->settings.key,
		.key_size = member->settings.key_size,
		.queue_bytes = QUEUE_BYTES,
		.frame_max = MESSAGE_HEAD_MAX + MESSAGE_DATA_MAX,
		.compression = member->settings.compression,
		.epoll = member->epoll,
	};

	return sessions_open(&member->sessions, &settings, &member_session_events, member, diagnostic);
}

/* What is to be discarded must not be all that there is. */
static int check_full_copy(const struct member *member, struct diagnostic *diagnostic)
{
	struct replica_status status;

	if (!member->settings.full_copy)
		return 0;
	replica_status(member->replica, &status);
	if (!status.configuration.epoch || status.configuration.in_sync != member_bit(member->settings.self))
		return 0;
	return diagnostic_set(diagnostic,
			      "-U FULL: as far as is known here no other member has a copy of the set %s that is in "
			      "sync: start it without -U FULL, wait until another is, and try again",
			      member->settings.set);
}

/*
 * An image that is missing where this member has had one: more likely its file system is not mounted than its disk was
 * replaced. Once an empty one was in its place the set would take the old one for another's, and where that happens on
 * all hosts at once, as after a loss of power, there would be none left.
 */
static int check_created(const struct member *member, struct diagnostic *diagnostic)
{
	struct replica_status status;

	if (member->settings.full_copy)
		return 0;
	replica_status(member->replica, &status);
	for (int i = 0; status.configuration.epoch && i < member->settings.nr_devices; i++) {
		const struct member_device *device = &member->settings.devices[i];

		if (device->store && device->store->created)
			return diagnostic_set(
				diagnostic,
				"the image of device \"%s\" is missing, and this member of the set %s has "
				"had one: is its file system mounted? If its disk was replaced: start it "
				"once with -U FULL, or make an empty image of the same size (truncate)",
				device->name, member->settings.set);
	}
	return 0;
}

int member_start(struct member *member, const struct member_settings *settings, struct diagnostic *diagnostic)
{
	member->settings = *settings;
	/* Nobody needs it any more after the sessions are open. */
	if (create_core(member, diagnostic) || open_state(member, diagnostic) ||
	    state_directory_load(member->state, take_piece, member, diagnostic) ||
	    check_full_copy(member, diagnostic) || check_created(member, diagnostic) ||
	    open_sessions(member, diagnostic) || open_group(member, diagnostic) ||
	    member_watch(member, member->timer, &member->timer_ready, diagnostic))
		return -1;
	member->settings.key = NULL;
	return 0;
}

void member_begin(struct member *member)
{
	replica_start(member->replica, member_now());
}

void member_end(struct member *member)
{
	if (!member)
		return;
	/* What was told after the last turn. */
	if (member->replica)
		member_events_tell(member);
	group_close(member->group);
	sessions_close(member->sessions);
	state_directory_close(member->state);
	/* What the core has at the stores is its memory. What has not got there never does. */
	for (struct io *io = member->later; io; io = io->next)
		member->nr_stored--;
	member->later = member->last_later = NULL;
	while (member->nr_stored > 0) {
		completions_await(&member->stores);
		for (struct io *io = completions_take(&member->stores); io; io = io->next)
			member->nr_stored--;
	}
	replica_destroy(member->replica);
	member->group = NULL;
	member->sessions = NULL;
	member->state = NULL;
	member->replica = NULL;
}

void member_destroy(struct member *member)
{
	if (!member)
		return;
	member_end(member);
	member_requests_destroy(member);
	completions_destroy(&member->saved);
	completions_destroy(&member->stores);
	if (member->timer >= 0)
		close(member->timer);
	if (member->epoll >= 0)
		close(member->epoll);
	if (member->bell >= 0)
		close(member->bell);
	free(member);
}

int member_descriptor(const struct member *member)
{
	return member->epoll;
}

/* ---- a turn ---- */

static void take_saved(struct member *member)
{
	struct io *io = completions_take(&member->saved), *next;

	for (; io; io = next) {
		struct replica_save *piece;
		int result;

		next = io->next;
		piece = state_directory_saved(io, &result);
		member->failed |= result != 0;
		replica_saved(member->replica, member_now(), piece, result);
	}
}

static void take_stored(struct member *member)
{
	struct io *io = completions_take(&member->stores), *next;

	for (; io; io = next) {
		next = io->next;
		member->nr_stored--;
		replica_io_done(member->replica, member_now(), io);
	}
}

bool member_has_bulk_room(const struct member *member, int to)
{
	return sessions_waiting(member->sessions, to, SESSION_STREAM) <= QUEUE_BYTES / BULK_PART;
}

static void tell_bulk_room(struct member *member)
{
	for (int i = 0; member->bulk_refused && i < member->settings.members; i++) {
		if (!member_in(member->bulk_refused, i) || !member_has_bulk_room(member, i))
			continue;
		member->bulk_refused &= (member_set)~member_bit(i);
		replica_can_send(member->replica, member_now(), i);
	}
}

static void take_timer(struct member *member)
{
	uint64_t expirations;

	if (!member->timer_ready)
		return;
	member->timer_ready = false;
	if (read(member->timer, &expirations, sizeof(expirations)) > 0)
		member->armed = REPLICA_NEVER;
}

/* Without a view sessions decide: as if all were seen. */
static member_set all_members(const struct member *member)
{
	return (member_set)((1u << member->settings.members) - 1);
}

static void take_view(struct member *member)
{
	struct group_view view;

	if (!member->view_ready)
		return;
	member->view_ready = false;
	if (group_take(member->group, &view))
		replica_view(member->replica, member_now(), view.known ? view.present : all_members(member));
}

static void look_whether_known(struct member *member)
{
	struct replica_status status;

	if (member->known)
		return;
	replica_status(member->replica, &status);
	/* What was accepted at a birth may be another set's that never is. */
	if (status.decided || status.configuration.epoch > 1)
		member_became_known(member);
}

void member_link(const struct member *member, int other, struct session_status *link)
{
	const struct member_connection *connection = &member->events.connections[other];

	sessions_status(member->sessions, other, link);
	if (connection->answered > link->answered)
		link->answered = connection->answered;
	/* The core knows better why one has ended, or is not listened to; not why there has been none since. */
	if (connection->why[0] && (link->up || !strcmp(link->why, connection->end)))
		(void)snprintf(link->why, sizeof(link->why), "%s", connection->why);
}

uint64_t member_saves(const struct member *member)
{
	return state_directory_saves(member->state);
}

bool member_due(const struct member *member)
{
	return completions_any(&member->stores) || completions_any(&member->saved) || member->again ||
	       member->events.count > 0 || member->events.moved;
}

/* What was freed, and kept for the next large piece, goes back to the kernel when there has been none for a while. */
static void give_memory_back(struct member *member)
{
	uint64_t now;

	if (!member->gives_back)
		return;
	now = coarse_clock_ns();
	if (member->used_memory) {
		member->used_memory = false;
		member->give_back_at = now + REST;
	} else if (now >= member->give_back_at) {
		member->gives_back = false;
		sessions_rest(member->sessions);
		(void)malloc_trim(MESSAGE_DATA_MAX);
	}
}

void member_turn(struct member *member)
{
	sessions_turn(member->sessions, member_now());
	take_timer(member);
	take_view(member);
	take_saved(member);
	take_stored(member);
	tell_bulk_room(member);
	if (replica_next_time(member->replica) <= member_now())
		replica_time(member->replica, member_now());
	member_submit_again(member);
	look_whether_known(member);
	member_events_tell(member);
	give_memory_back(member);
}

void member_wake_by(struct member *member, uint64_t time)
{
	if (time < member->wake_by)
		member->wake_by = time;
}

/* All that waits for the end of a turn, and what comes of that. */
static void send_and_write(struct member *member)
{
	for (;;) {
		sessions_push(member->sessions);
		tell_bulk_room(member);
		if (!member->later)
			break;
		member_write_now(member);
	}
	/* Of who was told that there is room. */
	sessions_push(member->sessions);
}

void member_before_wait(struct member *member)
{
	struct itimerspec when = { 0 };
	uint64_t next, of_sessions;

	send_and_write(member);
	/* What was sent, written and told may have brought it nearer. */
	next = replica_next_time(member->replica);
	of_sessions = sessions_next_time(member->sessions);
	if (of_sessions < next)
		next = of_sessions;
	if (member->wake_by < next)
		next = member->wake_by;
	member->wake_by = REPLICA_NEVER;
	/* One that rings too early does no harm, and need not be set back. */
	if (next >= member->armed)
		return;
	member->armed = next;
	when.it_value.tv_sec = (time_t)(next / NS_PER_SECOND);
	when.it_value.tv_nsec = (long)(next % NS_PER_SECOND);
	if (!next)
		when.it_value.tv_nsec = 1;
	if (timerfd_settime(member->timer, TFD_TIMER_ABSTIME, &when, NULL)) {
		log_error("the timer of the replica set cannot be set: %s", strerror(errno));
		member->failed = true;
	}
}

static void expect(struct member *member, struct completions *others, bool expected)
{
	completions_expect(&member->stores, expected);
	completions_expect(&member->saved, expected);
	if (others)
		completions_expect(others, expected);
}

void member_wait(struct member *member, struct completions *others)
{
	struct pollfd ready[] = { { .fd = member->epoll, .events = POLLIN }, { .fd = member->bell, .events = POLLIN } };
	uint64_t rings;

	if (member->again || member->events.count > 0 || member->events.moved)
		return;
	/*
	 * The bell is not among what the loop waits for: stores and files interrupt that by themselves, and a late ring
	 * would have it look for nothing. Here such a ring ends one wait.
	 */
	expect(member, others, true);
	if (!completions_any_now(&member->stores) && !completions_any_now(&member->saved) &&
	    !(others && completions_any_now(others)))
		(void)poll(ready, 2, -1);
	expect(member, others, false);
	(void)!read(member->bell, &rings, sizeof(rings));
}

void member_ring(const struct member *member)
{
	const uint64_t once = 1;

	(void)!write(member->bell, &once, sizeof(once));
}

bool member_failed(const struct member *member)
{
	return member->failed;
}

void member_stop(struct member *member)
{
	replica_stop(member->replica, member_now());
}

bool member_stopped(const struct member *member)
{
	return replica_stopped(member->replica);
}

struct replica *member_replica(struct member *member)
{
	return member->replica;
}
