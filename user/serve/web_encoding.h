/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a client accepts, and gzip.  Pure. */
#ifndef WEB_ENCODING_H
#define WEB_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

/* Whether an Accept header prefers OpenMetrics to the plain text format. NULL: it does not. */
bool web_accepts_openmetrics(const char *accept);
/* Whether an Accept-Encoding header allows gzip. */
bool web_accepts_gzip(const char *accept_encoding);
/* 0 and *out, to be freed; or a negative errno. */
int web_gzip(const void *data, size_t bytes, void **out, size_t *out_bytes);

#endif
