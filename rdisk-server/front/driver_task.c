/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop, in the manner of MINIX's block driver library. What is done with a message of each type:
 *
 * type                             begun by       fields and rules: rdisk_protocol.h
 * DEV_OPEN, DEV_CLOSE, DEV_IOCTL   opening.h
 * CANCEL                           0: who sends it has given up whatever he was waiting for
 * DEV_BATCH                        batch_begin (batch.h)
 * those that ask for I/O           begin_io (intake.h)
 * a notification                   no answer
 * anything else                    EDVSBADREQUEST
 */
#include "driver_task.h"

#include "answer.h"
#include "batch.h"
#include "client_memory.h"
#include "coarse_clock.h"
#include "collect.h"
#include "dvk.h"
#include "intake.h"
#include "log.h"
#include "opening.h"
#include "reply.h"
#include "termination.h"

#define DEAD_LOOK_NS (NS_PER_SECOND / 20) /* between two looks for clients of replicated disks that have died */

int driver_init(struct server *server)
{
	requests_init(&server->requests, server->pool, sizeof(server->pool[0]), REQUESTS_MAX, &client_memory_copied);
	return completions_init(&server->completions, dvk_interrupt);
}

/* Goes as far as the request can at once, and answers it if that is its end. */
static void begin_request(struct server *server, struct front_request *request, int code)
{
	if (code != INTAKE_BEGIN || request_begin(&server->requests, &request->request)) {
		answer_message(server, request, code);
		return;
	}
	client_add(request);
	request->owner->open = true;
}

static void begin_io(struct server *server, const message *asked)
{
	struct front_request *request = front_request_take(server, asked->m_source);

	begin_request(server, request, intake_message(server, request, asked));
}

/* What is no I/O. */
static void begin_other(struct server *server, const message *asked)
{
	struct device *device = device_find(&server->devices, asked->DEVICE);
	bool known = asked->m_type == DEV_OPEN || asked->m_type == DEV_CLOSE || asked->m_type == DEV_IOCTL ||
		     asked->m_type == CANCEL;

	if (known && !device) {
		reply_status(asked, EDVSNXIO);
		return;
	}
	switch (asked->m_type) {
	case DEV_OPEN:
		opening_open(server, device, asked);
		break;
	case DEV_CLOSE:
		opening_close(server, device, asked);
		break;
	case DEV_IOCTL:
		opening_ioctl(server, device, asked);
		break;
	case CANCEL:
		reply_status(asked, 0);
		break;
	default:
		reply_status(asked, EDVSBADREQUEST);
		break;
	}
}

void driver_begin(struct server *server, const message *asked)
{
	struct client *client = client_of(server, asked->m_source);

	server->received_ns = server->recording ? recording_now() : 0;
	if (!client_meet(server, asked->m_source))
		return;
	if (client->open)
		client_give_up(server, asked->m_source);
	if (asked->m_type == DEV_BATCH)
		batch_begin(server, asked);
	else if (intake_is_io(asked))
		begin_io(server, asked);
	else
		begin_other(server, asked);
}

/* What is due for the replicated disks. */
static void turn_set(struct server *server)
{
	uint64_t now = coarse_clock_ns();

	member_turn(server->devices.member);
	server->turn_control(server);
	if (now < server->next_look)
		return;
	server->next_look = now + DEAD_LOOK_NS;
	clients_forget_dead(server);
	device_table_forget_dead(&server->devices);
}

static bool set_has_done(const struct server *server)
{
	return server->devices.member && member_any_done(server->devices.member);
}

void driver_drain(struct server *server)
{
	for (;;) {
		answer_all_done(server);
		if (server->requests.nr_free == REQUESTS_MAX)
			break;
		completions_await(&server->completions);
	}
}

/* Those with something under way in the set are owed nothing any more, or its end would be their answer. */
static void forget_clients_of_set(struct server *server)
{
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		const struct front_request *request = server->clients[slot].requests;

		while (request && !device_of(request->request.disk)->member)
			request = request->next;
		if (request || server->clients[slot].deferred)
			client_forget(server, slot - NR_TASKS);
	}
}

/*
 * The replicated disks are handed over to others. What clients have under way there is not answered: they ask again,
 * when there is a server again.
 */
void driver_leave_set(struct server *server)
{
	struct member *member = server->devices.member;

	if (!member)
		return;
	/* The core bounds it: a few time-outs of members. */
	member_stop(member);
	while (!member_stopped(member) && !member_failed(member)) {
		member_before_wait(member);
		if (!set_has_done(server))
			member_wait(member, NULL);
		member_turn(member);
		server->turn_control(server);
		answer_all_done(server);
	}
	forget_clients_of_set(server);
	device_table_forget_replicated(&server->devices);
}

/* Answers what was received and is not answered yet. Results that nobody has collected by now are lost. */
static void finish(struct server *server)
{
	driver_leave_set(server);
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		struct client *client = &server->clients[slot];

		if (client->collects)
			collect_end(client);
		for (struct front_request *request = client->requests, *next; request; request = next) {
			next = request->next;
			if (request->kind != ANSWER_COLLECTED)
				continue;
			client_abandon(server, request);
		}
	}
	driver_drain(server);
}

/* Whether a whole batch can be begun. */
static bool has_room(const struct server *server)
{
	return server->requests.nr_free >= RDISK_BATCH_MAX;
}

int driver_task(struct server *server)
{
	bool ready = true; /* there may be something to do for the replicated disks */

	while (!termination_requested()) {
		message request;
		int code;

		if (server->devices.member && (ready || member_due(server->devices.member)))
			turn_set(server);
		ready = false;
		if (server->devices.member && member_failed(server->devices.member)) {
			finish(server);
			return EDVSIO;
		}
		if (completions_any(&server->completions) || requests_can_go_on(&server->requests) ||
		    set_has_done(server))
			answer_all_done(server);
		batch_resume(server);
		/* The stores have so much to do that nothing more is taken on. */
		if (!has_room(server)) {
			if (server->devices.member) {
				/* Those that die make room. */
				member_wake_by(server->devices.member, member_now() + DEAD_LOOK_NS);
				member_before_wait(server->devices.member);
				if (!set_has_done(server))
					member_wait(server->devices.member, &server->completions);
				ready = true;
			} else {
				completions_await(&server->completions);
			}
			continue;
		}
		if (server->devices.member) {
			member_before_wait(server->devices.member);
			/* What was answered at once, since that was looked at, is not to wait for the next message. */
			if (set_has_done(server) || member_due(server->devices.member) || batch_can_resume(server))
				dvk_interrupt();
		}
		code = dvk_receive(ANY, &request);
		ready = code == EDVSREADY || batch_can_resume(server);
		if (code == EDVSREADY || code == EDVSINTR)
			continue;
		if (code) {
			clients_forget_all(server);
			return code;
		}
		if (!dvk_notified())
			driver_begin(server, &request);
	}
	finish(server);
	return 0;
}
