/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the formats' files, the reader (trace.c) and the writer (trace_writer.c) know of each other.
 *
 * A format reads with one of two functions: text formats with `line`, which is called for each line; binary ones with
 * `record`, which takes bytes from the input. Both hand operations on with trace_push(), times by the trace's own
 * clock.
 */
#ifndef REPLAY_TRACE_INTERNAL_H
#define REPLAY_TRACE_INTERNAL_H

#include "trace.h"
#include "trace_input.h"
#include "trace_window.h"

#define TRACE_KIND_BIT(kind) (1u << (kind))

struct trace_format {
	const char *name;
	const char *description;

	/* Whether this line could only be of this format; NULL for binary formats. It may be changed. */
	bool (*recognizes_line)(char *line);
	/* Whether a trace that starts so is of this format; NULL for text formats. */
	bool (*recognizes_start)(const void *start, size_t length);

	size_t reader_state; /* bytes, zeroed at the start */
	/* Before the first line or record; may be NULL. 0, or -1 and *diagnostic. */
	int (*begin)(struct trace_reader *reader, struct diagnostic *diagnostic);
	/* 0; -1: the line is broken, and why. */
	int (*line)(struct trace_reader *reader, char *line, struct diagnostic *cause);
	/* 1; 0 at the end; -1 and *diagnostic, which names the file: reading cannot go on. */
	int (*record)(struct trace_reader *reader, struct diagnostic *diagnostic);
	/* At the end of the trace; may be NULL. 0, or -1 and *diagnostic, which names the file. */
	int (*finish)(struct trace_reader *reader, struct diagnostic *diagnostic);
	void (*end)(struct trace_reader *reader); /* frees what the state holds; may be NULL */

	bool of_block_layer; /* it has events, and its devices are major and minor */
	bool has_other_text; /* lines that recognizes_line() does not know may be passed over, not broken */

	unsigned int kinds; /* that can be written, TRACE_KIND_BIT; 0: the format is read only */
	bool has_fua;
	unsigned int unit;  /* bytes: positions and lengths are multiples of it */
	uint64_t time_unit; /* ns: times are multiples of it; 0: it has none; 1: any, or it counts losses itself */
	bool has_latency;
	size_t writer_state;
	/* Each 0 or -1 (the stream has failed); begin and finish may be NULL. */
	int (*write_begin)(struct trace_writer *writer);
	int (*write)(struct trace_writer *writer, const struct trace_operation *operation);
	int (*write_finish)(struct trace_writer *writer);
};

extern const struct trace_format trace_format_blkparse, trace_format_blkreplay, trace_format_blktrace,
	trace_format_fio_2, trace_format_fio_3, trace_format_msr, trace_format_alibaba, trace_format_tencent,
	trace_format_original, trace_format_recording;

/* All formats; a NULL ends it. */
extern const struct trace_format *const trace_formats[];

/* In ascending order; one more than are named tells that there are more. */
struct device_set {
	uint32_t devices[TRACE_DEVICES_NAMED + 1];
	unsigned int count;
};

struct trace_reader {
	struct trace_options options;
	const struct trace_format *format;
	char *path; /* as messages name it */
	struct trace_input *input;
	struct trace_window *window;
	void *state;
	uint64_t line; /* number of the line or record that was read last */
	uint64_t broken;
	uint64_t late;
	uint64_t left_out;
	uint64_t missing;
	uint64_t first_ns;		 /* the first operation's time */
	uint64_t last_ns;		 /* of the one handed out last, since the first */
	uint64_t pushed;		 /* into the window */
	uint64_t taken;			 /* out of it */
	struct device_set devices;	 /* of all that was read */
	struct device_set taken_devices; /* of what was handed out */
	bool several_told;
	bool recognized; /* of a format with other text: a line of its own was read */
	bool started;
	bool at_end; /* nothing more is read */
	bool failed; /* for the reason in `failure`, which is told when the window is empty */
	struct diagnostic failure;
};

struct trace_writer {
	FILE *to;
	const struct trace_format *format;
	struct trace_losses losses;
	void *state;
};

/*
 * An operation that was read; time_ns by the trace's own clock. 0; or -1 and *cause: it cannot be. (One of another
 * device than was asked for is checked, and dropped.)
 */
int trace_push(struct trace_reader *reader, const struct trace_operation *operation, struct diagnostic *cause);

/* An operation was completed at time_ns by the trace's own clock. */
void trace_complete(struct trace_reader *reader, uint64_t time_ns, const struct trace_operation *operation);

/*
 * Reports a broken line: "FILE:LINE: cause", or for a binary trace "FILE: record LINE: cause". 0; or -1 and *diagnostic
 * when reading is strict.
 */
int trace_report_broken(struct trace_reader *reader, const char *cause, struct diagnostic *diagnostic);

/* The same of `count` operations that are missing here: what is there is not broken. */
int trace_report_missing(struct trace_reader *reader, uint64_t count, struct diagnostic *diagnostic);

/* Prints into the trace. 0, or -1: the stream has failed. */
int trace_print(struct trace_writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
