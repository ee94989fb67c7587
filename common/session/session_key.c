/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key's file; see session_key.h.
 */
#include "session_key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_SIZE (2 * SESSION_KEY_SIZE + 1) /* digits and the line's end */

/* Of a file that is open: whether nobody else can have read or changed it. 0, or -1 with *diagnostic. */
static int check_file(int fd, const char *path, struct diagnostic *diagnostic)
{
	struct stat status;

	if (fstat(fd, &status))
		return diagnostic_set(diagnostic, "key file %s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return diagnostic_set(diagnostic, "key file %s: it is no regular file", path);
	if (status.st_mode & (S_IRWXG | S_IRWXO))
		return diagnostic_set(
			diagnostic,
			"key file %s: others than its owner can use it (mode %03o); chmod 600 %s, and make a "
			"new key if it was so for long",
			path, (unsigned int)(status.st_mode & 0777), path);
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return diagnostic_set(
			diagnostic,
			"key file %s: it belongs to user %u, who can change it; it has to be user %u's or root's", path,
			(unsigned int)status.st_uid, (unsigned int)geteuid());
	return 0;
}

/* Bytes read, at most size; -1: errno. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t more = read(fd, bytes + used, size - used);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		if (more == 0)
			break;
		used += (size_t)more;
	}
	return (ssize_t)used;
}

static int digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return -1;
}

static int parse(const char text[static TEXT_SIZE], ssize_t size, unsigned char key[static SESSION_KEY_SIZE])
{
	if (size != TEXT_SIZE || text[TEXT_SIZE - 1] != '\n')
		return -1;
	for (int i = 0; i < SESSION_KEY_SIZE; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		key[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

int session_key_read(const char *path, unsigned char key[static SESSION_KEY_SIZE], struct diagnostic *diagnostic)
{
	/* Not to wait for a pipe's other end. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), code;
	char text[TEXT_SIZE + 1]; /* one more than there may be */
	ssize_t size;

	memset(key, 0, SESSION_KEY_SIZE);
	if (fd < 0)
		return diagnostic_set(diagnostic, "key file %s: %s%s", path, strerror(errno),
				      errno == ENOENT ? "; rdiskctl keygen makes one, for all members the same" : "");
	code = check_file(fd, path, diagnostic);
	if (!code) {
		size = read_all(fd, text, sizeof(text));
		if (size < 0)
			code = diagnostic_set(diagnostic, "key file %s: %s", path, strerror(errno));
		else if (parse(text, size, key))
			code = diagnostic_set(
				diagnostic,
				"key file %s: it is not a line of %d hexadecimal digits; rdiskctl keygen makes "
				"one",
				path, 2 * SESSION_KEY_SIZE);
		explicit_bzero(text, sizeof(text));
	}
	if (code)
		memset(key, 0, SESSION_KEY_SIZE);
	(void)close(fd);
	return code;
}

static int write_key(int fd)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char key[SESSION_KEY_SIZE];
	char text[TEXT_SIZE];
	ssize_t written;

	/* As much as this is never cut short, and waits only right after the host's start. */
	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return -1;
	for (int i = 0; i < SESSION_KEY_SIZE; i++) {
		text[2 * i] = digits[key[i] >> 4];
		text[2 * i + 1] = digits[key[i] & 15];
	}
	text[TEXT_SIZE - 1] = '\n';
	written = write(fd, text, sizeof(text));
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	if (written >= 0 && written != (ssize_t)sizeof(text))
		errno = ENOSPC;
	return written == (ssize_t)sizeof(text) ? fsync(fd) : -1;
}

int session_key_make(const char *path, struct diagnostic *diagnostic)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR), error;

	if (fd < 0)
		return diagnostic_set(
			diagnostic, "key file %s: %s%s", path, strerror(errno),
			errno == EEXIST
				? "; a key that is in use is not overwritten: name another file, or remove this one"
				: "");
	error = write_key(fd) ? errno : 0;
	if (close(fd) && !error)
		error = errno;
	if (!error)
		return 0;
	(void)unlink(path);
	return diagnostic_set(diagnostic, "key file %s: %s", path, strerror(error));
}
