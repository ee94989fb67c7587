/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The replica set that this server is a member of, as somebody configured it (configuration.h reads that from a file,
 * which is the same on all hosts). Plain data.
 */
#ifndef RDISK_REPLICATION_CONFIGURED_H
#define RDISK_REPLICATION_CONFIGURED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLICATION_MEMBERS_MAX		       7  /* of a set */
#define REPLICATION_DEVICES_MAX		       16 /* that are replicated */
#define REPLICATION_NODE_MAX		       255
#define REPLICATION_NAME_SIZE		       32 /* of a member, with the zero at its end */
#define REPLICATION_SET_SIZE		       64
#define REPLICATION_ADDRESS_SIZE	       46  /* an IPv6 address is no longer */
#define REPLICATION_CONTROL_PATH_MAX	       107 /* bytes of a Unix socket's path */

#define REPLICATION_PORT_DEFAULT	       7300

/*
 * When the primary's process dies its sessions break at once, but nobody may follow it before the lease that was
 * granted to it has run out: at most lease_ms later, as it is renewed each quarter of it. Then there is a decision (two
 * round trips and four writes of a sector) and what was unfinished is made equal. With 300 ms all of that is done
 * within half a second, also on a disk that takes 20 ms to sync. A host that is too busy to let the server run for a
 * quarter of a second loses the lease, which costs time and no data; that is seldom, as renewals wait for no disk.
 */
#define REPLICATION_LEASE_MS_DEFAULT	       300
#define REPLICATION_LEASE_MS_MIN	       50
#define REPLICATION_LEASE_MS_MAX	       60000

/*
 * How long clients wait for a member whose session is alive and whose disk does not answer. A healthy disk that has
 * seconds of writes to flush takes that long; one that was removed too early has to be brought up again.
 */
#define REPLICATION_REPLICA_TIMEOUT_MS_DEFAULT 5000

/* Long enough for a host of which only the server was restarted; a guest elsewhere waits that long for a dead one's. */
#define REPLICATION_OPEN_GRACE_MS_DEFAULT      10000

#define REPLICATION_TIMEOUT_MS_MAX	       3600000	 /* an hour */
#define REPLICATION_MEMORY_WAIT_MS_MAX	       604800000 /* a week */

/* Bytes a second: most of what a link of 1 Gbit/s or one disk carries. */
#define REPLICATION_RESYNC_RATE_DEFAULT	       (100ull << 20)

#define REPLICATION_NO_MEMBER		       (-1)

enum replication_group {
	REPLICATION_GROUP_COROSYNC, /* Corosync says who is there */
	REPLICATION_GROUP_BEACONS,  /* the sessions do */
};

enum replication_compression {
	REPLICATION_COMPRESSION_AUTO, /* when it makes a frame smaller and the link is the limit */
	REPLICATION_COMPRESSION_ON,
	REPLICATION_COMPRESSION_OFF,
};

struct replication_member {
	int node; /* 1 .. REPLICATION_NODE_MAX */
	char name[REPLICATION_NAME_SIZE];
	char address[REPLICATION_ADDRESS_SIZE]; /* IPv4 or IPv6, as inet_ntop() writes it */
	uint16_t port;
	bool diskless; /* it votes and forwards, and has no images */
	int line;      /* of the configuration file, where its group begins */
};

/* The strings are in the `texts` of struct configuration. */
struct replication_configuration {
	int nr_members; /* 0: there is no set, and nothing else counts */
	int self;	/* index in members; REPLICATION_NO_MEMBER until replication_find_self() */
	struct replication_member members[REPLICATION_MEMBERS_MAX]; /* ascending by node */
	char set[REPLICATION_SET_SIZE];				    /* its name */
	const char *key_file;					    /* NULL: none; not to be used if insecure */
	bool insecure;						    /* sessions are in the clear */
	const char *state_dir;					    /* of this member */
	const char *control; /* path of the control socket, at most REPLICATION_CONTROL_PATH_MAX bytes */
	enum replication_group group;
	enum replication_compression compression;
	unsigned int min_in_sync; /* 1 .. members with images */
	unsigned int lease_ms;
	unsigned int replica_timeout_ms; /* at least twice lease_ms, like the next */
	unsigned int open_grace_ms;
	unsigned int memory_wait_ms; /* 0: for ever */
	uint64_t resync_rate;	     /* bytes a second; 0: no limit */
	bool slow_replica_waits;     /* one that does not keep up is waited for; else it is removed */
	bool error_on_no_quorum;     /* requests fail while nothing is served; else they wait */
	int line;		     /* of the configuration file, where the group begins */
};

#endif
