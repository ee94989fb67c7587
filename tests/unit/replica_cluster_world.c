/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world of the cores of a cluster: what they send waits to be delivered, what they save to be stable, and their
 * images are memory. When it goes on is replica_cluster.c's business.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"
#include "replica_cluster_world.h"

static struct cluster_member *member_of(struct replica *replica, struct cluster **cluster, int *index)
{
	struct cluster_process *process = replica_user(replica);

	*cluster = process->cluster;
	*index = process->member;
	return &process->cluster->member[process->member];
}

size_t cluster_under_way(const struct cluster *cluster, int from, int to)
{
	size_t bytes = 0;

	for (const struct cluster_frame *frame = cluster->first; frame; frame = frame->next)
		bytes += frame->from == from && frame->to == to ? frame->size : 0;
	return bytes;
}

static bool world_send(struct replica *replica, int to, enum replica_class class, const void *head, size_t head_size,
		       const void *data, size_t data_size)
{
	struct cluster_frame *frame;
	struct cluster *cluster;
	int from;

	member_of(replica, &cluster, &from);
	if (class == REPLICA_CLASS_BULK && cluster->no_room)
		return false;
	if (class == REPLICA_CLASS_BULK && cluster->bulk && cluster_under_way(cluster, from, to) > cluster->bulk) {
		cluster->nr_refused++;
		cluster->refused[from][to] = true;
		return false;
	}
	frame = malloc(sizeof(*frame));
	assert_non_null(frame);
	if (cluster->full && cluster->full(cluster, from, to, ((const unsigned char *)head)[4])) {
		cluster->refused[from][to] = true;
		free(frame);
		return false;
	}
	cluster->data[((const unsigned char *)head)[4]] += data_size;
	cluster->sent[from][((const unsigned char *)head)[4]]++;
	*frame = (struct cluster_frame){ .from = from, .to = to, .size = head_size + data_size };
	frame->bytes = malloc(frame->size);
	assert_non_null(frame->bytes);
	memcpy(frame->bytes, head, head_size);
	if (data_size)
		memcpy(frame->bytes + head_size, data, data_size);
	if (cluster->last)
		cluster->last->next = frame;
	else
		cluster->first = frame;
	cluster->last = frame;
	return true;
}

/* The other side learns of it when it is its turn: cluster_go() sees that only one side is up. */
static void world_hang_up(struct replica *replica, int member)
{
	struct cluster *cluster;
	int self;

	member_of(replica, &cluster, &self);
	cluster->up[self][member] = false;
}

int cluster_carry_out(struct cluster_member *member, struct io *io)
{
	uint64_t at = io->position;

	if (io->operation == IO_FLUSH) {
		if (!member->io_result)
			memcpy(member->stable_image, member->image, CLUSTER_SIZE);
		return member->io_result;
	}
	if (io->operation == IO_READ ? member->read_result : member->io_result)
		return io->operation == IO_READ ? member->read_result : member->io_result;
	assert_true(at + io->length <= CLUSTER_SIZE);
	if (io->operation == IO_READ)
		memcpy(io->vector[0].iov_base, member->image + at, io->length);
	else if (io->operation == IO_WRITE)
		memcpy(member->image + at, io->vector[0].iov_base, io->length);
	else
		memset(member->image + at, 0, io->length);
	return 0;
}

static enum io_answer world_submit(struct replica *replica, int device, struct io *io)
{
	struct cluster *cluster;
	int self;
	struct cluster_member *member = member_of(replica, &cluster, &self);

	assert_int_equal(device, 0);
	assert_false(member->diskless);
	if (member->io_hangs) {
		assert_true(member->nr_hung < 64);
		member->hung[member->nr_hung++] = io;
		return IO_PENDING;
	}
	io->result = cluster_carry_out(member, io);
	return IO_DONE;
}

static void world_save(struct replica *replica, struct replica_save *save)
{
	struct cluster *cluster;
	int self;
	struct cluster_member *member = member_of(replica, &cluster, &self);

	assert_true(member->nr_saves < 16);
	member->save[member->nr_saves++] = save;
}

static uint64_t world_random(struct replica *replica)
{
	struct cluster *cluster;
	int self;

	member_of(replica, &cluster, &self);
	cluster->random = cluster->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return cluster->random >> 11;
}

static void world_answered(struct replica *replica, struct replica_request *request)
{
	(void)replica;
	((struct cluster_request *)request)->result = request->result;
}

static void world_tell(struct replica *replica, const struct replica_event *event)
{
	static const char *const names[] = {
		"epoch", "serving", "paused", "member", "refused", "disk", "split", "loss"
	};
	struct cluster *cluster;
	int self;

	member_of(replica, &cluster, &self);
	cluster->told[self][event->kind]++;
	if (getenv("REPLICA_TRACE"))
		fprintf(stderr, "%8.3f %c: %s epoch %llu member %d %s\n", (double)cluster->now / 1e9, 'A' + self,
			names[event->kind], (unsigned long long)event->epoch, event->member,
			event->text ? event->text : "");
}

const struct replica_world cluster_world = {
	.send = world_send,
	.hang_up = world_hang_up,
	.submit = world_submit,
	.save = world_save,
	.random = world_random,
	.answered = world_answered,
	.tell = world_tell,
};
