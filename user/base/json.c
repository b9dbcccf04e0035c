/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Values in, JSON text out, on one line. */
#include "json.h"

#include <inttypes.h>
#include <math.h>

#include "sanitize.h"
#include "utf8.h"

static void put_escaped(FILE *out, uint32_t codepoint)
{
	if (codepoint >= 0x10000) {
		uint32_t rest = codepoint - 0x10000;

		fprintf(out, "\\u%04x\\u%04x", 0xd800 | rest >> 10, 0xdc00 | (rest & 0x3ff));
	} else {
		fprintf(out, "\\u%04x", codepoint);
	}
}

static void put_string(FILE *out, const char *value)
{
	putc_unlocked('"', out);
	while (*value) {
		uint32_t codepoint;
		char bytes[4];

		value += codepoint_next(value, &codepoint);
		if (codepoint == '"' || codepoint == '\\') {
			putc_unlocked('\\', out);
			putc_unlocked((int)codepoint, out);
		} else if (codepoint_is_unsafe(codepoint)) {
			put_escaped(out, codepoint);
		} else if (codepoint < 0x80) {
			putc_unlocked((int)codepoint, out);
		} else {
			fwrite(bytes, 1, utf8_put(codepoint, bytes), out);
		}
	}
	putc_unlocked('"', out);
}

static void begin(struct json *json, const char *key)
{
	if (json->has_member)
		putc_unlocked(',', json->out);
	json->has_member = true;
	if (key) {
		put_string(json->out, key);
		putc_unlocked(':', json->out);
	}
}

static void open_with(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	putc_unlocked(bracket, json->out);
	json->has_member = false;
}

static void close_with(struct json *json, char bracket)
{
	putc_unlocked(bracket, json->out);
	json->has_member = true;
}

void json_object(struct json *json, const char *key)
{
	open_with(json, key, '{');
}

void json_object_end(struct json *json)
{
	close_with(json, '}');
}

void json_array(struct json *json, const char *key)
{
	open_with(json, key, '[');
}

void json_array_end(struct json *json)
{
	close_with(json, ']');
}

void json_string(struct json *json, const char *key, const char *value)
{
	begin(json, key);
	if (value)
		put_string(json->out, value);
	else
		fputs("null", json->out);
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_i64(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	begin(json, key);
	fputs("null", json->out);
}

void json_ratio(struct json *json, const char *key, double value)
{
	begin(json, key);
	if (isfinite(value))
		fprintf(json->out, "%.4f", value);
	else
		fputs("null", json->out);
}

void json_line_end(struct json *json)
{
	putc_unlocked('\n', json->out);
	json->has_member = false;
}
