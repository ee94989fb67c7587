/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deliberate bugs by name: see the header.
 */
#include "sim_bug.h"

#include <string.h>

#include "deliberate_bug.h"

#ifdef REPLICA_DELIBERATE_BUGS
#define BUGS BUG_COUNT
enum deliberate_bug deliberate_bug_chosen;
#else
#define BUGS 0
static enum deliberate_bug deliberate_bug_chosen;
#endif

static const char *const names[BUG_COUNT] = {
	[BUG_ANSWER_BEFORE_ALL] = "answer-before-all",
	[BUG_NO_LEASE_CHECK] = "no-lease-check",
	[BUG_READ_PAST_WRITES] = "read-past-writes",
	[BUG_NO_HOLD_OFF] = "no-hold-off",
	[BUG_LEASE_FROM_ARRIVAL] = "lease-from-arrival",
	[BUG_NO_PROMISE] = "no-promise",
	[BUG_BALLOT_REUSED] = "ballot-reused",
	[BUG_VOTE_WITH_LOST_METADATA] = "vote-with-lost-metadata",
	[BUG_LEARNT_VOTES_AT_ONCE] = "learnt-votes-at-once",
	[BUG_SERVE_BEFORE_CONFIRMED] = "serve-before-confirmed",
	[BUG_SERVE_BEFORE_EQUAL] = "serve-before-equal",
	[BUG_OWN_LOG_IGNORED] = "own-log-ignored",
	[BUG_BIT_CLEARED_BY_RULE] = "bit-cleared-by-rule",
	[BUG_BIT_BEFORE_FLUSH] = "bit-before-flush",
	[BUG_BITMAP_WITHOUT_UNFLUSHED] = "bitmap-without-unflushed",
	[BUG_COOLED_WITHOUT_FLUSH] = "cooled-without-flush",
	[BUG_ZEROES_NOT_COPIED] = "zeroes-not-copied",
	[BUG_EQUAL_WITHOUT_FLUSH] = "equal-without-flush",
	[BUG_COMPARED_IN_CACHE] = "compared-in-cache",
	[BUG_COMPARED_WITHOUT_ORDER] = "compared-without-order",
	[BUG_LOST_LOG_IS_CLEAN] = "lost-log-is-clean",
	[BUG_LOST_BITS_ARE_NONE] = "lost-bits-are-none",
	[BUG_LATE_ACKNOWLEDGEMENT] = "late-acknowledgement",
	[BUG_NO_DONE_TABLE] = "no-done-table",
	[BUG_NO_TABLE_TO_TARGET] = "no-table-to-target",
	[BUG_NO_TABLE_AT_REIGN] = "no-table-at-reign",
	[BUG_TABLE_BEFORE_DATA] = "table-before-data",
	[BUG_UNSURE_FORGOTTEN] = "unsure-forgotten",
	[BUG_UNSURE_NOT_HELD] = "unsure-not-held",
	[BUG_TEAR_TAKEN_FOR_DONE] = "tear-taken-for-done",
	[BUG_OPEN_REVIVED] = "open-revived",
	[BUG_RESEND_TO_NEW_ONLY] = "resend-to-new-only",
	[BUG_DEAD_SESSION] = "dead-session",
	[BUG_SECOND_FDATASYNC] = "second-fdatasync",
	[BUG_CANDIDATE_NOT_AWAITED] = "candidate-not-awaited",
	[BUG_ADMITTED_WITHOUT_BITMAPS] = "admitted-without-bitmaps",
	[BUG_OWN_BOOT_ID] = "own-boot-id",
	[BUG_EMPTY_IMAGE_PROMOTED] = "empty-image-promoted",
	[BUG_PARTED_TAKEN] = "parted-taken",
	[BUG_FEATURE_AT_ONCE] = "feature-at-once",
	[BUG_STOP_WITHOUT_FLUSH] = "stop-without-flush",
	[BUG_STOP_FORGETS_OTHERS] = "stop-forgets-others",
	[BUG_JOIN_WITHOUT_BITS] = "join-without-bits",
	[BUG_EXCLUSIVE_FORGOTTEN] = "exclusive-forgotten",
	[BUG_OPEN_KEPT_FOR_EVER] = "open-kept-for-ever",
	[BUG_FAILED_FLUSH_FORGOTTEN] = "failed-flush-forgotten",
	[BUG_FLUSHED_ELSEWHERE] = "flushed-elsewhere",
	[BUG_LIST_TAKEN] = "list-taken",
	[BUG_ASKED_TOO_EARLY] = "asked-too-early",
	[BUG_LEFT_LINE_FORGOTTEN] = "left-line-forgotten",
	[BUG_NOT_REWRITTEN_SERVED] = "not-rewritten-served",
	[BUG_VOTELESS_LEFT_ALONE] = "voteless-left-alone",
	[BUG_GIVEN_UP_BY_NAME] = "given-up-by-name",
	[BUG_NOT_WRITTEN_AGAIN] = "not-written-again",
	[BUG_ABSENT_OWNER_IGNORED] = "absent-owner-ignored",
};

bool sim_bug_choose(const char *name)
{
	for (int bug = BUG_NONE + 1; bug < BUGS; bug++) {
		if (!strcmp(names[bug], name)) {
			deliberate_bug_chosen = (enum deliberate_bug)bug;
			return true;
		}
	}
	return false;
}

void sim_bug_list(FILE *out)
{
	for (int bug = BUG_NONE + 1; bug < BUGS; bug++)
		fprintf(out, "%s\n", names[bug]);
}
