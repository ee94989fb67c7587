/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows and series of the benchmark, and how a row is judged.
 */
#include "rows.h"

#include <math.h>

const struct row rows[] = {
	{ "guest-read-1", "guest: 4 KiB random read, depth 1", "read 4k, 1", "rdisk", "ubd", SVG_NUMBER, RATIO_AT_LEAST,
	  3.8 },
	{ "guest-write-1", "guest: 4 KiB random write, depth 1", "write 4k, 1", "rdisk", "ubd", SVG_NUMBER,
	  RATIO_AT_LEAST, 3.8 },
	{ "guest-read-32", "guest: 4 KiB random read, depth 32", "read 4k, 32", "rdisk", "ubd", SVG_NUMBER,
	  RATIO_AT_LEAST, 3.4 },
	{ "guest-write-32", "guest: 4 KiB random write, depth 32", "write 4k, 32", "rdisk", "ubd", SVG_NUMBER,
	  RATIO_AT_LEAST, 3.4 },
	{ "guest-read-1m", "guest: 1 MiB sequential read, depth 4", "read 1M, 4", "rdisk", "ubd", SVG_BYTES_PER_SECOND,
	  RATIO_AT_LEAST, 1.4 },
	{ "guest-write-1m", "guest: 1 MiB sequential write, depth 4", "write 1M, 4", "rdisk", "ubd",
	  SVG_BYTES_PER_SECOND, RATIO_AT_LEAST, 1.4 },
	{ "tree", "guest: untar, find, cp and rm of 10 000 files on ext4", "files", "rdisk", "ubd", SVG_SECONDS,
	  FASTER_AT_LEAST, 1.1 },
	{ "guest-brd", "guest: 4 KiB random read, depth 1", "read 4k, 1", "rdisk", "brd", SVG_NUMBER, RATIO_AT_LEAST,
	  1.2 },
	{ "guest-virtio", "guest: 4 KiB random read, depth 1", "read 4k, 1", "rdisk", "virtio", SVG_NUMBER,
	  RATIO_AT_LEAST, 10 },
	{ "host-latency", "host: 4 KiB random read, depth 1, p50 latency", "latency 4k", "rdisk", "nbd", SVG_SECONDS,
	  RATIO_AT_MOST, 0.1 },
	{ "host-flight", "host: 4 KiB random read, 16 in flight", "read 4k, 16", "rdisk", "nbd", SVG_NUMBER,
	  RATIO_AT_LEAST, 5 },
	{ "host-sequential", "host: 1 MiB sequential read", "read 1M", "rdisk", "file", SVG_BYTES_PER_SECOND,
	  RATIO_AT_LEAST, 0.8 },
	{ "slow-other", "host: 4 KiB random read, depth 1, while others wait for a slow disk", NULL, "rdisk", "alone",
	  SVG_NUMBER, RATIO_AT_LEAST, 0.9 },
	{ "rep-write-1", "three hosts: 4 KiB write, depth 1, client on the primary's host, p50 latency", "write 4k",
	  "rdisk", "floor", SVG_SECONDS, RATIO_AT_MOST, 1.5 },
	{ "rep-write-1", "three hosts: the same, beside a TCP round trip", "write 4k", "rdisk", "tcp", SVG_SECONDS,
	  RATIO_AT_MOST, 1.2 },
	{ "rep-write-1-far", "three hosts: the same, client on another host", "write 4k, far", "rdisk", "tcp",
	  SVG_SECONDS, RATIO_AT_MOST, 2.2 },
	{ "rep-write-1-busy", "three hosts: the same on the primary's host, beside two processes that compute", NULL,
	  "rdisk", "floor", SVG_SECONDS, RATIO_AT_MOST, 1.6 },
	{ "rep-write-16", "three hosts: 4 KiB write, 16 in flight", "write 4k, 16", "rdisk", "nbd", SVG_NUMBER,
	  RATIO_AT_LEAST, 3 },
	{ "rep-write-1m", "three hosts: 1 MiB sequential write, 4 in flight", "write 1M, 4", "rdisk", "floor",
	  SVG_BYTES_PER_SECOND, RATIO_AT_LEAST, 0.8 },
	{ "rep-write-1m", "three hosts: the same, beside two NBD servers", "write 1M, 4", "rdisk", "nbd",
	  SVG_BYTES_PER_SECOND, RATIO_AT_LEAST, 1.2 },
	{ "rep-write-1m", "three hosts: the same", NULL, "rdisk", NULL, SVG_BYTES_PER_SECOND, VALUE_AT_LEAST, 330e6 },
	{ "rep-read-1", "three hosts: 4 KiB random read, depth 1, client on the primary's host", "read 4k", "rdisk",
	  "alone", SVG_NUMBER, RATIO_AT_LEAST, 0.9 },
	{ "rep-kill", "three hosts: kill -9 of the primary, longest wait of a client on another host", NULL, "rdisk",
	  NULL, SVG_SECONDS, VALUE_BELOW, 0.5 },
	{ "rep-end", "three hosts: SIGTERM of the primary, the same", NULL, "rdisk", NULL, SVG_SECONDS, VALUE_BELOW,
	  0.1 },
	{ "rep-host", "three hosts: loss of the primary's host, the same, beside detection, lease and 0.2 s", NULL,
	  "rdisk", "allowed", SVG_SECONDS, RATIO_AT_MOST, 1 },
	{ "rep-degraded", "three hosts: 4 KiB random write, 16 in flight, one of them away", NULL, "rdisk", "all",
	  SVG_NUMBER, RATIO_AT_LEAST, 0.9 },
	{ "rep-resync-bytes", "three hosts: resync after 100 MiB of random 4 KiB writes, bytes on the wire", NULL,
	  "rdisk", "changed", SVG_BYTES, RATIO_AT_MOST, 1.1 },
	{ "rep-full-bytes", "three hosts: copy of an image of 10 GiB with 100 MiB of data, bytes on the wire", NULL,
	  "rdisk", "data", SVG_BYTES, RATIO_AT_MOST, 1.1 },
	{ "rep-resync-beside", "three hosts: 4 KiB random write, 16 in flight, while one is brought up", NULL, "rdisk",
	  "alone", SVG_NUMBER, RATIO_AT_LEAST, 0.5 },
	{ "rep-state-writes", "three hosts: writes of the state for each write within the log, image on a disk", NULL,
	  "rdisk", NULL, SVG_NUMBER, VALUE_BELOW, 0.01 },
	{ "rep-idle", "three hosts: an idle set, the server that costs most: of one processor", NULL, "rdisk", NULL,
	  SVG_PERCENT, VALUE_BELOW, 1 },
	{ "rep-memory", "three hosts: private memory of the server that has most", NULL, "rdisk", NULL, SVG_BYTES,
	  VALUE_BELOW, 64 << 20 },
	{ "ipc-sendrec", "sendrec round trips a second", NULL, "rdisk", NULL, SVG_NUMBER, VALUE_AT_LEAST, 1e6 },
	{ "ipc-vcopy", "vcopy of 16 KiB, granted memory", NULL, "rdisk", NULL, SVG_BYTES_PER_SECOND, VALUE_AT_LEAST,
	  10.3e9 },
	{ "idle", "idle server, node and guest: of one processor", NULL, "rdisk", NULL, SVG_PERCENT, VALUE_BELOW, 1 },
	{ "memory", "server's private memory after reading 10 GiB", NULL, "rdisk", NULL, SVG_BYTES, VALUE_BELOW,
	  16 << 20 },

	{ "tree", "guest: the four together, beside a RAM disk in the same guest", NULL, "rdisk", "brd", SVG_SECONDS,
	  NO_BAR_TIMES, 0 },
	{ "tree-untar", "guest: untar", NULL, "rdisk", "ubd", SVG_SECONDS, NO_BAR_TIMES, 0 },
	{ "tree-find", "guest: find", NULL, "rdisk", "ubd", SVG_SECONDS, NO_BAR_TIMES, 0 },
	{ "tree-cp", "guest: cp -r", NULL, "rdisk", "ubd", SVG_SECONDS, NO_BAR_TIMES, 0 },
	{ "tree-rm", "guest: rm -r", NULL, "rdisk", "ubd", SVG_SECONDS, NO_BAR_TIMES, 0 },
	{ "host-sequential", "host: 1 MiB sequential read", NULL, "rdisk", "nbd", SVG_BYTES_PER_SECOND, NO_BAR, 0 },
	{ "slow-same", "host: the same, of what is cached of the slow disk", NULL, "rdisk", "alone", SVG_NUMBER, NO_BAR,
	  0 },
	{ "slow-load", "host: discards, zeroes and flushes of the slow disk meanwhile, a second", NULL, "rdisk", NULL,
	  SVG_NUMBER, NO_BAR, 0 },
	{ "replay-linux-mysql", "replay of linux-mysql, operations a second", "mysql", "rdisk", "nbd", SVG_NUMBER,
	  NO_BAR, 0 },
	{ "replay-linux-webserver-1", "replay of linux-webserver-1, operations a second", "webserver-1", "rdisk", "nbd",
	  SVG_NUMBER, NO_BAR, 0 },
	{ "replay-linux-webserver-2", "replay of linux-webserver-2, operations a second", "webserver-2", "rdisk", "nbd",
	  SVG_NUMBER, NO_BAR, 0 },
	{ "replay-windows-mssql", "replay of windows-mssql, operations a second", "mssql", "rdisk", "nbd", SVG_NUMBER,
	  NO_BAR, 0 },
	{ "replay-windows-shared-server", "replay of windows-shared-server, operations a second", "shared-server",
	  "rdisk", "nbd", SVG_NUMBER, NO_BAR, 0 },
	{ "ipc-vcopy-plain", "vcopy of 16 KiB, memory that is not granted", NULL, "rdisk", NULL, SVG_BYTES_PER_SECOND,
	  NO_BAR, 0 },
	{ "idle", "idle: the server alone", NULL, "server", NULL, SVG_PERCENT, NO_BAR, 0 },
	{ "idle", "idle: the node", NULL, "node", NULL, SVG_PERCENT, NO_BAR, 0 },
	{ "idle", "idle: the guest with rdisk, beside a guest without", NULL, "guest", "bare", SVG_PERCENT, NO_BAR, 0 },
	{ "memory", "guest memory that only the server has touched", NULL, "guest's, mapped", NULL, SVG_BYTES, NO_BAR,
	  0 },
};

const size_t nr_rows = sizeof(rows) / sizeof(rows[0]);

const struct series all_series[] = {
	{ "guest-depth",
	  "Guest: 4 KiB random reads by queue depth",
	  "fio with libaio and direct I/O in one guest, which has one processor.",
	  { "requests in flight", SVG_LOG2, SVG_NUMBER, 0, 0 },
	  { "reads a second", SVG_LINEAR, SVG_NUMBER, 0, 0 },
	  { "rdisk", "ubd" } },
	{ "host-depth",
	  "Host: 4 KiB random reads by queue depth",
	  "One client. rdisk's requests in flight are one batch; nbdkit's are independent.",
	  { "requests in flight", SVG_LOG2, SVG_NUMBER, 0, 0 },
	  { "reads a second", SVG_LINEAR, SVG_NUMBER, 0, 0 },
	  { "rdisk", "nbd" } },
	{ "clients",
	  "Host: 4 KiB random reads by number of clients",
	  "Each client is a process with one request in flight; the sum of all.",
	  { "clients", SVG_LOG2, SVG_NUMBER, 0, 0 },
	  { "reads a second", SVG_LINEAR, SVG_NUMBER, 0, 0 },
	  { "rdisk", "nbd" } },
	{ "devices",
	  "Host: 4 KiB random reads by number of devices",
	  "One server; one request in flight for each client.",
	  { "devices", SVG_LINEAR, SVG_NUMBER, 0, 0 },
	  { "reads a second", SVG_LINEAR, SVG_NUMBER, 0, 0 },
	  { "one client for all", "a client for each" } },
	{ "sizes",
	  "Host: latency of a 4 KiB random read by size of the image",
	  "p50, one client, depth 1. The images are sparse: what is read are holes.",
	  { "size of the image in GiB", SVG_LOG2, SVG_NUMBER, 0, 0 },
	  { "latency", SVG_LINEAR, SVG_SECONDS, 0, 0 },
	  { "rdisk" } },
};

const size_t nr_series = sizeof(all_series) / sizeof(all_series[0]);

bool row_has_bar(const struct row *row)
{
	return row->rule != NO_BAR && row->rule != NO_BAR_TIMES;
}

static bool needs_ratio(const struct row *row)
{
	return row->rule == RATIO_AT_LEAST || row->rule == RATIO_AT_MOST || row->rule == FASTER_AT_LEAST;
}

static bool is_met(const struct row *row, const struct row_result *result)
{
	switch (row->rule) {
	case RATIO_AT_LEAST:
	case FASTER_AT_LEAST:
		return result->ratio >= row->bar;
	case RATIO_AT_MOST:
		return result->ratio <= row->bar;
	case VALUE_AT_LEAST:
		return result->value >= row->bar;
	case VALUE_BELOW:
		return result->value < row->bar;
	case NO_BAR:
	case NO_BAR_TIMES:
		break;
	}
	return true;
}

void row_evaluate(const struct row *row, const struct results *results, struct row_result *result)
{
	result->against.count = 0;
	result->ratios.count = 0;
	results_values(results, row->name, row->side, 0, &result->values);
	if (row->against) {
		results_values(results, row->name, row->against, 0, &result->against);
		if (row->rule == FASTER_AT_LEAST || row->rule == NO_BAR_TIMES)
			results_ratios(&result->against, &result->values, &result->ratios);
		else
			results_ratios(&result->values, &result->against, &result->ratios);
	}
	result->value = values_median(&result->values);
	result->other = values_median(&result->against);
	result->ratio = values_median(&result->ratios);
	result->measured = !isnan(result->value) && (!needs_ratio(row) || !isnan(result->ratio));
	result->met = result->measured && is_met(row, result);
	result->skipped = results_skipped(results, row->name);
}

const char *row_bar(const struct row *row, char text[ROW_TEXT_SIZE])
{
	static const char *const sign[] = {
		[RATIO_AT_LEAST] = ">= ", [RATIO_AT_MOST] = "<= ", [FASTER_AT_LEAST] = ">= ", [VALUE_AT_LEAST] = ">= ",
		[VALUE_BELOW] = "< ",	  [NO_BAR] = "",	   [NO_BAR_TIMES] = "",
	};
	char value[SVG_VALUE_SIZE];

	text[0] = '\0';
	if (!row_has_bar(row))
		return text;
	if (needs_ratio(row))
		(void)snprintf(text, ROW_TEXT_SIZE, "%s%g", sign[row->rule], row->bar);
	else
		(void)snprintf(text, ROW_TEXT_SIZE, "%s%s", sign[row->rule], svg_value(value, row->bar, row->unit));
	return text;
}
