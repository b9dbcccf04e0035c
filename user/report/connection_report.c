/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "connection_report.h"

#include <inttypes.h>
#include <string.h>

#include "sanitize.h"
#include "text.h"
#include "util.h"

#define MAX_ROWS	20 /* of the table, unless verbose */
#define CONNECTIONS_LEN 40 /* of how many there are, in words */

static const char *const kind_names[CONNECTION_KIND_MAX] = { "out", "in", "process" };

/* In the order of enum connection_failure; the schema's words, and those for people. */
static const struct {
	const char *key, *words;
} failures[FAILURE_MAX] = {
	[FAILURE_REFUSED] = { "refused", "refused" },
	[FAILURE_TIMED_OUT] = { "timed_out", "timed out" },
	[FAILURE_UNREACHABLE] = { "unreachable", "unreachable" },
	[FAILURE_GIVEN_UP] = { "given_up", "given up before an answer" },
	[FAILURE_RESET] = { "reset", "reset" },
	[FAILURE_DESCRIPTORS] = { "descriptors", "without a free descriptor (EMFILE)" },
	[FAILURE_OTHER] = { "other", "failed otherwise" },
};

const char *connection_failure_name(int failure)
{
	return failures[failure].key;
}

static void put_peer(struct json *json, const struct connection_peer *peer, const char *service)
{
	char text[FINDING_OBJECT_LEN];

	rules_format_peer(peer, text, sizeof(text));
	json_string(json, "direction", kind_names[peer->kind]);
	json_string(json, "destination", text[0] ? text : NULL);
	json_string(json, "service", service[0] ? service : NULL);
}

static void put_failed(struct json *json, const uint64_t failed[FAILURE_MAX])
{
	json_object(json, "failed");
	for (int i = 0; i < FAILURE_MAX; i++)
		json_u64(json, failures[i].key, failed[i]);
	json_object_end(json);
}

void connection_json(struct json *json, const struct finding *finding)
{
	const struct finding_connection *connection = &finding->connection;

	if (!connection->is_set) {
		json_null(json, "connection");
		return;
	}
	json_object(json, "connection");
	put_peer(json, &connection->peer, connection->service);
	json_u64(json, "limit", connection->limit);
	json_u64(json, "peak", connection->peak);
	json_u64(json, "open_before", connection->before);
	json_u64(json, "burst", connection->burst);
	json_u64(json, "begun", connection->begun);
	json_u64(json, "closed", connection->closed);
	json_u64(json, "close_wait", connection->close_wait);
	put_failed(json, connection->failed);
	json_u64(json, "short_lived", connection->nr_short);
	json_u64(json, "lifetime_ns", connection->lifetime_ns);
	json_u64(json, "bytes_out", connection->bytes_out);
	json_u64(json, "bytes_in", connection->bytes_in);
	json_u64(json, "segments_out", connection->segments_out);
	json_u64(json, "closed_at_exit", connection->closed_at_exit);
	json_u64(json, "closed_by_gc", connection->closed_by_gc);
	json_ratio(json, "share", connection->share);
	json_object_end(json);
}

void connection_json_members(struct json *json, const struct connection *connection)
{
	const struct connection_counts *counts = &connection->ev.counts;

	json_u64(json, "pid", connection->about[0].loop->target->info.pid);
	put_peer(json, &connection->ev.peer, connection->ev.service);
	json_u64(json, "connecting", counts->connecting);
	json_u64(json, "established", counts->established);
	json_u64(json, "close_wait", counts->close_wait);
	json_u64(json, "listening", counts->listening);
	json_u64(json, "peak", counts->peak);
	json_u64(json, "window_peak", connection->ev.window_peak);
	json_u64(json, "window_burst", connection->ev.window_burst);
	json_u64(json, "begun", counts->begun);
	json_u64(json, "completed", counts->completed);
	json_u64(json, "closed", counts->closed);
	put_failed(json, (const uint64_t *)counts->failed);
	json_u64(json, "short_lived", counts->nr_short);
	json_u64(json, "lifetime_ns", counts->lifetime_ns);
	json_u64(json, "bytes_out", counts->bytes_out);
	json_u64(json, "bytes_in", counts->bytes_in);
	json_u64(json, "segments_out", counts->segments_out);
	json_u64(json, "closed_at_exit", counts->closed_at_exit);
	json_u64(json, "closed_by_gc", counts->closed_by_gc);
	json_u64(json, "open_before", counts->nr_before);
}

/* A process without a failure of its own has nothing to say. */
static bool is_shown(const struct connection *connection)
{
	const struct connection_counts *counts = &connection->ev.counts;

	return counts->peak || counts->listening || counts->begun || counts->failed[FAILURE_DESCRIPTORS] ||
	       (connection->ev.peer.kind == CONNECTION_PROCESS && counts->closed_by_gc);
}

void connection_json_all(struct json *json, const struct model *model)
{
	const struct connection *connection;

	json_array(json, "connections");
	for (uint32_t i = 0; (connection = model_connection(model, i)); i++) {
		if (!is_shown(connection))
			continue;
		json_object(json, NULL);
		connection_json_members(json, connection);
		json_object_end(json);
	}
	json_array_end(json);
}

/* "127.0.0.1:5432 (postgresql)", safe. */
static void format_destination(const struct connection_peer *peer, const char *service, unsigned int columns,
			       char *out, size_t size)
{
	char text[FINDING_OBJECT_LEN + 32], raw[FINDING_OBJECT_LEN];

	rules_format_peer(peer, raw, sizeof(raw));
	snprintf(text, sizeof(text), "%s%s%s%s", raw[0] ? raw : "all destinations", service[0] ? " (" : "",
		 service, service[0] ? ")" : "");
	sanitize(out, size, text, columns, CUT_START);
}

static uint64_t print_failed(const struct report_opts *opts, const uint64_t failed[FAILURE_MAX])
{
	char text[320], nr[TEXT_FIGURE_LEN];
	uint64_t sum = 0;
	int len = 0;

	for (int i = 0; i < FAILURE_MAX; i++) {
		if (!failed[i])
			continue;
		sum += failed[i];
		text_count(failed[i], nr);
		len += snprintf(text + len, sizeof(text) - len, "%s%s %s", len ? ", " : "", nr,
				failures[i].words);
	}
	if (len)
		text_paragraph(opts, STYLE_PLAIN, "failed", text, NULL);
	return sum;
}

/* "1 connection", "2 connections". */
static void count_connections(uint64_t nr, char out[CONNECTIONS_LEN])
{
	snprintf(out, CONNECTIONS_LEN, "%" PRIu64 " connection%s", nr, plural(nr));
}

static void print_burst(const struct report_opts *opts, const struct finding_connection *connection,
			const char *destination)
{
	char text[FINDING_OBJECT_LEN * 3 + 160], nr[CONNECTIONS_LEN];
	int len;

	count_connections(connection->peak, nr);
	if (connection->peak)
		snprintf(text, sizeof(text), "%s to %s at the same time, %u before; limit %llu",
			 nr, destination, connection->before,
			 (unsigned long long)connection->limit);
	else
		snprintf(text, sizeof(text), "connections to %s", destination);
	text_paragraph(opts, STYLE_PLAIN, "opened", text, NULL);
	len = snprintf(text, sizeof(text), "%llu", (unsigned long long)connection->begun);
	if (!connection->begun)
		len = 0; /* a process: its destinations have them */
	if (connection->burst)
		len += snprintf(text + len, sizeof(text) - len, "%s%u in one iteration of the loop",
				len ? ", up to " : "", connection->burst);
	if (len)
		text_paragraph(opts, STYLE_PLAIN, "begun", text, NULL);
}

static void print_churn(const struct report_opts *opts, const struct finding *finding, const char *destination)
{
	const struct finding_connection *connection = &finding->connection;
	double nr = connection->closed ? (double)connection->closed : 1;
	double seconds = (double)finding->duration_ns / NSEC_PER_SEC;
	char text[FINDING_OBJECT_LEN * 3 + 160], life[TEXT_FIGURE_LEN], closed[CONNECTIONS_LEN];

	text_duration((uint64_t)((double)connection->lifetime_ns / nr), life);
	count_connections(connection->closed, closed);
	snprintf(text, sizeof(text), "%s to %s, %.0f a second; each lasted %s on average",
		 closed, destination, seconds > 0 ? nr / seconds : nr, life);
	text_paragraph(opts, STYLE_PLAIN, "closed", text, NULL);
	snprintf(text, sizeof(text), "%.0f bytes out in %.1f segments, %.0f bytes in, of each",
		 (double)connection->bytes_out / nr, (double)connection->segments_out / nr,
		 (double)connection->bytes_in / nr);
	text_paragraph(opts, STYLE_PLAIN, "carried", text, NULL);
}

static void print_leak(const struct report_opts *opts, const struct finding *finding, const char *destination)
{
	const struct finding_connection *connection = &finding->connection;
	char text[FINDING_OBJECT_LEN * 3 + 160], nr[CONNECTIONS_LEN];

	if (connection->peer.kind == CONNECTION_PROCESS) {
		snprintf(text, sizeof(text),
			 "%llu descriptor%s of files, pipes and the like, until the garbage collector closed %s",
			 (unsigned long long)connection->closed_by_gc, plural(connection->closed_by_gc),
			 connection->closed_by_gc == 1 ? "it" : "them");
		text_paragraph(opts, STYLE_PLAIN, "kept", text, NULL);
		return;
	}
	switch (finding->cause) {
	case CAUSE_CLOSE_WAIT:
		count_connections(connection->close_wait, nr);
		snprintf(text, sizeof(text), "%s to %s, which it has closed and this end has not", nr, destination);
		break;
	case CAUSE_GROWTH:
		count_connections(connection->begun, nr);
		snprintf(text, sizeof(text), "%s to %s, and closed none", nr, destination);
		break;
	case CAUSE_AT_EXIT:
		count_connections(connection->closed_at_exit, nr);
		snprintf(text, sizeof(text), "%s to %s, until the process ended", nr, destination);
		break;
	default:
		count_connections(connection->closed_by_gc, nr);
		snprintf(text, sizeof(text), "%s to %s, until the garbage collector found %s", nr, destination,
			 connection->closed_by_gc == 1 ? "it" : "them");
		break;
	}
	text_paragraph(opts, STYLE_PLAIN, "kept", text, NULL);
}

void connection_text(const struct report_opts *opts, const struct finding *finding)
{
	const struct finding_connection *connection = &finding->connection;
	char destination[FINDING_OBJECT_LEN * 3], text[80];

	format_destination(&connection->peer, connection->service, text_columns(opts) - TEXT_LABEL_COLUMNS,
			   destination, sizeof(destination));
	if (finding->rule == RULE_UNBOUNDED_CONCURRENCY)
		print_burst(opts, connection, destination);
	else if (finding->rule == RULE_CONNECTION_CHURN)
		print_churn(opts, finding, destination);
	else
		print_leak(opts, finding, destination);
	print_failed(opts, connection->failed);
	if (finding->stack && connection->share > 0 && connection->share < 1) {
		snprintf(text, sizeof(text), "for %.0f %% of them; from samples", connection->share * 100);
		text_paragraph(opts, STYLE_PLAIN, "stack", text, NULL);
	}
}

static int by_peak(const void *a, const void *b)
{
	const struct connection *left = *(const struct connection *const *)a;
	const struct connection *right = *(const struct connection *const *)b;

	if (left->ev.counts.peak != right->ev.counts.peak)
		return left->ev.counts.peak < right->ev.counts.peak ? 1 : -1;
	return (left->ev.serial > right->ev.serial) - (left->ev.serial < right->ev.serial);
}

static void print_row(const struct report_opts *opts, const struct connection *connection)
{
	const struct connection_counts *counts = &connection->ev.counts;
	char destination[FINDING_OBJECT_LEN * 3], text[TEXT_FIGURE_LEN], comm[80], raw[EV_COMM_LEN + 1];
	const struct ev_target *info = &connection->about[0].loop->target->info;
	const uint64_t figures[] = { counts->open, counts->peak, counts->begun, 0 };
	uint64_t failed = 0;

	for (int i = 0; i < FAILURE_MAX; i++)
		failed += counts->failed[i];
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		text_count(i + 1 == ARRAY_SIZE(figures) ? failed : figures[i], text);
		text_print(opts, i == 1 ? STYLE_BOLD : STYLE_PLAIN, "%11s", text);
	}
	snprintf(raw, sizeof(raw), "%.*s", EV_COMM_LEN, info->comm);
	sanitize(comm, sizeof(comm), raw, 16, CUT_END);
	format_destination(&connection->ev.peer, connection->ev.service, text_columns(opts) - 74, destination,
			   sizeof(destination));
	text_print(opts, STYLE_PLAIN, "  %s %s", connection->ev.peer.kind == CONNECTION_IN ? "in " : "out",
		   destination);
	text_print(opts, STYLE_DIM, ", %s %u\n", comm, info->pid);
}

void connection_text_all(const struct report_opts *opts, const struct model *model)
{
	static const char *const headings[] = { "open", "peak", "begun", "failed" };
	const struct connection **rows, *connection;
	uint32_t nr = 0, nr_shown, room = 0;

	while (model_connection(model, room))
		room++;
	rows = room ? calloc(room, sizeof(*rows)) : NULL;
	if (!rows)
		return;
	for (uint32_t i = 0; i < room; i++) {
		connection = model_connection(model, i);
		if (is_shown(connection) && connection->ev.counts.peak)
			rows[nr++] = connection;
	}
	qsort(rows, nr, sizeof(rows[0]), by_peak);
	nr_shown = opts->is_verbose ? nr : min(nr, (uint32_t)MAX_ROWS);
	for (size_t i = 0; nr && i < ARRAY_SIZE(headings); i++)
		text_print(opts, STYLE_DIM, "%11s", headings[i]);
	if (nr)
		text_print(opts, STYLE_DIM, "  connections\n");
	for (uint32_t i = 0; i < nr_shown; i++)
		print_row(opts, rows[i]);
	if (nr > nr_shown)
		text_print(opts, STYLE_DIM, "  \xe2\x80\xa6 and %u more destinations\n", nr - nr_shown);
	if (nr)
		putc('\n', opts->out);
	free(rows);
}
