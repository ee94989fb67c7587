// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User half of the guest's disk driver, as far as it runs in the kernel's own thread: start and
 * stop, the states of the link, and the fast path that sends a batch and spins for
 * its answer. rd_thread's part is rdisk_thread_user.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <os.h>

#include "dvk_internal.h"
#include "dvk_runtime.h"
#include "dvk_system.h"
#include "rdisk_user.h"

struct rdisk_host rdisk_host = {
	.kernel_fd = -1,
	.thread_fd = -1,
	.thread_pid = -1,
	.control_fd = -1,
	/* the exit of the guest may come before rdisk_user_start() */
	.client = { .node_fd = -1 },
	.guest = { .node_fd = -1 },
};

/* Where the node is, unless dvk_node= says: by the host's rule. */
static int find_node(struct rdisk_parameters *parameters)
{
	if (*parameters->node_path)
		return 0;
	if (dvk_runtime_directory(rdisk_host.directory, sizeof(rdisk_host.directory)) ||
	    dvk_runtime_socket(parameters->node_path, sizeof(parameters->node_path)))
		return -ENAMETOOLONG;
	return 0;
}

static int create_control(void)
{
	size_t length = (sizeof(struct rdisk_control) + DVK_PAGE_SIZE - 1) & ~(size_t)(DVK_PAGE_SIZE - 1);
	void *address;
	int fd, err;

	fd = memfd_create("rdisk-control", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)length) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		goto fail;
	address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		goto fail;
	rdisk_host.control = address;
	rdisk_host.control_fd = fd;
	rdisk_host.control_length = length;
	return 0;
fail:
	err = -errno;
	close(fd);
	return err;
}

static int start_thread(void)
{
	struct sigaction terminate = { .sa_handler = rdisk_thread_terminate }, kernels;
	sigset_t all, before;
	char *stack;
	int pid, err;

	stack = mmap(NULL, RDISK_THREAD_STACK_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	rdisk_host.thread_stack = stack;
	/* rd_thread inherits mask and handlers: none of the kernel's may ever run in it */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	sigaction(SIGTERM, &terminate, &kernels);
	pid = clone(rdisk_thread, stack + RDISK_THREAD_STACK_SIZE, CLONE_VM | CLONE_FILES, NULL);
	err = pid < 0 ? -errno : 0;
	sigaction(SIGTERM, &kernels, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (err)
		return err;
	rdisk_host.thread_pid = pid;
	return 0;
}

int rdisk_user_start(struct rdisk_parameters *parameters, struct rdisk_link **link, struct rdisk_control **control,
		     int *irq_fd)
{
	int fds[2], err;

	err = find_node(parameters);
	if (err)
		return err;
	rdisk_host.parameters = *parameters;
	dvk_client_init(&rdisk_host.client);
	dvk_client_init(&rdisk_host.guest);
	/* the kernel has spun before it hands a wait over */
	dvk_spin_set(&rdisk_host.client.spin, 0, 0);
	rdisk_host.client.spin.sees_crowds = true;
	rdisk_host.link.job = RDISK_JOB_CONNECT;
	err = create_control();
	if (err)
		goto fail;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		err = -errno;
		goto fail;
	}
	rdisk_host.kernel_fd = fds[0];
	rdisk_host.thread_fd = fds[1];
	atomic_store(&rdisk_host.state, RDISK_THREAD);
	err = start_thread();
	if (err)
		goto fail;
	*link = &rdisk_host.link;
	*control = rdisk_host.control;
	*irq_fd = fds[0];
	return 0;
fail:
	rdisk_user_destroy();
	return err;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		dvk_system_close(*fd);
	*fd = -1;
}

void rdisk_user_stop(void)
{
	if (rdisk_host.thread_pid > 0)
		os_kill_process(rdisk_host.thread_pid, 1);
	rdisk_host.thread_pid = -1;
	/* with their sockets the endpoints go */
	close_fd(&rdisk_host.client.node_fd);
	close_fd(&rdisk_host.guest.node_fd);
}

void rdisk_user_destroy(void)
{
	rdisk_user_stop();
	close_fd(&rdisk_host.kernel_fd);
	close_fd(&rdisk_host.thread_fd);
	close_fd(&rdisk_host.control_fd);
	if (rdisk_host.control)
		munmap(rdisk_host.control, rdisk_host.control_length);
	rdisk_host.control = NULL;
	if (rdisk_host.thread_stack)
		munmap(rdisk_host.thread_stack, RDISK_THREAD_STACK_SIZE);
	rdisk_host.thread_stack = NULL;
}

void rdisk_user_drain(void)
{
	char bytes[64];
	ssize_t got;

	do {
		got = read(rdisk_host.kernel_fd, bytes, sizeof(bytes));
	} while (got > 0 || (got < 0 && errno == EINTR));
}

enum rdisk_progress rdisk_user_progress(int *reason)
{
	/* relaxed: it is for messages, and says nothing of other memory */
	unsigned long long word = atomic_load_explicit(&rdisk_host.progress, memory_order_relaxed);

	*reason = (int)(uint32_t)word;
	return (enum rdisk_progress)(word >> 32);
}

int rdisk_user_take(void)
{
	return rdisk_state_move(RDISK_IDLE, RDISK_KERNEL);
}

int rdisk_user_collect(void)
{
	return rdisk_state_move(RDISK_DONE, RDISK_KERNEL);
}

void rdisk_user_hand_over(enum rdisk_job job, int minor, int access)
{
	struct rdisk_link *link = &rdisk_host.link;

	link->job = job;
	link->job_minor = minor;
	link->job_access = access;
	link->result = 0;
	link->lost = 0;
	if (!rdisk_state_move(RDISK_KERNEL, RDISK_THREAD))
		panic("rdisk: the link was not the kernel's to hand over\n");
	atomic_fetch_add_explicit(&rdisk_host.wake, 1, memory_order_release);
	dvk_system_futex_wake(&rdisk_host.wake);
}

void rdisk_user_release(void)
{
	/* rd_thread passed over news that came while the link was ours: see to them now */
	if (dvk_client_ready(&rdisk_host.client) || dvk_events_pending(&rdisk_host.client)) {
		rdisk_user_hand_over(RDISK_JOB_CHECK, 0, 0);
		return;
	}
	if (!rdisk_state_move(RDISK_KERNEL, RDISK_IDLE))
		panic("rdisk: the link was not the kernel's to release\n");
}

void rdisk_user_leave(void)
{
	static unsigned int number;

	if (!++number)
		++number;
	/* before the link is idle: who finds it so knows what to watch for */
	atomic_store_explicit(&rdisk_host.watch, number, memory_order_release);
	rdisk_user_release();
	atomic_fetch_add_explicit(&rdisk_host.wake, 1, memory_order_release);
	dvk_system_futex_wake(&rdisk_host.wake);
}

int rdisk_user_recall(void)
{
	const struct dvk_peer *peer = &rdisk_host.client.peers[dvk_endpoint_slot(rdisk_host.parameters.rd_ep)];
	message msg;
	int rc;

	atomic_store_explicit(&rdisk_host.watch, 0, memory_order_relaxed);
	/* or the server would wake rd_thread at each answer to come; see wait_for_job() for the one that may be left */
	if (peer->in)
		atomic_fetch_and_explicit(&peer->in->bell, ~DVK_BELL_SLEEPER, memory_order_relaxed);
	rc = dvk_client_sendrec_cancel(&rdisk_host.client, &msg);
	if (rc == EDVSTIMEDOUT)
		return 0;
	if (rc)
		return rc;
	rdisk_host.link.result = rdisk_reply_status(&msg);
	return 1;
}

int rdisk_user_submit(unsigned int count)
{
	message msg;

	rdisk_batch_message(&msg, count);
	/* never to a new server: it has no grants, and the introduction may wait */
	return dvk_client_sendrec_begin_known(&rdisk_host.client, rdisk_host.parameters.rd_ep, rdisk_host.incarnation,
					      &msg);
}

int rdisk_user_wait(long long spin_ns)
{
	message msg;
	int rc = dvk_client_sendrec_finish(&rdisk_host.client, &msg, spin_ns, TIMEOUT_NOWAIT);

	if (rc == EDVSAGAIN)
		return 0;
	if (rc)
		return rc;
	rdisk_host.link.result = rdisk_reply_status(&msg);
	return 1;
}

const char *rdisk_error_text(int code)
{
#define RDISK_ERROR_TEXT(name, value, text) { (value), #name ": " text },
	static const struct {
		int code;
		const char *text;
	} errors[] = { DVK_ERRORS(RDISK_ERROR_TEXT) };
#undef RDISK_ERROR_TEXT

	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].code == code)
			return errors[i].text;
	return "unknown error";
}
