/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vote on configurations, and proposals. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_DECISION_H
#define RDISK_REPLICATION_DECISION_H

#include "durable.h"
#include "message.h"
#include "replica.h"

enum proposal_phase {
	PROPOSAL_NONE,
	PROPOSAL_COLLECTING,
	PROPOSAL_PROPOSING,
};

#define DECISION_LATE_MAX 6

struct decision {
	bool decided; /* durable.now.configuration is known to be */
	enum proposal_phase phase;
	uint64_t epoch;
	struct ballot ballot;
	struct replica_configuration value; /* own, or adopted */
	struct ballot adopted;		    /* counter 0: own */
	bool own;			    /* `value` is set */
	member_set dead;		    /* whose votes do not count for it */
	member_set answers;		    /* promised, or accepted */
	uint64_t deadline;		    /* of the phase */
	bool leased;			    /* a voter has to wait for a lease first */
	unsigned int late;	  /* proposals in a row that were not answered in time, up to DECISION_LATE_MAX */
	uint32_t highest_counter; /* seen in any ballot */
	/* Members that were seen to have accepted (heard_epoch, heard_ballot), by STATUS. */
	uint64_t heard_epoch;
	struct ballot heard_ballot;
	member_set heard;
	/* Without a vote: what the others have. */
	member_set untouched; /* without a slot: others that have said that they promised and accepted nothing */
	bool learning;
	member_set learnt;
	uint64_t learnt_epoch;
	uint64_t seen; /* the highest epoch that others saw of this member and that it does not know of */
	uint64_t next_learn;
};

/* Proposes `value` for the epoch after the decided one; fills in epoch and ballot. Not while another is under way. */
void decision_propose(struct replica *replica, const struct replica_configuration *value);
/* The same, decided without the votes of those that `value` has for dead, also over what is not known to be decided. */
void decision_force(struct replica *replica, const struct replica_configuration *value);
/* Proposes again what was accepted and is not known to be decided. */
void decision_settle(struct replica *replica);
/*
 * How long is waited for votes, or before a proposal that others may get in the way of: `least` ns, and twice as long
 * for each proposal in a row that was not answered in time, up to two replica_timeout. Such a row ends with a decision,
 * and where no majority is seen.
 */
uint64_t decision_patience(const struct replica *replica, uint64_t least);
/* Whether this member cannot propose anything any more, as there is no higher ballot or epoch. */
bool decision_used_up(const struct replica *replica);
void decision_give_up(struct replica *replica);
/* The session to a member has ended: what is not proposed yet, and would make it the primary, is not. */
void decision_gone(struct replica *replica, int member);
void decision_collect(struct replica *replica, int member, const struct message *message);
void decision_promise(struct replica *replica, int member, const struct message *message);
void decision_refuse(struct replica *replica, int member, const struct message *message);
void decision_proposal(struct replica *replica, int member, const struct message *message);
void decision_accepted(struct replica *replica, int member, const struct message *message);
void decision_configuration(struct replica *replica, int member, const struct message *message);
void decision_saved(struct replica *replica, const struct awaiting_save *awaiting);
/* A member was heard to have accepted (epoch, ballot). */
void decision_heard(struct replica *replica, int member, uint64_t epoch, struct ballot ballot, bool decided);
void decision_lost(struct replica *replica, uint64_t seen);
/*
 * At the start: what it knows to be decided, and has no vote for. It could not bring it about that it is found out
 * again; nor might others, who hold the same under other ballots.
 */
void decision_found(struct replica *replica);
/* This member forgets what it decided, by an operator's order, and learns what others have. */
void decision_forget(struct replica *replica);
void decision_learn(struct replica *replica, int member);
void decision_learnt(struct replica *replica, int member, const struct message *message);
void decision_tick(struct replica *replica);
bool decision_votes(const struct replica *replica, uint64_t epoch);

#endif
