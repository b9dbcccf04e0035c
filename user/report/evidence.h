/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What backs a finding up besides its stack, in both forms. */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include "json.h"
#include "report.h"

/* "evidence": an object, or null where there is none. */
void evidence_json(struct json *json, const struct finding *finding);

/* What a starved loop waited for, and because of what. */
void evidence_text_starved(const struct report_opts *opts, const struct finding *finding);

#endif
