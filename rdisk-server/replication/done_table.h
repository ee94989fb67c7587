/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that were done: what is asked again after a change of the primary is answered from here, and not done twice.
 * It is the same on all in-sync members where no entry is under way. Only what changes the disk is in it; reads are
 * done again. Bounded: a client has at most `window` requests without an answer and tells the lowest of them, so that
 * all below are forgotten; there are at most `clients` of them. With each client is kept how it has its device open.
 *
 * Of a request that is in the table this member's image has all, in its place among others: it is done; or nobody can
 * tell what of it is there: it is unsure. Of one that is not in it the image has nothing.
 */
#ifndef RDISK_DONE_TABLE_H
#define RDISK_DONE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"

/* What a request writes. */
struct done_range {
	uint64_t position; /* bytes */
	uint32_t length;   /* bytes; 0: nothing */
	uint32_t device;
};

struct done_request {
	uint64_t request; /* its number; 0: none */
	struct done_range range;
	int32_t result; /* 0 of one that is unsure */
	bool unsure;
};

/* How a client has a device open. */
struct client_open {
	bool open;	/* false: not known to be, and the rest is 0 */
	bool shared;	/* others that are shared, too, may have it open at the same time */
	bool read_only; /* it only reads: with others that only read it may share the device in any case */
	uint8_t member; /* that its client is at: an index */
	uint32_t device;
};

struct done_client {
	struct client_id id; /* forwarder 0: free */
	struct client_open open;
	uint64_t absent;	/* the primary's own: time since when its process is not there; 0: it is. opens.c */
	uint64_t lowest;	/* requests below it are answered, and nobody asks for them again */
	unsigned int nr_unsure; /* of its requests */
	struct done_request *requests; /* `window` of them; request n is at n % window */
};

struct done_table {
	struct done_client *clients; /* nr_clients; one keeps its place until it is forgotten */
	unsigned int nr_clients;
	unsigned int window;
	unsigned int nr_unsure; /* requests */
	/* The table's own. */
	struct done_request *requests; /* of all clients */
	unsigned int *places;	       /* by a hash of the client: its number + 1; 0: empty */
	unsigned int places_mask;      /* places - 1, which are a power of two, and twice as many as clients at least */
	unsigned int *free;	       /* numbers of free clients */
	unsigned int nr_free;
};

enum done_answer {
	DONE_UNKNOWN, /* not done, as far as this member knows */
	DONE_KNOWN,   /* done: *result */
	DONE_UNSURE,  /* perhaps, or in part */
	DONE_OLD,     /* below the client's lowest: nobody waits for it */
};

/* Allocates; 0 or -ENOMEM. clients, window: not 0. Freed by done_table_free(), harmless on a zeroed one. */
int done_table_init(struct done_table *table, unsigned int clients, unsigned int window);
void done_table_free(struct done_table *table);
void done_table_clear(struct done_table *table);

/*
 * A request of a client was done, whose lowest unanswered is `lowest` now. 0; -ENOSPC: too many clients; -ERANGE:
 * request is not below lowest + window (nothing is changed then). One below the known lowest is ignored; of one that is
 * known the new result counts, and it is not unsure any more; one of nobody (forwarder 0) is none.
 */
int done_table_add(struct done_table *table, struct client_id client, uint64_t request, uint64_t lowest,
		   int32_t result);
/* The same of one that writes a range. */
int done_table_add_write(struct done_table *table, struct client_id client, uint64_t request, uint64_t lowest,
			 int32_t result, const struct done_range *range);
/* The same, but it is unsure, whatever it was; range->length is not 0. */
int done_table_add_unsure(struct done_table *table, struct client_id client, uint64_t request, uint64_t lowest,
			  const struct done_range *range);

/*
 * A client was opened, or opened again in another way; it is added if it is not there. open->open is true. 0; -ENOSPC:
 * too many clients.
 */
int done_table_open(struct done_table *table, struct client_id client, const struct client_open *open);

/* How a client has its device open; NULL: it is not in the table. Until the table changes. */
const struct client_open *done_table_open_of(const struct done_table *table, struct client_id client);

/* Whether two clients cannot have these at the same time. */
bool client_open_excludes(const struct client_open *one, const struct client_open *other);

enum done_answer done_table_find(const struct done_table *table, struct client_id client, uint64_t request,
				 int32_t *result);

/* What a request that is DONE_UNSURE writes; NULL of any other. Until the table changes. */
const struct done_range *done_table_unsure(const struct done_table *table, struct client_id client, uint64_t request);

/* Whether a range (bytes, length not 0) overlaps that of an unsure request. */
bool done_table_holds(const struct done_table *table, uint32_t device, uint64_t position, uint64_t length);

/*
 * A new primary, whose table this is, is about to write over this member's image what differs from its own. What either
 * of the two has done and the other has not becomes unsure here, as does what is unsure there.
 */
void done_table_doubt(struct done_table *table, const struct done_table *primary);

/* What is unsure is not in it any more: nobody will do it again. */
void done_table_drop_unsure(struct done_table *table);

/* Two tables of the same size change places. */
void done_table_swap(struct done_table *table, struct done_table *other);

/* Whether the client is in it: it was opened, and not closed. */
bool done_table_knows(const struct done_table *table, struct client_id client);

/* A client is gone for good. Harmless if it was not there. */
void done_table_forget(struct done_table *table, struct client_id client);
/* All clients of a process that is gone for good. */
void done_table_forget_process(struct done_table *table, uint64_t forwarder);

/*
 * Writes clients from *next on (0 at first), as many as fit into `size` bytes (at least DONE_TABLE_CLIENT_MAX(window)),
 * and sets *next to where it goes on, or to nr_clients at the end. Returns the bytes. Between two calls the table may
 * change: who is there all the time is saved, with what was done by then. Form: for each client forwarder
 * u64, client u32, count u32, lowest u64, device u32, how it is open u32 (bits: 1 it is, 2 shared, 4 read only, 8 to 15
 * at which member), then count times {request u64, result u32, length u32, position u64, device u32, 1 u32 if it is
 * unsure, else 0} in the order of request, little-endian.
 */
size_t done_table_save(const struct done_table *table, unsigned int *next, void *data, size_t size);
#define DONE_TABLE_CLIENT_MAX(window) (32u + 32u * (window))

/*
 * Adds what another member wrote, who has the same window; what is done here stays so. NULL, or what is wrong with it
 * (what came before the fault was added).
 */
const char *done_table_load(struct done_table *table, const void *data, size_t size);

#endif
