/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment that makes a program meet a fault: see tests/fault/fault_inject.c
 * for the faults there are.
 */
#ifndef FAULT_ENVIRONMENT_H
#define FAULT_ENVIRONMENT_H

/* Begins the line on stderr that tells of the fault. */
#define FAULT_MET  "fault_inject: "

/* Begins the line that tells of the first call that is held up, which follows. */
#define FAULT_HELD "fault_hold: "

struct fault_environment {
	char preload[512];
	char fault[64];
	char address_sanitizer[512];
	char hold[512];
	char hold_only[64];
	char hold_count[64];
	const char *variables[7]; /* for test_process_start() */
};

/* `fault`: "class:n" or "class:n+". The variables point into *environment. */
void fault_environment_set(struct fault_environment *environment, const char *fault);

/* Besides, calls are held up by the FIFO `path` (tests/fault/fault_hold.h). */
void fault_environment_hold(struct fault_environment *environment, const char *path);
/* Besides, each of those calls takes `ms` longer. Not together with a FIFO. */
void fault_environment_delay(struct fault_environment *environment, int ms);
/* Of these only such: "read", "write", "flush" or "allocate"; and the first `count` of them only, if that is not 0. */
void fault_environment_hold_only(struct fault_environment *environment, const char *what, int count);

#endif
