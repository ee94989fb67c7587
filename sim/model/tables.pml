/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of done requests, and the data that goes with them, through changes of the primary.
 *
 * Two requests of two clients, W and V, write the same two sectors. Modelled: the image of each member, its table (a
 * request is done, unsure or unknown there), what is unfinished; the stream of each new primary (its table, the
 * sectors that it equalises one by one, RECONCILED, then entries), of which each member has taken some beginning;
 * processes that die for good, or are killed in the midst of a write and start again without a table; primaries that
 * another takes the place of while they live on; members that are removed; sessions that break within a reign; clients
 * that die. Requests are sent again until they are answered.
 *
 * Checked: for each sector there is an order of W, V and all reads, each request in it once, between its beginning and
 * its answer (what the orders may be is kept as a set; a read that fits none of them is an error).
 *
 * Assumed: decisions and leases (models of their own); a member tells a new primary what is unfinished only when
 * nothing of older reigns is on its way to its image, so that entry and store are one step; nobody is brought up.
 * Not modelled: errors of stores, windows, opens, the time for which a lost table is put together from clients.
 *
 * bounds: each line is one exhaustive run.
 */
/* bounds: -DDEATHS=2 -DDEPOSED=1 */
/* bounds: -DDEATHS=1 -DDEPOSED=2 */
/* bounds: -DDEATHS=1 -DDEPOSED=1 -DBREAKS=1 */
/* bounds: -DDEATHS=1 -DRESTARTS=1 -DDEPOSED=1 */
/* bounds: -DDEATHS=0 -DRESTARTS=2 -DBREAKS=1 */
/* bounds: -DDEATHS=0 -DRESTARTS=3 */
/* bounds: -DDEATHS=2 -DCLIENTS=1 */
/* options: -O1 -DSAFETY -DVECTORSZ=512 -DMEMLIM=6000 -E -m200000 */

/* ---- deliberate bugs ---- */
/* bug: BUG_TABLE_TAKEN_AT_ONCE: a new primary's table is taken before its data is equal */
#ifndef BUG_TABLE_TAKEN_AT_ONCE
#define BUG_TABLE_TAKEN_AT_ONCE 0
#endif
/* bug: BUG_SERVE_BEFORE_TAKEN: a new primary serves when all is equal, and not all have its table as their own */
#ifndef BUG_SERVE_BEFORE_TAKEN
#define BUG_SERVE_BEFORE_TAKEN 0
#endif
/* bug: BUG_TABLE_AFTER_DATA: what the new primary has done is told after it was made equal */
#ifndef BUG_TABLE_AFTER_DATA
#define BUG_TABLE_AFTER_DATA 0
#endif
/* bug: BUG_UNSURE_FORGOTTEN: a request that only the new primary has done does not become unsure */
#ifndef BUG_UNSURE_FORGOTTEN
#define BUG_UNSURE_FORGOTTEN 0
#endif
/* bug: BUG_TEAR_TAKEN_FOR_DONE: a request that the new primary does not have done stays done while it is overwritten */
#ifndef BUG_TEAR_TAKEN_FOR_DONE
#define BUG_TEAR_TAKEN_FOR_DONE 0
#endif
/* bug: BUG_ALL_BECOME_UNSURE: whatever is unfinished becomes unsure, also what the new primary has done */
#ifndef BUG_ALL_BECOME_UNSURE
#define BUG_ALL_BECOME_UNSURE 0
#endif
/* bug: BUG_NOT_HELD: what overlaps an unsure request does not wait for it */
#ifndef BUG_NOT_HELD
#define BUG_NOT_HELD 0
#endif
/* bug: BUG_UNSURE_TAKEN_FOR_DONE: an unsure request is answered and not done */
#ifndef BUG_UNSURE_TAKEN_FOR_DONE
#define BUG_UNSURE_TAKEN_FOR_DONE 0
#endif
/* bug: BUG_RESTARTED_TAKES_TABLE: a primary without a table takes that of another, instead of handing over to it */
#ifndef BUG_RESTARTED_TAKES_TABLE
#define BUG_RESTARTED_TAKES_TABLE 0
#endif
/* bug: BUG_RESTARTED_IS_TOLD: a member without a table counts as having one before all is equal */
#ifndef BUG_RESTARTED_IS_TOLD
#define BUG_RESTARTED_IS_TOLD 0
#endif
/* bug: BUG_STREAM_GOES_ON: a member whose session broke takes what comes by the next one in the same reign */
#ifndef BUG_STREAM_GOES_ON
#define BUG_STREAM_GOES_ON 0
#endif

#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef DEATHS
#define DEATHS 2	/* processes that die for good */
#endif
#ifndef RESTARTS
#define RESTARTS 0	/* processes that are killed and start again */
#endif
#ifndef DEPOSED
#define DEPOSED 0	/* primaries that another takes the place of, and that live on */
#endif
#ifndef BREAKS
#define BREAKS 0	/* sessions that break and are up again within a reign */
#endif
#ifndef CLIENTS
#define CLIENTS 0	/* clients that die */
#endif

#define bit_of(m)	(1 << (m))
#define in(m, mask)	(((mask) >> (m)) & 1)
#define ALL		(bit_of(MEMBERS) - 1)
#define NOBODY		MEMBERS

/* The requests, as what they write; 0: what was there before. */
#define W 1
#define V 2
#define NONE 0

/* ---- each member ---- */
byte first[MEMBERS];		/* its image: two sectors */
byte second[MEMBERS];
#define UNKNOWN 0
#define DONE 1
#define UNSURE 2
byte table_w[MEMBERS];
byte table_v[MEMBERS];
byte knows = ALL;		/* it has a table */
byte running = ALL;
byte unfinished;		/* it does not know its image to be equal to all others */
/* What it has taken of the primary's stream. */
#define NOTHING 0
#define TABLE 1
#define EQUAL_FIRST 2
#define EQUAL_BOTH 3
#define RECONCILED 4
byte taken[MEMBERS] = RECONCILED;
byte broken;			/* the session broke since that began */

/* ---- the set ---- */
byte insync = ALL;
byte primary = 0;
#define VACANT 0
#define CONFIRMING 1
#define EQUALISING 2
#define SERVING 3
byte phase = SERVING;
bit equalises;			/* something is unfinished on somebody */
byte sent_w;			/* the table that the primary of this reign sends */
byte sent_v;
byte entry;			/* under way */
byte stored;			/* who has it */

/* ---- clients ---- */
byte begun;			/* bits W, V */
byte wanted;			/* asked again until answered */
/* For each sector, the orders in which the two may have taken effect so far: a set of these. */
#define O_NONE 1
#define O_W 2
#define O_V 4
#define O_WV 8
#define O_VW 16
byte order_first = O_NONE;
byte order_second = O_NONE;

byte deaths;
byte restarts;
byte deposed;
byte breaks;
byte clients;

hidden byte k;

#define table(m, q)	((q) == W -> table_w[m] : table_v[m])
#define is_wanted(q)	((wanted & (q)) != 0)
#define other(q)	(W + V - (q))
#define holds(q)	(table(primary, q) == UNSURE && is_wanted(q) && !BUG_NOT_HELD)
#define held		(holds(W) || holds(V))
/* One that is unsure itself waits for no other. */
#define may_begin(q) \
	(is_wanted(q) && table(primary, q) != DONE && \
	 (table(primary, q) == UNSURE -> !BUG_UNSURE_TAKEN_FOR_DONE : !holds(other(q))))

inline set_table(m, q, what)
{
	if
	:: (q) == W -> table_w[m] = what
	:: else -> table_v[m] = what
	fi
}

/* Requests that have begun may take effect. */
inline let_take_effect(order)
{
	if
	:: (begun & W) && (order & O_NONE) -> order = order | O_W
	:: else
	fi;
	if
	:: (begun & V) && (order & O_NONE) -> order = order | O_V
	:: else
	fi;
	if
	:: (begun & W) && (order & O_V) -> order = order | O_VW
	:: else
	fi;
	if
	:: (begun & V) && (order & O_W) -> order = order | O_WV
	:: else
	fi
}

inline answer(q)
{
	let_take_effect(order_first); let_take_effect(order_second);
	order_first = order_first & (((q) == W -> O_W : O_V) | O_WV | O_VW);
	order_second = order_second & (((q) == W -> O_W : O_V) | O_WV | O_VW);
	wanted = wanted & ~(q)
}

/* The orders after which a read returns this. */
#define orders_of(value)	((value) == NONE -> O_NONE : ((value) == W -> O_W | O_VW : O_V | O_WV))

inline read(value, order)
{
	let_take_effect(order);
	order = order & orders_of(value);
	assert(order != 0)
}

/* A member has stored an entry. */
inline store(m, q)
{
	first[m] = q; second[m] = q;
	set_table(m, q, DONE);
	unfinished = unfinished | bit_of(m);
	stored = stored | bit_of(m)
}

inline vacate()
{
	phase = VACANT
}

/* Who is not in sync is not looked at any more. */
inline forget_others()
{
	running = running & insync; knows = knows & insync; unfinished = unfinished & insync; broken = broken & insync;
	stored = stored & insync;
	for (k : 0 .. MEMBERS - 1) {
		if
		:: !in(k, insync) ->
			first[k] = NONE; second[k] = NONE; table_w[k] = UNKNOWN; table_v[k] = UNKNOWN;
			taken[k] = NOTHING
		:: else
		fi
	}
}

inline elect(m)
{
	primary = m;
	phase = CONFIRMING;
	entry = NONE; stored = 0; broken = 0; equalises = 0;
	sent_w = UNKNOWN; sent_v = UNKNOWN;
	for (k : 0 .. MEMBERS - 1) {
		taken[k] = NOTHING
	}
}

/* What a member that has a table makes of the new primary's: q is `sent` there. */
inline doubt(m, q, sent)
{
	if
	:: BUG_TABLE_TAKEN_AT_ONCE -> set_table(m, q, sent)
	:: !BUG_TABLE_TAKEN_AT_ONCE && sent != UNKNOWN && table(m, q) == UNKNOWN && !BUG_UNSURE_FORGOTTEN ->
		set_table(m, q, UNSURE)
	:: !BUG_TABLE_TAKEN_AT_ONCE && sent != DONE && table(m, q) == DONE && !BUG_TEAR_TAKEN_FOR_DONE ->
		set_table(m, q, UNSURE)
	:: BUG_ALL_BECOME_UNSURE && sent == DONE && table(m, q) == DONE && equalises && in(m, unfinished) ->
		set_table(m, q, UNSURE)
	:: else
	fi
}

inline take_table(m)
{
	if
	:: BUG_RESTARTED_IS_TOLD -> knows = knows | bit_of(m)
	:: else
	fi;
	if
	:: in(m, knows) -> doubt(m, W, sent_w); doubt(m, V, sent_v)
	:: else
	fi
}

/* The process ends; an entry may have got into one of its two sectors. */
inline tear(m)
{
	if
	:: entry != NONE && !in(m, stored) && (m == primary || (taken[m] == RECONCILED && !in(m, broken))) ->
		if
		:: first[m] = entry
		:: second[m] = entry
		:: first[m] = entry; second[m] = entry
		:: skip
		fi
	:: else
	fi
}

/* It has what it needs before the primary serves. */
#define has_all(m)	(taken[m] >= (BUG_SERVE_BEFORE_TAKEN -> (equalises -> EQUAL_BOTH : NOTHING) : RECONCILED))
#define others		(insync & ~bit_of(primary))
#define takes(m)	(in(m, others) && in(m, running) && (!in(m, broken) || BUG_STREAM_GOES_ON))
/* The others that know, of those that are there. */
#define who_knows	(insync & running & knows & ~bit_of(primary))

active [MEMBERS] proctype member()
{
	byte me = _pid;

	do
	/* ---- a member of the set, not primary ---- */
	:: atomic { phase >= EQUALISING && takes(me) && taken[me] == NOTHING ->
		if
		:: !BUG_TABLE_AFTER_DATA -> take_table(me)
		:: else
		fi;
		taken[me] = TABLE; printf("|%d takes the table\n", me) }
	:: atomic { phase >= EQUALISING && equalises && takes(me) && taken[me] == TABLE ->
		first[me] = first[primary]; unfinished = unfinished | bit_of(me);
		taken[me] = EQUAL_FIRST; printf("|%d takes the first sector\n", me) }
	:: atomic { phase >= EQUALISING && equalises && takes(me) && taken[me] == EQUAL_FIRST ->
		second[me] = second[primary];
		taken[me] = EQUAL_BOTH; printf("|%d takes the second sector\n", me) }
	:: atomic { phase >= EQUALISING && BUG_STREAM_GOES_ON && in(me, broken) && in(me, running) && in(me, others) &&
		taken[me] < EQUAL_FIRST && equalises ->
		first[me] = first[primary]; unfinished = unfinished | bit_of(me);
		taken[me] = EQUAL_FIRST; printf("|%d takes the first sector by another session\n", me) }
	:: atomic { phase >= EQUALISING && takes(me) && taken[me] == (equalises -> EQUAL_BOTH : TABLE) ->
		table_w[me] = sent_w; table_v[me] = sent_v;
		knows = knows | bit_of(me);
		taken[me] = RECONCILED; printf("|%d takes RECONCILED\n", me) }
	:: atomic { phase == SERVING && entry != NONE && takes(me) && !in(me, stored) &&
		(taken[me] == RECONCILED || (BUG_STREAM_GOES_ON && in(me, broken))) ->
		store(me, entry); printf("|%d stores %d\n", me, entry) }
	:: atomic { phase == SERVING && entry == NONE && takes(me) && taken[me] == RECONCILED && in(me, unfinished) ->
		unfinished = unfinished & ~bit_of(me); printf("|%d is told what is complete\n", me) }

	/* ---- who becomes primary, and which of the others it names ---- */
	:: atomic { phase == VACANT && in(me, insync) && in(me, running) ->
		elect(me); insync = insync & running; forget_others();
		printf("|%d is the primary\n", me) }
	:: atomic { phase == CONFIRMING && me == primary && others != 0 ->
		insync = bit_of(me); forget_others(); printf("|%d goes on without the others\n", me) }
	:: atomic { phase == CONFIRMING && me == primary && !in(me, knows) && who_knows != 0 &&
		!BUG_RESTARTED_TAKES_TABLE ->
		vacate();
		if
		:: in(0, who_knows) -> elect(0)
		:: in(1, who_knows) -> elect(1)
		:: in(2, who_knows) -> elect(2)
		fi;
		printf("|%d hands over to %d\n", me, primary) }
	:: atomic { phase == CONFIRMING && me == primary &&
		(in(me, knows) || who_knows == 0 || BUG_RESTARTED_TAKES_TABLE) ->
		if
		:: !in(me, knows) && who_knows == 0 ->
			/* A shared open of before gets EIO. */
			wanted = 0; table_w[me] = UNKNOWN; table_v[me] = UNKNOWN
		:: !in(me, knows) && who_knows != 0 ->
			for (k : 0 .. MEMBERS - 1) {
				if
				:: in(k, who_knows) && table_w[k] != UNKNOWN -> table_w[me] = UNSURE
				:: else
				fi;
				if
				:: in(k, who_knows) && table_v[k] != UNKNOWN -> table_v[me] = UNSURE
				:: else
				fi
			}
		:: else
		fi;
		knows = knows | bit_of(me);
		sent_w = table_w[me]; sent_v = table_v[me];
		equalises = (unfinished & insync) != 0;
		phase = EQUALISING; printf("|%d sends its table\n", me) }
	:: atomic { phase == EQUALISING && me == primary &&
		(!in(0, others) || has_all(0)) && (!in(1, others) || has_all(1)) && (!in(2, others) || has_all(2)) ->
		phase = SERVING; unfinished = unfinished & ~bit_of(me); printf("|%d serves\n", me) }
	:: atomic { phase >= EQUALISING && me == primary && (others & (broken | ~running)) != 0 ->
		insync = insync & ~(others & (broken | ~running)); forget_others(); printf("|%d removes who broke\n", me) }

	/* ---- the primary ---- */
	:: atomic { phase == SERVING && me == primary && entry == NONE && may_begin(W) ->
		entry = W; stored = 0; printf("|%d begins W\n", me) }
	:: atomic { phase == SERVING && me == primary && entry == NONE && may_begin(V) ->
		entry = V; stored = 0; printf("|%d begins V\n", me) }
	:: atomic { phase == SERVING && me == primary && entry != NONE && !in(me, stored) ->
		store(me, entry); printf("|%d stores its own %d\n", me, entry) }
	:: atomic { phase == SERVING && me == primary && entry != NONE && (insync & ~stored) == 0 ->
		entry = NONE; stored = 0; unfinished = unfinished & ~bit_of(me); printf("|%d: complete\n", me) }
	:: atomic { phase == SERVING && me == primary && entry == NONE && is_wanted(W) &&
		(table_w[me] == DONE || (table_w[me] == UNSURE && BUG_UNSURE_TAKEN_FOR_DONE)) ->
		answer(W); printf("|%d answers W\n", me) }
	:: atomic { phase == SERVING && me == primary && entry == NONE && is_wanted(V) &&
		(table_v[me] == DONE || (table_v[me] == UNSURE && BUG_UNSURE_TAKEN_FOR_DONE)) ->
		answer(V); printf("|%d answers V\n", me) }
	:: atomic { phase == SERVING && me == primary && entry == NONE && !held &&
		(order_first & ~orders_of(first[me])) != 0 ->
		read(first[me], order_first); printf("|%d reads %d\n", me, first[me]) }
	:: atomic { phase == SERVING && me == primary && entry == NONE && !held &&
		(order_second & ~orders_of(second[me])) != 0 ->
		read(second[me], order_second); printf("|%d reads %d in the second\n", me, second[me]) }

	/* ---- clients ---- */
	:: atomic { me == 0 && !(begun & W) -> begun = begun | W; wanted = wanted | W; printf("|W is asked\n") }
	:: atomic { me == 0 && !(begun & V) -> begun = begun | V; wanted = wanted | V; printf("|V is asked\n") }
	:: atomic { me == 0 && clients < CLIENTS && is_wanted(W) -> clients++; wanted = wanted & ~W;
		printf("|W's client dies\n") }

	/* ---- faults ---- */
	:: atomic { deaths < DEATHS && in(me, running) -> deaths++;
		running = running & ~bit_of(me);
		if
		:: me == primary -> vacate()
		:: else
		fi;
		printf("|%d dies\n", me) }
	:: atomic { restarts < RESTARTS && in(me, running) && in(me, insync) -> restarts++;
		tear(me);
		knows = knows & ~bit_of(me); table_w[me] = UNKNOWN; table_v[me] = UNKNOWN;
		unfinished = unfinished | bit_of(me);
		if
		:: me == primary -> vacate()
		:: else -> broken = broken | bit_of(me)
		fi;
		printf("|%d restarts\n", me) }
	:: atomic { deposed < DEPOSED && me == primary && phase != VACANT -> deposed++; vacate(); printf("|%d is deposed\n", me) }
	:: atomic { breaks < BREAKS && in(me, others) && in(me, running) && !in(me, broken) && phase >= EQUALISING ->
		breaks++; broken = broken | bit_of(me); printf("|%d's session breaks\n", me) }
	od
}
