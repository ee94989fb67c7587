/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a node tells about itself, a DC and a process: the original's info
 * structures (dvs_usr.h, dc_usr.h, proc_usr.h), as dvk_getdvsinfo(),
 * dvk_getdcinfo() and dvk_getprocinfo() fill them.
 *
 * Freestanding.
 */
#ifndef DVK_INFO_H
#define DVK_INFO_H

#include "dvk_endpoint.h"

/* dvs_usr.flags */
#define DVS_USERMODE	0x4
#define DVS_INITIALIZED 0x100

typedef struct dvs_usr {
	char d_name[16];
	int d_nr_dcs; /* limits: DCs, nodes, processes, tasks, privileged slots */
	int d_nr_nodes;
	int d_nr_procs;
	int d_nr_tasks;
	int d_nr_sysprocs;
	int d_max_copybuf; /* bytes */
	int d_max_copylen; /* bytes */
	unsigned long d_dbglvl;
	int d_version;
	unsigned long d_flags; /* DVS_* */
	int d_size_proc;       /* bytes of one process descriptor */
} dvs_usr_t;

/* dc_usr.flags */
#define DC_RUNNING 0
#define DC_FREE	   2

typedef struct dc_usr {
	int dc_dcid;
	int dc_flags;	    /* DC_RUNNING or DC_FREE */
	int dc_nr_procs;    /* 1 .. NR_PROCS */
	int dc_nr_tasks;    /* 1 .. NR_TASKS */
	int dc_nr_sysprocs; /* 1 .. dc_nr_tasks + dc_nr_procs */
	int dc_nr_nodes;
	unsigned long dc_nodes; /* bit n: node n belongs to the DC */
	int dc_warn2proc;	/* endpoint, or NONE */
	int dc_warnmsg;
	int dc_pid;		 /* of the process that created the DC */
	char dc_name[MAXDCNAME]; /* "" in dvk_dc_init(): "DC<dcid>" */
	unsigned long dc_cpumask;
} dc_usr_t;

typedef struct proc_usr {
	int p_nr;
	int p_endpoint;
	int p_dcid;
	unsigned long p_rts_flags; /* SLOT_FREE, SENDING, RECEIVING ... */
	int p_lpid;		   /* pid on the host */
	int p_vpid;		   /* the same: DCs have no pid namespaces */
	int p_nodeid;
	unsigned long p_nodemap;
	unsigned long p_misc_flags; /* MISC_* */
	int p_getfrom;		    /* endpoint, ANY, or NONE */
	int p_sendto;		    /* endpoint or NONE */
	int p_waitmigr;
	int p_waitunbind;
	int p_proxy;
	unsigned long p_lclsent; /* messages sent to local endpoints */
	unsigned long p_rmtsent;
	unsigned long p_lclcopy; /* local copies requested */
	unsigned long p_rmtcopy;
	char p_name[MAXPROCNAME];
	unsigned long p_cpumask;
} proc_usr_t;

#endif
