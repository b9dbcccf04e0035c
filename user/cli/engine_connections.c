/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Connections enter the stream: the counters of each destination once a second while they change; and
 * the descriptors of all targets are looked through, as often as that is cheap.
 */
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "destinations.h"
#include "engine_state.h"
#include "log.h"

#define ROUND_MIN_NS  NSEC_PER_SEC
#define ROUND_MAX_NS  (60 * NSEC_PER_SEC)
#define ROUND_PART    8000 /* looks take no more than this part of a CPU */
#define CLOSED_NS     (100 * NSEC_PER_MSEC)
#define IDLE_NS	      (30 * NSEC_PER_SEC) /* a destination without a connection is let go of after this */

/* What was said of a slot last. */
struct said {
	uint32_t serial;
	uint32_t window_peak, window_burst;
	bool is_known, is_over;
	uint64_t changed_ns;
	struct connection_counts counts;
	char service[sizeof(((struct ev_connection *)0)->service)];
};

struct engine_connections {
	struct said *said; /* by slot */
	uint64_t next_round_ns;
	bool has_failed; /* a look */
	bool is_partial; /* so one of this round */
};

struct engine_connections *engine_connections_new(void)
{
	struct engine_connections *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	state->said = calloc(MAX_DESTINATIONS, sizeof(*state->said));
	if (!state->said) {
		free(state);
		return NULL;
	}
	return state;
}

void engine_connections_free(struct engine_connections *state)
{
	if (!state)
		return;
	free(state->said);
	free(state);
}

/* The well-known service of a port, from /etc/services; no name server is asked. */
static void find_service(const struct connection_peer *peer, char *out, size_t size)
{
	const struct servent *service = NULL;

	if ((peer->family == AF_INET || peer->family == AF_INET6) && peer->port)
		service = getservbyport(htons(peer->port), "tcp");
	snprintf(out, size, "%s", service ? service->s_name : "");
}

/* A copy of a slot's counters, which the kernel half goes on changing; and their sum. */
static void copy_counts(const volatile struct connection_slot *slot, struct connection_counts *out)
{
	const volatile uint64_t *from = (const volatile uint64_t *)&slot->counts;
	uint64_t *to = (uint64_t *)out;

	for (size_t i = 0; i < sizeof(*out) / sizeof(*to); i++)
		to[i] = from[i];
	out->open = connection_open(out);
}

static void feed_slot(struct engine *engine, uint32_t number, uint32_t window, bool is_over, uint64_t now_ns)
{
	const volatile struct connection_slot *slot =
		destinations_slot(probes_destinations(engine->probes), number);
	struct said *said = &engine->connections->said[number];
	struct ev_connection ev = { .head = { EV_CONNECTION, sizeof(ev), now_ns, slot->target_id, EV_NO_LOOP } };
	bool is_same;

	if (!said->is_known || said->serial != slot->serial) {
		*said = (struct said){ .serial = slot->serial };
		find_service((const struct connection_peer *)&slot->peer, said->service, sizeof(said->service));
	}
	ev.peer = *(const struct connection_peer *)&slot->peer;
	copy_counts(slot, &ev.counts);
	if (ev.peer.kind == CONNECTION_PROCESS)
		ev.counts.closed_by_gc = max(said->counts.closed_by_gc, connection_closed_by_gc(slot));
	/* What was open when the window began was its peak, if nothing was opened in it. */
	ev.window_peak = max(destinations_in_window(slot->window_peak, window),
			     max((uint32_t)said->counts.open, (uint32_t)ev.counts.open));
	ev.window_burst = destinations_in_window(slot->window_burst, window);
	is_same = said->is_known && !memcmp(&said->counts, &ev.counts, sizeof(ev.counts)) &&
		  said->window_peak == ev.window_peak && said->window_burst == ev.window_burst;
	/* Those that linger are news as long as they do. */
	if (is_same && !is_over && !ev.counts.close_wait)
		return;
	ev.serial = slot->serial;
	ev.is_over = is_over;
	memcpy(ev.service, said->service, sizeof(ev.service));
	said->is_known = true;
	said->counts = ev.counts;
	said->window_peak = ev.window_peak;
	said->window_burst = ev.window_burst;
	if (!is_same)
		said->changed_ns = now_ns;
	engine_feed(engine, &ev.head);
}

static bool is_done_with(const struct engine *engine, const volatile struct connection_slot *slot,
			 const struct said *said, uint64_t now_ns)
{
	if (targets_is_let_go(engine->targets, slot->target_id))
		return true;
	if (connection_open(&slot->counts) || slot->counts.listening)
		return false;
	if (!targets_has(engine->targets, slot->target_id))
		return true;
	return slot->peer.kind != CONNECTION_PROCESS && now_ns - said->changed_ns > IDLE_NS;
}

static void feed_or_release(struct engine *engine, uint32_t number, uint32_t window, uint64_t now_ns)
{
	struct destinations *destinations = probes_destinations(engine->probes);
	const volatile struct connection_slot *slot = destinations_slot(destinations, number);
	struct said *said = &engine->connections->said[number];

	if (slot->is_released) {
		if (destinations_release(destinations, number))
			said->is_known = false;
		else if (!said->is_over)
			feed_slot(engine, number, window, false, now_ns);
		return;
	}
	feed_slot(engine, number, window, false, now_ns);
	if (said->is_known && is_done_with(engine, slot, said, now_ns)) {
		feed_slot(engine, number, window, true, now_ns);
		said->is_over = true;
		destinations_release(destinations, number);
	}
}

static bool is_any_open(const struct engine *engine, struct destinations *destinations)
{
	uint32_t high = destinations_high(destinations);

	for (uint32_t number = 0; number < high; number++) {
		const volatile struct connection_slot *slot = destinations_slot(destinations, number);

		if (slot->target_id && connection_open(&slot->counts) && !targets_has(engine->targets, slot->target_id))
			return true;
	}
	return false;
}

void engine_wait_closed(struct engine *engine)
{
	struct destinations *destinations = probes_destinations(engine->probes);
	uint64_t end_ns = engine_now_ns() + CLOSED_NS;

	while (destinations && is_any_open(engine, destinations) && engine_now_ns() < end_ns)
		usleep(1000);
}

void engine_feed_connections(struct engine *engine, uint64_t now_ns)
{
	struct destinations *destinations = probes_destinations(engine->probes);
	uint32_t window, high;

	if (!destinations)
		return;
	window = destinations_next_window(destinations);
	high = destinations_high(destinations);
	/* The process itself last: what it did may be told by what one destination did. */
	for (int is_process = 0; is_process < 2; is_process++)
		for (uint32_t number = 0; number < high; number++) {
			const volatile struct connection_slot *slot = destinations_slot(destinations, number);

			if (slot->target_id && (slot->peer.kind == CONNECTION_PROCESS) == is_process)
				feed_or_release(engine, number, window, now_ns);
		}
}

static bool look(struct engine *engine, pid_t pid, uint32_t pass, bool is_first)
{
	int err = destinations_look(probes_destinations(engine->probes), pid, pass, is_first);

	if (err && !engine->connections->has_failed)
		log_debug("looking through the descriptors of process %d: %s", pid, strerror(-err));
	engine->connections->has_failed |= err != 0;
	engine->connections->is_partial |= err != 0;
	return !err;
}

void engine_look_at_connections(struct engine *engine, pid_t pid)
{
	if (probes_destinations(engine->probes) && look(engine, pid, 0, true))
		look(engine, pid, 1, true);
}

static void look_first(void *ctx, pid_t pid)
{
	look(ctx, pid, 0, false);
}

static void look_second(void *ctx, pid_t pid)
{
	look(ctx, pid, 1, false);
}

void engine_round_of_connections(struct engine *engine, uint64_t now_ns)
{
	struct destinations *destinations = probes_destinations(engine->probes);
	uint64_t cost_ns, gap_ns;

	if (!destinations || now_ns < engine->connections->next_round_ns)
		return;
	destinations_begin_round(destinations);
	engine->connections->is_partial = false;
	targets_each(engine->targets, look_first, engine);
	targets_each(engine->targets, look_second, engine);
	if (!engine->connections->is_partial)
		destinations_sweep(destinations);
	cost_ns = engine_now_ns() - now_ns;
	gap_ns = min(max(cost_ns * ROUND_PART, ROUND_MIN_NS), ROUND_MAX_NS);
	/* Just before the second that it would be due in: ticks are not exact. */
	engine->connections->next_round_ns = now_ns + gap_ns - NSEC_PER_SEC / 4;
}
