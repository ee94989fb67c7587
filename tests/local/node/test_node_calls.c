/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each call of dvk_wire.h: its good path and every code that it can answer. */
#include "node_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dvk_info.h"

static void hello(void **state)
{
	struct received answer;
	struct puppet puppet;
	struct raw raw;

	(void)state;
	raw_connect(&raw);
	answer = raw_call_full(&raw, REQUEST(HELLO, .pid = getpid()), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.argument, 0);
	assert_int_equal(answer.packet.endpoint, NONE);
	assert_int_equal(answer.nr_fds, 0);
	assert_int_equal(raw_call(&raw, REQUEST(HELLO)), EDVSINVAL);
	raw_close(&raw);

	/* A thread of another process, and of none. */
	puppet_start(&puppet);
	assert_int_equal(raw_call(&puppet.raw, REQUEST(HELLO, .pid = getpid())), EDVSBADPID);
	assert_int_equal(raw_call(&puppet.raw, REQUEST(HELLO, .pid = INT32_MAX)), EDVSBADPID);
	assert_int_equal(raw_call(&puppet.raw, REQUEST(HELLO, .pid = puppet.pid)), 0);
	puppet_end(&puppet);
}

static void only_hello_comes_first(void **state)
{
	struct raw raw;

	(void)state;
	raw_connect(&raw);
	assert_int_equal(raw_call(&raw, REQUEST(GET_DVS_INFO)), 0);
	raw_ask(&raw, REQUEST(GETEP, .pid = getpid()), -1);
	raw_expect_end(&raw);
	raw_close(&raw);
}

static void unknown_call(void **state)
{
	(void)state;
	assert_int_equal(raw_call(&admin, (struct dvk_node_request){ .call = 0 }), EDVSBADREQUEST);
	assert_int_equal(raw_call(&admin, (struct dvk_node_request){ .call = DVK_CALL_GET_PROC_INFO + 1 }),
			 EDVSBADREQUEST);
	assert_int_equal(raw_call(&admin, (struct dvk_node_request){ .call = UINT16_MAX }), EDVSBADREQUEST);
}

static void dc_init_defaults(void **state)
{
	struct received answer;

	(void)state;
	answer = raw_call_full(&admin, REQUEST(DC_INIT, .dc = { .dc_dcid = 31 }), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.argument, 0);
	answer = raw_call_full(&admin, REQUEST(GET_DC_INFO, .dcid = 31), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.dc.dc_dcid, 31);
	assert_int_equal(answer.packet.dc.dc_flags, DC_RUNNING);
	assert_int_equal(answer.packet.dc.dc_nr_tasks, DC_TASKS_DEFAULT);
	assert_int_equal(answer.packet.dc.dc_nr_procs, NR_PROCS);
	assert_int_equal(answer.packet.dc.dc_nr_sysprocs, NR_SYS_PROCS);
	assert_int_equal(answer.packet.dc.dc_nr_nodes, NR_NODES);
	assert_int_equal(answer.packet.dc.dc_nodes, 1);
	assert_int_equal(answer.packet.dc.dc_warn2proc, NONE);
	assert_int_equal(answer.packet.dc.dc_pid, getpid());
	assert_string_equal(answer.packet.dc.dc_name, "DC31");
	assert_int_equal(raw_call(&admin, REQUEST(DC_INIT, .dc = { .dc_dcid = 31 })), EDVSDCRUN);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 31)), 0);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 31)), EDVSDCNOTRUN);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 32)), EDVSBADDCID);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = -1)), EDVSBADDCID);
}

static void dc_init_ranges(void **state)
{
	static const struct {
		dc_usr_t dc;
		int result;
	} cases[] = {
		{ { .dc_dcid = -1 }, EDVSBADDCID },
		{ { .dc_dcid = NR_DCS }, EDVSBADDCID },
		{ { .dc_dcid = 0 }, EDVSDCRUN },
		{ { .dc_dcid = 1, .dc_nr_procs = -1 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_nr_procs = NR_PROCS + 1 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_nr_tasks = -1 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_nr_tasks = NR_TASKS + 1 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_nr_sysprocs = -5 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_nr_tasks = 2, .dc_nr_procs = 3, .dc_nr_sysprocs = 6 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_nr_nodes = NR_NODES + 1 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_nr_nodes = 4, .dc_nodes = 0x10 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_nodes = 1UL << 32 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_warn2proc = 300 }, EDVSBADRANGE },
		{ { .dc_dcid = 1, .dc_warn2proc = -35 }, EDVSBADRANGE },
		{ { .dc_dcid = 1,
		    .dc_name = { 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p' } },
		  EDVSNAMESIZE },
		{ { .dc_dcid = 1, .dc_name = "a/b" }, EDVSBADVALUE },
		{ { .dc_dcid = 1, .dc_name = "a\nb" }, EDVSBADVALUE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int result = raw_call(&admin, REQUEST(DC_INIT, .dc = cases[i].dc));

		if (result != cases[i].result)
			fail_msg("case %zu: %d, not %d", i, result, cases[i].result);
	}
	/* The smallest and an odd one. */
	assert_int_equal(raw_call(&admin, REQUEST(DC_INIT, .dc = { .dc_dcid = 1,
								   .dc_nr_tasks = 1,
								   .dc_nr_procs = 1,
								   .dc_nr_sysprocs = 1,
								   .dc_nr_nodes = 1,
								   .dc_name = "small" })),
			 0);
	assert_int_equal(raw_call(&admin, REQUEST(DC_INIT, .dc = { .dc_dcid = 2, .dc_nr_tasks = 3, .dc_nr_procs = 4 })),
			 0);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 1)), 0);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 2)), 0);
}

static void bind_codes(void **state)
{
	struct puppet puppet;
	struct raw raw;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_call(&raw, REQUEST(BIND, .endpoint = 3, .argument = 2)), EDVSBINDTYPE);
	assert_int_equal(raw_call(&raw, REQUEST(BIND, .endpoint = 3, .argument = -1)), EDVSBINDTYPE);
	assert_int_equal(raw_bind(&raw, -1, 3, NULL), EDVSBADDCID);
	assert_int_equal(raw_bind(&raw, 32, 3, NULL), EDVSBADDCID);
	assert_int_equal(raw_bind(&raw, 5, 3, NULL), EDVSDCNOTRUN);
	assert_int_equal(raw_bind(&raw, 0, -35, NULL), EDVSENDPOINT);
	assert_int_equal(raw_bind(&raw, 0, 221, NULL), EDVSENDPOINT);
	assert_int_equal(raw_bind(&raw, 0, NONE, NULL), EDVSENDPOINT);
	assert_int_equal(raw_bind(&raw, 0, SELF, NULL), EDVSENDPOINT);
	assert_int_equal(raw_bind(&raw, 0, INT32_MIN, NULL), EDVSENDPOINT);
	assert_int_equal(raw_bind(&raw, 0, INT32_MAX, NULL), EDVSENDPOINT);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	assert_int_equal(raw_bind(&raw, 0, 4, NULL), EDVSSLOTUSED);

	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 3, NULL), EDVSSLOTUSED);
	assert_int_equal(raw_bind(&puppet.raw, 0, -34, NULL), -34);
	puppet_end(&puppet);
	raw_close(&raw);
}

static void bind_answer(void **state)
{
	struct received answer;
	struct raw raw;

	(void)state;
	raw_open(&raw);
	assert_int_equal(
		raw_call(&admin,
			 REQUEST(DC_INIT,
				 .dc = { .dc_dcid = 7, .dc_nr_tasks = 5, .dc_nr_procs = 20, .dc_nr_sysprocs = 10 })),
		0);
	answer = raw_call_full(&raw, REQUEST(BIND, .dcid = 7, .endpoint = -5, .argument = USERMODE_BIND), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.dcid, 7);
	assert_int_equal(answer.packet.endpoint, -5);
	assert_int_equal(answer.packet.nr_tasks, 5);
	assert_int_equal(answer.packet.nr_sysprocs, 10);
	assert_int_equal(answer.nr_fds, 1);
	close_received(&answer);
	answer = raw_call_full(&raw, REQUEST(GET_PROC_INFO, .dcid = 7, .endpoint = -5), -1);
	assert_int_equal(answer.packet.proc.p_misc_flags, MISC_GRPLEADER | MISC_USERMODE);
	raw_close(&raw);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 7)), 0);
}

static void bind_any_takes_first_user_endpoint(void **state)
{
	struct raw raws[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		raw_open(&raws[i]);
		assert_int_equal(raw_bind(&raws[i], 0, ANY, NULL), 30 + i);
	}
	assert_int_equal(raw_call(&raws[1], REQUEST(UNBIND, .endpoint = SELF)), 0);
	assert_int_equal(raw_bind(&raws[1], 0, ANY, NULL), 31);
	for (int i = 0; i < 3; i++)
		raw_close(&raws[i]);
}

static void bind_any_when_full(void **state)
{
	struct raw raws[3];

	(void)state;
	assert_int_equal(
		raw_call(&admin,
			 REQUEST(DC_INIT,
				 .dc = { .dc_dcid = 7, .dc_nr_tasks = 1, .dc_nr_procs = 3, .dc_nr_sysprocs = 2 })),
		0);
	for (int i = 0; i < 3; i++)
		raw_open(&raws[i]);
	assert_int_equal(raw_bind(&raws[0], 7, ANY, NULL), 1);
	assert_int_equal(raw_bind(&raws[1], 7, ANY, NULL), 2);
	assert_int_equal(raw_bind(&raws[2], 7, ANY, NULL), EDVSRSCBUSY);
	for (int i = 0; i < 3; i++)
		raw_close(&raws[i]);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END, .dcid = 7)), 0);
}

static void page_is_sealed_and_mapped(void **state)
{
	struct dvk_process_page *page;
	struct received answer;
	struct raw raw;
	int fd;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_bind(&raw, 0, 9, &fd), 9);
	assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 2 * DVK_PAGE_SIZE), -1);
	page = map_page(fd, PROT_READ | PROT_WRITE);
	assert_int_equal(page->getfrom, NONE);
	assert_int_equal(page->sendto, NONE);
	assert_int_equal(page->rts_flags, 0);
	page->rts_flags = 0xffffffff;
	page->getfrom = ANY;
	page->sendto = 123456;
	page->messages_sent = 11;
	page->copies = 12;
	answer = raw_call_full(&admin, REQUEST(GET_PROC_INFO, .dcid = 0, .endpoint = 9), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.proc.p_rts_flags, SENDING | RECEIVING | ONCOPY);
	assert_int_equal(answer.packet.proc.p_getfrom, ANY);
	assert_int_equal(answer.packet.proc.p_sendto, NONE);
	assert_int_equal(answer.packet.proc.p_lclsent, 11);
	assert_int_equal(answer.packet.proc.p_lclcopy, 12);
	unmap_page(page);
	close(fd);
	raw_close(&raw);
}

static void unbind_codes(void **state)
{
	struct raw raw;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_call(&raw, REQUEST(UNBIND, .endpoint = SELF)), EDVSNOTBIND);
	assert_int_equal(raw_call(&raw, REQUEST(UNBIND, .dcid = 40, .endpoint = 3)), EDVSBADDCID);
	assert_int_equal(raw_call(&raw, REQUEST(UNBIND, .dcid = 4, .endpoint = 3)), EDVSDCNOTRUN);
	assert_int_equal(raw_call(&raw, REQUEST(UNBIND, .endpoint = 500)), EDVSENDPOINT);
	assert_int_equal(raw_call(&raw, REQUEST(UNBIND, .endpoint = 3)), EDVSNOTBIND);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	assert_int_equal(raw_call(&raw, REQUEST(UNBIND, .endpoint = 3)), 0);
	assert_int_equal(raw_bind(&raw, 0, 5, NULL), 5);
	assert_int_equal(raw_call(&raw, REQUEST(UNBIND, .endpoint = SELF)), 0);
	raw_no_event(&raw);
	raw_close(&raw);
}

/* The endpoints of two threads of one process: no signal, which would end both. */
static void unbind_of_own_thread(void **state)
{
	struct received event;
	struct raw raw;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 3, .timeout = -1)), 0);
	event = raw_event(&raw, DVK_EVENT_UNBOUND);
	assert_int_equal(event.packet.result, EDVSNOTBIND);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	raw_close(&raw);
}

static void unbind_of_another_ends_it(void **state)
{
	struct puppet puppet;

	(void)state;
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 3, NULL), 3);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 3, .timeout = -2)), EDVSINVAL);
	assert_int_equal(raw_call(&puppet.raw, REQUEST(WAIT_BIND, .endpoint = SELF)), 0);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 3, .timeout = -1)), 0);
	assert_int_equal(wait_process(puppet.pid), 128 + SIGTERM);
	raw_close(&puppet.raw);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 3, .timeout = -1)), EDVSNOTBIND);
}

/* A stopped process does not die of SIGTERM until it goes on. */
static void unbind_of_another_times_out(void **state)
{
	struct puppet puppet;
	struct raw other;
	uint32_t serial;

	(void)state;
	raw_open(&other);
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 3, NULL), 3);
	assert_int_equal(kill(puppet.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(puppet.pid, NULL, WUNTRACED), puppet.pid);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 3, .timeout = 0)), EDVSAGAIN);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 3, .timeout = 20)), EDVSTIMEDOUT);
	serial = raw_ask(&admin, REQUEST(UNBIND, .endpoint = 3, .timeout = -1), -1);
	/* Two rounds of the node's loop later it has read that request, whatever it looks at first. */
	assert_int_equal(raw_call(&other, REQUEST(GET_DVS_INFO)), 0);
	assert_int_equal(raw_call(&other, REQUEST(GET_DVS_INFO)), 0);
	assert_int_equal(kill(puppet.pid, SIGCONT), 0);
	assert_int_equal(raw_answer(&admin, serial).packet.result, 0);
	raw_close(&other);
	assert_int_equal(wait_process(puppet.pid), 128 + SIGTERM);
	raw_close(&puppet.raw);
}

static void getep(void **state)
{
	struct received answer;
	struct puppet puppet;
	pid_t gone;

	(void)state;
	puppet_open(&puppet);
	assert_int_equal(raw_call(&admin, REQUEST(GETEP, .pid = puppet.pid)), EDVSNOTBIND);
	assert_int_equal(raw_bind(&puppet.raw, 0, -2, NULL), -2);
	answer = raw_call_full(&admin, REQUEST(GETEP, .pid = puppet.pid), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, -2);
	puppet_end(&puppet);
	gone = puppet.pid;
	assert_int_equal(raw_call(&admin, REQUEST(GETEP, .pid = gone)), EDVSBADPID);
	assert_int_equal(raw_call(&admin, REQUEST(GETEP, .pid = 0)), EDVSBADPID);
	assert_int_equal(raw_call(&admin, REQUEST(GETEP, .pid = -1)), EDVSBADPID);
}

static void wait_bind(void **state)
{
	struct received answer;
	struct puppet puppet;
	struct raw raw;
	uint32_t serial;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = 3)), EDVSNOTBIND);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = SELF, .timeout = 0)), EDVSAGAIN);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = SELF, .timeout = 10)), EDVSTIMEDOUT);
	assert_int_equal(raw_bind(&raw, 0, 40, NULL), 40);
	answer = raw_call_full(&raw, REQUEST(WAIT_BIND, .endpoint = SELF), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 40);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = 221)), EDVSENDPOINT);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = ANY)), EDVSENDPOINT);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = 3, .timeout = -2)), EDVSINVAL);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = 3, .timeout = 0)), EDVSAGAIN);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = 3, .timeout = 10)), EDVSTIMEDOUT);
	serial = raw_ask(&raw, REQUEST(WAIT_BIND, .endpoint = 3, .timeout = -1), -1);
	answer = raw_call_full(&admin, REQUEST(GET_PROC_INFO, .endpoint = 40), -1);
	assert_int_equal(answer.packet.proc.p_rts_flags, WAITBIND);
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 3, NULL), 3);
	answer = raw_answer(&raw, serial);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 3);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_BIND, .endpoint = 3, .timeout = 0)), 0);
	puppet_end(&puppet);
	raw_close(&raw);
}

static void wait_unbind(void **state)
{
	struct received answer;
	struct puppet puppet;
	struct raw raw;
	uint32_t serial;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_UNBIND, .endpoint = 3)), EDVSNOTBIND);
	assert_int_equal(raw_bind(&raw, 0, 40, NULL), 40);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_UNBIND, .endpoint = 40, .timeout = -1)), EDVSENDPOINT);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_UNBIND, .endpoint = SELF, .timeout = -1)), EDVSENDPOINT);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_UNBIND, .endpoint = -99, .timeout = -1)), EDVSENDPOINT);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_UNBIND, .endpoint = 3, .timeout = -1)), 0);
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 3, NULL), 3);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_UNBIND, .endpoint = 3, .timeout = 0)), EDVSAGAIN);
	assert_int_equal(raw_call(&raw, REQUEST(WAIT_UNBIND, .endpoint = 3, .timeout = 10)), EDVSTIMEDOUT);
	serial = raw_ask(&raw, REQUEST(WAIT_UNBIND, .endpoint = 3, .timeout = -1), -1);
	answer = raw_call_full(&admin, REQUEST(GET_PROC_INFO, .endpoint = 40), -1);
	assert_int_equal(answer.packet.proc.p_rts_flags, WAITUNBIND);
	assert_int_equal(answer.packet.proc.p_waitunbind, 3);
	assert_int_equal(raw_call(&puppet.raw, REQUEST(UNBIND, .endpoint = SELF)), 0);
	assert_int_equal(raw_answer(&raw, serial).packet.result, 0);

	/* The waiter loses its own endpoint: nothing is left to wait with. */
	assert_int_equal(raw_bind(&puppet.raw, 0, 3, NULL), 3);
	serial = raw_ask(&raw, REQUEST(WAIT_UNBIND, .endpoint = 3, .timeout = -1), -1);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 40, .timeout = -1)), 0);
	assert_int_equal(raw_answer(&raw, serial).packet.result, EDVSNOTBIND);
	raw_event(&raw, DVK_EVENT_UNBOUND);
	puppet_end(&puppet);
	raw_close(&raw);
}

/* A wait that the client gave up (a signal came) is not answered; what it asks next is. */
static void next_request_replaces_wait(void **state)
{
	struct received answer;
	struct puppet puppet;
	struct raw raw;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_bind(&raw, 0, 40, NULL), 40);
	raw_ask(&raw, REQUEST(WAIT_BIND, .endpoint = 3, .timeout = -1), -1);
	answer = raw_call_full(&raw, REQUEST(GETEP, .pid = getpid()), -1);
	assert_int_equal(answer.packet.endpoint, 40);
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 3, NULL), 3);
	raw_no_event(&raw);
	puppet_end(&puppet);
	raw_close(&raw);
}

static void dvs_info(void **state)
{
	struct received answer = raw_call_full(&admin, REQUEST(GET_DVS_INFO), -1);

	(void)state;
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.argument, 0);
	assert_string_equal(answer.packet.dvs.d_name, "DVS");
	assert_int_equal(answer.packet.dvs.d_nr_dcs, NR_DCS);
	assert_int_equal(answer.packet.dvs.d_nr_tasks, NR_TASKS);
	assert_int_equal(answer.packet.dvs.d_nr_procs, NR_PROCS);
	assert_int_equal(answer.packet.dvs.d_max_copylen, MAXCOPYLEN);
	assert_int_equal(answer.packet.dvs.d_version, DVS_VERSION);
	assert_int_equal(answer.packet.dvs.d_flags, DVS_INITIALIZED | DVS_USERMODE);
}

static void dc_info_codes(void **state)
{
	struct received answer;
	struct raw raw;

	(void)state;
	raw_open(&raw);
	assert_int_equal(raw_call(&raw, REQUEST(GET_DC_INFO, .dcid = 32)), EDVSBADDCID);
	assert_int_equal(raw_call(&raw, REQUEST(GET_DC_INFO, .dcid = -2)), EDVSBADDCID);
	assert_int_equal(raw_call(&raw, REQUEST(GET_DC_INFO, .dcid = 3)), EDVSDCNOTRUN);
	assert_int_equal(raw_call(&raw, REQUEST(GET_DC_INFO, .dcid = -1)), EDVSNOTBIND);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	answer = raw_call_full(&raw, REQUEST(GET_DC_INFO, .dcid = -1), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.dc.dc_dcid, 0);
	raw_close(&raw);
}

static void proc_info(void **state)
{
	struct received answer;
	struct puppet puppet;

	(void)state;
	assert_int_equal(raw_call(&admin, REQUEST(GET_PROC_INFO, .dcid = 32)), EDVSBADDCID);
	assert_int_equal(raw_call(&admin, REQUEST(GET_PROC_INFO, .dcid = 3)), EDVSDCNOTRUN);
	assert_int_equal(raw_call(&admin, REQUEST(GET_PROC_INFO, .endpoint = -35)), EDVSBADPROC);
	assert_int_equal(raw_call(&admin, REQUEST(GET_PROC_INFO, .endpoint = 221)), EDVSBADPROC);
	answer = raw_call_full(&admin, REQUEST(GET_PROC_INFO, .endpoint = 7), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.proc.p_rts_flags, SLOT_FREE);
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 7, NULL), 7);
	answer = raw_call_full(&admin, REQUEST(GET_PROC_INFO, .endpoint = 7), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.proc.p_rts_flags, 0);
	assert_int_equal(answer.packet.proc.p_lpid, puppet.pid);
	assert_int_equal(answer.packet.proc.p_nr, 7);
	assert_int_equal(answer.packet.proc.p_nodemap, 1);
	assert_int_equal(answer.packet.proc.p_misc_flags, MISC_GRPLEADER);
	assert_int_equal(answer.packet.proc.p_getfrom, NONE);
	assert_int_equal(strncmp(answer.packet.proc.p_name, "test_node_calls", MAXPROCNAME), 0);
	puppet_end(&puppet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hello, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(only_hello_comes_first, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(unknown_call, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(dc_init_defaults, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(dc_init_ranges, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(bind_codes, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(bind_answer, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(bind_any_takes_first_user_endpoint, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(bind_any_when_full, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(page_is_sealed_and_mapped, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(unbind_codes, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(unbind_of_own_thread, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(unbind_of_another_ends_it, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(unbind_of_another_times_out, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(getep, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(wait_bind, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(wait_unbind, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(next_request_replaces_wait, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(dvs_info, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(dc_info_codes, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(proc_info, open_admin, close_admin),
	};

	return cmocka_run_group_tests(tests, start_node, stop_node);
}
