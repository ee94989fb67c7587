/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk protocol: what a client (an endpoint) and the rdisk server say to each
 * other. All requests are layout m2, sent with sendrec; the answer is type
 * MOLTASK_REPLY with REP_ENDPT (the request's IO_ENDPT) and REP_STATUS.
 *
 * m_type            DEVICE  IO_ENDPT  COUNT      POSITION  LENGTH   ADDRESS     REP_STATUS
 * DEV_OPEN          minor   proc      access     -         -        -           0
 * DEV_CLOSE         minor   proc      -          -         -        -           0
 * DEV_READ          minor   proc      bytes      byte      -        buffer      bytes moved
 * DEV_WRITE[_FUA]   minor   proc      bytes      byte      -        buffer      bytes moved
 * DEV_GATHER        minor   proc      elements   byte      -        iovec       bytes moved (read)
 * DEV_SCATTER[_FUA] minor   proc      elements   byte      -        iovec       bytes moved (write)
 * DEV_IOCTL         minor   proc      request    -         -        buffer      0
 * DEV_FLUSH         minor   proc      -          -         -        -           0
 * DEV_DISCARD       minor   proc      -          byte      bytes    -           0
 * DEV_WRITE_ZEROES  minor   proc      -          byte      bytes    -           0
 * DEV_BATCH         -       proc      requests   -         -        requests    requests done
 * CANCEL            minor   proc      -          -         -        -           0
 *
 * Names and numbers up to CANCEL's are the original's (com.h); FLUSH, DISCARD,
 * WRITE_ZEROES, the FUA types and BATCH are new. FUA is a type of its own and not a flag in
 * m2_l2, because the original's clients leave m2_l2 unset.
 *
 * Rules:
 * - IO_ENDPT names whose memory ADDRESS is in. A system endpoint may name another (blocked)
 *   process; a user endpoint only itself (EDVSPERM).
 * - POSITION and LENGTH are bytes, 64 bits, >= 0 (else EDVSINVAL). No alignment is asked for.
 * - A transfer that starts at or beyond the end of the device moves 0 bytes (EOF);
 *   one that crosses it is cut there. DISCARD and WRITE_ZEROES beyond the end: EDVSINVAL.
 * - I/O needs an open by the same client (EDVSNXIO), writing one with write access
 *   (EDVSBADOWNER, or EDVSROFS on a read-only device). A bad minor: EDVSNXIO.
 * - A vector has 1 .. RDISK_VECTOR_MAX elements (EDVSINVAL below, EDVS2BIG above).
 *   On success each element moved has iov_size lessened and iov_addr advanced by what was moved, as in MINIX.
 * - Answered writes are in the host's page cache. After a successful FLUSH those
 *   answered before it was sent, and after a FUA write itself, they are on stable storage (fdatasync).
 *   A flush that failed once fails until the server is restarted.
 * - A write that fails may have been done in part.
 * - Who sends another request while one of his is not answered has given that one up: it is not answered any more. It
 *   may have been carried out, or still be: then granted memory goes on being used until that is over, and the next
 *   DEV_OPEN of the device is answered after it. So CANCEL has nothing left to do.
 * - Requests that overlap are carried out in the order in which they came, those of a batch in theirs. Those that are
 *   done in pieces (long DISCARDs and WRITE_ZEROES; transfers of memory that is not granted) are so piece by piece.
 *
 * Suspended requests. What waits for a disk holds up nobody else: other clients are served meanwhile, and so are the
 * other requests of a batch. A client that wants to send more while some of its requests wait marks them
 * RDISK_REQUEST_MAY_SUSPEND: the batch is then answered without them, their result is SUSPEND (MINIX's code for an
 * answer that comes later), and the client collects their results with COLLECT in a later batch. Their memory is used
 * until they are collected: granted memory at any time, other memory while the client is blocked in a later batch. It
 * is the client's own; for another's the mark counts for nothing. A result counts as collected when the client gets the
 * answer to the batch, and that is no error: one that it gives up costs nothing. Suspended requests are gone when the
 * client or the server dies; those to a device that the client has closed, as often as it had opened it, end with
 * EDVSNXIO (and may have been carried out). A client may have RDISK_SUSPENDED_MAX of them; more end with EDVSAGAIN.
 *
 * Freestanding: the guest kernel's driver includes it.
 */
#ifndef RDISK_PROTOCOL_H
#define RDISK_PROTOCOL_H

#include "dvk_message.h"

/* Fields of layout m2. */
#define DEVICE		  m2_i1
#define IO_ENDPT	  m2_i2
#define COUNT		  m2_i3
#define REQUEST		  m2_i3
#define POSITION	  m2_l1
#define LENGTH		  m2_l2
#define ADDRESS		  m2_p1
#define REP_ENDPT	  m2_i1
#define REP_STATUS	  m2_i2

#define CANCEL		  1024
#define DEV_READ	  1027
#define DEV_WRITE	  1028
#define DEV_IOCTL	  1029
#define DEV_OPEN	  1030
#define DEV_CLOSE	  1031
#define DEV_SCATTER	  1032
#define DEV_GATHER	  1033
#define MOLTASK_REPLY	  68

#define DEV_FLUSH	  1152
#define DEV_DISCARD	  1153
#define DEV_WRITE_ZEROES  1154
#define DEV_WRITE_FUA	  1155
#define DEV_SCATTER_FUA	  1156
#define DEV_BATCH	  1157

/*
 * Access in COUNT of DEV_OPEN. 0, what the original's clients send: write if the
 * device can be written, else read. One client may have a device open several
 * times; it is free again after as many closes. A device that one client has open for
 * writing is refused to every other (EDVSBUSY), and one that another has open at all is
 * refused for writing, unless it is configured `shared`.
 */
#define RDISK_OPEN_READ	  4
#define RDISK_OPEN_WRITE  2

#define RDISK_VECTOR_MAX  256 /* elements of a GATHER/SCATTER vector (the original: 64) */
#define RDISK_BATCH_MAX	  128 /* requests in one DEV_BATCH */
#define RDISK_NAME_SIZE	  16  /* bytes of a device's name, the zero included */
#define RDISK_ID_SIZE	  40  /* bytes of a disk's identity, the zero included */
#define RDISK_SECTOR_SIZE 512

/* One element of a vector, in the memory of IO_ENDPT. */
struct rdisk_iovec {
	uint64_t iov_addr;
	uint64_t iov_size;
};

/* Operations of a batch. */
enum rdisk_operation {
	RDISK_OP_READ = 1,
	RDISK_OP_WRITE = 2,
	RDISK_OP_FLUSH = 3,
	RDISK_OP_DISCARD = 4,
	RDISK_OP_WRITE_ZEROES = 5,
	/*
	 * The last request of a batch only: stores a struct rdisk_completion for each suspended request of the client
	 * that is done by now into the array at `vector`, which has room for nr_segments (1 .. RDISK_BATCH_MAX) of
	 * them. Result: how many. minor, position and length are 0.
	 */
	RDISK_OP_COLLECT = 6,
};

/* flags of a request */
#define RDISK_REQUEST_FUA	  1u /* WRITE, WRITE_ZEROES: stable before it is answered */
#define RDISK_REQUEST_MAY_SUSPEND 2u /* all but COLLECT: see "Suspended requests" */
#define RDISK_REQUEST_WAIT	  4u /* COLLECT: not answered before there is one, as long as any is suspended */

#define RDISK_SUSPENDED_MAX	  256 /* of one client */

/* Result of a request that is not done yet and will be collected. */
#define SUSPEND			  (-998)

/*
 * One request of a batch, in the client's memory. The requests of a batch are
 * independent: those that do not overlap may be done in any order. The server sets result, and
 * only that: bytes moved, or a negative code; for FLUSH, DISCARD, WRITE_ZEROES 0 or a code.
 * Vector elements are not changed.
 */
struct rdisk_request {
	uint32_t operation; /* enum rdisk_operation */
	uint32_t flags;	    /* RDISK_REQUEST_* */
	int32_t minor;
	uint32_t nr_segments; /* elements of the vector */
	uint64_t position;    /* byte */
	uint64_t length;      /* bytes; READ, WRITE: the sum of the segments */
	uint64_t vector;      /* address of struct rdisk_iovec[nr_segments] */
	uint64_t cookie;      /* the client's, untouched */
	int64_t result;
	uint64_t reserved; /* 0 */
};

/* What became of a suspended request. */
struct rdisk_completion {
	uint64_t cookie; /* the request's */
	int64_t result;
};

/* Value of result that no server sets: a client puts it there to see what was done. */
#define RDISK_RESULT_NONE INT64_MIN

/* DIOCGETP: the original's partition record (mnx_part_t). 2 heads, 32 sectors, cylinders rounded down. */
struct rdisk_partition {
	uint64_t base; /* bytes, always 0 */
	uint64_t size; /* bytes */
	uint32_t cylinders;
	uint32_t heads;
	uint32_t sectors;
	uint32_t reserved;
};

#define DIOCGETP	     ((int)0x80206404) /* MINIX _IOR('d', 4, 32 bytes) */

/* RDISK_IOC_INFO: all that a driver wants to know of a minor. Needs no open. */
#define RDISK_IOC_INFO	     ((int)0x80806440) /* MINIX _IOR('d', 64, 128 bytes) */

#define RDISK_INFO_READ_ONLY 1u
#define RDISK_INFO_VOLATILE  2u /* what is written is gone when the server ends */
#define RDISK_INFO_DISCARD   4u /* DISCARD frees space on the host (else it is accepted and does nothing) */
#define RDISK_INFO_SHARED    8u

struct rdisk_info {
	uint32_t size_of;   /* bytes of this structure that the server filled */
	uint32_t flags;	    /* RDISK_INFO_* */
	uint32_t nr_minors; /* minors 0 .. nr_minors-1 exist */
	uint32_t minor;
	uint64_t size;		/* bytes */
	uint32_t logical_block; /* bytes: smallest unit that the device promises to write whole */
	uint32_t physical_block;
	uint32_t max_segments; /* RDISK_VECTOR_MAX */
	uint32_t max_batch;    /* RDISK_BATCH_MAX */
	uint64_t max_transfer; /* bytes of one READ or WRITE */
	uint64_t instance;     /* differs from one start of the server to the next */
	uint64_t image_id;     /* names the image's file on the server's host: another file has another */
	char name[RDISK_NAME_SIZE];
	/*
	 * Names the disk: who has it open goes on with it when a server comes back, on whichever host and with
	 * whichever file, if and only if this is the same. Text of printable ASCII, with zeros behind it up to the end.
	 */
	char id[RDISK_ID_SIZE];
	uint8_t reserved[128 - 120];
};

static_assert(sizeof(struct rdisk_request) == 64, "batch element is part of the ABI");
static_assert(sizeof(struct rdisk_completion) == 16, "completion is part of the ABI");
static_assert(sizeof(struct rdisk_iovec) == 16, "vector element is part of the ABI");
static_assert(sizeof(struct rdisk_partition) == 32, "partition record is part of the ABI");
static_assert(sizeof(struct rdisk_info) == 128, "info record is part of the ABI");
static_assert(offsetof(struct rdisk_info, name) == 64, "info record has no hole");
static_assert(offsetof(struct rdisk_info, id) == 80, "info record has no hole");
static_assert(sizeof(long) == 8, "POSITION carries 64 bits");

#endif
