/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file, read by libconfig into plain structures and checked
 * completely: syntax, keys, types, ranges, and what can be said without touching an
 * image. The images themselves are looked at by image.h. rdisk.cfg(5) documents the format.
 */
#ifndef RDISK_CONFIGURATION_H
#define RDISK_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diagnostic.h"
#include "rdisk_protocol.h"

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
	enum image_type type;
	char *image_file; /* path, joined with the configuration's folder; NULL: none (MEMORY_IMAGE) */
	uint64_t size;	  /* bytes; 0: that of the image file */
	uint32_t buffer;  /* bytes */
	bool read_only;
	bool is_volatile; /* what is written goes to memory, the image file stays as it is */
	bool shared;	  /* several clients may have it open for writing */
	int line;	  /* of the configuration file, where its group begins */
	int image_line;	  /* where the image is named; `line` when it is not */
};

/* devices[minor]; the strings are in `texts`. */
struct configuration {
	int nr_devices;
	void *texts; /* NULL: none */
	size_t texts_size;
	struct device_configuration devices[DEVICES_MAX];
};

/*
 * Reads and checks `path`. 0; or -1 and *diagnostic, "FILE:LINE: cause", with
 * nothing left to free. Forks: before the process has threads.
 */
int configuration_read(struct configuration *configuration, const char *path, struct diagnostic *diagnostic);

/* Frees what configuration_read() allocated; harmless on a zeroed structure. */
void configuration_free(struct configuration *configuration);

/*
 * "512M" and the like to bytes: a decimal number, then nothing or one of K, M, G, T
 * (powers of 1024). 0, or -1 when it is none or beyond 2^63-1.
 */
int size_parse(const char *text, uint64_t *bytes);

/* The reverse, exact: "512M", "1000". Returns text, which has room for SIZE_TEXT bytes. */
#define SIZE_TEXT 24
const char *size_format(uint64_t bytes, char text[SIZE_TEXT]);

#endif
