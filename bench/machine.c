/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Describes the machine; see machine.h.
 */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void find_processor(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512];

	(void)snprintf(name, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		const char *colon = strchr(line, ':');

		if (!colon || strncmp(line, "model name", strlen("model name")))
			continue;
		(void)snprintf(name, size, "%s", colon + 2);
		name[strcspn(name, "\n")] = '\0';
		break;
	}
	if (file)
		(void)fclose(file);
}

void machine_describe(struct machine *machine)
{
	struct utsname names;
	struct tm fields;
	time_t now = time(NULL);

	find_processor(machine->processor, sizeof(machine->processor));
	(void)snprintf(machine->kernel, sizeof(machine->kernel), "%s", uname(&names) ? "unknown" : names.release);
	machine->processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (machine->processors < 0)
		machine->processors = 0;
	if (!gmtime_r(&now, &fields) ||
	    strftime(machine->date, sizeof(machine->date), "%Y-%m-%dT%H:%M:%SZ", &fields) == 0)
		(void)snprintf(machine->date, sizeof(machine->date), "unknown");
}
