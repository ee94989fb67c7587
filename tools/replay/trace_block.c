/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events of the block layer; see trace_block.h.
 */
#include "trace_block.h"

#include <string.h>

bool block_parse_rwbs(const char *rwbs, struct block_request *request)
{
	*request = (struct block_request){ .kind = TRACE_READ };
	if (*rwbs == 'F') {
		request->flush = true;
		rwbs++;
	}
	switch (*rwbs) {
	case 'R':
		request->data = true;
		break;
	case 'W':
		request->data = true;
		request->kind = rwbs[1] == 'Z' ? TRACE_WRITE_ZEROES : TRACE_WRITE;
		rwbs += request->kind == TRACE_WRITE_ZEROES;
		break;
	case 'D':
		request->data = true;
		request->kind = TRACE_DISCARD;
		rwbs += rwbs[1] == 'E'; /* a secure erase: the disk here has none but this */
		break;
	case 'Z':
		request->unknown = true;
		break;
	case 'F':
		request->flush = true;
		break;
	case 'N':
		break;
	default:
		return false;
	}
	for (rwbs++; *rwbs; rwbs++) {
		if (*rwbs < 'A' || *rwbs > 'Z')
			return false;
		request->fua |= *rwbs == 'F' && request->data;
	}
	return true;
}

static int to_operation(const struct block_event *event, struct trace_operation *operation, struct diagnostic *cause)
{
	*operation = (struct trace_operation){
		.time_ns = event->time_ns,
		.latency_ns = TRACE_NO_LATENCY,
		.length = event->bytes,
		.device = event->device,
		.kind = event->request.kind,
		.flags = event->request.fua ? TRACE_FUA : 0,
	};
	if (__builtin_mul_overflow(event->sector, BLOCK_SECTOR, &operation->position))
		return diagnostic_set(cause, "sector %llu is too large", (unsigned long long)event->sector);
	return 0;
}

int block_push(struct trace_reader *reader, struct block_counts *counts, enum trace_event which,
	       const struct block_event *event, struct diagnostic *cause)
{
	struct trace_operation operation;

	if (which == TRACE_QUEUED)
		counts->queued++;
	else
		counts->issued++;
	if (which != reader->options.event)
		return 0;
	if (event->request.unknown) {
		reader->left_out++;
		return 0;
	}
	if (event->request.flush) {
		operation = (struct trace_operation){ .time_ns = event->time_ns,
						      .latency_ns = TRACE_NO_LATENCY,
						      .device = event->device,
						      .kind = TRACE_FLUSH };
		if (trace_push(reader, &operation, cause))
			return -1;
	}
	if (!event->request.data || event->bytes == 0)
		return 0;
	if (to_operation(event, &operation, cause))
		return -1;
	return trace_push(reader, &operation, cause);
}

void block_complete(struct trace_reader *reader, const struct block_event *event)
{
	struct trace_operation operation;
	struct diagnostic cause = { 0 }; /* a place that does not exist was told with its request */

	if (event->request.data && event->bytes > 0) {
		/* of a preflush with data only the data: the flush is a request of its own when it is carried out */
		if (to_operation(event, &operation, &cause) == 0)
			trace_complete(reader, event->time_ns, &operation);
	} else if (event->request.flush) {
		operation = (struct trace_operation){ .device = event->device, .kind = TRACE_FLUSH };
		trace_complete(reader, event->time_ns, &operation);
	}
}

int block_finish(struct trace_reader *reader, const struct block_counts *counts, struct diagnostic *diagnostic)
{
	bool queued = reader->options.event == TRACE_QUEUED;
	uint64_t wanted = queued ? counts->queued : counts->issued;
	uint64_t other = queued ? counts->issued : counts->queued;

	if (wanted > 0 || other == 0)
		return 0;
	return diagnostic_set(diagnostic, "%s: has no %s requests, but %llu %s: ask for those", reader->path,
			      queued ? "queued (Q)" : "issued (D)", (unsigned long long)other,
			      queued ? "issued (D)" : "queued (Q)");
}
