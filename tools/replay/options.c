/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the command line; see options.h.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dvk_endpoint.h"
#include "trace_blktrace.h"

#define DEFAULT_DEPTH 32

static const char usage[] =
	"Usage: rdisk-replay [options] {-d DCID | --device PATH | --nbd URI} TRACE\n"
	"       rdisk-replay --verify-only --journal FILE {-d DCID | --device PATH | --nbd URI}\n"
	"       rdisk-replay --convert FORMAT [-o FILE] TRACE\n"
	"Replays a recorded trace of I/O against a disk and says how it went. TRACE may be -, standard input.\n"
	"\n"
	"Disk:\n"
	"  -d, --dcid DCID          the container of a disk server's endpoint\n"
	"  -e, --endpoint ENDPOINT  the server's endpoint (3)\n"
	"      --minor MINOR        the server's device (0)\n"
	"      --device PATH        a file or block device instead\n"
	"      --nbd URI            an NBD server instead\n"
	"      --direct             past the page cache (O_DIRECT; with --device)\n"
	"Trace:\n"
	"      --format NAME        its format; else it is detected\n"
	"      --list-formats       list them and exit\n"
	"      --trace-device N     only this device's operations of a trace of several (3, or 8,16)\n"
	"      --event EVENT        only blkparse and blktrace: queued or issued operations (queued)\n"
	"      --limit N            only the first N operations\n"
	"      --strict             end at the first broken line\n"
	"      --convert FORMAT     do not replay: write the trace in another format\n"
	"  -o, --output FILE        of --convert (standard output)\n"
	"Replay:\n"
	"      --speed SPEED        original, max, or xN: N times as fast (original)\n"
	"      --depth N            operations under way at a time, 1 to 128 (32)\n"
	"      --map HOW            what does not fit on the disk: error, skip, wrap or scale (error)\n"
	"      --trace-size BYTES   what is scaled to the disk's size (the end of the trace's last byte)\n"
	"      --writes HOW         changes of the disk: fail, discard or real (fail)\n"
	"      --overlap HOW        operations on the same blocks: order, free (order)\n"
	"Data:\n"
	"      --verify             check what is read, and at the end all that was written\n"
	"      --seed N             of the data that is written (random)\n"
	"      --journal FILE       note there what was answered\n"
	"      --verify-only        do not replay: check the disk by the journal of a replay that a crash ended\n"
	"      --lost-cache         with it: only what was flushed has to be there\n"
	"Output:\n"
	"      --json FILE          the result as JSON; -: on standard output instead of the table\n"
	"      --html FILE          the result as a page with plots; -: as with --json\n"
	"  -q, --quiet              no progress line, and no note of several devices\n"
	"  -h, --help               print this and exit\n"
	"  -V, --version            print the version and exit\n"
	"\n"
	"Exit status: 0 all well; 1 errors, wrong data, or the disk may not be written; 2 bad options, or the trace, "
	"the\n"
	"disk or a file cannot be used; 128 + n ended early by signal n.\n";

enum option_key {
	OPTION_MINOR = 256,
	OPTION_DEVICE,
	OPTION_NBD,
	OPTION_DIRECT,
	OPTION_FORMAT,
	OPTION_LIST_FORMATS,
	OPTION_TRACE_DEVICE,
	OPTION_EVENT,
	OPTION_LIMIT,
	OPTION_STRICT,
	OPTION_CONVERT,
	OPTION_SPEED,
	OPTION_DEPTH,
	OPTION_MAP,
	OPTION_TRACE_SIZE,
	OPTION_WRITES,
	OPTION_OVERLAP,
	OPTION_VERIFY,
	OPTION_SEED,
	OPTION_JOURNAL,
	OPTION_VERIFY_ONLY,
	OPTION_LOST_CACHE,
	OPTION_JSON,
	OPTION_HTML,
};

static const struct option long_options[] = {
	{ "dcid", required_argument, NULL, 'd' },
	{ "endpoint", required_argument, NULL, 'e' },
	{ "minor", required_argument, NULL, OPTION_MINOR },
	{ "device", required_argument, NULL, OPTION_DEVICE },
	{ "nbd", required_argument, NULL, OPTION_NBD },
	{ "direct", no_argument, NULL, OPTION_DIRECT },
	{ "format", required_argument, NULL, OPTION_FORMAT },
	{ "list-formats", no_argument, NULL, OPTION_LIST_FORMATS },
	{ "trace-device", required_argument, NULL, OPTION_TRACE_DEVICE },
	{ "event", required_argument, NULL, OPTION_EVENT },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "convert", required_argument, NULL, OPTION_CONVERT },
	{ "output", required_argument, NULL, 'o' },
	{ "speed", required_argument, NULL, OPTION_SPEED },
	{ "depth", required_argument, NULL, OPTION_DEPTH },
	{ "map", required_argument, NULL, OPTION_MAP },
	{ "trace-size", required_argument, NULL, OPTION_TRACE_SIZE },
	{ "writes", required_argument, NULL, OPTION_WRITES },
	{ "overlap", required_argument, NULL, OPTION_OVERLAP },
	{ "verify", no_argument, NULL, OPTION_VERIFY },
	{ "seed", required_argument, NULL, OPTION_SEED },
	{ "journal", required_argument, NULL, OPTION_JOURNAL },
	{ "verify-only", no_argument, NULL, OPTION_VERIFY_ONLY },
	{ "lost-cache", no_argument, NULL, OPTION_LOST_CACHE },
	{ "json", required_argument, NULL, OPTION_JSON },
	{ "html", required_argument, NULL, OPTION_HTML },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "rdisk-replay: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "; see rdisk-replay --help\n");
	return -1;
}

/* Standard output is written. 1: it was, what was asked for is done; -1 and a message. */
static int end_printing(bool failed)
{
	if (!failed && !fflush(stdout) && !ferror(stdout))
		return 1;
	fprintf(stderr, "rdisk-replay: standard output: cannot be written: %s\n", strerror(errno));
	return -1;
}

static int parse_number(const char *option, const char *text, long long least, long long most, long long *number)
{
	char *end;

	errno = 0;
	*number = strtoll(text, &end, 10);
	if (errno || end == text || *end || *number < least || *number > most)
		return complain("%s \"%s\" is not a number from %lld to %lld", option, text, least, most);
	return 0;
}

static int parse_int(const char *option, const char *text, int least, int most, int *number)
{
	long long value;

	if (parse_number(option, text, least, most, &value))
		return -1;
	*number = (int)value;
	return 0;
}

static int parse_u64(const char *option, const char *text, uint64_t least, uint64_t *number)
{
	long long value;

	if (parse_number(option, text, (long long)least, INT64_MAX, &value))
		return -1;
	*number = (uint64_t)value;
	return 0;
}

/* Bytes, or with K, M, G, T times 1024 once or more. */
static int parse_size(const char *option, const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;

	errno = 0;
	*size = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		goto bad;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			goto bad;
		for (; unit >= units; unit--)
			if (__builtin_mul_overflow(*size, 1024, size))
				goto bad;
	}
	if (*size > 0 && *size <= INT64_MAX)
		return 0;
bad:
	return complain("%s \"%s\" is not a size such as 4096, 512M or 2T", option, text);
}

/* The position of a word in a list that ends with NULL, or -1 and a message. */
static int parse_word(const char *option, const char *text, const char *const words[])
{
	char all[128] = "";
	size_t used = 0;

	for (int i = 0; words[i]; i++) {
		if (!strcmp(text, words[i]))
			return i;
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
					 i == 0		? ""
					 : words[i + 1] ? ", "
							: " or ",
					 words[i]);
	}
	return complain("%s \"%s\" is not %s", option, text, all);
}

static int parse_speed(struct options *options, const char *text)
{
	char *end;

	(void)snprintf(options->speed_text, sizeof(options->speed_text), "%s", text);
	if (!strcmp(text, "original")) {
		options->speed = 1;
		return 0;
	}
	if (!strcmp(text, "max")) {
		options->speed = 0;
		return 0;
	}
	if (*text == 'x') {
		options->speed = strtod(text + 1, &end);
		if (end != text + 1 && !*end && isfinite(options->speed) && options->speed > 0 &&
		    strlen(text) < sizeof(options->speed_text))
			return 0;
	}
	return complain("--speed \"%s\" is not original, max or xN, as x2 or x0.5", text);
}

static const struct trace_format *parse_format(const char *option, const char *text)
{
	const struct trace_format *format = trace_format_find(text);

	if (!format)
		fprintf(stderr, "rdisk-replay: %s \"%s\" is not a format; see rdisk-replay --list-formats\n", option,
			text);
	return format;
}

/* Options of the trace. 0, 1: done, -1. */
static int take_trace_option(struct options *options, int key)
{
	static const char *const events[] = { "queued", "issued", NULL };
	uint32_t device;
	int word;

	switch (key) {
	case OPTION_FORMAT:
		options->format = parse_format("--format", optarg);
		return options->format ? 0 : -1;
	case OPTION_LIST_FORMATS:
		trace_format_list(stdout);
		return end_printing(false);
	case OPTION_TRACE_DEVICE:
		if (trace_device_parse(optarg, &device))
			return complain("--trace-device \"%s\" is not a device such as 3 or 8,16", optarg);
		options->trace_device = device;
		return 0;
	case OPTION_EVENT:
		word = parse_word("--event", optarg, events);
		options->event = word == 1 ? TRACE_ISSUED : TRACE_QUEUED;
		options->event_given = true;
		return word < 0 ? -1 : 0;
	case OPTION_LIMIT:
		return parse_u64("--limit", optarg, 1, &options->limit);
	case OPTION_STRICT:
		options->strict = true;
		return 0;
	case OPTION_CONVERT:
		options->action = ACTION_CONVERT;
		options->convert = parse_format("--convert", optarg);
		if (options->convert && !trace_format_writable(options->convert)) {
			fprintf(stderr,
				"rdisk-replay: --convert \"%s\": this format can be read but not written; see "
				"rdisk-replay --list-formats\n",
				optarg);
			return -1;
		}
		return options->convert ? 0 : -1;
	default:
		options->output = optarg;
		return 0;
	}
}

/* Options of the way it is replayed. */
static int take_replay_option(struct options *options, int key)
{
	static const char *const maps[] = { "error", "skip", "wrap", "scale", NULL };
	static const char *const writes[] = { "fail", "real", "discard", NULL };
	static const char *const overlaps[] = { "order", "free", NULL };
	int word;

	switch (key) {
	case OPTION_SPEED:
		return parse_speed(options, optarg);
	case OPTION_DEPTH:
		if (parse_int("--depth", optarg, 1, DEPTH_MAX, &word))
			return -1;
		options->depth = (unsigned int)word;
		return 0;
	case OPTION_MAP:
		word = parse_word("--map", optarg, maps);
		options->map = word < 0 ? PLACE_ERROR : (enum placement_mode)word;
		return word < 0 ? -1 : 0;
	case OPTION_TRACE_SIZE:
		return parse_size("--trace-size", optarg, &options->trace_size);
	case OPTION_WRITES:
		word = parse_word("--writes", optarg, writes);
		options->writes = word < 0 ? WRITES_FAIL : (enum engine_writes)word;
		return word < 0 ? -1 : 0;
	default:
		word = parse_word("--overlap", optarg, overlaps);
		options->overlap = word == 1 ? OVERLAP_FREE : OVERLAP_ORDER;
		return word < 0 ? -1 : 0;
	}
}

/* The rest. */
static int take_option(struct options *options, int key, char **argv)
{
	switch (key) {
	case 'd':
		return parse_int("--dcid", optarg, 0, NR_DCS - 1, &options->dcid);
	case 'e':
		options->endpoint_given = true;
		return parse_int("--endpoint", optarg, -NR_TASKS, NR_PROCS - 1, &options->endpoint);
	case OPTION_MINOR:
		options->endpoint_given = true;
		return parse_int("--minor", optarg, 0, INT32_MAX, &options->minor);
	case OPTION_DEVICE:
		options->device = optarg;
		return 0;
	case OPTION_NBD:
#ifdef REPLAY_NBD
		options->nbd = optarg;
		return 0;
#else
		return complain("this rdisk-replay was built without libnbd, which --nbd needs");
#endif
	case OPTION_DIRECT:
		options->direct = true;
		return 0;
	case OPTION_VERIFY:
		options->verify = true;
		return 0;
	case OPTION_SEED:
		options->seed_given = true;
		return parse_u64("--seed", optarg, 0, &options->seed);
	case OPTION_JOURNAL:
		options->journal = optarg;
		return 0;
	case OPTION_VERIFY_ONLY:
		options->action = ACTION_VERIFY_ONLY;
		return 0;
	case OPTION_LOST_CACHE:
		options->lost_cache = true;
		return 0;
	case OPTION_JSON:
		options->json = optarg;
		return 0;
	case OPTION_HTML:
		options->html = optarg;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	case 'h':
		return end_printing(fputs(usage, stdout) < 0);
	case 'V':
		return end_printing(puts("rdisk-replay " RDISK_VERSION) < 0);
	case ':':
		return complain("option \"%s\" needs a value", argv[optind - 1]);
	default:
		return complain("bad option \"%s\"", argv[optind - 1]);
	}
}

static int check_disk_options(const struct options *options)
{
	int disks = (options->device != NULL) + (options->nbd != NULL) + (options->dcid >= 0);

	if (disks > 1)
		return complain("more than one of -d, --device and --nbd: which disk?");
	if (disks == 0)
		return complain("no disk: -d DCID (and -e, --minor), --device PATH or --nbd URI");
	if (options->endpoint_given && options->dcid < 0)
		return complain("-e and --minor go with -d: they are of a server, not of --device or --nbd");
	if (options->direct && !options->device)
		return complain("--direct goes with --device");
	return 0;
}

/* Whether a file that is to be written is the one that is read or replayed onto; "-" of that is standard input. */
static bool is_same_file(const char *written, const char *used)
{
	struct stat a, b;

	if (!written || !used || !strcmp(written, "-") || stat(written, &a))
		return false;
	if (strcmp(used, "-") ? stat(used, &b) : fstat(STDIN_FILENO, &b))
		return blktrace_has_file(used, &a);
	if (S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode))
		return a.st_rdev == b.st_rdev;
	return S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int options_check_files(const struct options *options, struct diagnostic *diagnostic)
{
	const struct {
		const char *option, *name;
	} written[] = {
		{ "--output", options->output },
		{ "--json", options->json },
		{ "--html", options->html },
		{ "--journal", options->action == ACTION_REPLAY ? options->journal : NULL },
	};

	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		if (is_same_file(written[i].name, options->trace))
			return diagnostic_set(diagnostic, "%s \"%s\" is the trace itself", written[i].option,
					      written[i].name);
		if (is_same_file(written[i].name, options->device))
			return diagnostic_set(diagnostic, "%s \"%s\" is the disk itself", written[i].option,
					      written[i].name);
	}
	return 0;
}

static int check_convert_options(const struct options *options)
{
	if (!options->trace)
		return complain("no trace to convert");
	if (options->device || options->nbd || options->dcid >= 0 || options->endpoint_given)
		return complain("--convert needs no disk");
	if (options->json || options->html || options->journal || options->verify)
		return complain(
			"--json, --html, --journal and --verify are of a replay: they do not go with --convert");
	return 0;
}

/* What options make no sense together. */
static int check_options(const struct options *options)
{
	bool changes = options->writes == WRITES_REAL;
	struct diagnostic diagnostic;

	if (options->lost_cache && options->action != ACTION_VERIFY_ONLY)
		return complain("--lost-cache goes with --verify-only");
	if (options->output && options->action != ACTION_CONVERT)
		return complain("--output goes with --convert");
	if (options->trace_size && (options->map != PLACE_SCALE || options->action != ACTION_REPLAY))
		return complain("--trace-size goes with --map scale");
	if (options_check_files(options, &diagnostic))
		return complain("%s", diagnostic.text);
	switch (options->action) {
	case ACTION_VERIFY_ONLY:
		if (!options->journal)
			return complain("--verify-only needs the --journal of the replay");
		if (options->trace)
			return complain("--verify-only takes no trace");
		if (options->json || options->html)
			return complain("--json and --html are of a replay: they do not go with --verify-only");
		return check_disk_options(options);
	case ACTION_CONVERT:
		return check_convert_options(options);
	case ACTION_REPLAY:
		break;
	}
	if (!options->trace)
		return complain("no trace to replay");
	if (options->json && options->html && !strcmp(options->json, options->html))
		return complain("--json and --html would both be written to %s",
				strcmp(options->json, "-") ? options->json : "standard output");
	if (options->verify && !changes)
		return complain("--verify checks what the replay itself wrote: it needs --writes real");
	if (options->journal && !changes)
		return complain("--journal notes changes of the disk: it needs --writes real");
	if (options->map == PLACE_SCALE && options->trace_size == 0 && !strcmp(options->trace, "-"))
		return complain("--map scale needs --trace-size when the trace is standard input");
	return check_disk_options(options);
}

/*
 * A seed of its own for each replay: with a seed that was there before, a write that was lost could not be told from
 * the one that an earlier replay left in its place.
 */
static int choose_seed(struct options *options)
{
	if (options->seed_given)
		return 0;
	if (getrandom(&options->seed, sizeof(options->seed), 0) != sizeof(options->seed))
		return complain("no random seed can be had: %s; give one with --seed", strerror(errno));
	options->seed >>= 16; /* short enough to be typed, and whole in any JSON reader */
	return 0;
}

int options_parse(struct options *options, int argc, char **argv)
{
	int key, status = 0;

	*options = (struct options){
		.dcid = -1,
		.endpoint = RDISK_PROC_NR,
		.trace_device = -1,
		.limit = UINT64_MAX,
		.speed = 1,
		.speed_text = "original",
		.depth = DEFAULT_DEPTH,
	};
	opterr = 0; /* the messages are ours, in the form of all others */
	while (status == 0 && (key = getopt_long(argc, argv, ":d:e:o:qhV", long_options, NULL)) != -1) {
		if ((key >= OPTION_FORMAT && key <= OPTION_CONVERT) || key == 'o')
			status = take_trace_option(options, key);
		else if (key >= OPTION_SPEED && key <= OPTION_OVERLAP)
			status = take_replay_option(options, key);
		else
			status = take_option(options, key, argv);
	}
	if (status)
		return status;
	if (optind < argc)
		options->trace = argv[optind++];
	if (optind < argc)
		return complain("unexpected argument \"%s\"", argv[optind]);
	if (check_options(options) || choose_seed(options))
		return -1;
	options->progress = !options->quiet && isatty(STDERR_FILENO);
	return 0;
}
