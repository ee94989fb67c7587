/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Endpoints: magic values, fixed numbers, limits and the arithmetic between an
 * endpoint and its slot in a distributed container (DC). All numbers are the
 * original's (com.h, endpoint.h, dvs_config.h).
 *
 * Freestanding: also compiled into the guest kernel's user half.
 */
#ifndef DVK_ENDPOINT_H
#define DVK_ENDPOINT_H

#include <stdbool.h>

/* Endpoints that stand for no particular process. */
#define ANY		 31438 /* 0x7ace: receive from anybody; bind to the first free user endpoint */
#define NONE		 27342 /* 0x6ace */
#define SELF		 35534 /* 0x8ace */
#define LOCALNODE	 (-1)
#define PROC_NO_PID	 (-1)

/* Tasks: negative numbers. */
#define HARDWARE	 (-1)
#define SYSTEM		 (-2)
#define SYSTASK(node)	 (-2 - (node))
#define SLOTS		 (-34)
#define CLOCK		 (-35)

/* Servers with a fixed number. */
#define PM_PROC_NR	 0
#define FS_PROC_NR	 1
#define RS_PROC_NR	 2
#define RDISK_PROC_NR	 3
#define RDISK_MASTER	 12
#define RDISK_SLAVE	 13

/* Compile-time limits; a DC's own numbers (struct dc_usr) may be smaller. */
#define NR_DCS		 32
#define NR_NODES	 32
#define NR_TASKS	 35
#define NR_PROCS	 221
#define NR_SYS_PROCS	 64
#define NR_SLOTS	 (NR_TASKS + NR_PROCS) /* 256: slots of a DC */

/*
 * Tasks of a DC unless its creator says otherwise: what the original's test
 * configurations use. With it the first user endpoint is 30.
 */
#define DC_TASKS_DEFAULT 34

#define MAXCOPYBUF	 65536		   /* bytes of one piece of a copy */
#define MAXCOPYLEN	 (16 * MAXCOPYBUF) /* bytes of one dvk_vcopy() */

#define MAXPROCNAME	 16 /* bytes, the terminating zero included */
#define MAXDCNAME	 16
#define MAXNODENAME	 16

#define DVS_VERSION	 202202

/* dvk_bind_X(): who is bound, and how. The types for other nodes are not here yet. */
enum dvk_bind_type {
	SELF_BIND = 0,	   /* the caller */
	LCL_BIND = 1,	   /* another process of this node */
	USERMODE_BIND = 5, /* the caller, inside a user-mode system such as UML */
};

/* Timeouts, in milliseconds. */
#define TIMEOUT_FOREVER		 (-1)
#define TIMEOUT_NOWAIT		 0
#define TIMEOUT_MOLCALL		 30000
#define TIMEOUT_MS		 60000

/* Endpoint = generation * ENDPOINT_GENERATION_SIZE + process number. */
#define ENDPOINT_GENERATION_SIZE (NR_TASKS + SELF + 1)

/* Process number of an endpoint. Only generation 0 is ever handed out. */
static inline int dvk_endpoint_number(int endpoint)
{
	return (endpoint + NR_TASKS) % ENDPOINT_GENERATION_SIZE - NR_TASKS;
}

/* True for an endpoint that can name a process: number in range, generation 0. */
static inline bool dvk_endpoint_valid(int endpoint)
{
	return endpoint >= -NR_TASKS && endpoint < NR_PROCS;
}

/* Index 0 .. NR_SLOTS-1 of a valid endpoint, the same in every process. */
static inline int dvk_endpoint_slot(int endpoint)
{
	return endpoint + NR_TASKS;
}

/*
 * Privileged ("system") endpoints of a DC: slot number below nr_sysprocs.
 * They may use every call; the others only sendrec, unbind, getep, wait4bind.
 */
static inline bool dvk_endpoint_is_system(int endpoint, int nr_tasks, int nr_sysprocs)
{
	return endpoint + nr_tasks < nr_sysprocs;
}

/* p_rts_flags: why a process does not run; 0 when it does. */
#define SLOT_FREE      0x1
#define SENDING	       0x4
#define RECEIVING      0x8
#define ONCOPY	       0x400
#define WAITUNBIND     0x20000
#define WAITBIND       0x40000

/* p_misc_flags */
#define MISC_GRPLEADER 0x20
#define MISC_USERMODE  0x400

#endif
