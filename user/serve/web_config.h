/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The web configuration file that Prometheus' exporters share (exporter-toolkit's web-config). */
#ifndef WEB_CONFIG_H
#define WEB_CONFIG_H

#include "web.h"
#include "yamltree.h"

/*
 * Reads tls_server_config and basic_auth_users into settings; what they name (certificate, key) is
 * read, too, relative to the file.  What is not supported is an error, never ignored.  0, or a
 * negative errno and a line that names file, line and key.
 */
int web_config_read(struct web_settings *settings, const char *path, char error[YAML_ERROR_LEN]);

#endif
