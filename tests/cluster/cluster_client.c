/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of a replicated disk that keeps a history: random requests of blocks that say who wrote them, one after the
 * other or several under way (--depth), each told with the time of the host before it and after its answer. The
 * histories of all clients of a set, put together with `sort -n -s`, are judged by rdisk-check. It goes on when its
 * server dies, with a new open; it ends by SIGTERM, after what is under way. With --sweep it reads all of its range
 * once, with --fill it writes all of it, and flushes. With --turn it closes the disk after so many requests and opens
 * it again: clients of a disk that only one may have open take turns.
 *
 * It does not judge what it reads.
 */
#include "cluster_client.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "dvk.h"
#include "rdisk_protocol.h"
#include "sim_contents.h"

#define RETRY_NS 20000000 /* between attempts to reach a server */

struct plan {
	uint64_t count; /* requests */
	uint64_t turn;	/* requests between an open and a close; 0: it is not closed */
	long pace;	/* between requests, in the mean; ns */
	bool sweep, fill;
};

static volatile sig_atomic_t ending;

static void on_end(int number)
{
	(void)number;
	ending = 1;
}

void fatal(const char *what, const char *why)
{
	(void)fprintf(stderr, "cluster-client: %s: %s\n", what, why);
	exit(1);
}

/* ---- requests ---- */

static uint64_t next_op(struct client *client)
{
	return client->number << 32 | ++client->ops;
}

static int message_type(const struct wish *wish)
{
	switch (wish->kind) {
	case HISTORY_READ:
		return DEV_READ;
	case HISTORY_WRITE:
		return wish->stable ? DEV_WRITE_FUA : DEV_WRITE;
	case HISTORY_ZEROES:
		return DEV_WRITE_ZEROES;
	case HISTORY_FLUSH:
		return DEV_FLUSH;
	case HISTORY_OPEN:
		return DEV_OPEN;
	case HISTORY_CLOSE:
		return DEV_CLOSE;
	}
	return 0;
}

/* 0 and *result; or a code of the call: no answer. */
static int ask(struct client *client, struct wish *wish, int *result)
{
	message asked = { .m_type = message_type(wish) };
	int code;

	asked.DEVICE = client->minor;
	asked.IO_ENDPT = client->self;
	asked.POSITION = (int64_t)wish->position;
	asked.ADDRESS = (char *)wish->data;
	if (wish->kind == HISTORY_ZEROES)
		asked.LENGTH = (int64_t)wish->length;
	else if (wish->kind == HISTORY_OPEN)
		asked.COUNT = RDISK_OPEN_READ | RDISK_OPEN_WRITE;
	else
		asked.COUNT = (int)wish->length;
	tell_begin(client, wish);
	code = dvk_sendrec_T(client->server, &asked, ANSWER_MS);
	if (!code) {
		*result = asked.REP_STATUS;
		tell_end(client, wish, *result);
	}
	wish->op = 0;
	return code;
}

static void begin_wish(struct client *client, struct wish *wish, enum history_kind kind)
{
	wish->kind = kind;
	wish->op = next_op(client);
	wish->position = wish->length = 0;
	wish->stable = false;
}

static void fill_data(const struct client *client, struct wish *wish)
{
	const struct sim_contents contents = {
		.seed = client->seed,
		.client = (uint32_t)client->number,
		.device = (uint32_t)client->minor,
		.op = wish->op,
	};

	sim_contents_fill(wish->data, wish->position, wish->length, &contents);
}

void choose(struct client *client, struct wish *wish)
{
	uint64_t chosen = sim_below(&client->random, 100), blocks = client->length / HISTORY_BLOCK, first;

	begin_wish(client, wish, HISTORY_FLUSH);
	if (chosen >= 92)
		return;
	first = sim_below(&client->random, blocks);
	wish->length = sim_spread(&client->random, 1, REQUEST_MAX / HISTORY_BLOCK);
	if (wish->length > blocks - first)
		wish->length = blocks - first;
	wish->position = client->position + first * HISTORY_BLOCK;
	wish->length *= HISTORY_BLOCK;
	if (chosen < 45) {
		wish->kind = HISTORY_WRITE;
		wish->stable = sim_chance(&client->random, 1, 6);
		fill_data(client, wish);
	} else if (chosen < 86) {
		wish->kind = HISTORY_READ;
	} else {
		wish->kind = HISTORY_ZEROES;
	}
}

static void pause_ns(long ns)
{
	const struct timespec time = { 0, ns };

	nanosleep(&time, NULL);
}

/* The node may end and come again, with its last process and its next. Nothing tells when: it is asked again and again.
 */
static void bind_self(struct client *client)
{
	/* Without the host's restriction (ptrace_scope) this fails, and is not needed. */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	while (!ending) {
		if (!dvk_open()) {
			client->self = dvk_bind(client->dcid, ANY);
			if (client->self >= EDVSERRCODE)
				return;
			dvk_close();
		}
		pause_ns(RETRY_NS);
	}
}

static int open_or_close(struct client *client, enum history_kind kind, int *result)
{
	struct wish *wish = &client->wishes[0];

	client->opens += kind == HISTORY_OPEN;
	begin_wish(client, wish, kind);
	return ask(client, wish, result);
}

/* Nothing tells when a server comes back, or another client closes the disk: it is asked again and again. */
static void open_disk(struct client *client)
{
	while (!ending) {
		int result, code;

		code = open_or_close(client, HISTORY_OPEN, &result);
		if (!code && result >= 0)
			return;
		if (code == EDVSDVSINIT || code == EDVSNOTBIND) {
			dvk_close();
			bind_self(client);
		}
		pause_ns(RETRY_NS);
	}
}

/* An open that the server has lost, or has had no answer for, is closed with the others, or by the server's end. */
static void close_disk(struct client *client)
{
	int result = 0;

	while (!open_or_close(client, HISTORY_CLOSE, &result) && result >= 0)
		continue;
}

/* One request or batch; true: the disk has to be opened again. */
static bool step(struct client *client, uint64_t *left)
{
	struct wish *wish = &client->wishes[0];
	int result;

	if (client->depth > 1)
		return run_batch(client, false, left);
	--*left;
	choose(client, wish);
	return ask(client, wish, &result) || result < 0;
}

static void drain(struct client *client)
{
	uint64_t none = 0;

	while (batch_pending(client) && !run_batch(client, true, &none))
		continue;
}

static void run(struct client *client, const struct plan *plan)
{
	uint64_t left = plan->count, turn_left = plan->turn;

	open_disk(client);
	while (!ending && left > 0) {
		uint64_t before = left;

		/*
		 * After an error what there is may be of another generation: a new open is one that knows. The signal
		 * that ends this leaves a request without an answer.
		 */
		if (step(client, &left) && !ending) {
			close_disk(client);
			open_disk(client);
		}
		if (plan->turn && before - left >= turn_left) {
			drain(client);
			close_disk(client);
			turn_left = plan->turn;
			pause_ns(RETRY_NS);
			open_disk(client);
		} else if (plan->turn) {
			turn_left -= before - left;
		}
		if (plan->pace)
			pause_ns((long)sim_below(&client->random, 2 * (uint64_t)plan->pace + 1));
	}
	drain(client);
}

/* All of the range, from a new open on for each part that fails. */
static void pass_over(struct client *client, enum history_kind kind)
{
	struct wish *wish = &client->wishes[0];
	uint64_t at = 0;
	int result;

	open_disk(client);
	while (!ending && at < client->length) {
		uint64_t length = client->length - at;

		begin_wish(client, wish, kind);
		wish->position = client->position + at;
		wish->length = length > REQUEST_MAX ? REQUEST_MAX : length;
		length = wish->length;
		if (kind == HISTORY_WRITE)
			fill_data(client, wish);
		if (ask(client, wish, &result) || result < 0)
			open_disk(client);
		else
			at += length;
	}
	begin_wish(client, wish, HISTORY_FLUSH);
	if (at < client->length || ask(client, wish, &result) || result < 0)
		fatal("the range", "was not done as a whole");
}

static const char usage[] =
	"usage: cluster-client --history FILE --number N [--seed S] [--minor M] [--position BYTES] [--length BYTES]\n"
	"                      [--sweep | --fill | [--count REQUESTS] [--pace NS] [--depth REQUESTS] [--turn "
	"REQUESTS]]\n"
	"                      [--dcid D] [--endpoint E]\n";

static int usage_error(void)
{
	(void)fputs(usage, stderr);
	return 2;
}

static int parse(struct client *client, struct plan *plan, int argc, char **argv)
{
	static const struct option options[] = {
		{ "history", required_argument, NULL, 'h' },
		{ "number", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "minor", required_argument, NULL, 'm' },
		{ "position", required_argument, NULL, 'p' },
		{ "length", required_argument, NULL, 'l' },
		{ "count", required_argument, NULL, 'c' },
		{ "pace", required_argument, NULL, 'a' },
		{ "depth", required_argument, NULL, 'q' },
		{ "turn", required_argument, NULL, 't' },
		{ "sweep", no_argument, NULL, 'w' },
		{ "fill", no_argument, NULL, 'f' },
		{ "dcid", required_argument, NULL, 'd' },
		{ "endpoint", required_argument, NULL, 'e' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		const char *text = optarg ? optarg : "";
		uint64_t value = strtoull(text, NULL, 0);

		switch (option) {
		case 'h':
			client->history = open(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
			if (client->history < 0)
				fatal(text, strerror(errno));
			break;
		case 'n':
			client->number = value;
			break;
		case 's':
			client->seed = value;
			break;
		case 'm':
			client->minor = (int)value;
			break;
		case 'p':
			client->position = value;
			break;
		case 'l':
			client->length = value;
			break;
		case 'c':
			plan->count = value;
			break;
		case 'a':
			plan->pace = (long)value;
			break;
		case 'q':
			client->depth = (unsigned int)value;
			break;
		case 't':
			plan->turn = value;
			break;
		case 'w':
			plan->sweep = true;
			break;
		case 'f':
			plan->fill = true;
			break;
		case 'd':
			client->dcid = (int)value;
			break;
		case 'e':
			client->server = (int)value;
			break;
		default:
			return usage_error();
		}
	}
	if (client->history < 0 || !client->number || client->length < HISTORY_BLOCK || client->depth < 1 ||
	    client->depth > DEPTH_MAX)
		return usage_error();
	return 0;
}

int main(int argc, char **argv)
{
	static struct client client = {
		.server = RDISK_PROC_NR, .history = -1, .length = 1 << 20, .seed = 1, .depth = 1
	};
	const struct sigaction end = { .sa_handler = on_end };
	struct plan plan = { .count = UINT64_MAX };
	int code = parse(&client, &plan, argc, argv);

	if (code)
		return code;
	sigaction(SIGTERM, &end, NULL);
	sim_random_seed(&client.random, client.seed, client.number);
	bind_self(&client);
	if (plan.sweep || plan.fill)
		pass_over(&client, plan.fill ? HISTORY_WRITE : HISTORY_READ);
	else
		run(&client, &plan);
	dvk_close();
	return 0;
}
