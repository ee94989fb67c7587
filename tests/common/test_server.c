/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk as a program under test. RDISK_PROGRAM, its path, comes from the build.
 */
#include "test_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_device(FILE *file, const struct test_device *device)
{
	fprintf(file, "  { name = \"%s\"; image_type = \"%s\";", device->name,
		device->type ? device->type : "FILE_IMAGE");
	if (device->file)
		fprintf(file, " image_file = \"%s\";", device->file);
	if (device->size)
		fprintf(file, " size = \"%s\";", device->size);
	if (device->buffer)
		fprintf(file, " buffer = %d;", device->buffer);
	if (device->read_only)
		fprintf(file, " read_only = true;");
	if (device->is_volatile)
		fprintf(file, " volatile = true;");
	if (device->shared)
		fprintf(file, " shared = true;");
	if (device->id)
		fprintf(file, " id = \"%s\";", device->id);
	fprintf(file, " }");
}

void test_server_config(char path[TEST_PATH_SIZE], const char *name, const struct test_device *devices, size_t count)
{
	FILE *file;

	test_path(path, name);
	file = fopen(path, "w");
	if (!file)
		test_fatal("%s: %s", path, strerror(errno));
	fprintf(file, "devices = (\n");
	for (size_t i = 0; i < count; i++) {
		write_device(file, &devices[i]);
		fprintf(file, "%s\n", i + 1 < count ? "," : "");
	}
	fprintf(file, ");\n");
	if (fclose(file))
		test_fatal("%s: %s", path, strerror(errno));
}

void test_server_launch(struct test_server *server, const struct test_device *devices, size_t count,
			const char *const environment[])
{
	char dcid[16];
	char endpoint[16];
	const char *arguments[] = { RDISK_PROGRAM, "-d", dcid, "-e", endpoint, "-c", server->config, NULL };

	snprintf(dcid, sizeof(dcid), "%d", TEST_DCID);
	snprintf(endpoint, sizeof(endpoint), "%d", TEST_SERVER_ENDPOINT);
	test_server_config(server->config, "rdisk.cfg", devices, count);
	test_process_start(&server->process, arguments, environment);
}

void test_server_start(struct test_server *server, const struct test_device *devices, size_t count,
		       const char *const environment[])
{
	test_server_launch(server, devices, count, environment);
	if (!test_process_wait_log(&server->process, "ready", TEST_TIMEOUT_MS)) {
		test_process_discard(&server->process);
		test_fatal("rdisk did not get ready; its log:\n%s", server->process.log.text);
	}
}

int test_server_stop(struct test_server *server)
{
	int status = test_process_stop(&server->process, SIGTERM);

	if (status)
		fprintf(stderr, "rdisk ended with %d; its log:\n%s\n", status, server->process.log.text);
	return status;
}

static int open_image(const char *name, int flags)
{
	char path[TEST_PATH_SIZE];
	int fd;

	test_path(path, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		test_fatal("%s: %s", path, strerror(errno));
	return fd;
}

void test_image_create(const char *name, uint64_t size)
{
	int fd = open_image(name, O_RDWR | O_CREAT | O_TRUNC);

	if (ftruncate(fd, (off_t)size))
		test_fatal("%s: %s", name, strerror(errno));
	(void)close(fd);
}

void test_image_read(const char *name, uint64_t position, void *buffer, size_t length)
{
	int fd = open_image(name, O_RDONLY);

	if (pread(fd, buffer, length, (off_t)position) != (ssize_t)length)
		test_fatal("%s: read of %zu bytes at %llu failed", name, length, (unsigned long long)position);
	(void)close(fd);
}

void test_image_write(const char *name, uint64_t position, const void *buffer, size_t length)
{
	int fd = open_image(name, O_WRONLY);

	if (pwrite(fd, buffer, length, (off_t)position) != (ssize_t)length)
		test_fatal("%s: write of %zu bytes at %llu failed", name, length, (unsigned long long)position);
	(void)close(fd);
}

static struct stat image_status(const char *name)
{
	char path[TEST_PATH_SIZE];
	struct stat status;

	test_path(path, name);
	if (stat(path, &status))
		test_fatal("%s: %s", path, strerror(errno));
	return status;
}

uint64_t test_image_size(const char *name)
{
	return (uint64_t)image_status(name).st_size;
}

uint64_t test_image_allocated(const char *name)
{
	return (uint64_t)image_status(name).st_blocks * 512;
}
