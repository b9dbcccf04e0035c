/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a sleeping system call waited for, in one word. */
#ifndef CAUSE_H
#define CAUSE_H

#include "rules.h"

/* One of the causes of blocking-call.  stack may be NULL. */
enum cause cause_of_sleep(const struct ev_sleep *ev, const struct stack *stack);

#endif
