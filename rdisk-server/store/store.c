/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done at once and what by workers; see store.h. The kinds know how, this file knows when and by whom.
 */
#include "store_kinds.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "vector_io.h"

#define FETCH_BYTES 65536u /* read at a time, to have them in the page cache */

/* What a caller is told of a failure, and a log line if it is the image's own. Any thread. */
static int result_of(const struct store *store, const char *operation, uint64_t position, int code)
{
	switch (code) {
	case 0:
	case -EFAULT:
	case -EROFS:
	case -ECANCELED:
		return code;
	case -ENOSPC:
	case -EDQUOT:
		log_limited(LOG_LEVEL_WARNING, "device %s: %s at byte %llu: %s", store->name, operation,
			    (unsigned long long)position, strerror(-code));
		return -ENOSPC;
	default:
		log_limited(LOG_LEVEL_ERROR, "device %s: %s at byte %llu: %s", store->name, operation,
			    (unsigned long long)position, strerror(-code));
		return -EIO;
	}
}

/* One at a time. 0 or -EIO. Any thread. */
static int flush(void *context)
{
	struct store *store = context;
	int code;

	if (store->flush_failed && !store->flushes_again)
		return -EIO;
	code = store->operations->flush(store);
	store->flush_failed = code != 0;
	if (!code)
		return 0;
	log_error(
		"device %s: writing to stable storage failed (%s): what was written since the last flush may be lost%s",
		store->name, strerror(-code),
		store->flushes_again ? "" : ", every flush fails until the server is restarted");
	return -EIO;
}

/* Has a range in the page cache, or a part of it when it is cancelled. Worker, or the loop for want of one. */
static int fetch(struct store *store, const struct io *io)
{
	char buffer[FETCH_BYTES];
	uint64_t position = io->position;
	uint64_t length = io->length;

	while (length > 0) {
		/* cppcheck-suppress legacyUninitvar ; it is read into */
		const struct iovec piece = { buffer, length < sizeof(buffer) ? (size_t)length : sizeof(buffer) };
		int code;

		/* relaxed: it carries nothing but itself */
		if (atomic_load_explicit(&io->cancelled, memory_order_relaxed))
			return -ECANCELED;
		code = vector_read(store->fd, &piece, 1, position, 0);
		if (code)
			return result_of(store, "fetch", position, code);
		position += piece.iov_len;
		length -= piece.iov_len;
	}
	return 0;
}

/* Carries one out to its end, whatever it waits for. Worker, or the loop for want of one. */
static int carry_out(struct store *store, const struct io *io)
{
	const struct store_operations *operations = store->operations;

	switch (io->operation) {
	case IO_READ:
		if (io->mode == IO_FROM_DISK && operations->read_disk)
			return result_of(store, "read from disk", io->position, operations->read_disk(store, io));
		return result_of(store, "read", io->position, operations->read(store, io, true));
	case IO_WRITE:
		return result_of(store, "write", io->position, operations->write(store, io, true));
	case IO_DISCARD:
		return result_of(store, "discard", io->position, operations->discard(store, io, true));
	case IO_WRITE_ZEROES:
		return result_of(store, "write zeroes", io->position, operations->write_zeroes(store, io, true));
	case IO_FETCH:
		return fetch(store, io);
	case IO_FLUSH:
		return flush(store);
	case IO_OPEN:
	case IO_DESCRIBE:
		break;
	}
	return -EINVAL;
}

/* What workers do with one of their queue. */
static void run(void *context, struct io *io)
{
	struct store *store = context;

	if (io == &store->flush.turn) {
		shared_flush_run(&store->flush);
		return;
	}
	/* relaxed: it carries nothing but itself */
	if (atomic_load_explicit(&io->cancelled, memory_order_relaxed))
		io->result = -ECANCELED;
	else
		io->result = carry_out(store, io);
	completions_put(store->completions, io);
}

int store_start(struct store *store, struct completions *completions)
{
	int code = workers_init(&store->workers, run, store);

	store->completions = completions;
	return code ? code : shared_flush_init(&store->flush, &store->workers, completions, flush, store);
}

void store_stop(struct store *store)
{
	workers_stop(&store->workers);
	shared_flush_destroy(&store->flush);
}

static enum io_answer done(struct io *io, int result)
{
	io->result = result;
	return IO_DONE;
}

/* Has the workers do it. */
static enum io_answer pend(struct store *store, struct io *io)
{
	int code;

	if (io->operation == IO_FLUSH)
		code = shared_flush_post(&store->flush, io);
	else
		code = workers_post(&store->workers, io);
	if (!code)
		return IO_PENDING;
	log_limited(LOG_LEVEL_WARNING, "device %s: cannot start a thread to wait for its disk (%s): all wait",
		    store->name, strerror(-code));
	return done(io, carry_out(store, io));
}

/* A READ that may have to wait for a disk. */
static enum io_answer submit_disk_read(struct store *store, struct io *io)
{
	int code;

	if (io->mode == IO_AT_ONCE)
		return done(io, carry_out(store, io));
	if (io->mode == IO_FROM_DISK)
		return pend(store, io);
	code = store->operations->read(store, io, false);
	if (code != -EAGAIN)
		return done(io, result_of(store, "read", io->position, code));
	if (io->mode == IO_MAY_PEND)
		return pend(store, io);
	if (io->mode == IO_FETCHED && !store->tells_misses)
		return done(io, carry_out(store, io));
	return IO_MISSED;
}

static enum io_answer submit_write(struct store *store, struct io *io)
{
	int code = store->operations->write(store, io, false);

	if (code == -EAGAIN)
		return pend(store, io);
	return done(io, result_of(store, "write", io->position, code));
}

/* DISCARD and WRITE_ZEROES. */
static enum io_answer submit_free(struct store *store, struct io *io)
{
	const struct store_operations *operations = store->operations;
	bool zeroes = io->operation == IO_WRITE_ZEROES;
	int code;

	if (!zeroes && !store->discards)
		return done(io, 0);
	if (io->length > STORE_AT_ONCE_MAX)
		return pend(store, io);
	code = zeroes ? operations->write_zeroes(store, io, false) : operations->discard(store, io, false);
	if (code == -EAGAIN)
		return pend(store, io);
	return done(io, result_of(store, zeroes ? "write zeroes" : "discard", io->position, code));
}

enum io_answer store_submit(struct store *store, struct io *io)
{
	switch (io->operation) {
	case IO_READ:
		if (store->on_disk)
			return submit_disk_read(store, io);
		return done(io, result_of(store, "read", io->position, store->operations->read(store, io, true)));
	case IO_WRITE:
		return submit_write(store, io);
	case IO_FLUSH:
		if (!store->operations->flush)
			return done(io, 0);
		return store->on_disk ? pend(store, io) : done(io, flush(store));
	case IO_DISCARD:
	case IO_WRITE_ZEROES:
		return submit_free(store, io);
	case IO_FETCH:
		return store->on_disk ? pend(store, io) : done(io, 0);
	case IO_OPEN:
	case IO_DESCRIBE:
		break;
	}
	return done(io, -EINVAL);
}

bool store_withdraw(struct store *store, struct io *io)
{
	if (io->operation == IO_FLUSH)
		return shared_flush_withdraw(&store->flush, io);
	return workers_withdraw(&store->workers, io);
}

int store_settle(struct store *store)
{
	if (!store->operations->flush)
		return 0;
	if (store->block_device || store->flush_failed)
		return flush(store);
	if (!syncfs(store->fd))
		return 0;
	log_error("device %s: writing to stable storage at the end failed: %s", store->name, strerror(errno));
	return -EIO;
}
