/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fixture of the tests of the front; see front_test.h.
 */
#include "front_test.h"

struct server server;
struct scripted_disk below[2];
struct front_memory memory[CLIENTS];
bool end_is_requested;
int awaited;

static int seen; /* answers that the test has looked at */

bool __wrap_termination_requested(void);
void __wrap_completions_await(struct completions *completions);
void __real_completions_await(struct completions *completions);

bool __wrap_termination_requested(void)
{
	return end_is_requested;
}

void __wrap_completions_await(struct completions *completions)
{
	if (!completions_any(completions)) {
		int minor = below[DISK].nr_pending > 0 ? DISK : SHARED;

		assert_true(below[minor].nr_pending > 0);
		awaited++;
		completions_put(completions, scripted_disk_end(&below[minor], below[minor].pending[0], 0));
	}
	__real_completions_await(completions);
}

static int setup(bool granted)
{
	static const struct configuration configuration = {
		.nr_devices = 2,
		.devices = {
			{ .name = "DISK", .type = MEMORY_IMAGE, .size = DISK_SIZE, .buffer = BUFFER_SIZE, .line = 1 },
			{ .name = "SHARED", .type = MEMORY_IMAGE, .size = DISK_SIZE, .buffer = BUFFER_SIZE,
			  .shared = true, .line = 2 },
		},
	};
	struct diagnostic diagnostic;

	memset(&fake_dvk, 0, sizeof(fake_dvk));
	memset(&server, 0, sizeof(server));
	memset(memory, 0, sizeof(memory));
	scripted_disks_reset();
	seen = 0;
	awaited = 0;
	end_is_requested = false;
	for (int i = 0; i < CLIENTS; i++)
		fake_dvk.incarnations[dvk_endpoint_slot(CLIENT + i)] = 100 * (i + 1);
	fake_dvk.incarnations[dvk_endpoint_slot(SYSTEM_CLIENT)] = 7;
	fake_dvk.granted = granted ? (char *)memory : NULL;
	fake_dvk.granted_bytes = sizeof(memory);
	fake_dvk.sealed = true;
	if (driver_init(&server))
		return -1;
	server.endpoint = SERVER;
	server.nr_tasks = DC_TASKS_DEFAULT;
	server.nr_sysprocs = NR_SYS_PROCS;
	if (device_table_open(&server.devices, &configuration, "test.cfg", &server.completions, &diagnostic))
		return -1;
	for (int minor = 0; minor < 2; minor++) {
		struct device *device = &server.devices.devices[minor];

		scripted_disk_attach(&below[minor], &device->disk, device->store.size);
	}
	return 0;
}

int setup_granted(void **state)
{
	(void)state;
	return setup(true);
}

int setup_copied(void **state)
{
	(void)state;
	return setup(false);
}

static void check_client(struct client *client)
{
	assert_null(client->requests);
	assert_false(client->open);
	assert_false(client->collects);
	assert_false(client->in_batch);
	assert_int_equal(client->elements, 0);
	assert_int_equal(client->told, 0);
	assert_int_equal(client->nr_suspended, client->nr_results);
}

int front_test_teardown(void **state)
{
	(void)state;
	none_answered();
	assert_int_equal(below[DISK].nr_pending, 0);
	assert_int_equal(below[SHARED].nr_pending, 0);
	assert_false(requests_can_go_on(&server.requests));
	assert_int_equal(server.requests.nr_free, REQUESTS_MAX);
	assert_int_equal(server.nr_client_waiters, 0);
	assert_int_equal(fake_dvk.pins, 0);
	for (int slot = 0; slot < NR_SLOTS; slot++)
		check_client(&server.clients[slot]);
	for (int minor = 0; minor < 2; minor++) {
		const struct request_disk *disk = &server.devices.devices[minor].disk;

		assert_int_equal(disk->nr_abandoned, 0);
		assert_int_equal(disk->nr_write_buffers, REQUEST_BUFFERS);
		assert_null(disk->order_first);
	}
	device_table_close(&server.devices);
	completions_destroy(&server.completions);
	return 0;
}

void answers(int minor, enum io_operation operation, enum io_answer answer)
{
	below[minor].answers[operation] = answer;
}

void all_pend(int minor)
{
	for (int i = IO_READ; i < SCRIPTED_OPERATIONS; i++)
		below[minor].answers[i] = IO_PENDING;
}

message build(int endpoint, int type, int minor, int count, int64_t position, void *address)
{
	message asked = { .m_source = endpoint, .m_type = type };

	asked.DEVICE = minor;
	asked.IO_ENDPT = endpoint;
	asked.COUNT = count;
	asked.POSITION = position;
	asked.ADDRESS = address;
	return asked;
}

void none_answered(void)
{
	assert_int_equal(fake_dvk.nr_replies, seen);
}

int next_answered(int endpoint)
{
	assert_true(fake_dvk.nr_replies > seen);
	assert_int_equal(fake_dvk.reply_to[seen], endpoint);
	assert_int_equal(fake_dvk.replies[seen].m_type, MOLTASK_REPLY);
	return fake_dvk.replies[seen++].REP_STATUS;
}

int answered(int endpoint)
{
	assert_int_equal(fake_dvk.nr_replies, seen + 1);
	return next_answered(endpoint);
}

/* As the loop does between two messages. */
static void turn(void)
{
	if (completions_any(&server.completions) || requests_can_go_on(&server.requests))
		answer_all_done(&server);
}

void begin(const message *asked)
{
	driver_begin(&server, asked);
	turn();
	none_answered();
}

int ask(const message *asked)
{
	driver_begin(&server, asked);
	turn();
	return answered(asked->m_source);
}

int ask_for(int endpoint, int type, int minor, int count, int64_t position, void *address)
{
	const message asked = build(endpoint, type, minor, count, position, address);

	return ask(&asked);
}

void open_shared(int endpoint)
{
	assert_int_equal(ask_for(endpoint, DEV_OPEN, SHARED, 0, 0, NULL), 0);
}

/* Without the server taking it. */
static void put_first(int minor, int result)
{
	struct scripted_disk *scripted = &below[minor];

	assert_true(scripted->nr_pending > 0);
	completions_put(&server.completions, scripted_disk_end(scripted, scripted->pending[0], result));
}

void end_first(int minor, int result)
{
	put_first(minor, result);
	turn();
}

void end_together(int minor, int count, int result)
{
	for (int i = 0; i < count; i++)
		put_first(minor, result);
	turn();
}

void end_all(int minor, int result)
{
	while (below[minor].nr_pending > 0)
		end_first(minor, result);
}

void die(int endpoint)
{
	fake_dvk.incarnations[dvk_endpoint_slot(endpoint)] = 0;
}

void succeed(int endpoint)
{
	static int last = 10000;

	fake_dvk.incarnations[dvk_endpoint_slot(endpoint)] = ++last;
	fake_dvk.away[dvk_endpoint_slot(endpoint)] = false;
}

static uint64_t address_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

struct rdisk_request *element(int endpoint, int index, enum rdisk_operation operation, int minor, uint64_t position,
			      uint64_t length)
{
	struct front_memory *mine = memory_of(endpoint);
	struct rdisk_request *request = &mine->requests[index];
	bool moves = operation == RDISK_OP_READ || operation == RDISK_OP_WRITE;

	mine->vectors[index] = (struct rdisk_iovec){ address_of(mine->data + (index % 16) * BUFFER_SIZE), length };
	*request = (struct rdisk_request){ .operation = operation,
					   .minor = minor,
					   .position = position,
					   .length = length,
					   .cookie = 1000 + (uint64_t)index,
					   .result = RDISK_RESULT_NONE };
	if (moves) {
		request->nr_segments = 1;
		request->vector = address_of(&mine->vectors[index]);
	}
	return request;
}

struct rdisk_request *marked(int endpoint, int index, enum rdisk_operation operation, int minor, uint64_t position,
			     uint64_t length)
{
	struct rdisk_request *request = element(endpoint, index, operation, minor, position, length);

	request->flags = RDISK_REQUEST_MAY_SUSPEND;
	return request;
}

struct rdisk_request *collect(int endpoint, int index, uint32_t room, uint32_t flags)
{
	struct rdisk_request *request = &memory_of(endpoint)->requests[index];

	*request = (struct rdisk_request){ .operation = RDISK_OP_COLLECT,
					   .flags = flags,
					   .nr_segments = room,
					   .vector = address_of(memory_of(endpoint)->completions),
					   .result = RDISK_RESULT_NONE };
	return request;
}

message batch(int endpoint, int count)
{
	return build(endpoint, DEV_BATCH, 0, count, 0, memory_of(endpoint)->requests);
}

int collected(int endpoint)
{
	const struct rdisk_request *request = collect(endpoint, 0, RDISK_BATCH_MAX, 0);
	const message asked = batch(endpoint, 1);

	assert_int_equal(ask(&asked), 1);
	return (int)request->result;
}
