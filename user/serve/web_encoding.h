/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a client accepts, and gzip. */
#ifndef WEB_ENCODING_H
#define WEB_ENCODING_H

#include <stdbool.h>
#include <stdio.h>

/* Whether an Accept header prefers OpenMetrics to the plain text format. NULL: it does not. */
bool web_accepts_openmetrics(const char *accept);
/* Whether an Accept-Encoding header allows gzip. */
bool web_accepts_gzip(const char *accept_encoding);
/*
 * A stream that packs what is written to it into a file, which stays the caller's.  All of it is there when fclose()
 * says so.  NULL: no memory.
 */
FILE *web_gzip_open(int fd);

#endif
