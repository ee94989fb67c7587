/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-session: what rdisk-bench-floor measures (floor.c), over sessions (common/session). The members are
 * listed by address; the first one is the writer, the others its peers. A write is a frame of STREAM with a head of 64
 * bytes, an answer one of CONTROL with 32.
 *
 *   peer [OPTIONS] INDEX FILE ADDRESS ADDRESS...     is the member with that index, until it is killed
 *   write [OPTIONS] FILE ADDRESS ADDRESS...          writes as rdisk-bench-floor does, and prints such a line
 *   urgent [OPTIONS] FILE ADDRESS ADDRESS            keeps the first peer's stream full of writes, and measures the
 * round trip of frames of CONTROL of 32 bytes beside them
 *
 * --key FILE (32 bytes), --port N, --size BYTES, --in-flight N, --count N, --sleep, as of rdisk-bench-floor.
 * --compression auto | on | off, --data zeroes | text | random: what is written (text: LZ4 makes it half as large).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "session.h"

#define FILE_BYTES	(64u << 20)
#define DATA_MAX	(4u << 20)
#define HEAD_BYTES	64
#define ANSWER_BYTES	32
#define COUNT_MAX	1000000
#define IN_FLIGHT_MAX	128
#define WARM_UP_DIVISOR 10
#define STRIDE		7919
#define FILL_ONCE	8

struct job {
	struct session_settings settings;
	struct session_member members[SESSION_MEMBERS_MAX];
	unsigned char key[SESSION_KEY_SIZE];
	struct sessions *sessions;
	int fd;
	uint16_t port;
	uint32_t size;
	unsigned int in_flight, count;
	bool sleep;
	const char *data_kind;
	bool up[SESSION_MEMBERS_MAX];
	uint64_t answered[SESSION_MEMBERS_MAX]; /* writes, by each */
	uint64_t urgent;			/* answers to frames of CONTROL */
	uint64_t stream;			/* bytes of writes that peers answered */
};

static unsigned char data[DATA_MAX];
static double samples[COUNT_MAX];

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "rdisk-bench-session: %s: %s\n", what, why);
	return -1;
}

static void on_up(void *user, int member)
{
	((struct job *)user)->up[member] = true;
}

static void on_down(void *user, int member, const char *why)
{
	((struct job *)user)->up[member] = false;
	if (((struct job *)user)->settings.self == 0) {
		fail("a peer is gone", why);
		exit(EXIT_FAILURE);
	}
}

/* A peer carries out a write, and answers everything. */
static void serve_frame(struct job *job, int member, const unsigned char *frame, size_t size)
{
	uint64_t position;

	if (size >= HEAD_BYTES) {
		memcpy(&position, frame + 8, sizeof(position));
		if (pwrite(job->fd, frame + HEAD_BYTES, size - HEAD_BYTES, (off_t)position) !=
		    (ssize_t)(size - HEAD_BYTES))
			fail("pwrite", strerror(errno));
	}
	if (!sessions_send(job->sessions, member, SESSION_CONTROL, frame, ANSWER_BYTES, NULL, 0))
		fail("an answer", "there is no room for it");
}

static bool on_frame(void *user, int member, void *frame, size_t size)
{
	struct job *job = user;
	uint64_t number;

	memcpy(&number, frame, sizeof(number));
	if (job->settings.self != 0) {
		serve_frame(job, member, frame, size);
	} else if (number == UINT64_MAX) {
		job->urgent++;
	} else {
		job->answered[member]++;
		job->stream += job->size;
	}
	free(frame);
	return true;
}

static void on_room(void *user, int member)
{
	(void)user;
	(void)member;
}

static const struct session_events events = { on_up, on_down, on_frame, on_room };

static uint64_t now_ns(void)
{
	return (uint64_t)(bench_now() * 1e9);
}

/* One turn of the loop; sleeps before it if it may. */
static void turn(struct job *job, bool sleep)
{
	struct pollfd polled = { .fd = sessions_descriptor(job->sessions), .events = POLLIN };
	uint64_t next, now;

	sessions_push(job->sessions);
	next = sessions_next_time(job->sessions);
	now = now_ns();
	if (sleep && next > now && poll(&polled, 1, (int)((next - now) / 1000000 % 1000) + 1) < 0 && errno != EINTR)
		fail("poll", strerror(errno));
	sessions_turn(job->sessions, now_ns());
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void print_result(const struct job *job, double seconds, double mb_per_s)
{
	qsort(samples, job->count, sizeof(samples[0]), compare);
	printf("{\"size\": %" PRIu32
	       ", \"in_flight\": %u, \"peers\": %d, \"tls\": %s, \"writer\": \"%s\", \"count\": %u, "
	       "\"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.2f, \"per_s\": %.0f, \"mb_per_s\": %.1f}\n",
	       job->size, job->in_flight, job->settings.count - 1, job->settings.key_size ? "true" : "false",
	       job->sleep ? "sleeps" : "polls", job->count, samples[job->count / 2] * 1e6,
	       samples[job->count - 1 - job->count / 100] * 1e6, samples[job->count - 1] * 1e6, job->count / seconds,
	       mb_per_s);
}

static uint64_t least_answered(const struct job *job)
{
	uint64_t least = UINT64_MAX;

	for (int i = 1; i < job->settings.count; i++)
		least = job->answered[i] < least ? job->answered[i] : least;
	return least;
}

static int send_write(struct job *job, uint64_t number, bool and_write)
{
	uint64_t head[HEAD_BYTES / 8] = { number, number * STRIDE % (FILE_BYTES / job->size) * job->size };

	for (int i = 1; i < job->settings.count; i++) {
		if (!sessions_send(job->sessions, i, SESSION_STREAM, head, sizeof(head), data, job->size))
			return 1;
		/* As a server does while nothing else is under way. */
		if (job->in_flight == 1)
			sessions_push(job->sessions);
	}
	if (and_write && pwrite(job->fd, data, job->size, (off_t)head[1]) != (ssize_t)job->size)
		return fail("pwrite", strerror(errno));
	return 0;
}

static int measure_writes(struct job *job)
{
	uint64_t first = job->count / WARM_UP_DIVISOR, all = first + job->count, sent = 0;
	double begun[IN_FLIGHT_MAX], start = bench_now(), now = start;

	for (uint64_t done = 0; done < all; done++) {
		for (; sent < all && sent - done < job->in_flight; sent++) {
			begun[sent % job->in_flight] = bench_now();
			if (send_write(job, sent, true))
				return fail("a write", "it was not taken");
		}
		while (least_answered(job) <= done)
			turn(job, job->sleep);
		now = bench_now();
		if (done < first)
			start = now;
		else
			samples[done - first] = now - begun[done % job->in_flight];
	}
	print_result(job, now - start, job->count / (now - start) * job->size * 1e-6);
	return 0;
}

/* As many writes as the stream has room for; a peer that takes them as fast as they come must not keep it from ending.
 */
static void fill_stream(struct job *job, uint64_t *number)
{
	for (uint64_t last = *number + FILL_ONCE; *number < last && !send_write(job, *number, false);)
		(*number)++;
}

/* The stream is kept full; one after the other something urgent goes, and its answer is waited for. */
static int measure_urgent(struct job *job)
{
	const uint64_t head[ANSWER_BYTES / 8] = { UINT64_MAX };
	uint64_t number = 0, before;
	double start;

	while (job->answered[1] < 20) {
		fill_stream(job, &number);
		turn(job, true);
	}
	start = bench_now();
	before = job->stream;
	for (unsigned int i = 0; i < job->count; i++) {
		double sent = bench_now();

		if (!sessions_send(job->sessions, 1, SESSION_CONTROL, head, sizeof(head), NULL, 0))
			return fail("what is urgent", "it was not taken");
		sessions_push(job->sessions);
		while (job->urgent <= i) {
			turn(job, true);
			fill_stream(job, &number);
		}
		samples[i] = bench_now() - sent;
	}
	print_result(job, bench_now() - start, (double)(job->stream - before) / (bench_now() - start) * 1e-6);
	return 0;
}

/* ---- options ---- */

static int read_key(struct job *job, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t bytes = file ? fread(job->key, 1, sizeof(job->key), file) : 0;

	if (file)
		(void)fclose(file);
	job->settings.key_size = sizeof(job->key);
	return bytes == sizeof(job->key) ? 0 : fail(path, "no 32 bytes can be read");
}

static void fill_data(const char *kind)
{
	uint32_t random = 1;

	for (size_t i = 0; i < sizeof(data); i++) {
		random = random * 1664525 + 1013904223;
		if (!strcmp(kind, "random"))
			data[i] = (unsigned char)(random >> 24);
		else if (!strcmp(kind, "text"))
			data[i] = i >= 64 && i / 16 % 2 ? data[i - 48] : (unsigned char)('a' + (random >> 28));
		else
			data[i] = 0;
	}
}

static unsigned int number_of(const char *text, unsigned int most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value > most) {
		fail(text, "this is no number that goes here");
		exit(EXIT_FAILURE);
	}
	return (unsigned int)value;
}

static int parse_options(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "port", required_argument, NULL, 'p' },
		{ "size", required_argument, NULL, 's' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "count", required_argument, NULL, 'c' },
		{ "compression", required_argument, NULL, 'z' },
		{ "sleep", no_argument, NULL, 'w' },
		{ "data", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int option, code = 0;

	while (!code && (option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'k':
			code = read_key(job, optarg);
			break;
		case 'p':
			job->port = (uint16_t)number_of(optarg, UINT16_MAX);
			break;
		case 's':
			job->size = number_of(optarg, DATA_MAX);
			break;
		case 'f':
			job->in_flight = number_of(optarg, IN_FLIGHT_MAX);
			break;
		case 'c':
			job->count = number_of(optarg, COUNT_MAX);
			break;
		case 'z':
			job->settings.compression = !strcmp(optarg, "on")    ? SESSION_COMPRESSION_ON
						    : !strcmp(optarg, "off") ? SESSION_COMPRESSION_OFF
									     : SESSION_COMPRESSION_AUTO;
			break;
		case 'd':
			job->data_kind = optarg;
			break;
		case 'w':
			job->sleep = true;
			break;
		default:
			code = -1;
		}
	}
	return code || job->size < 1 || job->count < 1 || job->in_flight < 1 ? -1 : 0;
}

static int open_all(struct job *job, const char *file, char **addresses, int count)
{
	struct diagnostic diagnostic;
	int code;

	for (int i = 0; i < count; i++)
		job->members[i] = (struct session_member){ (uint32_t)i + 1, addresses[i], job->port };
	job->settings.members = job->members;
	job->settings.count = count;
	job->settings.set = "bench";
	job->settings.key = job->key;
	job->settings.frame_max = HEAD_BYTES + DATA_MAX;
	job->settings.queue_bytes = 8u << 20;
	job->fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (job->fd < 0)
		return fail(file, strerror(errno));
	code = posix_fallocate(job->fd, 0, FILE_BYTES);
	if (code)
		return fail(file, strerror(code));
	if (sessions_open(&job->sessions, &job->settings, &events, job, &diagnostic))
		return fail("sessions", diagnostic.text);
	return 0;
}

static _Noreturn void serve(struct job *job)
{
	for (;;)
		turn(job, true);
}

static int write_all(struct job *job, bool urgent)
{
	fill_data(job->data_kind);
	for (int i = 1; i < job->settings.count; i++) {
		while (!job->up[i])
			turn(job, true);
	}
	return urgent ? measure_urgent(job) : measure_writes(job);
}

int main(int argc, char **argv)
{
	static struct job job = {
		.port = 7660, .size = BENCH_BLOCK, .in_flight = 1, .count = 5000, .data_kind = "random"
	};
	const char *what;
	int words, code = -1;

	job.settings.compression = SESSION_COMPRESSION_OFF;
	if (parse_options(&job, argc, argv))
		return EXIT_FAILURE;
	words = argc - optind;
	argv += optind;
	what = words > 0 ? argv[0] : "";
	if (!strcmp(what, "peer") && words >= 5 && words - 3 <= SESSION_MEMBERS_MAX) {
		job.settings.self = (int)number_of(argv[1], (unsigned int)words - 4);
		code = open_all(&job, argv[2], argv + 3, words - 3);
		if (!code)
			serve(&job);
	} else if ((!strcmp(what, "write") || !strcmp(what, "urgent")) && words >= 4 &&
		   words - 2 <= SESSION_MEMBERS_MAX) {
		code = open_all(&job, argv[1], argv + 2, words - 2);
		if (!code)
			code = write_all(&job, what[0] == 'u');
		sessions_close(job.sessions);
	} else {
		fprintf(stderr, "Usage: rdisk-bench-session peer [OPTIONS] INDEX FILE ADDRESS ADDRESS...\n"
				"       rdisk-bench-session write | urgent [OPTIONS] FILE ADDRESS ADDRESS...\n");
	}
	return code ? EXIT_FAILURE : EXIT_SUCCESS;
}
