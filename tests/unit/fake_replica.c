/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A core that is right only while nothing fails: member 0 serves, for ever, and sends what is written to all others
 * without waiting for them. With it the simulated world runs without the real one; and what such a core does wrong when
 * something fails has to be found.
 *
 * Frames are struct fake_frame and data, in the byte order of the machine; the type is where the real ones have it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replica.h"
#include "sim_calm.h"

#define PRIMARY 0

struct fake_frame {
	unsigned char magic[4];
	uint16_t type; /* MESSAGE_REQUEST, MESSAGE_ANSWER, MESSAGE_WRITE */
	uint16_t unused;
	int32_t result;
	uint32_t kind, device, none; /* no padding: the frames of two runs are compared byte for byte */
	uint64_t position, length;
	uint64_t cookie; /* of the forwarder: which request */
	unsigned char rest[24];
};

/* An operation on the own store: of a client of this host, of a forwarder, or of the primary. One after the other. */
struct work {
	struct io io;
	struct iovec vector;
	uint32_t device;
	bool served; /* by the primary, which tells the others */
	bool begun;
	struct replica_request *request;
	int forwarder;
	uint64_t cookie;
	enum entry_kind kind;
	bool finished;
	struct work *next;
};

struct forwarded {
	struct replica_request *request;
	uint64_t cookie;
	struct forwarded *next;
};

struct replica {
	struct replica_settings settings;
	const struct replica_world *world;
	void *user;
	uint64_t now;
	bool up[MEMBERS_MAX];
	member_set met; /* members that have been up */
	bool stopping;
	uint64_t cookies;
	struct work *works; /* in order */
	struct forwarded *forwarded;
};

int replica_create(struct replica **replica, const struct replica_settings *settings, const struct replica_world *world,
		   void *user)
{
	*replica = calloc(1, sizeof(**replica));
	if (!*replica)
		return -ENOMEM;
	(*replica)->settings = *settings;
	(*replica)->world = world;
	(*replica)->user = user;
	return 0;
}

static void free_work(struct work *work)
{
	free(work->vector.iov_base);
	free(work);
}

void replica_destroy(struct replica *replica)
{
	while (replica->works) {
		struct work *work = replica->works;

		replica->works = work->next;
		free_work(work);
	}
	while (replica->forwarded) {
		struct forwarded *forwarded = replica->forwarded;

		replica->forwarded = forwarded->next;
		free(forwarded);
	}
	free(replica);
}

void *replica_user(const struct replica *replica)
{
	return replica->user;
}

const char *replica_load_slot(struct replica *replica, uint32_t index, const void *bytes, size_t size)
{
	(void)replica, (void)index, (void)bytes, (void)size;
	return NULL;
}

const char *replica_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
				size_t size)
{
	(void)replica, (void)place, (void)bytes, (void)size;
	return NULL;
}

void replica_start(struct replica *replica, uint64_t now)
{
	replica->now = now;
}

static void send_frame(struct replica *replica, int member, struct fake_frame *frame, enum message_type type,
		       const void *data, size_t size)
{
	frame->type = (uint16_t)type;
	if (replica->up[member] &&
	    !replica->world->send(replica, member, REPLICA_CLASS_STREAM, frame, sizeof(*frame), data, size)) {
		replica->up[member] = false;
		replica->world->hang_up(replica, member);
	}
}

static void tell_others(struct replica *replica, const struct work *work)
{
	struct fake_frame frame = { .kind = (uint32_t)work->kind,
				    .device = work->device,
				    .position = work->io.position,
				    .length = work->io.length };

	for (int member = 1; member < replica->settings.members; member++) {
		if (!replica->settings.list[member].diskless)
			send_frame(replica, member, &frame, MESSAGE_WRITE, work->vector.iov_base,
				   work->kind == ENTRY_WRITE ? work->vector.iov_len : 0);
	}
}

/* The first that is not finished. */
static void go_on(struct replica *replica)
{
	struct work *work = replica->works;

	while (work && work->finished)
		work = work->next;
	/* Nothing is done before all are there to be told. */
	if (!work || work->begun || member_count(replica->met) < replica->settings.members - 1)
		return;
	work->begun = true;
	if (work->kind == ENTRY_OPEN || work->kind == ENTRY_CLOSE) {
		work->finished = true;
		return;
	}
	work->io.operation = work->kind == ENTRY_WRITE	  ? IO_WRITE
			     : work->kind == ENTRY_ZEROES ? IO_WRITE_ZEROES
			     : work->kind == ENTRY_FLUSH  ? IO_FLUSH
							  : IO_READ;
	if (work->served && work->kind != ENTRY_READ)
		tell_others(replica, work);
	if (replica->world->submit(replica, (int)work->device, &work->io) == IO_DONE)
		work->finished = true;
}

static void begin(struct replica *replica, struct work *work, const struct fake_frame *what, const void *data)
{
	struct work **link = &replica->works;

	work->kind = (enum entry_kind)what->kind;
	work->device = what->device;
	work->vector.iov_len = what->length;
	work->vector.iov_base = calloc(1, what->length + 1);
	if (!work->vector.iov_base)
		abort();
	if (work->kind == ENTRY_WRITE)
		memcpy(work->vector.iov_base, data, what->length);
	work->io.position = what->position;
	work->io.length = what->length;
	work->io.vector = &work->vector;
	work->io.count = 1;
	while (*link)
		link = &(*link)->next;
	*link = work;
	go_on(replica);
}

static struct fake_frame frame_of(const struct replica_request *request)
{
	return (struct fake_frame){ .kind = (uint32_t)request->kind,
				    .device = request->device,
				    .position = request->position,
				    .length = request->length };
}

static void forward(struct replica *replica, struct forwarded *forwarded)
{
	struct fake_frame what = frame_of(forwarded->request);

	what.cookie = forwarded->cookie;
	send_frame(replica, PRIMARY, &what, MESSAGE_REQUEST, forwarded->request->data,
		   what.kind == ENTRY_WRITE ? what.length : 0);
}

bool replica_read_at_once(struct replica *replica, uint64_t now, int device, struct io *io)
{
	(void)replica;
	(void)now;
	(void)device;
	(void)io;
	return false;
}

void replica_submit(struct replica *replica, uint64_t now, struct replica_request *request)
{
	replica->now = now;
	if (replica->settings.self == PRIMARY) {
		struct work *work = calloc(1, sizeof(*work));
		struct fake_frame what = frame_of(request);

		if (!work)
			abort();
		work->request = request;
		work->forwarder = NO_MEMBER;
		work->served = true;
		begin(replica, work, &what, request->data);
	} else {
		struct forwarded *forwarded = calloc(1, sizeof(*forwarded));

		if (!forwarded)
			abort();
		forwarded->request = request;
		forwarded->cookie = ++replica->cookies;
		forwarded->next = replica->forwarded;
		replica->forwarded = forwarded;
		forward(replica, forwarded);
	}
}

static void answer(struct replica *replica, struct work *work)
{
	struct fake_frame frame = { .result = work->io.result, .cookie = work->cookie };

	if (work->request) {
		if (work->kind == ENTRY_READ)
			memcpy(work->request->data, work->vector.iov_base, work->vector.iov_len);
		work->request->result = work->io.result;
		replica->world->answered(replica, work->request);
	} else if (work->forwarder != NO_MEMBER) {
		send_frame(replica, work->forwarder, &frame, MESSAGE_ANSWER, work->vector.iov_base,
			   work->kind == ENTRY_READ ? work->vector.iov_len : 0);
	}
}

void replica_time(struct replica *replica, uint64_t now)
{
	replica->now = now;
	while (replica->works && replica->works->finished) {
		struct work *work = replica->works;

		replica->works = work->next;
		answer(replica, work);
		free_work(work);
		go_on(replica);
	}
}

uint64_t replica_next_time(const struct replica *replica)
{
	return replica->works && replica->works->finished ? replica->now : REPLICA_NEVER;
}

static void answer_comes(struct replica *replica, const struct fake_frame *frame)
{
	struct forwarded **link = &replica->forwarded, *forwarded;

	while (*link && (*link)->cookie != frame->cookie)
		link = &(*link)->next;
	forwarded = *link;
	if (!forwarded)
		return;
	*link = forwarded->next;
	forwarded->request->result = frame->result;
	if (forwarded->request->kind == ENTRY_READ)
		memcpy(forwarded->request->data, frame + 1, forwarded->request->length);
	replica->world->answered(replica, forwarded->request);
	free(forwarded);
}

bool replica_frame(struct replica *replica, uint64_t now, int member, void *bytes, size_t size)
{
	struct fake_frame *frame = bytes;
	struct work *work;

	(void)size;
	replica->now = now;
	if (frame->type == MESSAGE_ANSWER) {
		answer_comes(replica, frame);
		free(bytes);
		return true;
	}
	work = calloc(1, sizeof(*work));
	if (!work)
		abort();
	work->forwarder = NO_MEMBER;
	if (frame->type == MESSAGE_REQUEST) {
		work->served = true;
		work->forwarder = member;
		work->cookie = frame->cookie;
	}
	begin(replica, work, frame, frame + 1);
	free(bytes);
	return true;
}

void replica_connected(struct replica *replica, uint64_t now, int member)
{
	replica->now = now;
	replica->up[member] = true;
	replica->met |= member_bit(member);
	go_on(replica);
	for (struct forwarded *forwarded = replica->forwarded; forwarded && member == PRIMARY;
	     forwarded = forwarded->next)
		forward(replica, forwarded);
}

void replica_disconnected(struct replica *replica, uint64_t now, int member)
{
	replica->now = now;
	replica->up[member] = false;
}

void replica_can_send(struct replica *replica, uint64_t now, int member)
{
	(void)member;
	replica->now = now;
}

void replica_view(struct replica *replica, uint64_t now, member_set present)
{
	(void)present;
	replica->now = now;
}

void replica_io_done(struct replica *replica, uint64_t now, struct io *io)
{
	replica->now = now;
	((struct work *)(void *)io)->finished = true;
}

void replica_saved(struct replica *replica, uint64_t now, struct replica_save *save, int result)
{
	(void)save, (void)result;
	replica->now = now;
}

void replica_forget_client(struct replica *replica, uint64_t now, uint32_t client)
{
	struct forwarded **link = &replica->forwarded;

	replica->now = now;
	for (struct work *work = replica->works; work; work = work->next) {
		if (work->request && work->request->client == client)
			work->request = NULL;
	}
	while (*link) {
		struct forwarded *forwarded = *link;

		if (forwarded->request->client != client) {
			link = &forwarded->next;
			continue;
		}
		*link = forwarded->next;
		free(forwarded);
	}
}

void replica_stop(struct replica *replica, uint64_t now)
{
	replica->now = now;
	replica->stopping = true;
}

bool replica_stopped(const struct replica *replica)
{
	return replica->stopping;
}

int replica_promote(struct replica *replica, uint64_t now, int member, const char **why)
{
	(void)replica, (void)now, (void)member;
	*why = "it cannot";
	return -EINVAL;
}

int replica_force(struct replica *replica, uint64_t now, member_set dead, const char **why)
{
	return replica_promote(replica, now, dead, why);
}

int replica_invalidate(struct replica *replica, uint64_t now, const char **why)
{
	return replica_promote(replica, now, 0, why);
}

void replica_status(const struct replica *replica, struct replica_status *status)
{
	memset(status, 0, sizeof(*status));
	status->configuration.epoch = 1;
	status->configuration.generation.number = 1;
	status->decided = status->votes = true;
	status->primary = status->serving = status->holds_lease = replica->settings.self == PRIMARY;
	for (int member = 0; member < replica->settings.members; member++) {
		status->members[member].connected = replica->up[member];
		status->members[member].state =
			replica->settings.list[member].diskless ? REPLICA_MEMBER_DISKLESS : REPLICA_MEMBER_IN_SYNC;
	}
}

/* It looks into the core, and this one is empty: all are brought back. */
bool __wrap_sim_calm_can_do_without(const struct sim_world *world, member_set gone);

bool __wrap_sim_calm_can_do_without(const struct sim_world *world, member_set gone)
{
	(void)world, (void)gone;
	return false;
}
