/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership_control.h. An order that takes its time is answered when the status shows that it is done.
 */
#include "membership_control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coarse_clock.h"
#include "control.h"
#include "log.h"
#include "log_repeat.h"
#include "membership_changes.h"
#include "membership_force.h"
#include "membership_primary.h"
#include "membership_refusals.h"
#include "membership_text.h"
#include "membership_waits.h"
#include "service_notify.h"

#define STATUS_LINE_SIZE 256 /* bytes */

/* A lease ends, say, without an event: then the status is another, too. */
#define LOOK_AGAIN_NS	 NS_PER_SECOND
#define EVENT_TEXT_SIZE	 256 /* bytes */

#define PROMOTE_AGAIN_NS (NS_PER_SECOND / 4)

/* From one look at what is waited for to the next; what lasts from one to the other is no start and no election. */
#define LOOK_NS		 (3 * NS_PER_SECOND)

/* The only orders that take their time end with a member that serves. Times are the member's. */
struct pending_order {
	uint64_t order; /* 0: none */
	int member;
	member_set dead; /* of a force: that it takes for dead; a primary that serves with them is not what is meant */
	uint64_t timeout, deadline; /* as given, and from when on it is late; REPLICA_NEVER: it has no limit */
	uint64_t again;		    /* when it is given again; REPLICA_NEVER: the core keeps it */
};

struct membership_control {
	struct server *server;
	const struct configuration *configuration;
	struct control *control;
	bool ready; /* it has something to do */
	struct pending_order pending;
	bool resync_paused;
	struct membership_changes changes;
	struct member_disk disks[REPLICATION_DEVICES_MAX];
	char line[STATUS_LINE_SIZE]; /* that the service manager was told last */
	uint64_t look_again;	     /* the member's time at which it looks at the status, whatever was told */
	uint64_t next_look;	     /* of the coarse clock: whether it is blocked */
	bool was_blocked;	     /* at the last look */
	struct log_repeat blocked;
};

static struct member *member_of(const struct membership_control *control)
{
	return control->server->devices.member;
}

/* ---- status ---- */

static void fill_member(const struct replica_status *from, int index, struct control_member *to)
{
	const struct replica_member_status *status = &from->members[index];

	to->connected = status->connected;
	if (status->state == REPLICA_MEMBER_RESYNCING && status->out_of_sync != UINT64_MAX) {
		to->resync.done = status->resynced;
		to->resync.total = status->resynced + status->resync_more;
		to->resync.kind = status->compares ? CONTROL_RESYNC_HASH
				  : status->whole  ? CONTROL_RESYNC_FULL
						   : CONTROL_RESYNC_BITMAP;
		to->resync.rate = status->resync_rate;
		to->resync.seconds_left =
			status->resync_left == UINT64_MAX ? CONTROL_UNKNOWN : status->resync_left / NS_PER_SECOND;
	}
	to->out_of_sync = status->out_of_sync == UINT64_MAX ? CONTROL_UNKNOWN : status->out_of_sync;
	switch (status->state) {
	case REPLICA_MEMBER_UNKNOWN:
		to->state = CONTROL_STATE_UNKNOWN;
		break;
	case REPLICA_MEMBER_IN_SYNC:
		to->role = (int)from->configuration.primary == index ? CONTROL_ROLE_PRIMARY : CONTROL_ROLE_BACKUP;
		to->state = CONTROL_STATE_IN_SYNC;
		break;
	case REPLICA_MEMBER_RESYNCING:
		to->state = CONTROL_STATE_RESYNCING;
		break;
	case REPLICA_MEMBER_OUTDATED:
		to->state = CONTROL_STATE_OUTDATED;
		break;
	case REPLICA_MEMBER_DISKLESS:
		to->role = CONTROL_ROLE_DISKLESS;
		to->state = status->connected ? CONTROL_STATE_IN_SYNC : CONTROL_STATE_UNKNOWN;
		break;
	}
	if (member_in(from->parted | from->configuration.dead, index))
		to->state = CONTROL_STATE_EXCLUDED;
}

static void fill_link(struct membership_control *control, int index, struct control_member *to)
{
	struct session_status link;

	to->link[0] = '\0';
	if (to->connected || index == control->configuration->replication.self)
		return;
	member_link(member_of(control), index, &link);
	(void)snprintf(to->link, sizeof(to->link), "%s", link.why);
	to->answers = membership_answers(&link);
}

static bool is_quorate(const struct membership_control *control, const struct replica_status *status)
{
	int voters = 0, there = 0;

	for (int i = 0; i < control->configuration->replication.nr_members; i++) {
		/* Whoever was taken for dead has no vote. */
		if (member_in(status->configuration.dead, i))
			continue;
		voters++;
		there += status->members[i].connected;
	}
	return there > voters / 2;
}

static void fill_devices(struct membership_control *control, struct control_status *status)
{
	const struct configuration *configuration = control->configuration;

	for (int minor = 0; minor < configuration->nr_devices; minor++) {
		struct control_device *device = &status->devices[status->nr_devices];
		struct member_disk *disk = &control->disks[status->nr_devices];

		if (!configuration->devices[minor].replicated)
			continue;
		if (!member_disk(member_of(control), status->nr_devices, disk))
			*disk = (struct member_disk){ 0 };
		*device = (struct control_device){
			.minor = minor,
			.name = configuration->devices[minor].name,
			.id = disk->id,
			.size = disk->size,
		};
		status->nr_devices++;
	}
}

/* A primary holds its answers back while fewer are in sync than is demanded. It alone says so; all members can tell. */
static bool lacks_copies(const struct membership_control *control, struct replica_status *status)
{
	const struct replication_configuration *replication = &control->configuration->replication;
	unsigned int in_sync = (unsigned int)member_count(status->configuration.in_sync);

	if (in_sync >= replication->min_in_sync)
		return false;
	status->waits.what = REPLICA_WAITS_COPIES;
	status->waits.needed = replication->min_in_sync - in_sync;
	status->waits.members = 0;
	for (int i = 0; i < replication->nr_members; i++)
		if (!replication->members[i].diskless && !member_in(status->configuration.in_sync, i))
			status->waits.members |= member_bit(i);
	return true;
}

static void fill_status(struct membership_control *control, struct control_status *status)
{
	struct replica_status from;
	const struct replica_configuration *configuration = &from.configuration;

	replica_status(member_replica(member_of(control)), &from);
	*status = (struct control_status){
		.born = configuration->epoch > 0,
		.generation = configuration->generation.number,
		.generation_id = configuration->generation.id,
		.epoch = configuration->epoch,
		.primary = configuration->epoch ? (int)configuration->primary : REPLICATION_NO_MEMBER,
		.quorate = is_quorate(control, &from),
		.resync_paused = control->resync_paused,
		.force_without = from.forces_without,
		.state_writes = member_saves(member_of(control)),
	};
	static_assert(sizeof(status->uuid) == sizeof(configuration->set.bytes), "a set's identity is a UUID");
	memcpy(status->uuid, configuration->set.bytes, sizeof(status->uuid));
	status->serving =
		membership_has_primary(&control->configuration->replication, &from) && !lacks_copies(control, &from);
	if (!status->serving)
		membership_waits_text(&control->configuration->replication, &from, status->blocked,
				      sizeof(status->blocked));
	for (int i = 0; i < control->configuration->replication.nr_members; i++) {
		fill_member(&from, i, &status->members[i]);
		status->members[i].seen_by = membership_seen_by(&control->configuration->replication, &from, i);
		fill_link(control, i, &status->members[i]);
	}
	fill_devices(control, status);
}

static void get_status(void *user, uint64_t now, struct control_status *status)
{
	(void)now;
	fill_status(user, status);
}

/* ---- orders ---- */

/* Nobody waits for it any more, who would know that it is carried out some day. false: it may be all the same. */
static bool withdraw_force(struct membership_control *control)
{
	return replica_withdraw_force(member_replica(member_of(control)), member_now());
}

/* What becomes of a force that nobody waits for any more, behind what the one who does is told. */
static const char *becomes_of_force(struct membership_control *control)
{
	return withdraw_force(control) ? "; the order is withdrawn"
				       : "; the order is withdrawn, but may be decided yet";
}

static int wait_for(struct membership_control *control, uint64_t order, int member, member_set dead, uint64_t timeout)
{
	/* The core knows the last one only. */
	if (control->pending.order)
		control_answer(control->control, control->pending.order, -EAGAIN,
			       "another order took its place: when that is carried out, give this one again");
	if (control->pending.order && control->pending.dead && !dead && !withdraw_force(control))
		log_warning("force-primary: another order took its place: it may be decided yet");
	control->pending = (struct pending_order){
		.order = order,
		.member = member,
		.dead = dead,
		.timeout = timeout,
		.deadline = timeout ? member_now() + timeout : REPLICA_NEVER,
		.again = REPLICA_NEVER,
	};
	return CONTROL_LATER;
}

static int promote(void *user, uint64_t now, uint64_t order, int member, uint64_t timeout, struct diagnostic *why)
{
	struct membership_control *control = user;
	struct replica_status status;
	const char *text = NULL;
	int code = 0;

	(void)now;
	replica_status(member_replica(member_of(control)), &status);
	/* It may not be decided yet, as when an order of before is being carried out. */
	if (!status.configuration.epoch || (int)status.configuration.primary != member)
		code = replica_promote(member_replica(member_of(control)), member_now(), member, &text);
	if (code) {
		membership_refuse_promote(&control->configuration->replication, &status, member, text, why);
		return code;
	}
	code = wait_for(control, order, member, 0, timeout);
	/* A primary that does not serve yet forgets it. */
	control->pending.again = member_now() + PROMOTE_AGAIN_NS;
	return code;
}

static int force(void *user, uint64_t now, uint64_t order, unsigned int dead, uint64_t timeout, struct diagnostic *why)
{
	struct membership_control *control = user;
	const struct replication_configuration *replication = &control->configuration->replication;
	struct replica_status status;
	const char *text = NULL;
	int code;

	(void)now;
	replica_status(member_replica(member_of(control)), &status);
	if (!membership_may_force(replication, member_of(control), &status, (member_set)dead, why))
		return -EAGAIN;
	code = replica_force(member_replica(member_of(control)), member_now(), (member_set)dead, &text);
	if (code) {
		membership_refuse_force(replication, &status, (member_set)dead, text, why);
		return code;
	}
	return wait_for(control, order, replication->self, (member_set)dead, timeout);
}

/* It is taken, and not carried out yet. */
static void say_init_waits(const struct replication_configuration *replication, const struct replica_status *status,
			   struct diagnostic *why)
{
	struct membership_text text = membership_text_begin(why->text, sizeof(why->text));

	membership_text_add(&text, "the set begins with the images of %s as soon as all members are seen; seen: ",
			    replication->members[replication->self].name);
	membership_text_add_names(&text, replication, status->seen);
}

static int init(void *user, uint64_t now, uint64_t order, int from, struct diagnostic *why)
{
	struct membership_control *control = user;
	const struct replication_configuration *replication = &control->configuration->replication;
	struct replica_status status;
	const char *text = NULL;
	int code = -EINVAL;

	(void)now;
	(void)order;
	replica_status(member_replica(member_of(control)), &status);
	/* Here the core would only keep this member from beginning with its own: the order would seem to be obeyed. */
	if (from == replication->self)
		code = replica_init_from(member_replica(member_of(control)), member_now(), from, &text);
	if (code)
		membership_refuse_init(replication, &status, from, text, why);
	else if (member_count(status.seen) < replication->nr_members)
		say_init_waits(replication, &status, why);
	return code;
}

static int invalidate(void *user, uint64_t now, uint64_t order, int member, struct diagnostic *why)
{
	struct membership_control *control = user;
	const struct replication_configuration *replication = &control->configuration->replication;
	struct replica_status status;
	const char *text = NULL;
	int code;

	(void)now;
	(void)order;
	if (member != replication->self) {
		diagnostic_set(
			why,
			"invalidate %s: a copy is discarded where it is, and this is the host of %s: give the order on "
			"that of %s",
			replication->members[member].name, replication->members[replication->self].name,
			replication->members[member].name);
		return -EINVAL;
	}
	replica_status(member_replica(member_of(control)), &status);
	code = replica_invalidate(member_replica(member_of(control)), member_now(), &text);
	if (code)
		membership_refuse_invalidate(replication, &status, text, why);
	return code;
}

static void tell_resync(struct membership_control *control, const struct control_status *status, int member,
			const char *text)
{
	const struct control_event event = {
		.kind = CONTROL_EVENT_RESYNC,
		.epoch = status->epoch,
		.member = member,
		.status = &status->members[member],
		.text = text,
	};

	control_event(control->control, &event);
}

/* What is paused, or goes on. */
static void set_paused(struct membership_control *control, bool paused)
{
	struct control_status status;

	if (control->resync_paused == paused)
		return;
	control->resync_paused = paused;
	replica_pause_resync(member_replica(member_of(control)), member_now(), paused);
	fill_status(control, &status);
	for (int i = 0; i < control->configuration->replication.nr_members; i++)
		if (status.members[i].state == CONTROL_STATE_RESYNCING)
			tell_resync(control, &status, i, paused ? "bringing up is paused" : "bringing up goes on");
}

/* What a member that is not primary was told would be forgotten, and count when nobody thinks of it any more. */
static int order_pause(struct membership_control *control, bool paused, const char *order, struct diagnostic *why)
{
	struct replica_status status;

	replica_status(member_replica(member_of(control)), &status);
	/* One that was paused while it was primary can be told to go on before it is again. */
	if (!status.primary && (paused || !control->resync_paused)) {
		membership_refuse_pause(&control->configuration->replication, &status, order, why);
		return -EAGAIN;
	}
	set_paused(control, paused);
	return 0;
}

static int pause_resync(void *user, uint64_t now, uint64_t order, struct diagnostic *why)
{
	(void)now;
	(void)order;
	return order_pause(user, true, "pause-resync", why);
}

static int resume_resync(void *user, uint64_t now, uint64_t order, struct diagnostic *why)
{
	(void)now;
	(void)order;
	return order_pause(user, false, "resume-resync", why);
}

static const struct control_orders orders = {
	.status = get_status,
	.promote = promote,
	.force = force,
	.init = init,
	.invalidate = invalidate,
	.pause_resync = pause_resync,
	.resume_resync = resume_resync,
};

/* ---- turns and events ---- */

/* What an order that is late waits for, and what becomes of it. */
static void say_late(struct membership_control *control, const struct control_status *status)
{
	const struct pending_order *pending = &control->pending;
	const struct replication_configuration *replication = &control->configuration->replication;
	const struct replication_member *members = replication->members;
	struct replica_status of_core;
	bool forces = pending->dead != 0;
	const char *becomes = forces ? becomes_of_force(control) : "";
	struct diagnostic cause = { "" }, text = { "" };

	replica_status(member_replica(member_of(control)), &of_core);
	if (status->blocked[0])
		diagnostic_set(&cause, "%s", status->blocked);
	else if (!forces && membership_promotion_lacks(replication, &of_core, pending->member, &cause))
		;
	else if (status->primary != REPLICATION_NO_MEMBER && status->primary != pending->member)
		diagnostic_set(&cause, "the primary is still %s", members[status->primary].name);
	else
		diagnostic_set(&cause, "rdiskctl status says what is known");
	diagnostic_set(&text, "%s does not serve after %" PRIu64 " s%s: %.*s", members[pending->member].name,
		       (uint64_t)(pending->timeout / NS_PER_SECOND), becomes, CONTROL_BLOCKED_SIZE, cause.text);
	control_answer(control->control, pending->order, -ETIMEDOUT, text.text);
}

static bool is_done(const struct membership_control *control, const struct control_status *status)
{
	const struct pending_order *pending = &control->pending;
	struct replica_status of_core;

	if (status->primary != pending->member)
		return false;
	replica_status(member_replica(member_of(control)), &of_core);
	return membership_has_primary(&control->configuration->replication, &of_core) &&
	       (of_core.configuration.dead & pending->dead) == pending->dead;
}

/* The core gave a force up: it is neither carried out nor to be. */
static bool is_forgotten(const struct membership_control *control)
{
	member_set dead = control->pending.dead;
	struct replica_status status;

	replica_status(member_replica(member_of(control)), &status);
	return dead && !status.forces_without && (status.configuration.dead & dead) != dead;
}

/*
 * A primary has come meanwhile, or one that was taken for dead gives a sign of life: carried out when that one is lost
 * some day, a force would cost what it answered.
 */
static bool is_obsolete(const struct membership_control *control, struct diagnostic *why)
{
	const struct replication_configuration *replication = &control->configuration->replication;
	struct replica_status status;

	if (!control->pending.dead)
		return false;
	replica_status(member_replica(member_of(control)), &status);
	/* Until it is decided each sign of life counts that would have refused it. */
	if (status.forces_without)
		return !membership_may_force(replication, member_of(control), &status, control->pending.dead, why);
	return membership_serves_another(replication, &status, why);
}

static void answer_obsolete(struct membership_control *control, const struct diagnostic *why)
{
	struct diagnostic text = { "" };

	diagnostic_set(&text, "%.*s%s", (int)sizeof(text.text) / 2, why->text, becomes_of_force(control));
	control_answer(control->control, control->pending.order, -EAGAIN, text.text);
}

static bool answer_order(struct membership_control *control, const struct control_status *status)
{
	uint64_t order = control->pending.order;
	struct diagnostic why = { "" };

	if (is_done(control, status))
		control_answer(control->control, order, 0, NULL);
	else if (is_forgotten(control))
		control_answer(control->control, order, -EAGAIN,
			       "one of those that were taken for dead is there: the order is forgotten; rdiskctl "
			       "status says who is seen");
	else if (is_obsolete(control, &why))
		answer_obsolete(control, &why);
	else if (member_now() >= control->pending.deadline)
		say_late(control, status);
	return !control_awaited(control->control, order);
}

static void look_at_order(struct membership_control *control)
{
	struct pending_order *pending = &control->pending;
	struct control_status status;
	uint64_t now = member_now();
	const char *text = NULL;

	if (!pending->order)
		return;
	fill_status(control, &status);
	if (answer_order(control, &status)) {
		/* Answered, or who gave it is gone. What is done or forgotten is not withdrawn by this. */
		if (pending->dead && !withdraw_force(control))
			log_warning("force-primary: who gave the order has gone before it was carried out: it may be "
				    "decided yet");
		pending->order = 0;
		return;
	}
	if (now >= pending->again) {
		pending->again = now + PROMOTE_AGAIN_NS;
		/* What is refused now may be taken next time. */
		(void)replica_promote(member_replica(member_of(control)), now, pending->member, &text);
	}
	member_wake_by(member_of(control), pending->again < pending->deadline ? pending->again : pending->deadline);
}

static void tell_manager(struct membership_control *control, const struct control_status *status)
{
	char line[STATUS_LINE_SIZE] = "STATUS=";
	size_t used = strlen(line);

	control_status_line(&control->configuration->replication, status, line + used, sizeof(line) - used);
	if (!strcmp(line, control->line))
		return;
	/* What it had no room for it is told with the next look, or what has come of it by then. */
	if (service_notify(line, 0))
		memcpy(control->line, line, sizeof(line));
}

static enum control_event_kind kind_of(enum replica_event_kind kind)
{
	switch (kind) {
	case REPLICA_EVENT_SERVING:
	case REPLICA_EVENT_PAUSED:
		return CONTROL_EVENT_PRIMARY;
	case REPLICA_EVENT_MEMBER:
	case REPLICA_EVENT_REFUSED:
		return CONTROL_EVENT_MEMBER;
	case REPLICA_EVENT_DISK:
		return CONTROL_EVENT_DISK_ERROR;
	case REPLICA_EVENT_SPLIT:
		return CONTROL_EVENT_SPLIT;
	case REPLICA_EVENT_EPOCH:
	case REPLICA_EVENT_LOSS:
	case REPLICA_EVENTS:
		break;
	}
	return CONTROL_EVENT_EPOCH;
}

/* "primary a, in sync a, b" */
static void epoch_text(const struct replication_configuration *replication, const struct control_status *status,
		       char *text, size_t size)
{
	struct membership_text writer = membership_text_begin(text, size);
	member_set in_sync = 0;

	for (int i = 0; i < replication->nr_members; i++)
		if (!replication->members[i].diskless && status->members[i].state == CONTROL_STATE_IN_SYNC)
			in_sync |= member_bit(i);
	if (status->primary == REPLICATION_NO_MEMBER)
		return;
	membership_text_add(&writer, "primary %s, in sync ", replication->members[status->primary].name);
	membership_text_add_names(&writer, replication, in_sync);
}

/* For who sees that a disk hangs, and does not know of rdiskctl. Nothing tells when a wait begins. */
static void look_whether_blocked(struct membership_control *control, uint64_t now)
{
	struct control_status status;

	fill_status(control, &status);
	if (status.blocked[0] && control->was_blocked &&
	    log_repeat_due(&control->blocked, log_repeat_of(status.blocked), now))
		log_warning("set %s: nothing is served: %s", control->configuration->replication.set, status.blocked);
	control->was_blocked = status.blocked[0] != '\0';
	control->next_look = now + LOOK_NS;
}

void membership_control_tell(struct membership_control *control, const struct replica_event *from)
{
	struct control_status status;
	struct control_event event;
	char text[EVENT_TEXT_SIZE] = "";

	if (!control)
		return;
	fill_status(control, &status);
	event = (struct control_event){
		.kind = kind_of(from->kind),
		.epoch = status.epoch,
		.member = from->member == NO_MEMBER ? REPLICATION_NO_MEMBER : from->member,
		.status = from->member == NO_MEMBER ? NULL : &status.members[from->member],
		.text = from->text,
	};
	if (from->kind == REPLICA_EVENT_EPOCH) {
		epoch_text(&control->configuration->replication, &status, text, sizeof(text));
		event.text = *text ? text : NULL;
	}
	control_event(control->control, &event);
	membership_changes_told(&control->changes, &event, &status);
}

void membership_control_lost(struct membership_control *control, unsigned int lost)
{
	struct control_status status;
	struct control_event event = {
		.kind = CONTROL_EVENT_LOST,
		.member = REPLICATION_NO_MEMBER,
		.lost = lost,
		.text = "more happened at once than could be told: what has come of it follows",
	};

	if (!control)
		return;
	fill_status(control, &status);
	event.epoch = status.epoch;
	control_event(control->control, &event);
}

void membership_control_look(struct membership_control *control)
{
	struct control_status status;

	if (!control)
		return;
	fill_status(control, &status);
	membership_changes_look(&control->changes, control->control, &status);
	tell_manager(control, &status);
	control->look_again = member_now() + LOOK_AGAIN_NS;
}

void membership_control_turn(struct membership_control *control)
{
	uint64_t now = coarse_clock_ns();

	if (control->ready) {
		control->ready = false;
		control_turn(control->control, now);
	}
	look_at_order(control);
	if (now >= control->next_look)
		look_whether_blocked(control, now);
	if (member_now() >= control->look_again)
		membership_control_look(control);
	member_wake_by(member_of(control), control->look_again);
}

int membership_control_open(struct membership_control **result, struct server *server,
			    const struct configuration *configuration, struct diagnostic *diagnostic)
{
	struct membership_control *control = calloc(1, sizeof(*control));

	if (!control)
		return diagnostic_set(diagnostic, "no memory for the control socket");
	control->server = server;
	control->configuration = configuration;
	membership_changes_init(&control->changes, &configuration->replication);
	if (control_open(&control->control, &configuration->replication, &orders, control, diagnostic)) {
		free(control);
		return -1;
	}
	if (member_watch(server->devices.member, control_descriptor(control->control), &control->ready, diagnostic)) {
		control_close(control->control);
		free(control);
		return -1;
	}
	*result = control;
	return 0;
}

void membership_control_close(struct membership_control *control)
{
	if (!control)
		return;
	control_close(control->control);
	free(control);
}
