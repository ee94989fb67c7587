/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line; see options.h.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dvk.h"
#include "log.h"
#include "replication_self.h"

static const char usage[] =
	"Usage: rdisk -d DCID [-e ENDPOINT] -c FILE [--node NAME] [-R] [-U FULL|DIFF] [-Z] [--record FILE] [-v]\n"
	"       rdisk --check-config -c FILE [--node NAME]\n"
	"Serves disk images to the processes of a distributed container.\n"
	"\n"
	"  -d, --dcid DCID          the container, 0 to 31; it is started if it does not run\n"
	"  -e, --endpoint ENDPOINT  the endpoint to serve at (3)\n"
	"  -c, --config FILE        the devices, see rdisk.cfg(5)\n"
	"      --check-config       check FILE and its images, print what would be served, and exit\n"
	"      --record FILE        record all I/O into FILE, which must not exist; see rdisk-recording(5)\n"
	"  -R, --replicate          do not start unless FILE has a replica set\n"
	"  -U, --update FULL|DIFF   FULL: trust nothing of this member's copy: when another one serves it is\n"
	"                           compared with that, and what differs is copied; DIFF: take what it lacks,\n"
	"                           as without this option\n"
	"  -Z, --compress           compress what goes to other members, whatever FILE says\n"
	"  -D, --dynamic            nothing, for old scripts: I/O goes on while a member is brought up\n"
	"      --node NAME          the member of the set that this process is (the one with a local address)\n"
	"      --boot-id-file FILE  for tests: what FILE holds stands for the host's boot\n"
	"      --log-time           each line of the log begins with the time of CLOCK_MONOTONIC, in seconds\n"
	"  -v, --verbose            log opens and answers that could not be delivered as well\n"
	"  -h, --help               print this and exit\n"
	"  -V, --version            print the version and exit\n"
	"\n"
	"Exit status: 0 ended by SIGTERM, SIGINT or SIGHUP with all images flushed; 1 bad options or\n"
	"configuration, or it could not start; 2 it lost its endpoint, the last flush failed,\n"
	"or a member of a replica set could not keep its state.\n";

static int parse_number(const char *option, const char *text, int *number)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < INT32_MIN || value > INT32_MAX) {
		log_plain("%s \"%s\" is not a number", option, text);
		return -1;
	}
	*number = (int)value;
	return 0;
}

/* 1: what was asked for is done; -1: a message was written. */
static int print(const char *text)
{
	if (fputs(text, stdout) >= 0 && !fflush(stdout))
		return 1;
	log_plain("cannot write to standard output: %s", strerror(errno));
	return -1;
}

static int parse_update(struct options *options, const char *text)
{
	options->full_copy = !strcmp(text, "FULL");
	if (options->full_copy || !strcmp(text, "DIFF"))
		return 0;
	log_plain("-U \"%s\" is neither FULL nor DIFF", text);
	return -1;
}

/* What the options leave open or make impossible. */
static int check_options(const struct options *options, int argc, char **argv)
{
	if (optind < argc)
		log_plain("unexpected argument \"%s\", see rdisk --help", argv[optind]);
	else if (!options->config)
		log_plain("no configuration, -c FILE; see rdisk --help");
	else if (options->check_config)
		return 0;
	else if (!options->dcid_given)
		log_plain("no container, -d DCID; see rdisk --help");
	else if (options->dcid < 0 || options->dcid >= NR_DCS)
		log_plain("container %d is out of range, 0 to %d", options->dcid, NR_DCS - 1);
	else if (!dvk_endpoint_valid(options->endpoint))
		log_plain("endpoint %d is out of range, %d to %d", options->endpoint, -NR_TASKS, NR_PROCS - 1);
	else
		return 0;
	return -1;
}

int options_parse(struct options *options, int argc, char **argv)
{
	enum { OPTION_CHECK = 256, OPTION_RECORD, OPTION_NODE, OPTION_BOOT_ID_FILE, OPTION_LOG_TIME };
	static const struct option long_options[] = {
		{ "dcid", required_argument, NULL, 'd' },
		{ "endpoint", required_argument, NULL, 'e' },
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, OPTION_CHECK },
		{ "record", required_argument, NULL, OPTION_RECORD },
		{ "replicate", no_argument, NULL, 'R' },
		{ "update", required_argument, NULL, 'U' },
		{ "compress", no_argument, NULL, 'Z' },
		{ "dynamic", no_argument, NULL, 'D' },
		{ "node", required_argument, NULL, OPTION_NODE },
		{ "boot-id-file", required_argument, NULL, OPTION_BOOT_ID_FILE },
		{ "log-time", no_argument, NULL, OPTION_LOG_TIME },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option;

	opterr = 0; /* the messages are ours, in the form of all others */
	while ((option = getopt_long(argc, argv, ":d:e:c:RU:ZDvhV", long_options, NULL)) != -1) {
		switch (option) {
		case 'd':
			if (parse_number("container", optarg, &options->dcid))
				return -1;
			options->dcid_given = true;
			break;
		case 'e':
			if (parse_number("endpoint", optarg, &options->endpoint))
				return -1;
			break;
		case 'c':
			options->config = optarg;
			break;
		case OPTION_CHECK:
			options->check_config = true;
			break;
		case OPTION_RECORD:
			options->record = optarg;
			break;
		case 'R':
			options->replicated = true;
			break;
		case 'U':
			if (parse_update(options, optarg))
				return -1;
			break;
		case 'Z':
			options->compress = true;
			break;
		case 'D':
			break;
		case OPTION_NODE:
			options->node = optarg;
			break;
		case OPTION_BOOT_ID_FILE:
			options->boot_id_file = optarg;
			break;
		case OPTION_LOG_TIME:
			log_set_time();
			break;
		case 'v':
			log_set_level(LOG_LEVEL_DEBUG);
			break;
		case 'h':
			return print(usage);
		case 'V':
			return print("rdisk " RDISK_VERSION "\n");
		case ':':
			log_plain("option \"%s\" needs a value, see rdisk --help", argv[optind - 1]);
			return -1;
		default:
			log_plain("bad option \"%s\", see rdisk --help", argv[optind - 1]);
			return -1;
		}
	}
	return check_options(options, argc, argv);
}

/* What is asked for, and is nothing without a set; NULL: nothing. */
static const char *needs_set(const struct options *options)
{
	if (options->replicated)
		return "-R demands replication";
	if (options->full_copy)
		return "-U FULL takes a copy of the other members";
	if (options->node)
		return "--node NAME names a member of a replica set";
	if (options->boot_id_file)
		return "--boot-id-file FILE is for members of a replica set";
	return NULL;
}

int options_apply(const struct options *options, struct configuration *configuration, struct diagnostic *diagnostic)
{
	struct replication_configuration *replication = &configuration->replication;
	const char *need = needs_set(options);

	if (replication->nr_members == 0) {
		if (need)
			return diagnostic_set(
				diagnostic,
				"%s, and %s has no group replication = { ... } and no device with replicated = "
				"true",
				need, options->config);
		return 0;
	}
	if (options->compress)
		replication->compression = REPLICATION_COMPRESSION_ON;
	if (!replication_find_self(replication, options->node, options->config, diagnostic))
		return 0;
	if (!options->check_config || options->node)
		return -1;
	/* A file may be checked where it was written. */
	log_warning("%s", diagnostic->text);
	return 0;
}
