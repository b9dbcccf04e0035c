/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The form for people at a terminal of 80 to 120 columns: its head and its lines about processes.
 */
#include "report_text.h"

#include <string.h>

#include "facts.h"
#include "located.h"
#include "sanitize.h"
#include "text.h"

/* As many on a line as fit. */
static void print_limits(const struct report_opts *opts)
{
	static const char label[] = "limits: ";
	unsigned int used = sizeof(label) - 1;

	text_print(opts, STYLE_DIM, "%s", label);
	for (int rule = 0; rule < RULE_MAX; rule++) {
		bool is_last = rule == RULE_MAX - 1;
		char limit[TEXT_FIGURE_LEN], text[128];
		unsigned int len;

		text_rule_limit(rule, opts->rules->limit_ns[rule], limit);
		len = (unsigned int)snprintf(text, sizeof(text), "%s %s%s", rules[rule].id,
					     opts->rules->is_enabled[rule] ? limit : "off",
					     is_last ? "" : ",");
		if (used + 1 + len > text_columns(opts)) {
			text_print(opts, STYLE_DIM, "\n%*s", (int)(sizeof(label) - 2), "");
			used = sizeof(label) - 2;
		}
		text_print(opts, STYLE_DIM, "%s%s", rule ? " " : "", text);
		used += len + !!rule;
	}
	text_print(opts, STYLE_DIM, "\n");
}

static void print_session(const struct report_opts *opts)
{
	const struct session *session = &opts->session;
	char when[FACTS_TIME_LEN], left[1024], command[160 * 4], version[32 * 4], host[64 * 4],
		text[1024];
	unsigned int used;

	facts_time(session, session->start_ns, when);
	sanitize(version, sizeof(version), session->version, 16, CUT_END);
	/* "loophound", a version, two pairs of spaces and 23 columns of time share the line with
	 * it. */
	sanitize(command, sizeof(command), session->command, text_columns(opts) - 54, CUT_END);
	snprintf(left, sizeof(left), "loophound %s  %s", version, command);
	used = sanitize_columns(left);
	text_print(opts, STYLE_BOLD, "%s", left);
	text_print(opts, STYLE_DIM, "%*s%.10s %.8s UTC\n", (int)(text_columns(opts) - 23 - used),
		   "", when, when + strlen("2026-11-23T"));

	sanitize(host, sizeof(host), session->host, 40, CUT_END);
	sanitize(text, sizeof(text), session->kernel, 40, CUT_END);
	text_print(opts, STYLE_DIM, "on %s, kernel %s\n", host, text);
	print_limits(opts);
}

static void print_target(const struct report_opts *opts, const struct target *target,
			 uint64_t ts_ns)
{
	const struct ev_target *info = &target->info;
	char when[FACTS_TIME_LEN], python[FACTS_VERSION_LEN], raw[EV_PATH_LEN + 1], comm[80],
		text[1024];

	/* Children that are no Python, or already gone, are not news. */
	if (!opts->is_verbose &&
	    (info->status == TARGET_PENDING || info->status == TARGET_NOT_PYTHON ||
	     info->status == TARGET_NOT_READY || info->status == TARGET_GONE))
		return;
	facts_time(&opts->session, ts_ns, when);
	facts_python(info->version, python);
	snprintf(raw, sizeof(raw), "%.*s", EV_COMM_LEN, info->comm);
	sanitize(comm, sizeof(comm), raw, 16, CUT_END);
	text_print(opts, STYLE_DIM, "%.12s", when + strlen("2026-11-23T"));
	if (info->status == TARGET_OK) {
		unsigned int used = 12 + strlen("  watching  , CPython , ") +
				    sanitize_columns(comm) + 10 + strlen(python) +
				    strlen(facts_threading(info->flags));
		char place[LOCATED_TEXT_LEN];

		located_text(info, 40, place);
		if (place[0] && used + sanitize_columns(place) + 24 > text_columns(opts))
			located_text(info, 20, place);
		used += place[0] ? 2 + sanitize_columns(place) : 0;
		snprintf(raw, sizeof(raw), "%.*s", EV_PATH_LEN, info->exe);
		sanitize(text, sizeof(text), raw, text_columns(opts) - used, CUT_START);
		text_print(opts, STYLE_DIM, "  watching %s %u, CPython %s%s%s%s%s%s\n", comm, info->pid,
			   python, facts_threading(info->flags), text[0] ? ", " : "", text,
			   place[0] ? ", " : "", place);
		return;
	}
	text_print(opts, STYLE_PLAIN, "  cannot watch %s %u: %s\n", comm, info->pid,
		   facts_target_status(info->status));
	snprintf(raw, sizeof(raw), "%.*s", (int)sizeof(info->reason), info->reason);
	if (raw[0])
		text_paragraph(opts, STYLE_PLAIN, "reason", raw, NULL);
}

static void print_unsupported(const struct report_opts *opts, const struct loop *loop, uint64_t ts_ns)
{
	char when[FACTS_TIME_LEN], raw[EV_COMM_LEN + 1], comm[80];

	facts_time(&opts->session, ts_ns, when);
	snprintf(raw, sizeof(raw), "%.*s", EV_COMM_LEN, loop->info.comm);
	sanitize(comm, sizeof(comm), raw, 16, CUT_END);
	text_print(opts, STYLE_DIM, "%.12s", when + strlen("2026-11-23T"));
	text_print(opts, STYLE_PLAIN, "  cannot watch a loop of %s %u\n", comm, loop->info.pid);
	text_paragraph(opts, STYLE_PLAIN, "reason", facts_loop_unsupported(loop->info.kind), NULL);
}

const struct reporter report_text = {
	.name = "text",
	.session = print_session,
	.target = print_target,
	.unsupported = print_unsupported,
	.breach = text_breach,
	.summary = text_summary,
};
