/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdiskctl: asks the server of this host about its replica set, and gives it orders; see rdiskctl(8). The table of
 * commands, the command line, and what is common to those that speak to a server.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "configuration.h"
#include "control.h"
#include "rdiskctl.h"
#include "session_key.h"

#define WATCH_MS     1000 /* between two looks */
#define CLEAR_SCREEN "\033[H\033[J"

static const char usage[] =
	"Usage: rdiskctl [-c FILE | -s SOCKET] [--json] COMMAND\n"
	"Shows and controls the replica set that the rdisk of this host is a member of. See rdiskctl(8).\n"
	"\n"
	"  status [--watch]              who is primary, who is in sync, what is missing where\n"
	"  promote NODE                  make an in-sync member the primary; returns when it serves\n"
	"  force-primary --dead NODE[,NODE...] --yes\n"
	"                                make this host's member the primary without the votes of the dead:\n"
	"                                what it lacks is lost\n"
	"  invalidate NODE --yes         on the host of that member: discard its copy; it is brought up anew\n"
	"  init --from NODE              begin a set with the images of this member; the others' are overwritten\n"
	"  pause-resync, resume-resync   stop bringing members up, and go on\n"
	"  events                        print what happens, a JSON object a line\n"
	"  keygen FILE                   make a key for the members, in a new file\n"
	"  check-config                  check the configuration\n"
	"\n"
	"  -c, --config FILE    the configuration of the server ($RDISK_CONFIG, else " RDISK_DEFAULT_CONFIG ")\n"
	"  -s, --socket SOCKET  the server's control socket (that of the configuration)\n"
	"  -j, --json           print JSON, errors too\n"
	"  -w, --watch          status: again every second\n"
	"  -y, --yes            yes, it may cost data\n"
	"  -t, --timeout SECONDS\n"
	"                       of an order: say what it waits for if it is not done by then (60; 0: no limit)\n"
	"  -h, --help           print this and exit\n"
	"  -V, --version        print the version and exit\n"
	"\n"
	"Exit status: 0 done; 1 refused, failed or not done in time; 2 usage; 3 no server; of status also 4 serving\n"
	"but not all members are there and in sync, 5 not serving.\n";

/* ---- what is said ---- */

int fail(const struct arguments *arguments, int status, const char *code, const char *format, ...)
{
	struct diagnostic cause;
	va_list list;
	cJSON *object;
	char *text;

	va_start(list, format);
	if (vsnprintf(cause.text, sizeof(cause.text), format, list) < 0)
		cause.text[0] = '\0';
	va_end(list);
	if (!arguments->json) {
		fprintf(stderr, "rdiskctl: error: %s\n", cause.text);
		return status;
	}
	object = cJSON_CreateObject();
	cJSON_AddStringToObject(object, "error", code);
	cJSON_AddStringToObject(object, "message", cause.text);
	text = cJSON_PrintUnformatted(object);
	puts(text ? text : "{\"error\":\"failed\",\"message\":\"out of memory\"}");
	cJSON_free(text);
	cJSON_Delete(object);
	return status;
}

static int client_failed(const struct arguments *arguments, int code, const struct diagnostic *diagnostic)
{
	if (code == CLIENT_NO_SERVER)
		return fail(arguments, EXIT_NO_SERVER, "no-server", "%s", diagnostic->text);
	return fail(arguments, EXIT_FAILED, "failed", "%s", diagnostic->text);
}

/* An answer that is none to go on with: says so. */
static int refused(const struct arguments *arguments, const cJSON *answer, const char *line)
{
	const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "error"));
	const char *said = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "message"));

	if (code)
		return fail(arguments, EXIT_FAILED, code, "%s", said ? said : code);
	return fail(arguments, EXIT_FAILED, "failed", "the server's answer is not understood: %.100s", line);
}

/* ---- speaking to a server ---- */

/* *path is valid as long as *configuration. Exit status, EXIT_DONE: go on. */
static int find_socket(const struct arguments *arguments, struct configuration *configuration, const char **path)
{
	struct diagnostic diagnostic = { "" };

	*path = arguments->socket;
	if (*path)
		return EXIT_DONE;
	if (configuration_read(configuration, arguments->config, &diagnostic))
		return fail(arguments, EXIT_FAILED, "bad-configuration", "%s", diagnostic.text);
	if (configuration->replication.nr_members == 0)
		return fail(arguments, EXIT_FAILED, "not-replicated",
			    "%s: no device is replicated: there is no set to control; -c FILE names another file",
			    arguments->config);
	*path = configuration->replication.control;
	return EXIT_DONE;
}

/*
 * Sends a request, which is deleted, and gets the answer's line, which is valid as long as the client, and its object,
 * which the caller deletes. CLIENT_OK, or another code and *diagnostic.
 */
static int ask(struct client *client, cJSON *request, int timeout_ms, const char **line, cJSON **answer,
	       struct diagnostic *diagnostic)
{
	int code = client_say(client, request, diagnostic);

	cJSON_Delete(request);
	*answer = NULL;
	if (!code)
		code = client_hear(client, timeout_ms, line, diagnostic);
	if (!code)
		*answer = cJSON_Parse(*line);
	return code;
}

static cJSON *request_of(const char *command)
{
	cJSON *request = cJSON_CreateObject();

	cJSON_AddStringToObject(request, "command", command);
	return request;
}

/* An order: EXIT_DONE when it was carried out. The server says when its time is over; a server that does not is none.
 */
static int obey(const struct arguments *arguments, cJSON *request)
{
	int timeout_s = arguments->timeout ? arguments->timeout_s : CONTROL_TIMEOUT_DEFAULT;
	int timeout_ms = timeout_s ? timeout_s * 1000 + CLIENT_TIMEOUT_MS : CLIENT_NO_TIMEOUT;
	static struct configuration configuration;
	struct diagnostic diagnostic = { "" };
	struct client client = { .fd = -1 };
	const char *path, *line, *said;
	cJSON *answer = NULL;
	int status, code;

	if (arguments->timeout)
		cJSON_AddNumberToObject(request, "timeout", timeout_s);
	status = find_socket(arguments, &configuration, &path);
	if (status) {
		cJSON_Delete(request);
		return status;
	}
	code = client_open(&client, path, &diagnostic);
	if (code)
		cJSON_Delete(request);
	else
		code = ask(&client, request, timeout_ms, &line, &answer, &diagnostic);
	if (code) {
		status = client_failed(arguments, code, &diagnostic);
	} else if (!cJSON_GetObjectItemCaseSensitive(answer, "result")) {
		status = refused(arguments, answer, line);
	} else {
		said = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "message"));
		if (arguments->json)
			puts(line);
		else if (said)
			puts(said);
	}
	cJSON_Delete(answer);
	client_close(&client);
	configuration_free(&configuration);
	return status;
}

/* ---- status ---- */

/* One look. A negative client_error, or the exit status that the status stands for. */
static int look(const struct arguments *arguments, struct client *client, struct diagnostic *diagnostic)
{
	const char *line;
	cJSON *status;
	int code = ask(client, request_of("status"), CLIENT_TIMEOUT_MS, &line, &status, diagnostic);

	if (code)
		return code;
	if (!cJSON_GetObjectItemCaseSensitive(status, "version")) {
		code = refused(arguments, status, line);
	} else {
		code = status_code(status);
		if (arguments->watch && !arguments->json)
			fputs(isatty(STDOUT_FILENO) ? CLEAR_SCREEN : "\n", stdout);
		if (arguments->json)
			puts(line);
		else
			status_show(status);
	}
	cJSON_Delete(status);
	return code;
}

/* Looks again and again, also at the server that comes after one that has ended. Until standard output is gone. */
static int watch(const struct arguments *arguments, struct client *client, const char *path)
{
	for (;;) {
		struct diagnostic diagnostic = { "" };
		struct pollfd descriptor;
		int code = client->fd < 0 ? client_open(client, path, &diagnostic) : CLIENT_OK;

		if (!code)
			code = look(arguments, client, &diagnostic);
		if (code < 0) {
			client_close(client);
			(void)client_failed(arguments, code, &diagnostic);
		}
		if (fflush(stdout) || ferror(stdout))
			return EXIT_FAILED;
		/* Its end is news; it says nothing else unasked. */
		descriptor = (struct pollfd){ .fd = client->fd, .events = POLLIN };
		(void)poll(&descriptor, 1, WATCH_MS);
	}
}

static int show_status(const struct arguments *arguments)
{
	static struct configuration configuration;
	struct diagnostic diagnostic = { "" };
	struct client client = { .fd = -1 };
	const char *path;
	int status = find_socket(arguments, &configuration, &path);

	if (status)
		return status;
	status = client_open(&client, path, &diagnostic);
	if (!status && arguments->watch)
		status = watch(arguments, &client, path);
	else if (!status)
		status = look(arguments, &client, &diagnostic);
	if (status < 0)
		status = client_failed(arguments, status, &diagnostic);
	client_close(&client);
	configuration_free(&configuration);
	return status;
}

static int show_events(const struct arguments *arguments)
{
	static struct configuration configuration;
	struct diagnostic diagnostic = { "" };
	struct client client = { .fd = -1 };
	cJSON *answer = NULL;
	const char *path, *line;
	int status = find_socket(arguments, &configuration, &path);
	int code;

	if (status)
		return status;
	code = client_open(&client, path, &diagnostic);
	if (!code)
		code = ask(&client, request_of("events"), CLIENT_TIMEOUT_MS, &line, &answer, &diagnostic);
	if (!code && !cJSON_GetObjectItemCaseSensitive(answer, "result"))
		status = refused(arguments, answer, line);
	while (!code && !status) {
		code = client_hear(&client, CLIENT_NO_TIMEOUT, &line, &diagnostic);
		if (!code && (puts(line) < 0 || fflush(stdout)))
			status = EXIT_FAILED;
	}
	if (code)
		status = client_failed(arguments, code, &diagnostic);
	cJSON_Delete(answer);
	client_close(&client);
	configuration_free(&configuration);
	return status;
}

/* ---- orders ---- */

static int promote(const struct arguments *arguments)
{
	cJSON *request = request_of("promote");

	cJSON_AddStringToObject(request, "node", arguments->node);
	return obey(arguments, request);
}

static int force_primary(const struct arguments *arguments)
{
	cJSON *request = request_of("force-primary");
	cJSON *dead = cJSON_AddArrayToObject(request, "dead");
	char *names = strdup(arguments->dead), *rest = NULL;

	if (!names) {
		cJSON_Delete(request);
		return fail(arguments, EXIT_FAILED, "failed", "out of memory");
	}
	for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		cJSON_AddItemToArray(dead, cJSON_CreateString(name));
	free(names);
	return obey(arguments, request);
}

static int invalidate(const struct arguments *arguments)
{
	cJSON *request = request_of("invalidate");

	cJSON_AddStringToObject(request, "node", arguments->node);
	return obey(arguments, request);
}

static int init(const struct arguments *arguments)
{
	cJSON *request = request_of("init");

	cJSON_AddStringToObject(request, "from", arguments->from);
	return obey(arguments, request);
}

static int pause_or_resume(const struct arguments *arguments)
{
	return obey(arguments, request_of(arguments->command_name));
}

static int keygen(const struct arguments *arguments)
{
	struct diagnostic diagnostic = { "" };

	if (session_key_make(arguments->node, &diagnostic))
		return fail(arguments, EXIT_FAILED, "failed", "%s", diagnostic.text);
	if (arguments->json)
		puts("{\"result\":\"done\"}");
	else
		printf("%s: copy it to all members, readable for nobody but the user who runs rdisk\n",
		       arguments->node);
	return EXIT_DONE;
}

/* ---- command line ---- */

static const struct command {
	const char *name;
	const char *operand; /* what is named behind it; NULL: nothing */
	bool takes_dead, takes_from, takes_yes, takes_watch, takes_timeout;
	const char *cost; /* what --yes says yes to */
	int (*run)(const struct arguments *arguments);
} commands[] = {
	{ .name = "status", .takes_watch = true, .run = show_status },
	{ .name = "promote", .operand = "NODE", .takes_timeout = true, .run = promote },
	{ .name = "force-primary",
	  .takes_dead = true,
	  .takes_yes = true,
	  .takes_timeout = true,
	  .cost = "all that this host's member lacks is lost, and the dead are excluded when they come back, until "
		  "they are invalidated",
	  .run = force_primary },
	{ .name = "invalidate",
	  .operand = "NODE",
	  .takes_yes = true,
	  .takes_timeout = true,
	  .cost = "all that is only in this member's copy is lost",
	  .run = invalidate },
	{ .name = "init", .takes_from = true, .takes_timeout = true, .run = init },
	{ .name = "pause-resync", .run = pause_or_resume },
	{ .name = "resume-resync", .run = pause_or_resume },
	{ .name = "events", .run = show_events },
	{ .name = "keygen", .operand = "FILE", .run = keygen },
	{ .name = "check-config", .run = check_config },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* -1: go on; else the exit status. */
static int parse_options(int argc, char **argv, struct arguments *arguments)
{
	enum { OPTION_DEAD = 256, OPTION_FROM };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "watch", no_argument, NULL, 'w' },
		{ "yes", no_argument, NULL, 'y' },
		{ "dead", required_argument, NULL, OPTION_DEAD },
		{ "from", required_argument, NULL, OPTION_FROM },
		{ "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *config = NULL;
	int option;

	opterr = 0; /* the messages are ours: they may have to be JSON */
	while ((option = getopt_long(argc, argv, ":c:s:t:jwyhV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 's':
			arguments->socket = optarg;
			break;
		case 't':
			arguments->timeout = optarg;
			break;
		case 'j':
			arguments->json = true;
			break;
		case 'w':
			arguments->watch = true;
			break;
		case 'y':
			arguments->yes = true;
			break;
		case OPTION_DEAD:
			arguments->dead = optarg;
			break;
		case OPTION_FROM:
			arguments->from = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_DONE;
		case 'V':
			puts("rdiskctl " RDISK_VERSION);
			return EXIT_DONE;
		case ':':
			return fail(arguments, EXIT_USAGE, "usage", "option \"%s\" needs a value, see rdiskctl --help",
				    argv[optind - 1]);
		default:
			return fail(arguments, EXIT_USAGE, "usage", "bad option \"%s\", see rdiskctl --help",
				    argv[optind - 1]);
		}
	}
	if (config && arguments->socket)
		return fail(arguments, EXIT_USAGE, "usage", "-c FILE and -s SOCKET exclude each other");
	if (config)
		arguments->config = config;
	return -1;
}

/* Whole seconds. -1: go on; else the exit status. */
static int parse_timeout(struct arguments *arguments)
{
	const char *text = arguments->timeout;
	char *end;
	long seconds;

	if (!text)
		return -1;
	errno = 0;
	seconds = strtol(text, &end, 10);
	if (errno || *end || strspn(text, "0123456789") != strlen(text) || !*text || seconds > CONTROL_TIMEOUT_MAX)
		return fail(arguments, EXIT_USAGE, "usage",
			    "--timeout needs a whole number of seconds from 0 to %d, not \"%s\"", CONTROL_TIMEOUT_MAX,
			    text);
	arguments->timeout_s = (int)seconds;
	return -1;
}

/* What a command is given, and needs. -1: go on; else the exit status. */
static int check_arguments(const struct arguments *arguments, const struct command *command)
{
	if (!command->operand != !arguments->node)
		return fail(arguments, EXIT_USAGE, "usage",
			    command->operand ? "%s needs %s, see rdiskctl --help"
					     : "%s takes no argument, see rdiskctl --help",
			    command->name, command->operand);
	if (arguments->watch && !command->takes_watch)
		return fail(arguments, EXIT_USAGE, "usage", "--watch is for status only");
	if (command->takes_dead != !!arguments->dead)
		return fail(arguments, EXIT_USAGE, "usage",
			    command->takes_dead ? "%s needs --dead NODE[,NODE...], those whose votes are not to count"
						: "--dead is not for %s",
			    command->name);
	if (command->takes_from != !!arguments->from)
		return fail(arguments, EXIT_USAGE, "usage",
			    command->takes_from ? "%s needs --from NODE, the member whose images are the set's"
						: "--from is not for %s",
			    command->name);
	if (arguments->timeout && !command->takes_timeout)
		return fail(arguments, EXIT_USAGE, "usage", "--timeout is not for %s", command->name);
	if (arguments->yes && !command->takes_yes)
		return fail(arguments, EXIT_USAGE, "usage", "--yes is not for %s", command->name);
	if (command->takes_yes && !arguments->yes)
		return fail(arguments, EXIT_USAGE, "usage", "%s needs --yes: %s", command->name, command->cost);
	return -1;
}

/* The command, or NULL and the exit status. */
static const struct command *parse(int argc, char **argv, struct arguments *arguments, int *status)
{
	const struct command *command;

	/* Errors in what comes before it are JSON, too. */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		arguments->json |= !strcmp(argv[i], "--json") || !strcmp(argv[i], "-j");
	*status = parse_options(argc, argv, arguments);
	if (*status < 0)
		*status = parse_timeout(arguments);
	if (*status >= 0)
		return NULL;
	if (optind == argc) {
		*status = fail(arguments, EXIT_USAGE, "usage", "a command is needed, see rdiskctl --help");
		return NULL;
	}
	arguments->command_name = argv[optind++];
	command = find_command(arguments->command_name);
	if (optind < argc)
		arguments->node = argv[optind++];
	if (!command)
		*status = fail(arguments, EXIT_USAGE, "usage", "unknown command \"%s\", see rdiskctl --help",
			       arguments->command_name);
	else if (optind < argc)
		*status = fail(arguments, EXIT_USAGE, "usage", "unexpected argument \"%s\", see rdiskctl --help",
			       argv[optind]);
	else
		*status = check_arguments(arguments, command);
	return *status < 0 ? command : NULL;
}

int main(int argc, char **argv)
{
	const char *config = getenv("RDISK_CONFIG");
	struct arguments arguments = { .config = config && *config ? config : RDISK_DEFAULT_CONFIG };
	int status;
	const struct command *command = parse(argc, argv, &arguments, &status);

	if (command)
		status = command->run(&arguments);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "rdiskctl: error: cannot write to standard output: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	return status;
}
