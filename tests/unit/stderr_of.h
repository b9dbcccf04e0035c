/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is said on standard error between two moments. */
#ifndef STDERR_OF_H
#define STDERR_OF_H

#include <stdio.h>
#include <unistd.h>

struct stderr_of {
	FILE *file;
	int old;
};

static inline void stderr_begin(struct stderr_of *of)
{
	fflush(stderr);
	of->file = tmpfile();
	of->old = dup(STDERR_FILENO);
	dup2(fileno(of->file), STDERR_FILENO);
}

/* It is as it was; text has what was said meanwhile, at most bytes of it with its NUL. */
static inline const char *stderr_end(struct stderr_of *of, char *text, size_t bytes)
{
	fflush(stderr);
	dup2(of->old, STDERR_FILENO);
	close(of->old);
	rewind(of->file);
	text[fread(text, 1, bytes - 1, of->file)] = '\0';
	fclose(of->file);
	return text;
}

#endif
