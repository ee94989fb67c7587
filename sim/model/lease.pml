/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases: at no true time do two members believe that they hold the lease for different reigns, and no read is answered
 * from before a write that a newer primary has answered.
 *
 * Modelled: RENEW and GRANT with rounds, late grants, lost ones; the holder's count from sending, the grantor's from
 * granting; clocks that drift; the hold-off after a start; restarts of holders and grantors; RELEASE at a planned switch;
 * a read with a pause between reading the data and checking the lease; acceptance of the next epoch, member by member.
 * Not modelled: how the value of an epoch is settled (decision.pml): it is the one first proposed, proposed by any member
 * that knows the epoch before it to be decided, and decided when a majority has accepted. No lost or old metadata.
 * Writes are one bit: a newer primary has answered one (writes.pml).
 *
 * Time: the world ticks; with each tick a slow clock moves by 1 unit, a fast one by 2, and any clock may be slow in one
 * tick and fast in the next. A clock without error would move by 1.5, so the drift is a third. The lease is LEASE ticks,
 * 1.5 * LEASE units: the holder counts (1 - 1/3) of it, LEASE units, the grantor (1 + 1/3) of it, 2 * LEASE units.
 * A process that is paused is one that takes no step for a while: its clock goes on.
 *
 * Messages: a RENEW reaches a member at any moment while the holder counts that round, or never; a later one would make
 * the grantor wait longer and nobody believe more. A GRANT arrives at any later moment, or never. RELEASE stays for ever
 * and may be received at any time. DECIDED reaches anyone at any time, or never.
 * With LATE=0 a round takes no time. For the rules as they are this is the worst case: whatever is late makes the holder
 * believe less or the grantor wait longer, and no step waits for a lease to be invalid. LATE=1 shows it in smaller bounds.
 */

/* bounds: -DEPOCHS=2 -DLEASE=1 */
/* bounds: -DEPOCHS=2 -DLEASE=2 */
/* bounds: -DEPOCHS=3 -DLEASE=1 */
/* bounds: -DEPOCHS=4 -DLEASE=1 -DRESTARTS=0 -DREADS=0 */
/* bounds: -DEPOCHS=3 -DLEASE=2 -DLATE=1 -DRESTARTS=0 -DSWITCHES=0 -DREADS=0 */
/* bounds: -DEPOCHS=2 -DLEASE=1 -DLATE=1 */
/* bounds: -DMEMBERS=5 -DEPOCHS=2 -DLEASE=1 -DRESTARTS=0 -DSWITCHES=0 -DREADS=0 */
/* options: -DSAFETY -DNOREDUCE -DMEMLIM=2500 -m1000000 */

/* bug: BUG_FROM_ARRIVAL -DEPOCHS=2 -DLEASE=2 -DLATE=1 -DRESTARTS=0 -DSWITCHES=0 -DREADS=0: the holder counts the lease from the arrival of the grant */
/* bug: BUG_NO_HOLD_OFF: a grantor that restarts forgets what it has granted and does not wait */
/* bug: BUG_DRIFT_IGNORED -DEPOCHS=2 -DLEASE=2: both count the lease without the margin for drift */
/* bug: BUG_OLDER_ROUND -DEPOCHS=2 -DLEASE=2 -DLATE=1 -DRESTARTS=0 -DSWITCHES=0 -DREADS=0: a grant of an earlier round counts for the newest one */
/* bug: BUG_GRANT_IGNORED: a grantor accepts another primary while its grant runs */
/* bug: BUG_OLD_EPOCH_GRANTED: a member that has accepted another primary still grants to the old one */
/* bug: BUG_UNDECIDED_STORED: a configuration that is not known to be decided is stored while a grant to another runs */
/* bug: BUG_ACCEPTS_AND_SERVES: a primary that accepts another one goes on renewing and answering */
/* bug: BUG_CHECK_BEFORE_READ: the lease is checked before the data are read, not after */
/* bug: BUG_READ_OUTLIVES_REIGN -DEPOCHS=3 -DLEASE=1: a read of a former reign is answered under the lease of a new one */
/* bug: BUG_GRANTS_OUTLIVE_REIGN -DEPOCHS=4 -DLEASE=1 -DRESTARTS=0 -DREADS=0: the grants of a former reign count in a new one */
/* bug: BUG_REIGN_BY_NAME -DEPOCHS=3 -DLEASE=1: a later epoch that names the same primary is taken for the same reign */
/* bug: BUG_RENEWS_AFTER_RELEASE: a primary that has released goes on in the same epoch */
/* bug: BUG_RELEASE_OF_ANY_EPOCH -DEPOCHS=3 -DLEASE=1: RELEASE ends a grant of a later epoch than its own */

#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifndef LATE		/* 0: a round takes no time */
#define LATE 0
#endif
#ifndef READS		/* 0: there are none */
#define READS 1
#endif
#ifndef RESTARTS	/* 0: of no process */
#define RESTARTS 1
#endif
#ifndef SWITCHES	/* 0: none is planned, nothing is released */
#define SWITCHES 1
#endif
#ifndef LEASE
#define LEASE 1
#endif

#ifdef BUG_DRIFT_IGNORED
#define HOLDS	(LEASE + LEASE / 2)
#define GRANTS	(LEASE + LEASE / 2)
#else
#define HOLDS	LEASE		/* units of the holder's clock */
#define GRANTS	(2 * LEASE)	/* units of the grantor's clock */
#endif
#define ROUNDS	2		/* that a holder remembers: the newest is 0 */
#define NOBODY	MEMBERS
#define BIT(member) (1 << (member))
#define COUNT(mask) (((mask) & 1) + ((mask) >> 1 & 1) + ((mask) >> 2 & 1) + ((mask) >> 3 & 1) + ((mask) >> 4 & 1))
#define MAJORITY(mask) (COUNT(mask) * 2 > MEMBERS)

typedef Member {
	/* durable */
	byte accepted;			/* epoch */
	/* as grantor */
	byte granted;			/* epoch of the grant that runs; 0: none */
	byte grant_left;		/* units, until it has run out */
	byte hold_off;			/* units, after a start */
	/* as primary */
	byte serves;			/* epoch that it knows to be decided and to name its incarnation; 0: none */
	byte left[ROUNDS];		/* units that a grant of the round is still worth, from its sending */
	byte under_way[ROUNDS];		/* mask of whose GRANT is on its way */
	byte arrived[ROUNDS];		/* mask of whose GRANT has come */
	/* a read at this member */
	bool reading;			/* the data were read, the answer not given */
	bool stale;			/* and a newer primary's write was answered that they do not have */
	bool behind;			/* its data do not have such a write */
}

Member m[MEMBERS];

byte primary[EPOCHS + 1];		/* that the epoch's configuration names; NOBODY: not proposed */
byte reign[EPOCHS + 1];			/* the first epoch of the reign that the epoch is of: its configuration says it */
bool gone[EPOCHS + 1];			/* the incarnation that is named has ended */
bool released[EPOCHS + 1];		/* RELEASE of that epoch was sent */
byte decided;				/* the newest epoch that a majority has accepted */

hidden byte i, j, e, members, holders, unit;

/* The members whose grants are valid by the clock of x, itself among them while what it accepted names it. */
#define OWN_VOTE(x) (primary[m[x].accepted] == (x) || ACCEPTS_AND_SERVES -> BIT(x) : 0)
#define VALID(x) (m[x].serves != 0 && \
	MAJORITY(OWN_VOTE(x) | (m[x].left[0] > 0 -> m[x].arrived[0] : 0) | (m[x].left[1] > 0 -> m[x].arrived[1] : 0)))
#ifdef BUG_ACCEPTS_AND_SERVES
#define ACCEPTS_AND_SERVES true
#else
#define ACCEPTS_AND_SERVES false
#endif

/* The first property. */
inline check_leases()
{
	j = 0; holders = 0;
	do
	:: j < MEMBERS -> holders = holders + VALID(j); j++
	:: else -> break
	od;
	assert(holders <= 1)
}

inline drop_rounds(x)
{
	m[x].left[0] = 0; m[x].under_way[0] = 0; m[x].arrived[0] = 0;
	m[x].left[1] = 0; m[x].under_way[1] = 0; m[x].arrived[1] = 0
}

inline stop_serving(x)
{
	m[x].serves = 0;
	m[x].behind = false;
#ifndef BUG_GRANTS_OUTLIVE_REIGN
	drop_rounds(x);
#endif
#ifndef BUG_READ_OUTLIVES_REIGN
	m[x].reading = false;
	m[x].stale = false
#endif
}

/*
 * The same primary twice is not the same reign: another may have been primary in an epoch between that it never heard of.
 */
#ifdef BUG_REIGN_BY_NAME
#define SAME_REIGN(epoch, other) (primary[epoch] == primary[other])
#else
#define SAME_REIGN(epoch, other) (reign[epoch] == reign[other])
#endif

/* A configuration of another reign: it stops renewing and answering at once. */
inline obey(x)
{
	if
	:: m[x].serves != 0 && !SAME_REIGN(m[x].accepted, m[x].serves) && !ACCEPTS_AND_SERVES -> stop_serving(x)
	:: else
	fi
}

inline propose_step()
{
	decided < EPOCHS && primary[decided + 1] == NOBODY && m[i].accepted == decided ->
	primary[decided + 1] = i;
	reign[decided + 1] = (m[i].serves == decided -> reign[decided] : decided + 1)
}

/* Planned: it stops, releases, and proposes a successor. */
inline release_step()
{
	SWITCHES && m[i].serves != 0 && m[i].serves == m[i].accepted ->
	released[m[i].serves] = true;
#ifndef BUG_RENEWS_AFTER_RELEASE
	e = m[i].serves;
	stop_serving(i);
	if
	:: e == decided && e < EPOCHS && primary[e + 1] == NOBODY ->
		select(j : 0 .. MEMBERS - 1);
		primary[e + 1] = j;
		reign[e + 1] = e + 1
	:: else
	fi
#endif
}

#ifdef BUG_RELEASE_OF_ANY_EPOCH
#define ENDS(release, grant) (primary[release] == primary[grant])
#else
#define ENDS(release, grant) (primary[release] == primary[grant] && (grant) <= (release))
#endif

inline released_step()
{
	m[i].granted != 0 -> e = 1;
	do
	:: e <= EPOCHS && released[e] && ENDS(e, m[i].granted) -> m[i].granted = 0; m[i].grant_left = 0; break
	:: e <= EPOCHS -> e++
	:: else -> break
	od
}

/* No grant to another than the named primary runs, and none may run from before its start. */
#ifdef BUG_GRANT_IGNORED
#define CONSENTS(x, epoch) true
#else
#define CONSENTS(x, epoch) ((m[x].granted == 0 || primary[m[x].granted] == primary[epoch]) && \
			    (m[x].hold_off == 0 || primary[m[x].accepted] == primary[epoch]))
#endif

inline accept_step()
{
	decided < EPOCHS && primary[decided + 1] != NOBODY && m[i].accepted <= decided && CONSENTS(i, decided + 1) ->
	m[i].accepted = decided + 1;
	obey(i);
	count_acceptors()
}

inline count_acceptors()
{
	members = 0; j = 0;
	do
	:: j < MEMBERS -> members = (m[j].accepted > decided -> members | BIT(j) : members); j++
	:: else -> break
	od;
	if
	:: MAJORITY(members) -> decided++
	:: else
	fi
}

#ifdef BUG_UNDECIDED_STORED
inline store_undecided_step()
{
	decided < EPOCHS && primary[decided + 1] != NOBODY && m[i].accepted <= decided ->
	m[i].accepted = decided + 1;
	obey(i);
	count_acceptors()
}
#endif

inline decided_step()
{
	m[i].accepted < decided ->
	m[i].accepted = decided;
	obey(i)
}

#ifdef BUG_RENEWS_AFTER_RELEASE
#define MAY_SERVE(epoch) true
#else
#define MAY_SERVE(epoch) (!released[epoch])
#endif

/* It learns that the epoch which names it is decided: a new reign, or the same one goes on. */
inline serve_step()
{
	m[i].accepted != 0 && m[i].accepted <= decided && primary[m[i].accepted] == i && !gone[m[i].accepted] &&
	MAY_SERVE(m[i].accepted) && m[i].serves != m[i].accepted ->
	m[i].serves = m[i].accepted
}

/* The newest round becomes the one before it, which is forgotten. */
inline renew_step()
{
	m[i].serves != 0 && m[i].left[0] != HOLDS ->
	m[i].left[1] = m[i].left[0]; m[i].under_way[1] = m[i].under_way[0]; m[i].arrived[1] = m[i].arrived[0];
	m[i].left[0] = HOLDS; m[i].under_way[0] = 0; m[i].arrived[0] = 0
}

#ifdef BUG_OLD_EPOCH_GRANTED
#define OBEYS(x, holder) true
#else
#define OBEYS(x, holder) (m[x].accepted >= m[holder].serves && SAME_REIGN(m[x].accepted, m[holder].serves))
#endif

/* i answers round e of j, and may answer it again. Without LATE only the newest, when it is sent, and j hears it at once. */
inline grant_step()
{
	select(j : 0 .. MEMBERS - 1);
	select(e : 0 .. LATE * (ROUNDS - 1));
	if
	:: j != i && m[j].serves != 0 && m[j].left[e] > (LATE -> 0 : HOLDS - 1) && OBEYS(i, j) ->
		m[i].granted = m[j].serves;
		m[i].grant_left = GRANTS;
		if
		:: LATE -> m[j].under_way[e] = m[j].under_way[e] | BIT(i)
		:: else -> m[j].arrived[e] = m[j].arrived[e] | BIT(i)
		fi
	:: else
	fi
}

inline arrive_step()
{
	(m[i].under_way[0] | m[i].under_way[1]) != 0 ->
	select(j : 0 .. MEMBERS - 1);
	select(e : 0 .. ROUNDS - 1);
	if
	:: m[i].under_way[e] & BIT(j) ->
		m[i].under_way[e] = m[i].under_way[e] & (BIT(j) ^ 255);
#ifdef BUG_OLDER_ROUND
		e = 0;
#endif
#ifdef BUG_FROM_ARRIVAL
		m[i].left[e] = HOLDS;
#endif
		m[i].arrived[e] = m[i].arrived[e] | BIT(j)
	:: else
	fi
}

/* The process ends and another begins: as grantor it waits, as primary it is nobody until a new epoch names it. */
inline restart_step()
{
	RESTARTS ->
	stop_serving(i);
	drop_rounds(i);
	m[i].reading = false;
	m[i].stale = false;
	m[i].granted = 0;
	m[i].grant_left = 0;
#ifndef BUG_NO_HOLD_OFF
	m[i].hold_off = GRANTS;
#endif
	e = 1;
	do
	:: e <= EPOCHS -> gone[e] = gone[e] || primary[e] == i; e++
	:: else -> break
	od
}

#ifdef BUG_CHECK_BEFORE_READ
#define CHECK_BEFORE(x) VALID(x)
#define CHECK_AFTER(x) (m[x].serves != 0)
#else
#define CHECK_BEFORE(x) true
#define CHECK_AFTER(x) VALID(x)
#endif

inline read_step()
{
	READS && m[i].serves != 0 && !m[i].reading && CHECK_BEFORE(i) ->
	m[i].reading = true;
	m[i].stale = m[i].behind
}

/* The second property. */
inline answer_read_step()
{
	m[i].reading && CHECK_AFTER(i) ->
	assert(!m[i].stale);
	m[i].reading = false
}

inline answer_write_step()
{
	READS && VALID(i) -> j = 0;
	do
	:: j < MEMBERS && j != i ->
		m[j].behind = m[j].behind || (m[j].serves != 0 && m[j].serves < m[i].serves);
		m[j].stale = m[j].stale || m[j].reading;
		j++
	:: j == i -> j++
	:: else -> break
	od
}

#define PASS(what, units) what = (what > (units) -> what - (units) : 0)

/* One tick of the world; what has run out is forgotten. */
inline tick_step()
{
	j = 0;
	do
	:: j < MEMBERS ->
		if
		:: unit = 1
		:: m[j].left[0] + m[j].left[1] + m[j].grant_left + m[j].hold_off > 0 -> unit = 2
		fi;
		PASS(m[j].left[0], unit);
		PASS(m[j].left[1], unit);
		PASS(m[j].grant_left, unit);
		PASS(m[j].hold_off, unit);
		if
		:: m[j].left[0] == 0 -> m[j].under_way[0] = 0; m[j].arrived[0] = 0
		:: else
		fi;
		if
		:: m[j].left[1] == 0 -> m[j].under_way[1] = 0; m[j].arrived[1] = 0
		:: else
		fi;
		if
		:: m[j].grant_left == 0 -> m[j].granted = 0
		:: else
		fi;
		j++
	:: else -> break
	od
}

/* What names an epoch that nobody goes by any more is forgotten: this changes no outcome and makes states equal. */
inline forget_epochs()
{
	e = decided; j = 0;
	do
	:: j < MEMBERS ->
		e = (m[j].accepted < e -> m[j].accepted : e);
		e = (m[j].serves != 0 && m[j].serves < e -> m[j].serves : e);
		e = (m[j].granted != 0 && m[j].granted < e -> m[j].granted : e);
		j++
	:: else -> break
	od;
	do
	:: e > 1 -> e--; primary[e] = NOBODY; reign[e] = 0; gone[e] = false; released[e] = false
	:: else -> break
	od
}

active proctype world()
{
	atomic {
		e = 0;
		do
		:: e <= EPOCHS -> primary[e] = NOBODY; e++
		:: else -> break
		od;
		primary[1] = 0;
		reign[1] = 1;
		decided = 1;
		i = 0;
		do
		:: i < MEMBERS -> m[i].accepted = 1; i++
		:: else -> break
		od
	};
	do
	:: atomic {
		if
		:: tick_step()
		:: select(i : 0 .. MEMBERS - 1);
			if
			:: propose_step()
			:: release_step()
			:: released_step()
			:: accept_step()
			:: decided_step()
			:: serve_step()
			:: renew_step()
			:: grant_step()
			:: arrive_step()
			:: restart_step()
			:: read_step()
			:: answer_read_step()
			:: answer_write_step()
#ifdef BUG_UNDECIDED_STORED
			:: store_undecided_step()
#endif
			:: else
			fi
		fi;
		forget_epochs();
		check_leases()
	   }
	od
}
