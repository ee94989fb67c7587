/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history of a run as it is told; see history.h.
 */
#include "history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "grow.h"

static const char *const kind_names[HISTORY_KINDS] = {
	[HISTORY_READ] = "read",   [HISTORY_WRITE] = "write", [HISTORY_ZEROES] = "zeroes",
	[HISTORY_FLUSH] = "flush", [HISTORY_OPEN] = "open",   [HISTORY_CLOSE] = "close",
};

const char *history_kind_name(enum history_kind kind)
{
	return kind_names[kind];
}

void history_init(struct history *history)
{
	memset(history, 0, sizeof(*history));
}

void history_destroy(struct history *history)
{
	free(history->ops);
	free(history->values);
	free(history->losses);
	free(history->powers);
	free(history->initial);
	free(history->final);
	free(history->by_id);
	history_init(history);
}

const char *history_broken(const struct history *history)
{
	return history->broken[0] ? history->broken : NULL;
}

__attribute__((format(printf, 2, 3))) static void spoil(struct history *history, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(history->broken, sizeof(history->broken), format, arguments) <= 0)
		strcpy(history->broken, "unusable");
	va_end(arguments);
}

/* Numbers that differ in one bit differ in about half of the result's. */
static uint64_t mix(uint64_t number)
{
	number ^= number >> 32;
	number *= UINT64_C(0xd6e8feb86659fd93);
	number ^= number >> 32;
	number *= UINT64_C(0xd6e8feb86659fd93);
	return number ^ number >> 32;
}

uint64_t history_value(const void *data)
{
	const unsigned char *byte = data;
	uint64_t value = UINT64_C(0x9e3779b97f4a7c15), any = 0;

	for (size_t i = 0; i < HISTORY_BLOCK; i += 8) {
		uint64_t word = 0;

		for (unsigned int j = 0; j < 8; j++)
			word |= (uint64_t)byte[i + j] << (8 * j);
		any |= word;
		value = (value ^ mix(word + i)) * UINT64_C(0x9fb21c651e98df25);
		value ^= value >> 29;
	}
	if (!any)
		return HISTORY_ZERO;
	value = mix(value);
	return value != HISTORY_ZERO ? value : 1;
}

/* ---- values ---- */

static size_t keep_values(struct history *history, const uint64_t *values, uint64_t count)
{
	size_t first = history->nr_values;

	if (!values)
		return HISTORY_NO_VALUES;
	history->values = grow_to(history->values, &history->values_room, first + count, sizeof(*history->values));
	memcpy(history->values + first, values, count * sizeof(*values));
	history->nr_values += count;
	return first;
}

static size_t keep_data(struct history *history, const void *data, uint64_t count)
{
	size_t first = history->nr_values;

	if (!data)
		return HISTORY_NO_VALUES;
	history->values = grow_to(history->values, &history->values_room, first + count, sizeof(*history->values));
	for (uint64_t i = 0; i < count; i++)
		history->values[first + i] = history_value((const unsigned char *)data + i * HISTORY_BLOCK);
	history->nr_values += count;
	return first;
}

static bool range_is_good(struct history *history, uint64_t position, uint64_t length)
{
	uint64_t end;

	if (position % HISTORY_BLOCK || length % HISTORY_BLOCK || __builtin_add_overflow(position, length, &end)) {
		spoil(history, "position %" PRIu64 ", length %" PRIu64 ": no whole blocks of %u bytes", position,
		      length, HISTORY_BLOCK);
		return false;
	}
	if (length / HISTORY_BLOCK > HISTORY_BLOCKS_MAX) {
		spoil(history, "length %" PRIu64 ": more than %u blocks", length, HISTORY_BLOCKS_MAX);
		return false;
	}
	return true;
}

static struct history_range make_range(uint32_t device, uint64_t position, uint64_t length, size_t values)
{
	return (struct history_range){ device, position / HISTORY_BLOCK, length / HISTORY_BLOCK, values };
}

/* ---- operations by their numbers ---- */

/* Where the number is in the hash, or where it would be. */
static size_t *find(const struct history *history, uint64_t id)
{
	size_t at = mix(id) & (history->by_id_room - 1);

	while (history->by_id[at] && history->ops[history->by_id[at] - 1].id != id)
		at = (at + 1) & (history->by_id_room - 1);
	return &history->by_id[at];
}

static void make_room_for_id(struct history *history)
{
	size_t room = history->by_id_room ? history->by_id_room * 2 : 64;

	if (history->by_id_room > history->nr_ops * 2)
		return;
	free(history->by_id);
	history->by_id_room = 0;
	history->by_id = grow_to(NULL, &history->by_id_room, room, sizeof(*history->by_id));
	memset(history->by_id, 0, history->by_id_room * sizeof(*history->by_id));
	for (size_t i = 0; i < history->nr_ops; i++)
		*find(history, history->ops[i].id) = i + 1;
}

/* An operation that waits for its answer, or NULL: then the history is spoilt. */
static struct history_op *unanswered(struct history *history, uint64_t id)
{
	struct history_op *op;
	size_t found = history->nr_ops ? *find(history, id) : 0;

	if (!found) {
		spoil(history, "operation %" PRIu64 " has not begun", id);
		return NULL;
	}
	op = &history->ops[found - 1];
	if (op->state == HISTORY_UNANSWERED)
		return op;
	spoil(history, "operation %" PRIu64 " has been %s", id, op->state == HISTORY_LOST ? "lost" : "answered");
	return NULL;
}

/* ---- events ---- */

/* The next event's number; 0: the history is spoilt. */
static uint64_t next_event(struct history *history, uint64_t time)
{
	if (history->broken[0])
		return 0;
	if (time < history->time) {
		spoil(history, "time %" PRIu64 " is before that of the event before, %" PRIu64, time, history->time);
		return 0;
	}
	history->time = time;
	return ++history->events;
}

/* Returns false when the operation cannot begin. */
static bool check_begin(struct history *history, uint64_t id, enum history_kind kind, uint64_t position,
			uint64_t length)
{
	bool moves = kind == HISTORY_READ || kind == HISTORY_WRITE || kind == HISTORY_ZEROES;

	if ((unsigned int)kind >= HISTORY_KINDS) {
		spoil(history, "operation %" PRIu64 " is of no kind", id);
		return false;
	}
	if (!range_is_good(history, position, length))
		return false;
	if (moves != (length > 0)) {
		spoil(history, "operation %" PRIu64 ", %s: a length of %" PRIu64, id, kind_names[kind], length);
		return false;
	}
	make_room_for_id(history);
	if (*find(history, id)) {
		spoil(history, "operation %" PRIu64 " has begun before", id);
		return false;
	}
	return true;
}

static void add_op(struct history *history, const struct history_op *op)
{
	history->ops = grow_to(history->ops, &history->ops_room, history->nr_ops + 1, sizeof(*history->ops));
	history->ops[history->nr_ops] = *op;
	*find(history, op->id) = ++history->nr_ops;
}

static void begin(struct history *history, uint64_t time, int client, uint64_t op, enum history_kind kind,
		  uint32_t device, uint64_t position, uint64_t length, const void *data, const uint64_t *values,
		  bool stable)
{
	struct history_op new = { .id = op, .client = client, .kind = kind, .stable = stable, .begun_at = time };
	uint64_t blocks = length / HISTORY_BLOCK;

	new.begin = next_event(history, time);
	if (!new.begin || !check_begin(history, op, kind, position, length))
		return;
	if ((kind == HISTORY_WRITE) != (data || values)) {
		spoil(history, "operation %" PRIu64 ", %s, begins %s data", op, kind_names[kind],
		      data || values ? "with" : "without");
		return;
	}
	new.end = HISTORY_NEVER;
	new.range = make_range(device, position, length,
			       data ? keep_data(history, data, blocks) : keep_values(history, values, blocks));
	add_op(history, &new);
}

void history_begin(struct history *history, uint64_t time, int client, uint64_t op, enum history_kind kind,
		   uint32_t device, uint64_t position, uint64_t length, const void *data, bool stable)
{
	begin(history, time, client, op, kind, device, position, length, data, NULL, stable);
}

void history_begin_values(struct history *history, uint64_t time, int client, uint64_t op, enum history_kind kind,
			  uint32_t device, uint64_t position, uint64_t length, const uint64_t *values, bool stable)
{
	begin(history, time, client, op, kind, device, position, length, NULL, values, stable);
}

void history_open_as(struct history *history, uint64_t id, unsigned int access)
{
	struct history_op *op = history->broken[0] ? NULL : unanswered(history, id);

	if (op && (op->kind != HISTORY_OPEN || (access & ~(HISTORY_EXCLUSIVE | HISTORY_READS_ONLY))))
		spoil(history, "operation %" PRIu64 ", %s, has no access %u", id, kind_names[op->kind], access);
	else if (op)
		op->access = access;
}

/* Returns the operation, answered, or NULL. */
static struct history_op *end(struct history *history, uint64_t time, int client, uint64_t id, int result,
			      bool has_values)
{
	uint64_t event = next_event(history, time);
	struct history_op *op = event ? unanswered(history, id) : NULL;

	if (!op)
		return NULL;
	if (op->client != client) {
		spoil(history, "operation %" PRIu64 " is of client %d, answered to %d", id, op->client, client);
		return NULL;
	}
	if ((op->kind == HISTORY_READ && result >= 0) != has_values) {
		spoil(history, "operation %" PRIu64 ", %s, result %d, is answered %s data", id, kind_names[op->kind],
		      result, has_values ? "with" : "without");
		return NULL;
	}
	op->state = HISTORY_ANSWERED;
	op->end = event;
	op->ended_at = time;
	op->result = result;
	return op;
}

void history_end(struct history *history, uint64_t time, int client, uint64_t op, int result, const void *data)
{
	struct history_op *ended = end(history, time, client, op, result, data != NULL);

	if (ended && data)
		ended->range.values = keep_data(history, data, ended->range.blocks);
}

void history_end_values(struct history *history, uint64_t time, int client, uint64_t op, int result,
			const uint64_t *values, uint64_t nr_values)
{
	struct history_op *ended = end(history, time, client, op, result, values != NULL);

	if (!ended || !values)
		return;
	if (ended->range.blocks != nr_values)
		spoil(history, "operation %" PRIu64 " is of %" PRIu64 " blocks, answered with %" PRIu64, op,
		      ended->range.blocks, nr_values);
	else
		ended->range.values = keep_values(history, values, nr_values);
}

void history_lost(struct history *history, uint64_t time, uint64_t op)
{
	uint64_t event = next_event(history, time);
	struct history_op *lost = event ? unanswered(history, op) : NULL;

	if (!lost)
		return;
	lost->state = HISTORY_LOST;
	lost->ended_at = time;
}

static void lose(struct history *history, uint64_t time, uint64_t generation, bool flushed)
{
	uint64_t event = next_event(history, time);

	if (!event)
		return;
	history->losses =
		grow_to(history->losses, &history->losses_room, history->nr_losses + 1, sizeof(*history->losses));
	history->losses[history->nr_losses++] = (struct history_loss){ event, time, generation, flushed };
}

void history_may_lose(struct history *history, uint64_t time, uint64_t generation)
{
	lose(history, time, generation, false);
}

void history_may_lose_flushed(struct history *history, uint64_t time, uint64_t generation)
{
	lose(history, time, generation, true);
}

void history_power(struct history *history, uint64_t time, int member)
{
	uint64_t event = next_event(history, time);

	if (!event)
		return;
	history->powers =
		grow_to(history->powers, &history->powers_room, history->nr_powers + 1, sizeof(*history->powers));
	history->powers[history->nr_powers++] = (struct history_power){ event, time, member };
}

/* ---- contents before and after ---- */

static void add_initial(struct history *history, struct history_range range)
{
	history->initial =
		grow_to(history->initial, &history->initial_room, history->nr_initial + 1, sizeof(*history->initial));
	history->initial[history->nr_initial++] = range;
}

void history_initial(struct history *history, uint32_t device, uint64_t position, const void *data, uint64_t length)
{
	if (!history->broken[0] && range_is_good(history, position, length))
		add_initial(history,
			    make_range(device, position, length, keep_data(history, data, length / HISTORY_BLOCK)));
}

void history_initial_values(struct history *history, uint32_t device, uint64_t position, const uint64_t *values,
			    uint64_t length)
{
	if (!history->broken[0] && range_is_good(history, position, length))
		add_initial(history,
			    make_range(device, position, length, keep_values(history, values, length / HISTORY_BLOCK)));
}

static void add_final(struct history *history, struct history_range range)
{
	history->final = grow_to(history->final, &history->final_room, history->nr_final + 1, sizeof(*history->final));
	history->final[history->nr_final++] = range;
}

void history_final(struct history *history, uint32_t device, uint64_t position, const void *data, uint64_t length)
{
	if (!history->broken[0] && range_is_good(history, position, length))
		add_final(history,
			  make_range(device, position, length, keep_data(history, data, length / HISTORY_BLOCK)));
}

void history_final_values(struct history *history, uint32_t device, uint64_t position, const uint64_t *values,
			  uint64_t length)
{
	if (!history->broken[0] && range_is_good(history, position, length))
		add_final(history,
			  make_range(device, position, length, keep_values(history, values, length / HISTORY_BLOCK)));
}
