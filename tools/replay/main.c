/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-replay: replays a trace of I/O against a disk. This file is its outermost layer: what is opened in
 * which order, what is written at the end, and the exit status. rdisk-replay(1) documents all of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "convert.h"
#include "engine.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "standard_descriptors.h"

enum exit_code {
	EXIT_WELL = 0,
	EXIT_ERRORS = 1,  /* of operations, wrong data; or the disk may not be written */
	EXIT_UNUSABLE = 2 /* options, trace, disk or a file */
};

/* All that a replay or a check holds open. */
struct session {
	const struct options *options;
	struct events events;
	struct memory memory;
	struct target *target;
	struct ledger ledger;
	struct journal journal;
	struct trace_reader *reader;
	struct output table, json, html, trace; /* trace: of --convert */
	struct result result;
};

static void say(const struct diagnostic *diagnostic)
{
	progress_clear();
	fprintf(stderr, "rdisk-replay: %s\n", diagnostic->text);
}

/* The first broken lines are named; the summary counts all. */
static void name_broken(void *context, const char *text)
{
	int *named = context;

	if (++*named > ERRORS_NAMED + 1)
		return;
	progress_clear();
	if (*named <= ERRORS_NAMED)
		fprintf(stderr, "rdisk-replay: %s\n", text);
	else
		fprintf(stderr, "rdisk-replay: more broken lines are only counted\n");
}

static void ignore_broken(void *context, const char *text)
{
	(void)context;
	(void)text;
}

static void name_devices(void *context, const char *devices)
{
	(void)context;
	progress_clear();
	fprintf(stderr, "rdisk-replay: operations of devices %s go to one disk; --trace-device picks one\n", devices);
}

static struct trace_options trace_options_of(const struct options *options, int wake)
{
	static int named;

	return (struct trace_options){
		.format = options->format,
		.strict = options->strict,
		.device = options->trace_device,
		.event = options->event,
		.event_given = options->event_given,
		.limit = options->limit,
		.wake = wake,
		.broken = name_broken,
		.context = &named,
	};
}

/* A pipe can be read only once. */
static bool can_be_read_twice(const char *trace)
{
	struct stat status;

	return strcmp(trace, "-") != 0 && (stat(trace, &status) || S_ISREG(status.st_mode));
}

/* The exit code where something cannot be used, or a signal has ended the use of it. */
static int unusable(struct session *session)
{
	int signal = events_signal(&session->events);

	return signal ? 128 + signal : EXIT_UNUSABLE;
}

static bool changes_disk(enum trace_kind kind)
{
	return kind != TRACE_READ && kind != TRACE_FLUSH;
}

/*
 * Reads the trace beforehand for what must be known: where it ends (scaling), and whether it changes the disk when
 * nothing said that it may. An exit code.
 */
static int look_ahead(struct session *session, uint64_t *trace_size, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;
	bool refuse = options->writes == WRITES_FAIL;
	bool measure = options->map == PLACE_SCALE && *trace_size == 0;
	struct trace_options trace_options = trace_options_of(options, session->events.wake);
	struct trace_operation operation;
	struct trace_reader *reader;
	int got = 0, status = EXIT_WELL;

	if ((!refuse && !measure) || !can_be_read_twice(options->trace)) {
		if (!measure)
			return EXIT_WELL;
		diagnostic_set(diagnostic, "%s can be read only once: --map scale needs --trace-size", options->trace);
		return EXIT_UNUSABLE;
	}
	trace_options.broken = ignore_broken;
	if (trace_reader_open(&reader, options->trace, &trace_options, diagnostic))
		return unusable(session);
	for (uint64_t i = 0; i < options->limit && (got = trace_reader_next(reader, &operation, diagnostic)) > 0; i++) {
		if (refuse && changes_disk(operation.kind)) {
			diagnostic_set(
				diagnostic,
				"%s changes the disk (operation %" PRIu64 ", %s of %" PRIu64 " bytes at %" PRIu64
				"): allow it with --writes real, or leave such operations out with --writes discard",
				options->trace, i + 1, trace_kind_name(operation.kind), operation.length,
				operation.position);
			status = EXIT_ERRORS;
			break;
		}
		if (operation.kind != TRACE_FLUSH && operation.position + operation.length > *trace_size && measure)
			*trace_size = operation.position + operation.length;
	}
	trace_reader_close(reader);
	return got < 0 ? unusable(session) : status;
}

static int open_disk(struct session *session, unsigned int depth, bool write, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;
	struct target_options target_options;

	if (memory_open(&session->memory, depth, diagnostic))
		return -1;
	target_options = (struct target_options){
		.write = write,
		.depth = depth,
		.events = &session->events,
		.memory_fd = session->memory.fd,
		.memory = session->memory.base,
		.memory_size = session->memory.size,
	};
	if (options->device)
		return target_open_path(&session->target, options->device, options->direct, &target_options,
					diagnostic);
#ifdef REPLAY_NBD
	if (options->nbd)
		return target_open_nbd(&session->target, options->nbd, &target_options, diagnostic);
#endif
	return target_open_endpoint(&session->target, options->dcid, options->endpoint, options->minor, &target_options,
				    diagnostic);
}

static void close_session(struct session *session)
{
	if (session->reader)
		trace_reader_close(session->reader);
	journal_close(&session->journal);
	ledger_close(&session->ledger);
	if (session->target)
		session->target->kind->close(session->target);
	memory_close(&session->memory);
	free(session->result.timeline);
	output_close(&session->json);
	output_close(&session->html);
	output_close(&session->trace);
}

static bool is_standard_output(const char *name)
{
	return name && strcmp(name, "-") == 0;
}

/* Opens what is written and waits to be opened by its reader, or the rest of it. */
static int open_some(struct session *session, bool waiting, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;
	bool converts = options->action == ACTION_CONVERT;
	bool table = !converts && !is_standard_output(options->json) && !is_standard_output(options->html);
	const struct {
		struct output *output;
		const char *name;
	} all[] = {
		{ &session->table, table ? "-" : NULL },
		{ &session->json, options->json },
		{ &session->html, options->html },
		{ &session->trace, converts && !options->output ? "-" : options->output },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].name && output_waits(all[i].name) == waiting &&
		    output_open(all[i].output, all[i].name, diagnostic))
			return -1;
	return 0;
}

/* Signals are taken as soon as there may be a file to remove; until then they end the wait for a FIFO's reader. */
static int open_outputs(struct session *session, struct diagnostic *diagnostic)
{
	if (open_some(session, true, diagnostic) || events_start(&session->events, diagnostic) ||
	    open_some(session, false, diagnostic))
		return -1;
	if (output_same(&session->json, &session->html))
		return diagnostic_set(diagnostic, "--json and --html would both be written to %s",
				      output_name(&session->html));
	return options_check_files(session->options, diagnostic);
}

static int write_result(struct session *session, struct diagnostic *diagnostic)
{
	struct diagnostic other;
	int status = 0;

	progress_clear();
	if (session->table.name && output_write(&session->table, &session->result, result_print, diagnostic))
		status = -1;
	/* One that cannot be written does not cost the others; the first cause is the one that is told. */
	if (session->json.name &&
	    output_write(&session->json, &session->result, result_json, status ? &other : diagnostic))
		status = -1;
	if (session->html.name &&
	    output_write(&session->html, &session->result, result_html, status ? &other : diagnostic))
		status = -1;
	return status;
}

static int exit_code_of(const struct result *result)
{
	if (result->signal)
		return 128 + result->signal;
	return result->errors || result->wrong ? EXIT_ERRORS : EXIT_WELL;
}

static void describe(struct session *session)
{
	const struct options *options = session->options;
	struct result *result = &session->result;

	result->target = session->target->name;
	result->target_size = session->target->size;
	result->depth = options->depth;
	result->speed = options->speed_text;
	result->scheduled = options->speed > 0;
	result->trace = options->trace && strcmp(options->trace, "-") == 0 ? "standard input" : options->trace;
	result->format = "unknown format";
	result->seed = options->seed;
	result->verify = options->verify;
}

static int open_trace(struct session *session, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;
	struct trace_options trace_options = trace_options_of(options, session->events.wake);

	if (!options->quiet && options->trace_device < 0)
		trace_options.several = name_devices;
	if (trace_reader_open(&session->reader, options->trace, &trace_options, diagnostic))
		return -1;
	session->result.format = trace_reader_format(session->reader);
	return 0;
}

/* What is kept beside the disk. */
static int prepare(struct session *session, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;

	if (options->verify && ledger_open(&session->ledger, session->target->size, diagnostic))
		return -1;
	if (options->journal &&
	    journal_create(&session->journal, options->journal, options->seed, session->target->size, diagnostic))
		return -1;
	return 0;
}

static int final_check(struct session *session, struct diagnostic *diagnostic)
{
	const struct check_setup setup = {
		.target = session->target,
		.events = &session->events,
		.memory = &session->memory,
		.ledger = &session->ledger,
		.check = { .seed = session->result.seed, .all_begun = session->options->action == ACTION_VERIFY_ONLY },
		.result = &session->result,
	};

	return check_disk(&setup, diagnostic);
}

/* The replay and what follows it, up to the result. An exit_code. */
static int run(struct session *session, uint64_t trace_size, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;
	struct result *result = &session->result;
	const struct engine_setup setup = {
		.reader = session->reader,
		.target = session->target,
		.events = &session->events,
		.memory = &session->memory,
		.journal = options->journal ? &session->journal : NULL,
		.ledger = options->verify ? &session->ledger : NULL,
		.result = result,
		.placement = { options->map, session->target->size, trace_size, session->target->block },
		.speed = options->speed,
		.depth = options->depth,
		.limit = options->limit,
		.seed = options->seed,
		.writes = options->writes,
		.overlap = options->overlap,
		.progress = options->progress ? progress_show : NULL,
	};
	enum engine_end end = engine_run(&setup, diagnostic);

	/* Of a replay that has not begun there is nothing to check, and the next one may use the name. */
	if (result->read == 0 && (end != ENGINE_DONE || result->signal))
		journal_discard(&session->journal);
	switch (end) {
	case ENGINE_DONE:
		break;
	case ENGINE_TRACE:
	case ENGINE_JOURNAL:
		say(diagnostic);
		return EXIT_UNUSABLE;
	case ENGINE_REFUSED:
	case ENGINE_LOST:
		say(diagnostic);
		return EXIT_ERRORS;
	}
	if (result->read == 0 && !result->signal && trace_reader_check_empty(session->reader, diagnostic)) {
		say(diagnostic);
		journal_discard(&session->journal);
		return EXIT_UNUSABLE;
	}
	if (options->journal && !result->signal && journal_end(&session->journal, diagnostic)) {
		say(diagnostic);
		return EXIT_UNUSABLE;
	}
	if (options->verify && !result->signal && final_check(session, diagnostic)) {
		say(diagnostic);
		return EXIT_ERRORS;
	}
	return EXIT_WELL;
}

static int replay(struct session *session, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;
	struct result *result = &session->result;
	uint64_t trace_size = options->trace_size;
	int status;

	/* A pipe that nobody reads any more does not cost the results that others are to have. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (open_outputs(session, diagnostic))
		goto unusable;
	status = look_ahead(session, &trace_size, diagnostic);
	if (status) {
		say(diagnostic);
		return status;
	}
	if (open_disk(session, options->depth, options->writes == WRITES_REAL, diagnostic))
		goto unusable;
	describe(session);
	if (options->html && !(result->timeline = timeline_new())) {
		diagnostic_set(diagnostic, "out of memory");
		goto unusable;
	}
	if (open_trace(session, diagnostic)) {
		/* Ended while it waited for the trace to begin: that nothing was done is reported as ever. */
		result->signal = events_signal(&session->events);
		if (!result->signal)
			goto unusable;
	} else {
		if (prepare(session, diagnostic))
			goto unusable;
		status = run(session, trace_size, diagnostic);
	}
	if (write_result(session, diagnostic))
		goto unusable;
	return status ? status : exit_code_of(result);
unusable:
	say(diagnostic);
	return EXIT_UNUSABLE;
}

static int report_check(const struct session *session, const struct journal_summary *summary)
{
	const struct result *result = &session->result;

	progress_clear();
	if (session->options->lost_cache && summary->covered == 0 && summary->stable == 0)
		fprintf(stderr, "rdisk-replay: no write was covered by a flush: nothing could be checked\n");
	printf("journal %s: %" PRIu64 " changes answered, %" PRIu64 " of them covered by a flush; the replay %s\n",
	       session->options->journal, summary->answers, summary->covered,
	       summary->ended ? "ended by itself" : "did not end by itself");
	printf("%s: %" PRIu64 " blocks right, %" PRIu64 " wrong, %" PRIu64 " of which nothing is known%s\n",
	       result->target, result->checked - result->wrong, result->wrong, result->unchecked,
	       result->final_check ? "" : "; interrupted: the check is not complete");
	if (result->errors)
		printf("errors: %" PRIu64 "\n", result->errors);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "rdisk-replay: standard output: cannot be written: %s\n", strerror(errno));
		return EXIT_UNUSABLE;
	}
	return exit_code_of(result);
}

static int verify_only(struct session *session, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;
	struct journal_summary summary;

	if (journal_read(options->journal, &summary, diagnostic) || events_start(&session->events, diagnostic) ||
	    open_disk(session, 1, false, diagnostic))
		goto unusable;
	describe(session);
	session->result.seed = summary.seed;
	if (session->target->size < summary.size) {
		diagnostic_set(diagnostic, "%s has %" PRIu64 " bytes; the journal is of a disk of %" PRIu64,
			       session->target->name, session->target->size, summary.size);
		goto unusable;
	}
	if (ledger_open(&session->ledger, summary.size, diagnostic) ||
	    journal_load(options->journal, options->lost_cache, &session->ledger, diagnostic))
		goto unusable;
	if (final_check(session, diagnostic)) {
		say(diagnostic);
		return EXIT_ERRORS;
	}
	return report_check(session, &summary);
unusable:
	say(diagnostic);
	return EXIT_UNUSABLE;
}

static int convert_trace(struct session *session, struct diagnostic *diagnostic)
{
	const struct options *options = session->options;
	struct trace_options trace_options;

	/* Messages that nobody reads any more do not cost the file. (On a pipe the trace ends without a word.) */
	if (options->output && !is_standard_output(options->output))
		(void)signal(SIGPIPE, SIG_IGN);
	if (open_outputs(session, diagnostic))
		goto failed;
	trace_options = trace_options_of(options, session->events.wake);
	if (!convert(options, &session->trace, &trace_options, diagnostic))
		return EXIT_WELL;
failed:
	say(diagnostic);
	return unusable(session);
}

int main(int argc, char **argv)
{
	static struct session session;
	static struct options options;
	struct diagnostic diagnostic = { 0 };
	int status;

	if (standard_descriptors_take()) {
		fprintf(stderr, "rdisk-replay: cannot open /dev/null: %s\n", strerror(errno));
		return EXIT_UNUSABLE;
	}
	status = options_parse(&options, argc, argv);
	if (status)
		return status < 0 ? EXIT_UNUSABLE : EXIT_WELL;
	session.options = &options;
	session.memory.fd = -1;
	session.table = OUTPUT_NONE;
	session.json = OUTPUT_NONE;
	session.html = OUTPUT_NONE;
	session.trace = OUTPUT_NONE;
	session.journal.fd = -1;
	/* A file that must not become so long is an error that is told. */
	(void)signal(SIGXFSZ, SIG_IGN);
	switch (options.action) {
	case ACTION_REPLAY:
		status = replay(&session, &diagnostic);
		break;
	case ACTION_VERIFY_ONLY:
		status = verify_only(&session, &diagnostic);
		break;
	case ACTION_CONVERT:
		status = convert_trace(&session, &diagnostic);
		break;
	}
	close_session(&session);
	events_over(&session.events);
	return status;
}
