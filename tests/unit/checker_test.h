/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Histories in few words, for the checker's tests. One device, 0; a block is all of one tag, 0 is zeroes. Every event
 * is at a time of its own, in the order of the calls.
 */
#ifndef CHECKER_TEST_H
#define CHECKER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "checker.h"

#define OK 0

/* The history of the test. */
extern struct history history;

int checker_test_begin(void **state);
int checker_test_end(void **state);

/* Of block 0 unless they say otherwise; they return the operation's number. */
uint64_t begin_write(int client, uint64_t tag);
uint64_t begin_write_stable(int client, uint64_t tag);
uint64_t begin_write_of(int client, uint64_t block, uint64_t blocks, uint64_t tag); /* tag, tag + 1, ... */
uint64_t begin_zeroes(int client);
uint64_t begin_read(int client);
uint64_t begin_read_of(int client, uint64_t block, uint64_t blocks);
uint64_t begin_flush(int client);

/* The answer to any but a successful read; to that, with what it returned; nobody is left to be answered. */
void answer(uint64_t op, int result);
void answer_read(uint64_t op, uint64_t tag);
void answer_read_of(uint64_t op, const uint64_t *tags);
void lose_client_of(uint64_t op);

/* At once, with success. */
void did_write(int client, uint64_t tag);
void did_read(int client, uint64_t tag);
void did_flush(int client);
void did_open(int client);
uint64_t begin_open_as(int client, unsigned int access); /* history_open_as() */
void did_open_as(int client, unsigned int access);
void did_close(int client);

void may_lose(void);
void may_lose_flushed(void);

/* What an image holds in block 0 at the end. */
void final_block(uint64_t tag);

/* That nothing is wrong. */
void expect_right(void);

/* That there is one violation, of that kind, over as many blocks from 0 on (0: of opens), whose text has all these
 * words. */
void expect_wrong(enum checker_kind kind, uint64_t blocks, const char *words);

#endif
