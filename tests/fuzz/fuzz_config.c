/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Can a configuration hurt?  The first byte chooses serve's file or the web's; the rest is the
 * file. What is refused is refused in words, with a line where there is one; what is taken is
 * within its bounds.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "web_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_serve(const char *path)
{
	static struct serve_config config;
	char why[YAML_ERROR_LEN] = "";

	serve_config_init(&config);
	if (serve_config_read(&config, path, why)) {
		assert(why[0] && strlen(why) < sizeof(why));
		serve_config_free(&config);
		return;
	}
	assert(config.web.max_connections >= 1 && config.web.max_connections <= 256);
	assert(config.breaches.history <= 10000 && config.breaches.per_second >= 1);
	assert(config.metrics.nr_buckets <= METRICS_MAX_BUCKETS);
	assert(config.others.rules.nr_allow <= RULES_MAX_ALLOW);
	assert(config.others.rules.nr_library <= RULES_MAX_LIBRARY);
	for (unsigned i = 1; i < config.metrics.nr_buckets; i++)
		assert(config.metrics.bucket_ns[i - 1] < config.metrics.bucket_ns[i]);
	for (int i = 0; i < RULE_MAX; i++)
		assert(config.others.rules.limit_ns[i]);
	assert(config.selection.nr <= SELECTION_MAX);
	for (unsigned i = 0; i < config.selection.nr; i++) {
		const struct policy *policy = &config.policies[i];

		assert(policy->lines_per_second && policy->nr_labels <= POLICY_MAX_LABELS);
		assert(policy->rules.nr_allow <= RULES_MAX_ALLOW);
		assert(policy->rules.nr_destinations <= RULES_MAX_DESTINATIONS);
		for (unsigned k = 0; k < policy->nr_labels; k++)
			assert(policy->labels[k].name[0] && policy->labels[k].value[0]);
	}
	serve_config_free(&config);
}

static void read_web(const char *path)
{
	static struct web_settings settings;
	char why[YAML_ERROR_LEN] = "";

	memset(&settings, 0, sizeof(settings));
	if (web_config_read(&settings, path, why)) {
		assert(why[0] && strlen(why) < sizeof(why));
		return;
	}
	assert(settings.nr_users <= WEB_USERS_MAX);
	for (uint32_t i = 0; i < settings.nr_users; i++)
		assert(strlen(settings.users[i].hash) == 60);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[32];

	if (!size)
		return 0;
	if (fd < 0)
		fd = memfd_create("configuration", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (data[0] & 1)
		read_serve(path);
	else
		read_web(path);
	return 0;
}
