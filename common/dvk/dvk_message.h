/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The M3-IPC message: what one endpoint hands to another in a rendezvous.
 *
 * Layout, names and sizes are the original's (64-bit build: 48 bytes, native
 * byte order), so that a program written for it needs only a recompile. The
 * members m1_i1 ... mC_ca1 are plain members of anonymous structures here, not
 * macros. This file says nothing of what a message means; see
 * common/rdisk/rdisk_protocol.h for the disk's.
 *
 * Freestanding: also compiled into the guest kernel's user half.
 */
#ifndef DVK_MESSAGE_H
#define DVK_MESSAGE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define M3_STRING    14		     /* bytes in m3_ca1 */
#define MC_STRING    (M3_STRING - 4) /* bytes in mC_ca1 */
#define MD5_SIZE     16		     /* bytes in mB_md5 */
#define SLOTS_BY_MSG 4		     /* elements of mA_ia */

/* struct timespec as the kernel's 64-bit ABI has it, without its headers. */
struct dvk_timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};

typedef struct {
	int m_source; /* endpoint of the sender; written by the receiver's library */
	int m_type;   /* what kind of message it is */
	union {
		struct {
			int m1_i1, m1_i2, m1_i3;
			char *m1_p1, *m1_p2, *m1_p3;
		};
		struct {
			int m2_i1, m2_i2, m2_i3;
			long m2_l1, m2_l2;
			char *m2_p1;
		};
		struct {
			int m3_i1, m3_i2;
			char *m3_p1;
			char m3_ca1[M3_STRING];
		};
		struct {
			long m4_l1, m4_l2, m4_l3, m4_l4, m4_l5;
		};
		struct {
			short m5_c1, m5_c2;
			int m5_i1, m5_i2;
			long m5_l1, m5_l2, m5_l3;
		};
		struct {
			char m6_ca1[32];
		};
		struct {
			int m7_i1, m7_i2, m7_i3, m7_i4;
			char *m7_p1, *m7_p2;
		};
		struct {
			int m8_i1, m8_i2;
			char *m8_p1, *m8_p2, *m8_p3, *m8_p4;
		};
		struct {
			int m9_i1, m9_l1;
			struct dvk_timespec m9_t1;
		};
		struct {
			int mA_dst, mA_nr, mA_ia[SLOTS_BY_MSG];
		};
		struct {
			long mB_nr;
			unsigned char mB_md5[MD5_SIZE];
		};
		struct {
			int mC_i1, mC_i2, mC_i3, mC_i4;
			char mC_ca1[MC_STRING];
		};
	};
} message;

static_assert(sizeof(message) == 48, "message size is part of the ABI");
static_assert(offsetof(message, m2_i3) == 16, "m2_i3 offset");
static_assert(offsetof(message, m2_l1) == 24, "m2_l1 offset");
static_assert(offsetof(message, m2_l2) == 32, "m2_l2 offset");
static_assert(offsetof(message, m2_p1) == 40, "m2_p1 offset");

/*
 * Notifications arrive as messages of type NOTIFY_FROM(source) in layout m9:
 * m9_i1 flags (0), m9_l1 the value given to dvk_ntfy_value(), m9_t1 the time
 * (CLOCK_REALTIME) at which the receiver took it.
 */
#define NOTIFY_MESSAGE	  0x1000
#define NOTIFY_FROM(p_nr) (NOTIFY_MESSAGE | (p_nr))

#endif
