/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* place.c: container, pod and unit from the cgroup names that the tools of 2026 give, and hostile
 * ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "place.h"
#include "util.h"

#define ID     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2    "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD    "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901"
#define POD_   "1b2c3d4e_5f60_7182_93a4_b5c6d7e8f901"
#define SYSTEM EV_NO_UID

static const struct row {
	const char *text;
	enum container_kind kind;
	const char *container, *pod, *unit;
	uint32_t manager_uid;
} rows[] = {
	/* systemd on version 2, and on version 1 where only its own hierarchy has units. */
	{ "0::/system.slice/shop.service\n", 0, "", "", "shop.service", SYSTEM },
	{ "0::/system.slice/shop.service/worker\n", 0, "", "", "shop.service", SYSTEM },
	{ "0::/system.slice/system-shop.slice/shop@eu\\x2d1.service\n", 0, "", "",
	  "shop@eu\\x2d1.service", SYSTEM },
	{ "0::/a.slice/a-b.slice/a-b-c.slice/web.service/x.service\n", 0, "", "", "web.service",
	  SYSTEM },
	{ "0::/system.slice/_pids.service\n", 0, "", "", "pids.service", SYSTEM },
	{ "0::/init.scope\n", 0, "", "", "init.scope", SYSTEM },
	{ "0::/user.slice/user-0.slice/session-1.scope\n", 0, "", "", "session-1.scope", SYSTEM },
	{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.x\\x2dy@1.service\n",
	  0, "", "", "app-org.x\\x2dy@1.service", 1000 },
	{ "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", 0, "", "", "init.scope",
	  1000 },
	{ "0::/user.slice/user-1000.slice/user@1000.service\n", 0, "", "", "user@1000.service",
	  SYSTEM },
	{ "12:cpu,cpuacct:/\n3:memory:/user.slice/user-7.slice/session-3.scope\n"
	  "1:name=systemd:/system.slice/cron.service\n0::/\n",
	  0, "", "", "cron.service", SYSTEM },
	{ "5:memory:/system.slice/a.service\n0::/system.slice/b.service\n", 0, "", "", "b.service",
	  SYSTEM },
	{ "0::/system.slice/shop.service (deleted)\n", 0, "", "", "shop.service", SYSTEM },
	/* docker: systemd and cgroupfs driver, on both versions, within itself, and with a systemd
	   inside. */
	{ "0::/system.slice/docker-" ID ".scope\n", CONTAINER_DOCKER, ID, "", "docker-" ID ".scope",
	  SYSTEM },
	{ "12:cpu:/docker/" ID "\n11:mem:/\n0::/\n", CONTAINER_DOCKER, ID, "", "", SYSTEM },
	{ "0::/docker/" ID2 "/docker/" ID "\n", CONTAINER_DOCKER, ID, "", "", SYSTEM },
	{ "0::/docker/buildkit/" ID "\n", CONTAINER_DOCKER, ID, "", "", SYSTEM },
	{ "0::/system.slice/docker-" ID ".scope/system.slice/nginx.service\n", CONTAINER_DOCKER, ID,
	  "", "nginx.service", SYSTEM },
	/* From within a cgroup namespace. */
	{ "0::/../docker-" ID ".scope\n", CONTAINER_DOCKER, ID, "", "docker-" ID ".scope", SYSTEM },
	{ "0::/../../../system.slice/shop.service\n", 0, "", "", "shop.service", SYSTEM },
	{ "0::/\n", 0, "", "", "", SYSTEM },
	/* podman, as root and as a user; its monitor is no container. */
	{ "0::/machine.slice/libpod-" ID ".scope/container\n", CONTAINER_PODMAN, ID, "",
	  "libpod-" ID ".scope", SYSTEM },
	{ "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
	  ".scope/container\n",
	  CONTAINER_PODMAN, ID, "", "libpod-" ID ".scope", 1000 },
	{ "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
	  ".scope/system.slice/a.service\n",
	  CONTAINER_PODMAN, ID, "", "a.service", SYSTEM },
	{ "0::/libpod_parent/libpod-" ID "\n", CONTAINER_PODMAN, ID, "", "", SYSTEM },
	{ "0::/machine.slice/libpod-conmon-" ID ".scope\n", 0, "", "", "libpod-conmon-" ID ".scope",
	  SYSTEM },
	{ "0::/kubepods/burstable/pod" POD "/crio-conmon-" ID "\n", 0, "", POD, "", SYSTEM },
	/* Kubernetes: systemd and cgroupfs driver, guaranteed and not, containerd, CRI-O, docker, a
	   static pod. */
	{ "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_
	  ".slice/cri-containerd-" ID ".scope\n",
	  CONTAINER_CONTAINERD, ID, POD, "cri-containerd-" ID ".scope", SYSTEM },
	{ "0::/kubepods.slice/kubepods-pod" POD_ ".slice/crio-" ID ".scope/container\n",
	  CONTAINER_CRIO, ID, POD, "crio-" ID ".scope", SYSTEM },
	{ "11:memory:/kubepods/besteffort/pod" POD "/" ID "\n", CONTAINER_UNKNOWN, ID, POD, "",
	  SYSTEM },
	{ "0::/kubepods/burstable/pod" POD "/crio-" ID "/init\n", CONTAINER_CRIO, ID, POD, "",
	  SYSTEM },
	{ "0::/kubepods/pod0123456789abcdef0123456789abcdef/" ID "\n", CONTAINER_UNKNOWN, ID,
	  "0123456789abcdef0123456789abcdef", "", SYSTEM },
	{ "0::/system.slice/containerd.service/kubepods-burstable-pod" POD_
	  ".slice:cri-containerd:" ID "\n",
	  CONTAINER_CONTAINERD, ID, POD, "containerd.service", SYSTEM },
	{ "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" POD_
	  ".slice/cri-containerd-" ID ".scope\n",
	  CONTAINER_CONTAINERD, ID, POD, "cri-containerd-" ID ".scope", SYSTEM },
	/* kind: a node that is a container itself. */
	{ "0::/docker/" ID2 "/kubelet/kubepods/besteffort/pod" POD "/" ID "\n", CONTAINER_UNKNOWN,
	  ID, POD, "", SYSTEM },
	{ "0::/system.slice/nerdctl-" ID ".scope\n", CONTAINER_CONTAINERD, ID, "",
	  "nerdctl-" ID ".scope", SYSTEM },
	/* LXC and nspawn have names. */
	{ "0::/lxc.payload.web-1/system.slice/nginx.service\n", CONTAINER_LXC, "web-1", "",
	  "nginx.service", SYSTEM },
	{ "4:memory:/lxc/web-1\n", CONTAINER_LXC, "web-1", "", "", SYSTEM },
	{ "0::/lxc.monitor.web-1\n", 0, "", "", "", SYSTEM },
	{ "0::/machine.slice/machine-web\\x2d1.scope/payload/init.scope\n", CONTAINER_NSPAWN,
	  "web-1", "", "machine-web\\x2d1.scope", SYSTEM },
	{ "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/a.service\n",
	  CONTAINER_NSPAWN, "web", "", "a.service", SYSTEM },
	/* Not an id: a digit too many, something before it, upper case; and a line that was cut. */
	{ "0::/" ID "0\n", 0, "", "", "", SYSTEM },
	{ "0::/x" ID "\n", 0, "", "", "", SYSTEM },
	{ "0::/docker/0123456789abcdef\n", 0, "", "", "", SYSTEM },
	{ "0::/kubepods/pod1b2c3d4e-5f60-7182-93a4_b5c6d7e8f90x/a\n", 0, "", "", "", SYSTEM },
	{ "0::/pod" POD "/a\n", 0, "", "", "", SYSTEM },
	{ "0::/docker/" ID, 0, "", "", "", SYSTEM },
	{ ID, 0, "", "", "", SYSTEM },
	{ "", 0, "", "", "", SYSTEM },
	{ "\n\n::\n:\n::/.service\n::/user@4294967295.service/a.service\n", 0, "", "",
	  "user@4294967295.service", SYSTEM },
	{ "0::/machine.slice/machine-\\x00.scope\n", 0, "", "", "machine-\\x00.scope", SYSTEM },
};

static void a_place_is_read_from_the_names_of_cgroups(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t bytes = strlen(rows[i].text);
		cleanup_free char *exact = malloc(bytes + 1);
		struct place place;

		/* Not ended by NUL: what is beyond is seen by the sanitizer. */
		memcpy(exact, rows[i].text, bytes);
		exact = realloc(exact, bytes + !bytes);
		place_parse(exact, bytes, &place);
		if (strcmp(place.container, rows[i].container) || place.kind != rows[i].kind ||
		    strcmp(place.pod, rows[i].pod) || strcmp(place.unit, rows[i].unit) ||
		    place.manager_uid != rows[i].manager_uid)
			fail_msg("%s: container %s of kind %u, pod %s, unit %s, uid %u",
				 rows[i].text, place.container, place.kind, place.pod, place.unit,
				 place.manager_uid);
	}
}

/* Names can be 255 bytes, a path 4095. */
static void long_names_are_left_out_whole(void **state)
{
	char name[400], text[500];
	struct place place;

	(void)state;
	memset(name, 'a', sizeof(name));
	snprintf(text, sizeof(text), "0::/system.slice/%.247s.service\n", name);
	place_parse(text, strlen(text), &place);
	assert_int_equal(strlen(place.unit), 255);
	snprintf(text, sizeof(text), "0::/system.slice/%.248s.service\n", name);
	place_parse(text, strlen(text), &place);
	assert_string_equal(place.unit, "");
	snprintf(text, sizeof(text), "0::/lxc/%.71s\n", name);
	place_parse(text, strlen(text), &place);
	assert_int_equal(strlen(place.container), 71);
	snprintf(text, sizeof(text), "0::/lxc/%.72s\n", name);
	place_parse(text, strlen(text), &place);
	assert_string_equal(place.container, "");
}

/* Every cut of every text, and every byte of it replaced: for the sanitizers. */
static void no_text_is_read_past_its_end(void **state)
{
	struct place place;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t bytes = strlen(rows[i].text); bytes--;) {
			cleanup_free char *cut = malloc(bytes + 1), *changed = strdup(rows[i].text);

			memcpy(cut, rows[i].text, bytes);
			cut[bytes] = '\n';
			place_parse(cut, bytes + 1, &place);
			assert_true(place.kind < CONTAINER_KIND_MAX);
			changed[bytes] = "\0/:-.\\\xff@"[bytes % 8];
			place_parse(changed, strlen(rows[i].text), &place);
			assert_non_null(memchr(place.unit, '\0', sizeof(place.unit)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_is_read_from_the_names_of_cgroups),
		cmocka_unit_test(long_names_are_left_out_whole),
		cmocka_unit_test(no_text_is_read_past_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
