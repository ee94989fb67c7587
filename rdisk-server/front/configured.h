/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to be served: devices as somebody configured them (configuration.h reads that from a file). Plain data.
 */
#ifndef RDISK_CONFIGURED_H
#define RDISK_CONFIGURED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rdisk_protocol.h"
#include "replication_configured.h"

#define DEVICES_MAX    64 /* devices of one server */

#define BUFFER_MIN     512u		   /* bytes */
#define BUFFER_MAX     (16u * 1024 * 1024) /* bytes */
#define BUFFER_DEFAULT 65536u		   /* bytes */

enum image_type {
	FILE_IMAGE,   /* a regular file or a block device */
	MEMORY_IMAGE, /* memory, gone when the server ends */
};

struct device_configuration {
	char name[RDISK_NAME_SIZE];
	char id[RDISK_ID_SIZE]; /* of the disk; "": the server is to make and keep one */
	enum image_type type;
	char *image_file; /* path, joined with the configuration's folder; NULL: none (MEMORY_IMAGE) */
	uint64_t size;	  /* bytes; 0: that of the image file */
	uint32_t buffer;  /* bytes */
	bool read_only;
	bool is_volatile; /* what is written goes to memory, the image file stays as it is */
	bool shared;	  /* several clients may have it open for writing */
	bool replicated;  /* a file that is neither read_only nor is_volatile: a disk of the replica set */
	int line;	  /* of the configuration file, where its group begins */
	int image_line;	  /* where the image is named; `line` when it is not */
};

/* devices[minor]; the strings are in `texts`. */
struct configuration {
	int nr_devices;
	void *texts; /* NULL: none */
	size_t texts_size;
	struct device_configuration devices[DEVICES_MAX];
	struct replication_configuration replication; /* there is one if a device is replicated, and only then */
};

/* Whether this server has an image of a device: a diskless member has none of those that are replicated. */
static inline bool device_configuration_has_image(const struct configuration *configuration, int minor)
{
	const struct replication_configuration *replication = &configuration->replication;

	return !configuration->devices[minor].replicated || replication->self < 0 ||
	       !replication->members[replication->self].diskless;
}

#endif
