/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check of the whole disk; see check.h.
 */
#include "check.h"

#include <inttypes.h>

#define PIECE (UINT64_C(1) << 20) /* bytes of one read */

static void check_block(const struct check_setup *setup, uint64_t position, const unsigned char *block)
{
	struct result *result = setup->result;
	struct diagnostic why;

	switch (ledger_look(setup->ledger, &setup->check, position, block, &why)) {
	case LEDGER_UNTOUCHED: /* it lies between others */
		return;
	case LEDGER_UNKNOWN:
		result->unchecked++;
		return;
	case LEDGER_WRONG:
		result->wrong++;
		result_error(result, "%s", why.text);
		break;
	case LEDGER_RIGHT:
		break;
	}
	result->checked++;
}

static int read_piece(const struct check_setup *setup, struct io *io, struct diagnostic *diagnostic)
{
	struct io *done = NULL;
	int count = 0;

	setup->target->kind->start(setup->target, io);
	events_under_way(setup->events, 1);
	while (count == 0)
		count = setup->target->kind->wait(setup->target, &done, NEVER, diagnostic);
	events_under_way(setup->events, 0);
	return count < 0 ? -1 : 0;
}

/* Reads at least what `wanted` has, from and up to whole blocks of the target. *data: where it lies then. */
static int read_blocks(const struct check_setup *setup, const struct io *wanted, struct io *io,
		       const unsigned char **data, struct diagnostic *diagnostic)
{
	uint64_t block = setup->target->block, before = wanted->position % block;

	*io = *wanted;
	io->position -= before;
	io->length = (before + wanted->length + block - 1) / block * block;
	*data = (const unsigned char *)io->buffer + before;
	if (read_piece(setup, io, diagnostic))
		return -1;
	/* A disk may end in the midst of the last block. */
	io->moved = io->moved > before ? io->moved - before : 0;
	return 0;
}

int check_disk(const struct check_setup *setup, struct diagnostic *diagnostic)
{
	struct io io = { .kind = TRACE_READ, .buffer = memory_buffer(setup->memory, 0) }, done;
	const unsigned char *data;
	struct result *result = setup->result;
	uint64_t start_ns = now_ns();
	int status = -1;

	while (ledger_next(setup->ledger, &io.position, &io.length, PIECE)) {
		if (events_signal(setup->events)) {
			result->signal = events_signal(setup->events);
			status = 0;
			goto out;
		}
		if (read_blocks(setup, &io, &done, &data, diagnostic))
			goto out;
		if (done.error || done.moved < io.length) {
			result->errors++;
			result->check_errors++;
			result_error(result, "final read of %" PRIu64 " bytes at %" PRIu64 ": %s", io.length,
				     io.position,
				     done.error ? setup->target->kind->error_text(done.error) : "not all was read");
		} else {
			for (uint64_t at = 0; at < io.length; at += LEDGER_BLOCK)
				check_block(setup, io.position + at, data + at);
		}
		io.position += io.length;
	}
	result->final_check = true;
	status = 0;
out:
	result->check_ns = now_ns() - start_ns;
	return status;
}
