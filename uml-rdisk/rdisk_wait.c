// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What waits for a server that is away: the console hears of it, and it ends when the guest ends.
 *
 * While the guest runs requests and opens wait however long: the server may come back. A guest that
 * shuts down waits some time more, then they fail, so that it can end. That it shuts down nobody tells the
 * kernel before reboot(2), while what hangs is the sync or the unmounting before that: so whoever
 * begins with those writes to the parameter "shutdown" first.
 *
 * A server that is there and does not answer is not away: the requests that it has may use the guest's memory,
 * and however slow its disk is, the shutdown waits for it; the console hears of that. See rdisk_timeout().
 *
 * All here is guarded by rdisk.lock.
 */
#define pr_fmt(fmt) "rdisk: " fmt

#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/jiffies.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/reboot.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "rdisk_kern.h"

/* The console hears of a wait after the first time, then each time after twice as long, up to the last. */
#define LINE_FIRST (5 * HZ)
#define LINE_LAST (600 * HZ)

static unsigned int shutdown_timeout = 10; /* s */
static bool shutdown;
static bool abandoned;

static struct {
	unsigned long away_since;     /* jiffies, while rdisk.away */
	unsigned long shutdown_since; /* jiffies, while shutdown */
	bool watching;		      /* something waited when last looked, or has begun to */
	bool told;		      /* the console has heard that the server is away */
	unsigned long next_line;      /* jiffies, while watching */
	unsigned long distance;	      /* jiffies from that line to the one after it */
} waits;

static void rdisk_wait_tick(struct timer_list *timer);
static DEFINE_TIMER(wait_timer, rdisk_wait_tick);

/*
 * Whether rd_thread looks for a server. Then the batch and what is suspended can be touched, though the link is
 * rd_thread's: there is nobody who could answer them, and when there is again, they go to him anew.
 */
static bool server_is_away(void)
{
	int reason;

	return rdisk.away && rdisk_user_progress(&reason) != RDISK_CONNECTED;
}

static unsigned int seconds_away(void)
{
	return (unsigned int)((jiffies - waits.away_since) / HZ);
}

/* Which disks somebody waits for. The server is away. */
static void find_waiting(unsigned long *disks)
{
	struct rdisk_command *command;

	bitmap_zero(disks, RDISK_MINORS_MAX);
	list_for_each_entry(command, &rdisk.pending, node)
		__set_bit(command->request.minor, disks);
	for (unsigned int i = 0; i < rdisk.nr_batch; i++)
		__set_bit(rdisk_command_of(rdisk.batch[i])->request.minor, disks);
	for (unsigned int tag = 0; tag < RDISK_TAGS; tag++)
		if (rdisk.suspended[tag])
			__set_bit(rdisk_command_of(rdisk.suspended[tag])->request.minor, disks);
	for (int i = 0; i < RDISK_MINORS_MAX; i++)
		if (!list_empty(&rdisk.disks[i].parked) || wq_has_sleeper(&rdisk.disks[i].settled))
			__set_bit(i, disks);
}

static bool any_disk_used(void)
{
	for (int i = 0; i < RDISK_MINORS_MAX; i++)
		if (rdisk.disks[i].users)
			return true;
	return false;
}

/* ---- the console: as errors, or it would not show them when it is to be quiet ---- */

static const char *why_away(void)
{
	int reason;

	switch (rdisk_user_progress(&reason)) {
	case RDISK_NO_NODE:
		return "there is no node to use";
	case RDISK_REFUSED:
		return "who is there does not answer as a disk server";
	default:
		return "nobody is there";
	}
}

/* The next line says what can be done: nobody else may be there who knows. */
static void print_waiting(void)
{
	DECLARE_BITMAP(disks, RDISK_MINORS_MAX);
	const struct rdisk_parameters *parameters = &rdisk.parameters;
	unsigned int minor;

	find_waiting(disks);
	waits.watching = !bitmap_empty(disks, RDISK_MINORS_MAX);
	for_each_set_bit(minor, disks, RDISK_MINORS_MAX)
		pr_err("%s waits for the server at endpoint %d of DC %d, gone for %u s: %s\n",
		       rdisk.disks[minor].gendisk->disk_name, parameters->rd_ep, parameters->dcid,
		       seconds_away(), why_away());
	if (!waits.watching)
		return;
	pr_err("it goes on when rdisk -d %d -e %d runs on the host, at the node of %s; to end without: echo 1 >/sys/module/rdisk/parameters/shutdown\n",
	       parameters->dcid, parameters->rd_ep, parameters->node_path);
	waits.told = true;
	waits.next_line = jiffies + waits.distance;
	waits.distance = min_t(unsigned long, waits.distance * 2, LINE_LAST);
}

static void print_shutdown(void)
{
	if (!rdisk.away || !shutdown || rdisk.given_up || !any_disk_used())
		return;
	waits.told = true;
	pr_err("the guest shuts down: requests that wait for the server fail in %u s\n", shutdown_timeout);
}

void rdisk_wait_unanswered(const struct gendisk *gendisk, const char *what)
{
	static unsigned long next_line;
	unsigned int timeout = gendisk->queue->rq_timeout;
	unsigned long flags;

	spin_lock_irqsave(&rdisk.lock, flags);
	if (!rdisk.away && time_after_eq(jiffies, next_line)) {
		next_line = jiffies + timeout;
		pr_err("%s: the server is there, but has not answered %s for %u s, waiting: on its host rdiskctl status tells what a disk with copies waits for, the server's log what else is wrong\n",
		       gendisk->disk_name, what, timeout / HZ);
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);
}

/* ---- time ---- */

/* When the wait is over, in jiffies. The guest shuts down. */
static unsigned long deadline(void)
{
	unsigned long since = waits.away_since;

	if (time_after(waits.shutdown_since, since))
		since = waits.shutdown_since;
	return since + (unsigned long)shutdown_timeout * HZ;
}

/* After each change of what the timer is for. It is never stopped: when it is early nothing is due. */
static void set_timer(void)
{
	if (!rdisk.away || rdisk.given_up)
		return;
	if (shutdown && (!waits.watching || time_before(deadline(), waits.next_line)))
		mod_timer(&wait_timer, deadline());
	else if (waits.watching)
		mod_timer(&wait_timer, waits.next_line);
}

static void watch(void)
{
	if (waits.watching)
		return;
	waits.watching = true;
	waits.next_line = jiffies + LINE_FIRST;
	waits.distance = LINE_FIRST * 2;
	set_timer();
}

/* ---- the end of the wait ---- */

static void abandon(struct rdisk_disk *disk)
{
	abandoned = true;
	rdisk_disk_fail(disk, "the server is gone and the guest shuts down");
}

/* Everything that waits fails: requests go to the list, opens see it. */
static void give_up(struct list_head *commands)
{
	DECLARE_BITMAP(disks, RDISK_MINORS_MAX);
	unsigned int minor;

	rdisk.given_up = true;
	waits.watching = false;
	find_waiting(disks);
	for_each_set_bit(minor, disks, RDISK_MINORS_MAX)
		abandon(&rdisk.disks[minor]);
	list_splice_init(&rdisk.pending, commands);
	while (rdisk.nr_batch)
		list_add(&rdisk_command_of(rdisk.batch[--rdisk.nr_batch])->node, commands);
	for (unsigned int tag = 0; tag < RDISK_TAGS; tag++) {
		if (!rdisk.suspended[tag])
			continue;
		list_add(&rdisk_command_of(rdisk.suspended[tag])->node, commands);
		rdisk.suspended[tag] = NULL;
		rdisk.nr_suspended--;
	}
	for (int i = 0; i < RDISK_MINORS_MAX; i++)
		list_splice_tail_init(&rdisk.disks[i].parked, commands);
}

static void rdisk_wait_tick(struct timer_list *timer)
{
	unsigned long flags;
	LIST_HEAD(failed);

	spin_lock_irqsave(&rdisk.lock, flags);
	if (server_is_away() && !rdisk.given_up) {
		if (shutdown && time_after_eq(jiffies, deadline()))
			give_up(&failed);
		else if (waits.watching && time_after_eq(jiffies, waits.next_line))
			print_waiting();
	}
	set_timer();
	spin_unlock_irqrestore(&rdisk.lock, flags);
	rdisk_fail_commands(&failed);
}

/* ---- what others tell ---- */

void rdisk_wait_begin(struct rdisk_disk *disk)
{
	if (!rdisk.given_up)
		watch();
	else if (!disk->failed)
		abandon(disk);
}

void rdisk_wait_server(bool connected)
{
	unsigned long flags;

	spin_lock_irqsave(&rdisk.lock, flags);
	if (connected) {
		if (waits.told)
			pr_err("the server at endpoint %d of DC %d is back after %u s\n", rdisk.parameters.rd_ep,
			       rdisk.parameters.dcid, seconds_away());
		rdisk.away = false;
		rdisk.given_up = false;
		waits.watching = false;
		waits.told = false;
	} else if (!rdisk.away) {
		rdisk.away = true;
		waits.away_since = jiffies;
		/* for what the old server has not answered */
		watch();
		print_shutdown();
		set_timer();
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);
}

/* Nothing that the kernel does from here on waits for a disk; what waits by now ends with the guest. */
static int rdisk_wait_end(struct notifier_block *block, unsigned long event, void *data)
{
	DECLARE_BITMAP(disks, RDISK_MINORS_MAX);
	unsigned long flags;
	unsigned int minor;

	spin_lock_irqsave(&rdisk.lock, flags);
	if (server_is_away()) {
		find_waiting(disks);
		for_each_set_bit(minor, disks, RDISK_MINORS_MAX)
			pr_err("%s: the guest ends while requests wait for the server: they are lost\n",
			       rdisk.disks[minor].gendisk->disk_name);
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = rdisk_wait_end };

int rdisk_wait_init(void)
{
	return register_reboot_notifier(&reboot_notifier);
}

/* ---- parameters ---- */

static int set_shutdown_timeout(const char *text, const struct kernel_param *parameter)
{
	unsigned long flags;
	unsigned int value;
	int err = kstrtouint(text, 0, &value);

	if (err)
		return err;
	spin_lock_irqsave(&rdisk.lock, flags);
	shutdown_timeout = value;
	print_shutdown();
	set_timer();
	spin_unlock_irqrestore(&rdisk.lock, flags);
	return 0;
}

static int set_shutdown(const char *text, const struct kernel_param *parameter)
{
	unsigned long flags;
	bool value;
	int err = kstrtobool(text, &value);

	if (err)
		return err;
	spin_lock_irqsave(&rdisk.lock, flags);
	if (value != shutdown) {
		shutdown = value;
		waits.shutdown_since = jiffies;
		/* the guest goes on: what comes now waits again */
		rdisk.given_up = rdisk.given_up && value;
		print_shutdown();
		set_timer();
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);
	return 0;
}

static const struct kernel_param_ops shutdown_timeout_ops = { .set = set_shutdown_timeout, .get = param_get_uint };
static const struct kernel_param_ops shutdown_ops = { .set = set_shutdown, .get = param_get_bool };

module_param_cb(shutdown_timeout, &shutdown_timeout_ops, &shutdown_timeout, 0644);
MODULE_PARM_DESC(shutdown_timeout, "Seconds that a guest which shuts down waits for a server that is gone (10)");
module_param_cb(shutdown, &shutdown_ops, &shutdown, 0644);
MODULE_PARM_DESC(shutdown, "The guest shuts down: requests wait no longer than shutdown_timeout for the server");
module_param(abandoned, bool, 0444);
MODULE_PARM_DESC(abandoned, "Requests have failed because of that: data may be lost");
