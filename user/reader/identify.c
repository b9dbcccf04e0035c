/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Identifies a process: /proc for who it is, its files for the runtime, its memory for the layout.
 */
#include "identify.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "layout.h"
#include "loops.h"
#include "place.h"
#include "procinfo.h"
#include "procmem.h"
#include "pymodules.h"
#include "runtime.h"
#include "util.h"

#define MAPS_BYTES_MAX	    (16u << 20) /* 100 000 mappings; a longer list is cut */
#define STATUS_BYTES_MAX    16384
#define CGROUP_BYTES_MAX    65536
#define MEMORY_BUDGET_BYTES (96ULL << 20)
#define ATTEMPTS	    2 /* an exec or a dlclose between two reads makes nonsense, once */

/* clang-format off */
static const char *const reasons[TARGET_STATUS_MAX] = {
	[TARGET_OK]	       = "",
	[TARGET_NOT_PYTHON]    = "no CPython runtime is mapped in it",
	[TARGET_NOT_READY]     = "its Python interpreter has not finished starting",
	[TARGET_UNSUPPORTED]   = "its CPython's layout is not known to this loophound",
	[TARGET_GONE]	       = "it has ended",
	[TARGET_KERNEL_THREAD] = "it is a thread of the kernel",
	[TARGET_DENIED]	       = "it may not be read: needs root or CAP_SYS_PTRACE; some are closed even to those",
	[TARGET_BROKEN]	       = "its files or its memory contradict themselves",
	[TARGET_STUCK]	       = "reading it did not end in time: its names stay unknown",
	[TARGET_PENDING]       = "it is not identified yet",
};
/* clang-format on */

struct identity {
	int proc_fd;
	char exe[PATH_MAX];
	struct ev_target *target;
};

const char *identify_reason(enum target_status status)
{
	return status < TARGET_STATUS_MAX ? reasons[status] : "";
}

static void set_status(struct ev_target *target, enum target_status status)
{
	target->status = (__u8)status;
	snprintf(target->reason, sizeof(target->reason), "%s", identify_reason(status));
}

/* The status that a failed read of /proc or of memory stands for. */
static enum target_status status_of(int err)
{
	switch (err) {
	case -ESRCH:
		return TARGET_GONE;
	case -EPERM:
	case -EACCES:
		return TARGET_DENIED;
	case -EAGAIN:
		return TARGET_NOT_READY;
	default:
		return TARGET_BROKEN;
	}
}

static void set_broken(struct ev_target *target, const char *what)
{
	set_status(target, TARGET_BROKEN);
	snprintf(target->reason, sizeof(target->reason), "%s; is it a patched build?", what);
}

static void set_unsupported(struct ev_target *target, const char *reason)
{
	set_status(target, TARGET_UNSUPPORTED);
	snprintf(target->reason, sizeof(target->reason), "%s", reason);
}

static void read_place(struct identity *identity)
{
	struct ev_target *target = identity->target;
	cleanup_free char *text = NULL;
	struct place place;
	size_t bytes;

	if (procinfo_read(identity->proc_fd, "cgroup", CGROUP_BYTES_MAX, &text, &bytes))
		return;
	place_parse(text, bytes, &place);
	_Static_assert(sizeof(target->container) == sizeof(place.container), "same names");
	memcpy(target->container, place.container, sizeof(target->container));
	memcpy(target->pod, place.pod, sizeof(target->pod));
	memcpy(target->unit, place.unit, sizeof(target->unit));
	target->container_kind = place.kind;
	target->manager_uid = place.manager_uid;
}

static void read_status(struct identity *identity)
{
	struct ev_target *target = identity->target;
	cleanup_free char *text = NULL;
	uint32_t nr_threads;
	size_t bytes;

	if (procinfo_read(identity->proc_fd, "status", STATUS_BYTES_MAX, &text, &bytes))
		return;
	target->ns_pid = procinfo_parse_nspid(text, bytes);
	/* Real, effective, saved, of the file system. */
	procinfo_parse_number(text, bytes, "\nUid:", 1, &target->uid);
	if (procinfo_parse_number(text, bytes, "\nThreads:", 0, &nr_threads))
		target->nr_threads = (__u16)min(nr_threads, (uint32_t)UINT16_MAX);
}

static int read_exe(struct identity *identity)
{
	ssize_t n = readlinkat(identity->proc_fd, "exe", identity->exe, sizeof(identity->exe) - 1);
	size_t bytes;

	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	identity->exe[n] = '\0';
	bytes = min((size_t)n, sizeof(identity->target->exe) - 1);
	memcpy(identity->target->exe, identity->exe, bytes);
	return 0;
}

static void fill_no_runtime(struct ev_target *target, const struct runtime *runtime)
{
	/* Before 3.7 there is no _PyRuntime: the name must do. */
	if (runtime->version &&
	    (runtime->version >> 24 < 3 || (runtime->version >> 16 & 0xff) < 7)) {
		char reason[sizeof(target->reason)];

		target->version = runtime->version;
		if (layout_is_unsupported(runtime->version, reason, sizeof(reason)))
			set_unsupported(target, reason);
		return;
	}
	set_status(target, runtime->is_loading ? TARGET_NOT_READY : TARGET_NOT_PYTHON);
}

static void fill_layout(struct ev_target *target, struct mem *mem, const struct runtime *runtime)
{
	const struct layout_source source = { .runtime_addr = runtime->addr,
					      .version = runtime->version,
					      .asyncio_addr = runtime->asyncio_addr,
					      .getter_addr = runtime->getter_addr,
					      .is_musl = runtime->is_musl };
	char reason[sizeof(target->reason)];
	int err;

	target->version = runtime->version;
	target->flags = (__u8)((runtime->has_usdt ? TARGET_USDT : 0) |
			       (runtime->is_static ? TARGET_STATIC : 0) |
			       (runtime->is_free_threaded ? TARGET_FREE_THREADED : 0));
	if (layout_is_unsupported(runtime->version, reason, sizeof(reason))) {
		set_unsupported(target, reason);
		return;
	}
	err = layout_read(mem, &source, &target->layout);
	if (err == -EBADMSG)
		set_broken(target, "its interpreter's state is not as its version has it");
	else if (err == -EFAULT)
		set_broken(target, "its interpreter's state leads to memory that is not there");
	else if (err == -ENOTSUP)
		set_unsupported(target, "its libpython was loaded late, or keeps its thread states in a "
					"way that is not understood: it cannot be watched");
	else
		set_status(target, err ? status_of(err) : TARGET_OK);
	if (err)
		return;
	if (runtime->is_free_threaded && layout_has_gil(mem, &target->layout))
		target->flags |= TARGET_GIL;
	pymodules_read(mem, &target->layout);
	target->nr_loops = (__u16)loops_count(mem, runtime->addr, &target->layout,
					      &target->layout.loop_kinds);
}

static void find_runtime(struct identity *identity, pid_t pid)
{
	struct ev_target *target = identity->target;
	cleanup_free char *maps = NULL;
	struct runtime runtime = { 0 };
	struct runtime_search search = { .proc_fd = identity->proc_fd, .exe = identity->exe };
	struct mem mem;
	int err =
		procinfo_read(identity->proc_fd, "maps", MAPS_BYTES_MAX, &maps, &search.maps_bytes);

	/* No mapping at all: its memory is gone already. */
	if (!err && search.maps_bytes == 0)
		err = -ESRCH;
	if (err) {
		set_status(target, status_of(err));
		return;
	}
	procmem_of_process(&mem, pid, MEMORY_BUDGET_BYTES);
	search.maps = maps;
	search.mem = &mem;
	err = runtime_find(&search, &runtime);
	if (!err)
		fill_layout(target, &mem, &runtime);
	else if (err == -ENOENT)
		fill_no_runtime(target, &runtime);
	else if (err == -ENOEXEC)
		set_unsupported(target,
				"its CPython is not built for x86-64: stacks cannot be read");
	else if (err == -EBADMSG || err == -EFAULT)
		set_broken(target, "its Python runtime's file and memory do not agree");
	else
		set_status(target, status_of(err));
}

/* Once more, of one that is known: for what is in its runtime's files. probes: NULL if not asked for. */
static int find_in_files(pid_t pid, struct ev_probes *probes, struct runtime *runtime)
{
	cleanup_close int proc_fd = procinfo_open(pid);
	struct ev_target target = { 0 };
	struct identity identity = { .proc_fd = proc_fd, .target = &target };
	struct runtime_search search = { .proc_fd = proc_fd, .exe = identity.exe, .probes = probes };
	cleanup_free char *maps = NULL;
	struct mem mem;
	int err = proc_fd < 0 ? proc_fd : read_exe(&identity);

	if (!err)
		err = procinfo_read(proc_fd, "maps", MAPS_BYTES_MAX, &maps, &search.maps_bytes);
	if (err)
		return err;
	procmem_of_process(&mem, pid, MEMORY_BUDGET_BYTES);
	search.maps = maps;
	search.mem = &mem;
	return runtime_find(&search, runtime);
}

void identify_probes(pid_t pid, struct ev_probes *probes)
{
	struct runtime runtime = { 0 };

	memset(probes, 0, sizeof(*probes));
	probes->head.type = EV_PROBES;
	probes->head.size = sizeof(*probes);
	probes->head.loop_id = EV_NO_LOOP;
	probes->pid = (__u32)pid;
	if (find_in_files(pid, probes, &runtime))
		probes->nr_sites = 0;
	probes->map_start = runtime.map_start;
	probes->map_end = runtime.map_end;
}

uint64_t identify_asyncio(pid_t pid)
{
	struct runtime runtime = { 0 };

	return find_in_files(pid, NULL, &runtime) ? 0 : runtime.asyncio_addr;
}

static bool is_ended(const struct procinfo_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X';
}

static void identify_open(struct identity *identity, pid_t pid)
{
	struct ev_target *target = identity->target;
	struct procinfo_stat before, after;
	int err = procinfo_stat(identity->proc_fd, &before);

	if (err || is_ended(&before)) {
		set_status(target, err ? status_of(err) : TARGET_GONE);
		return;
	}
	_Static_assert(sizeof(target->comm) == sizeof(before.comm), "same names");
	memcpy(target->comm, before.comm, sizeof(target->comm));
	target->start_ticks = before.start_ticks;
	if (procinfo_is_kernel_thread(&before)) {
		set_status(target, TARGET_KERNEL_THREAD);
		return;
	}
	read_status(identity);
	read_place(identity);
	for (int i = 0; i < ATTEMPTS; i++) {
		err = read_exe(identity);
		if (err)
			set_status(target, status_of(err));
		else
			find_runtime(identity, pid);
		if (target->status != TARGET_BROKEN && target->status != TARGET_GONE)
			break;
	}
	/* Memory is read by number: the number must have meant this process all the while. */
	if (procinfo_stat(identity->proc_fd, &after) || after.start_ticks != before.start_ticks ||
	    is_ended(&after))
		set_status(target, TARGET_GONE);
	else if (target->status == TARGET_GONE)
		/* Its old image is gone, the new one is not there yet: it is in an exec. */
		set_status(target, TARGET_NOT_READY);
	if (target->status != TARGET_OK)
		memset(&target->layout, 0, sizeof(target->layout));
}

void identify_process(pid_t pid, struct ev_target *target)
{
	cleanup_close int proc_fd = procinfo_open(pid);
	struct identity identity = { .proc_fd = proc_fd, .target = target };

	memset(target, 0, sizeof(*target));
	target->head.type = EV_TARGET;
	target->head.size = sizeof(*target);
	target->head.loop_id = EV_NO_LOOP;
	target->pid = (__u32)pid;
	target->uid = target->manager_uid = EV_NO_UID;
	if (proc_fd < 0)
		set_status(target, status_of(proc_fd));
	else
		identify_open(&identity, pid);
}
