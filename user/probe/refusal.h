/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel half does not load, and somebody is to be told why: this user may not, or this kernel
 * cannot. */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this kernel is older than what loophound needs. Asked only once something failed: vendors
 * port things back. */
bool refusal_is_for_age(void);
/* err: of loading or attaching, negative. Writes a sentence; -EPERM, -ENOMEM or -ENOTSUP, as
 * probes_open() has them. */
int refusal_explain(int err, char *why, size_t why_size);

#endif
