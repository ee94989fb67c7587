/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables: which DCs run, and which process has which endpoint. Rules of the original
 * (bind types, order of checks); see dvk_wire.h for what goes over the socket.
 */
#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_internal.h"

/* ---- lookups ---- */

struct node_dc *node_dc_find(const struct dvk_node *node, int dcid, int *error)
{
	*error = EDVSBADDCID;
	if (dcid < 0 || dcid >= NR_DCS)
		return NULL;
	*error = EDVSDCNOTRUN;
	return node->dcs[dcid];
}

bool node_dc_has(const struct node_dc *dc, int endpoint)
{
	return endpoint >= -dc->usr.dc_nr_tasks && endpoint < dc->usr.dc_nr_procs;
}

bool node_dc_is_system(const struct node_dc *dc, int endpoint)
{
	return dvk_endpoint_is_system(endpoint, dc->usr.dc_nr_tasks, dc->usr.dc_nr_sysprocs);
}

struct node_binding *node_binding_at(struct node_dc *dc, int endpoint)
{
	return &dc->bindings[dvk_endpoint_slot(endpoint)];
}

struct node_dc *node_client_dc(const struct dvk_node *node, const struct node_client *client)
{
	return node->dcs[client->dcid];
}

struct node_binding *node_client_binding(const struct dvk_node *node, const struct node_client *client)
{
	return node_binding_at(node_client_dc(node, client), client->endpoint);
}

void node_binding_describe(const struct dvk_node *node, const struct node_client *client,
			   struct dvk_node_packet *packet)
{
	const struct node_dc *dc = node_client_dc(node, client);

	packet->dcid = client->dcid;
	packet->endpoint = client->endpoint;
	packet->pid = client->tid;
	packet->nr_tasks = dc->usr.dc_nr_tasks;
	packet->nr_sysprocs = dc->usr.dc_nr_sysprocs;
}

/* ---- DCs ---- */

/* A field of DC_INIT: 0 takes the default. False: out of range. */
static bool take_number(int *field, int standard, int max)
{
	if (*field == 0)
		*field = standard;
	return *field >= 1 && *field <= max;
}

static int take_name(dc_usr_t *dc)
{
	if (!memchr(dc->dc_name, '\0', sizeof(dc->dc_name)))
		return EDVSNAMESIZE;
	for (const char *c = dc->dc_name; *c; c++)
		if (!isgraph((unsigned char)*c) || *c == '/')
			return EDVSBADVALUE;
	if (!dc->dc_name[0])
		snprintf(dc->dc_name, sizeof(dc->dc_name), "DC%d", dc->dc_dcid);
	return 0;
}

static int take_dc(const struct dvk_node *node, dc_usr_t *dc)
{
	int slots;

	if (!take_number(&dc->dc_nr_procs, NR_PROCS, NR_PROCS) ||
	    !take_number(&dc->dc_nr_tasks, DC_TASKS_DEFAULT, NR_TASKS) ||
	    !take_number(&dc->dc_nr_nodes, NR_NODES, NR_NODES))
		return EDVSBADRANGE;
	slots = dc->dc_nr_tasks + dc->dc_nr_procs;
	if (!take_number(&dc->dc_nr_sysprocs, slots < NR_SYS_PROCS ? slots : NR_SYS_PROCS, slots))
		return EDVSBADRANGE;
	dc->dc_nodes |= 1UL << node->nodeid;
	if (dc->dc_nodes >> (dc->dc_nr_nodes - 1) > 1)
		return EDVSBADRANGE;
	if (dc->dc_warn2proc == 0)
		dc->dc_warn2proc = NONE;
	if (dc->dc_warn2proc != NONE && (dc->dc_warn2proc < -dc->dc_nr_tasks || dc->dc_warn2proc >= dc->dc_nr_procs))
		return EDVSBADRANGE;
	if (!dc->dc_cpumask)
		dc->dc_cpumask = ~0UL;
	dc->dc_flags = DC_RUNNING;
	return take_name(dc);
}

int node_dc_init(struct dvk_node *node, const struct node_client *client, const dc_usr_t *wanted)
{
	dc_usr_t usr = *wanted;
	struct node_dc *dc;
	int rc;

	if (client->access != NODE_ACCESS_FULL)
		return EDVSPRIVILEGES;
	if (usr.dc_dcid < 0 || usr.dc_dcid >= NR_DCS)
		return EDVSBADDCID;
	if (node->dcs[usr.dc_dcid])
		return EDVSDCRUN;
	rc = take_dc(node, &usr);
	if (rc)
		return rc;
	dc = calloc(1, sizeof(*dc));
	if (!dc)
		return EDVSNOMEM;
	usr.dc_pid = client->pid;
	dc->usr = usr;
	node->dcs[usr.dc_dcid] = dc;
	node_log_client(node, false, "info", "DC %d (%s) started by process %d", usr.dc_dcid, usr.dc_name,
			(int)client->pid);
	return 0;
}

int node_dc_end(struct dvk_node *node, int dcid)
{
	struct node_dc *dc = node->dcs[dcid];

	for (int endpoint = -NR_TASKS; endpoint < NR_PROCS; endpoint++)
		if (node_binding_at(dc, endpoint)->client)
			node_unbind(node, node_binding_at(dc, endpoint)->client, EDVSNOTBIND, EDVSDCNOTRUN);
	node->dcs[dcid] = NULL;
	free(dc);
	node_log_client(node, false, "info", "DC %d ended", dcid);
	return 0;
}

/* ---- bindings ---- */

/* The endpoint that BIND asks for, or < EDVSERRCODE. */
static int choose_endpoint(const struct node_client *client, struct node_dc *dc, int wanted)
{
	if (wanted == ANY) {
		int first_user = dc->usr.dc_nr_sysprocs - dc->usr.dc_nr_tasks;

		for (int endpoint = first_user; endpoint < dc->usr.dc_nr_procs; endpoint++)
			if (!node_binding_at(dc, endpoint)->client)
				return endpoint;
		return EDVSRSCBUSY;
	}
	if (!node_dc_has(dc, wanted))
		return EDVSENDPOINT;
	if (client->access != NODE_ACCESS_FULL && node_dc_is_system(dc, wanted))
		return EDVSPRIVILEGES;
	if (node_binding_at(dc, wanted)->client)
		return EDVSSLOTUSED;
	return wanted;
}

/*
 * Whom LCL_BIND binds: the connection of that thread, else an unbound one of that process, else
 * the process itself, known by its number alone until it connects. A client whose thread has ended may bear a number
 * that another process has now.
 */
static struct node_client *find_local(struct dvk_node *node, pid_t id, int *error)
{
	struct node_client *client, *other = NULL;
	pid_t process = node_process_of(id);

	for (client = TAILQ_FIRST(&node->clients); client; client = TAILQ_NEXT(client, link)) {
		if (client->doomed || (client->fd >= 0 && !client->greeted))
			continue;
		if (client->tid == id && client->pid == process) {
			*error = EDVSSLOTUSED;
			if (client->endpoint == NONE)
				return client;
			if (other && other->tid == id)
				continue;
			other = client;
		} else if (client->pid == id && client->endpoint == NONE && client->fd >= 0 && !other) {
			other = client;
		}
	}
	if (!other)
		return node_client_detached(node, id, error);
	return other->endpoint == NONE ? other : NULL;
}

static void occupy(struct node_dc *dc, struct node_client *client, int endpoint, int type, struct node_page *page)
{
	struct node_binding *binding = node_binding_at(dc, endpoint);

	binding->client = client;
	binding->page = page;
	binding->type = type;
	memset(binding->introduced, 0, sizeof(binding->introduced));
	node_process_name(client->pid, client->tid, binding->name);
	client->dcid = dc->usr.dc_dcid;
	client->endpoint = endpoint;
}

int node_bind(struct dvk_node *node, struct node_client *client, const struct dvk_node_request *request,
	      struct node_client **bound)
{
	int type = request->argument;
	struct node_dc *dc;
	struct node_page *page;
	int endpoint, error;

	if (type != SELF_BIND && type != LCL_BIND && type != USERMODE_BIND)
		return EDVSBINDTYPE;
	if (type == LCL_BIND && client->access != NODE_ACCESS_FULL)
		return EDVSPRIVILEGES;
	dc = node_dc_find(node, request->dcid, &error);
	if (!dc)
		return error;
	endpoint = choose_endpoint(client, dc, request->endpoint);
	if (endpoint < EDVSERRCODE)
		return endpoint;
	*bound = client;
	if (type == LCL_BIND) {
		*bound = find_local(node, request->pid, &error);
		if (!*bound)
			return error;
	}
	if ((*bound)->endpoint != NONE)
		return EDVSSLOTUSED;
	page = node_page_create(&error);
	if (!page) {
		if ((*bound)->fd < 0)
			node_client_doom(node, *bound, NULL);
		return EDVSALLOCMEM;
	}
	occupy(dc, *bound, endpoint, type, page);
	return endpoint;
}

void node_unbind(struct dvk_node *node, struct node_client *client, int told, int own)
{
	struct node_dc *dc = node_client_dc(node, client);
	struct node_binding *binding = node_client_binding(node, client);
	struct node_page *page = binding->page;
	int endpoint = client->endpoint;

	node_part_from_peers(node, dc, endpoint, told);
	binding->client = NULL;
	binding->page = NULL;
	client->endpoint = NONE;
	if (own) {
		struct dvk_node_packet event = node_event(node, DVK_EVENT_UNBOUND, own);

		event.dcid = client->dcid;
		event.endpoint = endpoint;
		if (client->fd >= 0)
			node_client_send(node, client, &event, NULL, 0, page);
		else
			node_client_doom(node, client, NULL);
	}
	node_page_release(page);
	node_wait_freed(node, client->dcid, endpoint, client);
}

int node_find_bound(const struct dvk_node *node, pid_t id, int *endpoint)
{
	const struct node_client *client, *shared = NULL;
	pid_t process;

	if (id <= 0)
		return EDVSBADPID;
	process = node_process_of(id);
	for (client = TAILQ_FIRST(&node->clients); client; client = TAILQ_NEXT(client, link)) {
		if (client->endpoint == NONE || client->doomed)
			continue;
		if (client->tid == id && client->pid == process) {
			*endpoint = client->endpoint;
			return 0;
		}
		/* Threads without an endpoint of their own share the main thread's; a process whose
		 * main thread has none is known by that of another thread. */
		if (client->pid == process && (client->tid == process || (id == process && !shared)))
			shared = client;
	}
	if (shared) {
		*endpoint = shared->endpoint;
		return 0;
	}
	return process > 0 ? EDVSNOTBIND : EDVSBADPID;
}

/* ---- information ---- */

void node_fill_dvs(const struct dvk_node *node, dvs_usr_t *dvs)
{
	memcpy(dvs->d_name, node->name, sizeof(dvs->d_name));
	dvs->d_nr_dcs = NR_DCS;
	dvs->d_nr_nodes = NR_NODES;
	dvs->d_nr_procs = NR_PROCS;
	dvs->d_nr_tasks = NR_TASKS;
	dvs->d_nr_sysprocs = NR_SYS_PROCS;
	dvs->d_max_copybuf = MAXCOPYBUF;
	dvs->d_max_copylen = MAXCOPYLEN;
	dvs->d_version = DVS_VERSION;
	dvs->d_flags = DVS_INITIALIZED | DVS_USERMODE;
	dvs->d_size_proc = (int)sizeof(struct node_binding);
}

/* An endpoint that a process wrote into its page: shown only if it can be one. */
static int shown_endpoint(int value)
{
	return dvk_endpoint_valid(value) || value == ANY ? value : NONE;
}

static unsigned long host_cpus(pid_t pid)
{
	cpu_set_t set;
	unsigned long mask = 0;

	if (sched_getaffinity(pid, sizeof(set), &set))
		return 0;
	for (unsigned int cpu = 0; cpu < 8 * sizeof(mask); cpu++)
		if (CPU_ISSET(cpu, &set))
			mask |= 1UL << cpu;
	return mask;
}

void node_fill_proc(const struct dvk_node *node, struct node_dc *dc, int endpoint, proc_usr_t *proc)
{
	const struct node_binding *binding = node_binding_at(dc, endpoint);
	const struct node_client *client = binding->client;
	const struct dvk_process_page *page;

	proc->p_nr = endpoint;
	proc->p_endpoint = endpoint;
	proc->p_dcid = dc->usr.dc_dcid;
	proc->p_nodeid = node->nodeid;
	proc->p_getfrom = NONE;
	proc->p_sendto = NONE;
	proc->p_waitmigr = NONE;
	proc->p_waitunbind = NONE;
	proc->p_proxy = NONE;
	if (!client) {
		proc->p_rts_flags = SLOT_FREE;
		proc->p_lpid = PROC_NO_PID;
		proc->p_vpid = PROC_NO_PID;
		return;
	}
	/* Statistics that nobody acts upon: no order between the words is needed. */
	page = binding->page->shared;
	proc->p_rts_flags =
		atomic_load_explicit(&page->rts_flags, memory_order_relaxed) & (SENDING | RECEIVING | ONCOPY);
	if (client->wait.kind == NODE_WAIT_BOUND)
		proc->p_rts_flags |= WAITBIND;
	if (client->wait.kind == NODE_WAIT_FREE || client->wait.kind == NODE_WAIT_UNBIND) {
		proc->p_rts_flags |= WAITUNBIND;
		proc->p_waitunbind = client->wait.endpoint;
	}
	proc->p_getfrom = shown_endpoint(atomic_load_explicit(&page->getfrom, memory_order_relaxed));
	proc->p_sendto = shown_endpoint(atomic_load_explicit(&page->sendto, memory_order_relaxed));
	proc->p_lclsent = atomic_load_explicit(&page->messages_sent, memory_order_relaxed);
	proc->p_lclcopy = atomic_load_explicit(&page->copies, memory_order_relaxed);
	proc->p_lpid = client->tid;
	proc->p_vpid = client->tid;
	proc->p_nodemap = 1UL << node->nodeid;
	proc->p_misc_flags = client->tid == client->pid ? MISC_GRPLEADER : 0;
	if (binding->type == USERMODE_BIND)
		proc->p_misc_flags |= MISC_USERMODE;
	memcpy(proc->p_name, binding->name, sizeof(proc->p_name));
	proc->p_cpumask = host_cpus(client->tid);
}
