/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Advice for loops that are not asyncio's: what the table says of asyncio would be of no use there. */
#include "advice.h"
#include "util.h"

#define CODES(...) .lint = { __VA_ARGS__ }
#define BLOCKING   .rule = RULE_BLOCKING_CALL
#define CPU	   .rule = RULE_CPU_BOUND
#define TRIO	   .loop_kind = LOOP_KIND_TRIO
#define TWISTED	   .loop_kind = LOOP_KIND_TWISTED
#define GEVENT	   .loop_kind = LOOP_KIND_GEVENT

const struct advice_row advice_loop_rows[] = {
	{ TRIO, BLOCKING, .causes = CAUSES(SLEEP), CODES("ASYNC251"),
	  .advice = "await trio.sleep() instead of time.sleep()" },
	{ TRIO, BLOCKING, .causes = CAUSES(DNS),
	  .advice = "await trio.socket.getaddrinfo() instead of socket.getaddrinfo()" },
	{ TRIO, BLOCKING, .causes = CAUSES(NETWORK), CODES("ASYNC210", "ASYNC211", "ASYNC212"),
	  .advice = "an asynchronous client (httpx.AsyncClient, trio.open_tcp_stream()), or await "
		    "trio.to_thread.run_sync() around the call" },
	{ TRIO, BLOCKING, .causes = CAUSES(FILE), CODES("ASYNC230", "ASYNC240"),
	  .advice = "trio.open_file() or trio.Path, or await trio.to_thread.run_sync() around the file "
		    "operation" },
	{ TRIO, BLOCKING, .causes = CAUSES(SUBPROCESS), CODES("ASYNC220", "ASYNC221", "ASYNC222"),
	  .advice = "await trio.run_process() instead of subprocess.run() or os.system()" },
	{ TRIO, BLOCKING, .causes = CAUSES(LOCK),
	  .advice = "trio.Lock, trio.Event or a memory channel instead of threading's; to wait for a "
		    "thread, await trio.to_thread.run_sync()" },
	{ TRIO, BLOCKING, .advice = "await trio.to_thread.run_sync() around the call" },
	{ TRIO, CPU, .causes = CAUSES(NATIVE),
	  .advice = "C code on this line: await trio.to_thread.run_sync() is enough if it releases the GIL "
		    "(hashlib, zlib, bz2, lzma); else run it in a process" },
	{ TRIO, CPU,
	  .advice = "run it in a process (anyio.to_process.run_sync()), or split the work and await "
		    "trio.lowlevel.checkpoint() between the parts" },
	{ TWISTED, BLOCKING, .causes = CAUSES(SLEEP),
	  .advice = "await task.deferLater(reactor, seconds) instead of time.sleep()" },
	{ TWISTED, BLOCKING, .causes = CAUSES(DNS),
	  .advice = "twisted.names.client, or reactor.resolve(), instead of socket.getaddrinfo()" },
	{ TWISTED, BLOCKING, .causes = CAUSES(NETWORK),
	  .advice = "a client of twisted's (treq, twisted.web.client.Agent), or threads.deferToThread() "
		    "around the call" },
	{ TWISTED, BLOCKING, .causes = CAUSES(SUBPROCESS),
	  .advice = "reactor.spawnProcess(), or getProcessOutput() of twisted.internet.utils" },
	{ TWISTED, BLOCKING, .advice = "threads.deferToThread() around the call" },
	{ TWISTED, CPU,
	  .advice = "run it in a process (reactor.spawnProcess()), or split the work with "
		    "task.cooperate()" },
	{ GEVENT, BLOCKING, .causes = CAUSES(FILE),
	  .advice = "gevent.get_hub().threadpool.apply() around the file operation: files are not patched" },
	{ GEVENT, BLOCKING, .causes = CAUSES(SLEEP),
	  .advice = "gevent.sleep(), or gevent.monkey.patch_all() before anything imports time" },
	{ GEVENT, BLOCKING,
	  .advice = "gevent.monkey.patch_all() before other imports; what it does not patch (a client in "
		    "C), through gevent.get_hub().threadpool.apply()" },
	{ GEVENT, CPU,
	  .advice = "run it in a process, or split the work and call gevent.sleep(0) between the parts" },
};
const unsigned int advice_nr_loop_rows = ARRAY_SIZE(advice_loop_rows);
