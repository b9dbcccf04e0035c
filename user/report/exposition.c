/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Values in, the two text formats out: they differ in the names of counters and in how they end. */
#include "exposition.h"

#include <inttypes.h>
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

void exposition_sample(struct exposition *e, const char *suffix)
{
	fputs(e->family, e->out);
	fputs(suffix ? suffix : own_suffix(e), e->out);
	e->has_label = false;
}

static void begin_label(struct exposition *e, const char *name)
{
	putc_unlocked(e->has_label ? ',' : '{', e->out);
	e->has_label = true;
	fputs(name, e->out);
	fputs("=\"", e->out);
}

void exposition_label(struct exposition *e, const char *name, const char *value)
{
	begin_label(e, name);
	while (*value) {
		uint32_t codepoint;
		char bytes[4];

		value += codepoint_next(value, &codepoint);
		if (codepoint == '"' || codepoint == '\\') {
			putc_unlocked('\\', e->out);
			putc_unlocked((int)codepoint, e->out);
			continue;
		}
		if (codepoint_is_unsafe(codepoint)) /* newlines are */
			codepoint = CODEPOINT_BAD;
		fwrite(bytes, 1, utf8_put(codepoint, bytes), e->out);
	}
	putc_unlocked('"', e->out);
}

void exposition_label_u64(struct exposition *e, const char *name, uint64_t value)
{
	begin_label(e, name);
	fprintf(e->out, "%" PRIu64 "\"", value);
}

/* "0.25", "1.0": OpenMetrics wants a canonical float where a bucket ends. */
static void put_short_seconds(FILE *out, uint64_t ns)
{
	char digits[16];
	int length = snprintf(digits, sizeof(digits), "%09llu", ns % NSEC_PER_SEC);

	while (length > 1 && digits[length - 1] == '0')
		digits[--length] = '\0';
	fprintf(out, "%llu.%s", ns / NSEC_PER_SEC, digits);
}

void exposition_label_seconds(struct exposition *e, const char *name, uint64_t ns)
{
	begin_label(e, name);
	put_short_seconds(e->out, ns);
	putc_unlocked('"', e->out);
}

static void begin_value(struct exposition *e)
{
	fputs(e->has_label ? "} " : " ", e->out);
}

void exposition_u64(struct exposition *e, uint64_t value)
{
	begin_value(e);
	fprintf(e->out, "%" PRIu64 "\n", value);
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
