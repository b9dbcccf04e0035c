/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Finds the first row of the advice table that fits a finding; a rule's general advice if none
 * does. */
#include "advice.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "site.h"
#include "util.h"

static bool frame_fits(const struct advice_row *row, const struct frame *frame)
{
	size_t len = strlen(row->file);
	bool is_folder = row->file[len - 1] == '/';

	if (is_folder ? !site_path_has(frame->file, row->file)
		      : !site_path_ends(frame->file, row->file))
		return false;
	return !row->function || !strcmp(frame->name, row->function) ||
	       !strcmp(frame->function, row->function);
}

static bool stack_fits(const struct advice_row *row, const struct stack *stack, int nr_library)
{
	int i;

	if (!row->file)
		return true;
	for (i = 0; stack && i < nr_library; i++) {
		if (frame_fits(row, &stack->frames[i]))
			return true;
	}
	return false;
}

/*
 * From 3.11 on time.sleep() is clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, ...); before it is a
 * select.  What sleeps for a span of time is C code, like sqlite3's busy handler.
 */
static bool is_c_sleep(const struct finding *finding)
{
	uint32_t version = finding->iteration->loop->target->info.version;

	if (finding->syscall == SYS_nanosleep)
		return true;
	if (!finding->sleep || finding->syscall != SYS_clock_nanosleep)
		return false;
	return (version && version < 0x030b0000) || !(finding->sleep->ev.args[1] & TIMER_ABSTIME);
}

static uint32_t loop_kind(const struct finding *finding)
{
	return finding->iteration->loop->info.kind;
}

static bool row_fits(const struct advice_row *row, const struct finding *finding)
{
	const struct ev_object *peer = finding->sleep ? &finding->sleep->ev.object : NULL;
	const char *call;

	if (row->rule != finding->rule || (row->loop_kind && row->loop_kind != loop_kind(finding)))
		return false;
	if (row->causes && !(row->causes & (1u << finding->cause)))
		return false;
	if (row->port && (!peer || peer->kind != OBJECT_SOCKET || peer->port != row->port))
		return false;
	if (row->object && !strstr(finding->object, row->object))
		return false;
	if (row->syscall) {
		call = syscall_name(finding->syscall);
		if (!call || strcmp(call, row->syscall) != 0)
			return false;
	}
	if (row->is_c_sleep && !is_c_sleep(finding))
		return false;
	if (row->is_native && !finding->holder.is_native)
		return false;
	return stack_fits(row, finding->stack, finding->nr_library);
}

/* What to do about a call or about work depends on the loop; about the host, the GIL, the collector not. */
static bool is_any_loops(const struct advice_row *row)
{
	return row->is_any_loops || (row->rule != RULE_BLOCKING_CALL && row->rule != RULE_CPU_BOUND);
}

void advice_fill(struct finding *finding)
{
	bool is_other = LOOP_KIND_IS_BY_FRAMES(loop_kind(finding));
	const struct advice_row *row = NULL;
	unsigned int i;

	for (i = 0; i < advice_nr_rows && !row; i++)
		if ((!is_other || is_any_loops(&advice_rows[i])) && row_fits(&advice_rows[i], finding))
			row = &advice_rows[i];
	for (i = 0; is_other && i < advice_nr_loop_rows && !row; i++)
		if (row_fits(&advice_loop_rows[i], finding))
			row = &advice_loop_rows[i];
	finding->advice = row ? row->advice : rules[finding->rule].advice;
	memset(finding->lint, 0, sizeof(finding->lint));
	if (row)
		memcpy(finding->lint, row->lint, sizeof(row->lint));
}
