/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of rdisk; rdisk(8) documents it. Parsed and checked here, obeyed by main.c and those whom it tells.
 */
#ifndef RDISK_OPTIONS_H
#define RDISK_OPTIONS_H

#include <stdbool.h>

#include "configured.h"
#include "diagnostic.h"

/* Strings are those of argv. */
struct options {
	int dcid;
	int endpoint;
	const char *config;
	const char *record;	  /* file to record into, or NULL */
	const char *node;	  /* name of the member that this process is; NULL: by its address */
	const char *boot_id_file; /* what stands for the host's boot id; NULL: the host's own */
	bool dcid_given;
	bool check_config;
	bool replicated; /* -R: not without replication */
	bool full_copy;	 /* -U FULL: this member's copy is discarded, and it gets a whole one */
	bool compress;	 /* -Z */
};

/* 0: go on; 1: what was asked for was printed; -1: a message was written. */
int options_parse(struct options *options, int argc, char **argv);

/*
 * What the options ask of a configuration that was read; sets what they say over it, and who of the set this process
 * is. 0, or -1 and *diagnostic.
 */
int options_apply(const struct options *options, struct configuration *configuration, struct diagnostic *diagnostic);

#endif
