/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of devices: which minors there are, their images, who has them open, and who
 * may therefore do what. Moves no data.
 *
 * Who has a device open is kept by endpoint *and* incarnation: a process that comes to an
 * endpoint after another died there does not inherit its opens. The server learns of deaths when it
 * matters: when an open would be refused because of somebody, that somebody is looked up at the node.
 */
#ifndef RDISK_DEVICE_H
#define RDISK_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "configured.h"
#include "diagnostic.h"
#include "dvk_endpoint.h"
#include "member.h"
#include "request.h"
#include "store.h"

/* One client's opens of one device. */
struct device_open {
	int incarnation; /* of the client: dvk_peer_incarnation() */
	int count;	 /* opens that were not closed yet; 0: unused */
	bool write;
	uint32_t number; /* of a replicated device: of the open in the set; 0: none */
	bool told;	 /* the set knows of it */
	bool told_write; /* ... and that it writes */
};

struct device {
	struct store store;
	struct member *member;	  /* of the set that it is a disk of; NULL: it is not replicated */
	int replica;		  /* its index there */
	uint64_t size;		  /* bytes; 0: of a replicated one, not known yet */
	struct request_disk disk; /* over the store, or the set */
	char name[RDISK_NAME_SIZE];
	bool read_only;
	bool is_volatile;
	bool shared;
	void *buffers;			    /* of the disk; NULL: the device is not open */
	struct device_open opens[NR_SLOTS]; /* by the client's slot */
};

struct device_table {
	uint64_t instance;     /* random, another one at each start */
	int dcid;	       /* of the server's endpoint */
	struct member *member; /* NULL: no device is replicated */
	uint32_t last_open;    /* number of the last open in the set */
	struct completions *completions;
	int nr_devices;
	struct device devices[DEVICES_MAX];
};

/*
 * Checks all images of the configuration without changing anything; found[minor] (DEVICES_MAX of them)
 * gets what each device would have, zeroes for one that has no image here. 0, or -1 and *diagnostic, "FILE:LINE:
 * cause".
 */
int device_table_check(const struct configuration *configuration, const char *path, struct store_found *found,
		       struct diagnostic *diagnostic);

/*
 * Opens all images but those whose files are missing, and makes the buffers. The table must be zeroed. The
 * configuration and `completions`, where the stores put what they have done, outlive it. 0, or -1 and *diagnostic as
 * above, with nothing left open.
 */
int device_table_open(struct device_table *table, const struct configuration *configuration, const char *path,
		      struct completions *completions, struct diagnostic *diagnostic);

/*
 * Creates the missing ones: what changes something comes last, when all else that a start needs is there. 0: all images
 * are open; -1 and *diagnostic: device_table_uncreate() and device_table_close() are to follow.
 */
int device_table_create(struct device_table *table, const struct configuration *configuration, const char *path,
			struct diagnostic *diagnostic);

/* The start has failed: removes what device_table_create() has created. */
void device_table_uncreate(const struct device_table *table, const struct configuration *configuration);

/* Logs who each device is. */
void device_table_log(const struct device_table *table);

/* Makes all that was written stable. 0, or -1 when one failed (it is logged). */
int device_table_flush(struct device_table *table);

/* Closes the images without flushing; harmless on a zeroed table. */
void device_table_close(struct device_table *table);

/* Forgets all opens. */
void device_table_forget_opens(struct device_table *table);

/* Whose disk it is. */
static inline struct device *device_of(struct request_disk *disk)
{
	return (struct device *)((char *)disk - offsetof(struct device, disk));
}

/* The device of a minor, or NULL. */
struct device *device_find(struct device_table *table, int minor);

/*
 * A client opens a device; access as in COUNT of DEV_OPEN. 0; EDVSINVAL (bad
 * access), EDVSROFS, EDVSBUSY, EDVSNOTBIND (the client is gone).
 */
int device_open(struct device_table *table, struct device *device, int endpoint, int access);

/*
 * The number of a client's open in the set, of a replicated device that it has open: a new one for its first open.
 * *tell: the set is to be told of it, or that it writes from now on.
 */
uint32_t device_open_number(struct device_table *table, struct device *device, int endpoint, bool *tell);

/* The set has taken what it was told. */
void device_open_told(struct device *device, int endpoint);

/* The set has refused what it was told, or the client has given up waiting for that: that is one open less, and it is
 * as it was before. */
void device_open_failed(struct device *device, int endpoint);

/* Whether the process that is at an endpoint now has opened it, or is about to. */
bool device_has_open(const struct device *device, int endpoint);

/* Whether a client has it open for writing. */
static inline bool device_writes(const struct device *device, int endpoint)
{
	return device->opens[dvk_endpoint_slot(endpoint)].write;
}

/* That number; 0: it has none. */
static inline uint32_t device_client(const struct device *device, int endpoint)
{
	return device->opens[dvk_endpoint_slot(endpoint)].number;
}

/* One open less. 0; EDVSNXIO: the client has none. */
int device_close(struct device *device, int endpoint);

/* Ends the opens that the dead have of replicated devices: others may wait for that on other hosts. */
void device_table_forget_dead(struct device_table *table);

/* Ends all opens of replicated devices: the server ends. */
void device_table_forget_replicated(struct device_table *table);

/* What the set says of a replicated device by now: its size. Whether that is another than was known. */
bool device_learn(struct device *device);

/* Whether a client may do I/O on a device: 0; EDVSNXIO, EDVSROFS, EDVSBADOWNER. */
int device_access(const struct device *device, int endpoint, bool write);

/* What RDISK_IOC_INFO and DIOCGETP tell. */
void device_info(const struct device_table *table, int minor, struct rdisk_info *info);
void device_partition(const struct device *device, struct rdisk_partition *partition);

/*
 * "0 MY_FILE_IMG 512M rw, ...", for the ready line and --check-config, into text
 * (cut if it is too long). A size of 0 is not known.
 */
void device_describe(const struct configuration *configuration, const uint64_t *sizes, char *text, size_t size);

#endif
