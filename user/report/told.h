/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What was said of stalls while they lasted: each line that says `ongoing` gets one with the same start that
 * does not, unless the watch is over before.  That is the stall as its end shows it; or, if the end shows less than
 * the limit, or another rule's business, a line that takes it back; or, if the end got lost, what was last known.
 */
#ifndef TOLD_H
#define TOLD_H

#include "report.h"

#define TOLD_MAX 1024 /* stalls under way that were told; more are told when they end */

struct told;
/* An end that no finding gives: count 0 takes the line back, count 1 is a breach like any other. */
typedef void told_emit(void *context, const struct breach *breach);

int told_new(struct told **out, told_emit *emit, void *context);
void told_free(struct told *told);

/*
 * A finding of an iteration that lasts is about to be shown.  1: do, its start is that of the lines before
 * it; 0: do not, there is no room to remember it; -ENOMEM.
 */
int told_add(struct told *told, struct finding *finding);
/* A finding of an iteration that is over: was it told?  Then it must be shown, and its start is set to theirs. */
bool told_end(struct told *told, struct finding *finding);
/*
 * Before told_end(): would its line say nothing new?  The watch ends while the stall lasts, and its last line is of
 * a moment ago.
 */
bool told_is_said(struct told *told, const struct finding *finding);
/* All findings of an iteration that is over, by these rules, were shown: takes back what else was told of it. */
void told_close(struct told *told, const struct rules_config *limits, const struct iteration *iteration);
/* A record that may say that an iteration is over, whose own record got lost then. */
void told_look(struct told *told, const struct ev_head *ev);
/* The watch is over: ends all that is left. */
void told_finish(struct told *told);

#endif
