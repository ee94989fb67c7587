/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dvk library of one file, for the server's handlers alone: clients are numbers, and
 * their memory is the test's own, of which a part is granted. Nothing is sent.
 */
#ifndef FAKE_DVK_H
#define FAKE_DVK_H

#include <stdbool.h>
#include <stddef.h>

#include "dvk.h"

#define FAKE_REPLIES_MAX 8192

struct fake_dvk {
	int incarnations[NR_SLOTS]; /* by slot; 0: nobody is there */
	bool away[NR_SLOTS];	    /* by slot: it is not blocked, so its memory cannot be reached, and no answer */
	bool node_lags;		    /* the node still tells of everybody as alive */
	/* memory that every client has granted; outside of it vcopy is used */
	char *granted;
	size_t granted_bytes;
	bool sealed;
	int pins;	      /* that were not given back */
	int copy_error;	      /* what dvk_vcopy() fails with, 0: it works */
	long copies;	      /* calls of it */
	void (*copied)(void); /* called after each; NULL: nothing */
	/* what dvk_receive() returns and delivers, one after the other */
	const message *inbox;
	int inbox_length;
	const message *notification; /* the one of them that is a notification; NULL: none */
	bool notified;		     /* the last that was received was that one */
	int receive_error;	     /* when the inbox is empty */
	/* NULL, or what dvk_receive() does when the inbox is empty: may fill that; its result if it does not */
	int (*inbox_is_empty)(void);
	message replies[FAKE_REPLIES_MAX]; /* those that were delivered */
	int reply_to[FAKE_REPLIES_MAX];
	int nr_replies;
};

extern struct fake_dvk fake_dvk;

#endif
