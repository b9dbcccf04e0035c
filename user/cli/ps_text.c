/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The table of `ps`.  Columns are as wide as what is in them, up to a bound; the last one takes the rest of
 * a terminal's line.  Whatever a target can name is made safe.
 */
#include <pwd.h>
#include <string.h>

#include "facts.h"
#include "located.h"
#include "ps.h"
#include "sanitize.h"
#include "terminal.h"
#include "text.h"

#define CELL_BYTES   (4 * EV_PATH_LEN)
#define GAP	     2
#define WIDE_COLUMNS 250 /* of the executable, where no terminal bounds the line */
#define LAST_MIN     16	 /* columns that the last one needs at least */
#define MAX_LOOPS    8	 /* of one process, a line each */

enum cell { CELL_PID, CELL_NS_PID, CELL_USER, CELL_PYTHON, CELL_BUILD, CELL_LOOPS, CELL_BUSY, CELL_RATE,
	    CELL_CONNECTIONS, CELL_PLACE, CELL_NAME, CELL_EXE, CELL_MAX };

static const struct {
	const char *heading;
	unsigned bound; /* columns at most */
	bool is_right;
} columns[CELL_MAX] = {
	[CELL_PID] = { "PID", 8, true },	[CELL_NS_PID] = { "NSPID", 7, true },
	[CELL_USER] = { "USER", 8, false },	[CELL_PYTHON] = { "PYTHON", 10, false },
	[CELL_BUILD] = { "BUILD", 25, false },	[CELL_LOOPS] = { "LOOPS", 12, false },
	[CELL_BUSY] = { "BUSY", 7, true },	[CELL_RATE] = { "ITER/S", 8, true },
	[CELL_CONNECTIONS] = { "OUT/IN", 13, true },
	[CELL_PLACE] = { "WHERE", 28, false },	[CELL_NAME] = { "NAME", 15, false },
	[CELL_EXE] = { "EXECUTABLE", WIDE_COLUMNS, false },
};

struct shape {
	const struct ps_table *table;
	struct report_opts report;
	bool is_terminal;
	unsigned width[CELL_MAX]; /* 0: not shown */
};

static void user_cell(const struct ev_target *t, char *out, size_t size)
{
	static char name[64];
	static uint32_t known = EV_NO_UID; /* one user has many processes, and a look-up may ask the network */
	const struct passwd *user;

	if (t->uid == EV_NO_UID) {
		snprintf(out, size, "?");
		return;
	}
	if (t->uid != known) {
		user = getpwuid(t->uid);
		if (user)
			snprintf(name, sizeof(name), "%.60s", user->pw_name);
		else
			snprintf(name, sizeof(name), "%u", t->uid);
		known = t->uid;
	}
	snprintf(out, size, "%s", name);
}

/* "asyncio", "3 uvloop", "2 mixed"; of a process that was not listed by thread, how many. */
static void loops_cell(const struct ps_row *row, char *out, size_t size)
{
	unsigned nr = max(row->nr_loops, (unsigned)row->target.nr_loops);
	const char *kind = row->nr_loops ? facts_loop_kind(row->loops[0].kind) : "";

	for (unsigned i = 1; i < row->nr_loops; i++)
		if (row->loops[i].kind != row->loops[0].kind)
			kind = "mixed";
	if (!nr)
		snprintf(out, size, "-");
	else if (nr == 1 && kind[0])
		snprintf(out, size, "%s", kind);
	else
		snprintf(out, size, "%u%s%s", nr, kind[0] ? " " : "", kind);
}

static void busy_cell(double utilization, char *out, size_t size)
{
	if (utilization < 0)
		snprintf(out, size, "-");
	else
		snprintf(out, size, "%.1f %%", utilization * 100);
}

static void rate_cell(double per_s, char *out, size_t size)
{
	char figure[TEXT_FIGURE_LEN];

	text_count((uint64_t)(per_s + 0.5), figure);
	snprintf(out, size, "%s", per_s < 0 ? "-" : figure);
}

static double rate_of(const struct ps_row *row)
{
	double sum = -1;

	for (unsigned i = 0; i < row->nr_loops; i++)
		if (row->loops[i].is_seen)
			sum = max(sum, 0.0) + row->loops[i].iterations_per_s;
	return sum;
}

/* Connections: those that it made, those that came to it. */
static void connections_cell(const struct socket_counts *counts, char *out, size_t size)
{
	if (!counts->is_known)
		snprintf(out, size, "?");
	else if (counts->outbound || counts->inbound || counts->listening)
		snprintf(out, size, "%u/%u", counts->outbound, counts->inbound);
	else
		snprintf(out, size, "-");
}

static void place_cell(const struct ev_target *t, char *out, size_t size)
{
	struct ev_target here = *t;
	char text[LOCATED_TEXT_LEN];

	here.ns_pid = here.pid; /* it has a column of its own */
	located_text(&here, WIDE_COLUMNS, text);
	snprintf(out, size, "%s", text[0] ? text : "-");
}

/* Not made safe yet. */
static void fill_cell(const struct ps_row *row, enum cell cell, char *out, size_t size)
{
	const struct ev_target *t = &row->target;
	char version[FACTS_VERSION_LEN];

	switch (cell) {
	case CELL_PID: snprintf(out, size, "%u", t->pid); return;
	case CELL_NS_PID: snprintf(out, size, t->ns_pid ? "%u" : "?", t->ns_pid); return;
	case CELL_USER: user_cell(t, out, size); return;
	case CELL_PYTHON:
		facts_python(t->version, version);
		snprintf(out, size, "%s%s", version[0] ? version : "?",
			 t->flags & TARGET_FREE_THREADED ? "t" : "");
		return;
	case CELL_BUILD:
		snprintf(out, size, "%s%s%s", !t->version ? "?" : t->flags & TARGET_STATIC ? "static" : "shared",
			 t->flags & TARGET_USDT ? ",usdt" : "",
			 !(t->flags & TARGET_FREE_THREADED) ? "" : t->flags & TARGET_GIL ? ",gil-on" : ",no-gil");
		return;
	case CELL_LOOPS: loops_cell(row, out, size); return;
	case CELL_BUSY: busy_cell(ps_busy(row), out, size); return;
	case CELL_RATE: rate_cell(rate_of(row), out, size); return;
	case CELL_CONNECTIONS: connections_cell(&row->sockets, out, size); return;
	case CELL_PLACE: place_cell(t, out, size); return;
	case CELL_NAME: snprintf(out, size, "%s", t->comm); return;
	case CELL_EXE: snprintf(out, size, t->exe[0] ? "%s" : "[%s]", t->exe[0] ? t->exe : t->comm); return;
	case CELL_MAX: break;
	}
	out[0] = '\0';
}

static bool is_shown(const struct shape *shape, enum cell cell)
{
	if (cell == CELL_BUSY || cell == CELL_RATE)
		return shape->table->is_live;
	if (cell == CELL_NAME)
		return !shape->is_terminal;
	if (cell != CELL_NS_PID)
		return true;
	for (unsigned i = 0; i < shape->table->nr; i++)
		if (shape->table->rows[i].target.ns_pid &&
		    shape->table->rows[i].target.ns_pid != shape->table->rows[i].target.pid)
			return true;
	return false;
}

static unsigned columns_before_last(const struct shape *shape)
{
	unsigned sum = 0;

	for (enum cell cell = 0; cell < CELL_EXE; cell++)
		sum += shape->width[cell] ? shape->width[cell] + GAP : 0;
	return sum;
}

/* Makes the last column fit: the place gives way, then the build, then the place again, then the connections. */
static void fit(struct shape *shape)
{
	unsigned total = text_columns(&shape->report), *place = &shape->width[CELL_PLACE];
	const unsigned least[] = { 12, 12, 5 };

	for (unsigned step = 0; step < ARRAY_SIZE(least); step++) {
		unsigned before = columns_before_last(shape), over;

		over = before + LAST_MIN > total ? before + LAST_MIN - total : 0;
		if (step == 1 && over)
			shape->width[CELL_BUILD] = 0;
		else if (over && *place > least[step])
			*place = max(*place - min(over, *place), least[step]);
	}
	if (columns_before_last(shape) + LAST_MIN / 2 > total)
		shape->width[CELL_CONNECTIONS] = 0;
	total = max(total, columns_before_last(shape) + LAST_MIN / 2);
	shape->width[CELL_EXE] = total - columns_before_last(shape);
}

static bool has_each_loop(const struct shape *shape, const struct ps_row *row)
{
	return shape->table->is_live ? row->nr_loops > 1 : shape->table->is_verbose && row->nr_loops;
}

static uint32_t number_of(const struct ps_loop *loop)
{
	return loop->tid ? loop->tid : loop->ns_tid;
}

/* The threads of loops are in the column of the processes. */
static void widen_for_loops(struct shape *shape, const struct ps_row *row)
{
	for (unsigned i = 0; has_each_loop(shape, row) && i < row->nr_loops; i++) {
		unsigned digits = (unsigned)snprintf(NULL, 0, "%u", number_of(&row->loops[i]));

		shape->width[CELL_PID] = max(shape->width[CELL_PID], digits + 1);
	}
}

static void measure(struct shape *shape)
{
	char raw[CELL_BYTES], safe[CELL_BYTES];

	for (enum cell cell = 0; cell < CELL_MAX; cell++) {
		if (!is_shown(shape, cell))
			continue;
		shape->width[cell] = (unsigned)strlen(columns[cell].heading);
		for (unsigned i = 0; i < shape->table->nr; i++) {
			fill_cell(&shape->table->rows[i], cell, raw, sizeof(raw));
			shape->width[cell] = max(shape->width[cell],
						 sanitize(safe, sizeof(safe), raw, columns[cell].bound, CUT_END));
		}
	}
	for (unsigned i = 0; i < shape->table->nr; i++)
		widen_for_loops(shape, &shape->table->rows[i]);
	if (shape->is_terminal)
		fit(shape);
}

static void print_cell(const struct shape *shape, enum cell cell, enum text_style style, const char *raw)
{
	unsigned width = shape->width[cell], used;
	char safe[CELL_BYTES];

	if (!width)
		return;
	used = sanitize(safe, sizeof(safe), raw, width, cell == CELL_EXE ? CUT_START : CUT_END);
	if (columns[cell].is_right)
		fprintf(shape->report.out, "%*s", (int)(width - used), "");
	text_print(&shape->report, style, "%s", safe);
	if (cell != CELL_EXE)
		fprintf(shape->report.out, "%*s", (int)(GAP + (columns[cell].is_right ? 0 : width - used)), "");
}

static void print_loops(const struct shape *shape, const struct ps_row *row)
{
	bool is_each = has_each_loop(shape, row);

	for (unsigned i = 0; is_each && i < min(row->nr_loops, (unsigned)MAX_LOOPS); i++) {
		const struct ps_loop *loop = &row->loops[i];
		char cell[32];

		for (enum cell at = 0; at < CELL_BUSY; at++) {
			cell[0] = '\0';
			if (at == CELL_PID)
				snprintf(cell, sizeof(cell), "·%u", number_of(loop));
			else if (at == CELL_LOOPS)
				snprintf(cell, sizeof(cell), "%s", facts_loop_kind(loop->kind));
			print_cell(shape, at, STYLE_DIM, cell);
		}
		busy_cell(loop->is_seen ? loop->utilization : -1, cell, sizeof(cell));
		print_cell(shape, CELL_BUSY, STYLE_PLAIN, cell);
		rate_cell(loop->is_seen ? loop->iterations_per_s : -1, cell, sizeof(cell));
		print_cell(shape, CELL_RATE, STYLE_PLAIN, cell);
		putc('\n', shape->report.out);
	}
	if (is_each && row->nr_loops > MAX_LOOPS)
		text_print(&shape->report, STYLE_DIM, "        … %u more loops\n", row->nr_loops - MAX_LOOPS);
}

/* Why it, or a loop of it, cannot be watched; NULL: all of it can. */
static const char *why_not(const struct ev_target *t)
{
	if (t->status != TARGET_OK)
		return t->reason;
	for (uint32_t kind = 0; kind < LOOP_KIND_MAX; kind++)
		if (t->layout.loop_kinds & 1u << kind && facts_loop_unsupported(kind))
			return facts_loop_unsupported(kind);
	return NULL;
}

static void print_row(const struct shape *shape, const struct ps_row *row)
{
	const char *reason = why_not(&row->target);
	char cell[CELL_BYTES];

	for (enum cell at = 0; at < CELL_MAX; at++) {
		fill_cell(row, at, cell, sizeof(cell));
		print_cell(shape, at, at == CELL_BUSY ? STYLE_BOLD : STYLE_PLAIN, cell);
	}
	if (reason && !shape->is_terminal) {
		sanitize(cell, sizeof(cell), reason, WIDE_COLUMNS, CUT_END);
		fprintf(shape->report.out, "  (%s)", cell);
	}
	putc('\n', shape->report.out);
	if (reason && shape->is_terminal)
		text_paragraph(&shape->report, STYLE_DIM, "", reason, NULL);
	print_loops(shape, row);
}

void ps_print_text(const struct ps_table *table, FILE *out)
{
	struct shape shape = { .table = table, .report = { .out = out }, .is_terminal = isatty(fileno(out)) };

	if (!table->nr)
		return;
	terminal_describe(out, &shape.report);
	measure(&shape);
	for (enum cell cell = 0; cell < CELL_MAX; cell++)
		print_cell(&shape, cell, STYLE_DIM, columns[cell].heading);
	putc('\n', out);
	for (unsigned i = 0; i < table->nr; i++)
		print_row(&shape, &table->rows[i]);
}
