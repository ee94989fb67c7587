/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of data that several have at the same time; see replica.h.
 */
#include <stdlib.h>

#include "replica.h"

struct replica_data *replica_data_create(size_t size)
{
	struct replica_data *data = size > SIZE_MAX - sizeof(*data) ? NULL : malloc(sizeof(*data) + size);

	if (data)
		data->holders = 1;
	return data;
}

void replica_data_hold(struct replica_data *data)
{
	data->holders++;
}

void replica_data_release(struct replica_data *data)
{
	if (data && --data->holders == 0)
		free(data);
}
