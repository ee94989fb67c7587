/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the node library share among themselves; not installed. All of it
 * runs in the one thread that serves a struct dvk_node.
 *
 * Objects and their owners:
 *   client   a process known to the node: a connection, or a process that another one bound
 *            (LCL_BIND) and that has not connected yet (fd -1). On the list `clients` until it is
 *            gone; then its descriptors are closed, and the memory lasts until the events that
 *            epoll reported together with its end are through (list `departed`). Between the
 *            two it is on the list `lingering` while descriptors that it sent are still being closed.
 *   DC       a table of bindings, one a slot.
 *   binding  an endpoint in use; belongs to exactly one client, which has at most this one.
 *   page     what a bound process and the node share; counted, because a packet that waits
 *            in a queue still has to ring it.
 */
#ifndef NODE_INTERNAL_H
#define NODE_INTERNAL_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "dvk_channel.h"
#include "dvk_client.h"
#include "dvk_endpoint.h"
#include "dvk_errno.h"
#include "dvk_info.h"
#include "dvk_node.h"
#include "dvk_wire.h"

/*
 * Packets that may wait for one client that does not read; above that it is cut off, which nobody can bring about: of
 * each peer at most the news of its end, its next introduction and its grants wait (an end takes an introduction and
 * grants that were not sent yet back), and while anything waits the client is not listened to: no answers come to it.
 */
#define NODE_QUEUE_MAX	      (NR_SLOTS * (2 + DVK_GRANTS_PER_PEER) + 64)

/* Connections that the kernel keeps until they are accepted, and those accepted in one go. */
#define NODE_BACKLOG	      256
#define NODE_ACCEPT_BATCH     16

/* Clients of users other than root and the node's own (--group) at one time. */
#define NODE_GUESTS_MAX	      512

/* Those of one user, so that he leaves room for others. */
#define NODE_GUESTS_PER_USER  128

/* Bytes in the socket of one that he has not read (the kernel takes double): each answer may hold a page's memory. */
#define NODE_GUEST_ROOM	      16384

/* Files of the runtime directory, beside the socket. */
#define NODE_LOCK	      "node.lock"
#define NODE_LOG	      "node.log"

/* How long (s) a node may take to answer before that counts as broken. */
#define NODE_ANSWER_TIMEOUT_S 10

/* What a call handler returns when the answer comes later, or never. No EDVS code. */
#define NODE_NO_ANSWER	      INT_MIN

struct node_client;
struct sockaddr_un;

enum node_watch_kind {
	NODE_WATCH_LISTEN,
	NODE_WATCH_SIGNAL,
	NODE_WATCH_STARTER,
	NODE_WATCH_NAME,
	NODE_WATCH_FILES,
	NODE_WATCH_DEATHS,
	NODE_WATCH_SOCKET,
};

/* What epoll hands back for a descriptor. */
struct node_watch {
	enum node_watch_kind kind;
	struct node_client *client; /* SOCKET */
};

struct node_page {
	unsigned int references;
	struct dvk_process_page *shared;
	int owner_fd; /* for the bound process; -1 once it has it */
	int read_fd;  /* read-only, for its peers */
};

/* A datagram that could not be sent yet. */
struct node_packet {
	STAILQ_ENTRY(node_packet) link;
	struct dvk_node_packet wire;
	int fds[DVK_WIRE_MAX_FDS]; /* own descriptors */
	int nr_fds;
	struct node_page *page; /* rung after sending; NULL: an answer */
};

STAILQ_HEAD(node_queue, node_packet);

enum node_wait_kind {
	NODE_WAIT_NONE,
	NODE_WAIT_SELF_BOUND, /* until the client itself is bound */
	NODE_WAIT_BOUND,      /* until an endpoint of the client's DC is */
	NODE_WAIT_FREE,	      /* until an endpoint of the client's DC is free */
	NODE_WAIT_UNBIND,     /* until an endpoint that the client unbinds is free */
};

/* The one call of a client that is to be answered later. */
struct node_wait {
	enum node_wait_kind kind;
	uint32_t serial;
	int dcid;
	int endpoint;
	int64_t deadline; /* CLOCK_MONOTONIC ns; INT64_MAX: never */
};

enum node_access {
	NODE_ACCESS_REFUSED,
	NODE_ACCESS_GROUP, /* user endpoints only */
	NODE_ACCESS_FULL,
};

struct node_client {
	TAILQ_ENTRY(node_client) link; /* clients, lingering or departed */
	TAILQ_ENTRY(node_client) waiting_link;
	STAILQ_ENTRY(node_client) doomed_link;
	int fd;
	int pidfd;
	struct node_watch watch;
	pid_t pid; /* process */
	pid_t tid; /* thread that said hello; pid until then */
	uid_t uid; /* effective, when it connected; until then, when it was bound */
	enum node_access access;
	bool greeted;	  /* HELLO was answered with 0 */
	bool descriptors; /* it sleeps in epoll, and gets bells; see dvk_wire.h */
	bool guest;	  /* counted in nr_guests */
	bool asks;	  /* whether there is a node; is not served, see node_abstract.c */
	bool doomed;	  /* to be dropped once the present event is handled */
	bool stalled;	  /* the queue waits for memory, not for the client */
	uint32_t watched; /* what epoll_fd reports of fd */
	int dcid;
	int endpoint; /* NONE: not bound */
	struct node_wait wait;
	struct node_queue queue;
	unsigned int queued;
	pid_t helper;	 /* 0: none; see node_descriptors.c */
	int leftover_fd; /* the socket of one who is gone, to be closed by a helper; -1: none */
	bool postponed;	 /* no helper could be started to take what it has sent */
};

TAILQ_HEAD(node_client_list, node_client);
STAILQ_HEAD(node_doomed_list, node_client);

struct node_binding {
	struct node_client *client; /* NULL: free */
	struct node_page *page;
	int type;			    /* enum dvk_bind_type */
	uint64_t introduced[NR_SLOTS / 64]; /* slots of peers; symmetric */
	uint8_t granted[NR_SLOTS];	    /* grants made to each peer */
	char name[MAXPROCNAME];
};

struct node_dc {
	dc_usr_t usr;
	struct node_binding bindings[NR_SLOTS];
};

/* Log lines that one kind of clients causes. */
struct node_log_source {
	int64_t paid_off; /* CLOCK_MONOTONIC ns: when as many may be written at once as at first */
	unsigned long left_out;
};

/* The runtime directory, and what says who is its node. */
struct node_runtime {
	int directory_fd;
	int start_fd; /* -1: not starting or ending a node */
	int lock_fd;  /* -1: not (yet) the node */
	int name_fd;  /* listens at the name in the kernel; -1: the same, or another user has it */
	dev_t socket_device;
	ino_t socket_inode;  /* of the socket that clients connect to; 0: none */
	char path[PATH_MAX]; /* from the root, and of no link but its last part */
};

struct dvk_node {
	int nodeid;
	char name[MAXNODENAME];
	uid_t uid;
	gid_t gid;
	gid_t group; /* (gid_t)-1: none */
	struct node_runtime runtime;
	int epoll_fd;
	int deaths_fd; /* epoll over what tells of clients' ends alone; see node_take_deaths() */
	int listen_fd;
	int spare_fd; /* given up for the last client when descriptors run out */
	int signal_fd;
	int starter_fd; /* embedded: broken when the starter needs no waiting for any more; -1: so it is */
	bool embedded;	/* ends after its last client */
	bool ending;
	int files_fd; /* inotify of the runtime directory; -1: it is looked at now and then only */
	int files_wd;
	char place_cause[DVK_NODE_CAUSE_SIZE]; /* why clients do not find this node; "": they do */
	struct node_watch listen_watch, signal_watch, starter_watch, deaths_watch, name_watch, files_watch;
	sigset_t old_signals;
	struct sigaction old_child;
	bool signals_blocked;
	int64_t accept_again; /* ns; INT64_MAX: accepting now */
	int64_t end_again;    /* ns; INT64_MAX: no try to end pending */
	int64_t retry_again;  /* ns; INT64_MAX: nothing failed for want of memory */
	int64_t look_again;   /* ns; at the runtime directory */
	int64_t answer_again; /* ns; INT64_MAX: answering who asks for the node now */
	unsigned int nr_guests;
	struct node_log_source log_own, log_others;
	struct node_client_list clients, lingering, departed, waiting;
	struct node_doomed_list doomed;
	struct node_dc *dcs[NR_DCS]; /* NULL: not running */
};

/* An answer, or an event, under construction, with its descriptors: lent, or to be closed when it was sent. */
struct node_answer {
	struct dvk_node_packet packet;
	int fds[DVK_WIRE_MAX_FDS];
	bool owned[DVK_WIRE_MAX_FDS];
	int nr_fds;
};

/* ---- node_log.c ---- */

/* One line "dvkd: LEVEL: ..." on stderr. */
void node_log(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * The same for what clients can bring about at will, which must not fill a disk: some lines at once, then one now and
 * then. What is left out is counted. Clients of other users than root and the node's have an account of their own.
 */
void node_log_client(struct dvk_node *node, bool other_user, const char *level, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Tells how many lines were left out, if it may be by now. */
void node_log_left_out(struct dvk_node *node, int64_t now);
/* When there is that to tell; INT64_MAX: nothing. */
int64_t node_log_next(const struct dvk_node *node);
/* Tells it at the node's end. */
void node_log_end(struct dvk_node *node);
/* CLOCK_MONOTONIC in ns. */
int64_t node_now(void);
/* Writes a cause (see dvk_node_create()) and returns code. */
int node_fail(char *cause, size_t size, int code, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* EDVS code of an errno value. */
int node_error_of(int error);
/* Closes *fd if it is open; -1 afterwards. */
void node_close(int *fd);

/* ---- node_process.c: what /proc and the socket tell about a process ---- */

/* Rights of whoever connected fd. */
enum node_access node_access_of(const struct dvk_node *node, int fd, uid_t uid, gid_t gid);
bool node_process_has_thread(pid_t pid, pid_t tid);
/* Process that a process or thread id belongs to; -1: there is none. */
pid_t node_process_of(pid_t id);
/* Effective user of a process or thread: 0 and *uid, or -1. */
int node_process_user(pid_t id, uid_t *uid);
/* The name that `ps` shows, unprintable bytes replaced; "?" if it cannot be read. */
void node_process_name(pid_t pid, pid_t tid, char name[MAXPROCNAME]);
/* Descriptor that becomes readable when the process ends, or -errno. */
int node_process_watch(pid_t pid);

/* ---- node_page.c ---- */

/* A sealed memfd of DVK_PAGE_SIZE that other users cannot open anew; descriptor or an EDVS code. */
int node_memory_create(const char *name);
/* A page with one reference, or NULL and *error. */
struct node_page *node_page_create(int *error);
void node_page_release(struct node_page *page);
void node_page_ring(struct node_page *page);

/* ---- node_descriptors.c ---- */

/*
 * Takes the next datagram of a client's socket, which has descriptors: a harmless one, the caller's now; a code to
 * answer with, if it is not one or not harmless; or NODE_NO_ANSWER, when it is still there, or the client is doomed.
 */
int node_descriptor_take(struct dvk_node *node, struct node_client *client);
/* Has client->leftover_fd closed by a helper, unless one is running; if none can be started now, tries again later. */
void node_leftover_close(struct dvk_node *node, struct node_client *client);
/* True when the client's helper has ended: once. */
bool node_helper_ended(struct node_client *client);

/* ---- node_clients.c ---- */

void node_accept(struct dvk_node *node);
/* After a pause for want of descriptors. */
void node_accept_anew(struct dvk_node *node);
/*
 * Takes a connection to the node's name in the kernel: one to be answered and doomed before any event. NULL and errno:
 * EAGAIN when there is none.
 */
struct node_client *node_accept_question(struct dvk_node *node);
/* Known by pid alone. NULL and *error: EDVSBADPID, EDVSALLOCMEM. */
struct node_client *node_client_detached(struct dvk_node *node, pid_t id, int *error);
/*
 * Gives a detached client's binding to its connection; the former is doomed. If the two are of different users, or
 * the latter needs bells, the binding's peers are parted from it first.
 */
void node_client_attach(struct dvk_node *node, struct node_client *detached, struct node_client *client);
/* After that, and after the answer to HELLO: sends what was kept for it. */
void node_client_inherit(struct dvk_node *node, struct node_client *detached, struct node_client *client);
/*
 * Drops every client whose end can be known by now. epoll does not report events in the order
 * in which they happened; a process that saw another one end (waitpid) must find its endpoint
 * free when it asks next. So this comes before each request is read: a request that epoll reported was sent
 * before, and what its sender saw end had ended before that.
 */
void node_take_deaths(struct dvk_node *node);
/* Ends a client after the present event. why: for the log, or NULL. */
void node_client_doom(struct dvk_node *node, struct node_client *client, const char *why);
/* That moment. */
void node_clients_retry(struct dvk_node *node);
/* Looks which helpers have ended. */
void node_helpers_reap(struct dvk_node *node);
/* Drops the doomed, and those that become so by that. */
void node_clients_reap(struct dvk_node *node);
/* Frees the memory of the departed. */
void node_clients_forget(struct dvk_node *node);
/* At the node's end: everybody at once, without further events. */
void node_clients_close_all(struct dvk_node *node);

/* ---- node_send.c ---- */

/* Sends or queues; the descriptors are lent. page: rung when it was sent, or NULL. Cannot fail: who cannot take it is
 * cut off. */
void node_client_send(struct dvk_node *node, struct node_client *client, const struct dvk_node_packet *packet,
		      const int *fds, int nr_fds, struct node_page *page);
/*
 * Takes an introduction to that peer, and its grants, out of the queue. False: there is no introduction, that
 * is, the client knows the peer.
 */
bool node_client_unsend_peer(struct node_client *client, int endpoint);
void node_client_writable(struct dvk_node *node, struct node_client *client);
/* Drops all that waits to be sent. */
void node_queue_clear(struct node_client *client);
/* True while a client may not be listened to for what it has sent. */
bool node_client_paused(const struct node_client *client);
/* Listens to a client, or waits until it can be sent to, or neither: as its state is now. */
void node_client_watch(struct dvk_node *node, struct node_client *client);
/* What failed for want of memory or processes is tried once more after a while. */
void node_try_again(struct dvk_node *node);

/* ---- node_receive.c ---- */

/* Takes one request, or notices the end. False: there is none now, or none may be taken. */
bool node_client_read(struct dvk_node *node, struct node_client *client);
/* Ends a connection in both directions; true when no descriptors are left in the socket. */
bool node_socket_empty(int fd);

/* ---- node_calls.c ---- */

/* Handles one well-formed request; fd: the descriptor that came with it, lent; -1: none; or what is wrong with it. */
void node_dispatch(struct dvk_node *node, struct node_client *client, const struct dvk_node_request *request, int fd);
/* Answers a call that was left open. */
void node_answer_late(struct dvk_node *node, struct node_client *client, uint32_t serial, int result, int endpoint);
/* Adds a descriptor; owned: it is closed by node_answer_close(). */
void node_answer_add(struct node_answer *answer, int fd, bool owned);
void node_answer_close(struct node_answer *answer);
/* An event's first fields. */
struct dvk_node_packet node_event(const struct dvk_node *node, enum dvk_packet_kind kind, int result);

/* ---- node_tables.c ---- */

/* The DC, or NULL and *error: EDVSBADDCID, EDVSDCNOTRUN. */
struct node_dc *node_dc_find(const struct dvk_node *node, int dcid, int *error);
/* True for a process number within the DC's own limits. */
bool node_dc_has(const struct node_dc *dc, int endpoint);
bool node_dc_is_system(const struct node_dc *dc, int endpoint);
/* Binding of a valid endpoint, in use or not. */
struct node_binding *node_binding_at(struct node_dc *dc, int endpoint);
/* A bound client's DC and binding. */
struct node_dc *node_client_dc(const struct dvk_node *node, const struct node_client *client);
struct node_binding *node_client_binding(const struct dvk_node *node, const struct node_client *client);
/* Numbers of a binding, for BIND, HELLO and EVENT_BOUND. */
void node_binding_describe(const struct dvk_node *node, const struct node_client *client,
			   struct dvk_node_packet *packet);
int node_dc_init(struct dvk_node *node, const struct node_client *client, const dc_usr_t *wanted);
int node_dc_end(struct dvk_node *node, int dcid);
/* BIND in all its kinds: endpoint or error; *bound gets the client that is bound now. */
int node_bind(struct dvk_node *node, struct node_client *client, const struct dvk_node_request *request,
	      struct node_client **bound);
/*
 * Frees a client's endpoint. told: sent to the peers; own: sent to the client itself as
 * EVENT_UNBOUND, 0: not at all.
 */
void node_unbind(struct dvk_node *node, struct node_client *client, int told, int own);
/* Client bound by this process or thread id. EDVSBADPID, EDVSNOTBIND, or 0. */
int node_find_bound(const struct dvk_node *node, pid_t id, int *endpoint);
void node_fill_dvs(const struct dvk_node *node, dvs_usr_t *dvs);
void node_fill_proc(const struct dvk_node *node, struct node_dc *dc, int endpoint, proc_usr_t *proc);

/* ---- node_bells.c ---- */

/*
 * Makes a bell: *ring for who rings it, *own for who sleeps on it, both the caller's. 0 or an error.
 */
int node_bell_create(int *ring, int *own);

/* ---- node_introduce.c ---- */

int node_connect(struct dvk_node *node, struct node_client *client, const struct dvk_node_request *request,
		 struct node_answer *answer);
int node_grant(struct dvk_node *node, struct node_client *client, const struct dvk_node_request *request, int fd);
/* Tells all introduced peers that the binding ends, and forgets the introductions. */
void node_part_from_peers(struct dvk_node *node, struct node_dc *dc, int endpoint, int result);

/* ---- node_wait.c ---- */

/* NODE_NO_ANSWER, or EDVSAGAIN, EDVSINVAL at once. */
int node_wait_begin(struct dvk_node *node, struct node_client *client, enum node_wait_kind kind, int dcid, int endpoint,
		    const struct dvk_node_request *request);
/* Gives a client's wait up without an answer. */
void node_wait_drop(struct dvk_node *node, struct node_client *client);
void node_wait_bound(struct dvk_node *node, const struct node_client *bound);
/* An endpoint became free; loser: who had it. */
void node_wait_freed(struct dvk_node *node, int dcid, int endpoint, const struct node_client *loser);
void node_wait_expire(struct dvk_node *node, int64_t now);
/* Earliest deadline, INT64_MAX: none. */
int64_t node_wait_next(const struct dvk_node *node);

/* ---- node_runtime.c ---- */

/* Finds the runtime directory's path and opens it, made if it is missing. */
int node_runtime_open(struct node_runtime *runtime, char *cause, size_t size);
/* The latter: descriptor or a code. */
int node_runtime_directory(const char *path, char *cause, size_t size);
/* True when fd is the file that has this name in the directory now. */
bool node_runtime_names(const struct node_runtime *runtime, const char *name, int fd);
/*
 * Takes or gives back the lock under which nodes start and end; who has it has it once. wait: else EDVSBUSY. Other
 * codes, EDVSACCES among them: it cannot be had, now or at all.
 */
int node_runtime_enter(struct node_runtime *runtime, bool wait, char *cause, size_t size);
void node_runtime_leave(struct node_runtime *runtime);
/* Takes node.lock, also in place of one that is held and was removed. wait: else EDVSBUSY. */
int node_runtime_lock(struct node_runtime *runtime, bool wait, char *cause, size_t size);
/*
 * Becomes the node: has its name, holds node.lock, and nobody listens at the socket. wait: for a node that is about to
 * end. EDVSBUSY; EDVSTIMEDOUT: one lives that does not answer.
 */
int node_runtime_claim(struct node_runtime *runtime, bool wait, char *cause, size_t size);
/* Ends being the node, and gives back the other lock, too. */
void node_runtime_close(struct node_runtime *runtime);
/* Opens the log for appending, made if it is missing: descriptor, or -1 and errno. */
int node_runtime_open_log(const struct node_runtime *runtime);
/* For a node that ends: leaves the log to those who clean up. */
void node_runtime_release_log(int fd);

/* ---- node_socket.c ---- */

/* Makes the listening socket; a stale one is replaced. Descriptor or error. */
int node_socket_listen(struct node_runtime *runtime, gid_t group, char *cause, size_t size);
/* True while that one has its name. */
bool node_socket_is_ours(const struct node_runtime *runtime);
/* Takes its name away if it has it. */
void node_socket_unlink(struct node_runtime *runtime);
/* For who starts a node: 0 when none listens there; EDVSBUSY, or as node_ask(). */
int node_socket_ask(const struct node_runtime *runtime, char *cause, size_t size);
/* For a running node, without waiting: 0 when nobody listens there, EDVSBUSY, or a code. */
int node_socket_look(const struct node_runtime *runtime, char *cause, size_t size);

/* ---- node_ask.c ---- */

/*
 * Asks whether a node answers at this address: 0 and *connection, on which nothing was said of who asks; EDVSDVSINIT
 * when none listens; EDVSTIMEDOUT when one does and does not answer; or another code. Waits.
 */
int node_ask(const struct sockaddr_un *address, int *connection, char *cause, size_t size);

/* ---- node_abstract.c ---- */

/*
 * Takes the name for the one who is about to be the node: 0, also if another user has it; else as node_abstract_ask(),
 * EDVSBUSY for 0 there.
 */
int node_abstract_take(struct node_runtime *runtime, char *cause, size_t size);
/*
 * Asks whether a node has the name. 0: one does, and it has looked that clients find it; EDVSDVSINIT: none;
 * EDVSACCES: another user has it, or that cannot be told; other codes, with cause: one does, and why it cannot be
 * reached, EDVSTIMEDOUT when it does not answer. Waits.
 */
int node_abstract_ask(const struct node_runtime *runtime, char *cause, size_t size);
/* For the node: begins to answer; answers who asks now. */
void node_abstract_watch(struct dvk_node *node);
void node_abstract_answer(struct dvk_node *node);
/* Gives the name up if it is held. */
void node_abstract_drop(struct node_runtime *runtime);

/* ---- node_place.c ---- */

/* Begins to watch the runtime directory. */
void node_place_watch(struct dvk_node *node);
/* Takes what was told of changes there; node->look_again says when to look. */
void node_place_changed(struct dvk_node *node);
/* That moment. */
void node_place_look(struct dvk_node *node);
/* Sees to it that clients find this node. 0, or a code and cause. */
int node_place_restore(struct dvk_node *node, char *cause, size_t size);

/* ---- node_loop.c ---- */

/* dvk_node_create() once the directory is claimed; takes runtime over, also on error. */
int node_create_in(struct node_runtime *runtime, const struct dvk_node_options *options, struct dvk_node **node,
		   char *cause, size_t size);
int node_watch_add(struct dvk_node *node, int fd, uint32_t events, struct node_watch *watch);

#endif
