/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Parts of the configuration that are the same for all and for single targets; each 0 or -EINVAL
 * and the reason. */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

#include "config.h"

/* A map of rules, or of RULE@DESTINATION, to limits. */
int config_read_limits(struct rules_config *to, const struct yaml_node *node,
		       char error[YAML_ERROR_LEN]);
/* A map of rules to whether they are looked at. */
int config_read_rules(struct rules_config *to, const struct yaml_node *node,
		      char error[YAML_ERROR_LEN]);
/* A list of sites, and of rules, that are silent; it adds to what is there. */
int config_read_allow(struct rules_config *to, const struct yaml_node *node,
		      char error[YAML_ERROR_LEN]);
int config_read_library(struct rules_config *to, const struct yaml_node *node,
			char error[YAML_ERROR_LEN]);
/* The list of targets; all else has been read. */
int config_read_targets(struct serve_config *config, const struct yaml_node *node,
			char error[YAML_ERROR_LEN]);

#endif
