/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's log: one line on stderr for each event, "rdisk: LEVEL: text". It
 * neither stores nor rotates anything; whoever starts the server redirects stderr. Who stops reading there holds up
 * nobody: lines that have no room are left out, and their number is told when there is some.
 */
#ifndef RDISK_LOG_H
#define RDISK_LOG_H

#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are not written; LOG_LEVEL_INFO at first. Main thread only. */
void log_set_level(enum log_level level);

/* From now on each line says CLOCK_MONOTONIC's time: "rdisk: [SECONDS] LEVEL: text". Main thread only. */
void log_set_time(void);

/*
 * Writes one line with a single write(2); control characters in the text become '?',
 * and what is beyond 2 KiB is cut. Keeps errno. Any thread.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The same for events that a client can cause at will: at most 20 lines in 10
 * seconds, and then the number of lines left out. Any thread.
 */
void log_limited(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * One line without a level, "rdisk: text": why the server did not start, and that it is ready.
 */
void log_plain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define log_error(...)	 log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
