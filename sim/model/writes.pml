/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes, removal, promotion, reconciliation and bringing up, for one block of a replicated disk.
 *
 * Modelled: the page cache and the disk of each member, entries received and at the workers, stored and acknowledged;
 * flushes of the set; the tables unfinished, unflushed, unflushed before, bits, and the hot extent of the log; kill and
 * loss of power of every member; removal; a new primary (confirm, report, union, equalise), also a new generation when
 * all have lost power; bringing up by bits, the target's flush, the admission, which once proposed may be decided at any time.
 *
 * Checked in every state (check() and observe()): a read returns the last answered write or one that is not answered,
 * and never goes back, unless all in-sync members lost power with something hot: then nothing older than the last
 * answered flush; in-sync copies are equal but for what one of them knows to be unfinished; where an absent copy
 * differs, or may after a loss of power, every in-sync member has a bit, or one of both knows it to be unfinished;
 * what a member may lose with its power is known to be unflushed on all the others.
 *
 * Assumed: decision and lease are atomic (models of their own): who answers is the decided primary, in the process
 * that is named. Without LATE all running processes learn a decision in the step that decides it. A process is never
 * down for long: it starts again at once, and may then do nothing for any time.
 *
 * Frames and acknowledgements are no objects. A member receives by reading what the primary has under way, and its
 * acknowledgement reaches the primary as it stores. This leaves nothing out: a frame that is late is one not received
 * yet, one that breaks with its session is sent again, one that arrives when its sender is dead was received before
 * that and waits at the workers, a late acknowledgement is one on which the primary has not acted yet. That frames keep
 * their order (an entry and a flush) is in the conditions, as is that a frame carries the newest epoch.
 *
 * Not modelled: several blocks (the tables are kept for each block alone), so the window of entries; requests sent
 * again and the table of done ones; opens; errors of stores; unreadable logs; empty images, hashes, blocks smaller than
 * a bit; two targets at once; lost promises; force-primary. The next write of a block waits until the target has the one
 * before; several bits, several extents and resuming are left to the simulator.
 *
 * bounds: each line is one exhaustive run.
 */
/* bounds: -DMEMBERS=2 -DWRITES=2 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=1 -DLATE=1 */
/* bounds: -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=4 -DFLUSHES=2 -DTARGETS=1 */
/* bounds: -DMEMBERS=2 -DWRITES=2 -DEPOCHS=3 -DFLUSHES=2 -DTARGETS=2 -DBREAKS=1 */
/* bounds: -DMEMBERS=2 -DWRITES=1 -DPOWERS=2 -DEPOCHS=3 -DFLUSHES=2 */
/* bounds: -DMEMBERS=3 -DWRITES=1 -DEPOCHS=3 -DFLUSHES=1 -DPOWERS=1 */
/* bounds: -DMEMBERS=3 -DWRITES=1 -DEPOCHS=3 -DFLUSHES=1 -DKILLS=1 */
/* bounds: -DMEMBERS=3 -DWRITES=1 -DEPOCHS=3 -DFLUSHES=2 -DLATE=1 */
/* bounds: -DMEMBERS=3 -DWRITES=1 -DEPOCHS=4 -DFLUSHES=1 -DTARGETS=1 */
/* options: -O1 -DSAFETY -DNOREDUCE -DVECTORSZ=2048 -DMEMLIM=6000 -E -m200000 */

/* ---- deliberate bugs ---- */
/* bug: BUG_ANSWER_BEFORE_ALL -DMEMBERS=2 -DWRITES=1 -DEPOCHS=3: a write is answered when one member has it */
#ifndef BUG_ANSWER_BEFORE_ALL
#define BUG_ANSWER_BEFORE_ALL 0
#endif
/* bug: BUG_SERVE_BEFORE_RECONCILIATION -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: a new primary serves at once */
#ifndef BUG_SERVE_BEFORE_RECONCILIATION
#define BUG_SERVE_BEFORE_RECONCILIATION 0
#endif
/* bug: BUG_REPORT_WITHOUT_UNFINISHED -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: a backup's report leaves out what is unfinished */
#ifndef BUG_REPORT_WITHOUT_UNFINISHED
#define BUG_REPORT_WITHOUT_UNFINISHED 0
#endif
/* bug: BUG_UNION_ANSWERED_BEFORE_EQUAL -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: a new primary serves the union before it is equal on all */
#ifndef BUG_UNION_ANSWERED_BEFORE_EQUAL
#define BUG_UNION_ANSWERED_BEFORE_EQUAL 0
#endif
/* bug: BUG_RESTART_FORGETS_HOT -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: a process that restarted does not take its hot extents for unfinished */
#ifndef BUG_RESTART_FORGETS_HOT
#define BUG_RESTART_FORGETS_HOT 0
#endif
/* bug: BUG_BITS_WITHOUT_UNFLUSHED -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: the bits of a removed member begin without what was unflushed */
#ifndef BUG_BITS_WITHOUT_UNFLUSHED
#define BUG_BITS_WITHOUT_UNFLUSHED 0
#endif
/* bug: BUG_BITS_WITHOUT_UNFLUSHED_BEFORE -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: ... without what the flush under way has not covered on all */
#ifndef BUG_BITS_WITHOUT_UNFLUSHED_BEFORE
#define BUG_BITS_WITHOUT_UNFLUSHED_BEFORE 0
#endif
/* bug: BUG_UNFLUSHED_BEFORE_OVERWRITTEN -DMEMBERS=3 -DWRITES=1 -DEPOCHS=3 -DFLUSHES=2: a flush forgets what a flush that never completed had to cover */
#ifndef BUG_UNFLUSHED_BEFORE_OVERWRITTEN
#define BUG_UNFLUSHED_BEFORE_OVERWRITTEN 0
#endif
/* bug: BUG_FLUSH_PASSES_ENTRIES -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: a member flushes while entries sent before the flush are at its workers */
#ifndef BUG_FLUSH_PASSES_ENTRIES
#define BUG_FLUSH_PASSES_ENTRIES 0
#endif
/* bug: BUG_FLUSH_ANSWERED_BEFORE_ALL -DMEMBERS=2 -DWRITES=1 -DPOWERS=2 -DEPOCHS=2 -DFLUSHES=1: a flush is answered when the primary has flushed */
#ifndef BUG_FLUSH_ANSWERED_BEFORE_ALL
#define BUG_FLUSH_ANSWERED_BEFORE_ALL 0
#endif
/* bug: BUG_BROKEN_MEMORY_PROMOTED -DMEMBERS=2 -DWRITES=1 -DPOWERS=1 -DEPOCHS=2: a member that lost power is promoted while another kept its memory */
#ifndef BUG_BROKEN_MEMORY_PROMOTED
#define BUG_BROKEN_MEMORY_PROMOTED 0
#endif
/* bug: BUG_NEWER_EPOCH_NOT_LEARNT -DMEMBERS=3 -DWRITES=1 -DEPOCHS=2 -DFLUSHES=1 -DLATE=1: a frame of a newer epoch is acted on before that configuration is learnt */
#ifndef BUG_NEWER_EPOCH_NOT_LEARNT
#define BUG_NEWER_EPOCH_NOT_LEARNT 0
#endif
/* bug: BUG_OLDER_WRITE_LANDS_LAST -DMEMBERS=2 -DWRITES=2 -DEPOCHS=3 -DKILLS=1: an epoch is confirmed and entries are taken while an older one is at the workers */
#ifndef BUG_OLDER_WRITE_LANDS_LAST
#define BUG_OLDER_WRITE_LANDS_LAST 0
#endif
/* bug: BUG_FRAME_OF_DEAD_SESSION -DMEMBERS=2 -DWRITES=2 -DEPOCHS=2: a frame of a dead session is acted on */
#ifndef BUG_FRAME_OF_DEAD_SESSION
#define BUG_FRAME_OF_DEAD_SESSION 0
#endif
/* bug: BUG_COOLED_WITHOUT_FLUSH -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: an extent cools before a flush on all */
#ifndef BUG_COOLED_WITHOUT_FLUSH
#define BUG_COOLED_WITHOUT_FLUSH 0
#endif
/* bug: BUG_COOLED_WITHOUT_BITS -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: an extent cools before its bits are durable */
#ifndef BUG_COOLED_WITHOUT_BITS
#define BUG_COOLED_WITHOUT_BITS 0
#endif
/* bug: BUG_COOLED_BEFORE_RECONCILED -DMEMBERS=2 -DWRITES=1 -DKILLS=1 -DPOWERS=1 -DEPOCHS=3 -DFLUSHES=2: a hot extent of before a restart cools before the union is equal */
#ifndef BUG_COOLED_BEFORE_RECONCILED
#define BUG_COOLED_BEFORE_RECONCILED 0
#endif
/* bug: BUG_OWN_LOG_IGNORED -DMEMBERS=2 -DWRITES=1 -DEPOCHS=4 -DFLUSHES=1 -DTARGETS=1: what a returner has unfinished or hot does not become bits */
#ifndef BUG_OWN_LOG_IGNORED
#define BUG_OWN_LOG_IGNORED 0
#endif
/* bug: BUG_SPANNING_WRITE_WITHOUT_BIT -DMEMBERS=2 -DWRITES=2 -DEPOCHS=3 -DFLUSHES=2 -DTARGETS=2 -DBREAKS=1: a write begun before the target counts as sent to it */
#ifndef BUG_SPANNING_WRITE_WITHOUT_BIT
#define BUG_SPANNING_WRITE_WITHOUT_BIT 0
#endif
/* bug: BUG_COPIED_MARK_STAYS -DMEMBERS=2 -DWRITES=2 -DEPOCHS=3 -DFLUSHES=2 -DTARGETS=2 -DBREAKS=1: a copy acknowledged in an older session clears a bit set since */
#ifndef BUG_COPIED_MARK_STAYS
#define BUG_COPIED_MARK_STAYS 0
#endif
/* bug: BUG_TARGET_LOST_WITHOUT_BITS -DMEMBERS=2 -DWRITES=2 -DEPOCHS=3 -DFLUSHES=2 -DTARGETS=2 -DBREAKS=1: what a lost target has not flushed does not become bits */
#ifndef BUG_TARGET_LOST_WITHOUT_BITS
#define BUG_TARGET_LOST_WITHOUT_BITS 0
#endif
/* bug: BUG_DEMOTED_WITHOUT_BITS -DMEMBERS=3 -DWRITES=1 -DEPOCHS=4 -DFLUSHES=1 -DTARGETS=1: a primary that is one no more forgets what its target has not flushed */
#ifndef BUG_DEMOTED_WITHOUT_BITS
#define BUG_DEMOTED_WITHOUT_BITS 0
#endif
/* bug: BUG_FLUSH_WITHOUT_TARGET -DMEMBERS=2 -DWRITES=2 -DEPOCHS=3 -DFLUSHES=2 -DTARGETS=2 -DBREAKS=1: a flush of the set does not wait for the target, but ends what is unflushed */
#ifndef BUG_FLUSH_WITHOUT_TARGET
#define BUG_FLUSH_WITHOUT_TARGET 0
#endif
/* bug: BUG_ADMITTED_BEFORE_FLUSH -DMEMBERS=2 -DWRITES=1 -DEPOCHS=4 -DFLUSHES=1 -DTARGETS=1: bits are cleared, and the member admitted, before the target's flush */
#ifndef BUG_ADMITTED_BEFORE_FLUSH
#define BUG_ADMITTED_BEFORE_FLUSH 0
#endif
/* bug: BUG_PROPOSED_BEFORE_ACKNOWLEDGED -DMEMBERS=2 -DWRITES=1 -DEPOCHS=4 -DFLUSHES=1 -DTARGETS=1: an admission is proposed while the candidate lacks an answered write */
#ifndef BUG_PROPOSED_BEFORE_ACKNOWLEDGED
#define BUG_PROPOSED_BEFORE_ACKNOWLEDGED 0
#endif
/* bug: BUG_CANDIDATE_NOT_AWAITED -DMEMBERS=2 -DWRITES=1 -DEPOCHS=4 -DFLUSHES=1 -DTARGETS=1: during an admission answers do not wait for the candidate */
#ifndef BUG_CANDIDATE_NOT_AWAITED
#define BUG_CANDIDATE_NOT_AWAITED 0
#endif
/* bug: BUG_ADMITTED_WITHOUT_BITS -DMEMBERS=3 -DWRITES=1 -DEPOCHS=4 -DFLUSHES=1 -DTARGETS=1: a member is admitted without the bits of the absent */
#ifndef BUG_ADMITTED_WITHOUT_BITS
#define BUG_ADMITTED_WITHOUT_BITS 0
#endif

#ifndef MEMBERS
#define MEMBERS 2
#endif
#ifndef WRITES
#define WRITES 1	/* writes that the clients send */
#endif
#ifndef EPOCHS
#define EPOCHS 2	/* configurations decided, the first included */
#endif
#ifndef KILLS
#define KILLS 0		/* processes that die and start again; the page cache stays */
#endif
#ifndef POWERS
#define POWERS 0	/* hosts that lose power and start again */
#endif
#ifndef FLUSHES
#define FLUSHES 0	/* flushes of the set that are begun */
#endif
#ifndef LATE
#define LATE 0		/* 1: members learn a decision at different times */
#endif
#ifndef TARGETS
#define TARGETS 0	/* times that a member begins to be brought up */
#endif
#ifndef BREAKS
#define BREAKS 0	/* times that the session of a target breaks, both processes living on */
#endif

#define bit_of(m)	(1 << (m))
#define in(m, mask)	(((mask) >> (m)) & 1)
#define ALL		(bit_of(MEMBERS) - 1)
#define NOBODY		MEMBERS

/* ---- the newest decided configuration: changed in one step ---- */
byte epoch = 1;
byte reign = 1;			/* first epoch of the primary's reign */
byte primary = 0;
byte insync = ALL;		/* the in-sync set */
byte named = ALL;		/* its members whose present incarnation it names */
byte booted = ALL;		/* its members whose host has not lost power since it was decided */
/* A proposed admission: decided at any time, unless another configuration of that epoch is. */
byte candidate = NOBODY;
bit candidate_named;
bit candidate_booted;

/* ---- the image of each member: one block ---- */
byte cache[MEMBERS];		/* what is read: the page cache */
byte stable[MEMBERS] = 1;	/* what a power loss may leave: a set of values */
byte dead_frame[MEMBERS];	/* an entry that was received already, still under way in a dead session */
byte worker[MEMBERS];		/* an entry received and not stored yet: value + 1 */

/* ---- tables: a member's bit says what it holds for the block ---- */
byte hot;			/* activity log: durable */
byte unfinished_before;		/* of former reigns; after a restart: what was hot */
byte unfinished;		/* of this reign */
byte unflushed;
byte unflushed_before;
byte bits[MEMBERS];		/* for each absent member */
byte durable_bits[MEMBERS];

/* ---- what each member knows of the configuration ---- */
byte known[MEMBERS] = 1;		/* epoch; 0: nothing since its start */
byte known_reign[MEMBERS] = 1;
byte known_primary[MEMBERS];
byte known_insync[MEMBERS] = ALL;
byte follows = ALL & ~1;	/* takes entries from the primary that it knows: backup or target */

/* ---- what a primary keeps ---- */
#define NOT_PRIMARY	0
#define CONFIRMING	1
#define RECONCILING	2
#define SERVING		3
byte phase[MEMBERS];
byte confirmed[MEMBERS];
#define NONE		0
#define WRITE		1
#define ANSWERED	2	/* a write answered that the target has not stored yet */
#define EQUALISE	3
#define COPY		4
byte entry[MEMBERS];		/* the one entry under way: it holds the block's range */
byte value[MEMBERS];
byte sent_to[MEMBERS];
byte received[MEMBERS];		/* who has received it */
byte written[MEMBERS];		/* who has stored it */
#define IDLE		0
#define FLUSHING	1
#define FLUSH_ANSWERED	2
byte flush[MEMBERS];
byte flush_sent_to[MEMBERS];
byte flushed[MEMBERS];		/* who has begun it; when it is complete: who took part in it */
byte flushed_last[MEMBERS];	/* who took part in the one before it */
byte entry_after_flush;		/* the entry under way was sent after the flush under way */
byte target[MEMBERS] = NOBODY;
byte proposes;			/* has proposed its target's admission in the epoch that it knows */
byte copied;			/* the copy is acknowledged by the target */
byte copied_before;		/* and was when the flush under way began */
byte target_flushed;		/* the target has flushed since it began */

/* ---- what clients may see: sets of values ---- */
byte next_write = 1;
byte may_read = 1;		/* values that a read may return now */
byte pending;			/* writes begun, not answered and not seen */
byte may_remain = 1;		/* values that may be there after all lost power */
byte at_flush;			/* may_remain when the flush under way is answered */

/* ---- how often what has happened ---- */
byte kills;
byte powers;
byte flushes;
byte targets;
byte breaks;

hidden byte gone;
hidden byte chosen;
hidden byte k;
hidden byte i;
hidden byte j;

#define is_primary(m)	(primary == m && in(m, named))
/* A frame of p reaches m: of the same reign, and not of an epoch that m does not know yet. */
#define hears(m, p) \
	(in(m, follows) && known_reign[p] == known_reign[m] && \
	 (known[m] >= known[p] || BUG_NEWER_EPOCH_NOT_LEARNT))
#define holds_unfinished(m)	in(m, unfinished | unfinished_before)
#define holds_unflushed(m)	in(m, unflushed | unflushed_before)
#define is_candidate(p, t)	(in(p, proposes) && target[p] == t)
/* Whose acknowledgement an answer needs. */
#define needed(p) \
	(known_insync[p] | \
	 ((in(p, proposes) && !BUG_CANDIDATE_NOT_AWAITED) -> bit_of(target[p]) : 0))
#define clear(table, m)	table = table & ~bit_of(m)
#define set(table, m)	table = table | bit_of(m)

/* Not primary, or not any more. */
inline forget_role(m)
{
	phase[m] = NOT_PRIMARY; confirmed[m] = 0;
	entry[m] = NONE; value[m] = 0; sent_to[m] = 0; received[m] = 0; written[m] = 0;
	flush[m] = IDLE; flush_sent_to[m] = 0; flushed[m] = 0; flushed_last[m] = 0;
	clear(entry_after_flush, m);
	target[m] = NOBODY;
	clear(proposes, m); clear(copied, m); clear(copied_before, m); clear(target_flushed, m)
}

/* The session of p's target ends: what it may lack becomes a bit again. */
inline drop_target(p)
{
	if
	:: target[p] != NOBODY ->
		if
		:: !BUG_TARGET_LOST_WITHOUT_BITS &&
		   (holds_unflushed(p) || in(p, unfinished)) ->
			set(bits[p], target[p])
		:: else
		fi;
		if
		:: !in(target[p], known_insync[p]) -> clear(follows, target[p])
		:: else
		fi;
		sent_to[p] = sent_to[p] & ~bit_of(target[p]);
		flush_sent_to[p] = flush_sent_to[p] & ~bit_of(target[p]);
		flushed[p] = flushed[p] & ~bit_of(target[p]);
		flushed_last[p] = flushed_last[p] & ~bit_of(target[p]);
		if
		:: entry[p] == COPY -> entry[p] = NONE; value[p] = 0; sent_to[p] = 0; received[p] = 0; written[p] = 0;
			clear(entry_after_flush, p)
		:: else
		fi;
		target[p] = NOBODY; clear(proposes, p); clear(target_flushed, p);
		if
		:: !BUG_COPIED_MARK_STAYS -> clear(copied, p); clear(copied_before, p)
		:: else
		fi
	:: else
	fi
}

/*
 * Member m learns the newest decided configuration: what a removed member may lack becomes bits; so does what the
 * target may lack, when m is primary no more.
 */
inline learn(m)
{
	gone = known_insync[m] & ~insync & ~bit_of(m);
	if
	:: known_reign[m] != reign && target[m] != NOBODY && !BUG_DEMOTED_WITHOUT_BITS ->
		gone = gone | bit_of(target[m])
	:: else
	fi;
	if
	:: (!BUG_BITS_WITHOUT_UNFLUSHED && in(m, unflushed)) ||
	   (!BUG_BITS_WITHOUT_UNFLUSHED_BEFORE && in(m, unflushed_before)) ||
	   holds_unfinished(m) ->
		bits[m] = bits[m] | gone
	:: else
	fi;
	bits[m] = bits[m] & ~(insync & ~known_insync[m]);
	if
	:: known_reign[m] != reign ->
		if
		:: in(m, unfinished) -> set(unfinished_before, m); clear(unfinished, m)
		:: else
		fi;
		clear(follows, m);
		forget_role(m)
	:: else ->
		if
		:: phase[m] != NOT_PRIMARY && target[m] != NOBODY && in(target[m], insync) ->
			target[m] = NOBODY; clear(proposes, m);
			clear(copied, m); clear(copied_before, m); clear(target_flushed, m)
		:: else ->
			clear(proposes, m)
		fi;
		if
		:: in(m, known_insync[m]) && !in(m, insync) -> clear(follows, m)
		:: else
		fi
	fi;
	if
	:: m != primary && in(m, insync & named) -> set(follows, m)
	:: else
	fi;
	known[m] = epoch; known_reign[m] = reign; known_primary[m] = primary;
	known_insync[m] = insync
}

/* Primary p begins an entry. */
inline begin(p, kind, what)
{
	entry[p] = kind; value[p] = what; written[p] = 0; received[p] = bit_of(p);
	if
	:: flush[p] != IDLE -> set(entry_after_flush, p)
	:: else
	fi;
	if
	:: kind == COPY ->
		sent_to[p] = bit_of(target[p]); written[p] = bit_of(p)
	:: else ->
		sent_to[p] = known_insync[p] | (target[p] != NOBODY -> bit_of(target[p]) : 0);
		worker[p] = what + 1;
		set(unfinished, p); set(unflushed, p);
		bits[p] = bits[p] | (ALL & ~sent_to[p])
	fi
}

/* The entry is complete on all. */
inline complete(p)
{
	if
	:: entry[p] == COPY -> set(copied, p)
	:: else ->
		clear(unfinished, p);
		if
		:: entry[p] == EQUALISE -> clear(unfinished_before, p); phase[p] = SERVING
		:: else
		fi
	fi;
	entry[p] = NONE; value[p] = 0; sent_to[p] = 0; received[p] = 0; written[p] = 0;
	clear(entry_after_flush, p)
}

/* A process of member m starts, after a kill or a loss of power. */
inline restart(m)
{
	forget_role(m);
	worker[m] = 0;
	clear(unfinished, m); clear(unflushed, m); clear(unflushed_before, m);
	clear(unfinished_before, m);
	if
	:: in(m, hot) && !BUG_RESTART_FORGETS_HOT -> set(unfinished_before, m)
	:: else
	fi;
	bits[m] = durable_bits[m];
	known[m] = 0; known_reign[m] = 0; known_primary[m] = 0; known_insync[m] = ALL;
	clear(follows, m);
	clear(named, m);
	if
	:: candidate == m -> candidate_named = 0
	:: else
	fi
}

/* A configuration is decided: everything that depends on it is set by the caller before. */
inline decided()
{
	epoch++; candidate = NOBODY; candidate_named = 0; candidate_booted = 0
}

/* Member m, who decided, learns it in the same step; without LATE all running processes do. */
inline learnt_by(m)
{
	for (k : 0 .. MEMBERS - 1) {
		if
		:: k == m || (!LATE && known[k] != 0) -> learn(k)
		:: else
		fi
	}
	k = 0
}

#define removable(p) \
	((insync | (candidate != NOBODY -> bit_of(candidate) : 0)) & ~bit_of(p))

inline decide_removal(p, x)
{
	insync = insync & ~bit_of(x); named = named & ~bit_of(x); booted = booted & ~bit_of(x);
	decided();
	if
	:: target[p] == x -> drop_target(p)
	:: else
	fi;
	learnt_by(p)
}

/* Broken memory: the boot id is not the named one, and the log does not say that all was flushed. */
#define broken(m)	(!in(m, booted) && in(m, hot))
#define eligible(m)	(in(m, insync) && !broken(m))

#if MEMBERS == 2
#define all_broken	((!in(0, insync) || broken(0)) && (!in(1, insync) || broken(1)))
#else
#define all_broken	((!in(0, insync) || broken(0)) && (!in(1, insync) || broken(1)) && \
			 (!in(2, insync) || broken(2)))
#endif

inline choose(m, x)
{
	if
	:: x < MEMBERS && x != m && in(x, insync) && (broken(x) == broken(m)) -> set(chosen, x)
	:: true
	fi
}

inline promote(m)
{
	if
	:: broken(m) && all_broken -> may_read = may_read | may_remain
	:: else
	fi;
	chosen = bit_of(m);
	choose(m, 0); choose(m, 1); choose(m, 2);
	insync = chosen; named = chosen; booted = chosen; primary = m;
	decided(); reign = epoch;
	learnt_by(m);
	phase[m] = CONFIRMING; confirmed[m] = bit_of(m);
	if
	:: BUG_SERVE_BEFORE_RECONCILIATION -> phase[m] = SERVING
	:: else
	fi
}

inline observe(what)
{
	assert(in(what, may_read));	/* an answered write is lost, or a read went back */
	clear(pending, what);
	may_read = bit_of(what) | pending
}

/* Holds in every state. */
inline check()
{
	d_step {
	for (i : 0 .. MEMBERS - 1) {
		for (j : 0 .. MEMBERS - 1) {
			if
			:: i != j && in(i, insync) && in(j, insync) ->
				/* In-sync copies are equal but for what one of them knows to be unfinished. */
				assert(cache[i] == cache[j] || holds_unfinished(i) || holds_unfinished(j));
				/* What a member may lose by a loss of power, all the others know. */
				assert(stable[j] == bit_of(cache[j]) || known[i] != epoch ||
				       holds_unflushed(i) || holds_unfinished(i) || holds_unfinished(j))
			:: i != j && in(i, insync) && !in(j, insync) && known[i] == epoch ->
				/* Where an absent copy differs or may, a bit says so. */
				assert((cache[i] == cache[j] && stable[j] == bit_of(cache[j])) ||
				       in(j, bits[i]) || holds_unfinished(i) || holds_unfinished(j) ||
				       (target[i] == j && holds_unflushed(i)))
			:: else
			fi
		}
	}
	i = 0; j = 0; gone = 0; chosen = 0
	}
}

#define me	_pid
/* Ends each step; the text makes a trail readable. */
#define step(what)	printf(what, me); check()

/* The primary may begin to bring x up: x is out, knows that, and its workers are done. */
#define can_bring_up(x) \
	(x < MEMBERS && !in(x, known_insync[me] | follows) && known[x] == known[me] && \
	 known_reign[x] == known_reign[me] && worker[x] == 0)

inline bring_up(x)
{
	targets++;
	target[me] = x; set(follows, x);
	if
	:: in(x, unfinished) -> clear(unfinished, x); set(unfinished_before, x)
	:: else
	fi;
	if
	:: in(x, unfinished_before) && !BUG_OWN_LOG_IGNORED -> set(bits[me], x)
	:: BUG_SPANNING_WRITE_WITHOUT_BIT && entry[me] != NONE -> clear(bits[me], x)
	:: else
	fi
}

#define p	known_primary[_pid]

active [MEMBERS] proctype member()
{
	if
	:: me == 0 -> phase[me] = SERVING
	:: else
	fi;
end:	do
	/* -- any member -- */
	:: atomic { worker[me] != 0 ->				/* a worker stores an entry */
		cache[me] = worker[me] - 1; stable[me] = stable[me] | bit_of(cache[me]);
		worker[me] = 0; set(hot, me);
		if
		:: known_reign[p] == known_reign[me] && in(me, received[p] & sent_to[p]) ->
			set(written[p], me)
		:: else
		fi;
		step("|%d stores\n") }
	:: atomic { known[me] != epoch -> learn(me); step("|%d learns the configuration\n") }
	:: atomic { in(me, hot) && worker[me] == 0 && (in(me, follows) || phase[me] == SERVING) &&
		(!holds_unflushed(me) || BUG_COOLED_WITHOUT_FLUSH) &&
		(!in(me, unfinished_before) || BUG_COOLED_BEFORE_RECONCILED) &&
		!in(me, unfinished) ->				/* the extent cools */
		if
		:: !BUG_COOLED_WITHOUT_BITS -> durable_bits[me] = bits[me]
		:: else
		fi;
		clear(hot, me); step("|%d cools\n") }

	:: atomic { dead_frame[me] != 0 && worker[me] == 0 ->	/* only with the bug */
		worker[me] = dead_frame[me]; dead_frame[me] = 0;
		step("|%d receives a frame of a dead session\n") }

	/* -- a backup or target -- */
	:: atomic { hears(me, p) && entry[p] != NONE &&
		in(me, sent_to[p]) && !in(me, received[p]) &&
		(worker[me] == 0 || BUG_OLDER_WRITE_LANDS_LAST) &&
		!(in(p, entry_after_flush) && in(me, flush_sent_to[p]) && !in(me, flushed[p])) ->		/* receives an entry */
		set(received[p], me);
		if
		:: BUG_OLDER_WRITE_LANDS_LAST && worker[me] != 0 ->
			cache[me] = value[p]; stable[me] = stable[me] | bit_of(value[p]);
			set(hot, me); set(written[p], me)
		:: else -> worker[me] = value[p] + 1
		fi;
		if
		:: BUG_FRAME_OF_DEAD_SESSION -> dead_frame[me] = value[p] + 1
		:: else
		fi;
		set(unfinished, me); set(unflushed, me);
		if
		:: entry[p] != COPY -> bits[me] = bits[me] | (ALL & ~known_insync[me] & ~bit_of(me))
		:: else
		fi;
		step("|%d receives\n") }
	:: atomic { hears(me, p) && flush[p] != IDLE &&
		in(me, flush_sent_to[p]) && !in(me, flushed[p]) &&
		(worker[me] == 0 || BUG_FLUSH_PASSES_ENTRIES) &&
		(in(p, entry_after_flush) || !in(me, sent_to[p]) || in(me, received[p])) ->			/* flushes */
		if
		:: in(me, flushed_last[p]) ||
		   BUG_UNFLUSHED_BEFORE_OVERWRITTEN -> clear(unflushed_before, me)
		:: else
		fi;
		if
		:: in(me, unflushed) -> clear(unflushed, me); set(unflushed_before, me)
		:: else
		fi;
		stable[me] = bit_of(cache[me]);
		set(flushed[p], me);
		step("|%d flushes\n") }
	:: atomic { hears(me, p) &&
		((holds_unfinished(me) && !in(me, received[p]) &&
		  phase[p] == SERVING) ||
		 (in(me, unflushed_before) && flush[p] == IDLE && in(me, flushed[p]))) ->	/* is told what is complete */
		if
		:: phase[p] == SERVING && !in(me, received[p]) ->
			clear(unfinished, me);
			if
			:: in(me, known_insync[p]) -> clear(unfinished_before, me)
			:: else
			fi
		:: else
		fi;
		if
		:: flush[p] == IDLE && in(me, flushed[p]) ->
			clear(unflushed_before, me)
		:: else
		fi;
		step("|%d is told what is complete\n") }

	/* -- a new primary -- */
	:: atomic { epoch < EPOCHS && known[me] == epoch && in(me, insync) && !is_primary(me) &&
		(!broken(me) || all_broken || BUG_BROKEN_MEMORY_PROMOTED) -> promote(me); step("|%d is promoted\n") }
	:: atomic { phase[me] == CONFIRMING && (known_insync[me] & ~confirmed[me]) == 0 &&
		worker[me] == 0 ->
		if
		:: in(me, unfinished_before) -> phase[me] = RECONCILING
		:: else -> phase[me] = SERVING
		fi;
		if
		:: BUG_UNION_ANSWERED_BEFORE_EQUAL -> phase[me] = SERVING
		:: else
		fi;
		step("|%d has all confirmed\n") }
	:: atomic { hears(me, p) && phase[p] == CONFIRMING &&
		!in(me, confirmed[p]) && in(me, known_insync[p]) &&
		(worker[me] == 0 || BUG_OLDER_WRITE_LANDS_LAST) ->	/* confirms and reports */
		set(confirmed[p], me);
		if
		:: in(me, unfinished_before) && !BUG_REPORT_WITHOUT_UNFINISHED ->
			set(unfinished_before, p)
		:: else
		fi;
		step("|%d confirms and reports\n") }
	:: atomic { phase[me] == RECONCILING && is_primary(me) && entry[me] == NONE ->
		begin(me, EQUALISE, cache[me]); step("|%d equalises\n") }

	/* -- a primary: entries -- */
	:: atomic { phase[me] == SERVING && is_primary(me) && entry[me] == NONE && next_write <= WRITES ->
		set(may_read, next_write); set(pending, next_write); set(may_remain, next_write);
		set(at_flush, next_write);
		begin(me, WRITE, next_write); next_write++; step("|%d begins a write\n") }
	:: atomic { entry[me] == WRITE && is_primary(me) &&
		((needed(me) & ~written[me]) == 0 ||
		 (BUG_ANSWER_BEFORE_ALL && in(me, written[me]))) ->	/* answers a write */
		clear(pending, value[me]); may_read = bit_of(value[me]) | pending;
		entry[me] = ANSWERED;
		if
		:: (sent_to[me] & ~written[me]) == 0 -> complete(me)
		:: else
		fi;
		step("|%d answers a write\n") }
	:: atomic { entry[me] > WRITE && (sent_to[me] & ~written[me]) == 0 -> complete(me); step("|%d completes an entry\n") }
	:: atomic { phase[me] == SERVING && is_primary(me) &&
		(entry[me] == NONE || entry[me] == ANSWERED) &&
		may_read != bit_of(cache[me]) -> observe(cache[me]); step("|%d answers a read\n") }

	/* -- a primary: flushes -- */
	:: atomic { phase[me] >= RECONCILING && is_primary(me) && flush[me] == IDLE && flushes < FLUSHES &&
		worker[me] == 0 ->
		flushes++;
		flush[me] = FLUSHING; flushed_last[me] = flushed[me];
		clear(entry_after_flush, me);
		flush_sent_to[me] = known_insync[me] |
			((target[me] != NOBODY && !BUG_FLUSH_WITHOUT_TARGET) -> bit_of(target[me]) : 0);
		flushed[me] = bit_of(me); stable[me] = bit_of(cache[me]);
		if
		:: BUG_UNFLUSHED_BEFORE_OVERWRITTEN -> clear(unflushed_before, me)
		:: else
		fi;
		if
		:: in(me, unflushed) -> clear(unflushed, me); set(unflushed_before, me)
		:: else
		fi;
		if
		:: in(me, copied) -> set(copied_before, me)
		:: else
		fi;
		at_flush = may_read; step("|%d begins a flush\n") }
	:: atomic { flush[me] == FLUSHING && is_primary(me) &&
		((needed(me) & ~flushed[me]) == 0 || BUG_FLUSH_ANSWERED_BEFORE_ALL) ->
		may_remain = at_flush; at_flush = 0; flush[me] = FLUSH_ANSWERED; step("|%d answers a flush\n") }
	:: atomic { flush[me] != IDLE &&
		((known_insync[me] | flush_sent_to[me]) & ~flushed[me]) == 0 ->
		clear(unflushed_before, me);
		if
		:: target[me] != NOBODY && in(target[me], flush_sent_to[me]) ->
			set(target_flushed, me);
			if
			:: in(me, copied_before) -> clear(bits[me], target[me]); clear(copied, me)
			:: else
			fi
		:: else
		fi;
		clear(copied_before, me);
		flush[me] = IDLE; flush_sent_to[me] = 0; flushed_last[me] = 0;
		clear(entry_after_flush, me);
		step("|%d completes a flush\n") }

	/* -- a primary: who is in the set -- */
	:: atomic { phase[me] != NOT_PRIMARY && is_primary(me) && known[me] == epoch &&
		epoch < EPOCHS && removable(me) != 0 ->
		if
		:: in(0, removable(me)) -> chosen = 0
		:: in(1, removable(me)) -> chosen = 1
		:: in(2, removable(me)) -> chosen = 2
		fi;
		decide_removal(me, chosen); step("|%d removes a member\n") }
	:: atomic { phase[me] == SERVING && is_primary(me) && target[me] == NOBODY &&
		targets < TARGETS && (can_bring_up(0) || can_bring_up(1) || can_bring_up(2)) ->
		if
		:: can_bring_up(0) -> chosen = 0
		:: can_bring_up(1) -> chosen = 1
		:: can_bring_up(2) -> chosen = 2
		fi;
		bring_up(chosen); step("|%d begins to bring up a member\n") }
	:: atomic { target[me] != NOBODY && is_primary(me) && entry[me] == NONE && in(target[me], bits[me]) &&
		!in(me, copied) -> begin(me, COPY, cache[me]); step("|%d begins a copy\n") }
	:: atomic { target[me] != NOBODY && !in(me, proposes) &&
		(!in(target[me], follows) || breaks < BREAKS) ->	/* the session breaks */
		if
		:: in(target[me], follows) -> breaks++
		:: else
		fi;
		drop_target(me); step("|%d drops its target\n") }
	:: atomic { target[me] != NOBODY && candidate == NOBODY && is_primary(me) &&
		known[me] == epoch && epoch < EPOCHS && in(target[me], follows) &&
		(!in(target[me], bits[me]) || BUG_ADMITTED_BEFORE_FLUSH && in(me, copied)) &&
		(in(me, target_flushed) || BUG_ADMITTED_BEFORE_FLUSH) &&
		(flush[me] == IDLE || BUG_ADMITTED_BEFORE_FLUSH) &&
		(entry[me] != ANSWERED || BUG_PROPOSED_BEFORE_ACKNOWLEDGED) ->
		if
		:: !BUG_ADMITTED_WITHOUT_BITS ->
			bits[target[me]] = bits[me] & ~bit_of(target[me])
		:: else -> bits[target[me]] = 0
		fi;
		if
		:: holds_unflushed(me) ->
			set(unflushed, target[me])
		:: else
		fi;
		set(proposes, me);
		candidate = target[me]; candidate_named = 1; candidate_booted = 1; step("|%d proposes an admission\n") }
	:: atomic { candidate == me && epoch < EPOCHS ->	/* the admission is decided */
		set(insync, me);
		if
		:: candidate_named -> set(named, me)
		:: else
		fi;
		if
		:: candidate_booted -> set(booted, me)
		:: else
		fi;
		decided(); learnt_by(NOBODY); step("|%d is admitted\n") }

	/* -- faults -- */
	:: atomic { kills < KILLS -> kills++; restart(me); step("|%d is killed\n") }
	:: atomic { powers < POWERS -> powers++;
		if
		:: in(0, stable[me]) -> cache[me] = 0
		:: in(1, stable[me]) -> cache[me] = 1
		:: in(2, stable[me]) -> cache[me] = 2
		:: in(3, stable[me]) -> cache[me] = 3
		fi;
		stable[me] = bit_of(cache[me]);
		clear(booted, me);
		if
		:: candidate == me -> candidate_booted = 0
		:: else
		fi;
		restart(me); step("|%d loses power\n") }
	od
}
