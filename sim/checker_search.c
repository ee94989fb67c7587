/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk through the events of a block; see checker_search.h.
 */
#include "checker_search.h"

#include <assert.h>
#include <string.h>

#include "grow.h"
#include "search_configuration.h"

enum event_kind { EVENT_BEGIN, EVENT_END, EVENT_LOSS };

struct event {
	uint64_t event;
	uint32_t index; /* of the operation or the loss */
	enum event_kind kind;
};

/* What is known of a value from the whole history. */
struct value {
	uint64_t first_write; /* its begin; 0: the initial value; HISTORY_NEVER: nobody wrote it */
	uint64_t last_read;   /* its end; 0: nobody read it */
	uint32_t writes;      /* the initial one too */
	uint32_t bit;	      /* NO_BIT: no loss can bring it back, or nobody would see it */
};

struct search {
	const struct block_history *block;
	struct value *values;
	uint32_t bit_value[NO_BIT];
	struct event *events;
	size_t nr_events, events_room;
	size_t nr_losses_done;
	size_t nr_flushes_done;

	uint64_t now;	       /* the event */
	uint64_t next_loss;    /* its event; HISTORY_NEVER: none is left, and the order of writes is not kept */
	uint64_t next_flushed; /* the next that may lose what was flushed, or HISTORY_NEVER */
	uint32_t slot_op[SEARCH_UNDER_WAY_MAX];
	uint64_t used, reads, writes, optional; /* slots; writes will be answered, optional ones never */

	struct configuration_set present, next, open;
	bool undecided;
};

static const struct block_op *op_in(const struct search *search, unsigned int slot)
{
	return &search->block->ops[search->slot_op[slot]];
}

static bool losses_are_left(const struct search *search)
{
	return search->next_loss != HISTORY_NEVER;
}

static unsigned int take_slot(uint64_t *slots)
{
	unsigned int slot = (unsigned int)__builtin_ctzll(*slots);

	*slots &= *slots - 1;
	return slot;
}

static uint64_t mask(unsigned int slot)
{
	assert(slot < 64);
	return UINT64_C(1) << slot;
}

/* ---- what a configuration becomes ---- */

/* The bit of a value, if a coming loss makes it count. */
static unsigned int useful_bit(const struct search *search, uint32_t value)
{
	const struct value *known = &search->values[value];

	return losses_are_left(search) && known->last_read > search->next_loss ? known->bit : NO_BIT;
}

/* An unanswered write that must happen, but that nobody can see, nor miss. */
static bool is_absorbed(const struct search *search, unsigned int slot)
{
	const struct block_op *op = op_in(search, slot);

	return search->writes & mask(slot) && search->values[op->value].last_read < search->now &&
	       !(op->stable && losses_are_left(search));
}

static void serve_reads(const struct search *search, struct configuration *configuration)
{
	uint64_t reads = search->reads & ~configuration->done;

	while (reads) {
		unsigned int slot = take_slot(&reads);

		if (op_in(search, slot)->value == configuration->value)
			configuration->done |= mask(slot);
	}
}

static void append(struct search *search, struct configuration *configuration, unsigned int slot, unsigned int bit)
{
	bool answered = search->writes & mask(slot);

	if (losses_are_left(search) && !configuration_append(configuration, answered ? slot : NO_SLOT, bit,
							     answered && op_in(search, slot)->stable))
		search->undecided = true;
}

static void absorb_all(struct search *search, struct configuration *configuration, unsigned int but)
{
	uint64_t slots = search->writes & ~configuration->done;

	while (slots) {
		unsigned int slot = take_slot(&slots);

		if (slot == but || !is_absorbed(search, slot))
			continue;
		configuration->done |= mask(slot);
		append(search, configuration, slot, NO_BIT);
	}
}

/* The write in the slot takes effect. */
static void apply(struct search *search, struct configuration *configuration, unsigned int slot)
{
	uint32_t value = op_in(search, slot)->value;

	absorb_all(search, configuration, slot);
	append(search, configuration, slot, useful_bit(search, value));
	configuration->done |= mask(slot);
	configuration->value = value;
	serve_reads(search, configuration);
}

/* ---- which writes are worth to be tried ---- */

static bool has_reader(const struct search *search, const struct configuration *configuration, uint32_t value)
{
	uint64_t reads = search->reads & ~configuration->done;

	while (reads) {
		if (op_in(search, take_slot(&reads))->value == value)
			return true;
	}
	return false;
}

/*
 * Of writes of one value under way the one that ends first takes effect first, those that never end last, the oldest
 * of them before the others. If it was the other way round, they can change places: what a loss may bring back is no
 * less then, as the later place is answered later.
 */
static bool is_first(const struct search *search, const struct configuration *configuration, unsigned int slot)
{
	const struct block_op *op = op_in(search, slot);
	uint64_t others = (search->writes | search->optional) & ~configuration->done;

	while (others) {
		unsigned int other = take_slot(&others);
		const struct block_op *before = op_in(search, other);

		if (before->value == op->value && before->stable == op->stable &&
		    (before->end < op->end ||
		     (before->end == op->end && search->slot_op[other] < search->slot_op[slot])))
			return false;
	}
	return true;
}

/* needed: the slot that has to take effect now; NO_SLOT: none. */
static bool is_worth(const struct search *search, const struct configuration *configuration, unsigned int slot,
		     unsigned int needed)
{
	uint32_t value = op_in(search, slot)->value;

	if (slot == needed)
		return true;
	if (is_absorbed(search, slot) || !is_first(search, configuration, slot))
		return false;
	if (search->optional & mask(slot))
		return has_reader(search, configuration, value);
	/*
	 * If nobody reads it, its place among the others counts all the same, as it is stable. Else, without a reader
	 * now, it would be out of the way with its value; that helps only if a loss, or another write, brings it back.
	 */
	return search->values[value].last_read < search->now || useful_bit(search, value) != NO_BIT ||
	       search->values[value].writes > 1 || has_reader(search, configuration, value);
}

/*
 * Lets writes take effect in every configuration of search->open, in every order. With a needed slot, those in which
 * that has taken effect go to search->next and no further; else all stay in search->open.
 */
static void expand(struct search *search, unsigned int needed,
		   void (*reached)(struct search *, struct configuration *, unsigned int))
{
	for (size_t i = 0; i < search->open.count && !search->undecided; i++) {
		uint64_t slots = (search->writes | search->optional) & ~search->open.all[i].done;

		while (slots) {
			unsigned int slot = take_slot(&slots);
			struct configuration after = search->open.all[i];

			if (!is_worth(search, &after, slot, needed))
				continue;
			apply(search, &after, slot);
			if (needed != NO_SLOT && after.done & mask(needed))
				reached(search, &after, needed);
			else
				set_add(&search->open, &after);
		}
		if (search->open.count + search->next.count > SEARCH_CONFIGURATIONS_MAX)
			search->undecided = true;
	}
}

static void next_becomes_present(struct search *search)
{
	struct configuration_set old = search->present;

	search->present = search->next;
	search->next = old;
	set_clear(&search->next);
	set_clear(&search->open);
}

/* ---- events ---- */

static void begin(struct search *search, uint32_t index)
{
	const struct block_op *op = &search->block->ops[index];
	unsigned int slot;

	if (search->used == UINT64_MAX) {
		search->undecided = true;
		return;
	}
	slot = (unsigned int)__builtin_ctzll(~search->used);
	search->used |= mask(slot);
	search->slot_op[slot] = index;
	if (op->write) {
		*(op->end == HISTORY_NEVER ? &search->optional : &search->writes) |= mask(slot);
		return;
	}
	search->reads |= mask(slot);
	for (size_t i = 0; i < search->present.count; i++) {
		struct configuration configuration = search->present.all[i];

		serve_reads(search, &configuration);
		set_add(&search->next, &configuration);
	}
	next_becomes_present(search);
}

static unsigned int slot_of(const struct search *search, uint32_t index)
{
	uint64_t used = search->used;

	while (used) {
		unsigned int slot = take_slot(&used);

		if (search->slot_op[slot] == index)
			return slot;
	}
	return NO_SLOT;
}

/* The operation in the slot has taken effect and ends. */
static void end_in(struct search *search, struct configuration *configuration, unsigned int slot)
{
	if (search->writes & mask(slot))
		configuration_answer(configuration, slot);
	configuration->done &= ~mask(slot);
	set_add(&search->next, configuration);
}

static void free_slots(struct search *search, uint64_t slots)
{
	search->used &= ~slots;
	search->reads &= ~slots;
	search->writes &= ~slots;
	search->optional &= ~slots;
}

/* Nobody reads the value any more: writes of it that need not happen are nothing any more. */
static void forget_optional(struct search *search, uint32_t value)
{
	uint64_t slots = search->optional, gone = 0;

	while (slots) {
		unsigned int slot = take_slot(&slots);

		if (op_in(search, slot)->value == value)
			gone |= mask(slot);
	}
	if (!gone)
		return;
	for (size_t i = 0; i < search->present.count; i++) {
		struct configuration configuration = search->present.all[i];

		configuration.done &= ~gone;
		set_add(&search->next, &configuration);
	}
	next_becomes_present(search);
	free_slots(search, gone);
}

/* Returns false when it can have taken effect in no configuration. */
static bool end(struct search *search, uint32_t index)
{
	const struct block_op *op = &search->block->ops[index];
	unsigned int slot = slot_of(search, index);

	for (size_t i = 0; i < search->present.count; i++) {
		struct configuration configuration = search->present.all[i];

		if (configuration.done & mask(slot))
			end_in(search, &configuration, slot);
		else
			set_add(&search->open, &configuration);
	}
	expand(search, slot, end_in);
	next_becomes_present(search);
	free_slots(search, mask(slot));
	if (!op->write && op->end == search->values[op->value].last_read)
		forget_optional(search, op->value);
	return search->present.count > 0;
}

static void find_next_losses(struct search *search)
{
	const struct block_history *block = search->block;

	search->next_loss = HISTORY_NEVER;
	search->next_flushed = HISTORY_NEVER;
	for (size_t i = block->nr_losses; i-- > search->nr_losses_done;) {
		if (!block_loss_matters(block, block->losses[i].event))
			continue;
		search->next_loss = block->losses[i].event;
		if (block->losses[i].flushed)
			search->next_flushed = block->losses[i].event;
	}
}

/* The bits of values that are read after the event. */
static uint64_t bits_read_after(const struct search *search, uint64_t event)
{
	uint64_t bits = 0;

	if (event == HISTORY_NEVER)
		return 0;
	for (uint32_t i = 0; i < search->block->nr_values; i++) {
		if (search->values[i].bit != NO_BIT && search->values[i].last_read > event)
			bits |= UINT64_C(1) << search->values[i].bit;
	}
	return bits;
}

static void lose_in(struct search *search, const struct configuration *before, bool flushed, uint64_t kept,
		    uint64_t older)
{
	uint64_t candidates = configuration_candidates(before) | (flushed ? before->older : 0);

	do {
		unsigned int bit = candidates ? take_slot(&candidates) : NO_BIT;
		struct configuration after = *before;

		configuration_lose(&after, bit);
		configuration_keep(&after, kept, older);
		after.value = bit == NO_BIT ? NO_VALUE : search->bit_value[bit];
		serve_reads(search, &after);
		set_add(&search->next, &after);
	} while (candidates);
}

static void lose(struct search *search, uint32_t index)
{
	uint64_t kept, older;

	for (size_t i = 0; i < search->present.count; i++) {
		struct configuration configuration = search->present.all[i];

		absorb_all(search, &configuration, NO_SLOT);
		set_add(&search->open, &configuration);
	}
	expand(search, NO_SLOT, NULL);
	search->nr_losses_done = index + 1;
	find_next_losses(search);
	kept = bits_read_after(search, search->next_loss);
	older = bits_read_after(search, search->next_flushed);
	for (size_t i = 0; i < search->open.count; i++)
		lose_in(search, &search->open.all[i], search->block->losses[index].flushed, kept, older);
	next_becomes_present(search);
}

/* A flush began between the last event and this one. */
static void flush_before(struct search *search, uint64_t event)
{
	size_t before = search->nr_flushes_done;
	uint64_t older = bits_read_after(search, search->next_flushed);

	while (search->nr_flushes_done < search->block->nr_flushes &&
	       search->block->flushes[search->nr_flushes_done] < event)
		search->nr_flushes_done++;
	if (search->nr_flushes_done == before)
		return;
	for (size_t i = 0; i < search->present.count; i++) {
		struct configuration configuration = search->present.all[i];

		configuration_flush(&configuration);
		configuration.older &= older;
		set_add(&search->next, &configuration);
	}
	next_becomes_present(search);
}

/* ---- preparation ---- */

static void add_event(struct search *search, uint64_t event, size_t index, enum event_kind kind)
{
	search->events = grow_to(search->events, &search->events_room, search->nr_events + 1, sizeof(*search->events));
	search->events[search->nr_events++] = (struct event){ event, (uint32_t)index, kind };
}

static int by_event(const void *left, const void *right)
{
	const struct event *a = left, *b = right;

	return a->event < b->event ? -1 : a->event > b->event;
}

static void find_values(struct search *search)
{
	const struct block_history *block = search->block;
	size_t room = 0;

	search->values = grow_to(NULL, &room, block->nr_values, sizeof(*search->values));
	for (uint32_t i = 0; i < block->nr_values; i++)
		search->values[i] = (struct value){ HISTORY_NEVER, 0, 0, NO_BIT };
	search->values[block->initial].first_write = 0;
	search->values[block->initial].writes = 1;
	for (size_t i = 0; i < block->nr_ops; i++) {
		const struct block_op *op = &block->ops[i];
		struct value *value = &search->values[op->value];

		if (op->write) {
			value->writes++;
			if (op->begin < value->first_write)
				value->first_write = op->begin;
		} else if (op->end > value->last_read) {
			value->last_read = op->end;
		}
	}
}

/* Gives bits to the values that were written before a loss and are read after it. */
static void number_bits(struct search *search)
{
	const struct block_history *block = search->block;
	unsigned int bits = 0;

	for (uint32_t i = 0; i < block->nr_values; i++) {
		struct value *value = &search->values[i];
		bool returns = false;

		for (size_t j = 0; j < block->nr_losses && !returns; j++)
			returns = value->first_write < block->losses[j].event &&
				  value->last_read > block->losses[j].event;
		if (!returns)
			continue;
		if (bits == SEARCH_VALUES_MAX) {
			search->undecided = true;
			return;
		}
		search->bit_value[bits] = i;
		value->bit = bits++;
	}
}

static void list_events(struct search *search)
{
	const struct block_history *block = search->block;

	for (size_t i = 0; i < block->nr_ops; i++) {
		const struct block_op *op = &block->ops[i];

		if (op->end != HISTORY_NEVER)
			add_event(search, op->end, i, EVENT_END);
		else if (search->values[op->value].last_read < op->begin)
			continue;
		add_event(search, op->begin, i, EVENT_BEGIN);
	}
	for (size_t i = 0; i < block->nr_losses; i++) {
		if (block_loss_matters(block, block->losses[i].event))
			add_event(search, block->losses[i].event, i, EVENT_LOSS);
	}
	if (search->nr_events)
		qsort(search->events, search->nr_events, sizeof(*search->events), by_event);
}

static void prepare(struct search *search)
{
	struct configuration first = { .value = search->block->initial };

	find_values(search);
	number_bits(search);
	list_events(search);
	find_next_losses(search);
	first.answered = (uint8_t)useful_bit(search, first.value);
	set_add(&search->present, &first);
}

static bool step(struct search *search, const struct event *event)
{
	if (losses_are_left(search))
		flush_before(search, event->event);
	search->now = event->event;
	switch (event->kind) {
	case EVENT_BEGIN:
		begin(search, event->index);
		break;
	case EVENT_END:
		return end(search, event->index);
	case EVENT_LOSS:
		lose(search, event->index);
		break;
	}
	return true;
}

enum block_verdict search_check(const struct block_history *block, size_t *failing)
{
	struct search search = { .block = block };
	enum block_verdict verdict = BLOCK_GOOD;

	prepare(&search);
	for (size_t i = 0; i < search.nr_events && verdict == BLOCK_GOOD; i++) {
		bool fits = search.undecided || step(&search, &search.events[i]);

		if (search.undecided) {
			verdict = BLOCK_UNDECIDED;
		} else if (!fits) {
			verdict = BLOCK_BAD;
			*failing = search.events[i].index;
		}
	}
	set_destroy(&search.present);
	set_destroy(&search.next);
	set_destroy(&search.open);
	free(search.events);
	free(search.values);
	return verdict;
}
