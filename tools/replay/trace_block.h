/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the traces of blkparse (text) and blktrace (binary) have in common: events on requests. One kind of event is the
 * operation (struct trace_options, event); a completion gives its latency.
 */
#ifndef REPLAY_TRACE_BLOCK_H
#define REPLAY_TRACE_BLOCK_H

#include "trace_internal.h"

#define BLOCK_SECTOR 512u

struct block_counts {
	uint64_t queued;
	uint64_t issued;
};

/* What a request is. */
struct block_request {
	bool flush; /* before its data, if it has any */
	bool data;
	bool fua;
	bool unknown; /* of a kind that no disk here has (zones) */
	enum trace_kind kind;
};

struct block_event {
	uint64_t time_ns;
	uint64_t sector;
	uint64_t bytes; /* 0: no data, whatever the request says */
	uint32_t device;
	struct block_request request;
};

/*
 * RWBS of blkparse: F (preflush), then W, WZ, R, D, DE, N, F (a flush), Z. (zones), then F (forced unit access) and
 * others that change nothing. False: it is not that.
 */
bool block_parse_rwbs(const char *rwbs, struct block_request *request);

/* Q or D: counts it, and hands it on if it is the one that is asked for. 0; or -1 and *cause. */
int block_push(struct trace_reader *reader, struct block_counts *counts, enum trace_event which,
	       const struct block_event *event, struct diagnostic *cause);

/* C, of a request that did not fail. */
void block_complete(struct trace_reader *reader, const struct block_event *event);

/* At the end of a trace: an error when it has only events of the kind that was not asked for. */
int block_finish(struct trace_reader *reader, const struct block_counts *counts, struct diagnostic *diagnostic);

#endif
