/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffers; see memory.h.
 */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target.h"

#define KEPT (UINT64_C(4) << 20) /* bytes of a buffer that are kept from one operation to the next */

int memory_open(struct memory *memory, unsigned int count, struct diagnostic *diagnostic)
{
	*memory = (struct memory){ .fd = -1, .size = count * BUFFER_SIZE };
	memory->fd = memfd_create("rdisk-replay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory->fd < 0)
		return diagnostic_set(diagnostic, "cannot make memory for %u operations: %s", count, strerror(errno));
	/* Sealed: the server can use it without fear that it shrinks. */
	if (ftruncate(memory->fd, (off_t)memory->size) || fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		goto fail;
	memory->base = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory->fd, 0);
	if (memory->base == MAP_FAILED)
		goto fail;
	return 0;
fail:
	diagnostic_set(diagnostic, "cannot map memory for %u operations: %s; a smaller --depth needs less", count,
		       strerror(errno));
	(void)close(memory->fd);
	memory->fd = -1;
	return -1;
}

void memory_close(struct memory *memory)
{
	if (memory->fd < 0)
		return;
	(void)munmap(memory->base, memory->size);
	(void)close(memory->fd);
	memory->fd = -1;
}

void *memory_buffer(const struct memory *memory, unsigned int index)
{
	return memory->base + index * BUFFER_SIZE;
}

void memory_trim(const struct memory *memory, unsigned int index, uint64_t used)
{
	/* If it cannot be given back it is used again: nothing is lost but the memory. */
	if (used > KEPT)
		(void)madvise((unsigned char *)memory_buffer(memory, index) + KEPT, used - KEPT, MADV_REMOVE);
}
