/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `doctor`: what this kernel, this user and that process allow, found out by trying. */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "ask.h"
#include "commands.h"
#include "facts.h"
#include "find.h"
#include "located.h"
#include "log.h"
#include "privileges.h"
#include "probes.h"
#include "sanitize.h"
#include "terminal.h"
#include "text.h"

#define SAID_AT 32 /* columns before what is said */

static unsigned nr_missing; /* things without which nothing can be watched */

static void say(bool is_ok, const char *what, const char *fmt, ...) printf_like(3, 4);
static void say(bool is_ok, const char *what, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	printf("  %-4s %-24s ", is_ok ? "ok" : "--", what);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_wrap(stdout, terminal_line(stdout), SAID_AT, text);
	putchar('\n');
}

static void need(bool is_ok, const char *what, const char *have, const char *remedy)
{
	nr_missing += !is_ok;
	say(is_ok, what, "%s", is_ok ? have : remedy);
}

static long read_sysctl(const char *path)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	long value = -100;

	if (!file || fscanf(file, "%ld", &value) != 1)
		return -100;
	return value;
}

static void check_user(void)
{
	uint64_t effective = privileges_of(getpid());

	for (unsigned i = 0; i < NR_PRIVILEGES; i++) {
		const struct privilege *privilege = &privileges[i];
		bool has = privileges_have(effective, privilege);

		nr_missing += !has && privilege->need == PRIVILEGE_NEEDED;
		say(has || privilege->need == PRIVILEGE_RARE, privilege->name, "%s: %s",
		    has					 ? "granted" :
		    privilege->need == PRIVILEGE_RARE ? "not granted" :
							"missing",
		    has ? privilege->use : privilege->without);
	}
}

static uid_t uid_of(pid_t pid)
{
	struct stat info;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return stat(path, &info) ? (uid_t)-1 : info.st_uid;
}

/* A process that is `loophound serve`: what it has need not be what this user has. */
static bool is_service(pid_t pid)
{
	char path[32], args[PATH_MAX + 16] = "";
	cleanup_close int fd = -1;
	ssize_t bytes;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = fd < 0 ? -1 : read(fd, args, sizeof(args) - 1);
	/* The buffer ends with a NUL of ours, and an argument that fills it has no other behind it. */
	return bytes > (ssize_t)strlen(args) && !strcmp(args + strlen(args) + 1, "serve");
}

static void check_service(void)
{
	struct find_filter filter = { .name_glob = "loophound" };
	cleanup_free pid_t *pids = NULL;
	int nr = find_processes(&filter, &pids);
	bool is_any = false;

	for (int i = 0; i < nr; i++) {
		char had[PRIVILEGES_LEN], lacked[PRIVILEGES_LEN];
		uint64_t effective;

		if (!is_service(pids[i]))
			continue;
		if (!is_any)
			printf("\nthe service\n");
		is_any = true;
		effective = privileges_of(pids[i]);
		privileges_list(effective, true, had);
		privileges_list(effective, false, lacked);
		say(true, "process", "%d, user id %u", pids[i], uid_of(pids[i]));
		say(had[0], "has", "%s", had[0] ? had : "no capability that it needs");
		if (lacked[0])
			say(false, "lacks", "%s", lacked);
	}
}

static void check_kernel(void)
{
	long paranoid = read_sysctl("/proc/sys/kernel/perf_event_paranoid");
	struct utsname host;
	bool has_tracefs = !access("/sys/kernel/tracing/events/syscalls", R_OK) ||
			   !access("/sys/kernel/debug/tracing/events/syscalls", R_OK);

	if (!uname(&host))
		say(true, "kernel", "%s %s", host.release, host.machine);
	say(true, "libbpf", "%s", libbpf_version_string());
	need(!access("/sys/kernel/btf/vmlinux", R_OK), "BTF", "/sys/kernel/btf/vmlinux",
	     "missing: the kernel needs CONFIG_DEBUG_INFO_BTF");
	say(true, "PID namespace", "%s",
	    find_pid_namespace() ? "one of its own: only processes in it, and below it, are seen" : "the host's");
	need(find_has_own_proc(), "/proc", "of this PID namespace",
	     "of another PID namespace: mount it anew (unshare --mount-proc does)");
	say(has_tracefs, "tracefs", "%s",
	    has_tracefs ? "mounted, with system calls" :
			  "not mounted or not readable: mount -t tracefs nodev /sys/kernel/tracing");
	say(paranoid <= 2, "perf_event_paranoid", "%ld%s", paranoid,
	    paranoid > 2 ? ": tracepoints of system calls need CAP_SYS_ADMIN, raw ones do not" : "");
}

static bool try_boundary(enum probes_boundary boundary, bool is_latent, const char *what,
			 const char *cost)
{
	struct probes_config config = probes_default_config;
	struct probes *probes;
	char why[256];

	config.boundary = boundary;
	config.is_latent = is_latent;
	config.pid_namespace = find_pid_namespace();
	if (probes_open(&probes, &config, why, sizeof(why))) {
		say(false, what, "%s", why);
		return false;
	}
	probes_close(probes);
	say(true, what, "loads and attaches; %s", cost);
	return true;
}

static void check_programs(void)
{
	bool is_any = try_boundary(BOUNDARY_TRACEPOINT, false, "system-call tracepoints",
				   "about 50 ns on each system call of the host");

	is_any |= try_boundary(BOUNDARY_RAW, false, "raw tracepoints",
			       "about 100 ns on each system call of the host");
	nr_missing += !is_any;
	try_boundary(BOUNDARY_AUTO, true, "--latent",
		     "about 100 ns more on each system call of the host while it is used");
}

/* What is wrong with the sites of one probe; NULL: nothing. */
static const char *probe_fault(const struct ev_probes *where, unsigned probe)
{
	const char *fault = "has no site";

	for (unsigned i = 0; i < where->nr_sites; i++) {
		if (where->sites[i].probe != probe)
			continue;
		if (where->sites[i].status == PROBE_SITE_DEAR)
			return "is on an instruction where a breakpoint is dear";
		if (where->sites[i].status == PROBE_SITE_UNKNOWN)
			return "has its argument in a place that is not understood";
		fault = NULL;
	}
	return fault;
}

/* Attaches to them, for a moment. */
static int try_probes(const struct ev_probes *where, char *why, size_t why_size)
{
	struct probes *probes;
	int nr = probes_open(&probes, &probes_default_config, why, why_size);

	if (nr)
		return nr;
	nr = probes_attach(probes, where);
	if (nr < 0)
		snprintf(why, why_size, "%s", strerror(-nr));
	probes_close(probes);
	return nr;
}

/* Without them the collector and imports are estimated: nothing that is missing. */
static void check_probes(const struct ev_target *t)
{
	static const char *const names[PROBE_MAX] = { "gc__start", "gc__done", "import__find__load__start",
						      "import__find__load__done" };
	static const char without[] = "the collector and imports are estimated from samples";
	struct ev_probes where = {};
	char why[256] = "";
	const char *fault;
	bool is_any = false;
	int nr;

	if (!(t->flags & TARGET_USDT)) {
		say(false, "USDT probes", "not built in: %s", without);
		return;
	}
	if (ask_probes(t, &where)) {
		say(false, "USDT probes", "the reader process did not answer");
		return;
	}
	for (unsigned probe = 0; probe < PROBE_MAX; probe++) {
		fault = probe_fault(&where, probe);
		is_any |= !fault;
		say(!fault, names[probe], "%s", fault ? fault : "can be used");
	}
	nr = is_any ? try_probes(&where, why, sizeof(why)) : 0;
	if (nr > 0)
		say(true, "USDT probes", "%d site%s", nr, nr == 1 ? " attaches" : "s attach");
	else
		say(false, "USDT probes", "%s%s%s", why, why[0] ? ": " : "", without);
}

/* Who it is and where; also of one that cannot be watched. */
static void check_place(const struct ev_target *t)
{
	char place[LOCATED_TEXT_LEN], comm[80], text[4 * EV_UNIT_LEN];

	sanitize(comm, sizeof(comm), t->comm, 16, CUT_END);
	if (t->uid != EV_NO_UID)
		say(true, "process", "%s, user id %u, %u thread%s", comm, t->uid, t->nr_threads,
		    t->nr_threads == 1 ? "" : "s");
	located_text(t, 80, place);
	say(true, "where", "%s", place[0] ? place : "no container, no unit");
	if (t->pod[0]) {
		sanitize(text, sizeof(text), t->pod, EV_POD_LEN, CUT_END);
		say(true, "pod", "%s", text);
	}
	if (t->container[0] && t->unit[0]) {
		sanitize(text, sizeof(text), t->unit, 80, CUT_END);
		say(true, "unit", "%s%s", text, t->manager_uid == EV_NO_UID ? "" : ", of a user's systemd");
	}
}

static void check_loops(const struct ev_target *t)
{
	cleanup_free struct ev_loops *loops = calloc(1, sizeof(*loops));

	say(t->nr_loops, "event loops", "%u running now", t->nr_loops);
	if (!t->nr_loops || !loops || ask_loops(t, 1, loops))
		return;
	for (unsigned i = 0; i < min(loops->nr, 8u); i++)
		say(true, "", "%s in thread %u%s", facts_loop_kind(loops->loops[i].kind), loops->loops[i].ns_tid,
		    t->ns_pid == t->pid ? "" : " of its namespace");
	if (loops->nr > 8)
		say(true, "", "and %u more", loops->nr - 8);
}

static void check_process(pid_t pid)
{
	static const char *const status_words[TARGET_STATUS_MAX] = {
		"can be watched", "not Python", "has not finished starting", "not supported", "is gone",
		"is a kernel thread", "may not be read", "is broken", "did not answer", "not identified",
	};
	struct ev_target t = {};
	char reason[4 * 200 + 1], exe[4 * EV_PATH_LEN], version[FACTS_VERSION_LEN];

	printf("\nprocess %d\n", pid);
	if (ask_targets(&pid, 1, &t) || t.status >= TARGET_STATUS_MAX) {
		need(false, "reader", "", "the reader process did not answer");
		return;
	}
	sanitize(reason, sizeof(reason), t.reason, 200, CUT_END);
	sanitize(exe, sizeof(exe), t.exe, min(200u, terminal_line(stdout) - SAID_AT), CUT_START);
	nr_missing += t.status != TARGET_OK;
	check_place(&t);
	say(t.status == TARGET_OK, "stacks", "%s%s%s", status_words[t.status], reason[0] ? ": " : "",
	    reason);
	facts_python(t.version, version);
	if (t.version)
		say(true, "Python", "%s, %s%s, %s", version, t.flags & TARGET_STATIC ? "static" : "shared",
		    facts_threading(t.flags), exe);
	if (t.status != TARGET_OK)
		return;
	check_probes(&t);
	check_loops(&t);
	for (uint32_t kind = LOOP_KIND_UNKNOWN + 1; kind < LOOP_KIND_MAX; kind++)
		if (t.layout.loop_kinds & 1u << kind && facts_loop_unsupported(kind))
			say(false, facts_loop_kind(kind), "%s", facts_loop_unsupported(kind));
}

int cmd_doctor(const struct opts *opts)
{
	printf("this host\n");
	check_kernel();
	printf("\nthis user\n");
	check_user();
	check_service();
	printf("\nthe kernel half\n");
	check_programs();
	for (unsigned i = 0; i < opts->nr_pids; i++)
		check_process(opts->pids[i]);
	printf("\n%s\n", nr_missing ? "Something is missing: see the lines marked --." :
				      "Ready: `loophound ps`, then `loophound watch -p PID`.");
	return nr_missing ? EXIT_HOST : EXIT_OK;
}
