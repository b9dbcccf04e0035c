/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "evidence.h"

#include <inttypes.h>
#include <string.h>

#include "facts.h"
#include "text.h"
#include "util.h"

/* Who stopped the thread; NULL: not known, while it lasts. */
static const char *stopped_by(const struct finding *finding)
{
	if (iteration_is_ongoing(finding->iteration))
		return NULL;
	if (finding->iteration->ev.flags & ITERATION_TRACED)
		return "tracer";
	return finding->iteration->ev.flags & ITERATION_FROZEN ? "freezer" : "signal";
}

static void put_host(struct json *json, const struct finding *finding)
{
	const struct ev_host *host = &finding->host;

	/* The counters are of this time, which holds the iteration. */
	json_u64(json, "window_ns", host->head.ts_ns - host->since_ns);
	json_string(json, "cgroup", host->cgroup[0] ? host->cgroup : NULL);
	json_u64(json, "throttled_ns", host->throttled_ns);
	json_u64(json, "nr_throttled", host->nr_throttled);
	json_u64(json, "nr_periods", host->nr_periods);
	if (host->quota_ns) {
		json_u64(json, "quota_ns", host->quota_ns);
		json_u64(json, "period_ns", host->period_ns);
	} else {
		json_null(json, "quota_ns");
		json_null(json, "period_ns");
	}
	json_u64(json, "steal_ns", host->steal_ns);
	json_u64(json, "nr_running", host->nr_running);
	json_u64(json, "nr_cpus", host->nr_cpus);
	json_u64(json, "holder_run_queue_ns", finding->iteration->ev.off_ns[OFF_HOLDER_QUEUED]);
}

static bool has_evidence(const struct finding *finding)
{
	if (finding->rule != RULE_HOST_STARVED)
		return false;
	if (finding->cause == CAUSE_RUN_QUEUE || finding->cause == CAUSE_THROTTLED)
		return finding->host.since_ns;
	return true;
}

void evidence_json(struct json *json, const struct finding *finding)
{
	if (!has_evidence(finding)) {
		json_null(json, "evidence");
		return;
	}
	json_object(json, "evidence");
	if (finding->cause == CAUSE_PAGE_FAULT && iteration_is_ongoing(finding->iteration))
		json_null(json, "major_faults");
	else if (finding->cause == CAUSE_PAGE_FAULT)
		json_u64(json, "major_faults", finding->iteration->ev.nr_major_faults);
	else if (finding->cause == CAUSE_STOPPED)
		json_string(json, "stopped_by", stopped_by(finding));
	else
		put_host(json, finding);
	json_object_end(json);
}

void evidence_json_ready_at_end(struct json *json, const struct finding *finding)
{
	if (finding->rule != RULE_LOOP_OVERLOAD || finding->ready_at_end < 0)
		json_null(json, "ready_at_end");
	else
		json_u64(json, "ready_at_end", (uint64_t)finding->ready_at_end);
}

static void print_throttled(const struct report_opts *opts, const struct ev_host *host)
{
	char text[EV_PATH_LEN + 200], lost[TEXT_FIGURE_LEN], quota[TEXT_FIGURE_LEN],
		period[TEXT_FIGURE_LEN];

	text_duration(host->throttled_ns, lost);
	text_limit(host->quota_ns, quota);
	text_limit(host->period_ns, period);
	snprintf(text, sizeof(text),
		 "cgroup %s was throttled for %s (%" PRIu64 " of %" PRIu64
		 " periods; limit %s of %s)",
		 host->cgroup[0] ? host->cgroup : "?", lost, (uint64_t)host->nr_throttled,
		 (uint64_t)host->nr_periods, quota, period);
	text_paragraph(opts, STYLE_PLAIN, "because", text, NULL);
}

static void print_crowded(const struct report_opts *opts, const struct ev_host *host)
{
	char text[200], stolen[TEXT_FIGURE_LEN];
	int len = 0;

	if (host->nr_running)
		len = snprintf(text, sizeof(text), "%u thread%s wanted one of %u CPU%s right after",
			       host->nr_running, host->nr_running == 1 ? "" : "s", host->nr_cpus,
			       host->nr_cpus == 1 ? "" : "s");
	if (host->steal_ns) {
		text_duration(host->steal_ns, stolen);
		len += snprintf(text + len, sizeof(text) - len, "%sthe hypervisor took %s",
				len ? "; " : "", stolen);
	}
	if (len)
		text_paragraph(opts, STYLE_PLAIN, "because", text, NULL);
}

/* Who was kept from a CPU: the loop, before and in its iteration, or who held the GIL that it waited for. */
static void say_queued(const struct ev_iteration *ev, char *out, size_t size)
{
	uint64_t holder_ns = ev->off_ns[OFF_HOLDER_QUEUED];
	char part[TEXT_FIGURE_LEN];

	if (holder_ns >= NSEC_PER_MSEC && ev->run_queue_ns + ev->wake_delay_ns < NSEC_PER_MSEC) {
		snprintf(out, size, "for the GIL, and who held it for a CPU");
		return;
	}
	snprintf(out, size, "for a CPU, ready to run");
	if (ev->wake_delay_ns >= NSEC_PER_MSEC) {
		text_duration(ev->wake_delay_ns, part);
		snprintf(out + strlen(out), size - strlen(out), "; %s of it before the iteration began", part);
	}
	if (holder_ns >= NSEC_PER_MSEC) {
		text_duration(holder_ns, part);
		snprintf(out + strlen(out), size - strlen(out),
			 "; %s of it for the GIL, and who held it for a CPU", part);
	}
}

void evidence_text_starved(const struct report_opts *opts, const struct finding *finding)
{
	const struct ev_iteration *ev = &finding->iteration->ev;
	const char *by = stopped_by(finding);
	char text[200];

	if (finding->cause == CAUSE_PAGE_FAULT && iteration_is_ongoing(finding->iteration)) {
		snprintf(text, sizeof(text), "for memory to be read in"); /* counted at the end */
	} else if (finding->cause == CAUSE_PAGE_FAULT) {
		snprintf(text, sizeof(text), "for memory to be read in, %u major page fault%s",
			 ev->nr_major_faults, ev->nr_major_faults == 1 ? "" : "s");
	} else if (finding->cause == CAUSE_STOPPED) {
		snprintf(text, sizeof(text), "to go on, %s",
			 !by	     ? "stopped by a signal, a debugger or the freezer" :
			 by[0] == 't' ? "stopped by a debugger or tracer (ptrace)" :
			 by[0] == 'f' ? "frozen with its cgroup (a container that was paused)" :
				       "stopped by a signal (SIGSTOP and its kin)");
	} else {
		say_queued(ev, text, sizeof(text));
	}
	text_paragraph(opts, STYLE_PLAIN, "waited", text, NULL);
	if (finding->cause == CAUSE_THROTTLED)
		print_throttled(opts, &finding->host);
	else if (finding->cause == CAUSE_RUN_QUEUE && finding->host.since_ns)
		print_crowded(opts, &finding->host);
}

void evidence_json_callbacks(struct json *json, const struct finding *finding)
{
	if (finding->rule != RULE_LOOP_OVERLOAD) {
		json_null(json, "callbacks");
		json_null(json, "callbacks_exact");
		json_null(json, "hot");
		return;
	}
	json_u64(json, "callbacks", finding->callbacks);
	json_bool(json, "callbacks_exact", finding->callbacks_exact);
	json_array(json, "hot");
	for (unsigned int i = 0; i < finding->nr_hot; i++) {
		const struct frame *frame = &finding->hot[i].frame;
		bool is_named = frame->naming == FRAME_NAMED;

		json_object(json, NULL);
		json_string(json, "function", is_named ? frame->function : NULL);
		json_string(json, "file", is_named ? frame->file : NULL);
		if (frame->line > 0)
			json_i64(json, "line", frame->line);
		else
			json_null(json, "line");
		json_ratio(json, "share", finding->hot[i].share);
		json_object_end(json);
	}
	json_array_end(json);
}

void evidence_text_callbacks(const struct report_opts *opts, const struct finding *finding)
{
	char text[200], count[TEXT_FIGURE_LEN], whole[TEXT_FIGURE_LEN], each[TEXT_FIGURE_LEN];
	unsigned int i;
	int len;

	text_count(finding->callbacks, count);
	text_duration(facts_iteration_ns(&finding->iteration->ev), whole);
	text_duration(finding->duration_ns / max(finding->callbacks, 1u), each);
	if (finding->callbacks_exact)
		len = snprintf(text, sizeof(text),
			       "%s callbacks of %s on average, in an iteration of %s", count, each, whole);
	else
		len = snprintf(text, sizeof(text), "at least %s callbacks, in an iteration of %s", count,
			       whole);
	if (finding->ready_at_end > 0) {
		text_count((uint64_t)finding->ready_at_end, count);
		snprintf(text + len, sizeof(text) - len, "; %s more waited at its end", count);
	}
	text_paragraph(opts, STYLE_PLAIN, "ran", text, NULL);
	for (i = 0; i < finding->nr_hot; i++) {
		const struct frame *frame = &finding->hot[i].frame;
		char place[TEXT_PLACE_LEN];

		text_label(opts, i ? "" : "mostly");
		text_place(frame->file, frame->line, frame->function,
			   frame->is_coroutine ? "coroutine " : "",
			   text_columns(opts) - TEXT_LABEL_COLUMNS - 7, place);
		text_print(opts, STYLE_PLAIN, "%3.0f %%  %s\n", finding->hot[i].share * 100, place);
	}
}
