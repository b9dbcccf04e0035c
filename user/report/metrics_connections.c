/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections by destination, as series.  What a program connects to is its own choice, so the
 * first METRICS_DESTINATIONS of a worker have series of their own, in order of appearance, and the
 * rest is destination="other".
 */
#include "connection_report.h"
#include "metrics_rows.h"
#include "util.h"

#define METRICS_DESTINATIONS 32

/* One number out of the counters of a destination. */
typedef uint64_t value_of(const struct ev_connection *ev, int failure);

static uint64_t open_now(const struct ev_connection *ev, int failure)
{
	(void)failure;
	return ev->counts.open;
}

static uint64_t peak(const struct ev_connection *ev, int failure)
{
	(void)failure;
	return ev->counts.peak;
}

static uint64_t begun(const struct ev_connection *ev, int failure)
{
	(void)failure;
	return ev->counts.begun;
}

static uint64_t failed(const struct ev_connection *ev, int failure)
{
	return ev->counts.failed[failure];
}

/* A family's samples: whose, which number, under which label. */
struct pass {
	const struct model *model;
	struct exposition *e;
	uint8_t kind; /* enum connection_kind */
	const char *label;
	value_of *value;
	int failure; /* -1: not by reason */
};

static void put(const struct pass *pass, const struct worker_row *worker, const char *name,
		uint64_t value)
{
	metrics_begin_worker(pass->e, worker);
	exposition_label(pass->e, pass->label, name);
	if (pass->failure >= 0)
		exposition_label(pass->e, "reason", connection_failure_name(pass->failure));
	exposition_u64(pass->e, value);
}

static void put_worker(const struct pass *pass, const struct worker_row *worker)
{
	const struct connection *connection;
	uint64_t rest = 0;
	unsigned nr = 0;

	for (uint32_t i = 0; (connection = model_connection(pass->model, i)); i++) {
		const struct ev_connection *ev = &connection->ev;
		char name[FINDING_OBJECT_LEN];

		if (ev->is_over || ev->head.target_id != worker->target_id ||
		    ev->peer.kind != pass->kind)
			continue;
		if (nr++ >= METRICS_DESTINATIONS) {
			rest += pass->value(ev, max(pass->failure, 0));
			continue;
		}
		rules_format_peer(&ev->peer, name, sizeof(name));
		put(pass, worker, name, pass->value(ev, max(pass->failure, 0)));
	}
	if (nr > METRICS_DESTINATIONS)
		put(pass, worker, METRICS_OTHER, rest);
}

static void put_all(const struct metrics *metrics, const struct pass *pass)
{
	const struct worker_row *worker;

	TAILQ_FOREACH(worker, &metrics->workers, in)
	if (worker->target_id && worker->has_connections && worker != metrics->other)
		put_worker(pass, worker);
}

void metrics_write_connections(const struct metrics *metrics, const struct model *model,
			       struct exposition *e)
{
	static const struct {
		const char *name, *help, *label;
		enum exposition_type type;
		uint8_t kind;
		value_of *value;
	} families[] = {
		{ "outbound_connections",
		  "Connections that are open or being opened, by destination.", "destination",
		  EXPOSITION_GAUGE, CONNECTION_OUT, open_now },
		{ "outbound_connections_peak", "The most that were open at once.", "destination",
		  EXPOSITION_GAUGE, CONNECTION_OUT, peak },
		{ "outbound_connects", "Connections that were begun, by destination.",
		  "destination", EXPOSITION_COUNTER, CONNECTION_OUT, begun },
		{ "inbound_connections", "Connections that are open, by listening socket.",
		  "listen", EXPOSITION_GAUGE, CONNECTION_IN, open_now },
	};
	struct pass pass = { .model = model, .e = e };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		exposition_family(e, families[i].name, families[i].type, families[i].help);
		pass.kind = families[i].kind;
		pass.label = families[i].label;
		pass.value = families[i].value;
		pass.failure = -1;
		put_all(metrics, &pass);
	}
	exposition_family(e, "outbound_connect_failures", EXPOSITION_COUNTER,
			  "Of which came to nothing, or were reset, by destination and reason.");
	pass.kind = CONNECTION_OUT;
	pass.label = "destination";
	pass.value = failed;
	for (pass.failure = 0; pass.failure < FAILURE_MAX; pass.failure++)
		put_all(metrics, &pass);
}
