/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request and the judgement of its answer.
 */
#include <stdarg.h>
#include <stdio.h>

#include "blocktest.h"

bool fail_test(struct blocktest *test, enum blocktest_result result, const char *format, ...)
{
	va_list arguments;

	if (test->result != RESULT_OK)
		return false;
	test->result = result;
	va_start(arguments, format);
	vsnprintf(test->detail, sizeof(test->detail), format, arguments);
	va_end(arguments);
	return false;
}

message new_request(const struct blocktest *test, int type)
{
	message request = { .m_type = type };

	request.DEVICE = test->minor;
	request.IO_ENDPT = test->self;
	return request;
}

static bool is_death(int code)
{
	return code == EDVSDEADSRCDST || code == EDVSDSTDIED || code == EDVSSRCDIED || code == EDVSNOTBIND;
}

bool call_server(struct blocktest *test, const message *request, int *status)
{
	message msg = *request;
	int code = dvk_sendrec_T(test->server, &msg, test->timeout_ms);

	if (is_death(code))
		return fail_test(test, RESULT_DEATH, "type %d: %s", request->m_type, dvk_strerror(code));
	if (code)
		return fail_test(test, RESULT_COMMFAIL, "type %d: %s", request->m_type, dvk_strerror(code));
	if (msg.m_type != MOLTASK_REPLY)
		return fail_test(test, RESULT_BADTYPE, "type %d was answered with type %d", request->m_type,
				 msg.m_type);
	if (msg.REP_ENDPT != request->IO_ENDPT)
		return fail_test(test, RESULT_BADID, "type %d: the answer is for endpoint %d", request->m_type,
				 msg.REP_ENDPT);
	*status = msg.REP_STATUS;
	return true;
}

bool expect_status(struct blocktest *test, const message *request, int wanted, const char *what)
{
	int status;

	if (!call_server(test, request, &status))
		return false;
	if (status == wanted)
		return true;
	if (wanted < 0)
		return fail_test(test, RESULT_BADSTATUS, "%s: status %d in place of %d (%s)", what, status, wanted,
				 dvk_strerror(wanted));
	if (status < 0)
		return fail_test(test, RESULT_UNEXFAIL, "%s: %s (%d)", what, dvk_strerror(status), status);
	if (status < wanted)
		return fail_test(test, RESULT_TRUNC, "%s: %d bytes of %d", what, status, wanted);
	return fail_test(test, RESULT_OVERFLOW, "%s: %d bytes in place of %d", what, status, wanted);
}

bool expect_error(struct blocktest *test, const message *request, const char *what)
{
	int status;

	if (!call_server(test, request, &status))
		return false;
	return status < 0 || fail_test(test, RESULT_BADSTATUS, "%s: accepted, status %d", what, status);
}

int64_t expected_bytes(const struct blocktest *test, int64_t position, int64_t length)
{
	int64_t size = (int64_t)test->info.size;

	if (position >= size)
		return 0;
	return length < size - position ? length : size - position;
}
