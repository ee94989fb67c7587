/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is who in a replica set, and what its members decide: one configuration an epoch. Plain values, compared and
 * checked here; how one is decided is decision.c, how it lies on disk or on the wire metadata.h and message.h.
 */
#ifndef RDISK_REPLICA_CONFIGURATION_H
#define RDISK_REPLICA_CONFIGURATION_H

#include <stdbool.h>
#include <stdint.h>

#define MEMBERS_MAX	    7
#define REPLICA_DEVICES_MAX 16
#define NO_MEMBER	    (-1)

/* A set of members: bit n is member n. */
typedef uint8_t member_set;

struct set_id {
	unsigned char bytes[16]; /* all zeroes: none */
};

/* A process and its host. Both are 0 where there is none. */
struct process_id {
	uint64_t incarnation; /* random, new at each start of a process */
	uint64_t boot;	      /* of the host: another after its memory was lost */
};

/* Of two, the one with the higher counter is higher; among equal ones that of the higher member. */
struct ballot {
	uint32_t counter; /* 0: none */
	uint32_t member;
};

/* A new one begins where answered writes may be lost. Two with one parent and different ids exclude each other. */
struct generation {
	uint32_t number;
	uint64_t id;	 /* random, not 0 */
	uint64_t parent; /* the id of that before it; 0: the first */
};

/*
 * A generation that an operator's force began, and its first epoch. Whoever was not asked may have gone on without it:
 * only at a fork can two lines of configurations part.
 */
struct fork {
	uint32_t number; /* of the generation; 0: there is none */
	uint64_t id;	 /* of the same */
	uint64_t epoch;
};

#define FORKS_KEPT	 4
#define EPOCH_MAX	 (UINT64_C(1) << 62) /* what is above is nonsense: nobody decides so often */
#define BALLOT_COUNT_MAX (UINT32_C(1) << 31)

/* What is decided for an epoch. */
struct replica_configuration {
	struct set_id set;
	struct generation generation;
	struct fork forks[FORKS_KEPT]; /* the last of its line, its own generation included; the newest first */
	uint64_t epoch;	    /* 1, 2, ... EPOCH_MAX; 0: there is no configuration, and nothing else in it counts */
	uint64_t reign;	    /* the first epoch since when the primary has been this process */
	uint32_t primary;   /* a member of in_sync */
	member_set in_sync; /* never empty */
	member_set dead;    /* their votes do not count: an operator has said so, and they were not invalidated since */
	struct process_id processes[MEMBERS_MAX]; /* of in_sync, no two of one incarnation; others are zero */
	uint64_t sizes[REPLICA_DEVICES_MAX];	  /* bytes, 1 .. INT64_MAX; 0 beyond the last device */
	uint64_t digest;			  /* of the list of members (see member_list_digest()) */
};

/* A member as the configuration file has it. */
struct listed_member {
	uint8_t node;  /* 1 .. 255, ascending in the list */
	bool diskless; /* it votes and forwards, and has no image */
};

static inline member_set member_bit(int member)
{
	return (member_set)(1u << (member & 31)); /* so that nobody has to prove that it is below MEMBERS_MAX */
}

static inline bool member_in(member_set set, int member)
{
	return set & member_bit(member);
}

static inline int member_count(member_set set)
{
	return __builtin_popcount(set);
}

/* Less than, equal to or greater than 0, as `a` is lower than, the same as or higher than `b`. */
int ballot_compare(struct ballot a, struct ballot b);

bool process_same(struct process_id a, struct process_id b);

/* Whether two are the same in all that is decided. */
bool replica_configuration_same(const struct replica_configuration *a, const struct replica_configuration *b);

/*
 * Whether two are of lines that have parted: neither came from the other. a_settled, b_settled: it is known to be
 * decided; one that is not may be replaced by another of its epoch, and with it a fork that it began or did not know
 * of. What lies before the last FORKS_KEPT forks of one counts as common.
 */
bool replica_configuration_parted(const struct replica_configuration *a, bool a_settled,
				  const struct replica_configuration *b, bool b_settled);

/* Whether `later` has a fork in its line that `earlier` does not know of. */
bool replica_configuration_forked(const struct replica_configuration *later,
				  const struct replica_configuration *earlier);

/*
 * Whether it is one that could have been decided by a list of `members` (1 .. MEMBERS_MAX) with `devices` (0 ..
 * REPLICA_DEVICES_MAX, each has a size): what was read or received is not used before. NULL, or what is wrong with it.
 */
const char *replica_configuration_wrong(const struct replica_configuration *configuration, int members, int devices);

/* Who is in a list, by nodes and kinds: a set keeps the one it was born with. Addresses may differ. Never 0. */
uint64_t member_list_digest(const struct listed_member *list, int members);

/* What members must have in common to count together: the list, the lease (ns), the number of devices. Never 0. */
uint64_t common_digest(uint64_t list_digest, uint64_t lease, int devices);

#endif
