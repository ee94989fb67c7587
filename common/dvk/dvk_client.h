/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core of libdvk: one bound endpoint as an explicit object. The original's
 * calls (dvk.h) are thin wrappers over it; the guest kernel's driver uses it
 * directly.
 *
 * A struct dvk_client is plain memory owned by the caller, zeroed and then
 * initialised by dvk_client_init(). One thread at a time may be inside a call on
 * it (the caller sees to that); different clients are independent. Nothing here
 * allocates, prints, or uses errno or thread-local state.
 *
 * Every call that takes timeout_ms: -1 waits forever, 0 does not wait (EDVSAGAIN
 * where it would have to), n gives up after n ms (EDVSTIMEDOUT). All return EDVSINTR
 * when a signal handler ran while they slept, EDVSDVSINIT when the node is gone (then
 * only dvk_client_close() is left to do), EDVSNOTBIND when the caller is
 * not bound (any more), and EDVSNOMEM when the kernel lacks memory for longer.
 *
 * A node that hangs. Messages go on between processes that know each other. A call that has to ask the
 * node (the first one to a peer, bind, grant, information ...) waits for its answer
 * DVK_NODE_ANSWER_MS at most, and 2 s at most once a signal handler ran; then it returns EDVSDVSINIT, and the node
 * counts as gone. One with a time-out of its own is over by that (EDVSTIMEDOUT), and by a signal at once (EDVSINTR),
 * and the node is not given up: whatever it answers later is known to be late. With time-out 0 it
 * gives the node 5 s, and so does one that waits for an endpoint to be bound or free beyond its time-out; one that
 * waits for that without a time-out ends by a signal only.
 *
 * Freestanding.
 */
#ifndef DVK_CLIENT_H
#define DVK_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dvk_channel.h"
#include "dvk_endpoint.h"
#include "dvk_errno.h"
#include "dvk_info.h"
#include "dvk_message.h"
#include "dvk_pin.h"
#include "dvk_spin.h"

#define DVK_GRANTS_PER_PEER 8

/* How long a node may take to answer; one that lives does at once. */
#define DVK_NODE_ANSWER_MS  30000

/* Bytes that one peer's grants may take of our address space (47 bits on x86-64) together. */
#define DVK_GRANT_BYTES_MAX (UINT64_C(1) << 38)

/* Memory that a peer shares with us, or that a process before it did. */
struct dvk_grant {
	uint64_t base;	 /* first address, in the peer's address space */
	uint64_t length; /* bytes; 0: unused entry */
	void *mapping;	 /* where it is mapped here */
	bool sealed;	 /* cannot shrink: plain loads and stores are safe */
	bool orphaned;	 /* its granter went: nothing is found here, only the pins keep it mapped */
	uint32_t pins;
};

/* What a client knows of one other endpoint; peers[] is indexed by slot. */
struct dvk_peer {
	struct dvk_channel *channel; /* NULL: not introduced */
	struct dvk_mailbox *out;     /* we send here */
	struct dvk_mailbox *in;	     /* we receive from here */
	const struct dvk_process_page *page;
	int endpoint;
	int pid;
	bool same_user;		/* as ours, when both connected to the node */
	uint32_t incarnation;	/* counts the processes that we knew on this slot */
	_Atomic uint32_t known; /* 1 + incarnation while it is introduced, else 0; relaxed: it carries nothing else */
	int gone_code;		/* why the last of them went */
	uint32_t send_sequence; /* ours alone: what a peer writes is compared, never believed */
	uint32_t want_sequence;
	uint32_t want_state;	   /* DVK_WANT_WAITING or LISTENING, of our last wait */
	uint32_t request_sequence; /* of the want of the peer's last request that we took */
	bool notifies;		   /* a system endpoint: its notifications count */
	int ring_fd;		   /* written to when it sleeps in epoll; -1: it never does */
	int bell_fd;		   /* in our wait_fd; -1: we never do */
	struct dvk_grant grants[DVK_GRANTS_PER_PEER];
};

struct dvk_client {
	int node_fd; /* control socket, -1: not open */
	int nodeid;
	int dcid;
	int endpoint; /* NONE: not bound */
	int nr_tasks; /* of the DC */
	int nr_sysprocs;
	bool node_lost;		       /* the control socket failed or was closed */
	int unbound_code;	       /* why the endpoint was taken away, 0: it was not */
	uint32_t serial;	       /* of the last request to the node */
	uint32_t bell_seen;	       /* page->bell when the socket was last drained */
	struct dvk_spin spin;	       /* how long the next wait may spin */
	struct dvk_process_page *page; /* own page, NULL: not bound */
	int outstanding;	       /* sendrec begun and not finished: the peer, else NONE */
	uint32_t outstanding_incarnation;
	uint32_t waits;	   /* counts waits, for a look at the node now and then */
	int64_t node_seen; /* when a wait last had one, CLOCK_MONOTONIC in ns */
	unsigned int naps; /* failures in a row to sleep, for want of memory */
	bool notified;	   /* the last receive gave a notification */
	/* rung by dvk_client_interrupt(), any thread; and what of it receive(ANY) has seen */
	_Atomic uint32_t interrupt_bell;
	uint32_t interrupt_seen;
	/* sleeping in epoll: dvk_client_use_descriptors(); -1: not used */
	int wait_fd;		 /* epoll: all bells, the control socket, interrupt_fd, own_fd */
	int interrupt_fd;	 /* eventfd, written to by dvk_client_interrupt() */
	int own_fd;		 /* the caller's, lent */
	_Atomic uint32_t asleep; /* as in the page, for whoever interrupts */
	bool own_ready;		 /* own_fd was found readable, in this call */
	unsigned int looks;	 /* counts, for one at own_fd now and then */
	unsigned int since_own;	 /* messages received since the last look at own_fd */
	int rescued_slot;	 /* peer that replied and went before we saw it, or -1 */
	message rescued_reply;
	int active[NR_SLOTS]; /* slots of introduced peers */
	int nr_active;
	int next; /* where receive(ANY) looks first: fairness */
	/* notifications of peers that are gone, to be delivered yet */
	int gone_notify[NR_SLOTS];
	int32_t gone_notify_value[NR_SLOTS];
	int nr_gone_notify;
	struct dvk_peer peers[NR_SLOTS];
};

/* Spinning budget for servers and clients that ask for nothing else: facts, 200 us. */
#define DVK_SPIN_DEFAULT_NS 200000

/*
 * Number of the process on a peer's endpoint, >= 0: it differs from those of the
 * processes that were bound there before, also of the same pid. EDVSNOTBIND when we were not introduced.
 */
int dvk_client_peer_incarnation(const struct dvk_client *client, int endpoint);

/* Sets up a zeroed or closed client; opens nothing. */
void dvk_client_init(struct dvk_client *client);

/*
 * For a server that has descriptors of its own to wait for (sockets, timers): receive(ANY) and rcvrqst() then return
 * EDVSREADY when `fd` is readable (or broken) and no message is there; and at the latest before the 17th message in a
 * row, so that neither keeps the other from being served. Several descriptors are put into one epoll instance, which is
 * `fd`; -1: there are none, but more than 127 peers, which are all waited for at once so. What fd has is the caller's
 * to take; while it is readable each wait is over at once.
 *
 * Waiting spins as otherwise, and looks at fd meanwhile. The sleep is in epoll, on a descriptor for each peer:
 * RLIMIT_NOFILE must allow for that (a peer for which there is none costs the connection to the node, as ever). Waits
 * for one peer (send, sendrec, receive from one) do not look at fd, and sleep as otherwise.
 *
 * Called while the client is closed, after dvk_client_init(); it may be called again for another fd. It lasts, as does
 * the loan of fd, through close and open until dvk_client_use_futexes(). 0; EDVSPROCSTS (not closed), EDVSINVAL (fd
 * cannot be waited for), EDVSMFILE, EDVSNOMEM. dvk_client_open() then returns EDVSPERM for who is neither root nor of
 * the node's own user.
 */
int dvk_client_use_descriptors(struct dvk_client *client, int fd);

/*
 * Ends that, on a closed client; of no effect on others. Nobody may be inside dvk_client_interrupt(). 0 or EDVSPROCSTS.
 */
int dvk_client_use_futexes(struct dvk_client *client);

/*
 * Connects to the node whose socket is `path` and says hello. 0; EDVSDVSINIT
 * when none listens there, or none that answers; EDVSACCES when the node refuses this user; EDVSINTR when a signal
 * handler ran while the node did not accept; EDVSNAMETOOLONG, EDVSMFILE, EDVSNOMEM. A process that was bound by another
 * (LCL_BIND) before it connected is bound after this.
 */
int dvk_client_open(struct dvk_client *client, const char *path);

/* Unbinds and disconnects; never fails; the object may be opened again. What is pinned stays mapped. */
void dvk_client_close(struct dvk_client *client);

/*
 * For a child of fork(), instead of close: lets go of what it has of its parent's, in whatever call another thread of
 * the parent was. The node does not notice.
 */
void dvk_client_forget(struct dvk_client *client);

/*
 * Binds the caller (SELF_BIND, USERMODE_BIND; pid is ignored) or process `pid`
 * (LCL_BIND). endpoint ANY: the first free user endpoint. Returns the endpoint (which may
 * be negative: errors are all < EDVSERRCODE). EDVSSLOTUSED also when the caller is
 * bound already. Other errors: EDVSALLOCMEM, EDVSBADDCID, EDVSDCNOTRUN, EDVSENDPOINT, EDVSSLOTUSED,
 * EDVSBADPID, EDVSBINDTYPE, EDVSPRIVILEGES, EDVSRSCBUSY (ANY and none free), EDVSDVSINIT.
 */
int dvk_client_bind(struct dvk_client *client, int type, int dcid, int pid, int endpoint);

/*
 * Frees an endpoint. The caller's own: at once. Another's: its process gets SIGTERM
 * and the call waits until the endpoint is free. 0; EDVSNOTBIND, EDVSTIMEDOUT,
 * EDVSBADDCID, EDVSDCNOTRUN, EDVSENDPOINT, EDVSPERM.
 */
int dvk_client_unbind(struct dvk_client *client, int dcid, int endpoint, int timeout_ms);

/* Endpoint bound to a pid (or thread id), or < EDVSERRCODE: EDVSNOTBIND, EDVSBADPID. */
int dvk_client_getep(struct dvk_client *client, int pid);

/*
 * Waits until `endpoint` of the caller's DC is bound (SELF: until the caller is,
 * by another process) and returns it, or an error. As in the original EDVSTIMEDOUT,
 * EDVSAGAIN and EDVSINTR are > EDVSERRCODE: who waits for a task's endpoint compares the result with it.
 */
int dvk_client_wait_bind(struct dvk_client *client, int endpoint, int timeout_ms);
/* Waits until `endpoint` of the caller's DC is free. 0 or an error. */
int dvk_client_wait_unbind(struct dvk_client *client, int endpoint, int timeout_ms);

/*
 * Rendezvous: returns 0 when `endpoint` has taken the message. EDVSENDPOINT (self,
 * ANY, NONE, SELF, or out of range), EDVSNOTBIND (nobody is bound there),
 * EDVSDSTDIED (it died meanwhile), EDVSTRAPDENIED (two user endpoints), EDVSBADCALL
 * (a user endpoint may only sendrec), EDVSAGAIN, EDVSTIMEDOUT.
 */
int dvk_client_send(struct dvk_client *client, int endpoint, const message *msg, int timeout_ms);

/*
 * Takes a message from `source`, or from ANY: pending notifications first, then
 * senders in fair order. m_source is filled in. EDVSSRCDIED when `source` dies
 * while we wait, EDVSNOTBIND when it is not bound; ANY: EDVSREADY, see dvk_client_use_descriptors().
 */
int dvk_client_receive(struct dvk_client *client, int source, message *msg, int timeout_ms);

/*
 * True when what the last receive() or rcvrqst() returned was a notification. Its type does not tell: any sender can
 * give a message the type NOTIFY_FROM(itself), and one who did so by sendrec waits for the answer.
 */
bool dvk_client_notified(const struct dvk_client *client);

/*
 * Makes a receive(ANY) or rcvrqst of the client's owner return EDVSINTR: the one that waits, else the next one that
 * finds no message. Any thread, also a signal handler, and whatever state the client is in; several before that count
 * as one.
 */
void dvk_client_interrupt(struct dvk_client *client);

/* receive(ANY) without notifications; system endpoints only (EDVSTRAPDENIED). */
int dvk_client_rcvrqst(struct dvk_client *client, message *msg, int timeout_ms);

/*
 * Sends *msg and waits for the answer of the same endpoint, in *msg. EDVSDEADSRCDST
 * when the partner dies in either half; the rest as send. timeout_ms is for both halves
 * together.
 */
int dvk_client_sendrec(struct dvk_client *client, int endpoint, message *msg, int timeout_ms);

/*
 * sendrec in two steps, for a caller that must not sleep and hands the wait on:
 * begin posts the message and returns 0 (or an error as sendrec, nothing posted);
 * finish waits for the answer: 0, or an error as sendrec after which nothing is outstanding,
 * or EDVSAGAIN (timeout_ms 0 and no answer yet) or EDVSINTR, after which it is called again,
 * also by another thread once the first has stopped. With timeout_ms 0 finish spins up to
 * spin_ns (0: it looks once) or, where others want the processor (dvk_spin.h), sleeps up to 200 us; else spin_ns is not
 * used, and a time-out withdraws the message.
 * While a sendrec is outstanding no other call on the client is allowed.
 */
int dvk_client_sendrec_begin(struct dvk_client *client, int endpoint, const message *msg);
int dvk_client_sendrec_finish(struct dvk_client *client, message *msg, int64_t spin_ns, int timeout_ms);

/*
 * Gives up what begin posted, without waiting: EDVSTIMEDOUT, and whoever took it cannot answer any more; or 0 when the
 * answer had come, in *msg; or an error as sendrec. Nothing is outstanding afterwards.
 */
int dvk_client_sendrec_cancel(struct dvk_client *client, message *msg);

/*
 * begin for a caller that must not talk to the node, and means one process and not its successor: EDVSNOTBIND unless
 * the peer there was introduced before and has that incarnation. Never waits.
 */
int dvk_client_sendrec_begin_known(struct dvk_client *client, int endpoint, uint32_t incarnation, const message *msg);

/*
 * Answers a process that is blocked receiving from the caller specifically (second
 * half of sendrec, or receive(caller)). Never blocks. EDVSPROCSTS when it is not so blocked
 * (any more), EDVSNOTBIND, EDVSDSTDIED, EDVSENDPOINT.
 */
int dvk_client_reply(struct dvk_client *client, int endpoint, const message *msg);

/*
 * Leaves a notification for a system endpoint (else EDVSTRAPDENIED). Never blocks.
 * EDVSOVERRUN when one of the caller's is pending there already.
 */
int dvk_client_notify(struct dvk_client *client, int endpoint, int value);

/*
 * Copies bytes (0 .. MAXCOPYLEN, else EDVSRANGE) between two processes; the caller,
 * a system endpoint (else EDVSTRAPDENIED), may be source, destination or a third
 * party. Every party but the caller must be blocked receiving (else EDVSPROCSTS). Granted
 * memory is used in place; what a party of the caller's own user has not granted is reached by process_vm_readv/writev.
 * That is not done to another user's: it could map a file of a file system of its own, which then decides when the
 * copy ends. The users are those of when each party connected to the node. Returns bytes; EDVSENDPOINT (source equals
 * destination, ANY, NONE), EDVSFAULT (bad address), EDVSPERM (memory of another user that is not granted; or the host
 * forbids it), EDVSNOTBIND.
 */
long dvk_client_vcopy(struct dvk_client *client, int source, const void *source_address, int destination,
		      void *destination_address, long bytes);

/*
 * Shares [base, base + length) of the caller's memory, which is `fd` mapped from
 * `offset`, with one peer, for reading and writing until either end is unbound. A peer of another user can copy only
 * what is shared so.
 * The caller keeps fd. base, length and offset are page-aligned. At most
 * DVK_GRANTS_PER_PEER, and DVK_GRANT_BYTES_MAX in all, to a peer; the receiver ignores what is above that or cannot be
 * mapped. EDVSNOTBIND, EDVSENDPOINT, EDVSNOMEM; EDVSINVAL, also for a descriptor that is neither a memfd, nor a
 * file on tmpfs, nor a regular file on a disk's file system of this host (network file systems and those in user space
 * are none): the node does not pass on what its receiver could not close without waiting; nor for a memfd of huge
 * pages, of which a page may be missing even if it is sealed.
 */
int dvk_client_grant(struct dvk_client *client, int endpoint, int fd, uint64_t offset, void *base, size_t length);

/*
 * Where [address, address + bytes) of a peer is mapped here, if one grant of it
 * covers that and the peer is blocked receiving (the rule of vcopy): 0 and *local. *sealed tells whether plain
 * loads and stores are safe; without it the memory can vanish: pass it to system
 * calls only (they return EFAULT). Takes no events, so several results are valid together: until the caller's
 * next other call. A peer that gives its request up meanwhile (time-out, signal) may see its memory
 * written after that. EDVSFAULT: not granted; EDVSPROCSTS; EDVSNOTBIND (also: not introduced).
 */
int dvk_client_granted(struct dvk_client *client, int endpoint, uint64_t address, uint64_t bytes, void **local,
		       bool *sealed);

/*
 * Where ranges[0 .. count-1] of a peer's memory are mapped here, for use beyond the next call and by other threads: 0
 * and *pin if they all lie in one grant of it and the peer is blocked receiving. The mapping then stays where it is,
 * whatever becomes of the peer, the binding, the node or the connection to it (dvk_client_close()), until as many calls
 * of dvk_client_unpin() have been made. It stays the memory of the process that granted it, never a successor's, and
 * that one can truncate it: pass it to system calls only, unless it is sealed. A peer that gives its request
 * up, or is told that it is done, sees its memory written as long as it is.
 *
 * Mappings that outlive their granter count among the grants of whoever is bound to its endpoint next
 * (DVK_GRANTS_PER_PEER, DVK_GRANT_BYTES_MAX): so one who grants, dies and comes again takes no more of our address
 * space than one who stays. Takes no events. EDVSFAULT: not granted, or spread over several grants; EDVSINVAL: count <
 * 1; EDVSPROCSTS; EDVSNOTBIND (also: not introduced).
 */
int dvk_client_pin(struct dvk_client *client, int endpoint, const struct dvk_range *ranges, int count,
		   struct dvk_pin *pin);

/*
 * Gives one pin back, on the client that gave it, in whatever state that is (closed, opened again). The last one of a
 * granter that went unmaps its memory. The client's own memory must not go before all its pins have been given back;
 * after dvk_client_forget() there are none.
 */
void dvk_client_unpin(struct dvk_client *client, const struct dvk_pin *pin);

/* Node, DC and process information; *dvs etc. are filled. 0 (dvs: node number) or an error. */
int dvk_client_dvs_info(struct dvk_client *client, dvs_usr_t *dvs);
int dvk_client_dc_info(struct dvk_client *client, int dcid, dc_usr_t *dc);
int dvk_client_proc_info(struct dvk_client *client, int dcid, int p_nr, proc_usr_t *proc);
/* Starts and ends a DC. init: node number, EDVSDCRUN, EDVSBADDCID, EDVSBADRANGE, EDVSNAMESIZE. */
int dvk_client_dc_init(struct dvk_client *client, const dc_usr_t *dc);
int dvk_client_dc_end(struct dvk_client *client, int dcid);

#endif
