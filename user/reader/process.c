/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The reader process (reader.h): takes requests off its socket one after the other, reads the
 * target, sends the record back.  What it reads is hostile, so it gives up all that reading does
 * not need first.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "confine.h"
#include "identify.h"
#include "log.h"
#include "loops.h"
#include "procinfo.h"
#include "procmem.h"
#include "protocol.h"
#include "pycode.h"
#include "readahead.h"
#include "reader.h"
#include "tasktables.h"
#include "threads.h"
#include "util.h"

struct packet {
	struct protocol_answer answer;
	union {
		struct ev_head head;
		struct ev_target target;
		struct ev_code code;
		struct ev_thread thread;
		struct ev_probes probes;
		struct ev_loops loops;
		struct ev_tasks tasks;
		uint8_t room[EV_RECORD_MAX];
	} record;
};
_Static_assert(offsetof(struct packet, record) == sizeof(struct protocol_answer), "one packet");

/* A forked child is known by its parent's answer, which cannot tell when the child started: 0. */
static bool is_same_life(const struct protocol_request *request)
{
	struct procinfo_stat stat;

	return procinfo_stat_of(request->pid, &stat) == 0 &&
	       (!request->start_ticks || stat.start_ticks == request->start_ticks);
}

static void serve_code(const struct protocol_request *request, struct ev_code *code)
{
	struct mem mem;

	procmem_of_process(&mem, request->pid, PYCODE_BUDGET_BYTES);
	pycode_read(&mem, &request->layout, request->code_addr, request->fingerprint, code);
	/* Checked after the read: the number meant this process all the while. */
	if (code->status == CODE_OK && !is_same_life(request))
		pycode_fail(code, &request->layout, request->code_addr, request->fingerprint,
			    CODE_UNREADABLE);
}

static void serve_thread(const struct protocol_request *request, struct ev_thread *thread)
{
	struct mem mem;

	procmem_of_process(&mem, request->pid, THREADS_BUDGET_BYTES);
	threads_read(&mem, request->pid, &request->layout, request->ident, request->tid, thread);
	if (!is_same_life(request))
		threads_begin(request->ident, request->tid, thread);
}

static void serve_probes(const struct protocol_request *request, struct ev_probes *probes)
{
	identify_probes(request->pid, probes);
	if (probes->nr_sites && !is_same_life(request))
		probes->nr_sites = 0;
}

static void serve_loops(const struct protocol_request *request, struct ev_loops *loops)
{
	struct mem mem;

	procmem_of_process(&mem, request->pid, LOOPS_BUDGET_BYTES);
	loops_list(&mem, &request->layout, loops);
	loops->pid = (__u32)request->pid;
	if (!is_same_life(request))
		loops->nr = 0;
}

static void serve_tasks(const struct protocol_request *request, struct ev_tasks *tasks)
{
	uint64_t start_ns = clock_host_ns();
	struct readahead_list *list;
	struct task_tables tables;
	struct readahead ahead;
	struct mem mem, fast;

	procmem_of_process(&mem, request->pid, TASKS_BUDGET_BYTES);
	tasktables_find(request, &mem, &tables, &list);
	readahead_begin(&ahead, request->pid, &mem, list, &fast);
	tasks_read(&fast, &request->layout, &tables, start_ns + TASKS_MAX_NS, tasks);
	readahead_end(&ahead);
	if (!is_same_life(request))
		tasks_begin(TASKS_UNREADABLE, 0, tasks);
	if (tasks->status == TASKS_ABSENT || tasks->status == TASKS_UNREADABLE)
		tasktables_forget(request->target_id);
	tasks->pid = (__u32)request->pid;
	tasks->took_ns = clock_host_ns() - start_ns;
}

/* Returns 1 for a request that was answered, 0 at the end of the socket. */
static int serve_one(int socket_fd, struct packet *packet)
{
	struct protocol_request request;
	size_t bytes;
	ssize_t n = recv(socket_fd, &request, sizeof(request), MSG_TRUNC);

	/* A daemon that was killed with answers unread resets the connection: an end as well. */
	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? 0 : -errno;
	if (n != (ssize_t)sizeof(request))
		return -EBADMSG;
	if (request.kind == PROTOCOL_TARGET)
		identify_process(request.pid, &packet->record.target);
	else if (request.kind == PROTOCOL_CODE)
		serve_code(&request, &packet->record.code);
	else if (request.kind == PROTOCOL_THREAD)
		serve_thread(&request, &packet->record.thread);
	else if (request.kind == PROTOCOL_PROBES)
		serve_probes(&request, &packet->record.probes);
	else if (request.kind == PROTOCOL_LOOPS)
		serve_loops(&request, &packet->record.loops);
	else if (request.kind == PROTOCOL_TASKS)
		serve_tasks(&request, &packet->record.tasks);
	else
		return -EBADMSG;
	packet->answer.seq = request.seq;
	bytes = sizeof(packet->answer) + packet->record.head.size;
	n = send(socket_fd, packet, bytes, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EPIPE || errno == ECONNRESET ? 0 : -errno;
	return 1;
}

int reader_main(int socket_fd)
{
	cleanup_free struct packet *packet = calloc(1, sizeof(*packet));
	int err;

	(void)clock_host_ns(); /* what it reads the first time is not allowed afterwards */
	err = packet ? reader_confine() : -ENOMEM;

	if (err) {
		log_write(LOG_ERR, "reader: cannot confine itself: %s", strerror(-err));
		return 1;
	}
	do {
		err = serve_one(socket_fd, packet);
	} while (err > 0 || err == -EINTR);
	return err ? 1 : 0;
}
