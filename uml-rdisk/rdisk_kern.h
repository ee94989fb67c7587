/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the driver's kernel half share.
 *
 * rdisk.lock (interrupts off) guards the lists, the disks' fields marked (lock) and the decision
 * who gets the link; nothing sleeps or completes a request under it.
 */
#ifndef UML_RDISK_KERN_H
#define UML_RDISK_KERN_H

#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

/* last: its names of message fields (DEVICE, COUNT, ...) are the protocol's, not the kernel's */
#include "dvk_errno.h"
#include "rdisk.h"

#define RDISK_MINORS_PER_DISK 16 /* the disk and 15 partitions; more get extended numbers */

/**
 * struct rdisk_disk - one minor of the server
 * @gendisk: NULL until the disk was added
 * @minor: the server's number of it, and our index
 * @info: what it is, checked; changed only while nobody has it open
 * @next: what the last connect told of it, checked (lock)
 * @next_present: whether it has it at all (lock)
 * @users: opens by the block layer (lock)
 * @access: RDISK_OPEN_* that the server has granted (lock)
 * @wanted: RDISK_OPEN_* that are needed (lock)
 * @open_error: code that the last DEV_OPEN ended with (lock)
 * @failed: it came back as another disk, or not in time: all I/O fails until the last user is gone (lock)
 * @stale: @next is to be taken over once nobody has it open (lock)
 * @parked: writes that wait for write access (lock)
 * @settled: woken when an open has been answered
 */
struct rdisk_disk {
	struct gendisk *gendisk;
	int minor;
	struct rdisk_info info;
	struct rdisk_info next;
	bool next_present;
	unsigned int users;
	int access;
	int wanted;
	int open_error;
	bool failed;
	bool stale;
	struct list_head parked;
	wait_queue_head_t settled;
};

/**
 * struct rdisk_command - the driver's part of a request
 * @node: in rdisk.pending or a disk's parked list
 * @request: what goes into the batch
 */
struct rdisk_command {
	struct list_head node;
	struct rdisk_request request;
};

/**
 * struct rdisk_driver - the driver; there is one
 * @lock: see above
 * @pending: commands that are in no batch yet, oldest first (lock)
 * @batch: requests of the batch that was submitted; owned by who owns the link
 * @nr_batch: how many
 * @collects: the batch ends with a COLLECT, behind those (link)
 * @suspended: by tag, requests that wait for a disk at the server; their results are collected (link)
 * @nr_suspended: how many; others than the owner of the link may look whether there is one
 * @waiting: a batch is left with the server that is answered when there is something to collect; likewise
 * @work_opens: some disk may need a DEV_OPEN or DEV_CLOSE (lock)
 * @away: no server is connected (lock)
 * @given_up: while the server is away requests and opens fail instead of waiting for it (lock)
 * @generation: of the link that the disks were checked against
 * @link: see rdisk.h
 * @control: memory shared with the server
 * @scan: adds disks and takes over what is new of idle ones
 * @first_scan: done when the disks are there, or when there is no server
 */
struct rdisk_driver {
	spinlock_t lock; /* interrupts off; see above */
	struct list_head pending;
	struct request *batch[RDISK_BATCH_MAX];
	unsigned int nr_batch;
	bool collects;
	struct request *suspended[RDISK_TAGS];
	unsigned int nr_suspended;
	bool waiting;
	bool work_opens;
	bool away;
	bool given_up;
	unsigned int generation;
	struct rdisk_link *link;
	struct rdisk_control *control;
	struct rdisk_parameters parameters;
	int major;
	struct blk_mq_tag_set tags;
	struct work_struct scan;
	struct completion first_scan;
	struct rdisk_disk disks[RDISK_MINORS_MAX];
};

extern struct rdisk_driver rdisk;

static inline struct rdisk_command *rdisk_command_of(struct request *rq)
{
	return blk_mq_rq_to_pdu(rq);
}

/* rdisk_queue.c */

extern const struct blk_mq_ops rdisk_queue_ops;

/* Gives the link work as long as it is idle and there is some. Any context. */
void rdisk_pump(void);
/* Takes what rd_thread has done. From the interrupt. */
void rdisk_collect(void);
/* Ends the requests of a list of commands with an error. No lock held. */
void rdisk_fail_commands(struct list_head *commands);

/* rdisk_disk.c */

/* Before anything else of a disk is used. */
void rdisk_disks_init(void);
/* After a connect: which disks are still what they were? Lock held, link ours. */
void rdisk_disks_recheck(void);
/* Adds disks that are new, refreshes idle ones. Process context. */
void rdisk_disks_scan(void);
/* All I/O of a disk that was added fails from now on, until it is closed. What waits is the caller's. Lock held. */
void rdisk_disk_fail(struct rdisk_disk *disk, const char *why);
/* Something that was written may be lost, whoever ends the guest is to know. Any context. */
void rdisk_disk_lost(void);

/* rdisk_wait.c */

/* Once, before the disks. 0 or -errno. */
int rdisk_wait_init(void);
/* The server was connected, or it is looked for. Any number of times; interrupts off. */
void rdisk_wait_server(bool connected);
/*
 * A request of the disk, or who opens it, begins to wait for a server that is away (rdisk.away). If the wait
 * would be without end when the guest shuts down, the disk has failed on return. Lock held.
 */
void rdisk_wait_begin(struct rdisk_disk *disk);
/*
 * A server that is there has not answered what the disk waits for ("a request") for its queue's io_timeout. Any
 * number of times: the console hears of it after each such time once. No lock held.
 */
void rdisk_wait_unanswered(const struct gendisk *gendisk, const char *what);

#endif
