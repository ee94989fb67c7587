// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rd_thread, the helper thread of the guest's disk driver: finds the node and the server,
 * grants them the guest's memory, opens and closes minors, and waits for answers that take longer
 * than the kernel cares to spin.
 *
 * It runs beside the kernel in the same memory, with all signals but SIGTERM blocked. It must not call
 * the kernel nor the C library (see rdisk_user.h); it prints nothing: the kernel half tells
 * its progress.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "dvk_internal.h"
#include "dvk_syscall_raw.h"
#include "dvk_system.h"
#include "rdisk_user.h"

/* Pauses between attempts to reach a node: event-driven where there is an event, bounded by these. */
#define RETRY_FIRST_MS 10
#define RETRY_LAST_MS 1000

/* An idle rd_thread looks this often whether the node still lives: one that is killed rings nobody. */
#define NODE_CHECK_NS 1000000000LL

/* rd_thread's own mappings of the client's page and of its channel with the server; see map_again(). */
static struct dvk_process_page *bell_page;
static struct dvk_channel *server_channel;
static struct dvk_mailbox *server_mailbox; /* the one of the two that the server's answers come to */

static void interrupt_kernel(void)
{
	char byte = 0;

	/* a full socket is as good: it is readable */
	dvk_syscall3(SYS_write, rdisk_host.thread_fd, &byte, 1);
}

static void tell(enum rdisk_progress progress, int reason)
{
	unsigned long long word = rdisk_progress_word(progress, reason);

	/* relaxed: see rdisk_user_progress() */
	if (atomic_exchange_explicit(&rdisk_host.progress, word, memory_order_relaxed) != word)
		interrupt_kernel();
}

/* ---- finding the node ---- */

/* Creates the runtime directory and checks that no other user can play with it. 0 or an EDVS code. */
static int check_directory(void)
{
	const char *directory = rdisk_host.directory;
	struct stat status;
	long rc, user;

	if (!*directory) /* the user has named the socket */
		return 0;
	rc = dvk_syscall2(SYS_mkdir, directory, 0700);
	if (rc < 0 && rc != -EEXIST)
		return dvk_error_of((int)rc);
	rc = dvk_syscall2(SYS_lstat, directory, &status);
	if (rc < 0)
		return dvk_error_of((int)rc);
	user = dvk_syscall0(SYS_geteuid);
	if (S_ISDIR(status.st_mode) && !(status.st_mode & 0022) &&
	    (status.st_uid == 0 || (long)status.st_uid == user))
		return 0;
	return dvk_error_of(-EACCES);
}

/* The directory of the node's socket, into path. */
static void socket_directory(char path[RDISK_PATH_MAX])
{
	int end = 0;

	for (int i = 0; i < RDISK_PATH_MAX; i++) {
		path[i] = rdisk_host.parameters.node_path[i];
		if (path[i] == '/')
			end = i;
		if (!path[i])
			break;
	}
	if (end) {
		path[end] = '\0';
	} else {
		path[0] = path[0] == '/' ? '/' : '.';
		path[1] = '\0';
	}
}

/* A descriptor that becomes readable when something appears where the node's socket is to be; < 0: none. */
static int watch_node(void)
{
	char directory[RDISK_PATH_MAX];
	int fd = (int)dvk_syscall1(SYS_inotify_init1, IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return fd;
	socket_directory(directory);
	if (dvk_syscall3(SYS_inotify_add_watch, fd, directory, IN_CREATE | IN_MOVED_TO | IN_ATTRIB) < 0) {
		dvk_system_close(fd);
		return -ENOENT;
	}
	return fd;
}

/* Waits for news of the watch, or *retry_ms, which grows. */
static void wait_for_news(int watch, int *retry_ms)
{
	struct pollfd poll = { .fd = watch, .events = POLLIN };
	char events[4096];

	if (dvk_syscall3(SYS_poll, &poll, 1, *retry_ms) > 0) {
		while (dvk_syscall3(SYS_read, watch, events, sizeof(events)) > 0)
			;
		*retry_ms = RETRY_FIRST_MS; /* it exists; soon it will listen */
		return;
	}
	*retry_ms *= 2;
	if (*retry_ms > RETRY_LAST_MS)
		*retry_ms = RETRY_LAST_MS;
}

static int open_and_bind(struct dvk_client *client, int endpoint)
{
	int rc = dvk_client_open(client, rdisk_host.parameters.node_path);

	if (rc)
		return rc;
	rc = dvk_client_bind(client, USERMODE_BIND, rdisk_host.parameters.dcid, 0, endpoint);
	return rc < EDVSERRCODE ? rc : 0;
}

/* Connects to the node and binds: the guest itself, unless it still is, and the I/O endpoint. 0 or an EDVS code. */
static int reach_node(void)
{
	struct dvk_client *client = &rdisk_host.client;
	struct dvk_client *guest = &rdisk_host.guest;
	struct rdisk_link *link = &rdisk_host.link;
	int rc;

	dvk_client_close(client);
	rc = check_directory();
	if (rc)
		return rc;
	/* first, so that an uml_ep that is a user endpoint is not the first free one */
	if (guest->endpoint == NONE || dvk_take_events(guest)) {
		dvk_client_close(guest);
		link->guest_error = open_and_bind(guest, rdisk_host.parameters.uml_ep);
		if (link->guest_error)
			dvk_client_close(guest);
	}
	return open_and_bind(client, ANY);
}

static void bind_endpoint(void)
{
	int retry_ms = RETRY_FIRST_MS;
	int watch, rc;

	rc = reach_node();
	if (!rc)
		return;
	watch = watch_node();
	/* once more: the node may have come before the watch was set */
	for (rc = reach_node(); rc; rc = reach_node()) {
		tell(RDISK_NO_NODE, rc);
		wait_for_news(watch, &retry_ms);
	}
	if (watch >= 0)
		dvk_system_close(watch);
}

/* ---- talking to the server ---- */

/* Waits for the answer to what was begun. 0, or the code with which the server is lost. */
static int await_answer(message *msg)
{
	int rc;

	do {
		rc = dvk_client_sendrec_finish(&rdisk_host.client, msg, 0, TIMEOUT_FOREVER);
	} while (rc == EDVSINTR);
	return rc;
}

/* One request of a minor and its answer: REP_STATUS; *lost is set, and a code returned, when the server has gone. */
static int ask_server(int type, int minor, int count, void *address, bool *lost)
{
	message msg;
	int rc;

	__builtin_memset(&msg, 0, sizeof(msg));
	msg.m_type = type;
	msg.DEVICE = minor;
	msg.IO_ENDPT = rdisk_host.client.endpoint;
	msg.COUNT = count;
	msg.ADDRESS = address;
	rc = dvk_client_sendrec_begin_known(&rdisk_host.client, rdisk_host.parameters.rd_ep, rdisk_host.incarnation,
					    &msg);
	if (!rc)
		rc = await_answer(&msg);
	*lost = rc != 0;
	return rc ? rc : rdisk_reply_status(&msg);
}

static int open_minor(int minor, int access, bool *lost)
{
	struct rdisk_minor *state = &rdisk_host.link.minors[minor];
	int rc = ask_server(DEV_OPEN, minor, access, NULL, lost);

	if (rc)
		return rc;
	state->opens++;
	state->access |= access;
	return 0;
}

static int close_minor(int minor, bool *lost)
{
	struct rdisk_minor *state = &rdisk_host.link.minors[minor];
	int rc = 0;

	*lost = false;
	while (state->opens > 0 && !*lost) {
		int result = ask_server(DEV_CLOSE, minor, 0, NULL, lost);

		if (result)
			rc = result;
		state->opens--;
	}
	if (*lost)
		return rc;
	state->access = 0;
	return rc;
}

/* Learns what minors there are. 0 or a code; *lost as above. */
static int learn_minors(bool *lost)
{
	struct rdisk_link *link = &rdisk_host.link;
	unsigned int count = 1;

	for (unsigned int minor = 0; minor < RDISK_MINORS_MAX; minor++) {
		struct rdisk_minor *state = &link->minors[minor];
		int rc;

		state->present = 0;
		state->opens = 0;
		state->error = 0;
		if (minor >= count)
			continue;
		__builtin_memset(&rdisk_host.control->info, 0, sizeof(rdisk_host.control->info));
		rc = ask_server(DEV_IOCTL, (int)minor, RDISK_IOC_INFO, &rdisk_host.control->info, lost);
		if (*lost)
			return rc;
		if (rc && rc != EDVSNXIO)
			return rc;
		if (rc)
			continue;
		state->info = rdisk_host.control->info;
		state->present = 1;
		if (minor == 0)
			count = state->info.nr_minors;
	}
	link->nr_minors = count < RDISK_MINORS_MAX ? count : RDISK_MINORS_MAX;
	return 0;
}

/* Opens again what the guest has open. 0, or a code with *lost. */
static int reopen_minors(bool *lost)
{
	struct rdisk_link *link = &rdisk_host.link;

	for (int minor = 0; minor < RDISK_MINORS_MAX; minor++) {
		struct rdisk_minor *state = &link->minors[minor];

		if (!state->access)
			continue;
		state->error = state->present ? open_minor(minor, state->access, lost) : EDVSNXIO;
		if (*lost)
			return state->error;
	}
	/* not before all were asked: when the server is lost on the way, the next one is asked for all again */
	for (int minor = 0; minor < RDISK_MINORS_MAX; minor++)
		if (link->minors[minor].error)
			link->minors[minor].access = 0;
	return 0;
}

static uint32_t server_incarnation(void)
{
	return rdisk_host.client.peers[dvk_endpoint_slot(rdisk_host.parameters.rd_ep)].incarnation;
}

/* Waits for the server and shares memory with it. 0 or a code; *lost when it has gone meanwhile. */
static int meet_server(bool *lost)
{
	struct dvk_client *client = &rdisk_host.client;
	const struct rdisk_parameters *parameters = &rdisk_host.parameters;
	int rc;

	rc = dvk_client_wait_bind(client, parameters->rd_ep, TIMEOUT_NOWAIT);
	if (rc == EDVSAGAIN || rc == EDVSTIMEDOUT) {
		tell(RDISK_NO_SERVER, rc);
		rc = dvk_client_wait_bind(client, parameters->rd_ep, TIMEOUT_FOREVER);
	}
	if (rc != parameters->rd_ep)
		return rc;
	rdisk_host.incarnation = server_incarnation();
	rc = dvk_client_grant(client, parameters->rd_ep, rdisk_host.control_fd, 0, rdisk_host.control,
			      rdisk_host.control_length);
	if (!rc)
		rc = dvk_client_grant(client, parameters->rd_ep, parameters->memory_fd, parameters->memory_offset,
				      parameters->memory_base, parameters->memory_length);
	/* one that came between the grants has not got both */
	*lost = rdisk_host.incarnation != server_incarnation();
	return rc || !*lost ? rc : EDVSDEADSRCDST;
}

/*
 * A page that the client has mapped once more, at an address of rd_thread's own: the kernel may take the event that we
 * were unbound, or that the server went, and then the client's own mapping goes while we sleep on it. 0 or a code.
 */
static int map_again(void **mapping, void *page)
{
	long rc;

	if (*mapping)
		dvk_system_unmap(*mapping, DVK_PAGE_SIZE);
	*mapping = NULL;
	rc = dvk_syscall4(SYS_mremap, page, 0, DVK_PAGE_SIZE, MREMAP_MAYMOVE);
	if (rc < 0 && rc >= -4095)
		return dvk_error_of((int)rc);
	*mapping = (void *)rc;
	return 0;
}

static int map_bell(void)
{
	return map_again((void **)&bell_page, rdisk_host.client.page);
}

static int map_server(void)
{
	const struct dvk_peer *peer = &rdisk_host.client.peers[dvk_endpoint_slot(rdisk_host.parameters.rd_ep)];
	int rc = map_again((void **)&server_channel, peer->channel);

	if (!rc)
		server_mailbox = &server_channel->mailbox[peer->in - peer->channel->mailbox];
	return rc;
}

/*
 * Until the link is connected to a server. Each attempt begins with a new binding, to which the server
 * has neither opens nor grants: what came of an attempt before does not count.
 */
static void connect_link(void)
{
	struct rdisk_link *link = &rdisk_host.link;
	int retry_ms = RETRY_FIRST_MS;

	for (;;) {
		bool lost = false;
		int rc;

		bind_endpoint();
		rc = map_bell();
		if (!rc)
			rc = meet_server(&lost);
		if (!rc)
			rc = map_server();
		if (!rc)
			rc = learn_minors(&lost);
		if (!rc)
			rc = reopen_minors(&lost);
		if (!rc)
			break;
		/* the node waits with us for a server that is not there; one that fails is left in peace for a while */
		if (!lost)
			tell(RDISK_REFUSED, rc);
		wait_for_news(-1, &retry_ms);
	}
	link->endpoint = rdisk_host.client.endpoint;
	link->generation++;
	tell(RDISK_CONNECTED, (int)link->generation);
}

/* ---- jobs ---- */

static int finish_batch(bool *lost)
{
	message msg;
	int rc = await_answer(&msg);

	*lost = rc != 0;
	return rc ? rc : rdisk_reply_status(&msg);
}

/* Takes the node's news. 0, or with *lost why the server is not there any more. */
static int check_node(bool *lost)
{
	int rc = dvk_take_events(&rdisk_host.client);

	*lost = rc != 0 || !rdisk_same_server();
	return rc || !*lost ? rc : EDVSDSTDIED;
}

static void do_job(void)
{
	struct rdisk_link *link = &rdisk_host.link;
	bool lost = false;

	do {
		switch (link->job) {
		case RDISK_JOB_CHECK:
			link->result = check_node(&lost);
			break;
		case RDISK_JOB_CONNECT:
			link->result = EDVSDEADSRCDST;
			lost = true;
			break;
		case RDISK_JOB_FINISH:
			link->result = finish_batch(&lost);
			link->lost = lost;
			break;
		case RDISK_JOB_OPEN:
			link->result = open_minor(link->job_minor, link->job_access, &lost);
			break;
		case RDISK_JOB_CLOSE:
			link->result = close_minor(link->job_minor, &lost);
			break;
		}
		if (!lost)
			return;
		if (link->job == RDISK_JOB_CLOSE) /* its opens went with the server */
			link->minors[link->job_minor].access = 0;
		if (link->generation)
			tell(RDISK_LOST, link->result);
		connect_link();
	} while (link->job == RDISK_JOB_OPEN);
	if (link->job == RDISK_JOB_CLOSE)
		link->result = 0;
}

/* The answer to the batch that was left is there. */
static bool left_is_answered(void)
{
	uint32_t want = atomic_load_explicit(&server_mailbox->want, memory_order_acquire);

	return (want & DVK_STATE_MASK) == DVK_WANT_DELIVERED;
}

/*
 * Sleeps until the kernel changed `wake`, the node has news, or, with `watch`, the answer to what was left has come.
 * True for the last two.
 */
static bool sleep_for_news(uint32_t wake, uint32_t watch)
{
	struct dvk_futex_wait waits[3] = { { &rdisk_host.wake, wake } };
	unsigned int count = 2;
	uint32_t bell;
	int rc = 0;

	bell = atomic_fetch_or_explicit(&bell_page->bell, DVK_BELL_SLEEPER, memory_order_acq_rel) | DVK_BELL_SLEEPER;
	waits[1] = (struct dvk_futex_wait){ &bell_page->bell, bell };
	if (watch) {
		waits[2].word = &server_mailbox->bell;
		waits[2].value = atomic_fetch_or_explicit(&server_mailbox->bell, DVK_BELL_SLEEPER,
							  memory_order_acq_rel) | DVK_BELL_SLEEPER;
		count = 3;
	}
	if (!watch || !left_is_answered())
		rc = dvk_system_futex_wait(waits, count, dvk_system_monotonic_ns() + NODE_CHECK_NS);
	if (watch)
		atomic_fetch_and_explicit(&server_mailbox->bell, ~DVK_BELL_SLEEPER, memory_order_relaxed);
	if (rc == -ETIMEDOUT)
		return dvk_system_poll_in(rdisk_host.client.node_fd, 0) != 0;
	return atomic_load_explicit(&bell_page->bell, memory_order_acquire) != bell || (watch && left_is_answered());
}

/*
 * Sleeps until the kernel hands a job over, or takes the idle link itself when there is news for it.
 * On return the link is ours.
 */
static void wait_for_job(uint32_t *seen)
{
	uint32_t passed = 0; /* number of a watch whose answer the kernel looks at itself */

	for (;;) {
		uint32_t wake = atomic_load_explicit(&rdisk_host.wake, memory_order_acquire);
		uint32_t watch = atomic_load_explicit(&rdisk_host.watch, memory_order_acquire);

		if (wake != *seen) {
			*seen = wake;
			passed = 0;
			/* acquire: the job that was handed over; else a batch was left: seen in the next turn */
			if (atomic_load_explicit(&rdisk_host.state, memory_order_acquire) == RDISK_THREAD)
				return;
			continue;
		}
		if (watch == passed)
			watch = 0;
		if (!sleep_for_news(wake, watch))
			continue;
		if (atomic_load_explicit(&rdisk_host.wake, memory_order_acquire) != wake)
			continue;
		/* if the kernel has the link it looks for news itself before it gives it back */
		if (rdisk_state_move(RDISK_IDLE, RDISK_THREAD)) {
			rdisk_host.link.job = RDISK_JOB_CHECK;
			return;
		}
		/*
		 * The kernel has the link: either it has taken the batch back, or it is about to leave it, and
		 * changes `wake` when it has: until then there is nothing to watch for.
		 */
		passed = watch;
	}
}

/* Who wants one of our endpoints back ends its process: to him, rd_thread. What he means is the guest. */
void rdisk_thread_terminate(int signal)
{
	dvk_syscall2(SYS_kill, dvk_syscall0(SYS_getppid), signal);
}

int rdisk_thread(void *unused)
{
	const uint64_t terminate = 1ULL << (SIGTERM - 1);
	uint32_t seen = 0;

	(void)unused;
	dvk_syscall4(SYS_rt_sigprocmask, SIG_UNBLOCK, &terminate, NULL, sizeof(terminate));
	dvk_syscall2(SYS_prctl, PR_SET_NAME, "rd_thread");
	dvk_syscall2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		do_job();
		if (!rdisk_state_move(RDISK_THREAD, RDISK_DONE))
			__builtin_trap();
		interrupt_kernel();
		wait_for_job(&seen);
	}
	return 0;
}
