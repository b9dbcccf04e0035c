/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Destinations by serial: their latest counters, and where connections to them are begun.  One whose record
 * came waits for the names of its stacks, then comes out.  When there is no room the longest silent one is
 * forgotten: of those that are over, or else of all.
 */
#include <errno.h>
#include <string.h>

#include "tables.h"

void connections_new(struct model *model)
{
	TAILQ_INIT(&model->connections_used);
	TAILQ_INIT(&model->connections_over);
	TAILQ_INIT(&model->connections_due);
	TAILQ_INIT(&model->connections_ready);
}

static void drop_site(struct model *model, struct connection *connection, uint32_t at)
{
	stacks_put(model, stacks_entry(connection->sites[at].stack));
	connection->nr_sites--;
	memmove(&connection->sites[at], &connection->sites[at + 1],
		(connection->nr_sites - at) * sizeof(connection->sites[0]));
}

/* Where it is, of those that are over or of the others. */
static struct connection_order *order_of(struct model *model, const struct connection_entry *entry)
{
	return entry->connection.is_over ? &model->connections_over : &model->connections_used;
}

static void forget(struct model *model, struct connection_entry *entry)
{
	while (entry->connection.nr_sites)
		drop_site(model, &entry->connection, 0);
	if (entry->state == CONNECTION_DUE)
		TAILQ_REMOVE(&model->connections_due, entry, due);
	if (entry->state == CONNECTION_READY)
		TAILQ_REMOVE(&model->connections_ready, entry, due);
	TAILQ_REMOVE(order_of(model, entry), entry, used);
	entry->target->nr_connections--;
	HASH_DEL(model->connections, entry);
	model->nr_connections--;
	free(entry);
}

static void forget_oldest(struct model *model)
{
	struct connection_entry *entry = TAILQ_FIRST(&model->connections_over);

	forget(model, entry ? entry : TAILQ_FIRST(&model->connections_used));
}

void connections_expire(struct model *model, uint64_t then_ns)
{
	struct connection_entry *entry;

	while ((entry = TAILQ_FIRST(&model->connections_over)) && entry->state == CONNECTION_IDLE &&
	       entry->connection.ev.head.ts_ns < then_ns)
		forget(model, entry);
}

void connections_free(struct model *model)
{
	while (model->connections)
		forget(model, model->connections);
}

/* Of a serial, made if it is new. NULL: no memory. */
static struct connection_entry *find_or_make(struct model *model, const struct ev_head *head, uint32_t serial)
{
	struct target_entry *target;
	struct connection_entry *entry;

	HASH_FIND(hh, model->connections, &serial, sizeof(serial), entry);
	if (entry)
		return entry;
	if (model->nr_connections >= model->bounds.connections)
		forget_oldest(model);
	target = processes_target(model, head->target_id);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->serial = serial;
	HASH_ADD(hh, model->connections, serial, sizeof(entry->serial), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	entry->target = target ? target : &model->nobody;
	entry->target->nr_connections++;
	entry->connection.ev.head = *head;
	for (size_t i = 0; i < MODEL_CONNECTION_RULES; i++)
		entry->connection.about[i].loop = &entry->loop;
	entry->loop.target = &entry->target->target;
	TAILQ_INSERT_TAIL(&model->connections_used, entry, used);
	model->nr_connections++;
	return entry;
}

static int by_recent(const void *a, const void *b)
{
	const struct connection_site *left = a, *right = b;

	if (left->recent != right->recent)
		return left->recent < right->recent ? 1 : -1;
	return (left->stack->id > right->stack->id) - (left->stack->id < right->stack->id);
}

static void add_sample(struct model *model, struct connection *connection, const struct ev_connect *ev)
{
	struct connection_site *site;
	struct stack_entry *stack;
	uint32_t at = 0;

	while (at < connection->nr_sites && connection->sites[at].stack->id != ev->stack_id)
		at++;
	if (at == connection->nr_sites) {
		stack = stacks_get(model, ev->stack_id);
		if (!stack)
			return; /* not taken, or its record was lost */
		if (at == MODEL_CONNECTION_SITES) {
			qsort(connection->sites, at, sizeof(connection->sites[0]), by_recent);
			drop_site(model, connection, --at);
		}
		connection->sites[at] = (struct connection_site){ .stack = &stack->stack };
		connection->nr_sites++;
	}
	site = &connection->sites[at];
	site->task_id = ev->task_id;
	site->pid = ev->pid;
	site->tid = ev->tid;
	site->loop_id = ev->head.loop_id;
	site->nr += ev->weight;
	site->recent += ev->weight;
}

int connections_add_connect(struct model *model, const struct ev_connect *ev)
{
	const uint32_t serials[] = { ev->serial, ev->process_serial };

	for (size_t i = 0; i < (ev->serial == ev->process_serial ? 1 : ARRAY_SIZE(serials)); i++) {
		struct connection_entry *entry = find_or_make(model, &ev->head, serials[i]);

		if (!entry)
			return -ENOMEM;
		add_sample(model, &entry->connection, ev);
	}
	return 0;
}

static void make_due(struct model *model, struct connection_entry *entry, uint64_t now_ns)
{
	entry->deadline_ns = now_ns + MODEL_NAME_WAIT_NS;
	if (entry->state != CONNECTION_IDLE)
		return;
	entry->state = CONNECTION_DUE;
	TAILQ_INSERT_TAIL(&model->connections_due, entry, due);
}

/* The largest burst of the destinations whose records came at the same time, for the process's own. */
static void note_burst(struct connection_entry *entry)
{
	struct connection *connection = &entry->connection;
	struct target_entry *target = entry->target;
	const struct ev_connection *ev = &connection->ev;

	if (target->burst_ns != ev->head.ts_ns) {
		target->burst_ns = ev->head.ts_ns;
		target->burst = 0;
	}
	if (ev->peer.kind == CONNECTION_PROCESS)
		connection->other_burst = target->burst;
	else
		target->burst = max(target->burst, (uint32_t)ev->window_burst);
}

int connections_add(struct model *model, const struct ev_connection *ev)
{
	struct connection_entry *entry = find_or_make(model, &ev->head, ev->serial);
	struct ev_connection latest = *ev;
	struct connection *connection;

	if (!entry)
		return -ENOMEM;
	connection = &entry->connection;
	TAILQ_REMOVE(order_of(model, entry), entry, used);
	if (entry->state == CONNECTION_IDLE) {
		connection->previous = connection->ev;
	} else { /* the one before still waits for names: they are taken as one */
		latest.window_peak = max(latest.window_peak, connection->ev.window_peak);
		latest.window_burst = max(latest.window_burst, connection->ev.window_burst);
	}
	connection->ev = latest;
	connection->is_over |= ev->is_over;
	TAILQ_INSERT_TAIL(order_of(model, entry), entry, used);
	connection->has_changed = memcmp(&ev->counts, &connection->previous.counts, sizeof(ev->counts)) != 0;
	note_burst(entry);
	make_due(model, entry, ev->head.ts_ns);
	return 0;
}

static bool is_pending(const struct connection *connection)
{
	for (uint32_t i = 0; i < connection->nr_sites; i++)
		if (stacks_entry(connection->sites[i].stack)->nr_pending)
			return true;
	return false;
}

void connections_settle(struct model *model)
{
	struct connection_entry *entry, *next;

	for (entry = TAILQ_FIRST(&model->connections_due); entry; entry = next) {
		next = TAILQ_NEXT(entry, due);
		if (!model->connections_finished && model->now_ns < entry->deadline_ns &&
		    is_pending(&entry->connection))
			continue;
		TAILQ_REMOVE(&model->connections_due, entry, due);
		entry->state = CONNECTION_READY;
		TAILQ_INSERT_TAIL(&model->connections_ready, entry, due);
	}
}

void connections_end(struct model *model)
{
	struct connection_entry *entry;

	model->connections_finished = true;
	for (entry = model->connections; entry; entry = entry->hh.next) {
		if (entry->connection.is_over && entry->state == CONNECTION_IDLE)
			continue;
		TAILQ_REMOVE(order_of(model, entry), entry, used);
		entry->connection.is_over = true;
		TAILQ_INSERT_TAIL(order_of(model, entry), entry, used);
		/* Its latest record may still wait for names: it is news then. */
		entry->connection.has_changed &= entry->state != CONNECTION_IDLE;
		make_due(model, entry, model->now_ns);
	}
}

/* Fills what a finding about it refers to. */
static void fill(struct model *model, struct connection_entry *entry)
{
	struct connection *connection = &entry->connection;
	const struct connection_site *site = connection->sites;
	struct loop_entry *loop = NULL;
	const char *builtin;

	qsort(connection->sites, connection->nr_sites, sizeof(connection->sites[0]), by_recent);
	for (uint32_t i = 0; i < connection->nr_sites; i++)
		connection->sites[i].task = tasks_name(model, connection->sites[i].task_id, &builtin);
	for (size_t i = 0; i < MODEL_CONNECTION_RULES; i++)
		connection->about[i].ev.head = connection->ev.head;
	if (connection->nr_sites && site->loop_id != EV_NO_LOOP)
		HASH_FIND(hh, model->slots, &site->loop_id, sizeof(site->loop_id), loop);
	if (loop && loop->target == entry->target) {
		entry->loop = loop->loop;
		return;
	}
	entry->loop.info.head = connection->ev.head;
	entry->loop.info.head.loop_id = EV_NO_LOOP;
	entry->loop.info.pid = entry->target->target.info.pid;
	entry->loop.info.tid = connection->nr_sites ? site->tid : entry->loop.info.pid;
	memcpy(entry->loop.info.comm, entry->target->target.info.comm, sizeof(entry->loop.info.comm));
}

struct connection *model_next_connection(struct model *model)
{
	struct connection_entry *entry = TAILQ_POP(&model->connections_ready, due);

	if (!entry)
		return NULL;
	entry->state = CONNECTION_IDLE;
	fill(model, entry);
	for (uint32_t i = 0; i < entry->connection.nr_sites; i++)
		entry->connection.sites[i].recent -= entry->connection.sites[i].recent / 2;
	return &entry->connection;
}

const struct connection *model_connection(const struct model *model, uint32_t n)
{
	const struct connection_entry *entry = model->connections;

	while (entry && n--)
		entry = entry->hh.next;
	return entry ? &entry->connection : NULL;
}
