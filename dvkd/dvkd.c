/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dvkd: the node as a daemon, in the foreground. All it does itself is its command line;
 * the rest is the node library.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dvk_endpoint.h"
#include "dvk_errno.h"
#include "dvk_node.h"
#include "dvk_notify.h"
#include "standard_descriptors.h"

static const char usage[] = "Usage: dvkd [OPTION]...\n"
			    "Runs the DVK node of this user in the foreground: it keeps the tables of DCs and\n"
			    "endpoints and introduces processes to each other. See dvkd(8).\n"
			    "\n"
			    "  -n, --node=NUMBER  number of this node, 0 to 31 (0)\n"
			    "  -N, --name=NAME    name of the whole system, up to 15 characters (DVS)\n"
			    "  -g, --group=GROUP  let members of GROUP bind user endpoints\n"
			    "  -h, --help         print this and exit\n"
			    "  -V, --version      print the version and exit\n"
			    "\n"
			    "The socket is node.sock in $DVK_RUNTIME_DIR, else in $XDG_RUNTIME_DIR/dvk, else in\n"
			    "/run/dvk for root and /tmp/dvk-UID for others.\n";

/* What main() is to do after the command line was read. */
enum { GO_ON = -1 };

static int parse_number(const char *text, int *number)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0 || value >= NR_NODES)
		return -1;
	*number = (int)value;
	return 0;
}

/* GO_ON, or the exit status. */
static int parse_options(int argc, char **argv, struct dvk_node_options *options)
{
	static const struct option long_options[] = {
		{ "node", required_argument, NULL, 'n' },  { "name", required_argument, NULL, 'N' },
		{ "group", required_argument, NULL, 'g' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	   { NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "n:N:g:hV", long_options, NULL)) != -1) {
		switch (option) {
		case 'n':
			if (parse_number(optarg, &options->nodeid)) {
				fprintf(stderr, "dvkd: error: node number \"%s\" is not in 0 .. %d\n", optarg,
					NR_NODES - 1);
				return EXIT_FAILURE;
			}
			break;
		case 'N':
			options->name = optarg;
			break;
		case 'g':
			options->group = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("dvkd " RDISK_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "dvkd: error: unexpected argument \"%s\"; see dvkd --help\n", argv[optind]);
		return EXIT_FAILURE;
	}
	return GO_ON;
}

int main(int argc, char **argv)
{
	struct dvk_node_options options = { 0 };
	char cause[DVK_NODE_CAUSE_SIZE];
	struct dvk_node *node;
	int rc;

	if (standard_descriptors_take()) {
		fprintf(stderr, "dvkd: error: cannot open /dev/null: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	rc = parse_options(argc, argv, &options);
	if (rc != GO_ON)
		return rc;
	/* Whoever reads the log may go; the node stays. */
	signal(SIGPIPE, SIG_IGN);
	if (dvk_node_create(&options, &node, cause, sizeof(cause))) {
		fprintf(stderr, "dvkd: error: %s\n", cause);
		return EXIT_FAILURE;
	}
	fprintf(stderr, "dvkd: ready node=%d\n", options.nodeid);
	if (dvk_sd_notify("READY=1"))
		fputs("dvkd: warning: cannot tell the service manager that the node is ready\n", stderr);
	rc = dvk_node_run(node);
	if (dvk_sd_notify("STOPPING=1"))
		fputs("dvkd: warning: cannot tell the service manager that the node ends\n", stderr);
	dvk_node_destroy(node);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
