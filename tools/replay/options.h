/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of rdisk-replay; rdisk-replay(1) documents it.
 */
#ifndef REPLAY_OPTIONS_H
#define REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

enum options_action { ACTION_REPLAY, ACTION_CONVERT, ACTION_VERIFY_ONLY };

struct options {
	enum options_action action;
	const char *trace; /* "-": standard input; NULL with VERIFY_ONLY */
	/* the target: a path, an NBD server, or an endpoint */
	const char *device, *nbd;
	int dcid, endpoint, minor;
	bool endpoint_given; /* -e or --minor */
	bool direct;
	/* the trace */
	const struct trace_format *format;  /* NULL: detected */
	const struct trace_format *convert; /* of CONVERT */
	const char *output;		    /* of CONVERT; NULL: standard output */
	bool strict;
	enum trace_event event;
	bool event_given;
	int64_t trace_device;
	uint64_t limit;
	/* how */
	double speed; /* 0: max */
	char speed_text[32];
	unsigned int depth;
	enum placement_mode map;
	uint64_t trace_size; /* 0: found out */
	enum engine_writes writes;
	enum engine_overlap overlap;
	bool verify;
	bool lost_cache;
	bool seed_given;
	uint64_t seed;
	/* what is written */
	const char *journal, *json, *html; /* NULL: not wanted */
	bool progress, quiet;
};

/* 0: go on; 1: what was asked for was printed; -1: a message was. The strings are argv's. */
int options_parse(struct options *options, int argc, char **argv);

/*
 * What is written must not destroy what it is made from: no file that is written is the trace or the disk. 0, or -1 and
 * *diagnostic. To be asked again when what is written is open, as what was not there before may be the same then.
 */
int options_check_files(const struct options *options, struct diagnostic *diagnostic);

#endif
