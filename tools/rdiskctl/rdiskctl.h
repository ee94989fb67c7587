/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdiskctl: what its files share. One thread; all of it ends with the program.
 */
#ifndef RDISKCTL_H
#define RDISKCTL_H

#include <stdbool.h>
#include <stddef.h>

#include <cJSON.h>

#include "diagnostic.h"

enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* or refused */
	EXIT_USAGE = 2,
	EXIT_NO_SERVER = 3,
	EXIT_DEGRADED = 4, /* status: it serves, and not all members are there and in sync */
	EXIT_NOT_SERVING = 5,
};

struct arguments {
	const char *config;	  /* never NULL */
	const char *socket;	  /* NULL: as the configuration says */
	const char *command_name; /* NULL: none was given */
	const char *node;	  /* that is named behind the command, or the file; NULL: none */
	const char *dead;	  /* names with commas between them, or NULL */
	const char *from;	  /* or NULL */
	const char *timeout;	  /* of an order, seconds, as it was given; NULL: the server's default */
	int timeout_s;		  /* the same as a number */
	bool json, watch, yes;
};

/* ---- main.c: what is said ---- */

/* Writes an error, as the options ask for it, and returns `status`. code: of the JSON. */
int fail(const struct arguments *arguments, int status, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- client.c: the server ---- */

struct client {
	int fd;
	const char *path; /* of the socket, as client_open() was given it */
	char *buffer;	  /* what came in */
	size_t length, size;
	size_t taken; /* bytes of the line that was heard last */
};

#define CLIENT_TIMEOUT_MS 10000 /* for what a server does at once */
#define CLIENT_NO_TIMEOUT (-1)	/* for what takes its time */

/* Why a server could not be asked. */
enum client_error {
	CLIENT_OK = 0,
	CLIENT_NO_SERVER = -1, /* none is there, or it does not answer, or it has ended */
	CLIENT_FAILED = -2,
};

/* Connects to the socket at path, which stays as long as the client is used. CLIENT_OK, or another code and
 * *diagnostic. */
int client_open(struct client *client, const char *path, struct diagnostic *diagnostic);
/* Sends a line. The same. */
int client_say(struct client *client, const cJSON *object, struct diagnostic *diagnostic);
/* *line: the next line, without its end, until the next call. timeout_ms: CLIENT_NO_TIMEOUT too. The same. */
int client_hear(struct client *client, int timeout_ms, const char **line, struct diagnostic *diagnostic);
void client_close(struct client *client);

/* ---- show.c: status ---- */

/* The exit status that a status stands for. */
int status_code(const cJSON *status);
/* Prints it for people. */
void status_show(const cJSON *status);

/* ---- check.c ---- */

/* The command check-config. Exit status. */
int check_config(const struct arguments *arguments);

#endif
