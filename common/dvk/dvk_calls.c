// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The original's calls by their names: finds the endpoint that a call acts for and hands
 * over to the core. What the calls do is there: dvk_client.h.
 *
 * A handle is one client and the lock that lets one thread at a time in. The
 * process has one; a thread that dvk_tbind() bound has one of its own, freed (and so
 * unbound) when the thread ends. All are in a list, so that a child of fork() can drop what it inherited.
 */
#include "dvk.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "dvk_client.h"
#include "dvk_internal.h"
#include "dvk_runtime.h"

struct handle {
	pthread_mutex_t lock; /* held during a call on client */
	struct dvk_client client;
	struct handle *next; /* under list_lock */
};

static struct handle process_handle = { .lock = PTHREAD_MUTEX_INITIALIZER };
static struct handle *thread_handles;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key; /* its only use is that the handle goes with the thread */
static int setup_error;
static atomic_bool is_set_up;

/* The calling thread's own handle, or NULL. */
static _Thread_local struct handle *thread_handle;

/* In its own thread. */
static void free_thread_handle(void *value)
{
	struct handle *handle = value;

	thread_handle = NULL;
	/* Closed while it is in the list: a child that is forked meanwhile finds it there. */
	dvk_client_close(&handle->client);
	pthread_mutex_lock(&list_lock);
	for (struct handle **at = &thread_handles; *at; at = &(*at)->next) {
		if (*at == handle) {
			*at = handle->next;
			break;
		}
	}
	pthread_mutex_unlock(&list_lock);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
}

/*
 * In the child, where only the forking thread lives on: what others locked stays locked
 * for ever, so the locks are made anew; the parent's sockets and mappings are let go.
 */
static void after_fork(void)
{
	pthread_mutex_init(&list_lock, NULL);
	pthread_mutex_init(&process_handle.lock, NULL);
	dvk_client_forget(&process_handle.client);
	pthread_setspecific(thread_key, NULL);
	thread_handle = NULL;
	while (thread_handles) {
		struct handle *handle = thread_handles;

		thread_handles = handle->next;
		dvk_client_forget(&handle->client);
		free(handle);
	}
}

/* Spinning is for others to run meanwhile: pointless with one processor. */
static bool may_spin(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

static void init_handle(struct handle *handle)
{
	dvk_client_init(&handle->client);
	dvk_spin_set(&handle->client.spin, may_spin() ? DVK_SPIN_DEFAULT_NS : 0, 0);
}

static void setup(void)
{
	init_handle(&process_handle);
	if (pthread_key_create(&thread_key, free_thread_handle) || pthread_atfork(NULL, NULL, after_fork))
		setup_error = EDVSNOMEM;
	/* release: who sees it sees the rest */
	atomic_store_explicit(&is_set_up, true, memory_order_release);
}

/* Before anything else; without pthread_once() after the first time, which is dear beside the small calls. 0 or a code.
 */
static int set_up(void)
{
	if (!atomic_load_explicit(&is_set_up, memory_order_acquire))
		pthread_once(&once, setup);
	return setup_error;
}

static int open_handle(struct handle *handle)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char directory[sizeof(path)];
	const char *chosen = getenv("DVK_RUNTIME_DIR");
	int rc = dvk_runtime_directory(directory, sizeof(directory));

	if (!rc)
		rc = dvk_runtime_socket(path, sizeof(path));
	/* A directory that somebody chose is trusted; one whose name others can guess is checked. */
	if (!rc && !(chosen && *chosen)) {
		rc = dvk_runtime_check(directory);
		if (rc == EDVSNOENT)
			rc = EDVSDVSINIT;
	}
	return rc ? rc : dvk_client_open(&handle->client, path);
}

/* The handle that the calling thread acts for, locked and open; release() it. */
static int acquire(struct handle **handle)
{
	int rc = set_up();

	if (rc)
		return rc;
	*handle = thread_handle ? thread_handle : &process_handle;
	pthread_mutex_lock(&(*handle)->lock);
	if ((*handle)->client.node_fd >= 0)
		return 0;
	rc = open_handle(*handle);
	if (rc)
		pthread_mutex_unlock(&(*handle)->lock);
	return rc;
}

static void release(struct handle *handle)
{
	pthread_mutex_unlock(&handle->lock);
}

int dvk_open(void)
{
	struct handle *handle;
	int rc = acquire(&handle);

	if (rc)
		return rc;
	if (handle->client.node_lost) {
		dvk_client_close(&handle->client);
		rc = open_handle(handle);
	}
	release(handle);
	return rc;
}

int dvk_close(void)
{
	struct handle *own = thread_handle;
	int rc = set_up();

	if (rc)
		return rc;
	if (own) {
		pthread_setspecific(thread_key, NULL);
		free_thread_handle(own);
	}
	pthread_mutex_lock(&process_handle.lock);
	dvk_client_close(&process_handle.client);
	pthread_mutex_unlock(&process_handle.lock);
	return 0;
}

int dvk_tbind(int dcid, int endpoint)
{
	struct handle *handle;
	int rc = set_up();

	if (rc)
		return rc;
	if (thread_handle)
		return EDVSSLOTUSED;
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return EDVSALLOCMEM;
	pthread_mutex_init(&handle->lock, NULL);
	init_handle(handle);
	pthread_mutex_lock(&list_lock);
	handle->next = thread_handles;
	thread_handles = handle;
	pthread_mutex_unlock(&list_lock);
	rc = open_handle(handle);
	if (!rc)
		rc = dvk_client_bind(&handle->client, SELF_BIND, dcid, PROC_NO_PID, endpoint);
	if (rc < EDVSERRCODE || handle->client.endpoint == NONE) {
		free_thread_handle(handle);
		return dvk_endpoint_error(rc);
	}
	pthread_setspecific(thread_key, handle);
	thread_handle = handle;
	return rc;
}

/* The core counts in int; 24 days are as good as for ever. */
static int clamp_ms(long timeout_ms)
{
	return timeout_ms < 0 ? TIMEOUT_FOREVER : timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
}

/* A call on the caller's client: `call` uses the variable `client`. */
#define ON_CLIENT(type, call)                                                                                          \
	do {                                                                                                           \
		struct handle *handle;                                                                                 \
		struct dvk_client *client;                                                                             \
		type rc = acquire(&handle);                                                                            \
                                                                                                                       \
		if (rc)                                                                                                \
			return rc;                                                                                     \
		client = &handle->client;                                                                              \
		rc = (call);                                                                                           \
		release(handle);                                                                                       \
		return rc;                                                                                             \
	} while (0)

/* The same for calls that return endpoints, whose errors are below EDVSERRCODE. */
#define ON_CLIENT_ENDPOINT(call)                                                                                       \
	do {                                                                                                           \
		struct handle *handle;                                                                                 \
		struct dvk_client *client;                                                                             \
		int rc = acquire(&handle);                                                                             \
                                                                                                                       \
		if (rc)                                                                                                \
			return dvk_endpoint_error(rc);                                                                 \
		client = &handle->client;                                                                              \
		rc = (call);                                                                                           \
		release(handle);                                                                                       \
		return rc;                                                                                             \
	} while (0)

int dvk_dc_init(const dc_usr_t *dc)
{
	ON_CLIENT(int, dvk_client_dc_init(client, dc));
}

int dvk_dc_end(int dcid)
{
	ON_CLIENT(int, dvk_client_dc_end(client, dcid));
}

int dvk_getdvsinfo(dvs_usr_t *dvs)
{
	ON_CLIENT(int, dvk_client_dvs_info(client, dvs));
}

int dvk_getdcinfo(int dcid, dc_usr_t *dc)
{
	ON_CLIENT(int, dvk_client_dc_info(client, dcid, dc));
}

int dvk_getprocinfo(int dcid, int p_nr, proc_usr_t *proc)
{
	ON_CLIENT(int, dvk_client_proc_info(client, dcid, p_nr, proc));
}

int dvk_bind_X(int type, int dcid, pid_t pid, int endpoint, int nodeid)
{
	if (nodeid != LOCALNODE)
		return EDVSBADNODEID;
	ON_CLIENT_ENDPOINT(dvk_client_bind(client, type, dcid, pid, endpoint));
}

int dvk_unbind_T(int dcid, int endpoint, long timeout_ms)
{
	ON_CLIENT(int, dvk_client_unbind(client, dcid, endpoint, clamp_ms(timeout_ms)));
}

int dvk_getep(pid_t pid)
{
	ON_CLIENT_ENDPOINT(dvk_client_getep(client, pid));
}

int dvk_wait4bindep_T(int endpoint, long timeout_ms)
{
	ON_CLIENT_ENDPOINT(dvk_client_wait_bind(client, endpoint, clamp_ms(timeout_ms)));
}

int dvk_wait4unbind_T(int endpoint, long timeout_ms)
{
	ON_CLIENT(int, dvk_client_wait_unbind(client, endpoint, clamp_ms(timeout_ms)));
}

int dvk_send_T(int endpoint, const message *msg, long timeout_ms)
{
	ON_CLIENT(int, dvk_client_send(client, endpoint, msg, clamp_ms(timeout_ms)));
}

int dvk_receive_T(int source, message *msg, long timeout_ms)
{
	ON_CLIENT(int, dvk_client_receive(client, source, msg, clamp_ms(timeout_ms)));
}

int dvk_sendrec_T(int endpoint, message *msg, long timeout_ms)
{
	ON_CLIENT(int, dvk_client_sendrec(client, endpoint, msg, clamp_ms(timeout_ms)));
}

int dvk_reply_T(int endpoint, const message *msg, long timeout_ms)
{
	(void)timeout_ms; /* a local reply never waits */
	ON_CLIENT(int, dvk_client_reply(client, endpoint, msg));
}

int dvk_rcvrqst_T(message *msg, long timeout_ms)
{
	ON_CLIENT(int, dvk_client_rcvrqst(client, msg, clamp_ms(timeout_ms)));
}

int dvk_ntfy_value(int source, int endpoint, int value)
{
	if (source != SELF)
		return EDVSENDPOINT;
	ON_CLIENT(int, dvk_client_notify(client, endpoint, value));
}

long dvk_vcopy(int source, const void *source_address, int destination, void *destination_address, long bytes)
{
	ON_CLIENT(long, dvk_client_vcopy(client, source, source_address, destination, destination_address, bytes));
}

int dvk_grant(int endpoint, int fd, uint64_t offset, void *base, size_t length)
{
	ON_CLIENT(int, dvk_client_grant(client, endpoint, fd, offset, base, length));
}

int dvk_granted(int endpoint, uint64_t address, uint64_t bytes, void **local, bool *sealed)
{
	ON_CLIENT(int, dvk_client_granted(client, endpoint, address, bytes, local, sealed));
}

int dvk_pin(int endpoint, const struct dvk_range *ranges, int count, struct dvk_pin *pin)
{
	ON_CLIENT(int, dvk_client_pin(client, endpoint, ranges, count, pin));
}

/* The handle that the calling thread acts for, open or not. */
static struct handle *own_handle(void)
{
	(void)set_up();
	return thread_handle ? thread_handle : &process_handle;
}

/* The same, locked; release() it. */
static struct handle *lock_handle(void)
{
	struct handle *handle = own_handle();

	pthread_mutex_lock(&handle->lock);
	return handle;
}

void dvk_unpin(const struct dvk_pin *pin)
{
	struct handle *handle = lock_handle();

	dvk_client_unpin(&handle->client, pin);
	release(handle);
}

int dvk_peer_incarnation(int endpoint)
{
	const struct handle *handle = own_handle();

	/* Without the lock, which is dear beside this: a server asks several times for each request. */
	return dvk_client_peer_incarnation(&handle->client, endpoint);
}

bool dvk_notified(void)
{
	struct handle *handle = lock_handle();
	bool notified = dvk_client_notified(&handle->client);

	release(handle);
	return notified;
}

int dvk_use_descriptors(int fd)
{
	int rc = set_up();

	if (rc)
		return rc;
	pthread_mutex_lock(&process_handle.lock);
	rc = dvk_client_use_descriptors(&process_handle.client, fd);
	pthread_mutex_unlock(&process_handle.lock);
	return rc;
}

void dvk_interrupt(void)
{
	/* without the lock, which the call to be interrupted holds: nothing but an atomic word is touched */
	dvk_client_interrupt(&process_handle.client);
}

static void set_spin(int64_t max_ns, int64_t awake_ns)
{
	struct handle *handle = lock_handle();

	dvk_spin_set(&handle->client.spin, max_ns, awake_ns);
	release(handle);
}

void dvk_set_spin(int64_t max_ns)
{
	set_spin(max_ns, 0);
}

void dvk_stay_awake(int64_t awake_ns)
{
	if (may_spin())
		set_spin(DVK_SPIN_DEFAULT_NS, awake_ns);
}
