"""asyncpg and a real PostgreSQL, with a pool and without, through TCP or AF_UNIX, as the arguments name.

Says how many sessions the server had at the peak, by pg_stat_activity, which is as many as the kernel had connections,
by sock_diag.
The server is of this process' own network, so that it has the port that everybody knows, and nobody else's.
"""

import asyncio
import glob
import os
import pwd
import signal
import subprocess
import sys
import tempfile

import asyncpg
from network import connections_to, enter_network_namespace
from truth import emit, run

COUNT = 150
PORT = 5432
PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
SETTINGS = {"listen_addresses": "127.0.0.1", "port": PORT, "max_connections": COUNT + 10, "fsync": "off", "logging_collector": "off"}
SESSIONS = "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
NOBODY = pwd.getpwnam("nobody")  # the server refuses to be root's


def unprivileged(folder):
    return {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": [], "cwd": folder, "env": {"LC_ALL": "C"}}


def start(folder):
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    data = f"{folder}/data"
    initdb = [f"{PROGRAMS}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **unprivileged(folder))
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command = [f"{PROGRAMS}/postgres", "-D", data, "-k", folder, *settings]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **unprivileged(folder))
    said = []
    for line in server.stderr:
        if "ready to accept connections" in line:
            return server
        said.append(line)
    raise RuntimeError(f"postgres ended with {server.wait()}: {''.join(said)}")


class Peak:
    """Where all that may be connected at the same time wait for each other, and are counted."""

    def __init__(self, at_once):
        self.missing = at_once
        self.is_over = asyncio.Event()

    async def reached(self):
        self.missing -= 1
        if not self.missing:
            await count()
            self.is_over.set()
        await self.is_over.wait()


async def count():
    sockets, sessions = connections_to(address), None  # psql is one more
    query = ["-h", folder, "-U", "postgres", "-d", "postgres", "-Atc", SESSIONS]
    while sessions != sockets:  # the server hears of an end after the kernel; of more it never hears, and this ends with the test
        psql = await asyncio.create_subprocess_exec(f"{PROGRAMS}/psql", *query, stdout=subprocess.PIPE)
        sessions = int((await psql.communicate())[0])
    emit(peak=sessions, address=address)


async def use(connection, peak):
    assert await connection.fetchval("select 1") == 1
    if peak:
        await peak.reached()


async def fetch(peak=None):
    connection = await asyncpg.connect(**server_at)
    try:
        await use(connection, peak)
    finally:
        await connection.close()


async def fetch_pooled(pool, peak):
    async with pool.acquire() as connection:
        await use(connection, peak)


async def pooled(size):
    peak = Peak(size)
    async with asyncpg.create_pool(**server_at, min_size=size, max_size=size) as pool:
        await asyncio.gather(*(fetch_pooled(pool, peak) for _ in range(COUNT)))


async def pool():
    await pooled(10)


async def wide_pool():
    """Begins more in one iteration than half the limit, and is bounded all the same."""
    await pooled(60)


async def unbounded():
    peak = Peak(COUNT)
    await asyncio.gather(*(fetch(peak) for _ in range(COUNT)))


async def close_all(connections):
    await count()
    for connection in connections:
        await connection.close()


async def gather_connect():
    await close_all(await asyncio.gather(*(asyncpg.connect(**server_at) for _ in range(COUNT))))


async def group_connect():
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncpg.connect(**server_at)) for _ in range(COUNT)]
    await close_all([task.result() for task in tasks])


async def churn():
    for _ in range(59):
        await fetch()
    await fetch(Peak(1))


async def plant():
    await globals()[sys.argv[1]]()


enter_network_namespace()
with tempfile.TemporaryDirectory(prefix="loophound-postgres-") as folder:
    address = f"{folder}/.s.PGSQL.{PORT}" if sys.argv[2:] == ["unix"] else ("127.0.0.1", PORT)
    host = folder if isinstance(address, str) else address[0]
    server_at = {"host": host, "port": PORT, "user": "postgres", "database": "postgres"}
    server = start(folder)
    try:
        run(plant)
    finally:
        server.send_signal(signal.SIGINT)  # at once, whoever is connected
        server.wait()
