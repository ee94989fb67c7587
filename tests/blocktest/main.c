/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blocktest's outermost layer: options, the order of the tests, and how their
 * results are told. What is tested, and the results' names: blocktest.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "blocktest.h"

#define SIZE_MIN     ((uint64_t)131072) /* bytes: smallest device, and smallest first window */
#define EXIT_TROUBLE 2			/* nothing could be tested */

static const char usage[] =
	"Usage: blocktest -d DCID -e ENDPOINT -m MINOR [OPTION]...\n"
	"Tests whether a minor of a disk server behaves as the disk protocol demands.\n"
	"\n"
	"  -d, --dcid DCID          container of the server\n"
	"  -e, --endpoint ENDPOINT  of the server\n"
	"  -m, --minor MINOR        the device to test\n"
	"      --destructive        test writing too: ALL THAT THE DEVICE HOLDS IS LOST\n"
	"      --grant              let the server map the buffers, in place of copying to and from them\n"
	"      --size-limit BYTES   test the first BYTES of the device (and its end); 8388608\n"
	"      --timeout MS         to wait for one answer; 30000\n"
	"      --json               results as one JSON object\n"
	"  -h, --help               print this and exit\n"
	"\n"
	"Exit status: 0 all tests passed; 1 some failed; 2 nothing could be tested.\n";

static const char *result_name(enum blocktest_result result)
{
	static const char *const names[] = {
#define BLOCKTEST_NAME(name) #name,
		BLOCKTEST_RESULTS(BLOCKTEST_NAME)
#undef BLOCKTEST_NAME
	};

	return names[result];
}

/* ---- options ---- */

static int64_t parse_number(const char *option, const char *text, int64_t least, int64_t most)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < least || value > most) {
		fprintf(stderr, "blocktest: %s \"%s\": not a number from %lld to %lld\n", option, text,
			(long long)least, (long long)most);
		exit(EXIT_TROUBLE);
	}
	return value;
}

static void parse_options(struct blocktest *test, int argc, char **argv)
{
	enum { DESTRUCTIVE = 256, GRANT, SIZE_LIMIT, TIMEOUT, JSON };
	static const struct option options[] = {
		{ "dcid", required_argument, NULL, 'd' },
		{ "endpoint", required_argument, NULL, 'e' },
		{ "minor", required_argument, NULL, 'm' },
		{ "destructive", no_argument, NULL, DESTRUCTIVE },
		{ "grant", no_argument, NULL, GRANT },
		{ "size-limit", required_argument, NULL, SIZE_LIMIT },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "json", no_argument, NULL, JSON },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool dcid = false, endpoint = false, minor = false;
	int option;

	while ((option = getopt_long(argc, argv, "d:e:m:h", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			test->dcid = (int)parse_number("container", optarg, 0, NR_DCS - 1);
			dcid = true;
			break;
		case 'e':
			test->server = (int)parse_number("endpoint", optarg, -NR_TASKS, NR_PROCS - 1);
			endpoint = true;
			break;
		case 'm':
			test->minor = (int)parse_number("minor", optarg, 0, INT32_MAX);
			minor = true;
			break;
		case DESTRUCTIVE:
			test->destructive = true;
			break;
		case GRANT:
			test->grant = true;
			break;
		case SIZE_LIMIT:
			test->size_limit = (uint64_t)parse_number("size limit", optarg, (int64_t)SIZE_MIN, INT64_MAX);
			break;
		case TIMEOUT:
			test->timeout_ms = (int)parse_number("time-out", optarg, 1, INT32_MAX);
			break;
		case JSON:
			test->json = true;
			break;
		case 'h':
			exit(fputs(usage, stdout) < 0 ? EXIT_TROUBLE : 0);
		default:
			exit(EXIT_TROUBLE);
		}
	}
	if (dcid && endpoint && minor && optind == argc)
		return;
	fputs(usage, stderr);
	exit(EXIT_TROUBLE);
}

/* ---- connecting ---- */

/* The arena: this process's own memory, or memory that the server is allowed to map. */
static int make_arena(struct blocktest *test)
{
	int fd = memfd_create("blocktest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *arena;
	int code;

	if (fd < 0 || ftruncate(fd, (off_t)ARENA_SIZE) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		fprintf(stderr, "blocktest: cannot make memory to share: %s\n", strerror(errno));
		return -1;
	}
	arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (arena == MAP_FAILED) {
		fprintf(stderr, "blocktest: cannot map %zu bytes: %s\n", ARENA_SIZE, strerror(errno));
		return -1;
	}
	test->arena = arena;
	code = test->grant ? dvk_grant(test->server, fd, 0, arena, ARENA_SIZE) : 0;
	(void)close(fd);
	if (code) {
		fprintf(stderr, "blocktest: cannot share memory with endpoint %d: %s\n", test->server,
			dvk_strerror(code));
		return -1;
	}
	return 0;
}

static int connect_server(struct blocktest *test)
{
	int code = dvk_open();

	if (code) {
		fprintf(stderr, "blocktest: cannot connect to the node: %s\n", dvk_strerror(code));
		return -1;
	}
	test->self = dvk_bind(test->dcid, ANY);
	if (test->self < EDVSERRCODE) {
		fprintf(stderr, "blocktest: cannot bind in container %d: %s\n", test->dcid, dvk_strerror(test->self));
		return -1;
	}
	/* Where the host lets only debuggers reach into a process: the server may. */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	return make_arena(test);
}

/* ---- running ---- */

struct totals {
	int passed, failed, skipped;
	cJSON *list; /* NULL: results are printed as they come */
};

static void tell(struct totals *totals, const char *group, const char *name, const char *result, const char *detail)
{
	cJSON *entry;

	if (!totals->list) {
		printf("%s/%s: %s%s%s\n", group, name, result, *detail ? ": " : "", detail);
		(void)fflush(stdout);
		return;
	}
	entry = cJSON_CreateObject();
	cJSON_AddStringToObject(entry, "group", group);
	cJSON_AddStringToObject(entry, "name", name);
	cJSON_AddStringToObject(entry, "result", result);
	cJSON_AddStringToObject(entry, "detail", detail);
	cJSON_AddItemToArray(totals->list, entry);
}

static const char *reason_to_skip(const struct blocktest *test, unsigned int needs)
{
	bool read_only = test->info.flags & RDISK_INFO_READ_ONLY;

	if ((needs & (NEEDS_DESTRUCTIVE | NEEDS_WRITABLE)) && read_only)
		return "the device is read-only";
	if ((needs & NEEDS_DESTRUCTIVE) && !test->destructive)
		return "needs --destructive";
	if ((needs & NEEDS_EXCLUSIVE) && (test->info.flags & RDISK_INFO_SHARED))
		return "the device is shared";
	return NULL;
}

static bool server_is_gone(const struct blocktest *test)
{
	return test->result == RESULT_DEATH || test->result == RESULT_COMMFAIL;
}

/* Runs one test; false when there is no use in running more. */
static bool run_case(struct blocktest *test, struct totals *totals, const struct blocktest_case *one)
{
	const char *reason = reason_to_skip(test, one->needs);

	if (reason) {
		totals->skipped++;
		tell(totals, one->group, one->name, "SKIPPED", reason);
		return true;
	}
	test->result = RESULT_OK;
	test->detail[0] = 0;
	one->run(test);
	if (test->result == RESULT_OK)
		totals->passed++;
	else
		totals->failed++;
	tell(totals, one->group, one->name, result_name(test->result), test->detail);
	return !server_is_gone(test);
}

static bool run_cases(struct blocktest *test, struct totals *totals, const struct blocktest_case *cases)
{
	for (; cases->group; cases++)
		if (!run_case(test, totals, cases))
			return false;
	return true;
}

/* The tests that all others rest on. */
static void start_info(struct blocktest *test)
{
	struct rdisk_info *info = (struct rdisk_info *)(void *)arena_buffer(test);
	message request = new_request(test, DEV_IOCTL);

	request.REQUEST = RDISK_IOC_INFO;
	request.ADDRESS = (char *)info;
	mark_memory(test, arena_buffer(test), sizeof(*info));
	if (!expect_status(test, &request, 0, "RDISK_IOC_INFO") ||
	    !check_marks(test, (unsigned char *)(info + 1), GUARD_SIZE, "RDISK_IOC_INFO"))
		return;
	test->info = *info;
	if (info->size > INT64_MAX || info->size < SIZE_MIN || (uint32_t)test->minor >= info->nr_minors ||
	    info->size_of != sizeof(*info) || !memchr(info->name, 0, sizeof(info->name)))
		(void)fail_test(test, RESULT_CORRUPT, "RDISK_IOC_INFO tells %llu bytes (%llu are needed), %u minors",
				(unsigned long long)info->size, (unsigned long long)SIZE_MIN, info->nr_minors);
}

static void start_open(struct blocktest *test)
{
	message request = new_request(test, DEV_OPEN);

	if (test->info.flags & RDISK_INFO_READ_ONLY)
		test->destructive = false;
	request.COUNT = test->destructive ? RDISK_OPEN_WRITE | RDISK_OPEN_READ : RDISK_OPEN_READ;
	if (expect_status(test, &request, 0, "open"))
		(void)load_windows(test);
}

static void end_close(struct blocktest *test)
{
	message request = new_request(test, DEV_CLOSE);

	(void)expect_status(test, &request, 0, "close");
}

static void run_all(struct blocktest *test, struct totals *totals)
{
	static const struct blocktest_case info_case = { "start", "info", 0, start_info };
	static const struct blocktest_case open_case = { "start", "open", 0, start_open };
	static const struct blocktest_case close_case = { "end", "close", 0, end_close };
	static const struct blocktest_case *const open_groups[] = { bad_cases, vector_cases, data_cases, batch_cases };

	if (!run_case(test, totals, &info_case) || test->result != RESULT_OK)
		return;
	if (!run_cases(test, totals, rules_cases) || !run_case(test, totals, &open_case) || test->result != RESULT_OK)
		return;
	for (size_t i = 0; i < sizeof(open_groups) / sizeof(open_groups[0]); i++)
		if (!run_cases(test, totals, open_groups[i]))
			return;
	(void)run_case(test, totals, &close_case);
}

static void print_json(const struct blocktest *test, const struct totals *totals)
{
	cJSON *root = cJSON_CreateObject();
	char *text;

	cJSON_AddNumberToObject(root, "dcid", test->dcid);
	cJSON_AddNumberToObject(root, "endpoint", test->server);
	cJSON_AddNumberToObject(root, "minor", test->minor);
	cJSON_AddItemToObject(root, "tests", totals->list);
	cJSON_AddNumberToObject(root, "passed", totals->passed);
	cJSON_AddNumberToObject(root, "failed", totals->failed);
	cJSON_AddNumberToObject(root, "skipped", totals->skipped);
	text = cJSON_Print(root);
	cJSON_Delete(root);
	puts(text ? text : "{}");
	cJSON_free(text);
}

int main(int argc, char **argv)
{
	static struct blocktest test = { .timeout_ms = 30000,
					 .size_limit = (uint64_t)8 << 20,
					 .random = 88172645463325252u };
	struct totals totals = { 0 };

	parse_options(&test, argc, argv);
	if (connect_server(&test))
		return EXIT_TROUBLE;
	if (test.json)
		totals.list = cJSON_CreateArray();
	run_all(&test, &totals);
	if (test.json)
		print_json(&test, &totals);
	else
		printf("%d passed, %d failed, %d skipped\n", totals.passed, totals.failed, totals.skipped);
	(void)dvk_close();
	free(test.low.bytes);
	free(test.tail.bytes);
	if (fflush(stdout)) {
		fprintf(stderr, "blocktest: cannot write the results: %s\n", strerror(errno));
		return EXIT_TROUBLE;
	}
	return totals.failed ? 1 : 0;
}
