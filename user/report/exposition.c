/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Values in, the two text formats out: they differ in the names of counters and in how they end. */
#include "exposition.h"

#include <math.h>
#include <string.h>

#include "sanitize.h"
#include "utf8.h"
#include "util.h"

#define PREFIX "loophound_"

static const char *const type_names[] = {
	[EXPOSITION_COUNTER] = "counter",
	[EXPOSITION_GAUGE] = "gauge",
	[EXPOSITION_HISTOGRAM] = "histogram",
	[EXPOSITION_INFO] = "info",
};

const char *exposition_content_type(enum exposition_format format)
{
	return format == EXPOSITION_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

/* What the samples of a counter and of an information have behind the family's name. */
static const char *own_suffix(const struct exposition *e)
{
	return e->type == EXPOSITION_COUNTER ? "_total" : e->type == EXPOSITION_INFO ? "_info" : "";
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && !strcmp(text + length - end_length, end);
}

/* OpenMetrics wants the unit said; it is the end of the name. */
static void put_unit(struct exposition *e)
{
	static const char *const units[] = { "seconds", "bytes", "ratio" };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (ends_with(e->family, units[i]))
			fprintf(e->out, "# UNIT %s %s\n", e->family, units[i]);
}

void exposition_family(struct exposition *e, const char *name, enum exposition_type type,
		       const char *help)
{
	bool is_own = !strncmp(name, "process_", strlen("process_"));

	e->type = type;
	snprintf(e->family, sizeof(e->family), "%s%s", is_own ? "" : PREFIX, name);
	if (e->format == EXPOSITION_OPENMETRICS) {
		fprintf(e->out, "# TYPE %s %s\n", e->family, type_names[type]);
		put_unit(e);
		fprintf(e->out, "# HELP %s %s\n", e->family, help);
		return;
	}
	fprintf(e->out, "# HELP %s%s %s\n", e->family, own_suffix(e), help);
	fprintf(e->out, "# TYPE %s%s %s\n", e->family, own_suffix(e),
		type == EXPOSITION_INFO ? "gauge" : type_names[type]);
}

/*
 * What follows is written a hundred times for each loop that there is.  Whoever writes to e->out is one thread; and the
 * daemon has had others, so that stdio would lock for each piece.
 */
void exposition_sample(struct exposition *e, const char *suffix)
{
	fputs_unlocked(e->family, e->out);
	fputs_unlocked(suffix ? suffix : own_suffix(e), e->out);
	e->has_label = false;
}

static void begin_label(struct exposition *e, const char *name)
{
	putc_unlocked(e->has_label ? ',' : '{', e->out);
	e->has_label = true;
	fputs_unlocked(name, e->out);
	fputs_unlocked("=\"", e->out);
}

/* Of ASCII, and shown as it is. */
static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void put_u64(FILE *out, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	fwrite_unlocked(digits + at, 1, sizeof(digits) - at, out);
}

void exposition_label(struct exposition *e, const char *name, const char *value)
{
	begin_label(e, name);
	while (*value) {
		uint32_t codepoint;
		char bytes[4];

		if (is_plain(*value)) {
			putc_unlocked(*value++, e->out);
			continue;
		}
		value += codepoint_next(value, &codepoint);
		if (codepoint == '"' || codepoint == '\\') {
			putc_unlocked('\\', e->out);
			putc_unlocked((int)codepoint, e->out);
			continue;
		}
		if (codepoint_is_unsafe(codepoint)) /* newlines are */
			codepoint = CODEPOINT_BAD;
		fwrite_unlocked(bytes, 1, utf8_put(codepoint, bytes), e->out);
	}
	putc_unlocked('"', e->out);
}

void exposition_label_u64(struct exposition *e, const char *name, uint64_t value)
{
	begin_label(e, name);
	put_u64(e->out, value);
	putc_unlocked('"', e->out);
}

/* "0.25", "1.0": OpenMetrics wants a canonical float where a bucket ends. */
static void put_short_seconds(FILE *out, uint64_t ns)
{
	char digits[9];
	size_t length = sizeof(digits);
	uint64_t rest = ns % NSEC_PER_SEC;

	for (size_t i = length; i--; rest /= 10)
		digits[i] = (char)('0' + rest % 10);
	while (length > 1 && digits[length - 1] == '0')
		length--;
	put_u64(out, ns / NSEC_PER_SEC);
	putc_unlocked('.', out);
	fwrite_unlocked(digits, 1, length, out);
}

void exposition_label_seconds(struct exposition *e, const char *name, uint64_t ns)
{
	begin_label(e, name);
	put_short_seconds(e->out, ns);
	putc_unlocked('"', e->out);
}

static void begin_value(struct exposition *e)
{
	fputs_unlocked(e->has_label ? "} " : " ", e->out);
}

void exposition_u64(struct exposition *e, uint64_t value)
{
	begin_value(e);
	put_u64(e->out, value);
	putc_unlocked('\n', e->out);
}

void exposition_seconds(struct exposition *e, uint64_t ns)
{
	begin_value(e);
	put_short_seconds(e->out, ns);
	putc_unlocked('\n', e->out);
}

void exposition_double(struct exposition *e, double value)
{
	begin_value(e);
	if (isnan(value))
		fputs("NaN\n", e->out);
	else if (isinf(value))
		fputs(value > 0 ? "+Inf\n" : "-Inf\n", e->out);
	else
		fprintf(e->out, "%.17g\n", value);
}

void exposition_end(struct exposition *e)
{
	if (e->format == EXPOSITION_OPENMETRICS)
		fputs("# EOF\n", e->out);
}
