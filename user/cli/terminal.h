/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where a text report goes: how wide it is, whether it shows colour. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "report.h"

/* Fills use_color (a terminal, and NO_COLOR is not set) and columns (80 to 120; 100 if not a terminal). */
void terminal_describe(FILE *out, struct report_opts *opts);

/* Columns of a line (80 to 120); UINT_MAX if not a terminal: what a program reads is not broken. */
unsigned int terminal_line(FILE *out);

#endif
