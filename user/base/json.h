/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * JSON, written as it is made: no tree, no allocation.  Commas and quoting are this file's
 * business. The key is NULL for the members of an array and for the outermost value.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool has_member; /* the object or array that is open is not empty */
};

void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);
/* NULL is written as null.  Bytes that are no UTF-8 become U+FFFD; what is unsafe is escaped. */
void json_string(struct json *json, const char *key, const char *value);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_i64(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* With four digits after the point; what is no number is written as null. */
void json_ratio(struct json *json, const char *key, double value);
/* Ends the line of an outermost value. */
void json_line_end(struct json *json);

#endif
