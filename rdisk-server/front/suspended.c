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

/* ---- the pool ---- */

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

/* ---- a client's list, and those of who waits for the same ---- */

static void append(struct suspension *suspension, struct suspended *suspended)
{
	struct rendezvous *rendezvous = rendezvous_of(suspension, suspended->client);
	struct suspended **at = &rendezvous->suspended;

	if (!rendezvous->suspended)
		rendezvous->incarnation = dvk_peer_incarnation(suspended->client);
	while (*at)
		at = &(*at)->next;
	suspended->next = NULL;
	*at = suspended;
	rendezvous->nr_suspended++;
}

static void unlink_suspended(struct suspension *suspension, struct suspended *suspended)
{
	struct rendezvous *rendezvous = rendezvous_of(suspension, suspended->client);
	struct suspended **at = &rendezvous->suspended;

	while (*at != suspended)
		at = &(*at)->next;
	*at = suspended->next;
	rendezvous->nr_suspended--;
}

static void add_waiting(struct suspended **list, struct suspended *suspended)
{
	suspended->next_waiting = *list;
	*list = suspended;
}

/* False if it is not in this list. */
static bool remove_waiting(struct suspended **list, const struct suspended *suspended)
{
	struct suspended **at = list;

	while (*at && *at != suspended)
		at = &(*at)->next_waiting;
	if (!*at)
		return false;
	*at = suspended->next_waiting;
	return true;
}

/* ---- shared flushes ---- */

/* The queue of an image, a new one at its first flush. There are as many as there can be images. */
static struct flush_queue *flush_queue_of(struct suspension *suspension, struct image *image)
{
	struct flush_queue *queue = suspension->flushes;

	while (queue->job.image && queue->job.image != image)
		queue++;
	assert(queue < suspension->flushes + DEVICES_MAX);
	if (!queue->job.image) {
		queue->job.image = image;
		queue->job.kind = JOB_FLUSH;
	}
	return queue;
}

static struct flush_queue *queue_of_job(struct suspension *suspension, struct job *job)
{
	return job->kind == JOB_FLUSH ? flush_queue_of(suspension, job->image) : NULL;
}

/* Has those that wait for the next flush wait for one that is at the workers. 0 or -errno. */
static int post_flush(struct suspension *suspension, struct flush_queue *queue)
{
	int code = workers_post(&suspension->workers, &queue->job);

	if (code)
		return code;
	queue->working = true;
	queue->waiting = queue->next;
	queue->next = NULL;
	return 0;
}

/* Joins the next flush of the image. 0 or -errno. */
static int join_flush(struct suspension *suspension, struct suspended *suspended)
{
	struct flush_queue *queue = flush_queue_of(suspension, suspended->job.image);
	int code = 0;

	add_waiting(&queue->next, suspended);
	if (!queue->working)
		code = post_flush(suspension, queue);
	if (code)
		remove_waiting(&queue->next, suspended);
	else
		suspended->state = SUSPENDED_FLUSHING;
	return code;
}

/* Makes all of a list READY; without a result they have to do themselves, in place, what they waited for. */
static void make_ready(struct suspension *suspension, struct suspended **list, const int *result)
{
	while (*list) {
		struct suspended *suspended = *list;

		*list = suspended->next_waiting;
		suspended->state = SUSPENDED_READY;
		suspended->job_done = result != NULL;
		suspended->job.result = result ? *result : 0;
		add_waiting(&suspension->ready, suspended);
	}
}

static void flush_finished(struct suspension *suspension, struct flush_queue *queue)
{
	queue->working = false;
	make_ready(suspension, &queue->waiting, &queue->job.result);
	if (queue->next && (suspension->all_in_place || post_flush(suspension, queue)))
		make_ready(suspension, &queue->next, NULL);
}

/* ---- what the headers promise ---- */

/* Has the workers do what an attempt wanted. 0 or -errno. */
static int post(struct suspension *suspension, struct suspended *suspended, const struct attempt *attempt)
{
	int code;

	suspended->job = attempt->wanted;
	suspended->job_done = false;
	if (suspended->job.kind == JOB_FLUSH)
		return join_flush(suspension, suspended);
	code = workers_post(&suspension->workers, &suspended->job);
	if (!code)
		suspended->state = SUSPENDED_WORKING;
	return code;
}

struct suspended *suspended_new(struct suspension *suspension, int client, int memory_endpoint,
				const struct attempt *attempt)
{
	int memory_incarnation = dvk_peer_incarnation(memory_endpoint);
	struct suspended *suspended;

	if (suspension->all_in_place || memory_incarnation < 0)
		return NULL;
	suspended = get_free(suspension);
	if (!suspended) {
		forget_the_dead(suspension);
		suspended = get_free(suspension);
	}
	if (!suspended)
		return NULL;
	*suspended = (struct suspended){
		.attempts = 1,
		.client = client,
		.memory_endpoint = memory_endpoint,
		.memory_incarnation = memory_incarnation,
	};
	if (post(suspension, suspended, attempt)) {
		put_free(suspension, suspended);
		return NULL;
	}
	append(suspension, suspended);
	return suspended;
}

bool suspended_again(struct suspension *suspension, struct suspended *suspended, const struct attempt *attempt)
{
	assert(suspended->state == SUSPENDED_READY);
	if (suspension->all_in_place)
		return false;
	suspended->attempts++;
	return !post(suspension, suspended, attempt);
}

/* Takes what the workers have done: false when there is nothing. */
static bool take_job(struct suspension *suspension)
{
	struct job *job = workers_take(&suspension->workers);
	struct suspended *suspended = (struct suspended *)job;
	struct flush_queue *queue;

	if (!job)
		return false;
	queue = queue_of_job(suspension, job);
	if (queue) {
		flush_finished(suspension, queue);
		return true;
	}
	if (suspended->state == SUSPENDED_ABANDONED) {
		put_free(suspension, suspended);
		return true;
	}
	assert(suspended->state == SUSPENDED_WORKING);
	suspended->state = SUSPENDED_READY;
	suspended->job_done = true;
	add_waiting(&suspension->ready, suspended);
	return true;
}

struct suspended *suspended_next_ready(struct suspension *suspension)
{
	struct suspended *suspended;

	while (!suspension->ready && take_job(suspension))
		;
	suspended = suspension->ready;
	if (suspended)
		suspension->ready = suspended->next_waiting;
	return suspended;
}

struct attempt suspended_attempt(const struct suspension *suspension, const struct suspended *suspended)
{
	return (struct attempt){
		.may_wait = suspension->all_in_place || suspended->attempts >= ATTEMPTS_MAX || !suspended->job_done,
		.done = suspended->job_done ? &suspended->job : NULL,
	};
}

bool suspended_memory_is_there(const struct suspended *suspended)
{
	return dvk_peer_incarnation(suspended->memory_endpoint) == suspended->memory_incarnation;
}

void suspended_free(struct suspension *suspension, struct suspended *suspended)
{
	assert(suspended->state == SUSPENDED_READY || suspended->state == SUSPENDED_DONE);
	unlink_suspended(suspension, suspended);
	put_free(suspension, suspended);
}

/* Nobody waits for it any more. */
static void abandon(struct suspension *suspension, struct suspended *suspended)
{
	struct flush_queue *queue;

	unlink_suspended(suspension, suspended);
	switch (suspended->state) {
	case SUSPENDED_WORKING:
		suspended->state = SUSPENDED_ABANDONED;
		if (workers_withdraw(&suspension->workers, &suspended->job))
			put_free(suspension, suspended);
		break;
	case SUSPENDED_FLUSHING:
		queue = flush_queue_of(suspension, suspended->job.image);
		if (!remove_waiting(&queue->waiting, suspended))
			remove_waiting(&queue->next, suspended);
		put_free(suspension, suspended);
		break;
	case SUSPENDED_READY:
		remove_waiting(&suspension->ready, suspended);
		put_free(suspension, suspended);
		break;
	case SUSPENDED_DONE:
		put_free(suspension, suspended);
		break;
	case SUSPENDED_FREE:
	case SUSPENDED_ABANDONED:
		assert(false); /* only what a client waits for is in its list */
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
