/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the configuration file; see configuration.h and rdisk.cfg(5). This file has what all settings have in common
 * and the outermost ones; configuration_device.c and configuration_replication.c have theirs. Each key is one row
 * of a table with the type that it must have and the function that takes its value.
 *
 * libconfig does not check what malloc() returns and its scanner may end the process, so a
 * process of its own parses the text. It leaves its result in memory that it shares with
 * this one; if it dies, that is a message like any other.
 */
#include "configuration.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "configuration_reading.h"

int setting_error_at(const struct reading *reading, const char *file, int line, const char *format, ...)
{
	struct diagnostic cause;
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(cause.text, sizeof(cause.text), format, arguments) < 0)
		cause.text[0] = '\0';
	va_end(arguments);
	/* An empty file has no line, and an editor cannot go to line 0. */
	return diagnostic_set(reading->diagnostic, "%s:%d: %s", file ? file : reading->path, line ? line : 1,
			      cause.text);
}

/* ---- values ---- */

int take_word(const struct reading *reading, config_setting_t *setting, const char *others, char *copy, size_t size)
{
	const char *name = config_setting_name(setting);
	const char *text = config_setting_get_string(setting);
	size_t length = strlen(text);

	if (length == 0 || length >= size)
		return setting_error(reading, setting, "%s \"%s\" must have 1 to %zu characters", name, text, size - 1);
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr(others, text[i]))
			return setting_error(reading, setting,
					     "%s \"%s\" may have letters, digits and characters of %s only", name, text,
					     others);
	}
	memcpy(copy, text, length + 1);
	return 0;
}

int take_path(const struct reading *reading, config_setting_t *setting, char **path)
{
	struct parsed *parsed = reading->parsed;
	const char *name = config_setting_name(setting);
	const char *text = config_setting_get_string(setting);
	int length;

	if (!*text)
		return setting_error(reading, setting, "%s is empty", name);
	*path = parsed->names + parsed->names_used;
	length = snprintf(*path, PATH_MAX, "%s%s", *text == '/' ? "" : reading->folder, text);
	if (length < 0 || length >= PATH_MAX)
		return setting_error(reading, setting, "%s is longer than %d bytes", name, PATH_MAX - 1);
	parsed->names_used += (size_t)length + 1;
	return 0;
}

int take_number(const struct reading *reading, config_setting_t *setting, long long least, long long most,
		long long *number)
{
	*number = config_setting_get_int64(setting);
	if (*number < least || *number > most)
		return setting_error(reading, setting, "%s %lld is out of range, %lld to %lld",
				     config_setting_name(setting), *number, least, most);
	return 0;
}

int take_choice(const struct reading *reading, config_setting_t *setting, const char *const words[], int *choice)
{
	const char *name = config_setting_name(setting);
	const char *text = config_setting_get_string(setting);

	for (int i = 0; words[i]; i++) {
		if (!strcmp(text, words[i])) {
			*choice = i;
			return 0;
		}
	}
	if (!words[2])
		return setting_error(reading, setting, "%s \"%s\" is neither \"%s\" nor \"%s\"", name, text, words[0],
				     words[1]);
	return setting_error(reading, setting, "%s \"%s\" is none of \"%s\", \"%s\" and \"%s\"", name, text, words[0],
			     words[1], words[2]);
}

/* ---- groups ---- */

static bool kind_fits(enum value_kind kind, int type)
{
	bool integer = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;

	switch (kind) {
	case VALUE_STRING:
		return type == CONFIG_TYPE_STRING;
	case VALUE_BOOLEAN:
		return type == CONFIG_TYPE_BOOL;
	case VALUE_INTEGER:
		return integer;
	case VALUE_SIZE:
		return integer || type == CONFIG_TYPE_STRING;
	case VALUE_LIST:
		return type == CONFIG_TYPE_LIST;
	}
	return false;
}

static const char *kind_text(enum value_kind kind)
{
	switch (kind) {
	case VALUE_STRING:
		return "a string in quotes";
	case VALUE_BOOLEAN:
		return "true or false";
	case VALUE_INTEGER:
		return "a whole number";
	case VALUE_SIZE:
		return "a whole number or a string such as \"512M\"";
	case VALUE_LIST:
		return "a list, ( { ... }, { ... } )";
	}
	return "something else";
}

static int read_key(const struct reading *reading, config_setting_t *setting, const struct configuration_key *keys,
		    size_t nr_keys, const char *what, void *target)
{
	const char *name = config_setting_name(setting);

	for (size_t i = 0; i < nr_keys; i++) {
		if (strcmp(name, keys[i].name))
			continue;
		if (!kind_fits(keys[i].kind, config_setting_type(setting)))
			return setting_error(reading, setting, "%s must be %s", name, kind_text(keys[i].kind));
		if (keys[i].take)
			return keys[i].take(reading, setting, target);
		*(bool *)((char *)target + keys[i].offset) = config_setting_get_bool(setting);
		return 0;
	}
	return setting_error(reading, setting, "unknown setting \"%s\" of %s", name, what);
}

int read_group(const struct reading *reading, config_setting_t *group, const struct configuration_key *keys,
	       size_t nr_keys, const char *what, void *target)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		if (read_key(reading, config_setting_get_elem(group, (unsigned int)i), keys, nr_keys, what, target))
			return -1;
	}
	return 0;
}

static int read_settings(const struct reading *reading, const config_t *config)
{
	config_setting_t *root = config_root_setting(config);
	config_setting_t *devices = NULL, *replication = NULL;

	for (int i = 0; i < config_setting_length(root); i++) {
		config_setting_t *setting = config_setting_get_elem(root, (unsigned int)i);
		const char *name = config_setting_name(setting);

		if (!strcmp(name, "devices"))
			devices = setting;
		else if (!strcmp(name, "replication"))
			replication = setting;
		else
			return setting_error(reading, setting, "unknown setting \"%s\"", name);
	}
	if (!devices)
		return setting_error(reading, root, "there is no list \"devices\"");
	if (read_devices(reading, devices) || (replication && read_replication(reading, replication)))
		return -1;
	return check_replicated(reading, devices, replication);
}

/* ---- files ---- */

/* Reads `fd` to its end into text (size bytes), with a zero behind it. 0, or -1 and errno; EFBIG. */
static int read_to_end(int fd, char *text, size_t size, size_t *length)
{
	*length = 0;
	for (;;) {
		ssize_t bytes = read(fd, text + *length, size - *length);

		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0)
			return -1;
		*length += (size_t)bytes;
		if (*length == size) {
			errno = EFBIG;
			return -1;
		}
		if (bytes == 0)
			break;
	}
	text[*length] = '\0';
	return 0;
}

/* The whole text of the file, in *parsed. 0, or -1 and the diagnostic. */
static int read_file(const struct reading *reading)
{
	char *text = reading->parsed->text;
	size_t length;
	int code = -1;
	int fd;

	fd = open(reading->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return diagnostic_set(reading->diagnostic, "%s: cannot open the configuration: %s", reading->path,
				      strerror(errno));
	if (read_to_end(fd, text, FILE_BYTES_MAX, &length)) {
		diagnostic_set(reading->diagnostic, "%s: cannot read the configuration: %s", reading->path,
			       strerror(errno));
	} else if (strlen(text) != length) {
		int line = 1;

		for (const char *c = text; *c; c++)
			line += *c == '\n';
		setting_error_at(reading, NULL, line, "the file has a zero byte: it is no text");
	} else {
		code = 0;
	}
	close(fd);
	return code;
}

/* The parsing process's part. */
static int parse(const struct reading *reading)
{
	config_t config;
	int code = -1;

	config_init(&config);
	/* @include "other.cfg" is relative to the configuration's folder too. */
	config_set_include_dir(&config, *reading->folder ? reading->folder : ".");
	if (config_read_string(&config, reading->parsed->text) == CONFIG_TRUE)
		code = read_settings(reading, &config);
	else
		setting_error_at(reading, config_error_file(&config), config_error_line(&config), "%s",
				 config_error_text(&config));
	config_destroy(&config);
	return code;
}

static int parse_in_child(const struct reading *reading)
{
	struct parsed *parsed = reading->parsed;
	int status;
	pid_t child;

	parsed->code = 1; /* what it stays if the child dies */
	child = fork();
	if (child < 0)
		return diagnostic_set(reading->diagnostic, "%s: cannot fork to parse the configuration: %s",
				      reading->path, strerror(errno));
	if (child == 0) {
		parsed->code = parse(reading);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return diagnostic_set(reading->diagnostic, "%s: cannot wait for the parser: %s", reading->path,
					      strerror(errno));
	}
	if (parsed->code == 1)
		return diagnostic_set(reading->diagnostic,
				      "%s: the parser of the configuration ended early, for want of memory perhaps",
				      reading->path);
	return parsed->code;
}

int configuration_read(struct configuration *configuration, const char *path, struct diagnostic *diagnostic)
{
	const char *slash = strrchr(path, '/');
	struct reading reading = { .path = path };
	char folder[PATH_MAX] = "";
	struct parsed *parsed;
	int code;

	*configuration = (struct configuration){ .replication.self = REPLICATION_NO_MEMBER };
	if (slash && (size_t)(slash - path) + 1 < sizeof(folder))
		memcpy(folder, path, (size_t)(slash - path) + 1);
	parsed = mmap(NULL, sizeof(*parsed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (parsed == MAP_FAILED)
		return diagnostic_set(diagnostic, "%s: no memory to read the configuration: %s", path, strerror(errno));
	parsed->configuration = *configuration;
	reading.folder = folder;
	reading.parsed = parsed;
	reading.configuration = &parsed->configuration;
	reading.diagnostic = &parsed->diagnostic;
	code = read_file(&reading);
	if (!code)
		code = parse_in_child(&reading);
	if (code) {
		*diagnostic = parsed->diagnostic;
		munmap(parsed, sizeof(*parsed));
		return -1;
	}
	*configuration = parsed->configuration;
	configuration->texts = parsed;
	configuration->texts_size = sizeof(*parsed);
	return 0;
}

void configuration_free(struct configuration *configuration)
{
	if (configuration->texts)
		munmap(configuration->texts, configuration->texts_size);
	*configuration = (struct configuration){ 0 };
}
