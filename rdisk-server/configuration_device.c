/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of devices in the configuration file; see configuration.h and rdisk.cfg(5).
 */
#include <inttypes.h>
#include <string.h>

#include "configuration_reading.h"
#include "size_text.h"

static int take_name(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct device_configuration *device = target;

	return take_word(reading, setting, "_-.", device->name, sizeof(device->name));
}

static int take_id(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct device_configuration *device = target;

	return take_word(reading, setting, "_-.:", device->id, sizeof(device->id));
}

static int take_image_type(const struct reading *reading, config_setting_t *setting, void *target)
{
	static const char *const types[] = { [FILE_IMAGE] = "FILE_IMAGE", [MEMORY_IMAGE] = "MEMORY_IMAGE", NULL };
	struct device_configuration *device = target;
	int choice;

	if (take_choice(reading, setting, types, &choice))
		return -1;
	device->type = choice ? MEMORY_IMAGE : FILE_IMAGE;
	return 0;
}

static int take_image_file(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct device_configuration *device = target;

	device->image_line = (int)config_setting_source_line(setting);
	return take_path(reading, setting, &device->image_file);
}

static int take_size(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct device_configuration *device = target;

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

static int take_buffer(const struct reading *reading, config_setting_t *setting, void *target)
{
	struct device_configuration *device = target;
	long long number = config_setting_get_int64(setting);

	if (number < (long long)BUFFER_MIN || number > (long long)BUFFER_MAX || number % RDISK_SECTOR_SIZE)
		return setting_error(reading, setting, "buffer %lld is not a multiple of %d from %u to %u bytes",
				     number, RDISK_SECTOR_SIZE, BUFFER_MIN, BUFFER_MAX);
	device->buffer = (uint32_t)number;
	return 0;
}

static int take_unavailable(const struct reading *reading, config_setting_t *setting, void *target)
{
	(void)target;
	if (config_setting_get_bool(setting))
		return setting_error(reading, setting, "%s = true is not available in this version",
				     config_setting_name(setting));
	return 0;
}

static const struct configuration_key device_keys[] = {
	{ "name", VALUE_STRING, take_name, 0 },
	{ "id", VALUE_STRING, take_id, 0 },
	{ "image_type", VALUE_STRING, take_image_type, 0 },
	{ "image_file", VALUE_STRING, take_image_file, 0 },
	{ "size", VALUE_SIZE, take_size, 0 },
	{ "buffer", VALUE_INTEGER, take_buffer, 0 },
	{ "read_only", VALUE_BOOLEAN, NULL, offsetof(struct device_configuration, read_only) },
	{ "volatile", VALUE_BOOLEAN, NULL, offsetof(struct device_configuration, is_volatile) },
	{ "shared", VALUE_BOOLEAN, NULL, offsetof(struct device_configuration, shared) },
	{ "replicated", VALUE_BOOLEAN, NULL, offsetof(struct device_configuration, replicated) },
	{ "compression", VALUE_BOOLEAN, take_unavailable, 0 },
};

/*
 * Each member has all that the disk holds in a file of its own, which it goes on with after a restart and which it
 * writes whether or not a client of its host does.
 */
static int check_replicated_device(const struct reading *reading, config_setting_t *group,
				   const struct device_configuration *device)
{
	config_setting_t *place = config_setting_get_member(group, "replicated");
	const char *cause = device->type == MEMORY_IMAGE
				    ? "it is a MEMORY_IMAGE, which a restart of the server empties; use a "
				      "file, on a tmpfs perhaps"
			    : device->is_volatile ? "it is volatile, so that its image is not written"
			    : device->read_only	  ? "it is read_only, so that its image cannot be brought up"
						  : NULL;

	return cause ? setting_error(reading, place, "device \"%s\" cannot be replicated: %s", device->name, cause) : 0;
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
	return device->replicated ? check_replicated_device(reading, group, device) : 0;
}

static int read_device(const struct reading *reading, config_setting_t *group)
{
	struct configuration *configuration = reading->configuration;
	struct device_configuration device = { .buffer = BUFFER_DEFAULT };

	if (!config_setting_is_group(group))
		return setting_error(reading, group, "each device must be a group, { name = ...; }");
	if (configuration->nr_devices >= DEVICES_MAX)
		return setting_error(reading, group, "more than %d devices", DEVICES_MAX);
	device.line = (int)config_setting_source_line(group);
	device.image_line = device.line;
	if (read_group(reading, group, device_keys, sizeof(device_keys) / sizeof(device_keys[0]), "a device",
		       &device) ||
	    check_device(reading, group, &device))
		return -1;
	configuration->devices[configuration->nr_devices++] = device;
	return 0;
}

int read_devices(const struct reading *reading, config_setting_t *devices)
{
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
