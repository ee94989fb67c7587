// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copies between processes of different users: what is granted can be copied, what is not must not even be touched.
 * The tester is a server of root's, the party a member of the node's group. Skipped unless root runs it.
 */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc_fixture.h"
#include "test_directory.h"
#include "test_fuse.h"

#define GROUP	      "nogroup"
#define MEMBER	      23456
#define SIZE	      4096
#define NOT_AVAILABLE 77

static gid_t member_gid;

static int setup(void **state)
{
	const struct group *group = getgrnam(GROUP);

	if (geteuid() != 0 || !group)
		return 0;
	member_gid = group->gr_gid;
	*state = &member_gid;
	if (chmod(test_directory(), 0711))
		return -1;
	return ipc_setup_group(GROUP);
}

static int teardown(void **state)
{
	return *state ? ipc_teardown(state) : 0;
}

/* False: the test cannot be. */
static bool available(void *const *state)
{
	if (*state)
		return true;
	print_message("skipped: needs root and a group \"" GROUP "\"\n");
	skip();
	return false;
}

/* The party becomes a member and binds a user's endpoint. */
static void become_member(void)
{
	EXPECT_RC(setgroups(0, NULL), 0);
	EXPECT_RC(setresgid(member_gid, member_gid, member_gid), 0);
	EXPECT_RC(setresuid(MEMBER, MEMBER, MEMBER), 0);
	/* That it has lost with its user. */
	EXPECT_RC(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	EXPECT_RC(dvk_bind(DC, USER), USER);
}

/* Has two pages, of which the first is granted if there is a descriptor. */
static void member(void *argument)
{
	const int *fd = argument;
	message msg = { 0 };
	char *area;

	become_member();
	area = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(area != MAP_FAILED);
	if (fd) {
		EXPECT(mmap(area, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, *fd, 0) == area);
		EXPECT_RC(dvk_grant(TESTER, *fd, 0, area, SIZE), 0);
	}
	memset(area, 'a', 2 * SIZE);
	msg.m1_p1 = area;
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	for (size_t i = 0; i < SIZE; i++)
		EXPECT(area[i] == (fd ? 'b' : 'a'));
	for (size_t i = SIZE; i < 2 * SIZE; i++)
		EXPECT(area[i] == 'a');
}

static void test_not_granted(void **state)
{
	char buffer[SIZE] = "untouched";
	message msg;
	int party;

	if (!available(state))
		return;
	party = party_start(NONE, member, NULL);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_vcopy(USER, msg.m1_p1, SELF, buffer, SIZE), EDVSPERM);
	assert_string_equal(buffer, "untouched");
	assert_int_equal(dvk_vcopy(SELF, buffer, USER, msg.m1_p1, SIZE), EDVSPERM);
	assert_int_equal(dvk_reply(USER, &msg), 0);
	party_join(party);
}

static void test_granted(void **state)
{
	char buffer[SIZE];
	message msg;
	int party, fd;

	if (!available(state))
		return;
	fd = memfd_create("area", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	party = party_start(NONE, member, &fd);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_vcopy(USER, msg.m1_p1, SELF, buffer, SIZE), SIZE);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(buffer[i], 'a');
	memset(buffer, 'b', SIZE);
	assert_int_equal(dvk_vcopy(SELF, buffer, USER, msg.m1_p1, SIZE), SIZE);
	/* One byte behind what is granted. */
	assert_int_equal(dvk_vcopy(USER, msg.m1_p1 + 1, SELF, buffer, SIZE), EDVSPERM);
	assert_int_equal(dvk_vcopy(SELF, buffer, USER, msg.m1_p1 + SIZE, 1), EDVSPERM);
	assert_int_equal(dvk_reply(USER, &msg), 0);
	party_join(party);
	close(fd);
}

static void root_party(void *argument)
{
	static char area[SIZE];
	message msg = { .m1_p1 = area };

	(void)argument;
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(area[0] == 0);
}

/* Root's own process is reached, and a member's is not by way of it. */
static void test_third_party(void **state)
{
	message msg, from_root;
	int party, root;
	char byte;

	if (!available(state))
		return;
	party = party_start(NONE, member, NULL);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	root = party_start(PARTY, root_party, NULL);
	assert_int_equal(dvk_receive_T(ANY, &from_root, LONG_MS), 0);
	assert_int_equal(dvk_vcopy(PARTY, from_root.m1_p1, SELF, &byte, 1), 1);
	assert_int_equal(dvk_vcopy(USER, msg.m1_p1, PARTY, from_root.m1_p1, 1), EDVSPERM);
	assert_int_equal(dvk_vcopy(PARTY, from_root.m1_p1, USER, msg.m1_p1, 1), EDVSPERM);
	assert_int_equal(dvk_reply(PARTY, &from_root), 0);
	assert_int_equal(dvk_reply(USER, &msg), 0);
	party_join(root);
	party_join(party);
}

static void member_with_descriptors(void *argument)
{
	(void)argument;
	EXPECT_RC(setgroups(0, NULL), 0);
	EXPECT_RC(setresgid(member_gid, member_gid, member_gid), 0);
	EXPECT_RC(setresuid(MEMBER, MEMBER, MEMBER), 0);
	EXPECT_RC(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	EXPECT_RC(dvk_use_descriptors(-1), 0);
	EXPECT_RC(dvk_open(), EDVSPERM);
}

/* Who watches a descriptor can make its closing wait: members do not get any. */
static void test_members_have_no_bells(void **state)
{
	if (!available(state))
		return;
	party_join(party_start(NONE, member_with_descriptors, NULL));
}

/* Two pipes: the file system lives until the test closes the first, and the second tells the test that there is one. */
struct plan {
	int life[2];
	int tell[2];
};

/* Its memory is a file of its own file system: touching it would be waiting for that. */
static void owner_of_file_system(void *argument)
{
	const struct plan *plan = argument;
	message msg = { 0 };
	void *area;
	int fd;

	close(plan->life[1]);
	if (test_fuse_mount(MEMBER, member_gid, plan->life[0]))
		_exit(NOT_AVAILABLE);
	EXPECT_RC(write(plan->tell[1], "", 1), 1);
	become_member();
	fd = open(TEST_FUSE_FILE, O_RDWR | O_CLOEXEC);
	EXPECT(fd >= 0);
	area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(area != MAP_FAILED);
	msg.m1_p1 = area;
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
}

static void test_file_of_own_file_system(void **state)
{
	struct plan plan;
	int party, status;
	bool mounted;
	char byte = 0;
	message msg;

	if (!available(state))
		return;
	assert_int_equal(pipe2(plan.life, O_CLOEXEC), 0);
	assert_int_equal(pipe2(plan.tell, O_CLOEXEC), 0);
	party = party_start(NONE, owner_of_file_system, &plan);
	close(plan.life[0]);
	close(plan.tell[1]);
	mounted = read(plan.tell[0], &byte, 1) == 1;
	close(plan.tell[0]);
	if (!mounted) {
		close(plan.life[1]);
		assert_int_equal(waitpid(party, &status, 0), party);
		assert_int_equal(WEXITSTATUS(status), NOT_AVAILABLE);
		print_message("skipped: FUSE cannot be mounted here\n");
		skip();
	}
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_vcopy(USER, msg.m1_p1, SELF, &byte, 1), EDVSPERM);
	assert_int_equal(dvk_vcopy(SELF, &byte, USER, msg.m1_p1, 1), EDVSPERM);
	assert_int_equal(dvk_reply(USER, &msg), 0);
	close(plan.life[1]);
	party_join(party);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define USERS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		USERS_TEST(test_not_granted),
		USERS_TEST(test_granted),
		USERS_TEST(test_third_party),
		USERS_TEST(test_members_have_no_bells),
		USERS_TEST(test_file_of_own_file_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
