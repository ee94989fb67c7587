/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the lines of a control socket say: a table of commands, what each has with it, and the answers. Nothing of a
 * line is believed before it was checked.
 */
#include <errno.h>
#include <string.h>

#include <cJSON.h>

#include "coarse_clock.h"
#include "control_internal.h"

/* An order of which it is known what it is and whom it names. */
struct order {
	uint64_t number, now;
	int member;	   /* that it names */
	unsigned int dead; /* bit n is member n */
	uint64_t timeout;  /* ns; 0: no limit */
};

__attribute__((format(printf, 4, 5))) static void refuse(struct control *control, struct control_connection *connection,
							 const char *code, const char *format, ...)
{
	struct diagnostic message;
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(message.text, sizeof(message.text), format, arguments) < 0)
		message.text[0] = '\0';
	va_end(arguments);
	control_send(control, connection, control_error_json(code, message.text));
}

static const char *code_text(int code)
{
	switch (code) {
	case -EINVAL:
		return "refused";
	case -EAGAIN:
		return "not-now";
	case -ETIMEDOUT:
		return "timeout";
	default:
		return "failed";
	}
}

static void answer(struct control *control, struct control_connection *connection, int code, const char *text)
{
	cJSON *object;

	connection->order = 0;
	if (code) {
		control_send(control, connection,
			     control_error_json(code_text(code), text && *text ? text : strerror(-code)));
		return;
	}
	object = cJSON_CreateObject();
	if (!control_json_text(object, "result", "done") ||
	    (text && *text && !control_json_text(object, "message", text))) {
		cJSON_Delete(object);
		object = NULL;
	}
	control_send(control, connection, object);
}

/* The index of the connection that waits for it; -1: none does. */
static int find_order(const struct control *control, uint64_t order)
{
	for (int i = 0; order && i < CONTROL_CONNECTIONS_MAX; i++) {
		if (control->connections[i].fd >= 0 && control->connections[i].order == order)
			return i;
	}
	return -1;
}

bool control_awaited(const struct control *control, uint64_t order)
{
	return find_order(control, order) >= 0;
}

void control_answer(struct control *control, uint64_t order, int code, const char *text)
{
	int index = find_order(control, order);

	if (index >= 0)
		answer(control, &control->connections[index], code, text);
}

/* ---- members ---- */

/* The number that a text is, or that an item has; 0: none. */
static int node_of(const cJSON *item)
{
	const char *text = cJSON_GetStringValue(item);
	int node = 0;

	if (!text)
		return item->valuedouble == item->valueint ? item->valueint : 0;
	if (strspn(text, "0123456789") != strlen(text))
		return 0;
	for (; *text && node <= REPLICATION_NODE_MAX; text++)
		node = 10 * node + (*text - '0');
	return node;
}

/* "a (1), b (2)" */
static void list_members(const struct replication_configuration *replication, struct diagnostic *list)
{
	size_t used = 0;

	list->text[0] = '\0';
	for (int i = 0; i < replication->nr_members && used < sizeof(list->text); i++) {
		const struct replication_member *member = &replication->members[i];
		int length = snprintf(list->text + used, sizeof(list->text) - used, "%s%s (%d)", i ? ", " : "",
				      member->name, member->node);

		used += length > 0 ? (size_t)length : 0;
	}
}

/* The member that an item names, or whose node's number it is; -1: it was refused. command: what it is named for. */
static int find_member(struct control *control, struct control_connection *connection, const char *command,
		       const cJSON *item)
{
	const struct replication_configuration *replication = control->replication;
	const char *name = cJSON_GetStringValue(item);
	struct diagnostic list;

	if (!name && !cJSON_IsNumber(item)) {
		refuse(control, connection, "bad-request", "%s: a member's name or the number of its node is needed",
		       command);
		return -1;
	}
	for (int i = 0; name && i < replication->nr_members; i++) {
		if (!strcmp(name, replication->members[i].name))
			return i;
	}
	for (int i = 0; i < replication->nr_members; i++) {
		if (node_of(item) == replication->members[i].node)
			return i;
	}
	list_members(replication, &list);
	if (name)
		refuse(control, connection, "bad-request",
		       "%s: no member of set %s is \"%.100s\"; its members: %.1000s", command, replication->set, name,
		       list.text);
	else
		refuse(control, connection, "bad-request",
		       "%s: no member of set %s has the number %g; its members: %.1000s", command, replication->set,
		       item->valuedouble, list.text);
	return -1;
}

static bool find_dead(struct control *control, struct control_connection *connection, const char *command,
		      const cJSON *list, struct order *order)
{
	const cJSON *item;

	if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0) {
		refuse(control, connection, "bad-request",
		       "%s: it must be said which members are dead: their votes do not count then", command);
		return false;
	}
	cJSON_ArrayForEach(item, list)
	{
		int member = find_member(control, connection, command, item);

		if (member < 0)
			return false;
		if (member == control->replication->self) {
			refuse(control, connection, "bad-request",
			       "%s: %s is the member that gets this order, and cannot be dead: the order is for the "
			       "one that is to be primary",
			       command, control->replication->members[member].name);
			return false;
		}
		order->dead |= 1u << member;
	}
	return true;
}

/* How long it may take. False: it was refused. */
static bool find_timeout(struct control *control, struct control_connection *connection, const cJSON *item,
			 struct order *order)
{
	if (!item) {
		order->timeout = CONTROL_TIMEOUT_DEFAULT * NS_PER_SECOND;
		return true;
	}
	if (!cJSON_IsNumber(item) || item->valuedouble != item->valueint || item->valueint < 0 ||
	    item->valueint > CONTROL_TIMEOUT_MAX) {
		refuse(control, connection, "bad-request", "timeout must be a whole number of seconds from 0 to %d",
		       CONTROL_TIMEOUT_MAX);
		return false;
	}
	order->timeout = (unsigned int)item->valueint * NS_PER_SECOND;
	return true;
}

/* ---- commands ---- */

static int promote(struct control *control, const struct order *order, struct diagnostic *why)
{
	return control->orders->promote(control->user, order->now, order->number, order->member, order->timeout, why);
}

static int force(struct control *control, const struct order *order, struct diagnostic *why)
{
	return control->orders->force(control->user, order->now, order->number, order->dead, order->timeout, why);
}

static int invalidate(struct control *control, const struct order *order, struct diagnostic *why)
{
	return control->orders->invalidate(control->user, order->now, order->number, order->member, why);
}

static int init(struct control *control, const struct order *order, struct diagnostic *why)
{
	return control->orders->init(control->user, order->now, order->number, order->member, why);
}

static int pause_resync(struct control *control, const struct order *order, struct diagnostic *why)
{
	return control->orders->pause_resync(control->user, order->now, order->number, why);
}

static int resume_resync(struct control *control, const struct order *order, struct diagnostic *why)
{
	return control->orders->resume_resync(control->user, order->now, order->number, why);
}

enum names { NAMES_NOBODY, NAMES_MEMBER, NAMES_DEAD };

static const struct command {
	const char *name;
	enum names names; /* whom it has to name */
	const char *key;  /* and where */
	int (*obey)(struct control *control, const struct order *order, struct diagnostic *why);
} commands[] = {
	{ "promote", NAMES_MEMBER, "node", promote },	      { "force-primary", NAMES_DEAD, "dead", force },
	{ "invalidate", NAMES_MEMBER, "node", invalidate },   { "init", NAMES_MEMBER, "from", init },
	{ "pause-resync", NAMES_NOBODY, NULL, pause_resync }, { "resume-resync", NAMES_NOBODY, NULL, resume_resync },
};

static void obey_order(struct control *control, struct control_connection *connection, uint64_t now,
		       const struct command *command, const cJSON *line)
{
	struct order order = { .now = now, .member = REPLICATION_NO_MEMBER };
	uint32_t serial = connection->serial;
	struct diagnostic why = { "" };
	int code;

	if (command->names == NAMES_MEMBER) {
		order.member = find_member(control, connection, command->name,
					   cJSON_GetObjectItemCaseSensitive(line, command->key));
		if (order.member < 0)
			return;
	}
	if (command->names == NAMES_DEAD && !find_dead(control, connection, command->name,
						       cJSON_GetObjectItemCaseSensitive(line, command->key), &order))
		return;
	if (!find_timeout(control, connection, cJSON_GetObjectItemCaseSensitive(line, "timeout"), &order))
		return;
	order.number = connection->order = ++control->last_order;
	code = command->obey(control, &order, &why);
	/* It may have been answered in there. */
	if (code != CONTROL_LATER && connection->serial == serial && connection->order == order.number)
		answer(control, connection, code, why.text);
}

static void obey_status(struct control *control, struct control_connection *connection, uint64_t now)
{
	struct control_status status = { .primary = REPLICATION_NO_MEMBER };

	control->orders->status(control->user, now, &status);
	control_send(control, connection, control_status_json(control->replication, &status));
}

static void obey_events(struct control *control, struct control_connection *connection)
{
	cJSON *object = cJSON_CreateObject();

	if (!control_json_text(object, "result", "subscribed")) {
		cJSON_Delete(object);
		object = NULL;
	}
	connection->subscribed = true;
	control_send(control, connection, object);
}

void control_obey(struct control *control, struct control_connection *connection, uint64_t now, const char *line,
		  size_t length)
{
	cJSON *object = cJSON_ParseWithLength(line, length);
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, "command"));
	const struct command *command = NULL;

	for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, name))
			command = &commands[i];
	}
	if (!name)
		refuse(control, connection, "bad-request",
		       "each line must be a JSON object with a command, such as {\"command\": \"status\"}");
	else if (command)
		obey_order(control, connection, now, command, object);
	else if (!strcmp(name, "status"))
		obey_status(control, connection, now);
	else if (!strcmp(name, "events"))
		obey_events(control, connection);
	else
		refuse(control, connection, "bad-request", "unknown command \"%.100s\"", name);
	cJSON_Delete(object);
}
