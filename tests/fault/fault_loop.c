/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nth-fault loop: for each class of calls (fault_inject.c) the script is run against
 * a server whose 1st, 2nd, 3rd ... call of that class fails, until a run meets no fault any more. The
 * same with a node that meets the faults. After every run:
 *
 *   - the program answers and ends well, or it has exited with a message, and not by a signal;
 *   - nobody has waited in vain;
 *   - no data that was acknowledged is wrong: in answers, in the image, through a server without faults.
 *
 * A class of which there is no call is an error of this list.
 *
 *   fault_loop [PROGRAM [CLASS [N]]]      "rdisk" or "dvkd"; a class; one run with the nth call failing
 *
 * Prints the number of faults met. Exit status 1 if a rule was broken.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_environment.h"
#include "fault_script.h"
#include "test_disk.h"

#define FAULTS_MAX	 5000 /* a loop that goes on that long does not end */
#define VIOLATIONS_SHOWN 5    /* of one class: the rest are seldom news */

enum target { TARGET_RDISK, TARGET_DVKD, NR_TARGETS };

static const char *const target_names[NR_TARGETS] = { "rdisk", "dvkd" };

static const char *const classes[] = { "malloc",       "open",	    "pread",	 "pread-short", "pwrite",
				       "pwrite-short", "fdatasync", "fallocate", "mmap",	"socket",
				       "sendmsg",      "recvmsg",   "copy",	 "futex",	"futex-nomem",
				       "miss",	       "thread" };

/* The node meets only what it uses. */
static const char *const node_classes[] = { "malloc", "open", "mmap", "socket", "sendmsg", "recvmsg" };

struct totals {
	int runs;
	int faults;
	int refused;  /* ended before they were ready */
	int ended;    /* ended while they served */
	int survived; /* answered until they were told to end */
	int violations;
};

static struct test_server server;
static struct test_process node;
static struct fault_script script;

static void start_node(const char *const environment[])
{
	const char *arguments[] = { DVKD_PROGRAM, NULL };

	test_process_start(&node, arguments, environment);
}

/* A line on stderr that is not the fault's own. */
static bool has_message(const char *log)
{
	while (*log) {
		size_t length = strcspn(log, "\n");

		if (length && strncmp(log, FAULT_MET, strlen(FAULT_MET)) != 0)
			return true;
		log += length + (log[length] == '\n');
	}
	return false;
}

/* The rules of ending, for the program that met the fault and has ended. */
static void check_end(const struct test_process *process, bool asked_to_end)
{
	int code = test_process_exit_code(process);

	if (strstr(process->log.text, "Sanitizer:"))
		fault_script_violate(&script, "a sanitizer complains");
	else if (code != 0 && code != 1 && code != 2)
		fault_script_violate(&script, "exit status %d", code);
	else if (code != 0 && !has_message(process->log.text))
		fault_script_violate(&script, "exit status %d without a message", code);
	else if (code == 0 && !asked_to_end)
		fault_script_violate(&script, "it ended by itself, with exit status 0");
}

/* Waits for the end of a program that may be stuck: that is the violation, not the test's end. */
static void end_process(struct test_process *process, int signal_number)
{
	if (process->pid && signal_number)
		(void)kill(process->pid, signal_number);
	if (!test_process_wait_end(process, TEST_TIMEOUT_MS)) {
		fault_script_violate(&script, "it does not end");
		test_process_discard(process);
	}
}

/* This process as a client again, whatever has become of the node. False if there is none. */
static bool connect_client(void)
{
	int code;

	(void)dvk_close();
	code = dvk_open();
	if (!code)
		code = dvk_bind(TEST_DCID, ANY);
	script.self = code;
	return code > EDVSERRCODE;
}

/* The data through a server of the same node that meets no faults. */
static void check_with_clean_server(void)
{
	test_server_launch(&server, script_devices, NR_SCRIPT_DEVICES, NULL);
	if (!test_process_wait_log(&server.process, "ready", TEST_TIMEOUT_MS)) {
		fault_script_violate(&script, "a server without faults does not start: %s", server.process.log.text);
		test_process_discard(&server.process);
		return;
	}
	fault_script_check_served(&script);
	end_process(&server.process, SIGTERM);
	if (test_process_exit_code(&server.process))
		fault_script_violate(&script, "a server without faults ends with %d",
				     test_process_exit_code(&server.process));
}

/* ---- a server with a fault, a node without ---- */

static void run_rdisk(const struct fault_environment *environment, bool sync_faults, struct totals *totals)
{
	bool ready;

	test_server_launch(&server, script_devices, NR_SCRIPT_DEVICES, environment->variables);
	ready = test_process_wait_log(&server.process, "ready", TEST_TIMEOUT_MS);
	if (!ready) {
		end_process(&server.process, 0);
		check_end(&server.process, false);
		totals->refused++;
		return;
	}
	script.server = server.process.pid;
	fault_script_run(&script, sync_faults);
	/* A server that lost its endpoint has either come back with it or ended. */
	if (script.gone && !test_process_wait_log_times(&server.process, "ready", 2, TEST_TIMEOUT_MS)) {
		end_process(&server.process, 0);
		check_end(&server.process, false);
		totals->ended++;
		return;
	}
	if (!fault_script_answers(&script))
		fault_script_violate(&script, "the server does not answer at the end");
	end_process(&server.process, SIGTERM);
	check_end(&server.process, true);
	totals->survived++;
}

/* ---- a node with a fault, a server without ---- */

/* What the node does to others is an error here or there, or the end of their connections; a server then starts anew.
 */
static void run_node(const struct fault_environment *environment, struct totals *totals)
{
	bool ready;

	test_runtime_new();
	start_node(environment->variables);
	if (!test_process_wait_log(&node, "ready", TEST_TIMEOUT_MS)) {
		end_process(&node, 0);
		check_end(&node, false);
		totals->refused++;
		return;
	}
	test_server_launch(&server, script_devices, NR_SCRIPT_DEVICES, NULL);
	ready = test_process_wait_log(&server.process, "ready", TEST_TIMEOUT_MS);
	script.server = server.process.pid;
	if (ready && connect_client())
		fault_script_run(&script, false);
	/* The server has met no fault, but it may have lost its node. */
	end_process(&server.process, ready ? SIGTERM : 0);
	check_end(&server.process, ready);
	if (!node.pid || test_process_wait_end(&node, 0)) {
		check_end(&node, false);
		totals->ended++;
		return;
	}
	end_process(&node, SIGTERM);
	check_end(&node, true);
	totals->survived++;
}

/* ---- the loop ---- */

static void show_violation(enum target target, const char *fault)
{
	fprintf(stderr, "%s, %s: %s\n", target_names[target], fault, script.violation);
	fprintf(stderr, "--- rdisk's log\n%s", server.process.log.text);
	if (target == TARGET_DVKD)
		fprintf(stderr, "--- dvkd's log\n%s", node.log.text);
	fprintf(stderr, "---\n");
}

/* One run; true if it met its fault. */
static bool run_once(enum target target, const char *class_name, int n, struct totals *totals)
{
	struct fault_environment environment;
	const struct test_process *faulty = target == TARGET_RDISK ? &server.process : &node;
	static char faulty_log[TEST_STREAM_SIZE];
	char fault[64];
	bool met;

	snprintf(fault, sizeof(fault), "%s:%d", class_name, n);
	fault_environment_set(&environment, fault);
	fault_script_reset(&script);
	totals->runs++;
	if (target == TARGET_RDISK)
		run_rdisk(&environment, !strcmp(class_name, "fdatasync"), totals);
	else
		run_node(&environment, totals);
	met = strstr(faulty->log.text, FAULT_MET) != NULL;
	fault_script_check_images(&script);
	memcpy(faulty_log, server.process.log.text, sizeof(faulty_log));
	if (target == TARGET_RDISK && !script.violation[0])
		check_with_clean_server();
	if (!met && (script.gone || script.answered == 0))
		fault_script_violate(&script, "failed without a fault (%s)", dvk_strerror(script.gone));
	if (script.violation[0]) {
		memcpy(server.process.log.text, faulty_log, sizeof(faulty_log));
		if (totals->violations++ < VIOLATIONS_SHOWN)
			show_violation(target, fault);
	}
	if (met)
		totals->faults++;
	return met;
}

static void loop(enum target target, const char *class_name, struct totals *all)
{
	struct totals totals = { 0 };
	int n = 1;

	while (run_once(target, class_name, n, &totals))
		if (++n > FAULTS_MAX) {
			fprintf(stderr, "%s, %s: no end of faults\n", target_names[target], class_name);
			totals.violations++;
			break;
		}
	/* A class that nothing calls any more tests nothing. */
	if (totals.faults == 0) {
		fprintf(stderr, "%s, %s: no fault was met\n", target_names[target], class_name);
		totals.violations++;
	}
	printf("%-5s %-12s %4d faults met: %d ended before they were ready, %d while they served, %d answered to the "
	       "end\n",
	       target_names[target], class_name, totals.faults, totals.refused, totals.ended,
	       totals.survived - (totals.runs - totals.faults));
	(void)fflush(stdout);
	all->runs += totals.runs;
	all->faults += totals.faults;
	all->violations += totals.violations;
}

static void prepare_rdisk(void)
{
	test_runtime_new();
	start_node(NULL);
	if (!test_process_wait_log(&node, "ready", TEST_TIMEOUT_MS))
		test_fatal("dvkd did not get ready; its log:\n%s", node.log.text);
}

/* The first server makes the container that this process then binds in. */
static void prepare_client(void)
{
	test_server_start(&server, script_devices, NR_SCRIPT_DEVICES, NULL);
	script.self = test_bind(ANY);
	/* Every request finds the server asleep: more of its waits are real ones. */
	dvk_set_spin(0);
	if (test_server_stop(&server))
		test_fatal("rdisk does not end well");
}

static void run_target(enum target target, const char *only_class, int only_n, struct totals *all)
{
	const char *const *list = target == TARGET_RDISK ? classes : node_classes;
	size_t count = target == TARGET_RDISK ? sizeof(classes) / sizeof(classes[0])
					      : sizeof(node_classes) / sizeof(node_classes[0]);

	if (target == TARGET_RDISK) {
		prepare_rdisk();
		prepare_client();
	}
	for (size_t i = 0; i < count; i++) {
		if (only_class && strcmp(only_class, list[i]) != 0)
			continue;
		if (only_n)
			(void)run_once(target, list[i], only_n, all);
		else
			loop(target, list[i], all);
	}
	if (target == TARGET_RDISK) {
		(void)dvk_close();
		if (test_process_stop(&node, SIGTERM))
			test_fatal("dvkd does not end well; its log:\n%s", node.log.text);
	}
}

int main(int argc, char **argv)
{
	const char *only_class = argc > 2 ? argv[2] : NULL;
	int only_n = argc > 3 ? atoi(argv[3]) : 0;
	struct totals all = { 0 };

	fault_script_create(&script);
	fault_script_reset(&script);
	for (int target = 0; target < NR_TARGETS; target++)
		if (argc < 2 || !strcmp(argv[1], target_names[target]))
			run_target((enum target)target, only_class, only_n, &all);
	(void)dvk_close();
	printf("%d faults met in %d runs, %d violations\n", all.faults, all.runs, all.violations);
	return all.violations ? 1 : 0;
}
