"""Sleeps, processes, locks, databases in a file, terminals, imports."""

from snippet import Snippet as S

FORK = "returns after fork(): the child, not the caller, waits for the disk"

SNIPPETS = {
    "time.sleep": S("time.sleep(0.06)", "sleep"),
    "builtins.input": S("input()", "pipe", "at.stdin()"),
    "threading.Lock.acquire": S("lock.acquire()", "lock", "lock = at.lock()"),
    "threading.Lock.acquire_lock": S("lock.acquire_lock()", "lock", "lock = at.lock()"),
    "threading.Event.wait": S("threading.Event().wait(0.06)", "lock"),
    "threading.Condition.wait": S(
        "condition.wait(0.06)", "lock", "condition = threading.Condition(); condition.acquire()"
    ),
    "threading.Thread.join": S(
        "thread.join()", "lock", "thread = threading.Thread(target=time.sleep, args=(0.06,)); thread.start()"
    ),
    "queue.Queue.get": S("queue.Queue().get(timeout=0.06)", "lock", raises="queue.Empty"),
    "queue.SimpleQueue.get": S("queue.SimpleQueue().get(timeout=0.06)", "lock", raises="queue.Empty"),
    "concurrent.futures.Future.result": S(
        "future.result()", "lock",
        "pool = concurrent.futures.ThreadPoolExecutor(1); future = pool.submit(time.sleep, 0.06)",
    ),
    "fcntl.flock": S(
        "fcntl.flock(file, fcntl.LOCK_EX)", "file",
        "path = at.file(); file = open(path); held = open(path); fcntl.flock(held, fcntl.LOCK_EX); "
        "threading.Timer(0.06, held.close).start()",
    ),
    "subprocess.Popen": S("subprocess.Popen([program])", "subprocess", "program = at.program()"),
    "os.popen": S("os.popen('exit')", "subprocess"),
    "subprocess.run": S("subprocess.run(['sleep', '0.06'])", "subprocess"),
    "subprocess.call": S("subprocess.call(['sleep', '0.06'])", "subprocess"),
    "subprocess.check_call": S("subprocess.check_call(['sleep', '0.06'])", "subprocess"),
    "subprocess.check_output": S("subprocess.check_output(['sleep', '0.06'])", "subprocess"),
    "subprocess.getoutput": S("subprocess.getoutput('sleep 0.06')", "subprocess"),
    "subprocess.getstatusoutput": S("subprocess.getstatusoutput('sleep 0.06')", "subprocess"),
    "os.system": S("os.system('sleep 0.06')", "subprocess"),
    "os.posix_spawn": S("os.posix_spawn(program, ['late'], {})", "subprocess", "program = at.program()"),
    "os.posix_spawnp": S("os.posix_spawnp(program, ['late'], {})", "subprocess", "program = at.program()"),
    "os.wait": S("os.wait()", "subprocess", "child = at.child()"),
    "os.wait3": S("os.wait3(0)", "subprocess", "child = at.child()"),
    "os.wait4": S("os.wait4(child.pid, 0)", "subprocess", "child = at.child()"),
    "os.waitid": S("os.waitid(os.P_PID, child.pid, os.WEXITED)", "subprocess", "child = at.child()"),
    "os.waitpid": S("os.waitpid(child.pid, 0)", "subprocess", "child = at.child()"),
    "sqlite3.Cursor.execute": S(
        "cursor.execute('insert into t values (1)')", "file", "cursor = at.database().cursor()"
    ),
    "sqlite3.Cursor.executemany": S(
        "cursor.executemany('insert into t values (?)', [(1,)])", "file", "cursor = at.database().cursor()"
    ),
    "sqlite3.Cursor.executescript": S(
        "cursor.executescript('insert into t values (1)')", "file", "cursor = at.database().cursor()"
    ),
    "sqlite3.Cursor.fetchone": S("cursor.fetchone()", "file", "cursor = at.cursor()"),
    "sqlite3.Cursor.fetchmany": S("cursor.fetchmany(4)", "file", "cursor = at.cursor()"),
    "sqlite3.Cursor.fetchall": S("cursor.fetchall()", "file", "cursor = at.cursor()"),
    "sqlite3.Connection.execute": S("base.execute('insert into t values (1)')", "file", "base = at.database()"),
    "sqlite3.Connection.executemany": S(
        "base.executemany('insert into t values (?)', [(1,)])", "file", "base = at.database()"
    ),
    "sqlite3.Connection.executescript": S(
        "base.executescript('insert into t values (1)')", "file", "base = at.database()"
    ),
    "sqlite3.Connection.commit": S(
        "base.commit()", "file", "base = at.database(); base.execute('insert into t values (1)')"
    ),
    "sqlite3.Connection.rollback": S(
        "base.rollback()", "file", "base = at.database(); base.execute('insert into t values (1)')"
    ),
    "importlib.import_module": S("importlib.import_module(name)", "file import", "name = at.module()"),
    "ssl.SSLContext.load_default_certs": S(
        "context.load_default_certs()", "file", "context = ssl.create_default_context()"
    ),
    "ssl.SSLContext.load_verify_locations": S(
        "context.load_verify_locations(at.certificate)", "file", "context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"
    ),
    "ssl.SSLContext.load_cert_chain": S(
        "context.load_cert_chain(at.certificate)", "file", "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)"
    ),
    "ssl.SSLContext.set_default_verify_paths": S(
        "context.set_default_verify_paths()", "file", "context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"
    ),
}  # fmt: skip

for suffix in "l le lp lpe v ve vp vpe".split():
    arguments = "['sleep', '0.06']" if suffix[0] == "v" else "'sleep', '0.06'"
    if suffix.endswith("e"):
        arguments += ", os.environ"
    path = "'sleep'" if "p" in suffix else "'/bin/sleep'"
    SNIPPETS[f"os.spawn{suffix} (P_WAIT)"] = S(f"os.spawn{suffix}(os.P_WAIT, {path}, {arguments})", "subprocess")
    SNIPPETS[f"os.spawn{suffix}"] = S(f"os.spawn{suffix}(os.P_NOWAIT, {path}, {arguments})", quick=FORK)
