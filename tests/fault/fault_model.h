/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a disk may hold after requests of which some failed. A write that was
 * answered is there; one that failed, or got no answer, may be there wholly, in part, or not at all.
 * So each byte has one value or several possible ones. One thread.
 */
#ifndef FAULT_MODEL_H
#define FAULT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_SIZE     ((size_t)1 << 20) /* bytes of a disk */
#define MODEL_VERSIONS 8		 /* possible values of a byte, at most */

struct fault_model {
	unsigned char *versions[MODEL_VERSIONS]; /* MODEL_SIZE bytes each; [0] always counts */
	unsigned char *count;			 /* of versions that count, for each byte */
};

/* Allocates; fatal on failure. */
void fault_model_create(struct fault_model *model);

/* The disk holds exactly these bytes. */
void fault_model_set(struct fault_model *model, const unsigned char *bytes);

/* Bytes were written there; `certain`: and that was answered with success. */
void fault_model_write(struct fault_model *model, size_t position, const unsigned char *bytes, size_t length,
		       bool certain);

/* Position of the first byte that the disk cannot hold; position + length if all are possible. */
size_t fault_model_check(const struct fault_model *model, size_t position, const unsigned char *bytes, size_t length);

#endif
