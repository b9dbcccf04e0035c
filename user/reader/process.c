/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The reader process (reader.h): takes requests off its socket one after the other, reads the
 * target, sends the record back.  What it reads is hostile, so it gives up all that reading does
 * not need first.
 */
#include <cap-ng.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "identify.h"
#include "log.h"
#include "loops.h"
#include "procinfo.h"
#include "procmem.h"
#include "protocol.h"
#include "pycode.h"
#include "reader.h"
#include "threads.h"
#include "util.h"

#define ADDRESS_SPACE_BYTES (256UL << 20)
#define FILES_MAX	    64

/* AddressSanitizer maps terabytes: under it the address space is not limited. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_SHADOW_MEMORY true
#else
#define HAS_SHADOW_MEMORY false
#endif

struct packet {
	struct protocol_answer answer;
	union {
		struct ev_head head;
		struct ev_target target;
		struct ev_code code;
		struct ev_thread thread;
		struct ev_probes probes;
		struct ev_loops loops;
		uint8_t room[EV_RECORD_MAX];
	} record;
};
_Static_assert(offsetof(struct packet, record) == sizeof(struct protocol_answer), "one packet");

static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit bound = { .rlim_cur = value, .rlim_max = value }, old;

	if (getrlimit(resource, &old) < 0)
		return -errno;
	if (old.rlim_max < value)
		return 0;
	return setrlimit(resource, &bound) < 0 ? -errno : 0;
}

/* To read memory and /proc of any user, files within any root, and mapped files that have no name any more. */
static int drop_capabilities(void)
{
	static const unsigned kept[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE };
	bool has[ARRAY_SIZE(kept)], can_bound;

	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		has[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	can_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		if (has[i] && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept[i]))
			return -EPERM;
	}
	/* The bounding set needs a capability of its own; without it no_new_privs has to do. */
	if (can_bound && capng_apply(CAPNG_SELECT_BOUNDS))
		return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

static int confine(void)
{
	int err;

	/* Ctrl-C and a service's stop reach the whole group: the daemon decides when this ends. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	err = drop_capabilities();
	if (!err)
		err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, FILES_MAX);
	if (!err && !HAS_SHADOW_MEMORY)
		err = limit(RLIMIT_AS, ADDRESS_SPACE_BYTES);
	return err;
}

/* A forked child is known by its parent's answer, which cannot tell when the child started: 0. */
static bool is_same_life(const struct protocol_request *request)
{
	cleanup_close int proc_fd = procinfo_open(request->pid);
	struct procinfo_stat stat;

	return proc_fd >= 0 && procinfo_stat(proc_fd, &stat) == 0 &&
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
	int err = packet ? confine() : -ENOMEM;

	if (err) {
		log_write(LOG_ERR, "reader: cannot confine itself: %s", strerror(-err));
		return 1;
	}
	/* One that hangs may outlive the daemon: whoever reads the daemon's messages must not wait for it. */
	dup2(STDIN_FILENO, STDERR_FILENO); /* /dev/null: child.c */
	do {
		err = serve_one(socket_fd, packet);
	} while (err > 0 || err == -EINTR);
	return err ? 1 : 0;
}
