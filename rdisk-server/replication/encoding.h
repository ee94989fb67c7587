/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What messages and metadata have in common in their forms: a configuration as bytes, and a checksum that lies within
 * what it is of. Pure functions; numbers are in little_endian.h.
 */
#ifndef RDISK_ENCODING_H
#define RDISK_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replica_configuration.h"

/*
 * A configuration, all zeroes where there is none (epoch 0):
 *
 *   offset  bytes
 *   0       16     set
 *   16      8      epoch
 *   24      8      reign
 *   32      8      generation: id
 *   40      8      parent
 *   48      4      number
 *   52      4      primary
 *   56      4      in_sync
 *   60      4      dead
 *   64      8      digest
 *   72      112    processes, 7 times {incarnation, boot}
 *   184     128    sizes, of 16 devices
 *   312     96     forks, 4 times {number u32, 4 bytes 0, id, epoch}
 */
#define REPLICA_CONFIGURATION_BYTES 408u

void replica_configuration_encode(const struct replica_configuration *configuration,
				  unsigned char bytes[static REPLICA_CONFIGURATION_BYTES]);

/*
 * NULL, or what is wrong with it: what replica_configuration_wrong() says for as many members as there can be, and as
 * many devices as have a size.
 */
const char *replica_configuration_decode(const unsigned char bytes[static REPLICA_CONFIGURATION_BYTES],
					 struct replica_configuration *configuration);

/* What a checksum can be in: as large as a slot of metadata. */
#define CHECKSUM_AROUND_MAX 4096u

/*
 * XXH3 (64 bits) of `size` bytes, of which the 8 at `at` count as 0: the checksum's own place. at + 8 <= size <=
 * CHECKSUM_AROUND_MAX.
 */
uint64_t checksum_around(const unsigned char *bytes, size_t size, size_t at);

bool bytes_are_zero(const unsigned char *bytes, size_t size);

#endif
