/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fake_dvk.h. */
#include "fake_dvk.h"

#include <stdlib.h>
#include <string.h>

struct fake_dvk fake_dvk;

int dvk_peer_incarnation(int endpoint)
{
	int incarnation = fake_dvk.incarnations[dvk_endpoint_slot(endpoint)];

	return incarnation ? incarnation : EDVSNOTBIND;
}

int dvk_getprocinfo(int dcid, int p_nr, proc_usr_t *proc)
{
	int incarnation = fake_dvk.incarnations[p_nr + NR_TASKS];

	(void)dcid;
	*proc = (proc_usr_t){ .p_nr = p_nr, .p_lpid = incarnation };
	if (!incarnation && !fake_dvk.node_lags)
		proc->p_rts_flags = SLOT_FREE;
	return 0;
}

/* Whether a process can be copied from and to: 0 or why not. */
static int reach(int endpoint)
{
	if (dvk_peer_incarnation(endpoint) < 0)
		return EDVSNOTBIND;
	return fake_dvk.away[dvk_endpoint_slot(endpoint)] ? EDVSPROCSTS : 0;
}

int dvk_granted(int endpoint, uint64_t address, uint64_t bytes, void **local, bool *sealed)
{
	uint64_t start = (uintptr_t)fake_dvk.granted;

	int code = reach(endpoint);

	if (code)
		return code;
	if (!fake_dvk.granted || address < start || bytes > fake_dvk.granted_bytes ||
	    address - start > fake_dvk.granted_bytes - bytes)
		return EDVSFAULT;
	*local = (void *)(uintptr_t)address;
	*sealed = fake_dvk.sealed;
	return 0;
}

int dvk_pin(int endpoint, const struct dvk_range *ranges, int count, struct dvk_pin *pin)
{
	for (int i = 0; i < count; i++) {
		void *local;
		bool sealed;
		int code = dvk_granted(endpoint, ranges[i].address, ranges[i].bytes, &local, &sealed);

		if (code)
			return code;
	}
	*pin = (struct dvk_pin){ .sealed = fake_dvk.sealed };
	fake_dvk.pins++;
	return 0;
}

void dvk_unpin(const struct dvk_pin *pin)
{
	(void)pin;
	fake_dvk.pins--;
}

void dvk_interrupt(void)
{
}

long dvk_vcopy(int source, const void *source_address, int destination, void *destination_address, long bytes)
{
	int code = 0;

	fake_dvk.copies++;
	if (fake_dvk.copy_error)
		return fake_dvk.copy_error;
	if (source == destination)
		return EDVSENDPOINT;
	if (source != SELF)
		code = reach(source);
	if (!code && destination != SELF)
		code = reach(destination);
	if (code)
		return code;
	if (bytes < 0 || bytes > MAXCOPYLEN)
		return EDVSRANGE;
	/* Like the original, a client's low addresses are not mapped. */
	if ((uintptr_t)source_address < 4096 || (uintptr_t)destination_address < 4096)
		return EDVSFAULT;
	memcpy(destination_address, source_address, (size_t)bytes);
	if (fake_dvk.copied)
		fake_dvk.copied();
	return bytes;
}

int dvk_receive_T(int source, message *msg, long timeout_ms)
{
	(void)source;
	(void)timeout_ms;
	if (fake_dvk.inbox_length == 0) {
		int code = fake_dvk.inbox_is_empty ? fake_dvk.inbox_is_empty() : fake_dvk.receive_error;

		if (fake_dvk.inbox_length == 0)
			return code;
	}
	fake_dvk.notified = fake_dvk.inbox == fake_dvk.notification;
	*msg = *fake_dvk.inbox++;
	fake_dvk.inbox_length--;
	return 0;
}

bool dvk_notified(void)
{
	return fake_dvk.notified;
}

int dvk_reply_T(int endpoint, const message *msg, long timeout_ms)
{
	int code = reach(endpoint);

	(void)timeout_ms;
	if (code)
		return code;
	if (fake_dvk.nr_replies == FAKE_REPLIES_MAX)
		abort();
	fake_dvk.reply_to[fake_dvk.nr_replies] = endpoint;
	fake_dvk.replies[fake_dvk.nr_replies++] = *msg;
	return 0;
}
