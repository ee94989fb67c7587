/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Granted memory that stays mapped: what dvk_client_pin() (dvk_client.h) takes and gives.
 *
 * Freestanding.
 */
#ifndef DVK_PIN_H
#define DVK_PIN_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes of a peer's memory. May stand for another structure of the same layout, such as struct rdisk_iovec. */
struct dvk_range {
	uint64_t address; /* in the peer's address space */
	uint64_t bytes;
} __attribute__((may_alias));

/* Granted memory that stays mapped until dvk_client_unpin(). Plain memory of the caller's, which may be copied. */
struct dvk_pin {
	uint64_t to_local; /* added (modulo 2^64) to an address of the peer's it is the address here */
	bool sealed;	   /* as in dvk_client_granted() */
	int slot;	   /* the rest is the library's */
	int index;
	void *mapping;
};

#endif
