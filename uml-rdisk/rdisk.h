/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of the guest's disk driver say to each other.
 *
 * The kernel half (rdisk_kern.c, rdisk_disk.c, rdisk_queue.c, rdisk_wait.c) knows the block layer, the
 * user half (rdisk_user.c, rdisk_thread_user.c) knows the host: the node, the server
 * and rd_thread, a helper thread that shares the guest's memory and descriptors.
 *
 * The link to the server is one endpoint, and one of these owns it at a time:
 *
 *   IDLE    nobody         -- rdisk_user_take() -->  KERNEL
 *   KERNEL  the kernel     -- rdisk_user_release() or rdisk_user_leave() --> IDLE
 *                          -- rdisk_user_hand_over(job) --> THREAD
 *   THREAD  rd_thread      -- job done --> DONE, and one byte into the interrupt's socket
 *   DONE    nobody         -- rdisk_user_collect() --> KERNEL
 *
 * rd_thread also takes an idle link by itself (IDLE -> THREAD) when the node has news. An idle link
 * may have a batch outstanding, after rdisk_user_leave(): rd_thread then takes it as well when the answer comes, but
 * leaves the answer to the kernel, which ends this by rdisk_user_recall().
 * It begins as owner with the job RDISK_JOB_CONNECT. Whatever job it has, it answers
 * the loss of the server by waiting for it, connecting anew and reopening what was open;
 * each time that happens link->generation grows.
 *
 * struct rdisk_link and the control area belong to the owner, except where said.
 * The kernel half calls every function here with the link's state as it asks for;
 * a wrong state is a bug and panics.
 */
#ifndef UML_RDISK_H
#define UML_RDISK_H

#include "rdisk_protocol.h"

#define RDISK_MINORS_MAX 64   /* disks that the driver can have */
#define RDISK_PATH_MAX 108    /* bytes of the node's socket name: what sun_path holds */
#define RDISK_TAGS RDISK_BATCH_MAX /* requests in flight */

/*
 * Memory that the server reads and writes: a memfd sealed against shrinking, so that it may
 * use plain loads and stores. The server is another process: what it writes is copied, then checked.
 */
struct rdisk_control {
	struct rdisk_request requests[RDISK_BATCH_MAX]; /* the batch */
	struct rdisk_iovec vectors[RDISK_TAGS][RDISK_VECTOR_MAX]; /* by tag */
	struct rdisk_completion completions[RDISK_TAGS]; /* what was collected */
	struct rdisk_info info; /* answer to RDISK_IOC_INFO */
};

enum rdisk_job {
	RDISK_JOB_CHECK,   /* by rd_thread itself: take the node's news, or tell that what was left is answered */
	RDISK_JOB_CONNECT, /* find the server, grant memory, learn the minors */
	RDISK_JOB_FINISH,  /* wait for the answer to the batch that was submitted */
	RDISK_JOB_OPEN,    /* open a minor, or open it once more for writing */
	RDISK_JOB_CLOSE,   /* undo all opens of a minor */
};

/* Where rd_thread is with connecting; for messages and for the boot to go on. */
enum rdisk_progress {
	RDISK_STARTING,
	RDISK_NO_NODE,	 /* no node answers, or it refuses us: see reason */
	RDISK_NO_SERVER, /* nobody is bound to rd_ep */
	RDISK_REFUSED,	 /* the server answers, but not as it should: see reason */
	RDISK_CONNECTED,
	RDISK_LOST,	 /* it was connected, and the server has gone */
};

struct rdisk_minor {
	struct rdisk_info info; /* of the last connect; not checked */
	int present;		/* the server has it */
	int access;		/* RDISK_OPEN_*: what the server has it open for; 0: closed */
	int opens;		/* how many DEV_OPEN the server has answered */
	int error;		/* reopening it after a connect failed with this; 0: it did not */
};

struct rdisk_link {
	unsigned int generation; /* connects so far */
	unsigned int nr_minors;	 /* 0 .. RDISK_MINORS_MAX: minors[] that the last connect filled */
	int endpoint;		 /* our own */
	int guest_error;	 /* why the guest itself could not be bound as uml_ep; 0: it is */
	struct rdisk_minor minors[RDISK_MINORS_MAX];
	/* of the job that was collected */
	enum rdisk_job job;
	int job_minor;
	int job_access;
	int result; /* FINISH: the batch's REP_STATUS; OPEN, CLOSE: 0 or a code */
	int lost;   /* FINISH: the server went instead; result means nothing */
};

struct rdisk_parameters {
	int dcid;
	int uml_ep;
	int rd_ep;
	char node_path[RDISK_PATH_MAX]; /* "": where the host's rule says */
	/* guest memory that may be granted: [base, base + length) is fd from offset */
	void *memory_base;
	unsigned long memory_length;
	int memory_fd;
	unsigned long long memory_offset;
};

/*
 * Creates the control area, the interrupt's socket and rd_thread. Fills *link, *control and
 * *irq_fd (non-blocking; readable when the driver should look). parameters->node_path is filled
 * in if it was empty. 0 or -errno, and then nothing is left of it. What rd_thread tells before
 * somebody listens to irq_fd is there to be read, but makes no signal.
 */
int rdisk_user_start(struct rdisk_parameters *parameters, struct rdisk_link **link, struct rdisk_control **control,
		     int *irq_fd);

/*
 * Ends rd_thread and drops the endpoints. For the exit of the guest, in any state: memory and
 * sockets stay, as a late interrupt may still look at them.
 */
void rdisk_user_stop(void);
/* Undoes rdisk_user_start(), when nothing uses the link or irq_fd. */
void rdisk_user_destroy(void);

/* Empties the interrupt's socket. */
void rdisk_user_drain(void);

/*
 * rd_thread's progress and the code (EDVS...) that explains it; with RDISK_CONNECTED it is the link's
 * generation, so that who has missed what was between knows one server from the next. Any state.
 */
enum rdisk_progress rdisk_user_progress(int *reason);

/* IDLE -> KERNEL; false if the link is not idle. */
int rdisk_user_take(void);
/* DONE -> KERNEL; false if there is no result to collect. */
int rdisk_user_collect(void);
/* KERNEL -> IDLE. */
void rdisk_user_release(void);
/* KERNEL -> IDLE, with a batch outstanding that was submitted and is not answered. */
void rdisk_user_leave(void);
/*
 * KERNEL, the first thing after a rdisk_user_leave(): 1 and link->result, 0 (no answer yet: the
 * batch is taken back), or a code: then hand over CONNECT.
 */
int rdisk_user_recall(void);
/* KERNEL -> THREAD. minor and access only for OPEN and CLOSE. */
void rdisk_user_hand_over(enum rdisk_job job, int minor, int access);

/* KERNEL: sends requests[0 .. count-1] as one batch. 0, or a code: then hand over CONNECT. Never waits. */
int rdisk_user_submit(unsigned int count);
/*
 * KERNEL: spins up to spin_ns for the batch's answer; where others want the host's processors it
 * sleeps instead, up to 200 us. 1 and link->result, 0 (not yet: hand over FINISH),
 * or a code: then hand over CONNECT.
 */
int rdisk_user_wait(long long spin_ns);

/* Text for an EDVS code. Constant. */
const char *rdisk_error_text(int code);

#endif
