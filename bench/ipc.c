/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-ipc: what the message layer alone can do. One process is a server at a system endpoint, one its
 * client; both wait awake. Prints, each as a line of JSON, the round trips a second of sendrec, and the bytes a second
 * that the server copies out of the client's memory with vcopy, 16 KiB at a time: granted memory and memory that is
 * not. A node with container 0 must run.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "dvk.h"

#define DCID	    0
#define SERVER	    20 /* its endpoint, a system one */
#define COPY_BYTES  16384
#define CLOCK_EVERY 256 /* round trips or copies between two looks at the clock */

enum request {
	REQUEST_ECHO = 1,
	REQUEST_COPY, /* m2_p1: address, m2_i1: rounds number; answered after `seconds` of copying */
	REQUEST_END,
};

static int fail(const char *what, int code)
{
	fprintf(stderr, "rdisk-bench-ipc: %s: %s\n", what, dvk_strerror(code));
	return -1;
}

static int print_row(const char *row, const char *side, int round, double value)
{
	printf("{\"row\": \"%s\", \"side\": \"%s\", \"round\": %d, \"value\": %.9g}\n", row, side, round, value);
	return fflush(stdout) ? -1 : 0;
}

static int join(int endpoint)
{
	int code = dvk_open();

	/* Where the host lets only debuggers read another process, the one that is copied from says who may. */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	if (!code)
		code = dvk_bind(DCID, endpoint);
	return code < EDVSERRCODE || (code < 0 && code != endpoint) ? fail("cannot bind", code) : 0;
}

/* Copies from the blocked client for a while: bytes a second, or a negative code. */
static double copy(int client, const void *address, char *to, double seconds)
{
	double start = bench_now(), now;
	uint64_t copies = 0;

	do {
		for (int i = 0; i < CLOCK_EVERY; i++) {
			long copied = dvk_vcopy(client, address, SELF, to, COPY_BYTES);

			if (copied != COPY_BYTES)
				return (double)copied;
		}
		copies += CLOCK_EVERY;
		now = bench_now();
	} while (now - start < seconds);
	return (double)(copies * COPY_BYTES) / (now - start);
}

static int serve(double seconds)
{
	static char to[COPY_BYTES] __attribute__((aligned(4096)));
	message msg;
	int code = 0;

	while (!code) {
		code = dvk_receive(ANY, &msg);
		if (code)
			return fail("receive", code);
		if (msg.m_type == REQUEST_COPY) {
			double rate = copy(msg.m_source, msg.m2_p1, to, seconds);

			if (rate <= 0)
				return fail("vcopy", (int)rate);
			msg.m2_l1 = (long)rate;
		}
		code = dvk_reply(msg.m_source, &msg);
		if (msg.m_type == REQUEST_END)
			break;
	}
	return code ? fail("reply", code) : 0;
}

static int call(message *msg)
{
	int code = dvk_sendrec(SERVER, msg);

	return code ? fail("sendrec", code) : 0;
}

static int run_sendrec(double seconds, int round)
{
	message msg = { .m_type = REQUEST_ECHO };
	double start = bench_now(), now;
	uint64_t trips = 0;

	do {
		for (int i = 0; i < CLOCK_EVERY; i++) {
			msg.m2_i1 = i;
			if (call(&msg))
				return -1;
			if (msg.m2_i1 != i)
				return fail("an answer belongs to another request", EDVSBADREQUEST);
		}
		trips += CLOCK_EVERY;
		now = bench_now();
	} while (now - start < seconds);
	return print_row("ipc-sendrec", "rdisk", round, (double)trips / (now - start));
}

static int run_copy(const char *row, const void *memory, int round)
{
	message msg = { .m_type = REQUEST_COPY };

	msg.m2_p1 = (char *)(uintptr_t)memory;
	return call(&msg) ? -1 : print_row(row, "rdisk", round, (double)msg.m2_l1);
}

static int run_client(int rounds, double seconds)
{
	static char private_memory[COPY_BYTES] __attribute__((aligned(4096)));
	message msg = { .m_type = REQUEST_END };
	char *granted;
	int fd, code;

	if (join(ANY))
		return -1;
	code = dvk_wait4bindep(SERVER);
	if (code != SERVER)
		return fail("waiting for the server", code);
	granted = bench_shared_memory(COPY_BYTES, &fd);
	if (!granted)
		return -1;
	memset(granted, 1, COPY_BYTES);
	memset(private_memory, 1, COPY_BYTES);
	code = dvk_grant(SERVER, fd, 0, granted, COPY_BYTES);
	if (code)
		return fail("grant", code);
	for (int round = 1; round <= rounds; round++) {
		if (run_sendrec(seconds, round) || run_copy("ipc-vcopy", granted, round) ||
		    run_copy("ipc-vcopy-plain", private_memory, round))
			return -1;
	}
	return call(&msg);
}

static int start_container(void)
{
	const dc_usr_t container = {
		.dc_dcid = DCID,
		.dc_nr_procs = NR_PROCS,
		.dc_nr_tasks = DC_TASKS_DEFAULT,
		.dc_nr_sysprocs = NR_SYS_PROCS,
		.dc_nr_nodes = NR_NODES,
		.dc_warn2proc = NONE,
	};
	int code = dvk_dc_init(&container);

	return code < 0 && code != EDVSDCRUN ? fail("cannot start container 0", code) : 0;
}

int main(int argc, char **argv)
{
	pid_t parent = getpid(), child;
	double seconds;
	int rounds, status;

	rounds = argc == 3 ? atoi(argv[1]) : 0;
	seconds = argc == 3 ? atof(argv[2]) : 0;
	if (rounds < 1 || seconds <= 0) {
		fprintf(stderr, "Usage: rdisk-bench-ipc ROUNDS SECONDS\n");
		return EXIT_FAILURE;
	}
	if (start_container())
		return EXIT_FAILURE;
	child = fork();
	if (child < 0) {
		fprintf(stderr, "rdisk-bench-ipc: cannot start the server: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	if (child == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent || join(SERVER))
			_exit(EXIT_FAILURE);
		_exit(serve(seconds) ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (run_client(rounds, seconds)) {
		(void)kill(child, SIGTERM);
		(void)waitpid(child, NULL, 0);
		return EXIT_FAILURE;
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
		fprintf(stderr, "rdisk-bench-ipc: the server failed\n");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
