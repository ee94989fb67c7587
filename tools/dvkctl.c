/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dvkctl: shows what a node knows, in the words of the original's /proc/dvs (info,
 * DCx/info, DCx/procs), or as JSON. Changes nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>

#include "dvk.h"
#include "dvk_runtime.h"

static const char usage[] = "Usage: dvkctl info [--json]\n"
			    "       dvkctl dc -d DCID [--json]\n"
			    "       dvkctl procs -d DCID [--json]\n"
			    "Shows what the DVK node of this user knows. See dvkctl(8).\n"
			    "\n"
			    "  info   the node and its limits\n"
			    "  dc     a distributed container (DC)\n"
			    "  procs  the processes bound in a DC\n"
			    "\n"
			    "  -d, --dcid=DCID  number of the DC, 0 to 31\n"
			    "  -j, --json       print JSON\n"
			    "  -h, --help       print this and exit\n"
			    "  -V, --version    print the version and exit\n";

struct arguments {
	const char *command;
	int dcid; /* -1: not given */
	bool json;
};

/* ---- output ---- */

/* One `key=value` line or one member of a JSON object, whichever is asked for. */
struct output {
	cJSON *object; /* NULL: text */
};

static void put_number(struct output *output, const char *key, long value)
{
	if (output->object)
		cJSON_AddNumberToObject(output->object, key, (double)value);
	else
		printf("%s=%ld\n", key, value);
}

static void put_hex(struct output *output, const char *key, unsigned long value)
{
	if (output->object)
		cJSON_AddNumberToObject(output->object, key, (double)value);
	else
		printf("%s=%lX\n", key, value);
}

static void put_text(struct output *output, const char *key, const char *value)
{
	if (output->object)
		cJSON_AddStringToObject(output->object, key, value);
	else
		printf("%s=%s\n", key, value);
}

/* Prints and frees a JSON document. Exit status. */
static int print_json(cJSON *object)
{
	char *text = cJSON_Print(object);

	cJSON_Delete(object);
	if (!text) {
		fputs("dvkctl: error: out of memory\n", stderr);
		return EXIT_FAILURE;
	}
	puts(text);
	cJSON_free(text);
	return EXIT_SUCCESS;
}

static int begin(struct output *output, const struct arguments *arguments)
{
	output->object = NULL;
	if (!arguments->json)
		return 0;
	output->object = cJSON_CreateObject();
	if (output->object)
		return 0;
	fputs("dvkctl: error: out of memory\n", stderr);
	return -1;
}

static int end(struct output *output)
{
	return output->object ? print_json(output->object) : EXIT_SUCCESS;
}

/* What a refused question about a DC means to the user. */
static int dc_failed(int dcid, int code)
{
	if (code == EDVSDCNOTRUN)
		fprintf(stderr, "dvkctl: error: DC %d is not running\n", dcid);
	else if (code == EDVSBADDCID)
		fprintf(stderr, "dvkctl: error: DC %d is not in 0 .. %d\n", dcid, NR_DCS - 1);
	else
		fprintf(stderr, "dvkctl: error: cannot get information on DC %d: %s\n", dcid, dvk_strerror(code));
	return EXIT_FAILURE;
}

/* ---- commands ---- */

static long aligned_size(long size)
{
	long aligned = 1;

	while (aligned < size)
		aligned *= 2;
	return aligned;
}

static int show_info(const struct arguments *arguments)
{
	struct output output;
	dvs_usr_t dvs;
	int nodeid = dvk_getdvsinfo(&dvs);

	if (nodeid < 0) {
		fprintf(stderr, "dvkctl: error: cannot get information on the node: %s\n", dvk_strerror(nodeid));
		return EXIT_FAILURE;
	}
	if (begin(&output, arguments))
		return EXIT_FAILURE;
	put_text(&output, "name", dvs.d_name);
	put_number(&output, "nodeid", nodeid);
	put_number(&output, "nr_dcs", dvs.d_nr_dcs);
	put_number(&output, "nr_nodes", dvs.d_nr_nodes);
	put_number(&output, "max_nr_procs", dvs.d_nr_procs);
	put_number(&output, "max_nr_tasks", dvs.d_nr_tasks);
	put_number(&output, "max_sys_procs", dvs.d_nr_sysprocs);
	put_number(&output, "max_copy_buf", dvs.d_max_copybuf);
	put_number(&output, "max_copy_len", dvs.d_max_copylen);
	put_hex(&output, "dbglvl", dvs.d_dbglvl);
	put_number(&output, "version", dvs.d_version);
	put_hex(&output, "flags", dvs.d_flags);
	put_number(&output, "sizeof(proc)", dvs.d_size_proc);
	put_number(&output, "sizeof(proc) aligned", aligned_size(dvs.d_size_proc));
	put_number(&output, "sizeof(dc)", (long)sizeof(dc_usr_t));
	put_number(&output, "sizeof(node)", (long)sizeof(dvs_usr_t));
	return end(&output);
}

/* The nodes of a DC, bit 31 first: X or -. */
static void draw_nodes(unsigned long nodes, char picture[NR_NODES + 1])
{
	for (int i = 0; i < NR_NODES; i++)
		picture[i] = nodes >> (NR_NODES - 1 - i) & 1 ? 'X' : '-';
	picture[NR_NODES] = '\0';
}

/* As the kernel prints CPU sets: groups of 32 bits. */
static void format_cpus(unsigned long mask, char *text, size_t size)
{
	unsigned long high = mask >> 31 >> 1;

	if (high)
		snprintf(text, size, "%lx,%08lx", high, mask & 0xffffffffUL);
	else
		snprintf(text, size, "%lx", mask);
}

static int show_dc(const struct arguments *arguments)
{
	char nodes[NR_NODES + 1], cpus[32];
	struct output output;
	dc_usr_t dc;
	int rc = dvk_getdcinfo(arguments->dcid, &dc);

	if (rc < 0)
		return dc_failed(arguments->dcid, rc);
	if (begin(&output, arguments))
		return EXIT_FAILURE;
	draw_nodes(dc.dc_nodes, nodes);
	format_cpus(dc.dc_cpumask, cpus, sizeof(cpus));
	put_number(&output, "dcid", dc.dc_dcid);
	put_hex(&output, "flags", (unsigned int)dc.dc_flags);
	put_number(&output, "nr_procs", dc.dc_nr_procs);
	put_number(&output, "nr_tasks", dc.dc_nr_tasks);
	put_number(&output, "nr_sysprocs", dc.dc_nr_sysprocs);
	put_number(&output, "nr_nodes", dc.dc_nr_nodes);
	put_hex(&output, "dc_nodes", dc.dc_nodes);
	put_number(&output, "dc_pid", dc.dc_pid);
	put_number(&output, "warn2proc", dc.dc_warn2proc);
	put_number(&output, "warnmsg", dc.dc_warnmsg);
	put_text(&output, "dc_name", dc.dc_name);
	if (output.object) {
		put_text(&output, "nodes", nodes);
	} else {
		puts("nodes 33222222222211111111110000000000");
		puts("      10987654321098765432109876543210");
		printf("      %s\n", nodes);
	}
	put_text(&output, "cpumask", cpus);
	return end(&output);
}

static void print_proc(const proc_usr_t *proc)
{
	char pids[24];

	/* Two columns in one: the host's pid right-aligned, the DC's left-aligned. */
	snprintf(pids, sizeof(pids), "%5d/%-5d", proc->p_lpid, proc->p_vpid);
	printf("%2d %3d %5d %s %2d %4lX %4lX %5d %5d %5d %5d %-15.15s\n", proc->p_dcid, proc->p_nr, proc->p_endpoint,
	       pids, proc->p_nodeid, proc->p_rts_flags, proc->p_misc_flags, proc->p_getfrom, proc->p_sendto,
	       proc->p_waitmigr, proc->p_proxy, proc->p_name);
}

/* False: out of memory. */
static bool add_proc(cJSON *list, const proc_usr_t *proc)
{
	struct output output = { .object = cJSON_CreateObject() };

	if (!output.object || !cJSON_AddItemToArray(list, output.object)) {
		cJSON_Delete(output.object);
		return false;
	}
	put_number(&output, "dc", proc->p_dcid);
	put_number(&output, "pnr", proc->p_nr);
	put_number(&output, "endp", proc->p_endpoint);
	put_number(&output, "lpid", proc->p_lpid);
	put_number(&output, "vpid", proc->p_vpid);
	put_number(&output, "nd", proc->p_nodeid);
	put_hex(&output, "flag", proc->p_rts_flags);
	put_hex(&output, "misc", proc->p_misc_flags);
	put_number(&output, "getf", proc->p_getfrom);
	put_number(&output, "sndt", proc->p_sendto);
	put_number(&output, "wmig", proc->p_waitmigr);
	put_number(&output, "prxy", proc->p_proxy);
	put_number(&output, "lsnt", (long)proc->p_lclsent);
	put_number(&output, "rsnt", (long)proc->p_rmtsent);
	put_number(&output, "lcopy", (long)proc->p_lclcopy);
	put_number(&output, "rcopy", (long)proc->p_rmtcopy);
	put_text(&output, "name", proc->p_name);
	return true;
}

static int show_procs(const struct arguments *arguments)
{
	cJSON *list = NULL;
	proc_usr_t proc;
	dc_usr_t dc;
	int rc = dvk_getdcinfo(arguments->dcid, &dc);

	if (rc < 0)
		return dc_failed(arguments->dcid, rc);
	if (arguments->json) {
		list = cJSON_CreateArray();
		if (!list)
			goto no_memory;
	} else {
		puts("DC pnr -endp -lpid/vpid- nd flag misc -getf -sndt -wmig -prxy name");
	}
	for (int p_nr = -dc.dc_nr_tasks; p_nr < dc.dc_nr_procs; p_nr++) {
		rc = dvk_getprocinfo(arguments->dcid, p_nr, &proc);
		if (rc < 0) {
			cJSON_Delete(list);
			return dc_failed(arguments->dcid, rc);
		}
		if (proc.p_rts_flags & SLOT_FREE)
			continue;
		proc.p_name[sizeof(proc.p_name) - 1] = '\0';
		if (!list)
			print_proc(&proc);
		else if (!add_proc(list, &proc))
			goto no_memory;
	}
	return list ? print_json(list) : EXIT_SUCCESS;
no_memory:
	cJSON_Delete(list);
	fputs("dvkctl: error: out of memory\n", stderr);
	return EXIT_FAILURE;
}

/* ---- command line ---- */

static const struct command {
	const char *name;
	bool takes_dc;
	int (*show)(const struct arguments *arguments);
} commands[] = {
	{ "info", false, show_info },
	{ "dc", true, show_dc },
	{ "procs", true, show_procs },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{ "dcid", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;
	char *rest;
	long number;

	while ((option = getopt_long(argc, argv, "d:jhV", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			errno = 0;
			number = strtol(optarg, &rest, 10);
			if (errno || rest == optarg || *rest || number < 0 || number >= NR_DCS) {
				fprintf(stderr, "dvkctl: error: DC number \"%s\" is not in 0 .. %d\n", optarg,
					NR_DCS - 1);
				return EXIT_FAILURE;
			}
			arguments->dcid = (int)number;
			break;
		case 'j':
			arguments->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("dvkctl " RDISK_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_FAILURE;
		}
	}
	if (argc - optind != 1) {
		fputs("dvkctl: error: one command is needed: info, dc or procs; see dvkctl --help\n", stderr);
		return EXIT_FAILURE;
	}
	arguments->command = argv[optind];
	return -1;
}

static int open_node(void)
{
	char directory[4096];
	int rc = dvk_open();

	if (!rc)
		return 0;
	if (rc == EDVSDVSINIT && !dvk_runtime_directory(directory, sizeof(directory)))
		fprintf(stderr,
			"dvkctl: error: no node answers in %s: start rdisk or dvkd, or set DVK_RUNTIME_DIR to the "
			"directory of one that runs\n",
			directory);
	else
		fprintf(stderr, "dvkctl: error: cannot connect to the node: %s\n", dvk_strerror(rc));
	return rc;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .dcid = -1 };
	const struct command *command;
	int status = parse(argc, argv, &arguments);

	if (status >= 0)
		return status;
	command = find_command(arguments.command);
	if (!command) {
		fprintf(stderr, "dvkctl: error: unknown command \"%s\"; see dvkctl --help\n", arguments.command);
		return EXIT_FAILURE;
	}
	if (command->takes_dc != (arguments.dcid >= 0)) {
		fprintf(stderr, "dvkctl: error: the command %s %s\n", command->name,
			command->takes_dc ? "needs the number of a DC: -d DCID" : "takes no DC");
		return EXIT_FAILURE;
	}
	if (open_node())
		return EXIT_FAILURE;
	status = command->show(&arguments);
	dvk_close();
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "dvkctl: error: cannot write: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	return status;
}
