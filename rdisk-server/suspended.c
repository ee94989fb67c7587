/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of requests that wait for a disk; see suspended.h.
 */
#include "suspended.h"

#include <assert.h>
#include <stddef.h>

#include "dvk.h"

/* Fetching a range in vain: it was dropped from the page cache again before it could be used. Then it is waited for. */
#define ATTEMPTS_MAX 4

static_assert(offsetof(struct suspended, job) == 0, "a job's address is that of its request");

static void put_free(struct suspension *suspension, struct suspended *suspended)
{
	suspended->state = SUSPENDED_FREE;
	suspended->next = suspension->free;
	suspension->free = suspended;
}

static struct suspended *get_free(struct suspension *suspension)
{
	struct suspended *suspended = suspension->free;

	if (suspended)
		suspension->free = suspended->next;
	else if (suspension->nr_used < SUSPENDED_MAX)
		suspended = &suspension->pool[suspension->nr_used++];
	return suspended;
}

/* Gives up what the dead have left. */
static void forget_the_dead(struct suspension *suspension)
{
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		struct rendezvous *rendezvous = &suspension->rendezvous[slot];
		int client = slot - NR_TASKS;

		if (rendezvous->suspended && dvk_peer_incarnation(client) != rendezvous->incarnation)
			rendezvous_forget(suspension, client);
	}
}

struct suspended *suspended_new(struct suspension *suspension, int client, const struct attempt *attempt)
{
	struct rendezvous *rendezvous = rendezvous_of(suspension, client);
	struct suspended *suspended;

	if (suspension->all_in_place)
		return NULL;
	suspended = get_free(suspension);
	if (!suspended) {
		forget_the_dead(suspension);
		suspended = get_free(suspension);
	}
	if (!suspended)
		return NULL;
	*suspended = (struct suspended){ .job = attempt->wanted, .attempts = 1, .client = client };
	if (workers_post(&suspension->workers, &suspended->job)) {
		put_free(suspension, suspended);
		return NULL;
	}
	suspended->state = SUSPENDED_WORKING;
	if (!rendezvous->suspended)
		rendezvous->incarnation = dvk_peer_incarnation(client);
	suspended->next = rendezvous->suspended;
	rendezvous->suspended = suspended;
	return suspended;
}

bool suspended_again(struct suspension *suspension, struct suspended *suspended, const struct attempt *attempt)
{
	assert(suspended->state == SUSPENDED_READY);
	if (suspension->all_in_place)
		return false;
	suspended->attempts++;
	suspended->job = attempt->wanted;
	if (workers_post(&suspension->workers, &suspended->job))
		return false;
	suspended->state = SUSPENDED_WORKING;
	return true;
}

struct suspended *suspended_next_ready(struct suspension *suspension)
{
	for (;;) {
		struct suspended *suspended = (struct suspended *)workers_take(&suspension->workers);

		if (!suspended)
			return NULL;
		if (suspended->state == SUSPENDED_ABANDONED) {
			put_free(suspension, suspended);
			continue;
		}
		assert(suspended->state == SUSPENDED_WORKING);
		suspended->state = SUSPENDED_READY;
		return suspended;
	}
}

struct attempt suspended_attempt(const struct suspension *suspension, const struct suspended *suspended)
{
	return (struct attempt){
		.may_wait = suspension->all_in_place || suspended->attempts >= ATTEMPTS_MAX,
		.done = &suspended->job,
	};
}

/* Takes one out of its client's list. */
static void unlink_suspended(struct suspension *suspension, struct suspended *suspended)
{
	struct suspended **at = &rendezvous_of(suspension, suspended->client)->suspended;

	while (*at != suspended)
		at = &(*at)->next;
	*at = suspended->next;
}

void suspended_free(struct suspension *suspension, struct suspended *suspended)
{
	assert(suspended->state == SUSPENDED_READY);
	unlink_suspended(suspension, suspended);
	put_free(suspension, suspended);
}

/* Nobody waits for it any more. */
static void abandon(struct suspension *suspension, struct suspended *suspended)
{
	unlink_suspended(suspension, suspended);
	switch (suspended->state) {
	case SUSPENDED_WORKING:
		suspended->state = SUSPENDED_ABANDONED;
		break;
	case SUSPENDED_READY:
		put_free(suspension, suspended);
		break;
	case SUSPENDED_FREE:
	case SUSPENDED_ABANDONED:
		assert(!"only what a client waits for is in its list");
	}
}

void rendezvous_give_up(struct suspension *suspension, int client)
{
	struct rendezvous *rendezvous = rendezvous_of(suspension, client);
	struct suspended *next;

	for (struct suspended *suspended = rendezvous->suspended; suspended; suspended = next) {
		next = suspended->next;
		if (suspended->kind != SUSPENDED_COLLECTED)
			abandon(suspension, suspended);
	}
	rendezvous->open = false;
	rendezvous->collects = false;
	rendezvous->elements = 0;
}

void rendezvous_forget(struct suspension *suspension, int client)
{
	struct rendezvous *rendezvous = rendezvous_of(suspension, client);

	rendezvous_give_up(suspension, client);
	while (rendezvous->suspended)
		abandon(suspension, rendezvous->suspended);
}

void rendezvous_forget_all(struct suspension *suspension)
{
	for (int slot = 0; slot < NR_SLOTS; slot++)
		rendezvous_forget(suspension, slot - NR_TASKS);
}
