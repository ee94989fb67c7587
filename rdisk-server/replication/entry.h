/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One operation on an image: its order, its place in the activity log, its store. For the parts of the core alone:
 * core.h.
 */
#ifndef RDISK_REPLICATION_ENTRY_H
#define RDISK_REPLICATION_ENTRY_H

#include "done_table.h"
#include "message.h"
#include "replica.h"
#include "request.h"

#define ENTRIES_SPARE 64 /* of the pool, beyond what is counted */

enum entry_role {
	ENTRY_OF_CLIENT,   /* primary: a request */
	ENTRY_OF_RECOVERY, /* primary: an unfinished range, read from the own image and written to all */
	ENTRY_OF_COPY,	   /* primary: a range, read from the own image and written to a target */
	ENTRY_OF_PRIMARY,  /* backup, target: from the primary */
	ENTRY_COPIED,	   /* target: a COPY */
	ENTRY_COMPARED,	   /* target: a HASH */
	ENTRY_ORPHAN,	   /* nobody waits for it; its store may still have it */
};

enum entry_step {
	STEP_ORDER,  /* waits for its turn */
	STEP_WINDOW, /* primary: its turn has come, and too many are under way */
	STEP_READ,   /* RECOVERY, COPY: the own image is read */
	STEP_LOG,    /* an extent is being made hot */
	STEP_WRITE,  /* at the store */
	STEP_FLUSH,  /* at the store, for a stable one */
	STEP_STORED, /* nothing to do here any more */
};

/* Whose flush it is. */
enum flush_owner {
	FLUSH_OF_BACKUP,
	FLUSH_OF_PRIMARY,
	FLUSH_OF_STOP,
};

/* An io at the world's store. */
struct core_io {
	struct io io;
	struct entry *entry; /* NULL: a flush */
	int device;
	enum flush_owner flush;
};

struct entry_list {
	struct entry *first, *last;
};

struct entry {
	struct request request; /* first: the pool and the order are request/'s */
	enum entry_role role;
	enum entry_kind kind;
	enum entry_step step;
	uint32_t device;
	uint64_t reign, number; /* number 0: none yet */
	bool stable;
	struct client_id client;
	struct client_open open; /* of an OPEN */
	uint64_t client_request, lowest;
	int origin;		     /* member that waits for the answer */
	uint64_t begun;		     /* time; of a COPY */
	int target;		     /* of a COPY; so are: */
	unsigned char *equal;	     /* a byte for each block: the target has it */
	bool compares;		     /* hashes are wanted before anything is sent */
	bool asked;		     /* for them */
	uint64_t sent;		     /* bytes that need no other message; of a HASH at the target: of its hashes */
	unsigned int pieces;	     /* messages that were sent and are not acknowledged */
	uint64_t seed;		     /* of a HASH at the target */
	uint64_t session;	     /* of `origin`, when it came */
	member_set waits;	     /* members whose answer is awaited */
	member_set failed;	     /* members that failed to store it, this one included */
	int error;		     /* of one of them */
	uint64_t began;		     /* time when it was sent */
	void *memory;		     /* from malloc(): of `data`; owned; NULL: none */
	struct replica_data *shared; /* the same, where others have it, too: held; NULL: none */
	void *data;
	uint64_t data_checksum; /* as message_data_checksum(), of a request that came with it; 0: not known */
	struct iovec vector;
	struct core_io store;
	int stored_result; /* of the own image */
	bool completed;	   /* entry_complete() was called: it ends soon */
	int result;
	struct entry *next_completed;
	struct entry *next_logged; /* of those that wait for the activity log */
	struct entry_list *list;   /* that it is in; NULL: none */
	struct entry *next, *previous;
	/* Of those that the own image does not have yet, and that it shall have. */
	bool is_here;
	struct entry *next_here, *previous_here;
};

/* A new one, not begun; the pool is large enough for all that the settings allow. memory: owned from now on. */
struct entry *entry_take(struct replica *replica, enum entry_role role, enum entry_kind kind, uint32_t device,
			 uint64_t position, uint64_t length, void *memory, void *data);
/*
 * Whether there is room for more that can wait. A store that hangs keeps entries of sessions and reigns that are over,
 * so that the pool can run low; the rest of it is for what is under way already.
 */
bool entry_room(const struct replica *replica);
void entry_begin(struct replica *replica, struct entry *entry);
/* Nothing is to be done for it any more: those who wait for it in the order can go on. Leads to its part's _end(). */
void entry_complete(struct replica *replica, struct entry *entry, int result);
/* Writes it to the own image: makes its extents hot first. */
void entry_write_here(struct replica *replica, struct entry *entry);
void entry_read_here(struct replica *replica, struct entry *entry);
/* The extents that it waited for are hot. */
void entry_logged(struct replica *replica, struct entry *entry);
void entry_io_done(struct replica *replica, struct io *io);
/* Goes on with all that can go on. */
void entries_run(struct replica *replica);
void entry_free(struct replica *replica, struct entry *entry);
/* Nobody waits for it any more: it ends when the own store is done with it. Takes it from its list. */
void entry_orphan(struct replica *replica, struct entry *entry);
/* The own image shall have it; until it has, or the entry ends, it is in replica->here. */
void entry_here(struct replica *replica, struct entry *entry);
void entry_append(struct entry_list *list, struct entry *entry);
void entry_remove(struct entry *entry);
enum io_answer entry_turn(struct request_disk *disk, struct io *io);

#endif
