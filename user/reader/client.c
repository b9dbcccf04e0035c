/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The daemon's end of the reader process (reader.h): a queue, a socket, a deadline.  Nothing here
 * waits. Only a few requests are in flight, and they are answered in order: when the deadline
 * passes, the oldest one names the target that is stuck.  Callbacks run with the state consistent
 * and may ask and forget.
 *
 * To wake the daemon for a count of tasks costs as much as the count: those wait until somebody looks.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "answer.h"
#include "queue.h"
#include "reader.h"
#include "child.h"
#include "stuck.h"
#include "util.h"

#define IN_FLIGHT_MAX	 32
#define ANSWERS_AT_ONCE	 256 /* of one call: the daemon has other work */
#define UNREAPED_MAX	 16  /* killed readers that do not go away; past it no new one is started */
#define BACKOFF_FIRST_NS (100 * NSEC_PER_MSEC)
#define BACKOFF_LAST_NS	 (10 * NSEC_PER_SEC)
#define FREE_TIMEOUT_MS	 200

struct reader {
	reader_answer_fn on_answer;
	void *ctx;
	int epoll_fd;  /* reader_fd(): it holds the socket of the day and so stays the same */
	int socket_fd; /* -1: no process */
	pid_t pid;
	bool has_answered; /* this process has: it works */
	bool is_listening; /* reader_fd() tells of its answers; else of its end alone */
	uint64_t backoff_ns, restart_at_ns;
	uint64_t oldest_since_ns; /* when the oldest in flight became that */
	uint64_t next_seq;
	uint64_t deadline_ns;
	struct queue queue;
	pid_t unreaped[UNREAPED_MAX];
	unsigned nr_unreaped;
	struct stuck stuck;
	struct reader_stats stats;
	uint64_t buffer[(sizeof(struct protocol_answer) + EV_RECORD_MAX) / sizeof(uint64_t)];
};

static void deliver(struct reader *reader, const struct protocol_request *request,
		    struct ev_head *record, uint64_t now_ns)
{
	if (request->kind == PROTOCOL_CODE && !answer_is_ok(record))
		reader->stats.failed++;
	record->ts_ns = now_ns;
	record->target_id = request->target_id;
	record->loop_id = EV_NO_LOOP;
	reader->on_answer(reader->ctx, record);
}

static void deliver_stuck(struct reader *reader, const struct protocol_request *request,
			  uint64_t now_ns)
{
	union answer_stuck stuck;

	answer_make_stuck(request, &stuck);
	deliver(reader, request, &stuck.head, now_ns);
}

static int start_process(struct reader *reader)
{
	struct epoll_event event = { .events = EPOLLIN };
	cleanup_close int fd = -1;
	pid_t pid;
	int err;

	if (reader->nr_unreaped == UNREAPED_MAX)
		return -EAGAIN;
	err = child_start(CHILD_READER, -1, &pid, &fd);
	if (err)
		return err;
	if (epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		err = -errno;
		child_kill(pid, 0);
		reader->unreaped[reader->nr_unreaped++] = pid;
		return err;
	}
	reader->pid = pid;
	reader->socket_fd = take_fd(&fd);
	reader->has_answered = false;
	reader->is_listening = true;
	return 0;
}

static void reap(struct reader *reader)
{
	for (unsigned i = 0; i < reader->nr_unreaped;) {
		if (child_reap(reader->unreaped[i], NULL))
			reader->unreaped[i] = reader->unreaped[--reader->nr_unreaped];
		else
			i++;
	}
}

/* Starts the process if it is down and due. */
static int ensure_process(struct reader *reader, uint64_t now_ns)
{
	int err;

	reap(reader);
	if (reader->socket_fd >= 0 || now_ns < reader->restart_at_ns)
		return 0;
	err = start_process(reader);
	if (err)
		reader->restart_at_ns = now_ns + BACKOFF_FIRST_NS;
	return err;
}

/* Does anybody wait for what comes? */
static void listen_if_urgent(struct reader *reader)
{
	bool is_urgent = !queue_is_patient(&reader->queue);
	struct epoll_event event = { .events = is_urgent ? EPOLLIN : 0 };

	if (reader->socket_fd < 0 || is_urgent == reader->is_listening)
		return;
	if (epoll_ctl(reader->epoll_fd, EPOLL_CTL_MOD, reader->socket_fd, &event) == 0)
		reader->is_listening = is_urgent;
}

/* Sends while there is room.  Stops before a request that needs a made-up answer. */
static void send_requests(struct reader *reader, uint64_t now_ns)
{
	struct queue *queue = &reader->queue;

	while (reader->socket_fd >= 0 && queue->in_flight < IN_FLIGHT_MAX &&
	       queue->in_flight < queue->nr) {
		const struct queue_entry *entry = queue_at(queue, queue->in_flight);
		ssize_t n;

		if (entry->is_forgotten || stuck_has(&reader->stuck, entry->request.target_id))
			return;
		/* A failure is tried again; if the process died, the socket says so when it is read. */
		n = send(reader->socket_fd, &entry->request, sizeof(entry->request),
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n != (ssize_t)sizeof(entry->request))
			return;
		if (queue->in_flight++ == 0)
			reader->oldest_since_ns = now_ns;
	}
}

/* Sends, and answers in the reader's place what must not be sent. */
static void pump(struct reader *reader, uint64_t now_ns)
{
	struct queue *queue = &reader->queue;

	send_requests(reader, now_ns);
	while (queue->in_flight < queue->nr) {
		struct queue_entry entry = *queue_at(queue, queue->in_flight);

		if (!entry.is_forgotten && !stuck_has(&reader->stuck, entry.request.target_id))
			break;
		queue_pop_unsent(queue);
		if (!entry.is_forgotten)
			deliver_stuck(reader, &entry.request, now_ns);
		send_requests(reader, now_ns);
	}
	listen_if_urgent(reader);
}

/*
 * The request that the process was at when it ended, if it is to blame: overdue, or the second process
 * that died at it.  Once may be chance: anybody can kill a process.  is_forgotten: nobody is to blame.
 */
static struct queue_entry take_blamed(struct reader *reader, bool is_overdue)
{
	struct queue *queue = &reader->queue;
	struct queue_entry blamed = { .is_forgotten = true };

	if (queue->in_flight) {
		struct queue_entry *oldest = queue_at(queue, 0);

		if (is_overdue || oldest->was_at_work || oldest->is_forgotten) {
			blamed = *oldest;
			queue_pop(queue);
		} else {
			oldest->was_at_work = true;
		}
	}
	queue->in_flight = 0;
	return blamed;
}

/* Ends the process, puts what is not answered back and starts a new process. */
static int replace_process(struct reader *reader, bool is_overdue, uint64_t now_ns)
{
	struct queue_entry blamed;
	int err;

	child_kill(reader->pid, 0);
	reader->unreaped[reader->nr_unreaped++] = reader->pid;
	close(take_fd(&reader->socket_fd));
	reader->stats.restarts++;
	blamed = take_blamed(reader, is_overdue);
	/* A forgotten number may be in use again for another target. */
	if (!blamed.is_forgotten)
		stuck_add(&reader->stuck, blamed.request.target_id);
	/* One that works, or whose end has a culprit, is replaced at once. */
	if (is_overdue || reader->has_answered || !blamed.is_forgotten)
		reader->backoff_ns = 0;
	else
		reader->backoff_ns =
			min(max(reader->backoff_ns * 2, BACKOFF_FIRST_NS), BACKOFF_LAST_NS);
	reader->restart_at_ns = now_ns + reader->backoff_ns;
	err = ensure_process(reader, now_ns);
	if (!blamed.is_forgotten)
		deliver_stuck(reader, &blamed.request, now_ns);
	pump(reader, now_ns);
	return err;
}

/* False: it is not what was asked for, or not well-formed. */
static bool take_answer(struct reader *reader, size_t bytes, uint64_t now_ns)
{
	const struct protocol_answer *answer = (const struct protocol_answer *)reader->buffer;
	struct ev_head *record = (struct ev_head *)(answer + 1);
	struct queue_entry entry;

	if (bytes < sizeof(*answer) || reader->queue.in_flight == 0)
		return false;
	entry = *queue_at(&reader->queue, 0);
	if (answer->seq != entry.request.seq ||
	    !answer_is_valid(&entry.request, record, bytes - sizeof(*answer)))
		return false;
	queue_pop(&reader->queue);
	reader->oldest_since_ns = now_ns;
	reader->has_answered = true;
	if (!entry.is_forgotten)
		deliver(reader, &entry.request, record, now_ns);
	return true;
}

int reader_dispatch(struct reader *reader, uint64_t now_ns)
{
	for (unsigned i = 0; reader->socket_fd >= 0 && i < ANSWERS_AT_ONCE; i++) {
		/* With MSG_TRUNC it is the packet's length, also when that is more than the buffer's. */
		ssize_t n = recv(reader->socket_fd, reader->buffer, sizeof(reader->buffer),
				 MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		/*
		 * It died with requests unread: the socket says so before it hands out the answers that
		 * it sent, and only once.  They count; the end of the stream comes behind them.
		 */
		if (n < 0 && errno == ECONNRESET)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0 || (size_t)n > sizeof(reader->buffer) ||
		    !take_answer(reader, (size_t)n, now_ns))
			return replace_process(reader, false, now_ns);
		pump(reader, now_ns);
	}
	pump(reader, now_ns);
	return 0;
}

int reader_expire(struct reader *reader, uint64_t now_ns)
{
	/* What has arrived is not overdue, however late the daemon is. */
	int err = reader_dispatch(reader, now_ns);

	if (err)
		return err;
	if (reader->socket_fd >= 0 && reader->queue.in_flight &&
	    now_ns >= reader->oldest_since_ns + reader->deadline_ns)
		return replace_process(reader, true, now_ns);
	err = ensure_process(reader, now_ns);
	pump(reader, now_ns);
	return err;
}

static int ask(struct reader *reader, struct protocol_request *request, uint64_t now_ns)
{
	if (stuck_has(&reader->stuck, request->target_id)) {
		reader->stats.refused += protocol_is_name(request);
		return -ETIMEDOUT;
	}
	request->seq = ++reader->next_seq;
	if (!queue_push(&reader->queue, request)) {
		reader->stats.refused += protocol_is_name(request);
		return -ENOBUFS;
	}
	if (request->kind == PROTOCOL_CODE)
		reader->stats.asked++;
	send_requests(reader, now_ns);
	listen_if_urgent(reader);
	return 0;
}

int reader_ask_target(struct reader *reader, uint32_t target_id, pid_t pid, uint64_t now_ns)
{
	struct protocol_request request = { .kind = PROTOCOL_TARGET, .target_id = target_id, .pid = pid };

	return ask(reader, &request, now_ns);
}

/* A request about a target that is known. */
static struct protocol_request about(const struct ev_target *target, enum protocol_kind kind)
{
	return (struct protocol_request){
		.kind = kind,
		.target_id = target->head.target_id,
		.pid = (int32_t)target->pid,
		.start_ticks = target->start_ticks,
		.layout = target->layout,
	};
}

static int ask_known(struct reader *reader, const struct ev_target *target, struct protocol_request request,
		     uint64_t now_ns)
{
	return target->status == TARGET_OK ? ask(reader, &request, now_ns) : -EINVAL;
}

int reader_ask_code(struct reader *reader, const struct ev_target *target, uint64_t code_addr,
		    uint32_t fingerprint, uint64_t now_ns)
{
	struct protocol_request request = about(target, PROTOCOL_CODE);

	request.fingerprint = fingerprint;
	request.code_addr = code_addr;
	return ask_known(reader, target, request, now_ns);
}

int reader_ask_thread(struct reader *reader, const struct ev_target *target, uint64_t ident,
		      uint32_t tid, uint64_t now_ns)
{
	struct protocol_request request = about(target, PROTOCOL_THREAD);

	request.tid = tid;
	request.ident = ident;
	return ask_known(reader, target, request, now_ns);
}

int reader_ask_probes(struct reader *reader, const struct ev_target *target, uint64_t now_ns)
{
	struct protocol_request request = about(target, PROTOCOL_PROBES);

	return ask(reader, &request, now_ns);
}

int reader_ask_loops(struct reader *reader, const struct ev_target *target, uint64_t now_ns)
{
	return ask_known(reader, target, about(target, PROTOCOL_LOOPS), now_ns);
}

int reader_ask_tasks(struct reader *reader, const struct ev_target *target, uint64_t now_ns)
{
	return ask_known(reader, target, about(target, PROTOCOL_TASKS), now_ns);
}

void reader_set_deadline(struct reader *reader, uint64_t deadline_ns)
{
	reader->deadline_ns = deadline_ns;
}

void reader_forget(struct reader *reader, uint32_t target_id)
{
	reader->stats.failed += queue_forget(&reader->queue, target_id);
	stuck_remove(&reader->stuck, target_id);
}

int reader_fd(const struct reader *reader)
{
	return reader->epoll_fd;
}

unsigned reader_pending(const struct reader *reader)
{
	return queue_wanted(&reader->queue, false);
}

unsigned reader_pending_names(const struct reader *reader)
{
	return queue_wanted(&reader->queue, true);
}

void reader_get_stats(const struct reader *reader, struct reader_stats *stats)
{
	*stats = reader->stats;
	stats->is_up = reader->socket_fd >= 0;
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	if (reader->socket_fd >= 0) {
		child_kill(reader->pid, FREE_TIMEOUT_MS);
		(void)child_reap(reader->pid, NULL);
		close(reader->socket_fd);
	}
	reap(reader);
	if (reader->epoll_fd >= 0)
		close(reader->epoll_fd);
	queue_free(&reader->queue);
	free(reader);
}

static void reader_freep(struct reader **reader)
{
	reader_free(*reader);
}

int reader_start(struct reader **out, reader_answer_fn on_answer, void *ctx)
{
	cleanup(reader_freep) struct reader *reader = calloc(1, sizeof(*reader));
	int err;

	if (!reader)
		return -ENOMEM;
	reader->on_answer = on_answer;
	reader->ctx = ctx;
	reader->socket_fd = -1;
	reader->deadline_ns = READER_DEADLINE_NS;
	reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (reader->epoll_fd < 0)
		return -errno;
	err = queue_init(&reader->queue);
	if (!err)
		err = start_process(reader);
	if (err)
		return err;
	*out = take(reader);
	return 0;
}
