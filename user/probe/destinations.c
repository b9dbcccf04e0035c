/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "destinations.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "tracepoint.h"
#include "util.h"

struct destinations {
	struct destinations_half half;
	int slots_fd, free_slots_fd, keys_fd;
	struct bpf_program *look, *look_at_sockets;
	int sockets_fd;
	struct connection_slot *slots; /* mapped */
	size_t mapped_bytes;
	uint32_t nr_slots;
	bool is_filtered; /* the kernel can look at one process only */
};

/* Programs of tracepoints of system calls; one may have several. */
static const struct {
	const char *program, *tracepoint;
} calls[] = {
	{ "on_connect_exit", "sys_exit_connect" }, { "on_accept_exit", "sys_exit_accept" },
	{ "on_accept_exit", "sys_exit_accept4" },  { "on_listen_exit", "sys_exit_listen" },
	{ "on_close_exit", "sys_exit_close" },	   { "on_dup_exit", "sys_exit_dup2" },
	{ "on_dup_exit", "sys_exit_dup3" },	   { "on_socket_exit", "sys_exit_socket" },
};
_Static_assert(ARRAY_SIZE(calls) + 3 == DESTINATIONS_MAX_LINKS, "room for each");

/* Those of BTF tracepoints: what the counting of TCP cannot do without comes first. */
static const struct {
	const char *program, *tracepoint;
} events[] = {
	{ "on_tcp_state", "inet_sock_set_state" },
	{ "on_tcp_destroy", "tcp_destroy_sock" },
	{ "on_exit_streams", "sched_process_exit" },
};

static const char *const looks[] = { "look_through_files", "look_through_sockets" };

static void set_wanted(struct bpf_object *obj, const char *name, bool is_wanted)
{
	struct bpf_program *program = bpf_object__find_program_by_name(obj, name);

	bpf_program__set_autoload(program, is_wanted);
	bpf_program__set_autoattach(program, false);
}

void destinations_prepare(struct bpf_object *obj, struct tracepoints *tracepoints, bool is_wanted, const char *spared)
{
	static const char *const maps[] = { "connections",	"unix_connections", "unix_descriptors",
					    "connection_keys",	"connection_slots", "free_connection_slots",
					    "listening_ports" };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		set_wanted(obj, events[i].program, is_wanted);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		set_wanted(obj, calls[i].program, is_wanted);
	for (size_t i = 0; is_wanted && i < ARRAY_SIZE(calls); i++)
		tracepoints_want(tracepoints, calls[i].tracepoint);
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		set_wanted(obj, looks[i], is_wanted);
	if (is_wanted && spared && !spared[0])
		bpf_program__set_expected_attach_type(
			bpf_object__find_program_by_name(obj, events[0].program), BPF_TRACE_FENTRY);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		bpf_map__set_autocreate(bpf_object__find_map_by_name(obj, maps[i]), is_wanted);
}

/* One link more, unless it fails. Errno of a failure. */
static int add_link(struct bpf_link **links, unsigned *nr, struct bpf_link *link, const char *tracepoint)
{
	int err = link ? 0 : errno;

	if (link)
		links[(*nr)++] = link;
	else
		log_debug("tracepoint %s: %s", tracepoint, strerror(err));
	return err;
}

void destinations_say_refused(int err)
{
	log_warn("connections are not counted, and the rules about them say nothing: the kernel refuses the programs "
		 "(%s); loophound -vv shows what it says",
		 strerror(-err));
}

bool destinations_attach(struct bpf_object *obj, struct tracepoints *tracepoints, struct bpf_link **links,
			 unsigned *nr_links, const char *spared)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(obj, events[i].program);
		bool is_spared = spared && !strcmp(spared, events[i].program);

		errno = ENOENT;
		err = add_link(links, nr_links, is_spared ? NULL : bpf_program__attach(program), events[i].tracepoint);
		if (err && !i) {
			log_warn("connections are not counted, and the rules about them say nothing: tracepoint %s: %s",
				 events[i].tracepoint, strerror(err));
			return false;
		}
	}
	err = 0;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(obj, calls[i].program);
		bool is_spared = spared && !strcmp(spared, calls[i].program);
		int failed;

		errno = ENOENT;
		failed = add_link(links, nr_links,
				  is_spared ? NULL :
					      tracepoints_attach(tracepoints, program, calls[i].tracepoint),
				  calls[i].tracepoint);
		if (failed && !err)
			log_warn("connections of AF_UNIX are counted once a second only: tracepoint %s: %s",
				 calls[i].tracepoint, strerror(failed));
		err = err ? err : failed;
	}
	return true;
}

static int map_slots(struct destinations *destinations)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *mapped;

	destinations->mapped_bytes =
		(destinations->nr_slots * sizeof(struct connection_slot) + page - 1) / page * page;
	mapped = mmap(NULL, destinations->mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      destinations->slots_fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	destinations->slots = mapped;
	return 0;
}

int destinations_new(struct destinations **out, const struct destinations_half *half, uint32_t nr_slots)
{
	struct destinations *destinations = calloc(1, sizeof(*destinations));
	int err;

	if (!destinations)
		return -ENOMEM;
	destinations->half = *half;
	destinations->slots_fd = bpf_object__find_map_fd_by_name(half->obj, "connection_slots");
	destinations->free_slots_fd = bpf_object__find_map_fd_by_name(half->obj, "free_connection_slots");
	destinations->keys_fd = bpf_object__find_map_fd_by_name(half->obj, "connection_keys");
	destinations->look_at_sockets = bpf_object__find_program_by_name(half->obj, "look_through_sockets");
	destinations->sockets_fd = bpf_object__find_map_fd_by_name(half->obj, "connections");
	destinations->look = bpf_object__find_program_by_name(half->obj, "look_through_files");
	destinations->nr_slots = nr_slots;
	destinations->is_filtered = true;
	half->scan->round = 2;
	err = map_slots(destinations);
	if (err) {
		destinations_free(destinations);
		return err;
	}
	*out = destinations;
	return 0;
}

void destinations_free(struct destinations *destinations)
{
	if (!destinations)
		return;
	if (destinations->slots)
		munmap(destinations->slots, destinations->mapped_bytes);
	free(destinations);
}

uint32_t destinations_high(const struct destinations *destinations)
{
	return min(*(volatile uint32_t *)destinations->half.high, destinations->nr_slots);
}

const volatile struct connection_slot *destinations_slot(const struct destinations *destinations, uint32_t slot)
{
	return &destinations->slots[slot];
}

uint32_t destinations_next_window(struct destinations *destinations)
{
	return __atomic_fetch_add(destinations->half.window, 1, __ATOMIC_SEQ_CST);
}

uint32_t destinations_in_window(const volatile __u64 windows[2], uint32_t window)
{
	uint64_t raised = windows[window & 1];

	return raised >> 32 == window ? (uint32_t)raised : 0;
}

static void forget_key(struct destinations *destinations, const struct connection_slot *slot)
{
	int fd = destinations->keys_fd;
	uint32_t found, number = (uint32_t)(slot - destinations->slots);
	struct connection_key key = {
		.target_id = slot->target_id,
		.kind = slot->peer.kind,
		.family = slot->peer.family,
		.port = slot->peer.port,
		.name_hash = slot->name_hash,
	};

	memcpy(key.addr, slot->peer.addr, sizeof(key.addr));
	if (!bpf_map_lookup_elem(fd, &key, &found) && found == number)
		bpf_map_delete_elem(fd, &key);
}

bool destinations_release(struct destinations *destinations, uint32_t number)
{
	struct connection_slot *slot = &destinations->slots[number], *process;
	volatile struct connection_counts *counts = &slot->counts;

	if (!slot->is_released) {
		slot->is_released = 1;
		forget_key(destinations, slot);
		return false; /* a program that has found it already may still be counting */
	}
	if (connection_open(counts) || counts->listening)
		return false;
	process = slot->process_slot < destinations->nr_slots ? &destinations->slots[slot->process_slot] : slot;
	if (process != slot && process->target_id == slot->target_id)
		__atomic_fetch_sub(&process->nr_places, 1, __ATOMIC_SEQ_CST);
	slot->target_id = 0;
	bpf_map_update_elem(destinations->free_slots_fd, NULL, &number, BPF_ANY);
	return true;
}

void destinations_begin_round(struct destinations *destinations)
{
	destinations->half.scan->round++;
	destinations->half.scan->nr_files = 0;
}

/* Runs an iterator to its end; over all there is, if info is NULL. */
static int iterate(const struct bpf_program *program, union bpf_iter_link_info *info)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = info, .link_info_len = info ? sizeof(*info) : 0);
	struct bpf_link *link = bpf_program__attach_iter(program, &opts);
	int fd, err = 0;
	ssize_t got;
	char none[64];

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = -errno;
	while (!err && (got = read(fd, none, sizeof(none))))
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			err = -errno;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

/* pid 0: over all processes. */
static int run(struct destinations *destinations, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = (uint32_t)pid };

	return iterate(destinations->look, pid ? &info : NULL);
}

int destinations_look(struct destinations *destinations, pid_t pid, uint32_t pass, bool is_first)
{
	struct connection_scan *scan = destinations->half.scan;
	int err;

	scan->tgid = numbers_known(&destinations->half.numbers, pid);
	scan->pass = pass;
	scan->is_first = is_first;
	err = run(destinations, destinations->is_filtered ? pid : 0);
	if ((err == -EINVAL || err == -E2BIG) && destinations->is_filtered) {
		destinations->is_filtered = false; /* before 6.1 */
		err = run(destinations, 0);
	}
	return err;
}

int destinations_sweep(struct destinations *destinations)
{
	struct connection_scan *scan = destinations->half.scan;

	union bpf_iter_link_info info = { .map.map_fd = (uint32_t)destinations->sockets_fd };
	int err;

	scan->tgid = 0;
	scan->pass = 2;
	err = run(destinations, destinations->is_filtered ? getpid() : 0);
	return err ? err : iterate(destinations->look_at_sockets, &info);
}
