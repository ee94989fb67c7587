/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core asks of the world, and what sessions tell it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"
#include "member_internal.h"

static struct member *member_of(const struct replica *replica)
{
	return replica_user(replica);
}

static bool send_frame(struct replica *replica, int to, enum replica_class class, const void *head, size_t head_size,
		       const void *data, size_t data_size)
{
	struct member *member = member_of(replica);
	int session_class = class == REPLICA_CLASS_CONTROL ? SESSION_CONTROL : SESSION_STREAM;

	member_note_piece(member, data_size);
	if (class == REPLICA_CLASS_BULK && !member_has_bulk_room(member, to)) {
		member->bulk_refused |= member_bit(to);
		return false;
	}
	return sessions_send(member->sessions, to, session_class, head, head_size, data, data_size);
}

static void hang_up(struct replica *replica, int to)
{
	member_of(replica)->bulk_refused &= (member_set)~member_bit(to);
	member_events_hung_up(member_of(replica), to);
	sessions_hang_up(member_of(replica)->sessions, to);
}

static enum io_answer submit(struct replica *replica, int device, struct io *io)
{
	struct member *member = member_of(replica);
	enum io_answer answer;

	if (io->not_first) {
		member_write_later(member, device, io);
		return IO_PENDING;
	}
	answer = store_submit(member->settings.devices[device].store, io);

	member->nr_stored += answer == IO_PENDING;
	return answer;
}

static void save(struct replica *replica, struct replica_save *piece)
{
	state_directory_save(member_of(replica)->state, piece);
}

static uint64_t random_number(struct replica *replica)
{
	uint64_t number = 0;
	char *at = (char *)&number;
	size_t left = sizeof(number);

	(void)replica;
	/* Up to 256 bytes it neither fails nor is cut once the host's pool is ready; before, a signal may end it. */
	while (left > 0) {
		ssize_t got = getrandom(at, left, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			log_error("no random numbers: %s", strerror(errno));
			abort();
		}
		at += got;
		left -= (size_t)got;
	}
	return number;
}

static void answered(struct replica *replica, struct replica_request *request)
{
	member_answered(member_of(replica), request);
}

/* Within an event of the core nothing is asked of it, as who is told may do. */
static void tell(struct replica *replica, const struct replica_event *event)
{
	member_events_add(member_of(replica), event);
}

const struct replica_world member_world = {
	.send = send_frame,
	.hang_up = hang_up,
	.submit = submit,
	.save = save,
	.random = random_number,
	.answered = answered,
	.tell = tell,
};

/* ---- sessions ---- */

static void up(void *user, int from)
{
	struct member *member = user;

	member_events_up(member, from);
	replica_connected(member->replica, member_now(), from);
}

static void down(void *user, int from, const char *why)
{
	struct member *member = user;

	member_events_down(member, from, why);
	member->bulk_refused &= (member_set)~member_bit(from);
	replica_disconnected(member->replica, member_now(), from);
}

static bool frame(void *user, int from, void *bytes, size_t size)
{
	struct member *member = user;

	member_note_piece(member, size);
	return replica_frame(member->replica, member_now(), from, bytes, size);
}

static void room(void *user, int to)
{
	struct member *member = user;

	if (!(member->bulk_refused & member_bit(to)))
		replica_can_send(member->replica, member_now(), to);
}

const struct session_events member_session_events = {
	.up = up,
	.down = down,
	.frame = frame,
	.room = room,
};
