/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One breach as a short paragraph: when, which rule and why, how long; what it waited for; the
 * frames that matter; what to do; and what could not be read.
 */
#include "report_text.h"

#include <inttypes.h>
#include <string.h>

#include "connection_report.h"
#include "evidence.h"
#include "facts.h"
#include "holder.h"
#include "sanitize.h"
#include "text.h"

#define MAX_FRAMES 5 /* shown of a stack, unless verbose */

static void print_head(const struct report_opts *opts, const struct breach *breach)
{
	const struct finding *finding = breach->finding;
	const struct loop *loop = finding->iteration->loop;
	const char *still = iteration_is_ongoing(finding->iteration) ? ", and still" :
			    !breach->count			     ? ", taken back" :
									"";
	char when[FACTS_TIME_LEN], lost[TEXT_FIGURE_LEN], comm[80], process[128],
		raw[EV_COMM_LEN + 1];
	unsigned int used, width;

	facts_time(&opts->session, finding->start_ns, when);
	if (finding->is_latent)
		snprintf(lost, sizeof(lost), "latent: quick this time");
	else
		text_duration(finding->duration_ns, lost);
	snprintf(raw, sizeof(raw), "%.*s", EV_COMM_LEN, loop->target->info.comm);
	sanitize(comm, sizeof(comm), raw, 16, CUT_END);
	if (loop->number)
		snprintf(process, sizeof(process), "%s %u, loop %u", comm, loop->info.pid,
			 loop->number);
	else
		snprintf(process, sizeof(process), "%s %u", comm, loop->info.pid);

	/* The time of day to the millisecond, of "2026-11-23T06:00:00.123456Z". */
	text_print(opts, STYLE_DIM, "%.12s", when + strlen("2026-11-23T"));
	text_print(opts, STYLE_RULE, "  %s", rules[finding->rule].id);
	text_print(opts, STYLE_PLAIN, ", %s, ", cause_names[finding->cause]);
	text_print(opts, finding->is_latent ? STYLE_PLAIN : STYLE_TIME_LOST, "%s%s", lost, still);
	used = 12 + 2 + strlen(rules[finding->rule].id) + 2 + strlen(cause_names[finding->cause]) +
	       2 + sanitize_columns(lost) + strlen(still);
	width = sanitize_columns(process);
	text_print(opts, STYLE_DIM, "%*s%s\n",
		   used + width + 2 < text_columns(opts) ? (int)(text_columns(opts) - used - width)
							 : 2,
		   "", process);
}

/* What a blocking call waited in and for. */
static void print_call(const struct report_opts *opts, const struct finding *finding)
{
	const char *name = finding->syscall >= 0 ? syscall_name(finding->syscall) : NULL;
	char text[FINDING_OBJECT_LEN + 128], object[FINDING_OBJECT_LEN * 3];
	int len;

	if (name)
		len = snprintf(text, sizeof(text), "%s", name);
	else if (finding->syscall >= 0)
		len = snprintf(text, sizeof(text), "system call %d", finding->syscall);
	else
		len = snprintf(text, sizeof(text), "an unknown call");
	sanitize(object, sizeof(object), finding->object, text_columns(opts) - 48, CUT_START);
	if (object[0])
		len += snprintf(text + len, sizeof(text) - len, " on %s", object);
	else if (finding->fd >= 0)
		len += snprintf(text + len, sizeof(text) - len, " on descriptor %d", finding->fd);
	if (finding->calls > 1 && len < (int)sizeof(text))
		snprintf(text + len, sizeof(text) - len, ", %u sleeps", finding->calls);
	text_paragraph(opts, STYLE_PLAIN, "waited", text, NULL);
}

/* A call that can block and did not. */
static void print_latent(const struct report_opts *opts, const struct breach *breach)
{
	const struct finding *finding = breach->finding;
	const char *name = finding->syscall >= 0 ? syscall_name(finding->syscall) : NULL;
	char text[FINDING_OBJECT_LEN + 128], object[FINDING_OBJECT_LEN * 3], count[TEXT_FIGURE_LEN];
	int len;

	sanitize(object, sizeof(object), finding->object, text_columns(opts) - 48, CUT_START);
	len = snprintf(text, sizeof(text), "%s", name ? name : object[0] ? object : "a call");
	if (name && object[0])
		len += snprintf(text + len, sizeof(text) - len, " of %s", object);
	text_count(breach->count, count);
	if (breach->count > 1 && len < (int)sizeof(text))
		snprintf(text + len, sizeof(text) - len, "; %s calls on this line", count);
	text_paragraph(opts, STYLE_PLAIN, "called", text, NULL);
}

static void print_cpu(const struct report_opts *opts, const struct finding *finding)
{
	char whole[TEXT_FIGURE_LEN], text[160];

	text_duration(facts_iteration_ns(&finding->iteration->ev), whole);
	snprintf(text, sizeof(text), "%s, in an iteration of %s, %u sample%s",
		 finding->cause == CAUSE_NATIVE ? "C code" : "Python code", whole, finding->calls,
		 finding->calls == 1 ? "" : "s");
	text_paragraph(opts, STYLE_PLAIN, "on CPU", text, NULL);
}

static void print_gc(const struct report_opts *opts, const struct finding *finding)
{
	const char *what = finding->cause == CAUSE_EXPLICIT ? "gc.collect()" : "automatic collection";
	char text[200], count[TEXT_FIGURE_LEN];

	if (finding->cause == CAUSE_OTHER_THREAD) {
		text_paragraph(opts, STYLE_PLAIN, "gc", "of another thread, which stopped all others meanwhile", NULL);
		return;
	}
	if (!finding->calls) {
		snprintf(text, sizeof(text), "%s; about so long, from samples: %s", what,
			 iteration_is_ongoing(finding->iteration) ?
				 "it has not ended" :
				 "this build has no probes that would tell more");
		text_paragraph(opts, STYLE_PLAIN, "gc", text, NULL);
		return;
	}
	text_count(finding->gc.collected, count);
	snprintf(text, sizeof(text), "%s of generation %u, %s object%s collected",
		 what, finding->gc.generation, count, finding->gc.collected == 1 ? "" : "s");
	if (finding->calls > 1)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %u runs",
			 finding->calls);
	text_paragraph(opts, STYLE_PLAIN, "gc", text, NULL);
}

static void print_import(const struct report_opts *opts, const struct finding *finding)
{
	char text[EV_MODULE_LEN * 3 + 128], module[EV_MODULE_LEN * 3], cpu[TEXT_FIGURE_LEN],
		asleep[TEXT_FIGURE_LEN];

	sanitize(module, sizeof(module), finding->module, 60, CUT_END);
	text_duration(finding->duration_ns - finding->asleep_ns, cpu);
	text_duration(finding->asleep_ns, asleep);
	snprintf(text, sizeof(text), "%s: %s on CPU, %s asleep, with all that it imports%s",
		 module[0] ? module : "a module", cpu, asleep,
		 finding->is_estimated ? "; about, from samples" : "");
	text_paragraph(opts, STYLE_PLAIN, "import", text, NULL);
}

/* Who ran: a line of its own, as a name can be long.  A callback in Python is named in its frame.
 */
static void print_task(const struct report_opts *opts, const struct finding *finding)
{
	char task[512], function[256], text[800];
	unsigned int columns = text_columns(opts) - TEXT_LABEL_COLUMNS;

	if (finding->builtin) {
		sanitize(task, sizeof(task), finding->builtin, columns, CUT_END);
		snprintf(text, sizeof(text), "callback %s, a function in C", task);
		text_paragraph(opts, STYLE_PLAIN, "from", text, NULL);
	}
	if (!finding->task)
		return;
	sanitize(task, sizeof(task), finding->task, columns, CUT_END);
	if (!task[0])
		snprintf(task, sizeof(task), "without a name");
	snprintf(text, sizeof(text), "%s", task);
	if (finding->stack && finding->coroutine >= 0) {
		const struct frame *frame = &finding->stack->frames[finding->coroutine];

		sanitize(function, sizeof(function), frame->function, columns, CUT_END);
		if (frame->naming == FRAME_NAMED)
			snprintf(text, sizeof(text), "%s, coroutine %s", task, function);
	}
	text_paragraph(opts, STYLE_PLAIN, "task", text, NULL);
}

/* Marks the frames worth a line. */
static void choose_frames(const struct report_opts *opts, const struct finding *finding, bool *show)
{
	int nr = (int)finding->stack->nr, site = finding->site, outer = site, shown, i;

	if (opts->is_verbose) {
		memset(show, true, nr);
		return;
	}
	if (finding->coroutine > site)
		outer = finding->coroutine;
	else if (finding->coroutine < 0 && finding->callback > site)
		outer = finding->callback;
	show[0] = show[site] = show[outer] = true;
	if (finding->coroutine >= 0)
		show[finding->coroutine] = true;
	for (i = 0, shown = 0; i < nr; i++)
		shown += show[i];
	for (i = site + 1; i < outer && shown < MAX_FRAMES; i++) {
		if (!show[i])
			shown++;
		show[i] = true;
	}
}

static const char *frame_label(const struct finding *finding, int i, bool *has_from)
{
	if (i == finding->site)
		return "site";
	if (i < finding->site)
		return i ? "" : "leaf";
	if (*has_from)
		return "";
	*has_from = true;
	return "from";
}

static void print_frame(const struct report_opts *opts, const struct finding *finding, int i,
			const char *label)
{
	const struct frame *frame = &finding->stack->frames[i];
	char place[TEXT_PLACE_LEN];

	text_label(opts, label);
	if (frame->naming != FRAME_NAMED) {
		text_print(opts, STYLE_DIM, "? (%s)\n", facts_frame_reason(frame->naming));
		return;
	}
	text_place(frame->file, frame->line, frame->function,
		   frame->is_coroutine	    ? "coroutine "
		   : i == finding->callback ? "callback "
					    : "",
		   text_columns(opts) - TEXT_LABEL_COLUMNS, place);
	text_print(opts, i == finding->site ? STYLE_SITE : STYLE_PLAIN, "%s", place);
	putc('\n', opts->out);
}

static void print_frames(const struct report_opts *opts, const struct finding *finding)
{
	bool show[EV_MAX_FRAMES] = { false }, has_from = false;
	int i, nr = (int)finding->stack->nr, nr_hidden = 0, last = 0;

	choose_frames(opts, finding, show);
	for (i = 0; i < nr; i++) {
		if (show[i])
			last = i;
	}
	for (i = 0; i <= last; i++) {
		if (!show[i]) {
			nr_hidden++;
			continue;
		}
		if (nr_hidden) {
			text_label(opts, "");
			text_print(opts, STYLE_DIM, "\xe2\x80\xa6 %d more frame%s\n", nr_hidden,
				   nr_hidden == 1 ? "" : "s");
		}
		nr_hidden = 0;
		print_frame(opts, finding, i, frame_label(finding, i, &has_from));
	}
}

/* What could not be read, and why. */
static void print_gaps(const struct report_opts *opts, const struct finding *finding)
{
	const char *reason = facts_stack_reason(finding);
	char text[256];

	if (reason) {
		snprintf(text, sizeof(text), "%s: %s",
			 finding->site < 0 ? "not readable" : "not whole", reason);
		text_paragraph(opts, STYLE_PLAIN, "stack", text, NULL);
	}
	if (finding->iteration->ev.flags & ITERATION_PARTIAL)
		text_paragraph(opts, STYLE_PLAIN, "note",
			       "under way when watching began: it took longer than this", NULL);
}

static void print_folded(const struct report_opts *opts, const struct breach *breach)
{
	char count[TEXT_FIGURE_LEN], total[TEXT_FIGURE_LEN], longest[TEXT_FIGURE_LEN], text[160];

	if (breach->count < 2 || breach->finding->is_latent)
		return;
	text_count(breach->count, count);
	text_duration(breach->total_ns, total);
	text_duration(breach->max_ns, longest);
	snprintf(text, sizeof(text), "%s times in a second: %s in all, %s the longest", count,
		 total, longest);
	text_paragraph(opts, STYLE_BOLD, "seen", text, NULL);
}

static void print_advice(const struct report_opts *opts, const struct finding *finding)
{
	char codes[80] = "";
	int i, len = 0;

	for (i = 0; finding->lint[i] && len < (int)sizeof(codes) - 16; i++)
		len += snprintf(codes + len, sizeof(codes) - len, "%s%.12s", i ? ", " : "[",
				finding->lint[i]);
	if (len)
		snprintf(codes + len, sizeof(codes) - len, "]");
	text_paragraph(opts, STYLE_ADVICE, "advice", finding->advice, codes);
}

void text_breach(const struct report_opts *opts, const struct breach *breach)
{
	const struct finding *finding = breach->finding;

	putc('\n', opts->out);
	print_head(opts, breach);
	if (finding->is_latent)
		print_latent(opts, breach);
	else if (finding->rule == RULE_BLOCKING_CALL)
		print_call(opts, finding);
	else if (finding->rule == RULE_CPU_BOUND)
		print_cpu(opts, finding);
	else if (finding->rule == RULE_GIL_WAIT)
		holder_text(opts, finding);
	else if (finding->rule == RULE_LOOP_OVERLOAD)
		evidence_text_callbacks(opts, finding);
	else if (finding->rule == RULE_GC_PAUSE)
		print_gc(opts, finding);
	else if (finding->rule == RULE_IMPORT_ON_LOOP)
		print_import(opts, finding);
	else if (finding->connection.is_set)
		connection_text(opts, finding);
	else
		evidence_text_starved(opts, finding);
	if (finding->stack && finding->site >= 0)
		print_frames(opts, finding);
	print_task(opts, finding);
	print_gaps(opts, finding);
	print_folded(opts, breach);
	print_advice(opts, finding);
}
