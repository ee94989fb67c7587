/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between members: what each carries, and its form on the wire. Pure functions: what was received is checked
 * here and used nowhere else before. All numbers are little-endian.
 *
 * A frame is a prefix of MESSAGE_PREFIX bytes, the fields of the type in the order of enum message_field, and data:
 *
 *   offset  bytes
 *   0       4      magic "RDR" and the wire version; of a HELLO 0: its form is the same in all versions
 *   4       2      type
 *   6       2      bytes of the fields, exactly what the type has
 *   8       4      bytes of the data, 0 .. MESSAGE_DATA_MAX; 0 where the type has none
 *   12      4      0
 *   16      8      checksum (XXH3, 64 bits) of the data; 0 without
 *   24      8      checksum of the prefix (with this field 0) and the fields
 *   32             fields, then data
 *
 * type           from -> to                  what for
 * HELLO          both, first of a session    who it is, what it has; nothing is acted on before it
 * STATUS         all -> all                  what it has accepted, whether it knows that to be decided; heartbeat
 * FETCH          all -> all                  asks for the configuration that it has accepted
 * CONFIGURATION  answer; who decided -> all  that configuration
 * COLLECT        proposer -> all             asks for a promise; brings the decided predecessor
 * PROMISE        voter -> proposer           given, with what it has accepted for this epoch
 * REFUSE         voter -> proposer           not given, or not accepted: why, what it knows
 * PROPOSE        proposer -> all             the value of an epoch
 * ACCEPTED       voter -> proposer           durable
 * LEARN          who has no vote -> all      asks what it has accepted
 * LEARNT         answer                      that
 * RENEW          primary -> all              asks for a lease
 * GRANT          member -> primary           given, names the round of the request
 * RELEASE        primary -> all              its grant ends
 * WRITE          primary -> in sync, target  an entry: write, zeroes, open, close
 * WRITTEN        answer                      done, with its result
 * FLUSH          primary -> in sync, target  make stable what was answered before it
 * FLUSHED        answer                      done, with its result
 * CONFIRM        new primary -> in sync      asks for what is unfinished of older reigns
 * REPORT         answer                      ranges, whether it has a table of done requests; several, the last one is
 *                                            marked
 * DONE_TABLE     primary -> one member       requests that were done; several, the last one is marked
 * RECONCILED     new primary -> in sync      nothing of older reigns is unfinished any more, that table is theirs
 *                answer                      it has taken it
 * WANTED         primary -> forwarder        whether a client waits for a request that is unsure
 * UNWANTED       answer                      it does not
 * JOIN           who returns -> primary      wants to be brought up; its ranges that may differ; several
 *                primary -> who returns      it is: entries follow
 * COPY           primary -> target           a block range of the primary's image
 * COPIED         answer                      done, with its result
 * HASH           primary -> target           asks for hashes of a range's blocks
 * HASHES         answer                      them
 * BITS           primary -> target           blocks an absent member lacks; of the target: unflushed; several
 * HANDED_OVER    primary -> target           all of the state was sent: asks for the candidate's word
 * READY          target -> primary           it has it
 * REQUEST        forwarder -> primary        a client's request
 * ANSWER         primary -> forwarder        its result
 * STEP_DOWN      any -> primary              asks it to hand over to a member
 */
#ifndef RDISK_MESSAGE_H
#define RDISK_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "replica_configuration.h"

#define MESSAGE_WIRE_OLDEST 1
#define MESSAGE_WIRE_NEWEST 1
#define MESSAGE_PREFIX	    32u
#define MESSAGE_HEAD_MAX    768u	   /* bytes of the prefix and any type's fields */
#define MESSAGE_DATA_MAX    (1024u * 1024) /* bytes */

enum message_type {
	MESSAGE_HELLO = 1,
	MESSAGE_STATUS,
	MESSAGE_FETCH,
	MESSAGE_CONFIGURATION,
	MESSAGE_COLLECT,
	MESSAGE_PROMISE,
	MESSAGE_REFUSE,
	MESSAGE_PROPOSE,
	MESSAGE_ACCEPTED,
	MESSAGE_LEARN,
	MESSAGE_LEARNT,
	MESSAGE_RENEW,
	MESSAGE_GRANT,
	MESSAGE_RELEASE,
	MESSAGE_WRITE,
	MESSAGE_WRITTEN,
	MESSAGE_FLUSH,
	MESSAGE_FLUSHED,
	MESSAGE_CONFIRM,
	MESSAGE_REPORT,
	MESSAGE_DONE_TABLE,
	MESSAGE_RECONCILED,
	MESSAGE_JOIN,
	MESSAGE_COPY,
	MESSAGE_COPIED,
	MESSAGE_HASH,
	MESSAGE_HASHES,
	MESSAGE_BITS,
	MESSAGE_HANDED_OVER,
	MESSAGE_READY,
	MESSAGE_REQUEST,
	MESSAGE_ANSWER,
	MESSAGE_STEP_DOWN,
	MESSAGE_WANTED,
	MESSAGE_UNWANTED,
	MESSAGE_TYPES,
};

/* What an entry or request does. */
enum entry_kind {
	ENTRY_WRITE = 1,
	ENTRY_ZEROES,
	ENTRY_READ,  /* a REQUEST only */
	ENTRY_FLUSH, /* a REQUEST only */
	ENTRY_OPEN,
	ENTRY_CLOSE,
	ENTRY_KINDS,
};

/* Who asked, wherever the request goes. Zero: nobody (an entry of the primary's own). */
struct client_id {
	uint64_t forwarder; /* incarnation of the process that the client is at */
	uint32_t client;    /* its number there; another for each open */
};

/* Bits of `flags`. */
#define MESSAGE_STABLE	0x01u /* WRITE, REQUEST: on stable storage before it is answered (FUA) */
#define MESSAGE_TRACKED 0x02u /* FLUSH: what was written before it is not unflushed any more once it is complete */
#define MESSAGE_LAST	0x04u /* the last of several */
#define MESSAGE_DECIDED 0x08u /* the sender knows that this configuration was decided */
#define MESSAGE_EMPTY                                                                                                  \
	0x10u /* JOIN: the image of this device is empty; HELLO: one is, or is not to be trusted; REPORT, DONE_TABLE:  \
	       * the sender has lost its table of done requests */
#define MESSAGE_BLANK	     0x20u /* HELLO: it never accepted a configuration, as far as it knows */
#define MESSAGE_NO_VOTE	     0x40u /* HELLO, STATUS: it has lost its promises, and does not vote */
#define MESSAGE_HAS_DATA     0x80u /* HELLO: its images were there before the set, and are not known to be zeroes */
#define MESSAGE_FIRST	     MESSAGE_HAS_DATA /* JOIN: the first of several */
#define MESSAGE_SAME_PRIMARY 0x100u	      /* COLLECT: what is to be proposed leaves the primary as it is */
#define MESSAGE_STOPPING     0x200u	      /* STATUS: it is about to end: it wants no role */
#define MESSAGE_SHARED	     0x400u	      /* ENTRY_OPEN, REQUEST: others that are shared may have it open, too */
#define MESSAGE_CLEAN	     0x800u	      /* HELLO: nothing was hot at its start: what it wrote is flushed */
#define MESSAGE_FAILED	     0x1000u /* HELLO, STATUS: a flush of its image failed: it is not in sync, whoever says so */
#define MESSAGE_READ_ONLY    0x2000u  /* ENTRY_OPEN, REQUEST: the open only reads */
#define MESSAGE_LEARNING     0x4000u  /* HELLO, STATUS: it has no vote, nor knows from when on it may have one */
#define MESSAGE_HELD	     0x8000u  /* REQUEST: the client has it open, and no primary can have closed it meanwhile */
#define MESSAGE_MADE_UP	     0x10000u /* WRITE: of a feature that only tests have (REPLICA_FEATURE_MADE_UP) */
#define MESSAGE_UNKNOWN	     0x20000u /* JOIN: which blocks of this device differ is not known: all may */
/* HELLO, STATUS: a flush of its image failed, and what that lost is not made good: it has not kept its memory */
#define MESSAGE_FLUSH_FAILED 0x40000u
/* HELLO, STATUS: what it promises and accepts is not saved for longer than replica_timeout: it is to have no role */
#define MESSAGE_NOT_SAVED    0x80000u
/* HELLO, STATUS: the sender can talk to a member. All of its messages have it of all. */
#define MESSAGE_SEES(member) (0x100000u << (member))
#define MESSAGE_SEES_ANY     0x7f00000u
#define MESSAGE_FLAGS	     0x7ffffffu

/* Why a REFUSE. */
enum refusal {
	REFUSED_EPOCH = 1, /* a newer one is accepted: it is in the message */
	REFUSED_BALLOT,	   /* a higher one was promised: it is in the message */
	REFUSED_LEASE,	   /* a grant to another runs for `wait` ns */
	REFUSED_NO_VOTE,
	REFUSALS,
};

/* HELLO: what has to be the same on all members; see struct replica_settings. */
struct message_settings {
	uint32_t window, requests, clients, block_size, extent_size;
};

/* All that a message can have. Which of it a type has says the table in message.c; the rest is zero, and not sent. */
struct message {
	enum message_type type;
	uint32_t wire;	/* version of the frame; 0: of a HELLO that, of others MESSAGE_WIRE_NEWEST */
	uint32_t flags; /* MESSAGE_... */
	uint64_t epoch;
	uint64_t reign;		/* of the entries: first epoch of the reign */
	struct ballot ballot;	/* of the proposal, or the promise that is told of */
	struct ballot accepted; /* that `configuration` was accepted under */
	uint64_t number;	/* of the entry, flush, copy, round of renewals; of several messages: 0, 1, ... */
	uint32_t device;	/* below REPLICA_DEVICES_MAX */
	uint32_t kind;		/* enum entry_kind; of a REFUSE: enum refusal */
	uint64_t position;	/* bytes; OPEN, CLOSE, FLUSH: 0 */
	uint64_t length;	/* bytes, not 0; position + length does not wrap. OPEN, CLOSE, FLUSH: 0 */
	int32_t result;		/* 0 or -errno of the protocol, not below -4095 */
	struct client_id client;
	uint64_t generation; /* id of that in which the client's open was made; 0: none yet */
	uint64_t request;    /* its number, 1, 2, ... of the client; 0: an OPEN or CLOSE that it did not ask for */
	uint64_t lowest;     /* the client's lowest request that it has no answer for */
	uint64_t complete;   /* all entries up to it are complete on all in-sync members */
	uint64_t flushed;    /* number of the last tracked flush that was complete */
	uint64_t wait;	     /* ns */
	uint32_t member;     /* below MEMBERS_MAX */
	struct process_id process;
	struct set_id set;
	uint64_t digest;	 /* of the list */
	uint64_t seen;		 /* HELLO: the highest epoch that the receiver was seen to have accepted or promised */
	uint32_t oldest, newest; /* HELLO: wire versions that the sender speaks, 1 .. 255 */
	uint64_t features;	 /* HELLO: bits of what it can; one is used when all members have it */
	struct message_settings settings;
	uint64_t seed;				    /* HASH: of the hashes */
	struct replica_configuration configuration; /* epoch 0: none */
	uint32_t data_size;			    /* bytes */
	uint64_t data_checksum;			    /* 0 without data */
};

/* What a receiver must know before it can read a frame to its end. */
struct message_sizes {
	uint32_t head; /* bytes of prefix and fields */
	uint32_t data;
};

/* Of a message's data, as it is in the message: any but those of none are 0 hardly ever. */
uint64_t message_data_checksum(const void *data, size_t size);

/*
 * Writes prefix and fields; the data follow them on the wire. `data` are looked at for the checksum; message->data_size
 * says how many there are. data NULL: message->data_checksum is known to be theirs. The type is one that can have
 * data, if there are any; nothing else is checked: who receives it does. Returns the bytes written to `head`.
 */
size_t message_encode(const struct message *message, const void *data, unsigned char head[static MESSAGE_HEAD_MAX]);

/* From the first MESSAGE_PREFIX bytes: 0, or -1 if no frame begins so. */
int message_sizes(const unsigned char prefix[static MESSAGE_PREFIX], struct message_sizes *sizes);

/*
 * From a whole frame, of which all is checked that can be without knowing more: sizes, checksums (of the data, too),
 * flags and kinds that the type has, ranges of all fields that have one, a configuration in itself, data as the type
 * and kind want them (but those of DONE_TABLE). *data points into it; NULL: none. Returns NULL, or what is wrong with
 * it; the message is then unspecified. What encodes from a decoded message is the same bytes.
 */
const char *message_decode(const void *frame, size_t size, struct message *message, const void **data);

/* Its name, for messages and traces; of any number. */
const char *message_name(enum message_type type);

/*
 * Data of WRITE, COPY, REQUEST: `length` bytes where kind is ENTRY_WRITE, else none. Of ANSWER: what was read; none
 * with an error. Of HELLO: {u64 size, u64 name} for each of the sender's devices, 16 bytes each. Of REPORT, JOIN, BITS:
 * ranges {u64 position, u64 length}, 16 bytes each, none of them empty. Of HASHES: 16 bytes for each block; none with
 * an error. Of DONE_TABLE: see done_table.h.
 */
#define MESSAGE_RANGE_SIZE  16u
#define MESSAGE_HASH_SIZE   16u
#define MESSAGE_DEVICE_SIZE 16u

struct message_device {
	uint64_t size; /* bytes of the sender's image, at most INT64_MAX; 0: it has none */
	uint64_t name; /* checksum of the name */
};

void message_put_device(void *data, unsigned int index, struct message_device device);
struct message_device message_get_device(const void *data, unsigned int index);

struct byte_range {
	uint64_t position, length; /* bytes */
};

void message_put_range(void *data, unsigned int index, struct byte_range range);
struct byte_range message_get_range(const void *data, unsigned int index);

#endif
