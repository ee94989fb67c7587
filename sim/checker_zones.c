/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zones; see checker_zones.h.
 */
#include "checker_zones.h"

#include <string.h>

#include "grow.h"

#define NONE UINT32_MAX

/* The operations of one value. Of the initial value, the write ended before all events, at 0. */
struct cluster {
	uint64_t write_begin;
	uint64_t first_end, last_begin;
	uint32_t write; /* index of its write; NONE: the initial value, or nobody wrote it */
	uint32_t reads;
	bool early; /* a read ended before the write began */
};

struct zone {
	uint64_t from, to;
	uint32_t value;
};

bool zones_apply(const struct block_history *block)
{
	bool *written = NULL;
	size_t room = 0;
	bool unique = true;

	written = grow_to(written, &room, block->nr_values, sizeof(*written));
	memset(written, 0, block->nr_values * sizeof(*written));
	written[block->initial] = true;
	for (size_t i = 0; i < block->nr_ops && unique; i++) {
		if (!block->ops[i].write)
			continue;
		unique = !written[block->ops[i].value];
		written[block->ops[i].value] = true;
	}
	free(written);
	return unique;
}

static void add(struct cluster *cluster, const struct block_op *op, uint32_t index)
{
	uint64_t end = op->limit < op->end ? op->limit : op->end;

	if (end < cluster->first_end)
		cluster->first_end = end;
	if (op->begin > cluster->last_begin)
		cluster->last_begin = op->begin;
	if (op->write) {
		cluster->write = index;
		cluster->write_begin = op->begin;
	} else {
		cluster->reads++;
	}
}

static void gather(const struct block_history *block, struct cluster *clusters)
{
	for (uint32_t i = 0; i < block->nr_values; i++)
		clusters[i] = (struct cluster){ HISTORY_NEVER, HISTORY_NEVER, 0, NONE, 0, false };
	clusters[block->initial].first_end = 0;
	clusters[block->initial].write_begin = 0;
	for (uint32_t i = 0; i < block->nr_ops; i++)
		add(&clusters[block->ops[i].value], &block->ops[i], i);
	for (uint32_t i = 0; i < block->nr_ops; i++) {
		struct cluster *cluster = &clusters[block->ops[i].value];

		if (!block->ops[i].write && block->ops[i].end < cluster->write_begin)
			cluster->early = true;
	}
}

/* Nobody saw a write that need not have happened: it does not count. */
static bool counts(const struct block_history *block, const struct cluster *cluster)
{
	if (cluster->reads)
		return true;
	return cluster->write != NONE && block->ops[cluster->write].end != HISTORY_NEVER;
}

static void mark(const struct block_history *block, bool *failed, uint32_t value)
{
	for (size_t i = 0; i < block->nr_ops; i++)
		failed[i] |= block->ops[i].value == value;
}

static int by_from(const void *left, const void *right)
{
	const struct zone *a = left, *b = right;

	return a->from < b->from ? -1 : a->from > b->from;
}

/* The last zone that begins before the event, or NULL. */
static const struct zone *zone_before(const struct zone *zones, size_t count, uint64_t event)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (zones[middle].from < event)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &zones[low - 1] : NULL;
}

/* Returns false when two forward zones overlap, and marks their operations. */
static bool apart(const struct block_history *block, const struct zone *zones, size_t count, bool *failed)
{
	for (size_t i = 1; i < count; i++) {
		if (zones[i - 1].to > zones[i].from) {
			mark(block, failed, zones[i - 1].value);
			mark(block, failed, zones[i].value);
			return false;
		}
	}
	return true;
}

static enum block_verdict judge(const struct block_history *block, const struct cluster *clusters, struct zone *zones,
				bool *failed)
{
	size_t count = 0;

	for (uint32_t i = 0; i < block->nr_values; i++) {
		if (!counts(block, &clusters[i]))
			continue;
		if (clusters[i].early) {
			mark(block, failed, i);
			return BLOCK_BAD;
		}
		if (clusters[i].first_end < clusters[i].last_begin)
			zones[count++] = (struct zone){ clusters[i].first_end, clusters[i].last_begin, i };
	}
	qsort(zones, count, sizeof(*zones), by_from);
	if (!apart(block, zones, count, failed))
		return BLOCK_BAD;
	for (uint32_t i = 0; i < block->nr_values; i++) {
		const struct zone *around;

		if (!counts(block, &clusters[i]) || clusters[i].first_end < clusters[i].last_begin)
			continue;
		around = zone_before(zones, count, clusters[i].last_begin);
		if (around && clusters[i].first_end < around->to) {
			mark(block, failed, i);
			mark(block, failed, around->value);
			return BLOCK_BAD;
		}
	}
	return BLOCK_GOOD;
}

enum block_verdict zones_check(const struct block_history *block, bool *failed)
{
	size_t cluster_room = 0, zone_room = 0;
	struct cluster *clusters = grow_to(NULL, &cluster_room, block->nr_values, sizeof(*clusters));
	struct zone *zones = grow_to(NULL, &zone_room, block->nr_values, sizeof(*zones));
	enum block_verdict verdict;

	gather(block, clusters);
	verdict = judge(block, clusters, zones, failed);
	free(clusters);
	free(zones);
	return verdict;
}
