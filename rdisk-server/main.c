/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk: the disk server. This file is its outermost layer: the order of
 * starting and ending, and what is done when the node is lost. rdisk(8) documents all of it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "configuration.h"
#include "driver_task.h"
#include "dvk.h"
#include "dvk_node.h"
#include "log.h"
#include "membership.h"
#include "membership_keeper.h"
#include "options.h"
#include "recording.h"
#include "replication_self.h"
#include "service_notify.h"
#include "session_key.h"
#include "standard_descriptors.h"
#include "termination.h"

enum exit_code {
	EXIT_ENDED = 0,	 /* by a signal, everything flushed; or what was asked for was printed */
	EXIT_START = 1,	 /* bad options or configuration, or the start failed */
	EXIT_SERVING = 2 /* the endpoint was lost while serving, or the last flush failed */
};

#define DESCRIPTION_SIZE 8192 /* of all devices in one line */

/* For a service manager that is busy, as at the start of a host: before anything is served, and never afterwards. */
#define READY_WAIT_MS	 5000

/* A guest's file system has less than that between two requests while programs use it. */
#define STAY_AWAKE_NS	 2000000

static void warn(void *context, const char *text)
{
	const char *path = context;

	log_warning("%s: %s", path, text);
}

/* Of what a start of a member needs, and its configuration file alone cannot tell. */
static void warn_of_key(const struct replication_configuration *replication)
{
	unsigned char key[SESSION_KEY_SIZE];
	struct diagnostic diagnostic = { 0 };

	if (replication->nr_members && !replication->insecure &&
	    session_key_read(replication->key_file, key, &diagnostic))
		log_warning("%s", diagnostic.text);
	explicit_bzero(key, sizeof(key));
}

static int check_config(const struct configuration *configuration, const char *path)
{
	static char description[DESCRIPTION_SIZE];
	struct diagnostic diagnostic = { 0 };
	struct store_found found[DEVICES_MAX];
	uint64_t sizes[DEVICES_MAX];

	if (device_table_check(configuration, path, found, &diagnostic)) {
		log_plain("%s", diagnostic.text);
		return EXIT_START;
	}
	for (int minor = 0; minor < configuration->nr_devices; minor++) {
		sizes[minor] = found[minor].size;
		if (found[minor].copy_of[0])
			log_warning("image %s is a copy of the image of disk %s, or was restored: it will be a disk of "
				    "its own; if it is to be the one that it was, set id = \"%s\"",
				    configuration->devices[minor].image_file, found[minor].copy_of,
				    found[minor].copy_of);
	}
	warn_of_key(&configuration->replication);
	device_describe(configuration, sizes, description, sizeof(description));
	if (printf("devices=%d (%s)\n", configuration->nr_devices, description) < 0)
		goto no_output;
	if (configuration->replication.nr_members) {
		replication_describe(&configuration->replication, description, sizeof(description));
		if (printf("%s\n", description) < 0)
			goto no_output;
	}
	if (fflush(stdout))
		goto no_output;
	return EXIT_ENDED;
no_output:
	log_plain("cannot write to standard output: %s", strerror(errno));
	return EXIT_START;
}

/* Starts the container if it does not run, and learns its limits. 0 or a code. */
static int start_container(struct server *server)
{
	dc_usr_t container;
	int code = dvk_getdcinfo(server->dcid, &container);

	if (code == EDVSDCNOTRUN || (code == 0 && container.dc_flags != DC_RUNNING)) {
		const dc_usr_t fresh = {
			.dc_dcid = server->dcid,
			.dc_nr_procs = NR_PROCS,
			.dc_nr_tasks = DC_TASKS_DEFAULT,
			.dc_nr_sysprocs = NR_SYS_PROCS,
			.dc_nr_nodes = NR_NODES,
			.dc_warn2proc = NONE,
		};

		code = dvk_dc_init(&fresh);
		if (code < 0 && code != EDVSDCRUN) /* somebody else may have been faster */
			return code;
		code = dvk_getdcinfo(server->dcid, &container);
	}
	if (code)
		return code;
	server->nr_tasks = container.dc_nr_tasks;
	server->nr_sysprocs = container.dc_nr_sysprocs;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Waits until a process has ended, timeout_ms at most, or until a signal comes. False: it cannot be told when it ends
 * (it is in another namespace, or there are too many descriptors).
 */
static bool await_end(pid_t pid, int64_t timeout_ms)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (end.fd < 0)
		return errno == ESRCH;
	(void)poll(&end, 1, (int)timeout_ms);
	close(end.fd);
	return true;
}

/*
 * Binds the endpoint, when the server before this one, which may have been killed a moment ago, is gone: as for its
 * images. When its process has ended the node only has to take notice of that, which it does between two questions.
 */
static int bind_when_free(const struct server *server)
{
	int64_t deadline = now_ms() + (int64_t)STORE_LOCK_WAIT * 1000;
	bool said = false;

	for (;;) {
		int code = dvk_bind(server->dcid, server->endpoint);
		int64_t left = deadline - now_ms();
		proc_usr_t holder;

		if (code != EDVSSLOTUSED || left <= 0 || termination_requested() ||
		    dvk_getprocinfo(server->dcid, dvk_endpoint_number(server->endpoint), &holder))
			return code;
		if (!said && (!kill(holder.p_lpid, 0) || errno == EPERM))
			log_info("endpoint %d of container %d is in use by process %d: waiting up to %u s for it to "
				 "end",
				 server->endpoint, server->dcid, holder.p_lpid, STORE_LOCK_WAIT);
		said = true;
		if (!await_end(holder.p_lpid, left))
			return code;
	}
}

static int bind_endpoint(struct server *server, struct diagnostic *diagnostic)
{
	proc_usr_t holder;
	int code;

	if (!dvk_endpoint_is_system(server->endpoint, server->nr_tasks, server->nr_sysprocs))
		return diagnostic_set(diagnostic, "endpoint %d is for users: a server needs one below %d",
				      server->endpoint, server->nr_sysprocs - server->nr_tasks);
	code = bind_when_free(server);
	if (code == EDVSSLOTUSED && !dvk_getprocinfo(server->dcid, dvk_endpoint_number(server->endpoint), &holder))
		return diagnostic_set(diagnostic,
				      "cannot bind endpoint %d of container %d: it is in use by process %d: end that, "
				      "or serve at another one (-e ENDPOINT)",
				      server->endpoint, server->dcid, holder.p_lpid);
	if (code != server->endpoint)
		return diagnostic_set(diagnostic, "cannot bind endpoint %d of container %d: %s", server->endpoint,
				      server->dcid, dvk_strerror(code));
	return 0;
}

/* From no connection to bound. 0, or -1 with *diagnostic and nothing left open. */
static int connect_node(struct server *server, struct diagnostic *diagnostic)
{
	char cause[DVK_NODE_CAUSE_SIZE];
	int hold = -1;
	int code = dvk_node_ensure(&hold, cause, sizeof(cause));

	if (code)
		return diagnostic_set(diagnostic, "no node to connect to: %s", cause);
	code = dvk_open();
	/* The node stays now because of the connection itself. */
	if (hold >= 0)
		close(hold);
	if (code) {
		diagnostic_set(diagnostic, "cannot connect to the node: %s", dvk_strerror(code));
		goto fail;
	}
	code = start_container(server);
	if (code) {
		diagnostic_set(diagnostic, "cannot start container %d: %s", server->dcid, dvk_strerror(code));
		goto fail;
	}
	if (bind_endpoint(server, diagnostic))
		goto fail;
	dvk_stay_awake(STAY_AWAKE_NS);
	return 0;
fail:
	dvk_close();
	return -1;
}

static void announce(const struct server *server, const struct configuration *configuration, bool first)
{
	static char description[DESCRIPTION_SIZE];
	uint64_t sizes[DEVICES_MAX];

	for (int minor = 0; minor < server->devices.nr_devices; minor++)
		sizes[minor] = server->devices.devices[minor].store.size;
	device_describe(configuration, sizes, description, sizeof(description));
	log_plain("ready dc=%d endpoint=%d devices=%d (%s)", server->dcid, server->endpoint, server->devices.nr_devices,
		  description);
	(void)service_notify("READY=1", first ? READY_WAIT_MS : 0);
}

/* Serves until asked to end, through any number of lost nodes. */
static int serve(struct server *server, const struct configuration *configuration)
{
	struct diagnostic diagnostic = { 0 };
	struct membership_keeper keeper;

	for (bool first = true;; first = false) {
		int code;

		announce(server, configuration, first);
		code = driver_task(server);
		if (code == 0)
			return EXIT_ENDED;
		if (code != EDVSDVSINIT) {
			log_error("cannot receive at endpoint %d any more: %s", server->endpoint, dvk_strerror(code));
			return EXIT_SERVING;
		}
		log_warning("the node is gone; going on with another");
		dvk_close();
		device_table_forget_opens(&server->devices);
		/* A new node may take its time, and the server before this one, too. */
		membership_keep(&keeper, server);
		code = connect_node(server, &diagnostic);
		membership_keep_end(&keeper);
		if (server->devices.member && member_failed(server->devices.member)) {
			log_error("the replica set cannot go on here: see above");
			return EXIT_SERVING;
		}
		if (code) {
			if (termination_requested())
				return EXIT_ENDED;
			log_error("%s", diagnostic.text);
			return EXIT_SERVING;
		}
	}
}

static int run(const struct options *options, const struct configuration *configuration)
{
	static struct server server; /* large, and zeroed */
	struct diagnostic diagnostic = { 0 };
	int code = termination_setup();
	int status = EXIT_START;

	if (code) {
		log_plain("cannot set up signals: %s", strerror(-code));
		return EXIT_START;
	}
	server.dcid = options->dcid;
	server.endpoint = options->endpoint;
	server.devices.dcid = options->dcid;
	code = driver_init(&server);
	if (code) {
		log_plain("cannot set up the server: %s", strerror(-code));
		return EXIT_START;
	}
	if (membership_create(&server, configuration, &diagnostic)) {
		log_plain("%s", diagnostic.text);
		return EXIT_START;
	}
	if (server.devices.member && dvk_use_descriptors(member_descriptor(server.devices.member))) {
		log_plain("cannot wait for the replica set and for clients at once");
		return EXIT_START;
	}
	if (device_table_open(&server.devices, configuration, options->config, &server.completions, &diagnostic)) {
		if (termination_requested())
			return EXIT_ENDED; /* while it waited for the server before it */
		log_plain("%s", diagnostic.text);
		return EXIT_START;
	}
	code = connect_node(&server, &diagnostic);
	/* A signal ends a start as it ends the service. */
	if (termination_requested())
		status = EXIT_ENDED;
	else if (code)
		log_plain("%s", diagnostic.text);
	if (code || status == EXIT_ENDED) {
		device_table_uncreate(&server.devices, configuration);
		goto out_node;
	}
	/* Threads are made after the node was: until then there is one. */
	if (device_table_create(&server.devices, configuration, options->config, &diagnostic) ||
	    membership_start(&server, configuration, options, &diagnostic) ||
	    (options->record &&
	     recording_open(&server.recording, options->record, &server.devices, server.endpoint, &diagnostic))) {
		if (termination_requested())
			status = EXIT_ENDED; /* while it waited for the member before it */
		else
			log_plain("%s", diagnostic.text);
		device_table_uncreate(&server.devices, configuration);
		goto out_node;
	}
	membership_begin(&server);
	device_table_log(&server.devices);
	status = serve(&server, configuration);
	termination_acknowledge();
	/* Done already, unless the node was lost. */
	driver_leave_set(&server);
	driver_drain(&server);
	recording_close(server.recording);
	(void)service_notify("STOPPING=1", 0);
	if (device_table_flush(&server.devices))
		status = EXIT_SERVING;
	log_info("ended");
out_node:
	/* Also of a start that was ended. */
	termination_acknowledge();
	dvk_close();
	membership_end(&server);
	device_table_close(&server.devices);
	membership_destroy(&server);
	return status;
}

int main(int argc, char **argv)
{
	static struct configuration configuration;
	struct options options = { .endpoint = RDISK_PROC_NR };
	struct diagnostic diagnostic = { 0 };
	int status;

	if (standard_descriptors_take()) {
		log_plain("cannot open /dev/null: %s", strerror(errno));
		return EXIT_START;
	}
	status = options_parse(&options, argc, argv);
	if (status)
		return status < 0 ? EXIT_START : EXIT_ENDED;
	if (configuration_read(&configuration, options.config, &diagnostic)) {
		log_plain("%s", diagnostic.text);
		return EXIT_START;
	}
	if (options_apply(&options, &configuration, &diagnostic)) {
		log_plain("%s", diagnostic.text);
		configuration_free(&configuration);
		return EXIT_START;
	}
	if (configuration.replication.nr_members)
		replication_warnings(&configuration.replication, warn, (void *)options.config);
	status = options.check_config ? check_config(&configuration, options.config) : run(&options, &configuration);
	configuration_free(&configuration);
	return status;
}
