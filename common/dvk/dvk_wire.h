/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control protocol between a process and its node, over one Unix socket of
 * type SOCK_SEQPACKET. One datagram is one struct dvk_node_request (process ->
 * node) or one struct dvk_node_packet (node -> process); file descriptors travel
 * with it (SCM_RIGHTS). Sizes are fixed; a datagram of another size, magic or
 * version ends the connection.
 *
 * An answer's `result` is 0 or an error; an endpoint comes in the field `endpoint`.
 *
 * call            request fields               answer: fields [descriptors]
 * HELLO           pid (thread id of caller)    argument: node number; endpoint NONE, or as EVENT_BOUND
 *                 argument (DVK_HELLO_*)       if another process bound the caller before: [page]
 * BIND            dcid endpoint argument pid   dcid endpoint nr_tasks nr_sysprocs [page (SELF, USERMODE)]
 * UNBIND          dcid endpoint timeout        - (endpoint SELF: the caller)
 * GETEP           pid                          endpoint
 * WAIT_BIND       endpoint timeout             endpoint, once it is bound (SELF: the caller itself)
 * WAIT_UNBIND     endpoint timeout             -, once it is free
 * CONNECT         endpoint                     endpoint pid side argument bells [channel, peer's page, bells];
 *                                              no descriptors if the two were introduced before
 * GRANT           endpoint base length offset, 1 descriptor   -: `endpoint` was sent EVENT_GRANT
 *                                              (EDVSINVAL: see dvk_client_grant() for what it may be)
 * DC_INIT         dc                           argument: node number
 * DC_END          dcid                         -
 * GET_DVS_INFO    -                            argument: node number; dvs
 * GET_DC_INFO     dcid (-1: the caller's)      dc
 * GET_PROC_INFO   dcid endpoint (process nr)   proc
 *
 * event           fields                       meaning
 * EVENT_BOUND     as BIND's answer [page]      another process bound the receiver (LCL_BIND)
 * EVENT_UNBOUND   result                       the receiver's endpoint was taken away (unbind, dc_end)
 * EVENT_PEER      endpoint pid side argument   introduced by a peer's CONNECT [channel, peer's page, bells]
 *                 bells
 * EVENT_PEER_GONE endpoint result              a peer introduced before died or was unbound
 * EVENT_GRANT     endpoint base length offset  that peer shares memory [its descriptor]
 *
 * The argument of CONNECT and EVENT_PEER is 1 when both processes are of one user, 0 when they are not: by their
 * effective user ids when they connected to the node (SO_PEERCRED), whatever became of them since. A process that
 * another bound before it connected has the one of that moment; if it connects as another user, its peers get
 * EVENT_PEER_GONE and have to be introduced anew.
 *
 * A peer's page comes as a read-only descriptor, every other one read-write.
 *
 * Bells. A process that said DVK_HELLO_DESCRIPTORS sleeps in epoll (dvk_channel.h). Each of its introductions has an
 * eventfd, which its peer gets (DVK_BELL_RING) and it does not: it gets an epoll instance with that eventfd inside
 * (DVK_BELL_OWN). Only root and the node's own user may say so (else EDVSPERM): who watches a descriptor can make
 * its closing wait. A process that was bound before it connected, and says so, is introduced anew to all, as above.
 * Only endpoints of one DC are introduced; two user endpoints are not
 * (EDVSTRAPDENIED).
 *
 * Freestanding. Native byte order (one host).
 */
#ifndef DVK_WIRE_H
#define DVK_WIRE_H

#include <stdint.h>

#include "dvk_info.h"

#define DVK_WIRE_MAGIC	 0x4b564444u /* "DDVK" */
#define DVK_WIRE_VERSION 3
#define DVK_WIRE_MAX_FDS 4

/* Name of the socket inside the runtime directory; see dvk_runtime.h. */
#define DVK_NODE_SOCKET	 "node.sock"

enum dvk_node_call {
	DVK_CALL_HELLO = 1,
	DVK_CALL_BIND,
	DVK_CALL_UNBIND,
	DVK_CALL_GETEP,
	DVK_CALL_WAIT_BIND,
	DVK_CALL_WAIT_UNBIND,
	DVK_CALL_CONNECT,
	DVK_CALL_GRANT,
	DVK_CALL_DC_INIT,
	DVK_CALL_DC_END,
	DVK_CALL_GET_DVS_INFO,
	DVK_CALL_GET_DC_INFO,
	DVK_CALL_GET_PROC_INFO,
};

enum dvk_packet_kind {
	DVK_PACKET_ANSWER = 1,
	DVK_EVENT_BOUND,
	DVK_EVENT_UNBOUND,
	DVK_EVENT_PEER,
	DVK_EVENT_PEER_GONE,
	DVK_EVENT_GRANT,
};

/* In the argument of HELLO. */
#define DVK_HELLO_DESCRIPTORS 1 /* the caller sleeps in epoll: it wants bells */

/* In bells: which of them come with an introduction, in this order, after channel and page. */
#define DVK_BELL_RING	      1u /* to be written to (8 bytes, as an eventfd) when the peer sleeps */
#define DVK_BELL_OWN	      2u /* readable, by edges, when the peer has written to its one */

struct dvk_node_request {
	uint32_t magic;
	uint16_t version;
	uint16_t call;	 /* enum dvk_node_call */
	uint32_t serial; /* repeated in the answer */
	int32_t dcid;
	int32_t endpoint;
	int32_t argument; /* BIND: type; HELLO: DVK_HELLO_* */
	int32_t pid;
	int32_t timeout; /* ms, -1 forever, 0 no wait */
	uint64_t base;	 /* GRANT: address in the granter's space */
	uint64_t length; /* GRANT: bytes; the descriptor's offset is `offset` */
	uint64_t offset;
	dc_usr_t dc;
};

struct dvk_node_packet {
	uint32_t magic;
	uint16_t version;
	uint16_t kind;	 /* enum dvk_packet_kind */
	uint32_t serial; /* of the request; 0 in an event */
	int32_t result;	 /* of the call; in an event the EDVS code that explains it */
	int32_t dcid;
	int32_t endpoint;
	int32_t pid;
	int32_t side;	     /* PEER, CONNECT: mailbox[side] is the one that the receiver sends in */
	int32_t argument;    /* node number; PEER, CONNECT: of the same user */
	int32_t nr_tasks;    /* BIND, BOUND: of the DC */
	int32_t nr_sysprocs; /* BIND, BOUND: of the DC */
	uint32_t bells;	     /* PEER, CONNECT: DVK_BELL_* */
	uint32_t reserved;   /* 0 */
	uint64_t base;
	uint64_t length;
	uint64_t offset;
	union {
		dvs_usr_t dvs;
		dc_usr_t dc;
		proc_usr_t proc;
	};
};

#endif
