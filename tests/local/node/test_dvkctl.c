/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dvkctl: the original's columns and keys, JSON, and what it says when it cannot. */
#include "node_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cJSON.h>

static char output[16384];

#define DVKCTL(...) run_program((const char *[]){ DVKCTL_PATH, __VA_ARGS__, NULL }, output, sizeof(output))

static void assert_failed(int status, const char *text)
{
	assert_int_equal(status, 1);
	if (!strstr(output, text))
		fail_msg("no \"%s\" in: %s", text, output);
	assert_int_equal(strncmp(output, "dvkctl: error: ", 15), 0);
	assert_string_equal(strchr(output, '\n'), "\n");
}

static void command_line(void **state)
{
	(void)state;
	assert_int_equal(DVKCTL("--help"), 0);
	assert_non_null(strstr(output, "Usage: dvkctl"));
	assert_int_equal(DVKCTL("--version"), 0);
	assert_int_equal(strncmp(output, "dvkctl ", 7), 0);
	assert_failed(DVKCTL(NULL), "one command is needed");
	assert_failed(DVKCTL("info", "dc"), "one command is needed");
	assert_failed(DVKCTL("nothing"), "unknown command \"nothing\"");
	assert_failed(DVKCTL("procs"), "needs the number of a DC");
	assert_failed(DVKCTL("info", "-d", "0"), "takes no DC");
	assert_failed(DVKCTL("dc", "-d", "32"), "DC number \"32\"");
	assert_failed(DVKCTL("dc", "-d", "x"), "DC number \"x\"");
	assert_int_equal(DVKCTL("--nothing"), 1);
	assert_failed(DVKCTL("dc", "-d", "31"), "DC 31 is not running");
	assert_failed(DVKCTL("procs", "--dcid=31", "--json"), "DC 31 is not running");
}

static void no_node(void **state)
{
	(void)state;
	assert_int_equal(setenv("DVK_RUNTIME_DIR", "/proc/none", 1), 0);
	assert_failed(DVKCTL("info"), "no node answers in /proc/none: start rdisk or dvkd");
	assert_int_equal(setenv("DVK_RUNTIME_DIR", directory, 1), 0);
}

static void info(void **state)
{
	const cJSON *name;
	cJSON *json;

	(void)state;
	assert_int_equal(DVKCTL("info"), 0);
	assert_int_equal(
		strncmp(output,
			"name=DVS\nnodeid=0\nnr_dcs=32\nnr_nodes=32\nmax_nr_procs=221\nmax_nr_tasks=35\n"
			"max_sys_procs=64\nmax_copy_buf=65536\nmax_copy_len=1048576\ndbglvl=0\n"
			"version=202202\nflags=104\nsizeof(proc)=",
			strlen("name=DVS\nnodeid=0\nnr_dcs=32\nnr_nodes=32\nmax_nr_procs=221\nmax_nr_tasks=35\n"
			       "max_sys_procs=64\nmax_copy_buf=65536\nmax_copy_len=1048576\ndbglvl=0\n"
			       "version=202202\nflags=104\nsizeof(proc)=")),
		0);
	assert_non_null(strstr(output, "\nsizeof(proc) aligned="));
	assert_non_null(strstr(output, "\nsizeof(dc)="));
	assert_non_null(strstr(output, "\nsizeof(node)="));
	assert_int_equal(DVKCTL("info", "--json"), 0);
	json = cJSON_Parse(output);
	assert_non_null(json);
	name = cJSON_GetObjectItemCaseSensitive(json, "name");
	assert_string_equal(cJSON_GetStringValue(name), "DVS");
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(json, "max_copy_len")->valueint, MAXCOPYLEN);
	cJSON_Delete(json);
}

static void dc(void **state)
{
	char expected[1024];
	struct raw raw;
	cJSON *json;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_call(&raw, REQUEST(DC_INIT, .dc = { .dc_dcid = 4,
								 .dc_nodes = 0x80000002,
								 .dc_name = "storage",
								 .dc_cpumask = 0xf })),
			 0);
	assert_int_equal(DVKCTL("dc", "-d", "4"), 0);
	snprintf(expected, sizeof(expected),
		 "dcid=4\nflags=0\nnr_procs=221\nnr_tasks=34\nnr_sysprocs=64\nnr_nodes=32\ndc_nodes=80000003\n"
		 "dc_pid=%d\nwarn2proc=27342\nwarnmsg=0\ndc_name=storage\n"
		 "nodes 33222222222211111111110000000000\n"
		 "      10987654321098765432109876543210\n"
		 "      X-----------------------------XX\n"
		 "cpumask=f\n",
		 (int)getpid());
	assert_string_equal(output, expected);
	assert_int_equal(DVKCTL("dc", "-j", "-d4"), 0);
	json = cJSON_Parse(output);
	assert_non_null(json);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(json, "dc_pid")->valueint, getpid());
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "dc_name")), "storage");
	cJSON_Delete(json);
	assert_int_equal(raw_call(&raw, REQUEST(DC_END, .dcid = 4)), 0);
	raw_close(&raw);
}

#define HEADER "DC pnr -endp -lpid/vpid- nd flag misc -getf -sndt -wmig -prxy name\n"

static void procs(void **state)
{
	struct dvk_process_page *page;
	char expected[1024], pids[32];
	struct puppet guest, server;
	const cJSON *item;
	struct raw raw;
	cJSON *json;
	int fd;

	(void)state;
	raw_open(&raw);
	raw_start_dc(&raw, 0);
	assert_int_equal(DVKCTL("procs", "-d", "0"), 0);
	assert_string_equal(output, HEADER);

	puppet_open(&guest);
	assert_int_equal(raw_call(&guest.raw, REQUEST(BIND, .endpoint = -2, .argument = USERMODE_BIND)), 0);
	puppet_open(&server);
	assert_int_equal(raw_bind(&server.raw, 0, 3, &fd), 3);
	page = map_page(fd, PROT_READ | PROT_WRITE);
	close(fd);
	page->rts_flags = RECEIVING;
	page->getfrom = ANY;
	page->messages_sent = 12;
	assert_int_equal(DVKCTL("procs", "-d", "0"), 0);
	snprintf(pids, sizeof(pids), "%5d/%-5d", (int)guest.pid, (int)guest.pid);
	snprintf(expected, sizeof(expected), HEADER " 0  -2    -2 %s  0    0  420 27342 27342 27342 27342 %-15s\n",
		 pids, "test_dvkctl");
	snprintf(pids, sizeof(pids), "%5d/%-5d", (int)server.pid, (int)server.pid);
	snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
		 " 0   3     3 %s  0    8   20 31438 27342 27342 27342 %-15s\n", pids, "test_dvkctl");
	assert_string_equal(output, expected);

	assert_int_equal(DVKCTL("procs", "-d", "0", "--json"), 0);
	json = cJSON_Parse(output);
	assert_non_null(json);
	assert_int_equal(cJSON_GetArraySize(json), 2);
	item = cJSON_GetArrayItem(json, 1);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(item, "endp")->valueint, 3);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(item, "lpid")->valueint, server.pid);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(item, "flag")->valueint, RECEIVING);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(item, "getf")->valueint, ANY);
	assert_int_equal(cJSON_GetObjectItemCaseSensitive(item, "lsnt")->valueint, 12);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name")), "test_dvkctl");
	cJSON_Delete(json);

	unmap_page(page);
	puppet_end(&guest);
	puppet_end(&server);
	assert_int_equal(raw_call(&raw, REQUEST(DC_END, .dcid = 0)), 0);
	raw_close(&raw);
}

static void full_output_device(void **state)
{
	(void)state;
	assert_int_equal(run_program((const char *[]){ "/bin/sh", "-c", DVKCTL_PATH " info >/dev/full", NULL }, output,
				     sizeof(output)),
			 1);
	assert_non_null(strstr(output, "dvkctl: error: cannot write"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_line), cmocka_unit_test(no_node), cmocka_unit_test(info),
		cmocka_unit_test(dc),		cmocka_unit_test(procs),   cmocka_unit_test(full_output_device),
	};

	return cmocka_run_group_tests(tests, start_node, stop_node);
}
