// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Disks of the guest's driver as the block layer sees them: adding, opening, closing, geometry,
 * and what becomes of a disk when its server has been away. Data moves in rdisk_queue.c.
 *
 * A disk is open at the server while somebody has it open here, for writing only once somebody
 * wants to write: so that two guests can look at each other's disks, not more.
 */
#define pr_fmt(fmt) "rdisk: " fmt

#include <linux/ata.h>
#include <linux/blkdev.h>
#include <linux/ctype.h>
#include <linux/hdreg.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "rdisk_kern.h"

#define TRANSFER_MAX (4u << 20) /* bytes of one request */
#define TRANSFER_LEAST (64u << 10) /* a server that takes less is not believed */
#define RANGE_SECTORS_MAX (UINT_MAX >> SECTOR_SHIFT) /* of one discard or write-zeroes */
#define SIZE_MAX_BYTES ((u64)S64_MAX & ~(u64)(SECTOR_SIZE - 1))

/* The original's geometry. */
#define HEADS 2
#define SECTORS 32

/* Checks and rounds what the server told of a minor. False if no disk can be made of it. */
static bool info_sane(struct rdisk_info *info)
{
	info->size &= ~(u64)(SECTOR_SIZE - 1);
	if (!info->size || info->size > SIZE_MAX_BYTES)
		return false;
	if (!is_power_of_2(info->logical_block) || info->logical_block < SECTOR_SIZE ||
	    info->logical_block > PAGE_SIZE)
		info->logical_block = SECTOR_SIZE;
	if (!is_power_of_2(info->physical_block) || info->physical_block < info->logical_block)
		info->physical_block = info->logical_block;
	info->max_segments = clamp_t(u32, info->max_segments, 1, RDISK_VECTOR_MAX);
	info->max_transfer = clamp_t(u64, info->max_transfer, TRANSFER_LEAST, TRANSFER_MAX);
	info->name[RDISK_NAME_SIZE - 1] = '\0';
	/* it is compared whole */
	info->id[RDISK_ID_SIZE - 1] = '\0';
	for (char *c = info->name; *c; c++)
		if (!isprint(*c) || *c == '"')
			*c = '?';
	return true;
}

static void print_disk(const struct rdisk_disk *disk)
{
	const struct rdisk_info *info = &disk->info;

	pr_info("%s: %llu sectors (%llu MiB), minor %d of endpoint %d, \"%s\"%s%s\n", disk->gendisk->disk_name,
		info->size >> SECTOR_SHIFT, info->size >> 20, disk->minor, rdisk.parameters.rd_ep, info->name,
		info->flags & RDISK_INFO_READ_ONLY ? ", read-only" : "",
		info->flags & RDISK_INFO_VOLATILE ? ", volatile" : "");
}

/* Tells the block layer what disk->info says. Nobody has the disk open. */
static void apply_info(struct rdisk_disk *disk)
{
	const struct rdisk_info *info = &disk->info;
	struct request_queue *queue = disk->gendisk->queue;
	bool discard = info->flags & RDISK_INFO_DISCARD;

	blk_queue_logical_block_size(queue, info->logical_block);
	blk_queue_physical_block_size(queue, info->physical_block);
	blk_queue_max_hw_sectors(queue, (unsigned int)info->max_transfer >> SECTOR_SHIFT);
	blk_queue_max_segments(queue, (unsigned short)info->max_segments);
	blk_queue_max_segment_size(queue, UINT_MAX);
	blk_queue_max_discard_sectors(queue, discard ? RANGE_SECTORS_MAX : 0);
	queue->limits.discard_granularity = discard ? max_t(u32, info->physical_block, PAGE_SIZE) : 0;
	blk_queue_max_write_zeroes_sectors(queue, RANGE_SECTORS_MAX);
	blk_queue_write_cache(queue, true, true);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, queue);
	set_disk_ro(disk->gendisk, info->flags & RDISK_INFO_READ_ONLY);
}

/* ---- open and close ---- */

static int error_of(int code)
{
	switch (code) {
	case EDVSBUSY:
		return -EBUSY;
	case EDVSROFS:
		return -EROFS;
	case EDVSNXIO:
		return -ENXIO;
	case EDVSACCES:
	case EDVSPERM:
	case EDVSBADOWNER:
		return -EACCES;
	case EDVSNOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* Whether two infos are of one disk, whatever file it is in. */
static bool same_id(const struct rdisk_info *a, const struct rdisk_info *b)
{
	return !memcmp(a->id, b->id, sizeof(a->id));
}

/* Takes over what the server says of a disk now. Nobody has it open; its open_mutex is held. */
static void refresh(struct rdisk_disk *disk)
{
	unsigned long flags;
	bool changed = false;
	bool other_data = false;

	spin_lock_irqsave(&rdisk.lock, flags);
	if (disk->stale && !disk->users) {
		disk->stale = false;
		/* one that is not there any more keeps its size: opening it says what is wrong */
		other_data = disk->next_present && (disk->next.size != disk->info.size ||
						    disk->next.image_id != disk->info.image_id ||
						    !same_id(&disk->next, &disk->info));
		changed = other_data || (disk->next_present && disk->next.flags != disk->info.flags);
		if (disk->next_present)
			disk->info = disk->next;
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);
	if (!changed)
		return;
	apply_info(disk);
	set_capacity_and_notify(disk->gendisk, disk->info.size >> SECTOR_SHIFT);
	if (other_data) /* the next open reads the partition table anew */
		set_bit(GD_NEED_PART_SCAN, &disk->gendisk->state);
	print_disk(disk);
}

static void drop_user(struct rdisk_disk *disk)
{
	unsigned long flags;
	bool last;

	spin_lock_irqsave(&rdisk.lock, flags);
	last = --disk->users == 0;
	if (last) {
		disk->wanted = 0;
		disk->failed = false;
		rdisk.work_opens = true;
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);
	if (last)
		refresh(disk);
	rdisk_pump();
}

static bool open_settled(struct rdisk_disk *disk, int access, int *error)
{
	unsigned long flags;
	bool settled;

	spin_lock_irqsave(&rdisk.lock, flags);
	*error = 0;
	if (disk->failed)
		*error = -EIO;
	else if (access & ~disk->access)
		*error = error_of(disk->open_error);
	settled = !*error || disk->failed || disk->open_error;
	spin_unlock_irqrestore(&rdisk.lock, flags);
	return settled;
}

/* However long it takes, and the console hears of that. 0 or -errno. */
static int await_open(struct rdisk_disk *disk, int access)
{
	int error;
	long left;

	do {
		left = wait_event_killable_timeout(disk->settled, open_settled(disk, access, &error),
						   disk->gendisk->queue->rq_timeout);
		if (!left)
			rdisk_wait_unanswered(disk->gendisk, "an open");
	} while (!left);
	return left < 0 ? -EINTR : error;
}

static int rdisk_open(struct block_device *bdev, fmode_t mode)
{
	struct rdisk_disk *disk = bdev->bd_disk->private_data;
	int access = RDISK_OPEN_READ;
	unsigned long flags;
	int error;

	refresh(disk); /* rdisk_disks_scan() may not have come to it yet */
	if (mode & FMODE_WRITE) {
		if (disk->info.flags & RDISK_INFO_READ_ONLY)
			return -EROFS;
		access |= RDISK_OPEN_WRITE;
	}
	spin_lock_irqsave(&rdisk.lock, flags);
	disk->users++;
	if (rdisk.away)
		rdisk_wait_begin(disk);
	if (!disk->failed) {
		disk->open_error = 0;
		disk->wanted |= access;
		rdisk.work_opens = true;
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);
	rdisk_pump();
	error = await_open(disk, access);
	if (error)
		drop_user(disk);
	return error;
}

static void rdisk_release(struct gendisk *gendisk, fmode_t mode)
{
	drop_user(gendisk->private_data);
}

static int rdisk_getgeo(struct block_device *bdev, struct hd_geometry *geometry)
{
	const struct rdisk_disk *disk = bdev->bd_disk->private_data;

	geometry->heads = HEADS;
	geometry->sectors = SECTORS;
	geometry->cylinders = (unsigned short)(disk->info.size / (HEADS * SECTORS * SECTOR_SIZE));
	return 0;
}

static int rdisk_ioctl(struct block_device *bdev, fmode_t mode, unsigned int command, unsigned long argument)
{
	const struct rdisk_disk *disk = bdev->bd_disk->private_data;
	u16 identity[ATA_ID_WORDS] = { 0 };

	if (command != HDIO_GET_IDENTITY)
		return -ENOTTY;
	identity[ATA_ID_CYLS] = (u16)(disk->info.size / (HEADS * SECTORS * SECTOR_SIZE));
	identity[ATA_ID_HEADS] = HEADS;
	identity[ATA_ID_SECTORS] = SECTORS;
	if (copy_to_user((void __user *)argument, identity, sizeof(identity)))
		return -EFAULT;
	return 0;
}

static const struct block_device_operations rdisk_operations = {
	.owner = THIS_MODULE,
	.open = rdisk_open,
	.release = rdisk_release,
	.ioctl = rdisk_ioctl,
	.compat_ioctl = blkdev_compat_ptr_ioctl,
	.getgeo = rdisk_getgeo,
};

/* ---- sysfs ---- */

/* Name of the device in the server's configuration. */
static ssize_t image_show(struct device *device, struct device_attribute *attribute, char *page)
{
	const struct rdisk_disk *disk = dev_to_disk(device)->private_data;

	return sysfs_emit(page, "%s\n", disk->info.name);
}

static DEVICE_ATTR_RO(image);

/* The disk's identity, under the name that virtio's and NVMe's disks give it. */
static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *page)
{
	const struct rdisk_disk *disk = dev_to_disk(dev)->private_data;

	return sysfs_emit(page, "%.*s\n", RDISK_ID_SIZE - 1, disk->info.id);
}

static DEVICE_ATTR_RO(serial);

static struct attribute *rdisk_attrs[] = {
	&dev_attr_image.attr,
	&dev_attr_serial.attr,
	NULL,
};

ATTRIBUTE_GROUPS(rdisk);

/* ---- disks come, change and fail ---- */

void rdisk_disks_init(void)
{
	for (int i = 0; i < RDISK_MINORS_MAX; i++) {
		struct rdisk_disk *disk = &rdisk.disks[i];

		disk->minor = i;
		INIT_LIST_HEAD(&disk->parked);
		init_waitqueue_head(&disk->settled);
	}
}

/* Why a disk in use cannot go on after a connect; NULL if it can. Lock held. */
static const char *difference(const struct rdisk_disk *disk, const struct rdisk_minor *minor)
{
	if (!disk->next_present)
		return "the server does not have it any more";
	if (minor->error)
		return rdisk_error_text(minor->error);
	if (disk->next.size != disk->info.size)
		return "its size has changed";
	if ((disk->info.flags & RDISK_INFO_VOLATILE) && disk->next.instance != disk->info.instance)
		return "it was volatile, and what was written is lost";
	if (!same_id(&disk->next, &disk->info))
		return "it is another disk now";
	if ((disk->next.flags ^ disk->info.flags) & RDISK_INFO_READ_ONLY)
		return "its being read-only has changed";
	return NULL;
}

static bool failed;
module_param(failed, bool, 0444);
MODULE_PARM_DESC(failed, "A disk has failed while it was open for writing, or a write to it has: data may be lost");

void rdisk_disk_lost(void)
{
	WRITE_ONCE(failed, true);
}

void rdisk_disk_fail(struct rdisk_disk *disk, const char *why)
{
	disk->failed = true;
	if (disk->wanted & RDISK_OPEN_WRITE)
		rdisk_disk_lost();
	/* nothing will come from it any more: others may have it at the server */
	disk->wanted = 0;
	rdisk.work_opens = true;
	pr_err("%s: %s: all I/O fails until it is closed\n", disk->gendisk->disk_name, why);
	wake_up_all(&disk->settled);
}

/* What whoever runs the server needs to know after "it is another disk now". */
static void print_identities(const struct rdisk_disk *disk)
{
	const char *old = disk->info.id;
	const char *new = disk->next.id;

	/* what the server sends is printed with escapes */
	pr_err("%s: its id was \"%*pE\" and is \"%*pE\": if it is to be the disk that it was, restart the server with id = \"%*pE\"\n",
	       disk->gendisk->disk_name, (int)strlen(old), old, (int)strlen(new), new, (int)strlen(old), old);
}

void rdisk_disks_recheck(void)
{
	for (int i = 0; i < RDISK_MINORS_MAX; i++) {
		struct rdisk_disk *disk = &rdisk.disks[i];
		const struct rdisk_minor *minor = &rdisk.link->minors[i];
		const char *why;

		disk->next = minor->info;
		disk->next_present = minor->present && info_sane(&disk->next);
		/* what rd_thread could open again, which may be less than was open */
		disk->access = minor->access;
		if (!disk->gendisk)
			continue;
		disk->stale = true;
		/* one that has failed is taken over whole, once it is closed: see refresh() */
		if (!disk->users || disk->failed)
			continue;
		why = difference(disk, minor);
		if (why) {
			rdisk_disk_fail(disk, why);
			if (disk->next_present && !same_id(&disk->next, &disk->info))
				print_identities(disk);
		} else if (disk->next.image_id != disk->info.image_id) {
			pr_info("%s: its image is another file now, and the same disk as its server says\n",
				disk->gendisk->disk_name);
			disk->info.image_id = disk->next.image_id;
		}
	}
}

/* rdiska .. rdiskz, rdiskaa .. */
static void name_disk(char *name, size_t size, int minor)
{
	if (minor < 26)
		snprintf(name, size, "rdisk%c", 'a' + minor);
	else
		snprintf(name, size, "rdisk%c%c", 'a' + minor / 26 - 1, 'a' + minor % 26);
}

static int add_disk_of(struct rdisk_disk *disk)
{
	struct gendisk *gendisk = blk_mq_alloc_disk(&rdisk.tags, disk);
	int err;

	if (IS_ERR(gendisk))
		return PTR_ERR(gendisk);
	gendisk->major = rdisk.major;
	gendisk->first_minor = disk->minor * RDISK_MINORS_PER_DISK;
	gendisk->minors = RDISK_MINORS_PER_DISK;
	gendisk->fops = &rdisk_operations;
	gendisk->private_data = disk;
	name_disk(gendisk->disk_name, sizeof(gendisk->disk_name), disk->minor);
	disk->gendisk = gendisk;
	apply_info(disk);
	set_capacity(gendisk, disk->info.size >> SECTOR_SHIFT);
	print_disk(disk);
	err = device_add_disk(NULL, gendisk, rdisk_groups);
	if (err) {
		disk->gendisk = NULL;
		put_disk(gendisk);
	}
	return err;
}

void rdisk_disks_scan(void)
{
	for (int i = 0; i < RDISK_MINORS_MAX; i++) {
		struct rdisk_disk *disk = &rdisk.disks[i];
		unsigned long flags;
		bool present;
		int err;

		if (disk->gendisk) {
			mutex_lock(&disk->gendisk->open_mutex);
			refresh(disk);
			mutex_unlock(&disk->gendisk->open_mutex);
			continue;
		}
		spin_lock_irqsave(&rdisk.lock, flags);
		present = disk->next_present;
		disk->info = disk->next;
		spin_unlock_irqrestore(&rdisk.lock, flags);
		if (!present)
			continue;
		err = add_disk_of(disk);
		if (err)
			pr_err("minor %d: disk cannot be added: error %d\n", i, -err);
	}
}
