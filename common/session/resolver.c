/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of members; see resolver.h.
 */
#include "resolver.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct resolver_job {
	pthread_mutex_t lock; /* of the fields up to `resolved` */
	bool done;
	bool abandoned; /* whoever of the two comes second frees it */
	int eventfd;	/* the caller's, as long as it is not abandoned */
	struct resolved resolved;
	uint16_t port;
	char name[]; /* both as of the beginning */
};

static void resolve(const char *name, uint16_t port, int flags, struct resolved *resolved)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *list = NULL;
	char service[8];
	int code;

	*resolved = (struct resolved){ 0 };
	snprintf(service, sizeof(service), "%u", port);
	code = getaddrinfo(name, service, &hints, &list);
	if (code) {
		resolved->why = code == EAI_SYSTEM ? "it could not be looked up" : gai_strerror(code);
		return;
	}
	for (const struct addrinfo *next = list; next && resolved->count < RESOLVER_ADDRESSES_MAX;
	     next = next->ai_next) {
		struct resolved_address *address = &resolved->addresses[resolved->count];

		if (next->ai_addrlen > sizeof(address->storage))
			continue;
		memcpy(&address->storage, next->ai_addr, next->ai_addrlen);
		address->size = next->ai_addrlen;
		resolved->count++;
	}
	if (resolved->count == 0)
		resolved->why = "it has no address";
	freeaddrinfo(list);
}

bool resolver_digits(const char *text, uint16_t port, struct resolved *resolved)
{
	resolve(text, port, AI_NUMERICHOST | AI_NUMERICSERV, resolved);
	return resolved->count > 0;
}

void resolver_look_up(const char *name, uint16_t port, struct resolved *resolved)
{
	resolve(name, port, AI_NUMERICSERV, resolved);
}

static void free_job(struct resolver_job *job)
{
	pthread_mutex_destroy(&job->lock);
	free(job);
}

static void *run(void *context)
{
	struct resolver_job *job = context;
	const uint64_t one = 1;
	struct resolved resolved;
	bool abandoned;

	resolver_look_up(job->name, job->port, &resolved);
	pthread_mutex_lock(&job->lock);
	job->resolved = resolved;
	job->done = true;
	abandoned = job->abandoned;
	/* The counter is far from its end. The lock keeps the caller from closing the descriptor meanwhile. */
	if (!abandoned && write(job->eventfd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		job->resolved.why = "its look-up was lost";
	pthread_mutex_unlock(&job->lock);
	if (abandoned)
		free_job(job);
	return NULL;
}

/* A thread that no signal goes to, which nobody waits for. 0 or a number of errno. */
static int start_thread(struct resolver_job *job)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int code = pthread_attr_init(&attributes);

	if (code)
		return code;
	sigfillset(&all);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	code = pthread_create(&thread, &attributes, run, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return code;
}

struct resolver_job *resolver_begin(const char *name, uint16_t port, int eventfd)
{
	size_t size = strlen(name) + 1;
	struct resolver_job *job = calloc(1, sizeof(*job) + size);

	if (!job)
		return NULL;
	pthread_mutex_init(&job->lock, NULL);
	job->eventfd = eventfd;
	job->port = port;
	memcpy(job->name, name, size);
	if (!start_thread(job))
		return job;
	free_job(job);
	return NULL;
}

bool resolver_collect(struct resolver_job *job, struct resolved *resolved)
{
	bool done;

	pthread_mutex_lock(&job->lock);
	done = job->done;
	if (done)
		*resolved = job->resolved;
	pthread_mutex_unlock(&job->lock);
	/* The thread has unlocked it for the last time. */
	if (done)
		free_job(job);
	return done;
}

void resolver_abandon(struct resolver_job *job)
{
	bool done;

	if (!job)
		return;
	pthread_mutex_lock(&job->lock);
	done = job->done;
	job->abandoned = true;
	pthread_mutex_unlock(&job->lock);
	if (done)
		free_job(job);
}
