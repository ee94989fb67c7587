/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes by which two members see whether they have the same in a block, without sending it.
 *
 * XXH3 with 128 bits: that two blocks that differ have one hash is as likely as 2^-128 for each, whatever else is
 * compared; with 64 bits a whole comparison of many TiB would still be wrong less often than disks are, but 8 bytes in
 * 4096 are not worth a proof of that. It is no cryptographic hash: who knows the seed can make two blocks with one
 * hash. The seed is random, another for each comparison, and known to the members alone, so that a client cannot.
 */
#ifndef RDISK_BLOCK_HASH_H
#define RDISK_BLOCK_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "message.h"

/*
 * Of each block (`block` bytes, at least MESSAGE_HASH_SIZE; the last one may be shorter) of `length` bytes, not 0, to
 * `hashes`, MESSAGE_HASH_SIZE each. `hashes` may be `data`. Returns the bytes written.
 */
size_t block_hashes(const void *data, uint64_t length, uint64_t block, uint64_t seed, void *hashes);

#endif
