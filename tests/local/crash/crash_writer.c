/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program whose calls are logged: threads that change one file at random, by every call that the logging library
 * knows but syncfs(). It writes "half" on stderr when half of it is done.
 *
 * usage: crash_writer PATH SEED THREADS CALLS [dsync]
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define AREA	    (48 * 1024) /* bytes that are changed */
#define LENGTH_MAX  6000
#define PAGE	    4096
#define THREADS_MAX 8

static int file;
static long calls; /* of each thread */
static uint64_t seed;
static atomic_long done; /* relaxed: it is only counted */
static long total;
static unsigned char *broken; /* two pages, of which the second cannot be read */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "crash_writer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33) % limit;
}

/* Memory of which a system call can read the first page only, as a guest's can be whose file was truncated. */
static void make_broken_memory(void)
{
	int fd = memfd_create("broken", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGE))
		die("memfd");
	broken = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (broken == MAP_FAILED)
		die("mmap");
	memset(broken, 0xbb, PAGE);
	(void)close(fd);
}

static void check(ssize_t result, const char *what)
{
	/* A file system may not know it. */
	if (result < 0 && errno != EOPNOTSUPP)
		die(what);
}

static void write_vector(uint64_t *state, unsigned char *data, off_t position, size_t length, int flags)
{
	size_t first = random_below(state, (uint32_t)length);
	const struct iovec vector[3] = { { data, first }, { data, 0 }, { data + first, length - first } };

	if (flags)
		check(pwritev2(file, vector, 3, position, flags), "pwritev2");
	else
		check(pwritev(file, vector, 3, position), "pwritev");
}

static void change_size(uint64_t *state)
{
	check(ftruncate(file, AREA / 2 + (off_t)random_below(state, AREA)), "ftruncate");
}

static void call_one(uint64_t *state)
{
	unsigned char data[LENGTH_MAX];
	off_t position = (off_t)random_below(state, AREA - LENGTH_MAX);
	size_t length = 1 + random_below(state, LENGTH_MAX - 1);

	if (random_below(state, 2)) {
		position = position / 512 * 512;
		length = (length + 511) / 512 * 512 > LENGTH_MAX ? 512 : (length + 511) / 512 * 512;
	}
	memset(data, (int)(1 + random_below(state, 255)), sizeof(data));
	switch (random_below(state, 20)) {
	case 0:
		check(fdatasync(file), "fdatasync");
		break;
	case 1:
		check(fsync(file), "fsync");
		break;
	case 2:
		write_vector(state, data, position, length, RWF_DSYNC);
		break;
	case 3:
		check(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position, (off_t)length),
		      "fallocate");
		break;
	case 4:
		check(fallocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, position, (off_t)length),
		      "fallocate");
		break;
	case 5:
		check(fallocate(file, 0, 0, AREA / 2 + (off_t)random_below(state, AREA)), "fallocate");
		break;
	case 6:
		change_size(state);
		break;
	case 7:
		check(sync_file_range(file, position, (off_t)length, SYNC_FILE_RANGE_WRITE), "sync_file_range");
		break;
	case 8:
		/* All of it, a part or nothing: that is the host's affair. */
		if (pwrite(file, broken, PAGE + 100, position) < 0 && errno != EFAULT)
			die("pwrite of broken memory");
		break;
	case 9:
	case 10:
	case 11:
		write_vector(state, data, position, length, 0);
		break;
	default:
		check(pwrite(file, data, length, position), "pwrite");
		break;
	}
}

static void *run(void *argument)
{
	uint64_t state = seed * 1000 + (uint64_t)(uintptr_t)argument;

	for (long i = 0; i < calls; i++) {
		call_one(&state);
		if (atomic_fetch_add_explicit(&done, 1, memory_order_relaxed) == total / 2)
			fprintf(stderr, "half\n");
	}
	return NULL;
}

int main(int argc, char *argv[])
{
	pthread_t threads[THREADS_MAX];
	long count;

	if (argc != 5 && (argc != 6 || strcmp(argv[5], "dsync") != 0))
		return 2;
	seed = strtoull(argv[2], NULL, 10);
	count = strtol(argv[3], NULL, 10);
	calls = strtol(argv[4], NULL, 10);
	if (count < 1 || count > THREADS_MAX || calls < 1)
		return 2;
	total = count * calls;
	file = open(argv[1], O_RDWR | O_CLOEXEC | (argc == 6 ? O_DSYNC : 0));
	if (file < 0)
		die(argv[1]);
	make_broken_memory();
	for (long i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i))
			die("pthread_create");
	for (long i = 0; i < count; i++)
		(void)pthread_join(threads[i], NULL);
	return 0;
}
