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

struct fake_dvk {
	int incarnations[NR_SLOTS]; /* by slot; 0: nobody is there */
	bool node_lags;		    /* the node still tells of everybody as alive */
	/* memory that every client has granted; outside of it vcopy is used */
	char *granted;
	size_t granted_bytes;
	bool sealed;
	int pins;	/* that were not given back */
	int copy_error; /* what dvk_vcopy() fails with, 0: it works */
	long copies;	/* calls of it */
	/* what dvk_receive() returns and delivers, one after the other */
	const message *inbox;
	int inbox_length;
	const message *notification; /* the one of them that is a notification; NULL: none */
	bool notified;		     /* the last that was received was that one */
	int receive_error;	     /* when the inbox is empty */
	message replies[16];
	int reply_to[16];
	int nr_replies;
};

extern struct fake_dvk fake_dvk;

#endif
