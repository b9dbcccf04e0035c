/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * libmicrohttpd and GnuTLS, loaded by the web process alone: they bring ten libraries with them, 3
 * MB and most of the time that a start takes, and no other process has any use of them.  Each of
 * their functions is sym_ and its name.
 */
#ifndef WEB_LIBRARY_H
#define WEB_LIBRARY_H

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>

#define WEB_LIBRARY_MHD(X)                      \
	X(MHD_add_response_header)              \
	X(MHD_basic_auth_get_username_password) \
	X(MHD_create_response_from_buffer)      \
	X(MHD_destroy_response)                 \
	X(MHD_free)                             \
	X(MHD_get_connection_info)              \
	X(MHD_get_daemon_info)                  \
	X(MHD_get_timeout)                      \
	X(MHD_lookup_connection_value)          \
	X(MHD_queue_response)                   \
	X(MHD_quiesce_daemon)                   \
	X(MHD_run)                              \
	X(MHD_start_daemon)                     \
	X(MHD_stop_daemon)
#define WEB_LIBRARY_GNUTLS(X) \
	X(gnutls_global_init) \
	X(gnutls_hmac_fast)

#define X(name) extern __typeof__(name) *sym_##name;
WEB_LIBRARY_MHD(X)
WEB_LIBRARY_GNUTLS(X)
#undef X

/* Once, before a sandbox: it opens files. 0, or -ELIBACC, and why says which package is to be
 * installed. */
int web_library_load(char *why, size_t why_bytes);

#endif
