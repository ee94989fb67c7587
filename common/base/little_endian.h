/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as bytes on disk and on the wire, on any processor and at any address. Compilers make one move of each.
 */
#ifndef RDISK_LITTLE_ENDIAN_H
#define RDISK_LITTLE_ENDIAN_H

#include <stdint.h>

static inline void put_u16(unsigned char *bytes, uint16_t value)
{
	bytes[0] = (unsigned char)value;
	bytes[1] = (unsigned char)(value >> 8);
}

static inline void put_u32(unsigned char *bytes, uint32_t value)
{
	bytes[0] = (unsigned char)value;
	bytes[1] = (unsigned char)(value >> 8);
	bytes[2] = (unsigned char)(value >> 16);
	bytes[3] = (unsigned char)(value >> 24);
}

static inline void put_u64(unsigned char *bytes, uint64_t value)
{
	bytes[0] = (unsigned char)value;
	bytes[1] = (unsigned char)(value >> 8);
	bytes[2] = (unsigned char)(value >> 16);
	bytes[3] = (unsigned char)(value >> 24);
	bytes[4] = (unsigned char)(value >> 32);
	bytes[5] = (unsigned char)(value >> 40);
	bytes[6] = (unsigned char)(value >> 48);
	bytes[7] = (unsigned char)(value >> 56);
}

static inline uint16_t get_u16(const unsigned char *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t get_u32(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline uint64_t get_u64(const unsigned char *bytes)
{
	return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 | (uint64_t)bytes[3] << 24 |
	       (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 | (uint64_t)bytes[6] << 48 |
	       (uint64_t)bytes[7] << 56;
}

#endif
