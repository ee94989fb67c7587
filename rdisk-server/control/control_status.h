/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member of a replica set tells of the set and of what happens in it, as plain data; as the JSON of
 * `rdiskctl status --json` and `rdiskctl events`, which rdiskctl(8) documents; and in one line. Whoever fills it in
 * need not repeat what the configuration file says: names, nodes and kinds are taken from there. Any thread.
 */
#ifndef RDISK_CONTROL_STATUS_H
#define RDISK_CONTROL_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "replication_configured.h"

#define CONTROL_UNKNOWN	     UINT64_MAX /* of a number: it is not known here */
#define CONTROL_BLOCKED_SIZE 512	/* bytes, with the zero */
#define CONTROL_LINK_SIZE    384	/* bytes of the text of a member */

struct cJSON;

enum control_role {
	CONTROL_ROLE_NONE, /* it is not in the configuration, or none is known */
	CONTROL_ROLE_PRIMARY,
	CONTROL_ROLE_BACKUP,
	CONTROL_ROLE_DISKLESS,
};

/* A diskless member has nothing that could be out of sync: it is IN_SYNC while it is connected, else UNKNOWN. */
enum control_state {
	CONTROL_STATE_UNKNOWN, /* nothing is decided, or it was never seen */
	CONTROL_STATE_IN_SYNC,
	CONTROL_STATE_RESYNCING,
	CONTROL_STATE_OUTDATED, /* it has an image that is not in sync, and it is not being brought up */
	CONTROL_STATE_EXCLUDED, /* it is not talked to: of another line, list or key, or taken for dead */
};

enum control_resync_kind {
	CONTROL_RESYNC_NONE,
	CONTROL_RESYNC_BITMAP, /* it is known what it lacks */
	CONTROL_RESYNC_HASH,   /* blocks are compared */
	CONTROL_RESYNC_FULL,   /* all of it is copied */
};

struct control_resync {
	enum control_resync_kind kind;
	uint64_t done, total;  /* bytes */
	uint64_t rate;	       /* bytes a second, of late */
	uint64_t seconds_left; /* or CONTROL_UNKNOWN */
};

struct control_member {
	bool connected; /* of the member itself: true */
	enum control_role role;
	enum control_state state;
	uint64_t out_of_sync; /* bytes that it lacks, or CONTROL_UNKNOWN */
	struct control_resync resync;
	char link[CONTROL_LINK_SIZE]; /* why it is not connected, as far as is known; "" */
	bool answers;	      /* of one that is not connected: it is there, and refuses this member or is refused */
	unsigned int seen_by; /* of one that is not connected: bit n: member n, which is, is connected to it */
};

struct control_device {
	int minor;
	const char *name;
	const char *id; /* "": not known yet */
	uint64_t size;	/* bytes; 0: not decided yet */
};

struct control_status {
	bool born; /* there is a set; without it uuid, generation and epoch do not count */
	unsigned char uuid[16];
	uint32_t generation;
	uint64_t generation_id;
	uint64_t epoch;
	int primary;		    /* index of a member; REPLICATION_NO_MEMBER */
	bool serving;		    /* as far as is known here: requests of this host's clients are answered */
	bool quorate;		    /* a majority of the members is seen, this one included */
	bool resync_paused;	    /* by an order */
	unsigned int force_without; /* bit n: an order that is not decided yet takes member n for dead; 0: none */
	uint64_t state_writes;	    /* of this member's state, since its process began; each was made stable */
	char blocked[CONTROL_BLOCKED_SIZE]; /* what is waited for; "": nothing */
	struct control_member members[REPLICATION_MEMBERS_MAX];
	int nr_devices; /* that are replicated */
	struct control_device devices[REPLICATION_DEVICES_MAX];
};

enum control_event_kind {
	CONTROL_EVENT_EPOCH,	  /* a configuration was decided */
	CONTROL_EVENT_PRIMARY,	  /* member: it serves, or does not any more (text) */
	CONTROL_EVENT_MEMBER,	  /* member: its connection or state is another */
	CONTROL_EVENT_RESYNC,	  /* member: its bringing up begins, pauses, goes on or ends (text) */
	CONTROL_EVENT_QUORUM,	  /* the majority is seen, or not any more (text) */
	CONTROL_EVENT_DISK_ERROR, /* member: an image or the state failed */
	CONTROL_EVENT_SPLIT,	  /* two generations exclude each other */
	CONTROL_EVENT_LOST,	  /* events that could not be told: `lost` of them */
};

struct control_event {
	enum control_event_kind kind;
	uint64_t epoch;			     /* the newest that is known */
	int member;			     /* that it is about; REPLICATION_NO_MEMBER is this one */
	const struct control_member *status; /* of that member, or NULL */
	const char *text;		     /* one line without a full stop, or NULL */
	unsigned int lost;		     /* of a LOST: how many */
};

/* New objects, which the caller deletes. NULL: no memory. at: CLOCK_REALTIME. */
struct cJSON *control_status_json(const struct replication_configuration *replication,
				  const struct control_status *status);
struct cJSON *control_event_json(const struct replication_configuration *replication, const struct control_event *event,
				 struct timespec at);
struct cJSON *control_error_json(const char *code, const char *message);

/* Adds a text, in which what is no UTF-8 is replaced by '?'. False: no memory. */
bool control_json_text(struct cJSON *object, const char *key, const char *text);

/*
 * Such as "primary b, 2 of 2 in sync, 3 of 3 connected, epoch 12", for a log or a service manager, into text (cut if it
 * is too long).
 */
void control_status_line(const struct replication_configuration *replication, const struct control_status *status,
			 char *text, size_t size);

#endif
