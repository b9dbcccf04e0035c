/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What backs a finding up besides its stack, in both forms. */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include "json.h"
#include "report.h"

/* "evidence": an object, or null where there is none. */
void evidence_json(struct json *json, const struct finding *finding);

/* "callbacks", "callbacks_exact", "hot": how many callbacks ran, and the costliest; null for other rules. */
void evidence_json_callbacks(struct json *json, const struct finding *finding);

/* "ready_at_end": how many callbacks wait when the iteration ends; null: another rule, or not known. */
void evidence_json_ready_at_end(struct json *json, const struct finding *finding);

/* How many callbacks an overloaded loop ran, and where most of the time went. */
void evidence_text_callbacks(const struct report_opts *opts, const struct finding *finding);

/* What a starved loop waited for, and because of what. */
void evidence_text_starved(const struct report_opts *opts, const struct finding *finding);

#endif
