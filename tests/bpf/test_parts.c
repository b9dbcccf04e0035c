/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a start does side by side: each waits, in its first call of the kernel, for the other to be there, which would
 * be for ever if one came after the other.
 */
#include "watched.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>

#define NR_EVENTS 11 /* tracepoints of system calls that a watch attaches to */

typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef long (*syscall_fn)(long, long, long, long, long, long, long);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_changed = PTHREAD_COND_INITIALIZER;
static long loaders[2]; /* threads that came to load a program */
static unsigned nr_opened;
static bool waits_for_loader, waits_for_events, has_waited_in_vain, has_threads;

static bool is_met(void)
{
	return (!waits_for_loader || loaders[1]) && (!waits_for_events || nr_opened == NR_EVENTS);
}

/* Before a program of ours is loaded. */
static void meet(long tid)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += DEADLINE_NS / NSEC_PER_SEC;
	pthread_mutex_lock(&lock);
	if (!loaders[0])
		loaders[0] = tid;
	else if (!loaders[1] && loaders[0] != tid)
		loaders[1] = tid;
	pthread_cond_broadcast(&has_changed);
	while (!has_waited_in_vain && !is_met())
		has_waited_in_vain = pthread_cond_timedwait(&has_changed, &lock, &end) != 0;
	pthread_mutex_unlock(&lock);
}

static bool is_ours(const union bpf_attr *attr)
{
	return !strncmp(attr->prog_name, "on_", 3) || !strncmp(attr->prog_name, "look_", 5);
}

/* In place of the library's, which libbpf calls as well. */
long syscall(long number, ...)
{
	syscall_fn next = (syscall_fn)dlsym(RTLD_NEXT, "syscall");
	long a[6], result;
	va_list args;

	va_start(args, number);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_bpf && a[0] == BPF_PROG_LOAD && is_ours((const union bpf_attr *)a[1]))
		meet(gettid());
	result = next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_perf_event_open && result >= 0) {
		pthread_mutex_lock(&lock);
		nr_opened++;
		pthread_cond_broadcast(&has_changed);
		pthread_mutex_unlock(&lock);
	}
	return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*function)(void *), void *arg)
{
	create_fn next = (create_fn)dlsym(RTLD_NEXT, "pthread_create");

	return has_threads ? next(thread, attr, function, arg) : EAGAIN;
}

static int reset(void **state)
{
	(void)state;
	loaders[0] = loaders[1] = 0;
	nr_opened = 0;
	waits_for_loader = waits_for_events = has_waited_in_vain = false;
	has_threads = true;
	return 0;
}

static struct probes *opened(const struct probes_config *config)
{
	struct probes *probes;
	char why[256] = "";

	assert_int_equal(probes_open(&probes, config, why, sizeof(why)), 0);
	return probes;
}

static void both_parts_are_loaded_at_a_time(void **state)
{
	(void)state;
	waits_for_loader = true;
	probes_close(opened(&probes_default_config));
	assert_false(has_waited_in_vain);
	assert_true(loaders[0] && loaders[1]);
}

static void tracepoints_are_opened_meanwhile(void **state)
{
	(void)state;
	waits_for_events = true;
	probes_close(opened(&probes_default_config));
	assert_false(has_waited_in_vain);
	assert_true(loaders[0]);
	assert_int_equal(nr_opened, NR_EVENTS); /* and none once more */
}

static void without_threads_all_is_loaded_too(void **state)
{
	struct probes *probes;

	(void)state;
	has_threads = false;
	probes = opened(&probes_default_config);
	assert_int_equal(probes_boundary(probes), BOUNDARY_TRACEPOINT);
	assert_non_null(probes_destinations(probes));
	assert_int_equal(nr_opened, NR_EVENTS);
	assert_int_equal(loaders[0], gettid());
	assert_int_equal(loaders[1], 0);
	probes_close(probes);
}

/* ---- events that nothing is attached to ---- */

static unsigned nr_events(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned nr = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[300], link[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, link, sizeof(link) - 1) > 0)
			nr += !strcmp(link, "anon_inode:[perf_event]");
	}
	closedir(dir);
	return nr;
}

static void are_held_with(const char *spared, enum probes_boundary boundary, unsigned wanted)
{
	struct probes_config config = probes_default_config;
	struct probes *probes;

	config.spared = spared;
	config.boundary = boundary;
	probes = opened(&config);
	assert_int_equal(nr_events(), wanted);
	probes_close(probes);
	assert_int_equal(nr_events(), 0);
}

static void what_is_not_attached_to_is_let_go_of(void **state)
{
	(void)state;
	are_held_with(NULL, BOUNDARY_TRACEPOINT, NR_EVENTS);
	are_held_with(NULL, BOUNDARY_RAW, NR_EVENTS - 3);
	are_held_with("on_close_exit", BOUNDARY_TRACEPOINT, NR_EVENTS - 1);
	are_held_with("on_tcp_state", BOUNDARY_TRACEPOINT, 3); /* nothing of connections */
	are_held_with("", BOUNDARY_TRACEPOINT, 3);	       /* it did not even load, so once more without */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(both_parts_are_loaded_at_a_time, reset),
		cmocka_unit_test_setup(tracepoints_are_opened_meanwhile, reset),
		cmocka_unit_test_setup(without_threads_all_is_loaded_too, reset),
		cmocka_unit_test_setup(what_is_not_attached_to_is_let_go_of, reset),
	};

	has_threads = true;
	require_host();
	return cmocka_run_group_tests_name("bpf/parts", tests, NULL, NULL);
}
