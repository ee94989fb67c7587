/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that read the configuration share: the state of one reading, messages with a place, and groups whose
 * keys are rows of a table. All of it runs in the process that parses (configuration.c).
 */
#ifndef RDISK_CONFIGURATION_READING_H
#define RDISK_CONFIGURATION_READING_H

#include <libconfig.h>
#include <limits.h>
#include <stddef.h>

#include "configured.h"
#include "diagnostic.h"

#define FILE_BYTES_MAX	  (1024u * 1024) /* of a configuration file */
#define REPLICATION_PATHS 3		 /* key_file, state_dir, control */

/* What the parsing process leaves behind, at the same address in both. */
struct parsed {
	int code;
	struct configuration configuration;
	struct diagnostic diagnostic;
	char text[FILE_BYTES_MAX]; /* of the file */
	size_t names_used;
	char names[(DEVICES_MAX + REPLICATION_PATHS) * (size_t)PATH_MAX]; /* paths */
};

/* What every step of one reading needs. */
struct reading {
	const char *path;
	const char *folder; /* of path; "" or with a slash at the end */
	struct parsed *parsed;
	struct configuration *configuration; /* in *parsed, as the next */
	struct diagnostic *diagnostic;
};

/* Sets "FILE:LINE: cause"; file: NULL is that which is read. Returns -1. */
int setting_error_at(const struct reading *reading, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The same for a setting, which may come from an included file. */
#define setting_error(reading, setting, ...)                                                                           \
	setting_error_at((reading), config_setting_source_file(setting), (int)config_setting_source_line(setting),     \
			 __VA_ARGS__)

enum value_kind { VALUE_STRING, VALUE_BOOLEAN, VALUE_INTEGER, VALUE_SIZE, VALUE_LIST };

/* A key of a group. */
struct configuration_key {
	const char *name;
	enum value_kind kind;
	/* Called when the value is of the kind: 0, or setting_error(). NULL: a bool, put at `offset` of the target. */
	int (*take)(const struct reading *reading, config_setting_t *setting, void *target);
	size_t offset;
};

/*
 * Takes all settings of a group into *target. what: whose settings these are, for the message about an unknown one. 0,
 * or -1 and the diagnostic.
 */
int read_group(const struct reading *reading, config_setting_t *group, const struct configuration_key *keys,
	       size_t nr_keys, const char *what, void *target);

/* Sets *number. 0, or -1 and the diagnostic if it is not in least .. most. */
int take_number(const struct reading *reading, config_setting_t *setting, long long least, long long most,
		long long *number);

/* A path, relative to the file's folder, which lives as long as *parsed. 0, or -1 and the diagnostic. */
int take_path(const struct reading *reading, config_setting_t *setting, char **path);

/* `text` to *copy (size bytes): not empty, letters, digits and `others` only. 0, or -1 and the diagnostic. */
int take_word(const struct reading *reading, config_setting_t *setting, const char *others, char *copy, size_t size);

/* Which one of the two or three words it is (NULL behind the last). 0, or -1 and the diagnostic. */
int take_choice(const struct reading *reading, config_setting_t *setting, const char *const words[], int *choice);

/* configuration_device.c, configuration_replication.c: the whole of such a setting. 0, or -1 and the diagnostic. */
int read_devices(const struct reading *reading, config_setting_t *devices);
int read_replication(const struct reading *reading, config_setting_t *group);

/* Once all is read: what the set and the devices need of each other. group: NULL is none. */
int check_replicated(const struct reading *reading, config_setting_t *devices, config_setting_t *group);

#endif
