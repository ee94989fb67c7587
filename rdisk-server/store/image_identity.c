/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identities of disks and files; see image_identity.h.
 *
 * The attribute is a text of ATTRIBUTE_BYTES without a NUL: the id, a space, and the identity of the file that it was
 * made for, in hexadecimal. That has no part of the device that the file is on: its number may be another after the
 * host was restarted.
 */
#include "image_identity.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "device_identity.h"
#include "log.h"

#define ATTRIBUTE	"user.rdisk.id"
#define UUID_LENGTH	36
#define HASH_DIGITS	16
#define ATTRIBUTE_BYTES (UUID_LENGTH + 1 + HASH_DIGITS)

#define UUID_RANDOM	4 /* versions, RFC 9562 */
#define UUID_CUSTOM	8

static_assert(UUID_LENGTH < STORE_ID_SIZE, "an id has room for a UUID");

/* What the attribute of a file says. */
enum kept {
	KEPT_NONE,	 /* there is none, or the file system has no such thing */
	KEPT_HERE,	 /* the id of this file's disk */
	KEPT_ELSEWHERE,	 /* that of another file, which this is a copy of */
	KEPT_UNREADABLE, /* something else */
	KEPT_ERROR,	 /* it cannot be read: errno */
};

static const uint64_t hash_start = 0xcbf29ce484222325ull;

/* FNV-1a over the bytes of `value`. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++) {
		hash ^= value >> (8 * i) & 0xff;
		hash *= 0x100000001b3ull;
	}
	return hash;
}

/*
 * A file's number alone would not do: file systems give that of a deleted file to the next one. So the time of its
 * birth goes in, where the file system keeps it. Whether it does.
 */
static bool mix_file(uint64_t *hash, int fd, uint64_t number)
{
	struct statx more;

	*hash = mix(*hash, number);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &more) || !(more.stx_mask & STATX_BTIME))
		return false;
	*hash = mix(mix(*hash, (uint64_t)more.stx_btime.tv_sec), more.stx_btime.tv_nsec);
	return true;
}

/*
 * Numbers of devices can be others after each start of the host, and each mounting: they go in only where there is
 * nothing better. To a member of a replica set an image of another identity is another image, which it was not given by
 * the set; and when all hosts have lost power at once nobody would have one.
 */
uint64_t image_file_identity(int fd, const struct stat *status)
{
	uint64_t identity = hash_start;

	if (S_ISBLK(status->st_mode)) {
		identity = device_identity_of(status->st_rdev);
		return identity ? identity : mix(hash_start, status->st_rdev);
	}
	return mix_file(&identity, fd, status->st_ino) ? identity : mix(identity, status->st_dev);
}

static void uuid_format(const unsigned char *bytes, int version, char *id)
{
	snprintf(id, STORE_ID_SIZE, "%02x%02x%02x%02x-%02x%02x-%01x%01x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], version, bytes[6] & 0xf, bytes[7],
		 (bytes[8] & 0x3f) | 0x80, bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]);
}

/* Whether a text begins as uuid_format() writes it. */
static bool is_uuid(const char *text)
{
	for (int i = 0; i < UUID_LENGTH; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]) || isupper((unsigned char)text[i]))
			return false;
	}
	return true;
}

static int make_random(char *id, struct diagnostic *diagnostic)
{
	unsigned char bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return diagnostic_set(diagnostic, "cannot get random bytes: %s", strerror(errno));
	uuid_format(bytes, UUID_RANDOM, id);
	return 0;
}

static void make_from_file(uint64_t file_identity, char *id)
{
	const uint64_t halves[2] = { file_identity, mix(file_identity, hash_start) };
	unsigned char bytes[16];

	memcpy(bytes, halves, sizeof(bytes));
	uuid_format(bytes, UUID_CUSTOM, id);
}

/* What the attribute has to end with to be this file's. */
static int owner_of(int fd, char *owner)
{
	uint64_t hash = hash_start;
	struct stat status;

	if (fstat(fd, &status))
		return -1;
	(void)mix_file(&hash, fd, status.st_ino);
	snprintf(owner, HASH_DIGITS + 1, "%016llx", (unsigned long long)hash);
	return 0;
}

/* Looks for what is kept with an image; id: it, when it is HERE or ELSEWHERE. */
static enum kept read_kept(int fd, char *id)
{
	char text[ATTRIBUTE_BYTES + 1], owner[HASH_DIGITS + 1];
	ssize_t bytes = fgetxattr(fd, ATTRIBUTE, text, sizeof(text));

	if (bytes < 0) {
		switch (errno) {
		case ENODATA:
		case EOPNOTSUPP:
		case ENOSYS:
		case EPERM:
		case EACCES:
			return KEPT_NONE;
		case ERANGE:
			return KEPT_UNREADABLE;
		default:
			return KEPT_ERROR;
		}
	}
	if (bytes != ATTRIBUTE_BYTES || !is_uuid(text) || text[UUID_LENGTH] != ' ')
		return KEPT_UNREADABLE;
	if (owner_of(fd, owner))
		return KEPT_ERROR;
	memcpy(id, text, UUID_LENGTH);
	id[UUID_LENGTH] = '\0';
	return memcmp(text + UUID_LENGTH + 1, owner, HASH_DIGITS) ? KEPT_ELSEWHERE : KEPT_HERE;
}

/* Whether nothing is wrong where an attribute cannot be written: there cannot be any. */
static bool has_no_attributes(int error)
{
	switch (error) {
	case EOPNOTSUPP:
	case ENOSYS:
	case EROFS:
	case EPERM:
	case EACCES:
		return true;
	default:
		return false;
	}
}

/* Keeps an id with the image. 0; 1: that cannot be, logged if it is not in the nature of the file system; -1:
 * *diagnostic. */
static int write_kept(int fd, const char *id, const char *path, struct diagnostic *diagnostic)
{
	char text[ATTRIBUTE_BYTES], owner[HASH_DIGITS + 1];

	if (owner_of(fd, owner))
		return diagnostic_set(diagnostic, "cannot look at image %s: %s", path, strerror(errno));
	memcpy(text, id, UUID_LENGTH);
	text[UUID_LENGTH] = ' ';
	memcpy(text + UUID_LENGTH + 1, owner, HASH_DIGITS);
	if (fsetxattr(fd, ATTRIBUTE, text, ATTRIBUTE_BYTES, 0)) {
		if (!has_no_attributes(errno))
			log_warning("image %s: cannot keep an id in its attribute " ATTRIBUTE " (%s): it has one made "
				    "from the file's number and birth time",
				    path, strerror(errno));
		return 1;
	}
	if (fsync(fd))
		return diagnostic_set(diagnostic, "cannot make the attribute " ATTRIBUTE " of image %s stable: %s",
				      path, strerror(errno));
	return 0;
}

/* An id for an image that has none of its own. 0, or -1 and *diagnostic. */
static int make_id(struct store *store, const struct store_settings *settings, int fd, struct diagnostic *diagnostic)
{
	int code = 1;

	if (!settings->read_only) {
		if (make_random(store->id, diagnostic))
			return -1;
		code = write_kept(fd, store->id, settings->path, diagnostic);
	}
	if (code > 0)
		make_from_file(store->file_identity, store->id);
	return code < 0 ? -1 : 0;
}

static bool is_kept_in_memory(const struct store_settings *settings)
{
	return settings->kind == STORE_MEMORY || settings->is_volatile;
}

int image_identity_check(const struct store_settings *settings, struct diagnostic *diagnostic)
{
	const char *id = settings->id;
	size_t length;

	if (!id)
		return 0;
	if (is_kept_in_memory(settings))
		return diagnostic_set(diagnostic,
				      "a disk that is kept in memory has no id of its own: what it holds does "
				      "not outlive the server, so it is another disk at each start");
	length = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:");
	if (length == 0 || length >= STORE_ID_SIZE || id[length])
		return diagnostic_set(diagnostic,
				      "\"%s\" is no id: it is 1 to %d letters, digits and characters of -_.:", id,
				      STORE_ID_SIZE - 1);
	return 0;
}

/* What is kept with an image is of no use. */
static int not_usable(enum kept kept, const char *path, struct diagnostic *diagnostic)
{
	if (kept == KEPT_ERROR)
		return diagnostic_set(diagnostic, "cannot read the attribute " ATTRIBUTE " of image %s: %s", path,
				      strerror(errno));
	return diagnostic_set(diagnostic,
			      "the attribute " ATTRIBUTE
			      " of image %s is not one of this version: set an id for it, or "
			      "take it away (setfattr -x " ATTRIBUTE " %s)",
			      path, path);
}

int image_identity_look(const struct store_settings *settings, int fd, struct store_found *found,
			struct diagnostic *diagnostic)
{
	char id[STORE_ID_SIZE] = "";
	enum kept kept;

	if (settings->id || is_kept_in_memory(settings))
		return 0;
	kept = read_kept(fd, id);
	switch (kept) {
	case KEPT_HERE:
		memcpy(found->id, id, sizeof(id));
		return 0;
	case KEPT_ELSEWHERE:
		memcpy(found->copy_of, id, sizeof(id));
		return 0;
	case KEPT_NONE:
		return 0;
	case KEPT_UNREADABLE:
	case KEPT_ERROR:
		break;
	}
	return not_usable(kept, settings->path, diagnostic);
}

int image_identity_find(struct store *store, const struct store_settings *settings, int fd,
			struct diagnostic *diagnostic)
{
	const char *path = settings->path;
	char kept[STORE_ID_SIZE] = ""; /* zeros behind the text are part of it: clients compare all of it */
	enum kept what;

	if (settings->id) {
		snprintf(store->id, sizeof(store->id), "%s", settings->id);
		return 0;
	}
	if (is_kept_in_memory(settings))
		return make_random(store->id, diagnostic);
	what = read_kept(fd, kept);
	switch (what) {
	case KEPT_HERE:
		memcpy(store->id, kept, sizeof(kept));
		return 0;
	case KEPT_NONE:
		return make_id(store, settings, fd, diagnostic);
	case KEPT_ELSEWHERE:
		if (make_id(store, settings, fd, diagnostic))
			return -1;
		log_warning("image %s is a copy of the image of disk %s, or was restored: it is a disk of its own, %s; "
			    "if it "
			    "is to be the one that it was, set id = \"%s\"",
			    path, kept, store->id, kept);
		return 0;
	case KEPT_UNREADABLE:
	case KEPT_ERROR:
		break;
	}
	return not_usable(what, path, diagnostic);
}
