/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that the node makes for its clients: process pages and channels. The node
 * looks into process pages only; every word of them can change at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node_internal.h"

int node_memory_create(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int error;

	if (fd < 0)
		return node_error_of(errno);
	/* Mode 0600: a process of another user that was handed a read-only descriptor cannot
	 * open it for writing through /proc. */
	if (ftruncate(fd, DVK_PAGE_SIZE) < 0 || fchmod(fd, 0600) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		error = node_error_of(errno);
		close(fd);
		return error;
	}
	return fd;
}

struct node_page *node_page_create(int *error)
{
	struct node_page *page = calloc(1, sizeof(*page));
	char path[64];

	if (!page) {
		*error = EDVSNOMEM;
		return NULL;
	}
	page->references = 1;
	page->read_fd = -1;
	page->owner_fd = node_memory_create("dvk-page");
	if (page->owner_fd < 0) {
		*error = page->owner_fd;
		page->owner_fd = -1;
		goto fail;
	}
	/* Only a new open file can have fewer rights than the first. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", page->owner_fd);
	page->read_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (page->read_fd < 0) {
		*error = node_error_of(errno);
		goto fail;
	}
	page->shared = mmap(NULL, DVK_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, page->owner_fd, 0);
	if (page->shared == MAP_FAILED) {
		page->shared = NULL;
		*error = node_error_of(errno);
		goto fail;
	}
	/* Nobody else has it yet: the order does not matter. */
	atomic_store_explicit(&page->shared->getfrom, NONE, memory_order_relaxed);
	atomic_store_explicit(&page->shared->sendto, NONE, memory_order_relaxed);
	return page;
fail:
	node_page_release(page);
	return NULL;
}

void node_page_release(struct node_page *page)
{
	if (!page || --page->references)
		return;
	if (page->shared)
		munmap(page->shared, DVK_PAGE_SIZE);
	node_close(&page->owner_fd);
	node_close(&page->read_fd);
	free(page);
}

void node_page_ring(struct node_page *page)
{
	/* Sequentially consistent, as the sleeper's setting of the bit: one of the two sees the other. */
	uint32_t before = atomic_fetch_add_explicit(&page->shared->bell, DVK_BELL_STEP, memory_order_seq_cst);

	if (before & DVK_BELL_SLEEPER)
		syscall(SYS_futex, &page->shared->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
