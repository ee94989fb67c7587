/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deliberate bugs, each a rule left out, to see that the simulator finds it. Only the core of rdisk-sim-bugs is
 * compiled with REPLICA_DELIBERATE_BUGS; in every other one deliberate_bug() is false, and the compiler leaves it out.
 */
#ifndef RDISK_REPLICATION_DELIBERATE_BUG_H
#define RDISK_REPLICATION_DELIBERATE_BUG_H

#include <stdbool.h>

enum deliberate_bug {
	BUG_NONE,
	BUG_ANSWER_BEFORE_ALL,	      /* a write is complete when the primary's image has it */
	BUG_NO_LEASE_CHECK,	      /* a read is answered without a lease */
	BUG_READ_PAST_WRITES,	      /* what is read at once does not wait for a write that is under way */
	BUG_NO_HOLD_OFF,	      /* a member that was restarted may promise at once */
	BUG_LEASE_FROM_ARRIVAL,	      /* the holder counts from when the grant came */
	BUG_NO_PROMISE,		      /* a lower ballot than the promised one is voted for */
	BUG_BALLOT_REUSED,	      /* what was promised before a restart does not count for the next ballot */
	BUG_VOTE_WITH_LOST_METADATA,  /* whoever lost what it promised votes as if it were new */
	BUG_LEARNT_VOTES_AT_ONCE,     /* the same, after it has learnt: from the epoch that it learnt of */
	BUG_SERVE_BEFORE_CONFIRMED,   /* a new primary does not ask what is unfinished elsewhere */
	BUG_SERVE_BEFORE_EQUAL,	      /* nor waits until the union is equal on all */
	BUG_OWN_LOG_IGNORED,	      /* who returns does not say what it may have */
	BUG_BIT_CLEARED_BY_RULE,      /* the bits of who returns are dropped, if they are few */
	BUG_BIT_BEFORE_FLUSH,	      /* a bit goes when the copy is acknowledged */
	BUG_BITMAP_WITHOUT_UNFLUSHED, /* who leaves has all that it acknowledged */
	BUG_COOLED_WITHOUT_FLUSH,     /* an extent cools with writes that are not flushed */
	BUG_ZEROES_NOT_COPIED,	      /* a target is taken to have zeroes where the primary has */
	BUG_EQUAL_WITHOUT_FLUSH,      /* a bit goes when a hash is equal */
	BUG_COMPARED_IN_CACHE,	      /* a target's hashes are of its page cache */
	BUG_COMPARED_WITHOUT_ORDER,   /* what is compared has no place in the order */
	BUG_LOST_LOG_IS_CLEAN,	      /* a part of the activity log that is not there had nothing hot */
	BUG_LOST_BITS_ARE_NONE,	      /* a file of bits that is not there had none */
	BUG_LATE_ACKNOWLEDGEMENT,     /* what was copied before it was written again counts */
	BUG_NO_DONE_TABLE,	      /* nobody looks whether a request was done */
	BUG_NO_TABLE_TO_TARGET,	      /* a target is admitted without the table of done requests */
	BUG_NO_TABLE_AT_REIGN,	      /* that of a new primary is not taken by the others */
	BUG_TABLE_BEFORE_DATA,	      /* it is taken before the data is equal on all */
	BUG_UNSURE_FORGOTTEN,	      /* what only one of the two has done is not unsure at the other */
	BUG_UNSURE_NOT_HELD,	      /* what overlaps an unsure request does not wait */
	BUG_TEAR_TAKEN_FOR_DONE,      /* what a new primary overwrites stays done */
	BUG_OPEN_REVIVED,	      /* a request of a client that is not known opens it again */
	BUG_RESEND_TO_NEW_ONLY,	      /* nothing is sent again to a primary whose session was lost */
	BUG_DEAD_SESSION,	      /* what comes from who is not primary any more is done */
	BUG_SECOND_FDATASYNC,	      /* a flush that failed is asked for again, and believed */
	BUG_CANDIDATE_NOT_AWAITED,    /* while an admission is proposed the candidate's word is not needed */
	BUG_ADMITTED_WITHOUT_BITMAPS, /* a target is not told what is missing on others */
	BUG_OWN_BOOT_ID,	      /* memory is taken for kept, whatever boot id was decided */
	BUG_EMPTY_IMAGE_PROMOTED,     /* another image file than before is taken for the same */
	BUG_PARTED_TAKEN,	      /* a configuration of another line is taken from a third member */
	BUG_JOIN_WITHOUT_BITS,	      /* who returns does not say what the primary lacked */
	BUG_STOP_WITHOUT_FLUSH,	      /* a process that ends cools what it has not flushed */
	BUG_STOP_FORGETS_OTHERS,      /* nor does it keep in mind what others may not have */
	BUG_EXCLUSIVE_FORGOTTEN,      /* other members do not keep how a device is open */
	BUG_ABSENT_OWNER_IGNORED,     /* who is not there has nothing open */
	BUG_OPEN_KEPT_FOR_EVER,	      /* a forwarder says that it has something open, whatever time has passed */
	BUG_FAILED_FLUSH_FORGOTTEN,   /* who is restarted does not know that a flush failed */
	BUG_FLUSHED_ELSEWHERE,	      /* a target whose flush failed takes for stable what others flushed */
	BUG_LIST_TAKEN,		      /* metadata of another list of members are used */
	BUG_ASKED_TOO_EARLY,	      /* one taken for dead counts before it can vote */
	BUG_LEFT_LINE_FORGOTTEN,      /* who is brought up has only the primary's bits of another line */
	BUG_NOT_REWRITTEN_SERVED,     /* what could not be written again after a failed flush is served */
	BUG_VOTELESS_LEFT_ALONE,      /* who is to be primary and has no vote is waited for */
	BUG_GIVEN_UP_BY_NAME,	      /* who gave its copy up is in sync where its process still is by name */
	BUG_NOT_WRITTEN_AGAIN,	      /* after a flush that failed the last one trusts its cache */
	BUG_FEATURE_AT_ONCE,	      /* a feature is used by whoever has it */
	BUG_COUNT,
};

#ifdef REPLICA_DELIBERATE_BUGS
/* Chosen before a core is made, and left alone then. */
extern enum deliberate_bug deliberate_bug_chosen;

static inline bool deliberate_bug(enum deliberate_bug bug)
{
	return deliberate_bug_chosen == bug;
}
#else
static inline bool deliberate_bug(enum deliberate_bug bug)
{
	(void)bug;
	return false;
}
#endif

#endif
