/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-floor: the least that replication can cost. One process, the writer, sends a head and data to one or more
 * peers, writes the data into a file of its own, and waits until each peer has written them into its file and has
 * answered. Nothing else that a replicated disk needs is there: no order, no checksum, no epoch, no lease, no request.
 *
 *   serve [--key FILE] [--port N] FILE
 *       is a peer of one writer after the other, until it is killed. With port 0 it finds one; it says on stderr which.
 *   write [--key FILE] [--port N] [--size BYTES] [--in-flight N] [--count N] [--sleep | --client US] [--spin US]
 *         FILE ADDRESS...
 *       writes --count times --size bytes, --in-flight at a time, and prints a line of JSON: the time of a write from
 *       its sending to the last answer, in microseconds, and writes and MB (10^6 bytes) a second.
 *       The writer polls its sockets; with --sleep it sleeps until one has something. Peers sleep; with --spin they
 *       look for the next write for so many microseconds first. With --client another process asks the writer for each,
 *       through shared memory, and measures; it looks for the answer for so many microseconds and sleeps then.
 *
 * --key names a file of 32 random bytes, the same for all: TLS 1.3 with that pre-shared key. Without: in the clear.
 * FILE is made, FILE_BYTES long, with all its blocks there. scripts/floor.sh puts them into network namespaces.
 */
#include "floor.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "floor_client.h"

#define FILE_BYTES	(64u << 20)
#define DATA_MAX	(4u << 20)
#define IN_FLIGHT_MAX	FLOOR_IN_FLIGHT_MAX
#define COUNT_MAX	1000000
#define PEERS_MAX	6
#define SPIN_MAX	1000000
#define WARM_UP_DIVISOR 10   /* of --count, that many more come first, which are not counted */
#define STRIDE		7919 /* between two writes, in units of --size: a prime, so that all places are written */
#define MAGIC		UINT32_C(0x524f4c46)

/* What a writer sends first. */
struct hello {
	uint32_t magic;
	uint32_t size; /* bytes of the data of each write, 1 .. DATA_MAX */
	uint32_t spin; /* microseconds */
	uint32_t reserved;
};

struct head {
	uint64_t number;
	uint64_t position;
	char rest[48]; /* as long as that of a real protocol is at least */
};

struct answer {
	uint64_t number;
	char rest[24];
};

_Static_assert(sizeof(struct head) == 64 && sizeof(struct answer) == 32, "what docs/design.md calls the floor");

/* A write as it is sent. The data begin a page, as in the memory of a real server. */
static struct {
	char unused[4096 - sizeof(struct head)];
	struct head head;
	char data[DATA_MAX];
} frame __attribute__((aligned(4096)));

struct job {
	const char *file;
	unsigned char key[FLOOR_KEY_BYTES];
	bool has_key;
	uint16_t port;
	uint32_t size;
	unsigned int in_flight;
	unsigned int count;
	bool sleep;
	uint32_t spin;
	bool client;
	uint32_t client_spin; /* microseconds */
};

struct peer {
	struct floor_link link;
	uint64_t answered; /* writes */
	struct answer answer;
	size_t received; /* bytes of `answer` */
};

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "rdisk-bench-floor: %s: %s\n", what, why);
	return -1;
}

/* ---- what both do ---- */

/* The file to be written, so that no write has to find a block for its data. Or -1. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), code;

	if (fd < 0)
		return fail(path, strerror(errno));
	code = posix_fallocate(fd, 0, FILE_BYTES);
	if (!code)
		return fd;
	(void)close(fd);
	return fail(path, strerror(code));
}

static int write_file(int fd, uint32_t size, uint64_t position)
{
	ssize_t written = pwrite(fd, frame.data, size, (off_t)position);

	if (written == (ssize_t)size)
		return 0;
	return fail("pwrite", written < 0 ? strerror(errno) : "it wrote only a part");
}

static int read_key(struct job *job, const char *path)
{
	FILE *file = fopen(path, "re");
	size_t bytes;

	if (!file)
		return fail(path, strerror(errno));
	bytes = fread(job->key, 1, sizeof(job->key), file);
	(void)fclose(file);
	if (bytes < sizeof(job->key))
		return fail(path, "it does not have 32 bytes");
	job->has_key = true;
	return 0;
}

static const unsigned char *key_of(const struct job *job)
{
	return job->has_key ? job->key : NULL;
}

/* ---- a peer ---- */

/* All of it, after `spin` microseconds of looking for its first bytes. 1, 0 when the other end has closed, or -1. */
static int receive_all(struct floor_link *link, void *data, size_t bytes, uint32_t spin)
{
	double until = spin > 0 ? bench_now() + spin * 1e-6 : 0;
	size_t received = 0;

	link->receive_flags = spin > 0 ? MSG_DONTWAIT : 0;
	while (received < bytes) {
		ssize_t more = floor_receive(link, (char *)data + received, bytes - received);

		if (more == -EAGAIN) {
			if (link->receive_flags && bench_now() > until)
				link->receive_flags = 0;
			continue;
		}
		if (more <= 0)
			return (int)more;
		received += (size_t)more;
	}
	return 1;
}

/* The writes of one writer. 0 when it has closed, or -1. */
static int serve_writer(struct floor_link *link, int fd)
{
	struct answer answer = { 0 };
	struct hello hello;
	int code = receive_all(link, &hello, sizeof(hello), 0);

	if (code <= 0)
		return code;
	if (hello.magic != MAGIC || hello.size == 0 || hello.size > DATA_MAX || hello.spin > SPIN_MAX)
		return fail("the other end", "it is no rdisk-bench-floor");
	for (;;) {
		code = receive_all(link, &frame.head, sizeof(frame.head) + hello.size, hello.spin);
		if (code <= 0)
			return code;
		if (frame.head.position > FILE_BYTES - hello.size)
			return fail("the other end", "it writes beyond the end of the file");
		answer.number = frame.head.number;
		if (write_file(fd, hello.size, frame.head.position) || floor_send(link, &answer, sizeof(answer)))
			return -1;
	}
}

static int serve(const struct job *job)
{
	int fd = make_file(job->file), listener;
	uint16_t port = job->port;

	listener = fd < 0 ? -1 : floor_listen(&port);
	if (listener < 0)
		return -1;
	fprintf(stderr, "rdisk-bench-floor: listening on port %u\n", port);
	for (;;) {
		struct floor_link link;

		/* One that fails has said so: the next may do better. */
		if (floor_accept(&link, listener, key_of(job)))
			continue;
		(void)serve_writer(&link, fd);
		floor_close(&link);
	}
}

/* ---- the writer ---- */

/* Takes what of a peer's answers is there. 0 or -1. */
static int take_answers(struct peer *peer)
{
	ssize_t more = floor_receive(&peer->link, (char *)&peer->answer + peer->received,
				     sizeof(peer->answer) - peer->received);

	if (more == -EAGAIN)
		return 0;
	if (more == 0)
		return fail("a peer", "it closed the connection");
	if (more < 0)
		return -1;
	peer->received += (size_t)more;
	if (peer->received < sizeof(peer->answer))
		return 0;
	if (peer->answer.number != peer->answered)
		return fail("a peer", "it answered another write than the next");
	peer->received = 0;
	peer->answered++;
	return 0;
}

/* Until all have answered write `number`. 0 or -1. */
static int await(struct peer *peers, int nr_peers, uint64_t number)
{
	bool missing;

	do {
		missing = false;
		for (int i = 0; i < nr_peers; i++) {
			if (peers[i].answered <= number && take_answers(&peers[i]))
				return -1;
			missing |= peers[i].answered <= number;
		}
	} while (missing);
	return 0;
}

static int send_write(const struct job *job, struct peer *peers, int nr_peers, int fd, uint64_t number)
{
	uint64_t places = FILE_BYTES / job->size;

	frame.head.number = number;
	frame.head.position = number * STRIDE % places * job->size;
	for (int i = 0; i < nr_peers; i++) {
		if (floor_send(&peers[i].link, &frame.head, sizeof(frame.head) + job->size))
			return -1;
	}
	return write_file(fd, job->size, frame.head.position);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static const char *writer_of(const struct job *job)
{
	if (job->client)
		return "polls for a client, too";
	return job->sleep ? "sleeps" : "polls";
}

static void print_result(const struct job *job, int nr_peers, double *samples, double seconds)
{
	double rate = job->count / seconds;

	qsort(samples, job->count, sizeof(samples[0]), compare);
	printf("{\"size\": %" PRIu32
	       ", \"in_flight\": %u, \"peers\": %d, \"tls\": %s, \"writer\": \"%s\", \"spin\": %" PRIu32
	       ", \"count\": %u, \"p50_us\": %.2f, \"p99_us\": %.2f, \"writes_per_s\": %.0f, \"mb_per_s\": %.1f}\n",
	       job->size, job->in_flight, nr_peers, job->has_key ? "true" : "false", writer_of(job), job->spin,
	       job->count, samples[job->count / 2] * 1e6, samples[job->count - 1 - job->count / 100] * 1e6, rate,
	       rate * job->size * 1e-6);
}

static int measure(const struct job *job, struct peer *peers, int nr_peers, int fd)
{
	static double samples[COUNT_MAX];
	uint64_t first = job->count / WARM_UP_DIVISOR, all = first + job->count, sent = 0;
	double begun[IN_FLIGHT_MAX], start = bench_now(), now = start;

	for (uint64_t done = 0; done < all; done++) {
		for (; sent < all && sent - done < job->in_flight; sent++) {
			begun[sent % job->in_flight] = bench_now();
			if (send_write(job, peers, nr_peers, fd, sent))
				return -1;
		}
		if (await(peers, nr_peers, done))
			return -1;
		now = bench_now();
		if (done < first)
			start = now;
		else
			samples[done - first] = now - begun[done % job->in_flight];
	}
	print_result(job, nr_peers, samples, now - start);
	return fflush(stdout) ? fail("stdout", strerror(errno)) : 0;
}

/* What a client asks for. 0 or -1. */
static int carry_out(const struct job *job, struct peer *peers, int nr_peers, int fd, struct floor_mailbox *mailbox)
{
	uint32_t all = job->count + job->count / WARM_UP_DIVISOR, sent = 0, done = 0;

	while (done < all) {
		/* acquire: what it stands for is there */
		uint32_t posted = atomic_load_explicit(&mailbox->posted, memory_order_acquire);
		uint64_t least = UINT64_MAX;

		for (; sent < posted; sent++) {
			if (send_write(job, peers, nr_peers, fd, sent))
				return -1;
		}
		for (int i = 0; i < nr_peers; i++) {
			if (peers[i].answered < sent && take_answers(&peers[i]))
				return -1;
			least = peers[i].answered < least ? peers[i].answered : least;
		}
		if (least > done) {
			done = (uint32_t)least;
			floor_client_tell(mailbox, done);
		}
	}
	return 0;
}

/* The same as measure(), as the client sees it. */
static int measure_client(const struct job *job, struct peer *peers, int nr_peers, int fd)
{
	uint32_t first = job->count / WARM_UP_DIVISOR, all = first + job->count;
	size_t size = sizeof(struct floor_mailbox) + all * sizeof(double);
	struct floor_mailbox *mailbox = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double *samples, start = bench_now(), seconds;
	int code, status = 0;
	pid_t pid;

	if (mailbox == MAP_FAILED)
		return fail("mmap", strerror(errno));
	samples = (double *)(mailbox + 1);
	pid = floor_client_start(mailbox, all, job->in_flight, job->client_spin, samples);
	code = pid < 0 ? fail("fork", strerror(errno)) : carry_out(job, peers, nr_peers, fd, mailbox);
	/* Those of the beginning are in it, which is as long for all. */
	seconds = (bench_now() - start) * job->count / all;
	if (code)
		atomic_store_explicit(&mailbox->failed, 1, memory_order_relaxed);
	if (code && pid > 0)
		(void)kill(pid, SIGKILL);
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || (!code && status)))
		code = fail("the client", "it failed");
	if (!code) {
		print_result(job, nr_peers, samples + first, seconds);
		code = fflush(stdout) ? fail("stdout", strerror(errno)) : 0;
	}
	(void)munmap(mailbox, size);
	return code;
}

static int write_to_peers(const struct job *job, char **addresses, int nr_peers)
{
	const struct hello hello = { .magic = MAGIC, .size = job->size, .spin = job->spin };
	struct peer peers[PEERS_MAX] = { 0 };
	int fd = make_file(job->file), connected = 0, code = fd < 0 ? -1 : 0;

	memset(frame.data, 0x5a, job->size);
	while (!code && connected < nr_peers) {
		struct floor_link *link = &peers[connected].link;

		code = floor_connect(link, addresses[connected], job->port, key_of(job));
		if (code)
			break;
		connected++;
		code = floor_send(link, &hello, sizeof(hello));
		link->receive_flags = job->sleep ? 0 : MSG_DONTWAIT;
	}
	if (!code)
		code = job->client ? measure_client(job, peers, nr_peers, fd) : measure(job, peers, nr_peers, fd);
	for (int i = 0; i < connected; i++)
		floor_close(&peers[i].link);
	if (fd >= 0)
		(void)close(fd);
	return code;
}

/* ---- options ---- */

static int parse_number(const char *option, const char *text, uint32_t least, uint32_t most, uint32_t *number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!errno && end != text && !*end && value >= least && value <= most && text[0] != '-') {
		*number = (uint32_t)value;
		return 0;
	}
	fprintf(stderr, "rdisk-bench-floor: --%s needs a number from %" PRIu32 " to %" PRIu32 ", not \"%s\"\n", option,
		least, most, text);
	return -1;
}

static int parse_options(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "port", required_argument, NULL, 'p' },
		{ "size", required_argument, NULL, 's' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "count", required_argument, NULL, 'c' },
		{ "spin", required_argument, NULL, 'n' },
		{ "sleep", no_argument, NULL, 'w' },
		{ "client", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	uint32_t port = job->port;
	int option, code = 0, index = 0;

	while (!code && (option = getopt_long(argc, argv, "", options, &index)) >= 0) {
		const char *name = options[index].name;

		switch (option) {
		case 'k':
			code = read_key(job, optarg);
			break;
		case 'p':
			code = parse_number(name, optarg, 0, UINT16_MAX, &port);
			break;
		case 's':
			code = parse_number(name, optarg, 1, DATA_MAX, &job->size);
			break;
		case 'f':
			code = parse_number(name, optarg, 1, IN_FLIGHT_MAX, &job->in_flight);
			break;
		case 'c':
			code = parse_number(name, optarg, 1, COUNT_MAX, &job->count);
			break;
		case 'n':
			code = parse_number(name, optarg, 0, SPIN_MAX, &job->spin);
			break;
		case 'l':
			job->client = true;
			code = parse_number(name, optarg, 0, SPIN_MAX, &job->client_spin);
			break;
		case 'w':
			job->sleep = true;
			break;
		default:
			code = -1; /* getopt_long() has said why */
		}
	}
	job->port = (uint16_t)port;
	return code;
}

int main(int argc, char **argv)
{
	struct job job = { .port = 7650, .size = BENCH_BLOCK, .in_flight = 1, .count = 5000 };
	int code = -1, words;

	if (parse_options(&job, argc, argv))
		return EXIT_FAILURE;
	argv += optind;
	words = argc - optind;
	if (words == 2 && !strcmp(argv[0], "serve")) {
		job.file = argv[1];
		code = serve(&job);
	} else if (words >= 3 && words - 2 <= PEERS_MAX && !strcmp(argv[0], "write")) {
		job.file = argv[1];
		code = write_to_peers(&job, argv + 2, words - 2);
	} else {
		fprintf(stderr, "Usage: rdisk-bench-floor serve [--key FILE] [--port N] FILE\n"
				"       rdisk-bench-floor write [--key FILE] [--port N] [--size BYTES] [--in-flight N] "
				"[--count N]\n"
				"                         [--sleep | --client US] [--spin US] FILE ADDRESS...\n");
	}
	return code ? EXIT_FAILURE : EXIT_SUCCESS;
}
