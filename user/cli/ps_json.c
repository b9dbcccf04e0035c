/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `ps --format jsonl`: a line for each process. */
#include <math.h>

#include "facts.h"
#include "json.h"
#include "located.h"
#include "ps.h"

static void put_loop(struct json *json, const struct ps_row *row, const struct ps_loop *loop)
{
	/* Where the namespaces are the same, so are the numbers. */
	uint32_t tid = !loop->tid && row->target.ns_pid == row->target.pid ? loop->ns_tid : loop->tid;

	json_object(json, NULL);
	if (tid)
		json_u64(json, "tid", tid);
	else
		json_null(json, "tid");
	if (loop->ns_tid)
		json_u64(json, "ns_tid", loop->ns_tid);
	else
		json_null(json, "ns_tid");
	json_string(json, "kind", facts_loop_kind(loop->kind));
	json_ratio(json, "utilization", loop->is_seen ? loop->utilization : NAN);
	json_ratio(json, "iterations_per_second", loop->is_seen ? loop->iterations_per_s : NAN);
	json_object_end(json);
}

static void put_connections(struct json *json, const struct socket_counts *counts)
{
	if (!counts->is_known) {
		json_null(json, "connections");
		return;
	}
	json_object(json, "connections");
	json_u64(json, "outbound", counts->outbound);
	json_u64(json, "inbound", counts->inbound);
	json_u64(json, "listening", counts->listening);
	json_object_end(json);
}

static void print_row(const struct ps_row *row, FILE *out)
{
	const struct ev_target *t = &row->target;
	struct json json = { .out = out };
	char version[FACTS_VERSION_LEN];

	facts_python(t->version, version);
	json_object(&json, NULL);
	json_string(&json, "schema", "loophound/1");
	json_string(&json, "type", "process");
	json_u64(&json, "pid", t->pid);
	json_u64(&json, "ns_pid", t->ns_pid);
	json_string(&json, "comm", t->comm);
	json_string(&json, "exe", t->exe[0] ? t->exe : NULL);
	json_string(&json, "python", t->version ? version : NULL);
	json_bool(&json, "supported", t->status == TARGET_OK);
	json_string(&json, "reason", t->reason[0] ? t->reason : NULL);
	json_bool(&json, "usdt", t->flags & TARGET_USDT);
	json_bool(&json, "static", t->flags & TARGET_STATIC);
	json_bool(&json, "free_threaded", t->flags & TARGET_FREE_THREADED);
	if (t->version)
		json_bool(&json, "gil", facts_has_gil(t->flags));
	json_u64(&json, "loops", t->nr_loops);
	json_array(&json, "loop_kinds");
	for (uint32_t kind = LOOP_KIND_UNKNOWN + 1; kind < LOOP_KIND_MAX; kind++)
		if (t->layout.loop_kinds & 1u << kind)
			json_string(&json, NULL, facts_loop_kind(kind));
	json_array_end(&json);
	json_string(&json, "container", t->container[0] ? t->container : NULL);
	located_json(&json, t);
	json_string(&json, "status", facts_target_status(t->status));
	json_u64(&json, "threads", t->nr_threads);
	json_array(&json, "loop_threads");
	for (unsigned i = 0; i < row->nr_loops; i++)
		put_loop(&json, row, &row->loops[i]);
	json_array_end(&json);
	put_connections(&json, &row->sockets);
	json_object_end(&json);
	json_line_end(&json);
}

void ps_print_json(const struct ps_table *table, FILE *out)
{
	for (unsigned i = 0; i < table->nr; i++)
		print_row(&table->rows[i], out);
}
