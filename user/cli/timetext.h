/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Times as people type them. */
#ifndef TIMETEXT_H
#define TIMETEXT_H

#include <stdbool.h>

/* "20", "20ms", "1.5 s": a time above 0, in ns; without a unit it is of unit_ns. False: it is none. */
bool timetext_ns(const char *text, double unit_ns, double *out_ns);

#endif
