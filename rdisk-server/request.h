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
 * device), EDVSIO, EDVSNOSPC; SUSPEND.
 */
static inline int request_range(struct device *device, struct attempt *attempt, uint64_t position, uint64_t length,
				bool zeroes, bool stable)
{
	struct image *image = &device->image;
	uint64_t end;
	int code;

	if (__builtin_add_overflow(position, length, &end) || end > image->size)
		return EDVSINVAL;
	if (attempt->done)
		return attempt->done->result;
	if (!attempt->may_wait && image_waits(image)) {
		code = attempt_suspend(attempt, zeroes ? JOB_WRITE_ZEROES : JOB_DISCARD, image, position, length);
		attempt->wanted.stable = stable;
		return code;
	}
	return zeroes ? image_write_zeroes(image, position, length, stable)
		      : image_discard(image, position, length, stable);
}

#endif
