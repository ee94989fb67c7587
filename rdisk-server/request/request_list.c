/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of requests; see request_order.h. A request is in one of them at most.
 */
#include "request_order.h"

void request_list_append(struct request_list *list, struct request *request)
{
	request->next = NULL;
	if (list->first)
		list->last->next = request;
	else
		list->first = request;
	list->last = request;
}

struct request *request_list_shift(struct request_list *list)
{
	struct request *request = list->first;

	if (request)
		list->first = request->next;
	return request;
}

void request_list_remove(struct request_list *list, const struct request *request)
{
	struct request *before = NULL;

	for (struct request *at = list->first; at; before = at, at = at->next) {
		if (at != request)
			continue;
		if (before)
			before->next = at->next;
		else
			list->first = at->next;
		if (list->last == at)
			list->last = before;
		return;
	}
}
