/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The possible contents of a disk, byte by byte.
 */
#include "fault_model.h"

#include <stdlib.h>
#include <string.h>

#include "test_directory.h"

void fault_model_create(struct fault_model *model)
{
	for (int i = 0; i < MODEL_VERSIONS; i++) {
		model->versions[i] = calloc(1, MODEL_SIZE);
		if (!model->versions[i])
			test_fatal("out of memory");
	}
	model->count = malloc(MODEL_SIZE);
	if (!model->count)
		test_fatal("out of memory");
	memset(model->count, 1, MODEL_SIZE);
}

void fault_model_set(struct fault_model *model, const unsigned char *bytes)
{
	memcpy(model->versions[0], bytes, MODEL_SIZE);
	memset(model->count, 1, MODEL_SIZE);
}

void fault_model_write(struct fault_model *model, size_t position, const unsigned char *bytes, size_t length,
		       bool certain)
{
	if (certain) {
		memcpy(model->versions[0] + position, bytes, length);
		memset(model->count + position, 1, length);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		unsigned char *count = &model->count[position + i];

		if (*count == MODEL_VERSIONS)
			test_fatal("too many writes to one place for the model");
		model->versions[*count][position + i] = bytes[i];
		(*count)++;
	}
}

static bool is_possible(const struct fault_model *model, size_t position, unsigned char byte)
{
	for (int i = 0; i < model->count[position]; i++)
		if (model->versions[i][position] == byte)
			return true;
	return false;
}

size_t fault_model_check(const struct fault_model *model, size_t position, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (model->versions[0][position + i] != bytes[i] && !is_possible(model, position + i, bytes[i]))
			return position + i;
	return position + length;
}
