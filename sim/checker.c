/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The check of a whole history; see checker.h.
 */
#include "checker.h"

#include <errno.h>
#include <string.h>

#include "checker_finding.h"
#include "checker_gather.h"
#include "checker_opens.h"
#include "checker_text.h"
#include "grow.h"

static const struct {
	const char *name, *invariant;
} kinds[CHECKER_KINDS] = {
	[CHECKER_NOWHERE] = { "contents from nowhere", "I3" }, [CHECKER_STALE_READ] = { "stale read", "I3" },
	[CHECKER_LOST_WRITE] = { "lost write", "I1" },	       [CHECKER_LOST_FLUSHED] = { "lost flushed write", "I2" },
	[CHECKER_OLD_BACK] = { "old value back", "I9" },       [CHECKER_SILENT_LOSS] = { "silent loss", "I2" },
	[CHECKER_LAPSED_OPEN] = { "lapsed open", "I1" },       [CHECKER_TWO_OPENS] = { "two opens", "I9" },
	[CHECKER_LATE_WRITE] = { "late write", "I9" },	       [CHECKER_IMAGES] = { "images differ", "I5" },
};

/* What was found and not yet told, for the next block may have the same. */
struct run {
	const struct history *history;
	struct checker_report *report;
	struct opened_block block;
	bool *failed;
	size_t failed_room;
	struct finding finding, pending;
	const struct gathered_block *first; /* of pending, or NULL */
	uint64_t blocks;
};

const char *checker_kind_name(enum checker_kind kind)
{
	return kinds[kind].name;
}

const char *checker_kind_invariant(enum checker_kind kind)
{
	return kinds[kind].invariant;
}

void checker_final(struct history *history, uint32_t device, uint64_t position, const void *data, uint64_t length)
{
	history_final(history, device, position, data, length);
}

static void tell(struct checker_report *report, struct checker_violation violation)
{
	size_t room = 0;

	if (!report->violations)
		report->violations = grow_to(NULL, &room, CHECKER_VIOLATIONS_MAX, sizeof(violation));
	report->violations[report->nr_violations++] = violation;
}

static void tell_pending(struct run *run)
{
	if (!run->first)
		return;
	tell(run->report,
	     (struct checker_violation){ run->pending.kind, run->first->device, run->first->block, run->blocks,
					 text_of_finding(run->history, &run->pending, run->first->device,
							 run->first->block, run->blocks) });
	run->first = NULL;
}

static bool is_same(const struct finding *left, const struct finding *right)
{
	return left->kind == right->kind && left->nr_ops == right->nr_ops && left->read == right->read &&
	       !memcmp(left->ops, right->ops, left->nr_ops * sizeof(*left->ops));
}

/* The block is wrong: run->finding says how. */
static void add_finding(struct run *run, const struct gathered_block *block)
{
	struct finding old;

	if (run->first && run->first->device == block->device && run->first->block + run->blocks == block->block &&
	    is_same(&run->pending, &run->finding)) {
		run->blocks++;
		return;
	}
	tell_pending(run);
	old = run->pending;
	run->pending = run->finding;
	run->finding = old;
	run->first = block;
	run->blocks = 1;
}

/* Whether only opens that exclude each other make it wrong. Changes the block. */
static bool is_late(struct block_history *block, bool *failed)
{
	bool limited = false;

	for (size_t i = 0; i < block->nr_ops; i++) {
		limited |= block->ops[i].limit != HISTORY_NEVER;
		block->ops[i].limit = HISTORY_NEVER;
	}
	return limited && block_check(block, failed, NULL) != BLOCK_BAD;
}

static void check_block(struct run *run, const struct gathered_block *at)
{
	const struct block_history *block = &run->block.history;
	enum block_verdict verdict;
	bool searched;

	run->failed = grow_to(run->failed, &run->failed_room, block->nr_ops, sizeof(*run->failed));
	memset(run->failed, 0, block->nr_ops * sizeof(*run->failed));
	verdict = block_check(block, run->failed, &searched);
	run->report->nr_blocks++;
	run->report->nr_searched += searched;
	run->report->nr_undecided += verdict == BLOCK_UNDECIDED;
	if (verdict != BLOCK_BAD && !run->block.images_differ)
		return;
	/* The pending one will need room, too. */
	if (run->report->nr_violations + 1 >= CHECKER_VIOLATIONS_MAX) {
		run->report->nr_more++;
		return;
	}
	if (verdict == BLOCK_BAD)
		finding_make(block, run->failed, &run->finding);
	else
		finding_images(block, &run->finding);
	if (verdict == BLOCK_BAD && is_late(&run->block.history, run->failed))
		run->finding.kind = CHECKER_LATE_WRITE;
	add_finding(run, at);
}

static void check_opens(const struct history *history, struct checker_report *report)
{
	struct lapsed lapsed;
	size_t from = 0;

	while ((from = opens_next(history, from, &lapsed)) != OPENS_NONE) {
		if (report->nr_violations == CHECKER_VIOLATIONS_MAX) {
			report->nr_more++;
			continue;
		}
		tell(report, (struct checker_violation){
				     lapsed.written != OPENS_NONE ? CHECKER_SILENT_LOSS : CHECKER_LAPSED_OPEN,
				     history->ops[lapsed.op].range.device, 0, 0, text_of_lapsed(history, &lapsed) });
	}
}

static void check_exclusion(const struct history *history, const struct exclusion *exclusion,
			    struct checker_report *report)
{
	struct two_opens two;
	size_t from = 0;

	while (exclusion_next(exclusion, history, &from, &two)) {
		if (report->nr_violations == CHECKER_VIOLATIONS_MAX) {
			report->nr_more++;
			continue;
		}
		tell(report, (struct checker_violation){ CHECKER_TWO_OPENS, history->ops[two.opens[0]].range.device, 0,
							 0, text_of_two_opens(history, &two) });
	}
}

int checker_run(const struct history *history, struct checker_report *report)
{
	struct run run = { .history = history, .report = report };
	struct gathered gathered;

	memset(report, 0, sizeof(*report));
	if (history_broken(history))
		return -EINVAL;
	gather(&gathered, history);
	check_opens(history, report);
	check_exclusion(history, &gathered.exclusion, report);
	for (size_t i = 0; i < gathered.nr_blocks; i++) {
		gather_open(&gathered, i, &run.block);
		check_block(&run, &gathered.blocks[i]);
	}
	tell_pending(&run);
	opened_destroy(&run.block);
	finding_destroy(&run.finding);
	finding_destroy(&run.pending);
	free(run.failed);
	gather_destroy(&gathered);
	return 0;
}

void checker_report_destroy(struct checker_report *report)
{
	for (size_t i = 0; i < report->nr_violations; i++)
		free(report->violations[i].text);
	free(report->violations);
	memset(report, 0, sizeof(*report));
}
