/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the service's main process gives up. */
#ifndef SERVICE_SANDBOX_H
#define SERVICE_SANDBOX_H

/*
 * Before anything is opened: capabilities.  Files are opened with what is left, so that one which
 * could not be opened again after a rotation is an error at the start.  0 or a negative errno.
 */
int service_keep_capabilities(void);

/*
 * After all is attached: what only the start needed, and the system calls that a watch never makes;
 * to write to a process, to trace it, to load a module end the service.  The reader and the web
 * process, when they are started again, inherit this and add their own.  0 or a negative errno.
 */
int service_confine(void);

#endif
