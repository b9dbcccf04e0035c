/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The closing summary: how busy each loop was, which sites cost most, whether anything was missed.
 */
#include "report_text.h"

#include <math.h>
#include <string.h>

#include "connection_report.h"
#include "facts.h"
#include "sanitize.h"
#include "text.h"

#define MAX_ROWS 20 /* of a table, unless verbose */

/* Columns of the tables; the last column takes the rest of the line. */
#define COLUMNS_FIGURE 11
#define COLUMNS_CAUSE  12

static void print_figure(const struct report_opts *opts, enum text_style style,
			 unsigned int columns, const char *figure)
{
	unsigned int used = sanitize_columns(figure);

	fprintf(opts->out, "%*s", used < columns ? (int)(columns - used) : 1, "");
	text_print(opts, style, "%s", figure);
}

static void print_headings(const struct report_opts *opts, const char *const *headings)
{
	for (; *headings; headings++)
		print_figure(opts, STYLE_DIM, COLUMNS_FIGURE, *headings);
}

static void print_loop(const struct report_opts *opts, const struct loop *loop)
{
	unsigned int name_columns = text_columns(opts) - 5 * COLUMNS_FIGURE;
	char comm[80], raw[EV_COMM_LEN + 1], name[160], safe[320], figure[TEXT_FIGURE_LEN];
	struct loop_facts facts;
	int len;

	facts_loop(loop, &facts);
	snprintf(raw, sizeof(raw), "%.*s", EV_COMM_LEN, loop->target->info.comm);
	sanitize(comm, sizeof(comm), raw, 16, CUT_END);
	len = snprintf(name, sizeof(name), "  %s %u", comm, loop->info.pid);
	if (loop->number)
		len += snprintf(name + len, sizeof(name) - len, " #%u", loop->number);
	if (loop->info.kind != LOOP_KIND_ASYNCIO)
		snprintf(name + len, sizeof(name) - len, " %s", facts_loop_kind(loop->info.kind));
	sanitize(safe, sizeof(safe), name, name_columns, CUT_END);
	text_print_padded(opts, STYLE_PLAIN, name_columns, safe);
	if (isnan(facts.utilization))
		snprintf(figure, sizeof(figure), "-");
	else
		snprintf(figure, sizeof(figure), "%.1f %%", facts.utilization * 100);
	print_figure(opts, STYLE_BOLD, COLUMNS_FIGURE, figure);
	text_count(loop->counters.iterations, figure);
	print_figure(opts, STYLE_PLAIN, COLUMNS_FIGURE, figure);
	text_duration(facts.p50_ns, figure);
	print_figure(opts, STYLE_PLAIN, COLUMNS_FIGURE, figure);
	text_duration(facts.p99_ns, figure);
	print_figure(opts, STYLE_PLAIN, COLUMNS_FIGURE, figure);
	text_duration(loop->counters.max_ns, figure);
	print_figure(opts, STYLE_PLAIN, COLUMNS_FIGURE, figure);
	putc('\n', opts->out);
}

static void print_more(const struct report_opts *opts, unsigned int nr, const char *what)
{
	if (nr)
		text_print(opts, STYLE_DIM, "  \xe2\x80\xa6 and %u more %s%s\n", nr, what,
			   nr == 1 ? "" : "s");
}

static void print_loops(const struct report_opts *opts, const struct model *model)
{
	static const char *const headings[] = { "busy", "iterations", "p50", "p99", "max", NULL };
	const struct loop *loop;
	unsigned int nr = 0, nr_hidden = 0;

	for (; (loop = model_loop(model, nr)); nr++) {
		if (!nr) {
			text_print_padded(opts, STYLE_BOLD, text_columns(opts) - 5 * COLUMNS_FIGURE,
					  "Loops");
			print_headings(opts, headings);
			putc('\n', opts->out);
		}
		if (nr < MAX_ROWS || opts->is_verbose)
			print_loop(opts, loop);
		else
			nr_hidden++;
	}
	print_more(opts, nr_hidden, "loop");
	fputs(nr ? "\n" : "No event loop was seen.\n\n", opts->out);
}

static void print_site(const struct report_opts *opts, const struct site_total *site)
{
	unsigned int columns = text_columns(opts) - 3 * COLUMNS_FIGURE - 2 - COLUMNS_CAUSE;
	char place[TEXT_PLACE_LEN], figure[TEXT_FIGURE_LEN];

	if (rules_is_about_connections(site->rule))
		snprintf(figure, sizeof(figure), "-");
	else
		text_duration(site->total_ns, figure);
	print_figure(opts, STYLE_TIME_LOST, COLUMNS_FIGURE, figure);
	text_count(site->count, figure);
	print_figure(opts, STYLE_PLAIN, COLUMNS_FIGURE, figure);
	text_duration(site->max_ns, figure);
	print_figure(opts, STYLE_PLAIN, COLUMNS_FIGURE, figure);
	fputs("  ", opts->out);
	text_print_padded(opts, STYLE_PLAIN, COLUMNS_CAUSE, cause_names[site->cause]);
	if (site->file[0]) {
		text_place(site->file, site->line, site->function, "", columns, place);
		text_print(opts, STYLE_SITE, "%s\n", place);
	} else {
		text_print(opts, STYLE_DIM, "%s\n",
			   site->rule == RULE_HOST_STARVED ? "the host, not the code"
							   : "stack not readable");
	}
}

static void print_sites(const struct report_opts *opts, const struct report_summary *summary)
{
	static const char *const headings[] = { "time lost", "breaches", "longest", NULL };
	unsigned int nr_sites = summary->nr_sites - summary->nr_latent_sites, i,
		     nr = opts->is_verbose ? nr_sites : min(nr_sites, MAX_ROWS);

	if (!nr_sites)
		return;
	print_headings(opts, headings);
	text_print(opts, STYLE_DIM, "  %-*s%s\n", COLUMNS_CAUSE, "cause", "site");
	for (i = 0; i < nr; i++)
		print_site(opts, &summary->sites[i]);
	print_more(opts, nr_sites - nr, "site");
	putc('\n', opts->out);
}

/* Sites of calls that can block and were quick. */
static void print_latent_sites(const struct report_opts *opts, const struct report_summary *summary)
{
	static const char *const headings[] = { "latent", NULL };
	unsigned int columns = text_columns(opts) - COLUMNS_FIGURE - 2 - COLUMNS_CAUSE, i,
		     nr = opts->is_verbose ? summary->nr_latent_sites :
					     min(summary->nr_latent_sites, MAX_ROWS);

	if (!summary->nr_latent_sites)
		return;
	print_headings(opts, headings);
	text_print(opts, STYLE_DIM, "  %-*s%s\n", COLUMNS_CAUSE, "cause",
		   "site of calls that can block, quick this time");
	for (i = 0; i < nr; i++) {
		const struct site_total *site =
			&summary->sites[summary->nr_sites - summary->nr_latent_sites + i];
		char place[TEXT_PLACE_LEN] = "stack not readable", figure[TEXT_FIGURE_LEN];

		text_count(site->count, figure);
		print_figure(opts, STYLE_PLAIN, COLUMNS_FIGURE, figure);
		fputs("  ", opts->out);
		text_print_padded(opts, STYLE_PLAIN, COLUMNS_CAUSE, cause_names[site->cause]);
		if (site->file[0])
			text_place(site->file, site->line, site->function, "", columns, place);
		text_print(opts, STYLE_SITE, "%s\n", place);
	}
	print_more(opts, summary->nr_latent_sites - nr, "site");
	putc('\n', opts->out);
}

/* Counters that are not zero when something was missed, in words; STAT_MAX: what the summary itself left out. */
static const struct {
	enum stat_id stat;
	const char *one, *many, *words;
} losses[] = {
	{ STAT_RING_FULL, "record", "records", "that the ring had no room for" },
	{ STAT_RECORDS_INVALID, "record that contradicts itself", "records that contradict themselves", "" },
	{ STAT_LOOPS_REFUSED, "loop", "loops", "past the 1,024 that can be watched: watch fewer processes" },
	{ STAT_TARGETS_REFUSED, "process", "processes",
	  "past the 4,096 that can be watched: --name or --cgroup name fewer" },
	{ STAT_EVENTS_MISSED, "event", "events", "that the kernel did not deliver; found out and made good" },
	{ STAT_STACKS_UNREADABLE, "stack", "stacks", "that could not be read whole" },
	{ STAT_STACKS_TRUNCATED, "stack", "stacks", "deeper than what is read of one" },
	{ STAT_NAMES_FAILED, "code object", "code objects", "that could not be named" },
	{ STAT_NAMES_REFUSED, "code object", "code objects", "past the number that can be named" },
	{ STAT_READER_RESTARTS, "restart", "restarts", "of the reader process" },
	{ STAT_BREACHES_INCOMPLETE, "breach reported without all its names",
	  "breaches reported without all their names", "" },
	{ STAT_DESTINATIONS_REFUSED, "connection to a destination", "connections to destinations",
	  "past the number that are counted apart" },
	{ STAT_CONNECTIONS_MISSED, "change of a connection", "changes of connections",
	  "that the kernel did not deliver; made good" },
	{ STAT_MAX, "breach of a site", "breaches of sites", "past those that are ranked" },
};

static uint64_t nr_lost(const struct report_summary *summary, enum stat_id stat)
{
	return stat == STAT_MAX ? summary->nr_sites_refused : summary->loss.stats[stat];
}

static void print_losses(const struct report_opts *opts, const struct report_summary *summary)
{
	bool is_any = false;
	char count[TEXT_FIGURE_LEN];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(losses); i++) {
		uint64_t nr = nr_lost(summary, losses[i].stat);

		if (!nr)
			continue;
		if (!is_any)
			text_print(opts, STYLE_BOLD, "Missed\n");
		is_any = true;
		text_count(nr, count);
		print_figure(opts, STYLE_PLAIN, COLUMNS_FIGURE, count);
		fprintf(opts->out, "  %s%s%s\n", nr == 1 ? losses[i].one : losses[i].many,
			losses[i].words[0] ? " " : "", losses[i].words);
	}
	if (!is_any)
		text_print(opts, STYLE_DIM, "Nothing was missed.\n");
}

void text_summary(const struct report_opts *opts, const struct report_summary *summary)
{
	char watched[TEXT_FIGURE_LEN], nr[TEXT_FIGURE_LEN], sites[TEXT_FIGURE_LEN];

	putc('\n', opts->out);
	text_duration(summary->watched_ns, watched);
	text_count(summary->nr_breaches, nr);
	text_count(summary->nr_sites - summary->nr_latent_sites, sites);
	if (summary->nr_breaches)
		text_print(opts, STYLE_BOLD, "Watched for %s: %s breach%s at %s site%s.\n\n",
			   watched, nr, summary->nr_breaches == 1 ? "" : "es", sites,
			   summary->nr_sites - summary->nr_latent_sites == 1 ? "" : "s");
	else
		text_print(opts, STYLE_BOLD, "Watched for %s: no breach.\n\n", watched);
	print_loops(opts, summary->model);
	print_sites(opts, summary);
	print_latent_sites(opts, summary);
	connection_text_all(opts, summary->model);
	print_losses(opts, summary);
}
