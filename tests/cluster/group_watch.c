/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * group_watch: writes the views of a group service, a line each, as they come: "view", then "quorate" or "alone", then
 * the nodes that are there; or "none". It ends when it is told anything on stdin.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "group.h"

static int show(const struct group_view *view, const uint32_t nodes[], int members)
{
	if (!view->known) {
		puts("none");
		return fflush(stdout);
	}
	printf("view %s", view->quorate ? "quorate" : "alone");
	for (int member = 0; member < members; member++)
		if (view->present >> member & 1)
			printf(" %u", nodes[member]);
	putchar('\n');
	return fflush(stdout);
}

int main(int argc, char *argv[])
{
	struct diagnostic diagnostic;
	uint32_t nodes[MEMBERS_MAX];
	struct group_view view;
	struct group *group;
	int members = argc - 3;
	int self = -1;

	if (members < 1 || members > MEMBERS_MAX) {
		fprintf(stderr, "usage: group_watch SET NODE NODE-OF-A-MEMBER...\n");
		return 2;
	}
	for (int member = 0; member < members; member++) {
		nodes[member] = (uint32_t)strtoul(argv[3 + member], NULL, 10);
		if (nodes[member] == strtoul(argv[2], NULL, 10))
			self = member;
	}
	if (self < 0) {
		fprintf(stderr, "group_watch: %s is no member\n", argv[2]);
		return 2;
	}
	if (group_open(&group, GROUP_COROSYNC, argv[1], nodes, members, self, &diagnostic)) {
		fprintf(stderr, "group_watch: %s\n", diagnostic.text);
		return 1;
	}
	for (;;) {
		struct pollfd wait[] = { { .fd = STDIN_FILENO, .events = POLLIN },
					 { .fd = group_descriptor(group), .events = POLLIN } };

		if (poll(wait, 2, -1) < 0 || wait[0].revents)
			break;
		if (group_take(group, &view) && show(&view, nodes, members))
			break;
	}
	group_close(group);
	return 0;
}
