/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The parts of the text form: report_text.c puts them together. */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "report.h"

void text_breach(const struct report_opts *opts, const struct breach *breach);
void text_summary(const struct report_opts *opts, const struct report_summary *summary);

#endif
