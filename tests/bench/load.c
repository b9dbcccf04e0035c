/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * load PORT PATH CONNECTIONS: customers of an HTTP server on the loopback, each of whom asks again as soon as it is
 * answered.  Says "ready" once all have been; then, for each line of standard input, what came since the one
 * before: "US:ANSWERS ..." for each 20 microseconds in which some were, from the quickest on.  Ends with its standard
 * input, or with an error when an answer is none.
 *
 * Always under way: a slice of a measurement needs no start and no end of its own, as those of wrk do.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CUSTOMERS 256
#define MAX_ANSWER    16384 /* bytes, head and body */
#define MAX_LATENCIES (1u << 20)
#define MAX_REQUEST   512
#define STEP_NS	      20000 /* latencies are told apart by */

struct customer {
	int fd;
	size_t got; /* bytes of the answer under way */
	uint64_t asked_ns;
	char answer[MAX_ANSWER + 1];
};

static struct customer customers[MAX_CUSTOMERS];
static uint64_t latencies[MAX_LATENCIES];
static size_t nr_latencies;
static char request[MAX_REQUEST];
static size_t request_bytes;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void ask(struct customer *customer)
{
	customer->got = 0;
	customer->asked_ns = now_ns();
	if (write(customer->fd, request, request_bytes) != (ssize_t)request_bytes)
		err(1, "a request");
}

static void come(struct customer *customer, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	customer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (customer->fd < 0 || connect(customer->fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "a connection");
	setsockopt(customer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Length of the answer, head and body; 0: not known yet. */
static size_t answer_bytes(const struct customer *customer)
{
	static const char length[] = "\r\nContent-Length: ", ok[] = "HTTP/1.1 200 ";
	const char *end = strstr(customer->answer, "\r\n\r\n"), *said;

	if (!end)
		return 0;
	said = strcasestr(customer->answer, length);
	if (strncmp(customer->answer, ok, strlen(ok)) || !said || said > end)
		errx(1, "no answer: %.80s", customer->answer);
	return (size_t)(end - customer->answer) + 4 + strtoul(said + strlen(length), NULL, 10);
}

static void read_answer(struct customer *customer)
{
	ssize_t got = read(customer->fd, customer->answer + customer->got, MAX_ANSWER - customer->got);
	size_t whole;

	if (got <= 0)
		err(1, "the server hung up, or says too much");
	customer->got += (size_t)got;
	customer->answer[customer->got] = 0;
	whole = answer_bytes(customer);
	if (!whole || customer->got < whole)
		return;
	if (customer->got > whole)
		errx(1, "an answer to no question");
	if (nr_latencies < MAX_LATENCIES)
		latencies[nr_latencies++] = now_ns() - customer->asked_ns;
	ask(customer);
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

static void say(void)
{
	size_t nr = nr_latencies, first = 0;

	if (nr == MAX_LATENCIES)
		errx(1, "more than %u answers since the last question", MAX_LATENCIES);
	qsort(latencies, nr, sizeof(*latencies), compare);
	for (size_t i = 1; i <= nr; i++) {
		if (i < nr && latencies[i] / STEP_NS == latencies[first] / STEP_NS)
			continue;
		printf("%llu:%zu ", (unsigned long long)latencies[first] / STEP_NS * STEP_NS / 1000, i - first);
		first = i;
	}
	puts("");
	fflush(stdout);
	nr_latencies = 0;
}

/* False: standard input is at its end. */
static bool read_question(void)
{
	char line[64];

	if (read(0, line, sizeof(line)) <= 0)
		return false;
	say();
	return true;
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN }, events[64];
	int epoll = epoll_create1(EPOLL_CLOEXEC), nr;
	unsigned long nr_customers;
	bool is_wanted = true;

	if (argc != 4)
		errx(2, "usage: load PORT PATH CONNECTIONS");
	nr_customers = strtoul(argv[3], NULL, 10);
	if (epoll < 0 || nr_customers > MAX_CUSTOMERS)
		errx(2, "%d customers at most", MAX_CUSTOMERS);
	nr = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", argv[2]);
	if (nr < 0 || nr >= MAX_REQUEST)
		errx(2, "the path is too long");
	request_bytes = (size_t)nr;
	epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
	for (struct customer *each = customers; each < customers + nr_customers; each++) {
		come(each, (uint16_t)strtoul(argv[1], NULL, 10));
		event.data.ptr = each;
		epoll_ctl(epoll, EPOLL_CTL_ADD, each->fd, &event);
		ask(each);
	}
	puts("ready");
	fflush(stdout);
	while (is_wanted) {
		nr = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < nr; i++) {
			if (events[i].data.ptr)
				read_answer(events[i].data.ptr);
			else
				is_wanted = read_question();
		}
	}
	return 0;
}
