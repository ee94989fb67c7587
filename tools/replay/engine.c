/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The replay; see engine.h. An operation goes through these hands: next_operation() takes it from the trace and
 * decides whether and where it is done, wait_until() and wait_for_room() hold it back, launch() sends it, finish()
 * takes its answer.
 */
#include "engine.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "stamp.h"

#define BYTES_MAX	  (UINT64_C(1) << 30) /* of data under way; a longer operation goes alone */
#define PROGRESS_INTERVAL UINT64_C(500000000) /* ns */

struct engine {
	const struct engine_setup *setup;
	struct result *result;
	struct diagnostic *diagnostic;
	struct io ios[DEPTH_MAX];
	struct io *idle[DEPTH_MAX];
	unsigned int nr_idle;
	struct io *flying[DEPTH_MAX]; /* under way, in any order */
	unsigned int nr_flying;
	uint64_t flying_bytes;
	uint32_t sequence; /* of the last change */
	uint64_t progress_ns;
	bool disk_lost;	   /* nothing that is under way will be answered */
	bool journal_lost; /* nothing is noted any more */
};

static bool is_transfer(enum trace_kind kind)
{
	return kind == TRACE_READ || kind == TRACE_WRITE;
}

static bool is_change(enum trace_kind kind)
{
	return kind != TRACE_READ && kind != TRACE_FLUSH;
}

static enum ledger_change change_of(enum trace_kind kind)
{
	return kind == TRACE_WRITE ? LEDGER_DATA : kind == TRACE_DISCARD ? LEDGER_DISCARD : LEDGER_ZEROES;
}

static struct journal_change journal_change_of(const struct io *io)
{
	return (struct journal_change){
		.position = io->position,
		.length = io->length,
		.sequence = io->sequence,
		.floor = io->floor,
		.change = change_of(io->kind),
		.stable = io->flags & TRACE_FUA && io->kind != TRACE_DISCARD,
		.raced = io->raced,
	};
}

/* Whether the order of the two matters to what is on the disk or is read from it. */
static bool conflict(const struct io *a, const struct io *b)
{
	if (!is_change(a->kind) && !is_change(b->kind))
		return false;
	return a->position < b->position + b->length && b->position < a->position + a->length;
}

static void verify_read(struct engine *engine, const struct io *io)
{
	const struct ledger_check check = { .seed = engine->setup->seed };
	struct result *result = engine->result;
	struct diagnostic why;

	if (io->raced) {
		result->unchecked += io->length / LEDGER_BLOCK;
		return;
	}
	for (uint64_t at = 0; at < io->length; at += LEDGER_BLOCK) {
		switch (ledger_look(engine->setup->ledger, &check, io->position + at,
				    (const unsigned char *)io->buffer + at, &why)) {
		case LEDGER_UNTOUCHED:
		case LEDGER_UNKNOWN:
			result->unchecked++;
			continue;
		case LEDGER_WRONG:
			result->wrong++;
			result_error(result, "operation %" PRIu64 ": %s", io->number, why.text);
			break;
		case LEDGER_RIGHT:
			break;
		}
		result->checked++;
	}
}

static int journal_status(struct engine *engine, int status)
{
	engine->journal_lost |= status != 0;
	return status;
}

/* What follows from an answer, before it is counted. -1: the journal is lost. */
static int conclude(struct engine *engine, const struct io *io)
{
	struct journal *journal = engine->setup->journal;
	struct ledger *ledger = engine->setup->ledger;

	if (io->kind == TRACE_READ) {
		if (ledger)
			verify_read(engine, io);
		return 0;
	}
	if (io->kind == TRACE_FLUSH)
		return journal ? journal_status(engine, journal_flushed(journal, io->answers, engine->diagnostic)) : 0;
	if (journal) {
		const struct journal_change change = journal_change_of(io);

		if (journal_status(engine, journal_answered(journal, &change, engine->diagnostic)))
			return -1;
	}
	if (ledger)
		ledger_answer(ledger, io->position, io->length, io->floor, change_of(io->kind), io->raced);
	return 0;
}

static void count_error(struct engine *engine, const struct io *io)
{
	struct result *result = engine->result;

	result->kinds[io->kind].errors++;
	result->errors++;
	if (io->error)
		result_error(result, "operation %" PRIu64 ": %s of %" PRIu64 " bytes at %" PRIu64 ": %s", io->number,
			     trace_kind_name(io->kind), io->length, io->position,
			     engine->setup->target->kind->error_text(io->error));
	else
		result_error(result,
			     "operation %" PRIu64 ": %s of %" PRIu64 " bytes at %" PRIu64 ": only %" PRIu64
			     " were done",
			     io->number, trace_kind_name(io->kind), io->length, io->position, io->moved);
}

static void count_success(struct engine *engine, const struct io *io)
{
	struct result *result = engine->result;
	struct result_kind *kind = &result->kinds[io->kind];
	uint64_t latency = io->done_ns > io->sent_ns ? io->done_ns - io->sent_ns : 0;
	uint64_t late = result->scheduled && io->sent_ns > io->due_ns ? io->sent_ns - io->due_ns : 0;

	kind->operations++;
	kind->bytes += io->length;
	histogram_add(&kind->latency, latency);
	if (result->timeline)
		timeline_add(result->timeline, io->kind,
			     io->sent_ns > result->start_ns ? io->sent_ns - result->start_ns : 0, io->position,
			     io->length, latency, late);
}

static int finish(struct engine *engine, struct io *io)
{
	struct result *result = engine->result;
	struct io *last;
	int status = 0;

	assert(engine->nr_flying > 0 && engine->flying[engine->nr_flying - 1]);
	last = engine->flying[--engine->nr_flying];
	last->place = io->place;
	engine->flying[io->place] = last;
	if (io->done_ns > result->end_ns)
		result->end_ns = io->done_ns;
	/* An operation that failed was late all the same. */
	if (result->scheduled)
		histogram_add(&result->lateness, io->sent_ns > io->due_ns ? io->sent_ns - io->due_ns : 0);
	if (io->error || (is_transfer(io->kind) && io->moved != io->length)) {
		count_error(engine, io);
	} else {
		/* From an answer that the journal cannot have, nothing is concluded. */
		if (!engine->journal_lost)
			status = conclude(engine, io);
		count_success(engine, io);
	}
	if (is_transfer(io->kind)) {
		engine->flying_bytes -= io->length;
		memory_trim(engine->setup->memory, io->index, io->length);
	}
	engine->idle[engine->nr_idle++] = io;
	return status;
}

static void show_progress(struct engine *engine, uint64_t now)
{
	engine->progress_ns = now + PROGRESS_INTERVAL;
	engine->setup->progress(engine->setup->context, engine->result, trace_reader_progress(engine->setup->reader));
}

/* Takes the answers that come until then, all of them. -1: the disk or the journal is lost. */
static int collect(struct engine *engine, uint64_t until_ns)
{
	struct target *target = engine->setup->target;
	struct io *done = NULL;
	int count, status = 0;

	events_under_way(engine->setup->events, engine->nr_flying);
	count = target->kind->wait(target, &done, until_ns, engine->diagnostic);
	if (count < 0) {
		engine->disk_lost = true;
		engine->result->unanswered += engine->nr_flying;
		engine->result->errors += engine->nr_flying;
		for (unsigned int i = 0; i < engine->nr_flying; i++)
			engine->result->kinds[engine->flying[i]->kind].errors++;
		return -1;
	}
	while (count-- > 0) {
		struct io *io = done;

		done = io->next;
		if (finish(engine, io))
			status = -1;
	}
	events_under_way(engine->setup->events, engine->nr_flying);
	return status;
}

/*
 * Waits for all that is under way: as long as the target may touch an operation, it has to stay. The first cause is
 * the one that is told.
 */
static int drain(struct engine *engine)
{
	struct diagnostic *diagnostic = engine->diagnostic, other = { 0 };
	int status = 0;

	while (engine->nr_flying > 0 && !engine->disk_lost) {
		if (collect(engine, NEVER)) {
			status = -1;
			engine->diagnostic = &other;
		}
	}
	engine->diagnostic = diagnostic;
	return status;
}

static bool interrupted(const struct engine *engine)
{
	return events_signal(engine->setup->events) != 0;
}

/* Until then, or a signal. */
static int wait_until(struct engine *engine, uint64_t due_ns)
{
	for (;;) {
		uint64_t now = now_ns(), until = due_ns < engine->progress_ns ? due_ns : engine->progress_ns;

		if (engine->setup->progress && now >= engine->progress_ns)
			show_progress(engine, now);
		if (now >= due_ns || interrupted(engine))
			return 0;
		if (engine->nr_flying == 0)
			events_sleep(engine->setup->events, until);
		else if (collect(engine, until))
			return -1;
	}
}

static bool must_wait(const struct engine *engine, const struct io *io, bool *held)
{
	if (engine->nr_flying == 0)
		return false;
	if (is_transfer(io->kind) && engine->flying_bytes + io->length > BYTES_MAX)
		return true;
	if (engine->setup->overlap == OVERLAP_FREE)
		return false;
	for (unsigned int i = 0; i < engine->nr_flying; i++) {
		if (conflict(io, engine->flying[i])) {
			*held = true;
			return true;
		}
	}
	return false;
}

/* Until it may be sent beside those that are under way. */
static int wait_for_room(struct engine *engine, const struct io *io)
{
	bool held = false;

	while (must_wait(engine, io, &held))
		if (collect(engine, NEVER))
			return -1;
	engine->result->held += held;
	return 0;
}

/* Numbers a change, and sees whom it or a read overlaps. */
static void mark_races(struct engine *engine, struct io *io)
{
	io->raced = false;
	io->floor = io->sequence;
	for (unsigned int i = 0; engine->setup->overlap == OVERLAP_FREE && i < engine->nr_flying; i++) {
		struct io *other = engine->flying[i];

		if (!conflict(io, other))
			continue;
		io->raced = true;
		other->raced = true;
		if (is_change(other->kind) && other->sequence < io->floor)
			io->floor = other->sequence;
	}
}

static int prepare_change(struct engine *engine, struct io *io)
{
	const struct engine_setup *setup = engine->setup;

	if (engine->sequence == LEDGER_SEQUENCE_MAX)
		return diagnostic_set(engine->diagnostic, "a replay cannot have more than %u changes of the disk",
				      LEDGER_SEQUENCE_MAX);
	io->sequence = ++engine->sequence;
	mark_races(engine, io);
	if (io->kind == TRACE_WRITE)
		stamp_fill(io->buffer, io->length, setup->seed, io->position, io->sequence);
	if (setup->ledger)
		ledger_begin(setup->ledger, io->position, io->length, io->sequence, change_of(io->kind));
	if (setup->journal && io->kind != TRACE_WRITE) {
		const struct journal_change change = journal_change_of(io);

		return journal_status(engine, journal_begun(setup->journal, &change, engine->diagnostic));
	}
	return 0;
}

/* Sends it. After a failure here it is not under way. */
static int launch(struct engine *engine, struct io *io)
{
	const struct engine_setup *setup = engine->setup;

	if (is_change(io->kind)) {
		if (prepare_change(engine, io))
			return -1;
	} else {
		mark_races(engine, io);
	}
	if (io->kind == TRACE_FLUSH && setup->journal)
		io->answers = setup->journal->answers;
	io->place = engine->nr_flying;
	engine->flying[engine->nr_flying++] = io;
	if (is_transfer(io->kind))
		engine->flying_bytes += io->length;
	setup->target->kind->start(setup->target, io);
	return 0;
}

static enum engine_end refuse(struct engine *engine, const struct trace_operation *operation)
{
	diagnostic_set(
		engine->diagnostic,
		"operation %" PRIu64 " is a %s of %" PRIu64 " bytes at %" PRIu64
		", and the disk may not be changed: allow it with --writes real, or leave such operations out with "
		"--writes discard",
		engine->result->read, trace_kind_name(operation->kind), operation->length, operation->position);
	return ENGINE_REFUSED;
}

/* Whether the journal can have it; else it is an error, and not done. */
static bool can_be_noted(struct engine *engine, const struct io *io)
{
	struct result *result = engine->result;

	if (!engine->setup->journal || !is_change(io->kind) || io->length <= JOURNAL_LENGTH_MAX)
		return true;
	result->kinds[io->kind].errors++;
	result->errors++;
	result_error(result,
		     "operation %" PRIu64 ": %s of %" PRIu64 " bytes at %" PRIu64
		     " is too long for the journal, which has changes of less than 1 TiB",
		     io->number, trace_kind_name(io->kind), io->length, io->position);
	return false;
}

/* It does not fit on the disk, and that is an error. */
static void count_misplaced(struct engine *engine, const struct trace_operation *operation)
{
	const struct placement *placement = &engine->setup->placement;
	struct result *result = engine->result;
	/* What is folded or scaled fits, wherever it was, unless it is too long. */
	bool moved = placement->mode == PLACE_WRAP || placement->mode == PLACE_SCALE;

	result->misplaced++;
	result->errors++;
	result->kinds[operation->kind].errors++;
	result_error(result,
		     "operation %" PRIu64 ": %s of %" PRIu64 " bytes at %" PRIu64 " is %s the disk, %" PRIu64 "%s",
		     result->read, trace_kind_name(operation->kind), operation->length, operation->position,
		     moved ? "longer than" : "beyond the end of", placement->size,
		     moved ? "" : "; --map says what to do with such");
}

/* Puts an operation in its place. False: it is not done, and counted as that. */
static bool put_in_place(struct engine *engine, const struct trace_operation *operation, struct io *io)
{
	struct result *result = engine->result;
	uint64_t position = operation->position, length = operation->length;
	enum placed placed = PLACED_AS_IT_IS;
	int widened = 0;

	if (operation->kind != TRACE_FLUSH)
		placed = place(&engine->setup->placement, &position, &length, &widened);
	if (placed == PLACED_NOWHERE && engine->setup->placement.mode == PLACE_SKIP) {
		result->skipped++;
		return false;
	}
	if (placed == PLACED_NOWHERE) {
		count_misplaced(engine, operation);
		return false;
	}
	result->mapped += placed == PLACED_ELSEWHERE;
	result->widened += widened != 0;
	io->kind = operation->kind;
	io->flags = operation->flags;
	io->position = position;
	io->length = length;
	io->number = result->read;
	return true;
}

static uint64_t due_time(struct engine *engine, const struct trace_operation *operation)
{
	struct result *result = engine->result;
	double after;

	if (result->start_ns == 0) {
		result->start_ns = now_ns();
		result->end_ns = result->start_ns;
	}
	if (engine->setup->speed <= 0)
		return 0;
	after = (double)operation->time_ns / engine->setup->speed;
	return after < 1e18 ? result->start_ns + (uint64_t)after : NEVER - 1;
}

/* One operation of the trace, that has its place. *launched: it was sent, and *io is not the caller's any more. */
static enum engine_end send_when_due(struct engine *engine, const struct trace_operation *operation, struct io *io,
				     bool *launched)
{
	io->due_ns = due_time(engine, operation);
	if (wait_until(engine, io->due_ns))
		return ENGINE_LOST;
	if (interrupted(engine))
		return ENGINE_DONE;
	if (wait_for_room(engine, io) || launch(engine, io))
		return ENGINE_LOST;
	*launched = true;
	engine->result->trace_ns = operation->time_ns;
	return ENGINE_DONE;
}

static enum engine_end replay(struct engine *engine, const struct trace_operation *operation)
{
	const struct engine_setup *setup = engine->setup;
	enum engine_end end = ENGINE_DONE;
	bool launched = false;
	struct io *io;

	if (is_change(operation->kind) && setup->writes == WRITES_FAIL)
		return refuse(engine, operation);
	if (is_change(operation->kind) && setup->writes == WRITES_DISCARD) {
		engine->result->discarded++;
		return ENGINE_DONE;
	}
	while (engine->nr_idle == 0)
		if (collect(engine, NEVER))
			return ENGINE_LOST;
	io = engine->idle[--engine->nr_idle];
	if (put_in_place(engine, operation, io) && can_be_noted(engine, io))
		end = send_when_due(engine, operation, io, &launched);
	if (!launched)
		engine->idle[engine->nr_idle++] = io;
	return end;
}

static enum engine_end replay_all(struct engine *engine)
{
	struct trace_reader *reader = engine->setup->reader;
	enum engine_end end = ENGINE_DONE;

	while (end == ENGINE_DONE && !interrupted(engine) && engine->result->read < engine->setup->limit) {
		struct trace_operation operation;
		int got = trace_reader_next(reader, &operation, engine->diagnostic);

		/* It may have been waited for; and that the wait was ended is no error of the trace. */
		if (interrupted(engine))
			break;
		if (got < 0)
			return ENGINE_TRACE;
		if (got == 0)
			break;
		engine->result->read++;
		end = replay(engine, &operation);
	}
	return end;
}

enum engine_end engine_run(const struct engine_setup *setup, struct diagnostic *diagnostic)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	struct result *result = setup->result;
	struct diagnostic other = { 0 };
	enum engine_end end;

	if (!engine) {
		diagnostic_set(diagnostic, "out of memory");
		return ENGINE_LOST;
	}
	engine->setup = setup;
	engine->result = result;
	engine->diagnostic = diagnostic;
	engine->progress_ns = setup->progress ? now_ns() + PROGRESS_INTERVAL : NEVER;
	for (unsigned int i = 0; i < setup->depth; i++) {
		engine->ios[i].index = i;
		engine->ios[i].buffer = memory_buffer(setup->memory, i);
		engine->idle[engine->nr_idle++] = &engine->ios[i];
	}
	end = replay_all(engine);
	/* What is under way is answered even when the trace ends badly; the first cause is the one that is told. */
	engine->diagnostic = end == ENGINE_DONE ? diagnostic : &other;
	if (drain(engine) && end == ENGINE_DONE)
		end = ENGINE_LOST;
	if (end == ENGINE_LOST && engine->journal_lost)
		end = ENGINE_JOURNAL;
	result->signal = events_signal(setup->events);
	result->broken = trace_reader_broken(setup->reader);
	result->late_lines = trace_reader_late(setup->reader);
	result->left_out = trace_reader_left_out(setup->reader);
	result->missing = trace_reader_missing(setup->reader);
	free(engine);
	return end;
}
