/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Names of cgroups, as those who make them document it: systemd (CGROUP_DELEGATION.md), runc's
 * systemd and cgroupfs drivers under docker, containerd, CRI-O and podman, the kubelet, LXC,
 * nspawn.  Each line of the text is a hierarchy; its path is read from the root down, so that what
 * is nested comes last and wins.
 */
#include "place.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

#define ID_DIGITS 64
#define DELETED	  " (deleted)"

/* A part of the text; never NUL-ended. */
struct span {
	const char *at;
	size_t bytes;
};

/* How far the path of one hierarchy was read. */
struct walk {
	struct place found;
	struct span before; /* the component before this one */
	bool is_in_kubepods;
	bool is_below_unit; /* what follows is the unit's own affair */
	bool is_in_container;
};

static bool span_is(struct span span, const char *text)
{
	return span.bytes == strlen(text) && !memcmp(span.at, text, span.bytes);
}

static bool take_prefix(struct span *span, const char *prefix)
{
	size_t bytes = strlen(prefix);

	if (span->bytes < bytes || memcmp(span->at, prefix, bytes) != 0)
		return false;
	span->at += bytes;
	span->bytes -= bytes;
	return true;
}

static bool take_suffix(struct span *span, const char *suffix)
{
	size_t bytes = strlen(suffix);

	if (span->bytes < bytes || memcmp(span->at + span->bytes - bytes, suffix, bytes) != 0)
		return false;
	span->bytes -= bytes;
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static int hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10;
}

/* Copies what fits whole; what does not is no name of anything. */
static bool copy(char *out, size_t room, struct span span)
{
	if (!span.bytes || span.bytes >= room || memchr(span.at, '\0', span.bytes))
		return false;
	memset(out, 0, room);
	memcpy(out, span.at, span.bytes);
	return true;
}

/* "a\x2db" is a-b: how systemd writes a name within the name of a unit. */
static bool copy_unescaped(char *out, size_t room, struct span span)
{
	size_t used = 0, i = 0;

	if (!span.bytes || span.bytes >= room)
		return false;
	memset(out, 0, room);
	while (i < span.bytes) {
		bool is_escape = span.bytes - i >= 4 && span.at[i] == '\\' &&
				 span.at[i + 1] == 'x' && is_hex(span.at[i + 2]) &&
				 is_hex(span.at[i + 3]);
		int value = is_escape ? hex_value(span.at[i + 2]) << 4 | hex_value(span.at[i + 3])
				      : (unsigned char)span.at[i];

		if (!value)
			return false;
		out[used++] = (char)value;
		i += is_escape ? 4 : 1;
	}
	return true;
}

/* Who writes what before the digits, or (before is empty) which directory the digits are in. */
static enum container_kind kind_of(struct span prefix, struct span parent)
{
	static const struct {
		const char *prefix, *parent;
		enum container_kind kind;
	} kinds[] = {
		{ "docker-", NULL, CONTAINER_DOCKER },
		{ "", "docker", CONTAINER_DOCKER },
		{ "", "buildkit", CONTAINER_DOCKER },
		{ "cri-containerd-", NULL, CONTAINER_CONTAINERD },
		{ "cri-containerd:", NULL, CONTAINER_CONTAINERD },
		{ "nerdctl-", NULL, CONTAINER_CONTAINERD },
		{ "crio-", NULL, CONTAINER_CRIO },
		{ "libpod-", NULL, CONTAINER_PODMAN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (span_is(prefix, kinds[i].prefix) &&
		    (!kinds[i].parent || span_is(parent, kinds[i].parent)))
			return kinds[i].kind;
	return CONTAINER_UNKNOWN;
}

/*
 * 64 digits at the end: "ID", "docker-ID.scope", "libpod-ID.scope", "cri-containerd-ID.scope",
 * "crio-ID", "kubepods-podUID.slice:cri-containerd:ID".  What conmon, podman's and CRI-O's monitor,
 * is in is no container.
 */
static bool find_id(struct span name, struct span parent, struct place *place)
{
	struct span prefix = name, id;
	const char *colon;

	take_suffix(&prefix, ".scope");
	if (prefix.bytes < ID_DIGITS)
		return false;
	prefix.bytes -= ID_DIGITS;
	id = (struct span){ prefix.at + prefix.bytes, ID_DIGITS };
	for (size_t i = 0; i < ID_DIGITS; i++)
		if (!is_hex(id.at[i]))
			return false;
	if (prefix.bytes && !strchr("-:", prefix.at[prefix.bytes - 1]))
		return false;
	/* "SLICE:PREFIX:ID" is how runc's systemd driver is told; some write it as a directory. */
	if (prefix.bytes && prefix.at[prefix.bytes - 1] == ':') {
		colon = memrchr(prefix.at, ':', prefix.bytes - 1);
		if (colon)
			prefix = (struct span){ colon + 1,
						(size_t)(prefix.at + prefix.bytes - colon - 1) };
	}
	if (take_suffix(&(struct span){ prefix.at, prefix.bytes }, "conmon-"))
		return false;
	copy(place->container, sizeof(place->container), id);
	place->kind = (uint8_t)kind_of(prefix, parent);
	return true;
}

/* Containers that have a name: LXC's, and those of systemd-nspawn. */
static bool find_name(struct span name, struct span parent, struct place *place)
{
	enum container_kind kind = CONTAINER_UNKNOWN;

	if (take_prefix(&name, "lxc.payload.") || span_is(parent, "lxc"))
		kind = CONTAINER_LXC;
	else if (span_is(parent, "machine.slice") && take_prefix(&name, "machine-") &&
		 take_suffix(&name, ".scope"))
		kind = CONTAINER_NSPAWN;
	else if (span_is(name, "payload") && take_prefix(&parent, "systemd-nspawn@") &&
		 take_suffix(&parent, ".service")) {
		kind = CONTAINER_NSPAWN;
		name = parent;
	}
	if (!kind || !copy_unescaped(place->container, sizeof(place->container), name))
		return false;
	place->kind = (uint8_t)kind;
	return true;
}

static bool is_pod_uid(struct span uid)
{
	if (uid.bytes != 36 && uid.bytes != 32)
		return false;
	for (size_t i = 0; i < uid.bytes; i++) {
		bool is_separator = uid.bytes == 36 && (i == 8 || i == 13 || i == 18 || i == 23);

		if (is_separator ? !strchr("-_", uid.at[i]) : !is_hex(uid.at[i]))
			return false;
	}
	return true;
}

/* "podUID", "kubepods-burstable-podUID.slice"; in a slice's name "-" separates slices: UID has "_".
 */
static void find_pod(struct span name, struct place *place)
{
	const char *colon = memchr(name.at, ':', name.bytes), *at = NULL;

	if (colon)
		name.bytes = (size_t)(colon - name.at);
	take_suffix(&name, ".slice");
	for (size_t i = 0; i + 3 <= name.bytes; i++)
		if (!memcmp(name.at + i, "pod", 3) && (!i || name.at[i - 1] == '-'))
			at = name.at + i + 3;
	if (at) {
		name.bytes -= (size_t)(at - name.at);
		name.at = at;
	}
	if (!at || !is_pod_uid(name) || !copy(place->pod, sizeof(place->pod), name))
		return;
	for (char *c = place->pod; *c; c++)
		*c = *c == '_' ? '-' : *c;
}

static bool is_unit(struct span name)
{
	static const char *const types[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (name.bytes > strlen(types[i]) && take_suffix(&name, types[i]))
			return true;
	return false;
}

/* "user@1000.service": what is below is that user's own systemd's. */
static bool is_manager(struct span name, uint32_t *uid)
{
	uint64_t number = 0;

	if (!take_prefix(&name, "user@") || !take_suffix(&name, ".service") || !name.bytes)
		return false;
	for (size_t i = 0; i < name.bytes; i++) {
		if (!isdigit((unsigned char)name.at[i]))
			return false;
		number = number * 10 + (uint64_t)(name.at[i] - '0');
		if (number >= EV_NO_UID)
			return false;
	}
	*uid = (uint32_t)number;
	return true;
}

/* The first that is no slice is a unit; the rest it divides as it likes. */
static void find_unit(struct walk *walk, struct span name)
{
	struct place *place = &walk->found;
	uint32_t uid;

	take_prefix(&name, "_"); /* systemd's escape for a name that the kernel uses itself */
	if (walk->is_below_unit ||
	    (name.bytes > 6 && take_suffix(&(struct span){ name.at, name.bytes }, ".slice")))
		return;
	if (is_unit(name) && copy(place->unit, sizeof(place->unit), name)) {
		if (is_manager(name, &uid)) {
			place->manager_uid = uid;
			return;
		}
		if (walk->is_in_container)
			place->manager_uid = EV_NO_UID;
	}
	walk->is_below_unit = true;
}

static void take_component(struct walk *walk, struct span name)
{
	struct place *place = &walk->found;

	if (name.bytes >= 8 && memmem(name.at, name.bytes, "kubepods", 8))
		walk->is_in_kubepods = true;
	if (walk->is_in_kubepods)
		find_pod(name, place);
	find_unit(walk, name);
	/* A container can have a systemd of its own: units begin anew. */
	if (find_id(name, walk->before, place) || find_name(name, walk->before, place)) {
		walk->is_below_unit = false;
		walk->is_in_container = true;
	}
	walk->before = name;
}

static void read_path(struct span path, struct place *place)
{
	struct walk walk = { .found = { .manager_uid = EV_NO_UID } };
	const char *end;

	take_suffix(&path, DELETED);
	end = path.at + path.bytes;
	for (const char *at = path.at; at < end;) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		struct span name = { at, (size_t)((slash ? slash : end) - at) };

		/* From within a cgroup namespace, others are reached through its root's parents. */
		if (name.bytes && !span_is(name, ".."))
			take_component(&walk, name);
		at = slash ? slash + 1 : end;
	}
	if (!strncmp(walk.found.unit, "user@", 5)) /* the manager itself */
		walk.found.manager_uid = EV_NO_UID;
	*place = walk.found;
}

void place_parse(const char *text, size_t bytes, struct place *place)
{
	const char *end = text + bytes;
	bool is_systemds = false;

	*place = (struct place){ .manager_uid = EV_NO_UID };
	for (const char *at = text; at < end;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *line_end = newline ? newline : end;
		const char *list = memchr(at, ':', (size_t)(line_end - at));
		const char *path =
			list ? memchr(list + 1, ':', (size_t)(line_end - list - 1)) : NULL;
		struct place found;

		at = line_end + (newline != NULL);
		/* A line that the buffer cut says nothing. */
		if (!path || !newline)
			continue;
		read_path((struct span){ path + 1, (size_t)(line_end - path - 1) }, &found);
		/* The first hierarchy that names a container; of units that which systemd keeps. */
		if (!place->container[0]) {
			memcpy(place->container, found.container, sizeof(place->container));
			place->kind = found.kind;
		}
		if (!place->pod[0])
			memcpy(place->pod, found.pod, sizeof(place->pod));
		if (found.unit[0] && !is_systemds) {
			memcpy(place->unit, found.unit, sizeof(place->unit));
			place->manager_uid = found.manager_uid;
			is_systemds = path == list + 1 ||
				      (size_t)(path - list) == sizeof(":name=systemd") - 1;
		}
	}
}
