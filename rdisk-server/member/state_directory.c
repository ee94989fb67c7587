/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of a member's state; see state_directory.h. Each is made when something is first saved in it, so that a
 * start that is refused leaves nothing that was not there; folders and the lock, which it takes to look, go with it
 * then.
 */
#include "state_directory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image_lock.h"
#include "log.h"
#include "termination.h"
#include "workers.h"

/* A slot, and for each device a sector of its log and one of its bits, can be under way at once. */
#define JOBS_MAX	 (1 + 2 * REPLICA_DEVICES_MAX)

#define FILE_MODE	 0600
#define LOCK_NAME	 "lock"
#define DEVICE_NAME_SIZE 64 /* bytes; names of devices are shorter */
/* Others that begin and end at the same time may take the folder away so often. */
#define ENTER_TRIES	 16

/*
 * A file that is not there yet has a descriptor in its place, so that there is one for it when it is made: clients may
 * have taken all others by then.
 */
struct state_file {
	int fd;
	bool reserved; /* it is of the folder */
};

struct job {
	struct io io; /* first */
	struct state_directory *directory;
	struct replica_save *save; /* NULL: free */
	struct state_file *file;   /* nobody else uses it meanwhile */
	off_t offset;
};

struct state_directory {
	char path[PATH_MAX];
	char names[REPLICA_DEVICES_MAX][DEVICE_NAME_SIZE];
	uint32_t nodes[MEMBERS_MAX];
	int folder;
	int lock;
	/* What was not there before: removed again if nothing was saved. */
	bool made_parent, made_folder, made_lock;
	uint64_t saves; /* so far */
	int nr_devices, members;
	struct state_file slots[2];
	struct state_file logs[REPLICA_DEVICES_MAX];
	struct state_file bits[REPLICA_DEVICES_MAX][MEMBERS_MAX];
	struct completions *saved;
	struct workers workers;
	struct job jobs[JOBS_MAX];
};

static int write_all(int fd, const char *bytes, size_t size, off_t offset)
{
	while (size > 0) {
		ssize_t written = pwrite(fd, bytes, size, offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		offset += written;
		size -= (size_t)written;
	}
	return 0;
}

/* The name of a file; those of devices are short. */
static void name_of(const struct state_directory *directory, const struct metadata_place *place,
		    char name[NAME_MAX + 1])
{
	switch (place->kind) {
	case METADATA_SLOT:
		(void)snprintf(name, NAME_MAX + 1, "slot-%u", place->index);
		break;
	case METADATA_LOG:
		(void)snprintf(name, NAME_MAX + 1, "log-%s", directory->names[place->device]);
		break;
	case METADATA_BITS:
		(void)snprintf(name, NAME_MAX + 1, "bits-%s-%u", directory->names[place->device],
			       directory->nodes[place->member]);
		break;
	}
}

static struct state_file *file_of(struct state_directory *directory, const struct metadata_place *place)
{
	switch (place->kind) {
	case METADATA_SLOT:
		return &directory->slots[place->index];
	case METADATA_LOG:
		return &directory->logs[place->device];
	case METADATA_BITS:
		break;
	}
	return &directory->bits[place->device][place->member];
}

/* Makes a file that stays after a loss of power. 0 or -errno. */
static int make_file(const struct job *job)
{
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	struct state_file *file = job->file;
	int folder = job->directory->folder, fd, error;
	char name[NAME_MAX + 1];

	name_of(job->directory, &job->save->place, name);
	fd = openat(folder, name, flags, FILE_MODE);
	error = fd < 0 ? errno : 0;
	/* Not before it is needed: another thread may open something between. */
	if (file->reserved)
		close(file->fd);
	if (error == EMFILE && file->reserved)
		fd = openat(folder, name, flags, FILE_MODE);
	else
		errno = error;
	file->reserved = false;
	file->fd = fd;
	return fd < 0 || fsync(folder) ? -errno : 0;
}

/* In a thread of the workers. */
static void run(void *context, struct io *io)
{
	struct state_directory *directory = context;
	struct job *job = (struct job *)io;

	io->result = job->file->fd < 0 || job->file->reserved ? make_file(job) : 0;
	if (!io->result)
		io->result = write_all(job->file->fd, job->save->bytes, job->save->size, job->offset);
	if (!io->result && fdatasync(job->file->fd))
		io->result = -errno;
	completions_put(directory->saved, io);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* *made: it was not there. */
static int make_folder(const char *path, bool *made, struct diagnostic *diagnostic)
{
	char parent[PATH_MAX];
	int fd, code;

	if (mkdir(path, 0700)) {
		if (errno == EEXIST)
			return 0;
		return diagnostic_set(diagnostic,
				      "cannot make the folder %s for the state of the replica set (state_dir): %s",
				      path, strerror(errno));
	}
	*made = true;
	/* It is not to be gone after a loss of power, with all that was made stable in it. */
	if (snprintf(parent, sizeof(parent), "%s/..", path) >= (int)sizeof(parent))
		return diagnostic_set(diagnostic,
				      "the path of the state of the replica set (state_dir) is too long: %s", path);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = fd < 0 || fsync(fd) ? errno : 0;
	close_fd(fd);
	if (code)
		return diagnostic_set(diagnostic, "cannot sync the folder %s: %s", parent, strerror(code));
	return 0;
}

static int cannot_open(const struct state_directory *directory, const char *name, struct diagnostic *diagnostic)
{
	return diagnostic_set(diagnostic, "cannot open %s/%s: %s", directory->path, name, strerror(errno));
}

static int open_file(struct state_directory *directory, const struct metadata_place *place,
		     struct diagnostic *diagnostic)
{
	char name[NAME_MAX + 1];
	struct state_file *file = file_of(directory, place);

	name_of(directory, place, name);
	file->fd = openat(directory->folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (file->fd < 0 && errno == ENOENT) {
		file->fd = fcntl(directory->folder, F_DUPFD_CLOEXEC, 0);
		file->reserved = file->fd >= 0;
	}
	return file->fd < 0 ? cannot_open(directory, name, diagnostic) : 0;
}

/* Those that are there, and places for the others. */
static int open_files(struct state_directory *directory, struct diagnostic *diagnostic)
{
	struct metadata_place place = { .kind = METADATA_SLOT };

	for (place.index = 0; place.index < 2; place.index++) {
		if (open_file(directory, &place, diagnostic))
			return -1;
	}
	place.index = 0;
	for (int i = 0; i < directory->nr_devices; i++) {
		place.device = (uint32_t)i;
		place.kind = METADATA_LOG;
		if (open_file(directory, &place, diagnostic))
			return -1;
		place.kind = METADATA_BITS;
		for (int k = 0; k < directory->members; k++) {
			place.member = (uint32_t)k;
			if (open_file(directory, &place, diagnostic))
				return -1;
		}
	}
	return 0;
}

/* Whether the lock is still the file of that name: who had it may have removed it, as it had made it. */
static bool is_there(const struct state_directory *directory)
{
	struct stat mine, there;

	return !fstat(directory->lock, &mine) && !fstatat(directory->folder, LOCK_NAME, &there, AT_SYMLINK_NOFOLLOW) &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

static int cannot_open_folder(const struct state_directory *directory, struct diagnostic *diagnostic)
{
	return diagnostic_set(diagnostic, "cannot open the folder %s for the state of the replica set (state_dir): %s",
			      directory->path, strerror(errno));
}

/* Opens the folder and the file of the lock. 0; -ENOENT: one of them is not there any more; -1; both with *diagnostic.
 */
static int open_lock(struct state_directory *directory, struct diagnostic *diagnostic)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	int error;

	close_fd(directory->lock);
	close_fd(directory->folder);
	directory->lock = -1;
	directory->folder = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory->folder < 0) {
		error = errno;
		cannot_open_folder(directory, diagnostic);
		return error == ENOENT ? -ENOENT : -1;
	}
	directory->lock = openat(directory->folder, LOCK_NAME, flags | O_CREAT | O_EXCL, FILE_MODE);
	directory->made_lock = directory->lock >= 0;
	if (directory->lock < 0 && errno == EEXIST)
		directory->lock = openat(directory->folder, LOCK_NAME, flags);
	if (directory->lock >= 0)
		return 0;
	error = errno;
	cannot_open(directory, LOCK_NAME, diagnostic);
	return error == ENOENT ? -ENOENT : -1;
}

/*
 * Makes the folders and takes the lock. Whoever had it before removes all that it has made if it leaves nothing in it:
 * then that is made anew.
 */
static int enter(struct state_directory *directory, const char *parent, struct diagnostic *diagnostic)
{
	const struct store_settings wait = {
		.path = directory->path,
		.what = "the state of the replica set in",
		.lock_wait = STORE_LOCK_WAIT,
		.interrupted = termination_requested,
	};

	for (int tries = 0; tries < ENTER_TRIES; tries++) {
		int code;

		if (make_folder(parent, &directory->made_parent, diagnostic) ||
		    make_folder(directory->path, &directory->made_folder, diagnostic))
			return -1;
		code = open_lock(directory, diagnostic);
		if (code == -1)
			return -1;
		if (code)
			continue;
		if (image_lock(directory->lock, &wait, true, diagnostic)) {
			directory->made_lock = directory->made_folder = directory->made_parent = false;
			return -1;
		}
		if (is_there(directory))
			return 0;
		diagnostic_set(diagnostic,
			       "the folder %s for the state of the replica set does not stay: others remove "
			       "it",
			       directory->path);
	}
	return -1;
}

int state_directory_open(struct state_directory **result, const struct state_directory_settings *settings,
			 struct diagnostic *diagnostic)
{
	struct state_directory *directory = calloc(1, sizeof(*directory));
	int code;

	if (!directory)
		return diagnostic_set(diagnostic, "no memory for the state of the replica set");
	directory->folder = directory->lock = directory->slots[0].fd = directory->slots[1].fd = -1;
	for (int i = 0; i < REPLICA_DEVICES_MAX; i++) {
		directory->logs[i].fd = -1;
		for (int k = 0; k < MEMBERS_MAX; k++)
			directory->bits[i][k].fd = -1;
	}
	directory->nr_devices = settings->nr_devices;
	directory->members = settings->members;
	for (int i = 0; i < settings->nr_devices; i++)
		(void)snprintf(directory->names[i], sizeof(directory->names[i]), "%s", settings->names[i]);
	memcpy(directory->nodes, settings->nodes, sizeof(directory->nodes));
	directory->saved = settings->saved;
	if (snprintf(directory->path, sizeof(directory->path), "%s/%s", settings->path, settings->set) >=
	    (int)sizeof(directory->path)) {
		diagnostic_set(diagnostic, "the path of the state of the replica set (state_dir) is too long: %s/%s",
			       settings->path, settings->set);
		goto fail;
	}
	if (enter(directory, settings->path, diagnostic) || open_files(directory, diagnostic))
		goto fail;
	code = workers_init(&directory->workers, run, directory);
	if (code) {
		diagnostic_set(diagnostic, "cannot set up threads for %s: %s", directory->path, strerror(-code));
		goto fail;
	}
	*result = directory;
	return 0;
fail:
	state_directory_close(directory);
	return -1;
}

/* ---- at the start ---- */

struct loading {
	const char *(*take)(void *context, const struct metadata_place *place, const void *bytes, size_t size);
	void *context;
	struct diagnostic *diagnostic;
	const char *path;
};

/* Reads up to `size` bytes; less at the end of the file. Their number, or -1 with errno. */
static ssize_t read_all(int fd, char *bytes, size_t size, off_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = pread(fd, bytes + done, size - done, offset + (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* What the disk does not give, or the file system takes for damaged. Other errors tell nothing of what is there. */
static bool is_damage(int code)
{
	return code == EIO || code == EBADMSG || code == EUCLEAN;
}

static void say_damage(const struct loading *loading, const struct metadata_place *place, int code)
{
	char file[64];

	if (place->kind == METADATA_SLOT)
		(void)snprintf(file, sizeof(file), "slot %u", place->index);
	else if (place->kind == METADATA_LOG)
		(void)snprintf(file, sizeof(file), "the activity log of device %u", place->device);
	else
		(void)snprintf(file, sizeof(file), "the bits of device %u and member %u", place->device, place->member);
	log_warning("the state in %s: %s cannot be read: %s: that piece counts as broken", loading->path, file,
		    strerror(code));
}

static int give(const struct loading *loading, const struct metadata_place *place, const char *bytes, size_t size)
{
	const char *why = loading->take(loading->context, place, bytes, size);

	if (why)
		return diagnostic_set(loading->diagnostic, "the state in %s cannot be used: %s", loading->path, why);
	return 0;
}

/* All pieces of a file, from place->index on. Where it is damaged they are read one by one. */
static int load_file(const struct loading *loading, const struct state_file *file, struct metadata_place place,
		     size_t piece)
{
	int fd = file->fd;
	static char bytes[512 * METADATA_SECTOR];
	size_t wanted = place.kind == METADATA_SLOT ? piece : sizeof(bytes);
	bool said = false;
	struct stat status;
	off_t offset = 0;

	if (file->reserved)
		return 0;
	if (fstat(fd, &status))
		goto fail;
	while (offset < status.st_size) {
		ssize_t got = read_all(fd, bytes, wanted, offset);

		if (got < 0 && !is_damage(errno))
			goto fail;
		if (got < 0 && wanted > piece) {
			wanted = piece;
			continue;
		}
		if (got < 0) {
			if (!said)
				say_damage(loading, &place, errno);
			said = true;
			if (give(loading, &place, NULL, 0))
				return -1;
			got = (ssize_t)piece;
			place.index++;
		} else {
			for (size_t at = 0; at < (size_t)got; at += piece, place.index++) {
				size_t size = (size_t)got - at < piece ? (size_t)got - at : piece;

				if (give(loading, &place, bytes + at, size))
					return -1;
			}
		}
		/* A slot is one piece, whatever stands behind it. */
		if (place.kind == METADATA_SLOT || got < (ssize_t)wanted)
			return 0;
		offset += got;
	}
	return 0;
fail:
	return diagnostic_set(loading->diagnostic, "cannot read the state in %s: %s", loading->path, strerror(errno));
}

int state_directory_load(struct state_directory *directory,
			 const char *(*take)(void *context, const struct metadata_place *place, const void *bytes,
					     size_t size),
			 void *context, struct diagnostic *diagnostic)
{
	const struct loading loading = { take, context, diagnostic, directory->path };
	struct metadata_place place = { .kind = METADATA_SLOT };

	for (place.index = 0; place.index < 2; place.index++) {
		if (load_file(&loading, &directory->slots[place.index], place, METADATA_SLOT_SIZE))
			return -1;
	}
	place.index = 0;
	for (int i = 0; i < directory->nr_devices; i++) {
		place.device = (uint32_t)i;
		place.kind = METADATA_LOG;
		place.member = 0;
		if (load_file(&loading, &directory->logs[i], place, METADATA_SECTOR))
			return -1;
		place.kind = METADATA_BITS;
		for (int k = 0; k < directory->members; k++) {
			place.member = (uint32_t)k;
			if (load_file(&loading, &directory->bits[i][k], place, METADATA_SECTOR))
				return -1;
		}
	}
	return 0;
}

/* ---- later ---- */

static struct job *free_job(struct state_directory *directory)
{
	for (int i = 0; i < JOBS_MAX; i++) {
		if (!directory->jobs[i].save)
			return &directory->jobs[i];
	}
	return NULL;
}

void state_directory_save(struct state_directory *directory, struct replica_save *save)
{
	struct job *job = free_job(directory);

	assert(job); /* the core has no more under way */
	*job = (struct job){ .directory = directory, .save = save, .file = file_of(directory, &save->place) };
	if (save->place.kind != METADATA_SLOT)
		job->offset = (off_t)save->place.index * METADATA_SECTOR;
	directory->saves++;
	/* Without a thread it is done here, however long that takes. */
	if (workers_post(&directory->workers, &job->io))
		run(directory, &job->io);
}

uint64_t state_directory_saves(const struct state_directory *directory)
{
	return directory->saves;
}

struct replica_save *state_directory_saved(struct io *io, int *result)
{
	struct job *job = (struct job *)io;
	struct replica_save *save = job->save;

	*result = io->result;
	if (io->result)
		log_error("the state in %s cannot be written: %s%s", job->directory->path, strerror(-io->result),
			  io->result == -EMFILE || io->result == -ENFILE ? ": allow for more open files (ulimit -n, "
									   "LimitNOFILE=)"
									 : "");
	job->save = NULL;
	return save;
}

/* What was made to look at a state that there is not. Who waits for the lock sees that it is another file's. */
static void remove_made(const struct state_directory *directory)
{
	char parent[PATH_MAX];

	if (directory->made_lock)
		unlinkat(directory->folder, LOCK_NAME, 0);
	if (directory->made_folder)
		rmdir(directory->path);
	if (directory->made_parent) {
		memcpy(parent, directory->path, sizeof(parent));
		*strrchr(parent, '/') = '\0';
		rmdir(parent);
	}
}

void state_directory_close(struct state_directory *directory)
{
	if (!directory)
		return;
	workers_stop(&directory->workers);
	if (directory->saves == 0)
		remove_made(directory);
	for (int i = 0; i < 2; i++)
		close_fd(directory->slots[i].fd);
	for (int i = 0; i < REPLICA_DEVICES_MAX; i++) {
		close_fd(directory->logs[i].fd);
		for (int k = 0; k < MEMBERS_MAX; k++)
			close_fd(directory->bits[i][k].fd);
	}
	close_fd(directory->lock);
	close_fd(directory->folder);
	free(directory);
}
