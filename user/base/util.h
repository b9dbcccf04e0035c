/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ownership made visible: cleanup attributes, take(), and the few helpers that every stage uses. */
#ifndef UTIL_H
#define UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define cleanup(fn)	__attribute__((cleanup(fn)))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define cleanup_free  cleanup(freep)
#define cleanup_close cleanup(closep)
#define cleanup_fclose cleanup(fclosep)

/* Hands ownership on: the variable is left empty, so its cleanup does nothing. */
#define take(p)                       \
	({                            \
		__typeof__(p) t_ = p; \
		(p) = NULL;           \
		t_;                   \
	})

/* What a noun of so many ends in. */
static inline const char *plural(uint64_t nr)
{
	return nr == 1 ? "" : "s";
}

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

#endif
