/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol as a table: which fields, flags, kinds and data each type of message has; and what makes frames of
 * messages, and messages of frames, by it. What a message is for says message.h.
 */
#include "message.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include <xxhash.h>

#include "encoding.h"
#include "little_endian.h"

/* In this order they are in a frame. */
enum message_field {
	FIELD_FLAGS,
	FIELD_KIND,
	FIELD_MEMBER,
	FIELD_DEVICE,
	FIELD_RESULT,
	FIELD_EPOCH,
	FIELD_REIGN,
	FIELD_BALLOT,
	FIELD_ACCEPTED,
	FIELD_NUMBER,
	FIELD_POSITION,
	FIELD_LENGTH,
	FIELD_CLIENT,
	FIELD_GENERATION,
	FIELD_REQUEST,
	FIELD_LOWEST,
	FIELD_COMPLETE,
	FIELD_FLUSHED,
	FIELD_WAIT,
	FIELD_PROCESS,
	FIELD_SET,
	FIELD_DIGEST,
	FIELD_SEEN,
	FIELD_OLDEST,
	FIELD_NEWEST,
	FIELD_FEATURES,
	FIELD_SETTINGS,
	FIELD_SEED,
	FIELD_CONFIGURATION,
	FIELDS,
};

enum message_codec {
	CODEC_U32,
	CODEC_U64,
	CODEC_BALLOT,	/* counter u32, member u32 */
	CODEC_CLIENT,	/* forwarder u64, client u32 */
	CODEC_PROCESS,	/* incarnation u64, boot u64 */
	CODEC_SET,	/* 16 bytes */
	CODEC_SETTINGS, /* 5 times u32 */
	CODEC_CONFIGURATION,
};

static const struct {
	uint16_t offset; /* in struct message */
	uint16_t width;	 /* bytes of the frame */
	enum message_codec codec;
} fields[FIELDS] = {
	[FIELD_FLAGS] = { offsetof(struct message, flags), 4, CODEC_U32 },
	[FIELD_KIND] = { offsetof(struct message, kind), 4, CODEC_U32 },
	[FIELD_MEMBER] = { offsetof(struct message, member), 4, CODEC_U32 },
	[FIELD_DEVICE] = { offsetof(struct message, device), 4, CODEC_U32 },
	[FIELD_RESULT] = { offsetof(struct message, result), 4, CODEC_U32 },
	[FIELD_EPOCH] = { offsetof(struct message, epoch), 8, CODEC_U64 },
	[FIELD_REIGN] = { offsetof(struct message, reign), 8, CODEC_U64 },
	[FIELD_BALLOT] = { offsetof(struct message, ballot), 8, CODEC_BALLOT },
	[FIELD_ACCEPTED] = { offsetof(struct message, accepted), 8, CODEC_BALLOT },
	[FIELD_NUMBER] = { offsetof(struct message, number), 8, CODEC_U64 },
	[FIELD_POSITION] = { offsetof(struct message, position), 8, CODEC_U64 },
	[FIELD_LENGTH] = { offsetof(struct message, length), 8, CODEC_U64 },
	[FIELD_CLIENT] = { offsetof(struct message, client), 12, CODEC_CLIENT },
	[FIELD_GENERATION] = { offsetof(struct message, generation), 8, CODEC_U64 },
	[FIELD_REQUEST] = { offsetof(struct message, request), 8, CODEC_U64 },
	[FIELD_LOWEST] = { offsetof(struct message, lowest), 8, CODEC_U64 },
	[FIELD_COMPLETE] = { offsetof(struct message, complete), 8, CODEC_U64 },
	[FIELD_FLUSHED] = { offsetof(struct message, flushed), 8, CODEC_U64 },
	[FIELD_WAIT] = { offsetof(struct message, wait), 8, CODEC_U64 },
	[FIELD_PROCESS] = { offsetof(struct message, process), 16, CODEC_PROCESS },
	[FIELD_SET] = { offsetof(struct message, set), 16, CODEC_SET },
	[FIELD_DIGEST] = { offsetof(struct message, digest), 8, CODEC_U64 },
	[FIELD_SEEN] = { offsetof(struct message, seen), 8, CODEC_U64 },
	[FIELD_OLDEST] = { offsetof(struct message, oldest), 4, CODEC_U32 },
	[FIELD_NEWEST] = { offsetof(struct message, newest), 4, CODEC_U32 },
	[FIELD_FEATURES] = { offsetof(struct message, features), 8, CODEC_U64 },
	[FIELD_SETTINGS] = { offsetof(struct message, settings), 20, CODEC_SETTINGS },
	[FIELD_SEED] = { offsetof(struct message, seed), 8, CODEC_U64 },
	[FIELD_CONFIGURATION] = { offsetof(struct message, configuration), REPLICA_CONFIGURATION_BYTES,
				  CODEC_CONFIGURATION },
};

/* What data a type can have. */
enum message_data {
	DATA_NONE,
	DATA_OF_KIND, /* `length` bytes where kind is ENTRY_WRITE, else none */
	DATA_DEVICES, /* MESSAGE_DEVICE_SIZE each */
	DATA_RANGES,  /* MESSAGE_RANGE_SIZE each; not empty, and none wraps */
	DATA_HASHES,  /* MESSAGE_HASH_SIZE each; none with an error */
	DATA_TABLE,   /* done_table_load() looks at it */
	DATA_RESULT,  /* any; none with an error */
};

#define F(name)	      (1u << FIELD_##name)
#define KIND(name)    (1u << (name))

/* What many have in common. */
#define REIGN	      (F(EPOCH) | F(REIGN))
#define ENTRY	      (REIGN | F(NUMBER))
#define RANGE	      (F(DEVICE) | F(POSITION) | F(LENGTH))
#define SETTLED	      (F(COMPLETE) | F(FLUSHED))
#define CLIENT	      (F(CLIENT) | F(REQUEST))
#define VALUE	      (F(ACCEPTED) | F(CONFIGURATION))

#define REFUSAL_KINDS (KIND(REFUSED_EPOCH) | KIND(REFUSED_BALLOT) | KIND(REFUSED_LEASE) | KIND(REFUSED_NO_VOTE))
#define COPY_KINDS    (KIND(ENTRY_WRITE) | KIND(ENTRY_ZEROES))
#define WRITE_KINDS   (COPY_KINDS | KIND(ENTRY_OPEN) | KIND(ENTRY_CLOSE))
#define REQUEST_KINDS (WRITE_KINDS | KIND(ENTRY_READ) | KIND(ENTRY_FLUSH))

#define HELLO_FLAGS                                                                                                    \
	(MESSAGE_DECIDED | MESSAGE_BLANK | MESSAGE_NO_VOTE | MESSAGE_HAS_DATA | MESSAGE_EMPTY | MESSAGE_STOPPING |     \
	 MESSAGE_CLEAN | MESSAGE_FAILED | MESSAGE_LEARNING | MESSAGE_FLUSH_FAILED | MESSAGE_NOT_SAVED |                \
	 MESSAGE_SEES_ANY)
#define STATUS_FLAGS HELLO_FLAGS
#define WRITE_FLAGS  (ENTRY_FLAGS | MESSAGE_MADE_UP)
#define ENTRY_FLAGS  (MESSAGE_STABLE | MESSAGE_SHARED | MESSAGE_READ_ONLY)

static const struct {
	const char *name;
	uint32_t fields;
	uint32_t flags; /* that it can have; 0 without FIELD_FLAGS */
	uint32_t kinds; /* bit n: kind n; 0 without FIELD_KIND */
	enum message_data data;
} types[MESSAGE_TYPES] = {
	/* clang-format off */
	[MESSAGE_HELLO] = { "HELLO", F(FLAGS) | F(MEMBER) | F(EPOCH) | F(BALLOT) | VALUE | F(PROCESS) | F(SET) | F(DIGEST) |
				     F(SEEN) | F(OLDEST) | F(NEWEST) | F(FEATURES) | F(SETTINGS), HELLO_FLAGS, 0, DATA_DEVICES },
	[MESSAGE_STATUS] = { "STATUS", F(FLAGS) | F(MEMBER) | REIGN | F(BALLOT) | F(ACCEPTED), STATUS_FLAGS, 0, DATA_NONE },
	[MESSAGE_FETCH] = { "FETCH", F(EPOCH), 0, 0, DATA_NONE },
	[MESSAGE_CONFIGURATION] = { "CONFIGURATION", F(FLAGS) | F(EPOCH) | VALUE, MESSAGE_DECIDED, 0, DATA_NONE },
	[MESSAGE_COLLECT] = { "COLLECT", F(FLAGS) | F(EPOCH) | F(BALLOT) | VALUE, MESSAGE_SAME_PRIMARY, 0, DATA_NONE },
	[MESSAGE_PROMISE] = { "PROMISE", F(EPOCH) | F(BALLOT) | VALUE, 0, 0, DATA_NONE },
	[MESSAGE_REFUSE] = { "REFUSE", F(FLAGS) | F(KIND) | F(EPOCH) | F(BALLOT) | VALUE | F(WAIT), MESSAGE_DECIDED,
			     REFUSAL_KINDS, DATA_NONE },
	[MESSAGE_PROPOSE] = { "PROPOSE", F(EPOCH) | F(BALLOT) | F(CONFIGURATION), 0, 0, DATA_NONE },
	[MESSAGE_ACCEPTED] = { "ACCEPTED", F(EPOCH) | F(BALLOT), 0, 0, DATA_NONE },
	[MESSAGE_LEARN] = { "LEARN", F(EPOCH), 0, 0, DATA_NONE },
	[MESSAGE_LEARNT] = { "LEARNT", F(FLAGS) | F(EPOCH) | F(BALLOT) | VALUE, STATUS_FLAGS, 0, DATA_NONE },
	[MESSAGE_RENEW] = { "RENEW", ENTRY | SETTLED, 0, 0, DATA_NONE },
	[MESSAGE_GRANT] = { "GRANT", F(EPOCH) | F(NUMBER), 0, 0, DATA_NONE },
	[MESSAGE_RELEASE] = { "RELEASE", F(EPOCH) | F(NUMBER) | F(MEMBER), 0, 0, DATA_NONE },
	[MESSAGE_WRITE] = { "WRITE", F(FLAGS) | F(KIND) | F(MEMBER) | ENTRY | RANGE | CLIENT | F(GENERATION) | F(LOWEST) | SETTLED,
			    WRITE_FLAGS, WRITE_KINDS, DATA_OF_KIND },
	[MESSAGE_WRITTEN] = { "WRITTEN", ENTRY | F(RESULT), 0, 0, DATA_NONE },
	[MESSAGE_FLUSH] = { "FLUSH", F(FLAGS) | F(DEVICE) | ENTRY | SETTLED, MESSAGE_TRACKED, 0, DATA_NONE },
	[MESSAGE_FLUSHED] = { "FLUSHED", ENTRY | F(RESULT), 0, 0, DATA_NONE },
	[MESSAGE_CONFIRM] = { "CONFIRM", REIGN, 0, 0, DATA_NONE },
	[MESSAGE_REPORT] = { "REPORT", F(FLAGS) | F(DEVICE) | REIGN, MESSAGE_LAST | MESSAGE_EMPTY, 0, DATA_RANGES },
	[MESSAGE_DONE_TABLE] = { "DONE_TABLE", F(FLAGS) | ENTRY, MESSAGE_LAST | MESSAGE_EMPTY, 0, DATA_TABLE },
	[MESSAGE_RECONCILED] = { "RECONCILED", ENTRY, 0, 0, DATA_NONE },
	[MESSAGE_JOIN] = { "JOIN", F(FLAGS) | F(DEVICE) | F(EPOCH), MESSAGE_LAST | MESSAGE_EMPTY | MESSAGE_UNKNOWN | MESSAGE_FIRST, 0,
			   DATA_RANGES },
	[MESSAGE_COPY] = { "COPY", F(KIND) | ENTRY | RANGE | SETTLED, 0, COPY_KINDS, DATA_OF_KIND },
	[MESSAGE_COPIED] = { "COPIED", ENTRY | F(RESULT), 0, 0, DATA_NONE },
	[MESSAGE_HASH] = { "HASH", ENTRY | RANGE | F(SEED), 0, 0, DATA_NONE },
	[MESSAGE_HASHES] = { "HASHES", ENTRY | F(RESULT), 0, 0, DATA_HASHES },
	[MESSAGE_BITS] = { "BITS", F(FLAGS) | F(MEMBER) | F(DEVICE) | ENTRY, MESSAGE_LAST, 0,
			   DATA_RANGES },
	[MESSAGE_HANDED_OVER] = { "HANDED_OVER", ENTRY | SETTLED, 0, 0, DATA_NONE },
	[MESSAGE_READY] = { "READY", ENTRY, 0, 0, DATA_NONE },
	[MESSAGE_REQUEST] = { "REQUEST", F(FLAGS) | F(KIND) | F(EPOCH) | RANGE | CLIENT | F(GENERATION) | F(LOWEST),
			      ENTRY_FLAGS | MESSAGE_HELD, REQUEST_KINDS, DATA_OF_KIND },
	[MESSAGE_ANSWER] = { "ANSWER", F(EPOCH) | CLIENT | F(GENERATION) | F(RESULT), 0, 0, DATA_RESULT },
	[MESSAGE_STEP_DOWN] = { "STEP_DOWN", F(EPOCH) | F(MEMBER), 0, 0, DATA_NONE },
	[MESSAGE_WANTED] = { "WANTED", F(EPOCH) | CLIENT, 0, 0, DATA_NONE },
	[MESSAGE_UNWANTED] = { "UNWANTED", F(EPOCH) | CLIENT, 0, 0, DATA_NONE },
	/* clang-format on */
};

/* Of the prefix. */
enum {
	AT_MAGIC = 0,
	AT_WIRE = 3,
	AT_TYPE = 4,
	AT_FIELDS = 6,
	AT_DATA = 8,
	AT_RESERVED = 12,
	AT_DATA_CHECKSUM = 16,
	AT_CHECKSUM = 24,
};

#define MAGIC	   ((uint32_t)'R' | (uint32_t)'D' << 8 | (uint32_t)'R' << 16) /* and the wire version << 24 */

#define RESULT_MIN (-4095) /* of the protocol's errors */

static bool has(enum message_type type, enum message_field field)
{
	return types[type].fields >> field & 1;
}

static uint32_t fields_size(enum message_type type)
{
	uint32_t size = 0;

	for (uint32_t left = types[type].fields; left; left &= left - 1)
		size += fields[__builtin_ctz(left)].width;
	return size;
}

static void put_field(unsigned char *bytes, enum message_codec codec, const void *value)
{
	switch (codec) {
	case CODEC_U32:
		put_u32(bytes, *(const uint32_t *)value);
		break;
	case CODEC_U64:
		put_u64(bytes, *(const uint64_t *)value);
		break;
	case CODEC_BALLOT:
		put_u32(bytes, ((const struct ballot *)value)->counter);
		put_u32(bytes + 4, ((const struct ballot *)value)->member);
		break;
	case CODEC_CLIENT:
		put_u64(bytes, ((const struct client_id *)value)->forwarder);
		put_u32(bytes + 8, ((const struct client_id *)value)->client);
		break;
	case CODEC_PROCESS:
		put_u64(bytes, ((const struct process_id *)value)->incarnation);
		put_u64(bytes + 8, ((const struct process_id *)value)->boot);
		break;
	case CODEC_SET:
		memcpy(bytes, ((const struct set_id *)value)->bytes, 16);
		break;
	case CODEC_SETTINGS:
		put_u32(bytes, ((const struct message_settings *)value)->window);
		put_u32(bytes + 4, ((const struct message_settings *)value)->requests);
		put_u32(bytes + 8, ((const struct message_settings *)value)->clients);
		put_u32(bytes + 12, ((const struct message_settings *)value)->block_size);
		put_u32(bytes + 16, ((const struct message_settings *)value)->extent_size);
		break;
	case CODEC_CONFIGURATION:
		replica_configuration_encode(value, bytes);
		break;
	}
}

/* NULL, or what is wrong with it. */
static const char *get_field(const unsigned char *bytes, enum message_codec codec, void *value)
{
	switch (codec) {
	case CODEC_U32:
		*(uint32_t *)value = get_u32(bytes);
		break;
	case CODEC_U64:
		*(uint64_t *)value = get_u64(bytes);
		break;
	case CODEC_BALLOT:
		*(struct ballot *)value = (struct ballot){ get_u32(bytes), get_u32(bytes + 4) };
		break;
	case CODEC_CLIENT:
		*(struct client_id *)value = (struct client_id){ get_u64(bytes), get_u32(bytes + 8) };
		break;
	case CODEC_PROCESS:
		*(struct process_id *)value = (struct process_id){ get_u64(bytes), get_u64(bytes + 8) };
		break;
	case CODEC_SET:
		memcpy(((struct set_id *)value)->bytes, bytes, 16);
		break;
	case CODEC_SETTINGS:
		*(struct message_settings *)value =
			(struct message_settings){ get_u32(bytes), get_u32(bytes + 4), get_u32(bytes + 8),
						   get_u32(bytes + 12), get_u32(bytes + 16) };
		break;
	case CODEC_CONFIGURATION:
		return replica_configuration_decode(bytes, value);
	}
	return NULL;
}

uint64_t message_data_checksum(const void *data, size_t size)
{
	return size > 0 ? XXH3_64bits(data, size) : 0;
}

size_t message_encode(const struct message *message, const void *data, unsigned char head[static MESSAGE_HEAD_MAX])
{
	enum message_type type = message->type;
	unsigned char *at = head + MESSAGE_PREFIX;
	uint64_t data_checksum = 0;
	uint32_t wire = 0;
	size_t size;

	assert(type > 0 && type < MESSAGE_TYPES && message->data_size <= MESSAGE_DATA_MAX);
	assert(message->data_size == 0 || types[type].data != DATA_NONE);
	for (uint32_t left = types[type].fields; left; left &= left - 1) {
		int field = __builtin_ctz(left);

		put_field(at, fields[field].codec, (const char *)message + fields[field].offset);
		at += fields[field].width;
	}
	size = (size_t)(at - head);
	if (message->data_size > 0)
		data_checksum = data ? message_data_checksum(data, message->data_size) : message->data_checksum;
	if (type != MESSAGE_HELLO)
		wire = message->wire ? message->wire : MESSAGE_WIRE_NEWEST;
	put_u32(head + AT_MAGIC, MAGIC | wire << 24);
	put_u16(head + AT_TYPE, (uint16_t)type);
	put_u16(head + AT_FIELDS, (uint16_t)(size - MESSAGE_PREFIX));
	put_u32(head + AT_DATA, message->data_size);
	put_u32(head + AT_RESERVED, 0);
	put_u64(head + AT_DATA_CHECKSUM, data_checksum);
	put_u64(head + AT_CHECKSUM, 0);
	put_u64(head + AT_CHECKSUM, XXH3_64bits(head, size));
	return size;
}

int message_sizes(const unsigned char prefix[static MESSAGE_PREFIX], struct message_sizes *sizes)
{
	uint16_t type = get_u16(prefix + AT_TYPE);
	uint32_t data = get_u32(prefix + AT_DATA);

	if ((get_u32(prefix + AT_MAGIC) & 0xffffff) != MAGIC || (prefix[AT_WIRE] == 0) != (type == MESSAGE_HELLO) ||
	    type == 0 || type >= MESSAGE_TYPES || get_u16(prefix + AT_FIELDS) != fields_size(type) ||
	    get_u32(prefix + AT_RESERVED) != 0)
		return -1;
	if (data > MESSAGE_DATA_MAX || (data > 0 && types[type].data == DATA_NONE))
		return -1;
	*sizes = (struct message_sizes){ .head = MESSAGE_PREFIX + get_u16(prefix + AT_FIELDS), .data = data };
	return 0;
}

static bool range_wraps(uint64_t position, uint64_t length)
{
	return __builtin_add_overflow(position, length, &length);
}

/* Of entries, requests and copies; where there is no range it is 0. */
static const char *range_wrong(const struct message *message)
{
	bool empty = message->kind == ENTRY_OPEN || message->kind == ENTRY_CLOSE || message->kind == ENTRY_FLUSH;

	if (range_wraps(message->position, message->length))
		return "a range that wraps";
	if ((message->length == 0) != empty || (empty && message->position != 0))
		return "a range that its kind does not have";
	/* It has to fit into the answer. */
	if (message->kind == ENTRY_READ && message->length > MESSAGE_DATA_MAX)
		return "a range that is too long";
	return NULL;
}

/* Who asked. Nobody has no requests; what is done to a client (it is closed, say) need not be one of its own. */
static const char *client_wrong(const struct message *message)
{
	bool is_write = message->type == MESSAGE_WRITE;

	if (message->client.forwarder == 0) {
		if (!is_write || message->client.client != 0 || message->request != 0 || message->lowest != 0 ||
		    message->generation != 0)
			return "a request of nobody";
		return NULL;
	}
	/* A forwarder tells of an open of before. */
	if (message->request == 0 && message->lowest == 0 && message->type == MESSAGE_REQUEST &&
	    message->kind == ENTRY_OPEN && (message->flags & MESSAGE_HELD))
		return NULL;
	if (message->request == 0 && !(is_write && (message->kind == ENTRY_CLOSE || message->kind == ENTRY_OPEN)))
		return "a request without a number";
	if (message->type == MESSAGE_REQUEST && (message->lowest == 0 || message->lowest > message->request))
		return "a request that its client does not wait for";
	return NULL;
}

/* All that can be said of single fields, those that the type does not have being 0. */
static const char *fields_wrong(const struct message *message)
{
	enum message_type type = message->type;

	if (message->flags & ~types[type].flags)
		return "flags that it cannot have";
	if (has(type, FIELD_KIND) && (message->kind > 31 || !(types[type].kinds >> message->kind & 1)))
		return "a kind that it cannot have";
	if (message->member >= MEMBERS_MAX || message->ballot.member >= MEMBERS_MAX ||
	    message->accepted.member >= MEMBERS_MAX)
		return "a member that cannot be";
	if (message->epoch > EPOCH_MAX || message->reign > EPOCH_MAX || message->seen > EPOCH_MAX)
		return "an epoch that is never reached";
	if (message->ballot.counter > BALLOT_COUNT_MAX || message->accepted.counter > BALLOT_COUNT_MAX)
		return "a ballot that is never reached";
	if (type == MESSAGE_HELLO &&
	    (message->oldest == 0 || message->newest < message->oldest || message->newest > 255))
		return "no versions";
	if (message->device >= REPLICA_DEVICES_MAX)
		return "a device that cannot be";
	if (message->result > 0 || message->result < RESULT_MIN)
		return "a result that is none";
	if (has(type, FIELD_LENGTH)) {
		const char *wrong = range_wrong(message);

		if (wrong)
			return wrong;
	}
	return has(type, FIELD_CLIENT) ? client_wrong(message) : NULL;
}

static const char *ranges_wrong(const unsigned char *data, uint32_t size)
{
	if (size % MESSAGE_RANGE_SIZE != 0)
		return "part of a range";
	for (unsigned int i = 0; i < size / MESSAGE_RANGE_SIZE; i++) {
		struct byte_range range = message_get_range(data, i);

		if (range.length == 0 || range_wraps(range.position, range.length))
			return "a range that is empty or wraps";
	}
	return NULL;
}

static const char *devices_wrong(const unsigned char *data, uint32_t size)
{
	if (size % MESSAGE_DEVICE_SIZE != 0 || size / MESSAGE_DEVICE_SIZE > REPLICA_DEVICES_MAX)
		return "part of a device, or too many";
	for (unsigned int i = 0; i < size / MESSAGE_DEVICE_SIZE; i++)
		if (message_get_device(data, i).size > INT64_MAX)
			return "a device's size";
	return NULL;
}

static const char *data_wrong(const struct message *message, const unsigned char *data)
{
	uint32_t size = message->data_size;

	switch (types[message->type].data) {
	case DATA_NONE: /* message_sizes() has seen to it */
	case DATA_TABLE:
		return NULL;
	case DATA_OF_KIND:
		if (size != (message->kind == ENTRY_WRITE ? message->length : 0))
			return "data of another length";
		return NULL;
	case DATA_DEVICES:
		return devices_wrong(data, size);
	case DATA_RANGES:
		return ranges_wrong(data, size);
	case DATA_HASHES:
		if (size % MESSAGE_HASH_SIZE != 0)
			return "part of a hash";
		break;
	case DATA_RESULT:
		break;
	}
	return size > 0 && message->result < 0 ? "an error with data" : NULL;
}

static const char *decode_fields(const unsigned char *at, struct message *message)
{
	for (uint32_t left = types[message->type].fields; left; left &= left - 1) {
		int field = __builtin_ctz(left);
		const char *wrong = get_field(at, fields[field].codec, (char *)message + fields[field].offset);

		if (wrong)
			return wrong;
		at += fields[field].width;
	}
	return fields_wrong(message);
}

const char *message_decode(const void *frame, size_t size, struct message *message, const void **data)
{
	const unsigned char *bytes = frame;
	struct message_sizes sizes;
	const char *wrong;

	memset(message, 0, sizeof(*message));
	if (size < MESSAGE_PREFIX || message_sizes(bytes, &sizes) < 0)
		return "no frame";
	if (size != (size_t)sizes.head + sizes.data)
		return "a frame of another size";
	if (get_u64(bytes + AT_CHECKSUM) != checksum_around(bytes, sizes.head, AT_CHECKSUM))
		return "a wrong checksum";
	message->type = get_u16(bytes + AT_TYPE);
	message->wire = bytes[AT_WIRE];
	message->data_size = sizes.data;
	message->data_checksum = get_u64(bytes + AT_DATA_CHECKSUM);
	if (message->data_checksum != message_data_checksum(bytes + sizes.head, sizes.data))
		return "a wrong checksum of the data";
	wrong = decode_fields(bytes + MESSAGE_PREFIX, message);
	if (!wrong)
		wrong = data_wrong(message, bytes + sizes.head);
	*data = sizes.data > 0 ? bytes + sizes.head : NULL;
	return wrong;
}

const char *message_name(enum message_type type)
{
	return type > 0 && type < MESSAGE_TYPES ? types[type].name : "unknown";
}

void message_put_range(void *data, unsigned int index, struct byte_range range)
{
	unsigned char *at = (unsigned char *)data + (size_t)index * MESSAGE_RANGE_SIZE;

	put_u64(at, range.position);
	put_u64(at + 8, range.length);
}

struct byte_range message_get_range(const void *data, unsigned int index)
{
	const unsigned char *at = (const unsigned char *)data + (size_t)index * MESSAGE_RANGE_SIZE;

	return (struct byte_range){ .position = get_u64(at), .length = get_u64(at + 8) };
}

void message_put_device(void *data, unsigned int index, struct message_device device)
{
	unsigned char *at = (unsigned char *)data + (size_t)index * MESSAGE_DEVICE_SIZE;

	put_u64(at, device.size);
	put_u64(at + 8, device.name);
}

struct message_device message_get_device(const void *data, unsigned int index)
{
	const unsigned char *at = (const unsigned char *)data + (size_t)index * MESSAGE_DEVICE_SIZE;

	return (struct message_device){ .size = get_u64(at), .name = get_u64(at + 8) };
}
