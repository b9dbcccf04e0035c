/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The advice table.  Order matters: what says most comes first (boto3 before urllib3, which it
 * uses), then what only the descriptor or the call can tell, then each cause in general.
 */
#include "advice.h"
#include "util.h"

#define BLOCKING       .rule = RULE_BLOCKING_CALL
#define CPU	       .rule = RULE_CPU_BOUND
#define HOST	       .rule = RULE_HOST_STARVED
#define GIL	       .rule = RULE_GIL_WAIT
#define SAY(text, ...) .advice = (text), .lint = { __VA_ARGS__ }
#define DBAPI	       "instead of the blocking driver"
#define NET	       .causes = CAUSES2(NETWORK, DNS)

/* clang-format off */
const struct advice_row advice_rows[] = {
	/* --- what is not the call's own fault --- */
	{ BLOCKING, .file = "/logging/__init__.py", .is_any_loops = true,
	  SAY("log through a logging.handlers.QueueHandler; its QueueListener writes in a "
	      "thread of its own") },
	{ BLOCKING, .file = "/logging/handlers.py", .is_any_loops = true,
	  SAY("log through a logging.handlers.QueueHandler; its QueueListener writes in a "
	      "thread of its own") },
	{ BLOCKING, .file = "<frozen importlib._bootstrap>", .is_any_loops = true,
	  SAY("import the module when the program starts, not while the loop runs") },
	{ BLOCKING, .file = "asyncio/unix_events.py", .causes = CAUSES(SUBPROCESS),
	  SAY("asyncio starts processes on the loop's thread: start them from a small "
	      "helper process, since fork takes longer the larger the parent is") },

	{ BLOCKING, .file = "/ssl.py", .causes = CAUSES(FILE), .is_any_loops = true,
	  SAY("create the SSLContext (or the client that makes one) once, when the program "
	      "starts: it reads every CA certificate") },

	/* --- libraries --- */
	{ BLOCKING, .file = "botocore/", SAY("aioboto3 (or aiobotocore) instead of boto3") },
	{ BLOCKING, .file = "boto3/", SAY("aioboto3 (or aiobotocore) instead of boto3") },
	{ BLOCKING, .file = "s3transfer/", SAY("aioboto3 (or aiobotocore) instead of boto3") },
	{ BLOCKING, .file = "openai/", NET,
	  SAY("await openai.AsyncOpenAI instead of openai.OpenAI") },
	{ BLOCKING, .file = "anthropic/", NET,
	  SAY("await anthropic.AsyncAnthropic instead of anthropic.Anthropic") },
	{ BLOCKING, .file = "elasticsearch/", NET,
	  SAY("elasticsearch.AsyncElasticsearch instead of Elasticsearch") },
	{ BLOCKING, .file = "opensearchpy/", NET,
	  SAY("opensearchpy.AsyncOpenSearch instead of OpenSearch") },
	{ BLOCKING, .file = "tenacity/", .causes = CAUSES(SLEEP),
	  SAY("let tenacity retry an async def: it then waits with asyncio.sleep()", "ASYNC251") },
	{ BLOCKING, .file = "requests/",
	  SAY("aiohttp or httpx.AsyncClient instead of requests", "ASYNC210") },
	{ BLOCKING, .file = "httpcore/_sync/",
	  SAY("httpx.AsyncClient instead of httpx.Client", "ASYNC210", "ASYNC212") },
	{ BLOCKING, .file = "urllib3/",
	  SAY("aiohttp or httpx.AsyncClient instead of urllib3",
	      "ASYNC210", "ASYNC211", "ASYNC212") },
	{ BLOCKING, .file = "/urllib/request.py",
	  SAY("aiohttp or httpx.AsyncClient instead of urllib.request", "ASYNC210") },
	{ BLOCKING, .file = "/smtplib.py", SAY("aiosmtplib instead of smtplib") },
	{ BLOCKING, .file = "/imaplib.py", SAY("aioimaplib instead of imaplib") },
	{ BLOCKING, .file = "/ftplib.py", SAY("aioftp instead of ftplib") },
	{ BLOCKING, .file = "/xmlrpc/client.py",
	  SAY("await asyncio.to_thread() around the call of the server proxy") },
	{ BLOCKING, .file = "/http/client.py",
	  SAY("aiohttp or httpx.AsyncClient instead of http.client", "ASYNC210") },
	{ BLOCKING, .file = "django/db/",
	  SAY("Django's async queries (aget, acreate, async for) or sync_to_async() around "
	      "the query") },
	{ BLOCKING, .file = "sqlalchemy/",
	  SAY("SQLAlchemy's create_async_engine() and AsyncSession with an async driver") },
	{ BLOCKING, .file = "psycopg2/",
	  SAY("asyncpg, or psycopg 3 with AsyncConnection, instead of psycopg2") },
	{ BLOCKING, .file = "psycopg/", NET,
	  SAY("psycopg.AsyncConnection instead of psycopg.Connection") },
	{ BLOCKING, .file = "pg8000/",
	  SAY("asyncpg, or psycopg 3 with AsyncConnection, instead of pg8000") },
	{ BLOCKING, .file = "pymysql/", SAY("aiomysql or asyncmy instead of PyMySQL") },
	{ BLOCKING, .file = "MySQLdb/", SAY("aiomysql or asyncmy instead of mysqlclient") },
	{ BLOCKING, .file = "mysql/connector/",
	  SAY("aiomysql, asyncmy or mysql.connector.aio instead of mysql.connector") },
	{ BLOCKING, .file = "redis/", NET, SAY("redis.asyncio instead of redis") },
	{ BLOCKING, .file = "pymongo/", NET,
	  SAY("pymongo's AsyncMongoClient (or motor) instead of MongoClient") },
	{ BLOCKING, .file = "cassandra/",
	  SAY("await asyncio.wrap_future() around the driver's execute_async(), or to_thread()") },
	{ BLOCKING, .file = "sqlite3/", SAY("aiosqlite instead of sqlite3") },
	{ BLOCKING, .file = "paramiko/", SAY("asyncssh instead of paramiko") },
	{ BLOCKING, .file = "ldap3/", SAY("bonsai, or await asyncio.to_thread() around ldap3") },
	{ BLOCKING, .file = "pika/", SAY("aio-pika instead of pika's BlockingConnection") },
	{ BLOCKING, .file = "kafka/", SAY("aiokafka instead of kafka-python") },
	{ BLOCKING, .file = "confluent_kafka/",
	  SAY("aiokafka, or await asyncio.to_thread() around confluent_kafka") },
	{ BLOCKING, .file = "grpc/", NET, SAY("grpc.aio instead of the blocking channel") },
	{ BLOCKING, .file = "websocket/",
	  SAY("websockets or aiohttp instead of websocket-client") },
	{ BLOCKING, .file = "websockets/sync/",
	  SAY("websockets.asyncio instead of websockets.sync") },
	{ BLOCKING, .file = "pymemcache/", SAY("aiomcache instead of pymemcache") },
	{ BLOCKING, .file = "zmq/", NET, SAY("zmq.asyncio instead of zmq") },
	{ BLOCKING, .file = "serial/", SAY("pyserial-asyncio instead of serial") },
	{ BLOCKING, .file = "/dns/resolver.py", SAY("dns.asyncresolver instead of dns.resolver") },

	/* --- processes --- */
	{ BLOCKING, .file = "/subprocess.py", .function = "run", .causes = CAUSES(SUBPROCESS),
	  SAY("asyncio.create_subprocess_exec() instead of subprocess.run()", "ASYNC221") },
	{ BLOCKING, .file = "/subprocess.py", .function = "call", .causes = CAUSES(SUBPROCESS),
	  SAY("asyncio.create_subprocess_exec() instead of subprocess.call()", "ASYNC221") },
	{ BLOCKING, .causes = CAUSES(SUBPROCESS), .file = "/subprocess.py",
	  .function = "communicate",
	  SAY("asyncio.create_subprocess_exec() and await its communicate() instead of "
	      "subprocess", "ASYNC221", "ASYNC220") },
	{ BLOCKING, .file = "/subprocess.py", .function = "wait", .causes = CAUSES(SUBPROCESS),
	  SAY("asyncio.create_subprocess_exec() and await its wait() instead of "
	      "Popen.wait()", "ASYNC220") },
	{ BLOCKING, .file = "/subprocess.py", .causes = CAUSES(SUBPROCESS),
	  SAY("asyncio.create_subprocess_exec() instead of subprocess.Popen", "ASYNC220") },
	{ BLOCKING, .file = "/concurrent/futures/process.py", .function = "submit",
	  SAY("start the pool before the loop serves: submit to its ProcessPoolExecutor once at "
	      "start-up, since the first submit() starts the workers") },
	{ BLOCKING, .file = "/multiprocessing/process.py", .function = "join",
	  SAY("await asyncio.to_thread(process.join) instead of process.join()") },
	{ BLOCKING, .file = "/multiprocessing/process.py", .function = "start",
	  SAY("start processes before the loop runs, or run the work with "
	      "loop.run_in_executor() and a ProcessPoolExecutor") },
	{ BLOCKING, .file = "/multiprocessing/pool.py",
	  SAY("loop.run_in_executor() with a ProcessPoolExecutor instead of "
	      "multiprocessing.Pool") },
	{ BLOCKING, .file = "multiprocessing/",
	  SAY("await asyncio.to_thread() around what waits for the other process (join, "
	      "recv, get)") },

	/* --- threads and their locks --- */
	{ BLOCKING, .file = "/concurrent/futures/_base.py", .function = "result",
	  SAY("await asyncio.wrap_future(future) instead of future.result()") },
	{ BLOCKING, .file = "/concurrent/futures/_base.py", .function = "exception",
	  SAY("await asyncio.wrap_future(future) instead of future.exception()") },
	{ BLOCKING, .file = "/concurrent/futures/_base.py", .function = "result_iterator",
	  SAY("await asyncio.gather() of loop.run_in_executor() instead of executor.map()") },
	{ BLOCKING, .file = "/concurrent/futures/thread.py", .function = "shutdown",
	  SAY("keep the executor for the life of the program, or shutdown(wait=False): "
	      "leaving its with block waits for every worker") },
	{ BLOCKING, .file = "/concurrent/futures/process.py", .function = "shutdown",
	  SAY("keep the executor for the life of the program, or shutdown(wait=False): "
	      "leaving its with block waits for every worker") },
	{ BLOCKING, .file = "/concurrent/futures/_base.py",
	  SAY("asyncio.wait() or gather() of asyncio.wrap_future() instead of "
	      "concurrent.futures' own waits") },
	{ BLOCKING, .file = "/queue.py", .causes = CAUSES(LOCK),
	  SAY("asyncio.Queue instead of queue.Queue; between threads, janus or "
	      "loop.call_soon_threadsafe()") },
	{ BLOCKING, .file = "/threading.py", .function = "start", .causes = CAUSES(LOCK),
	  SAY("start threads before the loop is busy: Thread.start() waits until the new "
	      "thread has run") },
	{ BLOCKING, .file = "/threading.py", .function = "join",
	  SAY("await asyncio.to_thread(thread.join) instead of thread.join()") },
	{ BLOCKING, .file = "/threading.py", .function = "Event.wait", .causes = CAUSES(LOCK),
	  SAY("asyncio.Event, set with loop.call_soon_threadsafe(), instead of threading.Event") },
	{ BLOCKING, .file = "/threading.py", .function = "Barrier.wait", .causes = CAUSES(LOCK),
	  SAY("asyncio.Barrier instead of threading.Barrier") },
	{ BLOCKING, .file = "/threading.py", .function = "acquire", .causes = CAUSES(LOCK),
	  SAY("asyncio.Semaphore instead of threading.Semaphore") },
	{ BLOCKING, .file = "/threading.py", .function = "wait", .causes = CAUSES(LOCK),
	  SAY("asyncio.Event or asyncio.Condition instead of those of threading") },

	/* --- the network below the libraries --- */
	{ BLOCKING, .causes = CAUSES(DNS),
	  SAY("await loop.getaddrinfo() instead of a socket.getaddrinfo() or "
	      "gethostbyname() on the loop") },
	{ BLOCKING, .port = 5432, SAY("asyncpg, or psycopg 3 with AsyncConnection, " DBAPI) },
	{ BLOCKING, .object = ".s.PGSQL.",
	  SAY("asyncpg, or psycopg 3 with AsyncConnection, " DBAPI) },
	{ BLOCKING, .port = 3306, SAY("aiomysql or asyncmy " DBAPI) },
	{ BLOCKING, .object = "mysqld.sock", SAY("aiomysql or asyncmy " DBAPI) },
	{ BLOCKING, .port = 6379, SAY("redis.asyncio instead of the blocking client") },
	{ BLOCKING, .port = 27017,
	  SAY("pymongo's AsyncMongoClient (or motor) instead of MongoClient") },
	{ BLOCKING, .port = 1433, SAY("aioodbc " DBAPI) },
	{ BLOCKING, .port = 9092, SAY("aiokafka instead of the blocking client") },
	{ BLOCKING, .port = 5672, SAY("aio-pika instead of the blocking client") },
	{ BLOCKING, .port = 11211, SAY("aiomcache instead of the blocking client") },
	{ BLOCKING, .file = "/selectors.py",
	  SAY("let the running loop wait (loop.add_reader(), loop.sock_recv()) instead of "
	      "a selector of its own") },
	{ BLOCKING, .causes = CAUSES(NETWORK),
	  SAY("asyncio.open_connection(), or loop.sock_connect(), sock_recv() and "
	      "sock_sendall(), instead of a blocking socket") },

	/* --- calls without a library frame --- */
	{ BLOCKING, .causes = CAUSES(SLEEP), .is_c_sleep = true,
	  SAY("a C library sleeps inside this call (sqlite3 does while its database is locked): "
	      "aiosqlite, or asyncio.to_thread()") },
	{ BLOCKING, .causes = CAUSES(SLEEP),
	  SAY("await asyncio.sleep() instead of time.sleep()", "ASYNC251") },
	{ BLOCKING, .causes = CAUSES(SUBPROCESS), .syscall = "wait4",
	  SAY("asyncio.create_subprocess_shell() instead of os.system(), and its wait() "
	      "instead of os.waitpid()", "ASYNC221", "ASYNC222") },
	{ BLOCKING, .causes = CAUSES(SUBPROCESS), .syscall = "waitid",
	  SAY("await the wait() of an asyncio subprocess instead of os.waitid()", "ASYNC222") },
	{ BLOCKING, .causes = CAUSES(SUBPROCESS),
	  SAY("asyncio.create_subprocess_exec() instead of starting the process on the "
	      "loop", "ASYNC220", "ASYNC221") },
	{ BLOCKING, .causes = CAUSES(LOCK),
	  SAY("asyncio.Lock, Event or Queue instead of those of threading; to wait for a "
	      "thread, await asyncio.to_thread()") },
	{ BLOCKING, .causes = CAUSES(TERMINAL), .syscall = "read",
	  SAY("await asyncio.to_thread(input) instead of input()", "ASYNC250") },
	{ BLOCKING, .causes = CAUSES(TERMINAL),
	  SAY("print less, or from a thread: the terminal does not take more") },
	{ BLOCKING, .causes = CAUSES(PIPE),
	  SAY("loop.connect_read_pipe() or connect_write_pipe(), or await "
	      "asyncio.to_thread() around the call") },

	/* --- files --- */
	{ BLOCKING, .causes = CAUSES(FILE), .object = ".sqlite",
	  SAY("aiosqlite instead of sqlite3") },
	{ BLOCKING, .causes = CAUSES(FILE), .object = ".db-", SAY("aiosqlite instead of sqlite3") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "fsync",
	  SAY("await asyncio.to_thread(os.fsync, fd) instead of os.fsync()") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "fdatasync",
	  SAY("await asyncio.to_thread() around what syncs the file; aiosqlite if that is "
	      "sqlite3") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "flock",
	  SAY("await asyncio.to_thread(fcntl.flock, fd, ...) instead of fcntl.flock()") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "fcntl",
	  SAY("await asyncio.to_thread() around what locks the file; aiosqlite if that is "
	      "sqlite3") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "openat",
	  SAY("await asyncio.to_thread() around open(), or aiofiles", "ASYNC230") },
	{ BLOCKING, .causes = CAUSES(FILE), .file = "/pathlib.py",
	  SAY("await asyncio.to_thread(path.read_bytes) and the like, or anyio.Path",
	      "ASYNC230", "ASYNC240") },
	{ BLOCKING, .causes = CAUSES(FILE), .file = "pathlib/",
	  SAY("await asyncio.to_thread(path.read_bytes) and the like, or anyio.Path",
	      "ASYNC230", "ASYNC240") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "newfstatat",
	  SAY("await asyncio.to_thread(os.stat, path)", "ASYNC240") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "getdents64",
	  SAY("await asyncio.to_thread(os.listdir, path)", "ASYNC240") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "read",
	  SAY("await asyncio.to_thread(file.read), or aiofiles", "ASYNC230", "ASYNC232") },
	{ BLOCKING, .causes = CAUSES(FILE), .syscall = "write",
	  SAY("await asyncio.to_thread(file.write, data), or aiofiles", "ASYNC230", "ASYNC232") },
	{ BLOCKING, .causes = CAUSES(FILE),
	  SAY("await asyncio.to_thread() around the file operation, or aiofiles",
	      "ASYNC230", "ASYNC240") },

	/* --- the processor --- */
	{ CPU, .file = "<frozen importlib._bootstrap>",
	  SAY("import the module when the program starts, not while the loop runs") },
	{ CPU, .file = "json/",
	  SAY("loop.run_in_executor() with a ProcessPoolExecutor: json holds the GIL; a "
	      "faster parser (orjson, msgspec) shortens it") },
	{ CPU, .file = "/re.py",
	  SAY("a pattern that cannot backtrack, or a ProcessPoolExecutor: re holds the GIL") },
	{ CPU, .file = "re/",
	  SAY("a pattern that cannot backtrack, or a ProcessPoolExecutor: re holds the GIL") },
	{ CPU, .file = "/pickle.py",
	  SAY("loop.run_in_executor() with a ProcessPoolExecutor: pickle holds the GIL") },
	{ CPU, .file = "/hashlib.py",
	  SAY("await asyncio.to_thread(): hashlib releases the GIL on large input") },
	{ CPU, .file = "/hmac.py",
	  SAY("await asyncio.to_thread(): hashing releases the GIL on large input") },
	{ CPU, .file = "/gzip.py", SAY("await asyncio.to_thread(): compression releases the GIL") },
	{ CPU, .file = "/bz2.py", SAY("await asyncio.to_thread(): compression releases the GIL") },
	{ CPU, .file = "/lzma.py", SAY("await asyncio.to_thread(): compression releases the GIL") },
	{ CPU, .file = "/zipfile.py",
	  SAY("await asyncio.to_thread(): compression releases the GIL") },
	{ CPU, .file = "zipfile/", SAY("await asyncio.to_thread(): compression releases the GIL") },
	{ CPU, .file = "/tarfile.py",
	  SAY("await asyncio.to_thread(): compression releases the GIL") },
	{ CPU, .file = "bcrypt/", SAY("await asyncio.to_thread(): bcrypt releases the GIL") },
	{ CPU, .file = "argon2/", SAY("await asyncio.to_thread(): argon2 releases the GIL") },
	{ CPU, .file = "PIL/",
	  SAY("await asyncio.to_thread(): Pillow releases the GIL in its image operations") },
	{ CPU, .file = "numpy/",
	  SAY("await asyncio.to_thread(): most of numpy's operations release the GIL") },
	{ CPU, .file = "yaml/",
	  SAY("yaml.CSafeLoader, and loop.run_in_executor() with a ProcessPoolExecutor for "
	      "large documents") },
	{ CPU, .causes = CAUSES(NATIVE),
	  SAY("C code on this line: asyncio.to_thread() is enough if it releases the "
	      "GIL (hashlib, zlib, bz2, lzma); else (json, re, pickle, most others) "
	      "run_in_executor() with a ProcessPoolExecutor") },

	/* --- the GIL: what the thread that holds it should do --- */
	{ GIL, .causes = CAUSES(GIL), .is_native = true,
	  SAY("the C call on the holder's line keeps the GIL until it returns: give it less at a "
	      "time, or run it in a ProcessPoolExecutor") },
	{ GIL, .causes = CAUSES(GIL),
	  SAY("move that thread's Python work to a process (ProcessPoolExecutor): a thread that "
	      "computes takes the GIL from the loop for a switch interval each time") },
	/* --- the collector --- */
	{ .rule = RULE_GC_PAUSE, .causes = CAUSES(EXPLICIT),
	  SAY("leave it to the collector's own thresholds, or call gc.collect() while nothing "
	      "waits; after start-up, with gc.freeze(), it has less to look at") },

	/* --- the host --- */
	{ HOST, .causes = CAUSES(RUN_QUEUE),
	  SAY("not the code: give the process more CPU (cgroup limit, neighbours, priority), "
	      "or run fewer busy threads beside the loop") },
	{ HOST, .causes = CAUSES(THROTTLED),
	  SAY("not the code: its CPU quota ran out; raise the limit of that cgroup (CPUQuota=, "
	      "resources.limits.cpu, --cpus) or remove it, or run fewer threads in it") },
	{ HOST, .causes = CAUSES(PAGE_FAULT),
	  SAY("not the code: memory is short or swapped out, or a mapped file is read from a "
	      "slow disk") },
	{ HOST, .causes = CAUSES(STOPPED),
	  SAY("not the code: look for SIGSTOP, a debugger, a freezer or a snapshot of the "
	      "machine") },
};
/* clang-format on */

const unsigned int advice_nr_rows = ARRAY_SIZE(advice_rows);
