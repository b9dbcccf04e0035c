/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Findings in, fewer lines out: at most FOLD_MAX_LINES a second of the stream's time for one site
 * and rule, one for quick calls (severity latent).  Those past it are folded into one breach with
 * their count, shown as soon as the second is over.  Bounded: the site that was silent longest makes
 * room, after what it holds was shown.
 */
#ifndef FOLD_H
#define FOLD_H

#include "report.h"

#define FOLD_MAX_LINES 10
#define FOLD_WINDOW_NS 1000000000ULL
#define FOLD_MAX_SITES 1024

struct fold;
typedef void fold_emit(void *context, const struct breach *breach);

/* emit is called for each line, from within fold_add(), fold_flush() and fold_finish(). */
int fold_new(struct fold **out, fold_emit *emit, void *context);
void fold_free(struct fold *fold);

/* Shows the finding or folds it, described; what a folded one refers to is copied. 0 or -ENOMEM. */
int fold_add(struct fold *fold, struct finding *finding, uint64_t now_ns);
/* Shows the finding, described, whatever else is shown or folded. */
void fold_show(struct fold *fold, struct finding *finding);
/* Shows what was folded in seconds that are over. */
void fold_flush(struct fold *fold, uint64_t now_ns);
/* Shows all that is left. */
void fold_finish(struct fold *fold);

#endif
