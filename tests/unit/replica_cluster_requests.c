/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of the clients of a cluster, and messages that its members would not send: see replica_cluster.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"

#define MINUTE UINT64_C(60000000000)

void cluster_submit(struct cluster *cluster, int member, struct cluster_request *request)
{
	request->request.data = request->data;
	request->result = 1;
	replica_submit(cluster->member[member].replica, cluster->now, &request->request);
}

int cluster_answer(struct cluster *cluster, struct cluster_request *request)
{
	uint64_t end = cluster->now + MINUTE;

	while (request->result == 1) {
		assert_true(cluster->now < end);
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	}
	return request->result;
}

static int now(struct cluster *cluster, int member, struct cluster_request *request)
{
	cluster_submit(cluster, member, request);
	return cluster_answer(cluster, request);
}

static void fill(struct cluster_request *request, enum entry_kind kind, uint32_t client, uint64_t position,
		 uint64_t length)
{
	assert_true(length <= sizeof(request->data));
	request->request = (struct replica_request){
		.kind = kind,
		.client = client,
		.position = position,
		.length = length,
	};
}

uint32_t cluster_open(struct cluster *cluster, int member)
{
	struct cluster_request request;
	uint32_t client = ++cluster->next_client;

	fill(&request, ENTRY_OPEN, client, 0, 0);
	request.request.shared = true;
	assert_int_equal(now(cluster, member, &request), 0);
	return client;
}

uint32_t cluster_ask_to_open(struct cluster *cluster, int member, struct cluster_request *request, bool shared,
			     bool read_only)
{
	uint32_t client = ++cluster->next_client;

	fill(request, ENTRY_OPEN, client, 0, 0);
	request->request.shared = shared;
	request->request.read_only = read_only;
	cluster_submit(cluster, member, request);
	return client;
}

int cluster_open_again(struct cluster *cluster, int member, uint32_t client, bool shared, bool read_only)
{
	struct cluster_request request;

	fill(&request, ENTRY_OPEN, client, 0, 0);
	request.request.shared = shared;
	request.request.read_only = read_only;
	return now(cluster, member, &request);
}

void cluster_close(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request)
{
	fill(request, ENTRY_CLOSE, client, 0, 0);
	cluster_submit(cluster, member, request);
}

void cluster_write(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request,
		   uint64_t position, uint64_t length, unsigned char byte)
{
	fill(request, ENTRY_WRITE, client, position, length);
	memset(request->data, byte, length);
	cluster_submit(cluster, member, request);
}

void cluster_write_stable(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request,
			  uint64_t position, unsigned char byte)
{
	fill(request, ENTRY_WRITE, client, position, CLUSTER_BLOCK);
	memset(request->data, byte, CLUSTER_BLOCK);
	request->request.stable = true;
	cluster_submit(cluster, member, request);
}

void cluster_read(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request,
		  uint64_t position, uint64_t length)
{
	fill(request, ENTRY_READ, client, position, length);
	cluster_submit(cluster, member, request);
}

void cluster_flush(struct cluster *cluster, int member, uint32_t client, struct cluster_request *request)
{
	fill(request, ENTRY_FLUSH, client, 0, 0);
	cluster_submit(cluster, member, request);
}

int cluster_write_now(struct cluster *cluster, int member, uint32_t client, uint64_t position, unsigned char byte)
{
	struct cluster_request request;

	fill(&request, ENTRY_WRITE, client, position, CLUSTER_BLOCK);
	memset(request.data, byte, CLUSTER_BLOCK);
	return now(cluster, member, &request);
}

int cluster_read_now(struct cluster *cluster, int member, uint32_t client, uint64_t position)
{
	struct cluster_request request;
	int result;

	fill(&request, ENTRY_READ, client, position, CLUSTER_BLOCK);
	result = now(cluster, member, &request);
	return result ? result : request.data[0];
}

int cluster_flush_now(struct cluster *cluster, int member, uint32_t client)
{
	struct cluster_request request;

	fill(&request, ENTRY_FLUSH, client, 0, 0);
	return now(cluster, member, &request);
}

struct message cluster_message(struct cluster *cluster, int from, enum message_type type,
			       unsigned char data[static CLUSTER_BLOCK])
{
	struct replica_configuration configuration = cluster_status(cluster, from).configuration;
	struct message message = {
		.type = type,
		.epoch = configuration.epoch,
		.reign = configuration.reign,
		.number = 1,
		.position = 0,
		.length = CLUSTER_BLOCK,
		.request = 1,
		.lowest = 1,
		.member = (uint32_t)from,
		.ballot = { 1, (uint32_t)from },
		.client = { cluster->member[from].incarnation, 1 },
		.generation = configuration.generation.id,
		.configuration = configuration,
		.accepted = { 1, (uint32_t)from },
	};

	switch (type) {
	case MESSAGE_WRITE:
	case MESSAGE_COPY:
	case MESSAGE_REQUEST:
		message.kind = ENTRY_WRITE;
		message.data_size = CLUSTER_BLOCK;
		break;
	case MESSAGE_REFUSE:
		message.kind = REFUSED_LEASE;
		break;
	case MESSAGE_REPORT:
	case MESSAGE_BITS:
	case MESSAGE_JOIN:
		message_put_range(data, 0, (struct byte_range){ 0, CLUSTER_BLOCK });
		message.data_size = MESSAGE_RANGE_SIZE;
		message.flags = MESSAGE_LAST;
		break;
	default:
		break;
	}
	return message;
}

bool cluster_send(struct cluster *cluster, int from, int to, const struct message *message, const void *data)
{
	unsigned char *frame = malloc(MESSAGE_HEAD_MAX + message->data_size);
	size_t size;

	assert_true(cluster->up[from][to] && cluster->up[to][from]);
	assert_non_null(frame);
	size = message_encode(message, data, frame);
	if (message->data_size)
		memcpy(frame + size, data, message->data_size);
	return replica_frame(cluster->member[to].replica, cluster->now, from, frame, size + message->data_size);
}
