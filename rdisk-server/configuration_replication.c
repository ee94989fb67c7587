/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group "replication" of the configuration file; see replication_configured.h and rdisk.cfg(5). Which of the
 * members this process is, is replication_self.h's business: the file says nothing of it, as it is the same on all
 * hosts.
 */
#include <arpa/inet.h>
#include <string.h>

#include "configuration_reading.h"
#include "size_text.h"

/* ---- a member ---- */

static int take_node(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_member *member = target;
	long long number;

	if (take_number(reading, setting, 1, REPLICATION_NODE_MAX, &number))
		return -1;
	member->node = (int)number;
	return 0;
}

static int take_member_name(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_member *member = target;

	return take_word(reading, setting, "_-.", member->name, sizeof(member->name));
}

/* Whether nobody can be reached at it from another host, or not by the address alone. */
static bool is_unusable(const struct in6_addr *address)
{
	return IN6_IS_ADDR_UNSPECIFIED(address) || IN6_IS_ADDR_MULTICAST(address) || IN6_IS_ADDR_LINKLOCAL(address) ||
	       IN6_IS_ADDR_V4MAPPED(address);
}

/* In one form, so that two that are the same can be told by their texts. */
static int take_address(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_member *member = target;
	const char *text = config_setting_get_string(setting);
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1) {
		if (four.s_addr == INADDR_ANY || IN_MULTICAST(ntohl(four.s_addr)) || four.s_addr == INADDR_BROADCAST)
			return setting_error(reading, setting, "address \"%s\" is not that of one host", text);
		inet_ntop(AF_INET, &four, member->address, sizeof(member->address));
		return 0;
	}
	if (inet_pton(AF_INET6, text, &six) != 1)
		return setting_error(
			reading, setting,
			"address \"%s\" is neither an IPv4 nor an IPv6 address, such as \"192.0.2.1\" or "
			"\"2001:db8::1\"; names are not looked up, as a set must start without a name server",
			text);
	if (is_unusable(&six))
		return setting_error(reading, setting,
				     "address \"%s\" cannot be used: give one that is the same on all hosts and is one "
				     "host's",
				     text);
	inet_ntop(AF_INET6, &six, member->address, sizeof(member->address));
	return 0;
}

static int take_port(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_member *member = target;
	long long number;

	if (take_number(reading, setting, 1, UINT16_MAX, &number))
		return -1;
	member->port = (uint16_t)number;
	return 0;
}

static const struct configuration_key member_keys[] = {
	{ "node", VALUE_INTEGER, take_node, 0 },
	{ "name", VALUE_STRING, take_member_name, 0 },
	{ "address", VALUE_STRING, take_address, 0 },
	{ "port", VALUE_INTEGER, take_port, 0 },
	{ "diskless", VALUE_BOOLEAN, NULL, offsetof(struct replication_member, diskless) },
};

static int check_member(const struct reading *reading, config_setting_t *group,
			const struct replication_configuration *replication, const struct replication_member *member)
{
	if (!member->node)
		return setting_error(reading, group, "the member has no number, node = 1");
	if (!member->name[0])
		return setting_error(reading, group, "member %d has no name, name = \"a\"", member->node);
	if (!member->address[0])
		return setting_error(reading, group, "member \"%s\" has no address", member->name);
	for (int i = 0; i < replication->nr_members; i++) {
		const struct replication_member *other = &replication->members[i];

		if (other->node == member->node)
			return setting_error(reading, config_setting_get_member(group, "node"),
					     "node %d is the member in line %d already", member->node, other->line);
		if (!strcmp(other->name, member->name))
			return setting_error(reading, config_setting_get_member(group, "name"),
					     "name \"%s\" is that of the member in line %d already", member->name,
					     other->line);
		if (!strcmp(other->address, member->address) && other->port == member->port)
			return setting_error(reading, config_setting_get_member(group, "address"),
					     "address %s, port %u is that of the member in line %d already",
					     member->address, member->port, other->line);
	}
	return 0;
}

/* Puts a member in its place. */
static void add_member(struct replication_configuration *replication, const struct replication_member *member)
{
	int place = replication->nr_members++;

	for (; place > 0 && replication->members[place - 1].node > member->node; place--)
		replication->members[place] = replication->members[place - 1];
	replication->members[place] = *member;
}

static int take_members(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;

	for (int i = 0; i < config_setting_length(setting); i++) {
		config_setting_t *group = config_setting_get_elem(setting, (unsigned int)i);
		struct replication_member member = { .port = REPLICATION_PORT_DEFAULT };

		if (!config_setting_is_group(group))
			return setting_error(reading, group, "each member must be a group, { node = 1; ... }");
		if (replication->nr_members >= REPLICATION_MEMBERS_MAX)
			return setting_error(reading, group, "more than %d members", REPLICATION_MEMBERS_MAX);
		member.line = (int)config_setting_source_line(group);
		if (read_group(reading, group, member_keys, sizeof(member_keys) / sizeof(member_keys[0]), "a member",
			       &member) ||
		    check_member(reading, group, replication, &member))
			return -1;
		add_member(replication, &member);
	}
	return 0;
}

/* ---- the set ---- */

static int take_set(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;

	if (take_word(reading, setting, "_-.", replication->set, sizeof(replication->set)))
		return -1;
	/* A folder of this name is in state_dir. */
	if (replication->set[0] == '.')
		return setting_error(reading, setting, "set \"%s\" must not begin with a dot", replication->set);
	return 0;
}

static int take_key_file(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;
	char *path;

	if (take_path(reading, setting, &path))
		return -1;
	replication->key_file = path;
	return 0;
}

static int take_state_dir(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;
	char *path;

	if (take_path(reading, setting, &path))
		return -1;
	replication->state_dir = path;
	return 0;
}

static int check_control(const struct reading *reading, config_setting_t *place, const char *path, const char *cure)
{
	if (strlen(path) > REPLICATION_CONTROL_PATH_MAX)
		return setting_error(reading, place,
				     "the control socket's path has %zu bytes, and the system allows %d: %s; it is %s",
				     strlen(path), REPLICATION_CONTROL_PATH_MAX, cure, path);
	return 0;
}

static int take_control(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;
	char *path;

	if (take_path(reading, setting, &path))
		return -1;
	replication->control = path;
	return check_control(reading, setting, path, "choose a shorter one");
}

static int take_group(const struct reading *reading, config_setting_t *setting, void *target)
{
	static const char *const words[] = { "corosync", "beacons", NULL };
	struct replication_configuration *replication = target;
	int choice;

	if (take_choice(reading, setting, words, &choice))
		return -1;
	replication->group = choice ? REPLICATION_GROUP_BEACONS : REPLICATION_GROUP_COROSYNC;
	return 0;
}

static int take_compression(const struct reading *reading, config_setting_t *setting, void *target)
{
	static const char *const words[] = { "auto", "on", "off", NULL };
	static const enum replication_compression values[] = { REPLICATION_COMPRESSION_AUTO, REPLICATION_COMPRESSION_ON,
							       REPLICATION_COMPRESSION_OFF };
	struct replication_configuration *replication = target;
	int choice;

	if (take_choice(reading, setting, words, &choice))
		return -1;
	replication->compression = values[choice];
	return 0;
}

static int take_slow_replica(const struct reading *reading, config_setting_t *setting, void *target)
{
	static const char *const words[] = { "drop", "wait", NULL };
	struct replication_configuration *replication = target;
	int choice;

	if (take_choice(reading, setting, words, &choice))
		return -1;
	replication->slow_replica_waits = choice;
	return 0;
}

static int take_on_no_quorum(const struct reading *reading, config_setting_t *setting, void *target)
{
	static const char *const words[] = { "suspend", "error", NULL };
	struct replication_configuration *replication = target;
	int choice;

	if (take_choice(reading, setting, words, &choice))
		return -1;
	replication->error_on_no_quorum = choice;
	return 0;
}

static int take_limited(const struct reading *reading, config_setting_t *setting, unsigned int least, unsigned int most,
			unsigned int *value)
{
	long long number;

	if (take_number(reading, setting, least, most, &number))
		return -1;
	*value = (unsigned int)number;
	return 0;
}

static int take_min_in_sync(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;

	return take_limited(reading, setting, 1, REPLICATION_MEMBERS_MAX, &replication->min_in_sync);
}

static int take_lease_ms(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;

	return take_limited(reading, setting, REPLICATION_LEASE_MS_MIN, REPLICATION_LEASE_MS_MAX,
			    &replication->lease_ms);
}

static int take_replica_timeout_ms(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;

	return take_limited(reading, setting, 2 * REPLICATION_LEASE_MS_MIN, REPLICATION_TIMEOUT_MS_MAX,
			    &replication->replica_timeout_ms);
}

static int take_open_grace_ms(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;

	return take_limited(reading, setting, 2 * REPLICATION_LEASE_MS_MIN, REPLICATION_TIMEOUT_MS_MAX,
			    &replication->open_grace_ms);
}

static int take_memory_wait_ms(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;

	return take_limited(reading, setting, 0, REPLICATION_MEMORY_WAIT_MS_MAX, &replication->memory_wait_ms);
}

static int take_resync_rate(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct replication_configuration *replication = target;
	long long number;

	if (config_setting_type(setting) == CONFIG_TYPE_STRING) {
		const char *text = config_setting_get_string(setting);

		if (size_parse(text, &replication->resync_rate))
			return setting_error(reading, setting,
					     "resync_rate \"%s\" is not a number of bytes a second, such as \"100M\"",
					     text);
		return 0;
	}
	if (take_number(reading, setting, 0, INT64_MAX, &number))
		return -1;
	replication->resync_rate = (uint64_t)number;
	return 0;
}

static const struct configuration_key replication_keys[] = {
	{ "set", VALUE_STRING, take_set, 0 },
	{ "members", VALUE_LIST, take_members, 0 },
	{ "key_file", VALUE_STRING, take_key_file, 0 },
	{ "insecure", VALUE_BOOLEAN, NULL, offsetof(struct replication_configuration, insecure) },
	{ "state_dir", VALUE_STRING, take_state_dir, 0 },
	{ "group", VALUE_STRING, take_group, 0 },
	{ "min_in_sync", VALUE_INTEGER, take_min_in_sync, 0 },
	{ "lease_ms", VALUE_INTEGER, take_lease_ms, 0 },
	{ "replica_timeout_ms", VALUE_INTEGER, take_replica_timeout_ms, 0 },
	{ "slow_replica", VALUE_STRING, take_slow_replica, 0 },
	{ "resync_rate", VALUE_SIZE, take_resync_rate, 0 },
	{ "open_grace_ms", VALUE_INTEGER, take_open_grace_ms, 0 },
	{ "memory_wait_ms", VALUE_INTEGER, take_memory_wait_ms, 0 },
	{ "on_no_quorum", VALUE_STRING, take_on_no_quorum, 0 },
	{ "compression", VALUE_STRING, take_compression, 0 },
	{ "control", VALUE_STRING, take_control, 0 },
};

/* ---- what one setting alone cannot tell ---- */

/* One that is not given follows a long lease. */
static int check_time(const struct reading *reading, config_setting_t *group, const char *name, unsigned int lease_ms,
		      unsigned int usual, unsigned int *value)
{
	if (!*value)
		*value = usual > 2 * lease_ms ? usual : 2 * lease_ms;
	if (*value < 2 * lease_ms)
		return setting_error(reading, config_setting_get_member(group, name),
				     "%s %u is too short: it must be at least twice lease_ms, %u", name, *value,
				     2 * lease_ms);
	return 0;
}

static int check_times(const struct reading *reading, config_setting_t *group,
		       struct replication_configuration *replication)
{
	if (!replication->lease_ms)
		replication->lease_ms = REPLICATION_LEASE_MS_DEFAULT;
	if (check_time(reading, group, "replica_timeout_ms", replication->lease_ms,
		       REPLICATION_REPLICA_TIMEOUT_MS_DEFAULT, &replication->replica_timeout_ms))
		return -1;
	return check_time(reading, group, "open_grace_ms", replication->lease_ms, REPLICATION_OPEN_GRACE_MS_DEFAULT,
			  &replication->open_grace_ms);
}

static int check_members(const struct reading *reading, config_setting_t *group,
			 const struct replication_configuration *replication)
{
	unsigned int images = 0;

	if (replication->nr_members == 0)
		return setting_error(reading, group,
				     "replication needs members = ( { node = 1; name = \"a\"; address = "
				     "\"192.0.2.1\"; }, ... )");
	for (int i = 0; i < replication->nr_members; i++)
		images += !replication->members[i].diskless;
	if (images == 0)
		return setting_error(reading, config_setting_get_member(group, "members"),
				     "all members are diskless: one at least must have images");
	if (replication->min_in_sync > images)
		return setting_error(reading, config_setting_get_member(group, "min_in_sync"),
				     "min_in_sync %u is more than the %u members that have images",
				     replication->min_in_sync, images);
	return 0;
}

/* The control socket lies in state_dir if it has no place of its own. */
static int check_paths(const struct reading *reading, config_setting_t *group,
		       struct replication_configuration *replication)
{
	struct parsed *parsed = reading->parsed;
	char *path = parsed->names + parsed->names_used;
	int length;

	if (!replication->key_file && !replication->insecure)
		return setting_error(reading, group,
				     "replication needs key_file = \"FILE\", which rdiskctl keygen makes, "
				     "the same on all hosts; or insecure = true, for a network where "
				     "everybody may read and write the disks");
	if (!replication->state_dir)
		return setting_error(reading, group,
				     "replication needs state_dir = \"FOLDER\", where this host keeps "
				     "what was decided and what others lack");
	if (replication->control)
		return 0;
	length = snprintf(path, PATH_MAX, "%s/control", replication->state_dir);
	if (length < 0 || length >= PATH_MAX)
		length = PATH_MAX - 1; /* refused below */
	parsed->names_used += (size_t)length + 1;
	replication->control = path;
	return check_control(reading, config_setting_get_member(group, "state_dir"), path,
			     "set control = \"PATH\", or choose a state_dir with a shorter name");
}

int read_replication(const struct reading *reading, config_setting_t *group)
{
	struct replication_configuration *replication = &reading->configuration->replication;

	if (!config_setting_is_group(group))
		return setting_error(reading, group, "replication must be a group, { set = \"...\"; ... }");
	*replication = (struct replication_configuration){
		.self = REPLICATION_NO_MEMBER,
		.min_in_sync = 1,
		.resync_rate = REPLICATION_RESYNC_RATE_DEFAULT,
		.line = (int)config_setting_source_line(group),
	};
	if (read_group(reading, group, replication_keys, sizeof(replication_keys) / sizeof(replication_keys[0]),
		       "replication", replication))
		return -1;
	if (!replication->set[0])
		return setting_error(reading, group, "replication needs set = \"NAME\", the name of the replica set");
	if (check_members(reading, group, replication) || check_times(reading, group, replication))
		return -1;
	return check_paths(reading, group, replication);
}

int check_replicated(const struct reading *reading, config_setting_t *devices, config_setting_t *group)
{
	const struct configuration *configuration = reading->configuration;
	int count = 0;

	for (int minor = 0; minor < configuration->nr_devices; minor++) {
		config_setting_t *device = config_setting_get_elem(devices, (unsigned int)minor);
		config_setting_t *replicated = config_setting_get_member(device, "replicated");

		if (!configuration->devices[minor].replicated)
			continue;
		if (!group)
			return setting_error(reading, replicated,
					     "device \"%s\" is to be replicated, and there is no group replication = { "
					     "... } that says by whom",
					     configuration->devices[minor].name);
		if (++count > REPLICATION_DEVICES_MAX)
			return setting_error(reading, replicated, "more than %d devices are replicated",
					     REPLICATION_DEVICES_MAX);
	}
	if (group && count == 0)
		return setting_error(reading, group,
				     "no device is replicated: set replicated = true at those that are to "
				     "be, or remove the group");
	return 0;
}
