/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a thing costs a process now: reads lines "MODE MILLISECONDS" from standard input, does the
 * thing in batches for so long, and answers each with the lower quartile of the batches: whatever
 * else the machine does makes a batch longer, never shorter.
 *
 *   getppid   ns a call that does next to nothing
 *   zero      ns a read of one byte of /dev/zero
 *   epoll     ns an epoll_wait that does not wait
 *   switch    ns a context switch between two threads on one CPU (a byte through a pipe and back)
 *   spin      us a second that interrupts take from a thread that never leaves its CPU by itself
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_BATCHES 65536

#define GETPPID_CALLS 2000 /* of one batch: some 0.2 ms, so that few batches meet an interrupt */
#define ZERO_CALLS    1000
#define EPOLL_CALLS   1000
#define SWITCH_ROUNDS 50
#define SPIN_NS	      20000000 /* five ticks at 250 Hz */
#define GAP_LEAST_NS  250      /* two readings of the clock are 50 ns apart */
#define GAP_MOST_NS   100000   /* longer: another process, or the hypervisor, had the CPU */

static double batches[MAX_BATCHES];

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static double batch_getppid(void)
{
	uint64_t start = now_ns();

	for (int i = 0; i < GETPPID_CALLS; i++)
		syscall(SYS_getppid);
	return (double)(now_ns() - start) / GETPPID_CALLS;
}

static double batch_zero(void)
{
	static int fd = -1;
	uint64_t start;
	char byte;

	if (fd < 0)
		fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	start = now_ns();
	for (int i = 0; i < ZERO_CALLS; i++)
		if (read(fd, &byte, 1) != 1)
			err(1, "/dev/zero");
	return (double)(now_ns() - start) / ZERO_CALLS;
}

static double batch_epoll(void)
{
	static int fd = -1;
	struct epoll_event event;
	uint64_t start;

	if (fd < 0)
		fd = epoll_create1(EPOLL_CLOEXEC);
	start = now_ns();
	for (int i = 0; i < EPOLL_CALLS; i++)
		if (epoll_wait(fd, &event, 1, 0))
			err(1, "epoll_wait");
	return (double)(now_ns() - start) / EPOLL_CALLS;
}

static int to_partner[2], from_partner[2];

static void *partner(void *unused)
{
	char byte;

	while (read(to_partner[0], &byte, 1) == 1)
		if (write(from_partner[1], &byte, 1) != 1)
			break;
	return unused;
}

static double batch_switch(void)
{
	static pthread_t thread; /* inherits the one CPU that we are pinned to */
	uint64_t start;
	char byte = 0;

	if (!thread && (pipe(to_partner) || pipe(from_partner) ||
			pthread_create(&thread, NULL, partner, NULL)))
		err(1, "a second thread");
	start = now_ns();
	for (int i = 0; i < SWITCH_ROUNDS; i++)
		if (write(to_partner[1], &byte, 1) != 1 || read(from_partner[0], &byte, 1) != 1)
			err(1, "pipe");
	return (double)(now_ns() - start) / (2 * SWITCH_ROUNDS);
}

static double batch_spin(void)
{
	uint64_t last = now_ns(), ours = 0, taken = 0, now, gap;

	while (ours < SPIN_NS) {
		now = now_ns();
		gap = now - last;
		last = now;
		if (gap > GAP_MOST_NS)
			continue;
		ours += gap;
		if (gap > GAP_LEAST_NS)
			taken += gap;
	}
	return (double)taken * 1e6 / (double)ours;
}

static const struct {
	const char *name;
	double (*batch)(void);
} modes[] = {
	{ "getppid", batch_getppid }, { "zero", batch_zero }, { "epoll", batch_epoll },
	{ "switch", batch_switch },   { "spin", batch_spin },
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(double (*batch)(void), unsigned milliseconds)
{
	uint64_t end;
	size_t nr = 0;

	batch(); /* warm */
	end = now_ns() + milliseconds * 1000000ULL;
	do {
		batches[nr++] = batch();
	} while (now_ns() < end && nr < MAX_BATCHES);
	qsort(batches, nr, sizeof(*batches), compare);
	printf("%.2f\n", batches[nr / 4]);
	fflush(stdout);
}

int main(void)
{
	unsigned milliseconds;
	char name[16];
	size_t i;

	while (scanf("%15s %u", name, &milliseconds) == 2) {
		for (i = 0; i < sizeof(modes) / sizeof(*modes); i++)
			if (!strcmp(modes[i].name, name))
				break;
		if (i == sizeof(modes) / sizeof(*modes))
			errx(2, "%s: no such mode", name);
		measure(modes[i].batch, milliseconds);
	}
	return 0;
}
