/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See fake_corosync.h. What is to be told lies in queues until cpg_dispatch() or quorum_dispatch() is called, as with
 * the real library; its two descriptors are readable while there is something.
 */
#include "fake_corosync.h"

#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NODES	8
#define NEWS	128
#define HANDLES 2

enum handle_kind { HANDLE_CPG, HANDLE_QUORUM };

enum news_kind { NEWS_GROUP, NEWS_RING, NEWS_QUORUM, NEWS_KINDS };

struct news {
	enum news_kind kind;
	uint32_t nodes[NODES];
	size_t nr_nodes;
	bool quorate;
};

/* Of HANDLE_CPG and HANDLE_QUORUM; the numbers that a caller gets are one more. */
struct handle {
	bool open;
	const void *context;
	int fd;
	cpg_model_v1_data_t cpg;
	quorum_model_v1_data_t quorum;
	struct news news[NEWS];
	size_t nr_news;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct handle handles[HANDLES];
static bool there, held;
static uint32_t local_node;
static unsigned int begun, complete, until_failure;
static struct known {
	bool some;
	struct news news;
} known[NEWS_KINDS];
static char joined_name[CPG_MAX_NAME_LENGTH + 1];

static void raise_fd(int fd)
{
	(void)!write(fd, &(const uint64_t){ 1 }, sizeof(uint64_t));
}

/* With the lock held: whether this call, of a connection that has to be there, is to fail. */
static cs_error_t call_result(void)
{
	if (until_failure > 0 && --until_failure == 0)
		return CS_ERR_TRY_AGAIN;
	return there ? CS_OK : CS_ERR_LIBRARY;
}

static cs_error_t open_handle(enum handle_kind kind, const void *context, uint64_t *number)
{
	cs_error_t error;

	pthread_mutex_lock(&lock);
	begun += kind == HANDLE_CPG;
	error = call_result();
	if (error == CS_OK) {
		handles[kind] = (struct handle){ .open = true, .context = context };
		handles[kind].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		*number = (uint64_t)kind + 1;
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return error;
}

static cs_error_t close_handle(uint64_t number)
{
	struct handle *handle = &handles[number - 1];
	cs_error_t error = CS_ERR_BAD_HANDLE;

	pthread_mutex_lock(&lock);
	if (handle->open) {
		close(handle->fd);
		handle->open = false;
		error = there ? CS_OK : CS_ERR_LIBRARY;
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return error;
}

static cs_error_t get_fd(uint64_t number, int *fd)
{
	cs_error_t error;

	pthread_mutex_lock(&lock);
	error = call_result();
	*fd = handles[number - 1].fd;
	pthread_mutex_unlock(&lock);
	return error;
}

/* With the lock held. */
static void add_news(struct handle *handle, const struct news *news)
{
	if (handle->nr_news == NEWS)
		abort();
	handle->news[handle->nr_news++] = *news;
	raise_fd(handle->fd);
}

/* With the lock held: what is known already. */
static void add_known(struct handle *handle, enum news_kind kind)
{
	if (known[kind].some)
		add_news(handle, &known[kind].news);
}

/* The oldest news of a handle, or false. Nothing is left readable when there is none. */
static bool take_news(struct handle *handle, struct news *news)
{
	bool some;

	pthread_mutex_lock(&lock);
	some = handle->nr_news > 0;
	if (some) {
		*news = handle->news[0];
		memmove(&handle->news[0], &handle->news[1], --handle->nr_news * sizeof(handle->news[0]));
	} else {
		(void)!read(handle->fd, &(uint64_t){ 0 }, sizeof(uint64_t));
	}
	pthread_mutex_unlock(&lock);
	return some;
}

static void tell(const struct handle *handle, const struct news *news)
{
	struct cpg_address members[NODES] = { { 0 } };

	switch (news->kind) {
	case NEWS_GROUP:
		for (size_t i = 0; i < news->nr_nodes; i++)
			members[i] = (struct cpg_address){ .nodeid = news->nodes[i], .pid = 1 };
		handle->cpg.cpg_confchg_fn(HANDLE_CPG + 1, &(const struct cpg_name){ 0 }, members, news->nr_nodes, NULL,
					   0, NULL, 0);
		break;
	case NEWS_RING:
		handle->cpg.cpg_totem_confchg_fn(HANDLE_CPG + 1, (struct cpg_ring_id){ 0 }, (uint32_t)news->nr_nodes,
						 news->nodes);
		break;
	case NEWS_QUORUM:
	default:
		handle->quorum.quorum_notify_fn(HANDLE_QUORUM + 1, news->quorate, (struct quorum_ring_id){ 0 }, 0,
						NULL);
		break;
	}
}

static cs_error_t dispatch(uint64_t number)
{
	struct handle *handle = &handles[number - 1];
	struct news news;
	cs_error_t error;

	pthread_mutex_lock(&lock);
	error = call_result();
	pthread_mutex_unlock(&lock);
	if (error != CS_OK)
		return error;
	while (take_news(handle, &news))
		tell(handle, &news);
	return CS_OK;
}

/* ---- the libraries ---- */

cs_error_t cpg_model_initialize(cpg_handle_t *handle, cpg_model_t model, cpg_model_data_t *data, void *context)
{
	cs_error_t error = open_handle(HANDLE_CPG, context, handle);

	(void)model;
	if (error == CS_OK)
		handles[HANDLE_CPG].cpg = *(cpg_model_v1_data_t *)data;
	return error;
}

cs_error_t cpg_finalize(cpg_handle_t handle)
{
	return close_handle(handle);
}

cs_error_t cpg_fd_get(cpg_handle_t handle, int *fd)
{
	return get_fd(handle, fd);
}

cs_error_t cpg_context_get(cpg_handle_t handle, void **context)
{
	*context = (void *)(uintptr_t)handles[handle - 1].context;
	return CS_OK;
}

cs_error_t cpg_dispatch(cpg_handle_t handle, cs_dispatch_flags_t flags)
{
	(void)flags;
	return dispatch(handle);
}

cs_error_t cpg_local_get(cpg_handle_t handle, unsigned int *node)
{
	cs_error_t error;

	(void)handle;
	pthread_mutex_lock(&lock);
	error = call_result();
	*node = local_node;
	pthread_mutex_unlock(&lock);
	return error;
}

cs_error_t cpg_join(cpg_handle_t handle, const struct cpg_name *group)
{
	cs_error_t error;

	(void)handle;
	pthread_mutex_lock(&lock);
	while (held)
		pthread_cond_wait(&changed, &lock);
	error = call_result();
	memcpy(joined_name, group->value, group->length);
	joined_name[group->length] = '\0';
	if (error == CS_OK) {
		add_known(&handles[HANDLE_CPG], NEWS_RING);
		add_known(&handles[HANDLE_CPG], NEWS_GROUP);
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return error;
}

cs_error_t quorum_model_initialize(quorum_handle_t *handle, quorum_model_t model, quorum_model_data_t *data,
				   uint32_t *type, void *context)
{
	cs_error_t error = open_handle(HANDLE_QUORUM, context, handle);

	(void)model;
	*type = QUORUM_SET;
	if (error == CS_OK)
		handles[HANDLE_QUORUM].quorum = *(quorum_model_v1_data_t *)data;
	return error;
}

cs_error_t quorum_finalize(quorum_handle_t handle)
{
	return close_handle(handle);
}

cs_error_t quorum_fd_get(quorum_handle_t handle, int *fd)
{
	return get_fd(handle, fd);
}

cs_error_t quorum_context_get(quorum_handle_t handle, const void **context)
{
	*context = handles[handle - 1].context;
	return CS_OK;
}

cs_error_t quorum_trackstart(quorum_handle_t handle, unsigned int flags)
{
	cs_error_t error;

	(void)handle, (void)flags;
	pthread_mutex_lock(&lock);
	error = call_result();
	if (error == CS_OK) {
		add_known(&handles[HANDLE_QUORUM], NEWS_QUORUM);
		complete++;
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return error;
}

cs_error_t quorum_dispatch(quorum_handle_t handle, cs_dispatch_flags_t flags)
{
	(void)flags;
	return dispatch(handle);
}

/* ---- the test's side ---- */

void fake_corosync_start(uint32_t node)
{
	pthread_mutex_lock(&lock);
	memset(known, 0, sizeof(known));
	there = true;
	local_node = node;
	begun = 0;
	complete = 0;
	until_failure = 0;
	pthread_mutex_unlock(&lock);
}

void fake_corosync_stop(void)
{
	pthread_mutex_lock(&lock);
	memset(known, 0, sizeof(known));
	there = false;
	for (int i = 0; i < HANDLES; i++) {
		handles[i].nr_news = 0;
		if (handles[i].open)
			raise_fd(handles[i].fd);
	}
	pthread_mutex_unlock(&lock);
}

void fake_corosync_return(void)
{
	pthread_mutex_lock(&lock);
	there = true;
	pthread_mutex_unlock(&lock);
}

static void know(enum handle_kind kind, const struct news *news)
{
	pthread_mutex_lock(&lock);
	known[news->kind] = (struct known){ .some = true, .news = *news };
	if (handles[kind].open)
		add_news(&handles[kind], news);
	pthread_mutex_unlock(&lock);
}

static void know_nodes(enum news_kind kind, const uint32_t nodes[])
{
	struct news news = { .kind = kind };

	while (nodes[news.nr_nodes]) {
		news.nodes[news.nr_nodes] = nodes[news.nr_nodes];
		news.nr_nodes++;
	}
	know(HANDLE_CPG, &news);
}

void fake_corosync_group(const uint32_t nodes[])
{
	know_nodes(NEWS_GROUP, nodes);
}

void fake_corosync_ring(const uint32_t nodes[])
{
	know_nodes(NEWS_RING, nodes);
}

void fake_corosync_quorum(bool quorate)
{
	know(HANDLE_QUORUM, &(const struct news){ .kind = NEWS_QUORUM, .quorate = quorate });
}

void fake_corosync_fail(unsigned int nth)
{
	pthread_mutex_lock(&lock);
	until_failure = nth;
	pthread_mutex_unlock(&lock);
}

bool fake_corosync_failed(void)
{
	bool failed;

	pthread_mutex_lock(&lock);
	failed = until_failure == 0;
	pthread_mutex_unlock(&lock);
	return failed;
}

void fake_corosync_hold(void)
{
	pthread_mutex_lock(&lock);
	held = true;
	pthread_mutex_unlock(&lock);
}

void fake_corosync_release(void)
{
	pthread_mutex_lock(&lock);
	held = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void await(const unsigned int *count, unsigned int times)
{
	pthread_mutex_lock(&lock);
	while (*count < times)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void fake_corosync_await_begun(unsigned int times)
{
	await(&begun, times);
}

void fake_corosync_await_complete(unsigned int times)
{
	await(&complete, times);
}

void fake_corosync_await_end(void)
{
	pthread_mutex_lock(&lock);
	while (handles[HANDLE_CPG].open || handles[HANDLE_QUORUM].open)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

const char *fake_corosync_name(void)
{
	return joined_name;
}
