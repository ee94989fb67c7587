/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a member keeps what it must not forget: the folder state_dir/SET, with a file for each slot, for the activity
 * log of each device, and for the bits of each device and member. Reads all of it at the start; writes a piece, makes
 * it stable and says so, in threads of its own. What the pieces mean is replication/metadata.h's business.
 *
 * The loop's thread, unless said otherwise.
 */
#ifndef RDISK_STATE_DIRECTORY_H
#define RDISK_STATE_DIRECTORY_H

#include "completions.h"
#include "diagnostic.h"
#include "replica.h"

struct state_directory;

struct state_directory_settings {
	const char *path;			/* state_dir; made if it is missing */
	const char *set;			/* name of the set: a folder in it */
	int nr_devices;				/* that are replicated */
	const char *names[REPLICA_DEVICES_MAX]; /* of the devices */
	int members;
	uint32_t nodes[MEMBERS_MAX];
	struct completions *saved; /* where pieces come back that were saved; outlives it */
};

/*
 * Opens it and locks it against another process, which is waited for like that of an image (STORE_LOCK_WAIT). 0, or -1
 * and *diagnostic with nothing left open. Strings are not used afterwards. Nothing is made that stays before something
 * is saved.
 */
int state_directory_open(struct state_directory **directory, const struct state_directory_settings *settings,
			 struct diagnostic *diagnostic);

/*
 * Gives all that is there to `take`, both slots first, a piece that is all zeroes as that, and one that is damaged, so
 * that it cannot be read, as NULL of size 0. take returns NULL, or why it must not be used: that ends it. 0, or -1 and
 * *diagnostic.
 */
int state_directory_load(struct state_directory *directory,
			 const char *(*take)(void *context, const struct metadata_place *place, const void *bytes,
					     size_t size),
			 void *context, struct diagnostic *diagnostic);

/* Writes a piece and makes it stable; it comes back by `saved`, and state_directory_saved() says whose it was. */
void state_directory_save(struct state_directory *directory, struct replica_save *save);

/* How many pieces were given to it so far. */
uint64_t state_directory_saves(const struct state_directory *directory);

/* What an io of `saved` stands for, and its result, 0 or -errno; it is free for another from then on. */
struct replica_save *state_directory_saved(struct io *io, int *result);

/* Waits for what is under way; NULL is harmless. */
void state_directory_close(struct state_directory *directory);

#endif
