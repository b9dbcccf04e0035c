/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * systemd.io/JOURNAL_NATIVE_PROTOCOL: "NAME=value" lines, or, for a value that may have a newline
 * in it, the name alone, eight bytes of its length, the value.  What a target chose goes the second
 * way.
 */
#include "journal.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "facts.h"
#include "sanitize.h"
#include "util.h"

static void put(FILE *out, const char *name, const char *value)
{
	uint64_t length = htole64(strlen(value));

	fprintf(out, "%s\n", name);
	fwrite(&length, sizeof(length), 1, out);
	fprintf(out, "%s\n", value);
}

static void put_u64(FILE *out, const char *name, uint64_t value)
{
	fprintf(out, "%s=%llu\n", name, (unsigned long long)value);
}

/* "blocking-call, sleep, 120 ms at /srv/app.py:42 in handler (python3 4711)" */
static void put_message(FILE *out, const struct finding *finding, const struct frame *site)
{
	const struct loop *loop = finding->iteration->loop;
	char file[256] = "", function[160] = "", comm[64] = "", message[640];

	if (site) {
		sanitize(file, sizeof(file), site->file, 120, CUT_START);
		sanitize(function, sizeof(function), site->function, 60, CUT_END);
	}
	snprintf(comm, sizeof(comm), "%.*s", EV_COMM_LEN, loop->target->info.comm);
	sanitize(comm, sizeof(comm), strdupa(comm), 16, CUT_END);
	if (site)
		snprintf(message, sizeof(message), "%s, %s, %.1f ms at %s:%d in %s (%s %u)",
			 rules[finding->rule].id, cause_names[finding->cause],
			 (double)finding->duration_ns / 1e6, file, site->line, function, comm,
			 loop->info.pid);
	else
		snprintf(message, sizeof(message), "%s, %s, %.1f ms (%s %u)",
			 rules[finding->rule].id, cause_names[finding->cause],
			 (double)finding->duration_ns / 1e6, comm, loop->info.pid);
	put(out, "MESSAGE", message);
}

/* A field's name has capitals only. */
static void put_labels(FILE *out, const struct policy *policy)
{
	char name[sizeof("LOOPHOUND_LABEL_") + POLICY_LABEL_LEN];

	for (unsigned i = 0; i < policy->nr_labels; i++) {
		snprintf(name, sizeof(name), "LOOPHOUND_LABEL_%s", policy->labels[i].name);
		for (char *c = name; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		put(out, name, policy->labels[i].value);
	}
}

void journal_write_held(FILE *out, const struct ration_held *held, const char *json)
{
	uint64_t lines = held->of_target + held->overall;

	fprintf(out,
		"MESSAGE=%llu line%s of breaches %s held back, %llu of them for want of room of "
		"their "
		"own process",
		(unsigned long long)lines, plural(lines), lines == 1 ? "was" : "were",
		(unsigned long long)held->of_target);
	if (held->nr_worst)
		fprintf(out, " (pid %u: %llu)", held->worst[0].pid,
			(unsigned long long)held->worst[0].lines);
	fputs("\nPRIORITY=4\nSYSLOG_IDENTIFIER=loophound\nMESSAGE_ID=" JOURNAL_HELD_ID "\n", out);
	put_u64(out, "LOOPHOUND_HELD_TARGET", held->of_target);
	put_u64(out, "LOOPHOUND_HELD_OVERALL", held->overall);
	put(out, "LOOPHOUND_JSON", json);
}

void journal_write(FILE *out, const struct breach *breach, const struct policy *policy,
		   const char *json)
{
	const struct finding *finding = breach->finding;
	const struct loop *loop = finding->iteration->loop;
	const struct frame *site = NULL;

	if (finding->stack && finding->site >= 0 && (uint32_t)finding->site < finding->stack->nr)
		site = &finding->stack->frames[finding->site];
	put_message(out, finding, site);
	fputs("PRIORITY=4\nSYSLOG_IDENTIFIER=loophound\nMESSAGE_ID=" JOURNAL_MESSAGE_ID "\n", out);
	put_u64(out, "OBJECT_PID", loop->info.pid);
	fprintf(out, "LOOPHOUND_RULE=%s\nLOOPHOUND_CAUSE=%s\nLOOPHOUND_LOOP=%s\n",
		rules[finding->rule].id, cause_names[finding->cause],
		facts_loop_kind(loop->info.kind));
	put_u64(out, "LOOPHOUND_DURATION_NS", finding->duration_ns);
	put_u64(out, "LOOPHOUND_ONGOING", iteration_is_ongoing(finding->iteration));
	put_u64(out, "LOOPHOUND_COUNT", breach->count);
	put_u64(out, "LOOPHOUND_TOTAL_NS", breach->total_ns);
	put_u64(out, "LOOPHOUND_PID", loop->info.pid);
	put_u64(out, "LOOPHOUND_TID", loop->info.tid);
	if (site && site->naming == FRAME_NAMED) {
		put(out, "CODE_FILE", site->file);
		put(out, "CODE_FUNC", site->function);
		if (site->line > 0)
			put_u64(out, "CODE_LINE", (uint64_t)site->line);
	}
	if (finding->task)
		put(out, "LOOPHOUND_TASK", finding->task);
	put_labels(out, policy);
	put(out, "LOOPHOUND_JSON", json);
}

int journal_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return take_fd(&fd);
}

/* A sealed memfd in place of the content, as the protocol has it for what is too long. */
static int send_as_file(int fd, const void *entry, size_t bytes)
{
	cleanup_close int file = memfd_create("loophound-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr header = { .msg_control = &control, .msg_controllen = sizeof(control) };

	if (file < 0 || write(file, entry, bytes) != (ssize_t)bytes ||
	    fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
		return -errno;
	memcpy(CMSG_DATA(&control.head), &file, sizeof(file));
	return sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int journal_send(int fd, const void *entry, size_t bytes)
{
	if (send(fd, entry, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes)
		return 0;
	return errno == EMSGSIZE || errno == ENOBUFS ? send_as_file(fd, entry, bytes) : -errno;
}
