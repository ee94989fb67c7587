/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests that are made to a server that meets a fault, and what must hold
 * whatever comes of them. One thread.
 */
#ifndef FAULT_SCRIPT_H
#define FAULT_SCRIPT_H

#include <stdbool.h>
#include <sys/types.h>

#include "fault_model.h"
#include "test_server.h"

enum { SCRIPT_FILE, SCRIPT_VOLATILE, SCRIPT_MEMORY, NR_SCRIPT_DEVICES };

/* The server's devices; the first two have the images below. */
extern const struct test_device script_devices[NR_SCRIPT_DEVICES];

#define SCRIPT_FILE_IMAGE     "file.img"
#define SCRIPT_VOLATILE_IMAGE "volatile.img"
#define SCRIPT_TIMEOUT_MS     30000 /* no answer within it is a hang */

struct fault_script {
	struct fault_model models[NR_SCRIPT_DEVICES];
	unsigned char *initial; /* MODEL_SIZE bytes: what both images hold at first */
	unsigned char *memory;	/* of this process, MODEL_SIZE bytes */
	unsigned char *granted; /* shared with the server, MODEL_SIZE bytes */
	int granted_fd;

	pid_t server;	     /* process that is found asleep by each request */
	int self;	     /* endpoint */
	int answered;	     /* requests that got an answer */
	int gone;	     /* code that ended the script early, 0: it was done to its end */
	bool sync_failed;    /* a flush or FUA write failed with EDVSIO */
	char violation[200]; /* "": none; the first rule that was broken */
};

/* Allocates; once. */
void fault_script_create(struct fault_script *script);

/* New images and models. */
void fault_script_reset(struct fault_script *script);

/*
 * Makes the requests as endpoint script->self. `sync_faults`: the fault is one of fdatasync, after
 * which no flush may succeed any more.
 */
void fault_script_run(struct fault_script *script, bool sync_faults);

/* Whether the server answers a request that needs nothing but it. */
bool fault_script_answers(const struct fault_script *script);

/* Records that a rule was broken; the first one counts. */
void fault_script_violate(struct fault_script *script, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* After the server's end: the images hold what they have to. */
void fault_script_check_images(struct fault_script *script);

/* Through a server without faults: the same of the file device. */
void fault_script_check_served(struct fault_script *script);

#endif
