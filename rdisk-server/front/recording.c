/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recording; see recording.h.
 *
 * The ring: records from `tail` to `head` (both only count up; a record is at its number modulo the ring's size) are to
 * be written. Serving threads add at the head, the writing thread takes at the tail. Both hold the lock for a few
 * instructions; the writing thread not while it writes, for what is between tail and head does not change.
 */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "rdisk_recording.h"

#define RING_RECORDS 65536 /* 3 MiB */
#define WAKE_RECORDS (RING_RECORDS / 4)
#define PERIOD_S     1 /* at most so long what was noted is only in memory */
#define FILE_MODE    0644

struct recording {
	int fd;
	char *name;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;  /* something is in the ring, much is in it, `describe` or `closing` */
	bool closing;
	bool describe; /* `devices` is to be written anew, before what is in the ring */
	bool failed;   /* the file cannot be written: nothing is noted any more */
	uint64_t head;
	uint64_t tail;
	uint64_t noted; /* operations, those in the ring too */
	uint64_t lost;
	uint64_t gap; /* operations lost that the ring does not tell of yet */
	uint64_t gap_start_ns;
	uint64_t gap_end_ns;
	uint64_t written; /* bytes of whole records in the file; the writing thread's alone */
	int nr_devices;
	struct recording_device devices[DEVICES_MAX];
	struct recording_record ring[RING_RECORDS];
};

static_assert(sizeof(((struct recording_device *)NULL)->name) == RDISK_NAME_SIZE, "names fit");
static_assert(DEVICES_MAX <= RECORDING_DEVICES_MAX, "devices fit");

/* 0 or -errno; *written is how many bytes were written, also on errors. */
static int write_all(int fd, const void *bytes, size_t length, size_t *written)
{
	*written = 0;
	while (*written < length) {
		ssize_t got = write(fd, (const char *)bytes + *written, length - *written);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		*written += (size_t)got;
	}
	return 0;
}

/* Ends the recording early, with whole records in the file. Once. */
static void fail(struct recording *recording, int code)
{
	log_error("recording %s: cannot write: %s; the recording ends here, serving goes on", recording->name,
		  strerror(-code));
	/* A pipe cannot be cut. */
	if (ftruncate(recording->fd, (off_t)recording->written) && errno != EINVAL)
		log_warning("recording %s: its last record is incomplete", recording->name);
	pthread_mutex_lock(&recording->lock);
	recording->failed = true;
	pthread_mutex_unlock(&recording->lock);
}

/* 0, or a code after fail(). */
static int write_records(struct recording *recording, const struct recording_record *records, size_t count)
{
	size_t written;
	int code = write_all(recording->fd, records, count * sizeof(*records), &written);

	/* A disk that gets full takes the first of them: these stay. */
	recording->written += written / sizeof(*records) * sizeof(*records);
	if (code)
		fail(recording, code);
	return code;
}

static struct recording_record make_gap(const struct recording *recording)
{
	return (struct recording_record){
		.type = RECORDING_GAP,
		.time = recording->gap_start_ns,
		.duration = recording->gap_end_ns - recording->gap_start_ns,
		.length = recording->gap,
	};
}

static void write_end(struct recording *recording)
{
	const struct recording_record end = {
		.type = RECORDING_END,
		.time = recording_now() - recording->start_ns,
		.position = recording->noted,
		.length = recording->lost,
	};

	if (recording->gap > 0) {
		const struct recording_record gap = make_gap(recording);

		if (write_records(recording, &gap, 1))
			return;
	}
	write_records(recording, &end, 1);
}

/* Waits until there is enough to write, or something for long enough, or the end has come. The lock is held. */
static void wait_for_records(struct recording *recording)
{
	struct timespec until;

	while (!recording->closing && !recording->describe && recording->head == recording->tail)
		pthread_cond_wait(&recording->wake, &recording->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PERIOD_S;
	while (!recording->closing && recording->head - recording->tail < WAKE_RECORDS) {
		if (pthread_cond_timedwait(&recording->wake, &recording->lock, &until) == ETIMEDOUT)
			break;
	}
}

/* Behind the header, which is as it was. The lock is held, but not while it writes. */
static void write_devices(struct recording *recording)
{
	struct recording_device devices[DEVICES_MAX];
	size_t length = (size_t)recording->nr_devices * sizeof(devices[0]), written = 0;
	int code = 0;

	memcpy(devices, recording->devices, length);
	recording->describe = false;
	pthread_mutex_unlock(&recording->lock);
	while (written < length && !code) {
		ssize_t got = pwrite(recording->fd, (const char *)devices + written, length - written,
				     (off_t)(sizeof(struct recording_header) + written));

		if (got >= 0)
			written += (size_t)got;
		else if (errno != EINTR)
			code = errno;
	}
	if (code && code != ESPIPE)
		log_warning("recording %s: cannot write the sizes of the devices: %s", recording->name, strerror(code));
	pthread_mutex_lock(&recording->lock);
}

static void *write_ring(void *argument)
{
	struct recording *recording = argument;
	int code = 0;

	pthread_mutex_lock(&recording->lock);
	while (!code) {
		uint64_t start;
		uint64_t count;

		wait_for_records(recording);
		if (recording->describe) {
			write_devices(recording);
			continue;
		}
		start = recording->tail % RING_RECORDS;
		count = recording->head - recording->tail;
		if (count == 0)
			break; /* closing */
		if (count > RING_RECORDS - start)
			count = RING_RECORDS - start;
		pthread_mutex_unlock(&recording->lock);
		code = write_records(recording, &recording->ring[start], count);
		pthread_mutex_lock(&recording->lock);
		recording->tail += count;
	}
	pthread_mutex_unlock(&recording->lock);
	/* Nobody notes anything any more: it is being closed. */
	if (!code)
		write_end(recording);
	return NULL;
}

/* Adds to the ring, which has room, and wakes the writing thread if it has to know. The lock is held. */
static void push(struct recording *recording, const struct recording_record *record)
{
	uint64_t used = recording->head - recording->tail;

	recording->ring[recording->head % RING_RECORDS] = *record;
	recording->head++;
	if (used == 0 || used + 1 == WAKE_RECORDS)
		pthread_cond_signal(&recording->wake);
}

/* What there was no room for. The lock is held. */
static void lose(struct recording *recording, const struct recording_record *record)
{
	uint64_t end_ns = record->time + record->duration;

	if (recording->gap == 0) {
		recording->gap_start_ns = record->time;
		recording->gap_end_ns = end_ns;
	}
	if (record->time < recording->gap_start_ns)
		recording->gap_start_ns = record->time;
	if (end_ns > recording->gap_end_ns)
		recording->gap_end_ns = end_ns;
	recording->gap++;
	recording->lost++;
}

void recording_add(struct recording *recording, const struct recording_request *request)
{
	uint64_t now_ns = recording_now();
	struct recording_record record = {
		.type = RECORDING_OPERATION,
		.operation = (uint8_t)request->operation,
		.flags = request->stable ? RECORDING_FUA : 0,
		.minor = (uint16_t)request->minor,
		.client = request->client,
		.result = request->result > INT32_MAX ? INT32_MAX : (int32_t)request->result,
		/* what was received before the recording began counts from there */
		.time = request->started_ns > recording->start_ns ? request->started_ns - recording->start_ns : 0,
		.duration = now_ns > request->started_ns ? now_ns - request->started_ns : 0,
		.position = request->position,
		.length = request->length,
	};
	uint64_t needed;

	pthread_mutex_lock(&recording->lock);
	needed = recording->gap > 0 ? 2 : 1;
	if (recording->failed) {
		recording->lost++;
	} else if (RING_RECORDS - (recording->head - recording->tail) < needed) {
		lose(recording, &record);
	} else {
		if (recording->gap > 0) {
			const struct recording_record gap = make_gap(recording);

			push(recording, &gap);
			recording->gap = 0;
		}
		push(recording, &record);
		recording->noted++;
	}
	pthread_mutex_unlock(&recording->lock);
}

static void describe(struct recording_device described[DEVICES_MAX], const struct device_table *devices)
{
	for (int minor = 0; minor < devices->nr_devices; minor++) {
		struct rdisk_info info;

		device_info(devices, minor, &info);
		described[minor].minor = info.minor;
		described[minor].flags = info.flags;
		described[minor].size = info.size;
		described[minor].image_id = info.image_id;
		memcpy(described[minor].name, info.name, sizeof(described[minor].name));
	}
}

/* 0 or -errno. */
static int write_header(struct recording *recording, const struct device_table *devices, int endpoint)
{
	struct timespec now;
	struct recording_header header = {
		.byte_order = RECORDING_BYTE_ORDER,
		.version = RECORDING_VERSION,
		.header_size = sizeof(header),
		.device_size = sizeof(recording->devices[0]),
		.record_size = sizeof(struct recording_record),
		.nr_devices = (uint32_t)devices->nr_devices,
		.instance = devices->instance,
		.dcid = devices->dcid,
		.endpoint = endpoint,
	};
	size_t length = (size_t)devices->nr_devices * sizeof(recording->devices[0]);
	size_t written;
	int code;

	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	clock_gettime(CLOCK_REALTIME, &now);
	recording->start_ns = recording_now();
	header.start_realtime = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	describe(recording->devices, devices);
	recording->nr_devices = devices->nr_devices;
	code = write_all(recording->fd, &header, sizeof(header), &written);
	if (!code)
		code = write_all(recording->fd, recording->devices, length, &written);
	recording->written = sizeof(header) + length;
	return code;
}

static int make_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	int code = pthread_condattr_init(&attributes);

	if (code)
		return -code;
	code = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	if (!code)
		code = pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
	return -code;
}

/* Starts the thread, to which no signal goes. 0 or -errno. */
static int start_thread(struct recording *recording)
{
	sigset_t all;
	sigset_t before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	code = pthread_create(&recording->thread, NULL, write_ring, recording);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -code;
}

int recording_start(struct recording **recording, int fd, const char *name, const struct device_table *devices,
		    int endpoint, struct diagnostic *diagnostic)
{
	struct recording *started = calloc(1, sizeof(*started));
	int code = -ENOMEM;

	*recording = NULL;
	if (!started)
		goto out_fd;
	started->fd = fd;
	started->name = strdup(name);
	if (!started->name)
		goto out_free;
	code = write_header(started, devices, endpoint);
	if (code)
		goto out_name;
	code = make_condition(&started->wake);
	if (code)
		goto out_name;
	code = -pthread_mutex_init(&started->lock, NULL);
	if (code)
		goto out_condition;
	code = start_thread(started);
	if (code)
		goto out_lock;
	*recording = started;
	return 0;
out_lock:
	pthread_mutex_destroy(&started->lock);
out_condition:
	pthread_cond_destroy(&started->wake);
out_name:
	free(started->name);
out_free:
	free(started);
out_fd:
	close(fd);
	return diagnostic_set(diagnostic, "recording %s: cannot start: %s", name, strerror(-code));
}

int recording_open(struct recording **recording, const char *path, const struct device_table *devices, int endpoint,
		   struct diagnostic *diagnostic)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

	*recording = NULL;
	if (fd < 0 && errno == EEXIST)
		return diagnostic_set(diagnostic, "recording %s: there is such a file; remove it or name another one",
				      path);
	if (fd < 0)
		return diagnostic_set(diagnostic, "recording %s: cannot create the file: %s", path, strerror(errno));
	if (recording_start(recording, fd, path, devices, endpoint, diagnostic)) {
		unlink(path); /* it was made just now, and nothing is in it */
		return -1;
	}
	return 0;
}

void recording_describe(struct recording *recording, const struct device_table *devices)
{
	if (!recording)
		return;
	pthread_mutex_lock(&recording->lock);
	describe(recording->devices, devices);
	recording->describe = true;
	pthread_cond_signal(&recording->wake);
	pthread_mutex_unlock(&recording->lock);
}

void recording_close(struct recording *recording)
{
	if (!recording)
		return;
	pthread_mutex_lock(&recording->lock);
	recording->closing = true;
	pthread_cond_signal(&recording->wake);
	pthread_mutex_unlock(&recording->lock);
	pthread_join(recording->thread, NULL);
	/* What a disk has to say about a file it may say only here. */
	if (close(recording->fd) && !recording->failed)
		log_error("recording %s: cannot be closed: %s", recording->name, strerror(errno));
	if (!recording->failed)
		log_info("recording %s: %llu operations, %llu lost", recording->name,
			 (unsigned long long)recording->noted, (unsigned long long)recording->lost);
	pthread_cond_destroy(&recording->wake);
	pthread_mutex_destroy(&recording->lock);
	free(recording->name);
	free(recording);
}
