/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of a simulated run: hosts with their clocks, disks, processes and clients, the network between them, and what
 * went wrong. One thread; everything that happens is an event of `engine`, everything by chance from the streams of
 * one seed, each part with its own, so that a fault that is left out does not change what clients ask for.
 */
#ifndef RDISK_SIM_WORLD_H
#define RDISK_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "replica.h"
#include "sim_clock.h"
#include "sim_disk.h"
#include "sim_engine.h"
#include "sim_network.h"
#include "sim_random.h"
#include "sim_settings.h"
#include "sim_state.h"

#define SIM_CLIENTS_MAX 16
#define SIM_FAILURE_MAX 400

struct sim_world;
struct sim_process;

/* Where what happens to a process comes from: of one source it comes in order. Sessions: one for each peer. */
enum sim_source {
	SIM_SOURCE_IO,
	SIM_SOURCE_SAVE,
	SIM_SOURCE_VIEW,
	SIM_SOURCE_CLIENT,
	SIM_SOURCE_SESSION,
	SIM_SOURCES = SIM_SOURCE_SESSION + MEMBERS_MAX,
};

enum sim_item_kind {
	SIM_ITEM_IO_DONE,
	SIM_ITEM_SAVED,
	SIM_ITEM_VIEW,
	SIM_ITEM_SUBMIT,
	SIM_ITEM_FORGET,
	SIM_ITEM_CONNECTED,
	SIM_ITEM_DISCONNECTED,
	SIM_ITEM_ROOM,
	SIM_ITEM_FRAME,
};

/* Something that happens to a process; while it is stopped it waits. */
struct sim_item {
	enum sim_item_kind kind;
	int peer;	  /* CONNECTED, DISCONNECTED, ROOM */
	uint64_t session; /* the same */
	struct sim_frame *frame;
	struct sim_pending_io *io;
	struct sim_pending_save *save;
	struct sim_operation *operation; /* SUBMIT */
	struct sim_client *client;	 /* FORGET */
	member_set view;
	struct sim_item *next;
};

struct sim_item_list {
	struct sim_item *first, *last;
};

/* An io or a save that a process has submitted, until its process was told. sim_store.c */
struct sim_pending_io {
	struct sim_event event;
	struct sim_process *process;
	struct io *io;
	struct sim_disk *disk;
	uint64_t *flushed; /* of a FLUSH: the sectors that it covers */
	bool done;	   /* it has its result */
	struct sim_pending_io *next, *previous;
};

struct sim_pending_save {
	struct sim_event event;
	struct sim_process *process;
	struct replica_save *save;
	int result;
	bool done;
	struct sim_pending_save *next, *previous;
};

struct sim_process {
	struct sim_host *host;
	struct replica *replica;
	struct process_id id;
	int members; /* of its list */
	bool stopped, ending;
	bool broken; /* its metadata could not be saved: it is to be started again */
	bool holds_lease, serving;
	struct sim_event timer;
	uint64_t sessions[MEMBERS_MAX]; /* that it knows of; 0: none */
	struct sim_item_list inbox[SIM_SOURCES];
	struct sim_pending_io *ios;
	struct sim_pending_save *saves;
	uint32_t clients;		 /* numbers given out */
	struct sim_operation *forgotten; /* of clients that died before their server */
};

struct sim_host {
	struct sim_world *world;
	int member;
	bool diskless;
	bool on;
	uint64_t listed;		   /* so many members are in the list of its next process; 0: all */
	struct replica_configuration line; /* the newest that its processes knew to be decided; epoch 0: none */
	bool made_up;			   /* its next process is of the version that there is not yet */
	bool again;			   /* to be started when its process has ended */
	uint64_t disk_failed;		   /* true time of the last error of its disks; 0: there was none */
	struct sim_clock clock;
	uint64_t boot;
	struct sim_disk disks[REPLICA_DEVICES_MAX];
	struct sim_state state;
	uint64_t kept_epoch;	     /* of `line` when its metadata were kept */
	struct sim_process *process; /* NULL: none */
	struct sim_event start, end, view;
	unsigned int views_left; /* until the right one */
	member_set ghosts;	 /* members that its views never lose */
	struct sim_slot *slots;	 /* of clients; sim_client.c */
};

struct sim_world {
	struct sim_engine engine;
	struct sim_settings settings;
	uint64_t seed;
	int members;
	struct sim_network network;
	struct sim_event watch; /* sim_invariant.c */
	struct sim_host hosts[MEMBERS_MAX];
	struct sim_random network_random, disk_random, core_random, client_random, host_random, view_random;
	struct history *history;
	/* Clients: what they still have to ask for, and what is not answered. */
	uint64_t requests_left, ops, outstanding, wishes;
	int clients;	 /* of the history, so far */
	bool finishing;	 /* no new requests */
	bool calm;	 /* no more faults */
	member_set away; /* members that stay away in the calm, while the others have to serve */
	/* Old metadata were put back: see sim_schedule.h. */
	bool shielded;
	uint64_t hurt;		   /* true time of the last careful action; 0: there was none */
	member_set expect_refused; /* members that a script makes refuse to start */
	bool expect_no_errors;	   /* what a script does costs clients time, and nothing else */
	bool expect_loss;	   /* a script gives up an answered write: the history is not judged */
	bool trace;
	bool failed;
	char failure[SIM_FAILURE_MAX]; /* the first thing that went wrong, one line */
	uint64_t digest;	       /* of all that happened */
	uint32_t generation;	       /* the newest that was decided */
	struct {
		uint64_t frames, bytes, answers, errors, epochs, actions, skipped, refused, compared;
	} counts;
};

/* ---- sim_world.c ---- */

/* In place; all hosts are on, and no process runs. `history` is the caller's. */
void sim_world_init(struct sim_world *world, uint64_t seed, const struct sim_settings *settings,
		    struct history *history, bool trace);
void sim_world_free(struct sim_world *world);

/* The run has failed; the first call counts. */
__attribute__((format(printf, 2, 3))) void sim_fail(struct sim_world *world, const char *format, ...);

/* A line of the trace, if one is wanted; member: NO_MEMBER: of the world. */
__attribute__((format(printf, 3, 4))) void sim_trace(struct sim_world *world, int member, const char *format, ...);

/* What has happened, for comparing runs. */
void sim_digest(struct sim_world *world, uint64_t what, uint64_t more);
/* The same with bytes that are to be the same on every machine: frames, metadata. */
void sim_digest_bytes(struct sim_world *world, const void *bytes, size_t size);

static inline char sim_letter(int member)
{
	return (char)('A' + member);
}

#endif
