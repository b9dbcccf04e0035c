/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "detacher.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "util.h"

#define STACK_BYTES (64u << 10)
#define FIRST_ROOM  64

struct detacher {
	pthread_mutex_t lock;
	pthread_cond_t all_ended;
	int *fds; /* that no thread has taken yet */
	unsigned nr_fds, room;
	unsigned nr_threads; /* each looks for one more before it ends */
};

int detacher_new(struct detacher **out)
{
	struct detacher *detacher = calloc(1, sizeof(*detacher));

	if (!detacher)
		return -ENOMEM;
	pthread_mutex_init(&detacher->lock, NULL);
	pthread_cond_init(&detacher->all_ended, NULL);
	*out = detacher;
	return 0;
}

void detacher_free(struct detacher *detacher)
{
	if (!detacher)
		return;
	pthread_mutex_lock(&detacher->lock);
	while (detacher->nr_threads)
		pthread_cond_wait(&detacher->all_ended, &detacher->lock);
	pthread_mutex_unlock(&detacher->lock);
	pthread_cond_destroy(&detacher->all_ended);
	pthread_mutex_destroy(&detacher->lock);
	free(detacher->fds);
	free(detacher);
}

/* It neither allocates nor frees: that would make an arena for each thread. */
static void *close_them(void *arg)
{
	struct detacher *detacher = arg;

	pthread_mutex_lock(&detacher->lock);
	while (detacher->nr_fds) {
		int fd = detacher->fds[--detacher->nr_fds];

		pthread_mutex_unlock(&detacher->lock);
		close(fd);
		pthread_mutex_lock(&detacher->lock);
	}
	if (--detacher->nr_threads == 0)
		pthread_cond_signal(&detacher->all_ended);
	pthread_mutex_unlock(&detacher->lock);
	return NULL;
}

/* Signals are for the thread that watches. */
static int start_thread(struct detacher *detacher)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&thread, &attr, close_them, detacher);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

static bool push(struct detacher *detacher, int fd)
{
	unsigned room = detacher->room ? 2 * detacher->room : FIRST_ROOM;

	if (detacher->nr_fds == detacher->room) {
		int *fds = realloc(detacher->fds, room * sizeof(*fds));

		if (!fds)
			return false;
		detacher->fds = fds;
		detacher->room = room;
	}
	detacher->fds[detacher->nr_fds++] = fd;
	return true;
}

void detacher_close(struct detacher *detacher, int fd)
{
	bool is_pushed, wants_thread, is_alone;

	pthread_mutex_lock(&detacher->lock);
	is_pushed = push(detacher, fd);
	wants_thread = is_pushed && detacher->nr_threads < DETACHER_MAX_THREADS;
	detacher->nr_threads += wants_thread;
	pthread_mutex_unlock(&detacher->lock);
	if (!is_pushed)
		close(fd);
	if (!wants_thread || !start_thread(detacher))
		return;
	pthread_mutex_lock(&detacher->lock);
	is_alone = detacher->nr_threads == 1;
	detacher->nr_threads -= !is_alone; /* else one of the others takes it */
	pthread_mutex_unlock(&detacher->lock);
	if (is_alone)
		close_them(detacher);
}

/* libbpf frees what it has of the link; the kernel ends it with its last descriptor. */
void detacher_destroy(struct detacher *detacher, struct bpf_link *link)
{
	int fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 0);

	bpf_link__destroy(link);
	if (fd >= 0)
		detacher_close(detacher, fd);
}
