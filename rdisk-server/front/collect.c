/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The results that a client collects; see collect.h.
 */
#include "collect.h"

#include <assert.h>

#include "client_memory.h"
#include "dvk_errno.h"
#include "reply.h"

void collect_add(struct client *client, uint64_t cookie, int64_t result)
{
	unsigned int at = (client->first_result + client->nr_results) % RDISK_SUSPENDED_MAX;

	assert(client->nr_results < client->nr_suspended && client->nr_suspended <= RDISK_SUSPENDED_MAX);
	client->results[at] = (struct rdisk_completion){ .cookie = cookie, .result = result };
	client->nr_results++;
}

void collect_closed(struct server *server, struct client *client, const struct request_disk *disk)
{
	struct front_request *next;

	for (struct front_request *request = client->requests; request; request = next) {
		next = request->next;
		if (request->request.disk != disk)
			continue;
		assert(request->kind == ANSWER_COLLECTED);
		client_abandon(server, request);
		collect_add(client, request->cookie, EDVSNXIO);
	}
}

int collect_check(const struct rdisk_request *collect)
{
	if (collect->flags & ~RDISK_REQUEST_WAIT || collect->minor || collect->position || collect->length ||
	    collect->reserved || collect->nr_segments < 1)
		return EDVSINVAL;
	return collect->nr_segments > RDISK_BATCH_MAX ? EDVS2BIG : 0;
}

int64_t collect_store(struct client *client, const struct rdisk_request *collect)
{
	const struct memory_owner owner = { client->message.m_source, client->incarnation };

	client->told = 0;
	while (client->told < client->nr_results && client->told < collect->nr_segments) {
		unsigned int at = (client->first_result + client->told) % RDISK_SUSPENDED_MAX;
		const struct rdisk_completion *completion = &client->results[at];
		int code = client_memory_write(&owner, collect->vector + client->told * sizeof(*completion), completion,
					       sizeof(*completion));

		if (code)
			return client->told > 0 ? (int64_t)client->told : code;
		client->told++;
	}
	return client->told;
}

void collect_resume(struct client *client)
{
	int64_t result = collect_store(client, &client->collect);

	if (!result)
		return;
	client->collects = false;
	reply_set_result(client, client->collect_address, result);
	reply_batch_if_done(client);
}

void collect_end(struct client *client)
{
	client->collects = false;
	reply_set_result(client, client->collect_address, 0);
	reply_batch_if_done(client);
}
