/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the reader process gives up before it reads the first target. */
#ifndef CONFINE_H
#define CONFINE_H

/*
 * Two capabilities stay, files are opened to be read, nothing is written but to what is open, and
 * no process, program or socket is made.  0 or a negative errno.
 */
int reader_confine(void);

#endif
