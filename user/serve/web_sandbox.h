/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the web process gives up before it speaks to anybody. */
#ifndef WEB_SANDBOX_H
#define WEB_SANDBOX_H

/*
 * No capability, no new files, processes, programs or sockets; little memory.  A system call that
 * is not needed for HTTP over sockets it has kills the process.  0 or a negative errno.
 */
int web_confine(void);

#endif
