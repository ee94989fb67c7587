/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The form of what goes over a connection; see record.h.
 */
#include "record.h"

#include <string.h>

#include "little_endian.h"

static const unsigned char magic[4] = { 'R', 'D', 'S', 'N' };

#define SET_OFFSET 32u

_Static_assert(SET_OFFSET + SESSION_SET_MAX + 1 == HELLO_SIZE, "the hello ends with the set's name");
_Static_assert(RECORD_PAYLOAD_MAX <= UINT16_MAX, "a record's sizes have 16 bits");

void hello_encode(const struct hello *hello, unsigned char bytes[static HELLO_SIZE])
{
	size_t length = strlen(hello->set);

	memset(bytes, 0, HELLO_SIZE);
	memcpy(bytes, magic, sizeof(magic));
	put_u16(bytes + 4, hello->newest);
	put_u16(bytes + 6, hello->oldest);
	put_u32(bytes + 8, hello->from);
	put_u32(bytes + 12, hello->to);
	put_u64(bytes + 16, hello->process);
	put_u32(bytes + 28, (uint32_t)length);
	memcpy(bytes + SET_OFFSET, hello->set, length);
}

const char *hello_begins(const unsigned char *bytes, size_t size)
{
	/* The first bytes of a TLS handshake: "handshake", version 3. */
	static const unsigned char tls[] = { 0x16, 0x03 };

	if (memcmp(bytes, magic, size < sizeof(magic) ? size : sizeof(magic)) == 0)
		return NULL;
	if (memcmp(bytes, tls, size < sizeof(tls) ? size : sizeof(tls)) == 0)
		return "it speaks TLS, and sessions are in the clear here: all members need the same key_file, or none";
	return "what it sends is not of rdisk";
}

const char *hello_decode(const unsigned char bytes[static HELLO_SIZE], struct hello *hello)
{
	const char *wrong = hello_begins(bytes, HELLO_SIZE);
	uint32_t length = get_u32(bytes + 28);

	if (wrong)
		return wrong;
	hello->newest = get_u16(bytes + 4);
	hello->oldest = get_u16(bytes + 6);
	if (hello->oldest > hello->newest || hello->oldest > SESSION_VERSION || hello->newest < SESSION_VERSION)
		return "it speaks another version of the protocol: versions of rdisk that far apart do not work "
		       "together";
	if (length == 0 || length > SESSION_SET_MAX)
		return "its hello has a wrong size";
	memset(hello->set, 0, sizeof(hello->set));
	memcpy(hello->set, bytes + SET_OFFSET, length);
	if (strlen(hello->set) != length)
		return "its hello has a set without a name";
	hello->from = get_u32(bytes + 8);
	hello->to = get_u32(bytes + 12);
	hello->process = get_u64(bytes + 16);
	return NULL;
}

void record_encode(const struct record_head *head, unsigned char bytes[static RECORD_HEAD])
{
	bytes[0] = (unsigned char)head->class;
	bytes[1] = (unsigned char)head->flags;
	put_u16(bytes + 2, (uint16_t)head->size);
	put_u16(bytes + 4, (uint16_t)head->plain);
	put_u16(bytes + 6, 0);
	put_u32(bytes + 8, head->total);
}

const char *record_decode(const unsigned char bytes[static RECORD_HEAD], size_t frame_max, struct record_head *head)
{
	*head = (struct record_head){
		.class = bytes[0],
		.flags = bytes[1],
		.size = get_u16(bytes + 2),
		.plain = get_u16(bytes + 4),
		.total = get_u32(bytes + 8),
	};
	if (head->class > RECORD_OWN || head->flags & ~RECORD_FLAGS || get_u16(bytes + 6) != 0)
		return "it sent a record of no known kind";
	if (head->size == 0 || head->size > RECORD_PAYLOAD_MAX || head->plain > RECORD_PAYLOAD_MAX)
		return "it sent a record of a wrong size";
	if (head->flags & RECORD_PACKED ? head->plain <= head->size : head->plain != head->size)
		return "it sent a record that is another size than it says";
	if (head->class == RECORD_OWN)
		return head->flags == (RECORD_FIRST | RECORD_LAST) && head->size == OWN_SIZE && head->total == OWN_SIZE
			       ? NULL
			       : "it sent a message of sessions of a wrong size";
	if (head->total > frame_max)
		return "it sent a frame that is larger than any may be: do the settings of the members differ?";
	if (head->plain > head->total)
		return "it sent a record that is larger than its frame";
	return NULL;
}

void own_encode(struct own_message message, unsigned char bytes[static OWN_RECORD])
{
	const struct record_head head = {
		.class = RECORD_OWN,
		.flags = RECORD_FIRST | RECORD_LAST,
		.size = OWN_SIZE,
		.plain = OWN_SIZE,
		.total = OWN_SIZE,
	};

	record_encode(&head, bytes);
	bytes[RECORD_HEAD] = (unsigned char)message.kind;
	put_u32(bytes + RECORD_HEAD + 1, message.number);
}

const char *own_decode(const unsigned char bytes[static OWN_SIZE], struct own_message *message)
{
	if (bytes[0] == 0 || bytes[0] >= OWN_KINDS)
		return "it sent a message of sessions of no known kind";
	message->kind = bytes[0];
	message->number = get_u32(bytes + 1);
	return NULL;
}
