/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections in both forms: what a finding about them has seen, and the counters of each destination. */
#ifndef CONNECTION_REPORT_H
#define CONNECTION_REPORT_H

#include "json.h"
#include "report.h"

/* "refused", "timed_out", ... of an enum connection_failure. */
const char *connection_failure_name(int failure);

/* "connection": an object, or null of other rules. */
void connection_json(struct json *json, const struct finding *finding);
/* The members of a line about a destination. */
void connection_json_members(struct json *json, const struct connection *connection);
/* "connections": an array of all that are known. */
void connection_json_all(struct json *json, const struct model *model);

/* What was opened to whom, and what failed. */
void connection_text(const struct report_opts *opts, const struct finding *finding);
/* The table of destinations, those with the highest peaks. */
void connection_text_all(const struct report_opts *opts, const struct model *model);

#endif
