/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From records to events; see crash_log_read.h. The nth record of the log, from 0, is the moment 2n + 1, so that there
 * are moments between.
 */
#include "crash_log_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_FILE SIZE_MAX

/* A call that has begun and not returned. */
struct open_call {
	uint64_t process;
	uint64_t call;
	size_t file;
	size_t event; /* NO_EVENT: one that says nothing */
	uint16_t what;
	uint32_t flags;
	uint64_t length; /* as the caller wanted it */
};

#define NO_EVENT SIZE_MAX

/* A file as one process numbers it. */
struct known_file {
	uint64_t process;
	uint32_t number;
	size_t file;
};

struct reading {
	struct crash_log *log;
	const char *path;
	struct diagnostic *diagnostic;
	size_t index; /* of the record */
	uint64_t moment;

	struct open_call *calls;
	size_t nr_calls, room_calls;
	struct known_file *known;
	size_t nr_known, room_known;
	size_t room_files;
};

static int broken(const struct reading *reading, const char *what)
{
	return diagnostic_set(reading->diagnostic, "%s: record %zu: %s", reading->path, reading->index, what);
}

/* Room for one more in an array, which may move. -1: there is no memory. */
static int make_room(const struct reading *reading, void **array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *moved;

	if (count < *room)
		return 0;
	moved = reallocarray(*array, wanted, size);
	if (!moved)
		return diagnostic_set(reading->diagnostic, "%s: no memory", reading->path);
	*array = moved;
	*room = wanted;
	return 0;
}

static int add_event(const struct reading *reading, struct crash_log_file *file, const struct crash_event *event)
{
	if (make_room(reading, (void **)&file->events, file->nr_events, &file->room_events, sizeof(*event)))
		return -1;
	file->events[file->nr_events++] = *event;
	return 0;
}

/* ---- files ---- */

static size_t find_file(const struct reading *reading, const struct crash_record *record)
{
	for (size_t i = 0; i < reading->nr_known; i++)
		if (reading->known[i].process == record->process && reading->known[i].number == record->file)
			return reading->known[i].file;
	return NO_FILE;
}

static struct crash_log_file *new_file(struct reading *reading, const struct crash_record *record, const char *path)
{
	struct crash_log *log = reading->log;
	struct crash_log_file *file;

	if (make_room(reading, (void **)&log->files, log->nr_files, &reading->room_files, sizeof(*file)))
		return NULL;
	file = &log->files[log->nr_files++];
	*file = (struct crash_log_file){ .inode = record->position, .size = record->length, .largest = record->length };
	memcpy(file->path, path, record->payload);
	file->touched = calloc(file->size / CRASH_SECTOR / 8 + 1, 1);
	if (!file->touched) {
		diagnostic_set(reading->diagnostic, "%s: no memory", reading->path);
		return NULL;
	}
	return file;
}

static int read_file(struct reading *reading, const struct crash_record *record, const unsigned char *payload)
{
	char path[CRASH_RECORD_PATH] = { 0 };
	struct known_file known = { .process = record->process, .number = record->file, .file = NO_FILE };
	struct crash_log *log = reading->log;

	if (record->payload == 0 || record->payload >= sizeof(path) || record->length > INT64_MAX ||
	    find_file(reading, record) != NO_FILE)
		return broken(reading, "a file without a name, or with one that is too long, or one twice");
	memcpy(path, payload, record->payload);
	for (size_t i = 0; i < log->nr_files; i++)
		if (strcmp(log->files[i].path, path) == 0)
			known.file = i;
	if (known.file != NO_FILE && log->files[known.file].inode != record->position)
		return diagnostic_set(reading->diagnostic,
				      "%s: record %zu: %s is another file than before; begin a new log for it",
				      reading->path, reading->index, path);
	if (known.file == NO_FILE) {
		if (!new_file(reading, record, path))
			return -1;
		known.file = log->nr_files - 1;
	}
	if (make_room(reading, (void **)&reading->known, reading->nr_known, &reading->room_known, sizeof(known)))
		return -1;
	reading->known[reading->nr_known++] = known;
	return 0;
}

/* Marks a sector as touched; false: it was before, or was beyond the end at first. */
static bool touch(struct crash_log_file *file, uint64_t sector)
{
	unsigned char bit = (unsigned char)(1u << (sector % 8));

	if (sector * CRASH_SECTOR >= file->size || file->touched[sector / 8] & bit)
		return false;
	file->touched[sector / 8] |= bit;
	return true;
}

static int read_initial(struct reading *reading, struct crash_log_file *file, const struct crash_record *record,
			const unsigned char *payload)
{
	if (record->position % CRASH_SECTOR || record->length != record->payload || record->position > INT64_MAX ||
	    record->length > (uint64_t)INT64_MAX - record->position)
		return broken(reading, "bytes that are no whole sectors");
	for (uint64_t done = 0; done < record->length; done += CRASH_SECTOR) {
		struct crash_initial initial = { .sector = (record->position + done) / CRASH_SECTOR,
						 .bytes = payload + done,
						 .length = record->length - done < CRASH_SECTOR
								   ? (size_t)(record->length - done)
								   : CRASH_SECTOR };

		if (!touch(file, initial.sector))
			continue;
		if (make_room(reading, (void **)&file->initial, file->nr_initial, &file->room_initial, sizeof(initial)))
			return -1;
		file->initial[file->nr_initial++] = initial;
	}
	return 0;
}

/* ---- calls ---- */

static void touch_range(struct crash_log_file *file, uint64_t position, uint64_t length)
{
	for (uint64_t sector = position / CRASH_SECTOR; length > 0 && sector <= (position + length - 1) / CRASH_SECTOR;
	     sector++)
		(void)touch(file, sector);
}

/* What calls of another process have left open is over: it is gone, as this one has the file now. */
static void end_calls_of_the_dead(struct reading *reading, size_t file, uint64_t process)
{
	size_t kept = 0;

	for (size_t i = 0; i < reading->nr_calls; i++) {
		struct open_call call = reading->calls[i];
		struct crash_event *event;

		if (call.file != file || call.process == process) {
			reading->calls[kept++] = call;
			continue;
		}
		if (call.event == NO_EVENT)
			continue;
		event = &reading->log->files[file].events[call.event];
		if (event->kind == CRASH_FLUSH)
			continue; /* never returned */
		event->failed = true;
		event->returned = reading->moment - 1;
	}
	reading->nr_calls = kept;
}

/* Fills in the event of a call that begins. Returns 1; 0: there is none; -1. */
static int event_of(const struct reading *reading, struct crash_log_file *file, const struct crash_record *record,
		    const unsigned char *payload, struct crash_event *event)
{
	uint64_t end;

	*event = (struct crash_event){ .begun = reading->moment, .returned = CRASH_NEVER };
	if (__builtin_add_overflow(record->position, record->length, &end) || end > INT64_MAX)
		return broken(reading, "a range that is too large");
	switch ((enum crash_record_call)record->what) {
	case CRASH_CALL_WRITE:
		event->kind = CRASH_WRITE;
		event->stable = record->flags & CRASH_RECORD_STABLE;
		event->position = record->position;
		event->length =
			record->payload; /* of the rest nothing is known: it was not read, nor will be written */
		event->data = payload;
		end = record->position + record->payload;
		if (record->payload > record->length)
			return broken(reading, "more data than length");
		if (record->payload > 0 && end > file->largest)
			file->largest = end;
		touch_range(file, event->position, event->length);
		return 1;
	case CRASH_CALL_ZERO:
		event->kind = CRASH_ZERO;
		end = end < file->largest ? end : file->largest;
		event->position = record->position < end ? record->position : end;
		event->length = end - event->position;
		touch_range(file, event->position, event->length);
		return 1;
	case CRASH_CALL_RESIZE:
		event->kind = CRASH_RESIZE;
		event->length = record->length;
		if (record->length < file->size)
			touch_range(file, record->length, file->size - record->length);
		if (record->length > file->largest)
			file->largest = record->length;
		return 1;
	case CRASH_CALL_GROW:
		event->kind = CRASH_GROW;
		event->length = record->length;
		if (record->length > file->largest)
			file->largest = record->length;
		return 1;
	case CRASH_CALL_FLUSH:
		event->kind = CRASH_FLUSH;
		return 1;
	case CRASH_CALL_SYNC_RANGE:
		return 0;
	}
	return broken(reading, "an unknown call");
}

static int read_begin(struct reading *reading, size_t number, const struct crash_record *record,
		      const unsigned char *payload)
{
	struct crash_log_file *file = &reading->log->files[number];
	struct open_call call = { .process = record->process,
				  .call = record->call,
				  .file = number,
				  .event = NO_EVENT,
				  .what = record->what,
				  .flags = record->flags,
				  .length = record->length };
	struct crash_event event;
	int code;

	end_calls_of_the_dead(reading, number, record->process);
	code = event_of(reading, file, record, payload, &event);
	if (code < 0)
		return -1;
	if (code > 0) {
		call.event = file->nr_events;
		if (add_event(reading, file, &event))
			return -1;
	}
	if (make_room(reading, (void **)&reading->calls, reading->nr_calls, &reading->room_calls, sizeof(call)))
		return -1;
	reading->calls[reading->nr_calls++] = call;
	return 0;
}

/* An error that says that nothing was done. */
static bool is_refusal(int64_t result)
{
	return result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL || result == -EINTR;
}

/* What came of a write: all, a part, or it is not known what. */
static int end_write(const struct reading *reading, struct crash_log_file *file, const struct open_call *call,
		     int64_t result)
{
	struct crash_event rest = file->events[call->event];
	struct crash_event flush = {
		.kind = CRASH_FLUSH, .failed = true, .begun = rest.begun, .returned = rest.returned
	};

	if (result > (int64_t)rest.length)
		return broken(reading, "more was written than is known");
	rest.failed = true;
	if (result < 0) {
		file->events[call->event] = rest;
		/* It may have been told what the flush after it will not be told any more. */
		return rest.stable ? add_event(reading, file, &flush) : 0;
	}
	file->events[call->event].length = (uint64_t)result;
	rest.position += (uint64_t)result;
	rest.length -= (uint64_t)result;
	rest.data += result;
	return rest.length > 0 ? add_event(reading, file, &rest) : 0;
}

static int end_event(const struct reading *reading, const struct open_call *call, int64_t result)
{
	struct crash_log_file *file = &reading->log->files[call->file];
	struct crash_event *event = &file->events[call->event];

	if (is_refusal(result)) {
		if (event->kind == CRASH_RESIZE)
			return broken(reading, "a size was refused");
		event->length = 0;
		return 0; /* of a flush: it has not returned, so it covers nothing */
	}
	event->returned = reading->moment;
	if (event->kind == CRASH_WRITE)
		return end_write(reading, file, call, result);
	event->failed = result < 0;
	return 0;
}

static int read_end(struct reading *reading, size_t number, const struct crash_record *record)
{
	for (size_t i = 0; i < reading->nr_calls; i++) {
		struct open_call call = reading->calls[i];

		if (call.process != record->process || call.call != record->call || call.file != number)
			continue;
		if (call.what != record->what)
			return broken(reading, "another call ends than began");
		reading->calls[i] = reading->calls[--reading->nr_calls];
		return call.event == NO_EVENT ? 0 : end_event(reading, &call, record->result);
	}
	return broken(reading, "a call ends that has not begun");
}

/* A new moment at which the power can be cut, after this record. */
static int add_cut(const struct reading *reading, struct crash_log_file *file, uint64_t time_ns)
{
	if (make_room(reading, (void **)&file->cuts, file->nr_cuts, &file->room_cuts, sizeof(*file->cuts)))
		return -1;
	if (file->nr_cuts == 0)
		file->cuts[file->nr_cuts++] = (struct crash_cut){ .moment = 0 };
	file->cuts[file->nr_cuts - 1].until_ns = time_ns;
	file->cuts[file->nr_cuts++] = (struct crash_cut){ .moment = reading->moment + 1, .until_ns = CRASH_NEVER };
	return 0;
}

/* ---- the whole ---- */

static int read_record(struct reading *reading, const struct crash_record *record, const unsigned char *payload)
{
	size_t number;
	int code;

	if (record->kind == CRASH_RECORD_FILE)
		return read_file(reading, record, payload);
	number = find_file(reading, record);
	if (number == NO_FILE)
		return broken(reading, "a file that was not named");
	switch ((enum crash_record_kind)record->kind) {
	case CRASH_RECORD_INITIAL:
		return read_initial(reading, &reading->log->files[number], record, payload);
	case CRASH_RECORD_BEGIN:
		code = read_begin(reading, number, record, payload);
		break;
	case CRASH_RECORD_END:
		code = read_end(reading, number, record);
		break;
	default:
		return broken(reading, "an unknown kind");
	}
	return code ? code : add_cut(reading, &reading->log->files[number], record->time_ns);
}

static int read_records(struct reading *reading)
{
	const unsigned char *at = reading->log->bytes;
	size_t left = reading->log->length;

	for (reading->index = 0; left >= sizeof(struct crash_record); reading->index++) {
		struct crash_record record;

		memcpy(&record, at, sizeof(record));
		at += sizeof(record);
		left -= sizeof(record);
		if (record.magic != CRASH_RECORD_MAGIC)
			return broken(reading, "no record is there");
		if (record.payload > left)
			break; /* it was not finished */
		reading->moment = 2 * (uint64_t)reading->index + 1;
		if (read_record(reading, &record, at))
			return -1;
		at += record.payload;
		left -= record.payload;
	}
	return 0;
}

static int compare_events(const void *one, const void *other)
{
	const struct crash_event *a = one, *b = other;

	if (a->begun != b->begun)
		return a->begun < b->begun ? -1 : 1;
	if (a->position != b->position)
		return a->position < b->position ? -1 : 1;
	return 0;
}

static int compare_initial(const void *one, const void *other)
{
	const struct crash_initial *a = one, *b = other;

	return a->sector < b->sector ? -1 : a->sector > b->sector;
}

static void finish_files(struct crash_log *log)
{
	for (size_t i = 0; i < log->nr_files; i++) {
		struct crash_log_file *file = &log->files[i];

		if (file->nr_events > 0)
			qsort(file->events, file->nr_events, sizeof(*file->events), compare_events);
		if (file->nr_initial > 0)
			qsort(file->initial, file->nr_initial, sizeof(*file->initial), compare_initial);
		free(file->touched);
		file->touched = NULL;
	}
}

static int map_log(struct crash_log *log, const char *path, struct diagnostic *diagnostic)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *bytes;

	if (fd < 0 || fstat(fd, &status)) {
		diagnostic_set(diagnostic, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	log->length = (size_t)status.st_size;
	bytes = log->length > 0 ? mmap(NULL, log->length, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	(void)close(fd);
	if (bytes == MAP_FAILED)
		return diagnostic_set(diagnostic, "%s: %s", path, strerror(errno));
	log->bytes = bytes;
	return 0;
}

int crash_log_read(struct crash_log *log, const char *path, struct diagnostic *diagnostic)
{
	struct reading reading = { .log = log, .path = path, .diagnostic = diagnostic };
	int code;

	*log = (struct crash_log){ 0 };
	if (map_log(log, path, diagnostic))
		return -1;
	code = read_records(&reading);
	finish_files(log);
	free(reading.calls);
	free(reading.known);
	if (code)
		crash_log_free(log);
	return code;
}

void crash_log_free(struct crash_log *log)
{
	for (size_t i = 0; i < log->nr_files; i++) {
		free(log->files[i].events);
		free(log->files[i].cuts);
		free(log->files[i].initial);
	}
	free(log->files);
	if (log->bytes)
		(void)munmap((void *)(uintptr_t)log->bytes, log->length);
	*log = (struct crash_log){ 0 };
}

const struct crash_log_file *crash_log_find(const struct crash_log *log, const char *path)
{
	for (size_t i = 0; i < log->nr_files; i++)
		if (strcmp(log->files[i].path, path) == 0)
			return &log->files[i];
	return NULL;
}

/* Of a run: what a sector held at first. */
static void initial_of(void *context, uint64_t sector, unsigned char bytes[CRASH_SECTOR])
{
	const struct crash_log_file *file = context;
	const struct crash_initial key = { .sector = sector };
	const struct crash_initial *found = NULL;

	if (file->nr_initial > 0)
		found = bsearch(&key, file->initial, file->nr_initial, sizeof(key), compare_initial);
	memset(bytes, 0, CRASH_SECTOR);
	if (found)
		memcpy(bytes, found->bytes, found->length);
}

int crash_log_prepare(const struct crash_log_file *file, size_t more, struct crash_run *run,
		      struct crash_memory *memory, struct diagnostic *diagnostic)
{
	size_t size;

	*run = (struct crash_run){ .events = file->events,
				   .nr_events = file->nr_events,
				   .size = file->size,
				   .read_initial = initial_of,
				   .context = (void *)(uintptr_t)file };
	size = crash_run_memory(run);
	*memory = (struct crash_memory){ .start = NULL };
	if (size == SIZE_MAX || __builtin_add_overflow(size, more, &size))
		return diagnostic_set(diagnostic, "%s: the log's events are too large", file->path);
	memory->start = malloc(size);
	memory->size = size;
	if (!memory->start || crash_run_prepare(run, memory)) {
		free(memory->start);
		return diagnostic_set(diagnostic, "%s: no memory for %zu events", file->path, file->nr_events);
	}
	return 0;
}
