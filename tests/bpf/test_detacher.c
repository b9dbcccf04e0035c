/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Attachments end together and not one after the other, and all have ended when that is said. */
#include "watched.h"

#include <bpf/bpf.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "detacher.h"

#define NR_LINKS 11 /* as many as there are of a watch's own */

typedef void *(*thread_fn)(void *);
typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, thread_fn, void *);

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static unsigned nr_started, most_started;

struct beginning {
	thread_fn fn;
	void *arg;
};

/* Threads begin when the gate is open: until then all that were started are there. */
static void *behind_the_gate(void *arg)
{
	struct beginning beginning = *(struct beginning *)arg;

	free(arg);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return beginning.fn(beginning.arg);
}

/* In place of the library's: counts, and has no more than so many. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_fn fn, void *arg)
{
	create_fn create = (create_fn)dlsym(RTLD_NEXT, "pthread_create");
	struct beginning *beginning;

	if (nr_started == most_started)
		return EAGAIN;
	beginning = malloc(sizeof(*beginning));
	assert_non_null(beginning);
	*beginning = (struct beginning){ fn, arg };
	nr_started++;
	return create(thread, attr, behind_the_gate, beginning);
}

static int allow_threads(void **state)
{
	(void)state;
	nr_started = 0;
	most_started = UINT32_MAX;
	return 0;
}

static int tracepoint_id(const char *name)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[256], text[16] = "";

	for (size_t i = 0; i < ARRAY_SIZE(roots) && !text[0]; i++) {
		cleanup_fclose FILE *file = NULL;

		snprintf(path, sizeof(path), "%s/events/syscalls/%s/id", roots[i], name);
		file = fopen(path, "re");
		if (file && !fgets(text, sizeof(text), file))
			text[0] = '\0';
	}
	assert_true(text[0]);
	return atoi(text);
}

static int open_program(void)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "nothing", "Dual BSD/GPL", nothing,
			       ARRAY_SIZE(nothing), NULL);

	assert_true(fd >= 0);
	return fd;
}

/* The descriptor of a link holds all of the attachment. */
static int attach(int program_fd, const char *tracepoint)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT,
					.size = sizeof(attr),
					.config = (uint64_t)tracepoint_id(tracepoint) };
	cleanup_close int event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	int fd;

	assert_true(event >= 0);
	fd = bpf_link_create(program_fd, event, BPF_PERF_EVENT, NULL);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(event, PERF_EVENT_IOC_ENABLE, 0), 0);
	return fd;
}

static void attach_all(int program_fd, int fds[NR_LINKS])
{
	static const char *const names[NR_LINKS] = {
		"sys_exit_mlockall", "sys_exit_swapon",	 "sys_exit_swapoff", "sys_exit_acct",
		"sys_exit_syncfs",   "sys_exit_sync",	 "sys_exit_reboot",  "sys_exit_sethostname",
		"sys_exit_chroot",   "sys_exit_personality", "sys_exit_munlockall",
	};

	for (size_t i = 0; i < NR_LINKS; i++)
		fds[i] = attach(program_fd, names[i]);
}

static uint32_t link_id(int fd)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info.id;
}

static bool is_there(uint32_t id)
{
	cleanup_close int fd = bpf_link_get_fd_by_id(id);

	return fd >= 0;
}

/* How long it takes without: the kernel waits for each. */
static uint64_t one_by_one_ns(void)
{
	cleanup_close int program = open_program();
	int fds[NR_LINKS];
	uint64_t start_ns;

	attach_all(program, fds);
	start_ns = now_ns();
	for (size_t i = 0; i < NR_LINKS; i++)
		close(fds[i]);
	return now_ns() - start_ns;
}

static void all_have_ended_when_it_says_so(void **state)
{
	cleanup_close int program = open_program();
	struct detacher *detacher;
	uint32_t ids[NR_LINKS];
	int fds[NR_LINKS];

	(void)state;
	attach_all(program, fds);
	for (size_t i = 0; i < NR_LINKS; i++)
		ids[i] = link_id(fds[i]);
	assert_int_equal(detacher_new(&detacher), 0);
	for (size_t i = 0; i < NR_LINKS; i++)
		detacher_close(detacher, fds[i]);
	detacher_free(detacher);
	for (size_t i = 0; i < NR_LINKS; i++)
		assert_false(is_there(ids[i]));
}

/* 0.05 to 0.11 of it was measured; about half with threads alone, or without. */
static void a_watch_ends_at_once(void **state)
{
	uint64_t alone_ns = one_by_one_ns(), start_ns;
	struct watch *w = watch_open(&probes_default_config);

	(void)state;
	assert_int_equal(probes_boundary(w->probes), BOUNDARY_TRACEPOINT);
	start_ns = now_ns();
	watch_close(w);
	assert_true(now_ns() - start_ns < alone_ns / 4);
}

/* In a process that cannot have a thread. Its exit code: 0: all was ended. */
static int end_without_threads(int program)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int fd = attach(program, "sys_exit_mlockall");
	uint32_t id = link_id(fd);
	struct detacher *detacher;

	if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAGAIN), SCMP_SYS(clone3), 0) ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAGAIN), SCMP_SYS(clone), 0) || seccomp_load(filter) ||
	    detacher_new(&detacher))
		return 2;
	seccomp_release(filter);
	detacher_close(detacher, fd);
	detacher_free(detacher);
	return is_there(id);
}

static void without_threads_they_end_all_the_same(void **state)
{
	cleanup_close int program = open_program();
	pid_t child = fork();
	int status;

	(void)state;
	if (!child)
		_exit(end_without_threads(program));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	detacher_free(NULL);
}

/* Descriptors that somebody waits for the end of, in place of links: 3 for each thread. */
static void no_more_threads_than(unsigned wanted)
{
	int pipes[3 * DETACHER_MAX_THREADS][2];
	struct detacher *detacher;
	unsigned nr;
	char byte;

	assert_int_equal(detacher_new(&detacher), 0);
	pthread_mutex_lock(&gate);
	for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK), 0);
		detacher_close(detacher, pipes[i][1]);
	}
	nr = nr_started;
	pthread_mutex_unlock(&gate);
	detacher_free(detacher);
	assert_int_equal(nr, wanted);
	for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
		assert_int_equal(read(pipes[i][0], &byte, 1), 0); /* the other end is closed */
		close(pipes[i][0]);
	}
}

static void many_have_threads_within_bounds(void **state)
{
	(void)state;
	no_more_threads_than(DETACHER_MAX_THREADS);
}

/* As under the unit's TasksMax, or a limit of the user's. */
static void the_threads_that_can_be_had_do_it_all(void **state)
{
	(void)state;
	most_started = 7;
	no_more_threads_than(7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_have_ended_when_it_says_so, allow_threads),
		cmocka_unit_test_setup(a_watch_ends_at_once, allow_threads),
		cmocka_unit_test_setup(without_threads_they_end_all_the_same, allow_threads),
		cmocka_unit_test_setup(many_have_threads_within_bounds, allow_threads),
		cmocka_unit_test_setup(the_threads_that_can_be_had_do_it_all, allow_threads),
	};

	require_host();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
