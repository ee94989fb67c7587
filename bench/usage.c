/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-usage: what processes cost, from /proc.
 *
 *   cpu ROUNDS SECONDS NAME=PID[,PID]...  processor time of all PIDs of a NAME and of what descends from them, in
 *                                         percent of one processor, over each of ROUNDS intervals of SECONDS
 *   memory ROUND PID                      bytes of memory that PID has for itself alone
 *
 * Prints lines of JSON. Processor time is the sum over all threads of what the scheduler counted, in ns: the ticks in
 * /proc/PID/stat are as long as what is measured. A process or thread that ends within an interval is not counted.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend.h"

#define PROCESSES_MAX 65536
#define GROUPS_MAX    8
#define ROOTS_MAX     4

struct process {
	int pid;
	int parent;
};

struct group {
	const char *name;
	int roots[ROOTS_MAX];
	int nr_roots;
	double ns;
};

static int fail(const char *what)
{
	fprintf(stderr, "rdisk-bench-usage: %s: %s\n", what, strerror(errno));
	return -1;
}

/* A number above 0 with nothing behind it, or -1 after a message. */
static int parse_positive(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < 1 || value > INT32_MAX) {
		fprintf(stderr, "rdisk-bench-usage: \"%s\" is not a number above 0\n", text);
		return -1;
	}
	return (int)value;
}

/* Cuts NAME=PID,PID into its parts. */
static int parse_group(char *text, struct group *group)
{
	char *rest = strchr(text, '='), *word;

	group->name = text;
	if (rest)
		*rest++ = '\0';
	while (rest && (word = strsep(&rest, ",")) != NULL) {
		int pid = group->nr_roots < ROOTS_MAX ? parse_positive(word) : -1;

		if (pid < 0)
			return -1;
		group->roots[group->nr_roots++] = pid;
	}
	if (group->nr_roots > 0)
		return 0;
	fprintf(stderr, "rdisk-bench-usage: \"%s\" names no process\n", text);
	return -1;
}

/* Parent of a process, or 0 when it is gone. */
static int parent_of(int pid)
{
	char path[64], line[1024];
	const char *after_name;
	FILE *file;
	int parent = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* The name stands in brackets and may itself have some. */
	if (fgets(line, sizeof(line), file) && (after_name = strrchr(line, ')')) != NULL &&
	    sscanf(after_name, ") %*c %d", &parent) != 1)
		parent = 0;
	(void)fclose(file);
	return parent;
}

/* All processes of the host; how many, or -1. */
static int list_processes(struct process *processes)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	if (!directory)
		return fail("/proc");
	while ((entry = readdir(directory)) != NULL && count < PROCESSES_MAX) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (*end || pid <= 0)
			continue;
		processes[count].pid = (int)pid;
		processes[count].parent = parent_of((int)pid);
		count++;
	}
	(void)closedir(directory);
	return count;
}

static bool descends(const struct process *processes, int count, int pid, int root)
{
	while (pid > 1 && pid != root) {
		int parent = 0;

		for (int i = 0; i < count; i++) {
			if (processes[i].pid == pid)
				parent = processes[i].parent;
		}
		pid = parent;
	}
	return pid == root;
}

/* ns on a processor of all threads of a process that is there; 0 when it is gone. */
static double process_time(int pid)
{
	char path[320];
	struct dirent *entry;
	double sum = 0;
	DIR *directory;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	directory = opendir(path);
	if (!directory)
		return 0;
	while ((entry = readdir(directory)) != NULL) {
		double ns;
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, entry->d_name);
		file = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%lf", &ns) == 1)
			sum += ns;
		(void)fclose(file);
	}
	(void)closedir(directory);
	return sum;
}

static double tree_time(const struct process *processes, int count, int root)
{
	double sum = 0;

	for (int i = 0; i < count; i++) {
		if (descends(processes, count, processes[i].pid, root))
			sum += process_time(processes[i].pid);
	}
	return sum;
}

static int read_groups(struct group *groups, int nr_groups)
{
	static struct process processes[PROCESSES_MAX];
	int count = list_processes(processes);

	if (count < 0)
		return -1;
	for (int i = 0; i < nr_groups; i++) {
		groups[i].ns = 0;
		for (int j = 0; j < groups[i].nr_roots; j++) {
			double ns = tree_time(processes, count, groups[i].roots[j]);

			if (ns <= 0) {
				fprintf(stderr,
					"rdisk-bench-usage: %s: there is no process %d, or no /proc/PID/schedstat\n",
					groups[i].name, groups[i].roots[j]);
				return -1;
			}
			groups[i].ns += ns;
		}
	}
	return 0;
}

static int interval(int round, double seconds, struct group *groups, int nr_groups)
{
	struct timespec length = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
	struct group before[GROUPS_MAX];
	double start;

	if (read_groups(groups, nr_groups))
		return -1;
	memcpy(before, groups, sizeof(before));
	start = bench_now();
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &length, &length) == EINTR)
		;
	seconds = bench_now() - start;
	if (read_groups(groups, nr_groups))
		return -1;
	for (int i = 0; i < nr_groups; i++)
		printf("{\"row\": \"idle\", \"side\": \"%s\", \"round\": %d, \"value\": %.6g}\n", groups[i].name, round,
		       (groups[i].ns - before[i].ns) / seconds * 1e-7);
	return fflush(stdout) ? fail("stdout") : 0;
}

static int run_cpu(int argc, char **argv)
{
	struct group groups[GROUPS_MAX] = { 0 };
	int rounds = parse_positive(argv[0]), seconds = parse_positive(argv[1]);
	int nr_groups = argc - 2;

	if (rounds < 0 || seconds < 0)
		return -1;
	for (int i = 0; i < nr_groups; i++) {
		if (parse_group(argv[i + 2], &groups[i]))
			return -1;
	}
	for (int round = 1; round <= rounds; round++) {
		if (interval(round, seconds, groups, nr_groups))
			return -1;
	}
	return 0;
}

/*
 * A guest's memory is the guest's: pages of it that only the server has touched so far look private to it. It is what
 * is mapped shared and is neither the server's own nor the message layer's.
 */
static bool is_guest_memory(const char *permissions, const char *line)
{
	return permissions[3] == 's' && !strstr(line, "/memfd:") && !strstr(line, "/dev/zero");
}

static int run_memory(int round, int pid)
{
	char path[64], line[4608];
	double private_bytes = 0, guest_bytes = 0;
	bool of_guest = false;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		return fail(path);
	while (fgets(line, sizeof(line), file)) {
		unsigned long long from, to, kib;
		char permissions[5];

		if (sscanf(line, "%llx-%llx %4s", &from, &to, permissions) == 3)
			of_guest = is_guest_memory(permissions, line);
		else if (sscanf(line, "Private_Clean: %llu kB", &kib) == 1 ||
			 sscanf(line, "Private_Dirty: %llu kB", &kib) == 1)
			*(of_guest ? &guest_bytes : &private_bytes) += (double)kib * 1024;
	}
	(void)fclose(file);
	printf("{\"row\": \"memory\", \"side\": \"rdisk\", \"round\": %d, \"value\": %.0f}\n", round, private_bytes);
	printf("{\"row\": \"memory\", \"side\": \"guest's, mapped\", \"round\": %d, \"value\": %.0f}\n", round,
	       guest_bytes);
	return fflush(stdout) ? fail("stdout") : 0;
}

int main(int argc, char **argv)
{
	int result = -1;

	if (argc >= 5 && argc - 4 <= GROUPS_MAX && !strcmp(argv[1], "cpu")) {
		result = run_cpu(argc - 2, argv + 2);
	} else if (argc == 4 && !strcmp(argv[1], "memory")) {
		int round = parse_positive(argv[2]), pid = parse_positive(argv[3]);

		if (round > 0 && pid > 0)
			result = run_memory(round, pid);
	} else {
		fprintf(stderr, "Usage: rdisk-bench-usage cpu ROUNDS SECONDS NAME=PID[,PID]...\n"
				"       rdisk-bench-usage memory ROUND PID\n");
	}
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
