/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What single requests (driver_task.c) and those of a batch (batch.c) have in common
 * beyond transfers. Access was checked before.
 */
#ifndef RDISK_REQUEST_H
#define RDISK_REQUEST_H

#include "device.h"
#include "dvk_errno.h"

/* 0 or EDVSIO. */
static inline int request_flush(struct device *device)
{
	return device->read_only ? 0 : image_flush(&device->image);
}

/*
 * DISCARD, or with `zeroes` WRITE_ZEROES. 0; EDVSINVAL (not all of the range is on the
 * device), EDVSIO, EDVSNOSPC.
 */
static inline int request_range(struct device *device, uint64_t position, uint64_t length, bool zeroes, bool stable)
{
	uint64_t end;

	if (__builtin_add_overflow(position, length, &end) || end > device->image.size)
		return EDVSINVAL;
	return zeroes ? image_write_zeroes(&device->image, position, length, stable)
		      : image_discard(&device->image, position, length, stable);
}

#endif
