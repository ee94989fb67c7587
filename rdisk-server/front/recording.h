/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records what the server did into a file, `rdisk --record FILE`; the format is rdisk_recording.h.
 *
 * Noting a request copies one record into a ring in memory; a thread of the recording writes the ring to the file, at
 * least once a second. When the file's disk is so slow that the ring is full, records are dropped, counted, and the
 * recording says so where it happened: the server never waits for it. When the file cannot be written any more, that is
 * logged once and the recording ends, but not the service.
 */
#ifndef RDISK_RECORDING_WRITER_H
#define RDISK_RECORDING_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "device.h"
#include "rdisk_protocol.h"

struct recording;

/*
 * Begins a recording in a new file; one that exists already is refused. *recording is the caller's to close. 0, or -1
 * and *diagnostic. Main thread; from here on the process has one more thread (in which all signals are blocked).
 */
int recording_open(struct recording **recording, const char *path, const struct device_table *devices, int endpoint,
		   struct diagnostic *diagnostic);

/* The same to an open descriptor (a pipe), which the recording takes over, also on errors. `name` is for messages. */
int recording_start(struct recording **recording, int fd, const char *name, const struct device_table *devices,
		    int endpoint, struct diagnostic *diagnostic);

/*
 * What is known of the devices is more than when it began (the size of a replicated one is only when its set is there):
 * the file says so before it has the next operation. A pipe cannot be written anew, and keeps what it was told first.
 * NULL is nothing to do. Main thread.
 */
void recording_describe(struct recording *recording, const struct device_table *devices);

/* Writes what is left, ends the recording and frees it; logs how much it was. NULL is nothing to do. Main thread. */
void recording_close(struct recording *recording);

/* A request that was finished. */
struct recording_request {
	uint64_t started_ns; /* recording_now() when it was received */
	int client;	     /* endpoint */
	int minor;
	enum rdisk_operation operation;
	bool stable;	   /* forced unit access */
	uint64_t position; /* bytes; FLUSH: 0 */
	uint64_t length;   /* bytes that were asked for; FLUSH: 0 */
	int64_t result;	   /* what the client is told */
};

/* CLOCK_MONOTONIC in ns. */
static inline uint64_t recording_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* it cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Notes a request that is finished now. Any thread. */
void recording_add(struct recording *recording, const struct recording_request *request);

/* The same, and nothing when nothing is recorded (NULL). */
static inline void recording_note(struct recording *recording, const struct recording_request *request)
{
	if (recording)
		recording_add(recording, request);
}

#endif
