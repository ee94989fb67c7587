/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the configuration file; see configuration.h and rdisk.cfg(5). Each key is one row
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
#include <inttypes.h>
#include <libconfig.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "size_text.h"

#define FILE_BYTES_MAX (1024u * 1024) /* of a configuration file */

/* What the parsing process leaves behind, at the same address in both. */
struct parsed {
	int code;
	struct configuration configuration;
	struct diagnostic diagnostic;
	char text[FILE_BYTES_MAX]; /* of the file */
	size_t names_used;
	char names[DEVICES_MAX * (size_t)PATH_MAX]; /* of image files */
};

/* What every step of one reading needs. */
struct reading {
	const char *path;
	const char *folder; /* of path; "" or with a slash at the end */
	struct parsed *parsed;
	struct configuration *configuration; /* in *parsed, as the next */
	struct diagnostic *diagnostic;
};

/* Sets "FILE:LINE: cause" for a setting, which may come from an included file. */
#define setting_error(reading, setting, ...)                                                                           \
	setting_error_at((reading), config_setting_source_file(setting), (int)config_setting_source_line(setting),     \
			 __VA_ARGS__)

__attribute__((format(printf, 4, 5))) static int setting_error_at(const struct reading *reading, const char *file,
								  int line, const char *format, ...)
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

static int take_name(const struct reading *reading, config_setting_t *setting, struct device_configuration *device)
{
	const char *text = config_setting_get_string(setting);
	size_t length = strlen(text);

	if (length == 0 || length >= sizeof(device->name))
		return setting_error(reading, setting, "name \"%s\" must have 1 to %zu characters", text,
				     sizeof(device->name) - 1);
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("_-.", text[i]))
			return setting_error(reading, setting,
					     "name \"%s\" may have letters, digits, '_', '-' and '.' only", text);
	}
	memcpy(device->name, text, length + 1);
	return 0;
}

static int take_id(const struct reading *reading, config_setting_t *setting, struct device_configuration *device)
{
	const char *text = config_setting_get_string(setting);
	size_t length = strlen(text);

	if (length == 0 || length >= sizeof(device->id))
		return setting_error(reading, setting, "id \"%s\" must have 1 to %zu characters", text,
				     sizeof(device->id) - 1);
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("_-.:", text[i]))
			return setting_error(reading, setting,
					     "id \"%s\" may have letters, digits, '_', '-', '.' and ':' only", text);
	}
	memcpy(device->id, text, length + 1);
	return 0;
}

static int take_image_type(const struct reading *reading, config_setting_t *setting,
			   struct device_configuration *device)
{
	const char *text = config_setting_get_string(setting);

	if (!strcmp(text, "FILE_IMAGE"))
		device->type = FILE_IMAGE;
	else if (!strcmp(text, "MEMORY_IMAGE"))
		device->type = MEMORY_IMAGE;
	else
		return setting_error(reading, setting, "image_type \"%s\" is neither FILE_IMAGE nor MEMORY_IMAGE",
				     text);
	return 0;
}

static int take_image_file(const struct reading *reading, config_setting_t *setting,
			   struct device_configuration *device)
{
	struct parsed *parsed = reading->parsed;
	const char *text = config_setting_get_string(setting);
	int length;

	if (!*text)
		return setting_error(reading, setting, "image_file is empty");
	device->image_file = parsed->names + parsed->names_used;
	length = snprintf(device->image_file, PATH_MAX, "%s%s", *text == '/' ? "" : reading->folder, text);
	if (length < 0 || length >= PATH_MAX)
		return setting_error(reading, setting, "image_file is longer than %d bytes", PATH_MAX - 1);
	parsed->names_used += (size_t)length + 1;
	device->image_line = (int)config_setting_source_line(setting);
	return 0;
}

static int take_size(const struct reading *reading, config_setting_t *setting, struct device_configuration *device)
{
	if (config_setting_type(setting) == CONFIG_TYPE_STRING) {
		const char *text = config_setting_get_string(setting);

		if (size_parse(text, &device->size))
			return setting_error(
				reading, setting,
				"size \"%s\" is not a number of bytes, such as \"1048576\", \"512M\" or \"1G\"", text);
	} else {
		long long number = config_setting_get_int64(setting);

		/* libconfig 1.5 cuts a plain number to 32 bits and does not say so. */
		if (config_setting_type(setting) != CONFIG_TYPE_INT64)
			return setting_error(reading, setting,
					     "size must be a string, such as \"1048576\", \"512M\" or \"1G\", or a "
					     "number that ends with L");
		if (number < 0)
			return setting_error(reading, setting, "size %lld is negative", number);
		device->size = (uint64_t)number;
	}
	if (device->size == 0 || device->size % RDISK_SECTOR_SIZE)
		return setting_error(reading, setting, "size %" PRIu64 " is not a positive multiple of %d bytes",
				     device->size, RDISK_SECTOR_SIZE);
	return 0;
}

static int take_buffer(const struct reading *reading, config_setting_t *setting, struct device_configuration *device)
{
	long long number = config_setting_get_int64(setting);

	if (number < (long long)BUFFER_MIN || number > (long long)BUFFER_MAX || number % RDISK_SECTOR_SIZE)
		return setting_error(reading, setting, "buffer %lld is not a multiple of %d from %u to %u bytes",
				     number, RDISK_SECTOR_SIZE, BUFFER_MIN, BUFFER_MAX);
	device->buffer = (uint32_t)number;
	return 0;
}

static int take_read_only(const struct reading *reading, config_setting_t *setting, struct device_configuration *device)
{
	(void)reading;
	device->read_only = config_setting_get_bool(setting);
	return 0;
}

static int take_volatile(const struct reading *reading, config_setting_t *setting, struct device_configuration *device)
{
	(void)reading;
	device->is_volatile = config_setting_get_bool(setting);
	return 0;
}

static int take_shared(const struct reading *reading, config_setting_t *setting, struct device_configuration *device)
{
	(void)reading;
	device->shared = config_setting_get_bool(setting);
	return 0;
}

static int take_unavailable(const struct reading *reading, config_setting_t *setting,
			    struct device_configuration *device)
{
	(void)device;
	if (config_setting_get_bool(setting))
		return setting_error(reading, setting, "%s = true is not available in this version",
				     config_setting_name(setting));
	return 0;
}

enum value_kind { VALUE_STRING, VALUE_BOOLEAN, VALUE_INTEGER, VALUE_SIZE };

static const struct {
	const char *name;
	enum value_kind kind;
	int (*take)(const struct reading *reading, config_setting_t *setting, struct device_configuration *device);
} keys[] = {
	{ "name", VALUE_STRING, take_name },
	{ "id", VALUE_STRING, take_id },
	{ "image_type", VALUE_STRING, take_image_type },
	{ "image_file", VALUE_STRING, take_image_file },
	{ "size", VALUE_SIZE, take_size },
	{ "buffer", VALUE_INTEGER, take_buffer },
	{ "read_only", VALUE_BOOLEAN, take_read_only },
	{ "volatile", VALUE_BOOLEAN, take_volatile },
	{ "shared", VALUE_BOOLEAN, take_shared },
	{ "replicated", VALUE_BOOLEAN, take_unavailable },
	{ "compression", VALUE_BOOLEAN, take_unavailable },
};

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
	}
	return "something else";
}

static int read_key(const struct reading *reading, config_setting_t *setting, struct device_configuration *device)
{
	const char *name = config_setting_name(setting);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(name, keys[i].name))
			continue;
		if (!kind_fits(keys[i].kind, config_setting_type(setting)))
			return setting_error(reading, setting, "%s must be %s", name, kind_text(keys[i].kind));
		return keys[i].take(reading, setting, device);
	}
	return setting_error(reading, setting, "unknown setting \"%s\" of a device", name);
}

/* What one setting alone cannot tell. */
static int check_device(const struct reading *reading, config_setting_t *group,
			const struct device_configuration *device)
{
	const struct configuration *configuration = reading->configuration;

	if (!device->name[0])
		return setting_error(reading, group, "the device has no name");
	for (int i = 0; i < configuration->nr_devices; i++) {
		if (!strcmp(configuration->devices[i].name, device->name))
			return setting_error(reading, config_setting_get_member(group, "name"),
					     "name \"%s\" is that of the device in line %d already", device->name,
					     configuration->devices[i].line);
		if (device->id[0] && !strcmp(configuration->devices[i].id, device->id))
			return setting_error(reading, config_setting_get_member(group, "id"),
					     "id \"%s\" is that of the device in line %d already", device->id,
					     configuration->devices[i].line);
	}
	if (device->type == FILE_IMAGE && !device->image_file)
		return setting_error(reading, group, "device \"%s\" has no image_file", device->name);
	if (device->type == MEMORY_IMAGE && !device->size)
		return setting_error(reading, group, "device \"%s\" is a MEMORY_IMAGE without size", device->name);
	return 0;
}

static int read_device(const struct reading *reading, config_setting_t *group)
{
	struct configuration *configuration = reading->configuration;
	struct device_configuration device = { .buffer = BUFFER_DEFAULT };
	int code = 0;

	if (!config_setting_is_group(group))
		return setting_error(reading, group, "each device must be a group, { name = ...; }");
	if (configuration->nr_devices >= DEVICES_MAX)
		return setting_error(reading, group, "more than %d devices", DEVICES_MAX);
	device.line = (int)config_setting_source_line(group);
	device.image_line = device.line;
	for (int i = 0; !code && i < config_setting_length(group); i++)
		code = read_key(reading, config_setting_get_elem(group, (unsigned int)i), &device);
	if (!code)
		code = check_device(reading, group, &device);
	if (code)
		return code;
	configuration->devices[configuration->nr_devices++] = device;
	return 0;
}

static int read_settings(const struct reading *reading, const config_t *config)
{
	config_setting_t *root = config_root_setting(config);
	config_setting_t *devices = NULL;

	for (int i = 0; i < config_setting_length(root); i++) {
		config_setting_t *setting = config_setting_get_elem(root, (unsigned int)i);

		if (strcmp(config_setting_name(setting), "devices"))
			return setting_error(reading, setting, "unknown setting \"%s\"", config_setting_name(setting));
		devices = setting;
	}
	if (!devices)
		return setting_error(reading, root, "there is no list \"devices\"");
	if (!config_setting_is_list(devices))
		return setting_error(reading, devices, "devices must be a list, ( { ... }, { ... } )");
	if (config_setting_length(devices) == 0)
		return setting_error(reading, devices, "the list \"devices\" is empty");
	for (int i = 0; i < config_setting_length(devices); i++) {
		if (read_device(reading, config_setting_get_elem(devices, (unsigned int)i)))
			return -1;
	}
	return 0;
}

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

	*configuration = (struct configuration){ 0 };
	if (slash && (size_t)(slash - path) + 1 < sizeof(folder))
		memcpy(folder, path, (size_t)(slash - path) + 1);
	parsed = mmap(NULL, sizeof(*parsed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (parsed == MAP_FAILED)
		return diagnostic_set(diagnostic, "%s: no memory to read the configuration: %s", path, strerror(errno));
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
