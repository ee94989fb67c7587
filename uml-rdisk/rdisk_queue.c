// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data path of the guest's disk driver: requests of the block layer are collected and go to
 * the server in batches, one batch at a time (it is one rendezvous).
 *
 * Fast path: the context that submits spins for the answer and completes the batch itself. The guest has one
 * CPU, so nothing else could run meanwhile; a thread and an interrupt would cost ten times the
 * I/O. What takes longer than the budget goes to rd_thread, and its interrupt completes it.
 * Requests that come meanwhile are pending and make the next batch.
 *
 * What has to wait for a disk the server suspends, and answers the batch without it. As long as there is
 * such a request each batch ends with a COLLECT; when there is nothing else to send, a batch of just that is
 * left with the server, which answers it when there is something to collect. New requests take it back.
 *
 * Only the owner of the link (rdisk.h) touches the batch, except where there is no server (rdisk_wait.c). Whoever
 * adds work tries to take the link under the lock; whoever gives it back looks for work under the lock: so none is
 * left lying.
 */
#define pr_fmt(fmt) "rdisk: " fmt

#include <linux/blkdev.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#include "rdisk_kern.h"

/*
 * Spinning budget, in ns: what a server that is awake needs at most, and besides the time to copy (a
 * quarter of a ns a byte, 4 GB/s). A budget that was too small several times is halved, down to the
 * least; one in PROBE_EVERY batches gets all of it, to see whether the times have changed.
 */
#define SPIN_MAX_NS 200000LL
#define SPIN_MIN_NS 10000LL
#define SPIN_BYTES_SHIFT 2
#define PROBE_EVERY 32

/*
 * Batches that one call of rdisk_pump() spins for. Completions may submit more; after these the
 * link goes to rd_thread, so that the rest of the guest gets its turn.
 */
#define ROUNDS_MAX 16

/* Budgets: moving data, all else (flush, FUA, discard, zeroes), and what has been suspended. */
enum { SPIN_MOVE, SPIN_STABLE, SPIN_COLLECT, SPIN_KINDS };

static struct {
	s64 budget;
	unsigned int batches;
} spin[SPIN_KINDS] = { { SPIN_MAX_NS }, { SPIN_MAX_NS }, { SPIN_MAX_NS } };

static bool changes_data(struct request *rq)
{
	return op_is_write(req_op(rq)) && req_op(rq) != REQ_OP_FLUSH;
}

/* ---- from the block layer's request to the batch's ---- */

/* Describes the request's memory in its vector. Adjacent pages make one segment. */
static blk_status_t fill_vector(struct request *rq, struct rdisk_request *request)
{
	struct rdisk_iovec *vector = rdisk.control->vectors[rq->tag];
	struct req_iterator iterator;
	struct bio_vec bvec;
	unsigned int count = 0;
	u64 end = 0;

	rq_for_each_bvec(bvec, rq, iterator) {
		u64 address = (unsigned long)page_address(bvec.bv_page) + bvec.bv_offset;

		if (count && address == end) {
			vector[count - 1].iov_size += bvec.bv_len;
		} else {
			if (WARN_ON_ONCE(count == RDISK_VECTOR_MAX))
				return BLK_STS_IOERR;
			vector[count].iov_addr = address;
			vector[count].iov_size = bvec.bv_len;
			count++;
		}
		end = address + bvec.bv_len;
	}
	request->nr_segments = count;
	request->vector = (unsigned long)vector;
	return BLK_STS_OK;
}

static blk_status_t fill_request(struct request *rq, int minor)
{
	struct rdisk_request *request = &rdisk_command_of(rq)->request;

	*request = (struct rdisk_request){
		.minor = minor,
		.position = (u64)blk_rq_pos(rq) << SECTOR_SHIFT,
		.length = blk_rq_bytes(rq),
	};
	if (rq->cmd_flags & REQ_FUA)
		request->flags = RDISK_REQUEST_FUA;
	switch (req_op(rq)) {
	case REQ_OP_READ:
		request->operation = RDISK_OP_READ;
		request->flags = 0;
		return fill_vector(rq, request);
	case REQ_OP_WRITE:
		request->operation = RDISK_OP_WRITE;
		return fill_vector(rq, request);
	case REQ_OP_FLUSH:
		request->operation = RDISK_OP_FLUSH;
		request->flags = 0;
		request->position = 0;
		request->length = 0;
		return BLK_STS_OK;
	case REQ_OP_DISCARD:
		request->operation = RDISK_OP_DISCARD;
		request->flags = 0;
		return BLK_STS_OK;
	case REQ_OP_WRITE_ZEROES:
		request->operation = RDISK_OP_WRITE_ZEROES;
		return BLK_STS_OK;
	default:
		return BLK_STS_NOTSUPP;
	}
}

static blk_status_t rdisk_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct rdisk_disk *disk = hctx->queue->queuedata;
	struct request *rq = bd->rq;
	struct rdisk_command *command = rdisk_command_of(rq);
	blk_status_t status;
	unsigned long flags;

	blk_mq_start_request(rq);
	status = fill_request(rq, disk->minor);
	if (status == BLK_STS_OK && changes_data(rq) && (disk->info.flags & RDISK_INFO_READ_ONLY))
		status = BLK_STS_IOERR;

	spin_lock_irqsave(&rdisk.lock, flags);
	if (unlikely(rdisk.away))
		rdisk_wait_begin(disk);
	if (disk->failed)
		status = BLK_STS_IOERR;
	if (status == BLK_STS_OK) {
		if (changes_data(rq) && !(disk->access & RDISK_OPEN_WRITE)) {
			/*
			 * Opened for reading, but somebody writes: a root that is remounted, a journal
			 * that is replayed below a read-only mount. The block layer does not tell us.
			 */
			list_add_tail(&command->node, &disk->parked);
			disk->wanted |= RDISK_OPEN_READ | RDISK_OPEN_WRITE;
			rdisk.work_opens = true;
		} else {
			list_add_tail(&command->node, &rdisk.pending);
		}
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);

	if (bd->last)
		rdisk_pump();
	return status;
}

static void rdisk_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	rdisk_pump();
}

/*
 * Called when a request was not answered for the queue's io_timeout, and each time after that again. A server is waited
 * for: one that is away as rdisk_wait.c says, one that is there however long, as it may use the request's memory.
 */
static enum blk_eh_timer_return rdisk_timeout(struct request *rq)
{
	rdisk_wait_unanswered(rq->q->disk, "a request");
	return BLK_EH_RESET_TIMER;
}

const struct blk_mq_ops rdisk_queue_ops = {
	.queue_rq = rdisk_queue_rq,
	.commit_rqs = rdisk_commit_rqs,
	.timeout = rdisk_timeout,
};

/* ---- answers ---- */

static blk_status_t status_of(int code)
{
	switch (code) {
	case EDVSNOSPC:
		return BLK_STS_NOSPC;
	case EDVSNOSYS:
		return BLK_STS_NOTSUPP;
	default:
		return BLK_STS_IOERR;
	}
}

/* What became of one request, from the server's result. */
static blk_status_t judge(const struct rdisk_request *request, s64 result)
{
	bool moves = request->operation == RDISK_OP_READ || request->operation == RDISK_OP_WRITE;

	if (result < 0)
		return status_of(result < INT_MIN ? EDVSIO : (int)result);
	if (moves && result != request->length)
		return BLK_STS_IOERR;
	return BLK_STS_OK;
}

static void complain(struct request *rq, s64 result)
{
	const struct rdisk_request *request = &rdisk_command_of(rq)->request;

	if (result < 0 && result >= INT_MIN)
		pr_err_ratelimited("%s: operation %u at byte %llu failed: %s\n", rq->q->disk->disk_name,
				   request->operation, request->position, rdisk_error_text((int)result));
	else
		pr_err_ratelimited("%s: operation %u at byte %llu: server did %lld of %llu bytes\n",
				   rq->q->disk->disk_name, request->operation, request->position, result,
				   request->length);
}

/* Whether data is lost for good when the request fails so. */
static bool loses_data(struct request *rq, blk_status_t status)
{
	switch (req_op(rq)) {
	case REQ_OP_WRITE:
	case REQ_OP_FLUSH:
		return true;
	case REQ_OP_WRITE_ZEROES:
		/* then they are written as data */
		return status != BLK_STS_NOTSUPP;
	default:
		return false;
	}
}

static void complete_request(struct request *rq, s64 result)
{
	blk_status_t status = judge(&rdisk_command_of(rq)->request, result);

	if (unlikely(status != BLK_STS_OK)) {
		complain(rq, result);
		/* what is written from the page cache may be nobody's who would hear of it */
		if (loses_data(rq, status))
			rdisk_disk_lost();
	}
	blk_mq_end_request(rq, status);
}

/* What the server has suspended goes to it again, in front. */
static void requeue_suspended(void)
{
	unsigned long flags;

	spin_lock_irqsave(&rdisk.lock, flags);
	for (unsigned int tag = 0; tag < RDISK_TAGS && rdisk.nr_suspended; tag++) {
		if (!rdisk.suspended[tag])
			continue;
		list_add(&rdisk_command_of(rdisk.suspended[tag])->node, &rdisk.pending);
		rdisk.suspended[tag] = NULL;
		rdisk.nr_suspended--;
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);
}

/* The server went: what it has not answered is pending again, in front. */
static void requeue_all(void)
{
	unsigned long flags;

	spin_lock_irqsave(&rdisk.lock, flags);
	while (rdisk.nr_batch)
		list_add(&rdisk_command_of(rdisk.batch[--rdisk.nr_batch])->node, &rdisk.pending);
	rdisk.collects = false;
	rdisk.waiting = false;
	spin_unlock_irqrestore(&rdisk.lock, flags);
	requeue_suspended();
}

/* A suspended request is done. The server's word for it is checked: it may name what it likes. */
static void complete_suspended(const struct rdisk_completion *completion)
{
	unsigned int tag = completion->cookie % RDISK_TAGS;
	struct request *rq = rdisk.suspended[tag];

	if (!rq || rdisk_command_of(rq)->request.cookie != completion->cookie) {
		pr_warn_ratelimited("the server answers request %llu, which it has not suspended\n",
				    completion->cookie);
		return;
	}
	rdisk.suspended[tag] = NULL;
	rdisk.nr_suspended--;
	complete_request(rq, completion->result);
}

/* Completes what the COLLECT with this result has brought. */
static void complete_collected(s64 result)
{
	/* None, though it was to wait for one: the server ends, or does not know of any. It can be asked again. */
	if (result <= 0 || result > RDISK_TAGS) {
		if (result)
			pr_err_ratelimited("collecting failed with %lld\n", result);
		requeue_suspended();
		return;
	}
	for (s64 i = 0; i < result; i++) {
		struct rdisk_completion completion = {
			.cookie = READ_ONCE(rdisk.control->completions[i].cookie),
			.result = READ_ONCE(rdisk.control->completions[i].result),
		};

		complete_suspended(&completion);
	}
}

/* Completes the batch's request at `i`, for which the server has left `result`. */
static void complete_one(struct request *rq, s64 result, int done)
{
	unsigned long flags;

	if (result == SUSPEND) {
		rdisk.suspended[rq->tag] = rq;
		rdisk.nr_suspended++;
		return;
	}
	if (result == RDISK_RESULT_NONE && done > 0) {
		spin_lock_irqsave(&rdisk.lock, flags);
		list_add_tail(&rdisk_command_of(rq)->node, &rdisk.pending);
		spin_unlock_irqrestore(&rdisk.lock, flags);
		return;
	}
	if (result == RDISK_RESULT_NONE)
		result = done < 0 ? done : EDVSIO;
	complete_request(rq, result);
}

/*
 * Completes the batch that was answered with `done` (REP_STATUS: requests done, or a code). Requests
 * that the server has left out go again if it has done others, else they fail.
 */
static void complete_batch(int done)
{
	unsigned int count = rdisk.nr_batch;
	bool waited = rdisk.collects && !count;
	s64 collected = 0;

	if (rdisk.collects)
		collected = READ_ONCE(rdisk.control->requests[count].result);
	if (collected == RDISK_RESULT_NONE && !waited)
		collected = 0;
	rdisk.nr_batch = 0;
	rdisk.collects = false;
	/* read once: the server could change a result between the check and the use */
	for (unsigned int i = 0; i < count; i++)
		complete_one(rdisk.batch[i], READ_ONCE(rdisk.control->requests[i].result), done);
	if (collected || waited)
		complete_collected(collected);
}

/* ---- spinning ---- */

static s64 spin_budget(int kind, u64 bytes)
{
	s64 base = spin[kind].budget;

	if (spin[kind].batches++ % PROBE_EVERY == 0)
		base = SPIN_MAX_NS;
	return base + (s64)(bytes >> SPIN_BYTES_SHIFT);
}

static void spin_learn(int kind, bool answered)
{
	if (answered)
		spin[kind].budget = min(spin[kind].budget * 2, SPIN_MAX_NS);
	else
		spin[kind].budget = max(spin[kind].budget / 2, SPIN_MIN_NS);
}

/* ---- work for the link ---- */

/* A disk that needs to be opened or closed at the server. Lock held, link ours; false if there is none. */
static bool start_open_or_close(void)
{
	if (!rdisk.work_opens)
		return false;
	for (int i = 0; i < RDISK_MINORS_MAX; i++) {
		struct rdisk_disk *disk = &rdisk.disks[i];

		if (disk->wanted & ~disk->access) {
			rdisk_user_hand_over(RDISK_JOB_OPEN, i, disk->wanted);
			return true;
		}
		if (disk->access && !disk->wanted) {
			disk->access = 0;
			rdisk_user_hand_over(RDISK_JOB_CLOSE, i, 0);
			return true;
		}
	}
	rdisk.work_opens = false;
	return false;
}

/* What the batch ends with as long as there is something to collect. */
static void add_collect(void)
{
	rdisk.control->requests[rdisk.nr_batch] = (struct rdisk_request){
		.operation = RDISK_OP_COLLECT,
		.flags = rdisk.nr_batch ? 0 : RDISK_REQUEST_WAIT,
		.nr_segments = RDISK_TAGS,
		.vector = (unsigned long)rdisk.control->completions,
		.result = RDISK_RESULT_NONE,
	};
	rdisk.collects = true;
}

/* Moves pending commands into the batch. Lock held, link ours. */
static void build_batch(int *kind, u64 *bytes)
{
	static u64 number;

	*kind = SPIN_MOVE;
	*bytes = 0;
	/* one less than there could be: room for a COLLECT */
	while (rdisk.nr_batch < RDISK_BATCH_MAX - 1 && !list_empty(&rdisk.pending)) {
		struct rdisk_command *command = list_first_entry(&rdisk.pending, struct rdisk_command, node);
		struct rdisk_request *request = &command->request;

		list_del(&command->node);
		/* another one each time, so that no late answer is taken for that to another request */
		request->cookie = number++ * RDISK_TAGS + blk_mq_rq_from_pdu(command)->tag;
		rdisk.control->requests[rdisk.nr_batch] = *request;
		rdisk.control->requests[rdisk.nr_batch].flags |= RDISK_REQUEST_MAY_SUSPEND;
		rdisk.control->requests[rdisk.nr_batch].result = RDISK_RESULT_NONE;
		rdisk.batch[rdisk.nr_batch++] = blk_mq_rq_from_pdu(command);
		if (request->nr_segments && !request->flags)
			*bytes += request->length;
		else
			*kind = SPIN_STABLE;
	}
	if (!rdisk.nr_suspended)
		return;
	if (!rdisk.nr_batch)
		*kind = SPIN_COLLECT;
	add_collect();
}

/* Sends the batch; spins for its answer if `may_spin`. True if the link is ours still, or idle and waiting. */
static bool run_batch(int kind, u64 bytes, bool may_spin)
{
	int rc = rdisk_user_submit(rdisk.nr_batch + rdisk.collects);

	if (!rc && may_spin) {
		rc = rdisk_user_wait(spin_budget(kind, bytes));
		if (rc >= 0)
			spin_learn(kind, rc > 0);
	}
	if (rc > 0) {
		complete_batch(rdisk.link->result);
		return true;
	}
	if (!rc && !rdisk.nr_batch) {
		rdisk.waiting = true;
		return true;
	}
	if (rc < 0)
		requeue_all();
	rdisk_user_hand_over(rc < 0 ? RDISK_JOB_CONNECT : RDISK_JOB_FINISH, 0, 0);
	return false;
}

/* Ends a wait for something to collect. False if the server is gone: then the link is rd_thread's. */
static bool recall(void)
{
	int rc = rdisk_user_recall();

	rdisk.waiting = false;
	if (rc >= 0) {
		if (rc > 0)
			complete_batch(rdisk.link->result);
		rdisk.collects = false;
		return true;
	}
	requeue_all();
	rdisk_user_hand_over(RDISK_JOB_CONNECT, 0, 0);
	return false;
}

/* Gives the link back, with what is left with the server. */
static void give_back(void)
{
	if (rdisk.waiting)
		rdisk_user_leave();
	else
		rdisk_user_release();
}

/* Whether there is anything to send. Lock held. */
static bool work_to_do(void)
{
	if (!list_empty(&rdisk.pending) || rdisk.work_opens)
		return true;
	return READ_ONCE(rdisk.nr_suspended) && !READ_ONCE(rdisk.waiting);
}

void rdisk_pump(void)
{
	for (unsigned int round = 0;; round++) {
		unsigned long flags;
		u64 bytes;
		int kind;

		spin_lock_irqsave(&rdisk.lock, flags);
		if (!work_to_do() || !rdisk_user_take()) {
			spin_unlock_irqrestore(&rdisk.lock, flags);
			return;
		}
		if (rdisk.waiting) {
			spin_unlock_irqrestore(&rdisk.lock, flags);
			if (!recall())
				return;
			spin_lock_irqsave(&rdisk.lock, flags);
		}
		if (start_open_or_close()) {
			spin_unlock_irqrestore(&rdisk.lock, flags);
			return;
		}
		build_batch(&kind, &bytes);
		spin_unlock_irqrestore(&rdisk.lock, flags);

		if ((rdisk.nr_batch || rdisk.collects) && !run_batch(kind, bytes, round < ROUNDS_MAX))
			return;
		give_back();
	}
}

/* ---- rd_thread's results ---- */

void rdisk_fail_commands(struct list_head *commands)
{
	struct rdisk_command *command, *next;

	list_for_each_entry_safe(command, next, commands, node) {
		list_del(&command->node);
		blk_mq_end_request(blk_mq_rq_from_pdu(command), BLK_STS_IOERR);
	}
}

static void open_answered(struct rdisk_disk *disk, int access, int result)
{
	LIST_HEAD(refused);
	unsigned long flags;

	spin_lock_irqsave(&rdisk.lock, flags);
	if (result) {
		disk->open_error = result;
		disk->wanted &= disk->access;
		list_splice_init(&disk->parked, &refused);
	} else {
		disk->access |= access;
		if (disk->access & RDISK_OPEN_WRITE)
			list_splice_tail_init(&disk->parked, &rdisk.pending);
	}
	spin_unlock_irqrestore(&rdisk.lock, flags);

	if (result && list_empty(&refused))
		pr_info_ratelimited("%s: open refused: %s\n", disk->gendisk->disk_name, rdisk_error_text(result));
	else if (result)
		pr_err("%s: cannot be opened for writing: %s\n", disk->gendisk->disk_name, rdisk_error_text(result));
	rdisk_fail_commands(&refused);
	wake_up_all(&disk->settled);
}

/* The disks do without the guest's own endpoint, by which others know it. Link ours. */
static void print_guest(void)
{
	static int last_error;
	int error = rdisk.link->guest_error;

	if (error && error != last_error)
		pr_err("guest cannot be endpoint %d of DC %d: %s; uml_ep= gives it another\n",
		       rdisk.parameters.uml_ep, rdisk.parameters.dcid, rdisk_error_text(error));
	last_error = error;
}

/* After a connect: commands of disks that have failed end, the rest stays pending. */
static void recheck(void)
{
	struct rdisk_command *command, *next;
	LIST_HEAD(failed);
	unsigned long flags;

	spin_lock_irqsave(&rdisk.lock, flags);
	rdisk_disks_recheck();
	list_for_each_entry_safe(command, next, &rdisk.pending, node)
		if (rdisk.disks[command->request.minor].failed)
			list_move_tail(&command->node, &failed);
	for (int i = 0; i < RDISK_MINORS_MAX; i++)
		if (rdisk.disks[i].failed)
			list_splice_tail_init(&rdisk.disks[i].parked, &failed);
	spin_unlock_irqrestore(&rdisk.lock, flags);

	rdisk_fail_commands(&failed);
	print_guest();
	schedule_work(&rdisk.scan);
}

void rdisk_collect(void)
{
	struct rdisk_link *link = rdisk.link;

	if (rdisk_user_collect()) {
		if ((link->job == RDISK_JOB_FINISH && link->lost) || link->generation != rdisk.generation)
			requeue_all();
		if (link->generation != rdisk.generation) {
			rdisk.generation = link->generation;
			recheck();
		}
		switch (link->job) {
		case RDISK_JOB_FINISH:
			if (!link->lost)
				complete_batch(link->result);
			break;
		case RDISK_JOB_OPEN:
			open_answered(&rdisk.disks[link->job_minor], link->job_access, link->result);
			break;
		case RDISK_JOB_CLOSE:
			if (link->result)
				pr_warn("%s: closing it failed: %s\n",
					rdisk.disks[link->job_minor].gendisk->disk_name,
					rdisk_error_text(link->result));
			break;
		case RDISK_JOB_CHECK:
		case RDISK_JOB_CONNECT:
			break;
		}
		if (!rdisk.waiting || recall())
			give_back();
	}
	rdisk_pump();
}
