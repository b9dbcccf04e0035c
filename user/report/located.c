/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The place of a target, as its record has it; names in it are not to be trusted, nor printed as
 * they are. */
#include "located.h"

#include "sanitize.h"
#include "util.h"

#define SHORT_ID_DIGITS 12 /* of a container's id, as docker and podman show it */

static const char *const kinds[CONTAINER_KIND_MAX] = {
	[CONTAINER_DOCKER] = "docker", [CONTAINER_CONTAINERD] = "containerd",
	[CONTAINER_CRIO] = "cri-o",    [CONTAINER_PODMAN] = "podman",
	[CONTAINER_LXC] = "lxc",       [CONTAINER_NSPAWN] = "systemd-nspawn",
};

/* Records of older recordings end before it. */
static bool is_told(const struct ev_target *target)
{
	return target->head.size >= sizeof(*target) && target->container_kind < CONTAINER_KIND_MAX;
}

static bool is_users(const struct ev_target *target)
{
	return target->unit[0] && target->manager_uid != EV_NO_UID;
}

void located_text(const struct ev_target *target, unsigned int columns, char out[LOCATED_TEXT_LEN])
{
	bool has_name = target->container_kind == CONTAINER_LXC ||
			target->container_kind == CONTAINER_NSPAWN;
	const char *kind = is_told(target) ? kinds[target->container_kind] : NULL;
	char text[2 * EV_UNIT_LEN], pid[32] = "";

	out[0] = '\0';
	if (!is_told(target))
		return;
	if (target->ns_pid && target->ns_pid != target->pid)
		snprintf(pid, sizeof(pid), "pid %u in ", target->ns_pid);
	if (target->container[0])
		snprintf(text, sizeof(text), "%s%s %.*s", pid, kind ? kind : "container",
			 has_name ? (int)sizeof(target->container) : SHORT_ID_DIGITS,
			 target->container);
	else
		snprintf(text, sizeof(text), "%s%s%s%.*s", pid, pid[0] ? "a namespace" : "",
			 pid[0] && target->unit[0] ? ", " : "", EV_UNIT_LEN, target->unit);
	sanitize(out, LOCATED_TEXT_LEN, text, columns, CUT_END);
}

static void put(struct json *json, const char *key, const char *text, int size)
{
	char copy[EV_UNIT_LEN + 1];

	snprintf(copy, sizeof(copy), "%.*s", size, text);
	json_string(json, key, copy[0] ? copy : NULL);
}

void located_json(struct json *json, const struct ev_target *target)
{
	char manager[32];

	if (!is_told(target))
		return;
	snprintf(manager, sizeof(manager), "user@%u.service", target->manager_uid);
	json_string(json, "container_runtime", kinds[target->container_kind]);
	put(json, "pod", target->pod, sizeof(target->pod));
	put(json, "unit", is_users(target) ? manager : target->unit,
	    is_users(target) ? (int)sizeof(manager) : (int)sizeof(target->unit));
	put(json, "user_unit", is_users(target) ? target->unit : "", sizeof(target->unit));
	if (target->uid == EV_NO_UID)
		json_null(json, "uid");
	else
		json_u64(json, "uid", target->uid);
}
