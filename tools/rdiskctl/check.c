/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command check-config: what can be said of a configuration file without the hosts, images and keys that it names.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "configuration.h"
#include "rdiskctl.h"
#include "replication_self.h"
#include "session_key.h"

#define DESCRIPTION_SIZE 8192

/* Where warnings go. */
struct warnings {
	const char *path; /* of the configuration */
	cJSON *list;	  /* of the JSON; NULL: standard error */
};

static void warn(void *context, const char *text)
{
	const struct warnings *warnings = context;

	if (warnings->list)
		cJSON_AddItemToArray(warnings->list, cJSON_CreateString(text));
	else
		fprintf(stderr, "rdiskctl: warning: %s\n", text);
}

/* The file may be checked on another host than those it is for: what is missing here is no error. */
static void warn_of(struct configuration *configuration, struct warnings *warnings)
{
	struct replication_configuration *replication = &configuration->replication;
	unsigned char key[SESSION_KEY_SIZE];
	struct diagnostic diagnostic = { "" };

	if (replication->nr_members == 0)
		return;
	replication_warnings(replication, warn, warnings);
	if (replication_find_self(replication, NULL, warnings->path, &diagnostic))
		warn(warnings, diagnostic.text);
	if (!replication->insecure && session_key_read(replication->key_file, key, &diagnostic))
		warn(warnings, diagnostic.text);
	explicit_bzero(key, sizeof(key));
}

static void show_text(const struct configuration *configuration)
{
	static char description[DESCRIPTION_SIZE];

	printf("devices=%d (", configuration->nr_devices);
	for (int minor = 0; minor < configuration->nr_devices; minor++)
		printf("%s%d %s%s", minor ? ", " : "", minor, configuration->devices[minor].name,
		       configuration->devices[minor].replicated ? " replicated" : "");
	puts(")");
	if (configuration->replication.nr_members) {
		replication_describe(&configuration->replication, description, sizeof(description));
		puts(description);
	}
}

static cJSON *members_json(const struct replication_configuration *replication)
{
	cJSON *list = cJSON_CreateArray();

	for (int i = 0; i < replication->nr_members; i++) {
		const struct replication_member *member = &replication->members[i];
		cJSON *object = cJSON_CreateObject();

		cJSON_AddStringToObject(object, "name", member->name);
		cJSON_AddNumberToObject(object, "node", member->node);
		cJSON_AddStringToObject(object, "address", member->address);
		cJSON_AddNumberToObject(object, "port", member->port);
		cJSON_AddBoolToObject(object, "diskless", member->diskless);
		cJSON_AddBoolToObject(object, "this", i == replication->self);
		cJSON_AddItemToArray(list, object);
	}
	return list;
}

/* warnings: the object has it from now on. Exit status. */
static int show_json(const struct configuration *configuration, cJSON *warnings)
{
	cJSON *object = cJSON_CreateObject();
	cJSON *devices = cJSON_AddArrayToObject(object, "devices");
	char *text;

	for (int minor = 0; minor < configuration->nr_devices; minor++) {
		cJSON *device = cJSON_CreateObject();

		cJSON_AddNumberToObject(device, "minor", minor);
		cJSON_AddStringToObject(device, "name", configuration->devices[minor].name);
		cJSON_AddBoolToObject(device, "replicated", configuration->devices[minor].replicated);
		cJSON_AddItemToArray(devices, device);
	}
	if (configuration->replication.nr_members) {
		cJSON_AddStringToObject(object, "set", configuration->replication.set);
		cJSON_AddItemToObject(object, "members", members_json(&configuration->replication));
		cJSON_AddStringToObject(object, "control", configuration->replication.control);
	}
	cJSON_AddItemToObject(object, "warnings", warnings);
	text = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	if (!text) {
		fputs("rdiskctl: error: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	puts(text);
	cJSON_free(text);
	return EXIT_DONE;
}

int check_config(const struct arguments *arguments)
{
	static struct configuration configuration;
	struct warnings warnings = { .path = arguments->config };
	struct diagnostic diagnostic = { "" };
	int status = EXIT_DONE;

	if (configuration_read(&configuration, arguments->config, &diagnostic))
		return fail(arguments, EXIT_FAILED, "bad-configuration", "%s", diagnostic.text);
	if (arguments->json)
		warnings.list = cJSON_CreateArray();
	warn_of(&configuration, &warnings);
	if (arguments->json)
		status = show_json(&configuration, warnings.list);
	else
		show_text(&configuration);
	configuration_free(&configuration);
	return status;
}
