/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to a world, as text: a line each, in any order.
 *
 *   # a comment
 *   seed N                             the seed that it is played with, unless another is asked for
 *   set NAME VALUE                     a setting (sim_settings.h), over what the seed chose
 *   expect loss                        answered writes may be lost: the history is not judged
 *   expect no errors                   no client is answered an error, unless random faults are added
 *   expect refused MEMBER...           these may refuse to start
 *   alone                              it breaks an assumption, or obeys no operator's rule: no random faults are added
 *   at TIME ACTION                     at a time of the run
 *   at TIME..TIME ACTION               at some time between, which the seed chooses
 *
 * Members are A to G; TIME and durations are numbers with ns, us, ms, s or m behind; a bare number is ns. ACTION:
 *
 *   start M...               power if it has none, and a process
 *   kill M...                the process dies, the page cache stays
 *   terminate M...           it hands over and ends
 *   stop M...                it stops, until: continue M...
 *   power M...               the hosts lose power, all at once
 *   drift M N                its clock runs at N millionths of the true speed from now on
 *   cut A B                  the link, both ways, until: heal A B, or heal, which is all links
 *   cut A to B               what A sends to B, until: heal A to B
 *   isolate M...             cuts all links of each
 *   break A B                ends their session
 *   slow A B N               N bytes a second, both ways; 0: no limit
 *   delay A B T              every frame takes so much longer
 *   disk M hang T            nothing ends within that time
 *   disk M slow T            everything takes so much longer
 *   disk M write-errors N    the next N fail; the same: read-errors, flush-errors
 *   disk M evict             a failed flush also drops what it forgot from the page cache
 *   disk M full              no new blocks
 *   disk M well              all of that is over; a hang ends by itself
 *   meta M hang T            saves of metadata do not end within that time
 *   meta M errors N          the next N saves fail
 *   meta M flip N            one bit of slot 0 or 1; 2: of a sector of the log; 3: of the bits
 *   meta M remove N          the same pieces are gone; the bits only of a member that does not run
 *   meta M wipe              all pieces are
 *   meta M cool              its log says that nothing is hot, as an older one would
 *   meta M keep              remembers a copy, until: meta M old, which puts it back
 *   image M replace          another file, empty
 *   image M missing          the next process cannot open it
 *   image M smaller          the next process finds it one block smaller
 *   image M back             neither any more; the process is started again
 *   list M N                 the next process has only the first N members in its list
 *   version M N              the next process is of version 1, or of 2, which there is only here (settings.made_up)
 *   view M shows M...        its group service says so, once
 *   promote M                a planned switch
 *   force M without M...     an operator's order to M: the others are dead
 *   invalidate M...          an operator's order to each: its copy is discarded
 *   die M                    one of its clients
 *   wake                     clients that pause go on
 *   write M BLOCK N          its scripted client, N blocks of 512 bytes of device 0; the same: read, zeroes, fua
 *   flush M                  the same client
 *
 * An action that ends with the word "careful" takes away what a member has on disk. It is done only if all are well
 * before, and no disk fails, so that no two are hurt at a time, and kills the member first; no error of a disk or of
 * metadata begins within ten seconds of it. "meta M old careful" is done only if a newer epoch was decided since, and
 * after it nothing else is until all are well again (that somebody who has seen newer is up is an assumption). Random
 * schedules hurt only so.
 */
#ifndef RDISK_SIM_SCHEDULE_H
#define RDISK_SIM_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "replica.h"
#include "sim_random.h"
#include "sim_settings.h"

#define SIM_NUMBERS_MAX 2

/* Pieces of metadata, as "meta M flip" and "remove" number them: below are the slots. */
#define SIM_PIECE_LOG	2
#define SIM_PIECE_BITS	3

enum sim_action_kind {
	SIM_START,
	SIM_KILL,
	SIM_TERMINATE,
	SIM_STOP,
	SIM_CONTINUE,
	SIM_POWER,
	SIM_DRIFT,
	SIM_CUT,
	SIM_CUT_ONE_WAY,
	SIM_HEAL,
	SIM_HEAL_ONE_WAY,
	SIM_ISOLATE,
	SIM_BREAK,
	SIM_SLOW,
	SIM_DELAY,
	SIM_DISK_HANG,
	SIM_DISK_SLOW,
	SIM_DISK_WRITE_ERRORS,
	SIM_DISK_READ_ERRORS,
	SIM_DISK_FLUSH_ERRORS,
	SIM_DISK_EVICT,
	SIM_DISK_FULL,
	SIM_DISK_WELL,
	SIM_META_HANG,
	SIM_META_ERRORS,
	SIM_META_FLIP,
	SIM_META_REMOVE,
	SIM_META_WIPE,
	SIM_META_COOL,
	SIM_META_KEEP,
	SIM_META_OLD,
	SIM_IMAGE_REPLACE,
	SIM_IMAGE_MISSING,
	SIM_IMAGE_SMALLER,
	SIM_IMAGE_BACK,
	SIM_VIEW,
	SIM_PROMOTE,
	SIM_FORCE,
	SIM_INVALIDATE,
	SIM_LIST,
	SIM_VERSION,
	SIM_DIE,
	SIM_WAKE,
	SIM_WRITE,
	SIM_READ,
	SIM_ZEROES,
	SIM_FLUSH,
	SIM_FUA,
	SIM_ACTIONS,
};

struct sim_action {
	enum sim_action_kind kind;
	uint64_t from, to; /* ns */
	int members[MEMBERS_MAX];
	int nr_members;
	int others[MEMBERS_MAX]; /* after "to", "shows", "without" */
	int nr_others;
	uint64_t numbers[SIM_NUMBERS_MAX];
	bool careful; /* of a random schedule: only when no rule is given up by it */
};

struct sim_setting {
	char name[32];
	uint64_t value;
};

struct sim_schedule {
	struct sim_action *actions;
	size_t count, capacity;
	struct sim_setting *settings;
	size_t nr_settings;
	bool has_seed;
	uint64_t seed;
	bool expect_loss;
	bool expect_no_errors;
	bool alone;
	member_set expect_refused;
};

void sim_schedule_free(struct sim_schedule *schedule);
void sim_schedule_add(struct sim_schedule *schedule, const struct sim_action *action);

/* Adds what a text says. NULL, or what is wrong with it; *line, from 1, is where. */
const char *sim_schedule_parse(struct sim_schedule *schedule, const char *text, unsigned int *line);

/* Times that are ranges become times, and actions are put in the order of their times. */
void sim_schedule_settle(struct sim_schedule *schedule, struct sim_random *random);

/* As lines that can be parsed. */
void sim_schedule_print(const struct sim_schedule *schedule, FILE *out);
void sim_action_print(const struct sim_action *action, char *text, size_t size); /* without "at" and times */

/* Sets what the schedule sets: NULL, or what there is no setting of that name for. */
const char *sim_schedule_set(const struct sim_schedule *schedule, struct sim_settings *settings);

/* Adds about `count` random faults, each with what ends it, all over before `duration`. */
void sim_schedule_random(struct sim_schedule *schedule, const struct sim_settings *settings, uint64_t duration,
			 uint64_t count, struct sim_random *random);

#endif
