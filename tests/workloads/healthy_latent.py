"""Healthy twin of the latent ones: the same work as asyncio does it, and what it does for that itself."""

import asyncio
import logging
import logging.handlers
import os
import queue
import socket
import tempfile
import threading

from truth import repeat, run

folder = tempfile.TemporaryDirectory()
log = logging.getLogger("shop")
log.propagate = False
records = queue.SimpleQueue()
log.addHandler(logging.handlers.QueueHandler(records))
to_file = logging.FileHandler(os.path.join(folder.name, "log"))
listener = logging.handlers.QueueListener(records, to_file)
listener.start()


async def serve(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()


async def talk(connection):
    reader, writer = await connection
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()


def read_file():
    with open(__file__) as file:
        return file.read()


async def handler():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    await talk(asyncio.open_connection(*server.sockets[0].getsockname()[:2]))
    server.close()
    path = os.path.join(folder.name, f"socket-{threading.get_ident()}")
    server = await asyncio.start_unix_server(serve, path)
    await talk(asyncio.open_unix_connection(path))
    server.close()
    process = await asyncio.create_subprocess_exec("true", stdout=asyncio.subprocess.PIPE)
    await process.communicate()
    process = await asyncio.create_subprocess_shell("true")
    await process.wait()
    await loop.run_in_executor(None, read_file)
    await loop.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    log.warning("written by a thread of its own")
    os.write(2, b"standard error is a pipe here\n")


async def plant():
    await repeat(5, handler)


run(plant)
