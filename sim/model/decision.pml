/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decisions: one value an epoch, by a majority of all voters, whatever is lost, delayed, repeated or forgotten.
 *
 * Modelled: COLLECT, PROMISE, PROPOSE, ACCEPTED, DECIDED; the durable promise and the accepted configuration; adoption;
 * the chain of epochs; ballots; restarts of processes; a voter that has lost its durable state, or whose old state was
 * put back, which learns from the others (LEARN); blank voters and epoch 1.
 * Not modelled: leases (lease.pml), back-off, REFUSE (it only says what to try next), what a configuration contains, and
 * time: every step may come at any moment or never.
 *
 * Messages: what was sent stays in a set and may be received by anyone, at any time, in any order, never, or again.
 * Only the promises for a proposer that has given up or restarted are forgotten, because nobody can use them.
 * DECIDED reaches anyone, at any time, from the moment when a majority has accepted: this allows more than sessions do.
 *
 * {epoch, ballot} is one number here, so that comparing numbers is comparing first epochs, then ballots. Each ballot
 * belongs to one member. A value is named by the ballot under which it was first proposed.
 *
 * Assumptions: never do two members have lost state at a time (the first has learnt, durably, before the second loses).
 * Old metadata that were put back are the same as lost ones: a peer who has seen newer tells before the first vote.
 */

/* bounds: -DMEMBERS=3 -DEPOCHS=2 -DBALLOTS=2 -DLOSSES=2 */
/* bounds: -DMEMBERS=3 -DEPOCHS=2 -DBALLOTS=3 -DLOSSES=0 */
/* bounds: -DMEMBERS=3 -DEPOCHS=3 -DBALLOTS=2 -DLOSSES=0 */
/* bounds: -DMEMBERS=3 -DEPOCHS=1 -DBALLOTS=3 -DLOSSES=1 */
/* bounds: -DMEMBERS=5 -DEPOCHS=1 -DBALLOTS=2 -DLOSSES=0 */
/* bounds: -DMEMBERS=2 -DEPOCHS=2 -DBALLOTS=2 -DLOSSES=1 */
/* options: -DSAFETY -DNOREDUCE -DMEMLIM=2500 -m1000000 */

/* bug: BUG_NO_PROMISE: a value is accepted although a higher ballot was promised */
/* bug: BUG_PROMISE_VOLATILE: a promise is forgotten by a restart */
/* bug: BUG_PROMISE_OF_ONE_EPOCH: a promise of a later epoch does not refuse an earlier one, and is replaced by it */
/* bug: BUG_ACCEPT_IS_NO_PROMISE -DMEMBERS=3 -DEPOCHS=2 -DBALLOTS=3 -DLOSSES=0: after accepting, a lower ballot than the accepted one is accepted too */
/* bug: BUG_BALLOT_REUSED: a proposer has not promised its ballot when it collects, and uses it again after a restart */
/* bug: BUG_ADOPTS_OWN: a proposer proposes its own value, whatever was accepted */
/* bug: BUG_ADOPTS_ANY -DMEMBERS=3 -DEPOCHS=2 -DBALLOTS=3 -DLOSSES=0: a proposer adopts any reported value, not the one of the highest ballot */
/* bug: BUG_UNCHAINED: epoch e + 1 is proposed by who has accepted e without knowing that it is decided */
/* bug: BUG_LOST_VOTES: a voter that has lost its state votes as if it had never had any */
/* bug: BUG_OLD_METADATA: a voter votes with old metadata that were put back */
/* bug: BUG_LOST_PROPOSES: a voter that has lost its state does not vote, but proposes */
/* bug: BUG_BLANK_UNASKED: a voter without a slot counts itself blank before all others have said that they are */
/* bug: BUG_LEARNT_AT_ONCE: having learnt, it votes in epoch m */
/* bug: BUG_LEARNT_NEXT_EPOCH: having learnt, it votes in epoch m + 1 */
/* bug: BUG_LEARNT_VOLATILE: from which epoch on it may vote is forgotten by a restart */
/* bug: BUG_LEARNS_FROM_ONE: it learns from less than a majority of the others */
/* bug: BUG_LEARNT_NOT_STORED: it does not store what it has learnt, and tells the next one who has lost state nothing */

#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifndef BALLOTS		/* of each epoch */
#define BALLOTS 3
#endif
#ifndef LOSSES		/* of durable state, in all */
#define LOSSES 1
#endif

/* Ballot 0 of each epoch is nobody's. Number 0 is before all: blank. */
#define STEP		(BALLOTS + 1)
#define LAST		(EPOCHS * STEP)
#define FIRST(epoch)	(((epoch) - 1) * STEP + 1)
#define EPOCH(b)	(((b) + STEP - 1) / STEP)
#define OWNER(b)	((EPOCH(b) * BALLOTS + (b) - FIRST(EPOCH(b)) - 1) % MEMBERS)

#define BIT(member)	(1 << (member))
#define ALL		(BIT(MEMBERS) - 1)
#define COUNT(mask)	(((mask) & 1) + ((mask) >> 1 & 1) + ((mask) >> 2 & 1) + ((mask) >> 3 & 1) + ((mask) >> 4 & 1))
#define MAJORITY(mask)	(COUNT(mask) * 2 > MEMBERS)

typedef Member {
	/* durable */
	byte promised;		/* nothing below it is promised or accepted */
	byte accepted;		/* the ballot of the accepted configuration; 0: blank */
	byte value;
	bool lost;		/* no valid slot: no vote */
	/* volatile */
	bool knows;		/* that the accepted configuration is decided */
	byte collecting;	/* the ballot for which it collects; 0: none */
	byte promises;		/* mask of who has promised that ballot, and what they had accepted in its epoch */
	byte reported[MEMBERS];
	byte reported_value[MEMBERS];
	byte heard;		/* lost: mask of who has answered LEARN */
	bool touched;		/* lost: one of them has promised or accepted something */
}

Member m[MEMBERS];
#ifdef BUG_OLD_METADATA
Member copy;
byte copy_of = MEMBERS;
#endif
#ifdef BUG_LEARNT_VOLATILE
byte votes_from[MEMBERS];
#endif

/* Messages. */
bool collect[LAST + 1];
byte propose[LAST + 1];		/* the value; 0: none */

/* What is true, for the checks: who has accepted what was proposed under a ballot, and what is decided. */
byte voted[LAST + 1];
byte decided[EPOCHS + 1];	/* the ballot; 0: not yet */
byte decided_value[EPOCHS + 1];
byte losses;

/* Used within one step only. */
hidden byte i, j, b, e, best, value, quorum;

inline forget_proposal(x)
{
	m[x].collecting = 0;
	m[x].promises = 0;
	j = 0;
	do
	:: j < MEMBERS -> m[x].reported[j] = 0; m[x].reported_value[j] = 0; j++
	:: else -> break
	od
}

inline forget_volatile(x)
{
	m[x].knows = false;
	m[x].heard = 0;
	m[x].touched = false;
	forget_proposal(x)
}

#ifdef BUG_LEARNT_VOLATILE
#define VOTES_FROM(x) votes_from[x]
#else
#define VOTES_FROM(x) 0
#endif

/* A blank voter votes in epoch 1 only: for another it takes the decided predecessor first. */
#define MAY_VOTE(x, ballot) (!m[x].lost && VOTES_FROM(x) <= EPOCH(ballot) && EPOCH(m[x].accepted) <= EPOCH(ballot) && \
			     (m[x].accepted != 0 || EPOCH(ballot) == 1) && \
			     !(m[x].knows && EPOCH(m[x].accepted) == EPOCH(ballot)))

/* Its word, as the proposer will count it. */
inline promise(x, ballot)
{
	m[x].promised = ballot;
	if
	:: m[OWNER(ballot)].collecting == ballot ->
		m[OWNER(ballot)].promises = m[OWNER(ballot)].promises | BIT(x);
		m[OWNER(ballot)].reported[x] = (EPOCH(m[x].accepted) == EPOCH(ballot) -> m[x].accepted : 0);
		m[OWNER(ballot)].reported_value[x] = (EPOCH(m[x].accepted) == EPOCH(ballot) -> m[x].value : 0)
	:: else
	fi
}

/* Of the next epoch by who knows that the last one is decided, else again of the one that it has accepted. */
#ifdef BUG_UNCHAINED
#define NEXT_EPOCH(x) (EPOCH(m[x].accepted) + 1)
#else
#define NEXT_EPOCH(x) (EPOCH(m[x].accepted) + (m[x].knows || m[x].accepted == 0))
#endif

#ifdef BUG_LOST_PROPOSES
#define MAY_PROPOSE(x) true
#else
#define MAY_PROPOSE(x) (!m[x].lost)
#endif

/* Its own ballot is promised durably before COLLECT is sent: so it is never used again. */
inline collect_step()
{
	MAY_PROPOSE(i) && m[i].collecting == 0 && NEXT_EPOCH(i) <= EPOCHS ->
	b = FIRST(NEXT_EPOCH(i)) + 1; e = NEXT_EPOCH(i);
	do
	:: EPOCH(b) == e && OWNER(b) == i && b > m[i].promised ->
		m[i].collecting = b;
		collect[b] = true;
#ifdef BUG_BALLOT_REUSED
		break
#else
		if
		:: !m[i].lost -> promise(i, b)
		:: else
		fi;
		break
#endif
	:: EPOCH(b) == e -> b++
	:: else -> break
	od
}

#ifdef BUG_PROMISE_OF_ONE_EPOCH
#define MAY_PROMISE(x, ballot) (ballot > m[x].promised || EPOCH(ballot) < EPOCH(m[x].promised))
#else
#define MAY_PROMISE(x, ballot) (ballot >= m[x].promised && !(m[OWNER(ballot)].promises & BIT(x)))
#endif

inline promise_step()
{
	!m[i].lost -> b = 1;
	do
	:: b <= LAST && collect[b] && MAY_VOTE(i, b) && MAY_PROMISE(i, b) -> promise(i, b); break
	:: b <= LAST -> b++
	:: else -> break
	od
}

/* A proposer that restarts has another value. */
#if defined(BUG_BALLOT_REUSED) || defined(BUG_LOST_PROPOSES)
#define OWN_VALUE(what, ballot) if :: what = ballot :: what = ballot + LAST fi
#else
#define OWN_VALUE(what, ballot) what = ballot
#endif

#if defined(BUG_ADOPTS_OWN)
#define ADOPTS(x) false
#elif defined(BUG_ADOPTS_ANY)
#define ADOPTS(x) (m[i].reported[x] != 0)
#else
#define ADOPTS(x) (m[i].reported[x] > best)
#endif

/* A majority of the promises, any; the value that was accepted under the highest ballot among them, else its own. */
inline propose_step()
{
	MAJORITY(m[i].promises) ->
	b = m[i].collecting; best = 0; OWN_VALUE(value, b); quorum = 0; j = 0;
	do
	:: j < MEMBERS && (m[i].promises & BIT(j)) ->
		quorum = quorum | BIT(j);
		if
		:: ADOPTS(j) -> best = m[i].reported[j]; value = m[i].reported_value[j]
		:: else
		fi;
		j++
	:: j < MEMBERS -> j++
	:: else -> break
	od;
	if
	:: MAJORITY(quorum) -> propose[b] = value; forget_proposal(i)
	:: else
	fi
}

#ifdef BUG_NO_PROMISE
#define MAY_ACCEPT(x, ballot) true
#else
#define MAY_ACCEPT(x, ballot) (ballot >= m[x].promised)
#endif
#ifdef BUG_ACCEPT_IS_NO_PROMISE
#define AFTER_ACCEPTING(x, ballot)
#else
#define AFTER_ACCEPTING(x, ballot) m[x].promised = ballot
#endif

/* Accepting is a promise of that ballot too. */
inline accept_step()
{
	!m[i].lost -> b = 1;
	do
	:: b <= LAST && propose[b] != 0 && MAY_VOTE(i, b) && MAY_ACCEPT(i, b) &&
	   (b != m[i].accepted || propose[b] != m[i].value) ->
		AFTER_ACCEPTING(i, b);
		m[i].accepted = b;
		m[i].value = propose[b];
		m[i].knows = false;
		count_vote(i, b, propose[b]);
		break
	:: b <= LAST -> b++
	:: else -> break
	od
}

/* The properties: one value an epoch; the epoch before it is decided. */
inline count_vote(x, ballot, what)
{
	e = EPOCH(ballot);
	if
	:: decided_value[e] != what ->
		voted[ballot] = voted[ballot] | BIT(x);
		if
		:: MAJORITY(voted[ballot]) ->
			assert(decided[e] == 0);
			assert(e == 1 || decided[e - 1] != 0);
			decided[e] = ballot;
			decided_value[e] = what;
			voted[ballot] = 0
		:: else
		fi
	:: else
	fi
}

inline decided_step()
{
	!m[i].lost -> e = 1;
	do
	:: e <= EPOCHS && decided[e] != 0 &&
	   (EPOCH(m[i].accepted) < e || (EPOCH(m[i].accepted) == e && !m[i].knows)) ->
		m[i].accepted = decided[e];
		m[i].value = decided_value[e];
		m[i].knows = true;
		break
	:: e <= EPOCHS -> e++
	:: else -> break
	od
}

#if defined(BUG_PROMISE_VOLATILE) || defined(BUG_LEARNT_VOLATILE)
#define RESTART_MATTERS(x) true
#else
#define RESTART_MATTERS(x) (m[x].knows || m[x].collecting != 0 || m[x].heard != 0)
#endif

inline restart_step()
{
	RESTART_MATTERS(i) ->
	if
	:: m[i].lost -> m[i].accepted = 0; m[i].value = 0
	:: else
	fi;
#ifdef BUG_PROMISE_VOLATILE
	m[i].promised = m[i].accepted;
#endif
#ifdef BUG_LEARNT_VOLATILE
	votes_from[i] = 0;
#endif
	forget_volatile(i)
}

#ifdef BUG_LOST_VOTES
#define LOST false
#else
#define LOST true
#endif

/* The state is lost, or old state put back: all that it had said is forgotten by it, and by nobody else. */
#ifdef BUG_OLD_METADATA
inline copy_step()
{
	copy_of == MEMBERS && m[i].promised != 0 ->
	copy_of = i;
	copy.promised = m[i].promised;
	copy.accepted = m[i].accepted;
	copy.value = m[i].value
}
#endif

inline lose_step()
{
	losses < LOSSES && m[i].promised != 0 -> j = 0;
	do
	:: j < MEMBERS && !m[j].lost -> j++
	:: else -> break
	od;
	if
	:: j == MEMBERS ->
		losses++;
		m[i].promised = 0;
		m[i].accepted = 0;
		m[i].value = 0;
#ifdef BUG_OLD_METADATA
		m[i].promised = (copy_of == i -> copy.promised : 0);
		m[i].accepted = (copy_of == i -> copy.accepted : 0);
		m[i].value = (copy_of == i -> copy.value : 0);
		m[i].lost = copy_of != i;
#else
		m[i].lost = LOST;
#endif
		forget_volatile(i)
	:: else
	fi
}

/*
 * One more answer to LEARN; it takes the newest configuration. With a majority of the others it may vote from epoch m + 2
 * on, m being that configuration's epoch: a durable promise of that epoch's ballot 0. It is blank only when all others
 * have told, after its start, that they have neither promised nor accepted anything.
 */
#ifdef BUG_BLANK_UNASKED
#define ALL_OTHERS(mask, x) true
#else
#define ALL_OTHERS(mask, x) ((mask) == ALL - BIT(x))
#endif
#ifdef BUG_LEARNS_FROM_ONE
#define ENOUGH(mask) (COUNT(mask) > 0)
#else
#define ENOUGH(mask) (COUNT(mask) * 2 > MEMBERS - 1)
#endif
#if defined(BUG_LEARNT_AT_ONCE)
#define AMNESIA_SKIPS (m[i].accepted != 0 -> 0 : 1)
#elif defined(BUG_LEARNT_NEXT_EPOCH)
#define AMNESIA_SKIPS 1
#else
#define AMNESIA_SKIPS 2
#endif

inline learn_step()
{
	m[i].lost -> j = 0;
	do
	:: j < MEMBERS && j != i && !m[j].lost && !(m[i].heard & BIT(j)) ->
		m[i].heard = m[i].heard | BIT(j);
		m[i].touched = m[i].touched || m[j].promised != 0 || m[j].accepted != 0;
		if
		:: m[j].accepted > m[i].accepted -> m[i].accepted = m[j].accepted; m[i].value = m[j].value
		:: else
		fi;
		break
	:: j < MEMBERS -> j++
	:: else -> break
	od;
	if
	:: ALL_OTHERS(m[i].heard, i) && !m[i].touched -> m[i].lost = false; forget_volatile(i)
	:: ENOUGH(m[i].heard) && m[i].touched ->
#ifdef BUG_LEARNT_VOLATILE
		votes_from[i] = EPOCH(m[i].accepted) + 2;
#else
		m[i].promised = FIRST(EPOCH(m[i].accepted) + AMNESIA_SKIPS);
#endif
#ifdef BUG_LEARNT_NOT_STORED
		m[i].accepted = 0; m[i].value = 0;
#endif
		m[i].lost = false;
		forget_volatile(i)
	:: else
	fi
}

/*
 * Messages that no member would act on any more are taken out of the set, with the votes that can become no majority: this
 * changes no outcome and makes states equal. A member that loses its state later is promised beyond them when it votes again.
 */
#define OF_ACCEPTED(x) (m[x].accepted == 0 -> 0 : FIRST(EPOCH(m[x].accepted)))
#define REFUSES_BELOW(x) (m[x].promised > OF_ACCEPTED(x) -> m[x].promised : OF_ACCEPTED(x))

inline forget_dead_messages()
{
	b = LAST + 1; j = 0;
	do
	:: j < MEMBERS -> b = (REFUSES_BELOW(j) < b -> REFUSES_BELOW(j) : b); j++
	:: else -> break
	od;
	do
	:: b > 1 -> b--; collect[b] = false; propose[b] = 0; voted[b] = 0
	:: else -> break
	od
}

active proctype world()
{
	do
	:: atomic {
		select(i : 0 .. MEMBERS - 1);
		if
		:: collect_step()
		:: promise_step()
		:: propose_step()
		:: accept_step()
		:: decided_step()
		:: restart_step()
		:: lose_step()
		:: learn_step()
#ifdef BUG_OLD_METADATA
		:: copy_step()
#endif
		:: else
		fi;
		forget_dead_messages()
	   }
	od
}
