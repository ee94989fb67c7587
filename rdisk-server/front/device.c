/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of devices and the rules of access; see device.h and, for the rules, rdisk_protocol.h.
 */
#include "device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dvk.h"
#include "log.h"
#include "size_text.h"
#include "termination.h"

#define PAGE_BYTES 4096 /* alignment of buffers, so that they suit any file's blocks */

#define HEADS	   2 /* of the geometry that DIOCGETP invents, as in the original */
#define SECTORS	   32

#define DISK_BLOCK 4096 /* bytes; the physical block of a replicated disk, whatever each image has */

/* Puts "FILE:LINE: " before a cause; returns -1. */
static int at_line(struct diagnostic *diagnostic, const char *path, int line)
{
	struct diagnostic cause = *diagnostic;

	return diagnostic_set(diagnostic, "%s:%d: %s", path, line, cause.text);
}

static struct store_settings settings_of(const struct device_configuration *device)
{
	return (struct store_settings){
		.name = device->name,
		.kind = device->type == MEMORY_IMAGE ? STORE_MEMORY : STORE_FILE,
		.path = device->image_file,
		.size = device->size,
		.read_only = device->read_only,
		.is_volatile = device->is_volatile,
		.id = device->id[0] ? device->id : NULL,
		/* The replication core trusts nothing that a failed flush may have lost until it was copied again. */
		.flushes_again = device->replicated,
		.lock_wait = STORE_LOCK_WAIT,
		.interrupted = termination_requested,
	};
}

static int same_id(const char *name, const char *other, const char *id, struct diagnostic *diagnostic)
{
	return diagnostic_set(
		diagnostic,
		"device \"%s\" has the same id as \"%s\", %s: guests could not tell one disk from the other; "
		"give one of them another id = \"...\"",
		name, other, id);
}

/* One device, when those before it are in found[]. */
static int check_device(const struct configuration *configuration, int minor, struct store_found *found,
			struct diagnostic *diagnostic)
{
	const struct device_configuration *device = &configuration->devices[minor];
	const struct store_settings settings = settings_of(device);

	for (int other = 0; other < minor; other++) {
		const struct device_configuration *earlier = &configuration->devices[other];
		const struct store_settings earlier_settings = settings_of(earlier);

		if (store_same(&settings, &earlier_settings))
			return diagnostic_set(diagnostic, "device \"%s\" has the same image as \"%s\", %s",
					      device->name, earlier->name, device->image_file);
	}
	if (store_check(&settings, &found[minor], diagnostic))
		return -1;
	for (int other = 0; other < minor && found[minor].id[0]; other++) {
		if (!strcmp(found[minor].id, found[other].id))
			return same_id(device->name, configuration->devices[other].name, found[minor].id, diagnostic);
	}
	return 0;
}

int device_table_check(const struct configuration *configuration, const char *path, struct store_found *found,
		       struct diagnostic *diagnostic)
{
	for (int minor = 0; minor < configuration->nr_devices; minor++) {
		found[minor] = (struct store_found){ 0 }; /* how large it is says the set */
		if (device_configuration_has_image(configuration, minor) &&
		    check_device(configuration, minor, found, diagnostic))
			return at_line(diagnostic, path, configuration->devices[minor].image_line);
	}
	return 0;
}

static_assert(STORE_ID_SIZE == RDISK_ID_SIZE, "clients are told a store's id as it is");

static struct store *store_of(struct request_disk *disk)
{
	return &device_of(disk)->store;
}

static enum io_answer submit_to_store(struct request_disk *disk, struct io *io)
{
	return store_submit(store_of(disk), io);
}

static enum io_answer submit_to_set(struct request_disk *disk, struct io *io)
{
	const struct device *device = device_of(disk);

	return member_submit(device->member, device->replica, io);
}

static bool withdraw_from_set(struct request_disk *disk, struct io *io)
{
	return member_withdraw(device_of(disk)->member, io);
}

static bool withdraw_from_store(struct request_disk *disk, struct io *io)
{
	return store_withdraw(store_of(disk), io);
}

static int open_device(struct device_table *table, struct device *device,
		       const struct device_configuration *configuration, bool has_image, struct diagnostic *diagnostic)
{
	struct completions *completions = table->completions;
	const struct store_settings settings = settings_of(configuration);
	uint32_t buffer_size = configuration->buffer;

	if (configuration->replicated) {
		device->member = table->member;
		completions = member_completions(table->member);
	}
	memcpy(device->name, configuration->name, sizeof(device->name));
	device->read_only = configuration->read_only;
	device->is_volatile = configuration->is_volatile || configuration->type == MEMORY_IMAGE;
	device->shared = configuration->shared;
	/* Taken from the host page by page, when they are first used. */
	if (posix_memalign(&device->buffers, PAGE_BYTES, (size_t)buffer_size * (REQUEST_BUFFERS + 1))) {
		device->buffers = NULL;
		return diagnostic_set(diagnostic, "no memory for buffers of %u bytes", buffer_size);
	}
	if (has_image && store_open(&device->store, &settings, completions, diagnostic)) {
		free(device->buffers);
		device->buffers = NULL;
		return -1;
	}
	if (device->member) {
		request_disk_init(&device->disk, submit_to_set, RDISK_SECTOR_SIZE, device->buffers, buffer_size);
		device->disk.withdraw = withdraw_from_set;
		device->disk.reads_pend = true;
		device->disk.stable_writes = true;
		return 0;
	}
	device->size = device->store.size;
	request_disk_init(&device->disk, submit_to_store, device->store.overlap_block, device->buffers, buffer_size);
	device->disk.withdraw = withdraw_from_store;
	return 0;
}

/* Opens the device of a minor, unless a device that is open is the same disk. 0, or -1 and *diagnostic, with its line.
 */
static int open_minor(struct device_table *table, int minor, const struct configuration *configuration,
		      const char *path, struct diagnostic *diagnostic)
{
	struct device *device = &table->devices[minor];
	int line = configuration->devices[minor].image_line;

	if (open_device(table, device, &configuration->devices[minor],
			device_configuration_has_image(configuration, minor), diagnostic))
		return at_line(diagnostic, path, line);
	for (int i = 0; i < table->nr_devices; i++) {
		const struct device *other = &table->devices[i];

		if (i == minor || !other->store.operations || !device->store.operations ||
		    !store_same_id(&device->store, &other->store))
			continue;
		same_id(device->name, other->name, device->store.id, diagnostic);
		return at_line(diagnostic, path, line);
	}
	return 0;
}

int device_table_open(struct device_table *table, const struct configuration *configuration, const char *path,
		      struct completions *completions, struct diagnostic *diagnostic)
{
	struct store_found found[DEVICES_MAX];

	/* All is checked before the first image is opened, and long before one is created. */
	if (device_table_check(configuration, path, found, diagnostic))
		return -1;
	if (getrandom(&table->instance, sizeof(table->instance), 0) != (ssize_t)sizeof(table->instance))
		return diagnostic_set(diagnostic, "cannot get a random number: %s", strerror(errno));
	table->completions = completions;
	table->nr_devices = configuration->nr_devices;
	for (int minor = 0; minor < configuration->nr_devices; minor++) {
		const struct store_settings settings = settings_of(&configuration->devices[minor]);

		if (device_configuration_has_image(configuration, minor) && store_missing(&settings))
			continue;
		if (open_minor(table, minor, configuration, path, diagnostic)) {
			/* One that went away since it was looked for may have been created all the same. */
			device_table_uncreate(table, configuration);
			device_table_close(table);
			return -1;
		}
	}
	return 0;
}

int device_table_create(struct device_table *table, const struct configuration *configuration, const char *path,
			struct diagnostic *diagnostic)
{
	for (int minor = 0; minor < configuration->nr_devices; minor++) {
		struct device *device = &table->devices[minor];

		if (!device->buffers && open_minor(table, minor, configuration, path, diagnostic))
			return -1;
	}
	return 0;
}

void device_table_uncreate(const struct device_table *table, const struct configuration *configuration)
{
	for (int minor = 0; minor < table->nr_devices; minor++) {
		const struct store_settings settings = settings_of(&configuration->devices[minor]);

		store_uncreate(&table->devices[minor].store, &settings);
	}
}

void device_table_log(const struct device_table *table)
{
	for (int minor = 0; minor < table->nr_devices; minor++) {
		const struct device *device = &table->devices[minor];

		if (device->store.id[0])
			log_info("device %s: minor %d, id \"%s\"", device->name, minor, device->store.id);
		else
			log_info("device %s: minor %d, replicated, no image here", device->name, minor);
	}
}

int device_table_flush(struct device_table *table)
{
	int code = 0;

	for (int minor = 0; minor < table->nr_devices; minor++) {
		struct device *device = &table->devices[minor];

		if (device->store.operations && !device->read_only && store_settle(&device->store))
			code = -1;
	}
	return code;
}

void device_table_close(struct device_table *table)
{
	for (int minor = 0; minor < table->nr_devices; minor++) {
		store_close(&table->devices[minor].store);
		free(table->devices[minor].buffers);
		table->devices[minor].buffers = NULL;
	}
	table->nr_devices = 0;
}

/* Nobody has it open by this any more. */
static void end_open(struct device *device, struct device_open *open)
{
	if (open->number)
		member_forget_client(device->member, open->number);
	*open = (struct device_open){ 0 };
}

void device_table_forget_opens(struct device_table *table)
{
	for (int minor = 0; minor < table->nr_devices; minor++) {
		for (int slot = 0; slot < NR_SLOTS; slot++)
			end_open(&table->devices[minor], &table->devices[minor].opens[slot]);
	}
}

void device_table_forget_dead(struct device_table *table)
{
	for (int minor = 0; minor < table->nr_devices; minor++) {
		struct device *device = &table->devices[minor];

		for (int slot = 0; device->member && slot < NR_SLOTS; slot++) {
			struct device_open *open = &device->opens[slot];

			if (open->count == 0 || dvk_peer_incarnation(slot - NR_TASKS) == open->incarnation)
				continue;
			log_info("device %s: endpoint %d died with it open", device->name, slot - NR_TASKS);
			end_open(device, open);
		}
	}
}

void device_table_forget_replicated(struct device_table *table)
{
	for (int minor = 0; minor < table->nr_devices; minor++) {
		struct device *device = &table->devices[minor];

		for (int slot = 0; device->member && slot < NR_SLOTS; slot++)
			end_open(device, &device->opens[slot]);
	}
	if (table->member)
		member_cancel_all(table->member);
}

bool device_learn(struct device *device)
{
	uint64_t before = device->size;
	struct member_disk disk;

	if (device->member && member_disk(device->member, device->replica, &disk))
		device->size = disk.size;
	return device->size != before;
}

struct device *device_find(struct device_table *table, int minor)
{
	return minor >= 0 && minor < table->nr_devices ? &table->devices[minor] : NULL;
}

/* Whether the process that made these opens is gone. */
static bool is_stale(const struct device_table *table, const struct device_open *open, int endpoint)
{
	proc_usr_t process;
	int code = dvk_getprocinfo(table->dcid, dvk_endpoint_number(endpoint), &process);

	if (code == EDVSNOTBIND || (code == 0 && process.p_rts_flags & SLOT_FREE))
		return true;
	/* The node's answer came behind the news of a death, so the library knows it by now. */
	return dvk_peer_incarnation(endpoint) != open->incarnation;
}

/* Whether somebody else's opens forbid this one. Drops those of the dead on the way. */
static bool is_refused(const struct device_table *table, struct device *device, int endpoint, bool write)
{
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		struct device_open *open = &device->opens[slot];
		int holder = slot - NR_TASKS;

		if (open->count == 0 || holder == endpoint || !(write || open->write))
			continue;
		if (!is_stale(table, open, holder))
			return true;
		log_info("device %s: endpoint %d died with it open", device->name, holder);
		end_open(device, open);
	}
	return false;
}

int device_open(struct device_table *table, struct device *device, int endpoint, int access)
{
	struct device_open *open = &device->opens[dvk_endpoint_slot(endpoint)];
	int incarnation = dvk_peer_incarnation(endpoint);
	bool write;

	if (incarnation < 0)
		return EDVSNOTBIND;
	if (access & ~(RDISK_OPEN_READ | RDISK_OPEN_WRITE))
		return EDVSINVAL;
	write = access ? (access & RDISK_OPEN_WRITE) != 0 : !device->read_only;
	if (write && device->read_only)
		return EDVSROFS;
	if (open->incarnation != incarnation) {
		end_open(device, open);
		open->incarnation = incarnation;
	}
	if (open->count == INT32_MAX)
		return EDVSINVAL;
	if (!device->shared && is_refused(table, device, endpoint, write))
		return EDVSBUSY;
	open->count++;
	open->write |= write;
	return 0;
}

uint32_t device_open_number(struct device_table *table, struct device *device, int endpoint, bool *tell)
{
	struct device_open *open = &device->opens[dvk_endpoint_slot(endpoint)];

	*tell = !open->told || open->write != open->told_write;
	if (!open->number)
		open->number = ++table->last_open;
	return open->number;
}

void device_open_told(struct device *device, int endpoint)
{
	struct device_open *open = &device->opens[dvk_endpoint_slot(endpoint)];

	open->told = true;
	open->told_write = open->write;
}

void device_open_failed(struct device *device, int endpoint)
{
	struct device_open *open = &device->opens[dvk_endpoint_slot(endpoint)];

	if (--open->count == 0) {
		end_open(device, open);
		return;
	}
	/* The others of this client are as the set knows them. */
	open->write = open->told_write;
}

/* The opens of a client that lives, or NULL. */
static const struct device_open *find_open(const struct device *device, int endpoint)
{
	const struct device_open *open = &device->opens[dvk_endpoint_slot(endpoint)];

	return open->count > 0 && dvk_peer_incarnation(endpoint) == open->incarnation ? open : NULL;
}

bool device_has_open(const struct device *device, int endpoint)
{
	return find_open(device, endpoint) != NULL;
}

int device_close(struct device *device, int endpoint)
{
	struct device_open *open = &device->opens[dvk_endpoint_slot(endpoint)];

	if (!find_open(device, endpoint))
		return EDVSNXIO;
	if (--open->count == 0)
		end_open(device, open);
	return 0;
}

int device_access(const struct device *device, int endpoint, bool write)
{
	const struct device_open *open = find_open(device, endpoint);

	if (!open)
		return EDVSNXIO;
	if (write && device->read_only)
		return EDVSROFS;
	if (write && !open->write)
		return EDVSBADOWNER;
	return 0;
}

void device_info(const struct device_table *table, int minor, struct rdisk_info *info)
{
	const struct device *device = &table->devices[minor];
	struct member_disk disk;

	*info = (struct rdisk_info){
		.size_of = sizeof(*info),
		.flags = (device->read_only ? RDISK_INFO_READ_ONLY : 0) |
			 (device->is_volatile ? RDISK_INFO_VOLATILE : 0) |
			 (device->store.discards ? RDISK_INFO_DISCARD : 0) | (device->shared ? RDISK_INFO_SHARED : 0),
		.nr_minors = (uint32_t)table->nr_devices,
		.minor = (uint32_t)minor,
		.size = device->size,
		.logical_block = RDISK_SECTOR_SIZE,
		.physical_block = device->store.physical_block,
		.max_segments = RDISK_VECTOR_MAX,
		.max_batch = RDISK_BATCH_MAX,
		.max_transfer = INT32_MAX,
		.instance = table->instance,
		.image_id = device->store.file_identity,
	};
	memcpy(info->name, device->name, sizeof(info->name));
	memcpy(info->id, device->store.id, sizeof(info->id));
	if (device->member && member_disk(device->member, device->replica, &disk)) {
		info->image_id = disk.identity;
		info->physical_block = DISK_BLOCK;
		info->flags |= RDISK_INFO_DISCARD;
		memcpy(info->id, disk.id, sizeof(info->id));
	}
}

void device_partition(const struct device *device, struct rdisk_partition *partition)
{
	uint64_t cylinders = device->size / (RDISK_SECTOR_SIZE * HEADS * SECTORS);

	*partition = (struct rdisk_partition){
		.base = 0,
		.size = device->size,
		.cylinders = cylinders > UINT32_MAX ? UINT32_MAX : (uint32_t)cylinders,
		.heads = HEADS,
		.sectors = SECTORS,
	};
}

void device_describe(const struct configuration *configuration, const uint64_t *sizes, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (int minor = 0; minor < configuration->nr_devices && used < size; minor++) {
		const struct device_configuration *device = &configuration->devices[minor];
		char size_text[SIZE_TEXT];
		const char *known_size = sizes[minor] ? size_format(sizes[minor], size_text) : "-";
		int length =
			snprintf(text + used, size - used, "%s%d %s %s %s%s%s%s%s", minor ? ", " : "", minor,
				 device->name, known_size, device->read_only ? "ro" : "rw",
				 device->is_volatile ? " volatile" : "", device->type == MEMORY_IMAGE ? " memory" : "",
				 device->shared ? " shared" : "", device->replicated ? " replicated" : "");

		if (length > 0)
			used += (size_t)length;
	}
}
