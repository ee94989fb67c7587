/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdvk for host programs: the original's calls by their names, over dvk_client.h,
 * which says what each one does and returns. A program that was written for the original includes
 * this, links with -ldvk and is done.
 *
 * Which endpoint a call acts for: the calling thread's own, if it was bound with
 * dvk_tbind(), else the process's. Threads may share the process's endpoint: calls wait for each
 * other. A child of fork() starts unbound, with nothing open.
 *
 * The node's socket lies in $DVK_RUNTIME_DIR, else $XDG_RUNTIME_DIR/dvk, else /run/dvk
 * for root and /tmp/dvk-UID for others; a directory there must belong to root or the caller.
 */
#ifndef DVK_H
#define DVK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dvk_endpoint.h"
#include "dvk_errno.h"
#include "dvk_info.h"
#include "dvk_message.h"
#include "dvk_pin.h"

/*
 * Connects this process to its node; may be called again at will. 0 or an error
 * of dvk_client_open(). Every other call opens by itself when need be.
 */
int dvk_open(void);
/* Unbinds and disconnects the process, and the calling thread's own endpoint if it has one; 0. */
int dvk_close(void);

int dvk_dc_init(const dc_usr_t *dc);
int dvk_dc_end(int dcid);
int dvk_getdvsinfo(dvs_usr_t *dvs);
int dvk_getdcinfo(int dcid, dc_usr_t *dc);
int dvk_getprocinfo(int dcid, int p_nr, proc_usr_t *proc);

int dvk_bind_X(int type, int dcid, pid_t pid, int endpoint, int nodeid);
int dvk_unbind_T(int dcid, int endpoint, long timeout_ms);
int dvk_getep(pid_t pid);
int dvk_wait4bindep_T(int endpoint, long timeout_ms);
int dvk_wait4unbind_T(int endpoint, long timeout_ms);

int dvk_send_T(int endpoint, const message *msg, long timeout_ms);
int dvk_receive_T(int source, message *msg, long timeout_ms);
int dvk_sendrec_T(int endpoint, message *msg, long timeout_ms);
int dvk_reply_T(int endpoint, const message *msg, long timeout_ms);
int dvk_rcvrqst_T(message *msg, long timeout_ms);
int dvk_ntfy_value(int source, int endpoint, int value);
/* As dvk_client_vcopy(): of a process of another user only granted memory can be copied. */
long dvk_vcopy(int source, const void *source_address, int destination, void *destination_address, long bytes);

/* New here: memory shared by descriptor. See dvk_client_grant(), dvk_client_granted(). */
int dvk_grant(int endpoint, int fd, uint64_t offset, void *base, size_t length);
int dvk_granted(int endpoint, uint64_t address, uint64_t bytes, void **local, bool *sealed);

/*
 * New here: granted memory that stays mapped. See dvk_client_pin(), dvk_client_unpin(). For the thread that receives;
 * others use the addresses. Pins on the process's own endpoint outlast dvk_close() and a dvk_open() after it. What a
 * thread has pinned with an endpoint of its own stays mapped for good if that thread ends or calls dvk_close() before
 * it gives it back. A child of fork() has no pins, and nothing mapped.
 */
int dvk_pin(int endpoint, const struct dvk_range *ranges, int count, struct dvk_pin *pin);
void dvk_unpin(const struct dvk_pin *pin);

/* New here: tells one process on an endpoint from the next. See dvk_client_peer_incarnation(). */
int dvk_peer_incarnation(int endpoint);

/*
 * New here: whether the last dvk_receive() of this endpoint, by whichever thread, gave a notification. See
 * dvk_client_notified().
 */
bool dvk_notified(void);

/*
 * New here: makes dvk_receive(ANY) on the process's own endpoint return EDVSINTR, from any other thread or a signal
 * handler. See dvk_client_interrupt().
 */
void dvk_interrupt(void);

/*
 * New here: dvk_receive(ANY) and dvk_rcvrqst() on the process's own endpoint return EDVSREADY when fd is readable.
 * Called before anything is open, or after dvk_close(). See dvk_client_use_descriptors(). A child of fork() has to call
 * it anew.
 */
int dvk_use_descriptors(int fd);

/* New here: ns that a wait may spin before it sleeps (0: never); DVK_SPIN_DEFAULT_NS at first. */
void dvk_set_spin(int64_t max_ns);

/*
 * New here, for servers: where requests come less than awake_ns apart most of the time, the endpoint's thread waits for
 * the next one awake that long (dvk_spin.h). DVK_SPIN_DEFAULT_NS otherwise. Nothing changes where there is but one
 * processor.
 */
void dvk_stay_awake(int64_t awake_ns);

/* The calling thread on an endpoint of its own. */
int dvk_tbind(int dcid, int endpoint);

static inline int dvk_bind(int dcid, int endpoint)
{
	return dvk_bind_X(SELF_BIND, dcid, PROC_NO_PID, endpoint, LOCALNODE);
}

static inline int dvk_lclbind(int dcid, pid_t pid, int endpoint)
{
	return dvk_bind_X(LCL_BIND, dcid, pid, endpoint, LOCALNODE);
}

static inline int dvk_umbind(int dcid, pid_t pid, int endpoint)
{
	return dvk_bind_X(USERMODE_BIND, dcid, pid, endpoint, LOCALNODE);
}

static inline int dvk_unbind(int dcid, int endpoint)
{
	return dvk_unbind_T(dcid, endpoint, TIMEOUT_FOREVER);
}

static inline int dvk_wait4bind(void)
{
	return dvk_wait4bindep_T(SELF, TIMEOUT_FOREVER);
}

static inline int dvk_wait4bind_T(long timeout_ms)
{
	return dvk_wait4bindep_T(SELF, timeout_ms);
}

static inline int dvk_wait4bindep(int endpoint)
{
	return dvk_wait4bindep_T(endpoint, TIMEOUT_FOREVER);
}

static inline int dvk_wait4unbind(int endpoint)
{
	return dvk_wait4unbind_T(endpoint, TIMEOUT_FOREVER);
}

static inline int dvk_send(int endpoint, const message *msg)
{
	return dvk_send_T(endpoint, msg, TIMEOUT_FOREVER);
}

static inline int dvk_receive(int source, message *msg)
{
	return dvk_receive_T(source, msg, TIMEOUT_FOREVER);
}

static inline int dvk_sendrec(int endpoint, message *msg)
{
	return dvk_sendrec_T(endpoint, msg, TIMEOUT_FOREVER);
}

static inline int dvk_reply(int endpoint, const message *msg)
{
	return dvk_reply_T(endpoint, msg, TIMEOUT_FOREVER);
}

static inline int dvk_rcvrqst(message *msg)
{
	return dvk_rcvrqst_T(msg, TIMEOUT_FOREVER);
}

static inline int dvk_notify(int endpoint)
{
	return dvk_ntfy_value(SELF, endpoint, 0);
}

#endif
