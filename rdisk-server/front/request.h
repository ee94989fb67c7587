/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What single requests (driver_task.c) and those of a batch (batch.c) have in common
 * beyond transfers. Access was checked before.
 */
#ifndef RDISK_REQUEST_H
#define RDISK_REQUEST_H

#include "attempt.h"
#include "device.h"
#include "dvk_errno.h"

/* 0, EDVSIO or SUSPEND. */
static inline int request_flush(struct device *device, struct attempt *attempt)
{
	if (device->read_only)
		return 0;
	if (attempt->done)
		return attempt->done->result;
	if (!attempt->may_wait && image_waits(&device->image))
		return attempt_suspend(attempt, JOB_FLUSH, &device->image, 0, 0);
	return image_flush(&device->image);
}

/*
 * DISCARD, or with `zeroes` WRITE_ZEROES. 0; EDVSINVAL (not all of the range is on the
 * device), EDVSIO, EDVSNOSPC; SUSPEND. The range itself is changed in place: one that waited in a queue could be
 * carried out when whoever asked for it has died and another has written there.
 */
static inline int request_range(struct device *device, struct attempt *attempt, uint64_t position, uint64_t length,
				bool zeroes, bool stable)
{
	struct image *image = &device->image;
	bool flush_later = stable && !attempt->may_wait && image_waits(image);
	uint64_t end;
	int code;

	if (__builtin_add_overflow(position, length, &end) || end > image->size)
		return EDVSINVAL;
	if (attempt->done)
		return attempt->done->result;
	code = zeroes ? image_write_zeroes(image, position, length, stable && !flush_later)
		      : image_discard(image, position, length, stable && !flush_later);
	return !code && flush_later ? attempt_suspend(attempt, JOB_FLUSH, image, 0, 0) : code;
}

#endif
