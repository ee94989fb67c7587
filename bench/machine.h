/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that a report was made on, in words.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

struct machine {
	char processor[128];
	char kernel[128];
	long processors;
	char date[32]; /* UTC, ISO 8601 */
};

/* What cannot be found out is "unknown" or 0. */
void machine_describe(struct machine *machine);

#endif
