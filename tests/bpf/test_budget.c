/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Did a program grow?  What the verifier walked and what was loaded, of each program, against what
 * it was when the table was written (Linux 6.18, clang 14).  If it grew for a reason, so does the
 * table.  What all of them take together is what a watch needs to begin (docs/OVERHEAD.md): a path that
 * multiplies belongs in a function of its own, that the verifier sees once.
 *
 * And does the host still pass cheaply?  Nearly every task that comes by a hook is nobody's target:
 * its way through the program, the cheapest there is, must not come to call what takes time.
 *
 * And is the stack deep enough on older kernels, which count it in bigger units?
 */
#include <bpf/bpf.h>
#include <dirent.h>

#include "watched.h"

#define HEADROOM_PCT 25
#define SUM_MAX	     146800 /* of all programs that a watch loads: it sees nothing before */
#define VERIFIER_MAX 1000000 /* the kernel's own limit of verified instructions */

static const struct budget {
	const char *name;
	uint32_t verified_insns, xlated_bytes;
} budgets[] = {
	/* clang-format off */
	{ "on_fork",          594,  3032 },
	{ "on_migrate",          21,    160 },
	{ "on_exec",         5155, 13176 },
	{ "on_exit",            2971,  9904 },
	{ "on_sched_switch",   29324,  83856 },
	{ "on_wait_exits",     8836,  38616 },
	{ "on_any_exit",       9625,  41408 },
	{ "on_timer",          14595,  57024 },
	{ "on_gc_start",        3528,  15952 },
	{ "on_gc_done",        8718,  26992 },
	{ "on_import_start",    3506,  15848 },
	{ "on_import_done",    8913,  27912 },
	{ "on_latent_exit",    8588,  35280 },
	{ "on_audit",         5301,  17784 },
	{ "on_tcp_state",     12741,  48320 },
	{ "on_tcp_destroy",      783,   3488 },
	{ "look_through_fi",   3608,  16848 }, /* a name has 15 bytes */
	{ "on_connect_exit",   13373,  49784 },
	{ "look_through_so",      577,   2608 },
	{ "on_accept_exit",      2505,  11024 },
	{ "on_listen_exit",      2519,  11152 },
	{ "on_close_exit",      2144,  10600 },
	{ "on_dup_exit",      997,   4920 },
	{ "on_exit_streams",      910,   4160 },
	{ "on_socket_exit",      736,   4824 },
	/* clang-format on */
};

/* In a PID namespace of its own: what looks for numbers there, and only there. */
static const struct budget inside[] = {
	{ "on_fork", 4100, 3728 },
	{ "on_exec", 13025, 13824 },
	{ "tell_numbers", 1214, 672 },
};

static bool is_inside;
static unsigned nr_seen_inside;
static unsigned nr_seen, nr_over, nr_verified;
static bool is_seen[ARRAY_SIZE(budgets)];

static bool is_over_budget(const struct budget *b, const struct bpf_prog_info *info)
{
	bool is_over = info->verified_insns > b->verified_insns * (100 + HEADROOM_PCT) / 100 ||
		       info->xlated_prog_len > b->xlated_bytes * (100 + HEADROOM_PCT) / 100 ||
		       info->verified_insns > VERIFIER_MAX / 2;

	print_message("%-16s %9u of %9u  %8u of %8u%s\n", info->name, info->verified_insns, b->verified_insns,
		      info->xlated_prog_len, b->xlated_bytes, is_over ? "  TOO MUCH" : "");
	return is_over;
}

static void check_inside(const struct bpf_prog_info *info)
{
	for (unsigned i = 0; i < ARRAY_SIZE(inside); i++) {
		if (strcmp(inside[i].name, info->name) != 0)
			continue;
		nr_over += is_over_budget(&inside[i], info);
		nr_seen_inside++;
	}
}

static void check(const struct bpf_prog_info *info)
{
	for (unsigned i = 0; i < ARRAY_SIZE(budgets); i++) {
		if (strcmp(budgets[i].name, info->name) != 0)
			continue;
		nr_verified += info->verified_insns;
		nr_over += is_over_budget(&budgets[i], info);
		nr_seen += !is_seen[i];
		is_seen[i] = true;
		return;
	}
	print_message("%-16s %9u is in no table, %u bytes\n", info->name, info->verified_insns,
		      info->xlated_prog_len);
	nr_over++;
}

/* ---- the cheapest way through a program ---- */

static const struct passing {
	const char *name;
	unsigned max_calls; /* 1: for the current task */
} passings[] = {
	{ "on_sched_switch", 0 }, { "on_wait_exits", 1 },  { "on_any_exit", 0 }, { "on_timer", 1 },
	{ "on_fork", 0 },	  { "on_latent_exit", 0 }, { "on_migrate", 0 },
	{ "on_tcp_state", 0 },	  { "on_tcp_destroy", 1 }, { "on_connect_exit", 1 },
	{ "on_accept_exit", 1 },  { "on_listen_exit", 1 }, { "on_close_exit", 1 },
	{ "on_dup_exit", 1 },	  { "on_socket_exit", 0 }, { "on_exit_streams", 0 },
};

static unsigned nr_passing;
static bool is_passing_seen[ARRAY_SIZE(passings)];

#define UNREACHED (~0u)

static bool reach(unsigned *calls, unsigned at, unsigned nr)
{
	if (nr >= calls[at])
		return false;
	calls[at] = nr;
	return true;
}

/* Calls on the way from the first instruction to an exit that has the fewest of them. */
static unsigned fewest_calls(const struct bpf_insn *insns, unsigned nr_insns)
{
	cleanup_free unsigned *calls = malloc(nr_insns * sizeof(*calls));
	unsigned fewest = UNREACHED;
	bool is_new = true;

	assert_non_null(calls);
	memset(calls, 0xff, nr_insns * sizeof(*calls));
	calls[0] = 0;
	while (is_new) {
		is_new = false;
		for (unsigned i = 0; i < nr_insns; i++) {
			const struct bpf_insn *insn = &insns[i];
			bool is_jump = BPF_CLASS(insn->code) == BPF_JMP ||
				       BPF_CLASS(insn->code) == BPF_JMP32;
			unsigned op = is_jump ? BPF_OP(insn->code) : 0, next = i + 1;
			int off = insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off;

			if (calls[i] == UNREACHED)
				continue;
			if (is_jump && op == BPF_EXIT) {
				fewest = min(fewest, calls[i]);
				continue;
			}
			if (is_jump && op != BPF_CALL && i + 1 + off < nr_insns)
				is_new |= reach(calls, i + 1 + off, calls[i]);
			if (is_jump && op == BPF_JA)
				continue;
			if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
				next++;
			if (next < nr_insns)
				is_new |=
					reach(calls, next, calls[i] + (is_jump && op == BPF_CALL));
		}
	}
	return fewest;
}

static void check_passing(const struct bpf_insn *insns, unsigned nr_insns, const char *name)
{
	unsigned calls;

	for (unsigned i = 0; i < ARRAY_SIZE(passings); i++) {
		if (strcmp(passings[i].name, name) != 0)
			continue;
		calls = fewest_calls(insns, nr_insns);
		print_message("%-16s %9u of %9u  calls of who is no target%s\n", name, calls,
			      passings[i].max_calls,
			      calls > passings[i].max_calls ? "  TOO MANY" : "");
		assert_true(calls <= passings[i].max_calls);
		nr_passing += !is_passing_seen[i];
		is_passing_seen[i] = true;
	}
}

/* ---- the stack, as Linux 6.1 counts it: more than it allows, and it refuses what 6.18 takes ---- */

#define STACK_MAX  512 /* of a chain of calls */
#define STACK_UNIT 32  /* of each function */

/* The function that is called, or handed to a helper, there; 0: none, where the program begins. */
static unsigned function_at(const struct bpf_insn *insn, unsigned at)
{
	if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
		return at + 1 + insn->off;
	if (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC)
		return at + 1 + insn->imm;
	return 0;
}

/* How deep an instruction reaches into the stack; is_copy: the one before made its register the frame's end. */
static unsigned reach_of(const struct bpf_insn *insn, bool is_copy)
{
	unsigned class = BPF_CLASS(insn->code);
	int off = 0;

	if (class == BPF_LDX && insn->src_reg == BPF_REG_10)
		off = insn->off;
	else if ((class == BPF_ST || class == BPF_STX) && insn->dst_reg == BPF_REG_10)
		off = insn->off;
	else if (is_copy && insn->code == (BPF_ALU64 | BPF_ADD | BPF_K))
		off = insn->imm;
	return off < 0 ? -off : 0;
}

/* Of the function that begins there, and the deepest that it calls. chains: 0 where one begins, not looked at yet. */
static unsigned chain_of(const struct bpf_insn *insns, unsigned nr_insns, unsigned *chains, unsigned begin)
{
	unsigned own = 1, called = 0;

	if (chains[begin])
		return chains[begin];
	for (unsigned at = begin; at < nr_insns && (at == begin || chains[at] == UNREACHED); at++) {
		const struct bpf_insn *before = at > begin ? &insns[at - 1] : NULL;
		unsigned function = function_at(&insns[at], at);
		bool is_copy = before && before->code == (BPF_ALU64 | BPF_MOV | BPF_X) &&
			       before->src_reg == BPF_REG_10 && before->dst_reg == insns[at].dst_reg;

		own = max(own, reach_of(&insns[at], is_copy));
		if (function && function < nr_insns)
			called = max(called, chain_of(insns, nr_insns, chains, function));
	}
	return chains[begin] = (own + STACK_UNIT - 1) / STACK_UNIT * STACK_UNIT + called;
}

static void check_stack(const struct bpf_insn *insns, unsigned nr_insns, const char *name)
{
	cleanup_free unsigned *chains = malloc(nr_insns * sizeof(*chains));
	unsigned deepest;

	assert_non_null(chains);
	memset(chains, 0xff, nr_insns * sizeof(*chains));
	chains[0] = 0;
	for (unsigned at = 0; at < nr_insns; at++)
		if (function_at(&insns[at], at) && function_at(&insns[at], at) < nr_insns)
			chains[function_at(&insns[at], at)] = 0;
	deepest = chain_of(insns, nr_insns, chains, 0);
	print_message("%-16s %9u of %9u  bytes of stack%s\n", name, deepest, STACK_MAX,
		      deepest > STACK_MAX ? "  TOO MANY" : "");
	assert_true(deepest <= STACK_MAX);
}

static void check_instructions(int fd, const struct bpf_prog_info *of)
{
	cleanup_free struct bpf_insn *insns = malloc(of->xlated_prog_len);
	struct bpf_prog_info info = { .xlated_prog_insns = (uint64_t)(uintptr_t)insns,
				      .xlated_prog_len = of->xlated_prog_len };
	uint32_t size = sizeof(info);
	unsigned nr_insns;

	assert_non_null(insns);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	nr_insns = info.xlated_prog_len / sizeof(*insns);
	check_passing(insns, nr_insns, of->name);
	check_stack(insns, nr_insns, of->name);
}

/* All programs that this process holds a descriptor of. */
static void check_own_programs(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[300], link[64] = "";
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, link, sizeof(link) - 1) < 0 ||
		    strcmp(link, "anon_inode:bpf-prog") != 0)
			continue;
		assert_int_equal(bpf_obj_get_info_by_fd(atoi(entry->d_name), &info, &size), 0);
		if (is_inside) {
			check_inside(&info);
			continue;
		}
		check(&info);
		check_instructions(atoi(entry->d_name), &info);
	}
	closedir(dir);
}

static void no_program_grew(void **state)
{
	static const enum probes_boundary boundaries[] = { BOUNDARY_TRACEPOINT, BOUNDARY_RAW };
	struct probes_config config = probes_default_config;
	struct watch *w;

	(void)state;
	print_message("%-16s %22s  %20s\n", "program", "verified instructions", "bytes loaded");
	for (unsigned i = 0; i < ARRAY_SIZE(boundaries); i++) {
		config.boundary = boundaries[i];
		config.is_latent = true;
		w = watch_open(&config);
		nr_verified = 0;
		check_own_programs();
		print_message("%-16s %9u of %9u\n", "all of them", nr_verified, SUM_MAX);
		assert_true(nr_verified > 0 && nr_verified <= SUM_MAX);
		watch_close(w);
	}
	config.pid_namespace = 1; /* whichever: what is loaded for it is the same */
	is_inside = true;
	w = watch_open(&config);
	check_own_programs();
	watch_close(w);
	assert_int_equal(nr_over, 0);
	assert_int_equal(nr_seen, ARRAY_SIZE(budgets));
	assert_int_equal(nr_seen_inside, ARRAY_SIZE(inside));
	assert_int_equal(nr_passing, ARRAY_SIZE(passings));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_program_grew),
	};

	require_host();
	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
