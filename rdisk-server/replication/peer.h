/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of each member: its session, its process, what it has accepted. For the parts of the core alone:
 * core.h.
 */
#ifndef RDISK_REPLICATION_PEER_H
#define RDISK_REPLICATION_PEER_H

#include "message.h"
#include "replica.h"

struct peer {
	bool connected;
	bool greeted; /* its HELLO was taken: messages of other types count */
	bool full; /* a send was refused, and replica_can_send() has not come since: what is BULK waits for its turn */
	uint64_t passed; /* bytes of what cannot wait that went before it since then */
	struct process_id process;
	uint32_t wire;	  /* version of its session's frames */
	uint32_t flags;	  /* of its last HELLO or STATUS */
	uint64_t told_at; /* time of that */
	uint64_t gone_at; /* time at which a session in which it was greeted has ended; 0: none has */
	/* The newest configuration it is known to have accepted, by HELLO or STATUS of this session. */
	uint64_t epoch;
	struct ballot accepted;
	bool decided;
	/* The highest epoch that it was ever seen to have accepted or promised: survives its sessions. */
	uint64_t seen;
	uint64_t heard_at;		     /* time of the last frame */
	uint64_t asked;			     /* time of the last FETCH to it; 0: it was answered */
	uint64_t sizes[REPLICA_DEVICES_MAX]; /* bytes, of its images */
	/* As primary: it has failed, and is to be removed. */
	bool failed;
	uint64_t leaves_after; /* as primary: of the flush after which one that is to end leaves; 0: none */
	bool parted;	       /* its line of configurations is another than this member's: see line.c */
};

void peer_connected(struct replica *replica, int member);
void peer_disconnected(struct replica *replica, int member);
void peer_hello(struct replica *replica, int member, const struct message *message, const void *data);
void peer_status(struct replica *replica, int member, const struct message *message);
/* What this member says of itself in HELLO and STATUS. */
uint32_t peer_own_flags(const struct replica *replica);
void peer_fetch(struct replica *replica, int member);
void peer_view(struct replica *replica, member_set present);
/*
 * For how long this member waits, before it acts, for another that has no session, if it waits for `delay` where there
 * is no group service: less if that does not see it either, more if it does.
 */
uint64_t peer_hint(const struct replica *replica, int member, uint64_t delay);
void peer_tick(struct replica *replica);
/* Tells all what this member has accepted. */
void peer_tell_all(struct replica *replica);
/*
 * Whom another member can talk to, as it has said in this session, or in the last one; but not one that this member has
 * just lost, which the other may not have noticed when it said so.
 */
member_set peer_sees(const struct replica *replica, int member);
/* Whether the process that a configuration names for a member is there and can be talked to. */
bool peer_is_named(const struct replica *replica, int member, const struct replica_configuration *configuration);
/* Ends a session for a cause that is told of. */
void peer_refuse(struct replica *replica, int member, const char *why);

#endif
