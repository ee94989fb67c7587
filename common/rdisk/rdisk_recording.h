/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recording format, version 1: what `rdisk --record FILE` writes and rdisk-replay reads; rdisk-recording(5).
 *
 *   struct recording_header
 *   struct recording_device[nr_devices]     the devices as they were at the start
 *   struct recording_record[...]            in the order in which requests were finished
 *
 * All numbers are in the byte order of the machine that recorded; byte_order tells which. Readers skip what is behind
 * the fields that they know of in header and device (their sizes are in the header), refuse another version, and skip
 * records of an unknown type. A recording ends with a record RECORDING_END; without one the server died, and
 * the last record may be incomplete.
 */
#ifndef RDISK_RECORDING_H
#define RDISK_RECORDING_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDING_MAGIC	     "RDISKREC" /* 8 bytes, without a zero */
#define RECORDING_VERSION    1
#define RECORDING_BYTE_ORDER UINT32_C(0x01020304)

struct recording_header {
	char magic[8];
	uint32_t byte_order; /* RECORDING_BYTE_ORDER */
	uint32_t version;
	uint32_t header_size;	 /* bytes of this structure */
	uint32_t device_size;	 /* of one struct recording_device */
	uint32_t record_size;	 /* of one struct recording_record */
	uint32_t nr_devices;	 /* at most RECORDING_DEVICES_MAX */
	uint64_t start_realtime; /* ns since 1970, UTC: what the records' times are relative to */
	uint64_t instance;	 /* of the server, as RDISK_IOC_INFO tells it */
	int32_t dcid;
	int32_t endpoint; /* the server's */
	uint64_t reserved;
};

#define RECORDING_DEVICES_MAX 4096

struct recording_device {
	uint32_t minor;
	uint32_t flags; /* RDISK_INFO_* */
	uint64_t size;	/* bytes */
	uint64_t image_id;
	char name[16]; /* ends with a zero */
	uint64_t reserved;
};

enum recording_type {
	RECORDING_OPERATION = 1,
	RECORDING_GAP = 2, /* records were lost: length of them, from time on for duration */
	RECORDING_END = 3  /* position: how many operations are in the recording; length: how many were lost */
};

#define RECORDING_FUA 1u /* flags: WRITE, WRITE_ZEROES: stable before it was answered */

struct recording_record {
	uint8_t type;	   /* enum recording_type */
	uint8_t operation; /* enum rdisk_operation */
	uint16_t flags;	   /* RECORDING_FUA */
	uint16_t minor;
	uint16_t reserved;
	int32_t client;	   /* endpoint */
	int32_t result;	   /* READ, WRITE: bytes moved; others 0; negative: an error */
	uint64_t time;	   /* ns since the start, when the request was received */
	uint64_t duration; /* ns until it was finished */
	uint64_t position; /* bytes */
	uint64_t length;   /* bytes that were asked for; FLUSH: 0 */
};

static_assert(sizeof(struct recording_header) == 64, "the header is part of the format");
static_assert(sizeof(struct recording_device) == 48, "a device is part of the format");
static_assert(sizeof(struct recording_record) == 48, "a record is part of the format");
static_assert(offsetof(struct recording_header, start_realtime) == 32, "the header has no hole");
static_assert(offsetof(struct recording_record, time) == 16, "a record has no hole");

#endif
