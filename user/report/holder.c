/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The thread that held the GIL: its names are the target's, so none goes out as it is. */
#include "holder.h"

#include <inttypes.h>
#include <string.h>

#include "facts.h"
#include "sanitize.h"
#include "text.h"

static const struct frame *site_of(const struct finding_holder *holder)
{
	return holder->stack && holder->site >= 0 ? &holder->stack->frames[holder->site] : NULL;
}

static void put_stack(struct json *json, const struct stack *stack)
{
	json_array(json, "stack");
	for (uint32_t i = 0; stack && i < stack->nr; i++) {
		json_object(json, NULL);
		jsonl_frame_members(json, &stack->frames[i]);
		json_bool(json, "coroutine", stack->frames[i].is_coroutine);
		json_object_end(json);
	}
	json_array_end(json);
	json_string(json, "stack_status", facts_status_of_stack(stack));
}

static void put_name(struct json *json, const char *key, const char *name, size_t size)
{
	char copy[sizeof(((struct finding_holder *)0)->name) + 1];

	snprintf(copy, sizeof(copy), "%.*s", (int)size, name);
	json_string(json, key, copy[0] ? copy : NULL);
}

void holder_json(struct json *json, const struct finding *finding)
{
	const struct finding_holder *holder = &finding->holder;
	const struct frame *site = site_of(holder);

	if (!holder->ident) {
		json_null(json, "holder");
		return;
	}
	json_object(json, "holder");
	if (holder->tid)
		json_u64(json, "tid", holder->tid);
	else
		json_null(json, "tid");
	json_u64(json, "ident", holder->ident);
	put_name(json, "name", holder->name, sizeof(holder->name));
	put_name(json, "comm", holder->comm, sizeof(holder->comm));
	json_u64(json, "waited_ns", holder->waited_ns);
	json_bool(json, "native", holder->is_native);
	json_u64(json, "others", holder->nr_others);
	json_u64(json, "run_queue_ns", holder->run_queue_ns);
	if (site) {
		json_object(json, "site");
		jsonl_frame_members(json, site);
		json_object_end(json);
	} else {
		json_null(json, "site");
	}
	put_stack(json, holder->stack);
	json_object_end(json);
}

/* "thread "burner" (4711)"; without a Python name the kernel's. */
static void name_holder(const struct finding_holder *holder, char *out, size_t size)
{
	char raw[sizeof(holder->name) + 1], name[sizeof(holder->name) * 3], tid[24] = "";

	snprintf(raw, sizeof(raw), "%.*s", (int)sizeof(holder->name), holder->name);
	if (!raw[0])
		snprintf(raw, sizeof(raw), "%.*s", EV_COMM_LEN, holder->comm);
	sanitize(name, sizeof(name), raw, 40, CUT_END);
	if (holder->tid)
		snprintf(tid, sizeof(tid), " (%u)", holder->tid);
	if (name[0])
		snprintf(out, size, "thread \"%s\"%s", name, tid);
	else
		snprintf(out, size, "a thread%s that could not be named", tid);
}

static void print_wait(const struct report_opts *opts, const struct finding *finding)
{
	const struct finding_holder *holder = &finding->holder;
	char text[200] = "for the GIL", waited[TEXT_FIGURE_LEN];
	uint64_t queued_ns = finding->iteration->ev.off_ns[OFF_HOLDER_QUEUED];

	/* The piece before the first look is nobody's: without others it is his as well, most likely. */
	if (holder->nr_others) {
		text_duration(holder->waited_ns, waited);
		snprintf(text, sizeof(text), "for the GIL, %s of it for one thread, the rest for %u other%s",
			 waited, holder->nr_others, holder->nr_others == 1 ? "" : "s");
	}
	if (queued_ns >= NSEC_PER_MSEC) {
		text_duration(queued_ns, waited);
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "; %s more while who held it had no CPU", waited);
	}
	text_paragraph(opts, STYLE_PLAIN, "waited", text, NULL);
}

void holder_text(const struct report_opts *opts, const struct finding *finding)
{
	const struct finding_holder *holder = &finding->holder;
	const struct frame *site = site_of(holder);
	char text[400], place[TEXT_PLACE_LEN];

	print_wait(opts, finding);
	if (!holder->ident) {
		text_paragraph(opts, STYLE_PLAIN, "held by", "a thread that could not be read",
			       NULL);
		return;
	}
	name_holder(holder, text, sizeof(text));
	if (!site) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "; where it was could not be read");
		text_paragraph(opts, STYLE_PLAIN, "held by", text, NULL);
		return;
	}
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %s",
		 holder->is_native ? "in one call of C code" : "running Python");
	text_paragraph(opts, STYLE_PLAIN, "held by", text, NULL);
	text_label(opts, "");
	if (site->naming != FRAME_NAMED) {
		text_print(opts, STYLE_DIM, "? (%s)\n", facts_frame_reason(site->naming));
		return;
	}
	text_place(site->file, site->line, site->function, "",
		   text_columns(opts) - TEXT_LABEL_COLUMNS, place);
	text_print(opts, STYLE_SITE, "%s", place);
	putc('\n', opts->out);
}
