/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "latent.h"

#include <bpf/bpf.h>

#include "events.h"
#include "util.h"

/* The maps' types; maps.bpf.h has the kernel half's view of them. */
struct latent_key {
	uint64_t stack_id;
	uint32_t loop_id;
	int32_t syscall;
	uint32_t object_kind, audit;
};
struct latent_site {
	uint64_t sent_ns, nr_unsent, is_taken;
	struct ev_latent ev;
};

void latent_take_unsent(int map_fd, uint32_t loop_id, uint64_t since_ns, latent_record_fn on_record,
			void *ctx)
{
	struct latent_key key, next;
	struct latent_site site;
	bool has_next = !bpf_map_get_next_key(map_fd, NULL, &next);

	/* A key that is deleted would start the walk anew: the one after it is asked for first. */
	while (has_next) {
		key = next;
		has_next = !bpf_map_get_next_key(map_fd, &key, &next);
		if (loop_id != EV_NO_LOOP && loop_id != key.loop_id)
			continue;
		if (bpf_map_lookup_elem(map_fd, &key, &site) || site.ev.last_ns >= since_ns)
			continue;
		if (bpf_map_lookup_and_delete_elem(map_fd, &key, &site) || !site.nr_unsent)
			continue;
		site.ev.count = (uint32_t)min(site.nr_unsent, (uint64_t)UINT32_MAX);
		site.ev.head.ts_ns = site.ev.last_ns;
		on_record(ctx, &site.ev.head);
	}
}
