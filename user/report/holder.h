/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who held the GIL, in both forms. */
#ifndef HOLDER_H
#define HOLDER_H

#include "json.h"
#include "report.h"

/* The key "holder": null where no holder is known, and of all other rules. */
void holder_json(struct json *json, const struct finding *finding);
/* What the loop waited for, who held it, and where. */
void holder_text(const struct report_opts *opts, const struct finding *finding);

/* "function", "file" and "line" of a frame (report_jsonl.c). */
void jsonl_frame_members(struct json *json, const struct frame *frame);

#endif
