/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * --latent, from the interpreter's audit probe: calls that can block and need not ask the kernel for
 * anything that latent.bpf.c looks at.  Fires before the call; what that then asks the kernel for is of
 * the same line, and the rules tell it once.
 */
#include "uprobe.bpf.h"

extern int latent_send(struct loop_thread *th, u32 index, u64 now_ns);

union audit_name {
	char name[AUDIT_NAME_LEN];
	u64 words[AUDIT_NAME_LEN / 8];
};

static const union audit_name names[AUDIT_MAX] = {
#define X(nr, event, cause) [nr] = { .name = event },
	AUDIT_LIST(X)
#undef X
};

static __always_inline u32 audit_number(u64 name_addr)
{
	union audit_name seen = {};
	u32 i;

	/* A longer one has no NUL within, and is none of ours. */
	if (bpf_probe_read_user_str(&seen, sizeof(seen), (void *)name_addr) <= 0)
		return 0;
	for (i = 1; i < AUDIT_MAX; i++)
		if (names[i].words[0] == seen.words[0] && names[i].words[1] == seen.words[1] &&
		    names[i].words[2] == seen.words[2])
			return i;
	return 0;
}

__noinline int audit_report(struct loop_thread *th, u32 audit)
{
	u32 index = LATENT_SCRATCH_AUDIT;
	u64 now_ns = bpf_ktime_get_ns();
	struct latent_site *site = bpf_map_lookup_elem(&latent_scratch, &index);

	/* Preempted while it is filled: whoever comes second on this CPU is not told. Rare. */
	if (!th || !site || __sync_val_compare_and_swap(&site->is_taken, 0, 1))
		return 0;
	__builtin_memset(&site->ev, 0, sizeof(site->ev));
	head_init(&site->ev.head, EV_LATENT, sizeof(site->ev), now_ns, th->target_id, th->loop_id);
	site->ev.iteration = th->iteration + 1;
	site->ev.stack_id = take_stack(th, now_ns, NULL);
	site->ev.first_ns = site->ev.last_ns = now_ns;
	site->ev.count = 1;
	site->ev.syscall = site->ev.fd = -1;
	site->ev.audit = audit;
	latent_send(th, index, now_ns);
	site->is_taken = 0;
	return 0;
}

SEC("uprobe")
int on_audit(struct pt_regs *ctx)
{
	struct loop_thread *th = in_iteration(bpf_get_current_task_btf());
	u32 audit;

	if (!th)
		return 0;
	audit = audit_number(probe_argument(ctx));
	if (audit)
		audit_report(th, audit);
	return 0;
}
