"""A small shop on aiohttp: some handlers are as they should be, the others block the event loop.

Prints its address once it listens.  SLOW_URL names an HTTP server that takes its time
(slow_server.py), DATA_DIR a directory on a real disk; SLOW_NAME is a host name that takes time to resolve.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import socket
import subprocess
import threading
import time

import requests
from aiohttp import web

SLOW_URL = os.environ["SLOW_URL"]
DATA_DIR = os.environ["DATA_DIR"]
SLOW_NAME = os.environ.get("SLOW_NAME", "localhost")

ITEMS = [{"id": number, "name": f"item {number}", "price": number * 7 % 100} for number in range(50)]
CATALOGUE = json.dumps([{"id": number, "tags": ["new"], "text": "lorem " * 8} for number in range(60_000)])

routes = web.RouteTableDef()


# Healthy: short, or waiting for what they need without holding up the others.


@routes.get("/")
async def index(request: web.Request) -> web.Response:
    return web.Response(text="welcome\n")


@routes.get("/items")
async def items(request: web.Request) -> web.Response:
    return web.json_response(ITEMS)


@routes.get("/slow-but-async")
async def slow_but_async(request: web.Request) -> web.Response:
    await asyncio.sleep(0.2)
    return web.Response(text="worth the wait\n")


# Faulty: while one of these runs, nobody else is served.


@routes.get("/checkout")
async def checkout(request: web.Request) -> web.Response:
    charge_card()
    return web.Response(text="paid\n")


def charge_card() -> None:
    time.sleep(0.1)  # "the payment provider allows ten calls a second"


@routes.get("/weather")
async def weather(request: web.Request) -> web.Response:
    return web.Response(text=requests.get(SLOW_URL, timeout=5).text)


@routes.get("/resolve")
async def resolve(request: web.Request) -> web.Response:
    addresses = socket.getaddrinfo(SLOW_NAME, 443, socket.AF_INET, socket.SOCK_STREAM)
    return web.json_response([address[4][0] for address in addresses])


@routes.get("/thumbnail")
async def thumbnail(request: web.Request) -> web.Response:
    subprocess.run(["sleep", "0.12"], check=True)  # stands for an image converter
    return web.Response(text="thumbnail\n")


class Ledger:
    """Orders in a file that must survive a crash."""

    def __init__(self) -> None:
        self.file = open(os.path.join(DATA_DIR, "ledger"), "wb")
        self.page = os.urandom(1 << 20)

    def save(self) -> None:
        self.file.seek(0)
        for _ in range(48):
            self.file.write(self.page)
        self.file.flush()
        os.fsync(self.file.fileno())


ledger = Ledger()


@routes.get("/order")
async def order(request: web.Request) -> web.Response:
    ledger.save()
    return web.Response(text="ordered\n")


class Stock:
    """Counts of items, brought up to date by a thread that holds the lock while it works."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts = {item["id"]: 3 for item in ITEMS}

    def refresh_for_ever(self) -> None:
        while True:
            with self.lock:
                time.sleep(0.15)
            time.sleep(0.05)

    def of(self, item: int) -> int:
        with self.lock:
            return self.counts[item]


stock = Stock()


@routes.get("/stock")
async def in_stock(request: web.Request) -> web.Response:
    return web.json_response({"in stock": stock.of(7)})


@routes.get("/recommend")
async def recommend(request: web.Request) -> web.Response:
    return web.json_response(best_matches(900_000))


def best_matches(candidates: int) -> list[int]:
    best, best_score = 0, -1
    for candidate in range(candidates):
        score = (candidate * 2_654_435_761) % 4_294_967_291
        if score > best_score:
            best, best_score = candidate, score
    return [best]


@routes.get("/login")
async def login(request: web.Request) -> web.Response:
    key = hashlib.pbkdf2_hmac("sha256", b"correct horse", b"battery staple", 250_000)
    return web.Response(text=key.hex())


@routes.get("/import")
async def import_catalogue(request: web.Request) -> web.Response:
    return web.json_response({"imported": len(json.loads(CATALOGUE))})


@routes.get("/import-in-thread")
async def import_in_thread(request: web.Request) -> web.Response:
    catalogue = await asyncio.to_thread(json.loads, CATALOGUE)  # one C call, which keeps the GIL
    return web.json_response({"imported": len(catalogue)})


visits: list[object] = []


@routes.get("/remember")
async def remember(request: web.Request) -> web.Response:
    """Makes garbage that only the collector finds, and calls it by hand."""
    for _ in range(30_000):
        visit: dict[str, object] = {"path": request.path}
        visit["self"] = visit
        visits.append(visit)
    visits.clear()
    gc.collect()
    return web.Response(text="remembered\n")


@routes.get("/invoice")
async def invoice(request: web.Request) -> web.Response:
    import xmlrpc.server  # the first customer waits for the import

    return web.Response(text=f"by {xmlrpc.server.__name__}\n")


async def main() -> None:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    threading.Thread(target=stock.refresh_for_ever, name="stock", daemon=True).start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
