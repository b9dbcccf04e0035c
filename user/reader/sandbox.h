/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a process gives up for good, before it meets what is hostile: capabilities, limits, system
 * calls.  Each of the three processes says in tables what it keeps.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

/* AddressSanitizer maps terabytes and asks for more calls: under it neither is limited. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_IS_SANITIZED true
#else
#define SANDBOX_IS_SANITIZED false
#endif

/* System calls by number (SCMP_SYS()), each list ended with SANDBOX_END. */
#define SANDBOX_END (-10000)

struct sandbox_calls {
	const int *allowed;
	const int *killed;	/* end the process; NULL: none */
	const int *refused;	/* fail with EACCES; NULL: none */
	bool is_rest_killed;	/* what is in no list: ends the process; else it fails with EPERM */
	bool is_open_read_only; /* openat() and open() of what exists, to read */
	bool is_write_to_stderr; /* write() to descriptor 2, which cannot be closed */
	bool is_memory_run;	 /* memory may be made to run: for a process that starts others */
	bool is_memory_shared; /* mmap() may share; else what is written there is seen by nobody */
};

/*
 * From now on, in this process and those that it starts; no_new_privs is set.  0 or a negative
 * errno.
 */
int sandbox_filter_calls(const struct sandbox_calls *calls);

/*
 * Gives up every capability but those of kept[0..nr) that it has, and the bounding set with them if
 * it may.  0 or a negative errno.
 */
int sandbox_keep_capabilities(const unsigned *kept, unsigned nr);

/* Both the soft and the hard limit; one that is tighter already stays. 0 or a negative errno. */
int sandbox_limit(__rlimit_resource_t resource, rlim_t value);

#endif
