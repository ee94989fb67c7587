// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Block driver of the replicated disk for User-Mode Linux: start, parameters, interrupt.
 *
 *   linux ... dcid=0 uml_ep=-2 rd_ep=3
 *
 * makes every minor of the rdisk server at endpoint 3 of DC 0 a disk: /dev/rdiska, /dev/rdiskb, ...
 * Without dcid= the driver does nothing. A server that is not there yet is waited for beside the
 * boot. See rdisk.h for the parts and who owns what.
 */
#define pr_fmt(fmt) "rdisk: " fmt

#include <linux/blkdev.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <as-layout.h>
#include <init.h>
#include <irq_kern.h>
#include <mem.h>
#include <mem_user.h>

#include "dvk_endpoint.h"
#include "rdisk_kern.h"

/* How long the boot waits for the disks of a server that is there. */
#define FIRST_SCAN_TIMEOUT (10 * HZ)

#define NO_DCID (-1)

struct rdisk_driver rdisk = {
	.lock = __SPIN_LOCK_UNLOCKED(rdisk.lock),
	.pending = LIST_HEAD_INIT(rdisk.pending),
	.parameters = {
		.dcid = NO_DCID,
		.uml_ep = SYSTEM,
		.rd_ep = RDISK_PROC_NR,
	},
};

/* ---- kernel command line ---- */

static void parse_number(const char *name, const char *text, int least, int most, int *value)
{
	int number;

	if (kstrtoint(text, 0, &number) || number < least || number > most) {
		pr_err("%s%s: not a number from %d to %d, ignored\n", name, text, least, most);
		return;
	}
	*value = number;
}

static int __init setup_dcid(char *text)
{
	parse_number("dcid=", text, 0, NR_DCS - 1, &rdisk.parameters.dcid);
	return 1;
}
__setup("dcid=", setup_dcid);
__uml_help(setup_dcid,
	   "dcid=<number>\n"
	   "    Distributed container that the guest belongs to. Without it the rdisk\n"
	   "    driver is not active.\n\n");

static int __init setup_uml_ep(char *text)
{
	parse_number("uml_ep=", text, -NR_TASKS, NR_PROCS - 1, &rdisk.parameters.uml_ep);
	return 1;
}
__setup("uml_ep=", setup_uml_ep);
__uml_help(setup_uml_ep,
	   "uml_ep=<endpoint>\n"
	   "    Endpoint of the guest itself, one for each guest of a DC. Default -2.\n\n");

static int __init setup_rd_ep(char *text)
{
	parse_number("rd_ep=", text, -NR_TASKS, NR_PROCS - 1, &rdisk.parameters.rd_ep);
	return 1;
}
__setup("rd_ep=", setup_rd_ep);
__uml_help(setup_rd_ep,
	   "rd_ep=<endpoint>\n"
	   "    Endpoint of the rdisk server. Its minors are /dev/rdiska, /dev/rdiskb,\n"
	   "    ... Default 3.\n\n");

static int __init setup_dvk_node(char *text)
{
	if (strscpy(rdisk.parameters.node_path, text, sizeof(rdisk.parameters.node_path)) < 0) {
		pr_err("dvk_node=%s: longer than a socket's name can be, ignored\n", text);
		rdisk.parameters.node_path[0] = '\0';
	}
	return 1;
}
__setup("dvk_node=", setup_dvk_node);
__uml_help(setup_dvk_node,
	   "dvk_node=<path>\n"
	   "    Socket of the DVK node on the host. Default: node.sock in\n"
	   "    $DVK_RUNTIME_DIR, else $XDG_RUNTIME_DIR/dvk, else /run/dvk for root and\n"
	   "    /tmp/dvk-<uid> for others.\n\n");

/* ---- news of rd_thread ---- */

static void print_progress(void)
{
	static enum rdisk_progress last_progress = RDISK_STARTING;
	static int last_reason;
	const struct rdisk_parameters *parameters = &rdisk.parameters;
	enum rdisk_progress progress;
	int reason;

	progress = rdisk_user_progress(&reason);
	rdisk_wait_server(progress == RDISK_CONNECTED);
	if (progress == last_progress && reason == last_reason)
		return;
	last_progress = progress;
	last_reason = reason;
	switch (progress) {
	case RDISK_STARTING:
		break;
	case RDISK_NO_NODE:
		if (reason == EDVSDCNOTRUN)
			pr_info("DC %d does not run at the node of %s: no server has its dcid, waiting\n",
				parameters->dcid, parameters->node_path);
		else
			pr_info("no node to use at %s (%s), waiting\n", parameters->node_path,
				rdisk_error_text(reason));
		break;
	case RDISK_NO_SERVER:
		pr_info("no server at endpoint %d of DC %d, waiting\n", parameters->rd_ep, parameters->dcid);
		break;
	case RDISK_REFUSED:
		pr_warn("endpoint %d does not answer as a disk server (%s), trying on\n", parameters->rd_ep,
			rdisk_error_text(reason));
		break;
	case RDISK_CONNECTED:
		pr_info("connected to endpoint %d of DC %d\n", parameters->rd_ep, parameters->dcid);
		break;
	case RDISK_LOST:
		pr_warn("server at endpoint %d is gone (%s), requests wait for it\n", parameters->rd_ep,
			rdisk_error_text(reason));
		break;
	}
	/* nothing to wait for now: the boot goes on */
	if (progress == RDISK_NO_NODE || progress == RDISK_NO_SERVER || progress == RDISK_REFUSED)
		complete_all(&rdisk.first_scan);
}

/* Interrupts off. */
static void take_news(void)
{
	rdisk_user_drain();
	print_progress();
	rdisk_collect();
}

static irqreturn_t rdisk_interrupt(int irq, void *device)
{
	take_news();
	return IRQ_HANDLED;
}

static void rdisk_scan(struct work_struct *work)
{
	rdisk_disks_scan();
	complete_all(&rdisk.first_scan);
}

/* ---- start and end ---- */

static int __init rdisk_init_tags(void)
{
	rdisk.tags.ops = &rdisk_queue_ops;
	rdisk.tags.nr_hw_queues = 1;
	rdisk.tags.queue_depth = RDISK_TAGS;
	rdisk.tags.numa_node = NUMA_NO_NODE;
	rdisk.tags.cmd_size = sizeof(struct rdisk_command);
	/* the server is no rotating disk: an elevator would only add work */
	rdisk.tags.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	return blk_mq_alloc_tag_set(&rdisk.tags);
}

/* All guest memory that a bio can point to: what lies above the kernel's own image. */
static void __init describe_memory(struct rdisk_parameters *parameters)
{
	unsigned long end = high_physmem & PAGE_MASK;
	unsigned long long offset;

	parameters->memory_fd = phys_mapping(__pa(uml_reserved), &offset);
	parameters->memory_base = (void *)uml_reserved;
	parameters->memory_length = end - uml_reserved;
	parameters->memory_offset = offset;
}

static int __init rdisk_init(void)
{
	unsigned long flags;
	int irq_fd, err;

	if (rdisk.parameters.dcid == NO_DCID) {
		pr_info("not active, as no dcid= says whose disks to use\n");
		return 0;
	}
	init_completion(&rdisk.first_scan);
	INIT_WORK(&rdisk.scan, rdisk_scan);
	rdisk_disks_init();
	err = rdisk_wait_init();
	if (err)
		goto fail;
	rdisk.major = register_blkdev(0, "rdisk");
	if (rdisk.major < 0) {
		err = rdisk.major;
		goto fail;
	}
	err = rdisk_init_tags();
	if (err)
		goto out_unregister;
	describe_memory(&rdisk.parameters);
	err = rdisk_user_start(&rdisk.parameters, &rdisk.link, &rdisk.control, &irq_fd);
	if (err)
		goto out_free_tags;
	err = um_request_irq(UM_IRQ_ALLOC, irq_fd, IRQ_READ, rdisk_interrupt, 0, "rdisk", &rdisk);
	if (err < 0)
		goto out_destroy;
	/* what rd_thread told before this raises no interrupt */
	local_irq_save(flags);
	take_news();
	local_irq_restore(flags);
	return 0;

out_destroy:
	rdisk_user_destroy();
out_free_tags:
	blk_mq_free_tag_set(&rdisk.tags);
out_unregister:
	unregister_blkdev(rdisk.major, "rdisk");
fail:
	rdisk.parameters.dcid = NO_DCID;
	pr_err("driver cannot start: error %d\n", -err);
	return err;
}
device_initcall(rdisk_init);

/* The root may be on a disk of ours: if a server is there, let its disks come first. */
static int __init rdisk_wait_for_disks(void)
{
	if (rdisk.parameters.dcid != NO_DCID && !wait_for_completion_timeout(&rdisk.first_scan, FIRST_SCAN_TIMEOUT))
		pr_warn("disks are not there yet, booting on without them\n");
	return 0;
}
late_initcall_sync(rdisk_wait_for_disks);

static void rdisk_exit(void)
{
	if (rdisk.parameters.dcid != NO_DCID)
		rdisk_user_stop();
}

__uml_exitcall(rdisk_exit);
