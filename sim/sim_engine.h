/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens when, in simulated true time: a queue of events, the earliest first, those of one time in the order in
 * which they were scheduled. Time stands still while an event is carried out. Events are memory of whoever schedules
 * them, embedded in something larger. Knows nothing of what it simulates.
 */
#ifndef RDISK_SIM_ENGINE_H
#define RDISK_SIM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NEVER		       UINT64_MAX
#define SIM_MICROSECOND		       UINT64_C(1000)
#define SIM_MILLISECOND		       UINT64_C(1000000)
#define SIM_SECOND		       UINT64_C(1000000000)

/* The structure of type `type` whose member `member` an event is. */
#define SIM_OWNER(event, type, member) ((type *)(void *)((char *)(event)-offsetof(type, member)))

struct sim_engine;

/* Zeroed but for `fire` before its first use. */
struct sim_event {
	/* Called when it is due; it is not scheduled any more then, and may be freed or scheduled again. */
	void (*fire)(struct sim_event *event);
	/* Of the engine. */
	uint64_t time, sequence;
	size_t place; /* in the queue, from 1; 0: not scheduled */
};

struct sim_engine {
	uint64_t now; /* ns since the beginning of the run */
	uint64_t sequence;
	uint64_t fired; /* events so far */
	struct sim_event **heap;
	size_t count, capacity;
};

void sim_engine_init(struct sim_engine *engine);
void sim_engine_free(struct sim_engine *engine); /* events that are scheduled are forgotten, not fired */

/* At `time`, or now if that has passed. One that is scheduled is moved. */
void sim_schedule(struct sim_engine *engine, struct sim_event *event, uint64_t time);

/* Harmless for one that is not scheduled. */
void sim_cancel(struct sim_engine *engine, struct sim_event *event);

static inline bool sim_scheduled(const struct sim_event *event)
{
	return event->place;
}

/* Carries out the next event, if it is due at `limit` or before: true. Else time is `limit` then. */
bool sim_step(struct sim_engine *engine, uint64_t limit);

#endif
