/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves data between an image and a client's memory. Granted memory: straight, all
 * segments in one system call. Other memory: through the device's buffer, piece by piece. Access
 * was checked before; what is checked here is the vector and the end of the device.
 */
#ifndef RDISK_TRANSFER_H
#define RDISK_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt.h"
#include "device.h"
#include "rdisk_protocol.h"

struct transfer {
	struct device *device;
	struct attempt *attempt;
	int memory_endpoint; /* whose memory the segments are in */
	bool write;	     /* to the image */
	bool stable;	     /* of a write: on stable storage before it is answered */
	uint64_t position;   /* byte; at most INT64_MAX */
	const struct rdisk_iovec *segments;
	int nr_segments; /* 1 .. RDISK_VECTOR_MAX */
};

/*
 * Bytes moved, less than asked for at the end of the device and 0 beyond it; or a code:
 * EDVSINVAL (sizes that add up to more than INT32_MAX), EDVSFAULT and others of client_memory.h,
 * EDVSIO, EDVSNOSPC; or SUSPEND (attempt.h).
 */
int64_t transfer_run(const struct transfer *transfer);

/* Takes what was moved off the front of a vector: iov_size lessened, iov_addr advanced. */
void transfer_advance(struct rdisk_iovec *segments, int count, uint64_t moved);

#endif
