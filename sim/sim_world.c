/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world as a whole: made, freed, and what is told of it.
 */
#include "sim_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sim_client.h"
#include "sim_host.h"

/* Of one seed; see sim_random_seed(). The choice of settings and faults have others (sim_run.c). */
enum stream {
	STREAM_NETWORK = 16,
	STREAM_DISK,
	STREAM_CORE,
	STREAM_CLIENT,
	STREAM_HOST,
	STREAM_VIEW,
};

void sim_world_init(struct sim_world *world, uint64_t seed, const struct sim_settings *settings,
		    struct history *history, bool trace)
{
	const struct sim_network_settings network = {
		.delay = settings->delay,
		.jitter = settings->jitter,
		.tail = settings->tail,
		.retry = settings->retry,
		.timeout = settings->timeout,
		.queue = settings->queue,
		.bulk = settings->bulk,
	};

	*world = (struct sim_world){ .settings = *settings, .seed = seed, .history = history, .trace = trace };
	world->members = (int)(settings->copies + settings->diskless);
	sim_random_seed(&world->network_random, seed, STREAM_NETWORK);
	sim_random_seed(&world->disk_random, seed, STREAM_DISK);
	sim_random_seed(&world->core_random, seed, STREAM_CORE);
	sim_random_seed(&world->client_random, seed, STREAM_CLIENT);
	sim_random_seed(&world->host_random, seed, STREAM_HOST);
	sim_random_seed(&world->view_random, seed, STREAM_VIEW);
	world->requests_left = settings->nr_requests;
	sim_engine_init(&world->engine);
	sim_network_init(&world->network, &world->engine, &world->network_random, &sim_host_network_user, &network,
			 world->members);
	for (int member = 0; member < world->members; member++)
		sim_host_init(world, member);
}

void sim_world_free(struct sim_world *world)
{
	for (int member = 0; member < world->members; member++)
		sim_host_free(&world->hosts[member]);
	sim_network_free(&world->network);
	sim_engine_free(&world->engine);
}

void sim_fail(struct sim_world *world, const char *format, ...)
{
	va_list arguments;
	int length;

	if (world->failed)
		return;
	world->failed = true;
	length = snprintf(world->failure, sizeof(world->failure),
			  "at %" PRIu64 " us: ", world->engine.now / SIM_MICROSECOND);
	va_start(arguments, format);
	vsnprintf(world->failure + length, sizeof(world->failure) - (size_t)length, format, arguments);
	va_end(arguments);
	sim_trace(world, NO_MEMBER, "FAILED: %s", world->failure);
}

void sim_trace(struct sim_world *world, int member, const char *format, ...)
{
	va_list arguments;

	if (!world->trace)
		return;
	printf("%13.6f %c ", (double)world->engine.now / (double)SIM_SECOND,
	       member == NO_MEMBER ? '-' : sim_letter(member));
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

void sim_digest(struct sim_world *world, uint64_t what, uint64_t more)
{
	world->digest = sim_mix(world->digest ^ sim_mix(what ^ sim_mix(more ^ world->engine.now)));
}

void sim_digest_bytes(struct sim_world *world, const void *bytes, size_t size)
{
	sim_digest(world, size, size ? XXH3_64bits(bytes, size) : 0);
}
