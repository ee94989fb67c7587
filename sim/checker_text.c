/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explanations; see checker_text.h.
 */
#include "checker_text.h"

#include <inttypes.h>
#include <string.h>

#include "checker_gather.h"
#include "grow.h"

/* More operations than these are not listed: the first ones, and the number of the others. */
#define LINES_MAX 40

struct text {
	FILE *stream;
	char *bytes;
	size_t size;
};

static const char *const sentences[CHECKER_KINDS] = {
	[CHECKER_NOWHERE] = "holds what nobody had written there",
	[CHECKER_STALE_READ] = "was read with an old value, though a newer one was there, before and later",
	[CHECKER_LOST_WRITE] = "has lost a write that was answered: nothing reads it again",
	[CHECKER_LOST_FLUSHED] = "has lost a write that was durable: a flush covered it, or it was stable",
	[CHECKER_OLD_BACK] =
		"has an old value again after a newer one was seen: a write took effect twice, or a copy went back",
	[CHECKER_LATE_WRITE] = "shows that a write of an open took effect after another, which excludes it, had begun",
	[CHECKER_IMAGES] = "is not the same in all images at the end",
};

static void text_begin(struct text *text)
{
	memset(text, 0, sizeof(*text));
	text->stream = open_memstream(&text->bytes, &text->size);
	if (!text->stream) {
		(void)fputs("no memory for an explanation\n", stderr);
		abort();
	}
}

static char *text_end(struct text *text)
{
	if (fclose(text->stream)) {
		(void)fputs("no memory for an explanation\n", stderr);
		abort();
	}
	return text->bytes;
}

/* ---- values ---- */

static bool covers(const struct history_range *range, uint32_t device, uint64_t block)
{
	return range->device == device && block >= range->block && block - range->block < range->blocks;
}

static bool writes(const struct history_op *op)
{
	return op->kind == HISTORY_WRITE || op->kind == HISTORY_ZEROES;
}

/* Who wrote the value to another block, for values that come from nowhere. */
static void print_origin(FILE *stream, const struct history *history, uint64_t value)
{
	for (size_t i = 0; i < history->nr_ops; i++) {
		const struct history_op *op = &history->ops[i];

		for (uint64_t j = 0; writes(op) && j < op->range.blocks; j++) {
			if (history_range_value(history, &op->range, j) != value)
				continue;
			(void)fprintf(stream,
				      " (what op %" PRIu64 " writes to block %" PRIu64 " of device %" PRIu32 ")",
				      op->id, op->range.block + j, op->range.device);
			return;
		}
	}
}

static void print_value(FILE *stream, const struct history *history, uint32_t device, uint64_t block, uint64_t value)
{
	bool known = false;

	if (value == HISTORY_ZERO)
		(void)fputs("zeroes", stream);
	else
		(void)fprintf(stream, "%016" PRIx64, value);
	if (gather_initial(history, device, block) == value) {
		(void)fputs(", the initial contents", stream);
		known = true;
	}
	for (size_t i = 0; i < history->nr_ops; i++) {
		const struct history_op *op = &history->ops[i];

		if (!writes(op) || !covers(&op->range, device, block) ||
		    history_range_value(history, &op->range, block - op->range.block) != value)
			continue;
		(void)fprintf(stream, "%s op %" PRIu64, known ? "," : ", written by", op->id);
		known = true;
	}
	if (!known) {
		(void)fputs(", written there by nobody", stream);
		print_origin(stream, history, value);
	}
}

/* ---- lines ---- */

static void print_outcome(FILE *stream, const struct history_op *op)
{
	switch (op->state) {
	case HISTORY_UNANSWERED:
		(void)fputs("not answered", stream);
		break;
	case HISTORY_LOST:
		(void)fputs("its client died", stream);
		break;
	case HISTORY_ANSWERED:
		if (op->result >= 0)
			(void)fputs("ok", stream);
		else
			(void)fprintf(stream, "failed: %d", op->result);
		break;
	}
}

/* has_block: with what it moved of the block. */
static void print_op(FILE *stream, const struct history *history, const struct history_op *op, bool has_block,
		     uint64_t block)
{
	(void)fprintf(stream, "  %12" PRIu64 " .. ", op->begun_at);
	if (op->state == HISTORY_UNANSWERED)
		(void)fprintf(stream, "%12s", "");
	else
		(void)fprintf(stream, "%12" PRIu64, op->ended_at);
	(void)fprintf(stream, "  client %d op %" PRIu64 " %s%s, ", op->client, op->id, history_kind_name(op->kind),
		      op->stable ? " stable" : "");
	print_outcome(stream, op);
	if (op->range.blocks)
		(void)fprintf(stream, ", blocks %" PRIu64 "+%" PRIu64, op->range.block, op->range.blocks);
	if (has_block && op->range.blocks) {
		(void)fputs(": ", stream);
		print_value(stream, history, op->range.device, block,
			    history_range_value(history, &op->range, block - op->range.block));
	}
	(void)fputc('\n', stream);
}

static void print_final(FILE *stream, const struct history *history, uint32_t image, uint64_t block)
{
	const struct history_range *range = &history->final[image];

	(void)fprintf(stream, "  %12s .. %12s  final image %" PRIu32 ": ", "end", "", image);
	print_value(stream, history, range->device, block, history_range_value(history, range, block - range->block));
	(void)fputc('\n', stream);
}

/* Losses of memory and of writes from one event to the next. */
static void print_losses(FILE *stream, const struct history *history, uint64_t after, uint64_t before)
{
	size_t power = 0, loss = 0;

	for (;;) {
		while (power < history->nr_powers && history->powers[power].event <= after)
			power++;
		while (loss < history->nr_losses && history->losses[loss].event <= after)
			loss++;
		if (power < history->nr_powers && history->powers[power].event < before &&
		    (loss == history->nr_losses || history->powers[power].event < history->losses[loss].event)) {
			(void)fprintf(stream, "  %12" PRIu64 "                  member %d loses its memory\n",
				      history->powers[power].time, history->powers[power].member);
			after = history->powers[power].event;
		} else if (loss < history->nr_losses && history->losses[loss].event < before) {
			(void)fprintf(stream,
				      "  %12" PRIu64 "                  generation %" PRIu64
				      " begins: %s may be gone\n",
				      history->losses[loss].time, history->losses[loss].generation,
				      history->losses[loss].flushed ? "any write" : "unflushed writes");
			after = history->losses[loss].event;
		} else {
			return;
		}
	}
}

struct lines {
	uint32_t *ops;
	size_t count, room;
};

static void add_line(struct lines *lines, uint32_t op)
{
	for (size_t i = 0; i < lines->count; i++) {
		if (lines->ops[i] == op)
			return;
	}
	lines->ops = grow_to(lines->ops, &lines->room, lines->count + 1, sizeof(*lines->ops));
	lines->ops[lines->count++] = op;
}

static int by_number(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* Operations by begin, then final images, with what was lost meanwhile. */
static void print_lines(FILE *stream, const struct history *history, struct lines *lines, bool has_block,
			uint64_t block)
{
	uint64_t at = 0;

	if (lines->count)
		qsort(lines->ops, lines->count, sizeof(*lines->ops), by_number);
	for (size_t i = 0; i < lines->count && i < LINES_MAX; i++) {
		bool final = lines->ops[i] >= BLOCK_FINAL;
		const struct history_op *op = final ? NULL : &history->ops[lines->ops[i]];
		uint64_t next = op ? op->begin : HISTORY_NEVER;

		print_losses(stream, history, i ? at : next - 1, next);
		at = next;
		if (op)
			print_op(stream, history, op, has_block && op->kind != HISTORY_FLUSH, block);
		else
			print_final(stream, history, lines->ops[i] - BLOCK_FINAL, block);
	}
	if (lines->count > LINES_MAX)
		(void)fprintf(stream, "  and %zu more\n", lines->count - LINES_MAX);
	free(lines->ops);
}

/* ---- findings ---- */

/* The first flush that makes the write durable: it is part of the case. */
static void add_flush(struct lines *lines, const struct history *history, const struct history_op *write)
{
	for (size_t i = 0; i < history->nr_ops; i++) {
		const struct history_op *op = &history->ops[i];

		if (op->kind == HISTORY_FLUSH && op->range.device == write->range.device && op->begin > write->end &&
		    op->state == HISTORY_ANSWERED && op->result >= 0) {
			add_line(lines, (uint32_t)i);
			return;
		}
	}
}

static void print_title(FILE *stream, enum checker_kind kind)
{
	(void)fprintf(stream, "%s %s: ", checker_kind_invariant(kind), checker_kind_name(kind));
}

static void print_culprit(FILE *stream, const struct history *history, const struct finding *finding)
{
	if (finding->read >= BLOCK_FINAL)
		(void)fprintf(stream, "; wrong: final image %" PRIu32, finding->read - BLOCK_FINAL);
	else
		(void)fprintf(stream, "; wrong: op %" PRIu64, history->ops[finding->read].id);
	if (finding->newer != FINDING_NONE)
		(void)fprintf(stream, ", newer: op %" PRIu64, history->ops[finding->newer].id);
	(void)fputc('\n', stream);
}

char *text_of_finding(const struct history *history, const struct finding *finding, uint32_t device, uint64_t block,
		      uint64_t blocks)
{
	struct lines lines = { 0 };
	struct text text;

	text_begin(&text);
	print_title(text.stream, finding->kind);
	(void)fprintf(text.stream, "device %" PRIu32 " block %" PRIu64, device, block);
	if (blocks > 1)
		(void)fprintf(text.stream, " to %" PRIu64 " (the first is shown)", block + blocks - 1);
	(void)fprintf(text.stream, " %s", sentences[finding->kind]);
	print_culprit(text.stream, history, finding);
	for (size_t i = 0; i < finding->nr_ops; i++) {
		add_line(&lines, finding->ops[i]);
		if (finding->kind == CHECKER_LOST_FLUSHED && finding->ops[i] < BLOCK_FINAL &&
		    writes(&history->ops[finding->ops[i]]) && !history->ops[finding->ops[i]].stable)
			add_flush(&lines, history, &history->ops[finding->ops[i]]);
	}
	print_lines(text.stream, history, &lines, true, block);
	return text_end(&text);
}

char *text_of_lapsed(const struct history *history, const struct lapsed *lapsed)
{
	const struct history_op *op = &history->ops[lapsed->op];
	bool silent = lapsed->written != OPENS_NONE;
	struct lines lines = { 0 };
	struct text text;

	text_begin(&text);
	print_title(text.stream, silent ? CHECKER_SILENT_LOSS : CHECKER_LAPSED_OPEN);
	(void)fprintf(text.stream,
		      "device %" PRIu32 ": op %" PRIu64 " of client %d succeeds on an open that generation %" PRIu64
		      " ended",
		      op->range.device, op->id, op->client, history->losses[lapsed->loss].generation);
	if (silent)
		(void)fprintf(text.stream, ", though op %" PRIu64 " of the same open may be gone",
			      history->ops[lapsed->written].id);
	(void)fputc('\n', text.stream);
	if (lapsed->open != OPENS_NONE)
		add_line(&lines, (uint32_t)lapsed->open);
	if (silent)
		add_line(&lines, (uint32_t)lapsed->written);
	add_line(&lines, (uint32_t)lapsed->op);
	print_lines(text.stream, history, &lines, false, 0);
	return text_end(&text);
}

char *text_of_two_opens(const struct history *history, const struct two_opens *two)
{
	const struct history_op *one = &history->ops[two->opens[0]], *other = &history->ops[two->opens[1]];
	struct lines lines = { 0 };
	struct text text;

	text_begin(&text);
	print_title(text.stream, CHECKER_TWO_OPENS);
	(void)fprintf(text.stream, "device %" PRIu32 " is open to clients %d and %d, one of which excludes the other\n",
		      one->range.device, one->client, other->client);
	for (int i = 0; i < 2; i++) {
		add_line(&lines, (uint32_t)two->opens[i]);
		if (two->shown_by[i] != two->opens[i])
			add_line(&lines, (uint32_t)two->shown_by[i]);
	}
	print_lines(text.stream, history, &lines, false, 0);
	return text_end(&text);
}
