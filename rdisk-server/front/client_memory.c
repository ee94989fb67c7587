/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies to and from a client's memory; see client_memory.h. A sealed grant is read and written
 * by memcpy(), which saves a system call for each small thing; all else goes through dvk_vcopy().
 */
#include "client_memory.h"

#include <string.h>

#include "dvk.h"

/* Where a sealed grant has these bytes, or NULL. */
static void *sealed_memory(int endpoint, uint64_t address, size_t bytes)
{
	void *local;
	bool sealed;

	if (dvk_granted(endpoint, address, bytes, &local, &sealed) || !sealed)
		return NULL;
	return local;
}

/* An address in the client as dvk_vcopy() wants it; a number here, never dereferenced. */
static void *client_pointer(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

int client_memory_read(int endpoint, uint64_t address, void *to, size_t bytes)
{
	const void *local;
	uint64_t end;

	if (bytes == 0)
		return 0;
	if (__builtin_add_overflow(address, (uint64_t)bytes, &end))
		return EDVSFAULT;
	local = sealed_memory(endpoint, address, bytes);
	if (local) {
		memcpy(to, local, bytes);
		return 0;
	}
	while (bytes > 0) {
		size_t piece = bytes < MAXCOPYLEN ? bytes : MAXCOPYLEN;
		long copied = dvk_vcopy(endpoint, client_pointer(address), SELF, to, (long)piece);

		if (copied < 0)
			return (int)copied;
		if (copied != (long)piece)
			return EDVSFAULT;
		address += piece;
		to = (char *)to + piece;
		bytes -= piece;
	}
	return 0;
}

int client_memory_write(int endpoint, uint64_t address, const void *from, size_t bytes)
{
	void *local;
	uint64_t end;

	if (bytes == 0)
		return 0;
	if (__builtin_add_overflow(address, (uint64_t)bytes, &end))
		return EDVSFAULT;
	local = sealed_memory(endpoint, address, bytes);
	if (local) {
		memcpy(local, from, bytes);
		return 0;
	}
	while (bytes > 0) {
		size_t piece = bytes < MAXCOPYLEN ? bytes : MAXCOPYLEN;
		long copied = dvk_vcopy(SELF, from, endpoint, client_pointer(address), (long)piece);

		if (copied < 0)
			return (int)copied;
		if (copied != (long)piece)
			return EDVSFAULT;
		address += piece;
		from = (const char *)from + piece;
		bytes -= piece;
	}
	return 0;
}

bool client_memory_map(int endpoint, const struct rdisk_iovec *segments, int count, struct iovec *vector)
{
	for (int i = 0; i < count; i++) {
		bool sealed;

		if (dvk_granted(endpoint, segments[i].iov_addr, segments[i].iov_size, &vector[i].iov_base, &sealed))
			return false;
		vector[i].iov_len = segments[i].iov_size;
	}
	return true;
}
