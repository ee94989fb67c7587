/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is below requests, as a test wants it: each io is DONE, PENDING or MISSED as the script says, and what is
 * PENDING ends when and in what order the test says. It fails the test that lets two overlapping ones be under way, or
 * an io that io.h does not allow. No thread, clock or file.
 */
#ifndef SCRIPTED_DISK_H
#define SCRIPTED_DISK_H

#include "request.h"

#define SCRIPTED_BYTES	     (256u * 1024) /* that a disk keeps */
#define SCRIPTED_PENDING_MAX 8192
#define SCRIPTED_OPERATIONS  (IO_FETCH + 1)

struct scripted_disk {
	struct request_disk *disk; /* the test's or the server's */
	uint64_t size;		   /* bytes */
	/* The bytes from `origin` on; others are not kept. While a write of some is PENDING they hold something else.
	 */
	uint64_t origin;
	unsigned char data[SCRIPTED_BYTES];
	/* How the next io of each operation is answered, and with what result if it is DONE. */
	enum io_answer answers[SCRIPTED_OPERATIONS];
	int results[SCRIPTED_OPERATIONS];
	/* The same by a function, unless it is NULL. */
	enum io_answer (*choose)(struct scripted_disk *disk, const struct io *io);
	bool withdraws; /* what is PENDING can be taken back */
	/* Called as the data of an io are moved, unless it is NULL. */
	void (*carried_out)(struct scripted_disk *disk, const struct io *io);
	/* What is PENDING, in the order in which it was submitted. */
	struct io *pending[SCRIPTED_PENDING_MAX];
	int nr_pending;
	int submitted[SCRIPTED_OPERATIONS]; /* how many there were */
	struct io *last;		    /* the last that was submitted, also if it is DONE */
	struct scripted_disk *next;
};

/* Forgets all disks: for the setup of a test. */
void scripted_disks_reset(void);

/*
 * Sets `scripted` up, all zeroes, and puts it below a disk of `size` bytes that was set up. It answers DONE to
 * everything until the script says otherwise.
 */
void scripted_disk_attach(struct scripted_disk *scripted, struct request_disk *disk, uint64_t size);

/*
 * The end of one that is PENDING: moves its data if `result` is 0, and sets the result. Whose it is has to be told by
 * the caller, as a store would: request_io_done(), or completions. Returns `io`.
 */
struct io *scripted_disk_end(struct scripted_disk *scripted, struct io *io, int result);

#endif
