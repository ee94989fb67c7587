/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A history is written down; see history_file.h.
 */
#include "history_file.h"

#include <errno.h>
#include <inttypes.h>

#include "grow.h"

enum line_kind { LINE_BEGIN, LINE_END, LINE_LOST, LINE_LOSS, LINE_POWER };

struct line {
	uint64_t time, event;
	enum line_kind kind;
	size_t index;
};

struct lines {
	struct line *all;
	size_t count, room;
};

static void add(struct lines *lines, uint64_t time, uint64_t event, enum line_kind kind, size_t index)
{
	lines->all = grow_to(lines->all, &lines->room, lines->count + 1, sizeof(*lines->all));
	lines->all[lines->count++] = (struct line){ time, event, kind, index };
}

/* By event. What was lost has none: it comes after the events of its time. */
static int by_time(const void *left, const void *right)
{
	const struct line *a = left, *b = right;

	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	if (a->event != b->event)
		return a->event < b->event ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void collect(struct lines *lines, const struct history *history)
{
	for (size_t i = 0; i < history->nr_ops; i++) {
		const struct history_op *op = &history->ops[i];

		add(lines, op->begun_at, op->begin, LINE_BEGIN, i);
		if (op->state == HISTORY_ANSWERED)
			add(lines, op->ended_at, op->end, LINE_END, i);
		else if (op->state == HISTORY_LOST)
			add(lines, op->ended_at, HISTORY_NEVER, LINE_LOST, i);
	}
	for (size_t i = 0; i < history->nr_losses; i++)
		add(lines, history->losses[i].time, history->losses[i].event, LINE_LOSS, i);
	for (size_t i = 0; i < history->nr_powers; i++)
		add(lines, history->powers[i].time, history->powers[i].event, LINE_POWER, i);
	if (lines->count)
		qsort(lines->all, lines->count, sizeof(*lines->all), by_time);
}

static void print_values(FILE *file, const struct history *history, const struct history_range *range)
{
	if (range->values == HISTORY_NO_VALUES) {
		(void)fputs(" -\n", file);
		return;
	}
	for (uint64_t i = 0, same; i < range->blocks; i += same) {
		uint64_t value = history_range_value(history, range, i);

		same = 1;
		while (i + same < range->blocks && history_range_value(history, range, i + same) == value)
			same++;
		(void)fprintf(file, "%c%" PRIx64, i ? ',' : ' ', value);
		if (same > 1)
			(void)fprintf(file, "*%" PRIu64, same);
	}
	(void)fputc('\n', file);
}

static void print_range(FILE *file, const struct history_range *range)
{
	(void)fprintf(file, " %" PRIu32 " %" PRIu64 " %" PRIu64, range->device, range->block * HISTORY_BLOCK,
		      range->blocks * HISTORY_BLOCK);
}

static void print_begin(FILE *file, const struct history *history, const struct history_op *op)
{
	struct history_range range = op->range;

	(void)fprintf(file, "%" PRIu64 " begin %d %" PRIu64 " %s", op->begun_at, op->client, op->id,
		      history_kind_name(op->kind));
	print_range(file, &range);
	(void)fprintf(file, " %u", op->kind == HISTORY_OPEN ? op->access : op->stable);
	if (op->kind != HISTORY_WRITE)
		range.values = HISTORY_NO_VALUES;
	print_values(file, history, &range);
}

static void print_end(FILE *file, const struct history *history, const struct history_op *op)
{
	struct history_range range = op->range;

	(void)fprintf(file, "%" PRIu64 " end %d %" PRIu64 " %d", op->ended_at, op->client, op->id, op->result);
	if (op->kind != HISTORY_READ)
		range.values = HISTORY_NO_VALUES;
	print_values(file, history, &range);
}

static void print_line(FILE *file, const struct history *history, const struct line *line)
{
	switch (line->kind) {
	case LINE_BEGIN:
		print_begin(file, history, &history->ops[line->index]);
		break;
	case LINE_END:
		print_end(file, history, &history->ops[line->index]);
		break;
	case LINE_LOST:
		(void)fprintf(file, "%" PRIu64 " lost %" PRIu64 "\n", line->time, history->ops[line->index].id);
		break;
	case LINE_LOSS:
		(void)fprintf(file, "%" PRIu64 " may-lose %" PRIu64 " %s\n", line->time,
			      history->losses[line->index].generation,
			      history->losses[line->index].flushed ? "flushed" : "unflushed");
		break;
	case LINE_POWER:
		(void)fprintf(file, "%" PRIu64 " power %d\n", line->time, history->powers[line->index].member);
		break;
	}
}

int history_save(const struct history *history, FILE *file)
{
	struct lines lines = { 0 };

	(void)fputs("rdisk-history 1\n", file);
	for (size_t i = 0; i < history->nr_initial; i++) {
		(void)fputs("0 initial", file);
		print_range(file, &history->initial[i]);
		print_values(file, history, &history->initial[i]);
	}
	collect(&lines, history);
	for (size_t i = 0; i < lines.count; i++)
		print_line(file, history, &lines.all[i]);
	free(lines.all);
	for (size_t i = 0; i < history->nr_final; i++) {
		(void)fprintf(file, "%" PRIu64 " final", history->time);
		print_range(file, &history->final[i]);
		print_values(file, history, &history->final[i]);
	}
	return fflush(file) || ferror(file) ? -EIO : 0;
}
