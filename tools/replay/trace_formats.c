/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of formats. Where a line could be of several, the first that says so has it.
 */
#include <string.h>

#include "trace_internal.h"

const struct trace_format *const trace_formats[] = {
	&trace_format_recording,
	&trace_format_blktrace,
	&trace_format_fio_3,
	&trace_format_fio_2,
	&trace_format_blkreplay,
	&trace_format_blkparse,
	&trace_format_original,
	&trace_format_msr,
	&trace_format_alibaba,
	&trace_format_tencent,
	NULL,
};

const struct trace_format *trace_format_find(const char *name)
{
	for (int i = 0; trace_formats[i]; i++) {
		if (strcmp(trace_formats[i]->name, name) == 0)
			return trace_formats[i];
	}
	return NULL;
}

bool trace_format_writable(const struct trace_format *format)
{
	return format->kinds != 0;
}

void trace_format_list(FILE *to)
{
	for (int i = 0; trace_formats[i]; i++)
		fprintf(to, "  %-11s %s %s\n", trace_formats[i]->name, trace_formats[i]->kinds ? "rw" : "r ",
			trace_formats[i]->description);
	fprintf(to, "\nr: can be read and replayed; rw: can be written too, with --convert\n");
}
