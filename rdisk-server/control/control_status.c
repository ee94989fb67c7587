/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status and events as JSON and in a line; see control_status.h.
 *
 * An object is built without looking at each step: one that failed for want of memory leaves a key out, so the steps
 * say whether they have succeeded, and one that did not makes the whole none.
 */
#include "control_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text_append.h"

#include <cJSON.h>

#define NS_PER_MS 1000000

static const char *const role_names[] = {
	[CONTROL_ROLE_NONE] = "none",
	[CONTROL_ROLE_PRIMARY] = "primary",
	[CONTROL_ROLE_BACKUP] = "backup",
	[CONTROL_ROLE_DISKLESS] = "diskless",
};

static const char *const state_names[] = {
	[CONTROL_STATE_UNKNOWN] = "unknown",	 [CONTROL_STATE_IN_SYNC] = "in-sync",
	[CONTROL_STATE_RESYNCING] = "resyncing", [CONTROL_STATE_OUTDATED] = "outdated",
	[CONTROL_STATE_EXCLUDED] = "excluded",
};

static const char *const resync_names[] = {
	[CONTROL_RESYNC_BITMAP] = "bitmap",
	[CONTROL_RESYNC_HASH] = "hash",
	[CONTROL_RESYNC_FULL] = "full",
};

static const char *const event_names[] = {
	[CONTROL_EVENT_EPOCH] = "epoch",   [CONTROL_EVENT_PRIMARY] = "primary",
	[CONTROL_EVENT_MEMBER] = "member", [CONTROL_EVENT_RESYNC] = "resync",
	[CONTROL_EVENT_QUORUM] = "quorum", [CONTROL_EVENT_DISK_ERROR] = "disk-error",
	[CONTROL_EVENT_SPLIT] = "split",   [CONTROL_EVENT_LOST] = "lost",
};

/* ---- steps ---- */

/* Takes the item, NULL too. */
static bool add(cJSON *object, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObject(object, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

/* cJSON has doubles only; this one is exact. */
static bool add_count(cJSON *object, const char *key, uint64_t count)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, count);
	return add(object, key, cJSON_CreateRaw(digits));
}

static bool add_count_or_null(cJSON *object, const char *key, uint64_t count)
{
	return count == CONTROL_UNKNOWN ? add(object, key, cJSON_CreateNull()) : add_count(object, key, count);
}

static bool add_bool(cJSON *object, const char *key, bool value)
{
	return add(object, key, cJSON_CreateBool(value));
}

/* Bytes of the UTF-8 character at text; 0: it is none. */
static size_t character_length(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = (unsigned char)text[1];
	size_t length = first < 0x80   ? 1
			: first < 0xc2 ? 0
			: first < 0xe0 ? 2
			: first < 0xf0 ? 3
			: first < 0xf5 ? 4
				       : 0;

	for (size_t i = 1; i < length; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than it need be, half of a pair, beyond the last one. */
	if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) || (first == 0xf0 && second < 0x90) ||
	    (first == 0xf4 && second >= 0x90))
		return 0;
	return length;
}

bool control_json_text(cJSON *object, const char *key, const char *text)
{
	char *copy = strdup(text);
	bool added;

	if (!copy)
		return false;
	for (char *at = copy; *at;) {
		size_t length = character_length(at);

		if (!length)
			*at = '?';
		at += length ? length : 1;
	}
	added = add(object, key, cJSON_CreateString(copy));
	free(copy);
	return added;
}

static bool add_name_or_null(cJSON *object, const char *key, const struct replication_configuration *replication,
			     int member)
{
	if (member == REPLICATION_NO_MEMBER)
		return add(object, key, cJSON_CreateNull());
	return control_json_text(object, key, replication->members[member].name);
}

static cJSON *names_json(const struct replication_configuration *replication, unsigned int members)
{
	cJSON *list = cJSON_CreateArray();

	for (int i = 0; list && i < replication->nr_members; i++) {
		cJSON *name;

		if (!(members >> i & 1))
			continue;
		name = cJSON_CreateString(replication->members[i].name);
		if (name && cJSON_AddItemToArray(list, name))
			continue;
		cJSON_Delete(name);
		cJSON_Delete(list);
		return NULL;
	}
	return list;
}

/* ---- members ---- */

static cJSON *resync_json(const struct control_resync *resync)
{
	cJSON *object;

	if (resync->kind == CONTROL_RESYNC_NONE)
		return cJSON_CreateNull();
	object = cJSON_CreateObject();
	if (object && control_json_text(object, "kind", resync_names[resync->kind]) &&
	    add_count(object, "done_bytes", resync->done) && add_count(object, "total_bytes", resync->total) &&
	    add_count(object, "bytes_per_s", resync->rate) &&
	    add_count_or_null(object, "seconds_left", resync->seconds_left))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static bool add_member_state(cJSON *object, const struct replication_configuration *replication,
			     const struct control_member *member)
{
	return add_bool(object, "connected", member->connected) &&
	       control_json_text(object, "role", role_names[member->role]) &&
	       control_json_text(object, "state", state_names[member->state]) &&
	       add_count_or_null(object, "out_of_sync_bytes", member->out_of_sync) &&
	       add(object, "resync", resync_json(&member->resync)) &&
	       (!member->link[0] || control_json_text(object, "link", member->link)) &&
	       (!member->answers || add_bool(object, "answers", true)) &&
	       (!member->seen_by || add(object, "seen_by", names_json(replication, member->seen_by)));
}

static cJSON *members_json(const struct replication_configuration *replication, const struct control_status *status)
{
	cJSON *list = cJSON_CreateArray();

	for (int i = 0; list && i < replication->nr_members; i++) {
		const struct replication_member *member = &replication->members[i];
		cJSON *object = cJSON_CreateObject();

		if (!object || !cJSON_AddItemToArray(list, object)) {
			cJSON_Delete(object);
			goto no_memory;
		}
		if (!control_json_text(object, "name", member->name) ||
		    !add_count(object, "node", (unsigned int)member->node) ||
		    !add_bool(object, "diskless", member->diskless) ||
		    !add_member_state(object, replication, &status->members[i]))
			goto no_memory;
	}
	return list;
no_memory:
	cJSON_Delete(list);
	return NULL;
}

static cJSON *devices_json(const struct control_status *status)
{
	cJSON *list = cJSON_CreateArray();

	for (int i = 0; list && i < status->nr_devices; i++) {
		const struct control_device *device = &status->devices[i];
		cJSON *object = cJSON_CreateObject();

		if (!object || !cJSON_AddItemToArray(list, object)) {
			cJSON_Delete(object);
			goto no_memory;
		}
		if (!add_count(object, "minor", (unsigned int)device->minor) ||
		    !control_json_text(object, "name", device->name) || !add_count(object, "size", device->size) ||
		    !control_json_text(object, "id", device->id))
			goto no_memory;
	}
	return list;
no_memory:
	cJSON_Delete(list);
	return NULL;
}

/* ---- the set ---- */

/* As a UUID is written. */
static bool add_uuid(cJSON *object, const struct control_status *status)
{
	char text[37];
	size_t used = 0;

	if (!status->born)
		return add(object, "uuid", cJSON_CreateNull());
	for (size_t i = 0; i < sizeof(status->uuid); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%02x",
					 i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", status->uuid[i]);
	return control_json_text(object, "uuid", text);
}

static bool add_generation(cJSON *object, const struct control_status *status)
{
	char id[17];

	(void)snprintf(id, sizeof(id), "%016" PRIx64, status->born ? status->generation_id : 0);
	return add_count(object, "generation", status->born ? status->generation : 0) &&
	       control_json_text(object, "generation_id", id);
}

cJSON *control_status_json(const struct replication_configuration *replication, const struct control_status *status)
{
	const struct replication_member *self = &replication->members[replication->self];
	cJSON *object = cJSON_CreateObject();

	if (object && add_count(object, "version", 1) && control_json_text(object, "set", replication->set) &&
	    add_uuid(object, status) && add_generation(object, status) &&
	    add_count(object, "epoch", status->born ? status->epoch : 0) &&
	    add_count(object, "node", (unsigned int)self->node) && control_json_text(object, "name", self->name) &&
	    add_name_or_null(object, "primary", replication, status->primary) &&
	    add_bool(object, "serving", status->serving) && add_bool(object, "quorate", status->quorate) &&
	    (status->blocked[0] ? control_json_text(object, "blocked", status->blocked)
				: add(object, "blocked", cJSON_CreateNull())) &&
	    add_count(object, "min_in_sync", replication->min_in_sync) &&
	    add_bool(object, "resync_paused", status->resync_paused) &&
	    add_count(object, "state_writes", status->state_writes) &&
	    (!status->force_without || add(object, "force_without", names_json(replication, status->force_without))) &&
	    add(object, "members", members_json(replication, status)) && add(object, "devices", devices_json(status)))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static bool add_time(cJSON *object, struct timespec at)
{
	char date[32] = "", text[48];
	struct tm fields;

	if (gmtime_r(&at.tv_sec, &fields))
		(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &fields);
	(void)snprintf(text, sizeof(text), "%s.%03ldZ", date, at.tv_nsec / NS_PER_MS);
	return control_json_text(object, "time", text);
}

cJSON *control_event_json(const struct replication_configuration *replication, const struct control_event *event,
			  struct timespec at)
{
	int index = event->member == REPLICATION_NO_MEMBER ? replication->self : event->member;
	const struct replication_member *member = &replication->members[index];
	cJSON *object = cJSON_CreateObject();

	if (object && add_time(object, at) && control_json_text(object, "event", event_names[event->kind]) &&
	    add_count(object, "epoch", event->epoch) && add_count(object, "node", (unsigned int)member->node) &&
	    control_json_text(object, "name", member->name) &&
	    (!event->status || add_member_state(object, replication, event->status)) &&
	    (!event->lost || add_count(object, "lost", event->lost)) &&
	    (!event->text || control_json_text(object, "text", event->text)))
		return object;
	cJSON_Delete(object);
	return NULL;
}

cJSON *control_error_json(const char *code, const char *message)
{
	cJSON *object = cJSON_CreateObject();

	if (object && control_json_text(object, "error", code) && control_json_text(object, "message", message))
		return object;
	cJSON_Delete(object);
	return NULL;
}

/* ---- a line ---- */

void control_status_line(const struct replication_configuration *replication, const struct control_status *status,
			 char *text, size_t size)
{
	int images = 0, in_sync = 0, connected = 0;

	for (int i = 0; i < replication->nr_members; i++) {
		connected += status->members[i].connected;
		if (replication->members[i].diskless)
			continue;
		images++;
		in_sync += status->members[i].state == CONTROL_STATE_IN_SYNC;
	}
	text[0] = '\0';
	if (status->primary == REPLICATION_NO_MEMBER)
		text_append(text, size, "no primary");
	else
		text_append(text, size, "primary %s%s", replication->members[status->primary].name,
			    status->serving ? "" : " does not serve");
	text_append(text, size, ", %d of %d in sync, %d of %d connected", in_sync, images, connected,
		    replication->nr_members);
	if (status->born)
		text_append(text, size, ", epoch %" PRIu64, status->epoch);
	if (status->blocked[0])
		text_append(text, size, ": %s", status->blocked);
}
