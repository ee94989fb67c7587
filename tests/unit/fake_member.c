/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See fake_member.h.
 */
#include "fake_member.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fake_member fake_member;

void fake_member_reset(void)
{
	fake_member = (struct fake_member){ 0 };
	fake_member.done_tail = &fake_member.done;
}

static void end(int index, int result)
{
	struct io *io = fake_member.pending[index];

	fake_member.nr_pending--;
	for (int i = index; i < fake_member.nr_pending; i++)
		fake_member.pending[i] = fake_member.pending[i + 1];
	io->result = result;
	io->next = NULL;
	*fake_member.done_tail = io;
	fake_member.done_tail = &io->next;
}

void fake_member_end(enum io_operation operation, uint32_t client, int result)
{
	assert_true(fake_member.nr_pending > 0);
	assert_int_equal(fake_member.pending[0]->operation, operation);
	assert_int_equal(fake_member.pending[0]->client, client);
	end(0, result);
}

enum io_answer member_submit(struct member *member, int device, struct io *io)
{
	(void)member;
	(void)device;
	assert_true(fake_member.nr_pending < FAKE_PENDING_MAX);
	fake_member.pending[fake_member.nr_pending++] = io;
	return IO_PENDING;
}

bool member_withdraw(struct member *member, struct io *io)
{
	int index = 0;

	(void)member;
	while (index < fake_member.nr_pending && fake_member.pending[index] != io)
		index++;
	if (index == fake_member.nr_pending)
		return false;
	fake_member.nr_withdrawn++;
	fake_member.nr_pending--;
	for (int i = index; i < fake_member.nr_pending; i++)
		fake_member.pending[i] = fake_member.pending[i + 1];
	return true;
}

bool member_any_done(const struct member *member)
{
	(void)member;
	return fake_member.done != NULL;
}

struct io *member_take_done(struct member *member)
{
	struct io *done = fake_member.done;

	(void)member;
	fake_member.done = NULL;
	fake_member.done_tail = &fake_member.done;
	return done;
}

void member_forget_client(struct member *member, uint32_t client)
{
	(void)member;
	assert_true(fake_member.nr_forgotten < FAKE_PENDING_MAX);
	fake_member.forgotten[fake_member.nr_forgotten++] = client;
	for (int i = fake_member.nr_pending - 1; i >= 0; i--) {
		if (fake_member.pending[i]->client == client)
			end(i, -ECANCELED);
	}
}

void member_cancel_all(struct member *member)
{
	(void)member;
	while (fake_member.nr_pending > 0)
		end(0, -ECANCELED);
}

bool member_disk(const struct member *member, int device, struct member_disk *disk)
{
	(void)member;
	(void)device;
	*disk = (struct member_disk){ .size = fake_member.size, .id = "the-set-s-disk", .identity = 77 };
	return fake_member.size > 0;
}

struct completions *member_completions(struct member *member)
{
	(void)member;
	return NULL;
}

bool member_due(const struct member *member)
{
	(void)member;
	return false;
}

void member_turn(struct member *member)
{
	(void)member;
}

void member_before_wait(struct member *member)
{
	(void)member;
}

void member_wait(struct member *member, struct completions *others)
{
	(void)member;
	(void)others;
}

void member_wake_by(struct member *member, uint64_t time)
{
	(void)member;
	(void)time;
}

uint64_t member_now(void)
{
	return 1;
}

bool member_failed(const struct member *member)
{
	(void)member;
	return false;
}

void member_stop(struct member *member)
{
	(void)member;
}

bool member_stopped(const struct member *member)
{
	(void)member;
	return true;
}
