"""redis' own asyncio client of a real server, with and without a bound, as the argument names.

Says how many connections the server had at the peak.  redis-check-rdb is the same program as redis-server, and
comes without a service.
"""

import asyncio
import socket
import subprocess
import sys

import redis.asyncio as redis
from truth import emit, run

COUNT = 150
SETTINGS = {"bind": "127.0.0.1", "save": "", "appendonly": "no", "tcp-backlog": "511"}


def start():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [word for name, value in {"port": str(port), **SETTINGS}.items() for word in (f"--{name}", value)]
    server = subprocess.Popen(
        ["redis-server", *words], executable="/usr/bin/redis-check-rdb", stdout=subprocess.PIPE, cwd="/tmp", text=True
    )
    for line in server.stdout:
        if "Ready to accept connections" in line:
            return server, port
    raise RuntimeError(f"redis-server ended with {server.wait()}")


async def fetch(client):
    return await client.blpop("queue")


async def wait_blocked(control, count):
    """How many connections the server has once so many of them wait for an element."""
    while True:
        clients = await control.info("clients")
        if clients["blocked_clients"] == count:
            return clients["connected_clients"]


async def gather_fetch(client):
    await asyncio.gather(*(fetch(client) for _ in range(COUNT)))


async def gather_blpop(client):
    await asyncio.gather(*(client.blpop("queue") for _ in range(COUNT)))


async def fetch_all(client, at_once, gather=gather_fetch):
    control = redis.Redis(port=port)
    fetches = asyncio.create_task(gather(client))
    peak = await wait_blocked(control, at_once)
    await control.rpush("queue", *range(COUNT))
    await fetches
    await client.close()
    await client.connection_pool.disconnect()
    await control.close()
    return peak


async def unbounded():
    return await fetch_all(redis.Redis(port=port), COUNT)


async def unbounded_blpop():
    return await fetch_all(redis.Redis(port=port), COUNT, gather_blpop)


async def bounded():
    pool = redis.BlockingConnectionPool(port=port, max_connections=10, timeout=None)
    return await fetch_all(redis.Redis(connection_pool=pool), 10)


async def client_each():
    for _ in range(60):
        client = redis.Redis(port=port)
        await client.get("key")
        await client.close()
    return 1  # one after the other; the server may hear of an end after the next begins


async def client_shared():
    client = redis.Redis(port=port)
    peak = max([(await client.info("clients"))["connected_clients"] for _ in range(60)])
    await client.close()
    return peak


async def plant():
    emit(peak=await globals()[sys.argv[1]](), address=["127.0.0.1", port])


server, port = start()
try:
    run(plant)
finally:
    server.terminate()
    server.wait()
