/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages as records; see record.h. Of a vector only the sum of what was moved is known when it is finished, and that
 * is its length in the recording.
 */
#include "record.h"

bool record_describe(const message *request, int status, struct recording_request *described)
{
	described->client = request->m_source;
	described->minor = request->DEVICE;
	described->result = status;
	described->position = (uint64_t)request->POSITION;
	switch (request->m_type) {
	case DEV_READ:
		described->operation = RDISK_OP_READ;
		described->length = (uint64_t)request->COUNT;
		return true;
	case DEV_WRITE:
	case DEV_WRITE_FUA:
		described->operation = RDISK_OP_WRITE;
		described->stable = request->m_type == DEV_WRITE_FUA;
		described->length = (uint64_t)request->COUNT;
		return true;
	case DEV_GATHER:
		described->operation = RDISK_OP_READ;
		described->length = status > 0 ? (uint64_t)status : 0;
		return true;
	case DEV_SCATTER:
	case DEV_SCATTER_FUA:
		described->operation = RDISK_OP_WRITE;
		described->stable = request->m_type == DEV_SCATTER_FUA;
		described->length = status > 0 ? (uint64_t)status : 0;
		return true;
	case DEV_FLUSH:
		described->operation = RDISK_OP_FLUSH;
		described->position = 0;
		return true;
	case DEV_DISCARD:
	case DEV_WRITE_ZEROES:
		described->operation = request->m_type == DEV_DISCARD ? RDISK_OP_DISCARD : RDISK_OP_WRITE_ZEROES;
		described->length = (uint64_t)request->LENGTH;
		return true;
	default:
		return false;
	}
}
