/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of an NBD server as a target, through libnbd: one connection, on which each operation is sent as it is
 * started. For comparison: the same trace against another kind of server.
 */
#include "target.h"

#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rdisk_protocol.h"

struct nbd {
	struct target target;
	struct nbd_handle *handle;
	struct slot {
		struct nbd *nbd;
		struct io *io;
	} slots[DEPTH_MAX];	     /* one for each operation under way, by its buffer's number */
	struct io *done, **done_end; /* in the order of their answers */
	int nr_done;
};

static void put_done(struct nbd *nbd, struct io *io, int error)
{
	io->done_ns = now_ns();
	io->error = error ? -error : 0;
	io->moved = io->length;
	io->next = NULL;
	*nbd->done_end = io;
	nbd->done_end = &io->next;
	nbd->nr_done++;
}

/* libnbd's: the answer has come. 1: it may forget the request. */
static int completed(void *context, int *error)
{
	const struct slot *slot = context;

	put_done(slot->nbd, slot->io, *error);
	return 1;
}

static void start(struct target *target, struct io *io)
{
	struct nbd *nbd = (struct nbd *)target;
	struct slot *slot = &nbd->slots[io->index];
	nbd_completion_callback callback;
	uint32_t flags = io->flags & TRACE_FUA ? LIBNBD_CMD_FLAG_FUA : 0;
	int64_t cookie = -1;

	*slot = (struct slot){ nbd, io };
	callback = (nbd_completion_callback){ .callback = completed, .user_data = slot };
	io->sent_ns = now_ns();
	switch (io->kind) {
	case TRACE_READ:
		cookie = nbd_aio_pread(nbd->handle, io->buffer, io->length, io->position, callback, 0);
		break;
	case TRACE_WRITE:
		cookie = nbd_aio_pwrite(nbd->handle, io->buffer, io->length, io->position, callback, flags);
		break;
	case TRACE_FLUSH:
		cookie = nbd_aio_flush(nbd->handle, callback, 0);
		break;
	case TRACE_DISCARD:
		cookie = nbd_aio_trim(nbd->handle, io->length, io->position, callback, 0);
		break;
	default:
		cookie = nbd_aio_zero(nbd->handle, io->length, io->position, callback, flags);
		break;
	}
	if (cookie < 0)
		put_done(nbd, io, nbd_get_errno() ? nbd_get_errno() : EIO);
}

/* Sends and receives what can be now, or waits until something can. -1: the connection is lost. */
static int turn(struct nbd *nbd, uint64_t until_ns)
{
	unsigned int direction = nbd_aio_get_direction(nbd->handle);
	struct pollfd polled = { .fd = nbd_aio_get_fd(nbd->handle) };
	uint64_t now = now_ns(), left = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = { .tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000) };
	int ready;

	if (polled.fd < 0)
		return -1;
	if (direction & LIBNBD_AIO_DIRECTION_READ)
		polled.events |= POLLIN;
	if (direction & LIBNBD_AIO_DIRECTION_WRITE)
		polled.events |= POLLOUT;
	ready = ppoll(&polled, 1, until_ns == NEVER ? NULL : &timeout, NULL);
	if (ready < 0)
		return errno == EINTR ? 0 : -1;
	if (direction & LIBNBD_AIO_DIRECTION_READ && polled.revents & (POLLIN | POLLHUP | POLLERR))
		return nbd_aio_notify_read(nbd->handle);
	if (direction & LIBNBD_AIO_DIRECTION_WRITE && polled.revents & (POLLOUT | POLLERR))
		return nbd_aio_notify_write(nbd->handle);
	return 0;
}

static int wait_done(struct target *target, struct io **done, uint64_t until_ns, struct diagnostic *diagnostic)
{
	struct nbd *nbd = (struct nbd *)target;
	int count;

	for (;;) {
		bool lost = nbd_aio_is_dead(nbd->handle) || nbd_aio_is_closed(nbd->handle);

		/* What was under way then is completed by libnbd, with errors; nobody knows what became of it. */
		if (lost || (!nbd->done && turn(nbd, until_ns)))
			return diagnostic_set(diagnostic, "%s: the connection is lost: %s", target->name,
					      nbd_get_error() ? nbd_get_error() : "the server closed it");
		if (nbd->done)
			break;
		if (now_ns() >= until_ns)
			return 0;
	}
	*done = nbd->done;
	count = nbd->nr_done;
	nbd->done = NULL;
	nbd->done_end = &nbd->done;
	nbd->nr_done = 0;
	return count;
}

static const char *error_text(int code)
{
	return strerror(-code);
}

static void close_nbd(struct target *target)
{
	struct nbd *nbd = (struct nbd *)target;

	nbd_close(nbd->handle);
	free(nbd);
}

static const struct target_kind nbd_kind = { start, wait_done, error_text, close_nbd };

static int connect_server(struct nbd *nbd, const char *uri, const struct target_options *options,
			  struct diagnostic *diagnostic)
{
	int64_t size, block;

	nbd->handle = nbd_create();
	/* Memory for reads need not be cleared before: what an answer did not fill is an error. */
	if (!nbd->handle || nbd_set_pread_initialize(nbd->handle, false) ||
	    nbd_set_uri_allow_local_file(nbd->handle, false) || nbd_connect_uri(nbd->handle, uri))
		return diagnostic_set(diagnostic, "%s: %s", uri, nbd_get_error());
	size = nbd_get_size(nbd->handle);
	block = nbd_get_block_size(nbd->handle, LIBNBD_SIZE_MINIMUM);
	if (size < 0 || block < 0)
		return diagnostic_set(diagnostic, "%s: %s", uri, nbd_get_error());
	if (options->write && nbd_is_read_only(nbd->handle) != 0)
		return diagnostic_set(diagnostic, "%s is read-only: replay with --writes discard", uri);
	nbd->target.size = (uint64_t)size;
	nbd->target.block = block > RDISK_SECTOR_SIZE && block <= 65536 ? (uint32_t)block : RDISK_SECTOR_SIZE;
	return 0;
}

int target_open_nbd(struct target **target, const char *uri, const struct target_options *options,
		    struct diagnostic *diagnostic)
{
	struct nbd *nbd = calloc(1, sizeof(*nbd));

	if (!nbd)
		return diagnostic_set(diagnostic, "out of memory");
	nbd->target.kind = &nbd_kind;
	nbd->done_end = &nbd->done;
	(void)snprintf(nbd->target.name, sizeof(nbd->target.name), "%s", uri);
	if (connect_server(nbd, uri, options, diagnostic)) {
		close_nbd(&nbd->target);
		return -1;
	}
	*target = &nbd->target;
	return 0;
}
