/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See store_holder.h.
 */
#include "store_holder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_test.h"

static pid_t holder;

void holder_start(const struct store_settings *settings)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	holder = fork();
	assert_true(holder >= 0);
	if (holder == 0) {
		struct diagnostic diagnostic;
		struct store store;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (store_open(&store, settings, &completions, &diagnostic) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

void holder_kill(const char *text)
{
	(void)text;
	assert_int_equal(kill(holder, SIGKILL), 0);
}

void holder_end(void)
{
	kill(holder, SIGKILL);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
}
