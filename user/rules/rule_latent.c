/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * blocking-call, severity latent: calls on the loop that can block and were quick this time.  One finding
 * for each line and cause.  What a breach of the same iteration tells already is not told again, nor is
 * what the standard library and others do on a loop for good reason: the table of the harmless.
 */
#include <string.h>
#include <sys/syscall.h>

#include "cause.h"
#include "handover.h"
#include "object.h"
#include "rule.h"
#include "site.h"
#include "util.h"

#define ANY_CAUSE     0
#define CAUSE_BIT(of) (1u << CAUSE_##of)

/*
 * A frame below the site that makes a call harmless; a file that ends with '/' is a folder.  After the list
 * of what blockbuster allows, plus what asyncio and its resolvers do themselves.
 */
static const struct {
	const char *file, *name; /* NULL: any of that file */
	unsigned int causes;
} harmless[] = {
	/* import-on-loop is about these */
	{ "<frozen importlib._bootstrap>", NULL, ANY_CAUSE },
	{ "<frozen importlib._bootstrap_external>", NULL, ANY_CAUSE },
	{ "<frozen zipimport>", NULL, ANY_CAUSE },
	/* asyncio itself: starts and reaps processes, makes and removes unix sockets, sends files */
	{ "asyncio/unix_events.py", NULL, ANY_CAUSE },
	{ "asyncio/base_subprocess.py", NULL, ANY_CAUSE },
	{ "asyncio/subprocess.py", NULL, ANY_CAUSE },
	{ "asyncio/selector_events.py", NULL, ANY_CAUSE },
	{ "asyncio/base_events.py", NULL, ANY_CAUSE },
	{ "asyncio/runners.py", NULL, ANY_CAUSE },
	/* questions to a name server by resolvers of the loop's own kind */
	{ "aiodns/", NULL, CAUSE_BIT(DNS) },
	{ "pycares/", NULL, CAUSE_BIT(DNS) },
	{ "dns/_asyncio_backend.py", NULL, CAUSE_BIT(DNS) },
	{ "dns/asyncquery.py", NULL, CAUSE_BIT(DNS) },
	/* a traceback's lines of source: once for each file */
	{ "/linecache.py", NULL, CAUSE_BIT(FILE) },
	/* tools of development */
	{ "/pydevd.py", NULL, ANY_CAUSE },
	{ "/pydevd_file_utils.py", NULL, ANY_CAUSE },
	{ "_pytest/assertion/rewrite.py", NULL, ANY_CAUSE },
	{ "coverage/", NULL, ANY_CAUSE },
};

static bool is_row(size_t row, const struct frame *frame, enum cause cause)
{
	const char *file = harmless[row].file;
	bool is_folder = file[strlen(file) - 1] == '/';

	if (harmless[row].causes && !(harmless[row].causes & 1u << cause))
		return false;
	if (harmless[row].name && strcmp(harmless[row].name, frame->name) != 0)
		return false;
	return is_folder ? site_path_has(frame->file, file) : site_path_ends(frame->file, file);
}

static bool is_harmless(const struct sleep *sleep, const struct site *site, enum cause cause)
{
	const struct stack *stack = sleep->stack;

	for (int i = 0; stack && i < site->nr_library && i < (int)stack->nr; i++)
		for (size_t row = 0; row < ARRAY_SIZE(harmless); row++)
			if (is_row(row, &stack->frames[i], cause))
				return true;
	/* A path of the program's that is imported runs within the import, however deep. */
	for (uint32_t i = 0; stack && i < stack->nr; i++)
		if (!strcmp(stack->frames[i].name, "_find_and_load") &&
		    !strcmp(stack->frames[i].file, "<frozen importlib._bootstrap>"))
			return true;
	return handover_is(stack, site->nr_library);
}

/* Files that the C library reads to look a name up. */
static bool is_of_resolver(const struct ev_object *object)
{
	static const char *const paths[] = { "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf",
					     "/etc/host.conf", "/etc/gai.conf" };
	char name[FINDING_OBJECT_LEN];

	if (object->kind != OBJECT_FILE)
		return false;
	object_format(object, name, sizeof(name));
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!strcmp(name, paths[i]))
			return true;
	return false;
}

static const struct {
	const char *name;
	enum cause cause;
} audits[AUDIT_MAX] = {
#define X(nr, event, of) [nr] = { event, CAUSE_##of },
	AUDIT_LIST(X)
#undef X
};

static bool is_audit(const struct sleep *sleep)
{
	return sleep->ev.syscall < 0 && sleep->ev.args[0] && sleep->ev.args[0] < AUDIT_MAX;
}

void latent_describe(const struct sleep *sleep, char *out, size_t size)
{
	if (is_audit(sleep))
		snprintf(out, size, "%s", audits[sleep->ev.args[0]].name);
}

static enum cause cause_of(const struct sleep *sleep)
{
	enum cause cause = cause_of_sleep(&sleep->ev, sleep->stack);

	if (is_audit(sleep))
		return audits[sleep->ev.args[0]].cause;

	return cause == CAUSE_FILE && is_of_resolver(&sleep->ev.object) ? CAUSE_DNS : cause;
}

static bool is_same_place(const struct finding *finding, const struct sleep *sleep,
			  const struct site *site, enum cause cause)
{
	if (finding->rule != RULE_BLOCKING_CALL || finding->cause != cause)
		return false;
	if (site->site < 0 || finding->site < 0)
		return site->site < 0 && finding->site < 0;
	return site_is_same(&finding->stack->frames[finding->site], &sleep->stack->frames[site->site]);
}

/* Of the calls of one line, which one is shown: to open a file says more than to read of it. */
static int telling(int syscall)
{
	switch (syscall) {
	case SYS_openat:
	case SYS_openat2:
	case SYS_connect:
	case SYS_clone:
	case SYS_clone3:
#ifdef __x86_64__
	case SYS_open:
	case SYS_creat:
	case SYS_fork:
	case SYS_vfork:
#endif
		return 1;
	}
	return 0;
}

static void add(struct finding *finding, const struct sleep *sleep)
{
	finding->calls += sleep->ev.count;
	finding->start_ns = min(finding->start_ns, (uint64_t)sleep->ev.first_ns);
	if (telling(sleep->ev.syscall) <= telling(finding->syscall))
		return;
	finding->sleep = sleep;
	finding->syscall = sleep->ev.syscall;
	finding->fd = sleep->ev.fd;
}

static struct finding make(const struct iteration *iteration, const struct sleep *sleep,
			   const struct site *site, enum cause cause)
{
	return (struct finding){
		.rule = RULE_BLOCKING_CALL,
		.is_latent = true,
		.cause = cause,
		.iteration = iteration,
		.start_ns = sleep->ev.first_ns,
		.calls = sleep->ev.count,
		.stack = sleep->stack,
		.site = site->site,
		.coroutine = site->coroutine,
		.callback = site->callback,
		.nr_library = site->nr_library,
		.sleep = sleep,
		.syscall = sleep->ev.syscall,
		.fd = sleep->ev.fd,
	};
}

static bool is_allowed(const struct rules_config *config, const struct sleep *sleep,
		       const struct site *site)
{
	return site->site >= 0 && site_is_allowed(config, &sleep->stack->frames[site->site]);
}

unsigned int rule_latent(const struct rules_config *config, const struct iteration *iteration,
			 struct finding *findings, unsigned int nr, unsigned int cap)
{
	for (uint32_t i = 0; i < iteration->nr_sleeps; i++) {
		const struct sleep *sleep = &iteration->sleeps[i];
		struct site site;
		enum cause cause;
		unsigned int k;

		if (!sleep_is_latent(sleep) || !config->is_enabled[RULE_BLOCKING_CALL])
			continue;
		cause = cause_of(sleep);
		site_find(config, iteration->loop, sleep->stack, &site);
		if (is_allowed(config, sleep, &site) || is_harmless(sleep, &site, cause))
			continue;
		for (k = 0; k < nr && !is_same_place(&findings[k], sleep, &site, cause); k++)
			;
		if (k < nr && findings[k].is_latent)
			add(&findings[k], sleep);
		else if (k == nr && nr < cap)
			findings[nr++] = make(iteration, sleep, &site, cause);
		else if (k == nr && nr && findings[nr - 1].is_latent)
			findings[nr - 1].calls += sleep->ev.count;
	}
	return nr;
}
