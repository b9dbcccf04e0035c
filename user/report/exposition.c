/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Values in, the two text formats out: they differ in the names of counters and in how they end. */
#include "exposition.h"

#include <assert.h>
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

/*
 * What is written here is written a hundred times for each loop that there is: so not by stdio, which would look at
 * its locks and its buffer for each piece.
 */
static void flush(struct exposition *e)
{
	fwrite_unlocked(e->buffer, 1, e->nr_buffered, e->out);
	e->nr_buffered = 0;
}

static void put(struct exposition *e, const char *text, size_t bytes)
{
	if (bytes > sizeof(e->buffer) - e->nr_buffered) {
		flush(e);
		if (bytes > sizeof(e->buffer)) {
			fwrite_unlocked(text, 1, bytes, e->out);
			return;
		}
	}
	memcpy(e->buffer + e->nr_buffered, text, bytes);
	e->nr_buffered += bytes;
}

static void put_text(struct exposition *e, const char *text)
{
	put(e, text, strlen(text));
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && !strcmp(text + length - end_length, end);
}

/* A line about the family under way: "# TYPE name_total counter". */
static void put_about(struct exposition *e, const char *what, const char *suffix, const char *text)
{
	const char *const pieces[] = { "# ", what, " ", e->family, suffix, " ", text, "\n" };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		put_text(e, pieces[i]);
}

/* OpenMetrics wants the unit said; it is the end of the name. */
static void put_unit(struct exposition *e)
{
	static const char *const units[] = { "seconds", "bytes", "ratio" };

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (ends_with(e->family, units[i]))
			put_about(e, "UNIT", "", units[i]);
}

void exposition_family(struct exposition *e, const char *name, enum exposition_type type,
		       const char *help)
{
	bool is_own = !strncmp(name, "process_", strlen("process_"));

	e->type = type;
	snprintf(e->family, sizeof(e->family), "%s%s", is_own ? "" : PREFIX, name);
	if (e->format == EXPOSITION_OPENMETRICS) {
		put_about(e, "TYPE", "", type_names[type]);
		put_unit(e);
		put_about(e, "HELP", "", help);
		return;
	}
	put_about(e, "HELP", own_suffix(e), help);
	put_about(e, "TYPE", own_suffix(e), type == EXPOSITION_INFO ? "gauge" : type_names[type]);
}

void exposition_sample(struct exposition *e, const char *suffix)
{
	put_text(e, e->family);
	put_text(e, suffix ? suffix : own_suffix(e));
	if (sizeof(e->buffer) - e->nr_buffered < sizeof(e->kept))
		flush(e);
	e->labels_at = e->nr_buffered;
	e->has_label = false;
}

void exposition_keep(struct exposition *e, const void *of)
{
	e->nr_kept = e->nr_buffered - e->labels_at;
	assert(e->nr_buffered >= e->labels_at && e->nr_kept <= sizeof(e->kept));
	memcpy(e->kept, e->buffer + e->labels_at, e->nr_kept);
	e->kept_of = of;
}

bool exposition_sample_of(struct exposition *e, const char *suffix, const void *of)
{
	exposition_sample(e, suffix);
	if (e->kept_of != of)
		return false;
	put(e, e->kept, e->nr_kept);
	e->has_label = true;
	return true;
}

static void begin_label(struct exposition *e, const char *name)
{
	put(e, e->has_label ? "," : "{", 1);
	e->has_label = true;
	put_text(e, name);
	put(e, "=\"", 2);
}

/* Of ASCII, and shown as it is. */
static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void put_u64(struct exposition *e, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put(e, digits + at, sizeof(digits) - at);
}

/* One that is not plain, or nothing at the text's end; what is behind it. */
static const char *put_escaped(struct exposition *e, const char *text)
{
	uint32_t codepoint;
	char bytes[4];

	if (!*text)
		return text;
	text += codepoint_next(text, &codepoint);
	if (codepoint == '"' || codepoint == '\\') {
		put(e, codepoint == '"' ? "\\\"" : "\\\\", 2);
		return text;
	}
	if (codepoint_is_unsafe(codepoint)) /* newlines are */
		codepoint = CODEPOINT_BAD;
	put(e, bytes, utf8_put(codepoint, bytes));
	return text;
}

void exposition_label(struct exposition *e, const char *name, const char *value)
{
	begin_label(e, name);
	while (*value) {
		size_t nr_plain = 0;

		while (is_plain(value[nr_plain]))
			nr_plain++;
		put(e, value, nr_plain);
		value = put_escaped(e, value + nr_plain);
	}
	put(e, "\"", 1);
}

void exposition_label_u64(struct exposition *e, const char *name, uint64_t value)
{
	begin_label(e, name);
	put_u64(e, value);
	put(e, "\"", 1);
}

/* "0.25", "1.0": OpenMetrics wants a canonical float where a bucket ends. */
static void put_short_seconds(struct exposition *e, uint64_t ns)
{
	char digits[9];
	size_t length = sizeof(digits);
	uint64_t rest = ns % NSEC_PER_SEC;

	for (size_t i = length; i--; rest /= 10)
		digits[i] = (char)('0' + rest % 10);
	while (length > 1 && digits[length - 1] == '0')
		length--;
	put_u64(e, ns / NSEC_PER_SEC);
	put(e, ".", 1);
	put(e, digits, length);
}

void exposition_label_seconds(struct exposition *e, const char *name, uint64_t ns)
{
	begin_label(e, name);
	put_short_seconds(e, ns);
	put(e, "\"", 1);
}

static void begin_value(struct exposition *e)
{
	put_text(e, e->has_label ? "} " : " ");
}

void exposition_u64(struct exposition *e, uint64_t value)
{
	begin_value(e);
	put_u64(e, value);
	put(e, "\n", 1);
}

void exposition_seconds(struct exposition *e, uint64_t ns)
{
	begin_value(e);
	put_short_seconds(e, ns);
	put(e, "\n", 1);
}

void exposition_double(struct exposition *e, double value)
{
	char text[32];

	if (isnan(value))
		snprintf(text, sizeof(text), "NaN");
	else if (isinf(value))
		snprintf(text, sizeof(text), value > 0 ? "+Inf" : "-Inf");
	else
		snprintf(text, sizeof(text), "%.17g", value);
	begin_value(e);
	put_text(e, text);
	put(e, "\n", 1);
}

void exposition_end(struct exposition *e)
{
	if (e->format == EXPOSITION_OPENMETRICS)
		put_text(e, "# EOF\n");
	flush(e);
}
