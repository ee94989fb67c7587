/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prepares a run: which flush covers which change, and which changes touch which sector. What follows from that for
 * one sector is in crash_contents.c.
 */
#include "crash_run.h"

#include <stdalign.h>
#include <string.h>

/* A flush, in the order of beginning. */
struct flush {
	uint64_t begun;
	uint64_t returned;
	bool failed;
	uint64_t first_return; /* of the successful ones from this on */
};

void *crash_memory_take(struct crash_memory *memory, size_t count, size_t size)
{
	size_t align = alignof(max_align_t);
	size_t start, bytes;

	if (__builtin_add_overflow(memory->used, align - 1, &start))
		return NULL;
	start -= start % align;
	if (start > memory->size || __builtin_mul_overflow(count, size, &bytes) || bytes > memory->size - start)
		return NULL;
	memory->used = start + bytes;
	return memory->start + start;
}

static bool is_change(const struct crash_event *event)
{
	return event->kind != CRASH_FLUSH;
}

/* The range that an event changes, bytes; `size` is the largest that the image has had before it. */
static void range_of(const struct crash_event *event, uint64_t size, uint64_t *position, uint64_t *end)
{
	if (event->kind == CRASH_RESIZE) {
		*position = event->length < size ? event->length : size;
		*end = size;
	} else if (event->kind == CRASH_GROW) {
		*position = *end = 0;
	} else {
		*position = event->position;
		*end = event->position + event->length;
	}
}

/* The smallest size that the image may ever have had, bytes. */
static uint64_t smallest_size(const struct crash_run *run)
{
	uint64_t size = run->size;

	for (size_t i = 0; i < run->nr_events; i++)
		if (run->events[i].kind == CRASH_RESIZE && run->events[i].length < size)
			size = run->events[i].length;
	return size;
}

/* Calls `visit` for each cell that an event touches. The size is touched by whatever may have changed it. */
static void visit_touches(const struct crash_run *run,
			  void (*visit)(struct crash_run *run, uint64_t sector, size_t event),
			  struct crash_run *context)
{
	uint64_t smallest = smallest_size(run);
	uint64_t largest = run->size;

	for (size_t i = 0; i < run->nr_events; i++) {
		const struct crash_event *event = &run->events[i];
		uint64_t position, end, grown;

		if (!is_change(event))
			continue;
		range_of(event, largest, &position, &end);
		for (uint64_t sector = position / CRASH_SECTOR; position < end && sector <= (end - 1) / CRASH_SECTOR;
		     sector++)
			visit(context, sector, i);
		grown = event->kind == CRASH_WRITE ? end : event->kind == CRASH_ZERO ? 0 : event->length;
		if (event->kind == CRASH_RESIZE || (grown > smallest && event->length > 0))
			visit(context, CRASH_SIZE_CELL, i);
		if (grown > largest)
			largest = grown;
	}
}

static int check_events(const struct crash_run *run)
{
	for (size_t i = 0; i < run->nr_events; i++) {
		const struct crash_event *event = &run->events[i];
		uint64_t end;

		if (event->returned <= event->begun || (i > 0 && event->begun < run->events[i - 1].begun))
			return CRASH_BAD_EVENT;
		if (event->kind == CRASH_WRITE && event->length > 0 && !event->data)
			return CRASH_BAD_EVENT;
		/* What is below this is no number of a sector that stands for something else. */
		if (__builtin_add_overflow(event->position, event->length, &end) || end > (uint64_t)INT64_MAX)
			return CRASH_BAD_EVENT;
	}
	return CRASH_OK;
}

/* ---- which flush covers which change ---- */

static size_t count_flushes(const struct crash_run *run)
{
	size_t count = 0;

	for (size_t i = 0; i < run->nr_events; i++)
		count += !is_change(&run->events[i]);
	return count;
}

static void list_flushes(const struct crash_run *run, struct flush *flushes, size_t count)
{
	uint64_t first_return = CRASH_NEVER;
	size_t n = 0;

	for (size_t i = 0; i < run->nr_events; i++) {
		const struct crash_event *event = &run->events[i];

		if (!is_change(event))
			flushes[n++] = (struct flush){ event->begun, event->returned, event->failed, CRASH_NEVER };
	}
	for (n = count; n-- > 0;) {
		if (!flushes[n].failed && flushes[n].returned < first_return)
			first_return = flushes[n].returned;
		flushes[n].first_return = first_return;
	}
}

/* The first moment at which a flush that began after `moment` has returned. */
static uint64_t first_return_after(const struct flush *flushes, size_t count, uint64_t moment)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (flushes[middle].begun > moment)
			high = middle;
		else
			low = middle + 1;
	}
	return low < count ? flushes[low].first_return : CRASH_NEVER;
}

/* When the first flush began that failed and may have forgotten what began at `moment`. */
static uint64_t first_failure_after(const struct flush *flushes, size_t count, uint64_t moment)
{
	for (size_t i = 0; i < count; i++)
		if (flushes[i].failed && flushes[i].returned >= moment)
			return flushes[i].begun;
	return CRASH_NEVER;
}

static struct crash_fate fate_of(const struct crash_event *event, const struct flush *flushes, size_t count)
{
	struct crash_fate fate = { .stable_from = CRASH_NEVER };

	fate.suspect_from = first_failure_after(flushes, count, event->begun);
	if (event->failed || event->optional)
		return fate;
	fate.stable_from = first_return_after(flushes, count, event->returned);
	if (event->stable && event->returned < fate.stable_from)
		fate.stable_from = event->returned;
	/* What failed meanwhile, or before, may have taken the error away from what succeeded. */
	if (fate.suspect_from <= fate.stable_from)
		fate.stable_from = CRASH_NEVER;
	return fate;
}

/* ---- which change touches which sector ---- */

static bool comes_before(const struct crash_touch *one, const struct crash_touch *other)
{
	return one->sector != other->sector ? one->sector < other->sector : one->event < other->event;
}

static void sift_down(struct crash_touch *touches, size_t root, size_t count)
{
	for (;;) {
		size_t child = 2 * root + 1;
		struct crash_touch swapped;

		if (child >= count)
			return;
		if (child + 1 < count && comes_before(&touches[child], &touches[child + 1]))
			child++;
		if (!comes_before(&touches[root], &touches[child]))
			return;
		swapped = touches[root];
		touches[root] = touches[child];
		touches[child] = swapped;
		root = child;
	}
}

/* Heapsort: it needs neither more memory nor a library. */
static void sort_touches(struct crash_touch *touches, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(touches, i, count);
	for (size_t end = count; end-- > 1;) {
		struct crash_touch last = touches[end];

		touches[end] = touches[0];
		touches[0] = last;
		sift_down(touches, 0, end);
	}
}

static void count_touch(struct crash_run *run, uint64_t sector, size_t event)
{
	(void)sector;
	(void)event;
	run->nr_touches++;
}

static void store_touch(struct crash_run *run, uint64_t sector, size_t event)
{
	run->touches[run->nr_touches++] = (struct crash_touch){ sector, event };
}

static size_t count_touches(const struct crash_run *run)
{
	struct crash_run counter = { 0 };

	visit_touches(run, count_touch, &counter);
	return counter.nr_touches;
}

static void list_cells(struct crash_run *run)
{
	for (size_t i = 0; i < run->nr_touches; i++) {
		if (i == 0 || run->touches[i].sector != run->touches[i - 1].sector)
			run->cells[run->nr_cells++] = (struct crash_cell){ run->touches[i].sector, i, 0 };
		run->cells[run->nr_cells - 1].count++;
	}
}

size_t crash_run_memory(const struct crash_run *run)
{
	size_t touches, bytes, more;

	if (check_events(run))
		return SIZE_MAX;
	touches = count_touches(run);
	if (__builtin_mul_overflow(touches, sizeof(*run->touches) + sizeof(*run->cells), &bytes) ||
	    __builtin_mul_overflow(run->nr_events, sizeof(*run->fates) + sizeof(struct flush), &more) ||
	    __builtin_add_overflow(bytes, more, &bytes) ||
	    __builtin_add_overflow(bytes, 4 * alignof(max_align_t), &bytes))
		return SIZE_MAX;
	return bytes;
}

int crash_run_prepare(struct crash_run *run, struct crash_memory *memory)
{
	size_t nr_flushes = count_flushes(run);
	size_t nr_touches, before;
	struct flush *flushes;
	int code = check_events(run);

	if (code)
		return code;
	nr_touches = count_touches(run);
	run->fates = crash_memory_take(memory, run->nr_events, sizeof(*run->fates));
	run->touches = crash_memory_take(memory, nr_touches, sizeof(*run->touches));
	run->cells = crash_memory_take(memory, nr_touches, sizeof(*run->cells));
	before = memory->used;
	flushes = crash_memory_take(memory, nr_flushes, sizeof(*flushes));
	if (!run->fates || !run->touches || !run->cells || !flushes)
		return CRASH_NO_ROOM;
	list_flushes(run, flushes, nr_flushes);
	for (size_t i = 0; i < run->nr_events; i++)
		run->fates[i] = fate_of(&run->events[i], flushes, nr_flushes);
	memory->used = before;
	run->nr_touches = 0;
	visit_touches(run, store_touch, run);
	sort_touches(run->touches, run->nr_touches);
	run->nr_cells = 0;
	list_cells(run);
	return CRASH_OK;
}

size_t crash_run_find(const struct crash_run *run, uint64_t sector)
{
	size_t low = 0, high = run->nr_cells;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (run->cells[middle].sector < sector)
			low = middle + 1;
		else
			high = middle;
	}
	return low < run->nr_cells && run->cells[low].sector == sector ? low : run->nr_cells;
}
