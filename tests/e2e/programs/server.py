"""A real HTTP server under load, with planted faults beside healthy handlers: `server.py NAME`, of SERVERS.

Speaks as workloads do.  Its customers are a process of their own (peer.py), so that they share no GIL with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
import threading
import time

import requests

from peer import Peer
from truth import calibrate, emit_done, planted, to_thread, wait_for_go, wait_for_input

FAULTS = ("sleep", "fetch", "count", "lock", "sync")
ROUNDS = 2

remote = None  # a server that answers late
lock = threading.Lock()
file = tempfile.TemporaryFile(dir="/var/tmp")
file_name = os.readlink(f"/proc/self/fd/{file.fileno()}").split()[0]  # it is "deleted" from the beginning
megabyte = os.urandom(1 << 20)
client = requests.Session()
client.trust_env = False


async def index():
    return {"items": list(range(20))}


async def slow():
    await asyncio.sleep(0.03)
    return {}


def in_a_thread():
    """What starlette and fastapi run in their pool, and the others are asked to."""
    time.sleep(0.05)
    return {}


async def sleep():
    with planted("server_sleep", "sleep"):
        time.sleep(0.04)
    return {}


async def fetch():
    with planted("server_fetch", "network", target=remote.greeting):
        client.get(f"http://{remote.greeting}/", timeout=30)
    return {}


def work(n):
    total = 0
    with planted("server_count", "python", rule="cpu-bound", lines=3):
        for value in range(n):
            total += value * value
            total ^= value
    return total


def rehearse(n):
    total = 0
    for value in range(n):
        total += value * value
        total ^= value
    return total


async def count():
    work(amount)
    return {}


def hold(loop, held):
    with lock:
        loop.call_soon_threadsafe(held.set)
        time.sleep(0.08)


async def wait_for_lock():
    held = asyncio.Event()
    holder = threading.Thread(target=hold, args=(asyncio.get_running_loop(), held))
    holder.start()
    await held.wait()
    with planted("server_lock", "lock"):
        lock.acquire()
    lock.release()
    return {}


def write():
    file.seek(0)
    for _ in range(32):  # each releases the GIL; one of all would be made with it
        file.write(megabyte)
    file.flush()


async def sync():
    await to_thread(write)
    with planted("server_sync", "file", target=file_name):
        os.fsync(file.fileno())
    return {}


HANDLERS = {"": index, "slow": slow, "sleep": sleep, "fetch": fetch, "count": count, "lock": wait_for_lock, "sync": sync}


def prepare() -> None:
    """Before there is a loop: what starts processes, and what would be imported in a handler."""
    global remote, customers, amount
    remote = Peer("late-http", 0.06)
    customers = Peer("http-customers", ROUNDS, *FAULTS)
    client.get(f"http://{remote.greeting}/", timeout=30)
    amount = calibrate(rehearse, 0.12)


async def drive(port: int) -> None:
    await wait_for_go()
    customers.order(f"{port}")
    await customers.answer()
    emit_done()
    await wait_for_input()
    os.kill(os.getppid(), signal.SIGTERM) if "LOOPHOUND_TEST_PORT" in os.environ else os._exit(0)


def listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def run(serve, is_uvloop: bool) -> None:
    prepare()
    if is_uvloop:
        import uvloop

        uvloop.install()
    asyncio.run(serve())


async def aiohttp() -> None:
    from aiohttp import web

    def route(handler):
        async def respond(request):
            return web.json_response(await handler())

        return respond

    async def threaded():
        return await to_thread(in_a_thread)

    app = web.Application()
    for path, handler in {**HANDLERS, "thread": threaded}.items():
        app.router.add_get(f"/{path}", route(handler))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await drive(runner.addresses[0][1])


async def tornado() -> None:
    from tornado.httpserver import HTTPServer
    from tornado.web import Application, RequestHandler

    def route(handler):
        class Handler(RequestHandler):
            async def get(self):
                self.write(await handler())

        return Handler

    async def threaded():
        return await to_thread(in_a_thread)

    app = Application(
        [(f"/{path}", route(handler)) for path, handler in {**HANDLERS, "thread": threaded}.items()],
        log_function=lambda handler: None,
    )
    listening = listen()
    listening.setblocking(False)
    HTTPServer(app).add_socket(listening)
    await drive(listening.getsockname()[1])


def starlette_app():
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    def route(handler):
        async def respond(request):
            return JSONResponse(await handler())

        return respond

    def threaded(request):
        return JSONResponse(in_a_thread())

    routes = [Route(f"/{path}", route(handler)) for path, handler in HANDLERS.items()]
    return Starlette(routes=[*routes, Route("/thread", threaded)])


def fastapi_app():
    from fastapi import FastAPI

    app = FastAPI()
    for path, handler in {**HANDLERS, "thread": in_a_thread}.items():
        app.get(f"/{path}")(handler)
    return app


def under_uvicorn(make_app):
    async def serve() -> None:
        import uvicorn

        listening = listen()
        server = uvicorn.Server(uvicorn.Config(make_app(), log_level="error", access_log=False))
        serving = asyncio.ensure_future(server.serve([listening]))
        await drive(listening.getsockname()[1])
        await serving

    return serve


def app():
    """What a worker of gunicorn loads."""
    made = fastapi_app()
    made.router.on_startup.append(lambda: drivers.append(asyncio.ensure_future(drive(int(os.environ["LOOPHOUND_TEST_PORT"])))))
    return made


drivers = []


def gunicorn() -> None:
    listening = listen()
    listening.set_inheritable(True)
    os.environ["LOOPHOUND_TEST_PORT"] = str(listening.getsockname()[1])
    folder = os.path.dirname(os.path.abspath(__file__))
    options = ["--bind", f"fd://{listening.fileno()}", "--workers", "1", "--log-level", "error", "--pythonpath", folder]
    worker = ["--worker-class", "uvicorn.workers.UvicornWorker", "server:app()"]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *options, *worker])


SERVERS = {
    "aiohttp": lambda: run(aiohttp, False),
    "aiohttp-uvloop": lambda: run(aiohttp, True),
    "tornado": lambda: run(tornado, False),
    "starlette": lambda: run(under_uvicorn(starlette_app), False),
    "starlette-uvloop": lambda: run(under_uvicorn(starlette_app), True),
    "fastapi": lambda: run(under_uvicorn(fastapi_app), False),
    "fastapi-uvloop": lambda: run(under_uvicorn(fastapi_app), True),
    "gunicorn-uvloop": gunicorn,  # the worker takes uvloop where it is installed
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]]()
elif "LOOPHOUND_TEST_PORT" in os.environ:
    prepare()
