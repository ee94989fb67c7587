/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which block device it is, whatever number and name it has got at this start of the host: from what the kernel knows
 * of it (sysfs) that its maker, or who set it up, has given it.
 */
#ifndef RDISK_DEVICE_IDENTITY_H
#define RDISK_DEVICE_IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

/* Of the block device with that number. 0: nothing is known that names it. Any thread. */
uint64_t device_identity_of(dev_t device);

/* The same of the folder that sysfs has for a device. */
uint64_t device_identity_in(const char *folder);

#endif
