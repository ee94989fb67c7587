/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers; see reply.h.
 */
#include "reply.h"

#include "client_memory.h"
#include "dvk.h"
#include "log.h"

int reply_status(const message *request, int status)
{
	message reply = { .m_type = MOLTASK_REPLY };
	int code;

	reply.REP_ENDPT = request->IO_ENDPT;
	reply.REP_STATUS = status;
	code = dvk_reply(request->m_source, &reply);
	/* Clients may die, or send what they did not wait for: neither is the server's trouble. */
	if (code)
		log_debug("cannot answer endpoint %d: %s", request->m_source, dvk_strerror(code));
	return code;
}

int reply_result(const struct client *client, uint64_t address, int64_t result)
{
	return client_memory_write(&client->memory, address + offsetof(struct rdisk_request, result), &result,
				   sizeof(result));
}

void reply_set_result(struct client *client, uint64_t address, int64_t result)
{
	int code = reply_result(client, address, result);

	if (code)
		client->status = code;
}

void reply_batch_if_done(struct client *client)
{
	if (!client->open || client->elements > 0 || client->collects || client->deferred)
		return;
	client->open = false;
	client->in_batch = false;
	if (!reply_status(&client->message, client->status) && client->status >= 0) {
		client->first_result = (client->first_result + client->told) % RDISK_SUSPENDED_MAX;
		client->nr_results -= client->told;
		client->nr_suspended -= client->told;
	}
	client->told = 0;
}
