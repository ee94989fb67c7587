/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which member this process is; see replication_self.h.
 */
#include "replication_self.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "text_append.h"

#define LIST_SIZE 512 /* bytes of a list of addresses or names in a message; cut beyond */

static bool is_loopback(const char *address)
{
	struct in_addr four;

	/* All of 127.0.0.0/8 is, and the interface names one of them only. */
	return inet_pton(AF_INET, address, &four) == 1 && ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* An interface's address as replication_member has it; "" if it has none of the kind. */
static void interface_address(const struct ifaddrs *interface, char text[REPLICATION_ADDRESS_SIZE])
{
	const struct sockaddr *address = interface->ifa_addr;

	text[0] = '\0';
	if (!address)
		return;
	if (address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text,
			  REPLICATION_ADDRESS_SIZE);
	else if (address->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text,
			  REPLICATION_ADDRESS_SIZE);
}

static bool is_local(const char *address, const struct ifaddrs *interfaces)
{
	if (is_loopback(address))
		return true;
	for (const struct ifaddrs *one = interfaces; one; one = one->ifa_next) {
		char text[REPLICATION_ADDRESS_SIZE];

		interface_address(one, text);
		if (!strcmp(text, address))
			return true;
	}
	return false;
}

static void list_addresses(const struct ifaddrs *interfaces, char *list, size_t size)
{
	list[0] = '\0';
	for (const struct ifaddrs *one = interfaces; one; one = one->ifa_next) {
		char text[REPLICATION_ADDRESS_SIZE];

		interface_address(one, text);
		if (text[0])
			text_append(list, size, "%s%s", list[0] ? ", " : "", text);
	}
}

static void list_names(const struct replication_configuration *replication, char *list, size_t size)
{
	list[0] = '\0';
	for (int i = 0; i < replication->nr_members; i++)
		text_append(list, size, "%s%s", i ? ", " : "", replication->members[i].name);
}

static int find_by_name(struct replication_configuration *replication, const char *node, const char *path,
			struct diagnostic *diagnostic)
{
	char names[LIST_SIZE];

	for (int i = 0; i < replication->nr_members; i++) {
		if (!strcmp(replication->members[i].name, node)) {
			replication->self = i;
			return 0;
		}
	}
	list_names(replication, names, sizeof(names));
	return diagnostic_set(diagnostic, "%s:%d: no member of set %s is named \"%s\": they are %s", path,
			      replication->line, replication->set, node, names);
}

static int find_by_address(struct replication_configuration *replication, const struct ifaddrs *interfaces,
			   const char *path, struct diagnostic *diagnostic)
{
	char addresses[LIST_SIZE];
	int found = REPLICATION_NO_MEMBER;

	for (int i = 0; i < replication->nr_members; i++) {
		if (!is_local(replication->members[i].address, interfaces))
			continue;
		if (found != REPLICATION_NO_MEMBER)
			return diagnostic_set(
				diagnostic,
				"%s:%d: the addresses of members %s and %s are both this host's: say which "
				"one it is with --node NAME",
				path, replication->line, replication->members[found].name,
				replication->members[i].name);
		found = i;
	}
	if (found != REPLICATION_NO_MEMBER) {
		replication->self = found;
		return 0;
	}
	list_addresses(interfaces, addresses, sizeof(addresses));
	return diagnostic_set(diagnostic,
			      "%s:%d: this host is no member of set %s, as no member's address is one of its own (%s): "
			      "correct the address, or say which one it is with --node NAME",
			      path, replication->line, replication->set, addresses);
}

int replication_find_self(struct replication_configuration *replication, const char *node, const char *path,
			  struct diagnostic *diagnostic)
{
	struct ifaddrs *interfaces;
	int code;

	if (node)
		return find_by_name(replication, node, path, diagnostic);
	if (getifaddrs(&interfaces))
		return diagnostic_set(diagnostic,
				      "%s:%d: cannot ask for this host's addresses: %s; say which member it is "
				      "with --node NAME",
				      path, replication->line, strerror(errno));
	code = find_by_address(replication, interfaces, path, diagnostic);
	freeifaddrs(interfaces);
	return code;
}

/* ---- what to know of it ---- */

static unsigned int count_images(const struct replication_configuration *replication)
{
	unsigned int images = 0;

	for (int i = 0; i < replication->nr_members; i++)
		images += !replication->members[i].diskless;
	return images;
}

void replication_warnings(const struct replication_configuration *replication,
			  void (*warn)(void *context, const char *text), void *context)
{
	unsigned int images = count_images(replication);

	if (replication->nr_members == 1)
		warn(context, "the set has one member: nothing is replicated");
	else if (images == 1)
		warn(context, "one member only has images: losing its disk loses all data");
	if (replication->nr_members == 2)
		warn(context,
		     "the set has two votes, so that losing either member stops it: add a third member, which may "
		     "be diskless");
	if (images > 1 && replication->min_in_sync == images)
		warn(context,
		     "min_in_sync is the number of all members with images, so that losing any of them stops the "
		     "set");
	if (replication->insecure)
		warn(context, "insecure = true: who can reach a member's port can read and write the replicated disks");
	if (replication->memory_wait_ms)
		warn(context,
		     "memory_wait_ms is set: after that time without the members that may still have them, answered "
		     "writes that were not flushed are given up");
}

void replication_describe(const struct replication_configuration *replication, char *text, size_t size)
{
	text[0] = '\0';
	text_append(text, size, "set=%s members=%d (", replication->set, replication->nr_members);
	for (int i = 0; i < replication->nr_members; i++) {
		const struct replication_member *member = &replication->members[i];
		bool six = strchr(member->address, ':') != NULL;

		text_append(text, size, "%s%d %s %s%s%s:%u%s%s", i ? ", " : "", member->node, member->name,
			    six ? "[" : "", member->address, six ? "]" : "", member->port,
			    member->diskless ? " diskless" : "", i == replication->self ? " this" : "");
	}
	text_append(text, size, ") group=%s lease=%u ms min_in_sync=%u",
		    replication->group == REPLICATION_GROUP_BEACONS ? "beacons" : "corosync", replication->lease_ms,
		    replication->min_in_sync);
}
