/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debug log of the original rdisk. Of all its lines these two are operations, a request (type 1027 reads, 1028
 * writes) as the driver in the guest sends it, and as the server receives it:
 *
 *   DEBUG rdisk_rw:857: source=4 type=1027 m2i1=MINOR m2i2=30 m2i3=BYTES m2l1=OFFSET m2l2=0 m2p1=ADDRESS
 *   RECEIVE: m_source=30, m_type=1027, DEVICE=MINOR, IO_ENDPT=30, POSITION=OFFSET, COUNT=BYTES, ADDRESS:ADDRESS, ...
 *
 * The driver's OFFSET is decimal, the server's hexadecimal. A log that has both sides' lines has each operation
 * twice: one of either side that is the same as an earlier one of the other side (device, type, place, length,
 * address), among the last ones, is that. Other lines of the driver (rd_prepare_request, rd_thread, do_rdisk) repeat
 * the request too and are read over. The log has no times: all operations are at time 0, in their order.
 */
#include <string.h>

#include "rdisk_protocol.h"
#include "trace_internal.h"
#include "trace_parse.h"

#define DRIVER_MARK  "rdisk_rw:"
#define SERVER_MARK  "RECEIVE: m_source="
#define REMEMBERED   1024 /* requests whose other side may still come */
#define NUMBER_BYTES 24

enum side { DRIVER, SERVER };

struct request {
	uint64_t type;
	uint64_t minor;
	uint64_t position;
	uint64_t length;
	uint64_t address;
};

struct remembered {
	struct request request;
	enum side side;
	bool unmatched;
};

struct state {
	struct remembered ring[REMEMBERED];
	unsigned int next;
};

/* How the two sides write a request. */
static const struct form {
	const char *type;
	const char *minor;
	const char *position;
	const char *length;
	const char *address;
	unsigned int position_base;
} forms[] = {
	[DRIVER] = { " type=", " m2i1=", " m2l1=", " m2i3=", " m2p1=", 10 },
	[SERVER] = { " m_type=", " DEVICE=", " POSITION=", " COUNT=", " ADDRESS:", 16 },
};

static const char *find_request(const char *line, enum side *side)
{
	const char *found = strstr(line, SERVER_MARK);

	*side = found ? SERVER : DRIVER;
	return found ? found : strstr(line, DRIVER_MARK);
}

static bool recognizes_line(char *line)
{
	static const char *const others[] = { "DEBUG rd_", "DEBUG do_rdisk:", "driver.c:driver_task:" };
	enum side side;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strncmp(line, others[i], strlen(others[i])) == 0)
			return true;
	}
	return find_request(line, &side) != NULL;
}

/* The number behind a name, which ends at a blank, a comma or the end. 0; or -1 and *cause. */
static int get_number(const char *text, const char *name, unsigned int base, uint64_t *number, struct diagnostic *cause)
{
	const char *found = strstr(text, name);
	char digits[NUMBER_BYTES] = "";
	size_t length;

	if (!found)
		return diagnostic_set(cause, "a request without%s", name);
	found += strlen(name);
	length = strcspn(found, " ,");
	if (length < sizeof(digits))
		memcpy(digits, found, length);
	if (!parse_number_base(digits, base, number))
		return diagnostic_set(cause, "%s\"%.*s\" is not a number", name + 1, length < 40 ? (int)length : 40,
				      found);
	return 0;
}

/* Only used to tell requests apart: what is not a number is none ("(nil)", and lines that ran into one another). */
static uint64_t get_address(const char *text, const char *name)
{
	struct diagnostic unused = { 0 };
	uint64_t address = 0;

	return get_number(text, name, 16, &address, &unused) ? 0 : address;
}

/* Whether the other side has logged the request; if not, it may be going to. */
static bool is_repeated(struct state *state, enum side side, const struct request *request)
{
	for (unsigned int i = 0; i < REMEMBERED; i++) {
		/* the oldest first */
		struct remembered *other = &state->ring[(state->next + i) % REMEMBERED];

		if (other->unmatched && other->side != side &&
		    memcmp(&other->request, request, sizeof(*request)) == 0) {
			other->unmatched = false;
			return true;
		}
	}
	state->ring[state->next] = (struct remembered){ *request, side, true };
	state->next = (state->next + 1) % REMEMBERED;
	return false;
}

static int parse_line(struct trace_reader *reader, char *line, struct diagnostic *cause)
{
	struct trace_operation operation = { .latency_ns = TRACE_NO_LATENCY };
	struct request request = { 0 };
	enum side side;
	const char *text = find_request(line, &side);
	const struct form *form = &forms[side];

	if (!text)
		return 0;
	if (get_number(text, form->type, 10, &request.type, cause))
		return -1;
	if (request.type == DEV_SCATTER || request.type == DEV_GATHER)
		return diagnostic_set(cause, "a request with a vector: the log does not tell its length");
	if (request.type != DEV_READ && request.type != DEV_WRITE)
		return 0;
	if (get_number(text, form->minor, 10, &request.minor, cause) ||
	    get_number(text, form->position, form->position_base, &request.position, cause) ||
	    get_number(text, form->length, 10, &request.length, cause))
		return -1;
	request.address = get_address(text, form->address);
	if (request.minor > UINT32_MAX)
		return diagnostic_set(cause, "minor %llu is too large", (unsigned long long)request.minor);
	if (is_repeated(reader->state, side, &request))
		return 0;
	operation.kind = request.type == DEV_READ ? TRACE_READ : TRACE_WRITE;
	operation.device = (uint32_t)request.minor;
	operation.position = request.position;
	operation.length = request.length;
	return trace_push(reader, &operation, cause);
}

/* As the server logs a request. */
static int write_operation(struct trace_writer *writer, const struct trace_operation *operation)
{
	return trace_print(writer,
			   "RECEIVE: m_source=30, m_type=%d, DEVICE=%u, IO_ENDPT=30, POSITION=%llX, COUNT=%llu, "
			   "ADDRESS:0, compress(m2_l2):0\n",
			   operation->kind == TRACE_READ ? DEV_READ : DEV_WRITE, operation->device,
			   (unsigned long long)operation->position, (unsigned long long)operation->length);
}

const struct trace_format trace_format_original = {
	.name = "original",
	.description = "the debug log of the original rdisk, driver's and server's; reads and writes, no times",
	.recognizes_line = recognizes_line,
	.reader_state = sizeof(struct state),
	.line = parse_line,
	.has_other_text = true,
	.kinds = TRACE_KIND_BIT(TRACE_READ) | TRACE_KIND_BIT(TRACE_WRITE),
	.unit = 1,
	.write = write_operation,
};
