/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace, whatever it was recorded with: a stream of operations in the order of their times. Readers turn one
 * of the formats into it, writers turn it into one of them (trace_formats.c has the table of both). Traces are
 * of any length: neither side keeps more than a bounded number of operations in memory.
 *
 * Nothing here knows of disks. One thread.
 */
#ifndef REPLAY_TRACE_H
#define REPLAY_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "diagnostic.h"

enum trace_kind { TRACE_READ, TRACE_WRITE, TRACE_FLUSH, TRACE_DISCARD, TRACE_WRITE_ZEROES, TRACE_KINDS };

/* "read", "write", "flush", "discard", "write-zeroes". */
const char *trace_kind_name(enum trace_kind kind);

#define TRACE_FUA	   1u /* flags: stable before it was answered */
#define TRACE_NO_LATENCY   UINT64_MAX
#define TRACE_TRANSFER_MAX (UINT64_C(1) << 30) /* bytes of a READ or WRITE; a line with more is broken */

/*
 * What readers promise: READ and WRITE have 1 to TRACE_TRANSFER_MAX bytes, DISCARD and WRITE_ZEROES at least 1, and
 * position + length is at most INT64_MAX.
 */
struct trace_operation {
	uint64_t time_ns;    /* since the trace's first operation; never less than that of the operation before */
	uint64_t latency_ns; /* as recorded, TRACE_NO_LATENCY: not recorded */
	uint64_t position;   /* bytes; FLUSH: 0 */
	uint64_t length;     /* bytes; FLUSH: 0 */
	uint32_t device;     /* as the trace numbers them (trace_device_parse); 0 where it does not */
	enum trace_kind kind;
	unsigned int flags; /* TRACE_FUA */
};

/*
 * The number of a device as a user writes it: "3" (minor, DiskNumber, volume, the n-th file name from 0), or "8,16"
 * (major and minor, for blkparse and blktrace). 0, or -1: it is not one.
 */
int trace_device_parse(const char *text, uint32_t *device);

struct trace_format; /* trace_formats.c */

/* The format of that name, or NULL. */
const struct trace_format *trace_format_find(const char *name);

/* Whether a trace can be written in it. */
bool trace_format_writable(const struct trace_format *format);

/* Prints the names of all formats with a line on each and whether it can be written, and what its marks mean. */
void trace_format_list(FILE *to);

/* Which of an operation's events in blkparse and blktrace traces is the operation; other formats have only one. */
enum trace_event {
	TRACE_QUEUED, /* Q: what was asked of the disk, before it was merged and scheduled */
	TRACE_ISSUED  /* D: what the disk was given */
};

struct trace_options {
	const struct trace_format *format; /* NULL: detected from the content */
	bool strict;			   /* the first broken line ends the reading */
	/* which device of a trace of several; -1: all of them */
	int64_t device;
	enum trace_event event;
	bool event_given; /* by the user: a trace of a format that has no events is refused */
	uint64_t limit;	  /* no more operations than these will be asked for; 0: all may */
	int wake;	  /* a descriptor: from when it is readable on the trace cannot be read any further; -1: none */
	/* Called for each broken line: "FILE:LINE: cause". Never NULL. */
	void (*broken)(void *context, const char *text);
	/*
	 * Called once, before an operation of the trace is handed out, when several devices are known: "0, 2", in the
	 * form of trace_reader_devices(). A device of which no operation is within the limit is not named. NULL: not
	 * wanted.
	 */
	void (*several)(void *context, const char *devices);
	void *context;
};

struct trace_reader;

/*
 * Opens a trace: a path, or "-" for standard input; gzip is seen by itself. A path that does not exist, but for which
 * PATH.blktrace.0 or another of that form does, is all of these. *reader is the caller's to close. 0, or -1
 * and *diagnostic.
 */
int trace_reader_open(struct trace_reader **reader, const char *path, const struct trace_options *options,
		      struct diagnostic *diagnostic);

/* The next operation: 1; 0 at the end; -1 and *diagnostic (cannot be read, or broken and strict), after all before it.
 */
int trace_reader_next(struct trace_reader *reader, struct trace_operation *operation, struct diagnostic *diagnostic);

#define TRACE_DEVICES_NAMED 8
#define TRACE_DEVICES_SIZE  128

/*
 * The devices whose operations were read so far, whether they were asked for or not: "0, 2" or "8,0, 8,16", at most
 * TRACE_DEVICES_NAMED of them and then "...". Returns text.
 */
const char *trace_reader_devices(const struct trace_reader *reader, char text[TRACE_DEVICES_SIZE]);

/*
 * Of a trace that was read to its end and gave no operation: 0: it has none. -1 and *diagnostic: it has, but none of
 * the device that was asked for; or nothing in it could be understood.
 */
int trace_reader_check_empty(const struct trace_reader *reader, struct diagnostic *diagnostic);

/* How many lines (or records) were broken and left out so far. */
uint64_t trace_reader_broken(const struct trace_reader *reader);

/*
 * Operations that were so much out of order that sorting (within some thousand operations) could not mend it: they
 * got the time of the operation before them.
 */
uint64_t trace_reader_late(const struct trace_reader *reader);

/* Operations that are in the trace and are not to be replayed: they failed, or are of a kind that no disk here has. */
uint64_t trace_reader_left_out(const struct trace_reader *reader);

/* Operations that are known to be missing in the trace, because who recorded it could not keep up. */
uint64_t trace_reader_missing(const struct trace_reader *reader);

/* How much of the trace was handed out, 0 to 1, about, for a progress line; < 0: not known (a pipe). */
double trace_reader_progress(const struct trace_reader *reader);

/* The name of the format that was named or detected. */
const char *trace_reader_format(const struct trace_reader *reader);

void trace_reader_close(struct trace_reader *reader);

struct trace_writer;

/* What a format could not say. */
struct trace_losses {
	uint64_t left_out[TRACE_KINDS]; /* operations of a kind that it does not have */
	uint64_t devices;		/* operations left out because their device cannot be named */
	uint64_t fua;			/* operations written without their TRACE_FUA */
	uint64_t widened;		/* operations written as the whole sectors that they touch */
	uint64_t times;			/* operations written with a less exact time, or without one */
	uint64_t latencies;		/* operations written without their latency */
};

/* Begins a trace in `format` on a stream, which stays the caller's. 0, or -1 and *diagnostic (not writable). */
int trace_writer_open(struct trace_writer **writer, FILE *to, const struct trace_format *format,
		      struct diagnostic *diagnostic);

/*
 * Writes an operation, or what the format can say of it: the rest is counted, trace_writer_losses(). 0; or -1 and
 * *diagnostic: the stream failed. Times must not go backwards.
 */
int trace_writer_put(struct trace_writer *writer, const struct trace_operation *operation,
		     struct diagnostic *diagnostic);

/* What could not be said so far. Valid until the writer is closed. */
const struct trace_losses *trace_writer_losses(const struct trace_writer *writer);

/*
 * The same in words, "12 flush and 3 discard operations were left out; ...", into text (cut if it is too long). Returns
 * false, and "", when nothing was lost.
 */
bool trace_losses_describe(const struct trace_losses *losses, char *text, size_t size);

/* Ends the trace and frees the writer. 0, or -1 and *diagnostic. */
int trace_writer_close(struct trace_writer *writer, struct diagnostic *diagnostic);

#endif
