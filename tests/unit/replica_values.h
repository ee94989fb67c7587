/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values that the tests of the replication's forms share: all different, so that none can be taken for another.
 */
#ifndef REPLICA_VALUES_H
#define REPLICA_VALUES_H

#include "message.h"

/* One that a list of 3 members with 2 devices could have decided: members 0 and 2 are in sync, 2 is the primary. */
static inline struct configuration replica_values_configuration(void)
{
	return (struct configuration){
		.set = { { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae,
			   0xaf } },
		.generation = { .number = 3, .id = 0x3132333435363738, .parent = 0x2122232425262728 },
		.epoch = 0x0102030405060708,
		.reign = 0x0102030405060701,
		.primary = 2,
		.in_sync = 0x05,
		.processes = { [0] = { 0x4142434445464748, 0x5152535455565758 },
			       [2] = { 0x6162636465666768, 0x7172737475767778 } },
		.sizes = { 0x10000000, 0x20000200 },
		.digest = 0x8182838485868788,
	};
}

#endif
