/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A little disk server over memory that can be told to be wrong in one way: to
 * see that blocktest notices. With nothing broken it passes the suite, which also shows that
 * the suite demands nothing that only rdisk does. It trusts its clients' numbers no more than rdisk
 * does, but serves one client well and has no other virtue.
 *
 *   broken_server DCID ENDPOINT WAY       WAY: "none" or a name of the table below
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dvk.h"
#include "dvk_node.h"
#include "rdisk_protocol.h"

#define DISK_SIZE  262144
#define NR_CLIENTS NR_SLOTS

/* Ways to be wrong. Each shows in requests of at least BREAK_SIZE bytes or at the given type. */
enum way {
	WAY_NONE,
	WAY_DEATH,     /* dies when it is asked to flush */
	WAY_MUTE,      /* never answers a flush */
	WAY_TYPE,      /* answers a flush with a wrong type */
	WAY_ID,	       /* answers a flush for another endpoint */
	WAY_STATUS,    /* takes a negative position for 0 */
	WAY_FAIL,      /* refuses to flush */
	WAY_SHORT,     /* moves one byte less than it should */
	WAY_LONG,      /* reports one byte more than it moved */
	WAY_OVERFLOW,  /* writes a byte behind the client's buffer */
	WAY_CORRUPT,   /* flips a bit of what it reads */
	WAY_MISSING,   /* forgets the last bytes of a read */
	WAY_STUCK,     /* forgets writes */
	WAY_WRAP,      /* loses the upper bits of positions */
	WAY_VECTOR,    /* does not update vectors */
	WAY_BATCH,     /* leaves out the last request of a batch */
	WAY_NEIGHBOUR, /* zeroes one byte too many */
	WAY_OPEN,      /* does not count opens */
	NR_WAYS,
};

static const char *const way_names[NR_WAYS] = {
	"none",	    "death",   "mute",	  "type",  "id",   "status", "fail",  "short",	   "long",
	"overflow", "corrupt", "missing", "stuck", "wrap", "vector", "batch", "neighbour", "open",
};

#define BREAK_SIZE 4096

static unsigned char disk[DISK_SIZE];
static int opens[NR_CLIENTS];
static bool writes[NR_CLIENTS];
static enum way way;

static int copy_in(int endpoint, uint64_t address, void *to, uint64_t bytes)
{
	long copied = bytes ? dvk_vcopy(endpoint, (void *)(uintptr_t)address, SELF, to, (long)bytes) : 0;

	return copied < 0 ? (int)copied : 0;
}

static int copy_out(int endpoint, const void *from, uint64_t address, uint64_t bytes)
{
	long copied = bytes ? dvk_vcopy(SELF, from, endpoint, (void *)(uintptr_t)address, (long)bytes) : 0;

	return copied < 0 ? (int)copied : 0;
}

static int access_error(const message *request, bool write)
{
	int slot = dvk_endpoint_slot(request->m_source);

	if (!opens[slot])
		return EDVSNXIO;
	return write && !writes[slot] ? EDVSBADOWNER : 0;
}

/* ---- moving data ---- */

static int read_element(int client, uint64_t position, uint64_t address, uint64_t bytes)
{
	static unsigned char copy[DISK_SIZE + 1];

	memcpy(copy, disk + position, bytes);
	copy[bytes] = 0;
	if (bytes >= BREAK_SIZE && way == WAY_CORRUPT)
		copy[bytes / 2] ^= 4;
	if (bytes >= BREAK_SIZE && way == WAY_OVERFLOW)
		bytes++;
	if (bytes >= BREAK_SIZE && way == WAY_MISSING)
		bytes -= 100;
	return copy_out(client, copy, address, bytes);
}

static int write_element(int client, uint64_t position, uint64_t address, uint64_t bytes)
{
	static unsigned char copy[DISK_SIZE];
	int code = copy_in(client, address, copy, bytes);

	if (!code && !(bytes >= BREAK_SIZE && way == WAY_STUCK))
		memcpy(disk + position, copy, bytes);
	return code;
}

/* Moves the elements, cut at the end of the device. Bytes or a code. */
static int64_t move(int client, const struct rdisk_iovec *vector, uint32_t elements, uint64_t position, bool write)
{
	uint64_t total = 0, moved = 0;

	if (way == WAY_WRAP)
		position %= DISK_SIZE;
	for (uint32_t i = 0; i < elements; i++)
		if (__builtin_add_overflow(total, vector[i].iov_size, &total))
			return EDVSINVAL;
	if (total > INT32_MAX)
		return EDVSINVAL;
	if (position >= DISK_SIZE)
		return 0;
	if (total > DISK_SIZE - position)
		total = DISK_SIZE - position;
	if (total >= BREAK_SIZE && way == WAY_SHORT)
		total--;
	for (uint32_t i = 0; moved < total; i++) {
		uint64_t bytes = vector[i].iov_size < total - moved ? vector[i].iov_size : total - moved;
		int code = write ? write_element(client, position + moved, vector[i].iov_addr, bytes)
				 : read_element(client, position + moved, vector[i].iov_addr, bytes);

		if (code)
			return code;
		moved += bytes;
	}
	return (int64_t)moved + (total >= BREAK_SIZE && way == WAY_LONG);
}

static int64_t zero_range(uint64_t position, uint64_t length)
{
	uint64_t end;

	if (__builtin_add_overflow(position, length, &end) || end > DISK_SIZE)
		return EDVSINVAL;
	memset(disk + position, 0, length + (way == WAY_NEIGHBOUR && end < DISK_SIZE));
	return 0;
}

/* ---- requests ---- */

static int do_transfer(const message *request, bool write)
{
	struct rdisk_iovec element = { (uint64_t)(uintptr_t)request->ADDRESS, (uint64_t)request->COUNT };
	uint64_t position = (uint64_t)request->POSITION;
	int code = access_error(request, write);

	if (code)
		return code;
	if (request->COUNT < 0 || (request->POSITION < 0 && way != WAY_STATUS))
		return EDVSINVAL;
	return (int)move(request->m_source, &element, 1, request->POSITION < 0 ? 0 : position, write);
}

static int do_vector(const message *request, bool write)
{
	struct rdisk_iovec vector[RDISK_VECTOR_MAX];
	uint64_t address = (uint64_t)(uintptr_t)request->ADDRESS;
	int code = access_error(request, write);
	uint64_t left;
	int moved;

	if (code)
		return code;
	if (request->COUNT < 1 || request->POSITION < 0)
		return EDVSINVAL;
	if (request->COUNT > RDISK_VECTOR_MAX)
		return EDVS2BIG;
	code = copy_in(request->m_source, address, vector, (uint64_t)request->COUNT * sizeof(vector[0]));
	if (code)
		return code;
	moved = (int)move(request->m_source, vector, (uint32_t)request->COUNT, (uint64_t)request->POSITION, write);
	if (moved <= 0 || way == WAY_VECTOR)
		return moved;
	left = (uint64_t)moved;
	for (int i = 0; i < request->COUNT; i++) {
		uint64_t bytes = vector[i].iov_size < left ? vector[i].iov_size : left;

		vector[i].iov_addr += bytes;
		vector[i].iov_size -= bytes;
		left -= bytes;
	}
	code = copy_out(request->m_source, vector, address, (uint64_t)request->COUNT * sizeof(vector[0]));
	return code ? code : moved;
}

static int64_t do_batched(int client, const struct rdisk_request *request)
{
	struct rdisk_iovec vector[RDISK_VECTOR_MAX];
	uint64_t sum = 0;
	int code;

	if (request->minor != 0)
		return EDVSNXIO;
	if (request->position > INT64_MAX)
		return EDVSINVAL;
	switch (request->operation) {
	case RDISK_OP_FLUSH:
		return 0;
	case RDISK_OP_DISCARD:
	case RDISK_OP_WRITE_ZEROES:
		return zero_range(request->position, request->length);
	case RDISK_OP_READ:
	case RDISK_OP_WRITE:
		break;
	default:
		return EDVSBADREQUEST;
	}
	if (request->nr_segments < 1)
		return EDVSINVAL;
	if (request->nr_segments > RDISK_VECTOR_MAX)
		return EDVS2BIG;
	code = copy_in(client, request->vector, vector, request->nr_segments * sizeof(vector[0]));
	for (uint32_t i = 0; !code && i < request->nr_segments; i++)
		if (__builtin_add_overflow(sum, vector[i].iov_size, &sum))
			code = EDVSINVAL;
	if (code || sum != request->length)
		return code ? code : EDVSINVAL;
	return move(client, vector, request->nr_segments, request->position, request->operation == RDISK_OP_WRITE);
}

static int do_batch(const message *request)
{
	struct rdisk_request batch[RDISK_BATCH_MAX];
	uint64_t address = (uint64_t)(uintptr_t)request->ADDRESS;
	int code = access_error(request, false);
	int done;

	if (code)
		return code;
	if (request->COUNT < 1)
		return EDVSINVAL;
	if (request->COUNT > RDISK_BATCH_MAX)
		return EDVS2BIG;
	code = copy_in(request->m_source, address, batch, (uint64_t)request->COUNT * sizeof(batch[0]));
	if (code)
		return code;
	done = request->COUNT - (way == WAY_BATCH && request->COUNT > 1);
	for (int i = 0; i < done; i++)
		batch[i].result = do_batched(request->m_source, &batch[i]);
	code = copy_out(request->m_source, batch, address, (uint64_t)request->COUNT * sizeof(batch[0]));
	return code ? code : request->COUNT;
}

static int do_ioctl(const message *request)
{
	const struct rdisk_partition partition = {
		.size = DISK_SIZE, .heads = 2, .sectors = 32, .cylinders = DISK_SIZE / 32768
	};
	const struct rdisk_info info = { .size_of = sizeof(info),
					 .flags = RDISK_INFO_SHARED,
					 .nr_minors = 1,
					 .size = DISK_SIZE,
					 .logical_block = 512,
					 .physical_block = 512,
					 .max_segments = RDISK_VECTOR_MAX,
					 .max_batch = RDISK_BATCH_MAX,
					 .max_transfer = INT32_MAX,
					 .name = "BROKEN" };
	uint64_t address = (uint64_t)(uintptr_t)request->ADDRESS;

	if (request->REQUEST == DIOCGETP)
		return copy_out(request->m_source, &partition, address, sizeof(partition));
	if (request->REQUEST == RDISK_IOC_INFO)
		return copy_out(request->m_source, &info, address, sizeof(info));
	return EDVSNOTTY;
}

static int do_open(const message *request)
{
	int slot = dvk_endpoint_slot(request->m_source);

	if (request->COUNT & ~(RDISK_OPEN_READ | RDISK_OPEN_WRITE))
		return EDVSINVAL;
	opens[slot] = way == WAY_OPEN ? 1 : opens[slot] + 1;
	writes[slot] |= !request->COUNT || (request->COUNT & RDISK_OPEN_WRITE);
	return 0;
}

static int do_close(const message *request)
{
	int slot = dvk_endpoint_slot(request->m_source);

	if (!opens[slot])
		return EDVSNXIO;
	if (!--opens[slot])
		writes[slot] = false;
	return 0;
}

static int do_range(const message *request)
{
	int code = access_error(request, true);

	if (code)
		return code;
	if (request->POSITION < 0 || request->LENGTH < 0)
		return EDVSINVAL;
	return (int)zero_range((uint64_t)request->POSITION, (uint64_t)request->LENGTH);
}

static int do_request(const message *request)
{
	bool has_minor = request->m_type != DEV_BATCH && request->m_type >= CANCEL && request->m_type < DEV_BATCH;

	if (request->IO_ENDPT != request->m_source)
		return EDVSPERM;
	if (has_minor && request->DEVICE != 0)
		return EDVSNXIO;
	switch (request->m_type) {
	case DEV_OPEN:
		return do_open(request);
	case DEV_CLOSE:
		return do_close(request);
	case DEV_READ:
		return do_transfer(request, false);
	case DEV_WRITE:
	case DEV_WRITE_FUA:
		return do_transfer(request, true);
	case DEV_GATHER:
		return do_vector(request, false);
	case DEV_SCATTER:
	case DEV_SCATTER_FUA:
		return do_vector(request, true);
	case DEV_IOCTL:
		return do_ioctl(request);
	case DEV_FLUSH:
		return access_error(request, false);
	case DEV_DISCARD:
	case DEV_WRITE_ZEROES:
		return do_range(request);
	case DEV_BATCH:
		return do_batch(request);
	case CANCEL:
		return 0;
	default:
		return EDVSBADREQUEST;
	}
}

/* Answers, unless it is broken so that it does not. */
static void answer(const message *request, int status)
{
	message reply = { .m_type = MOLTASK_REPLY };
	bool flush = request->m_type == DEV_FLUSH && !status;

	reply.REP_ENDPT = request->IO_ENDPT;
	reply.REP_STATUS = status;
	if (flush && way == WAY_DEATH)
		(void)raise(SIGKILL);
	if (flush && way == WAY_MUTE)
		return;
	if (flush && way == WAY_TYPE)
		reply.m_type++;
	if (flush && way == WAY_ID)
		reply.REP_ENDPT++;
	if (flush && way == WAY_FAIL)
		reply.REP_STATUS = EDVSIO;
	(void)dvk_reply(request->m_source, &reply);
}

static int start(int dcid, int endpoint)
{
	const dc_usr_t container = { .dc_dcid = dcid,
				     .dc_nr_procs = NR_PROCS,
				     .dc_nr_tasks = DC_TASKS_DEFAULT,
				     .dc_nr_sysprocs = NR_SYS_PROCS,
				     .dc_nr_nodes = NR_NODES,
				     .dc_warn2proc = NONE };
	char cause[DVK_NODE_CAUSE_SIZE];
	int hold = -1;
	int code = dvk_node_ensure(&hold, cause, sizeof(cause));

	if (code) {
		fprintf(stderr, "broken_server: %s\n", cause);
		return -1;
	}
	code = dvk_open();
	if (hold >= 0)
		(void)close(hold);
	if (!code)
		code = dvk_dc_init(&container);
	if (code >= 0 || code == EDVSDCRUN)
		code = dvk_bind(dcid, endpoint);
	if (code == endpoint)
		return 0;
	fprintf(stderr, "broken_server: %s\n", dvk_strerror(code));
	return -1;
}

int main(int argc, char **argv)
{
	int found = NR_WAYS;

	for (int i = 0; argc == 4 && i < NR_WAYS; i++)
		if (!strcmp(argv[3], way_names[i]))
			found = i;
	if (found == NR_WAYS) {
		fprintf(stderr, "usage: broken_server DCID ENDPOINT WAY\n");
		return 2;
	}
	way = (enum way)found;
	if (start(atoi(argv[1]), atoi(argv[2])))
		return 1;
	fprintf(stderr, "broken_server: ready\n");
	for (;;) {
		message request;
		int code = dvk_receive(ANY, &request);

		if (code) {
			fprintf(stderr, "broken_server: %s\n", dvk_strerror(code));
			return 1;
		}
		answer(&request, do_request(&request));
	}
}
