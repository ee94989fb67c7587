/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group "replication" of the configuration file: what it becomes, what is taken without a setting, and for each
 * way in which one can be wrong the line and the cause; which member a process is; what a person is warned of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "configuration.h"
#include "options.h"
#include "replication_self.h"
#include "test_directory.h"

#define DISK "devices = ( { name = \"disk\"; image_file = \"disk.img\"; size = \"1M\"; replicated = true; } );\n"
#define MEMBERS                                                                                                        \
	"members = ( { node = 1; name = \"a\"; address = \"203.0.113.1\"; }, "                                         \
	"{ node = 2; name = \"b\"; address = \"203.0.113.2\"; }, "                                                     \
	"{ node = 3; name = \"c\"; address = \"203.0.113.3\"; diskless = true; } );\n"
#define PATHS "key_file = \"set.key\"; state_dir = \"state\";\n"

static char path[TEST_PATH_SIZE];
static struct configuration configuration;

static void write_file(const char *text)
{
	FILE *file;

	test_path(path, "set.cfg");
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file))
		test_fatal("cannot write %s", path);
}

/* The file must be good. */
static struct replication_configuration *assert_reads(const char *text)
{
	struct diagnostic diagnostic = { "" };

	configuration_free(&configuration);
	write_file(text);
	if (configuration_read(&configuration, path, &diagnostic))
		fail_msg("refused: %s", diagnostic.text);
	return &configuration.replication;
}

static void assert_refused(const char *text, int line, const char *cause)
{
	struct diagnostic diagnostic = { "" };
	char start[TEST_PATH_SIZE + 16];

	configuration_free(&configuration);
	write_file(text);
	assert_int_equal(configuration_read(&configuration, path, &diagnostic), -1);
	snprintf(start, sizeof(start), "%s:%d: ", path, line);
	if (strncmp(diagnostic.text, start, strlen(start)) || !strstr(diagnostic.text, cause))
		fail_msg("\"%s\" is not %s...%s", diagnostic.text, start, cause);
	assert_int_equal(configuration.replication.nr_members, 0);
}

/* One bad setting, in line 6, of a set that is good without it. */
static void assert_setting_refused(const char *setting, const char *cause)
{
	char text[2048];

	snprintf(text, sizeof(text), DISK "replication = { set = \"s\";\n" MEMBERS PATHS "min_in_sync = 2;\n%s\n};\n",
		 setting);
	assert_refused(text, 6, cause);
}

/* The same without a key_file and a state_dir before it. */
static void assert_path_refused(const char *settings, int line, const char *cause)
{
	char text[2048];

	snprintf(text, sizeof(text), DISK "replication = { set = \"s\";\n" MEMBERS "%s\n};\n", settings);
	assert_refused(text, line, cause);
}

/* A list of members, in line 3, that is bad. */
static void assert_members_refused(const char *members, int line, const char *cause)
{
	char text[4096];

	snprintf(text, sizeof(text), DISK "replication = { set = \"s\"; " PATHS "members = ( %s );\n};\n", members);
	assert_refused(text, line, cause);
}

static void test_all_settings(void **state)
{
	const struct replication_configuration *replication;
	char expected[TEST_PATH_SIZE];

	(void)state;
	replication = assert_reads(
		DISK
		"replication = { set = \"my-set.1\"; members = (\n"
		"{ node = 9; name = \"c\"; address = \"2001:DB8:0::9\"; port = 65535; diskless = true; },\n"
		"{ node = 1; name = \"a\"; address = \"203.0.113.1\"; },\n"
		"{ node = 255; name = \"d\"; address = \"203.0.113.1\"; port = 7301; },\n"
		"{ node = 5; name = \"b\"; address = \"203.0.113.5\"; } );\n"
		"key_file = \"/etc/set.key\"; insecure = true; state_dir = \"state\"; group = \"beacons\"; min_in_sync "
		"= 2;\n"
		"lease_ms = 1000; replica_timeout_ms = 2000; slow_replica = \"wait\"; resync_rate = 12345;\n"
		"open_grace_ms = 3000; memory_wait_ms = 60000; on_no_quorum = \"error\"; compression = \"off\";\n"
		"control = \"c.sock\"; };\n");
	assert_int_equal(replication->nr_members, 4);
	assert_int_equal(replication->self, REPLICATION_NO_MEMBER);
	assert_string_equal(replication->set, "my-set.1");
	assert_string_equal(replication->members[0].name, "a");
	assert_int_equal(replication->members[0].port, 7300);
	assert_false(replication->members[0].diskless);
	assert_string_equal(replication->members[1].name, "b");
	assert_int_equal(replication->members[2].node, 9);
	assert_string_equal(replication->members[2].address, "2001:db8::9");
	assert_int_equal(replication->members[2].port, 65535);
	assert_true(replication->members[2].diskless);
	assert_int_equal(replication->members[2].line, 3);
	assert_int_equal(replication->members[3].node, 255);
	assert_string_equal(replication->key_file, "/etc/set.key");
	assert_true(replication->insecure);
	test_path(expected, "state");
	assert_string_equal(replication->state_dir, expected);
	test_path(expected, "c.sock");
	assert_string_equal(replication->control, expected);
	assert_int_equal(replication->group, REPLICATION_GROUP_BEACONS);
	assert_int_equal(replication->compression, REPLICATION_COMPRESSION_OFF);
	assert_int_equal(replication->min_in_sync, 2);
	assert_int_equal(replication->lease_ms, 1000);
	assert_int_equal(replication->replica_timeout_ms, 2000);
	assert_int_equal(replication->open_grace_ms, 3000);
	assert_int_equal(replication->memory_wait_ms, 60000);
	assert_int_equal(replication->resync_rate, 12345);
	assert_true(replication->slow_replica_waits && replication->error_on_no_quorum);
	assert_true(configuration.devices[0].replicated);
}

static void test_defaults(void **state)
{
	const struct replication_configuration *replication;
	char expected[TEST_PATH_SIZE];

	(void)state;
	replication = assert_reads(DISK "replication = { set = \"s\";\n" MEMBERS PATHS "};\n");
	assert_int_equal(replication->nr_members, 3);
	test_path(expected, "set.key");
	assert_string_equal(replication->key_file, expected);
	assert_false(replication->insecure);
	test_path(expected, "state/control");
	assert_string_equal(replication->control, expected);
	assert_int_equal(replication->group, REPLICATION_GROUP_COROSYNC);
	assert_int_equal(replication->compression, REPLICATION_COMPRESSION_AUTO);
	assert_int_equal(replication->min_in_sync, 1);
	assert_int_equal(replication->lease_ms, REPLICATION_LEASE_MS_DEFAULT);
	assert_int_equal(replication->replica_timeout_ms, REPLICATION_REPLICA_TIMEOUT_MS_DEFAULT);
	assert_int_equal(replication->open_grace_ms, REPLICATION_OPEN_GRACE_MS_DEFAULT);
	assert_int_equal(replication->memory_wait_ms, 0);
	assert_int_equal(replication->resync_rate, REPLICATION_RESYNC_RATE_DEFAULT);
	assert_false(replication->slow_replica_waits || replication->error_on_no_quorum);

	/* Times that are not given follow a long lease. */
	replication = assert_reads(DISK "replication = { set = \"s\";\n" MEMBERS PATHS
					"lease_ms = 20000; resync_rate = \"2G\"; };\n");
	assert_int_equal(replication->replica_timeout_ms, 40000);
	assert_int_equal(replication->open_grace_ms, 40000);
	assert_int_equal(replication->resync_rate, 2ull << 30);
	replication = assert_reads(DISK "replication = { set = \"s\";\n" MEMBERS
					"state_dir = \"s\"; insecure = true; resync_rate = 0; };\n");
	assert_null(replication->key_file);
	assert_int_equal(replication->resync_rate, 0);
	/* Without the group there is none. */
	replication = assert_reads("devices = ( { name = \"A\"; image_file = \"a\"; } );\n");
	assert_int_equal(replication->nr_members, 0);
	assert_int_equal(replication->self, REPLICATION_NO_MEMBER);
}

static void test_settings_refused(void **state)
{
	(void)state;
	assert_setting_refused("colour = 1;", "unknown setting \"colour\" of replication");
	assert_setting_refused("lease_ms = \"300\";", "lease_ms must be a whole number");
	assert_setting_refused("lease_ms = 49;", "lease_ms 49 is out of range, 50 to 60000");
	assert_setting_refused("lease_ms = 60001;", "lease_ms 60001");
	assert_setting_refused("lease_ms = -1;", "lease_ms -1");
	assert_setting_refused("replica_timeout_ms = 599;", "at least twice lease_ms, 600");
	assert_setting_refused("replica_timeout_ms = 3600001;", "replica_timeout_ms 3600001");
	assert_setting_refused("open_grace_ms = 599;", "at least twice lease_ms, 600");
	assert_setting_refused("open_grace_ms = 0;", "open_grace_ms 0");
	assert_setting_refused("memory_wait_ms = -1;", "memory_wait_ms -1");
	assert_setting_refused("memory_wait_ms = 604800001;", "memory_wait_ms 604800001");
	assert_setting_refused("resync_rate = -1;", "resync_rate -1");
	assert_setting_refused("resync_rate = \"fast\";", "resync_rate \"fast\"");
	assert_setting_refused("resync_rate = 1.5;", "resync_rate must be a whole number");
	assert_setting_refused("group = \"pacemaker\";", "neither \"corosync\" nor \"beacons\"");
	assert_setting_refused("slow_replica = \"maybe\";", "neither \"drop\" nor \"wait\"");
	assert_setting_refused("on_no_quorum = \"panic\";", "neither \"suspend\" nor \"error\"");
	assert_setting_refused("compression = \"lz4\";", "none of \"auto\", \"on\" and \"off\"");
	assert_setting_refused("compression = true;", "compression must be a string");
	assert_setting_refused("insecure = 1;", "insecure must be true or false");
	assert_setting_refused("control = \"\";", "control is empty");
	assert_setting_refused("control = \"/0123456789012345678901234567890123456789012345678901234567890123456789"
			       "012345678901234567890123456789012345678901234567\";",
			       "and the system allows 107");
	assert_setting_refused("set = \"t\";", "duplicate");
	assert_refused(DISK "replication = 1;\n", 2, "must be a group");
	assert_refused(DISK "\nreplication = { " MEMBERS PATHS "};\n", 3, "needs set");
	assert_refused(DISK "replication = { set = \"\"; };\n", 2, "set \"\" must have 1 to 63");
	assert_refused(DISK "replication = { set = \"..\"; };\n", 2, "must not begin with a dot");
	assert_refused(DISK "replication = { set = \"a/b\"; };\n", 2, "may have letters");
	assert_path_refused("state_dir = \"s\";", 2, "needs key_file");
	assert_path_refused("state_dir = \"s\"; insecure = false;", 2, "or insecure = true");
	assert_path_refused("key_file = \"k\";", 2, "needs state_dir");
	assert_path_refused("key_file = \"\"; state_dir = \"s\";", 4, "key_file is empty");
	assert_path_refused(
		"key_file = \"k\";\nstate_dir = "
		"\"/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
		"89012\"; control = \"/x\";\nmin_in_sync = 3;",
		6, "more than the 2 members");
	assert_path_refused(
		"key_file = \"k\";\nstate_dir = "
		"\"/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
		"890123456789\";",
		5, "set control = \"PATH\"");
}

static void test_members_refused(void **state)
{
	(void)state;
	assert_members_refused("", 2, "replication needs members");
	assert_members_refused("1", 3, "must be a group");
	assert_members_refused("{ name = \"a\"; address = \"203.0.113.1\"; }", 3, "has no number");
	assert_members_refused("{ node = 1; address = \"203.0.113.1\"; }", 3, "member 1 has no name");
	assert_members_refused("{ node = 1; name = \"a\"; }", 3, "member \"a\" has no address");
	assert_members_refused("{ node = 0; name = \"a\"; address = \"203.0.113.1\"; }", 3, "node 0 is out of range");
	assert_members_refused("{ node = 256; name = \"a\"; address = \"203.0.113.1\"; }", 3, "node 256");
	assert_members_refused("{ node = 1; name = \"a b\"; address = \"203.0.113.1\"; }", 3, "name \"a b\"");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"host\"; }", 3, "names are not looked up");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"203.0.113.256\"; }", 3, "neither an IPv4");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"0.0.0.0\"; }", 3, "not that of one host");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"224.0.0.1\"; }", 3, "not that of one host");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"::\"; }", 3, "cannot be used");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"fe80::1\"; }", 3, "cannot be used");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"::ffff:203.0.113.1\"; }", 3, "cannot be used");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"203.0.113.1\"; port = 0; }", 3, "port 0");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"203.0.113.1\"; port = 65536; }", 3, "port 65536");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"203.0.113.1\"; weight = 1; }", 3,
			       "unknown setting \"weight\" of a member");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"203.0.113.1\"; diskless = true; }", 3,
			       "all members are diskless");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"203.0.113.1\"; },\n"
			       "{ node = 1; name = \"b\"; address = \"203.0.113.2\"; }",
			       4, "the member in line 3");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"203.0.113.1\"; },\n"
			       "{ node = 2; name = \"a\"; address = \"203.0.113.2\"; }",
			       4, "the member in line 3");
	assert_members_refused("{ node = 1; name = \"a\"; address = \"2001:db8::1\"; },\n"
			       "{ node = 2; name = \"b\"; address = \"2001:DB8:0:0::1\"; port = 7300; }",
			       4, "address 2001:db8::1, port 7300 is that of the member in line 3");
	assert_refused(DISK "replication = { set = \"s\"; members = { }; };\n", 2, "members must be a list");
}

static void test_member_count(void **state)
{
	char members[2048] = "";

	(void)state;
	for (int node = 1; node <= 8; node++)
		snprintf(members + strlen(members), sizeof(members) - strlen(members),
			 "%s{ node = %d; name = \"m%d\"; address = \"192.0.2.%d\"; }", node > 1 ? ",\n" : "", node,
			 node, node);
	assert_members_refused(members, 10, "more than 7 members");
}

static void test_devices(void **state)
{
	static const char group[] = "replication = { set = \"s\";\n" MEMBERS PATHS "};\n";
	char text[8192];

	(void)state;
	snprintf(text, sizeof(text), "devices = ( { name = \"A\"; image_file = \"a\"; } );\n%s", group);
	assert_refused(text, 2, "no device is replicated");
	assert_refused("devices = ( { name = \"A\"; image_file = \"a\"; },\n{ name = \"B\"; image_file = \"b\";\n"
		       "replicated = true; } );\n",
		       3, "there is no group replication");
	snprintf(text, sizeof(text),
		 "%sdevices = ( { name = \"A\"; image_type = \"MEMORY_IMAGE\"; size = \"1M\";\nreplicated = true; } "
		 ");\n",
		 group);
	assert_refused(text, 6, "MEMORY_IMAGE");
	snprintf(text, sizeof(text),
		 "%sdevices = ( { name = \"A\"; image_file = \"a\"; read_only = true;\nreplicated = true; } );\n",
		 group);
	assert_refused(text, 6, "read_only");
	snprintf(text, sizeof(text),
		 "%sdevices = ( { name = \"A\"; image_file = \"a\"; volatile = true;\nreplicated = true; } );\n",
		 group);
	assert_refused(text, 6, "volatile");
	/* Both kinds, beside each other. */
	snprintf(text, sizeof(text),
		 "%sdevices = ( { name = \"A\"; image_file = \"a\"; shared = true; replicated = true; },\n"
		 "{ name = \"B\"; image_type = \"MEMORY_IMAGE\"; size = \"1M\"; } );\n",
		 group);
	assert_reads(text);
	assert_true(configuration.devices[0].replicated && configuration.devices[0].shared);
	assert_false(configuration.devices[1].replicated);

	snprintf(text, sizeof(text), "%sdevices = (\n", group);
	for (int i = 0; i < 17; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "{ name = \"D%d\"; image_file = \"d%d\"; replicated = true; }%s\n", i, i,
			 i < 16 ? "," : " );");
	assert_refused(text, 22, "more than 16 devices are replicated");
}

/* Three members; the second one has the address. */
static struct replication_configuration *read_with_address(const char *address)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 DISK "replication = { set = \"s\"; insecure = true; state_dir = \"s\"; members = (\n"
		      "{ node = 1; name = \"a\"; address = \"203.0.113.1\"; },\n"
		      "{ node = 2; name = \"b\"; address = \"%s\"; },\n"
		      "{ node = 3; name = \"c\"; address = \"203.0.113.3\"; diskless = true; } ); };\n",
		 address);
	return assert_reads(text);
}

static void test_self(void **state)
{
	struct replication_configuration *replication = read_with_address("127.0.0.1");
	struct diagnostic diagnostic = { "" };

	(void)state;
	assert_int_equal(replication_find_self(replication, NULL, path, &diagnostic), 0);
	assert_int_equal(replication->self, 1);
	assert_true(device_configuration_has_image(&configuration, 0));
	assert_int_equal(replication_find_self(replication, "c", path, &diagnostic), 0);
	assert_int_equal(replication->self, 2);
	assert_false(device_configuration_has_image(&configuration, 0));
	assert_int_equal(replication_find_self(replication, "d", path, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, ":2: no member of set s is named \"d\": they are a, b, c"));

	replication = read_with_address("203.0.113.2");
	assert_int_equal(replication_find_self(replication, NULL, path, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, ":2: this host is no member of set s"));
	assert_non_null(strstr(diagnostic.text, "--node NAME"));
	assert_non_null(strstr(diagnostic.text, "127.0.0.1"));

	/* All of 127.0.0.0/8 is of this host. */
	replication = assert_reads(DISK "replication = { set = \"s\"; insecure = true; state_dir = \"s\"; members = (\n"
					"{ node = 1; name = \"a\"; address = \"127.0.0.1\"; },\n"
					"{ node = 2; name = \"b\"; address = \"127.0.0.2\"; } ); };\n");
	assert_int_equal(replication_find_self(replication, NULL, path, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "members a and b are both this host's"));
	assert_int_equal(replication_find_self(replication, "b", path, &diagnostic), 0);
	assert_int_equal(replication->self, 1);
}

static char warned[4096];

static void collect(void *context, const char *text)
{
	size_t used = strlen(warned);

	assert_null(context);
	snprintf(warned + used, sizeof(warned) - used, "%s\n", text);
}

static const char *warnings(const char *settings, const char *members)
{
	char text[4096];

	snprintf(text, sizeof(text), DISK "replication = { set = \"s\"; " PATHS "%s members = ( %s ); };\n", settings,
		 members);
	warned[0] = '\0';
	replication_warnings(assert_reads(text), collect, NULL);
	return warned;
}

#define MEMBER_A "{ node = 1; name = \"a\"; address = \"203.0.113.1\"; }"
#define MEMBER_B "{ node = 2; name = \"b\"; address = \"203.0.113.2\"; }"
#define MEMBER_C "{ node = 3; name = \"c\"; address = \"203.0.113.3\"; diskless = true; }"

static void test_warnings(void **state)
{
	const char *text;

	(void)state;
	assert_string_equal(warnings("", MEMBER_A "," MEMBER_B "," MEMBER_C), "");
	text = warnings("", MEMBER_A "," MEMBER_B);
	assert_non_null(strstr(text, "two votes, so that losing either member stops it"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	text = warnings("", MEMBER_A "," MEMBER_C);
	assert_non_null(strstr(text, "two votes"));
	assert_non_null(strstr(text, "one member only has images"));
	assert_non_null(strstr(warnings("", MEMBER_A), "nothing is replicated"));
	assert_non_null(strstr(warnings("min_in_sync = 2;", MEMBER_A "," MEMBER_B "," MEMBER_C), "min_in_sync"));
	assert_non_null(strstr(warnings("insecure = true;", MEMBER_A "," MEMBER_B "," MEMBER_C), "insecure"));
	assert_non_null(strstr(warnings("memory_wait_ms = 1;", MEMBER_A "," MEMBER_B "," MEMBER_C), "given up"));
}

static void test_description(void **state)
{
	struct replication_configuration *replication =
		assert_reads(DISK "replication = { set = \"s\"; insecure = true; state_dir = \"s\"; members = (\n"
				  "{ node = 2; name = \"b\"; address = \"::1\"; diskless = true; },\n"
				  "{ node = 1; name = \"a\"; address = \"203.0.113.1\"; port = 7; } ); };\n");
	char text[512], cut[16];

	(void)state;
	replication->self = 0;
	replication_describe(replication, text, sizeof(text));
	assert_string_equal(text, "set=s members=2 (1 a 203.0.113.1:7 this, 2 b [::1]:7300 diskless) group=corosync "
				  "lease=300 ms min_in_sync=1");
	replication_describe(replication, cut, sizeof(cut));
	assert_int_equal(strlen(cut), sizeof(cut) - 1);
}

/* What the options do to a configuration: 0, or -1 with a text that holds the cause. */
static void assert_applied(const struct options *options, int code, const char *cause)
{
	struct diagnostic diagnostic = { "" };

	assert_int_equal(options_apply(options, &configuration, &diagnostic), code);
	assert_non_null(strstr(diagnostic.text, cause));
}

static void test_options(void **state)
{
	const struct replication_configuration *replication = &configuration.replication;

	(void)state;
	assert_reads("devices = ( { name = \"A\"; image_file = \"a\"; } );\n");
	assert_applied(&(struct options){ .config = path }, 0, "");
	assert_applied(&(struct options){ .config = path, .compress = true }, 0, "");
	assert_applied(&(struct options){ .config = path, .replicated = true }, -1, "-R demands replication");
	assert_applied(&(struct options){ .config = path, .full_copy = true }, -1, "-U FULL");
	assert_applied(&(struct options){ .config = path, .node = "a" }, -1, "--node");

	read_with_address("127.0.0.1");
	assert_applied(&(struct options){ .config = path, .replicated = true }, 0, "");
	assert_int_equal(replication->self, 1);
	assert_int_equal(replication->compression, REPLICATION_COMPRESSION_AUTO);
	assert_applied(&(struct options){ .config = path, .node = "c", .compress = true }, 0, "");
	assert_int_equal(replication->self, 2);
	assert_int_equal(replication->compression, REPLICATION_COMPRESSION_ON);
	assert_applied(&(struct options){ .config = path, .node = "d", .check_config = true }, -1, "named \"d\"");

	read_with_address("203.0.113.2");
	assert_applied(&(struct options){ .config = path }, -1, "is no member");
	/* It may be checked elsewhere. */
	assert_applied(&(struct options){ .config = path, .check_config = true }, 0, "is no member");
	assert_int_equal(replication->self, REPLICATION_NO_MEMBER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_settings),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_settings_refused),
		cmocka_unit_test(test_members_refused),
		cmocka_unit_test(test_member_count),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_description),
		cmocka_unit_test(test_options),
	};

	test_directory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
