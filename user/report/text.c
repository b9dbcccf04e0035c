/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Styles, figures and lines.  Widths are counted in columns, colours take none. */
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "sanitize.h"

static const char *const style_codes[] = {
	[STYLE_PLAIN] = "",	     [STYLE_BOLD] = "\033[1m",	       [STYLE_DIM] = "\033[2m",
	[STYLE_RULE] = "\033[1m",    [STYLE_TIME_LOST] = "\033[1;33m", [STYLE_SITE] = "\033[36m",
	[STYLE_ADVICE] = "\033[32m",
};

static void begin_style(const struct report_opts *opts, enum text_style style)
{
	if (opts->use_color && style != STYLE_PLAIN)
		fputs(style_codes[style], opts->out);
}

static void end_style(const struct report_opts *opts, enum text_style style)
{
	if (opts->use_color && style != STYLE_PLAIN)
		fputs("\033[0m", opts->out);
}

void text_print(const struct report_opts *opts, enum text_style style, const char *fmt, ...)
{
	char text[2048];
	size_t len, shown;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A style ends before the end of its line. */
	len = strlen(text);
	for (shown = len; shown && text[shown - 1] == '\n'; shown--)
		;
	if (shown) {
		begin_style(opts, style);
		fwrite(text, 1, shown, opts->out);
		end_style(opts, style);
	}
	fwrite(text + shown, 1, len - shown, opts->out);
}

void text_print_padded(const struct report_opts *opts, enum text_style style, unsigned int columns,
		       const char *text)
{
	unsigned int used = sanitize_columns(text);

	text_print(opts, style, "%s", text);
	fprintf(opts->out, "%*s", used < columns ? (int)(columns - used) : 0, "");
}

unsigned int text_columns(const struct report_opts *opts)
{
	return max(opts->columns, 80u);
}

static void three_digits(double value, const char *unit, char out[TEXT_FIGURE_LEN])
{
	/* Rounded first: 9.996 is 10.0, not 10.00. */
	int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(out, TEXT_FIGURE_LEN, "%.*f %s", digits, value, unit);
}

void text_duration(uint64_t ns, char out[TEXT_FIGURE_LEN])
{
	uint64_t sec = ns / NSEC_PER_SEC;

	if (ns < 999500)
		snprintf(out, TEXT_FIGURE_LEN, "%" PRIu64 " \xc2\xb5s",
			 (uint64_t)((ns + NSEC_PER_USEC / 2) / NSEC_PER_USEC));
	else if (ns < 999500000)
		three_digits((double)ns / NSEC_PER_MSEC, "ms", out);
	else if (sec < 120)
		three_digits((double)ns / NSEC_PER_SEC, "s", out);
	else if (sec < 7200)
		snprintf(out, TEXT_FIGURE_LEN, "%u min %02u s", (unsigned int)sec / 60,
			 (unsigned int)sec % 60);
	else
		snprintf(out, TEXT_FIGURE_LEN, "%" PRIu64 " h %02" PRIu64 " min", sec / 3600,
			 sec % 3600 / 60);
}

void text_limit(uint64_t ns, char out[TEXT_FIGURE_LEN])
{
	if (ns >= NSEC_PER_SEC && ns % NSEC_PER_SEC == 0)
		snprintf(out, TEXT_FIGURE_LEN, "%" PRIu64 " s", (uint64_t)(ns / NSEC_PER_SEC));
	else if (ns >= NSEC_PER_MSEC && ns % NSEC_PER_MSEC == 0)
		snprintf(out, TEXT_FIGURE_LEN, "%" PRIu64 " ms", (uint64_t)(ns / NSEC_PER_MSEC));
	else
		text_duration(ns, out);
}

void text_rule_limit(enum rule_id rule, uint64_t limit, char out[TEXT_FIGURE_LEN])
{
	if (rules[rule].unit == RULE_UNIT_NS)
		text_limit(limit, out);
	else
		snprintf(out, TEXT_FIGURE_LEN, "%llu%s", (unsigned long long)limit,
			 rules[rule].unit == RULE_UNIT_CONNECTIONS_PER_SECOND ? "/s" : "");
}

void text_count(uint64_t count, char out[TEXT_FIGURE_LEN])
{
	char digits[TEXT_FIGURE_LEN];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, count), i, at = 0;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
}

void text_label(const struct report_opts *opts, const char *label)
{
	fputs("  ", opts->out);
	text_print_padded(opts, STYLE_DIM, TEXT_LABEL_COLUMNS - 2, label);
}

/* Columns of the next word and the spaces before it; *bytes is set to its length. */
static unsigned int next_word(const char *text, size_t *bytes)
{
	char word[512];
	size_t len = strspn(text, " ");

	len += strcspn(text + len, " ");
	*bytes = min(len, sizeof(word) - 1);
	snprintf(word, sizeof(word), "%.*s", (int)*bytes, text);
	return sanitize_columns(word);
}

unsigned int text_wrap(FILE *out, unsigned int columns, unsigned int indent, const char *text)
{
	unsigned int room = columns - min(columns, indent), used = 0;

	while (*text) {
		size_t bytes;
		unsigned int wide = next_word(text, &bytes);

		if (used && used + wide > room) {
			size_t spaces = strspn(text, " ");

			text += spaces;
			bytes -= spaces;
			wide -= spaces;
			fprintf(out, "\n%*s", (int)indent, "");
			used = 0;
		}
		fwrite(text, 1, bytes, out);
		text += bytes;
		used += wide;
	}
	return used;
}

void text_paragraph(const struct report_opts *opts, enum text_style style, const char *label,
		    const char *text, const char *suffix)
{
	unsigned int room = text_columns(opts) - TEXT_LABEL_COLUMNS, used;
	char safe[2048];

	sanitize(safe, sizeof(safe), text, 500, CUT_END);
	text_label(opts, label);
	begin_style(opts, style);
	used = text_wrap(opts->out, text_columns(opts), TEXT_LABEL_COLUMNS, safe);
	end_style(opts, style);
	if (suffix && suffix[0]) {
		if (used + 2 + strlen(suffix) > room)
			fprintf(opts->out, "\n%*s", TEXT_LABEL_COLUMNS, "");
		else
			fputs("  ", opts->out);
		text_print(opts, STYLE_DIM, "%s", suffix);
	}
	putc('\n', opts->out);
}

void text_place(const char *file, int32_t line, const char *function, const char *kind,
		unsigned int columns, char out[TEXT_PLACE_LEN])
{
	char name[256], path[512], where[24] = "";
	unsigned int fixed, name_columns;

	if (line > 0)
		snprintf(where, sizeof(where), ":%d", line);
	fixed = strlen(where) + strlen(" in ") + strlen(kind);
	/* The name may take half; a short path leaves it more. */
	name_columns = columns - min(columns / 2, sanitize_columns(file)) - fixed;
	name_columns = sanitize(name, sizeof(name), function, min(name_columns, 120u), CUT_END);
	sanitize(path, sizeof(path), file, columns - fixed - name_columns, CUT_START);
	snprintf(out, TEXT_PLACE_LEN, "%s%s in %s%s", path, where, kind, name);
}
