/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients of a disk were answered, and whether what a sector holds after a power cut agrees with that. The other
 * side of crash_run.h, and made independently of it: it knows nothing of system calls, only what rdisk_protocol.h
 * promises.
 *
 * Every byte says by which request it was written: a write's data are test_pattern_fill()'s with the request's number
 * as seed. What was there at first is the pattern with the number 0. Moments are of one clock for all clients and for
 * whoever cuts the power.
 */
#ifndef CRASH_ANSWERS_H
#define CRASH_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crash_answer_kind { CRASH_ANSWER_WRITE, CRASH_ANSWER_ZEROES, CRASH_ANSWER_DISCARD, CRASH_ANSWER_FLUSH };

struct crash_answer {
	enum crash_answer_kind kind;
	bool fua;
	bool failed;	   /* it was answered with an error: what it changes may be done, in part, or not */
	uint64_t sent;	   /* moment before it was sent */
	uint64_t answered; /* moment after its answer had come; UINT64_MAX: there was none */
	uint64_t position; /* bytes, as length */
	uint64_t length;
};

struct crash_answers {
	struct crash_answer *answers; /* the request with the number n is answers[n - 1] */
	size_t count;
};

enum crash_verdict {
	CRASH_RIGHT,
	CRASH_LOST_FLUSHED,	   /* a write is missing that a flush covers which had been answered */
	CRASH_LOST_FUA,		   /* a FUA write is missing that had been answered */
	CRASH_NEVER_WRITTEN,	   /* content that no request has written there */
	CRASH_NOT_SENT,		   /* content of a request that had not been sent */
	CRASH_FLUSH_AFTER_FAILURE, /* a flush or FUA write succeeded after a flush had failed */
	NR_CRASH_VERDICTS,
};

struct crash_finding {
	enum crash_verdict verdict;
	uint64_t position; /* of the first wrong byte */
	size_t found; /* number of the request whose content is there, where there is one; 0: what was there at first */
	size_t missing; /* LOST: the request that is missing; FLUSH_AFTER_FAILURE: the one that succeeded */
};

/* Whether a sector's bytes are right if the power was cut at `moment`: what was answered before it counts. */
struct crash_finding crash_answers_check(const struct crash_answers *answers, uint64_t moment, uint64_t sector,
					 const unsigned char bytes[512]);

/* Whether the answers themselves are right: a flush that failed is reported for ever. */
struct crash_finding crash_answers_check_flushes(const struct crash_answers *answers);

/* "a flushed write is missing" and so on. */
const char *crash_verdict_text(enum crash_verdict verdict);

#endif
