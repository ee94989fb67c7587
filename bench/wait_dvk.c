// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libdvk's own round trips: a server that sleeps by futexes and one that sleeps in epoll
 * (dvk_client_use_descriptors()), whose clients, one a channel, all belong to one process and call in turn.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dvk.h"
#include "dvk_client.h"
#include "dvk_runtime.h"
#include "wait.h"

#define DCID   0
#define SERVER 20 /* its endpoint; those of the clients follow */

static _Noreturn void die(const char *what, int code)
{
	fprintf(stderr, "rdisk-bench-wait: %s: %s\n", what, dvk_strerror(code));
	exit(EXIT_FAILURE);
}

static void check(const char *what, int code, int expected)
{
	if (code != expected)
		die(what, code);
}

static _Noreturn void serve(const struct wait_job *job, bool descriptors)
{
	message msg;

	if (descriptors)
		check("descriptors", dvk_use_descriptors(-1), 0);
	check("bind", dvk_bind(DCID, SERVER), SERVER);
	dvk_set_spin(job->spin ? DVK_SPIN_DEFAULT_NS : 0);
	for (;;) {
		check("receive", dvk_receive(ANY, &msg), 0);
		check("reply", dvk_reply(msg.m_source, &msg), 0);
	}
}

static void start_container(void)
{
	const dc_usr_t container = { .dc_dcid = DCID };
	int code = dvk_dc_init(&container);

	if (code < 0 && code != EDVSDCRUN)
		die("container 0", code);
	(void)dvk_close();
}

static void open_clients(const struct wait_job *job, struct dvk_client *clients)
{
	char path[108];

	check("the node's socket", dvk_runtime_socket(path, sizeof(path)), 0);
	for (unsigned int i = 0; i < job->channels; i++) {
		int endpoint = SERVER + 1 + (int)i;

		dvk_client_init(&clients[i]);
		dvk_spin_set(&clients[i].spin, job->spin ? DVK_SPIN_DEFAULT_NS : 0, 0);
		check("the node", dvk_client_open(&clients[i], path), 0);
		check("bind", dvk_client_bind(&clients[i], SELF_BIND, DCID, 0, endpoint), endpoint);
		check("the server", dvk_client_wait_bind(&clients[i], SERVER, TIMEOUT_MOLCALL), SERVER);
	}
}

static void call(void *context, unsigned int channel)
{
	struct dvk_client *clients = context;
	message msg = { .m_type = 1 };

	check("sendrec", dvk_client_sendrec(&clients[channel], SERVER, &msg, TIMEOUT_MOLCALL), 0);
}

static void measure(const struct wait_job *job, bool descriptors)
{
	struct dvk_client *clients = calloc(job->channels, sizeof(*clients));
	pid_t parent = getpid(), server;

	if (!clients)
		die("clients", EDVSNOMEM);
	server = fork();
	if (server < 0)
		die("server", EDVSNOMEM);
	if (server == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
			_exit(EXIT_FAILURE);
		wait_stay_on_processor(1);
		serve(job, descriptors);
	}
	wait_stay_on_processor(0);
	open_clients(job, clients);
	for (unsigned int i = 0; i < job->channels; i++)
		call(clients, i);
	wait_measure(job, "dvk", descriptors ? "descriptors" : "futex", call, clients);
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	for (unsigned int i = 0; i < job->channels; i++)
		dvk_client_close(&clients[i]);
	free(clients);
}

void wait_dvk(const struct wait_job *job)
{
	start_container();
	measure(job, false);
	measure(job, true);
}
