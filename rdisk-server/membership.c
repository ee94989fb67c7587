/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See membership.h.
 */
#include "membership.h"

#include <string.h>

#include "dvk.h"
#include "dvk_endpoint.h"
#include "membership_control.h"
#include "session_key.h"

#define MILLISECOND 1000000ull /* ns */

static void turn(struct server *server)
{
	membership_control_turn(server->control);
}

int membership_create(struct server *server, const struct configuration *configuration, struct diagnostic *diagnostic)
{
	if (configuration->replication.nr_members == 0)
		return 0;
	server->turn_control = turn;
	if (member_create(&server->devices.member, dvk_interrupt, diagnostic))
		return -1;
	member_rings_for(server->devices.member, &server->completions);
	return 0;
}

static enum session_compression compression_of(enum replication_compression compression)
{
	switch (compression) {
	case REPLICATION_COMPRESSION_ON:
		return SESSION_COMPRESSION_ON;
	case REPLICATION_COMPRESSION_OFF:
		return SESSION_COMPRESSION_OFF;
	case REPLICATION_COMPRESSION_AUTO:
		break;
	}
	return SESSION_COMPRESSION_AUTO;
}

static void fill_members(struct member_settings *settings, const struct replication_configuration *replication)
{
	settings->members = replication->nr_members;
	settings->self = replication->self;
	for (int i = 0; i < replication->nr_members; i++) {
		const struct replication_member *from = &replication->members[i];

		settings->list[i] = (struct listed_member){ .node = (uint8_t)from->node, .diskless = from->diskless };
		settings->sessions[i] = (struct session_member){
			.node = (uint32_t)from->node,
			.address = from->address,
			.port = from->port,
		};
		settings->names[i] = from->name;
	}
}

static void fill_devices(struct member_settings *settings, struct device_table *table,
			 const struct configuration *configuration)
{
	for (int minor = 0; minor < configuration->nr_devices; minor++) {
		struct device *device = &table->devices[minor];

		if (!configuration->devices[minor].replicated)
			continue;
		device->replica = settings->nr_devices;
		settings->devices[settings->nr_devices++] = (struct member_device){
			.name = configuration->devices[minor].name,
			.store = device_configuration_has_image(configuration, minor) ? &device->store : NULL,
		};
	}
}

static void tell(void *user, const struct replica_event *event)
{
	const struct server *server = user;

	membership_control_tell(server->control, event);
}

static void lost(void *user, unsigned int events)
{
	const struct server *server = user;

	membership_control_lost(server->control, events);
}

static void changed(void *user)
{
	const struct server *server = user;

	membership_control_look(server->control);
}

int membership_start(struct server *server, const struct configuration *configuration, const struct options *options,
		     struct diagnostic *diagnostic)
{
	const struct replication_configuration *replication = &configuration->replication;
	unsigned char key[SESSION_KEY_SIZE];
	struct member_settings settings = {
		.set = replication->set,
		.compression = compression_of(replication->compression),
		.group = replication->group == REPLICATION_GROUP_COROSYNC ? GROUP_COROSYNC : GROUP_BEACONS,
		.state_dir = replication->state_dir,
		.boot_id_file = options->boot_id_file,
		.full_copy = options->full_copy,
		.lease = replication->lease_ms * MILLISECOND,
		.replica_timeout = replication->replica_timeout_ms * MILLISECOND,
		.open_grace = replication->open_grace_ms * MILLISECOND,
		.memory_wait = replication->memory_wait_ms * MILLISECOND,
		.resync_rate = replication->resync_rate,
		.min_in_sync = replication->min_in_sync,
		.clients = NR_SLOTS * 2,
		.tell = tell,
		.lost = lost,
		.changed = changed,
		.user = server,
		.error_on_no_quorum = replication->error_on_no_quorum,
		.slow_replica_waits = replication->slow_replica_waits,
	};
	int code;

	if (!server->devices.member)
		return 0;
	if (!replication->insecure) {
		if (session_key_read(replication->key_file, key, diagnostic))
			return -1;
		settings.key = key;
		settings.key_size = sizeof(key);
	}
	fill_members(&settings, replication);
	fill_devices(&settings, &server->devices, configuration);
	code = member_start(server->devices.member, &settings, diagnostic);
	explicit_bzero(key, sizeof(key));
	/* Its socket may be in the folder of the state, which is there by now. */
	return code ? code : membership_control_open(&server->control, server, configuration, diagnostic);
}

void membership_begin(struct server *server)
{
	if (server->devices.member)
		member_begin(server->devices.member);
}

void membership_end(struct server *server)
{
	membership_control_close(server->control);
	server->control = NULL;
	member_end(server->devices.member);
}

void membership_destroy(struct server *server)
{
	member_destroy(server->devices.member);
	server->devices.member = NULL;
}
